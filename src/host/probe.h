/* probe.h - backend=auto: finds out what dev= is, and which backend serves it. Looks only, makes nothing. */
#ifndef ANYNIC_HOST_PROBE_H
#define ANYNIC_HOST_PROBE_H

#include "base/error.h"
#include "config/spec.h"

/* Does nothing unless spec->type is "auto". Else type, and what it needs (br, dev, mode, ifname), are filled in and spec->chosen says
 * why. `networks` is the folder of libvirt's networks, NULL = the usual one. -ENOENT: NAME is nothing of this host. */
int host_probe(struct backend_spec *spec, const char *networks, struct error *err);

#endif
