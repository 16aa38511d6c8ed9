#include "tests/unit/ks/ks_world.h"

static const struct secret *any_psk(void *arg, const struct addr *peer)
{
	(void)peer;
	return arg;
}

// ---- configuration in code ----

static void ports_of(const char *text, struct flow_side *s)
{
	unsigned lo, hi;

	if (strcmp(text, "*") == 0)
		return;
	if (sscanf(text, "%u-%u", &lo, &hi) == 1)
		hi = lo;
	s->port_lo = (uint16_t)lo;
	s->port_hi = (uint16_t)hi;
}

static void side_of(const char *prefix, const char *ports, struct flow_side *s)
{
	struct prefix p;

	assert_int_equal(prefix_parse(prefix, &p), 0);
	flow_side_prefix(s, &p);
	ports_of(ports, s);
}

// "permit SRC DST", "permit PROTO SRC DST", "permit PROTO SRC PORTS DST PORTS"; "*" is any port.
static struct acl_conf_line line_of(const char *text, unsigned number)
{
	struct acl_conf_line l = { .line = number };
	char w[6][32];
	int n = sscanf(text, "%31s %31s %31s %31s %31s %31s", w[0], w[1], w[2], w[3], w[4], w[5]);

	l.acl.permit = strcmp(w[0], "permit") == 0;
	if (n > 3)
		assert_int_equal(ip_proto_parse(w[1], &l.acl.flow.proto), 0);
	if (n == 3) {
		side_of(w[1], "*", &l.acl.flow.src);
		side_of(w[2], "*", &l.acl.flow.dst);
	} else if (n == 4) {
		side_of(w[2], "*", &l.acl.flow.src);
		side_of(w[3], "*", &l.acl.flow.dst);
	} else {
		assert_int_equal(n, 6);
		side_of(w[2], w[3], &l.acl.flow.src);
		side_of(w[4], w[5], &l.acl.flow.dst);
	}
	return l;
}

struct policy *world_policy_or(const char *const *lines, size_t n, const char *transform,
			       uint32_t life_s, struct policy_error *why)
{
	struct acl_conf acl = { .name = "LANS", .n = n };
	struct policy_sa sa = { 10, suite_tek_named(transform), life_s, &acl };
	struct policy *p;

	acl.lines = calloc(n, sizeof(*acl.lines));
	for (size_t i = 0; i < n; i++)
		acl.lines[i] = line_of(lines[i], (unsigned)i + 1);
	p = policy_build(&sa, 1, why);
	free(acl.lines);
	return p;
}

struct policy *world_policy(const char *const *lines, size_t n, const char *transform,
			    uint32_t life_s)
{
	struct policy_error why;
	struct policy *p = world_policy_or(lines, n, transform, life_s, &why);

	if (!p)
		fail_msg("policy refused: line %u: %s", why.conf_line, why.text);
	return p;
}

struct ks_conf *world_conf(void (*change)(struct ks_conf *c))
{
	static const char *const lines[] = { "permit 10.0.0.0/8 10.0.0.0/8" };
	struct ks_conf *c = calloc(1, sizeof(*c));
	struct ks_group_conf *g = calloc(1, sizeof(*g));

	assert_int_equal(addr_parse("10.0.0.1", &c->address), 0);
	c->port = 848;
	c->ike.proposal[0] = (struct ike_proposal){ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 };
	c->ike.n_proposals = 1;
	c->ike.n_psks = 1;
	c->ike.psk = calloc(1, sizeof(*c->ike.psk));
	assert_int_equal(prefix_parse("0.0.0.0/0", &c->ike.psk->peer), 0);
	assert_int_equal(secret_set(&c->ike.psk->key, "of the crowd", 12), 0);
	c->store = keystore_new();
	assert_int_equal(signer_generate(&c->store->signer, "REKEY", SIGN_ECDSA_P256, 0), 0);
	snprintf(g->name, sizeof(g->name), "G1");
	g->identity = 1234;
	g->kek = (struct kek_params){ .suite = suite_kek_named("aes 256"),
				      .cipher = CIPHER_AES256_CBC,
				      .life_s = 86400,
				      .sign_label = "REKEY",
				      .sign_alg = SIGN_ECDSA_P256,
				      .sign_bits = 256,
				      .sign_hash = HASH_ALG_SHA256 };
	g->retransmit_s = 10;
	g->retransmit_number = 2;
	g->kek.ack = KEK_ACK_KEK;
	g->sid_bits = 24;
	g->policy = world_policy(lines, 1, "esp-gcm 128", 3600);
	c->groups = g;
	c->n_groups = 1;
	if (change)
		change(c);
	return c;
}

