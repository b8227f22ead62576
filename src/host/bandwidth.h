/* bandwidth.h - how much passes through an interface of the host each way: libvirt's <bandwidth>, by the kernel's own means and with
 * libvirt's numbers. What the interface sends is shaped (a class of HTB, streams share it by SFQ), what it receives is policed: what
 * is too much is dropped. Open vSwitch does it for its own ports: ovs.c.
 */
#ifndef ANYNIC_HOST_BANDWIDTH_H
#define ANYNIC_HOST_BANDWIDTH_H

#include "config/spec.h"
#include "host/netlink.h"

/* Whose way is in: a tap sends what the guest receives, a macvtap receives what the guest receives. */
enum bandwidth_view { BANDWIDTH_OF_TAP, BANDWIDTH_OF_MACVTAP };

#define BANDWIDTH_NEEDS_ROOT                                                                       \
	"limits (<bandwidth>) are root's to set (CAP_NET_ADMIN), and anynic-helper does not set "  \
	"them; next: start as root, or remove <bandwidth>"

bool bandwidth_is_set(const struct port_limits *limits);

/* Replaces what the link `index` had, on the ways that `limits` has. 0 when it has none. */
int bandwidth_set(struct netlink *nl, unsigned index, const struct port_limits *limits,
		  enum bandwidth_view view, struct error *err);

/* Takes away what bandwidth_set made of what the interface sends, and of what it receives. False: there was none. */
bool bandwidth_clear(struct netlink *nl, unsigned index, bool sends, bool receives);

/* --- the messages, one by one; for tests ------------------------------------------------------------------------- */

enum bandwidth_step {
	BANDWIDTH_DROP_ROOT,	/* whatever is there */
	BANDWIDTH_DROP_HTB,	/* only what SHAPE made */
	BANDWIDTH_DROP_INGRESS, /* whatever it has in it; a clsact is another kind, and stays */
	BANDWIDTH_SHAPE,
	BANDWIDTH_CLASS,
	BANDWIDTH_SHARE,
	BANDWIDTH_INGRESS,
	BANDWIDTH_POLICE,
	BANDWIDTH_STEP_COUNT
};

#define BANDWIDTH_ROOM 2048

struct nlmsghdr *bandwidth_message(char room[BANDWIDTH_ROOM], enum bandwidth_step step,
				   unsigned index, const struct bandwidth_limit *limit);

#endif
