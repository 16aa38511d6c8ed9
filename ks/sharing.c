#include "ks/sharing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ks/adopt.h"
#include "ks/ks.h"
#include "ks/replica.h"

#define VERSION 1

// ---- our own key for wrapping ----

int ks_sharing_init(struct ks_sharing *s)
{
	*s = (struct ks_sharing){ .look = true };
	return hpke_key_new(&s->wrap);
}

void ks_sharing_fini(struct ks_sharing *s)
{
	hpke_key_fini(&s->wrap);
}

void ks_sharing_pack(const struct ks_sharing *s, struct ks_blob *out)
{
	struct wr w;

	out->len = 1 + HPKE_PUBLIC_LEN + HPKE_PRIVATE_LEN;
	out->p = malloc(out->len);
	BUG_ON(!out->p);
	wr_init(&w, out->p, out->len);
	wr_u8(&w, VERSION);
	wr_put(&w, s->wrap.public, HPKE_PUBLIC_LEN);
	wr_put(&w, s->wrap.private.b, HPKE_PRIVATE_LEN);
	BUG_ON(!wr_ok(&w));
}

bool ks_sharing_unpack(struct ks_sharing *s, struct bytes in, struct rd_err *why)
{
	struct rd r = rd_of(in, why);
	struct hpke_key k = { 0 };

	if (rd_u8(&r) != VERSION)
		return rd_fail(&r, "written by another version");
	rd_copy(&r, k.public, HPKE_PUBLIC_LEN);
	rd_copy(&r, k.private.b, HPKE_PRIVATE_LEN);
	k.private.len = HPKE_PRIVATE_LEN;
	if (!rd_end(&r, 0)) {
		hpke_key_fini(&k);
		return false;
	}
	s->wrap = k;
	hpke_key_fini(&k);
	return true;
}

// ---- items ----

static uint8_t own_id(const struct ks_group *g)
{
	return g->shared->coop.conf.id;
}

static const struct coop_item *item_of(const struct ks_group *g, uint8_t kind, struct bytes key)
{
	return coop_store_find(&g->shared->coop.store, kind, key);
}

static void put(struct ks_group *g, mono_t now, uint8_t kind, struct bytes key, struct bytes body,
		struct ks_out *out)
{
	const struct coop_put p = {
		.kind = kind, .key = key, .body = body, .dies = MONO_NEVER, .active = now
	};

	ks_shared_put(g, now, &p, out);
}

static void put_wrap(struct ks_group *g, mono_t now, struct ks_out *out)
{
	const uint8_t id = own_id(g);
	const struct coop_item *there = item_of(g, COOP_K_WRAP, BYTES(&id, 1));
	uint8_t body[SHARE_WRAP_LEN];

	share_wrap_encode(&g->shared->sharing.wrap, body);
	if (!there || !bytes_eq(BYTES(there->body, there->len), BYTES_OF(body)))
		put(g, now, COOP_K_WRAP, BYTES(&id, 1), BYTES_OF(body), out);
}

// The public value of a key server of the set. False: it has told none.
static bool wrap_of(const struct ks_group *g, uint8_t id, uint8_t public[HPKE_PUBLIC_LEN])
{
	const struct coop_item *i = item_of(g, COOP_K_WRAP, BYTES(&id, 1));
	struct rd_err err = { NULL };

	return i && share_wrap_decode(BYTES(i->body, i->len), public, &err);
}

static bool has_key(const struct ks_group *g, uint8_t id, const uint8_t fp[SHARE_FP_LEN])
{
	struct share_way way = { .to = id };
	uint8_t name[SHARE_NAME_LEN], public[HPKE_PUBLIC_LEN];
	const struct coop_item *i;

	memcpy(way.fp, fp, SHARE_FP_LEN);
	share_name_encode(&way, name);
	i = item_of(g, COOP_K_SIGN, BYTES_OF(name));
	return i && wrap_of(g, id, public) && share_sign_is_for(BYTES(i->body, i->len), public);
}

// ---- keys that we have ----

static bool is_known(const struct ks_sharing *s, const uint8_t fp[SHARE_FP_LEN])
{
	for (size_t i = 0; i < s->n; i++) {
		if (memcmp(s->fp[i], fp, SHARE_FP_LEN) == 0)
			return true;
	}
	return false;
}

