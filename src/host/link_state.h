/* link_state.h - what the host's links mean for a port's backend: whether frames can pass, and why not. */
#ifndef ANYNIC_HOST_LINK_STATE_H
#define ANYNIC_HOST_LINK_STATE_H

#include "host/netlink.h"

/* What was found. A link that is gone has index 0. */
struct link_view {
	const char *ifname; /* of the tap or macvtap */
	bool made;	    /* it is ours; else somebody's who made it for us */
	bool returns;	    /* we can go on with another one in its place */
	struct link own;
	bool has_bridge; /* it was made for a Linux bridge */
	const char *bridge_name;
	struct link bridge; /* of that name now */
	bool has_switch; /* it was made for a bridge of Open vSwitch, which had a link of its name */
	bool has_device; /* it sits on a device */
	const char *device_name;
	struct link device;
};

/* True: frames can pass. Else `reason` says why not and, after "; next: ", what to do. */
bool link_state_judge(const struct link_view *v, char *reason, size_t size);

/* There is none of it any more: the link was deleted, or the Open vSwitch that knew it as a port was. */
bool link_state_gone(const struct link_view *v);

/* The tap lost its bridge, and one of that name is there (again): it may be put back. `was` is the index of the bridge it was in. A tap
 * that an administrator took out of a bridge that is still there stays out. */
bool link_state_rejoins(const struct link_view *v, unsigned was);

#endif
