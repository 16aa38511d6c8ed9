// tests/fuzz/wire_views.h - touch every view of a decoded GDOI structure.
#pragma once
#include "common/wire/gdoi_kd.h"
#include "common/wire/gdoi_sa.h"
#include "tests/fuzz/fuzz.h"

static inline void touch_sa(const struct gdoi_sa *sa)
{
	for (size_t i = 0; i < sa->n_sat; i++) {
		struct flow flow;

		fuzz_touch(sa->sat[i].iec.oid);
		fuzz_touch(sa->sat[i].iec.specific);
		if (gdoi_sat_to_flow(&sa->sat[i], &flow))
			BUG_ON(flow.src.lo.family != flow.dst.hi.family);
	}
}

static inline void touch_kd(const struct gdoi_kd *kd)
{
	for (size_t i = 0; i < kd->n_tek; i++) {
		fuzz_touch(kd->tek[i].alg_key);
		fuzz_touch(kd->tek[i].integrity_key);
		fuzz_touch(kd->tek[i].source_auth_key);
	}
	if (kd->has_kek) {
		fuzz_touch(kd->kek.alg_key);
		fuzz_touch(kd->kek.sig_key);
	}
	for (size_t i = 0; kd->has_lkh && i < kd->lkh.n_keys; i++)
		fuzz_touch(kd->lkh.key[i].data);
	if (kd->has_lkh)
		fuzz_touch(kd->lkh.sig_key);
}

// The options an input is read with come from its first octet.
static inline struct gdoi_wire_opts opts_of(uint8_t octet)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();

	o.sak_id_len = o.sat_id_len = octet & 1 ? 2 : 1;
	o.accept_other_id_len = !(octet & 2);
	o.accept_empty_src = !(octet & 4);
	o.accept_sak_pop_fields = octet & 8;
	o.accept_lkh_aes192 = octet & 16;
	o.accept_any_zero_spi = !(octet & 32);
	o.phase1_accept_doi1 = octet & 64;
	o.pull_ignore_extra = octet & 128;
	o.dst_id_prot = (octet & 0x18) == 0x18;
	o.ignore_unknown_attributes = (octet & 0x28) == 0x28;
	return o;
}
