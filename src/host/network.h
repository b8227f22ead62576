/* network.h - what a port of libvirt's <network> really is, and which of the network's devices it gets.
 *
 * Pure functions over what the XML said and how many ports each device carries. Who keeps the counts, and knows the virtual functions
 * behind <pf dev=>, is network_pool.h: it writes them into the network's list before it asks here.
 */
#ifndef ANYNIC_HOST_NETWORK_H
#define ANYNIC_HOST_NETWORK_H

#include "base/error.h"
#include "config/network.h"

/* How many ports each device of a network carries, in the network's order. */
struct network_use {
	unsigned connections[NETWORK_DEVICES_MAX];
};

/* What a port of a network is. */
struct network_plug {
	enum interface_type actual; /* INTERFACE_BRIDGE, _DIRECT or _HOSTDEV */
	char bridge[16];	    /* of a bridge */
	char mode[16];		    /* of direct: vepa, bridge, private, passthrough */
	char device[16];	    /* of direct its device, of hostdev a PCI address */
	int chosen;		    /* which of the network's devices it is; -1 = none: a bridge */
	bool exclusive;		    /* no other port may have the device */
	bool managed;		    /* hostdev: bound to vfio-pci and back */
	char driver[16], variant[64];
	uint16_t mtu;
	struct network_port port; /* merged: interface before portgroup before network */
	char warning[160];	  /* what libvirt leaves out without a word; empty = nothing */
};

/* Whether libvirt would take such a network. `where` of the error is "network NAME"; `line`, if given, is that of the element. */
int network_check(const struct network_spec *network, unsigned *line, struct error *err);

/* The port of an interface with type='network'. -EBUSY: every device is taken, and this network shares none. */
int network_allocate(const struct network_spec *network, const struct interface_spec *interface,
		     const struct network_use *use, struct network_plug *plug, struct error *err);

/* The interface becomes what the plug says: `actual`, the backend's words, the function, what is done on the host. */
void network_apply(const struct network_plug *plug, struct interface_spec *interface);

/* By name, or NULL. */
const struct network_spec *network_find(const struct network_list *list, const char *name);

#endif
