# shellcheck shell=bash
# lab/drills/takeover.drills.sh - the primary goes away, and comes back.

# After a takeover: who leads now makes keys, everybody has them, and members register anywhere.
takes_over() { # OLD KEYS: what members sent under before
	local led=$1 old=$2 new
	check "another key server leads" lab_until 10 has_primary
	new=$(primary)
	check "$new has the members' keys" lab_until 10 all_moved_on
	old=${old:-$(keys_of gm1)}
	check "$new rekeys" rekey_at "$new"
	check "all members have the new keys" lab_until 30 all_moved_on "$old"
	check "$led starts again" start_ks "$led"
	check "it follows: nobody takes the role from who has it" lab_until 15 role_is "$led" secondary
	registers_everywhere
}
# A member that registers at each key server, one after the other, and still understands everybody.
registers_everywhere() {
	local gm
	for gm in gm1 gm2 gm3; do
		register_again "$gm"
		check "$gm is registered" lab_wait_registered "$gm"
	done
	check "every host reaches every other one" ping_all
}

primary_killed() { # COMMAND that runs just before…
	local led old
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I3 I5 I6 I7 I9 I15 I17
	expect takeover_ms=4000 claims=2
	raise 3ks-4gm
	led=$(primary) old=
	"$@"
	kill_ks "$led"
	takes_over "$led" "$old"
}

#: D1-idle both The primary is killed (kill -9) while nothing else happens.
D1-idle() { primary_killed true; }

#: D1-rekey both The primary is killed while a rekey is under way that half of the members have.
D1-rekey() { primary_killed rekey_half; }
rekey_half() {
	old=$(keys_of gm1)
	drill_drop "$led" "gm3 gm4" # they have not heard it yet
	rekey_at "$led"
	lab_until 5 member_has_new gm1
	lab_in core nft flush chain inet drill cut
}
member_has_new() { lab_json_holds "$1" 'show crypto gdoi gm' "[.groups[0].teks[] | .spi] - $old | length > 0"; }

#: D1-kek both The primary is killed while it replaces the KEK.
D1-kek() { LAB_KEK_LIFE=60 primary_killed kek_due; }
kek_due() {
	local kek
	kek=$(lab_show gm1 'show crypto gdoi gm' -j | jq -r '.groups[0].kek.spi')
	inject "the KEK is about to be replaced"
	lab_until 60 lab_json_holds gm1 'show crypto gdoi gm' ".groups[0].kek.spi != \"$kek\""
}

#: D1-registration unicast The primary is killed while members register at it.
D1-registration() { primary_killed registrations; }
registrations() {
	local gm
	inject "all members register"
	for gm in $(topo_nodes gm); do lab_show "$gm" 'clear crypto gdoi' >/dev/null; done
}

#: D1-fast both The primary is killed; signs of life come every 100 ms.
D1-fast() {
	local led
	LAB_COOP="hello_ms = 100;" LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I3 I5 I6 I9 I15 I17
	expect takeover_ms=500 claims=2
	raise 3ks-4gm
	led=$(primary)
	kill_ks "$led"
	takes_over "$led" ''
}

#: D2-state both The primary is killed, misses a rekey, and comes back with its disk.
D2-state() { comes_back true; }

#: D2-empty both The primary is killed, misses a rekey, and comes back with an empty disk.
D2-empty() { comes_back lose_state; }
comes_back() { # COMMAND KS while it is down
	local led new old
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I3 I5 I6 I7 I9 I15 I17
	expect takeover_ms=4000 claims=2
	raise 3ks-4gm
	led=$(primary)
	kill_ks "$led"
	check "another key server leads" lab_until 10 has_primary
	new=$(primary) old=$(keys_of gm1)
	check "$new rekeys" rekey_at "$new"
	check "all members have the new keys" lab_until 20 all_moved_on "$old"
	"$1" "$led"
	start_ks "$led"
	check "$led follows $new" lab_until 15 role_is "$led" secondary
	check "$new leads on" role_is "$new" primary
	registers_everywhere
	old=$(keys_of gm1)
	check "$new rekeys once more" rekey_at "$new"
	check "all members have it" lab_until 20 all_moved_on "$old"
}

#: D2-isolated both A secondary restarts while it reaches no other key server; members reach all.
D2-isolated() {
	local who old
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I3 I5 I6 I7 I9 I17
	raise 3ks-4gm
	cut "ks3" "ks1 ks2"
	crash ks3
	start_ks ks3
	sleep 12 # it has looked for the others, and goes on by itself
	heal
	check "one key server leads, two follow" lab_until 15 one_leads
	old=$(keys_of gm1) who=$(primary)
	check "the primary rekeys" rekey_at "$who"
	check "all members have the new keys" lab_until 30 all_moved_on "$old"
	check "every host reaches every other one" ping_all
}

#: D0-handover both An operator gives the role to another key server, under traffic and rekeys.
D0-handover() {
	local led old
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I3 I5 I6 I7 I9 I17
	expect claims=2
	raise 3ks-4gm
	led=$(primary) old=$(keys_of gm1)
	inject "clear crypto gdoi ks coop role on $led"
	check "it is carried out" lab_show "$led" 'clear crypto gdoi ks coop role'
	check "$led follows" lab_until 10 role_is "$led" secondary
	check "another one leads" lab_until 5 has_primary
	check "and rekeys" rekey_at "$(primary)"
	check "all members have the new keys" lab_until 20 all_moved_on "$old"
	registers_everywhere
}
