"""judge.py - did what happened in a drill keep the promises? A pure function over the list of facts.

judge(facts) returns one Verdict for each promise that the facts say anything about. The facts are what
watch.py saw, what the drill itself did (below), and what the hosts' flows counted.

  kind          belongs to it                           written by
  begin         drill, title, nodes                     the drill
  must          names                                   the drill: promises it has to have evidence of
  settle        ms                                      the drill: how long it may take to get over a cut
  inject        what                                    the drill, whenever it breaks or mends something
  cut           sides: [[nodes], [nodes]]               the drill: no packet between the sides from here on
  heal                                                  the drill: all cuts are over
  rough         ms                                      the drill: so bad a way that two may lead for so long; 0: over
  primary_lost                                          the drill: node no longer leads, another one has to
  excluded                                              the drill: node is no member any more
  expect        takeover_ms, claims, same_keys, ...     the drill: bounds of what follows
  allow_loss    on: true|false, pairs: "all"|[names]    the drill: packets of these may be lost meanwhile
  check         what, ok                                the drill: something it looked at itself
  flow          from, to, slot_ms, slot_base, sent_in, heard_in, dup

A promise without evidence is not kept: it is missing from the list, or a failure where the drill
named it as one it must show.
"""
import re
from collections import defaultdict
from dataclasses import dataclass

CLAIMS = {
    "checks": "what the drill looked at by itself is as it should be",
    "clear": "nothing of the hosts travels in clear",
    "I1": "one primary: no term has two, and in a connected set no two lead at a time",
    "I3": "no packet is lost but where the drill cut its way",
    "I4": "no new keys while the old ones are good",
    "I5": "nobody encrypts under a key that a member within reach lacks",
    "I6": "in the end all have the same keys, and one key server leads",
    "I7": "no rekey number is used twice or goes back",
    "I9": "no nonce and no sender id is used twice under a key",
    "I11": "pseudotime is the same everywhere and never goes back",
    "I15": "another key server leads in time",
    "merge": "after a cut one key server leads and all have the same keys in time",
    "I16": "no message between key servers is fragmented",
    "I17": "only the primary sends rekeys",
    "I20": "no needless change of roles",
}
# Facts of different nodes are a poll apart.
SKEW_MS = 700
# A rekey may be on its way while its sender learns that it does not lead any more.
HOP_MS = 300
PSEUDO_MS = 2000


@dataclass
class Verdict:
    name: str
    ok: bool
    seen: str

    @property
    def claim(self):
        return CLAIMS[self.name]


class Story:
    """The facts, sorted and put where the judgements look for them."""

    def __init__(self, facts):
        self.facts = sorted(facts, key=lambda f: f["t"])
        self.by_kind = defaultdict(list)
        for f in self.facts:
            self.by_kind[f["kind"]].append(f)
        self.begin = (self.by_kind["begin"] or [{"t": 0}])[0]
        self.end = self.facts[-1]["t"] if self.facts else 0
        self.settle = max([f["ms"] for f in self.by_kind["settle"]] or [6000])
        self.must = {name for f in self.by_kind["must"] for name in f["names"]}
        self.expect = {}
        for f in self.by_kind["expect"]:
            self.expect.update({k: v for k, v in f.items() if k not in ("t", "node", "kind")})
        self.excluded = {f["node"]: f["t"] for f in self.by_kind["excluded"]}
        self.cuts = self._cuts()
        self.reigns = self._reigns()

    def _cuts(self):
        """[(from, to, sides)]"""
        cuts, open_cuts = [], []
        for f in self.facts:
            if f["kind"] == "cut":
                open_cuts.append((f["t"], f.get("sides", [])))
            elif f["kind"] == "heal":
                cuts += [(t, f["t"], sides) for t, sides in open_cuts]
                open_cuts = []
        return cuts + [(t, self.end + 1, sides) for t, sides in open_cuts]

    def _reigns(self):
        """[(node, from, to, term)]: when a key server led."""
        reigns, leads = [], {}
        for f in self.facts:
            node = f["node"]
            gone = f["kind"] == "down" and f.get("daemon") == "ksd"
            if f["kind"] != "role" and not gone:
                continue
            role = f["role"] if f["kind"] == "role" else None
            if node in leads and (role != "primary" or leads[node][1] != f["term"]):
                since, term = leads.pop(node)
                reigns.append((node, since, f["t"], term))
            if role == "primary" and node not in leads:
                leads[node] = (f["t"], f["term"])
        return reigns + [(n, since, self.end + 1, term) for n, (since, term) in leads.items()]

    def may_overlap(self, t):
        """How long two key servers may both lead at a time, though no way between them is cut."""
        rough = [f["ms"] for f in self.by_kind["rough"] if f["t"] <= t]
        return max(SKEW_MS, rough[-1] if rough else 0)

    def disturbed(self, t0, t1):
        """Is any of this time within a cut, or the time it takes to get over it?"""
        return any(a <= t1 and t0 <= b + self.settle for a, b, _ in self.cuts)

    def apart(self, a, b, t):
        """Are two nodes cut from each other at a time?"""
        for t0, t1, sides in self.cuts:
            if t0 <= t <= t1 + self.settle:
                where = [i for i, side in enumerate(sides) for n in (a, b) if n in side]
                if len(where) == 2 and where[0] != where[1]:
                    return True
        return False

    def at(self, kind, node, t):
        """The latest fact of a kind about a node, as it was at a time."""
        last = None
        for f in self.by_kind[kind]:
            if f["t"] > t:
                break
            if f["node"] == node:
                last = f
        return last

    def last(self, kind):
        """{node: its latest fact of this kind}, of daemons that are up in the end."""
        down = {}
        for f in self.facts:
            if f["kind"] in ("up", "down"):
                down[f["node"]] = f["kind"] == "down"
        return {f["node"]: f for f in self.by_kind[kind] if not down.get(f["node"])}

    def when(self, t):
        return f"{(t - self.begin['t']) / 1000:.1f} s"


