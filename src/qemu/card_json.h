/* card_json.h - a card of QEMU's own as QEMU is told of it: its netdev, its device and its chardev. The same objects stand on QEMU's line
 * (cards.c) and go over QMP (plug.c); names of ids and properties, and which of them are written, are libvirt's. Opens nothing.
 */
#ifndef ANYNIC_QEMU_CARD_JSON_H
#define ANYNIC_QEMU_CARD_JSON_H

#include <json-c/json.h>

#include "config/spec.h"
#include "qemu/arguments.h"

#define CARD_ID_ROOM (ID_MAX + 8)

/* How the card's frames come to QEMU. */
struct card_way {
	const struct qemu_program *program; /* NULL = version not known: a new one */
	const struct qemu_card_fds *fds;    /* of a tap and of vdpa; never NULL */
	bool named;	    /* descriptors were passed over QMP under names: "fd-net0-0" */
	unsigned fdset;	    /* the set in which QEMU finds the descriptor of vdpa */
	const char *socket; /* of a socket of ours: stream, our vhost-user; else NULL */
	bool no_msix;	    /* interrupts of this card work as INTx only */
};

/* "hostnet0", "charnet0" */
void card_netdev_id(char id[CARD_ID_ROOM], const struct nic_spec *nic);
void card_chardev_id(char id[CARD_ID_ROOM], const struct nic_spec *nic);

/* "fd-net0-0", "vhostfd-net0-1": under which QMP's getfd keeps a descriptor. */
void card_fd_name(char name[CARD_ID_ROOM + 16], const struct nic_spec *nic, bool vhost, unsigned i);

bool card_has_netdev(const struct nic_spec *nic); /* all but those of other places */
bool card_has_chardev(const struct nic_spec *nic, const struct backend_spec *backend);

/* QEMU's name of the device: "virtio-net-pci". NULL: QEMU has no such card. */
const char *card_device_name(const struct nic_spec *nic);

json_object *card_netdev_json(const struct port_spec *port, const struct nic_spec *nic,
			      const struct card_way *way);

/* `bus` and `addr` NULL: QEMU puts it where there is room. */
json_object *card_device_json(const struct port_spec *port, const struct nic_spec *nic,
			      const struct card_way *way, const char *bus, const char *addr);

/* A card that anynic serves at `socket`. */
json_object *card_hosted_json(const struct nic_spec *nic, const char *socket, const char *bus,
			      const char *addr);

/* A comma in a value of QEMU's "a=b,c=d" is written twice. */
void card_double_commas(const char *from, char *to, size_t size);

/* -chardev's words, and the arguments of chardev-add. */
void card_chardev_option(const struct port_spec *port, const struct nic_spec *nic,
			 const struct card_way *way, char *to, size_t size);
json_object *card_chardev_json(const struct port_spec *port, const struct nic_spec *nic,
			       const struct card_way *way);

#endif
