#include "tests/unit/coop/set.h"

#include "tests/unit/unit.h"

void set_init(struct set *s, size_t n)
{
	*s = (struct set){ .n = n, .now = { 5000 } };
	for (size_t i = 0; i < n; i++) {
		struct coop_conf *c = &s->ks[i].conf;

		*c = (struct coop_conf){ .group = 7,
					 .id = (uint8_t)i,
					 .priority = 1,
					 .addr = addr_from_v4(0x0a000001 + (uint32_t)i),
					 .hello_ms = 1000,
					 .dead_hellos = 3,
					 .start_ms = 4000,
					 .commit_ms = 1500,
					 .preempt_hold_ms = 8000,
					 .sid_bits = 12 };
		for (size_t j = 0; j < n; j++) {
			if (j != i)
				c->peer[c->n_peers++] = addr_from_v4(0x0a000001 + (uint32_t)j);
		}
	}
}

size_t set_peer(size_t at, size_t about)
{
	return about < at ? about : about - 1;
}

static size_t peer_at(size_t at, size_t index)
{
	return index < at ? index : index + 1;
}

static void send(struct set *s, size_t i, const struct coop_act *a)
{
	struct set_msg *m = &s->msg[s->n_msgs++];

	assert_true(s->n_msgs <= N_ELEMS(s->msg));
	*m = (struct set_msg){ i, peer_at(i, a->peer), a->len, a->no, a->datagram, malloc(a->len) };
	assert_non_null(m->b);
	memcpy(m->b, s->ks[i].out.octets + a->at, a->len);
}

static void one_step(struct set *s, size_t i, const struct coop_event *ev)
{
	struct set_ks *k = &s->ks[i];

	coop_step(&k->c, s->now, ev, &k->out);
	if (ev->kind == COOP_EV_PUT)
		k->put_count = k->out.put_count;
	for (size_t n = 0; n < k->out.n; n++) {
		const struct coop_act *a = &k->out.act[n];

		if (a->kind == COOP_ACT_SEND)
			send(s, i, a);
		if (a->kind == COOP_ACT_COMMITTED)
			k->committed = a->no;
		if (a->kind == COOP_ACT_LOG)
			k->logged[a->event]++;
		if (a->kind == COOP_ACT_ROLE && a->role == COOP_PRIMARY)
			k->led_at = s->now.ms;
		k->reinits += a->kind == COOP_ACT_REINIT;
	}
}

static void step(struct set *s, size_t i, const struct coop_event *ev)
{
	struct set_ks *k = &s->ks[i];

	one_step(s, i, ev);
	while (!k->disk_held && k->c.durable_no < k->c.write_no)
		one_step(s, i,
			 &(struct coop_event){ .kind = COOP_EV_DURABLE, .no = k->c.write_no });
}

static bool lost(const struct set *s, const struct set_msg *m)
{
	return !s->ks[m->from].up || !s->ks[m->to].up || s->cut[m->from][m->to] ||
	       (!m->datagram && s->mute[m->from][m->to]);
}

// False: nothing is to arrive now.
static bool deliver_one(struct set *s)
{
	for (size_t n = 0; n < s->n_msgs; n++) {
		struct set_msg m = s->msg[n];

		if (!m.datagram && m.no > s->ks[m.from].c.durable_no && !lost(s, &m))
			continue;
		memmove(&s->msg[n], &s->msg[n + 1], (--s->n_msgs - n) * sizeof(m));
		if (!lost(s, &m))
			step(s, m.to,
			     &(struct coop_event){ .kind = m.datagram ? COOP_EV_HELLO : COOP_EV_MSG,
						   .peer = set_peer(m.to, m.from),
						   .octets = BYTES(m.b, m.len) });
		free(m.b);
		return true;
	}
	return false;
}

void set_event(struct set *s, size_t i, const struct coop_event *ev)
{
	step(s, i, ev);
	while (deliver_one(s)) {
	}
}

static void links(struct set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		for (size_t j = 0; j < s->n; j++) {
			bool up = s->ks[i].up && s->ks[j].up && !s->cut[i][j] && !s->cut[j][i];
			size_t p = set_peer(i, j);

			if (i != j && s->ks[i].up && s->ks[i].c.peer[p].link != up)
				step(s, i,
				     &(struct coop_event){ .kind = up ? COOP_EV_LINK_UP
								      : COOP_EV_LINK_DOWN,
							   .peer = p });
		}
	}
	while (deliver_one(s)) {
	}
}

void set_start(struct set *s, size_t i, const struct coop_meta *meta,
	       const struct coop_store *store)
{
	struct set_ks *k = &s->ks[i];
	const struct coop_item *item = NULL;

	rng_seed(&k->rng, (uint64_t)s->now.ms * SET_MAX + i);
	coop_out_init(&k->out);
	coop_init(&k->c, &k->conf, &k->rng, s->now, meta, 0);
	while (store && (item = coop_store_next(store, item)) != NULL)
		coop_load(&k->c, item);
	k->up = true;
	links(s);
}

void set_start_all(struct set *s)
{
	for (size_t i = 0; i < s->n; i++)
		set_start(s, i, NULL, NULL);
	set_run(s, 12000);
}

void set_kill(struct set *s, size_t i)
{
	struct set_ks *k = &s->ks[i];

	k->up = false;
	coop_fini(&k->c);
	coop_out_fini(&k->out);
	links(s);
}

void set_fini(struct set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->ks[i].up)
			set_kill(s, i);
	}
	for (size_t n = 0; n < s->n_msgs; n++)
		free(s->msg[n].b);
}

void set_cut(struct set *s, size_t a, size_t b, bool cut)
{
	s->cut[a][b] = s->cut[b][a] = cut;
	links(s);
}

void set_run(struct set *s, int64_t ms)
{
	for (int64_t end = s->now.ms + ms; s->now.ms < end; s->now.ms += 100) {
		for (size_t i = 0; i < s->n; i++) {
			if (s->ks[i].up)
				set_event(s, i, &(struct coop_event){ .kind = COOP_EV_TICK });
		}
	}
}

void set_put(struct set *s, size_t i, const struct coop_put *put)
{
	set_event(s, i, &(struct coop_event){ .kind = COOP_EV_PUT, .put = put });
}

void set_tell(struct set *s, size_t from, size_t to, struct coop_frame *f)
{
	uint8_t b[512];
	struct wr w;

	f->version = COOP_VERSION;
	f->group = 7;
	wr_init(&w, b, sizeof(b));
	coop_encode(&w, f);
	assert_true(wr_ok(&w));
	set_event(s, to,
		  &(struct coop_event){ .kind = f->type == COOP_HELLO ? COOP_EV_HELLO : COOP_EV_MSG,
					.peer = set_peer(to, from),
					.octets = BYTES(b, w.len) });
}

bool set_leads(const struct set *s, size_t i)
{
	return s->ks[i].up && s->ks[i].c.role == COOP_PRIMARY;
}

size_t set_primaries(const struct set *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += set_leads(s, i);
	return n;
}

const struct coop_item *set_item(const struct set *s, size_t i, uint8_t kind, uint8_t key)
{
	return coop_store_find(&s->ks[i].c.store, kind, BYTES_OF(key));
}

// ---- what tests share ----

struct set set_world;

int set_three(void **state)
{
	(void)state;
	set_init(&set_world, 3);
	return 0;
}

int set_end(void **state)
{
	(void)state;
	set_fini(&set_world);
	return 0;
}

void set_only_leads(size_t i)
{
	assert_int_equal(set_primaries(&set_world), 1);
	assert_true(set_leads(&set_world, i));
}
