/* place.h - where each card of a port lives, and how QEMU's own cards reach their frames. Decided before anything is opened. */
#ifndef ANYNIC_QEMU_PLACE_H
#define ANYNIC_QEMU_PLACE_H

#include "base/error.h"
#include "config/spec.h"
#include "qemu/detect.h"

/* A card of ours that QEMU has as well. */
struct qemu_card {
	const char *model;  /* as users write it */
	const char *device; /* QEMU's name */
	unsigned since;	    /* QEMU's major version that brought it; 0 = has always been there */
};

const struct qemu_card *qemu_card_find(const char *model); /* NULL: QEMU has no such card */

/* The model that a device of QEMU's is, also its variants; NULL: none of ours. */
const char *qemu_model_of(const char *device);

/* A netdev of QEMU's own for this type of backend, with nothing of ours in it. Those beside "user" only XML can ask for. */
bool qemu_netdev_exists(const char *backend);
bool qemu_netdev_is_xml_only(const char *backend);

#define PLACE_WHY 120

/* Decides place and netdev of all cards of a port. `program` NULL = not known: whatever it takes is there. `why` says in one line why
 * a port that left it open lives in QEMU; empty otherwise. -ENOTSUP with the next step when it cannot be had. */
int qemu_place_port(struct port_spec *port, const struct qemu_program *program, char why[PLACE_WHY],
		    struct error *err);

#endif