// ---- the world ----

struct world *world_new(void (*change)(struct ks_conf *c))
{
	struct world *w = calloc(1, sizeof(*w));
	struct ks_options options = { .n_sas = 512, .n_halfopen = 64, .per_source = 16 };

	assert_int_equal(crypto_init(), 0);
	rng_seed(&w->rng, 42);
	w->now = (mono_t){ 1000000 };
	w->proposal = (struct ike_proposal){ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 };
	assert_int_equal(secret_set(&w->psk, "of the crowd", 12), 0);
	w->gm_conf = (struct ike_conf){ .proposals = &w->proposal,
					.n_proposals = 1,
					.wire = gdoi_wire_opts_default(),
					.features = VID_CONCLAVE_PRIVATE,
					.schedule = IKE_SCHEDULE_DEFAULT,
					.psk = any_psk,
					.psk_arg = &w->psk,
					.rng = &w->rng };
	ks_out_init(&w->out);
	assert_int_equal(ks_init(&w->ks, &w->rng, &options, w->now, world_conf(change)), 0);
	w->server = (struct endpoint){ w->ks.conf->address, w->ks.conf->port };
	return w;
}

void world_free(struct world *w)
{
	for (size_t i = 0; i < w->n_members; i++) {
		tm_fini(w->member[i]);
		free(w->member[i]);
	}
	for (; w->head != w->tail; w->head = (w->head + 1) % WORLD_QUEUE)
		free(w->queue[w->head].b);
	ks_fini(&w->ks);
	ks_out_fini(&w->out);
	free(w);
}

static void enqueue(struct world *w, const struct endpoint *from, const struct endpoint *to,
		    struct bytes b)
{
	struct world_dgram d = { *from, *to, malloc(b.len + 1), b.len };

	memcpy(d.b, b.p, b.len);
	if (w->tap && !w->tap(w, &d)) {
		free(d.b);
		return;
	}
	assert_true((w->tail + 1) % WORLD_QUEUE != w->head);
	w->queue[w->tail] = d;
	w->tail = (w->tail + 1) % WORLD_QUEUE;
}

static void from_member(void *arg, struct test_member *m, struct bytes datagram)
{
	enqueue(arg, &m->self, &m->server, datagram);
}

void world_send(struct world *w, const struct ks_send *s)
{
	enqueue(w, &s->from, &s->to, s->datagram);
}

void world_step(struct world *w, const struct ks_event *ev)
{
	struct ks_dh dh[16];
	size_t n_dh;

	ks_step(&w->ks, w->now, ev, &w->out);
	for (size_t i = 0; i < w->out.n_note; i++) {
		const struct ks_note *n = &w->out.note[i];

		if (n->event < 0)
			continue;
		w->events[n->event]++;
		snprintf(w->last_event[n->event], sizeof(w->last_event[0]), "%s", n->text);
	}
	if (w->stepped)
		w->stepped(w);
	for (size_t i = 0; i < w->out.n_send; i++) {
		if (!w->holds || !w->holds(w, &w->out.send[i]))
			world_send(w, &w->out.send[i]);
	}
	n_dh = w->out.n_dh;
	assert_true(n_dh <= N_ELEMS(dh));
	for (size_t i = 0; i < n_dh; i++)
		dh[i] = w->out.dh[i];
	for (size_t i = 0; i < n_dh; i++) {
		struct ks_event done = { .kind = KS_EV_DH_DONE, .dh = dh[i] };

		dh_job_run(dh[i].job);
		world_step(w, &done);
	}
}

