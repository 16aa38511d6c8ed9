// Members behind a NAT: the real cores of both sides, and a NAT between them that has one address,
// maps ports as they come and can be told to forget.
#include "ks/nat.h"

#include "common/ike/info.h"
#include "gm/core.h"
#include "ks/replica.h"
#include "tests/unit/ks/ks_world.h"

#define MAX_BOXES    8
#define MAX_QUEUE    256
#define MAX_MAPPINGS 64
#define NAT_PORT     4500

struct box {
	struct addr address;
	bool inside; // behind the NAT
	struct gm *gm;
	struct gm_out out;
	unsigned keepalives; // sent
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
	struct addr server, nat;
	size_t n_boxes;
	struct box box[MAX_BOXES];
	size_t head, tail;
	struct packet queue[MAX_QUEUE];
	size_t n_maps;
	struct endpoint map[MAX_MAPPINGS]; // inner endpoint of outer port first_port + index
	uint16_t first_port;
	unsigned pushes, lost;
	struct packet last_push, last_ack, last_info; // as they left
	unsigned events[EV_COUNT];
} * net;

// ---- the network ----

static void post(const struct endpoint *from, const struct endpoint *to, struct bytes d,
		 bool marked)
{
	struct packet *p = &net->queue[net->tail++ % MAX_QUEUE];
	size_t at = marked ? NATT_MARKER_LEN : 0;

	assert_true(net->tail - net->head < MAX_QUEUE);
	*p = (struct packet){ *from, *to, at + d.len, calloc(1, at + d.len) };
	memcpy(p->b + at, d.p, d.len);
}

static void outward(struct endpoint *from)
{
	size_t i = 0;

	while (i < net->n_maps && !endpoint_eq(&net->map[i], from))
		i++;
	if (i == net->n_maps)
		net->map[net->n_maps++] = *from;
	assert_true(net->n_maps < MAX_MAPPINGS);
	*from = (struct endpoint){ net->nat, (uint16_t)(net->first_port + i) };
}

static bool inward(struct endpoint *to)
{
	size_t i = (size_t)(to->port - net->first_port);

	if (to->port < net->first_port || i >= net->n_maps)
		return false;
	*to = net->map[i];
	return true;
}

static void nat_forget(void)
{
	net->first_port = (uint16_t)(net->first_port + MAX_MAPPINGS);
	net->n_maps = 0;
}

static void server_event(struct ks_event ev)
{
	ks_step(&net->ks, net->now, &ev, &net->out);
	for (size_t i = 0; i < net->out.n_note; i++) {
		if (net->out.note[i].event >= 0)
			net->events[net->out.note[i].event]++;
	}
	for (size_t i = 0; i < net->out.n_send; i++) {
		const struct ks_send *s = &net->out.send[i];

		post(&s->from, &s->to, s->datagram, s->from.port == NAT_PORT);
	}
	while (net->out.n_dh > 0) {
		struct ks_dh dh = net->out.dh[--net->out.n_dh];

		dh_job_run(dh.job);
		server_event((struct ks_event){ .kind = KS_EV_DH_DONE, .dh = dh });
	}
}

static void box_event(struct box *b, struct gm_event ev)
{
	struct gm_out todo;

	gm_step(b->gm, net->now, &ev, &b->out);
	todo = b->out;
	gm_out_init(&b->out);
	b->out.deadline = todo.deadline;
	for (size_t i = 0; i < todo.n_sends; i++) {
		const struct gm_send *s = &todo.send[i];

		b->keepalives += s->keepalive;
		post(&s->from, &s->to, BYTES(s->data, s->len),
		     s->from.port == NAT_PORT && !s->keepalive);
	}
	for (size_t i = 0; i < todo.n_dh; i++) {
		dh_job_run(todo.dh[i]);
		box_event(b, (struct gm_event){ .kind = GM_EV_DH_DONE, .dh = todo.dh[i] });
	}
	todo.n_dh = 0;
	gm_out_clear(&todo);
}

static void to_box(const struct packet *p, const struct endpoint *to)
{
	for (size_t i = 0; i < net->n_boxes; i++) {
		if (addr_eq(&net->box[i].address, &to->addr))
			box_event(&net->box[i],
				  (struct gm_event){ .kind = GM_EV_DATAGRAM,
						     .from = p->from,
						     .to = *to,
						     .datagram = BYTES(p->b, p->len) });
	}
}

