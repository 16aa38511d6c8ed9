#include "common/wire/gdoi_opts.h"

#include "common/wire/gdoi.h"

struct gdoi_wire_opts gdoi_wire_opts_default(void)
{
	return (struct gdoi_wire_opts){
		.phase1_doi = ISAKMP_DOI_GDOI,
		.accept_ecdsa_bare_hash = true,
		.notify_doi = ISAKMP_DOI_GDOI,
		.accept_other_notify_doi = true,
		.refused_group_notify = ISAKMP_N_INVALID_ID_INFORMATION,
		.accept_kek_management_in_pull = true,
		.accept_atd_in_pull = true,
		.send_atd_in_pull = true,
		.send_sid_request = true,
		.sak_id_len = 1,
		.sat_id_len = 1,
		.accept_other_id_len = true,
		.accept_empty_src = true,
		.send_ack_request = true,
		.accept_sig_key_pkcs1 = true,
		.sid_value_len = 4,
		.accept_any_zero_spi = true,
		.accept_rsa_bare_hash = true,
		.send_kek_only_push = true,
		.accept_kek_only_push = true,
		.sid_without_request = true,
		.accept_ack_other_l = true,
	};
}
