# shellcheck shell=bash
# lab/drills/alone.drills.sh - drills of a key server that has no peers.

# Members that have lost their keys wait for a key server: what they lose meanwhile is right to be lost.
# Nothing may leave in clear, and nobody has to touch them.
outlive_keys() { # COMMAND to run while ksd is gone…
	LAB_TEK_LIFE=30 LAB_RETRANSMIT=1
	must checks clear I3 I9
	raise 1ks-3gm
	crash ks1
	check "keys near their end" lab_until 45 keys_end_soon
	allow_loss all
	check "they end while nobody makes new ones" lab_until 15 no_keys_left
	inject "the last keys have ended"
	sleep 3
	"$@"
	start_ks ks1
	check "all members are back by themselves" lab_until 40 all_moved_on '[]'
	no_more_loss all
	check "every host reaches every other one" lab_until 5 ping_all
}
keys_end_soon() {
	lab_json_holds gm1 'show crypto gdoi gm' '[.groups[0].teks[].remaining_s] | length == 0 or min <= 2'
}
no_keys_left() {
	local gm
	for gm in $(topo_nodes gm); do
		lab_json_holds "$gm" 'show crypto gdoi gm' '.groups[0] | .state != "registered" or .teks == []' || return 1
	done
}

#: D18-alone unicast The only key server is gone until all keys have ended, and comes back.
D18-alone() { outlive_keys true; }

#: D18-alone-empty unicast The same, and it comes back with an empty disk.
D18-alone-empty() { outlive_keys lose_state ks1; }

#: D2-alone both The only key server is killed within a rekey and starts again: nobody notices.
D2-alone() {
	local old
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I3 I5 I7 I9
	raise 1ks-3gm
	old=$(keys_of gm1)
	rekey_at ks1
	crash ks1
	sleep 1
	start_ks ks1
	check "that rekey reaches all members" lab_until 20 all_moved_on "$old"
	old=$(keys_of gm1)
	check "and so does the next" rekey_at ks1
	check "with other keys" lab_until 20 all_moved_on "$old"
}

all_registered() {
	local gm
	for gm in $(topo_nodes gm); do
		lab_json_holds "$gm" 'show crypto gdoi gm' '.groups[0].state == "registered"' || return 1
	done
}

#: D17-alone unicast Sender ids of a small group run out: all register again under new keys, and no id is used twice.
D17-alone() {
	local gm rounds mark
	LAB_SID_BITS=8 LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I3 I9
	raise 1ks-3gm
	mark=$(lab_mark ks1 ksd)
	inject "all members register again and again"
	for ((rounds = 0; rounds < 60; rounds++)); do
		! lab_log_has ks1 ksd KS_SID_EXHAUSTED "$mark" || break
		for gm in $(topo_nodes gm); do lab_show "$gm" 'clear crypto gdoi' >/dev/null; done
		lab_until 10 all_registered
	done
	check "sender ids ran out after $rounds rounds" lab_log_has ks1 ksd KS_SID_EXHAUSTED "$mark"
	# From here until they have registered: a key server alone has to end all keys at once.
	drill_at=$(log_time ks1 ksd KS_SID_EXHAUSTED) allow_loss all
	check "all members are back within five seconds" lab_until 5 all_moved_on
	no_more_loss all
	check "every host reaches every other one" ping_all
}
