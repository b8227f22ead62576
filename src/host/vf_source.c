/* What dev= of a function may name. Names of the host come before libvirt's, as with backend=auto. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/libvirt_network.h"
#include "host/vf_pool.h"

static int make_list(struct vf_source *out, const char *name, struct error *err)
{
	*out = (struct vf_source){ .list = calloc(SRIOV_VFS_MAX, PCI_NAME) };
	str_copy(out->name, sizeof(out->name), name);
	return out->list ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int of_one(const struct pci_function *f, const char *name, struct vf_source *out,
		  struct error *err)
{
	int rc = make_list(out, name, err);

	if (rc < 0)
		return rc;
	str_copy(out->list[0], PCI_NAME, f->pci);
	out->count = 1;
	out->single = true;
	return 0;
}

static int of_device(const struct vf_host *host, const struct pci_function *f, const char *name,
		     struct vf_source *out, struct error *err)
{
	int rc = make_list(out, name, err);

	if (rc < 0)
		return rc;
	str_copy(out->pf, sizeof(out->pf), f->pci);
	out->count = MIN(sriov_list(host->sys, f->pci, out->list, SRIOV_VFS_MAX),
			 (unsigned)SRIOV_VFS_MAX);
	return 0;
}

/* `by_address`: the function itself was named, and not its network device. */
static int of_function(const struct vf_host *host, const struct pci_function *f, const char *name,
		       bool by_address, struct vf_source *out, struct error *err)
{
	if (f->vfs)
		return of_device(host, f, name, out, err);
	if (!CLASS_IS_NETWORK(f->class_code))
		return error_set(err, -EINVAL, "%s is no network card (class %06x)", f->pci,
				 f->class_code);
	if (by_address || f->pf[0])
		return of_one(f, name, out, err);
	if (f->vfs_max)
		return error_set(
			err, -ENOTSUP,
			"%s has no virtual functions yet; next: `anynic pool create %s --vfs "
			"%u` (at most %u)",
			name, name, MIN(f->vfs_max, 4u), f->vfs_max);
	return error_set(err, -ENOTSUP,
			 "%s can have no virtual functions; next: dev=%s hands on the card itself, "
			 "backend=direct shares it",
			 name, f->pci);
}

static int of_network(const struct vf_host *host, const char *name, struct vf_source *out,
		      struct error *err)
{
	struct libvirt_network network;
	struct pci_function f;
	int rc = libvirt_network_read(LIBVIRT_NETWORKS, name, &network, err);

	if (rc == -ENOENT || rc == -ENOTDIR)
		return error_set(err, -ENOENT,
				 "dev=%.60s is no network device, no PCI address and no network of "
				 "libvirt's; next: `anynic pool list` shows what can be had",
				 name);
	if (rc < 0)
		return rc;
	if (strcmp(network.forward, "hostdev") != 0)
		return error_set(err, -EINVAL,
				 "network %s does not hand on functions (forward mode='%s'); next: "
				 "backend=auto,dev=%s",
				 name, network.forward[0] ? network.forward : "none", name);
	if (network.pcis)
		return vf_source_list(host, name, (const char(*)[16])network.pci, network.pcis, out,
				      err);
	rc = pci_function_find(host->sys, network.dev, &f, err);
	if (rc < 0) {
		error_prefix(err, "network %s", name);
		return rc;
	}
	return of_function(host, &f, network.dev, false, out, err);
}

int vf_source_find(const struct vf_host *host, const char *name, struct vf_source *out,
		   struct error *err)
{
	struct pci_function f = { 0 };
	char pci[PCI_NAME];

	*out = (struct vf_source){ 0 };
	if (pci_parse(name, pci)) {
		int rc = pci_function_read(host->sys, pci, &f, err);
		return rc < 0 ? rc : of_function(host, &f, name, true, out, err);
	}
	int rc = pci_function_of_netdev(host->sys, name, pci, err);
	if (rc == -ENOENT)
		return of_network(host, name, out, err);
	if (rc == 0)
		rc = pci_function_read(host->sys, pci, &f, err);
	return rc < 0 ? rc : of_function(host, &f, name, false, out, err);
}

int vf_source_list(const struct vf_host *host, const char *name, const char (*pci)[16],
		   unsigned count, struct vf_source *out, struct error *err)
{
	struct pci_function f;
	int rc = make_list(out, name, err);

	for (unsigned i = 0; rc == 0 && i < MIN(count, (unsigned)SRIOV_VFS_MAX); i++) {
		rc = pci_function_read(host->sys, pci[i], &f, err);
		if (rc == 0 && !f.pf[0])
			rc = error_set(
				err, -EINVAL,
				"%s of network %s is no virtual function; a pool has only those",
				pci[i], name);
		if (rc == 0)
			str_copy(out->list[out->count++], PCI_NAME, pci[i]);
	}
	if (rc < 0)
		vf_source_finish(out);
	return rc;
}
