#include "dataplane/esp_in.h"

static const struct sa *find_sa(const struct worker *w, const struct pkt *p)
{
	const struct sa *sa;

	if (!w->policy || p->ip.len < p->ip.hlen + ESP_HLEN)
		return NULL;
	sa = sadb_find(w->policy->sadb, be32_get(pkt_ip(p) + p->ip.hlen));
	return sa && (sa->dir & DP_DIR_IN) ? sa : NULL;
}

static enum drop_reason prepare(const struct worker *w, struct pkt *p, const struct sa *sa,
				struct crypto_op *op)
{
	uint8_t *esp = pkt_ip(p) + p->ip.hlen;
	size_t text = esp_text_len(sa->suite, (size_t)(p->ip.len - p->ip.hlen));

	if (ip4_is_fragment(&p->ip))
		return DROP_IN_FRAGMENT;
	if (sa->expires_ms <= w->now_ms)
		return DROP_IN_EXPIRED;
	if (text == 0)
		return DROP_IN_LENGTH;
	*op = (struct crypto_op){ .key = sa->key,
				  .esp = esp,
				  .text = esp + ESP_HLEN + sa->suite->iv_len,
				  .text_len = (uint32_t)text };
	return DROP_COUNT;
}

// The inner packet is whole, and its addresses are the ones it travelled under.
static enum drop_reason check_inner(struct pkt *p, const struct crypto_op *op)
{
	struct ip4 outer = p->ip;
	size_t len;

	switch (esp_trailer_check(op->text, op->text_len, &len)) {
	case ESP_GOOD:
		break;
	case ESP_BAD_NEXT:
		return DROP_IN_NEXT;
	default:
		return DROP_IN_PADDING;
	}
	if (ip4_parse(op->text, len, &p->ip) != IP4_GOOD)
		return DROP_IN_INNER;
	if (p->ip.src != outer.src || p->ip.dst != outer.dst)
		return DROP_IN_ADDRESS;
	if (!esp_ecn_merge(op->text, &p->ip, outer.tos))
		return DROP_IN_ECN;
	buf_cut(p->m, (size_t)(op->text - pkt_ip(p)), p->ip.len);
	return DROP_COUNT;
}

// op is authentic, and so is its IV.
static enum drop_reason check_replay(struct worker *w, const struct sa *sa,
				     const struct crypto_op *op)
{
	if (!sa->has_windows)
		return DROP_COUNT;
	switch (windows_check(sa->state->windows[w->id], op->esp + ESP_HLEN)) {
	case WINDOWS_REPEATED:
		return DROP_IN_REPLAY;
	case WINDOWS_OLD:
		return DROP_IN_REPLAY_OLD;
	case WINDOWS_UNCHECKED:
		w->st.path[PATH_IN_UNCHECKED]++;
		break;
	case WINDOWS_FRESH:
		break;
	}
	return DROP_COUNT;
}

static void judge(struct worker *w, struct pkt *p, const struct sa *sa, const struct crypto_op *op,
		  struct pkts *out)
{
	struct sa_count *n = &sa->state->n[w->id];
	enum drop_reason why;

	if (!op->ok) {
		n->auth_fail++;
		drop(w, p->m, DROP_IN_AUTH);
		return;
	}
	why = check_inner(p, op);
	if (why != DROP_COUNT) {
		n->policy_fail++;
		drop(w, p->m, why);
		return;
	}
	// Last: a copy with another outer header, which nothing authenticates, must not use up the
	// number of the true one.
	why = check_replay(w, sa, op);
	if (unlikely(why != DROP_COUNT)) {
		n->replayed++;
		drop(w, p->m, why);
		return;
	}
	n->packets_in++;
	n->bytes_in += p->ip.len;
	p->spi_in = sa->spi;
	pkts_add(out, p);
}

void esp_in(struct worker *w, struct pkts *l, struct pkts *out)
{
	struct crypto_op ops[2 * BURST] NO_AUTO_INIT;
	const struct sa *sa[2 * BURST] NO_AUTO_INIT;
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++) {
		struct pkt *p = l->p[i];
		enum drop_reason why;

		sa[n] = find_sa(w, p);
		if (!sa[n]) {
			pkts_add(out, p);
			continue;
		}
		why = prepare(w, p, sa[n], &ops[n]);
		if (why != DROP_COUNT)
			drop(w, p->m, why);
		else
			l->p[n++] = p;
	}
	crypto_open(w->crypto, ops, n);
	for (unsigned i = 0; i < n; i++)
		judge(w, l->p[i], sa[i], &ops[i], out);
	l->n = 0;
}
