/* host_watch.h - the host's links behind the ports: a tap that is set down, a bridge that goes and comes back, a device without carrier.
 *
 * One netlink socket in control's loop. Whatever it says, the links that matter are looked up anew: news that were lost do no harm.
 */
#ifndef ANYNIC_CONTROL_HOST_WATCH_H
#define ANYNIC_CONTROL_HOST_WATCH_H

#include "control/control.h"
#include "host/netlink.h"
#include "host/open.h"

struct host_watch {
	struct link_news news;
	struct netlink nl;
	struct loop_source source;
	bool on;
};

/* A port's backend was opened: takes over its names, and what there is to watch. `nic`: whose it is, 0 when all share it. */
void control_host_opened(struct control_port *p, unsigned nic, const struct opened_backend *o);

/* The card is out of QEMU, and what was opened for it alone is no news any more. */
void control_host_left(struct control_port *p, unsigned nic);

/* One was deleted under us, and is looked for: `reason` is what is told meanwhile. */
void control_host_lost(struct control_port *p, const char *reason);

/* Looks at the links that were opened since. */
void control_host_look(struct control *c, struct host_watch *w);

/* Looks at all links once, then waits for news with KIND_NETLINK. A host that cannot be watched is logged: all else works. */
void control_host_start(struct control *c, struct host_watch *w);
void control_host_read(struct control *c, struct host_watch *w);
void control_host_stop(struct host_watch *w); /* accepts a zeroed one */

#endif
