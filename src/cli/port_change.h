/* port_change.h - ports that come and go while the guest runs: `anynic plug` and `anynic unplug`.
 *
 * A port that comes: what was asked for is read and checked (port_order.h), its backends are opened, the datapath gets its part, a root
 * port is looked for, then QEMU gets the cards one after the other (qemu/plug.h). What fails takes all of it back, in reverse. One comes at
 * a time.
 * A port that goes (port_leave.h): the guest is asked for its cards, all at once, and has a deadline; when they are out, the rest is taken
 * down. A guest that answers late is obeyed late. Of a team the transient card goes first, then the persistent one.
 *
 * QEMU has a time limit, too. When it does not answer, who asked hears so, and what was done is undone when it does answer: until then it may
 * still open what the host has for the port.
 *
 * The transient card of a team comes to QEMU at once, which hides it until the guest's virtio driver asks for it; but a function of the host
 * comes when the guest asks, by the hands of transient.h.
 */
#ifndef ANYNIC_CLI_PORT_CHANGE_H
#define ANYNIC_CLI_PORT_CHANGE_H

#include "config/interface.h"
#include "control/commands.h"
#include "control/place.h"
#include "qemu/plug.h"
#include "qemu/root_ports.h"

struct service;

enum port_stage {
	PORT_STAGE_NONE,      /* no such port, or one from QEMU's line that nobody has asked for */
	PORT_STAGE_SEARCHING, /* for a root port */
	PORT_STAGE_COMING,
	PORT_STAGE_THERE,
	PORT_STAGE_UNDOING, /* something failed on the way in */
	PORT_STAGE_GOING,
	PORT_STAGE_COUNT
};

/* A team goes card by card, so that the guest has one until the end. The last leg is for a guest whose virtio driver started anew meanwhile:
 * QEMU plugged the transient card again, and has nobody to hide it any more. */
enum port_leg { LEG_TRANSIENT, LEG_PERSISTENT, LEG_AGAIN, PORT_LEG_COUNT };

struct port_change {
	enum port_stage stage;
	enum port_leg leg;    /* of a team that goes */
	uint64_t deadline_ns; /* of what goes: the guest has so long; of what comes: QEMU */
	uint64_t client;      /* who waits for it; 0 = nobody, or nobody any more */
	struct error err;
	unsigned nic; /* of those that come: the one under way */
	struct plug card[PORT_NICS];
	struct qemu_card_fds fds[PORT_NICS];
	json_object *device[PORT_NICS]; /* of cards that we serve */
	char socket[PORT_NICS][SOCKET_PATH];
	char bus[PORT_NICS][ROOT_PORT_NAME];
	char network[INTERFACE_NAME]; /* of libvirt's, that its place was taken of */
	char note[240];		      /* for who asked */
};

struct port_changes {
	struct port_change port[PORTS_MAX];
	struct root_search roots;
	struct loop_timer timer; /* KIND_PLUG_TIMER */
	char hidden
		[PORTS_MAX]
		[ROOT_PORT_NAME]; /* of each team's transient card, also while QEMU hides it: its root port */
	bool shares_memory; /* of qemu_arguments */
};

/* Not there yet, and on its way in or back out. */
bool port_change_is_coming(const struct port_change *c);

void port_changes_init(struct port_changes *c);
void port_changes_finish(struct service *s); /* accepts one that was never used */

/* QEMU was started with these arguments. */
void port_changes_started(struct service *s, const struct qemu_arguments *arguments);

/* Takes what clients want, after commands_serve. */
void port_changes_serve(struct service *s);

/* QEMU's monitor: a reply or an error (false: it was not ours), an event, its end. */
bool port_changes_reply(struct service *s, const struct qmp_item *item);
void port_changes_event(struct service *s, const char *name, json_object *data);
void port_changes_lost(struct service *s);
void port_changes_timer(struct service *s);

#endif
