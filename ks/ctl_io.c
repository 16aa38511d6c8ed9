#include <stdlib.h>
#include <string.h>

#include "ks/ks_io.h"
#include "ks/set_ctl_io.h"
#include "ks/show.h"

struct show {
	void (*text)(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t);
	json_t *(*json)(const struct ks *ks, mono_t now, const char *word);
};

static void answer(struct ctl_req *req, void *arg, const struct show *s, const char *word)
{
	struct ctl_text t = { 0 };

	if (ctl_req_json(req)) {
		ctl_reply_json(req, s->json(ks_io_core(arg), mono_now(), word));
		return;
	}
	s->text(ks_io_core(arg), mono_now(), word, &t);
	ctl_reply_text_take(req, &t);
}

// All of them have to fit into one frame (CTL_MAX_FRAME), at some 600 octets each.
#define MEMBERS_SHOWN_MAX 25000

static void on_members(struct ctl_req *req, void *arg)
{
	if (!ctl_req_word(req, 5) && ks_show_n_members(ks_io_core(arg)) > MEMBERS_SHOWN_MAX) {
		ctl_reply_error(req, "there are too many members for one answer",
				"add the ADDRESS of one; \"show crypto gdoi ks\" counts them");
		return;
	}
	answer(req, arg, &(struct show){ ks_show_members, ks_show_members_json },
	       ctl_req_word(req, 5));
}

static void on_policy(struct ctl_req *req, void *arg)
{
	answer(req, arg, &(struct show){ ks_show_policy, ks_show_policy_json }, NULL);
}

static void on_staged(struct ctl_req *req, void *arg)
{
	answer(req, arg, &(struct show){ ks_show_staged, ks_show_diff_json }, NULL);
}

static void on_diff(struct ctl_req *req, void *arg)
{
	answer(req, arg, &(struct show){ ks_show_diff, ks_show_diff_json }, NULL);
}

static void on_rekey(struct ctl_req *req, void *arg)
{
	answer(req, arg, &(struct show){ ks_show_rekey, ks_show_rekey_json }, NULL);
}

static void on_replay(struct ctl_req *req, void *arg)
{
	answer(req, arg, &(struct show){ ks_show_replay, ks_show_replay_json }, NULL);
}

static void on_coop(struct ctl_req *req, void *arg)
{
	answer(req, arg, &(struct show){ ks_show_coop, ks_show_coop_json }, NULL);
}

static void on_summary(struct ctl_req *req, void *arg)
{
	answer(req, arg, &(struct show){ ks_show_summary, ks_show_summary_json }, NULL);
}

static void on_counters(struct ctl_req *req, void *arg)
{
	answer(req, arg, &(struct show){ ks_show_counters, ks_show_counters_json }, NULL);
}

static void on_isakmp(struct ctl_req *req, void *arg)
{
	answer(req, arg, &(struct show){ ks_show_isakmp, ks_show_isakmp_json }, NULL);
}

static void on_version(struct ctl_req *req, void *arg)
{
	(void)arg;
	if (ctl_req_json(req))
		ctl_reply_json(req, json_pack("{s:s, s:s, s:b}", "program", "ksd", "version",
					      CONCLAVE_VERSION, "keylog", CONCLAVE_KEYLOG));
	else
		ctl_reply_text(req, "Conclave ksd, GDOI key server, version " CONCLAVE_VERSION
#if CONCLAVE_KEYLOG
				    "\nLAB BUILD: session keys can be written to a file (keylog)"
#endif
				    "\n");
}

static void command(struct ctl_req *req, void *arg, const struct ks_event *ev)
{
	const struct ks_out *out = ks_io_step(arg, ev);
	struct ctl_text t = { 0 };

	if (out->refused) {
		ctl_reply_error(req, out->answer, NULL);
	} else if (ctl_req_json(req)) {
		ctl_reply_json(req, json_pack("{s:s}", "result", out->answer));
	} else {
		ctl_text_add(&t, "%s\n", out->answer);
		ctl_reply_text_take(req, &t);
	}
}

static void on_coop_version(struct ctl_req *req, void *arg)
{
	answer(req, arg, &(struct show){ ks_show_coop_version, ks_show_coop_version_json }, NULL);
}

static void on_coop_counters(struct ctl_req *req, void *arg)
{
	ks_set_ctl_counters(req, ks_io_core(arg), ks_io_link(arg));
}

// clear crypto gdoi ks coop role [group NAME]
static void on_role(struct ctl_req *req, void *arg)
{
	command(req, arg, &(struct ks_event){ .kind = KS_EV_ROLE, .group = ctl_req_word(req, 7) });
}

// crypto gdoi ks coop maintenance [group NAME]
static void on_maintenance(struct ctl_req *req, void *arg)
{
	command(req, arg,
		&(struct ks_event){
			.kind = KS_EV_MAINTENANCE, .group = ctl_req_word(req, 6), .up = true });
}

