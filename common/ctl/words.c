#include "common/ctl/words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/base/addr.h"

// Where each row may stand: bit i set means token i may come next, bit n that the row is complete.
struct live {
	uint32_t at[CTL_MAX_CMDS];
};

static bool all_capitals(const char *word)
{
	bool upper = false;

	for (; *word; word++) {
		if (islower((unsigned char)*word))
			return false;
		upper |= isupper((unsigned char)*word) != 0;
	}
	return upper;
}

static void row_init(struct ctl_row *r, const struct ctl_cmd *cmd)
{
	size_t opened = CTL_MAX_TOKENS; // where the open bracket stands, if one is

	r->cmd = cmd;
	r->n = 0;
	for (const char *p = cmd->syntax; *p;) {
		size_t len = strcspn(p, " "), i = r->n;
		struct ctl_token *t = &r->token[i];
		const char *next = p + len + strspn(p + len, " ");

		BUG_ON(i == CTL_MAX_TOKENS);
		t->skip_to = (uint8_t)i;
		if (*p == '[') {
			BUG_ON(opened != CTL_MAX_TOKENS);
			opened = i;
			p++, len--;
		}
		if (len > 0 && p[len - 1] == ']') {
			BUG_ON(opened == CTL_MAX_TOKENS);
			r->token[opened].skip_to = (uint8_t)(i + 1);
			opened = CTL_MAX_TOKENS;
			len--;
		}
		BUG_ON(len == 0 || len >= CTL_WORD_SIZE);
		memcpy(t->word, p, len);
		t->word[len] = '\0';
		t->any = all_capitals(t->word);
		r->n++;
		p = next;
	}
	BUG_ON(r->n == 0 || opened != CTL_MAX_TOKENS);
}

void ctl_grammar_init(struct ctl_grammar *g, const struct ctl_cmd *cmds)
{
	for (g->n = 0; cmds[g->n].syntax; g->n++) {
		BUG_ON(g->n == CTL_MAX_CMDS);
		row_init(&g->row[g->n], &cmds[g->n]);
	}
}

// Stand before token i, and wherever one gets from there by leaving out optional parts.
static uint32_t stand(const struct ctl_row *r, size_t i)
{
	uint32_t bits = 1u << i;

	while (i < r->n && r->token[i].skip_to != i) {
		i = r->token[i].skip_to;
		bits |= 1u << i;
	}
	return bits;
}

static void live_init(const struct ctl_grammar *g, struct live *l)
{
	for (size_t i = 0; i < g->n; i++)
		l->at[i] = stand(&g->row[i], 0);
}

static bool takes_any(const struct ctl_token *t, const char *word)
{
	struct addr a;

	if (strcmp(t->word, "ADDRESS") == 0)
		return addr_parse(word, &a) == 0;
	if (strcmp(t->word, "N") == 0)
		return *word && word[strspn(word, "0123456789")] == '\0';
	return *word != '\0';
}

// The next live token from (row, token) on, or false. Start with row and token 0.
static bool live_next(const struct ctl_grammar *g, const struct live *l, size_t *row, size_t *token)
{
	for (; *row < g->n; (*row)++, *token = 0) {
		for (; *token < g->row[*row].n; (*token)++) {
			if (l->at[*row] & 1u << *token)
				return true;
		}
	}
	return false;
}

#define FOR_EACH_LIVE(g, l, r, i) for (size_t r = 0, i = 0; live_next(g, l, &r, &i); i++)

// The one keyword that word means here; NULL when none does or (with *ambiguous set) several do.
static const char *pick_keyword(const struct ctl_grammar *g, const struct live *l, const char *word,
				bool *ambiguous)
{
	const char *found = NULL;
	size_t len = strlen(word);

	*ambiguous = false;
	FOR_EACH_LIVE(g, l, r, i)
	{
		const struct ctl_token *t = &g->row[r].token[i];

		if (t->any || len == 0 || strncasecmp(t->word, word, len) != 0)
			continue;
		if (t->word[len] == '\0') {
			*ambiguous = false;
			return t->word;
		}
		if (found && strcmp(found, t->word) != 0)
			*ambiguous = true;
		found = t->word;
	}
	return *ambiguous ? NULL : found;
}

