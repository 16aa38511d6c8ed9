// Bytes of a control-socket frame: decoded, and its words taken through a command table.
#include "common/ctl/request.h"
#include "common/ctl/words.h"
#include "tests/fuzz/fuzz.h"

static const struct ctl_cmd table[] = {
	{ "show crypto gdoi ks members [A.B.C.D]", "", NULL },
	{ "show crypto gdoi gm rekey [detail]", "", NULL },
	{ "crypto gdoi ks rekey [group NAME] [now]", "", NULL },
	{ "terminal length N", "", NULL },
	{ NULL, NULL, NULL },
};

static void check_match(const struct ctl_match *m, size_t n)
{
	BUG_ON((m->verdict == CTL_MATCH) != (m->cmd != NULL));
	BUG_ON(m->at > n);
	for (size_t i = 0; m->verdict == CTL_MATCH && i < n; i++)
		BUG_ON(!m->full[i]);
}

void fuzz_one(struct bytes input)
{
	struct ctl_grammar g;
	struct ctl_request r;
	struct ctl_match m;
	struct ctl_next next[4];
	long long version;

	if (ctl_request_decode(input.p, input.len, &r, &version) != NULL)
		return;
	ctl_grammar_init(&g, table);
	if (r.help) {
		BUG_ON(ctl_next(&g, r.words, r.n_words, next, N_ELEMS(next), &m) > N_ELEMS(next));
	} else {
		ctl_match(&g, r.words, r.n_words, &m);
		check_match(&m, r.n_words);
	}
	ctl_request_fini(&r);
}
