#!/usr/bin/python3
"""report.py LAB_DIR EVENTS PAGE - judge a drill, write its page, say PASS or FAIL. Exit status 0: passed."""
import glob
import json
import sys

import judge
import page


def flows(folder, nodes):
    """What the hosts' flows counted, a fact for each ordered pair."""
    names = {n["addr"]: n["name"] for n in nodes}
    books = {}
    for path in glob.glob(f"{folder}/*/flow.log"):
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
        if lines and lines[-1].startswith("{"):
            book = json.loads(lines[-1])
            books[names[book["host"]]] = book
    for a, book in sorted(books.items()):
        for addr, sent in sorted(book["peers"].items()):
            b = names[addr]
            other = books.get(b)
            if other is None or "slot_ms" not in book:
                continue
            heard = next(p for x, p in other["peers"].items() if names[x] == a)
            # Each host counts slots from its own start.
            shift = other["slot_base"] - book["slot_base"]
            heard_in = heard["heard_in"]
            heard_in = [0] * shift + heard_in if shift > 0 else heard_in[-shift:]
            yield {"t": book["slot_base"] * book["slot_ms"], "node": a, "kind": "flow", "from": a, "to": b,
                   "slot_ms": book["slot_ms"], "slot_base": book["slot_base"], "dup": heard["dup"],
                   "sent_in": sent["sent_in"], "heard_in": heard_in}


def main():
    folder, events, out = sys.argv[1:4]
    with open(events, encoding="utf-8") as f:
        facts = [json.loads(line) for line in f]
    with open(f"{folder}/drill.json", encoding="utf-8") as f:
        facts += flows(folder, json.load(f)["nodes"])
    verdicts = judge.judge(facts)
    with open(out, "w", encoding="utf-8") as f:
        f.write(page.page(facts, verdicts))
    for v in verdicts:
        print(f"  {'PASS' if v.ok else 'FAIL'}  {v.name:<7} {v.claim}: {v.seen}")
    passed = bool(verdicts) and all(v.ok for v in verdicts)
    print(f"  {'PASS' if passed else 'FAIL'}; {out}")
    sys.exit(0 if passed else 1)


main()
