/* ovn.h - a guest that comes from another host finds its ports bound: what a port of Open vSwitch needs before OVN forwards its frames.
 *
 * OVN's controller of this host writes ovn-installed into the row of the port's interface when its flows are in place. A guest that runs
 * before that is deaf, and what it says (RARP) is lost; while it still runs where it comes from, waiting costs nothing.
 */
#ifndef ANYNIC_HOST_OVN_H
#define ANYNIC_HOST_OVN_H

#include "host/open.h"

#define OVN_WAIT_MS 10000 /* then the guest may come all the same, and a warning says so */

enum ovn_verdict {
	OVN_NO_PART, /* no port of Open vSwitch that we made here, or none on a bridge of OVN's */
	OVN_BOUND,
	OVN_LATE,
	OVN_GONE,    /* somebody removed the port */
	OVN_STOPPED, /* by stop_fd */
	OVN_VERDICT_COUNT
};

struct ovn_wait {
	uint64_t begin_ns, end_ns; /* one deadline for all ports */
	int stop_fd;		   /* readable: nobody wants to wait any more; -1 = none */
};

void ovn_wait_begin(struct ovn_wait *w, unsigned ms, int stop_fd);

/* Waits for one port and logs how that went; `port` is its name. Which bridge is OVN's is what the database says: an iface-id alone may be
 * for another controller, which never writes ovn-installed. A database that hangs is waited for up to 5 s longer. */
enum ovn_verdict ovn_wait_port(const struct ovn_wait *w, const char *port,
			       const struct backend_spec *spec,
			       const struct opened_backend *opened);

#endif
