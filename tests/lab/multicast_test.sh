#!/bin/bash
# Rekeys by multicast through a router that really copies them: one datagram per sending on the key
# server's link whatever the number of members, nothing lost under traffic, acknowledgements spread;
# tshark reads the message; a member that multicast does not reach gets its own by unicast.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
. "$(dirname "$0")/tshark.sh"
need_daemons ksd gmd espd gvsh flow
command -v smcrouted >/dev/null || skip "smcrouted is missing: tools/deps.sh lab"

seq_is() { lab_json_holds "$1" 'show crypto gdoi gm' ".groups[0].kek.seq == $2"; }
all_have() { # SEQ
	local gm
	for gm in gm1 gm2 gm3; do lab_until 10 seq_is $gm "$1" || return 1; done
}
idle() { lab_json_holds ks1 'show crypto gdoi ks rekey' '.groups[0].in_progress | not'; }
pushes() { # FILE FILTER: GROUPKEY-PUSH datagrams in it (exchange type 33 at octet 18 of ISAKMP)
	tcpdump -n -r "$1" "udp[26] = 33 and $2" 2>/dev/null | wc -l
}

LAB_ATD=2 LAB_KEYLOG=1 lab_up 1ks-3gm-multicast
for gm in gm1 gm2 gm3; do
	check "$gm was told the group address" lab_json_holds $gm 'show crypto gdoi gm' \
		'.groups[0].kek | .transport == "multicast" and .group_address == "239.192.1.1:848"'
	check "$gm joined it where espd has its wan" lab_until 5 \
		bash -c "ip -n $(lab_ns $gm) maddr show dev wan | grep -q 239.192.1.1"
done

lab_capture_start core ks1 "$LAB_DIR/ks1.pcap" udp
lab_capture_start core gm1 "$LAB_DIR/gm1.pcap" udp or igmp
lab_flow_start 3000
check "an operator rekeys" lab_show ks1 'crypto gdoi ks rekey'
check "all three members have the rekey" all_have 1
check "the key server logged it as sent to the group" lab_log_has ks1 ksd '%GDOI-5-KS_SEND_MCAST_REKEY'
check "all rounds are sent, acknowledged or not" lab_until 15 idle
check "all three acknowledged it" lab_json_holds ks1 'show crypto gdoi ks rekey' \
	'.groups[0] | .acks == 3 and .acks_due == 3 and .retransmits == 2'
loss=$(lab_flow_stop)
lab_capture_stop core ks1
lab_capture_stop core gm1
check "no packet lost ($(jq -r .sent <<<"$loss") sent)" [ "$(jq .lost <<<"$loss")" = 0 ]
sent=$(pushes "$LAB_DIR/ks1.pcap" 'src host 10.0.0.1')
check "three sendings, three datagrams on the key server's link" [ "$sent" = 3 ]
check "all to the group address, TTL 16" [ "$(pushes "$LAB_DIR/ks1.pcap" 'dst host 239.192.1.1 and ip[8] = 16')" = 3 ]
check "copied by the core, TTL 15" [ "$(pushes "$LAB_DIR/gm1.pcap" 'dst host 239.192.1.1 and ip[8] = 15')" = 3 ]
check "bit for bit the same each time" [ "$(tshark -r "$LAB_DIR/ks1.pcap" -Y 'ip.dst == 239.192.1.1' \
	-T fields -e udp.payload 2>/dev/null | sort -u | wc -l)" = 1 ]
seen=$(tshark -r "$LAB_DIR/ks1.pcap" -d udp.port==848,isakmp -Y 'ip.dst == 239.192.1.1' \
	-T fields -e isakmp.exchangetype -e isakmp.flags -e isakmp.messageid 2>/dev/null | sort -u)
check "tshark: exchange 33, encrypted, message id 0 ($seen)" \
	[ "$(tr '\t' ' ' <<<"$seen")" = "33 0x01 0x00000000" ]

# What all members get, opened and taken apart.
if lab_json_holds ks1 'show version' .keylog; then
	cp "$LAB_DIR/ks1/ksd.keylog" "$LAB_DIR/keylog"
	check "the KEK opens what went to the group" gdoi_open "$LAB_DIR/ks1.pcap"
	tshark_finds "PUSH to the group" 33 1 "Next payload: Sequence Number (18)" "Sequence Number: 1" \
		"Domain of interpretation: GDOI (2)" "Payload: Key Download (17)" "Type: TEK (1)" \
		"Payload: Signature (9)"
fi

# Without a retransmission every member must still have it, and keep its place when espd is new.
lab_kill gm1 gmd
lab_kill gm1 espd
check "espd and gmd of gm1 start again" lab_start_node gm1
lab_wait_registered gm1 || fail "gm1 does not come back"
check "gm1 joined again on the new TAP" lab_until 10 \
	bash -c "ip -n $(lab_ns gm1) maddr show dev wan | grep -q 239.192.1.1"
check "the next rekey" lab_show ks1 'crypto gdoi ks rekey'
check "reaches all three" all_have 2
echo "3 members, $sent datagrams for 3 sendings, $(jq -r '"\(.sent) packets, \(.lost) lost"' <<<"$loss")"
