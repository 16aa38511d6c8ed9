// tests/sim/espd_model.h - what espd is to the rest of the world: tables, IV counters, boots.
#pragma once
#include "common/base/flow.h"
#include "common/base/mono.h"
#include "gm/policy.h"

#define MODEL_MAX_SAS 64
#define MODEL_FLOWS   2 // each under a permit line of its own

struct model_sa {
	uint32_t spi, sid;
	uint8_t dir;
	uint8_t key[DP_MAX_KEY], key_len;
	bool counter;
	mono_t dies;
};

struct espd_model {
	bool up;
	uint64_t boot, generation;
	bool ever_protects; // had a protect rule under this boot
	size_t n_sas;
	struct model_sa sa[MODEL_MAX_SAS];
	size_t n_rules;
	struct dp_rule *rule;
	const struct dp_rule *match[MODEL_FLOWS]; // the rule of each flow; NULL: none
};

void model_start(struct espd_model *m, uint64_t boot);
void model_stop(struct espd_model *m);
// One transaction. Returns why a real espd would refuse it, NULL when it is applied.
const char *model_apply(struct espd_model *m, mono_t now, const struct gm_program *p);
const struct model_sa *model_sa(const struct espd_model *m, uint32_t spi);
// Would a packet of the flow under this SPI and key be opened and accepted?
bool model_opens(const struct espd_model *m, mono_t now, size_t flow,
		 const struct model_sa *sent_under);
