// tests/fuzz/replay.c - run a fuzz target over the files of its corpus, in any build.
// Every input is copied to a buffer of its exact size, so that a sanitizer sees each octet too far.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t len);

#define INPUT_MAX (1u << 20)

static int replay(const char *path)
{
	static uint8_t all[INPUT_MAX];
	FILE *f = fopen(path, "re");
	uint8_t *exact;
	size_t len;

	if (!f) {
		perror(path);
		return -1;
	}
	len = fread(all, 1, sizeof(all), f);
	fclose(f);
	exact = malloc(len ? len : 1);
	if (!exact)
		return -1;
	memcpy(exact, all, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent *e;
	char path[4096];
	unsigned n = 0;
	DIR *d;

	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
		return 2;
	}
	d = opendir(argv[1]);
	if (!d) {
		perror(argv[1]);
		return 1;
	}
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
		if (replay(path) < 0)
			return 1;
		n++;
	}
	closedir(d);
	printf("%u inputs\n", n);
	return n > 0 ? 0 : 1; // an empty corpus tests nothing
}
