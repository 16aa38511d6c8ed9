#include "tests/unit/ks/ks_set.h"

#include "ks/adopt.h"

static const struct secret *any_psk(void *arg, const struct addr *peer)
{
	(void)peer;
	return arg;
}

// ---- configuration ----

static struct keystore *signing; // one key for all
static struct set *of_conf;
static size_t at_conf;

static struct addr addr_of(size_t i)
{
	const uint8_t b[4] = { 10, 0, 0, (uint8_t)(i + 1) };

	return addr_from_bytes(b, sizeof(b));
}

static void in_set(struct ks_conf *c)
{
	struct ks_group_conf *g = &c->groups[0];
	size_t i = at_conf;

	keystore_put(c->store);
	c->store = keystore_get(signing);
	c->address = addr_of(i);
	g->in_set = true;
	g->set = (struct coop_conf){ .group = g->identity,
				     .id = (uint8_t)i,
				     .priority = (uint8_t)(10 - i),
				     .addr = addr_of(i),
				     .hello_ms = 1000,
				     .dead_hellos = 3,
				     .start_ms = 5000,
				     .commit_ms = 2000,
				     .preempt_hold_ms = 60000,
				     .sid_bits = g->sid_bits };
	for (size_t j = 0; j < of_conf->n; j++) {
		if (j != i)
			g->set.peer[g->set.n_peers++] = addr_of(j);
	}
	if (of_conf->change)
		of_conf->change(c);
}

// Of peer `about` in the configuration of `at`.
static size_t index_of(size_t at, size_t about)
{
	return about < at ? about : about - 1;
}

static size_t peer_of(size_t at, size_t index)
{
	return index < at ? index : index + 1;
}

// ---- the net ----

static struct set_thing *put(struct set *s, struct bytes b)
{
	struct set_thing *t = &s->thing[s->n_things++];

	assert_true(s->n_things < N_ELEMS(s->thing));
	*t = (struct set_thing){ .len = b.len, .b = malloc(b.len) };
	assert_non_null(t->b);
	memcpy(t->b, b.p, b.len);
	return t;
}

static bool is_apart(const struct set *s, size_t member, const struct addr *server)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct addr a = addr_of(i);

		if (addr_eq(&a, server))
			return s->apart[member][i];
	}
	return false;
}

static void from_member(void *arg, struct test_member *m, struct bytes datagram)
{
	struct set *s = arg;
	struct set_thing *t = put(s, datagram);
	bool ack = datagram.p[18] == GDOI_XCH_PUSH_ACK;

	t->src = m->self;
	t->dst = m->server;
	for (size_t i = 0; i < s->n_members; i++) {
		if (s->member[i] != m)
			continue;
		if (ack)
			t->dst = s->heard[i];
		t->lost = is_apart(s, i, &t->dst.addr);
	}
}

static void safe(struct set *s, size_t i)
{
	struct set_ks *k = &s->ks[i];

	set_step(s, i,
		 &(struct ks_event){ .kind = KS_EV_DURABLE,
				     .group_id = set_group(s, i)->identity,
				     .no = k->no });
}

static void take_out(struct set *s, size_t i)
{
	struct set_ks *k = &s->ks[i];
	struct ks_out *out = &k->out;

	for (size_t n = 0; n < out->n_note; n++) {
		if (out->note[n].event < 0)
			continue;
		k->events[out->note[n].event]++;
		snprintf(k->last_event[out->note[n].event], sizeof(k->last_event[0]), "%s",
			 out->note[n].text);
	}
	for (size_t n = 0; n < out->n_tell; n++) {
		struct set_thing *t = put(s, out->tell[n].frame);

		t->frame = true;
		t->hello = out->tell[n].hello;
		t->from = i;
		t->to = peer_of(i, out->tell[n].peer);
		if (k->disk_held && out->tell[n].waits) {
			assert_true(k->n_held < N_ELEMS(k->held));
			k->held[k->n_held++] = s->thing[--s->n_things];
		}
	}
	for (size_t n = 0; n < out->n_send; n++) {
		struct set_thing *t = put(s, out->send[n].datagram);

		t->src = out->send[n].from;
		t->dst = out->send[n].to;
		k->n_pushes += t->b[18] == GDOI_XCH_PUSH;
	}
	if (out->answer[0]) // of the last command
		memcpy(k->answer, out->answer, sizeof(k->answer));
}

void set_step(struct set *s, size_t i, const struct ks_event *ev)
{
	struct set_ks *k = &s->ks[i];
	bool wrote;

	ks_step(&k->ks, s->now, ev, &k->out);
	take_out(s, i);
	wrote = k->out.n_item > 0;
	if (k->out.n_dh > 0) {
		struct ks_event done = { .kind = KS_EV_DH_DONE, .dh = k->out.dh[0] };

		dh_job_run(done.dh.job);
		set_step(s, i, &done);
	}
	if (wrote) {
		k->no = set_group(s, i)->shared->coop.write_no;
		if (!k->disk_held)
			safe(s, i);
	}
}

