/* arguments.h - what anynic adds to the user's QEMU line, and why.
 *
 * Order: the user's words as they are, then -nic none, memory, monitor, root ports, NICs. Nothing is opened here.
 */
#ifndef ANYNIC_QEMU_ARGUMENTS_H
#define ANYNIC_QEMU_ARGUMENTS_H

#include <json-c/json.h>

#include "base/error.h"
#include "config/spec.h"
#include "qemu/detect.h"
#include "qemu/line.h"

/* How a NIC can be plugged into a machine: on its PCI bus, or behind a root port each. NONE: no PCI, or not known. */
enum qemu_bus { QEMU_BUS_NONE, QEMU_BUS_PCI, QEMU_BUS_PCIE };

/* Whether the guest's links are moved by QEMU: then it has to wait for them before its first instruction. */
bool qemu_moves_links(const struct port_spec *ports, unsigned count);

/* The bus that a machine type has; `machine` "" = the target's default. */
enum qemu_bus qemu_machine_bus(const char *target, const char *machine);

/* What QEMU inherits for a card of its own: the queues of a tap, and as many of /dev/vhost-net, or none. */
struct qemu_card_fds {
	char nic[ID_MAX];
	int tap[QUEUES_MAX];
	unsigned taps;
	int vhost[QUEUES_MAX];
	unsigned vhosts;
};

struct qemu_setup {
	const struct qemu_program *program; /* borrowed; NULL = version not known */
	const char *socket_dir; /* of the NICs' vfio-user sockets: socket_dir/NIC.sock */
	const struct qemu_card_fds *
		card_fds; /* borrowed; a card on a tap that is not here is only a plan: its number is shown as <fd> */
	unsigned cards;
	unsigned
		spare_ports; /* root ports for cards that come later, and memory that they can be served from */
	int qmp_fd; /* connected socket that QEMU inherits as its monitor; -1 = only a plan: shown as <fd> */
};

/* The vfio-user socket of a NIC. False when the path is too long for a UNIX socket. */
bool qemu_socket_path(char *to, size_t size, const char *socket_dir, const char *nic);

struct qemu_arguments {
	char **argv; /* ends with NULL; argv[0] = the user's program */
	int argc;
	int user_argc;	       /* argv[0..user_argc) are the user's words */
	bool shares_memory;    /* other processes can map the guest's memory */
	json_object *netdevs;  /* array: the -netdev objects */
	json_object *chardevs; /* array: the cards' -chardev options, as text */
	json_object *devices;  /* array: the NICs' -device objects */
	json_object *
		actions; /* array of {"action": ..., "why": ..., ...}: everything else that is added */
};

/* Whether hosted cards can work with this line at all: what qemu_arguments_build refuses, before anything is opened. */
int qemu_line_check(const struct qemu_line *line, const struct port_spec *ports, unsigned count,
		    struct error *err);

/* The same for a port that comes while the guest runs. `shares_memory` is that of the arguments it was started with. */
int qemu_line_check_plug(const struct qemu_line *line, bool shares_memory,
			 const struct port_spec *port, struct error *err);

/* QEMU 7.2 without KVM ends with a fault when rings that another process (`vhost`: or the kernel) serves have MSI-X: INTx does there. */
bool qemu_msix_kills(const struct qemu_program *program, const struct qemu_line *line,
		     const struct port_spec *port, const struct nic_spec *nic, bool vhost);

/* `ports` are valid and complete. On failure nothing is left to free. */
int qemu_arguments_build(struct qemu_arguments *a, const struct qemu_line *line,
			 const struct port_spec *ports, unsigned count,
			 const struct qemu_setup *setup, struct error *err);
void qemu_arguments_finish(struct qemu_arguments *a); /* accepts a zeroed one */

#endif
