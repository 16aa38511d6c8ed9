"""page.py - a drill as one HTML page that needs nothing else: verdicts, a timeline as SVG, the log.

page(facts, verdicts) returns the text of the page. The timeline has a lane per key server (its role
and term), one per member (the keys that it sends under, a colour for each set of them; registrations
and rekeys as marks) and one per flow between hosts (what was lost, in each tenth of a second).
"""
import html
from collections import defaultdict

import judge

WIDTH, LEFT, RIGHT, LANE, GAP = 1080, 92, 16, 20, 6
KEY_COLOURS = 8
STYLE = """
:root { --bg: #ffffff; --ink: #1d2430; --dim: #667085; --rule: #d5dae3; --panel: #f5f7fa;
  --good: #1a7f4b; --bad: #c6282b; --cut: #f6e7c8; --allowed: #d9a441; --primary: #2457c5; --secondary: #b9c8ea;
  --claiming: #e0a021; --starting: #dfe3ea; --gone: #ffffff; --push: #111827;
  --k0: #2e86ab; --k1: #e07a3f; --k2: #4f9d69; --k3: #a3539b; --k4: #c9a227; --k5: #5a6fc0; --k6: #b0564f; --k7: #3b8f8f; }
@media (prefers-color-scheme: dark) { :root { --bg: #14181f; --ink: #e4e8ef; --dim: #97a1b2; --rule: #333b49;
  --panel: #1c222c; --good: #4cc38a; --bad: #ff6b6b; --cut: #3a301c; --allowed: #b8862f; --primary: #6d9bff; --secondary: #34466e;
  --claiming: #d29b26; --starting: #2b3240; --gone: #14181f; --push: #f2f4f8; } }
body { background: var(--bg); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 1100px; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { max-width: 46rem; } .dim, td.t { color: var(--dim); }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .25rem .6rem;
  border-top: 1px solid var(--rule); vertical-align: top; } td.t { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; } .ok { color: var(--good); font-weight: 600; } .no { color: var(--bad);
  font-weight: 600; } svg { width: 100%; height: auto; display: block; background: var(--panel);
  border: 1px solid var(--rule); border-radius: 6px; } svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }
svg text.dim { fill: var(--dim); } svg text.number { fill: var(--bad); } svg text.on { fill: #fff; } .legend span { display: inline-block; margin-right: 1.2rem; white-space: nowrap; }
.legend i { display: inline-block; width: .9em; height: .9em; margin-right: .4em; vertical-align: -.1em;
  border-radius: 2px; border: 1px solid var(--rule); }
.primary { fill: var(--primary); background: var(--primary); } .secondary { fill: var(--secondary);
  background: var(--secondary); } .claiming { fill: var(--claiming); background: var(--claiming); }
.starting { fill: var(--starting); background: var(--starting); } .lost { fill: var(--bad); background: var(--bad); }
.allowed { fill: var(--allowed); background: var(--allowed); }
.cut { fill: var(--cut); background: var(--cut); } .none { fill: var(--starting); }
.push { stroke: var(--push); stroke-width: 1.5; } .inject { stroke: var(--bad); stroke-dasharray: 3 3; }
.grid { stroke: var(--rule); } .flow { fill: var(--good); opacity: .35; background: var(--good); }
""" + "\n".join(f".k{i} {{ fill: var(--k{i}); background: var(--k{i}); }}" for i in range(KEY_COLOURS))


def e(text):
    return html.escape(str(text), quote=True)