void set_disk(struct set *s, size_t i, bool held)
{
	struct set_ks *k = &s->ks[i];

	k->disk_held = held;
	if (held)
		return;
	safe(s, i);
	for (size_t n = 0; n < k->n_held; n++)
		s->thing[s->n_things++] = k->held[n];
	k->n_held = 0;
}

static void to_member(struct set *s, const struct set_thing *t)
{
	for (size_t i = 0; i < s->n_members; i++) {
		if (!endpoint_eq(&s->member[i]->self, &t->dst) || s->deaf[i] ||
		    is_apart(s, i, &t->src.addr))
			continue;
		s->heard[i] = t->src;
		tm_in(s->member[i], s->now, BYTES(t->b, t->len));
	}
}

static void deliver(struct set *s, const struct set_thing *t)
{
	if (t->lost)
		return;
	if (t->frame) {
		if (s->ks[t->to].up && s->ks[t->from].up && !s->cut[t->from][t->to])
			set_step(s, t->to,
				 &(struct ks_event){ .kind = KS_EV_FRAME,
						     .peer = index_of(t->to, t->from),
						     .hello = t->hello,
						     .datagram = BYTES(t->b, t->len) });
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		const struct addr a = addr_of(i);

		if (s->ks[i].up && addr_eq(&t->dst.addr, &a)) {
			set_step(s, i,
				 &(struct ks_event){ .kind = KS_EV_DATAGRAM,
						     .datagram = BYTES(t->b, t->len),
						     .from = t->src,
						     .to = t->dst });
			return;
		}
	}
	to_member(s, t);
}

static void settle(struct set *s)
{
	while (s->n_things > 0) {
		struct set_thing t = s->thing[0];

		memmove(s->thing, s->thing + 1, --s->n_things * sizeof(s->thing[0]));
		deliver(s, &t);
		free(t.b);
	}
}

static void link(struct set *s, size_t a, size_t b, bool up)
{
	if (s->ks[a].up)
		set_step(
			s, a,
			&(struct ks_event){ .kind = KS_EV_LINK, .peer = index_of(a, b), .up = up });
	if (s->ks[b].up)
		set_step(
			s, b,
			&(struct ks_event){ .kind = KS_EV_LINK, .peer = index_of(b, a), .up = up });
}

void set_cut(struct set *s, size_t a, size_t b, bool cut)
{
	s->cut[a][b] = s->cut[b][a] = cut;
	if (s->ks[a].up && s->ks[b].up)
		link(s, a, b, !cut);
	settle(s);
}

// ---- time ----

static mono_t next_timer(const struct set *s)
{
	mono_t t = MONO_NEVER;

	for (size_t i = 0; i < s->n; i++) {
		if (s->ks[i].up)
			t = mono_min(t, s->ks[i].out.deadline);
	}
	for (size_t i = 0; i < s->n_members; i++)
		t = mono_min(t, tm_deadline(s->member[i]));
	return t;
}

static void fire(struct set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->ks[i].up && mono_due(s->ks[i].out.deadline, s->now))
			set_step(s, i, &(struct ks_event){ .kind = KS_EV_TIMER });
	}
	for (size_t i = 0; i < s->n_members; i++) {
		if (mono_due(tm_deadline(s->member[i]), s->now))
			tm_timer(s->member[i], s->now);
	}
	settle(s);
}

void set_pass(struct set *s, int64_t ms)
{
	mono_t end = mono_add_ms(s->now, ms);

	settle(s);
	while (!mono_before(end, next_timer(s))) {
		if (mono_before(s->now, next_timer(s)))
			s->now = next_timer(s);
		fire(s);
	}
	s->now = end;
}

// ---- life ----

static void start(struct set *s, size_t i, const struct ks_saved *saved)
{
	struct set_ks *k = &s->ks[i];
	struct ks_options options = { .n_sas = 512, .n_halfopen = 64, .per_source = 16 };

	at_conf = i;
	of_conf = s;
	rng_seed(&k->rng, rng_u64(&s->rng));
	ks_out_init(&k->out);
	assert_int_equal(ks_init(&k->ks, &k->rng, &options, s->now, world_conf(in_set)), 0);
	k->up = true;
	if (saved)
		set_step(s, i, &(struct ks_event){ .kind = KS_EV_ADOPT, .saved = saved });
	for (size_t j = 0; j < s->n; j++) {
		if (j != i && s->ks[j].up && !s->cut[i][j])
			link(s, i, j, true);
	}
	set_step(s, i, &(struct ks_event){ .kind = KS_EV_TIMER });
	settle(s);
}

void set_start(struct set *s, size_t i)
{
	start(s, i, NULL);
}

void set_kill(struct set *s, size_t i)
{
	ks_fini(&s->ks[i].ks);
	ks_out_fini(&s->ks[i].out);
	s->ks[i].up = false;
	for (size_t j = 0; j < s->n; j++) {
		if (s->ks[j].up && !s->cut[i][j])
			link(s, j, i, false);
	}
	settle(s);
}

