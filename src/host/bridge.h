/* bridge.h - a tap on a bridge of the host: made for the port, enslaved, and gone with its descriptors. */
#ifndef ANYNIC_HOST_BRIDGE_H
#define ANYNIC_HOST_BRIDGE_H

#include "host/open.h"

int host_bridge_open(const struct backend_request *request, struct opened_backend *out,
		     struct error *err);

/* What of its failures can be seen without making anything. */
int host_bridge_look(const struct backend_request *request, struct error *err);

/* "br0, virbr0" or "none": the Linux bridges of this host. */
void host_bridge_names(char *to, size_t size);

/* The host's side of a guest's wire: the guest's MAC with first byte FE (FA when the guest's begins so), as libvirt does, so that a
 * bridge, which takes the lowest MAC of its ports, never takes this one. */
void host_side_mac(const uint8_t guest[MAC_LEN], uint8_t mac[MAC_LEN]);

#endif
