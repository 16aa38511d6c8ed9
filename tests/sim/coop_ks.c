// A key server: the real core between the network, its disk and the rules of ks/.
#include <string.h>

#include "tests/sim/coop_world.h"

#define LEARNT_MAX 64 // items of one message that ks/ looks at

mono_t ks_clock(const struct world *w, const struct sim_ks *k)
{
	return (mono_t){ k->clock_off + w->now + w->now * k->ppm / 1000000 };
}

static void role(struct world *w, size_t i, const struct coop_act *a)
{
	struct sim_ks *k = &w->ks[i];
	bool was = k->primary;

	k->primary = a->role == COOP_PRIMARY;
	k->round.live = false;
	tell(w, "ks%zu %s term %llu%s", i, k->primary ? "leads" : "follows",
	     (unsigned long long)a->no, a->fresh ? " afresh" : "");
	w->trace = mix(w->trace ^ (uint64_t)w->now << 8 ^ i << 1 ^ k->primary);
	if (k->primary) {
		k->keys_changed = true;
		k->next_round = w->now;
		k->want_epoch |= a->fresh;
		if (a->fresh)
			cover(COVER_LED_AFRESH);
	}
	k->elected &= k->primary;
	if (was != k->primary)
		w->role_changed = w->now;
	check_role(w, i, a->no);
}

static void hold(struct sim_ks *k, const struct coop_act *a, size_t to, const uint8_t *b)
{
	struct held *h = &k->held[k->n_held++];

	BUG_ON(k->n_held > N_ELEMS(k->held));
	*h = (struct held){ a->no, (uint8_t)to, a->len, malloc(a->len) };
	BUG_ON(!h->b);
	memcpy(h->b, b, a->len);
}

static void send(struct world *w, size_t i, const struct coop_act *a, const uint8_t *b)
{
	struct sim_ks *k = &w->ks[i];
	size_t to = ks_at(w, &k->conf.peer[a->peer]);

	if (b[3] == COOP_HANDOVER)
		told_handover(w, i, to);
	if (a->datagram || a->no <= k->c.durable_no)
		net_send(w, i, to, a->datagram, b, a->len);
	else
		hold(k, a, to, b);
}

static void heard_of(struct world *w, size_t i, const struct coop_act *a)
{
	covered.event[a->event]++;
	tell(w, "ks%zu %s peer %zu: %s", i, event_mnemonic(a->event), a->peer, a->text);
	if (a->event == EV_COOP_PEER_SLOW)
		told_slow(w, i);
	if (a->event == EV_COOP_KS_ELECTION) {
		cover(COVER_ELECTED);
		w->ks[i].elected = true;
		check_elected(w, i);
	}
	if (a->event == EV_COOP_KS_TRANS_TO_SEC && strcmp(a->text, "handed over") == 0)
		cover(COVER_HANDED_OVER);
	if (a->event == EV_COOP_KS_TRANS_TO_SEC && strcmp(a->text, "a better one leads") == 0)
		cover(COVER_STEPPED_BACK);
	if (a->event == EV_COOP_KS_TRANS_TO_SEC && strcmp(a->text, "started") == 0)
		check_started(w, i);
}

static void perform(struct world *w, size_t i, const struct coop_act *a, const struct coop_out *out)
{
	struct sim_ks *k = &w->ks[i];

	switch (a->kind) {
	case COOP_ACT_SEND:
		send(w, i, a, out->octets + a->at);
		break;
	case COOP_ACT_META:
		disk_write(w, i, out);
		break;
	case COOP_ACT_APPLY:
		tell(w, "ks%zu learns kind %u key %02x ver %llx", i, a->item->kind, a->item->key[0],
		     (unsigned long long)a->item->ver);
		break;
	case COOP_ACT_ROLE:
		role(w, i, a);
		break;
	case COOP_ACT_COMMITTED:
		cover(COVER_COMMITS);
		told_committed(w, i, a->no);
		k->committed = MAX_OF(k->committed, a->no);
		break;
	case COOP_ACT_REINIT:
		k->want_epoch |= w->now - k->epoch_at > 20000;
		break;
	case COOP_ACT_LOG:
		heard_of(w, i, a);
		break;
	case COOP_ACT_CLOSE:
		cover(COVER_REFUSED);
		later(w, (struct thing){ .at = w->now,
					 .kind = T_CLOSE,
					 .from = (uint8_t)i,
					 .to = (uint8_t)ks_at(w, &k->conf.peer[a->peer]) });
		break;
	case COOP_ACT_SAVE:
	case COOP_ACT_ERASE:
		break;
	}
}

static void schedule(struct world *w, size_t i, mono_t wake)
{
	struct sim_ks *k = &w->ks[i];
	int64_t at = w->now + MAX_OF(wake.ms - ks_clock(w, k).ms, 1);

	if (k->round.live && k->round.sent)
		at = MIN_OF(at, MAX_OF(k->round.next, w->now + 1));
	if (k->wake_at > w->now && k->wake_at <= at)
		return;
	k->wake_at = at;
	later(w, (struct thing){ .at = at, .kind = T_WAKE, .to = (uint8_t)i, .life = k->life });
}

