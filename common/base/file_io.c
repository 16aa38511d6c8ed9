#include "common/base/file_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int file_read(const char *path, size_t max, char **out, size_t *len)
{
	FILE *f = fopen(path, "re");
	int err = 0;

	*out = NULL;
	*len = 0;
	if (!f)
		return -errno;
	*out = calloc(1, max + 1);
	if (*out)
		*len = fread(*out, 1, max + 1, f);
	if (!*out || ferror(f) || *len > max)
		err = !*out ? -ENOMEM : ferror(f) ? -EIO : -EFBIG;
	fclose(f);
	if (err) {
		file_free(*out, *len);
		*out = NULL;
	}
	return err;
}

void file_free(char *b, size_t len)
{
	if (b)
		explicit_bzero(b, len);
	free(b);
}
