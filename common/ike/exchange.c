#include "common/ike/exchange.h"

const struct ike_row *ike_row_find(const struct ike_row *rows, size_t n, unsigned state)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].state == state)
			return &rows[i];
	}
	return NULL;
}

enum ike_reason ike_row_check_hdr(const struct ike_row *row, const struct isakmp_hdr *hdr)
{
	uint8_t want = row->encrypted ? ISAKMP_FLAG_E : 0;

	return (hdr->flags & ~ISAKMP_FLAG_C) == want ? IKE_R_OK : IKE_R_BAD_FLAGS;
}

enum ike_reason ike_row_check_chain(const struct ike_row *row, const struct isakmp_chain *chain,
				    const char **detail)
{
	struct rd_err err = { NULL };

	if (!isakmp_chain_judge(chain, &row->form, &err)) {
		*detail = err.why;
		return IKE_R_UNEXPECTED_PAYLOAD;
	}
	if (row->first && (chain->n == 0 || chain->pl[0].type != row->first)) {
		*detail = "payloads out of order";
		return IKE_R_UNEXPECTED_PAYLOAD;
	}
	return IKE_R_OK;
}