// Everything it had kept, as the store gives it back.
void set_restart(struct set *s, size_t i)
{
	const struct ks_shared *sh = set_group(s, i)->shared;
	size_t cap = sh->coop.store.n + 2;
	struct ks_blob *blob = calloc(cap, sizeof(*blob));
	struct ks_saved_row *row = calloc(cap, sizeof(*row));
	struct ks_saved saved = { .row = row, .n = 2 };
	const struct coop_item *item = NULL;

	assert_true(blob && row);
	ks_shared_pack_meta(sh, 5000, &blob[0]);
	row[0].part = KS_PART_META;
	ks_sharing_pack(&sh->sharing, &blob[1]);
	row[1].part = KS_PART_WRAP;
	for (; (item = coop_store_next(&sh->coop.store, item)) != NULL; saved.n++) {
		ks_shared_pack_item(item, 5000, &blob[saved.n]);
		row[saved.n].part = KS_PART_ITEM;
	}
	saved.base_ms = 5000;
	for (size_t n = 0; n < saved.n; n++) {
		row[n].group = 1234;
		row[n].data = BYTES(blob[n].p, blob[n].len);
	}
	set_kill(s, i);
	start(s, i, &saved);
	for (size_t n = 0; n < saved.n; n++)
		ks_blob_fini(&blob[n]);
	free(blob);
	free(row);
}

struct set *set_new(size_t n, void (*change)(struct ks_conf *c))
{
	struct set *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	assert_int_equal(crypto_init(), 0);
	rng_seed(&s->rng, 7);
	signing = keystore_new();
	assert_int_equal(signer_generate(&signing->signer, "REKEY", SIGN_ECDSA_P256, 0), 0);
	s->n = n;
	s->change = change;
	s->now = (mono_t){ 1000000 };
	s->proposal = (struct ike_proposal){ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 };
	assert_int_equal(secret_set(&s->psk, "of the crowd", 12), 0);
	s->gm_conf = (struct ike_conf){ .proposals = &s->proposal,
					.n_proposals = 1,
					.wire = gdoi_wire_opts_default(),
					.features = VID_CONCLAVE_PRIVATE,
					.schedule = IKE_SCHEDULE_DEFAULT,
					.psk = any_psk,
					.psk_arg = &s->psk,
					.rng = &s->rng };
	for (size_t i = 0; i < n; i++)
		set_start(s, i);
	return s;
}

void set_free(struct set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->ks[i].up)
			set_kill(s, i);
	}
	for (size_t i = 0; i < s->n_members; i++) {
		tm_fini(s->member[i]);
		free(s->member[i]);
	}
	for (size_t i = 0; i < s->n_things; i++)
		free(s->thing[i].b);
	keystore_put(signing);
	free(s);
}

// ---- members and questions ----

struct test_member *set_member(struct set *s, const char *address, size_t home)
{
	struct test_member *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->conf = &s->gm_conf;
	assert_int_equal(addr_parse(address, &m->self.addr), 0);
	m->self.port = 848;
	m->server = (struct endpoint){ addr_of(home), 848 };
	m->group = 1234;
	m->sid_request = 1;
	m->ack = true;
	m->send = from_member;
	m->arg = s;
	assert_true(s->n_members < SET_MEMBERS);
	s->member[s->n_members++] = m;
	return m;
}

void set_register(struct set *s, struct test_member *m)
{
	tm_start(m, s->now);
	set_pass(s, 100);
	if (m->state != TM_REGISTERED)
		fail_msg("not registered: state %d, %s", m->state, m->why ? m->why : "");
}

struct ks_group *set_group(struct set *s, size_t i)
{
	return s->ks[i].ks.group[0];
}

bool set_leads(struct set *s, size_t i)
{
	return s->ks[i].up && set_group(s, i)->shared->coop.role == COOP_PRIMARY;
}

bool set_same_keys(struct set *s, size_t a, size_t b)
{
	const struct keys *x = &set_group(s, a)->keys, *y = &set_group(s, b)->keys;

	return x->n_gen > 0 && y->n_gen > 0 &&
	       memcmp(x->kek.spi, y->kek.spi, sizeof(x->kek.spi)) == 0 &&
	       secret_eq(&x->kek.key, &y->kek.key) &&
	       x->gen[0].tek[0].spi == y->gen[0].tek[0].spi &&
	       secret_eq(&x->gen[0].tek[0].alg_key, &y->gen[0].tek[0].alg_key);
}

bool set_has_newest(struct set *s, const struct test_member *m, size_t i)
{
	const struct tek *t = &set_group(s, i)->keys.gen[0].tek[0];

	for (size_t n = 0; n < m->n_tek; n++) {
		if (m->tek[n].spi == t->spi)
			return memcmp(m->tek[n].key, t->alg_key.b, t->alg_key.len) == 0;
	}
	return false;
}
