// dataplane/conf.h - espd's configuration file into struct conf.
// From: main.c.   To: common/ctl/settings, which reports file, line and word of what is wrong.
// Never: opens devices or applies anything.
#pragma once
#include "dataplane/espd.h"

// Every problem is printed to stderr. -EINVAL when there was one.
MUST_CHECK int conf_read(const char *path, struct conf *out);
void conf_describe(FILE *to); // the words, for --help
