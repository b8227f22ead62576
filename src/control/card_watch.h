/* card_watch.h - QEMU's own cards of a guest: what nic_status sees of them goes to control, its questions to QEMU's monitor, and its
 * deadline into the loop. The owner hands over what the monitor says, in this order for an event: card_watch_event, then control.
 */
#ifndef ANYNIC_CONTROL_CARD_WATCH_H
#define ANYNIC_CONTROL_CARD_WATCH_H

#include "control/control.h"
#include "qemu/nic_status.h"

struct card_watch {
	struct control *control; /* borrowed */
	struct loop_timer timer; /* KIND_CARD_TIMER */
	struct nic_status status;
	bool take_over; /* once all cards have been seen in a guest that runs */
};

/* No card is watched yet. */
void card_watch_init(struct card_watch *w, struct control *control,
		     const struct qemu_signals *signals);

/* QEMU's own cards among control's ports. A vhost-user card is not one: its backend, ours, sees what the driver does. */
void card_watch_add_ports(struct card_watch *w);

/* QEMU has the cards of one port more, or less. */
void card_watch_port_came(struct card_watch *w, const struct port_spec *port);
void card_watch_port_goes(struct card_watch *w, const struct port_spec *port);

/* A card of a QEMU that someone else started; `no_ring` as in nic_status.h. */
void card_watch_add(struct card_watch *w, const struct nic_spec *nic, const char *owner,
		    const char *device, bool no_ring);

/* With the first look, whose drivers are no news to the guest, control takes over the links. */
void card_watch_take_over(struct card_watch *w);

/* True when there are such cards, or could be. */
bool card_watch_needed(const struct port_spec *ports, unsigned count);

/* The monitor of control is ready, or is gone. */
void card_watch_start(struct card_watch *w);
void card_watch_stop(struct card_watch *w);

/* A reply or an error. False when the command was not ours. */
bool card_watch_reply(struct card_watch *w, const struct qmp_item *item);
void card_watch_event(struct card_watch *w, const char *name, json_object *data);
void card_watch_timer(struct card_watch *w);

/* The monitor has been read: the guest's CPUs may have been stopped or continued, links may have been confirmed. */
void card_watch_go_on(struct card_watch *w);

#endif
