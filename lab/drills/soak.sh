# shellcheck shell=bash
# lab/drills/soak.sh - one lab for hours, and faults drawn at random; sourced by lab/drill.
# Each round is a drill of its own: books are opened, a fault comes and goes, all has to be well
# again, books are closed and judged. The page of a round that failed stays.

soak_faults=(killed killed_and_emptied follower_killed handed_over cut_off split one_way bad_way late_way
	rekeyed registered member_killed)
soak_any() { # WORD…: one of them
	echo "${*:1 + RANDOM % $#:1}"
}
soak_seconds() { sleep $((1 + RANDOM % $1)); }

soak_killed() {
	local led
	led=$(primary)
	expect takeover_ms=4000
	kill_ks "$led"
	soak_seconds 15
	[ "${1:-}" != emptied ] || lose_state "$led"
	start_ks "$led"
}
soak_killed_and_emptied() { soak_killed emptied; }
soak_follower_killed() {
	local ks
	# shellcheck disable=SC2046 # a list of words
	ks=$(soak_any $(secondaries))
	crash "$ks"
	soak_seconds 15
	start_ks "$ks"
}
soak_handed_over() {
	inject "clear crypto gdoi ks coop role on $(primary)"
	lab_show "$(primary)" 'clear crypto gdoi ks coop role' >/dev/null
	soak_seconds 5
}
soak_cut_off() {
	local ks
	ks=$(soak_any ks1 ks2 ks3)
	cut "$ks" "$(tr ' ' '\n' <<<'ks1 ks2 ks3' | grep -v "$ks" | xargs)"
	soak_seconds 25
	heal
}
soak_split() {
	# shellcheck disable=SC2046 # pairs of hosts, a word each
	allow_loss $(pairs_between "gm1 gm2" "gm3 gm4")
	cut "ks1 gm1 gm2" "ks2 ks3 gm3 gm4"
	soak_seconds 25
	heal
	sleep 0.3
	# shellcheck disable=SC2046 # pairs of hosts, a word each
	no_more_loss $(pairs_between "gm1 gm2" "gm3 gm4")
}
soak_one_way() {
	cut_one_way "$(soak_any ks1 ks2)" "ks3"
	soak_seconds 15
	heal
}
soak_bad_way() {
	lose $((1 + RANDOM % 30))
	double $((1 + RANDOM % 30))
	soak_seconds 15
	unimpair
}
soak_late_way() {
	delay $((RANDOM % 50)) $((RANDOM % 200))
	soak_seconds 15
	unimpair
}
soak_rekeyed() { rekey_at "$(primary)"; }
soak_registered() { register_again "$(soak_any gm1 gm2 gm3 gm4)"; }
soak_member_killed() {
	local gm
	gm=$(soak_any gm1 gm2 gm3 gm4)
	inject "kill -9 of gmd on $gm"
	lab_kill "$gm" gmd KILL
	soak_seconds 5
	lab_start "$gm" gmd
}

soak_round() { # FAULT
	drill_title="round $round of seed $seed: ${1//_/ }"
	printf '== %s\n' "$drill_title"
	: >"$drill_events"
	must checks clear I3 I6 I9
	drill_watch
	"soak_$1"
	check "one key server leads, two follow" lab_until 30 one_leads
	check "all members have the same keys" lab_until 60 all_moved_on
	check "every host reaches every other one" lab_until 5 ping_all
	drill_finish
	python3 -B "$lab_top/lab/drills/report.py" "$LAB_DIR" "$drill_events" "$out/$drill_name-$round.html"
}

drill_soak() { # HOURS SEED
	local round=0 bad=0 seed=$2 end
	drill_name=soak drill_events=$out/soak.jsonl
	end=$(awk -v now="$(drill_now)" -v h="$1" 'BEGIN {printf "%d", now + h * 3600000}')
	RANDOM=$seed
	echo "soak: $1 hours, --seed $seed"
	trap 'status=$?; trap - EXIT; put_away soak; exit $status' EXIT
	trap 'exit 130' INT TERM
	: >"$drill_events"
	LAB_TEK_LIFE=120 LAB_KEK_LIFE=900 LAB_ATD=4 LAB_RETRANSMIT=1
	raise 3ks-4gm
	drill_finish
	while [ "$(drill_now)" -lt "$end" ]; do
		round=$((round + 1))
		if soak_round "$(soak_any "${soak_faults[@]}")"; then
			rm -f "$out/soak-$round.html"
		else
			bad=$((bad + 1))
			cp "$drill_events" "$out/soak-$round.jsonl"
		fi
	done
	echo "soak: seed $seed, $round rounds, $bad failed"
	[ $bad = 0 ]
}