// In the order of their fingerprints, so that all pick the same one.
static bool know(struct ks_sharing *s, const uint8_t fp[SHARE_FP_LEN])
{
	size_t at = 0;

	if (is_known(s, fp))
		return true;
	if (s->n == SHARING_MAX_KEYS)
		return false;
	while (at < s->n && memcmp(s->fp[at], fp, SHARE_FP_LEN) < 0)
		at++;
	memmove(s->fp + at + 1, s->fp + at, (s->n - at) * SHARE_FP_LEN);
	memcpy(s->fp[at], fp, SHARE_FP_LEN);
	s->n++;
	return true;
}

static void say(const struct ks_group *g, enum log_level level, const char *text, int err,
		struct ks_out *out)
{
	struct logctx who;

	ks_group_logctx(g, &who);
	ks_out_line(out, LOG_M_COOP, level, &who, "%s%s%s", text, err ? ": " : "",
		    err ? strerror(-err) : "");
}

// One SIGN item to us.
static void open_one(struct ks *ks, struct ks_group *g, const struct coop_item *i,
		     struct ks_out *out)
{
	struct ks_sharing *s = &g->shared->sharing;
	struct share_way way = { .group = g->identity, .from = i->by };
	struct rd_err why = { NULL };
	int err;

	if (!share_name_decode(BYTES(i->key, i->key_len), &way, &why) || way.to != own_id(g) ||
	    is_known(s, way.fp) || !share_sign_is_for(BYTES(i->body, i->len), s->wrap.public))
		return;
	err = share_sign_open(&ks->set_keys->signer, &way, &s->wrap, BYTES(i->body, i->len));
	if (!err && know(s, way.fp))
		say(g, LOG_L_INFO, "the key that signs rekeys is here", 0, out);
	else if (err)
		say(g, LOG_L_ERR, "a signing key that is for us does not open", err, out);
}

static void open_all(struct ks *ks, struct ks_group *g, struct ks_out *out)
{
	const struct coop_store *s = &g->shared->coop.store;

	for (const struct coop_item *i = coop_store_next(s, NULL); i; i = coop_store_next(s, i)) {
		if (i->kind == COOP_K_SIGN)
			open_one(ks, g, i, out);
	}
	if (g->keys.kek.pub_len && !g->keys.kek.store)
		(void)ks_sharing_find(ks, &g->keys.kek);
	if (g->keys.old_kek.pub_len && !g->keys.old_kek.store)
		(void)ks_sharing_find(ks, &g->keys.old_kek);
}

static int seal_to(struct ks *ks, struct ks_group *g, mono_t now, uint8_t id,
		   const uint8_t fp[SHARE_FP_LEN], struct ks_out *out)
{
	struct share_way way = { .group = g->identity, .from = own_id(g), .to = id };
	uint8_t public[HPKE_PUBLIC_LEN], name[SHARE_NAME_LEN], body[SHARE_SIGN_MAX];
	size_t len;
	int err;

	if (!wrap_of(g, id, public))
		return -ENOENT;
	memcpy(way.fp, fp, SHARE_FP_LEN);
	err = share_sign_seal(&ks->set_keys->signer, &way, public, body, &len);
	if (!err) {
		share_name_encode(&way, name);
		put(g, now, COOP_K_SIGN, BYTES_OF(name), BYTES(body, len), out);
	}
	return err;
}

// The primary gives to whoever lacks; others to a primary that lacks.
static void seal_all(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	const struct ks_sharing *s = &g->shared->sharing;
	const struct coop *c = &g->shared->coop;
	uint8_t public[HPKE_PUBLIC_LEN];

	for (uint8_t id = 0; id < COOP_IDS; id++) {
		if (id == own_id(g) || !wrap_of(g, id, public) ||
		    (c->role != COOP_PRIMARY && c->lead.id != id))
			continue;
		for (size_t i = 0; i < s->n; i++) {
			int err = has_key(g, id, s->fp[i]) ? 0
							   : seal_to(ks, g, now, id, s->fp[i], out);

			if (err)
				say(g, LOG_L_ERR, "the signing key could not be sealed to a peer",
				    err, out);
		}
	}
}

// ---- configured, made ----

