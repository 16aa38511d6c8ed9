// tests/unit/gm/gm_make.h - keys, lines and downloads for tests of gm/, in few words.
#pragma once
#include "gm/teks.h"

static inline mono_t at_s(int64_t s)
{
	return (mono_t){ s * 1000 };
}

// 10.N.0.0/16 to 10.M.0.0/16.
static inline struct flow mk_flow(unsigned n, unsigned m)
{
	struct flow f = { 0 };
	struct prefix p = { addr_from_v4(0x0a000000u | n << 16), 16 };

	flow_side_prefix(&f.src, &p);
	p.addr = addr_from_v4(0x0a000000u | m << 16);
	flow_side_prefix(&f.dst, &p);
	return f;
}

static inline void grant_line(struct gm_grant *g, bool protect, struct flow f, uint32_t spi)
{
	g->line[g->n_lines++] = (struct gm_line){ protect, f, spi };
}

// A key whose bytes are its SPI over and over.
static inline struct gm_tek *grant_tek(struct gm_grant *g, uint32_t spi, uint32_t life_s)
{
	struct gm_tek *k = &g->tek[g->n_teks++];
	uint8_t b[20];

	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(spi >> 8 * (i % 4));
	*k = (struct gm_tek){ .spi = spi,
			      .suite = DP_SUITE_AES128_GCM16,
			      .dir = DP_DIR_BOTH,
			      .counter_iv = true,
			      .transform = "esp-gcm 128",
			      .life_s = life_s };
	if (secret_set(&k->key, b, sizeof(b)) < 0)
		abort();
	return k;
}

// One line 10.1/16 -> 10.2/16 under spi.
static inline void grant_one(struct gm_grant *g, uint32_t spi, uint32_t life_s)
{
	memset(g, 0, sizeof(*g));
	g->whole = true;
	grant_tek(g, spi, life_s);
	grant_line(g, true, mk_flow(1, 2), spi);
}
