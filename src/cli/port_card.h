/* port_card.h - one card of a port that is plugged into the guest that runs: which bus it goes to, and what QEMU is asked for.
 * s->changes.port[] has the rest (port_change.h).
 */
#ifndef ANYNIC_CLI_PORT_CARD_H
#define ANYNIC_CLI_PORT_CARD_H

#include <stdbool.h>

#include "base/error.h"

struct service;
struct nic_spec;

bool port_card_needs_root_port(const struct service *s, const struct nic_spec *nic);

/* Begins to plug card `nic` of port `port`. */
int port_card_put_in(struct service *s, unsigned port, unsigned nic, struct error *err);

/* A function of the host for a team: transient.h plugs it when the guest's virtio driver asks for it. */
void port_card_expect(struct service *s, unsigned port, unsigned nic);

#endif
