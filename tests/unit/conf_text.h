// tests/unit/conf_text.h - a configuration as text: a file for readers, and what they say of it.
#pragma once
#include <unistd.h>

#include "tests/unit/unit.h"

struct told {
	char text[4096];
};

static inline void tell(void *arg, const char *text)
{
	struct told *t = arg;

	strncat(t->text, text, sizeof(t->text) - strlen(t->text) - 2);
	strcat(t->text, "\n");
}

// A file of its own with this text; the caller unlinks it.
#define CONF_TEXT_PATH "/tmp/conclave_conf_XXXXXX"
static inline void conf_text_file(const char *text, char path[sizeof(CONF_TEXT_PATH)])
{
	int fd;

	strcpy(path, CONF_TEXT_PATH);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}