def pairs_of(allow, pair):
    return allow["pairs"] == "all" or pair in allow["pairs"]


def first_few(found, n=3):
    more = f" and {len(found) - n} more" if len(found) > n else ""
    return "; ".join(found[:n]) + more


# ---- one judgement each: None where the facts say nothing about it ----


def checks(s):
    done = s.by_kind["check"]
    if not done:
        return None
    bad = [f"{f['what']} (at {s.when(f['t'])})" for f in done if not f["ok"]]
    return Verdict("checks", not bad, first_few(bad) if bad else f"{len(done)} of {len(done)}")


def clear(s):
    if not s.by_kind["sender_id"]:
        return None  # nobody looked at packets, or nothing was encrypted
    n = sum(f["packets"] for f in s.by_kind["clear"])
    return Verdict("clear", n == 0, f"{n} packets in clear")


def one_primary(s):
    if not s.reigns:
        return None
    bad, terms = [], defaultdict(set)
    for node, _, _, term in s.reigns:
        terms[term].add(node)
    bad += [f"term {t} belonged to {' and '.join(sorted(n))}" for t, n in terms.items() if len(n) > 1]
    own = defaultdict(list)
    for f in s.by_kind["role"]:
        if f["term"]:  # 0: it does not know one
            own[f["node"]].append(f["term"])
    bad += [f"terms of {n} went back" for n, seen in own.items() if seen != sorted(seen)]
    for i, (a, a0, a1, _) in enumerate(s.reigns):
        for b, b0, b1, _ in s.reigns[i + 1:]:
            both = max(a0, b0), min(a1, b1)
            if a != b and both[1] - both[0] > s.may_overlap(both[0]) and not s.disturbed(*both):
                bad.append(f"{a} and {b} both led from {s.when(both[0])} to {s.when(both[1])}")
    return Verdict("I1", not bad, first_few(bad) if bad else
                   ", ".join(f"{n} in term {t}" for n, _, _, t in s.reigns))


def loss(s):
    flows = s.by_kind["flow"]
    sent = sum(sum(f["sent_in"]) for f in flows)
    if not sent:
        return None
    lost, allowed, where = 0, 0, []
    for f in flows:
        pair = f"{f['from']}>{f['to']}"
        heard = f["heard_in"] + [0] * (len(f["sent_in"]) - len(f["heard_in"]))
        mine = 0
        for i, n in enumerate(f["sent_in"]):
            t0 = (f["slot_base"] + i) * f["slot_ms"]
            if n <= heard[i]:
                continue
            if may_lose(s, pair, t0, t0 + f["slot_ms"]):
                allowed += n - heard[i]
            else:
                mine += n - heard[i]
                where.append((t0, pair))
        lost += mine
    seen = f"{lost} of {sent} packets lost"
    if allowed:
        seen += f", and {allowed} where the way was cut"
    if where:
        seen += f"; first {min(where)[1]} at {s.when(min(where)[0])}"
    return Verdict("I3", lost == 0, seen)


def may_lose(s, pair, t0, t1):
    allowed = False
    for f in s.by_kind["allow_loss"]:
        if f["t"] > t1:
            break
        if pairs_of(f, pair) and (f["on"] or f["t"] < t0):
            allowed = f["on"]
    return allowed


