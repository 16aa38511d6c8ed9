#!/bin/bash
# The primary of three key servers is killed when half of the members have its rekey: another leads
# within four seconds and carries the rekey on, nobody loses a packet.
# alone: the time until another leads is judged
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow

out=$(mktemp -d)
trap 'rm -rf "$out"; clean_up' EXIT
"$lab_top/lab/drill" D1-rekey --out "$out" | tee "$out/said" || fail "the drill D1-rekey"
for promise in checks I1 I3 I5 I6 I7 I9 I15 I17; do
	check "it proved $promise" grep -q "PASS  $promise " "$out/said"
done
echo "killed within a rekey; another led after $(sed -n 's/.*leads in time: \(.*\), at most.*/\1/p' "$out/said"), $(sed -n 's/.*cut its way: \([0-9]*\) of.*/\1/p' "$out/said") lost"
