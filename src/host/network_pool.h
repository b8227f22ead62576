/* network_pool.h - a port of a libvirt network for a guest: network.h's rules with the counts of this host, kept while the guest lives. */
#ifndef ANYNIC_HOST_NETWORK_POOL_H
#define ANYNIC_HOST_NETWORK_POOL_H

#include "host/network.h"
#include "host/vf_pool.h"

/* Says what an interface with type='network' is, and writes it there (network_apply). A device or function is taken for `owner` until his
 * process ends; with `dry` it is only found, and noted there. -EINVAL: no network that libvirt would take; -EBUSY: none is free. */
int network_pool_allocate(const struct vf_host *host, const struct network_spec *network,
			  struct interface_spec *interface, const struct vf_owner *owner,
			  struct vf_picks *dry, struct network_plug *plug, struct error *err);

/* The port is not needed any more, and the process goes on. `function` is the PCI address that the interface got, or empty. What `owner`
 * has not is no error. */
void network_pool_release(const struct vf_host *host, const char *network, const char *function,
			  const struct vf_owner *owner);

#endif
