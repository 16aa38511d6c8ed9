// A KD payload with LKH arrays: decoded, then applied to a member's branch. The first octet says
// which cipher; the branch is that of corpus/gm_lkh, so that arrays can be right.
#include "common/crypto/crypto.h"
#include "gm/lkh.h"
#include "tests/fuzz/fuzz.h"

// Leaf 11, node 5, root 1 with handles 100, 101, 102.
static void hold(enum cipher_alg alg, struct gm_lkh *l)
{
	static const uint16_t id[] = { 11, 5, 1 };

	*l = (struct gm_lkh){ .alg = alg, .n = N_ELEMS(id) };
	for (size_t i = 0; i < l->n; i++) {
		l->path[i].id = id[i];
		l->path[i].handle = 100 + (uint32_t)i;
		l->path[i].data.len = (uint16_t)(cipher_block_len(alg) + cipher_key_len(alg));
		memset(l->path[i].data.b, (int)i + 1, l->path[i].data.len);
	}
}

static void check_branch(const struct gm_lkh *l)
{
	BUG_ON(l->n == 0 || l->n > GM_LKH_PATH_MAX);
	for (size_t i = 0; i < l->n; i++) {
		BUG_ON(l->path[i].data.len != cipher_block_len(l->alg) + cipher_key_len(l->alg));
		for (size_t j = 0; j < i; j++)
			BUG_ON(l->path[i].id == l->path[j].id);
	}
}

void fuzz_one(struct bytes input)
{
	static struct gdoi_kd kd;
	const struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct rd_err err = { NULL };
	struct gm_lkh held, out = { 0 };
	enum cipher_alg alg;
	const char *why = NULL;

	if (input.len < 1 || crypto_init() < 0)
		return;
	alg = input.p[0] & 1 ? CIPHER_AES256_CBC : CIPHER_AES128_CBC;
	if (!gdoi_kd_decode(&o, BYTES(input.p + 1, input.len - 1), &kd, &err) || !kd.has_lkh)
		return;
	hold(alg, &held);
	if (kd.lkh.has_download && gm_lkh_store(alg, &kd.lkh, &out, &why))
		check_branch(&out);
	gm_lkh_fini(&out);
	switch (gm_lkh_apply(&held, &kd.lkh, &out, &why)) {
	case GM_LKH_APPLIED:
		check_branch(&out);
		BUG_ON(out.path[0].id != 11 && out.path[0].id != kd.lkh.key[0].id);
		break;
	case GM_LKH_NOT_OURS:
		BUG_ON(out.n != 0);
		break;
	case GM_LKH_REFUSED:
		BUG_ON(out.n != 0 || why == NULL);
	}
}
