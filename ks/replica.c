#include "ks/replica.h"

#include "ks/push.h"
#include "ks/replica_int.h"

#define VERSION	   7
#define PACK_FIRST 4096

void ks_blob_fini(struct ks_blob *b)
{
	if (b->p)
		explicit_bzero(b->p, b->len);
	free(b->p);
	*b = (struct ks_blob){ 0 };
}

size_t ks_member_key(const struct member_name *n, uint8_t out[KS_MEMBER_KEY_MAX])
{
	struct wr w;

	wr_init(&w, out, KS_MEMBER_KEY_MAX);
	rep_put_addr(&w, &n->addr);
	if (n->behind)
		rep_put_u64(&w, n->behind);
	return w.len;
}

// ---- sender ids and counters ----

static void put_run(struct wr *w, const struct ks_group *g, int64_t base_ms)
{
	wr_u8(w, g->sids.bits);
	rep_put_u64(w, g->sids.next);
	rep_put_u64(w, g->registrations);
	wr_u32(w, g->rekeys_sent);
	wr_u32(w, g->retransmits);
	wr_u32(w, g->pseudo.epoch);
	rep_put_u64(w, (uint64_t)(g->pseudo.ahead_ms - base_ms));
	rep_put_u64(w, (uint64_t)g->pseudo.told_ms);
}

static void get_run(struct rd *r, struct ks_group *g, int64_t base_ms)
{
	struct sid_pool sids = { .bits = rd_u8(r), .next = rep_get_u64(r) };
	uint64_t registrations = rep_get_u64(r);
	uint32_t sent = rd_u32(r), again = rd_u32(r);
	struct ks_pseudo pseudo = { .epoch = rd_u32(r),
				    .ahead_ms = (int64_t)rep_get_u64(r),
				    .told_ms = (int64_t)rep_get_u64(r) };

	if (sids.bits < 8 || sids.bits > 32 || sids.next > UINT64_C(1) << sids.bits)
		rd_fail(r, "sender ids out of range");
	if (pseudo.epoch == 0 || pseudo.ahead_ms > PSEUDOTIME_MAX_MS ||
	    pseudo.ahead_ms < -PSEUDOTIME_MAX_MS || pseudo.told_ms < 0 ||
	    pseudo.told_ms > PSEUDOTIME_MAX_MS)
		rd_fail(r, "pseudotime out of range");
	if (!rd_end(r, 0))
		return;
	g->sids = sids;
	g->registrations = registrations;
	g->rekeys_sent = sent;
	g->retransmits = again;
	g->pseudo = pseudo;
	g->pseudo.ahead_ms += base_ms;
}

// ---- who is excluded ----

static void put_banned(struct wr *w, const struct removal *m)
{
	wr_count16(w, m->n);
	for (size_t i = 0; i < m->n; i++) {
		rep_put_addr(w, &m->tombstone[i].who);
		rep_put_u64(w, m->tombstone[i].proved);
	}
}

static void get_banned(struct rd *r, struct removal *m)
{
	size_t n = rd_u16(r);

	if (n > TOMBSTONES_MAX || rd_left(r) / 13 < n) {
		rd_fail(r, "too many tombstones");
		return;
	}
	m->tombstone = calloc(n ? n : 1, sizeof(*m->tombstone));
	BUG_ON(!m->tombstone);
	for (; m->n < n && rd_ok(r); m->n++) {
		rep_get_addr(r, &m->tombstone[m->n].who);
		m->tombstone[m->n].proved = rep_get_u64(r);
	}
	if (!rd_end(r, 0))
		removal_fini(m);
}

// ---- members ----

