/* port_leave.h - the way of a port out of the guest: the guest is asked for its cards and has until the port's deadline; of a team the transient
 * card goes first, so that the guest has one until the end. Ports are named by their place in s->spec[].
 */
#ifndef ANYNIC_CLI_PORT_LEAVE_H
#define ANYNIC_CLI_PORT_LEAVE_H

#include "cli/port_change.h"

/* Begins. False: it cannot, and who asked was told. */
bool port_leave_begin(struct service *s, unsigned port, const struct port_order *order);

/* Something about a card of a port that is in, or on its way out, changed. A guest may let go of cards by itself, or late. */
void port_leave_go_on(struct service *s, unsigned port);

/* The guest keeps it; who asked is told. */
void port_leave_not(struct service *s, unsigned port);

#endif
