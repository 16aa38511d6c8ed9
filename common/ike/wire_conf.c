#include "common/ike/ike_conf.h"

// clang-format off
#define FLAG(field, def_text, text)                                                                \
	{ #field, SET_BOOL, offsetof(struct gdoi_wire_opts, field), .help = text " (" def_text ")" }
#define NUMBER(field, lo, hi, def_text, text)                                                      \
	{ #field, SET_U16, offsetof(struct gdoi_wire_opts, field), .min = (lo), .max = (hi),       \
	  .help = text " (" def_text ")" }
// clang-format on

// No defaults here: what the file does not say stays as gdoi_wire_opts_default() has it.
static const struct set_row wire_rows[] = {
	NUMBER(sak_id_len, 1, 2, "1", "octets of an identity's length in the SAK, as sent"),
	NUMBER(sat_id_len, 1, 2, "1", "the same in the SAT"),
	FLAG(accept_other_id_len, "true", "read identities with the other length too"),
	FLAG(accept_empty_src, "true", "a source of no octets, or three zeros, is any source"),
	FLAG(accept_sak_pop_fields, "false", "RFC 3547's proof-of-possession fields in the SAK"),
	FLAG(accept_kek_only_push, "true", "rekeys that change the KEK alone"),
	FLAG(accept_any_zero_spi, "true", "SPIs of any length that are zero delete all"),
	FLAG(accept_rsa_bare_hash, "true", "rekey signatures over the bare hash"),
	FLAG(accept_equal_seq, "false", "a rekey with the sequence number of the registration"),
	FLAG(accept_lkh_aes192, "false", "LKH keys of AES-192"),
	FLAG(pull_ignore_extra, "false", "ignore unknown payloads of a registration"),
	FLAG(accept_kek_management_in_pull, "true", "KEK_MANAGEMENT_ALGORITHM in a registration"),
	FLAG(accept_atd_in_pull, "true", "an activation delay in a registration"),
	NUMBER(sid_value_len, 4, 8, "4", "octets of a sender id, as sent"),
	FLAG(sid_without_request, "true", "give sender ids to members that do not ask"),
	FLAG(ack_l_is_output_size, "false", "acknowledgement keys: L is the prf's output size"),
	FLAG(accept_ack_other_l, "true", "acknowledgements made with the other L"),
};

void ike_settings_read_wire(struct settings *s, struct set_node *n, struct ike_settings *out)
{
	out->wire = gdoi_wire_opts_default();
	out->has_wire = true;
	settings_group(s, n, wire_rows, N_ELEMS(wire_rows), &out->wire);
}

struct gdoi_wire_opts ike_settings_wire(const struct ike_settings *i)
{
	return i->has_wire ? i->wire : gdoi_wire_opts_default();
}

void ike_settings_describe_wire(FILE *to)
{
	settings_describe(to, "wire = { … }", wire_rows, N_ELEMS(wire_rows));
}
