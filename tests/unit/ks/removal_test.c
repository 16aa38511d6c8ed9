// Members are shut out of a group, or told to come back: the real cores of both sides, a network
// that delivers at once, and an eavesdropper who keeps every rekey.
#include "ks/removal.h"

#include "common/crypto/crypto.h"
#include "gm/core.h"
#include "ks/core.h"
#include "ks/fanout.h"
#include "tests/unit/unit.h"

#define MAX_MEMBERS 64
#define MAX_QUEUE   512
#define MAX_HEARD   512

struct box {
	struct addr address;
	struct gm *gm;
	struct gm_out out;
};

struct packet {
	struct endpoint from, to;
	size_t len;
	uint8_t *b;
};

static struct net {
	mono_t now;
	struct rng rng;
	struct ks ks;
	struct ks_out out;
	struct endpoint server;
	size_t n;
	struct box box[MAX_MEMBERS];
	size_t head, tail;
	struct packet queue[MAX_QUEUE];
	size_t n_heard;
	struct packet heard[MAX_HEARD]; // every PUSH
	struct packet *hold;		// not NULL: the next acknowledgement goes here
	bool lose_many;			// rekeys of more than one message reach nobody
	char answer[256];
	bool refused;
	uint32_t tek_s; // 0: an hour, and acknowledgements; else short, slow and without
} * net;

static void post(const struct endpoint *from, const struct endpoint *to, struct bytes d)
{
	struct packet *p = &net->queue[net->tail++ % MAX_QUEUE];

	assert_true(net->tail - net->head < MAX_QUEUE);
	*p = (struct packet){ *from, *to, d.len, malloc(d.len) };
	memcpy(p->b, d.p, d.len);
}

static void server_event(struct ks_event ev)
{
	ks_step(&net->ks, net->now, &ev, &net->out);
	snprintf(net->answer, sizeof(net->answer), "%s", net->out.answer);
	net->refused = net->out.refused;
	for (size_t i = 0; i < net->out.n_send; i++)
		post(&net->server, &net->out.send[i].to, net->out.send[i].datagram);
	while (net->out.n_dh > 0) {
		struct ks_dh dh = net->out.dh[--net->out.n_dh];

		dh_job_run(dh.job);
		server_event((struct ks_event){ .kind = KS_EV_DH_DONE, .dh = dh });
	}
}

static void box_event(struct box *b, struct gm_event ev)
{
	const struct endpoint own = { b->address, 848 };
	struct gm_out todo;

	gm_step(b->gm, net->now, &ev, &b->out);
	todo = b->out;
	gm_out_init(&b->out);
	b->out.deadline = todo.deadline;
	for (size_t i = 0; i < todo.n_sends; i++)
		post(&own, &todo.send[i].to, BYTES(todo.send[i].data, todo.send[i].len));
	for (size_t i = 0; i < todo.n_dh; i++) {
		dh_job_run(todo.dh[i]);
		box_event(b, (struct gm_event){ .kind = GM_EV_DH_DONE, .dh = todo.dh[i] });
	}
	todo.n_dh = 0;
	gm_out_clear(&todo);
}

static void to_box(const struct packet *p)
{
	for (size_t i = 0; i < net->n; i++) {
		if (addr_eq(&net->box[i].address, &p->to.addr))
			box_event(&net->box[i],
				  (struct gm_event){ .kind = GM_EV_DATAGRAM,
						     .from = p->from,
						     .datagram = BYTES(p->b, p->len) });
	}
}

static void deliver(void)
{
	while (net->head < net->tail) {
		struct packet p = net->queue[net->head++ % MAX_QUEUE];

		if (p.b[18] == GDOI_XCH_PUSH && net->n_heard < MAX_HEARD) {
			net->heard[net->n_heard] = p;
			net->heard[net->n_heard].b = malloc(p.len);
			memcpy(net->heard[net->n_heard++].b, p.b, p.len);
		}
		if (p.b[18] == GDOI_XCH_PUSH_ACK && net->hold) {
			*net->hold = p;
			net->hold = NULL;
			continue;
		}
		if (p.b[18] == GDOI_XCH_PUSH && net->lose_many &&
		    net->ks.group[0]->push.n_parts > 1)
			;
		else if (endpoint_eq(&p.to, &net->server))
			server_event((struct ks_event){ .kind = KS_EV_DATAGRAM,
							.from = p.from,
							.to = p.to,
							.datagram = BYTES(p.b, p.len) });
		else
			to_box(&p);
		free(p.b);
	}
}