static bool is_inside(const struct endpoint *e)
{
	for (size_t i = 0; i < net->n_boxes; i++) {
		if (net->box[i].inside && addr_eq(&net->box[i].address, &e->addr))
			return true;
	}
	return false;
}

static void keep(struct packet *where, const struct packet *p)
{
	free(where->b);
	*where = *p;
	where->b = malloc(p->len);
	memcpy(where->b, p->b, p->len);
}

static void look_at(const struct packet *p)
{
	size_t at = p->from.port == NAT_PORT || p->to.port == NAT_PORT ? NATT_MARKER_LEN : 0;

	if (p->len < at + ISAKMP_HDR_LEN)
		return;
	if (p->b[at + 18] == GDOI_XCH_PUSH) {
		net->pushes++;
		keep(&net->last_push, p);
	} else if (p->b[at + 18] == GDOI_XCH_PUSH_ACK) {
		keep(&net->last_ack, p);
	} else if (p->b[at + 18] == ISAKMP_XCH_INFO && is_inside(&p->from)) {
		keep(&net->last_info, p);
	}
}

static void deliver(void)
{
	while (net->head < net->tail) {
		struct packet p = net->queue[net->head++ % MAX_QUEUE];
		struct endpoint to = p.to;

		look_at(&p);
		if (addr_eq(&to.addr, &net->server)) {
			if (is_inside(&p.from))
				outward(&p.from);
			server_event((struct ks_event){ .kind = KS_EV_DATAGRAM,
							.from = p.from,
							.to = to,
							.datagram = BYTES(p.b, p.len) });
		} else if (!addr_eq(&to.addr, &net->nat) || inward(&to)) {
			to_box(&p, &to);
		} else {
			net->lost++;
		}
		free(p.b);
	}
}

static void pass(unsigned seconds)
{
	for (unsigned i = 0; i < 4 * seconds; i++) {
		net->now = mono_add_ms(net->now, 250);
		if (mono_due(net->out.deadline, net->now))
			server_event((struct ks_event){ .kind = KS_EV_TIMER });
		for (size_t k = 0; k < net->n_boxes; k++) {
			if (mono_due(net->box[k].out.deadline, net->now))
				box_event(&net->box[k], (struct gm_event){ .kind = GM_EV_TIMER });
		}
		deliver();
	}
}

// ---- the group ----

static void speaks_of_nats(struct ks_conf *c)
{
	c->nat_traversal = true;
	c->nat_port = NAT_PORT;
	c->groups[0].retransmit_s = 2;
}

static void has_a_tree(struct ks_conf *c)
{
	speaks_of_nats(c);
	c->groups[0].kek.lkh_degree = 4;
	c->groups[0].kek.ack = KEK_ACK_LKH;
}

static void begin(void (*change)(struct ks_conf *c))
{
	const struct ks_options options = { .n_sas = 256, .n_halfopen = 256, .per_source = 64 };

	assert_int_equal(crypto_init(), 0);
	net = calloc(1, sizeof(*net));
	rng_seed(&net->rng, 7);
	net->now = (mono_t){ 1000 };
	net->first_port = 20000;
	assert_int_equal(addr_parse("10.0.0.1", &net->server), 0);
	assert_int_equal(addr_parse("198.51.100.1", &net->nat), 0);
	ks_out_init(&net->out);
	assert_int_equal(ks_init(&net->ks, &net->rng, &options, net->now, world_conf(change)), 0);
	server_event((struct ks_event){ .kind = KS_EV_TIMER });
}

static void end(void)
{
	for (size_t i = 0; i < net->n_boxes; i++) {
		gm_free(net->box[i].gm);
		gm_out_clear(&net->box[i].out);
	}
	free(net->last_push.b);
	free(net->last_ack.b);
	free(net->last_info.b);
	ks_fini(&net->ks);
	ks_out_fini(&net->out);
	free(net);
}

static struct gm_conf *box_conf(const char *address)
{
	struct gm_conf *c = calloc(1, sizeof(*c));

