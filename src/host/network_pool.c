#include "host/network_pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the functions behind <pf dev=> ---------------------------------------------------------------------------------- */

static bool add_device(struct network_spec *n, const char *name)
{
	return n->devs < NETWORK_DEVICES_MAX &&
	       str_copy(n->dev[n->devs++], sizeof(n->dev[0]), name);
}

/* As libvirt does it at the first port: PCI addresses where functions are handed on, else the names of their devices. */
static int list_functions(const struct vf_host *host, struct network_spec *n, struct error *err)
{
	char(*vf)[PCI_NAME] = calloc(SRIOV_VFS_MAX, PCI_NAME);
	struct pci_function pf, f;

	if (!vf)
		return error_set(err, -ENOMEM, "out of memory");
	int rc = pci_function_find(host->sys, n->pf, &pf, err);
	unsigned count = rc < 0 ? 0 : sriov_list(host->sys, pf.pci, vf, SRIOV_VFS_MAX);
	n->devs_are_pci = n->forward == FORWARD_HOSTDEV;
	for (unsigned i = 0; i < MIN(count, (unsigned)SRIOV_VFS_MAX); i++) {
		if (n->devs_are_pci)
			add_device(n, vf[i]);
		else if (pci_function_read(host->sys, vf[i], &f, NULL) == 0 && f.netdev[0])
			add_device(n, f.netdev);
	}
	free(vf);
	return rc;
}

/* --- ports ------------------------------------------------------------------------------------------------------------ */

/* The function is chosen by its own pool, which other networks and guests have a part in: to this network all others are taken. */
static int take_function(const struct vf_host *host, const struct network_spec *n,
			 const struct vf_owner *owner, struct vf_picks *dry,
			 struct network_use *use, char pci[PCI_NAME], struct error *err)
{
	struct vf_source source = { 0 };

	pci[0] = '\0';
	if (n->devs == 0)
		return 0; /* network_allocate says what is missing */
	int rc = vf_source_list(host, n->name, n->dev, n->devs, &source, err);
	if (rc == 0)
		rc = vf_pool_take(host, &source, owner, dry, pci, err);
	vf_source_finish(&source);
	for (unsigned i = 0; i < n->devs; i++)
		use->connections[i] = rc < 0 || strcmp(n->dev[i], pci) != 0;
	return rc;
}

static unsigned count_picks(const struct vf_picks *dry, const char *device)
{
	unsigned n = 0;

	for (unsigned i = 0; dry && i < dry->count; i++)
		n += strcmp(dry->pci[i], device) == 0;
	return n;
}

static int note(struct pool_file *p, const struct vf_owner *owner, struct vf_picks *dry,
		const char *device, struct error *err)
{
	struct pool_use use;

	if (dry) {
		if (dry->count < ARRAY_SIZE(dry->pci))
			str_copy(dry->pci[dry->count++], PCI_NAME, device);
		return 0;
	}
	pool_use_init(&use, device, owner->guest, owner->port);
	return pool_file_add(p, &use, err);
}

static int allocate_shared(const struct vf_host *host, const struct network_spec *n,
			   const struct interface_spec *interface, const struct vf_owner *owner,
			   struct vf_picks *dry, struct network_plug *plug, struct error *err)
{
	struct pool_file p = { .lock = -1 };
	struct network_use use = { 0 };
	char name[POOL_NAME + 8];

	(void)snprintf(name, sizeof(name), "network-%s", n->name);
	int rc = dry ? pool_file_peek(&p, host->folder, name, err)
		     : pool_file_open(&p, host->folder, name, err);
	if (rc < 0)
		return rc;
	/* a port that is asked for again (by the same process) does not count against itself */
	pool_file_remove_port(&p, owner->guest, owner->port);
	for (unsigned i = 0; i < n->devs; i++)
		use.connections[i] = pool_file_count(&p, n->dev[i]) + count_picks(dry, n->dev[i]);
	rc = network_allocate(n, interface, &use, plug, err);
	if (rc == 0 && plug->chosen >= 0)
		rc = note(&p, owner, dry, plug->device, err);
	int closed = pool_file_close(&p, rc == 0 ? err : NULL);
	return rc < 0 ? rc : closed;
}

static int allocate(const struct vf_host *host, const struct network_spec *n,
		    const struct interface_spec *interface, const struct vf_owner *owner,
		    struct vf_picks *dry, struct network_plug *plug, struct error *err)
{
	struct network_use use = { 0 };
	char pci[PCI_NAME];

	if (n->forward <= FORWARD_OPEN || n->bridge[0])
		return network_allocate(n, interface, &use, plug, err);
	if (n->forward != FORWARD_HOSTDEV)
		return allocate_shared(host, n, interface, owner, dry, plug, err);
	int rc = take_function(host, n, owner, dry, &use, pci, err);
	if (rc < 0)
		return rc;
	rc = network_allocate(n, interface, &use, plug, err);
	if (rc < 0 && pci[0] && !dry)
		(void)vf_pool_release(host, pci, owner->guest, owner->port, NULL);
	return rc;
}

int network_pool_allocate(const struct vf_host *host, const struct network_spec *network,
			  struct interface_spec *interface, const struct vf_owner *owner,
			  struct vf_picks *dry, struct network_plug *plug, struct error *err)
{
	int rc = network_check(network, NULL, err);

	if (rc < 0)
		return rc;
	struct network_spec *n = malloc(sizeof(*n));
	if (!n)
		return error_set(err, -ENOMEM, "out of memory");
	*n = *network;
	if (n->pf[0])
		rc = list_functions(host, n, err);
	if (rc == 0)
		rc = allocate(host, n, interface, owner, dry, plug, err);
	if (rc == 0)
		network_apply(plug, interface);
	else if (err && !err->where[0])
		(void)snprintf(err->where, sizeof(err->where), "network %.50s", n->name);
	free(n);
	return rc;
}

void network_pool_release(const struct vf_host *host, const char *network, const char *function,
			  const struct vf_owner *owner)
{
	struct pool_file p = { .lock = -1 };
	char name[POOL_NAME + 8];

	if (function[0])
		(void)vf_pool_release(host, function, owner->guest, owner->port, NULL);
	(void)snprintf(name, sizeof(name), "network-%s", network);
	if (pool_file_peek(&p, host->folder, name, NULL) < 0)
		return;
	bool used = p.uses > 0;
	(void)pool_file_close(&p, NULL);
	if (!used || pool_file_open(&p, host->folder, name, NULL) < 0)
		return;
	pool_file_remove_port(&p, owner->guest, owner->port);
	(void)pool_file_close(&p, NULL);
}
