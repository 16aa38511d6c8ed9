// A part of a group as it is kept on disk: the first octet says which.
#include "common/crypto/crypto.h"
#include "ks/push.h"
#include "ks/replica.h"
#include "tests/fuzz/fuzz.h"

static bool load(struct ks_group *g, enum ks_part_kind part, struct bytes in)
{
	struct rd_err why = { NULL };

	*g = (struct ks_group){ 0 };
	members_init(&g->members);
	return ks_replica_unpack(g, part, in, 0, &why);
}

static void unload(struct ks_group *g)
{
	keys_end_all(&g->keys);
	members_fini(&g->members);
	ks_push_fini(&g->push);
	lkh_fini(&g->lkh);
	removal_fini(&g->removal);
}

void fuzz_one(struct bytes input)
{
	enum ks_part_kind part;
	struct ks_blob once, twice;
	struct ks_group a, b;

	if (input.len < 1 || crypto_init() < 0)
		return;
	part = (enum ks_part_kind)(KS_PART_KEYS + input.p[0] % (KS_PART_META - KS_PART_KEYS));
	if (load(&a, part, BYTES(input.p + 1, input.len - 1))) {
		ks_replica_pack(&a, part, a.members.first, 0, &once);
		BUG_ON(!load(&b, part, BYTES(once.p, once.len)));
		ks_replica_pack(&b, part, b.members.first, 0, &twice);
		BUG_ON(!bytes_eq(BYTES(once.p, once.len), BYTES(twice.p, twice.len)));
		ks_blob_fini(&once);
		ks_blob_fini(&twice);
		unload(&b);
	}
	unload(&a);
}
