# shellcheck shell=bash
# lab/drills/state.drills.sh - clocks, disks and configurations that are not what they were.

#: D11-primary both The primary's clock jumps an hour ahead, runs too fast, jumps back; it restarts so.
D11-primary() { clocks primary; }
#: D11-secondary both The same at a secondary, which then has to take over.
D11-secondary() { clocks a_secondary; }
a_secondary() { secondaries | awk '{print $1}'; }
clocks() { # FUNCTION that names whose
	local ks who led old
	LAB_CLOCKS=1 LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I3 I5 I6 I9 I11 I17
	raise 3ks-4gm
	who=$("$1") led=$(primary)
	clock "$who" 3600000
	sleep 3
	check "the primary rekeys" rekey_at "$led"
	clock "$who" 3600000 500
	crash "$who"
	start_ks "$who"
	check "somebody leads" lab_until 15 has_primary
	clock "$who" -3600000
	old=$(keys_of gm1)
	check "the primary rekeys" rekey_at "$(primary)"
	check "all members have it" lab_until 30 all_moved_on "$old"
	crash "$who"
	start_ks "$who"
	for ks in $(topo_nodes ks); do
		[ "$ks" = "$who" ] || ! role_is "$ks" primary || crash "$ks" # now it may have to lead
	done
	check "somebody leads" lab_until 15 has_primary
	for ks in $(topo_nodes ks); do lab_pid "$ks" ksd >/dev/null || start_ks "$ks"; done
	check "one key server leads, two follow" lab_until 15 one_leads
	registers_everywhere
}
#: D12 both A secondary gets back a disk of some rekeys ago, and then has to lead.
D12() {
	local who led old i
	LAB_ATD=2 LAB_RETRANSMIT=1
	must checks clear I1 I3 I5 I6 I7 I9 I17
	raise 3ks-4gm
	who=$(a_secondary) led=$(primary)
	crash "$who"
	cp -a "$LAB_DIR/$who/state" "$LAB_DIR/$who/state.old"
	start_ks "$who"
	check "it follows" lab_until 15 role_is "$who" secondary
	register_again gm2
	for i in 1 2; do
		old=$(keys_of gm1)
		check "rekey $i" rekey_at "$led"
		check "all members have it" lab_until 20 all_moved_on "$old"
	done
	registers_everywhere
	crash "$who"
	inject "the disk of $who is that of two rekeys ago"
	rm -rf "${LAB_DIR:?}/$who/state"
	mv "$LAB_DIR/$who/state.old" "$LAB_DIR/$who/state"
	start_ks "$who"
	check "it follows" lab_until 15 role_is "$who" secondary
	kill_ks "$led"
	check "somebody leads" lab_until 10 has_primary
	old=$(keys_of gm1)
	check "it rekeys" rekey_at "$(primary)"
	check "all members have it" lab_until 30 all_moved_on "$old"
	start_ks "$led"
	check "one key server leads, two follow" lab_until 15 one_leads
	registers_everywhere
}

drifts() { # SED_EXPRESSION: what is different in the best secondary's file
	local led
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I1 I3 I6 I9 I15
	expect takeover_ms=4000 claims=2
	raise 3ks-4gm
	led=$(primary)
	inject "the file of ks2 is another one: $1"
	crash ks2
	cp "$LAB_DIR/ks2/ksd.conf" "$LAB_DIR/ks2/ksd.conf.same"
	sed -i "$1" "$LAB_DIR/ks2/ksd.conf"
	check "it really differs" not cmp -s "$LAB_DIR/ks2/ksd.conf" "$LAB_DIR/ks2/ksd.conf.same"
	start_ks ks2
	check "the difference is told" lab_wait_log ks1 ksd COOP_CONFIG_MISMATCH 15
	check "also where it is" lab_wait_log ks2 ksd COOP_CONFIG_MISMATCH 15
	kill_ks "$led"
	check "ks3 leads, though ks2 has the higher priority" lab_until 10 role_is ks3 primary
	start_ks "$led"
	check "$led follows" lab_until 15 role_is "$led" secondary
	check "every host reaches every other one" ping_all
}
#: D13-policy unicast The access list of ks2 is another one: it is told, and ks2 may not lead.
D13-policy() { drifts '/permit"; protocol = "ip"; source = "10.1.0.0/d'; }
#: D13-replay unicast The anti-replay window of ks2 is another one: it is told, and ks2 may not lead.
D13-replay() { drifts 's/number = 10;/number = 10; replay: { window = 512; };/'; }

#: D14-key unicast A key server with another key, a stranger, and hellos sent again: refused, nobody is harmed.
D14-key() {
	local mark
	LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I3 I6 I9
	raise 3ks-4gm
	mark=$(lab_mark ks1 ksd)
	crash ks3
	lose_state ks3
	inject "in its place comes a box with a key of its own making"
	"$(lab_program ksd)" --coop-key "$LAB_DIR/rogue.key" >/dev/null
	cp -p "$LAB_DIR/ks3/coop.key" "$LAB_DIR/ks3/right.key"
	cp -p "$LAB_DIR/rogue.key" "$LAB_DIR/ks3/coop.key"
	start_ks ks3
	check "it is refused" lab_wait_log ks1 ksd 'handshake refused.*10.0.2.1' 15 "$mark"
	check "ks1 leads on" role_is ks1 primary
	inject "a stranger calls, and what key servers said to each other is sent again"
	lab_in core python3 -B "$lab_top/lab/drills/nuisance.py" "$(topo_addr ks1)" "$(topo_addr ks2)"
	check "ks1 leads on" role_is ks1 primary
	crash ks3
	cp -p "$LAB_DIR/ks3/right.key" "$LAB_DIR/ks3/coop.key"
	start_ks ks3
	check "with its key ks3 follows" lab_until 15 role_is ks3 secondary
	one_more_rekey
}

#: D17 unicast Sender ids of a small group run out: members register again for a new epoch, nothing is lost.
D17() {
	local gm old rounds
	LAB_SID_BITS=8 LAB_ATD=3 LAB_RETRANSMIT=1
	must checks clear I3 I5 I6 I9
	raise 3ks-4gm
	old=$(keys_of gm1)
	inject "all members register again and again"
	for ((rounds = 0; rounds < 80; rounds++)); do
		! grep -q KS_SID_EXHAUSTED "$LAB_DIR"/ks?/ksd.log || break
		for gm in $(topo_nodes gm); do lab_show "$gm" 'clear crypto gdoi' >/dev/null; done
		lab_until 10 all_registered
	done
	check "sender ids ran out after $rounds rounds" grep -q KS_SID_EXHAUSTED "$LAB_DIR"/ks?/ksd.log
	check "all members come to the keys of the new epoch" lab_until 70 all_moved_on "$old"
	check "every host reaches every other one" ping_all
}

#: D18 both All key servers are gone until all keys have ended; one comes back, then the others.
D18() {
	LAB_TEK_LIFE=30 LAB_RETRANSMIT=1
	must checks clear I1 I3 I6 I9 I17
	raise 3ks-4gm
	crash ks1 ks2 ks3
	check "keys near their end" lab_until 45 keys_end_soon
	allow_loss all
	check "they end while nobody makes new ones" lab_until 15 no_keys_left
	start_ks ks2
	check "all members are back by themselves" lab_until 40 all_moved_on '[]'
	no_more_loss all
	start_ks ks1
	start_ks ks3
	check "one key server leads, two follow" lab_until 15 one_leads
	one_more_rekey
}