	assert_int_equal(addr_parse(address, &c->address), 0);
	c->port = 848;
	c->nat_traversal = true;
	c->nat_port = NAT_PORT;
	c->nat_keepalive_s = 20;
	c->ike.proposal[0] = (struct ike_proposal){ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 };
	c->ike.n_proposals = c->ike.n_psks = c->n_groups = 1;
	c->ike.psk = calloc(1, sizeof(*c->ike.psk));
	assert_int_equal(prefix_parse("any", &c->ike.psk->peer), 0);
	assert_int_equal(secret_set(&c->ike.psk->key, "of the crowd", 12), 0);
	c->group[0] = (struct gm_conf_group){ .name = "G1", .identity = 1234, .n_servers = 1 };
	c->group[0].server[0] = net->server;
	return c;
}

static struct gm_group *of(size_t i)
{
	return net->box[i].gm->group[0];
}

static struct ks_group *group(void)
{
	return net->ks.group[0];
}

static size_t add_box(const char *address, bool inside)
{
	struct box *b = &net->box[net->n_boxes++];
	struct gm_conf *c = box_conf(address);

	b->address = c->address;
	b->inside = inside;
	b->gm = gm_new(&net->rng);
	gm_out_init(&b->out);
	box_event(b, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	deliver();
	pass(1);
	return net->n_boxes - 1;
}

static struct member *record_of(const char *inner)
{
	struct addr a;

	assert_int_equal(addr_parse(inner, &a), 0);
	for (struct member *m = group()->members.first; m; m = m->next) {
		if (member_is(m, &a))
			return m;
	}
	fail_msg("no record of %s", inner);
	return NULL;
}

static void rekey(void)
{
	server_event((struct ks_event){ .kind = KS_EV_REKEY });
	deliver();
}

static void say_from(struct endpoint from, struct bytes d)
{
	server_event((struct ks_event){ .kind = KS_EV_DATAGRAM,
					.from = from,
					.to = { net->server, NAT_PORT },
					.datagram = d });
	deliver();
}

// ---- registration and rekey ----

static void two_members_behind_one_address_are_two(void **state)
{
	const struct member *a, *b;

	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	add_box("192.168.1.2", true);
	add_box("192.0.2.7", false);
	assert_int_equal(group()->members.n, 3);
	a = record_of("192.168.1.1");
	b = record_of("192.168.1.2");
	assert_true(addr_eq(&a->remote.addr, &net->nat) && addr_eq(&b->remote.addr, &net->nat));
	assert_true(a->remote.port != b->remote.port && a->behind && b->behind);
	assert_int_equal(a->local.port, NAT_PORT);
	assert_false(record_of("192.0.2.7")->behind);
	assert_int_equal(net->events[EV_NAT_DETECTED], 2);
	assert_string_equal(of(0)->nat.side, "here");
	assert_string_equal(of(2)->nat.side, "no");
	rekey();
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(of(i)->n.rekeys, 1);
	assert_int_equal(group()->push.n_acks, 3);
	assert_int_equal(group()->push.n_retransmits, 0);
	end();
}

static void a_member_that_registers_again_is_the_same_one(void **state)
{
	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	add_box("192.168.1.2", true);
	box_event(&net->box[0], (struct gm_event){ .kind = GM_EV_REREGISTER });
	deliver();
	pass(1);
	assert_int_equal(group()->members.n, 2);
	assert_int_equal(record_of("192.168.1.1")->registrations, 2);
	end();
}

static void with_nat_traversal_off_an_inner_identity_is_refused(void **state)
{
	(void)state;
	begin(NULL);
	add_box("192.168.1.1", true);
	assert_int_equal(group()->members.n, 0);
	assert_true(net->ks.drop[KS_DROP_PULL_IDENTITY] > 0);
	end();
}

static void acknowledgements_come_from_the_nat_port_behind_the_marker(void **state)
{
	static const uint8_t marker[NATT_MARKER_LEN];

	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	rekey();
	assert_int_equal(net->last_push.from.port, NAT_PORT);
	assert_memory_equal(net->last_push.b, marker, sizeof(marker));
	assert_int_equal(net->last_push.b[NATT_MARKER_LEN + 18], GDOI_XCH_PUSH);
	assert_int_equal(net->last_ack.from.port, NAT_PORT);
	assert_memory_equal(net->last_ack.b, marker, sizeof(marker));
	end();
}

static void to_port_848(struct ks_conf *c)
{
	speaks_of_nats(c);
	c->ike.form[0] = gdoi_wire_opts_default();
	c->ike.form[0].push_port = 848;
	c->ike.n_forms = 1;
}

static void the_wire_option_sends_rekeys_to_one_port_without_marker(void **state)
{
	(void)state;
	begin(to_port_848);
	add_box("192.168.1.1", true);
	rekey();
	assert_int_equal(net->last_push.to.port, 848);
	assert_int_equal(net->last_push.from.port, 848);
	assert_int_equal(net->last_push.b[18], GDOI_XCH_PUSH);
	assert_int_equal(net->lost, 1); // this NAT maps no 848
	end();
}

// ---- keepalives, garbage ----

static void keepalives_come_every_20_seconds_and_only_from_behind_the_nat(void **state)
{
	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	add_box("192.0.2.7", false);
	pass(101);
	assert_int_equal(net->box[0].keepalives, 5);
	assert_int_equal(net->box[1].keepalives, 0);
	assert_int_equal(net->ks.n_keepalives, 5);
	end();
}

static void a_reload_sets_other_times(void **state)
{
	struct gm_conf *c;

	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	c = box_conf("192.168.1.1");
	c->nat_keepalive_s = 0;
	box_event(&net->box[0], (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	pass(60);
	assert_int_equal(net->box[0].keepalives, 0);
	c = box_conf("192.168.1.1");
	c->nat_keepalive_s = 5;
	box_event(&net->box[0], (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	pass(26);
	assert_int_equal(net->box[0].keepalives, 5);
	end();
}

static void what_strangers_send_to_the_nat_port_is_counted_and_moves_nothing(void **state)
{
	static const uint8_t keepalive[] = { 0xff }, esp[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	static const uint8_t cut[] = { 0, 0, 0, 0, 1, 2, 3 };
	const struct endpoint stranger = { addr_from_v4(0xc6336401), 6666 };
	uint16_t port;

	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	port = record_of("192.168.1.1")->remote.port;
	say_from(stranger, BYTES_OF(keepalive));
	say_from(stranger, BYTES_OF(esp));
	say_from(stranger, BYTES(esp, 0));
	say_from(stranger, BYTES_OF(cut));
	assert_int_equal(net->ks.n_keepalives, 1);
	assert_int_equal(net->ks.drop[KS_DROP_NAT_PORT], 2);
	assert_int_equal(net->ks.drop[KS_DROP_SHORT], 1);
	assert_int_equal(record_of("192.168.1.1")->remote.port, port);
	box_event(&net->box[0], (struct gm_event){ .kind = GM_EV_DATAGRAM,
						   .from = stranger,
						   .to = { net->box[0].address, NAT_PORT },
						   .datagram = BYTES_OF(esp) });
	assert_int_equal(net->box[0].gm->drops[GM_DROP_NAT_PORT], 1);
	end();
}

// ---- mappings that move ----

static void a_moved_mapping_is_found_when_the_member_asks(void **state)
{
	uint16_t port;

	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	port = record_of("192.168.1.1")->remote.port;
	nat_forget();
	pass(25); // keepalives make a new mapping; nobody may believe them
	assert_int_equal(record_of("192.168.1.1")->remote.port, port);
	rekey();
	assert_int_equal(of(0)->n.rekeys, 0);
	assert_int_equal(net->lost, 1);
	pass(13);
	assert_true(record_of("192.168.1.1")->remote.port != port);
	rekey();
	assert_true(of(0)->n.rekeys > 0);
	assert_int_equal(group()->push.n_acks, 1);
	assert_int_equal(of(0)->n.registrations, 1);
	end();
}

// What the member says besides, until its question has fallen out of what is remembered.
static void small_talk(struct endpoint from)
{
	static const uint8_t nothing[4];
	const struct ike_sa *sa = &of(0)->reg.sa;
	uint8_t buf[NATT_MARKER_LEN + IKE_INFO_BUF] = { 0 };
	struct bytes msg;

	for (unsigned i = 0; i < IKE_INFO_SEEN; i++) {
		assert_int_equal(ike_info_notify(sa, ISAKMP_N_R_U_THERE_ACK, BYTES_OF(nothing),
						 buf + NATT_MARKER_LEN, IKE_INFO_BUF, &msg),
				 0);
		say_from(from, BYTES(buf, NATT_MARKER_LEN + msg.len));
	}
}

static void a_question_sent_again_from_elsewhere_moves_nothing(void **state)
{
	struct endpoint there;
	const struct packet *asked;

	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	pass(40); // it has asked
	asked = &net->last_info;
	assert_non_null(asked->b);
	there = record_of("192.168.1.1")->remote;
	small_talk(there);
	say_from((struct endpoint){ net->nat, 666 }, BYTES(asked->b, asked->len));
	assert_int_equal(record_of("192.168.1.1")->remote.port, there.port);
	rekey();
	assert_int_equal(of(0)->n.rekeys, 1);
	end();
}

static void a_restarted_key_server_finds_it_by_the_members_next_phase_1(void **state)
{
	uint16_t port;
	struct ike_sa *sa;
	size_t at = 0;

	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	port = record_of("192.168.1.1")->remote.port;
	sa = ike_table_next(&net->ks.sas, &at);
	ks_sa_drop(&net->ks, sa); // it keeps no phase 1 over a restart
	nat_forget();
	pass(90);
	assert_true(record_of("192.168.1.1")->remote.port != port);
	assert_int_equal(of(0)->n.registrations, 1);
	rekey();
	assert_int_equal(group()->push.n_acks, 1);
	end();
}

static void a_moved_mapping_is_found_by_a_registration(void **state)
{
	uint16_t port;

	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	port = record_of("192.168.1.1")->remote.port;
	nat_forget();
	box_event(&net->box[0], (struct gm_event){ .kind = GM_EV_REREGISTER });
	deliver();
	pass(1);
	assert_true(record_of("192.168.1.1")->remote.port != port);
	assert_int_equal(group()->members.n, 1);
	end();
}

// An acknowledgement in our hands, from another port of the same address: is it followed?
static bool ack_moves(void)
{
	struct endpoint elsewhere = { net->nat, 4321 };
	struct packet ack;

	rekey();
	ack = net->last_ack;
	record_of("192.168.1.1")->push = MEMBER_PUSH_DUE; // as if it had not come yet
	group()->push.n_acks = 0;
	say_from(elsewhere, BYTES(ack.b, ack.len));
	assert_int_equal(record_of("192.168.1.1")->push, MEMBER_PUSH_ACKED);
	return record_of("192.168.1.1")->remote.port == 4321;
}

static void an_acknowledgement_any_member_could_forge_is_not_followed(void **state)
{
	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	assert_false(ack_moves());
	end();
}

static void an_acknowledgement_by_the_members_own_leaf_is_followed(void **state)
{
	(void)state;
	begin(has_a_tree);
	add_box("192.168.1.1", true);
	assert_true(ack_moves());
	end();
}

// ---- names ----

static void excluding_the_inner_address_shuts_one_out_the_outer_all(void **state)
{
	struct ks_event ev = { .kind = KS_EV_EXCLUDE, .group = "G1" };

	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	add_box("192.168.1.2", true);
	add_box("192.0.2.7", false);
	ev.member = net->box[0].address;
	server_event(ev);
	deliver();
	pass(120); // all others register again
	box_event(&net->box[0], (struct gm_event){ .kind = GM_EV_REREGISTER });
	deliver();
	pass(1);
	assert_int_equal(group()->members.n, 2);
	assert_int_equal(net->ks.drop[KS_DROP_PULL_EXCLUDED], 1);
	ev.member = net->nat;
	server_event(ev);
	deliver();
	pass(120);
	assert_int_equal(group()->members.n, 1);
	assert_false(group()->members.first->behind);
	end();
}

// A group that takes certificates and pre-shared keys: whoever has the key of the NAT's address
// shows the name of a neighbour with a certificate.
static void a_name_that_is_only_shown_is_not_the_one_that_was_proved(void **state)
{
	const struct isakmp_id id = { .type = ISAKMP_ID_FQDN,
				      .data = BYTES_LIT("gm7.example.net") };
	struct ike_sa shown = { .peer_behind_nat = true }, proved;
	struct member_name a, b;

	(void)state;
	assert_int_equal(addr_parse("198.51.100.1", &shown.peer.addr), 0);
	shown.peer_id.type = id.type;
	shown.peer_id.len = (uint16_t)id.data.len;
	memcpy(shown.peer_id.data, id.data.p, id.data.len);
	proved = shown;
	proved.name_proved = true;
	a = ks_nat_name(&shown);
	b = ks_nat_name(&proved);
	assert_true(a.behind && b.behind && a.behind != b.behind);
	shown.peer_behind_nat = proved.peer_behind_nat = false; // the address tells
	a = ks_nat_name(&shown);
	b = ks_nat_name(&proved);
	assert_true(a.behind == 0 && b.behind == 0);
}

static void identities_behind_a_nat_are_bounded(void **state)
{
	struct members m;
	struct endpoint e = { addr_from_v4(0xc6336401), 1 };

	(void)state;
	members_init(&m);
	for (unsigned i = 0; i < 50; i++, e.port++)
		members_add(&m, &e, NULL)->behind = 100 + i;
	assert_int_equal(members_at(&m, &e.addr), 50);
	assert_null(members_find(&m, &e.addr)); // that is who is behind no NAT
	e.port = 7;
	assert_int_equal(members_behind(&m, &e)->behind, 106);
	assert_non_null(members_named(&m, &(struct member_name){ e.addr, 149 }));
	assert_null(members_named(&m, &(struct member_name){ e.addr, 150 }));
	members_named(&m, &(struct member_name){ e.addr, 100 })->ack_asked = true;
	assert_int_equal(members_oldest_silent(&m, &e.addr)->behind, 101);
	e.addr = addr_from_v4(0xc6336402);
	assert_null(members_oldest_silent(&m, &e.addr));
	members_fini(&m);
}

static void a_record_behind_a_nat_survives_on_disk(void **state)
{
	uint8_t key[2][KS_MEMBER_KEY_MAX];
	struct rd_err why = { NULL };
	struct ks_group *g;
	struct member_name n[2];
	struct ks_blob b;

	(void)state;
	begin(speaks_of_nats);
	add_box("192.168.1.1", true);
	add_box("192.168.1.2", true);
	n[0] = member_name(record_of("192.168.1.1"));
	n[1] = member_name(record_of("192.168.1.2"));
	assert_int_equal(ks_member_key(&n[0], key[0]), ks_member_key(&n[1], key[1]));
	assert_memory_not_equal(key[0], key[1], 13);
	g = calloc(1, sizeof(*g));
	members_init(&g->members);
	for (const struct member *m = group()->members.first; m; m = m->next) {
		ks_replica_pack(group(), KS_PART_MEMBER, m, 0, &b);
		assert_true(ks_replica_unpack(g, KS_PART_MEMBER, BYTES(b.p, b.len), 0, &why));
		ks_blob_fini(&b);
	}
	for (size_t i = 0; i < 2; i++) {
		const struct member *was = members_named(&group()->members, &n[i]);
		const struct member *is = members_named(&g->members, &n[i]);

		assert_non_null(is);
		assert_true(endpoint_eq(&was->remote, &is->remote));
		assert_true(endpoint_eq(&was->local, &is->local));
		assert_true(addr_eq(&was->inner, &is->inner));
	}
	members_fini(&g->members);
	free(g);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_members_behind_one_address_are_two),
		cmocka_unit_test(a_member_that_registers_again_is_the_same_one),
		cmocka_unit_test(with_nat_traversal_off_an_inner_identity_is_refused),
		cmocka_unit_test(acknowledgements_come_from_the_nat_port_behind_the_marker),
		cmocka_unit_test(the_wire_option_sends_rekeys_to_one_port_without_marker),
		cmocka_unit_test(keepalives_come_every_20_seconds_and_only_from_behind_the_nat),
		cmocka_unit_test(a_reload_sets_other_times),
		cmocka_unit_test(what_strangers_send_to_the_nat_port_is_counted_and_moves_nothing),
		cmocka_unit_test(a_moved_mapping_is_found_when_the_member_asks),
		cmocka_unit_test(a_question_sent_again_from_elsewhere_moves_nothing),
		cmocka_unit_test(a_restarted_key_server_finds_it_by_the_members_next_phase_1),
		cmocka_unit_test(a_moved_mapping_is_found_by_a_registration),
		cmocka_unit_test(an_acknowledgement_any_member_could_forge_is_not_followed),
		cmocka_unit_test(an_acknowledgement_by_the_members_own_leaf_is_followed),
		cmocka_unit_test(excluding_the_inner_address_shuts_one_out_the_outer_all),
		cmocka_unit_test(a_name_that_is_only_shown_is_not_the_one_that_was_proved),
		cmocka_unit_test(identities_behind_a_nat_are_bounded),
		cmocka_unit_test(a_record_behind_a_nat_survives_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
