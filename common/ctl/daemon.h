// common/ctl/daemon.h - how every daemon is called: ksd, gmd, espd read their command line here.
//
//	-f, --file FILE   -n, --foreground   -c, --check   -V, --version   -h, --help   all of them
//	-d MODULE         debug lines, several times                                    where it says so
//	--keylog FILE     lab builds                                                    where it says so
//
// From:   main() of each.   To: priv, log.
// Always: hardens the process before anything else.
#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "common/base/err.h"

#if CONCLAVE_KEYLOG
#define CONCLAVE_KEYLOG_WORD " (lab build: keylog)"
#else
#define CONCLAVE_KEYLOG_WORD ""
#endif

struct daemon_args {
	const char *file, *keylog; // keylog NULL: not asked for
	bool to_stderr, check;
};

struct daemon_about {
	const char *name, *version; // --version prints both
	void (*help)(void);
	bool modules, keylog; // knows -d, --keylog
	const char *flag;     // one long word of its own, or NULL
	bool *flag_set;
};

// -1: go on with a; otherwise end with that status: 0 after --help and --version, 2 called wrongly.
MUST_CHECK int daemon_begin(const struct daemon_about *d, int argc, char **argv,
			    struct daemon_args *a);
// A settings_report: to standard error for --check, to the log otherwise.
void daemon_report_stderr(void *arg, const char *text);
void daemon_report_log(void *arg, const char *text);
// The key log of a lab build into *out, NULL where none is asked for. -errno, already logged.
MUST_CHECK int daemon_keylog(const struct daemon_args *a, FILE **out);
