#include "dataplane/esp_out.h"

static enum drop_reason encapsulate(struct worker *w, struct pkt *p, struct crypto_op *op)
{
	const struct sa *sa = p->sa;
	const struct esp_suite *s = sa->suite;
	struct sa_count *n = &sa->state->n[w->id];
	size_t trailer = esp_trailer_len(s, p->ip.len), head = ESP_HLEN + IP4_HLEN + s->iv_len;
	uint64_t seq = n->packets_out + 1;
	uint8_t *outer, *inner;

	if (sa->expires_ms <= w->now_ms)
		return DROP_OUT_EXPIRED;
	outer = buf_grow(p->m, head, trailer + ESP_ICV_LEN);
	if (!outer)
		return DROP_OUT_NO_ROOM;
	inner = outer + head;
	if (sa->iv) {
		struct iv_count *c = &sa->iv->n[w->id];

		seq = iv_next(c);
		if (!seq)
			return DROP_OUT_IV_GONE;
		esp_iv_put(inner - s->iv_len, &c->space, seq);
	} else {
		crypto_random_iv(w->crypto, inner - s->iv_len);
	}
	esp_head_put(outer, &p->ip, head + p->ip.len + trailer + ESP_ICV_LEN, w->ip_id++, sa->spi,
		     (uint32_t)seq);
	esp_trailer_put(inner + p->ip.len, trailer);
	n->packets_out++;
	n->bytes_out += p->ip.len;
	*op = (struct crypto_op){ .key = sa->key,
				  .esp = outer + IP4_HLEN,
				  .text = inner,
				  .text_len = (uint32_t)(p->ip.len + trailer) };
	return DROP_COUNT;
}

void esp_out(struct worker *w, struct pkts *l)
{
	struct crypto_op ops[2 * BURST] NO_AUTO_INIT;
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++) {
		struct pkt *p = l->p[i];
		enum drop_reason why = encapsulate(w, p, &ops[n]);

		if (why != DROP_COUNT)
			drop(w, p->m, why);
		else
			l->p[n++] = p;
	}
	l->n = n;
	crypto_seal(w->crypto, ops, n);
	w->st.path[PATH_OUT_PROTECTED] += n;
}
