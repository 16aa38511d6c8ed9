#!/bin/bash
# GDOI over IPv6: members register, are rekeyed by unicast and acknowledge, then by multicast through
# a router that copies IPv6 groups; hosts talk IPv4 under the keys, nothing lost. espd hands the box
# its own IPv6 and passes none between strangers.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow
[ -e /proc/net/if_inet6 ] || skip "this kernel has no IPv6"

seq_is() { lab_json_holds "$1" 'show crypto gdoi gm' ".groups[0].kek.seq == $2"; }
all_have() { # SEQ
	local gm
	for gm in gm1 gm2 gm3; do lab_until 10 seq_is $gm "$1" || return 1; done
}
idle() { lab_json_holds ks1 'show crypto gdoi ks rekey' '.groups[0].in_progress | not'; }
all_send_under_new() {
	local gm
	for gm in gm1 gm2 gm3; do
		lab_json_holds $gm 'show crypto gdoi gm' '.groups[0].teks | all(.state != "staged")' || return 1
	done
}
acked() { # NUMBER OF REKEYS
	lab_json_holds ks1 'show crypto gdoi ks members' \
		".groups[0].members | length == 3 and all(.acks_received == $1 and .acks_missed == 0)"
}
rekey_under_traffic() { # SEQ
	local loss
	lab_flow_start 1500
	check "an operator rekeys" lab_show ks1 'crypto gdoi ks rekey'
	check "all three members have rekey $1" all_have "$1"
	check "and acknowledged it" lab_until 10 acked "$1"
	check "the rekey is over, and all send under the new keys" lab_until 15 eval 'idle && all_send_under_new'
	loss=$(lab_flow_stop)
	check "no packet lost ($(jq -r .sent <<<"$loss") sent)" [ "$(jq .lost <<<"$loss")" = 0 ]
}
dropped() { lab_show gm1 'show crypto gdoi gm dataplane counters' -j | jq '.counters.ip6_unsupported // 0'; }

# ---- unicast ----

LAB_ATD=1 lab_up 1ks-3gm-ipv6
check "the key server counts three members, by their IPv6 addresses" lab_json_holds ks1 \
	'show crypto gdoi ks members' '[.groups[0].members[].id] | sort ==
		["2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1"]'
check "h1 reaches h2" lab_in h1 ping -q -c 2 -i 0.1 -W 2 10.2.0.10
lab_capture_start core gm1 "$LAB_DIR/gm1.pcap"
rekey_under_traffic 1
lab_capture_stop core gm1
gdoi=$(tcpdump -n -r "$LAB_DIR/gm1.pcap" 'ip6 and udp port 848' 2>/dev/null | wc -l)
check "rekey and acknowledgement travelled over IPv6 ($gdoi datagrams)" [ "$gdoi" -ge 2 ]
check "and none over IPv4" [ -z "$(tcpdump -n -r "$LAB_DIR/gm1.pcap" 'ip and udp port 848' 2>/dev/null)" ]
check "one member is asked about by its address" lab_json_holds ks1 \
	'show crypto gdoi ks members 2001:db8:2::1' '[.groups[].members[].id] == ["2001:db8:2::1"]'

# A stranger's IPv6 that the core sends through gm1 goes nowhere, although gm1's kernel would forward.
lab_in gm1 sysctl -qw net.ipv6.conf.all.forwarding=1
lab_in core ip -6 route add 2001:db8:77::/64 via 2001:db8:1::1
before=$(dropped)
lab_in core ping -6 -q -c 3 -i 0.1 -W 1 2001:db8:77::1 >/dev/null
check "IPv6 between strangers is dropped and counted" [ $(($(dropped) - before)) -ge 3 ]
check "the box itself is reached" lab_in core ping -6 -q -c 2 -i 0.1 -W 2 2001:db8:1::1

lab_kill gm1 gmd
lab_kill gm1 espd
check "espd and gmd of gm1 start again" lab_start_node gm1
lab_wait_registered gm1 || fail "gm1 does not come back over IPv6"
lab_down

# ---- multicast ----

command -v smcrouted >/dev/null || skip "smcrouted is missing: tools/deps.sh lab"
topo=$(mktemp)
{
	cat "$lab_top/lab/topo/1ks-3gm-ipv6"
	echo "rekey G1 multicast ff08::848"
	echo "mroute core ff08::848 from 2001:db8:0::1 via ks1 to gm1 gm2 gm3"
} >"$topo"
LAB_ATD=1 lab_up "$topo"
rm "$topo"
check "gm1 was told the group address" lab_json_holds gm1 'show crypto gdoi gm' \
	'.groups[0].kek | .transport == "multicast" and (.group_address | test("ff08::848"))'
check "gm1 joined it where espd has its wan" lab_until 5 \
	bash -c "ip -n $(lab_ns gm1) maddr show dev wan | grep -q ff08::848"
lab_capture_start core ks1 "$LAB_DIR/ks1.pcap" ip6
rekey_under_traffic 1
lab_capture_stop core ks1
sent=$(tcpdump -n -r "$LAB_DIR/ks1.pcap" 'ip6 and dst host ff08::848 and ip6[7] = 16' 2>/dev/null | wc -l)
check "the group was sent to, hop limit 16 ($sent datagrams)" [ "$sent" -ge 1 ]
echo "3 members over IPv6: unicast and multicast rekeys, nothing lost, $gdoi datagrams of GDOI to gm1"
