# shellcheck shell=bash
# lab/drills/split.drills.sh - key servers, and members, that cannot reach each other.

both_lead() { role_is ks1 primary && { role_is ks2 primary || role_is ks3 primary; }; }
one_leads() { # exactly one, and all others follow
	local ks n=0
	for ks in $(topo_nodes ks); do
		if role_is "$ks" primary; then n=$((n + 1)); else role_is "$ks" secondary || return 1; fi
	done
	[ $n = 1 ]
}
heals() {
	heal
	check "one key server leads, two follow" lab_until 15 one_leads
	check "all members have the same keys" lab_until 40 all_moved_on
}
one_more_rekey() {
	local old
	old=$(keys_of gm1)
	check "the primary rekeys" rekey_at "$(primary)"
	check "all members have it" lab_until 30 all_moved_on "$old"
	check "every host reaches every other one" ping_all
}

#: D3-short both ks1 is cut from its peers for ten seconds; members reach all of them. No new keys.
D3-short() {
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I3 I4 I5 I6 I9
	expect same_keys=1
	raise 3ks-4gm
	cut "ks1" "ks2 ks3"
	check "both sides are led" lab_until 10 both_lead
	sleep 10
	heals
	check "every host reaches every other one" ping_all
}

#: D3-long both The same for longer than two lives of the keys: both sides rekey, all members hear both.
D3-long() {
	LAB_TEK_LIFE=30 LAB_ATD=2 LAB_RETRANSMIT=1
	must checks clear I1 I3 I5 I6 I7 I9 I17 merge
	expect merge_ms=20000
	raise 3ks-4gm
	cut "ks1" "ks2 ks3"
	check "both sides are led" lab_until 10 both_lead
	sleep 62
	heals
	one_more_rekey
}

# Key servers and members in two halves.
left="ks1 gm1 gm2" right="ks2 ks3 gm3 gm4"
split_in_two() {
	# shellcheck disable=SC2046 # pairs of hosts, a word each
	allow_loss $(pairs_between "gm1 gm2" "gm3 gm4")
	cut "$left" "$right"
	check "both halves are led" lab_until 10 both_lead
}
mend_two() {
	heal
	sleep 0.3 # what was under way when the link came
	# shellcheck disable=SC2046 # pairs of hosts, a word each
	no_more_loss $(pairs_between "gm1 gm2" "gm3 gm4")
	check "one key server leads, two follow" lab_until 15 one_leads
	check "all members have the same keys" lab_until 40 all_moved_on
}

#: D4-short both All are split in two halves for ten seconds; a member of each registers again meanwhile.
D4-short() {
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I3 I4 I5 I6 I9
	expect same_keys=1
	raise 3ks-4gm
	split_in_two
	register_again gm1
	register_again gm3
	check "gm1 is registered, on the left" lab_wait_registered gm1
	check "gm3 is registered, on the right" lab_wait_registered gm3
	sleep 6
	mend_two
	check "every host reaches every other one" ping_all
}

#: D4-long both All are split in two halves for longer than two lives of the keys.
D4-long() {
	LAB_TEK_LIFE=30 LAB_ATD=2 LAB_RETRANSMIT=1
	must checks clear I1 I3 I5 I6 I7 I9 I17 merge
	expect merge_ms=20000
	raise 3ks-4gm
	split_in_two
	sleep 62
	mend_two
	one_more_rekey
}

#: D5 both What ks1 sends does not arrive at its peers; it hears them.
D5() {
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I3 I5 I6 I9 I17 I20
	expect claims=4
	raise 3ks-4gm
	cut_one_way "ks1" "ks2 ks3"
	sleep 15
	heals
	one_more_rekey
}

#: D6 both ks1 and ks2 are cut from each other; both reach ks3. Nobody changes its role.
D6() {
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I3 I5 I6 I7 I9 I17 I20
	expect claims=1
	raise 3ks-4gm
	cut "ks1" "ks2"
	sleep 12
	one_more_rekey # ks2 hears of it from ks3
	heals
}

#: D7 both One link after the other is cut and mended for a minute; signs of life come every 200 ms.
D7() {
	local pair
	LAB_COOP="hello_ms = 200;" LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I3 I4 I5 I6 I9 I20
	expect same_keys=1 claims=16
	settle_within 4000
	raise 3ks-4gm
	for pair in ks1:ks2 ks2:ks3 ks1:ks3 ks1:ks2:ks3 ks1:ks2 ks2:ks3:ks1 ks3:ks1 ks3:ks1:ks2 ks2:ks3 ks1:ks2:ks3; do
		cut "${pair%%:*}" "$(tr : ' ' <<<"${pair#*:}")"
		sleep 3
		heal
		sleep 3
	done
	check "one key server leads, two follow" lab_until 15 one_leads
	check "every host reaches every other one" ping_all
}

#: D16 both While all are split, one half excludes a member and replaces its keys: it stays out afterwards.
D16() {
	local led mark
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I9 I17
	raise 3ks-4gm
	split_in_two
	# The excluded one, and for as long as keys differ all over the former cut, must lose.
	allow_loss all
	for led in ks2 ks3; do ! role_is $led primary || break; done
	inject "$led excludes gm2, which is on the other side"
	fact excluded gm2
	check "it is carried out" lab_show $led "crypto gdoi ks group G1 exclude $(topo_addr gm2 wan)"
	sleep 3
	inject "crypto gdoi ks rekey replace-now on $led"
	check "it is carried out" lab_until 20 lab_show $led 'crypto gdoi ks rekey replace-now'
	sleep 5
	mark=$(lab_mark gm2 gmd)
	heal
	check "one key server leads, two follow" lab_until 15 one_leads
	check "all others have the same keys" lab_until 60 others_agree
	inject "gm2 tries to come back"
	lab_show gm2 'clear crypto gdoi' >/dev/null
	for led in ks1 ks2 ks3; do
		check "$led refuses it" lab_wait_log gm2 gmd "REGS_FAIL: ks=$(topo_addr $led) .*AUTHENTICATION-FAILED" 10 "$mark"
	done
	check "when its old keys have ended, its host hears nobody" lab_until 70 not lab_in h2 ping -q -c 1 -W 1 "$(topo_addr h3)"
	check "and has not come in again" not lab_log_has gm2 gmd GM_REGS_COMPL "$mark"
	check "the others reach each other" lab_in h1 ping -q -c 3 -i 0.2 -W 1 "$(topo_addr h4)"
	check "and so do these" lab_in h3 ping -q -c 3 -i 0.2 -W 1 "$(topo_addr h1)"
}
others_agree() {
	local keys
	keys=$(keys_of gm1)
	[ "$keys" != '[]' ] && [ "$(keys_of gm3)" = "$keys" ] && [ "$(keys_of gm4)" = "$keys" ]
}
