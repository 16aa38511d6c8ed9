// Runs every file of a corpus directory through one fuzz target: corpus replay for compilers
// without libFuzzer. Fails when the directory has no file, so that a corpus cannot vanish unseen.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	struct stat st;
	size_t n;

	if (!f || fstat(fileno(f), &st) < 0) {
		perror(path);
		return -1;
	}
	data = malloc((size_t)st.st_size + 1);
	BUG_ON(!data);
	// The input ends where the allocation ends.
	n = fread(data + 1, 1, (size_t)st.st_size, f);
	fclose(f);
	fuzz_one(BYTES(data + 1, n));
	free(data);
	return 0;
}

static int replay_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[4096];
	int n = 0;

	if (!d) {
		perror(dir);
		return -1;
	}
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (replay_file(path) < 0)
			n = -1;
		if (n < 0)
			break;
		n++;
	}
	closedir(d);
	printf("%s: %d inputs\n", dir, n);
	return n > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	int status = argc > 1 ? 0 : 1;

	for (int i = 1; i < argc; i++) {
		if (replay_dir(argv[i]) < 0)
			status = 1;
	}
	return status;
}
