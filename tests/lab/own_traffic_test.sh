#!/bin/bash
# What a member says and hears itself: routing protocols of the link, IGMP and its key server are
# never caught, closed or registered, not even by a policy "permit ip any any"; SSH passes while
# the group is closed; what policy catches is logged with the line.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh
box=$lab_top/tests/lab/own_traffic.py

something() { tcpdump -n -r "$LAB_DIR/heard.pcap" 2>/dev/null | grep -q .; }
# What arrives at the other end of the link, in both directions.
heard() { # NODE INTERFACE FILTER -- NODE COMMAND…
	local node=$1 dev=$2 filter=$3
	shift 4
	lab_capture_start "$node" "$dev" "$LAB_DIR/heard.pcap" "$filter"
	lab_in "$@"
	lab_until 2 something
	local found=$?
	lab_capture_stop "$node" "$dev"
	return $found
}
link_protocols() { # WHEN
	check "$1: OSPF of the box reaches its neighbour" \
		heard core gm1 'proto 89' -- gm1 python3 "$box" send 192.0.2.1 224.0.0.5 89
	check "$1: the neighbour's OSPF reaches the box" \
		heard gm1 wan 'proto 89' -- core python3 "$box" send 192.0.2.2 224.0.0.5 89
	check "$1: OSPF to one neighbour passes as well" \
		heard core gm1 'proto 89' -- gm1 python3 "$box" send 192.0.2.1 192.0.2.2 89
	check "$1: EIGRP passes" \
		heard core gm1 'proto 88' -- gm1 python3 "$box" send 192.0.2.1 224.0.0.10 88
	check "$1: an IGMP report passes" \
		heard core gm1 igmp -- gm1 python3 "$box" join 192.0.2.1 239.7.7.7
	check "$1: BGP with the neighbour passes" lab_in core python3 "$box" call 192.0.2.1 179
}
serve() { lab_spawn gm1 listen python3 "$box" listen 22 179 23; }
ssh_from_core() { lab_in core python3 "$box" call 192.0.2.1 22; }
caught() { lab_wait_log gm1 gmd "%GDOI-4-GM_OWN_TRAFFIC_CAUGHT: $1" 10 "$2"; }

LAB_ATD=2 lab_up 1ks-3gm
serve
link_protocols "registered"
check "registered: SSH from outside the policy passes" ssh_from_core
check "registered: the group's traffic passes" lab_in h1 ping -q -c 1 -W 2 10.2.0.10

lab_kill ks1 ksd TERM
lab_kill gm1 gmd TERM
lab_kill gm1 espd TERM
lab_start_espd gm1 || fail "espd starts"
check "before gmd has spoken: SSH passes" lab_until 5 ssh_from_core
lab_start gm1 gmd || fail "gmd starts"
check "gmd tells espd what is closed" lab_wait_log gm1 gmd 'INSTALL_POLICIES_SUCCESS.*generation=1$' 5
link_protocols "closed"
check "closed: SSH to the box passes" ssh_from_core
check "closed: SSH from beyond the link passes" lab_in ks1 python3 "$box" call 192.0.2.1 22
check "closed: the box reaches its key server's address" lab_in gm1 ping -q -c 1 -W 2 10.0.0.1
check "closed: other traffic to the box does not" \
	bash -c "! ip netns exec $(lab_ns core) python3 '$box' call 192.0.2.1 23"
check "closed: nothing passes through the box" \
	bash -c "! ip netns exec $(lab_ns h1) ping -q -c 2 -i 0.2 -W 1 10.0.0.1"
mark=$(lab_mark gm1 gmd)
lab_in gm1 python3 "$box" send 192.0.2.1 10.0.0.1 47
check "closed: what the box may not say is logged" \
	caught 'what=dropped flow="(gre|47) 192.0.2.1 > 10.0.0.1.*fail_close' "$mark"

# The worst policy there is, without even the line that frees UDP 848.
sed -i '/name = "G1-LANS"/,/); }/c\{ name = "G1-LANS"; lines = ( { action = "permit"; protocol = "ip"; source = "any"; destination = "any"; } ); }' \
	"$LAB_DIR/ks1/ksd.conf"
lab_start ks1 ksd || fail "ksd starts"
check "gm1 registers, the policy is permit ip any any" lab_wait_show gm1 'show crypto gdoi gm' \
	'.groups[0] | .state == "registered" and .dataplane == "up"' 60
check "a rekey brings the new policy" lab_show ks1 'crypto gdoi ks rekey'
check "it is in force" lab_wait_show gm1 'show crypto gdoi gm acl' \
	'.groups[0].downloaded | any(.action == "permit" and .flow == "ip any any")'
link_protocols "permit ip any any"
mark=$(lab_mark gm1 gmd)
check "permit ip any any: SSH in clear is refused" \
	bash -c "! ip netns exec $(lab_ns core) python3 '$box' call 192.0.2.1 22"
check "and the log names the line" \
	caught 'what=refused flow="tcp 192.0.2.2:[0-9]+ > 192.0.2.1:22" by="policy line [0-9]+: permit ip any any"' "$mark"
grep -h GM_OWN_TRAFFIC_CAUGHT "$LAB_DIR/gm1/gmd.log" | tail -n 1
lab_show gm1 'clear crypto gdoi' >/dev/null
check "the member is not cut off from its key server" lab_wait_show gm1 'show crypto gdoi gm' \
	'.groups[0].registrations == 2' 20
check "a rekey reaches it" lab_show ks1 'crypto gdoi ks rekey'
check "and is taken" lab_wait_show gm1 'show crypto gdoi gm' '.groups[0].rekeys_received >= 2' 10
echo "OSPF, EIGRP, IGMP, BGP and the key server pass in every state; SSH is caught by name"
