#include "gm/lkh.h"

void gm_lkh_fini(struct gm_lkh *l)
{
	explicit_bzero(l, sizeof(*l));
}

const struct secret *gm_lkh_kek(const struct gm_lkh *l)
{
	return &l->path[l->n - 1].data;
}

const struct secret *gm_lkh_leaf(const struct gm_lkh *l)
{
	return &l->path[0].data;
}

static bool refuse(const char **why, const char *reason)
{
	*why = reason;
	return false;
}

// ---- judge: keys as they came ----

static bool keys_judge(enum cipher_alg alg, const struct gdoi_kd_lkh *kd,
		       const struct gdoi_lkh_array *a, const char **why)
{
	const struct gdoi_lkh_key *k = &kd->key[a->first];

	if (alg != CIPHER_AES128_CBC && alg != CIPHER_AES256_CBC)
		return refuse(why, "lkh needs aes-128 or aes-256");
	if (a->n == 0 || a->n > GM_LKH_PATH_MAX)
		return refuse(why, "lkh array of impossible length");
	for (size_t i = 0; i < a->n; i++) {
		if (k[i].type != GDOI_KEK_AES ||
		    k[i].data.len != cipher_block_len(alg) + cipher_key_len(alg))
			return refuse(why, "lkh key is not of the kek's algorithm");
		for (size_t j = 0; j < i; j++) {
			if (k[j].id == k[i].id)
				return refuse(why, "lkh array names a node twice");
		}
	}
	return true;
}

bool gm_lkh_store(enum cipher_alg alg, const struct gdoi_kd_lkh *kd, struct gm_lkh *out,
		  const char **why)
{
	if (!kd->has_download || kd->n_update > 0)
		return refuse(why, "lkh download array missing or not alone");
	if (!keys_judge(alg, kd, &kd->download, why))
		return false;
	gm_lkh_fini(out);
	out->alg = alg;
	for (; out->n < kd->download.n; out->n++) {
		const struct gdoi_lkh_key *from = &kd->key[kd->download.first + out->n];
		struct gm_lkh_key *to = &out->path[out->n];

		to->id = from->id;
		to->handle = from->handle;
		BUG_ON(secret_set(&to->data, from->data.p, from->data.len) < 0);
	}
	return true;
}

// ---- update ----

static bool unwrap(enum cipher_alg alg, const struct secret *under, struct bytes wrapped,
		   struct secret *out)
{
	size_t iv_len = cipher_block_len(alg);
	struct secret key;
	bool ok = secret_set(&key, under->b + iv_len, under->len - iv_len) == 0 &&
		  cipher_decrypt(alg, &key, under->b, wrapped.p, wrapped.len, out->b) == 0;

	out->len = (uint16_t)wrapped.len;
	secret_fini(&key);
	return ok;
}

// Position in path from `from` on, n when it is not there.
static size_t find_id(const struct gm_lkh *l, size_t from, uint16_t id)
{
	while (from < l->n && l->path[from].id != id)
		from++;
	return from;
}

// The array that starts under a key of ours, the one nearest to our leaf when there are several:
// it brings the most. at: where that key stands in our branch.
static const struct gdoi_lkh_array *find_ours(const struct gm_lkh *held,
					      const struct gdoi_kd_lkh *kd, size_t *at)
{
	const struct gdoi_lkh_array *best = NULL;

	*at = held->n;
	for (size_t i = 0; i < kd->n_update; i++) {
		size_t p = find_id(held, 0, kd->update[i].id);

		if (p < *at && held->path[p].handle == kd->update[i].handle) {
			*at = p;
			best = &kd->update[i];
		}
	}
	return best;
}

static bool append(struct gm_lkh *out, const struct gm_lkh_key *k)
{
	if (out->n == GM_LKH_PATH_MAX)
		return false;
	out->path[out->n++] = *k;
	return true;
}

static bool keep(const struct gm_lkh *held, size_t from, size_t to, struct gm_lkh *out)
{
	for (; from < to; from++) {
		if (!append(out, &held->path[from]))
			return false;
	}
	return true;
}

// Where a new key goes: nodes of ours below it stay as they are, for a key server may change only
// what lies above them; the node itself, when we hold it, is replaced. next: first of ours that is
// not yet taken over.
static bool place(const struct gm_lkh *held, size_t *next, const struct gm_lkh_key *new,
		  struct gm_lkh *out, const char **why)
{
	size_t p = find_id(held, *next, new->id);

	if (p == held->n && find_id(held, 0, new->id) < *next)
		return refuse(why, "lkh array runs away from the root");
	if (p < held->n) {
		if (!keep(held, *next, p, out))
			return refuse(why, "lkh branch too long");
		*next = p + 1;
	}
	return append(out, new) || refuse(why, "lkh branch too long");
}

// Our branch up to the key at `at`, then the keys of the array, each opened with the one before it.
// What we held above the last of them is gone: that one is the new root.
static bool climb(const struct gm_lkh *held, size_t at, const struct gdoi_lkh_key *k, size_t n,
		  struct gm_lkh *out, const char **why)
{
	const struct secret *under = &held->path[at].data;
	size_t next = k[0].id == held->path[at].id ? at : at + 1;
	bool ok = keep(held, 0, next, out);

	out->alg = held->alg;
	for (size_t i = 0; i < n && ok; i++) {
		struct gm_lkh_key new = { .id = k[i].id, .handle = k[i].handle };

		ok = unwrap(held->alg, under, k[i].data, &new.data)
			     ? place(held, &next, &new, out, why)
			     : refuse(why, "lkh key could not be opened");
		secret_fini(&new.data);
		under = &out->path[out->n - 1].data;
	}
	return ok;
}

enum gm_lkh_verdict gm_lkh_apply(const struct gm_lkh *held, const struct gdoi_kd_lkh *kd,
				 struct gm_lkh *out, const char **why)
{
	const struct gdoi_lkh_array *a;
	struct gm_lkh new = { 0 };
	size_t at;
	bool ok = true;

	if (kd->has_download)
		ok = refuse(why, "lkh download array in a push");
	for (size_t i = 0; i < kd->n_update && ok; i++)
		ok = keys_judge(held->alg, kd, &kd->update[i], why);
	if (!ok)
		return GM_LKH_REFUSED;
	a = find_ours(held, kd, &at);
	if (!a)
		return GM_LKH_NOT_OURS;
	ok = climb(held, at, &kd->key[a->first], a->n, &new, why);
	if (ok)
		*out = new;
	gm_lkh_fini(&new);
	return ok ? GM_LKH_APPLIED : GM_LKH_REFUSED;
}
