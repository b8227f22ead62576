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
};

/* Finds QEMU's own cards among control's ports. A vhost-user card is not one: its backend, ours, sees what the driver does. */
void card_watch_init(struct card_watch *w, struct control *control,
		     const struct qemu_signals *signals);

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
