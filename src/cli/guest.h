/* guest.h - from the words of `run` and `plan` to a guest that is checked: ports, QEMU line, QEMU program. Opens nothing of the
 * guest's; it asks the QEMU program for its version.
 */
#ifndef ANYNIC_CLI_GUEST_H
#define ANYNIC_CLI_GUEST_H

#include "base/error.h"
#include "cli/request.h"
#include "config/interface_port.h"
#include "config/network.h"
#include "config/spec.h"
#include "qemu/detect.h"
#include "qemu/line.h"
#include "qemu/place.h"
#include "qemu/probe.h"

#define GUEST_NAME 64

enum guest_assumption { ASSUME_KVM, ASSUME_VHOST, ASSUME_VFIO, GUEST_ASSUMPTION_COUNT };

struct guest {
	char name[GUEST_NAME];
	struct port_spec port[PORTS_MAX];
	unsigned ports;
	unsigned spare_ports;  /* root ports for cards that come later */
	bool has_line;	       /* line is filled */
	struct qemu_line line; /* borrows request->qemu, or assumed[] */
	char *assumed[4];      /* a line for a plan without one */
	char assumed_program[40];
	bool has_program;
	struct qemu_program program;
	struct interface_list xml;			/* of --interfaces */
	struct interface_origin origin[INTERFACES_MAX]; /* what became of each of them */
	struct network_list networks;
	char place_why[PORTS_MAX]
		      [PLACE_WHY]; /* why a port that left it open lives in QEMU; or empty */
};

/* A part of guest_prepare, after the names are known: what each interface with type='network' is. */
int guest_networks(struct guest *guest, const struct guest_request *request, struct error *err);

/* Appends the networks of a file that libvirt would take: its rules, said of the line that breaks them. */
int guest_read_networks(struct network_list *list, const char *file, struct error *err);

/* "kvm,vhost,vfio", or some of them. */
int guest_read_assume(const char *text, unsigned *assume);

/* For a plan without a line: the shortest that there is. A team gets the machine that it needs. */
int guest_assume_line(struct guest *guest, const struct guest_request *request, struct error *err);

/* Fills and checks everything; prints what is doubtful of the XML. The error's code maps to the exit code with exit_code_of(). */
int guest_prepare(struct guest *guest, const struct guest_request *request, struct error *err);

/* How QEMU's own cards can be watched. That it cannot be tried is no reason not to start: it is logged. */
void guest_find_signals(const struct guest *guest, struct qemu_signals *signals);

/* The network that an interface with this alias has its port of; or "". */
const char *guest_network_of(const struct guest *guest, const char *alias);

/* Gives back what networks gave for the interfaces of guest->xml; who has nothing of them loses nothing. */
void guest_give_back_networks(const struct guest *guest);

/* One more port for a guest that runs with those of `present`: into more->port[0]. `more` becomes a copy of what is known of the guest; the
 * request has --nic or --interfaces, --networks and --place. What was taken of a network for it is the caller's to give back; when it
 * fails, nothing is taken. */
int guest_prepare_port(struct guest *more, const struct guest *guest,
		       const struct guest_request *request, const struct port_spec *present,
		       unsigned count, struct error *err);

#endif
