/* request.h - the words that `run`, `serve`, `plan`, `xml` and `plug` share: which ports a guest is to have, and for which QEMU.
 */
#ifndef ANYNIC_CLI_REQUEST_H
#define ANYNIC_CLI_REQUEST_H

#include <stdbool.h>

#include "config/network.h"
#include "config/spec.h"

struct guest_request {
	const char *name;		   /* --name, or NULL */
	const char *nic[PORTS_MAX];	   /* --nic */
	unsigned nics;			   /* 0, and no XML: one port `auto` */
	const char *interfaces;		   /* --interfaces, or NULL */
	const char *network[NETWORKS_MAX]; /* --networks */
	unsigned networks;
	unsigned assume;   /* --assume: bits of what this host is taken to have */
	bool take;	   /* ports of networks are taken for this process, not only looked at */
	char *const *qemu; /* words after "--"; qemu_argc 0: a plan without a line */
	int qemu_argc;
	const char *incoming;	  /* run --incoming, or NULL */
	const char *qemu_program; /* plan --qemu, or NULL: qemu[0] */
	const char *qemu_version; /* plan --qemu-version, or NULL: ask the program */
	const char *place;	  /* --place, or NULL */
	unsigned spare_ports;	  /* run --spare-ports */
};

/* What getopt_long() returns for them: no letter has these values. Each verb lists those that it takes. */
enum request_word {
	WORD_NAME = 256,
	WORD_NIC,
	WORD_INTERFACES,
	WORD_NETWORKS,
	WORD_PLACE,
	WORD_ASSUME,
	WORD_INCOMING,
	WORD_SPARE_PORTS,
	WORD_QEMU,
	WORD_QEMU_VERSION,
};

/* Takes one word; the value is borrowed. EXIT_OK, or EXIT_USAGE after it was explained, also for what is no word of these. */
int guest_request_word(struct guest_request *request, const char *verb, int word,
		       const char *value);

#endif
