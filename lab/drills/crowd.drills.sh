# shellcheck shell=bash
# lab/drills/crowd.drills.sh - more members than a lab has nodes: tests/perf/coop has a crowd of them.

#: D10 unicast Three key servers have 2,000 members (DRILL_MEMBERS) and their primary is killed within rekeys.
D10() {
	local result=$out/D10.json
	must checks
	drill_without_lab "Three key servers and a crowd of ${DRILL_MEMBERS:-2000} on the loopback of a namespace."
	inject "members register, the primary is killed twice within a rekey (tests/perf/coop)"
	check "all members have the same keys after each kill" drill_crowd "$result"
	jq . "$result"
	check "another key server led within 4 s each time" jq -e '[.kills[].leads_ms] | length == 2 and max <= 4000' "$result"
	check "what they say to each other at rest does not grow with the members" jq -e '.idle_octets_per_s < 10000' "$result"
}
drill_crowd() { # FILE
	PERF_BUILD=$BUILD "$lab_top/tests/perf/coop" --json "${DRILL_MEMBERS:-2000}" 2 >"$1" 2>"$1.log"
}
