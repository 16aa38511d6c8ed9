#include "common/ike/ike_conf.h"

struct dpd_in {
	uint32_t interval_s, retry_s;
	int mode;
};

static const struct set_choice modes[] = { { "periodic", 0 }, { "on-demand", 1 }, { NULL, 0 } };

#define OF(field) offsetof(struct dpd_in, field)
static const struct set_row dpd_rows[] = {
	{ "interval_s", SET_U32, OF(interval_s), .min = 10, .max = 3600, .required = true,
	  .help = "silence of the peer before it is asked, 10 to 3600 s" },
	{ "retry_s", SET_U32, OF(retry_s), .min = 2, .max = 60, .def = "2",
	  .help = "between questions, 2 to 60 s; after 5 without an answer the peer is dead" },
	{ "mode", SET_CHOICE, OF(mode), .choices = modes, .def = "on-demand",
	  .help = "periodic: ask after any silence; on-demand: only after a rekey went to it, "
		  "or an acknowledgement" },
};

void ike_settings_read_dpd(struct settings *s, struct set_node *n, struct ike_settings *out)
{
	struct dpd_in in = { 0 };

	settings_group(s, n, dpd_rows, N_ELEMS(dpd_rows), &in);
	out->dpd = (struct ike_dpd_conf){ in.interval_s, in.retry_s, in.mode == 1 };
}

void ike_settings_describe_dpd(FILE *to)
{
	settings_describe(to, "dpd = { … }", dpd_rows, N_ELEMS(dpd_rows));
}
