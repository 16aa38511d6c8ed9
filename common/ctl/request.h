// common/ctl/request.h - one question of a client, from the bytes of its frame.
// Decode floor: no state, no log. Every word is printable UTF-8 without control characters, so a
// handler may log it.
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/ctl/ctl.h"

#define CTL_MAX_REQUEST	 (64u << 10) // a question is small; answers may have CTL_MAX_FRAME
#define CTL_MAX_WORD_LEN 255
#define CTL_MAX_FILE	 30000 // octets, twice as many characters

struct ctl_request {
	json_t *tree; // owns the words
	bool help;    // lists what may follow instead of running anything
	bool json;
	size_t n_words;
	const char *words[CTL_MAX_WORDS];
	size_t file_len; // of a file that the client brought; wiped by _fini
	uint8_t *file;	 // NULL: none
};

// NULL, or why this is not a request (a constant text). *out_version gets the client's version, 0
// when it gave none. After NULL: ctl_request_fini().
MUST_CHECK const char *ctl_request_decode(const void *b, size_t len, struct ctl_request *out,
					  long long *out_version);
void ctl_request_fini(struct ctl_request *r);
