#!/bin/bash
# Dead peer detection: a member whose key server is cut off says so in the configured time, loses
# no packet, and goes to the second key server of its list when it registers next; a key server that
# comes back is found again; a key server notices a member that hangs, and keeps it as a member.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow

lab_up 1ks-3gm
ks2=10.0.0.5
dead='CRYPTO-4-IKMP_PEER_DEAD'

# A second key server beside the first, of its own address and file.
lab_in ks1 ip addr add $ks2/32 dev lo
ip -n "$(lab_ns core)" route add $ks2 via 10.0.0.1
sed -e "s/10\.0\.0\.1\"/$ks2\"/" -e 's,ksd.sock,ksd2.sock,' -e 's,/state,/state2,' \
	"$LAB_DIR/ks1/ksd.conf" >"$LAB_DIR/ks1/ksd2.conf"
lab_spawn ks1 ksd2 "$(lab_program ksd)" -n -f "$LAB_DIR/ks1/ksd2.conf"
check "a second key server runs" lab_wait_log ks1 ksd2 '%SYS-5-RESTART' 10

key=$(cat "$LAB_DIR/gm1/psk")
sed -i -e "s/servers = \[ /&/; s/servers = \[ \"10.0.0.1\" \]/servers = [ \"10.0.0.1\", \"$ks2\" ]/" \
	-e "s/^psk = (/psk = ( { peer = \"$ks2\"; key = \"$key\"; },/" "$LAB_DIR/gm1/gmd.conf"
echo 'dpd: { interval_s = 10; retry_s = 2; mode = "periodic"; };' >>"$LAB_DIR/gm1/gmd.conf"
echo 'dpd: { interval_s = 3600; mode = "periodic"; };' >>"$LAB_DIR/gm2/gmd.conf"
echo 'dpd: { interval_s = 14; retry_s = 2; mode = "periodic"; };' >>"$LAB_DIR/ks1/ksd.conf"
lab_kill ks1 ksd
check "the key server reads its dpd group" lab_start ks1 ksd
for gm in gm1 gm2; do
	lab_kill $gm gmd
	check "$gm reads its dpd group" lab_start $gm gmd
	check "$gm registers" lab_wait_registered $gm
done
check "gm1 shows its key server alive" lab_json_holds gm1 'show crypto isakmp sa' \
	'.sas[0].peer == "10.0.0.1" and .sas[0].dpd == "alive" and .dead == []'
lab_show gm1 'show crypto isakmp sa'

# The member asks, the key server asks.
check "gm1 asks and is answered" lab_wait_show gm1 'show crypto gdoi gm counters' \
	'.dpd["dpd-asked"] >= 1 and .dpd["dpd-answers-heard"] == .dpd["dpd-asked"]' 15
check "ks1 keeps and asks gm2, which is silent itself" lab_wait_show ks1 \
	'show crypto gdoi ks counters' '.phase1_kept == 2 and .dpd["dpd-answers-heard"] >= 1' 20
lab_show ks1 'show crypto isakmp sa'

# The key server notices a member that hangs.
mark=$(lab_mark ks1 ksd)
check "gm2 hangs" kill -STOP "$(lab_pid gm2 gmd)"
check "ks1 says that gm2 is dead" lab_wait_log ks1 ksd "$dead.*192.0.2.5" 30 "$mark"
check "and drops its phase 1, not the member" lab_json_holds ks1 'show crypto gdoi ks members' \
	'[.groups[0].members[].id] | index("192.0.2.5")'
kill -CONT "$(lab_pid gm2 gmd)"

# ks1 is cut off; nothing of the traffic notices.
check "flows start" lab_flow_start 1500
mark=$(lab_mark gm1 gmd)
began=$(date +%s%3N)
lab_in ks1 nft -f - <<-END
	table ip cut { chain in { type filter hook input priority 0;
		ip daddr 10.0.0.1 udp dport 848 drop; };
		chain out { type filter hook output priority 0;
		ip saddr 10.0.0.1 udp sport 848 drop; }; }
END
check "gm1 says that its key server is dead" lab_wait_log gm1 gmd "$dead.*ks=10.0.0.1.*$ks2" 25 "$mark"
took=$((($(date +%s%3N) - began) / 1000))
check "within interval and 5 tries: $took s" [ "$took" -le 21 ]
check "and shows it" lab_json_holds gm1 'show crypto isakmp sa' '.dead[0].peer == "10.0.0.1"'
check "it stays registered, with its keys" lab_json_holds gm1 'show crypto gdoi gm' \
	'.groups[0] | .state == "registered" and .registrations == 1 and (.teks | length) == 6'
lab_flow_stop >"$LAB_DIR/flow.json"
check "no packet was lost" jq -e '.sent > 5000 and .lost == 0' "$LAB_DIR/flow.json"

mark=$(lab_mark gm1 gmd)
lab_show gm1 'clear crypto gdoi' >/dev/null
check "the next registration begins with the second key server" \
	lab_wait_log gm1 gmd "GM_REGSTER.*ks=$ks2:848" 14 "$mark"
check "and succeeds there" lab_wait_log gm1 gmd "GM_REGS_COMPL.*ks=$ks2" 5 "$mark"
check "without an attempt at the dead one" bash -c \
	"! tail -n +$((mark + 1)) '$LAB_DIR/gm1/gmd.log' | grep -q 'GM_REGSTER.*ks=10.0.0.1'"

sent=$(jq .sent "$LAB_DIR/flow.json")
echo "dead key server noticed after $took s, 0 of $sent packets lost, then registered with $ks2"