// A key of the configuration, by its label: its fingerprint. False: no label.
static bool configured(const struct ks *ks, const struct ks_group *g, uint8_t fp[SHARE_FP_LEN])
{
	uint8_t pub[PUBKEY_MAX];
	size_t len;

	if (!g->conf->kek.sign_label[0] ||
	    signer_public(&ks->conf->store->signer, g->conf->kek.sign_label, pub, sizeof(pub),
			  &len))
		return false;
	share_fingerprint(BYTES(pub, len), fp);
	return true;
}

static bool kek_lives(const struct ks_group *g, mono_t now)
{
	return g->keys.kek.pub_len > 0 && !mono_due(g->keys.kek.dies, now);
}

// Known from now on, here and, by an item to ourselves, after a restart.
static bool admit(struct ks *ks, struct ks_group *g, mono_t now, const uint8_t fp[SHARE_FP_LEN],
		  struct ks_out *out)
{
	if (!know(&g->shared->sharing, fp)) {
		say(g, LOG_L_ERR, "the set has too many signing keys", 0, out);
		return false;
	}
	put_wrap(g, now, out);
	if (!has_key(g, own_id(g), fp) && seal_to(ks, g, now, own_id(g), fp, out)) {
		say(g, LOG_L_ERR, "the signing key could not be sealed to ourselves", 0, out);
		return false;
	}
	g->shared->sharing.look = true;
	return true;
}

static bool bring(struct ks *ks, struct ks_group *g, mono_t now, const uint8_t fp[SHARE_FP_LEN],
		  struct ks_out *out)
{
	char label[SIGNER_LABEL_MAX];
	int err = 0;

	share_label(fp, label);
	if (signer_alg(&ks->set_keys->signer, label, NULL) == SIGN_NONE)
		err = signer_share(&ks->set_keys->signer, label, &ks->conf->store->signer,
				   g->conf->kek.sign_label);
	if (err) {
		say(g, LOG_L_ERR, "the configured signing key cannot be shared", err, out);
		return false;
	}
	return admit(ks, g, now, fp, out);
}

// A fresh one under the name of its kind, unless it is there.
static int lay_by(struct ks *ks, const struct kek_params *k, char label[SIGNER_LABEL_MAX])
{
	struct signer *s = &ks->set_keys->signer;

	snprintf(label, SIGNER_LABEL_MAX, "spare-%u-%u", (unsigned)k->sign_alg, k->sign_bits);
	return signer_alg(s, label, NULL) != SIGN_NONE
		       ? 0
		       : signer_generate(s, label, k->sign_alg, k->sign_bits);
}

void ks_sharing_lay_by(struct ks *ks)
{
	char label[SIGNER_LABEL_MAX];

	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];

		if (g->shared && g->shared->sharing.n == 0 && !g->conf->kek.sign_label[0])
			(void)lay_by(ks, &g->conf->kek, label); // who needs it says what is wrong
	}
}

static bool make(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct signer *s = &ks->set_keys->signer;
	uint8_t pub[PUBKEY_MAX], fp[SHARE_FP_LEN];
	char label[SIGNER_LABEL_MAX], spare[SIGNER_LABEL_MAX];
	size_t len;
	int err;

	err = lay_by(ks, &g->conf->kek, spare);
	if (!err)
		err = signer_public(s, spare, pub, sizeof(pub), &len);
	if (!err) {
		share_fingerprint(BYTES(pub, len), fp);
		share_label(fp, label);
		if (signer_alg(s, label, NULL) == SIGN_NONE)
			err = signer_share(s, label, s, spare);
	}
	if (err) {
		say(g, LOG_L_ERR, "no key to sign rekeys with could be made", err, out);
		return false;
	}
	say(g, LOG_L_INFO, "a key that signs rekeys was made for the set", 0, out);
	return admit(ks, g, now, fp, out);
}

// Another group of this key server may have one of the kind that is wanted.
static bool borrow(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *o = ks->group[i];

		if (o == g || !o->shared || o->shared->sharing.n == 0 ||
		    o->conf->kek.sign_alg != g->conf->kek.sign_alg ||
		    o->conf->kek.sign_bits != g->conf->kek.sign_bits)
			continue;
		return admit(ks, g, now, o->shared->sharing.fp[0], out);
	}
	return false;
}

