/* builder.h - QEMU's line while it is being built: arguments.c does what a guest needs once, cards.c what each card needs. */
#ifndef ANYNIC_QEMU_BUILDER_H
#define ANYNIC_QEMU_BUILDER_H

#include "qemu/arguments.h"

/* Out of memory is noticed once, at the end. */
struct builder {
	struct qemu_arguments *out;
	const struct qemu_line *line;
	const struct qemu_setup *setup;
	enum qemu_bus bus;  /* where the machine takes cards */
	uint64_t memory;    /* of the machine without -m, bytes */
	json_object *words; /* "arguments" of the action that is being written; NULL = none */
	unsigned root_ports;
	uint8_t chassis[32];
	char bus_made[PORTS_MAX * PORT_NICS][24]; /* of those that XML names */
	unsigned buses;
	unsigned fdsets;
	bool failed;
};

void builder_word(struct builder *b, const char *fmt, ...) PRINTF(2, 3);

/* The words that follow belong to this action, until builder_end. The action is borrowed. */
json_object *builder_begin(struct builder *b, const char *action, const char *why);
void builder_end(struct builder *b);

/* Root ports with nothing behind them, where the machine has PCI Express. */
void builder_spare_ports(struct builder *b, unsigned count);

/* A card with all that it needs. */
int builder_card(struct builder *b, const struct port_spec *port, const struct nic_spec *nic,
		 struct error *err);

#endif
