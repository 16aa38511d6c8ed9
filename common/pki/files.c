#include "common/pki/files.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, struct bytes b)
{
	while (b.len > 0) {
		ssize_t n = write(fd, b.p, b.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		b = BYTES(b.p + n, b.len - (size_t)n);
	}
	return fsync(fd) < 0 ? -errno : 0;
}

// The new name lasts only when the folder is on disk too.
static void sync_folder(const char *path)
{
	char copy[PATH_MAX];
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

int pki_file_write(const char *path, struct bytes b, mode_t mode)
{
	char tmp[PATH_MAX];
	int fd, err;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	unlink(tmp); // of a run that was killed
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	err = fchmod(fd, mode) < 0 ? -errno : write_all(fd, b);
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && rename(tmp, path) < 0)
		err = -errno;
	if (err)
		unlink(tmp);
	else
		sync_folder(path);
	return err;
}

char *pki_join(struct bytes key, const struct cert *const *certs, size_t n, size_t *len)
{
	char *chain = cert_to_pem(certs, n), *pem = NULL;

	*len = chain ? key.len + strlen(chain) : 0;
	if (chain)
		pem = malloc(*len + 1);
	if (pem) {
		memcpy(pem, key.p, key.len);
		strcpy(pem + key.len, chain);
	}
	free(chain);
	return pem;
}
