/* line.h - what the user's own QEMU command line says, as far as anynic must know it. Read only: it is never changed.
 *
 * Words of QEMU that take an argument are known (line_options.c), so that a value that looks like an option is not taken
 * for one. An option that is not known is QEMU's business: QEMU says what is wrong with it.
 */
#ifndef ANYNIC_QEMU_LINE_H
#define ANYNIC_QEMU_LINE_H

#include "base/error.h"

#define QEMU_ID 64
#define QEMU_OBJECTS_MAX 32
#define QEMU_DEFAULT_MEMORY (128ull << 20) /* without -m, on most machines */

/* -object memory-backend-* */
struct qemu_memory_object {
	char id[QEMU_ID];
	char type[32];      /* "memory-backend-memfd" */
	uint64_t size;
	bool share;
};

struct qemu_line {
	char *const *argv;  /* borrowed: the user's words, argv[0] = the QEMU program */
	int argc;

	char target[24];    /* "x86_64", from the program's name; "" when it does not say */
	char machine[48];   /* type as the user wrote it; "" = QEMU's default */
	char memory_backend[QEMU_ID]; /* -machine memory-backend= */
	char name[QEMU_ID]; /* -name guest= */

	bool memory_given;  /* -m size */
	uint64_t memory;    /* bytes; QEMU_DEFAULT_MEMORY without -m */
	char memory_text[32];
	bool mem_path;      /* -mem-path: QEMU makes a backend of its own */
	bool mem_prealloc;

	struct qemu_memory_object object[QEMU_OBJECTS_MAX];
	unsigned objects;
	char numa_memdev[QEMU_OBJECTS_MAX][QEMU_ID];
	unsigned numa_memdevs;
	unsigned numa_nodes; /* -numa node */

	bool stopped;       /* -S */
	bool nodefaults;
	bool daemonize;
	bool incoming;
	bool preconfig;
	bool readconfig;    /* a file that we did not read says more */
	bool network;       /* -nic, -net, -netdev or a network -device: the user looks after it */
	unsigned vcpus;     /* -smp; 1 without */

	/* What the user's own devices take, so that ours do not collide. */
	bool slot_used[32]; /* device numbers on pcie.0 or pci.0 that the user named */
	uint8_t chassis[32]; /* pcie-root-port chassis that the user named: bit = number % 8 of number / 8 */
	unsigned root_ports; /* user's own */
};

/* Reads argv[0..argc). -EINVAL with the reason when the line cannot work with hosted NICs whatever they are
 * (-daemonize, no program, a memory size that is none). */
int qemu_line_parse(struct qemu_line *line, char *const *argv, int argc, struct error *err);

/* "512M", "2G", "0x4000k", plain = `unit` bytes. 0 or -EINVAL. */
int qemu_size_parse(const char *text, uint64_t unit, uint64_t *bytes);

/* Value of key in QEMU's "a=1,b=2" with ",," for a comma. False when it is not there. The last one counts, as in QEMU;
 * `first_key`, if not NULL, is the name of a leading value without '='. */
bool qemu_option_get(const char *text, const char *first_key, const char *key, char *value, size_t size);

#endif