// Move every row past word. full gets its whole spelling.
static enum ctl_verdict advance(const struct ctl_grammar *g, struct live *l, const char *word,
				const char **full)
{
	struct live to = { 0 };
	bool ambiguous, moved = false;
	const char *keyword = pick_keyword(g, l, word, &ambiguous);

	if (ambiguous)
		return CTL_AMBIGUOUS;
	FOR_EACH_LIVE(g, l, r, i)
	{
		const struct ctl_token *t = &g->row[r].token[i];

		if (keyword ? !t->any && strcmp(t->word, keyword) == 0
			    : t->any && takes_any(t, word)) {
			to.at[r] |= stand(&g->row[r], i + 1);
			moved = true;
		}
	}
	if (!moved)
		return CTL_INVALID;
	*l = to;
	*full = keyword ? keyword : word;
	return CTL_MATCH;
}

// Over the first n words. False with what is wrong in m.
static bool walk(const struct ctl_grammar *g, const char *const *words, size_t n, struct live *l,
		 struct ctl_match *m)
{
	*m = (struct ctl_match){ .verdict = CTL_INVALID };
	live_init(g, l);
	for (; m->at < n; m->at++) {
		if (m->at == CTL_MAX_WORDS)
			return false;
		m->verdict = advance(g, l, words[m->at], &m->full[m->at]);
		if (m->verdict != CTL_MATCH)
			return false;
	}
	return true;
}

static const struct ctl_cmd *complete_row(const struct ctl_grammar *g, const struct live *l)
{
	for (size_t i = 0; i < g->n; i++) {
		if (l->at[i] & 1u << g->row[i].n)
			return g->row[i].cmd;
	}
	return NULL;
}

void ctl_match(const struct ctl_grammar *g, const char *const *words, size_t n,
	       struct ctl_match *out)
{
	struct live l;

	if (!walk(g, words, n, &l, out))
		return;
	out->cmd = complete_row(g, &l);
	out->verdict = out->cmd ? CTL_MATCH : CTL_INCOMPLETE;
}

// Words that many rows share have no row of their own to explain them.
static const char *shared_help(const char *word)
{
	static const struct ctl_next known[] = {
		{ "clear", "Reset functions" },
		{ "crypto", "Encryption subsystem" },
		{ "gdoi", "Group Domain of Interpretation" },
		{ "gm", "Group member" },
		{ "group", "One group by its name" },
		{ "isakmp", "Phase 1 with key servers and members" },
		{ "ks", "Key server" },
		{ "show", "Show running system information" },
	};

	for (size_t i = 0; i < N_ELEMS(known); i++) {
		if (strcmp(known[i].word, word) == 0)
			return known[i].help;
	}
	return "";
}

// The row that may end with word explains it best, then the only row that has it.
static const char *help_of(const struct ctl_grammar *g, const struct live *l, const char *word)
{
	const char *only = NULL;
	bool shared = false;

	FOR_EACH_LIVE(g, l, r, i)
	{
		const struct ctl_row *row = &g->row[r];

		if (strcmp(row->token[i].word, word) != 0)
			continue;
		if (i + 1u == row->n)
			return row->cmd->help;
		shared |= only != NULL;
		only = row->cmd->help;
	}
	return shared ? shared_help(word) : only;
}

static bool is_listed(const struct ctl_next *out, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(out[i].word, word) == 0)
			return true;
	}
	return false;
}

size_t ctl_next(const struct ctl_grammar *g, const char *const *words, size_t n,
		struct ctl_next *out, size_t max, struct ctl_match *out_bad)
{
	const char *typed = words[n - 1];
	size_t n_out = 0, len = strlen(typed);
	const struct ctl_cmd *whole;
	struct live l;

	if (!walk(g, words, n - 1, &l, out_bad))
		return 0;
	FOR_EACH_LIVE(g, &l, r, i)
	{
		const struct ctl_token *t = &g->row[r].token[i];

		if (t->any ? len > 0 && !takes_any(t, typed)
			   : strncasecmp(t->word, typed, len) != 0)
			continue;
		if (n_out < max && !is_listed(out, n_out, t->word))
			out[n_out++] = (struct ctl_next){ t->word, help_of(g, &l, t->word) };
	}
	whole = len == 0 ? complete_row(g, &l) : NULL;
	if (whole && n_out < max)
		out[n_out++] = (struct ctl_next){ "<cr>", whole->help };
	return n_out;
}
