// An item of a peer key server on its way into a group: the first octet is its kind, the second the
// length of its key; then key and body.
#include "ks/mirror.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ks/ks_world.h"

static void in_set(struct ks_conf *c)
{
	struct ks_group_conf *g = &c->groups[0];

	g->in_set = true;
	g->set = (struct coop_conf){ .group = g->identity,
				     .id = 1,
				     .addr = c->address,
				     .hello_ms = 1000,
				     .dead_hellos = 3,
				     .sid_bits = g->sid_bits };
}

static bool item_of(struct bytes in, struct coop_item *i)
{
	size_t key_len = in.len >= 2 ? in.p[1] : SIZE_MAX;

	if (key_len > COOP_KEY_MAX || in.len < 2 + key_len || in.len > COOP_ITEM_MAX)
		return false;
	*i = (struct coop_item){ .kind = in.p[0] & 0x0f,
				 .flags = in.p[0] >> 7,
				 .key_len = (uint8_t)key_len,
				 .ver = COOP_EPOCH_VER(1, 1),
				 .dies = { 2000000 },
				 .len = in.len - 2 - key_len,
				 .body = (uint8_t *)(uintptr_t)(in.p + 2 + key_len) };
	memcpy(i->key, in.p + 2, key_len);
	return true;
}

void fuzz_one(struct bytes input)
{
	static struct world *w;
	struct coop_item i, *there;
	struct ks_group g = { .identity = 1234 };
	struct ks_out out;

	if (!w)
		w = world_new(in_set);
	if (!item_of(input, &i))
		return;
	g.conf = world_group(w)->conf;
	members_init(&g.members);
	ks_out_init(&out);
	ks_shared_conf(&w->ks, &g, w->now, &out);
	(void)coop_store_join(&g.shared->coop.store, &i, &there);
	ks_mirror_apply_all(&w->ks, &g, w->now, &out);
	ks_mirror_apply_all(&w->ks, &g, w->now, &out); // what is there already
	ks_shared_free(&g);
	keys_end_all(&g.keys);
	members_fini(&g.members);
	removal_fini(&g.removal);
	ks_out_fini(&out);
}