static void put_member(struct wr *w, const struct member *m, int64_t base_ms)
{
	rep_put_str(w, m->identity);
	rep_put_u64(w, m->proved);
	rep_put_endpoint(w, &m->remote);
	rep_put_endpoint(w, &m->local);
	rep_put_u64(w, m->behind);
	rep_put_bool(w, m->inner.family);
	if (m->inner.family)
		rep_put_addr(w, &m->inner);
	rep_put_time(w, m->registered, base_ms);
	rep_put_bool(w, m->conclave);
	wr_u8(w, m->major);
	wr_u8(w, m->minor);
	rep_put_bool(w, m->ordered);
	rep_put_bool(w, m->ack_asked);
	rep_put_bool(w, m->by_group);
	rep_put_bool(w, m->next_ack);
	rep_put_bool(w, m->next_by_group);
	rep_put_bool(w, m->acked_ever);
	wr_u16(w, m->leaf);
	wr_u8(w, (uint8_t)m->push);
	wr_u16(w, m->part);
	wr_u32(w, m->registrations);
	wr_u32(w, m->rekeys_sent);
	wr_u32(w, m->retransmits);
	wr_u32(w, m->acks_received);
	wr_u32(w, m->acks_missed);
	wr_u32(w, m->missed_in_row);
	for (size_t i = 0; i < MEMBER_SEQ_SHOWN; i++) {
		wr_u32(w, m->sent_seq[i]);
		wr_u32(w, m->acked_seq[i]);
	}
}

static void read_member(struct rd *r, struct member *m, int64_t base_ms)
{
	rep_get_str(r, m->identity, sizeof(m->identity));
	m->proved = rep_get_u64(r);
	rep_get_endpoint(r, &m->remote);
	rep_get_endpoint(r, &m->local);
	m->behind = rep_get_u64(r);
	if (rep_get_bool(r))
		rep_get_addr(r, &m->inner);
	m->registered = rep_get_time(r, base_ms);
	m->conclave = rep_get_bool(r);
	m->major = rd_u8(r);
	m->minor = rd_u8(r);
	m->ordered = rep_get_bool(r);
	m->ack_asked = rep_get_bool(r);
	m->by_group = rep_get_bool(r);
	m->next_ack = rep_get_bool(r);
	m->next_by_group = rep_get_bool(r);
	m->acked_ever = rep_get_bool(r);
	m->leaf = rd_u16(r);
	m->push = (enum member_push)rd_u8(r);
	m->part = rd_u16(r);
	if (m->push > MEMBER_PUSH_MISSED)
		rd_fail(r, "member in no state");
	m->registrations = rd_u32(r);
	m->rekeys_sent = rd_u32(r);
	m->retransmits = rd_u32(r);
	m->acks_received = rd_u32(r);
	m->acks_missed = rd_u32(r);
	m->missed_in_row = rd_u32(r);
	for (size_t i = 0; i < MEMBER_SEQ_SHOWN; i++) {
		m->sent_seq[i] = rd_u32(r);
		m->acked_seq[i] = rd_u32(r);
	}
}

static void get_member(struct rd *r, struct ks_group *g, int64_t base_ms)
{
	struct member in = { 0 }, *m;
	struct member_name name;

	read_member(r, &in, base_ms);
	name = member_name(&in);
	if (in.leaf != 0 && (in.leaf >= g->lkh.n || g->lkh.node[in.leaf].n_members != 1 ||
			     g->lkh.node[in.leaf].child != 0))
		rd_fail(r, "member without a leaf in the key tree");
	if (rd_ok(r) && members_named(&g->members, &name))
		rd_fail(r, "two members of one name");
	if (!rd_end(r, 0))
		return;
	m = members_add(&g->members, &in.remote, NULL);
	if (!m) {
		rd_fail(r, "too many members");
		return;
	}
	in.prev = m->prev;
	in.next = m->next;
	in.chain = m->chain;
	*m = in;
}

// ---- parts ----

static void put_part(struct wr *w, const struct ks_group *g, enum ks_part_kind part,
		     const struct member *m, int64_t base_ms)
{
	wr_u8(w, VERSION);
	switch (part) {
	case KS_PART_KEYS:
		rep_put_keys(w, g, base_ms);
		break;
	case KS_PART_RUN:
		put_run(w, g, base_ms);
		break;
	case KS_PART_PUSH:
		rep_put_push(w, g, base_ms);
		break;
	case KS_PART_TREE:
		rep_put_tree(w, &g->lkh);
		break;
	case KS_PART_BANNED:
		put_banned(w, &g->removal);
		break;
	case KS_PART_MEMBER:
		put_member(w, m, base_ms);
		break;
	default:
		BUG("no such part");
	}
}