class Picture:
    """The SVG, lane by lane from above."""

    def __init__(self, story):
        self.story = story
        self.t0, self.t1 = story.begin["t"], max(story.end, story.begin["t"] + 1000)
        self.y, self.parts, self.front = 40, [], []
        self.colours = {}

    def x(self, t):
        t = min(max(t, self.t0), self.t1)
        return LEFT + (WIDTH - LEFT - RIGHT) * (t - self.t0) / (self.t1 - self.t0)

    def bar(self, t0, t1, cls, title, label=""):
        x0, x1 = self.x(t0), self.x(t1)
        self.parts.append(f'<rect class="{cls}" x="{x0:.1f}" y="{self.y}" width="{max(x1 - x0, 0.8):.1f}" '
                          f'height="{LANE}"><title>{e(title)}</title></rect>')
        if label and x1 - x0 > 7 * len(label):
            on = ' class="on"' if cls == "primary" else ""
            self.parts.append(f'<text{on} x="{x0 + 4:.1f}" y="{self.y + 14}">{e(label)}</text>')

    def mark(self, t, cls, title, short=False):
        y0 = self.y + (LANE * 0.55 if short else 0)
        self.parts.append(f'<line class="{cls}" x1="{self.x(t):.1f}" x2="{self.x(t):.1f}" y1="{y0:.1f}" '
                          f'y2="{self.y + LANE}"><title>{e(title)}</title></line>')

    def lane(self, name):
        self.parts.append(f'<text x="8" y="{self.y + 14}">{e(name)}</text>')

    def next(self, gap=GAP):
        self.y += LANE + gap

    def head(self, text):
        self.parts.append(f'<text class="dim" x="8" y="{self.y + 12}">{e(text)}</text>')
        self.y += 18

    def key_class(self, keys):
        """A colour for each set of keys, in the order of their coming."""
        return f"k{self.colours.setdefault(tuple(keys), len(self.colours)) % KEY_COLOURS}"

    def finish(self):
        height, behind, front = self.y + 8, [], []
        for a, b, _ in self.story.cuts:
            behind.append(f'<rect class="cut" x="{self.x(a):.1f}" y="30" width="{self.x(b) - self.x(a):.1f}" '
                          f'height="{height - 34}"/>')
        seconds = (self.t1 - self.t0) / 1000
        step = next(s for s in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 1 << 30) if seconds / s <= 14)
        for s in range(0, int(seconds) + 1, step):
            x = self.x(self.t0 + s * 1000)
            behind.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="30" y2="{height - 4}"/>'
                          + (f'<text class="dim" x="{x + 2:.1f}" y="26">{s} s</text>' if x < WIDTH - 45 else ""))
        free = 0
        for n, f in enumerate(self.story.by_kind["inject"], 1):
            x = self.x(f["t"])
            at = max(x + 2, free)  # numbers of faults that follow each other closely stand side by side
            free = at + 8 * len(str(n)) + 2
            front.append(f'<line class="inject" x1="{x:.1f}" x2="{x:.1f}" y1="14" y2="{height - 4}">'
                         f'<title>{e(f["what"])}</title></line>'
                         f'<text class="number" x="{at:.1f}" y="12">{n}</text>')
        return (f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="timeline of the drill">'
                + "".join(behind + self.parts + front) + "</svg>")


