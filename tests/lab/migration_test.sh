#!/bin/bash
# A network in clear becomes a group under a steady flow, in the four steps of docs/member.md, with
# no packet lost: clear -> receive-only -> passive -> protected; and the core sees it happen.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow

conf_member_group() {
	printf '{ name = "%s"; identity = %s; servers = [ "%s" ]; fail_close = { activate = false; }; }' \
		"$1" "${group_identity[$1]}" "$(topo_addr "${group_ks[$1]}")"
}
core_sees() { # FILTER: one packet of it, going by now
	lab_in core timeout 5 tcpdump -i gm1 -c 1 -n "$1" >/dev/null 2>&1
}
core_sees_none() { # FILTER, for a second
	! lab_in core timeout 1 tcpdump -i gm1 -c 1 -n "$1" >/dev/null 2>&1
}
in_clear='src net 10.0.0.0/8 and udp and not port 848'
direction() { # GM DIRECTION
	lab_wait_show "$1" 'show crypto gdoi gm' ".groups[0] | .direction == \"$2\" and .dataplane == \"up\"" 20
}
losses() { echo "$(jq .lost <<<"$1") of $(jq .sent <<<"$1")"; }

export LAB_ATD=2
lab_up_network 1ks-3gm
sed -i 's/sid_bits = 24;/& receive_only = true;/' "$LAB_DIR/ks1/ksd.conf"
chown nobody "$LAB_DIR/ks1/rekey.pem" # ksd reads it again as that
for gm in gm1 gm2 gm3; do
	sed -i 's/espd: {/& fail_close = false;/' "$LAB_DIR/$gm/espd.conf"
	check "$gm forwards" lab_start_espd $gm
done
check "flows start, in clear" lab_flow_start 3000
check "the core sees them in clear" core_sees "$in_clear"

check "a key server, its group is receive-only" lab_start ks1 ksd
for gm in gm1 gm2 gm3; do
	check "$gm becomes a member" lab_start $gm gmd
	check "$gm receives only" direction $gm "Inbound Only"
done
check "the flows are in clear still" core_sees "$in_clear"
check "and nothing else is" core_sees_none esp

for gm in gm1 gm2 gm3; do
	check "$gm sends protected, takes either" lab_show $gm 'crypto gdoi gm ipsec direction inbound optional'
	check "$gm is passive" direction $gm "Inbound Optional"
done
check "all of it is ESP now" core_sees_none "$in_clear"
check "it is" core_sees esp

sed -i 's/receive_only = true;//' "$LAB_DIR/ks1/ksd.conf"
chown nobody "$LAB_DIR/ks1/ksd.conf"
check "the key server's policy is staged" lab_show ks1 'crypto gdoi ks reload'
lab_show ks1 'show crypto gdoi ks policy diff' 2>/dev/null || true
check "and sent" lab_show ks1 'crypto gdoi ks rekey'
for gm in gm1 gm2 gm3; do
	check "$gm has it" lab_wait_show $gm 'show crypto gdoi gm' '.groups[0].seq == 1' 10
done
for gm in gm1 gm2 gm3; do
	check "$gm goes by the policy" lab_show $gm 'crypto gdoi gm group G1 ipsec direction default'
	check "$gm is a member like any" direction $gm "Both"
done
check "all of it is ESP" core_sees_none "$in_clear"
result=$(lab_flow_stop)
check "clear, receive-only, passive, protected: lost $(losses "$result")" \
	jq -e '.lost == 0 and .sent > 10000' <<<"$result"

# The key server alone can do it too: its rekey turns all members, whenever each of them hears it.
check "flows start" lab_flow_start 3000
for to in true false; do
	sed -i "s/sid_bits = 24;.*/sid_bits = 24; receive_only = $to;/" "$LAB_DIR/ks1/ksd.conf"
	chown nobody "$LAB_DIR/ks1/ksd.conf"
	check "receive_only = $to is staged" lab_show ks1 'crypto gdoi ks reload'
	check "and sent" lab_show ks1 'crypto gdoi ks rekey'
	[ $to = true ] && want="Inbound Only" || want=Both
	for gm in gm1 gm2 gm3; do check "$gm: $want" direction $gm "$want"; done
	check "the key server is done" lab_wait_show ks1 'show crypto gdoi ks rekey' \
		'.groups[0].in_progress | not' 20
done
alone=$(lab_flow_stop)
check "by rekeys alone, there and back: lost $(losses "$alone")" jq -e '.lost == 0' <<<"$alone"
echo "from clear to protected: lost $(losses "$result"); by rekeys alone: lost $(losses "$alone")"
