// cli/shell.h - carry out one command line: ask the daemon that knows, print what it says.
// From:   gvsh.c and term.c with a line.   To: common/ctl.
// Always: errors read as IOS spells them.
#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "common/base/err.h"

#define SHELL_KSD_SOCKET "/run/conclave/ksd.sock"
#define SHELL_GMD_SOCKET "/run/conclave/gmd.sock"

enum shell_status { SHELL_OK, SHELL_REFUSED, SHELL_NO_ANSWER, SHELL_EXIT };

struct shell {
	const char *socket; // NULL: chosen by the words
	bool json;
	size_t prompt_len; // columns before the line on the terminal; carets are moved by it
	bool echo;	   // the line stands nowhere yet: print it above a caret
	FILE *out, *err;
};

enum shell_status shell_run(const struct shell *s, const char *text);
// May the line hold a password? Then neither history nor the process list keeps it.
bool shell_hides(const char *text);
// What `?` behind text lists.
void shell_help(const struct shell *s, const char *text);
// Tab: the characters that can only follow. Returns how many were written to out.
size_t shell_complete(const struct shell *s, const char *text, char *out, size_t size);
