#!/usr/bin/env python3
"""scale_report.py [--json] FILE [CHART] - figures of tests/perf/keyserver_scale.

FILE holds one JSON object a line, as ks_scale prints them. Prints a table (--json: one object);
draws CHART, an SVG that needs nothing but itself.
"""
import json
import math
import statistics
import sys

FIT_FROM = 10000  # members; below, what ksd needs anyway weighs too much


def median(rekeys, key):
    return statistics.median(r[key] for r in rekeys) if rekeys else None


def figures(run):
    n = run["members"]
    quiet = run["rekeys"][1:] or run["rekeys"]
    lossy = run["lossy_rekeys"]
    return {
        "members": n,
        "state": run["state"],
        "loss_percent": run["loss_percent"],
        "register_per_s": round(n / run["register_wall_s"]),
        "register_cpu_s": round(run["register_cpu_s"], 3),
        "memory_kb": run["rss_kb"],
        "memory_each": round((run["rss_kb"] - run["rss_empty_kb"]) * 1024 / n),
        "state_octets": run["state_octets"],
        "state_each": round(run["state_octets"] / n),
        "first_cpu_s": round(run["rekeys"][0]["cpu_ms"] / 1e3, 3) if run["rekeys"] else None,
        "rekey_s": round(median(quiet, "wall_ms") / 1e3, 3),
        "rekey_cpu_s": round(median(quiet, "cpu_ms") / 1e3, 4),
        "rekey_resent": median(quiet, "resent"),
        "lossy_s": round(median(lossy, "wall_ms") / 1e3, 3),
        "lossy_cpu_s": round(median(lossy, "cpu_ms") / 1e3, 4),
        "lossy_resent": median(lossy, "resent"),
        "kernel_drops": run["kernel_drops"],
        "kills": [{k: round(v) for k, v in kill.items()} for kill in run["kills"]],
    }


def exponent(runs, key):
    """Slope of log figure over log members, or None."""
    at = [(math.log(r["members"]), math.log(r[key])) for r in runs
          if r["members"] >= FIT_FROM and r[key]]
    if len(at) < 2:
        return None
    mx = sum(x for x, _ in at) / len(at)
    my = sum(y for _, y in at) / len(at)
    return round(sum((x - mx) * (y - my) for x, y in at) / sum((x - mx) ** 2 for x, _ in at), 2)


FITTED = [("register_cpu_s", "registration, CPU"), ("rekey_s", "rekey, time"),
          ("rekey_cpu_s", "rekey, CPU"), ("lossy_cpu_s", "rekey under loss, CPU"),
          ("memory_kb", "memory"), ("state_octets", "state on disk")]


def print_table(runs, fit):
    print("members  state  reg/s  CPU each us  memory MB  each B  disk each B"
          "  rekey s  CPU us each  first  lossy s  CPU us each  resent")
    for r in runs:
        n = r["members"]
        print(f"{n:7}  {r['state']:5} {r['register_per_s']:6} {r['register_cpu_s'] / n * 1e6:12.0f}"
              f" {r['memory_kb'] / 1024:10.1f} {r['memory_each']:7} {r['state_each']:12}"
              f" {r['rekey_s']:8.2f} {r['rekey_cpu_s'] / n * 1e6:12.1f}"
              f" {r['first_cpu_s'] / n * 1e6:6.1f} {r['lossy_s']:8.2f}"
              f" {r['lossy_cpu_s'] / n * 1e6:12.1f} {r['lossy_resent']:7.0f}")
    print(f"lost on purpose: {runs[0]['loss_percent']} % each way; datagrams the kernel had no room"
          f" for: {sum(r['kernel_drops'] for r in runs)}")
    print("killed in the middle of a rekey; milliseconds from the kill on:")
    for r in runs:
        for k in r["kills"]:
            print(f"{r['members']:7}  {k['had_it']} had it; serves again {k['serves_ms']},"
                  f" next acknowledgement {k['goes_on_ms']}, all have acknowledged"
                  f" {k['all_acked_ms']}; registered again 0")
    print("exponents (1: linear): " + ", ".join(
        f"{name} {fit[key]}" for key, name in FITTED if fit[key] is not None))


