/* port_order.h - what a client asks for with port-add and port-del: what it is, and whether it can be done now. Nothing of the guest that
 * runs is changed here; port_change.c carries it out.
 */
#ifndef ANYNIC_CLI_PORT_ORDER_H
#define ANYNIC_CLI_PORT_ORDER_H

#include "cli/guest.h"
#include "control/commands.h"

struct service;

/* A port that shall come, read and checked as `run` does it: more->port[0]. Returns its place among the ports. What was taken of a network
 * for it is the caller's to give back; when it fails, nothing is taken. */
int port_order_add(struct service *s, const struct port_order *order, struct guest *more,
		   struct error *err);

/* A port that shall go. Returns its place among the ports. */
int port_order_remove(const struct service *s, const struct port_order *order, struct error *err);

/* QEMU ends with a fault when this card is unplugged: its own bug, see docs/plug.md. */
bool port_order_kills_qemu(const struct nic_spec *nic);

#endif