static void pass(unsigned seconds)
{
	for (unsigned i = 0; i < 10 * seconds; i++) {
		net->now = mono_add_ms(net->now, 100);
		if (mono_due(net->out.deadline, net->now))
			server_event((struct ks_event){ .kind = KS_EV_TIMER });
		for (size_t k = 0; k < net->n; k++) {
			if (mono_due(net->box[k].out.deadline, net->now))
				box_event(&net->box[k], (struct gm_event){ .kind = GM_EV_TIMER });
		}
		deliver();
	}
}

// ---- the group ----

static void psk(struct ike_settings *s)
{
	s->proposal[0] = (struct ike_proposal){ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 };
	s->n_proposals = 1;
	s->psk = calloc(1, sizeof(*s->psk));
	s->n_psks = 1;
	assert_int_equal(prefix_parse("any", &s->psk->peer), 0);
	assert_int_equal(secret_set(&s->psk->key, "of the test", 11), 0);
}

static struct policy *policy(void)
{
	struct acl_conf_line line = { .line = 1, .acl.permit = true };
	struct acl_conf acl = { .name = "LANS", .n = 1, .lines = &line };
	struct policy_sa sa = { 10, suite_tek_named("esp-gcm 128"), net->tek_s ? net->tek_s : 3600,
				&acl };
	struct policy_error why;
	struct prefix ten;

	assert_int_equal(prefix_parse("10.0.0.0/8", &ten), 0);
	flow_side_prefix(&line.acl.flow.src, &ten);
	flow_side_prefix(&line.acl.flow.dst, &ten);
	return policy_build(&sa, 1, &why);
}

static struct ks_conf *server_conf(uint16_t degree, bool ack_lkh)
{
	struct ks_conf *c = calloc(1, sizeof(*c));
	struct ks_group_conf *g = calloc(1, sizeof(*g));

	c->address = net->server.addr;
	c->port = 848;
	psk(&c->ike);
	c->store = keystore_new();
	assert_int_equal(signer_generate(&c->store->signer, "REKEY", SIGN_ECDSA_P256, 0), 0);
	*g = (struct ks_group_conf){ .name = "G1",
				     .identity = 1234,
				     .retransmit_s = 2,
				     .retransmit_number = 2,
				     .sid_bits = 24,
				     .policy = policy() };
	g->kek = (struct kek_params){ .suite = suite_kek_named("aes 256"),
				      .cipher = CIPHER_AES256_CBC,
				      .life_s = 86400,
				      .sign_label = "REKEY",
				      .sign_alg = SIGN_ECDSA_P256,
				      .sign_bits = 256,
				      .sign_hash = HASH_ALG_SHA256,
				      .lkh_degree = degree,
				      .ack = ack_lkh ? KEK_ACK_LKH : KEK_ACK_KEK };
	if (net->tek_s) {
		g->kek.ack = KEK_ACK_NONE;
		g->retransmit_s = 5;
		g->retransmit_number = 4;
	}
	c->groups = g;
	c->n_groups = 1;
	return c;
}

