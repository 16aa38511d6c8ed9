// common/ctl/words.h - the grammar of command tables: which row do these words mean, what is wrong
// with them, what may follow.
// Owns:   the split-up table (borrows the rows).
// From:   ctl.c with a request.   Never: I/O, allocation.
// Always: keywords match by unambiguous prefix, whatever their case; an exact keyword wins over a
//         longer one, a keyword over a word in capitals.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ctl/ctl.h"

#define CTL_MAX_CMDS   64
#define CTL_MAX_TOKENS 16
#define CTL_WORD_SIZE  32 // longest keyword of a table and its NUL

struct ctl_token {
	char word[CTL_WORD_SIZE];
	bool any;	 // a word in capitals
	uint8_t skip_to; // where an optional part that starts here ends; its own index: not
			 // optional
};

struct ctl_row {
	const struct ctl_cmd *cmd;
	uint8_t n;
	struct ctl_token token[CTL_MAX_TOKENS];
};

struct ctl_grammar {
	size_t n;
	struct ctl_row row[CTL_MAX_CMDS];
};

enum ctl_verdict { CTL_MATCH, CTL_INCOMPLETE, CTL_INVALID, CTL_AMBIGUOUS };

struct ctl_match {
	enum ctl_verdict verdict;
	const struct ctl_cmd *cmd; // CTL_MATCH
	size_t at;		   // CTL_INVALID, CTL_AMBIGUOUS: index of the word
	// The words in full: keywords from the table, the rest as typed (borrowed from either).
	const char *full[CTL_MAX_WORDS];
};

// What may stand next. help is "" where the table has nothing to say.
struct ctl_next {
	const char *word; // "<cr>": the line may end here
	const char *help;
};

// A table with a syntax this grammar does not know is a mistake of ours: BUG.
void ctl_grammar_init(struct ctl_grammar *g, const struct ctl_cmd *cmds);
void ctl_match(const struct ctl_grammar *g, const char *const *words, size_t n,
	       struct ctl_match *out);
// The last of the n words (n >= 1) is the one being typed, maybe "". Returns how many entries were
// written (at most max), 0 with out_bad set when an earlier word is wrong.
size_t ctl_next(const struct ctl_grammar *g, const char *const *words, size_t n,
		struct ctl_next *out, size_t max, struct ctl_match *out_bad);