// The same behind "no".
static void on_no_maintenance(struct ctl_req *req, void *arg)
{
	command(req, arg,
		&(struct ks_event){ .kind = KS_EV_MAINTENANCE, .group = ctl_req_word(req, 7) });
}

static void on_do_rekey(struct ctl_req *req, void *arg)
{
	struct ks_event ev = { .kind = KS_EV_REKEY };
	size_t at = 4;

	if (ctl_req_word(req, at) && strcmp(ctl_req_word(req, at), "group") == 0) {
		ev.group = ctl_req_word(req, at + 1);
		at += 2;
	}
	ev.at_once = ctl_req_word(req, at) != NULL; // replace-now
	command(req, arg, &ev);
}

// crypto gdoi ks reload: what is wrong goes to whoever asked, and to the log.
static void on_reload(struct ctl_req *req, void *arg)
{
	struct ctl_text t = { 0 };

	if (!ks_io_reload(arg, &t)) {
		ctl_reply_error(req, t.b ? t.b : "not loaded", "the former configuration runs on");
		free(t.b);
	} else if (ctl_req_json(req)) {
		ctl_reply_json(req, json_pack("{s:s}", "result", t.b));
		free(t.b);
	} else {
		ctl_reply_text_take(req, &t);
	}
}

// clear crypto gdoi ks members [now] [group NAME]
static void on_clear_members(struct ctl_req *req, void *arg)
{
	struct ks_event ev = { .kind = KS_EV_CLEAR };
	size_t at = 5;

	ev.at_once = ctl_req_word(req, at) && strcmp(ctl_req_word(req, at), "now") == 0;
	if (ev.at_once)
		at++;
	if (ctl_req_word(req, at))
		ev.group = ctl_req_word(req, at + 1);
	command(req, arg, &ev);
}

// crypto gdoi ks group NAME exclude ADDRESS; the same with readmit
static void on_one_member(struct ctl_req *req, void *arg)
{
	struct ks_event ev = { .kind = KS_EV_EXCLUDE, .group = ctl_req_word(req, 4) };

	if (strcmp(ctl_req_word(req, 5), "readmit") == 0)
		ev.kind = KS_EV_READMIT;
	if (addr_parse(ctl_req_word(req, 6), &ev.member))
		ctl_reply_error(req, "not an address", "as in 192.0.2.1");
	else
		command(req, arg, &ev);
}

static void on_pki(struct ctl_req *req, void *arg)
{
	pki_io_command(ks_io_pki(arg), req);
}

const struct ctl_cmd ks_io_commands[] = {
	{ "show crypto gdoi ks", "groups served here", on_summary },
	{ "show crypto gdoi ks members [ADDRESS]", "registered members and their rekeys",
	  on_members },
	{ "show crypto gdoi ks policy", "KEK and TEKs of each group", on_policy },
	{ "show crypto gdoi ks rekey", "rekey timers and the rekey in progress", on_rekey },
	{ "show crypto gdoi ks replay", "anti-replay windows and pseudotime of each group",
	  on_replay },
	{ "show crypto gdoi ks coop", "key servers of each group's set: who leads, who is heard",
	  on_coop },
	{ "show crypto gdoi ks counters", "what was answered and what refused, by reason",
	  on_counters },
	{ "show crypto isakmp sa", "phase 1 SAs, and whether their peers are there", on_isakmp },
	PKI_COMMANDS(on_pki),
	{ "show version", "program and version", on_version },
	{ "show crypto gdoi ks policy staged", "policy that was loaded and is not sent yet",
	  on_staged },
	{ "show crypto gdoi ks policy diff", "what sending the staged policy would change",
	  on_diff },
	{ "show crypto gdoi ks coop version", "protocol versions of the key servers of the set",
	  on_coop_version },
	{ "show crypto gdoi ks coop counters", "streams and datagrams to and from each peer",
	  on_coop_counters },
	{ "clear crypto gdoi ks coop role [group NAME]",
	  "primary: hand the role to the best of the others; another one: lead although it differs",
	  on_role },
	{ "crypto gdoi ks coop maintenance [group NAME]",
	  "do not lead: hand the role over, until a reload or \"no\"", on_maintenance },
	{ "no crypto gdoi ks coop maintenance [group NAME]", "may lead again", on_no_maintenance },
	{ "crypto gdoi ks reload", "read the configuration again; changed policy is staged",
	  on_reload },
	{ "crypto gdoi ks rekey [group NAME] [replace-now]",
	  "send new keys and the staged policy; replace-now: the former keys end with it",
	  on_do_rekey },
	{ "clear crypto gdoi ks members [now] [group NAME]",
	  "members register again under new keys; now: the present keys end at once",
	  on_clear_members },
	{ "crypto gdoi ks group NAME exclude ADDRESS", "shut a member out, for good",
	  on_one_member },
	{ "crypto gdoi ks group NAME readmit ADDRESS", "let an excluded member register again",
	  on_one_member },
	{ NULL, NULL, NULL },
};