bool ks_sharing_ready(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_sharing *s = &g->shared->sharing;
	uint8_t fp[SHARE_FP_LEN];

	if (configured(ks, g, fp))
		return is_known(s, fp) || bring(ks, g, now, fp, out);
	return s->n > 0 || borrow(ks, g, now, out) || make(ks, g, now, out);
}

// ---- what others ask ----

static void describe(const struct signer *s, struct kek_params *p)
{
	size_t sig_len = 0;

	p->sign_alg = signer_alg(s, p->sign_label, &sig_len);
	switch (p->sign_alg) {
	case SIGN_ECDSA_P256:
		p->sign_bits = 256;
		break;
	case SIGN_ECDSA_P384:
		p->sign_bits = 384;
		break;
	case SIGN_ECDSA_P521:
		p->sign_bits = 521;
		break;
	default:
		p->sign_bits = (uint16_t)(sig_len * 8);
		return;
	}
	p->sign_hash = sign_alg_hash(p->sign_alg);
}

bool ks_sharing_pick(const struct ks *ks, const struct ks_group *g, struct kek_params *params,
		     struct keystore **store)
{
	const struct ks_sharing *s = &g->shared->sharing;
	const struct kek *k = &g->keys.kek;
	uint8_t fp[SHARE_FP_LEN];

	if (!configured(ks, g, fp)) {
		if (k->pub_len > 0)
			share_fingerprint(BYTES(k->pub, k->pub_len), fp);
		if ((k->pub_len == 0 || !is_known(s, fp)) && s->n > 0)
			memcpy(fp, s->fp[0], SHARE_FP_LEN);
	}
	if (s->n == 0 || !is_known(s, fp))
		return false;
	share_label(fp, params->sign_label);
	describe(&ks->set_keys->signer, params);
	*store = ks->set_keys;
	return true;
}

bool ks_sharing_find(const struct ks *ks, struct kek *k)
{
	uint8_t fp[SHARE_FP_LEN];
	char label[SIGNER_LABEL_MAX];

	share_fingerprint(BYTES(k->pub, k->pub_len), fp);
	share_label(fp, label);
	if (signer_alg(&ks->set_keys->signer, label, NULL) == SIGN_NONE)
		return false;
	keystore_put(k->store);
	k->store = keystore_get(ks->set_keys);
	memcpy(k->params.sign_label, label, sizeof(label));
	return true;
}

// ---- after each step ----

bool ks_sharing_concerns(uint8_t kind)
{
	return kind == COOP_K_KEK || kind == COOP_K_WRAP || kind == COOP_K_SIGN;
}

static const char other_key[] =
	"signing_key names another key than the one that the set signs with: no lead";
static const char no_key[] = "the key that signs rekeys is not here yet: no lead";

// NULL: nothing speaks against it.
static const char *why_unable(const struct ks *ks, const struct ks_group *g, mono_t now)
{
	uint8_t fp[SHARE_FP_LEN], in_force[SHARE_FP_LEN];

	if (!kek_lives(g, now))
		return NULL;
	share_fingerprint(BYTES(g->keys.kek.pub, g->keys.kek.pub_len), in_force);
	if (g->shared->coop.role != COOP_PRIMARY && configured(ks, g, fp) &&
	    memcmp(fp, in_force, SHARE_FP_LEN) != 0)
		return other_key;
	return is_known(&g->shared->sharing, in_force) ? NULL : no_key;
}

static void tell_able(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_sharing *s = &g->shared->sharing;
	const char *why = why_unable(ks, g, now);
	struct logctx who;

	if (why == s->unable)
		return;
	s->unable = why;
	ks_group_logctx(g, &who);
	if (why == other_key)
		ks_out_event(out, EV_COOP_CONFIG_MISMATCH, &who, "%s", why);
	else if (why)
		say(g, LOG_L_INFO, why, 0, out);
	ks_shared_able(g, now, !why, out);
}

void ks_sharing_settle(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_sharing *s = &g->shared->sharing;
	enum coop_role role = g->shared->coop.role;

	if (!s->look && s->role == role)
		return;
	s->look = false;
	s->role = role;
	open_all(ks, g, out);
	if (role != COOP_STARTING) { // then others may know better
		put_wrap(g, now, out);
		if (role == COOP_PRIMARY)
			(void)ks_sharing_ready(ks, g, now, out); // it has said why not
		seal_all(ks, g, now, out);
		s->look = false;
	}
	tell_able(ks, g, now, out);
}