# ---- the chart ----

W, H, LEFT, TOP, GAP = 300, 200, 60, 50, 75
INK, GRID, COLORS = "#333", "#ddd", ["#1b6ca8", "#c8553d"]


def tick_step(top):
    step = 10 ** math.floor(math.log10(top))
    return next(step * f for f in (0.1, 0.2, 0.25, 0.5, 1) if top / (step * f) <= 6)


def label(v):
    return f"{v:,.0f}" if v >= 1000 or v == int(v) else f"{v:g}"


def panel(left, title, runs, lines):
    """lines: (name, figure) pairs; each is a polyline over members."""
    xmax = max(r["members"] for r in runs)
    ymax = 1.08 * max(f(r) for _, f in lines for r in runs)
    px = lambda n: left + W * n / xmax
    py = lambda v: TOP + H - H * v / ymax
    out = [f'<text x="{left}" y="{TOP - 22}" font-weight="bold">{title}</text>']
    for axis, top, at in (("x", xmax, px), ("y", ymax, py)):
        step = tick_step(top)
        for i in range(int(top / step + 1e-9) + 1):
            v = i * step
            if axis == "y":
                out.append(f'<path d="M{left} {at(v):.1f}h{W}" stroke="{GRID}"/>'
                           f'<text x="{left - 6}" y="{at(v) + 4:.1f}" text-anchor="end">'
                           f'{label(v)}</text>')
            else:
                out.append(f'<text x="{at(v):.1f}" y="{TOP + H + 18}" text-anchor="middle">'
                           f'{label(v / 1000)}k</text>')
    out.append(f'<path d="M{left} {TOP}v{H}h{W}" stroke="{INK}" fill="none"/>')
    for i, (name, figure) in enumerate(lines):
        at = [(px(r["members"]), py(figure(r))) for r in runs]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        out.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[i]}"'
                   f' stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLORS[i]}"/>' for x, y in at]
        out.append(f'<text x="{left + 10}" y="{TOP + 14 + 16 * i}" fill="{COLORS[i]}">{name}</text>')
    return "\n".join(out)


def chart(runs):
    loss = f"{runs[0]['loss_percent']} % lost each way"
    panels = [
        ("rekey of all, last acknowledgement (s)",
         [("no loss", lambda r: r["rekey_s"]), (loss, lambda r: r["lossy_s"])]),
        ("ksd's CPU for it (s)",
         [("no loss", lambda r: r["rekey_cpu_s"]), (loss, lambda r: r["lossy_cpu_s"])]),
        ("memory and state (MB)",
         [("memory of ksd", lambda r: r["memory_kb"] / 1024),
          ("state on disk", lambda r: r["state_octets"] / 1e6)])]
    width = LEFT + len(panels) * (W + GAP)
    body = "\n".join(panel(LEFT + i * (W + GAP), title, runs, lines)
                     for i, (title, lines) in enumerate(panels))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + H + 50}"'
            f' font-family="sans-serif" font-size="12" fill="{INK}">\n'
            f'<title>One key server: members against time, CPU and memory</title>\n'
            f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n'
            f'<text x="{LEFT}" y="{TOP + H + 40}">members of one group on one ksd</text>\n</svg>\n')


def main(args):
    as_json = args[:1] == ["--json"]
    name, *rest = args[as_json:]
    with open(name, encoding="ascii") as f:
        runs = [figures(json.loads(line)) for line in f]
    disk = sorted((r for r in runs if r["state"] == "disk"), key=lambda r: r["members"])
    fit = {key: exponent(disk, key) for key, _ in FITTED}
    if as_json:
        print(json.dumps({"runs": runs, "exponents": fit}))
    else:
        print_table(runs, fit)
    if rest:
        with open(rest[0], "w", encoding="ascii") as f:
            f.write(chart(disk))


main(sys.argv[1:])
