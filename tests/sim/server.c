// ksd, its disk, and what becomes of both.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ks/adopt.h"
#include "ks/plan.h"
#include "tests/sim/cheap_crypto.h"
#include "tests/sim/world.h"

#define WALL_MS INT64_C(1700000000000)

mono_t server_time(const struct world *w)
{
	return (mono_t){ w->now.ms - w->s.boot_ms };
}

mono_t server_due(const struct world *w)
{
	const struct server *s = &w->s;

	if (!s->up || s->frozen || mono_is_never(s->out.deadline))
		return MONO_NEVER;
	return (mono_t){ s->out.deadline.ms + s->boot_ms };
}

struct ks_group *server_group(const struct world *w)
{
	return w->s.ks.group[0];
}

static struct ks_clocks clocks(const struct world *w)
{
	struct ks_clocks c = { .mono_ms = server_time(w).ms,
			       .wall_ms = WALL_MS + w->now.ms + w->s.wall_step_ms };

	snprintf(c.boot, sizeof(c.boot), "boot-%u", w->s.boot);
	return c;
}

// ---- configuration ----

static void permit(struct acl_conf_line *l, const char *src, const char *dst)
{
	struct prefix a, b;

	if (prefix_parse(src, &a) < 0 || prefix_parse(dst, &b) < 0)
		abort();
	l->acl.permit = true;
	flow_side_prefix(&l->acl.flow.src, &a);
	flow_side_prefix(&l->acl.flow.dst, &b);
}

static struct policy *policy_of(const struct plan *p)
{
	struct acl_conf_line line[3] = { { .line = 1 }, { .line = 2 }, { .line = 3 } };
	struct acl_conf acl = { .name = "LANS", .n = 3, .lines = line };
	struct policy_sa sa = {
		10, suite_tek_named(p->gcm ? "esp-gcm 128" : "esp-256-aes esp-sha256-hmac"),
		p->tek_s, &acl
	};
	struct policy_error why;
	struct policy *policy;

	permit(&line[0], p->deny ? "10.9.0.0/16" : "10.0.0.0/9", "10.0.0.0/8");
	line[0].acl.permit = !p->deny;
	permit(&line[1], "10.0.0.0/9", "10.0.0.0/8");
	permit(&line[2], "10.0.0.0/8", "10.0.0.0/8");
	if (!p->deny) {
		line[0] = line[1];
		line[1] = line[2];
		acl.n = 2;
	}
	policy = policy_build(&sa, 1, &why);
	BUG_ON(!policy);
	return policy;
}

static void by_multicast(const struct world *w, struct ks_group_conf *g)
{
	g->kek.group = (struct endpoint){ addr_from_v4(0xefc00101u), 848 };
	g->kek.ttl = 8;
	g->n_unicast = w->n_members / 5;
	g->unicast = calloc(g->n_unicast + 1, sizeof(*g->unicast));
	BUG_ON(!g->unicast);
	for (size_t i = 0; i < g->n_unicast; i++)
		g->unicast[i] = (struct prefix){ w->m[i].address, 32 };
}

static struct ks_conf *conf_of(const struct world *w, const struct plan *p)
{
	struct ks_conf *c = calloc(1, sizeof(*c));
	struct ks_group_conf *g = calloc(1, sizeof(*g));

	c->address = w->s.self.addr;
	c->port = 848;
	c->ike.proposal[0] = (struct ike_proposal){ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 };
	c->ike.n_proposals = 1;
	c->ike.n_psks = 1;
	c->ike.psk = calloc(1, sizeof(*c->ike.psk));
	if (prefix_parse("any", &c->ike.psk->peer) < 0 ||
	    secret_set(&c->ike.psk->key, "of the world", 12) < 0)
		abort();
	c->store = keystore_get(w->s.signing);
	c->groups = g;
	c->n_groups = 1;
	snprintf(g->name, sizeof(g->name), "G1");
	g->identity = 1234;
	g->kek = (struct kek_params){ .suite = suite_kek_named("aes 256"),
				      .cipher = CIPHER_AES256_CBC,
				      .life_s = p->kek_s,
				      .sign_label = "REKEY",
				      .sign_alg = SIGN_ECDSA_P256,
				      .sign_bits = 256,
				      .sign_hash = HASH_ALG_SHA256,
				      .lkh_degree = p->degree,
				      .ack = p->ack_lkh ? KEK_ACK_LKH
					     : p->ack	? KEK_ACK_KEK
							: KEK_ACK_NONE };
	if (p->multicast)
		by_multicast(w, g);
	g->retransmit_s = p->resend_s;
	g->retransmit_number = p->resend_n;
	g->sid_bits = p->sid_bits;
	g->reg_limit = (struct member_limit){ 10, 30 }; // as by default
	g->policy = policy_of(p);
	return c;
}

