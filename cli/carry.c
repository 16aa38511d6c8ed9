#include "cli/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ctl/hex.h"
#include "common/ctl/request.h"

static const char *name_of(const struct line *l, size_t at, char *err, size_t err_size)
{
	if (at < l->n_words)
		return l->words[at];
	snprintf(err, err_size, "the daemon asks for a file that was not named");
	return NULL;
}

static bool read_all(int fd, uint8_t *b, size_t max, size_t *len)
{
	ssize_t n;

	for (*len = 0; *len < max; *len += (size_t)n) {
		n = read(fd, b + *len, max - *len);
		if (n <= 0)
			return n == 0;
	}
	errno = EFBIG;
	return false;
}

uint8_t *carry_read(const struct line *l, size_t at, size_t *len, char *err, size_t err_size)
{
	const char *name = name_of(l, at, err, err_size);
	uint8_t *b = name ? malloc(CTL_MAX_FILE) : NULL;
	int fd = b ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	bool ok = fd >= 0 && read_all(fd, b, CTL_MAX_FILE, len);

	if (b && !ok) {
		snprintf(err, err_size, "%s: %s", name, strerror(errno));
		explicit_bzero(b, CTL_MAX_FILE);
		free(b);
		b = NULL;
	}
	if (fd >= 0)
		close(fd);
	return b;
}

static bool write_new(const char *name, const uint8_t *b, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, b, len) == (ssize_t)len && fsync(fd) == 0;
	if (close(fd) < 0 || !ok) {
		unlink(name);
		return false;
	}
	return true;
}

bool carry_write(const struct line *l, size_t at, const char *hex, char *err, size_t err_size)
{
	const char *name = name_of(l, at, err, err_size);
	size_t max = strlen(hex) / 2, len;
	uint8_t *b = name ? calloc(1, max + 1) : NULL;
	bool ok = b && hex_to(hex, b, max, &len);

	if (b && !ok)
		snprintf(err, err_size, "the daemon sent a file that does not decode");
	if (ok && !write_new(name, b, len)) {
		snprintf(err, err_size, "%s: %s", name, strerror(errno));
		ok = false;
	}
	if (b)
		explicit_bzero(b, max);
	free(b);
	return ok;
}
