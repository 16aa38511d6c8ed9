#!/usr/bin/python3
"""The judge of drills, before made-up timelines: what is well passes, and every kind of wrong is seen."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../lab/drills"))
import judge  # noqa: E402
import page  # noqa: E402

NODES = [{"name": n, "kind": k} for n, k in
         (("ks1", "ks"), ("ks2", "ks"), ("gm1", "gm"), ("gm2", "gm"), ("h1", "host"), ("h2", "host"))]


def fact(t, kind, node=None, **more):
    return {"t": t, "kind": kind, "node": node, **more}


def role(t, node, word, term):
    return fact(t, "role", node, role=word, term=term)


def member(t, node, current, staged=(), draining=(), seq=1, kek="AA", state="registered"):
    return fact(t, "member", node, current=list(current), staged=list(staged), draining=list(draining),
                seq=seq, kek=kek, state=state, dataplane="up")


def flow(sent, heard, base=0):
    return fact(base * 100, "flow", "h1", **{"from": "h1", "to": "h2"}, slot_ms=100, slot_base=base, dup=0,
                sent_in=sent, heard_in=heard)


def sent_rekey(t, node, kek, seq):
    return fact(t, "log", node, daemon="ksd", mnemonic="KS_SEND_UNICAST_REKEY", text=f"rk={kek}/{seq} members=2")


def takeover():
    """ks1 leads and dies at 3000, ks2 takes over at 5000 and rekeys; members follow; nothing is lost."""
    return [
        fact(0, "begin", drill="made-up", title="", nodes=NODES),
        fact(0, "up", "ks1", daemon="ksd"), fact(0, "up", "ks2", daemon="ksd"),
        role(0, "ks1", "primary", 17), role(0, "ks2", "secondary", 17),
        fact(0, "keys", "ks2", kek="AA", current=["a"]),
        member(0, "gm1", "a", seq=0), member(0, "gm2", "a", seq=0),
        fact(2900, "inject", what="ks1 is killed"), fact(3000, "primary_lost", "ks1"),
        fact(3100, "down", "ks1", daemon="ksd"),
        role(5000, "ks2", "primary", 18),
        sent_rekey(6000, "ks2", "aaaa", 2), fact(6000, "push", "ks2", to="gm1"),
        member(6050, "gm1", "a", staged="b"), member(6060, "gm2", "a", staged="b"),
        member(7000, "gm1", "b", draining="a"), member(7100, "gm2", "b", draining="a"),
        fact(7000, "keys", "ks2", kek="AA", current=["b"]),
        fact(100, "sender_id", "gm1", spi="a", sid=1), fact(100, "sender_id", "gm2", spi="a", sid=2),
        fact(500, "pseudotime", "ks2", epoch=1, offset_ms=0), fact(500, "pseudotime", "gm1", epoch=1, offset_ms=9),
        fact(900, "coop_traffic", octets=4000, packets=30, fragments=0),
        fact(0, "expect", takeover_ms=4000, claims=2), fact(9000, "check", what="all is well", ok=True),
        flow([10] * 100, [10] * 100), fact(10000, "end"),
    ]


def verdict(facts, name):
    found = [v for v in judge.judge(facts) if v.name == name]
    return found[0] if found else None


class JudgeTest(unittest.TestCase):
    def holds(self, facts, name):
        v = verdict(facts, name)
        self.assertIsNotNone(v, f"{name} was not judged")
        self.assertTrue(v.ok, v.seen)

    def broken(self, facts, name, seen):
        v = verdict(facts, name)
        self.assertIsNotNone(v, f"{name} was not judged")
        self.assertFalse(v.ok)
        self.assertIn(seen, v.seen)

    def test_a_takeover_without_fault_keeps_every_promise(self):
        verdicts = judge.judge(takeover())
        self.assertEqual([], [f"{v.name}: {v.seen}" for v in verdicts if not v.ok])
        self.assertEqual({"checks", "clear", "I1", "I3", "I5", "I6", "I7", "I9", "I11", "I15", "I16", "I17",
                          "I20"}, {v.name for v in verdicts})

    def test_the_order_of_the_facts_does_not_matter(self):
        self.assertEqual([], [v.name for v in judge.judge(takeover()[::-1]) if not v.ok])

    def test_without_evidence_there_is_no_verdict(self):
        self.assertEqual([], judge.judge([fact(0, "begin", nodes=NODES)]))

    def test_what_has_to_be_shown_and_was_not_seen_is_a_failure(self):
        self.broken([fact(0, "begin", nodes=NODES), fact(0, "must", names=["I3"])], "I3", "nothing was seen")

    def test_a_check_that_fails_is_told(self):
        self.broken(takeover() + [fact(9500, "check", what="hosts talk", ok=False)], "checks", "hosts talk")

    def test_packets_in_clear_are_seen(self):
        self.broken(takeover() + [fact(9500, "clear", "h1", to="h2", packets=3)], "clear", "3 packets")

    def test_two_primaries_at_a_time_are_seen(self):
        self.broken(takeover() + [fact(8000, "up", "ks1", daemon="ksd"), role(8000, "ks1", "primary", 33)],
                    "I1", "both led")

    def test_two_primaries_are_legal_in_two_sides_of_a_cut(self):
        facts = takeover() + [fact(7900, "cut", sides=[["ks1"], ["ks2"]]), fact(8000, "up", "ks1", daemon="ksd"),
                              role(8000, "ks1", "primary", 33)]
        self.holds(facts, "I1")

    def test_two_primaries_long_after_the_cut_is_mended_are_seen(self):
        facts = takeover() + [fact(500, "cut", sides=[["ks1"], ["ks2"]]), fact(600, "heal"), fact(0, "settle", ms=1000),
                              role(7000, "ks1", "primary", 33)]
        self.broken(facts, "I1", "both led")

    def test_on_a_rough_way_two_may_lead_for_a_moment_only(self):
        facts = takeover() + [fact(100, "rough", ms=3000), fact(6900, "up", "ks1", daemon="ksd"),
                              role(7000, "ks1", "primary", 33)]
        self.holds(facts + [role(9000, "ks1", "secondary", 33)], "I1")
        self.broken(facts + [role(9000, "ks1", "secondary", 33), fact(6950, "rough", ms=0)], "I1", "both led")
        self.broken(facts + [fact(12000, "end"), role(11000, "ks1", "secondary", 33)], "I1", "both led")

    def test_a_term_of_two_key_servers_is_seen(self):
        facts = [f for f in takeover() if f["kind"] != "role"]
        facts += [role(0, "ks1", "primary", 17), role(5000, "ks2", "primary", 17)]
        self.broken(facts, "I1", "term 17 belonged to ks1 and ks2")

    def test_a_term_that_goes_back_is_seen(self):
        self.broken(takeover() + [role(8000, "ks2", "secondary", 16)], "I1", "went back")

    def test_who_starts_and_knows_no_term_has_not_gone_back(self):
        self.holds(takeover() + [fact(8000, "up", "ks1", daemon="ksd"), role(8000, "ks1", "starting", 0)], "I1")

    def test_a_lost_packet_is_seen_and_its_time_told(self):
        facts = [f for f in takeover() if f["kind"] != "flow"]
        self.broken(facts + [flow([10] * 100, [10] * 40 + [9] + [10] * 59)], "I3", "1 of 1000 packets lost; first h1>h2 at 4.0 s")

    def test_a_flow_that_nobody_hears_in_the_end_is_lost(self):
        facts = [f for f in takeover() if f["kind"] != "flow"]
        self.broken(facts + [flow([10] * 100, [10] * 90)], "I3", "100 of 1000")

    def test_loss_where_the_drill_cut_the_way_is_allowed_and_told(self):
        facts = [f for f in takeover() if f["kind"] != "flow"]
        facts += [flow([10] * 100, [10] * 40 + [0] * 20 + [10] * 40), fact(4000, "allow_loss", on=True, pairs=["h1>h2"]),
                  fact(6000, "allow_loss", on=False, pairs=["h1>h2"])]
        self.holds(facts, "I3")
        self.assertIn("and 200 where the way was cut", verdict(facts, "I3").seen)

    def test_loss_of_another_pair_or_time_is_not_allowed(self):
        facts = [f for f in takeover() if f["kind"] != "flow"] + [flow([10] * 100, [10] * 40 + [0] * 20 + [10] * 40)]
        self.broken(facts + [fact(4000, "allow_loss", on=True, pairs=["h2>h1"])], "I3", "200 of 1000")
        self.broken(facts + [fact(4000, "allow_loss", on=True, pairs="all"),
                             fact(5000, "allow_loss", on=False, pairs="all")], "I3", "lost")

    def test_new_keys_where_the_old_ones_should_stay_are_seen(self):
        self.broken(takeover() + [fact(0, "expect", same_keys=1)], "I4", "gm1 at 7.0 s")

    def test_a_member_that_lacks_a_key_in_use_is_seen(self):
        facts = [f for f in takeover() if not (f["node"] == "gm2" and f["t"] > 0 and f["kind"] == "member")]
        self.broken(facts, "I5", "gm1 sends under 1 keys that gm2 lacks at 7.0 s")

    def test_a_member_out_of_reach_need_not_have_the_keys(self):
        facts = [f for f in takeover() if not (f["node"] == "gm2" and f["t"] > 0 and f["kind"] == "member")]
        self.holds(facts + [fact(200, "cut", sides=[["gm1"], ["gm2"]])], "I5")

    def test_an_excluded_member_need_not_have_the_keys(self):
        facts = [f for f in takeover() if not (f["node"] == "gm2" and f["t"] > 0 and f["kind"] == "member")]
        facts += [fact(5500, "excluded", "gm2"), member(9000, "gm2", "c")]
        self.holds(facts, "I5")
        self.holds(facts, "I6")
        self.broken([f for f in facts if f["kind"] != "excluded"], "I6", "different keys")

    def test_members_with_different_keys_in_the_end_are_seen(self):
        self.broken(takeover() + [member(9000, "gm2", "c", draining="ab")], "I6", "2 different keys among members")

    def test_a_set_without_a_primary_in_the_end_is_seen(self):
        self.broken(takeover() + [role(9000, "ks2", "secondary", 18)], "I6", "0 key servers lead")

    def test_a_member_that_is_not_registered_in_the_end_is_seen(self):
        self.broken(takeover() + [member(9000, "gm2", "b", state="registering")], "I6", "gm2 is registering")

    def test_members_with_a_kek_of_nobody_are_seen(self):
        self.broken(takeover() + [member(9000, n, "b", kek="BB") for n in ("gm1", "gm2")], "I6", "another KEK")

    def test_a_rekey_number_of_two_senders_is_seen(self):
        self.broken(takeover() + [sent_rekey(2000, "ks1", "aaaa", 2)], "I7", "rk=aaaa/2 was sent by ks1 and by ks2")

    def test_a_rekey_number_that_goes_back_is_seen(self):
        self.broken(takeover() + [sent_rekey(8000, "ks2", "aaaa", 2)], "I7", "after 2")

    def test_a_member_that_goes_back_is_seen(self):
        self.broken(takeover() + [member(9000, "gm1", "b", seq=0)], "I7", "gm1 went back")

    def test_a_new_kek_may_begin_anew(self):
        facts = takeover() + [sent_rekey(8000, "ks2", "bbbb", 1)]
        self.holds(facts + [member(9000, n, "b", seq=0, kek="BB") for n in ("gm1", "gm2")], "I7")

    def test_a_repeated_nonce_is_seen(self):
        self.broken(takeover() + [fact(5000, "nonce_again", "gm2", spi="a", sid=1, first="gm1")], "I9", "gm2 repeats")

    def test_pseudotime_that_goes_back_is_seen(self):
        self.broken(takeover() + [fact(9000, "pseudotime", "gm1", epoch=1, offset_ms=-5000)], "I11", "went back 5009 ms")

    def test_pseudotimes_apart_are_seen(self):
        self.broken(takeover() + [fact(600, "pseudotime", "gm2", epoch=1, offset_ms=3600000)], "I11", "apart")

    def test_a_key_server_that_starts_need_not_know_the_time(self):
        facts = takeover() + [role(8000, "ks1", "starting", 0), fact(8100, "pseudotime", "ks1", epoch=1, offset_ms=-9000)]
        self.holds(facts, "I11")
        facts += [fact(8250, "pseudotime", "gm1", epoch=1, offset_ms=0)]
        self.broken(facts + [role(8200, "ks1", "secondary", 18), fact(8300, "pseudotime", "ks1", epoch=1, offset_ms=-9000)],
                    "I11", "apart")

    def test_a_late_takeover_is_seen(self):
        facts = [f for f in takeover() if f["t"] != 5000]
        self.broken(facts + [role(7500, "ks2", "primary", 18)], "I15", "4500 ms")

    def test_a_takeover_that_never_comes_is_seen(self):
        self.broken([f for f in takeover() if f["t"] != 5000], "I15", "never")

    def test_a_merge_takes_until_members_have_the_same_keys_and_one_leads(self):
        facts = takeover() + [fact(0, "expect", merge_ms=3000), fact(3900, "cut", sides=[]), fact(4500, "heal")]
        self.holds(facts, "merge")
        self.assertIn("2600 ms", verdict(facts, "merge").seen)
        self.broken(facts + [role(8500, "ks2", "secondary", 18), role(8600, "ks2", "primary", 34)], "merge", "4100 ms")

    def test_a_merge_after_which_members_differ_is_seen(self):
        facts = [f for f in takeover() if not (f["kind"] == "member" and f["node"] == "gm2" and f["t"] > 7000)]
        facts += [fact(0, "expect", merge_ms=60000), fact(3900, "cut", sides=[]), fact(4500, "heal")]
        self.broken(facts, "merge", "never")

    def test_fragments_between_key_servers_are_seen(self):
        self.broken(takeover() + [fact(950, "coop_traffic", octets=100, packets=2, fragments=2)], "I16", "2 fragments")

    def test_a_rekey_of_one_that_does_not_lead_is_seen(self):
        self.broken(takeover() + [fact(4000, "push", "ks2", to="gm1")], "I17", "ks2 at 4.0 s")

    def test_roles_that_flap_are_seen(self):
        facts = takeover() + [role(8000, "ks2", "secondary", 18), role(8100, "ks2", "primary", 34)]
        self.broken(facts, "I20", "3 times")

    def test_the_page_tells_verdicts_and_takes_no_markup_from_facts(self):
        facts = takeover() + [fact(8000, "inject", what="<script>alert(1)</script>")]
        text = page.page(facts, judge.judge(facts))
        self.assertIn("<svg", text)
        self.assertIn("primary, term 18", text)
        self.assertNotIn("<script>", text)
        self.assertNotIn("http", text.replace("http-equiv", ""))  # nothing is fetched


if __name__ == "__main__":
    # As cmocka does when asked: one line for each case.
    result = unittest.TextTestRunner(stream=open(os.devnull, "w", encoding="utf-8")).run(
        unittest.defaultTestLoader.loadTestsFromTestCase(JudgeTest))
    bad = {t.id().rsplit(".", 1)[1]: why for t, why in result.failures + result.errors}
    names = unittest.defaultTestLoader.getTestCaseNames(JudgeTest)
    print(f"1..{len(names)}")
    for n, case in enumerate(names, 1):
        print(f"{'not ok' if case in bad else 'ok'} {n} - {case}")
    for why in bad.values():
        print(why, file=sys.stderr)
    sys.exit(1 if bad else 0)