void server_config(struct world *w)
{
	server_event(w, (struct ks_event){ .kind = KS_EV_CONFIG, .conf = conf_of(w, &w->s.plan) });
}

// ---- disk ----

static void disk_fini(struct disk *d)
{
	for (size_t i = 0; i < d->n; i++)
		ks_blob_fini(&d->row[i].data);
	free(d->row);
	*d = (struct disk){ 0 };
}

static bool is_row(const struct ks_row *a, const struct ks_row *b)
{
	return a->group == b->group && a->part == b->part && a->key_len == b->key_len &&
	       memcmp(a->key, b->key, a->key_len) == 0;
}

static struct ks_row *disk_row(struct disk *d, const struct ks_row *like)
{
	for (size_t i = 0; i < d->n; i++) {
		if (is_row(&d->row[i], like))
			return &d->row[i];
	}
	if (d->n == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 64;
		d->row = reallocarray(d->row, d->cap, sizeof(*d->row));
		BUG_ON(!d->row);
	}
	d->row[d->n] = *like;
	d->row[d->n].data = (struct ks_blob){ 0 };
	return &d->row[d->n++];
}

static void disk_drop(struct disk *d, struct ks_row *r)
{
	ks_blob_fini(&r->data);
	*r = d->row[--d->n];
}

static void disk_put(struct disk *d, struct ks_row *r)
{
	struct ks_row *to;

	if (r->part == 0) { // the whole group; there is one
		while (d->n > 0)
			disk_drop(d, &d->row[0]);
		return;
	}
	to = disk_row(d, r);
	ks_blob_fini(&to->data);
	to->data = r->data;
	r->data = (struct ks_blob){ 0 };
	if (to->data.len == 0)
		disk_drop(d, to);
}

static void disk_write(struct world *w, struct ks_write *write)
{
	struct disk *d = &w->s.disk;

	for (size_t i = 0; i < write->n; i++)
		disk_put(d, &write->row[i]);
	d->stamp.clocks = clocks(w);
	d->stamp.age_ms = d->stamp.clocks.mono_ms + w->s.base_ms;
	d->ahead_ms = w->s.base_ms - w->s.boot_ms;
	ks_write_fini(write);
}

static void disk_copy(struct disk *to, const struct disk *from)
{
	disk_fini(to);
	*to = *from;
	to->row = calloc(from->cap ? from->cap : 1, sizeof(*to->row));
	BUG_ON(!to->row);
	for (size_t i = 0; i < from->n; i++) {
		to->row[i] = from->row[i];
		to->row[i].data.p = malloc(from->row[i].data.len);
		memcpy(to->row[i].data.p, from->row[i].data.p, from->row[i].data.len);
	}
}

// Members are read after the parts they refer to.
static size_t disk_read(const struct disk *d, struct ks_saved_row *out)
{
	size_t n = 0;

	for (int part = KS_PART_KEYS; part <= KS_PART_MEMBER; part++) {
		for (size_t i = 0; i < d->n; i++) {
			if (d->row[i].part == part)
				out[n++] =
					(struct ks_saved_row){ .group = d->row[i].group,
							       .part = (enum ks_part_kind)part,
							       .data = BYTES(d->row[i].data.p,
									     d->row[i].data.len) };
		}
	}
	return n;
}

// ---- outputs ----

static bool is_push(struct bytes d)
{
	return d.len > ISAKMP_HDR_LEN && d.p[18] == GDOI_XCH_PUSH;
}

// Which message of the rekey in flight is it?
static void note_made(struct world *w, struct bytes d, uint64_t hash)
{
	const struct ks_push *p = &server_group(w)->push;

	for (size_t i = 0; i < p->n_parts; i++) {
		for (size_t v = 0; v < KS_V_COUNT; v++) {
			if (p->part[i].dgram[v] == d.p)
				check_made(w, hash, p->spi, p->part[i].seq, v);
		}
	}
}

static void to_listeners(struct world *w, const struct ks_send *s, uint64_t hash)
{
	struct endpoint at[GM_MAX_LISTENS];

	for (size_t i = 0; i < w->n_members; i++) {
		size_t n = w->m[i].gm ? gm_listens(w->m[i].gm, at) : 0;

		for (size_t k = 0; k < n; k++) {
			if (endpoint_eq(&at[k], &s->to))
				put_on_wire(w, T_TO_GM, i, &w->s.self, &s->to, s->datagram, hash);
		}
	}
}

