#include "common/ike/ike_conf.h"

// clang-format off
#define FLAG(field, def_text, text)                                                                \
	{ #field, SET_BOOL, offsetof(struct gdoi_wire_opts, field), .help = text " (" def_text ")" }
#define NUMBER(field, type, lo, hi, def_text, text)                                                \
	{ #field, SET_##type, offsetof(struct gdoi_wire_opts, field), .min = (lo), .max = (hi),    \
	  .help = text " (" def_text ")" }
// clang-format on

static const struct set_choice any_srcs[] = {
	{ "subnet", GDOI_ANY_SUBNET },
	{ "empty", GDOI_ANY_EMPTY },
	{ "zeros", GDOI_ANY_ZEROS },
	{ NULL, 0 },
};

// No defaults here: what the file does not say stays as gdoi_wire_opts_default() has it.
static const struct set_row wire_rows[] = {
	NUMBER(phase1_doi, U32, 1, 2, "2", "DOI of the phase 1 SA, as sent"),
	FLAG(phase1_accept_doi1, "false", "answer phase 1 of DOI 1 too"),
	FLAG(ecdsa_sign_bare_hash, "false", "phase 1: sign HASH itself by ECDSA, not its hash"),
	FLAG(accept_ecdsa_bare_hash, "true", "verify such signatures too"),
	NUMBER(notify_doi, U32, 0, 2, "2", "DOI of notifies and deletes, as sent"),
	FLAG(accept_other_notify_doi, "true", "notifies and deletes of another DOI"),
	FLAG(group_id_little_endian, "false", "the group's number with its octets reversed"),
	NUMBER(refused_group_notify, U16, 18, 24, "18", "notify for a group one may not have"),
	FLAG(reject_with_kek_delete, "false",
	     "answer a policy we cannot follow by deleting its KEK"),
	FLAG(pull_ignore_extra, "false", "ignore unknown payloads of a registration"),
	FLAG(accept_kek_management_in_pull, "true", "KEK_MANAGEMENT_ALGORITHM in a registration"),
	FLAG(send_kek_management_in_pull, "false", "the same, as sent"),
	FLAG(accept_atd_in_pull, "true", "an activation delay in a registration"),
	FLAG(send_atd_in_pull, "true", "the same, as sent"),
	FLAG(send_total_life, "false", "lifetimes sent are those of new keys, not what remains"),
	FLAG(send_sid_request, "true", "ask for sender ids"),
	FLAG(sid_without_request, "true", "give sender ids to members that do not ask"),
	NUMBER(sak_id_len, U16, 1, 2, "1", "octets of an identity's length in the SAK, as sent"),
	NUMBER(sat_id_len, U16, 1, 2, "1", "the same in the SAT"),
	FLAG(accept_other_id_len, "true", "read identities with the other length too"),
	FLAG(dst_id_prot, "false", "an octet of protocol before the destination identity"),
	{ "any_src", SET_CHOICE, offsetof(struct gdoi_wire_opts, any_src), .choices = any_srcs,
	  .help = "any source, as sent: subnet 0.0.0.0/0, no octets, or three zeros (subnet)" },
	FLAG(accept_empty_src, "true", "a source of no octets, or three zeros, is any source"),
	FLAG(accept_sak_pop_fields, "false", "RFC 3547's proof-of-possession fields in the SAK"),
	FLAG(ignore_unknown_attributes, "false", "attributes of policy that we do not know"),
	FLAG(send_ack_request, "true", "ask for acknowledgements where the group does"),
	FLAG(accept_lkh_aes192, "false", "LKH keys of AES-192"),
	FLAG(sig_key_pkcs1, "false", "send an RSA public key as bare RSAPublicKey"),
	FLAG(accept_sig_key_pkcs1, "true", "read such a key"),
	NUMBER(sid_value_len, U16, 1, 8, "4",
	       "octets of a sender id, as sent; more if it needs them"),
	FLAG(seq_across_keks, "false", "sequence numbers count on under a new KEK (wire only)"),
	FLAG(accept_equal_seq, "false", "a rekey with the sequence number of the registration"),
	FLAG(sign_hdr_without_e, "false",
	     "rekey signatures cover the header with its E flag clear"),
	FLAG(sign_hdr_padded_len, "false", "rekey signatures cover the padded length"),
	FLAG(accept_rsa_bare_hash, "true", "rekey signatures over the bare hash"),
	NUMBER(zero_spi_len, U16, 0, 16, "0: by protocol",
	       "octets of an SPI that deletes all, as sent"),
	FLAG(accept_any_zero_spi, "true", "SPIs of any length that are zero delete all"),
	FLAG(send_kek_only_push, "true", "change the KEK alone by rekey (wire only)"),
	FLAG(accept_kek_only_push, "true", "rekeys that change the KEK alone"),
	NUMBER(push_port, U16, 0, 65535, "0: to that of the last PULL",
	       "UDP port that unicast rekeys go to, even behind a NAT (wire only)"),
	FLAG(ack_l_is_output_size, "false", "acknowledgement keys: L is the prf's output size"),
	FLAG(accept_ack_other_l, "true", "acknowledgements made with the other L"),
};

static void forms_init(struct ike_settings *out)
{
	if (out->n_forms > 0)
		return;
	out->form[0] = gdoi_wire_opts_default();
	out->n_forms = 1;
}

void ike_settings_read_wire(struct settings *s, struct set_node *n, struct ike_settings *out)
{
	forms_init(out);
	settings_group(s, n, wire_rows, N_ELEMS(wire_rows), &out->form[0]);
}

// ---- peers ----

struct peer_in {
	struct prefix peer;
	struct gdoi_wire_opts wire;
};

static void read_peer_wire(struct settings *s, struct set_node *n, void *out)
{
	struct peer_in *in = out;

	settings_group(s, n, wire_rows, N_ELEMS(wire_rows), &in->wire);
}

static const struct set_row peer_rows[] = {
	{ "peer", SET_PREFIX, offsetof(struct peer_in, peer), .required = true,
	  .help = "address or prefix; the longest that holds the peer wins" },
	{ "wire", SET_GROUP, .each = read_peer_wire, .required = true,
	  .help = "its readings, where they are not those of the general wire" },
};

static size_t row_size(enum set_type t)
{
	switch (t) {
	case SET_BOOL:
		return sizeof(bool);
	case SET_U16:
		return sizeof(uint16_t);
	case SET_CHOICE:
		return sizeof(int);
	default:
		return sizeof(uint32_t);
	}
}

static bool wire_eq(const struct gdoi_wire_opts *a, const struct gdoi_wire_opts *b)
{
	for (size_t i = 0; i < N_ELEMS(wire_rows); i++) {
		const struct set_row *r = &wire_rows[i];

		if (memcmp((const char *)a + r->offset, (const char *)b + r->offset,
			   row_size(r->type)) != 0)
			return false;
	}
	return true;
}

// Messages to many are written once in each form: there are few.
static size_t form_of(struct settings *s, struct set_node *n, struct ike_settings *out,
		      const struct gdoi_wire_opts *wire)
{
	size_t i = 0;

	while (i < out->n_forms && !wire_eq(&out->form[i], wire))
		i++;
	if (i == IKE_MAX_FORMS) {
		settings_complain(s, n, "wire", "more than %d different readings in one file",
				  IKE_MAX_FORMS);
		return 0;
	}
	if (i == out->n_forms)
		out->form[out->n_forms++] = *wire;
	return i;
}

void ike_settings_read_peer(struct settings *s, struct set_node *n, struct ike_settings *out)
{
	struct peer_in in = { .peer = { .len = 0 } };
	unsigned before = settings_n_errors(s);
	size_t form;

	forms_init(out);
	in.wire = out->form[0];
	settings_group(s, n, peer_rows, N_ELEMS(peer_rows), &in);
	for (size_t i = 0; i < out->n_peers; i++) {
		if (out->peer[i].peer.len == in.peer.len &&
		    addr_eq(&out->peer[i].peer.addr, &in.peer.addr))
			settings_complain(s, n, "peer", "is there twice");
	}
	if (settings_n_errors(s) != before)
		return;
	form = form_of(s, n, out, &in.wire);
	out->peer = reallocarray(out->peer, out->n_peers + 1, sizeof(*out->peer));
	BUG_ON(!out->peer);
	out->peer[out->n_peers++] = (struct ike_peer_form){ in.peer, (uint8_t)form };
}

struct gdoi_wire_opts ike_settings_wire(const struct ike_settings *i)
{
	return i->n_forms > 0 ? i->form[0] : gdoi_wire_opts_default();
}

void ike_settings_describe_wire(FILE *to)
{
	settings_describe(to, "wire = { … }", wire_rows, N_ELEMS(wire_rows));
	settings_describe(to, "peers = ( { … } )", peer_rows, N_ELEMS(peer_rows));
}

size_t ike_form(const struct ike_conf *conf, const struct addr *peer)
{
	const struct ike_peer_form *best = NULL;

	for (size_t i = 0; i < conf->n_peers; i++) {
		const struct ike_peer_form *p = &conf->peers[i];

		if (prefix_contains(&p->peer, peer) && (!best || p->peer.len > best->peer.len))
			best = p;
	}
	return best ? best->form : 0;
}

const struct gdoi_wire_opts *ike_wire(const struct ike_conf *conf, const struct addr *peer)
{
	size_t form = ike_form(conf, peer);

	return form ? &conf->form[form] : &conf->wire;
}