void ks_replica_pack(const struct ks_group *g, enum ks_part_kind part, const struct member *m,
		     int64_t base_ms, struct ks_blob *out)
{
	for (size_t cap = PACK_FIRST;; cap *= 2) {
		uint8_t *p = malloc(cap);
		struct wr w;

		BUG_ON(!p);
		wr_init(&w, p, cap);
		put_part(&w, g, part, m, base_ms);
		if (wr_ok(&w)) {
			*out = (struct ks_blob){ p, w.len };
			return;
		}
		explicit_bzero(p, cap);
		free(p);
	}
}

bool ks_replica_unpack(struct ks_group *g, enum ks_part_kind part, struct bytes in, int64_t base_ms,
		       struct rd_err *why)
{
	struct rd r = rd_of(in, why);

	if (rd_u8(&r) != VERSION)
		return rd_fail(&r, "written by another version");
	switch (part) {
	case KS_PART_KEYS:
		rep_get_keys(&r, g, base_ms);
		break;
	case KS_PART_RUN:
		get_run(&r, g, base_ms);
		break;
	case KS_PART_PUSH:
		rep_get_push(&r, g, base_ms);
		break;
	case KS_PART_TREE:
		rep_get_tree(&r, g);
		break;
	case KS_PART_BANNED:
		get_banned(&r, &g->removal);
		break;
	case KS_PART_MEMBER:
		get_member(&r, g, base_ms);
		break;
	default:
		rd_fail(&r, "part not known here");
	}
	return rd_ok(&r);
}

static bool has_part(const struct ks_group *g, enum ks_part_kind part)
{
	switch (part) {
	case KS_PART_KEYS:
	case KS_PART_RUN:
		return true;
	case KS_PART_PUSH:
		return g->push.have;
	case KS_PART_TREE:
		return ks_has_tree(g);
	case KS_PART_BANNED:
		return g->removal.n > 0;
	default:
		return false;
	}
}

// FNV-1a: to see a change, not to resist anybody.
static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	return h;
}
#define MIX(h, field) mix(h, &(field), sizeof(field))

uint64_t ks_replica_mark(const struct ks_group *g, enum ks_part_kind part)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	if (!has_part(g, part))
		return 0;
	switch (part) {
	case KS_PART_KEYS:
		h = MIX(h, g->keys.last_serial);
		h = MIX(h, g->keys.kek.spi);
		h = MIX(h, g->keys.kek.seq);
		h = MIX(h, g->removal.pending);
		return MIX(h, g->wanted);
	case KS_PART_RUN:
		h = MIX(h, g->sids.bits);
		h = MIX(h, g->sids.next);
		h = MIX(h, g->pseudo.epoch);
		h = MIX(h, g->pseudo.ahead_ms);
		h = MIX(h, g->pseudo.told_ms);
		return MIX(h, g->registrations);
	case KS_PART_PUSH:
		h = MIX(h, g->push.live);
		h = MIX(h, g->push.have);
		h = MIX(h, g->push.spi);
		return MIX(h, g->push.seq);
	case KS_PART_TREE: // a new tree has a new KEK, joins make handles, leaving changes a count
		h = MIX(h, g->keys.kek.spi);
		h = MIX(h, g->lkh.last_handle);
		h = MIX(h, g->lkh.n_stale);
		h = MIX(h, g->lkh.free);
		return MIX(h, g->lkh.node[LKH_ROOT].n_members);
	case KS_PART_BANNED:
		for (size_t i = 0; i < g->removal.n; i++) {
			h = MIX(h, g->removal.tombstone[i].who);
			h = MIX(h, g->removal.tombstone[i].proved);
		}
		return h;
	default:
		return h;
	}
}
