/* replay.c - runs a fuzz target without libFuzzer: over every file of its corpus, and over simple mutations of each, always
 * the same ones, so that a failure comes back. Usage: fuzz-NAME FOLDER-OR-FILE...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX 65536
#define MUTATIONS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static unsigned inputs;

static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* In a buffer of exactly its size, so that a sanitizer sees a read past the end. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	inputs++;
}

static void mutate(const uint8_t *data, size_t size)
{
	static uint8_t copy[INPUT_MAX];
	uint32_t x = 2463534242u + (uint32_t)size;

	for (unsigned i = 0; size && i < MUTATIONS; i++) {
		size_t length = i % 8 == 7 ? next_random(&x) % size : size;
		memcpy(copy, data, size);
		for (unsigned k = 0; k <= i % 4; k++)
			copy[next_random(&x) % size] = (uint8_t)next_random(&x);
		run(copy, length);
	}
}

static int replay_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *f = fopen(path, "rb");

	if (!f) {
		perror(path);
		return 1;
	}
	size_t size = fread(data, 1, sizeof(data), f);
	fclose(f);
	run(data, size);
	mutate(data, size);
	return 0;
}

static int replay(const char *path)
{
	struct stat st;
	char file[4096];
	int failed = 0;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return replay_file(path);
	DIR *d = opendir(path);
	if (!d) {
		perror(path);
		return 1;
	}
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		failed |= replay_file(file);
	}
	closedir(d);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	run((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	printf("%u inputs\n", inputs);
	return failed || inputs < 2; /* a corpus that is not there proves nothing */
}
