#include "tests/unit/unit.h"

#include "tests/unit/gm/world.h"

struct signer world_signer;

int world_signer_make(void **state)
{
	(void)state;
	if (crypto_init() < 0)
		return -1;
	signer_init(&world_signer);
	return signer_generate(&world_signer, "REKEY", SIGN_RSA, 2048);
}

int world_signer_end(void **state)
{
	(void)state;
	signer_fini(&world_signer);
	return 0;
}

struct gm_conf *world_conf(const struct world *w)
{
	struct gm_conf *c = calloc(1, sizeof(*c));
	struct gm_conf_group *g = &c->group[0];

	assert_non_null(c);
	assert_int_equal(addr_parse("192.0.2.1", &c->address), 0);
	c->port = 848;
	c->ike.proposal[0] = (struct ike_proposal){ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 };
	c->ike.n_proposals = 1;
	c->ike.life_s = 86400;
	c->ike.psk = calloc(1, sizeof(*c->ike.psk));
	c->ike.n_psks = 1;
	assert_int_equal(prefix_parse("10.0.0.0/24", &c->ike.psk->peer), 0);
	assert_int_equal(secret_set(&c->ike.psk->key, "secret", 6), 0);
	c->n_groups = 1;
	strcpy(g->name, "G1");
	g->fail_close.activate = true;
	g->identity = 1234;
	g->n_servers = w->n_ks;
	for (size_t i = 0; i < w->n_ks; i++)
		g->server[i] = w->ks[i].at.addr;
	return c;
}

static void act(struct world *w);

static void step(struct world *w, const struct gm_event *ev)
{
	gm_step(w->gm, w->now, ev, &w->out);
}

static void deliver(struct world *w, const struct gm_send *s)
{
	const struct endpoint own = { w->gm->conf->address, 848 };
	static struct test_reply reply;
	struct gm_event ev;

	if (s->len > 18 && s->data[18] == GDOI_XCH_PUSH_ACK) {
		assert_true(s->len <= sizeof(w->ack_buf));
		memcpy(w->ack_buf, s->data, s->len);
		w->ack = BYTES(w->ack_buf, s->len);
		w->ack_to = s->to;
		w->n_acks++;
		return;
	}
	for (size_t i = 0; !w->cut && i < w->n_ks; i++) {
		if (!endpoint_eq(&w->ks[i].at, &s->to))
			continue;
		test_ks_in(&w->ks[i], w->now, &own, BYTES(s->data, s->len), &reply);
		if (reply.len == 0)
			continue;
		ev = (struct gm_event){ .kind = GM_EV_DATAGRAM,
					.from = w->ks[i].at,
					.datagram = BYTES(reply.b, reply.len) };
		step(w, &ev);
	}
}

static void note_logs(struct world *w)
{
	for (size_t i = 0; i < w->out.n_logs; i++) {
		const struct gm_log *l = &w->out.log[i];

		if (l->event == EV_COUNT)
			continue;
		w->n_events[l->event]++;
		strcpy(w->last_text[l->event], l->text);
	}
}

static void answer_program(struct world *w, struct gm_program *p)
{
	const struct dp_result res = { .of = DP_COMMIT, .generation = p->generation };
	const struct gm_event ev = { .kind = GM_EV_DP_RESULT, .result = &res };

	gm_program_free(w->program);
	w->program = p;
	w->n_programs++;
	step(w, &ev);
}

// Carries out what the member asked for, and what follows from that, until it is quiet.
static void act(struct world *w)
{
	while (w->out.n_sends || w->out.n_dh || w->out.n_logs || w->out.program) {
		struct gm_out todo = w->out;

		note_logs(w);
		gm_out_init(&w->out);
		w->out.deadline = todo.deadline;
		for (size_t i = 0; i < todo.n_sends; i++)
			deliver(w, &todo.send[i]);
		for (size_t i = 0; i < todo.n_dh; i++) {
			struct gm_event ev = { .kind = GM_EV_DH_DONE, .dh = todo.dh[i] };

			dh_job_run(todo.dh[i]);
			step(w, &ev);
		}
		todo.n_dh = 0;
		if (todo.program)
			answer_program(w, todo.program);
		todo.program = NULL;
		gm_out_clear(&todo);
	}
}

void world_event(struct world *w, struct gm_event ev)
{
	step(w, &ev);
	act(w);
}

void world_until(struct world *w, int64_t s)
{
	const mono_t end = { s * 1000 };

	while (!mono_is_never(w->out.deadline) && !mono_before(end, w->out.deadline)) {
		if (mono_before(w->now, w->out.deadline))
			w->now = w->out.deadline;
		world_event(w, (struct gm_event){ .kind = GM_EV_TIMER });
	}
	w->now = end;
	world_event(w, (struct gm_event){ .kind = GM_EV_TIMER });
}

void world_datagram(struct world *w, const struct endpoint *from, struct bytes d)
{
	world_event(w, (struct gm_event){ .kind = GM_EV_DATAGRAM, .from = *from, .datagram = d });
}

void world_init(struct world *w, size_t n_ks, struct signer *signer)
{
	static const char *const at[] = { "10.0.0.1", "10.0.0.2" };

	memset(w, 0, sizeof(*w));
	crypto_rng_init(&w->rng);
	w->n_ks = n_ks;
	for (size_t i = 0; i < n_ks; i++)
		test_ks_init(&w->ks[i], signer, at[i], w->now);
	w->gm = gm_new(&w->rng);
	assert_non_null(w->gm);
	gm_out_init(&w->out);
}

void world_register(struct world *w)
{
	world_event(w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = world_conf(w) });
	w->g = w->gm->group[0];
}

void world_dp_up(struct world *w, uint64_t boot, uint64_t generation)
{
	const struct dp_hello_ack h = {
		.version = DP_API_VERSION, .n_workers = 1, .boot_id = boot, .generation = generation
	};

	world_event(w, (struct gm_event){ .kind = GM_EV_DP_UP, .hello = &h });
}

void world_forget(struct world *w)
{
	memset(w->n_events, 0, sizeof(w->n_events));
	w->n_acks = w->n_programs = 0;
}

void world_fini(struct world *w)
{
	gm_program_free(w->program);
	gm_out_clear(&w->out);
	gm_free(w->gm);
	for (size_t i = 0; i < w->n_ks; i++)
		test_ks_fini(&w->ks[i]);
}
