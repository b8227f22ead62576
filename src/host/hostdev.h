/* hostdev.h - a function of this host for a guest: chosen from its pool, taken from its driver, told its MAC and VLAN. */
#ifndef ANYNIC_HOST_HOSTDEV_H
#define ANYNIC_HOST_HOSTDEV_H

#include "host/open.h"
#include "host/vf_pool.h"

/* Which function a card would get now, without taking it: fills nic->host_pci where a pool says. `picks` is what the cards before it would
 * get. `text` becomes one line for people. `assume` (plan --assume vfio): as if the host had what was named. */
int host_hostdev_plan(struct nic_spec *nic, const char *guest, const char *port, bool assume,
		      struct vf_picks *picks, char *text, size_t size, struct error *err);

/* For open.c: request->nic says what is wanted; out->pci is what came. */
int host_hostdev_open(const struct backend_request *request, struct opened_backend *out,
		      struct error *err);

/* A function that was opened with request->unset: what it is told through its physical one (MAC, VLAN, ...) just before the guest gets it, and told
 * back when the guest has let go of it. In between its card hands it what is for the guest; before and after, a bridge on the same card gets
 * that. The journal knows. */
int host_hostdev_set(const struct backend_request *request, struct opened_backend *out,
		     struct error *err);
void host_hostdev_set_back(const struct opened_backend *out);

/* Whether this host has what it takes; see available.h. */
int host_has_hostdev(struct error *err);

#endif
