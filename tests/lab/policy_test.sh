#!/bin/bash
# The policy of a group is changed under traffic. A wrong file changes nothing and is told with its
# line; a right one is staged, shown as a difference, survives a kill of ksd, and goes out with an
# operator's rekey: a line added, a line removed, no packet lost. replace-now ends the former keys
# at once; what that costs is printed.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow
# shellcheck disable=SC2034 # read by lab/conf.sh
LAB_ATD=3 LAB_RETRANSMIT=1

conf=''
spis() { # NODE: of the keys it sends under
	lab_show "$1" 'show crypto gdoi gm' -j | jq -c '[.groups[].teks[] | select(.state == "current") | .spi] | sort'
}
lines() { lab_show "$1" 'show crypto gdoi gm acl' -j | jq "[.groups[].downloaded[] | select(.flow | test(\"$2\"))] | length"; }
moved_on() { # OLD
	local gm
	for gm in gm1 gm2 gm3; do
		jq -en --argjson old "$1" --argjson now "$(spis $gm)" \
			'($now | length) > 0 and $now - $old == $now' >/dev/null || return 1
	done
}
settled() { # one generation of keys, no rekey under way
	local gm
	lab_json_holds ks1 'show crypto gdoi ks rekey' '.groups[0].in_progress | not' || return 1
	for gm in gm1 gm2 gm3; do
		lab_json_holds $gm 'show crypto gdoi gm' '[.groups[].teks[].state] | all(. == "current")' || return 1
	done
}
staged() { lab_json_holds ks1 'show crypto gdoi ks policy diff' ".groups[0] | $1"; }
reload() { lab_show ks1 'crypto gdoi ks reload'; }
edit() { sed -i "$@" "$conf"; }
# In clear on the core between h1 and h2: what the policy does not protect.
in_clear() { # PORT
	lab_capture_start core gm2 "$LAB_DIR/clear.pcap" udp port "$1"
	lab_in h1 bash -c "for i in 1 2 3; do echo x >/dev/udp/10.2.0.10/$1; sleep 0.1; done"
	sleep 0.5
	lab_capture_stop core gm2
	[ "$(tcpdump -n -r "$LAB_DIR/clear.pcap" 2>/dev/null | wc -l)" -gt 0 ]
}
protected() { ! in_clear "$1"; }

lab_up 1ks-3gm
conf=$LAB_DIR/ks1/ksd.conf
chmod 644 "$conf"
chown nobody "$LAB_DIR/ks1/rekey.pem"
check "nothing is staged after a start" staged '.staged | not'
check "10,000 packets per second flow" lab_flow_start 10000

cp "$conf" "$LAB_DIR/right.conf"
edit 's/action = "deny"; protocol = "udp"; source = "any"/action = "drop"; protocol = "udp"; source = "any"/'
wrong=$(reload 2>&1) && fail "a wrong file was loaded"
check "a wrong file is refused with line and word: $(head -n 1 <<<"$wrong")" grep -q 'ksd.conf:[0-9]*: action: .*drop' <<<"$wrong"
check "the former policy runs on" staged '.staged | not'

old=$(spis gm1)
cp "$LAB_DIR/right.conf" "$conf"
edit 's|lines = (|lines = ( { action = "deny"; protocol = "udp"; source = "any"; destination = "any"; destination_port = "9999"; }, { action = "permit"; protocol = "ip"; source = "10.1.0.0/24"; destination = "10.77.0.0/24"; },|'
check "the new file is loaded" reload
lab_show ks1 'show crypto gdoi ks policy diff'
check "it is staged: two lines added, none removed" staged \
	'.staged and ([.lines[].op] == ["added", "added"]) and (.new_kek | not) and (.register_again | not)'
check "ksd logged it" lab_log_has ks1 ksd '%GDOI-5-POLICY_CHANGE'
lab_show gm3 'clear crypto gdoi' >/dev/null
again() { lab_json_holds ks1 'show crypto gdoi ks members' '[.groups[].members[] | select(.id == "192.0.2.9") | .registrations] == [2]'; }
check "a member registers meanwhile" lab_until 15 again
check "and gets the policy that runs" [ "$(lines gm3 9999)" = 0 ]
check "port 9999 is still protected" protected 9999
lab_kill ks1 ksd KILL
check "ksd starts again after a kill" lab_start ks1 ksd
check "still staged" staged '.staged'
check "the operator sends it" lab_show ks1 'crypto gdoi ks rekey'
check "all send under new keys" lab_until 20 moved_on "$old"
check "nothing is staged any more" staged '.staged | not'
check "members have the line" [ "$(lines gm1 9999)" = 1 ]
check "port 9999 goes in clear now" in_clear 9999
check "the former keys are gone" lab_until 30 settled

old=$(spis gm1)
cp "$LAB_DIR/right.conf" "$conf"
check "the lines are taken out again" reload
check "as a difference" staged '[.lines[].op] == ["removed", "removed"]'
check "the operator sends that" lab_show ks1 'crypto gdoi ks rekey'
check "all send under new keys" lab_until 20 moved_on "$old"
check "port 9999 is protected again" protected 9999
check "the former keys are gone" lab_until 30 settled
flow=$(lab_flow_stop)
check "lost $(jq .lost <<<"$flow") of $(jq .sent <<<"$flow") packets" jq -e '.lost == 0 and .sent > 50000' <<<"$flow"

check "traffic again" lab_flow_start 10000
old=$(spis gm1)
before=$(date +%s%N)
check "replace-now" lab_show ks1 'crypto gdoi ks rekey replace-now'
check "all send under new keys at once" lab_until 3 moved_on "$old"
took=$((($(date +%s%N) - before) / 1000000))
check "without any former key" lab_until 1 settled
flow=$(lab_flow_stop)
check "replace-now: $took ms until seen, longest gap $(jq .max_gap_ms <<<"$flow") ms" \
	jq -e '.max_gap_ms < 1000' <<<"$flow"
echo "line added and removed under traffic: 0 lost; replace-now: $(jq .lost <<<"$flow") of $(jq .sent <<<"$flow") lost, longest gap $(jq .max_gap_ms <<<"$flow") ms"