static void add_box(size_t i)
{
	struct gm_conf *c = calloc(1, sizeof(*c));
	struct box *b = &net->box[i];

	b->address = addr_from_v4(0xc0000201u + (uint32_t)i);
	c->address = b->address;
	c->port = 848;
	psk(&c->ike);
	c->n_groups = 1;
	c->group[0] = (struct gm_conf_group){ .name = "G1", .identity = 1234, .n_servers = 1 };
	c->group[0].server[0] = net->server.addr;
	b->gm = gm_new(&net->rng);
	gm_out_init(&b->out);
	box_event(b, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
}

static struct ks_group *group(void)
{
	return net->ks.group[0];
}

static struct gm_group *of(size_t i)
{
	return net->box[i].gm->group[0];
}

static void begin_with(size_t n, uint16_t degree, bool ack_lkh, uint32_t tek_s)
{
	const struct ks_options options = { .n_sas = 256, .n_halfopen = 256, .per_source = 16 };

	net = calloc(1, sizeof(*net));
	net->tek_s = tek_s;
	rng_seed(&net->rng, 7);
	net->now = (mono_t){ 1000 };
	net->server = (struct endpoint){ addr_from_v4(0x0a000001), 848 };
	ks_out_init(&net->out);
	assert_int_equal(
		ks_init(&net->ks, &net->rng, &options, net->now, server_conf(degree, ack_lkh)), 0);
	server_event((struct ks_event){ .kind = KS_EV_TIMER });
	net->n = n;
	for (size_t i = 0; i < n; i++)
		add_box(i);
	deliver();
	pass(2);
	assert_int_equal(group()->members.n, n);
}

static void begin(size_t n, uint16_t degree, bool ack_lkh)
{
	begin_with(n, degree, ack_lkh, 0);
}

static void end(void)
{
	for (size_t i = 0; i < net->n; i++) {
		gm_free(net->box[i].gm);
		gm_out_clear(&net->box[i].out);
	}
	for (size_t i = 0; i < net->n_heard; i++)
		free(net->heard[i].b);
	ks_fini(&net->ks);
	ks_out_fini(&net->out);
	free(net);
}

static void exclude(size_t i)
{
	server_event((struct ks_event){
		.kind = KS_EV_EXCLUDE, .group = "G1", .member = net->box[i].address });
	deliver();
}

static bool has_kek(size_t i)
{
	const struct gm_kek *k = gm_keks_current(&of(i)->keks);

	return k && secret_eq(&k->key, &group()->keys.kek.key);
}

static bool has_tek(size_t i)
{
	return gm_teks_find(&of(i)->teks, group()->keys.gen[0].tek[0].spi) != NULL;
}

// ---- what the excluded member can do ----

static bool opens(const struct packet *p, enum cipher_alg alg, const struct secret *key,
		  const uint8_t *iv, struct bytes *payloads)
{
	static uint8_t plain[65536];
	struct rd_err err = { NULL };
	struct rd r = rd_of(BYTES(p->b, p->len), &err);
	struct gdoi_push_form f;
	struct isakmp_hdr hdr;

	if (!isakmp_hdr_decode(&r, &hdr) ||
	    cipher_decrypt(alg, key, iv, p->b + ISAKMP_HDR_LEN, p->len - ISAKMP_HDR_LEN, plain))
		return false;
	*payloads = BYTES(plain, p->len - ISAKMP_HDR_LEN);
	return gdoi_push_open(&hdr, *payloads, 16, &f, &err);
}

// With every key it has as the key of the message: how many of the rekeys heard from `first` on?
static size_t openable(const struct gm_group *g, size_t first)
{
	size_t n = 0;

	for (size_t i = first; i < net->n_heard; i++) {
		struct bytes payloads;
		bool open = false;

		for (size_t k = 0; k < g->keks.n && !open; k++)
			open = opens(&net->heard[i], g->keks.kek[k].cipher, &g->keks.kek[k].key,
				     g->keks.kek[k].iv, &payloads);
		for (size_t k = 0; k < g->lkh.n && !open; k++) {
			const struct secret *s = &g->lkh.path[k].data;
			struct secret key;

			assert_int_equal(secret_set(&key, s->b + 16, s->len - 16u), 0);
			open = opens(&net->heard[i], g->lkh.alg, &key, s->b, &payloads);
		}
		n += open;
	}
	return n;
}

// ---- tests ----

static void a_tree_group_registers_with_a_branch_and_follows_rekeys(void **state)
{
	(void)state;
	begin(5, 2, false);
	for (size_t i = 0; i < net->n; i++) {
		assert_true(has_kek(i));
		assert_true(of(i)->lkh.n >= 2);
		assert_int_equal(gm_keks_current(&of(i)->keks)->ack, GDOI_ACK_KEK_SHA256);
	}
	server_event((struct ks_event){ .kind = KS_EV_REKEY });
	deliver();
	pass(1);
	for (size_t i = 0; i < net->n; i++)
		assert_true(has_tek(i));
	assert_int_equal(group()->push.n_acks, 5);
	end();
}

static void an_excluded_member_gets_neither_kek_nor_teks(void **state)
{
	size_t before;

	(void)state;
	begin(6, 2, false);
	before = net->n_heard;
	exclude(2);
	assert_false(net->refused);
	pass(8);
	assert_int_equal(group()->members.n, 5);
	for (size_t i = 0; i < net->n; i++) {
		assert_int_equal(has_kek(i), i != 2);
		assert_int_equal(has_tek(i), i != 2);
		assert_int_equal(of(i)->n.registrations, 1); // nobody had to come back
	}
	assert_int_equal(net->n_heard - before, 10); // two rekeys to five members
	end();
}

static void the_new_keys_come_second_and_only_under_the_new_kek(void **state)
{
	uint8_t old_spi[GDOI_KEK_SPI_LEN];
	const struct gm_group *thief;
	size_t before;

	(void)state;
	begin(6, 3, false);
	memcpy(old_spi, group()->keys.kek.spi, sizeof(old_spi));
	before = net->n_heard;
	exclude(4);
	pass(8);
	thief = of(4);
	for (size_t i = before; i < net->n_heard; i++)
		assert_int_equal(memcmp(net->heard[i].b, old_spi, 16) == 0, i < before + 5);
	assert_int_equal(openable(thief, before), 5); // it reads that the KEK changes
	assert_int_equal(openable(thief, before + 5), 0);
	end();
}

static void what_it_reads_of_the_first_rekey_gives_it_no_kek(void **state)
{
	static struct gdoi_push m;
	const struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct rd_err err = { NULL };
	struct gdoi_push_form f;
	struct isakmp_hdr hdr;
	struct bytes payloads;
	struct gm_lkh out = { 0 };
	const char *why = NULL;
	const struct gm_group *thief;
	const struct packet *p;
	size_t before;
	struct rd r;

	(void)state;
	begin(6, 2, false);
	before = net->n_heard;
	exclude(1);
	thief = of(1);
	p = &net->heard[before];
	r = rd_of(BYTES(p->b, p->len), &err);
	assert_true(isakmp_hdr_decode(&r, &hdr));
	assert_true(opens(p, thief->keks.kek[0].cipher, &thief->keks.kek[0].key,
			  thief->keks.kek[0].iv, &payloads));
	assert_true(gdoi_push_open(&hdr, payloads, 16, &f, &err));
	assert_true(gdoi_push_decode(&o, &f, &m, &err));
	assert_int_equal(m.kd.n_tek, 0); // RFC 6407 7.4.1
	assert_int_equal(m.sa.sak.management, GDOI_KEK_MANAGEMENT_LKH);
	assert_int_equal(gm_lkh_apply(&thief->lkh, &m.kd.lkh, &out, &why), GM_LKH_NOT_OURS);
	for (size_t k = 0; k < m.kd.lkh.n_keys; k++) {
		for (size_t own = 0; own < thief->lkh.n; own++) {
			const struct secret *s = &thief->lkh.path[own].data;
			struct secret key, plain;

			assert_int_equal(secret_set(&key, s->b + 16, s->len - 16u), 0);
			assert_int_equal(cipher_decrypt(CIPHER_AES256_CBC, &key, s->b,
							m.kd.lkh.key[k].data.p, 48, plain.b),
					 0);
			assert_memory_not_equal(plain.b, lkh_kek(&group()->lkh)->b, 48);
		}
	}
	end();
}

static void an_excluded_member_may_not_register_until_readmitted(void **state)
{
	(void)state;
	begin(4, 2, false);
	exclude(0);
	pass(5);
	box_event(&net->box[0], (struct gm_event){ .kind = GM_EV_REREGISTER });
	deliver();
	pass(3);
	assert_true(net->ks.drop[KS_DROP_PULL_EXCLUDED] >= 1);
	assert_int_equal(group()->members.n, 3);
	assert_false(has_kek(0));
	exclude(0);
	assert_true(net->refused);
	assert_non_null(strstr(net->answer, "excluded already"));

	server_event((struct ks_event){
		.kind = KS_EV_READMIT, .group = "G1", .member = net->box[0].address });
	assert_false(net->refused);
	pass(100); // its next attempt
	assert_int_equal(group()->members.n, 4);
	assert_true(has_kek(0));
	assert_true(has_tek(0));
	end();
}

static void exclusion_waits_for_the_rekey_that_is_being_sent(void **state)
{
	struct packet late = { 0 };

	(void)state;
	begin(4, 2, false);
	net->hold = &late;
	server_event((struct ks_event){ .kind = KS_EV_REKEY });
	deliver();
	assert_true(group()->push.live);
	exclude(3);
	assert_true(group()->removal.pending);
	assert_int_equal(group()->members.n, 3);
	pass(15);
	assert_false(group()->removal.pending);
	for (size_t i = 0; i < net->n; i++)
		assert_int_equal(has_tek(i), i != 3);
	free(late.b);
	end();
}

// Each new KEK takes 25 s to be everywhere; there was a time when the next exclusion always came
// before the TEKs that were to follow the last.
static void exclusions_in_a_row_do_not_let_the_keys_end(void **state)
{
	uint32_t made_before = 0;

	(void)state;
	begin_with(12, 2, false, 130);
	for (size_t second = 0; second < 400; second++) {
		const struct tek_gen *gen = &group()->keys.gen[0];

		if (second >= 60 && second % 16 == 0 && second / 16 < 12) {
			made_before = group()->keys.last_serial;
			exclude(second / 16 - 4);
		}
		pass(1);
		assert_false(mono_due(tek_gen_dies(gen), net->now));
		for (size_t i = 8; i < net->n; i++) {
			assert_true(of(i)->teks.n > 0);
			assert_int_equal(of(i)->n.registrations, 1);
		}
	}
	assert_true(group()->keys.last_serial > made_before);
	assert_int_equal(group()->members.n, 4);
	for (size_t i = 0; i < 8; i++)
		assert_false(has_tek(i));
	end();
}

static void leaf_keyed_acknowledgements_cannot_be_made_by_another(void **state)
{
	struct packet ack = { 0 };
	size_t n = 0;

	(void)state;
	begin(3, 2, true);
	assert_int_equal(gm_keks_current(&of(0)->keks)->ack, GDOI_ACK_LKH_SHA256);
	net->hold = &ack;
	server_event((struct ks_event){ .kind = KS_EV_REKEY });
	deliver();
	assert_int_equal(group()->push.n_acks, 2);
	for (size_t i = 0; i < net->n; i++) { // whose was held back?
		struct gm_kek forged = *gm_keks_current(&of((i + 1) % net->n)->keks);
		struct endpoint from = { net->box[i].address, 848 };
		uint8_t b[GM_ACK_MAX];
		size_t len;

		if (!endpoint_eq(&from, &ack.from))
			continue;
		n++;
		assert_true(gm_ack_build(&forged, &of(i)->ike.wire, group()->push.seq,
					 &net->box[i].address, b, sizeof(b), &len));
		post(&from, &net->server, BYTES(b, len));
	}
	assert_int_equal(n, 1);
	deliver();
	assert_int_equal(net->ks.drop[KS_DROP_ACK_BAD_HASH], 1);
	assert_int_equal(group()->push.n_acks, 2);
	post(&ack.from, &net->server, BYTES(ack.b, ack.len));
	deliver();
	assert_int_equal(group()->push.n_acks, 3);
	free(ack.b);
	end();
}

// Different messages under the KEK of that message.
static size_t messages_beside(const struct packet *p)
{
	size_t n = 0;

	for (size_t i = 0; i < net->n_heard; i++) {
		const struct packet *a = &net->heard[i];
		bool again = memcmp(a->b, p->b, 2 * ISAKMP_COOKIE_LEN) != 0;

		for (size_t k = 0; k < i && !again; k++)
			again = memcmp(net->heard[k].b, a->b, 64) == 0;
		n += !again;
	}
	return n;
}

static void many_exclusions_take_several_messages_of_one_rekey(void **state)
{
	size_t most = 0;

	(void)state;
	begin(64, 2, false);
	for (size_t i = 0; i < 64; i += 2) // all but the first wait
		server_event((struct ks_event){
			.kind = KS_EV_EXCLUDE, .group = "G1", .member = net->box[i].address });
	deliver();
	pass(15);
	assert_int_equal(group()->members.n, 32);
	for (size_t i = 0; i < 64; i++) {
		assert_int_equal(has_kek(i), i % 2);
		assert_int_equal(has_tek(i), i % 2);
		assert_int_equal(of(i)->n.registrations, 1);
	}
	assert_int_equal(lkh_n_members(&group()->lkh), 32);
	for (size_t i = 0; i < net->n_heard; i++)
		most = MAX_OF(most, messages_beside(&net->heard[i]));
	assert_true(most >= 2);
	end();
}

// As from a group address, where everybody hears all of them.
static void messages_of_one_rekey_may_come_in_any_order(void **state)
{
	size_t parts;

	(void)state;
	begin(64, 2, false);
	net->lose_many = true;
	for (size_t i = 0; i < 64; i += 2) // all but the first wait
		server_event((struct ks_event){
			.kind = KS_EV_EXCLUDE, .group = "G1", .member = net->box[i].address });
	deliver();
	pass(1);
	parts = group()->push.n_parts;
	assert_true(parts >= 2);
	for (size_t i = 1; i < 64; i += 2) {
		assert_false(has_kek(i));
		for (size_t k = parts; k-- > 0;) {
			const struct ks_part *part = &group()->push.part[k];
			const struct packet p = { .from = net->server,
						  .to = { net->box[i].address, 848 },
						  .len = part->len[KS_V_ORDERED | KS_V_ACK],
						  .b = part->dgram[KS_V_ORDERED | KS_V_ACK] };

			to_box(&p);
		}
		assert_true(has_kek(i));
	}
	net->lose_many = false;
	pass(20);
	for (size_t i = 1; i < 64; i += 2) {
		assert_true(has_tek(i));
		assert_int_equal(of(i)->n.registrations, 1);
	}
	end();
}

static void without_a_tree_the_others_register_again_and_the_excluded_does_not(void **state)
{
	size_t before;

	(void)state;
	begin(4, 0, false);
	before = net->n_heard;
	exclude(1);
	pass(60);
	assert_int_equal(group()->members.n, 3);
	for (size_t i = 0; i < net->n; i++) {
		assert_int_equal(has_kek(i), i != 1);
		assert_int_equal(has_tek(i), i != 1);
		assert_int_equal(of(i)->n.registrations, i == 1 ? 1 : 2);
	}
	assert_int_equal(openable(of(1), before), 3); // "register again" is all it could read
	end();
}

static void everyone_registers_again_and_keeps_the_former_keys_meanwhile(void **state)
{
	uint32_t old_spi;

	(void)state;
	begin(4, 2, false);
	old_spi = group()->keys.gen[0].tek[0].spi;
	server_event((struct ks_event){ .kind = KS_EV_CLEAR });
	deliver();
	for (unsigned s = 0; s < 7; s++) {
		pass(1);
		for (size_t i = 0; i < net->n; i++)
			assert_non_null(gm_teks_find(&of(i)->teks, old_spi));
	}
	for (size_t i = 0; i < net->n; i++) {
		assert_int_equal(of(i)->n.registrations, 2);
		assert_true(has_kek(i));
		assert_true(has_tek(i));
		assert_int_equal(gm_teks_state(&of(i)->teks, net->now, old_spi), GM_TEK_CURRENT);
	}
	assert_int_equal(group()->removal.n, 0);
	pass(60);
	for (size_t i = 0; i < net->n; i++)
		assert_null(gm_teks_find(&of(i)->teks, old_spi));
	end();
}

static void at_once_every_key_ends_before_members_come_back(void **state)
{
	uint32_t old_spi;

	(void)state;
	begin(4, 2, false);
	old_spi = group()->keys.gen[0].tek[0].spi;
	server_event((struct ks_event){ .kind = KS_EV_CLEAR, .at_once = true, .group = "G1" });
	deliver();
	for (size_t i = 0; i < net->n; i++)
		assert_null(gm_teks_find(&of(i)->teks, old_spi));
	pass(8);
	assert_int_equal(group()->members.n, 4);
	for (size_t i = 0; i < net->n; i++)
		assert_true(has_kek(i) && has_tek(i));
	assert_int_equal(group()->removal.n, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_group_registers_with_a_branch_and_follows_rekeys),
		cmocka_unit_test(an_excluded_member_gets_neither_kek_nor_teks),
		cmocka_unit_test(the_new_keys_come_second_and_only_under_the_new_kek),
		cmocka_unit_test(what_it_reads_of_the_first_rekey_gives_it_no_kek),
		cmocka_unit_test(an_excluded_member_may_not_register_until_readmitted),
		cmocka_unit_test(exclusion_waits_for_the_rekey_that_is_being_sent),
		cmocka_unit_test(leaf_keyed_acknowledgements_cannot_be_made_by_another),
		cmocka_unit_test(exclusions_in_a_row_do_not_let_the_keys_end),
		cmocka_unit_test(many_exclusions_take_several_messages_of_one_rekey),
		cmocka_unit_test(messages_of_one_rekey_may_come_in_any_order),
		cmocka_unit_test(
			without_a_tree_the_others_register_again_and_the_excluded_does_not),
		cmocka_unit_test(everyone_registers_again_and_keeps_the_former_keys_meanwhile),
		cmocka_unit_test(at_once_every_key_ends_before_members_come_back),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
