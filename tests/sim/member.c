// gmd and espd of one router.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

static void perform(struct world *w, size_t i)
{
	struct router *m = &w->m[i];
	struct gm_out todo = m->out;
	const struct endpoint own = { m->address, 848 };

	gm_out_init(&m->out);
	m->out.deadline = todo.deadline;
	for (size_t k = 0; k < todo.n_logs; k++)
		tell(w, "gm%zu  %s%s%s", i,
		     todo.log[k].event < EV_COUNT ? event_mnemonic(todo.log[k].event) : "",
		     todo.log[k].event < EV_COUNT ? ": " : "", todo.log[k].text);
	for (size_t k = 0; k < todo.n_sends; k++)
		put_on_wire(w, T_TO_KS, i, &own, &todo.send[k].to,
			    BYTES(todo.send[k].data, todo.send[k].len), 0);
	if (todo.program)
		later(w, (struct thing){ .kind = T_APPLY,
					 .member = i,
					 .life = m->espd.boot,
					 .generation = m->gmd_life,
					 .at = mono_add_ms(w->now, between_ms(w, 1, 20)),
					 .program = todo.program });
	todo.program = NULL;
	for (size_t k = 0; k < todo.n_dh; k++) {
		dh_job_run(todo.dh[k]);
		member_event(w, i, (struct gm_event){ .kind = GM_EV_DH_DONE, .dh = todo.dh[k] });
	}
	todo.n_dh = 0;
	gm_out_clear(&todo);
}

void member_event(struct world *w, size_t i, struct gm_event ev)
{
	w->n_steps++;
	gm_step(w->m[i].gm, w->now, &ev, &w->m[i].out);
	check_member(w, i);
	perform(w, i);
}

bool member_knows_kek(const struct router *m, const uint8_t *datagram)
{
	const struct gm_keks *k = &m->gm->group[0]->keks;

	for (size_t i = 0; i < k->n; i++) {
		if (memcmp(k->kek[i].spi, datagram, GDOI_KEK_SPI_LEN) == 0)
			return true;
	}
	return false;
}

static struct gm_conf *conf_of(const struct world *w, size_t i)
{
	struct gm_conf *c = calloc(1, sizeof(*c));
	struct gm_conf_group *g = &c->group[0];

	c->address = w->m[i].address;
	c->port = 848;
	c->ike.proposal[0] = (struct ike_proposal){ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 };
	c->ike.n_proposals = 1;
	c->ike.psk = calloc(1, sizeof(*c->ike.psk));
	c->ike.n_psks = 1;
	if (prefix_parse("any", &c->ike.psk->peer) < 0 ||
	    secret_set(&c->ike.psk->key, "of the world", 12) < 0)
		abort();
	c->n_groups = 1;
	snprintf(g->name, sizeof(g->name), "G1");
	g->identity = 1234;
	g->n_servers = 1;
	g->server[0] = w->s.self.addr;
	return c;
}

static void hello(struct world *w, size_t i)
{
	const struct espd_model *e = &w->m[i].espd;
	const struct dp_hello_ack h = { .version = DP_API_VERSION,
					.n_workers = 1,
					.boot_id = e->boot,
					.generation = e->generation };

	if (w->m[i].gm && e->up)
		member_event(w, i, (struct gm_event){ .kind = GM_EV_DP_UP, .hello = &h });
}

void gmd_start(struct world *w, size_t i)
{
	struct router *m = &w->m[i];

	tell(w, "gm%zu  gmd starts", i);
	m->gm = gm_new(&w->rng);
	BUG_ON(!m->gm);
	m->gmd_life++;
	m->n_registrations = 0;
	m->kek = 0;
	gm_out_init(&m->out);
	member_event(w, i, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = conf_of(w, i) });
	hello(w, i);
}

void gmd_stop(struct world *w, size_t i)
{
	tell(w, "gm%zu  gmd ends", i);
	gm_free(w->m[i].gm);
	gm_out_clear(&w->m[i].out);
	w->m[i].gm = NULL;
}

void espd_start(struct world *w, size_t i)
{
	tell(w, "gm%zu  espd starts", i);
	model_start(&w->m[i].espd, rng_u64(&w->rng) | 1);
	w->m[i].n_uses = 0;
	hello(w, i);
}

void espd_stop(struct world *w, size_t i)
{
	tell(w, "gm%zu  espd ends", i);
	model_stop(&w->m[i].espd);
	if (w->m[i].gm)
		member_event(w, i, (struct gm_event){ .kind = GM_EV_DP_DOWN });
}

// The program reaches espd, unless that has restarted meanwhile; gmd hears of it a little later.
void member_apply(struct world *w, struct thing *t)
{
	struct router *m = &w->m[t->member];
	const char *why;

	if (!m->espd.up || m->espd.boot != t->life)
		return;
	why = model_apply(&m->espd, w->now, t->program);
	if (why)
		violated(w, INV_SENDS, "gm%zu: espd refuses its program: %s", t->member, why);
	check_espd(w, t->member);
	later(w, (struct thing){ .kind = T_RESULT,
				 .member = t->member,
				 .life = m->espd.boot,
				 .generation = t->generation,
				 .push = t->program->generation,
				 .at = mono_add_ms(w->now, 1) });
}

void member_result(struct world *w, struct thing *t)
{
	struct router *m = &w->m[t->member];
	const struct dp_result r = { .of = DP_COMMIT, .generation = t->push };

	if (m->gm && m->gmd_life == t->generation && m->espd.up && m->espd.boot == t->life)
		member_event(w, t->member,
			     (struct gm_event){ .kind = GM_EV_DP_RESULT, .result = &r });
}
