#include "gm/io_int.h"

typedef void view_text(struct ctl_text *t, const struct gm *gm, mono_t now);
typedef json_t *view_json(const struct gm *gm, mono_t now);

static void reply(struct ctl_req *req, const struct gm_io *io, view_text *text, view_json *json)
{
	struct ctl_text t = { .len = 0 };

	if (ctl_req_json(req)) {
		ctl_reply_json(req, json(io->gm, mono_now()));
		return;
	}
	text(&t, io->gm, mono_now());
	ctl_reply_text_take(req, &t);
}

static void run_gdoi(struct ctl_req *req, void *arg)
{
	reply(req, arg, gm_show_gdoi_text, gm_show_gm_json);
}

static void run_gm(struct ctl_req *req, void *arg)
{
	reply(req, arg, gm_show_gm_text, gm_show_gm_json);
}

static void run_rekey(struct ctl_req *req, void *arg)
{
	reply(req, arg, gm_show_rekey_text, gm_show_rekey_json);
}

static void run_replay(struct ctl_req *req, void *arg)
{
	reply(req, arg, gm_show_replay_text, gm_show_replay_json);
}

static void run_acl(struct ctl_req *req, void *arg)
{
	reply(req, arg, gm_show_acl_text, gm_show_acl_json);
}

static void run_isakmp(struct ctl_req *req, void *arg)
{
	reply(req, arg, gm_show_isakmp_text, gm_show_isakmp_json);
}

static void run_counters(struct ctl_req *req, void *arg)
{
	reply(req, arg, gm_show_counters_text, gm_show_counters_json);
}

static void run_version(struct ctl_req *req, void *arg)
{
	reply(req, arg, gm_show_version_text, gm_show_version_json);
}

// ---- answered after espd was asked ----

struct dataplane_req {
	struct ctl_req *req;
	struct gm_io *io;
};

static void dataplane_done(void *arg, const struct gm_dp_stats *s)
{
	struct dataplane_req *d = arg;
	struct ctl_text t = { .len = 0 };

	if (!s) {
		ctl_reply_error(d->req, "the dataplane does not answer", "is espd running?");
	} else if (ctl_req_json(d->req)) {
		ctl_reply_json(d->req, gm_show_dataplane_json(s));
	} else {
		gm_show_dataplane_text(&t, d->io->gm, s);
		ctl_reply_text_take(d->req, &t);
	}
	free(d);
}

static void run_dataplane(struct ctl_req *req, void *arg)
{
	struct gm_io *io = arg;
	struct dataplane_req *d = calloc(1, sizeof(*d));

	BUG_ON(!d);
	*d = (struct dataplane_req){ req, io };
	espd_link_stats(io->espd, dataplane_done, d);
}

// ---- commands ----

static void reregister(struct ctl_req *req, struct gm_io *io, const char *group)
{
	const struct gm_event ev = { .kind = GM_EV_REREGISTER, .group = group };

	gm_io_event(io, &ev);
	if (ctl_req_json(req))
		ctl_reply_json(req, json_pack("{s:b}", "registering", true));
	else
		ctl_reply_text(req, "");
}

static void run_clear(struct ctl_req *req, void *arg)
{
	reregister(req, arg, NULL);
}

static void run_clear_group(struct ctl_req *req, void *arg)
{
	struct gm_io *io = arg;
	const char *name = ctl_req_word(req, 4);

	if (gm_find_group(io->gm, name))
		reregister(req, io, name);
	else
		ctl_reply_error(req, "no such group", NULL);
}

static void set_direction(struct ctl_req *req, struct gm_io *io, const char *group, bool set,
			  enum gm_direction d)
{
	const struct gm_event ev = {
		.kind = GM_EV_DIRECTION, .group = group, .direction_set = set, .direction = d
	};

	if (group && !gm_find_group(io->gm, group)) {
		ctl_reply_error(req, "no such group", NULL);
		return;
	}
	gm_io_event(io, &ev);
	if (ctl_req_json(req))
		ctl_reply_json(req, json_pack("{s:b}", "changed", true));
	else
		ctl_reply_text(req, "");
}

// crypto gdoi gm [group NAME] ipsec direction …
static const char *direction_group(struct ctl_req *req)
{
	return strcmp(ctl_req_word(req, 3), "group") == 0 ? ctl_req_word(req, 4) : NULL;
}

static void run_both(struct ctl_req *req, void *arg)
{
	set_direction(req, arg, direction_group(req), true, GM_DIR_BOTH);
}

static void run_only(struct ctl_req *req, void *arg)
{
	set_direction(req, arg, direction_group(req), true, GM_DIR_INBOUND_ONLY);
}

static void run_optional(struct ctl_req *req, void *arg)
{
	set_direction(req, arg, direction_group(req), true, GM_DIR_INBOUND_OPTIONAL);
}

static void run_default(struct ctl_req *req, void *arg)
{
	set_direction(req, arg, direction_group(req), false, GM_DIR_BOTH);
}

static void run_pki(struct ctl_req *req, void *arg)
{
	const struct gm_io *io = arg;

	pki_io_command(io->pki, req);
}

const struct ctl_cmd gm_ctl_cmds[] = {
	{ "show crypto gdoi", "groups and membership", run_gdoi },
	{ "show crypto gdoi gm", "membership: keys, policy, rekeys", run_gm },
	{ "show crypto gdoi gm acl", "policy in the order it is searched", run_acl },
	{ "show crypto gdoi gm counters", "why datagrams were dropped", run_counters },
	{ "show crypto gdoi gm dataplane counters", "packets and SAs of espd", run_dataplane },
	{ "show crypto gdoi gm rekey [detail]", "rekeys received, KEKs held", run_rekey },
	{ "show crypto gdoi gm replay", "anti-replay windows and pseudotime", run_replay },
	{ "show crypto isakmp sa", "phase 1 SAs and rekey SAs", run_isakmp },
	PKI_COMMANDS(run_pki),
	{ "show version", "program and version", run_version },
	{ "clear crypto gdoi", "register again in every group", run_clear },
	{ "clear crypto gdoi group NAME", "register again in one group", run_clear_group },
	{ "crypto gdoi gm ipsec direction both", "protected only, whatever is configured",
	  run_both },
	{ "crypto gdoi gm ipsec direction inbound only", "send in clear, accept either", run_only },
	{ "crypto gdoi gm ipsec direction inbound optional", "send protected, accept either",
	  run_optional },
	{ "crypto gdoi gm ipsec direction default", "as configured again", run_default },
	{ "crypto gdoi gm group NAME ipsec direction both", "the same for one group", run_both },
	{ "crypto gdoi gm group NAME ipsec direction inbound only", "the same for one group",
	  run_only },
	{ "crypto gdoi gm group NAME ipsec direction inbound optional", "the same for one group",
	  run_optional },
	{ "crypto gdoi gm group NAME ipsec direction default", "the same for one group",
	  run_default },
	{ NULL, NULL, NULL },
};