def same_keys(s):
    """From the first fault on: nobody sends under keys that were not there."""
    if not s.expect.get("same_keys") or not s.by_kind["member"] or not s.by_kind["inject"]:
        return None
    t0 = s.by_kind["inject"][0]["t"]
    known = {k for f in s.by_kind["member"] if f["t"] <= t0 for k in f["current"] + f["staged"]}
    new = [f"{f['node']} at {s.when(f['t'])}" for f in s.by_kind["member"]
           if f["t"] > t0 and not set(f["current"]) <= known]
    return Verdict("I4", bool(known) and not new, "new keys: " + first_few(new) if new else
                   f"{len(known)} keys before and after")


def understood(s):
    members = {f["node"] for f in s.by_kind["member"]}
    if len(members) < 2:
        return None
    bad, looked, before = [], 0, {}
    for f in s.by_kind["member"]:
        t, new = f["t"], set(f["current"])
        if not new or new == before.get(f["node"]) or s.excluded.get(f["node"], t) < t:
            continue
        before[f["node"]] = new
        for other in members - {f["node"]}:
            held = held_around(s, other, t)
            if held is None or s.apart(f["node"], other, t):
                continue
            looked += 1
            if not new <= held:
                bad.append(f"{f['node']} sends under {len(new - held)} keys that {other} lacks "
                           f"at {s.when(t)}")
    if not looked:
        return None
    return Verdict("I5", not bad, first_few(bad) if bad else f"{looked} changes looked at")


def held_around(s, node, t):
    """What a member opens about a time; None: it is out of the group then."""
    held, last = set(), s.at("member", node, t)
    if s.excluded.get(node, t) < t:
        return None
    if last is None or last["state"] != "registered" or last["dataplane"] != "up":
        return None
    if not last["staged"] + last["current"] + last["draining"]:
        return None  # its keys have ended
    near = [last] + [f for f in s.by_kind["member"]
                     if f["node"] == node and abs(f["t"] - t) <= SKEW_MS]
    for f in near:
        held |= set(f["staged"]) | set(f["current"]) | set(f["draining"])
    return held


def agree(s):
    members, servers, roles = s.last("member"), s.last("keys"), s.last("role")
    members = {n: f for n, f in members.items() if n not in s.excluded}
    if not members or not roles:
        return None
    bad = [f"{n} is {f['state']}" for n, f in members.items() if f["state"] != "registered"]
    leads = [n for n, f in roles.items() if f["role"] == "primary"]
    if len(leads) != 1:
        bad.append(f"{len(leads)} key servers lead")
    for what, of in (("keys", lambda f: tuple(f["current"])), ("KEKs", lambda f: f["kek"])):
        for who, group in (("members", members), ("key servers", servers)):
            kinds = {of(f) for f in group.values()}
            if len(kinds) > 1:
                bad.append(f"{len(kinds)} different {what} among {who}")
    if servers and not bad and {f["kek"] for f in servers.values()} != {f["kek"] for f in members.values()}:
        bad.append("members hold another KEK than key servers")
    return Verdict("I6", not bad, first_few(bad) if bad else
                   f"{len(members)} members, {len(roles)} key servers, {leads[0]} leads")


TAG = re.compile(r"\brk=(\w+)/(\d+)")


def numbers(s):
    sent, last, bad = {}, {}, []
    for f in s.by_kind["log"]:
        m = TAG.search(f["text"])
        if not m or not f["mnemonic"].startswith("KS_SEND_"):
            continue
        kek, seq, node = m[1], int(m[2]), f["node"]
        if sent.setdefault((kek, seq), node) != node:
            bad.append(f"rk={kek}/{seq} was sent by {sent[kek, seq]} and by {node}")
        if seq <= last.get((node, kek), 0):
            bad.append(f"{node} sent rk={kek}/{seq} after {last[node, kek]}")
        last[node, kek] = seq
    high = {}
    for f in s.by_kind["member"]:
        key = f["node"], f["kek"]
        if f["kek"] and f["seq"] < high.get(key, 0):
            bad.append(f"{f['node']} went back to {f['seq']} from {high[key]}")
        high[key] = max(high.get(key, 0), f["seq"])
    if not sent:
        return None
    return Verdict("I7", not bad, first_few(bad) if bad else f"{len(sent)} rekeys")


def nonces(s):
    ids = s.by_kind["sender_id"]
    if not ids:
        return None
    bad = [f"{f['node']} repeats under {f['spi']}, sender id {f['sid']} of {f['first']}"
           for f in s.by_kind["nonce_again"]]
    return Verdict("I9", not bad, first_few(bad) if bad else f"{len(ids)} pairs of SPI and sender id")