static void transmit(struct world *w, const struct ks_send *s)
{
	uint64_t hash = is_push(s->datagram) ? cheap_hash(s->datagram.p, s->datagram.len) : 0;
	size_t m;

	if (hash)
		check_sent(w, hash);
	if (addr_is_multicast(&s->to.addr)) {
		to_listeners(w, s, hash);
		return;
	}
	m = member_at(w, &s->to.addr);
	if (m < w->n_members)
		put_on_wire(w, T_TO_GM, m, &w->s.self, &s->to, s->datagram, hash);
}

static void write_on(struct world *w)
{
	struct server *s = &w->s;
	struct ks_write write;

	if (!ks_durable_begin(&s->durable, &s->ks, s->base_ms, &write))
		return;
	s->writing = write;
	later(w, (struct thing){ .kind = T_WRITTEN,
				 .life = s->life,
				 .at = mono_add_ms(w->now, chance(w, 20) ? between_ms(w, 50, 900)
									 : between_ms(w, 1, 20)) });
}

// Three rekeys in a row whose acknowledgements were all lost: the key server takes it for gone.
static void given_up(struct world *w, const char *text)
{
	char who[ADDR_STRLEN] = "";
	struct addr a;
	size_t i;

	if (!strstr(text, "no-acknowledgement") || sscanf(text, "gm=%45s", who) != 1 ||
	    addr_parse(who, &a) < 0 || (i = member_at(w, &a)) == w->n_members)
		return;
	w->m[i].readmitted = true;
}

static void perform(struct world *w)
{
	struct server *s = &w->s;
	struct ks_dh dh[4];
	size_t n_dh = s->out.n_dh;

	BUG_ON(n_dh > N_ELEMS(dh));
	for (size_t i = 0; i < s->out.n_note; i++) {
		if (s->out.note[i].event == EV_KS_SID_EXHAUSTED)
			befall_all(w);
		if (s->out.note[i].event == EV_KS_GM_DELETED)
			given_up(w, s->out.note[i].text);
		tell(w, "ks   %s%s%s %s",
		     s->out.note[i].event >= 0 ? event_mnemonic((enum event_id)s->out.note[i].event)
					       : "",
		     s->out.note[i].event >= 0 ? ": " : "", s->out.note[i].text,
		     s->out.note[i].who.who);
	}
	if (s->out.answer[0])
		tell(w, "ks   %s", s->out.answer);
	ks_durable_note(&s->durable, &s->ks, &s->out);
	write_on(w);
	for (size_t i = 0; i < s->out.n_send; i++) {
		const struct ks_send *d = &s->out.send[i];

		if (is_push(d->datagram) && !d->owned)
			note_made(w, d->datagram, cheap_hash(d->datagram.p, d->datagram.len));
		if (!ks_durable_hold(&s->durable, d))
			transmit(w, d);
	}
	for (size_t i = 0; i < n_dh; i++)
		dh[i] = s->out.dh[i];
	for (size_t i = 0; i < n_dh; i++) {
		dh_job_run(dh[i].job);
		server_event(w, (struct ks_event){ .kind = KS_EV_DH_DONE, .dh = dh[i] });
	}
}

void server_event(struct world *w, struct ks_event ev)
{
	w->n_steps++;
	ks_step(&w->s.ks, server_time(w), &ev, &w->s.out);
	check_server(w);
	perform(w);
}

void server_written(struct world *w, uint64_t life)
{
	struct server *s = &w->s;
	struct ks_send send;

	if (!s->up || life != s->life)
		return;
	disk_write(w, &s->writing);
	ks_durable_end(&s->durable);
	write_on(w);
	while (ks_durable_release(&s->durable, &send)) {
		transmit(w, &send);
		free(send.owned);
	}
}

// ---- life and death ----

static void start(struct world *w)
{
	const struct ks_options options = { .n_sas = 256, .n_halfopen = 64, .per_source = 16 };
	struct server *s = &w->s;

	s->life++;
	ks_out_init(&s->out);
	ks_durable_init(&s->durable);
	if (ks_init(&s->ks, &w->rng, &options, server_time(w), conf_of(w, &s->plan)) < 0)
		abort();
	s->up = true;
	s->last_serial = 0;
	s->kek = 0;
}

// As ksd starts: what it has taken up is on disk again before anything else happens.
static void write_first(struct world *w)
{
	struct server *s = &w->s;

	ks_durable_note_all(&s->durable, &s->ks);
	if (ks_durable_begin(&s->durable, &s->ks, s->base_ms, &s->writing)) {
		disk_write(w, &s->writing);
		ks_durable_end(&s->durable);
	}
}

