#!/bin/bash
# A key tree under rekeys by multicast, with one member that multicast does not reach: new KEKs come
# to all through the tree, a killed key server goes on with the tree it had, and a member that is
# excluded does not get the next one, while the others lose no packet.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow
command -v smcrouted >/dev/null || skip "smcrouted is missing: tools/deps.sh lab"
# shellcheck disable=SC2034 # read by lab/conf.sh
LAB_MANAGEMENT=lkh LAB_ATD=2 LAB_RETRANSMIT=1

kek_of() { lab_show "$1" 'show crypto gdoi gm' -j | jq -r '.groups[0].kek.spi'; }
starts() { grep -c '%CRYPTO-5-GM_REGSTER' "$LAB_DIR/$1/gmd.log"; }
idle() { lab_json_holds ks1 'show crypto gdoi ks rekey' '.groups[0].in_progress | not'; }
new_kek() { # OLD NODE…: they have one KEK, another than that
	local old=$1 gm now
	now=$(kek_of "$2")
	[ "$now" != "$old" ] || return 1
	shift
	for gm in "$@"; do [ "$(kek_of "$gm")" = "$now" ] || return 1; done
}
settled() { # NODE…: nothing staged, nothing draining
	local gm
	idle || return 1
	for gm in "$@"; do
		lab_json_holds "$gm" 'show crypto gdoi gm' '[.groups[].teks[].state] | all(. == "current")' || return 1
	done
}
pushes() { # FILTER
	tcpdump -n -r "$LAB_DIR/ks1.pcap" "udp[26] = 33 and $1" 2>/dev/null | wc -l
}

sed 's/^rekey .*/rekey   G1 multicast 239.192.1.1 unicast gm3/; s/to gm1 gm2 gm3$/to gm1 gm2/' \
	"$lab_top/lab/topo/1ks-3gm-multicast" >"/tmp/$LAB.topo"
lab_up "/tmp/$LAB.topo"
rm -f "/tmp/$LAB.topo"
check "the KEK is the root of a key tree" lab_json_holds ks1 'show crypto gdoi ks policy' \
	'.groups[0].kek.management == "lkh"'
check "gm1 listens to the group" lab_json_holds gm1 'show crypto gdoi gm' '.groups[0].kek.transport == "multicast"'
check "gm3 does not" lab_json_holds gm3 'show crypto gdoi gm' '.groups[0].kek.transport == "unicast"'

lab_capture_start core ks1 "$LAB_DIR/ks1.pcap" udp port 848
check "traffic flows" lab_flow_start 3000
kek=$(kek_of gm1)
check "an ordinary rekey" lab_show ks1 'crypto gdoi ks rekey'
have_seq() { for gm in gm1 gm2 gm3; do lab_json_holds $gm 'show crypto gdoi gm' ".groups[0].kek.seq == $1" || return 1; done; }
check "reaches all three under the same KEK" lab_until 10 have_seq 1
check "and is over" lab_until 20 settled gm1 gm2 gm3

lab_kill ks1 ksd KILL
check "ksd starts again after a kill" lab_start ks1 ksd
check "with its tree" lab_json_holds ks1 'show crypto gdoi ks policy' '.groups[0].kek.management == "lkh"'
check "gm3 is excluded by it" lab_show ks1 'crypto gdoi ks group G1 exclude 192.0.2.9'
check "gm1 and gm2 get a new KEK through the tree" lab_until 20 new_kek "$kek" gm1 gm2
check "gm3 does not" [ "$(kek_of gm3)" = "$kek" ]
check "the former keys are gone" lab_until 30 settled gm1 gm2
check "neither had to register again" [ "$(starts gm1) $(starts gm2)" = "1 1" ]
kek=$(kek_of gm1)
check "readmitted" lab_show ks1 'crypto gdoi ks group G1 readmit 192.0.2.9'
lab_show gm3 'clear crypto gdoi' >/dev/null
check "gm3 is back" lab_until 30 new_kek "none" gm3 gm1
flow=$(lab_flow_stop)
lab_capture_stop core ks1
lost=$(jq '[.pairs[] | select((.from + .to) | test("10\\.3\\.") | not) | .lost] | add' <<<"$flow")
sent=$(jq '[.pairs[] | select((.from + .to) | test("10\\.3\\.") | not) | .sent] | add' <<<"$flow")
check "between h1 and h2 nothing was lost of $sent packets" [ "$lost" = 0 ]
check "rekeys went to the group address" [ "$(pushes 'dst host 239.192.1.1')" -ge 3 ]
check "and to gm3 by unicast" [ "$(pushes 'dst host 192.0.2.9')" -ge 1 ]
check "to nobody else by unicast" [ "$(pushes 'dst net 192.0.2.0/29')" = 0 ]
echo "key tree by multicast and unicast, ksd killed, one excluded: $lost of $sent lost between the others"