def key_servers(p):
    s = p.story
    nodes = [n["name"] for n in s.begin.get("nodes", []) if n["kind"] == "ks"]
    if nodes:
        p.head("key servers: role and term; marks are rekeys sent")
    for node in nodes:
        p.lane(node)
        for t0, t1, cls, label in roles_of(s, node):
            p.bar(t0, t1, cls, f"{node}: {label}", label)
        sent = defaultdict(int)
        for f in s.by_kind["push"]:
            if f["node"] == node:
                sent[f["t"] // 50] += 1
        for slot, n in sent.items():
            p.mark(slot * 50, "push", f"{node} sends {n} rekey datagrams at {s.when(slot * 50)}")
        p.next()


def roles_of(s, node):
    """[(from, to, class, label)]; a key server without a set is just up."""
    spans, at = [], None
    for f in s.facts:
        if f["node"] != node:
            continue
        if f["kind"] == "down" and f.get("daemon") == "ksd":
            now = None
        elif f["kind"] == "role":
            now = f["role"], f"{f['role']}, term {f['term']}"
        elif f["kind"] == "up" and f.get("daemon") == "ksd":
            now = ("secondary", "alone") if not s.by_kind["role"] else ("starting", "starting")
        else:
            continue
        if at:
            spans.append((at[0], f["t"], *at[1]))
        at = (f["t"], now) if now else None
    return spans + ([(at[0], s.end, *at[1])] if at else [])


def members(p):
    s = p.story
    nodes = [n["name"] for n in s.begin.get("nodes", []) if n["kind"] == "gm"]
    if nodes:
        p.y += GAP
        p.head("members: a colour for each set of keys they send under; marks are registrations (long) and rekeys (short)")
    for node in nodes:
        p.lane(node)
        mine = [f for f in s.facts if f["node"] == node and
                (f["kind"] == "member" or f["kind"] == "down" and f.get("daemon") == "gmd")]
        # One bar for as long as it sends under the same keys.
        mine = [f for f, before in zip(mine, [None] + mine)
                if before is None or f.get("current") != before.get("current")]
        for i, f in enumerate(mine):
            end = mine[i + 1]["t"] if i + 1 < len(mine) else s.end
            if f["kind"] == "member" and f["current"]:
                p.bar(f["t"], end, p.key_class(f["current"]),
                      f"{node} sends under {f['current'][0]} and {len(f['current']) - 1} more")
            elif f["kind"] == "member":
                p.bar(f["t"], end, "none", f"{node} has no keys to send under: {f['state']}")
        for f in s.by_kind["log"]:
            if f["node"] == node and f["mnemonic"] in ("GM_REGS_COMPL", "GM_RECV_REKEY"):
                p.mark(f["t"], "push", f"{node} {f['mnemonic']} {f['text']}", f["mnemonic"] == "GM_RECV_REKEY")
        p.next()


def flows(p):
    s = p.story
    if s.by_kind["flow"]:
        p.y += GAP
        p.head("flows: the height is the part lost of a tenth of a second")
    for f in s.by_kind["flow"]:
        p.lane(f"{f['from']} to {f['to']}")
        if f["sent_in"]:
            start = f["slot_base"] * f["slot_ms"]
            p.parts.append(f'<rect class="flow" x="{p.x(start):.1f}" y="{p.y + 8}" height="2" '
                           f'width="{p.x(start + len(f["sent_in"]) * f["slot_ms"]) - p.x(start):.1f}"/>')
        for i, n in enumerate(f["sent_in"]):
            heard = f["heard_in"][i] if i < len(f["heard_in"]) else 0
            if n <= heard:
                continue
            t = (f["slot_base"] + i) * f["slot_ms"]
            high = max(2.0, (LANE - 4) * (n - heard) / n)
            right = judge.may_lose(s, f"{f['from']}>{f['to']}", t, t + f["slot_ms"])
            p.parts.append(f'<rect class="{"allowed" if right else "lost"}" x="{p.x(t):.1f}" y="{p.y + LANE - 4 - high:.1f}" '
                           f'width="{max(p.x(t + f["slot_ms"]) - p.x(t), 1.2):.1f}" height="{high:.1f}">'
                           f'<title>{n - heard} of {n} lost at {e(s.when(t))}</title></rect>')
        p.next(0)


def faults(s):
    return "<ol>" + "".join(f"<li>{e(f['what'])} <span class=\"dim\">at {e(s.when(f['t']))}</span></li>"
                            for f in s.by_kind["inject"]) + "</ol>"


def legend():
    words = (("primary", "leads"), ("secondary", "follows"), ("claiming", "claims"), ("starting", "starts, or no keys"),
             ("cut", "network is cut"), ("allowed", "lost where the drill cut the way"), ("lost", "lost without need"))
    return '<p class="legend">' + "".join(f'<span><i class="{c}"></i>{w}</span>' for c, w in words) + "</p>"


def verdict_table(verdicts):
    rows = "".join(
        f'<tr><td class="{"ok" if v.ok else "no"}">{"PASS" if v.ok else "FAIL"}</td><td>{e(v.name)}</td>'
        f'<td>{e(v.claim)}</td><td>{e(v.seen)}</td></tr>' for v in verdicts)
    return f"<table><tr><th>verdict</th><th></th><th>promise</th><th>seen</th></tr>{rows}</table>"


def happenings(s):
    rows = []
    for n, f in enumerate(s.by_kind["inject"], 1):
        rows.append((f["t"], "drill", f"{n}. {f['what']}", True))
    for f in s.by_kind["check"]:
        rows.append((f["t"], "drill", ("ok: " if f["ok"] else "NOT: ") + f["what"], True))
    for f in s.by_kind["log"]:
        rows.append((f["t"], f["node"], f"{f['mnemonic']}: {f['text']}", False))
    return "".join(f'<tr><td class="t">{s.when(t)}</td><td>{e(who)}</td><td>{"<b>" if own else ""}{e(what)}'
                   f'{"</b>" if own else ""}</td></tr>' for t, who, what, own in sorted(rows))


def page(facts, verdicts):
    s = judge.Story(facts)
    p = Picture(s)
    key_servers(p)
    members(p)
    flows(p)
    name, good = s.begin.get("drill", "drill"), all(v.ok for v in verdicts) and bool(verdicts)
    word = f'<span class="{"ok" if good else "no"}">{"PASS" if good else "FAIL"}</span>'
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{e(name)}: {"PASS" if good else "FAIL"}</title><style>{STYLE}</style></head><body>
<h1>{e(name)} {word}</h1>
<p>{e(s.begin.get("title", ""))}</p>
<p class="dim">{e(s.begin.get("about", ""))} {(s.end - s.begin["t"]) / 1000:.0f} s.</p>
<h2>Promises</h2>{verdict_table(verdicts)}
<h2>Timeline</h2>{p.finish()}{legend()}{faults(s)}
<h2>What happened</h2><table>{happenings(s)}</table>
</body></html>
"""