void server_new(struct world *w)
{
	struct server *s = &w->s;

	s->self = (struct endpoint){ addr_from_v4(0xc6336401), 848 };
	s->signing = keystore_new();
	if (signer_generate(&s->signing->signer, "REKEY", SIGN_ECDSA_P256, 0) < 0)
		abort();
	s->killed = MONO_NEVER;
	start(w);
	write_first(w);
	server_event(w, (struct ks_event){ .kind = KS_EV_TIMER });
}

static void stop(struct world *w)
{
	struct server *s = &w->s;

	if (!s->up)
		return;
	ks_fini(&s->ks);
	ks_out_fini(&s->out);
	ks_durable_fini(&s->durable);
	ks_write_fini(&s->writing);
	s->up = s->frozen = false;
}

void server_free(struct world *w)
{
	stop(w);
	disk_fini(&w->s.disk);
	disk_fini(&w->s.old);
	keystore_put(w->s.signing);
}

#define ABOUT_TO_MS 10000

// Whoever was about to register has to start over, after a pause, and whose keys end before a rekey
// can come from the one that is back renews them; all others are to notice nothing.
static void left_alone(struct world *w, size_t i, int64_t down_ms)
{
	const struct ks_group *g = server_group(w);
	const struct gm_group *m = w->m[i].gm ? w->m[i].gm->group[0] : NULL;

	w->m[i].steady = down_ms < 5000 && !g->push.clears && !g->removal.pending &&
			 !ks_plan_is_staged(&w->s.ks, g) && good_standing(w, i) &&
			 m->reg.state == GM_REG_IDLE &&
			 !mono_before(m->renew_at, mono_add_ms(w->now, down_ms + ABOUT_TO_MS)) &&
			 members_find(&g->members, &w->m[i].address);
	if (m && (m->reg.state != GM_REG_IDLE || !mono_is_never(m->reg.next) ||
		  !gm_keks_current(&m->keks)))
		befall(w, i, mono_add_ms(w->now, down_ms));
}

// What was being written is on disk, or is not.
void server_kill(struct world *w, int64_t down_ms)
{
	struct server *s = &w->s;

	tell(w, "ks   is killed%s", s->durable.busy ? " while it writes" : "");
	s->killed = w->now;
	for (size_t i = 0; i < w->n_members; i++)
		left_alone(w, i, down_ms);
	if (s->durable.busy && chance(w, 500))
		disk_write(w, &s->writing);
	stop(w);
	later(w, (struct thing){ .kind = T_KSD_UP, .at = mono_add_ms(w->now, down_ms) });
}

void server_backup(struct world *w)
{
	tell(w, "ks   its disk is copied");
	disk_copy(&w->s.old, &w->s.disk);
	w->s.old.at = w->now;
}

// An old copy of the disk: started with --mint-new.
void server_restore(struct world *w, int64_t down_ms)
{
	tell(w, "ks   is killed, and given its disk of %.3f s", (double)w->s.old.at.ms / 1000);
	server_kill(w, down_ms);
	disk_copy(&w->s.disk, &w->s.old);
	w->s.disk.at = w->s.old.at;
}

void server_up(struct world *w)
{
	struct server *s = &w->s;
	struct ks_clocks now = clocks(w);
	struct ks_saved_row *row = calloc(s->disk.n + 1, sizeof(*row));
	struct ks_saved saved = { .row = row };
	int64_t off_ms;

	BUG_ON(!row);
	tell(w, "ks   starts");
	start(w);
	saved.time_unknown = !ks_elapsed(&s->disk.stamp, &now, &s->base_ms);
	saved.base_ms = s->base_ms;
	saved.mint = s->disk.at.ms > 0;
	saved.n = disk_read(&s->disk, row);
	s->disk.at = (mono_t){ 0 };
	w->n_steps++;
	ks_step(&s->ks, server_time(w), &(struct ks_event){ .kind = KS_EV_ADOPT, .saved = &saved },
		&s->out);
	if (s->out.refused)
		violated(w, INV_KEPT, "its state is refused: %s", s->out.answer);
	off_ms = s->base_ms - s->boot_ms - s->disk.ahead_ms;
	if (saved.mint || saved.time_unknown || off_ms > 1000 || off_ms < -1000)
		befall_all(w);
	write_first(w);
	check_server_back(w);
	check_server(w);
	perform(w);
	free(row);
	if (!w->broken)
		server_event(w, (struct ks_event){ .kind = KS_EV_TIMER });
}
