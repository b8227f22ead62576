/* ask.h - of a team: whether the guest reads its persistent card. Nothing tells when it begins to: Linux does so somewhere between the moment
 * when its driver stops the transient card and the one when that is no bus master any more, and drops what came there before. So the guest
 * is asked (net/ask.h), on that card: who answers there reads it. Who does not answer is waited for.
 */
#ifndef ANYNIC_PORT_ASK_H
#define ANYNIC_PORT_ASK_H

#include "base/clock.h"
#include "net/ask.h"

#define PORT_ASK_NS (2 * NS_PER_MS) /* asked again so often */

struct port;
struct nic;

/* Times are told by how often the transient card's driver has been ready, 0 = never: what was asked or answered before it was ready the
 * last time is of no interest. */
struct port_ask {
	struct ask_whose who;
	uint32_t asked, answered;
};

/* What a batch of the backend's tells of the guest's address. */
void port_ask_learn(struct port *p);

/* Frames wait for a driver that is gone, and the guest has not answered yet: asks. True: ask again after PORT_ASK_NS. */
bool port_ask(struct port *p);

/* The card on which the guest has answered since its transient card's driver went, or NULL. */
struct nic *port_ask_answered(const struct port *p);

/* True for a frame of one of the guest's cards that is for us, and goes no further. */
bool port_ask_takes(struct port *p, struct nic *nic, const struct frame *f);

#endif
