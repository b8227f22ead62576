/* vhost.h - driver=default|vhost|qemu: whether the kernel's vhost-net serves the rings of a port's virtio card, and why. */
#ifndef ANYNIC_HOST_VHOST_H
#define ANYNIC_HOST_VHOST_H

#include "base/error.h"
#include "config/spec.h"

#define VHOST_WHY 160

/* What was taken: DRIVER_VHOST or DRIVER_QEMU (user space), never DRIVER_DEFAULT. */
struct vhost_choice {
	enum backend_driver driver;
	char why[VHOST_WHY];
};

/* What would be taken, and nothing is opened. `assume`: as if the node were there. -ENOTSUP with the reason when driver=vhost cannot
 * be had. */
int host_vhost_plan(const struct port_spec *port, bool assume, struct vhost_choice *out,
		    struct error *err);

/* Opens the node once for each of `queues`, when it is wanted and the port's card can use it. Errors as above; with driver=default
 * there are none, but for a node that XML names and that is no such device (-ENODEV). */
int host_vhost_open(const struct port_spec *port, unsigned queues, int fds[QUEUES_MAX],
		    unsigned *nfds, struct vhost_choice *out, struct error *err);

#endif
