#!/bin/bash
# One of three members is excluded under traffic: the others lose nothing, its own traffic ends with
# the former keys, it cannot register again, and the keys it had open none of the rekeys that bring
# new ones. Readmitted, it is back.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow

LAB_MANAGEMENT=lkh
LAB_ACK=lkh
LAB_ATD=2
LAB_RETRANSMIT=1
LAB_KEYLOG=1
"$(lab_program ksd)" --help | grep -q keylog || skip "needs a build with keylog=true"

spis() { # NODE: of the keys it sends under
	lab_show "$1" 'show crypto gdoi gm' -j |
		jq -c '[.groups[].teks[] | select(.state == "current") | .spi] | sort'
}
moved_on() { # OLD_SPIS NODE…: none of them sends under these
	local old=$1 gm
	shift
	for gm in "$@"; do
		jq -en --argjson old "$old" --argjson now "$(spis "$gm")" \
			'($now | length) > 0 and $now - $old == $now' >/dev/null || return 1
	done
}
forgot() { # OLD_SPIS NODE: it does not even receive under them
	jq -en --argjson old "$1" --argjson held "$(lab_show "$2" 'show crypto gdoi gm' -j |
		jq -c '[.groups[].teks[].spi]')" '$held - $old == $held' >/dev/null
}

lab_up 1ks-3gm
check "the KEK is the root of a key tree" lab_json_holds ks1 'show crypto gdoi ks policy' \
	'.groups[0].kek | .management == "lkh" and .acknowledgement == "lkh"'
lab_capture_start core ks1 "$LAB_DIR/rekeys.pcap" udp port 848
check "traffic flows" lab_flow_start 3000
old=$(spis gm1)
cp "$LAB_DIR/gm3/gmd.keylog" "$LAB_DIR/stolen.keylog"

lab_show ks1 'crypto gdoi ks group G1 exclude 192.0.2.9' || fail "the command was refused"
check "the key server counts two members and one excluded" lab_json_holds ks1 \
	'show crypto gdoi ks members' \
	'.groups[0] | ([.members[].id] | sort) == ["192.0.2.1", "192.0.2.5"] and .excluded == ["192.0.2.9"]'
check "gm1 and gm2 send under new keys" lab_until 15 moved_on "$old" gm1 gm2
check "both acknowledged with their own keys" lab_json_holds ks1 'show crypto gdoi ks members' \
	'.groups[0].members | all(.acks_received == 2 and .acks_missed == 0)'
check "nobody had to register again" lab_json_holds ks1 'show crypto gdoi ks members' \
	'.groups[0].members | all(.registrations == 1)'
check "gm3 still sends under the former keys" [ "$(spis gm3)" = "$old" ]
check "gm1 forgets the former keys" lab_until 15 forgot "$old" gm1
check "gm2 forgets them too" lab_until 15 forgot "$old" gm2
unreachable() { ! lab_in h3 ping -q -c 2 -i 0.2 -W 1 10.1.0.10 >/dev/null; }
check "h3 does not reach h1 any more" unreachable

lab_show gm3 'clear crypto gdoi' >/dev/null
check "gm3 is refused when it registers" lab_wait_show ks1 'show crypto gdoi ks counters' \
	'.refused["pull-excluded-member"] >= 1' 20
check "by name, in the log" lab_log_has ks1 ksd '%GDOI-4-UNAUTHORIZED_IPADDR.*pull-excluded-member'
check "and says so" lab_wait_log gm3 gmd '%GDOI-4-GM_REGS_FAIL' 10
check "the former keys are all it has" [ "$(spis gm3)" = "$old" ]

flow=$(lab_flow_stop)
lost=$(jq '[.pairs[] | select((.from + .to) | test("10\\.3\\.") | not) | .lost] | add' <<<"$flow")
sent=$(jq '[.pairs[] | select((.from + .to) | test("10\\.3\\.") | not) | .sent] | add' <<<"$flow")
gone=$(jq '[.pairs[] | select((.from + .to) | test("10\\.3\\.")) | .lost] | add' <<<"$flow")
check "between h1 and h2 nothing was lost of $sent packets" [ "$lost" = 0 ]
check "h3's traffic ended ($gone packets lost)" [ "$gone" -gt 0 ]

lab_capture_stop core ks1
judge() { python3 "$lab_top/tests/lab/open_pushes.py" "$LAB_DIR/rekeys.pcap" "$1"; }
check "gm1's keys open all rekeys" jq -e '.rekeys >= 2 and .closed == 0' <<<"$(judge "$LAB_DIR/gm1/gmd.keylog")"
stolen=$(judge "$LAB_DIR/stolen.keylog")
check "gm3's keys open the one that changes the KEK, none that brings TEKs" \
	jq -e '.open == 1 and .closed >= 1' <<<"$stolen"
later=$(judge "$LAB_DIR/gm3/gmd.keylog")
check "and it got no other key since" [ "$(jq .open <<<"$later")" = 1 ]

lab_show ks1 'crypto gdoi ks group G1 readmit 192.0.2.9' || fail "the command was refused"
lab_show gm3 'clear crypto gdoi' >/dev/null
check "readmitted, gm3 sends under the present keys" lab_until 30 moved_on "$old" gm3
check "h3 reaches h1 again" lab_until 10 lab_in h3 ping -q -c 1 -W 1 10.1.0.10
echo "excluded under $sent packets of the others, 0 lost; its keys open $(jq .open <<<"$stolen") of $(jq .rekeys <<<"$stolen") rekeys"