def pseudotime(s):
    facts = s.by_kind["pseudotime"]
    if len({f["node"] for f in facts}) < 2:
        return None
    bad, last, spread = [], {}, 0
    for f in facts:
        role = s.at("role", f["node"], f["t"])
        if role and role["role"] == "starting":
            continue  # it serves nobody before its peers have told it
        before = last.get(f["node"])
        if before and before["epoch"] == f["epoch"] and \
                f["offset_ms"] - before["offset_ms"] < -PSEUDO_MS:
            bad.append(f"{f['node']} went back {before['offset_ms'] - f['offset_ms']} ms at {s.when(f['t'])}")
        last[f["node"]] = f
        near = [g["offset_ms"] for g in last.values()
                if g["epoch"] == f["epoch"] and f["t"] - g["t"] <= 2000]
        if s.disturbed(f["t"], f["t"]):
            continue
        spread = max(spread, max(near) - min(near))
    if spread > PSEUDO_MS:
        bad.append(f"nodes were {spread} ms apart")
    return Verdict("I11", not bad, first_few(bad) if bad else f"at most {spread} ms apart")


def takeover(s):
    lost, bound = s.by_kind["primary_lost"], s.expect.get("takeover_ms")
    if not lost or not bound:
        return None
    took = []
    for f in lost:
        after = [since for node, since, _, _ in s.reigns if node != f["node"] and since > f["t"]]
        took.append(min(after) - f["t"] if after else None)
    ok = all(t is not None and t <= bound for t in took)
    told = ", ".join("never" if t is None else f"{t} ms" for t in took)
    return Verdict("I15", ok, f"{told}, at most {bound} ms")


def merge(s):
    """From the last mending on, until the drill does something else: when did members last differ, or roles change?"""
    heals, bound = s.by_kind["heal"], s.expect.get("merge_ms")
    members = {f["node"]: f for f in s.by_kind["member"] if heals and f["t"] <= heals[-1]["t"]}
    if not bound or not members:
        return None
    t0 = last = heals[-1]["t"]
    end = min([f["t"] + SKEW_MS for f in s.by_kind["inject"] if f["t"] > t0] or [s.end])
    for f in s.by_kind["member"]:
        if not t0 < f["t"] <= end:
            continue
        if len({tuple(m["current"]) for m in members.values()}) > 1:
            last = f["t"]  # they differed until now
        members[f["node"]] = f
    leads = sorted(t for _, a, b, _ in s.reigns for t in (a, b) if t0 < t <= end)
    took = max([last] + leads[-1:]) - t0
    differ = len({tuple(m["current"]) for m in members.values()}) > 1
    return Verdict("merge", not differ and took <= bound, ("never, and " if differ else "") +
                   f"{took} ms, at most {bound} ms")


def fragments(s):
    facts = s.by_kind["coop_traffic"]
    if not sum(f["packets"] for f in facts):
        return None
    n, octets = sum(f["fragments"] for f in facts), sum(f["octets"] for f in facts)
    seconds = max(1, (s.end - s.begin["t"]) / 1000)
    return Verdict("I16", n == 0, f"{n} fragments, {octets / seconds:.0f} octets a second")


def only_primary(s):
    if not s.reigns or not s.by_kind["push"]:
        return None
    bad = []
    for f in s.by_kind["push"]:
        if not any(n == f["node"] and t0 - SKEW_MS <= f["t"] <= t1 + HOP_MS for n, t0, t1, _ in s.reigns):
            bad.append(f"{f['node']} at {s.when(f['t'])}")
    return Verdict("I17", not bad, "sent without leading: " + first_few(bad) if bad else
                   f"{len(s.by_kind['push'])} datagrams")


def calm_roles(s):
    if not s.reigns or "claims" not in s.expect:
        return None
    n = len(s.reigns)
    return Verdict("I20", n <= s.expect["claims"], f"{n} times somebody took the lead, at most "
                   f"{s.expect['claims']}")


JUDGEMENTS = {
    "checks": checks, "clear": clear, "I1": one_primary, "I3": loss, "I4": same_keys, "I5": understood,
    "I6": agree, "I7": numbers, "I9": nonces, "I11": pseudotime, "I15": takeover, "merge": merge, "I16": fragments,
    "I17": only_primary, "I20": calm_roles,
}


def judge(facts):
    story = Story(facts)
    verdicts = []
    for name, judgement in JUDGEMENTS.items():
        verdict = judgement(story)
        if verdict is None and name in story.must:
            verdict = Verdict(name, False, "nothing was seen that could show it")
        if verdict is not None:
            verdicts.append(verdict)
    return verdicts
