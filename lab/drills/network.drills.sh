# shellcheck shell=bash
# lab/drills/network.drills.sh - bad ways between key servers.

bad_way() { # COMMAND that makes it bad…
	local led old
	LAB_ATD=4 LAB_RETRANSMIT=1
	must checks clear I1 I3 I5 I6 I9 I16 I17 I20
	expect claims=3
	raise 3ks-4gm
	"$@"
	sleep 5
	led=$(primary) old=$(keys_of gm1)
	check "the primary rekeys" rekey_at "$led"
	check "all members have it" lab_until 30 all_moved_on "$old"
	registers_everywhere
	sleep 5
	unimpair
	check "one key server leads, two follow" lab_until 15 one_leads
}

#: D8-loss-5 unicast Between key servers 5 % is lost and 20 % comes twice.
D8-loss-5() { bad_way lossy 5; }
#: D8-loss-30 unicast Between key servers 30 % is lost and 20 % comes twice.
D8-loss-30() { bad_way lossy 30; }
lossy() { # PERCENT
	lose "$1"
	double 20
}
#: D8-jitter unicast Between key servers packets take 20 to 220 ms, each another time.
D8-jitter() { bad_way delay 20 200; }

#: D9 unicast The way between key servers takes packets of 576 octets; a key server joins with an empty disk.
D9() {
	local other
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I3 I6 I9 I16
	raise 3ks-4gm
	delay 1 0 576
	inject "fragments between key servers are dropped"
	drill_impair "ip frag-off & 0x3fff != 0 drop"
	other=$(secondaries | awk '{print $1}')
	crash "$other"
	lose_state "$other"
	start_ks "$other"
	check "$other learns all and follows" lab_until 15 role_is "$other" secondary
	one_more_rekey
	registers_everywhere
}