struct learnt {
	uint8_t kind, len, key[8];
};

static size_t all_acts(struct world *w, size_t i, const struct coop_out *out, struct learnt *learnt)
{
	size_t n = 0;

	for (size_t a = 0; a < out->n; a++) {
		const struct coop_act *act = &out->act[a];

		perform(w, i, act, out);
		if (act->kind != COOP_ACT_APPLY || n == LEARNT_MAX || act->item->key_len > 8)
			continue;
		learnt[n].kind = act->item->kind;
		learnt[n].len = act->item->key_len;
		memcpy(learnt[n++].key, act->item->key, act->item->key_len);
	}
	return n;
}

// A step may lead to puts, which are steps again: what it said is taken out of its hands first.
void ks_event(struct world *w, size_t i, const struct coop_event *ev)
{
	struct sim_ks *k = &w->ks[i];
	struct learnt learnt[LEARNT_MAX] NO_AUTO_INIT;
	struct coop_out out;
	size_t n;

	w->steps++;
	coop_step(&k->c, ks_clock(w, k), ev, &k->out);
	out = k->out;
	coop_out_init(&k->out);
	n = all_acts(w, i, &out, learnt);
	check_step(w, i);
	for (size_t a = 0; a < n; a++) {
		const struct coop_item *it = coop_store_find(&k->c.store, learnt[a].kind,
							     BYTES(learnt[a].key, learnt[a].len));

		if (it)
			keys_learnt(w, i, it);
	}
	schedule(w, i, out.wake);
	if (!k->out.act)
		k->out = out;
	else
		coop_out_fini(&out);
	k->out.n = 0;
	if (k->n_regs > 0)
		keys_replies(w, i);
	if (k->sniped && k->n_writes > 0) {
		k->sniped = false;
		later(w, (struct thing){ .at = w->now + (int64_t)rng_range(&w->rng, 0, 20),
					 .kind = T_KILL,
					 .to = (uint8_t)i,
					 .life = k->life });
	}
}

void ks_wake(struct world *w, size_t i)
{
	ks_event(w, i, &(struct coop_event){ .kind = COOP_EV_TICK });
	keys_lead(w, i);
}

// What it thinks to have been away rests on a wall clock that people set.
static uint64_t away_ms(const struct world *w, const struct sim_ks *k)
{
	int64_t ms = w->now - k->disk.meta_at + k->stepped;

	return ms > 0 ? (uint64_t)ms : 0;
}

static void fields_reset(struct world *w, struct sim_ks *k)
{
	const struct coop_item *it = NULL;

	k->committed = k->known = 0;
	k->primary = k->keys_changed = k->shut_out = k->want_epoch = k->sniped = false;
	k->round.live = false;
	k->chain_ver = k->pseudo = 0;
	k->wake_at = k->frozen = k->waiting = 0;
	memset(k->not_before, 0, sizeof(k->not_before));
	while ((it = coop_store_next(&k->c.store, it)) != NULL) {
		if (it->kind == COOP_K_GEN)
			k->known |= UINT64_C(1) << slot_in(w, it);
	}
}

void ks_start(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];
	uint64_t seed = rng_u64(&w->rng);

	k->up = true;
	k->life++;
	k->clock_off = (int64_t)rng_range(&w->rng, 1000, 1u << 30) - w->now;
	k->ppm = (int64_t)rng_range(&w->rng, 0, 1000) - 500;
	rng_seed(&k->rng, seed);
	coop_init(&k->c, &k->conf, &k->rng, ks_clock(w, k), k->disk.used ? &k->disk.meta : NULL,
		  k->disk.used ? away_ms(w, k) : 0);
	if (k->disk.used)
		disk_load(w, k);
	if (k->disk.used && k->c.max_term < k->disk.meta.term)
		violated(w, COOP_INV_I8, "ks%zu forgets the term on its disk", i);
	fields_reset(w, k);
	tell(w, "ks%zu starts%s, its clock set by %lld s", i, k->disk.used ? "" : " empty",
	     (long long)k->stepped / 1000);
	k->stepped = 0;
	net_links(w);
	schedule(w, i, ks_clock(w, k));
}

void ks_free(struct sim_ks *k)
{
	disk_drop(k);
	k->n_regs = 0;
	coop_fini(&k->c);
	coop_out_fini(&k->out);
}

// What was not safe yet is lost.
void ks_kill(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];

	tell(w, "ks%zu is killed", i);
	cover(COVER_KILLS);
	if (k->n_writes > 0)
		cover(COVER_KILLS_IN_WRITE);
	if (k->primary)
		w->role_changed = w->now;
	k->up = k->primary = k->elected = false;
	k->life++;
	ks_free(k);
	keys_recount_bans(w);
	net_links(w);
}

void ks_configure(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];

	if (k->up)
		ks_event(w, i, &(struct coop_event){ .kind = COOP_EV_CONF, .conf = &k->conf });
	net_links(w);
}