static struct test_member *member_at(struct world *w, const struct endpoint *e)
{
	for (size_t i = 0; i < w->n_members; i++) {
		if (endpoint_eq(&w->member[i]->self, e))
			return w->member[i];
	}
	return NULL;
}

void world_inject(struct world *w, const struct endpoint *from, struct bytes datagram)
{
	struct ks_event ev = {
		.kind = KS_EV_DATAGRAM, .datagram = datagram, .from = *from, .to = w->server
	};

	w->n_to_server++;
	world_step(w, &ev);
}

// Whoever was told to listen there hears it.
static void to_group(struct world *w, const struct world_dgram *d)
{
	struct endpoint at;

	w->n_to_group++;
	for (size_t i = 0; i < w->n_members; i++) {
		struct test_member *m = w->member[i];

		if (gdoi_id_to_endpoint(&m->sak.dst, &at) && endpoint_eq(&at, &d->to))
			tm_in(m, w->now, BYTES(d->b, d->len));
	}
}

void world_settle(struct world *w)
{
	while (w->head != w->tail) {
		struct world_dgram d = w->queue[w->head];
		struct test_member *m = member_at(w, &d.to);

		if (addr_is_multicast(&d.to.addr))
			to_group(w, &d);
		w->head = (w->head + 1) % WORLD_QUEUE;
		if (endpoint_eq(&d.to, &w->server)) {
			world_inject(w, &d.from, BYTES(d.b, d.len));
		} else if (m) {
			w->n_to_members++;
			tm_in(m, w->now, BYTES(d.b, d.len));
		}
		free(d.b);
	}
}

static mono_t next_timer(const struct world *w)
{
	mono_t t = w->out.deadline;

	for (size_t i = 0; i < w->n_members; i++)
		t = mono_min(t, tm_deadline(w->member[i]));
	return t;
}

void world_pass(struct world *w, int64_t ms)
{
	mono_t end = mono_add_ms(w->now, ms);
	struct ks_event ev = { .kind = KS_EV_TIMER };

	world_step(w, &ev);
	for (;;) {
		mono_t t = next_timer(w);

		world_settle(w);
		t = next_timer(w);
		if (mono_before(end, t))
			break;
		if (mono_before(w->now, t))
			w->now = t;
		world_step(w, &ev);
		for (size_t i = 0; i < w->n_members; i++) {
			if (mono_due(tm_deadline(w->member[i]), w->now))
				tm_timer(w->member[i], w->now);
		}
	}
	w->now = end;
	world_step(w, &ev);
	world_settle(w);
}

struct ks_group *world_group(struct world *w)
{
	return w->ks.group[0];
}

struct test_member *world_member(struct world *w, const char *address)
{
	struct test_member *m = calloc(1, sizeof(*m));

	m->conf = &w->gm_conf;
	assert_int_equal(addr_parse(address, &m->self.addr), 0);
	m->self.port = 848;
	m->server = w->server;
	m->group = 1234;
	m->ack = true;
	m->send = from_member;
	m->arg = w;
	assert_true(w->n_members < WORLD_MAX_MEMBERS);
	w->member[w->n_members++] = m;
	return m;
}

void world_register(struct world *w, struct test_member *m)
{
	tm_start(m, w->now);
	world_settle(w);
	if (m->state != TM_REGISTERED)
		fail_msg("not registered: state %d, %s", m->state, m->why ? m->why : "");
}

bool world_rekey(struct world *w)
{
	struct ks_event ev = { .kind = KS_EV_REKEY };
	bool refused;

	world_step(w, &ev);
	refused = w->out.refused;
	snprintf(w->answer, sizeof(w->answer), "%s", w->out.answer);
	world_settle(w);
	return !refused;
}

struct member *world_record(struct world *w, const struct test_member *m)
{
	return members_find(&world_group(w)->members, &m->self.addr);
}

struct world *world_crowd(void (*change)(struct ks_conf *c), unsigned n)
{
	struct world *w = world_new(change);
	char text[32];

	for (unsigned i = 1; i <= n; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", i);
		world_register(w, world_member(w, text));
	}
	return w;
}
