#!/bin/bash
# A drill from end to end: a fault, its verdicts and its page; and the judge, given what really
# happened but for one packet, sees that one.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow

out=$(mktemp -d)
trap 'rm -rf "$out"; clean_up' EXIT
"$lab_top/lab/drill" D2-alone --out "$out" | tee "$out/said" || fail "the drill D2-alone"
check "its page has the timeline" grep -q '<svg viewBox' "$out/D2-alone.html"
check "nothing of it comes from elsewhere" bash -c "! grep -Eq '(src|href)=' '$out/D2-alone.html'"
check "its lab is gone" [ ! -e "$LAB_DIR" ]
for promise in checks I3 I5 I7 I9; do
	check "it proved $promise" grep -q "PASS  $promise " "$out/said"
done

# The same facts, but for one packet that was lost.
python3 -B - "$out" "$lab_top/lab/drills" <<'END' || fail "a lost packet goes unseen"
import json, sys
sys.path.insert(0, sys.argv[2])
import judge
facts = [json.loads(line) for line in open(sys.argv[1] + "/D2-alone.jsonl")]
begin = next(f["t"] for f in facts if f["kind"] == "begin")
flow = {"t": begin, "node": "h1", "kind": "flow", "from": "h1", "to": "h2", "slot_ms": 100,
        "slot_base": begin // 100, "sent_in": [10, 10], "heard_in": [10, 9]}
lost = [v for v in judge.judge(facts + [flow]) if v.name == "I3"]
sys.exit(not (lost and not lost[0].ok))
END
ok "one packet less, and it fails"
echo "$(grep -c '^  PASS  ' "$out/said") promises kept over a kill in the middle of a rekey"
