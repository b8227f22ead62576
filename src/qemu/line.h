/* line.h - what the user's own QEMU command line says, as far as anynic must know it. Read only: it is never changed.
 *
 * Options of QEMU that take an argument are known (options.c), so that a value that looks like an option is not taken
 * for one. An option that is not known is QEMU's business: QEMU says what is wrong with it.
 */
#ifndef ANYNIC_QEMU_LINE_H
#define ANYNIC_QEMU_LINE_H

#include "base/error.h"

#define QEMU_ID		    64
#define QEMU_OBJECTS_MAX    32
#define QEMU_DEFAULT_MEMORY (128ull << 20) /* without -m, on most machines */

/* -object memory-backend-* */
struct qemu_memory_object {
	char id[QEMU_ID];
	char type[32]; /* "memory-backend-memfd" */
	uint64_t size;
	bool share;
};

/* Where the line says that an object is the guest's memory. */
struct qemu_memory_use {
	char id[QEMU_ID];
	char option
		[48]; /* "-machine memory-backend", "-numa node,memdev", "-device pc-dimm,memdev" */
};

struct qemu_line {
	char *const *argv; /* borrowed: the user's words, argv[0] = the QEMU program */
	int argc;

	char target[24];  /* "x86_64", from the program's name; "" when it does not say */
	char machine[48]; /* type as the user wrote it; "" = QEMU's default */
	char memory_backend[QEMU_ID]; /* -machine memory-backend= */
	char name[QEMU_ID];	      /* -name guest= */

	bool memory_given; /* -m size */
	uint64_t memory;   /* bytes; QEMU_DEFAULT_MEMORY without -m */
	bool mem_path;	   /* -mem-path: QEMU makes a private backend of its own */

	struct qemu_memory_object object[QEMU_OBJECTS_MAX];
	unsigned objects;
	struct qemu_memory_use use[QEMU_OBJECTS_MAX]; /* memory that the guest's cards must reach */
	unsigned uses;
	unsigned numa_nodes; /* -numa node */
	unsigned numa_memdevs;

	bool stopped; /* -S */
	bool nodefaults;
	bool incoming; /* -incoming or -loadvm: the guest's state comes from elsewhere */
	const char
		*incoming_uri; /* not on the line: to be added; borrowed, NULL = nothing to add */
	bool readconfig;       /* a file that we did not read says more */
	bool network;	       /* -nic, -net or -netdev: QEMU adds no NIC of its own */
	bool monitor; /* -monitor, -qmp, -mon, a monitor object: QEMU adds no monitor of its own */
	bool serial;  /* -serial: QEMU adds no serial port of its own */
	bool nographic;
	unsigned vcpus;		/* -smp; 1 without */
	bool kvm;		/* an accelerator is named, and it is KVM */
	bool other_accelerator; /* one beside it may be what runs */

	uint8_t chassis[32]; /* one bit for each chassis number that the user's root ports take */
};

/* Reads argv[0..argc). -EINVAL with the reason when the line cannot work with hosted NICs whatever they are
 * (-daemonize, no program, a memory size that is none). */
int qemu_line_parse(struct qemu_line *line, char *const *argv, int argc, struct error *err);

/* True when the user's line has `-OPTION ...,id=ID`. */
bool qemu_line_has_id(const struct qemu_line *line, const char *option, const char *id);

/* "512M", "1.5G", a plain number counts in `unit` bytes. 0 or -EINVAL. */
int qemu_size_parse(const char *text, uint64_t unit, uint64_t *bytes);

/* Value of `key` in QEMU's "a=1,b=2" (",," is a comma) or in JSON '{"a":1}'. False when it is not there. The last one counts, as in
 * QEMU; `first_key`, if not NULL, is the key of a leading value without '='. */
bool qemu_option_get(const char *text, const char *first_key, const char *key, char *value,
		     size_t size);

#endif
