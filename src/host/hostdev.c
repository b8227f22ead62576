/* The order is libvirt's: chosen, taken from its driver, then set up through its physical function. It is undone the other way round, so
 * that the host's driver finds the function as it left it. The transient card of a team is set up each time that it is plugged, and set
 * back each time that it is out: what the kernel's net_failover.rst has people do with `ip link set PF vf N mac`. */
#include "host/hostdev.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "host/netlink.h"
#include "host/vf_settings.h"
#include "host/vf_undo.h"
#include "host/vfio.h"

static const char *source_name(const struct nic_spec *nic)
{
	return nic->host_pci[0] ? nic->host_pci : nic->host_dev;
}

static int find_source(const struct vf_host *host, const struct nic_spec *nic,
		       struct vf_source *source, struct error *err)
{
	if (!source_name(nic)[0])
		return error_set(
			err, -EINVAL,
			"a card of model hostdev needs dev=: a device with virtual functions, "
			"a PCI address, or a network of libvirt's");
	return vf_source_find(host, source_name(nic), source, err);
}

/* "function 3 of eth0, 0000:01:10.6" */
static void describe(const struct vf_host *host, const struct pci_function *f, char *text,
		     size_t size)
{
	struct pci_function pf = { 0 };
	int number = f->pf[0] ? sriov_number(host->sys, f->pf, f->pci) : -1;

	if (number >= 0 && pci_function_read(host->sys, f->pf, &pf, NULL) == 0)
		(void)snprintf(text, size, "virtual function %d of %s, %s", number,
			       pf.netdev[0] ? pf.netdev : f->pf, f->pci);
	else
		(void)snprintf(text, size, "%s", f->pci);
}

/* --- plan ----------------------------------------------------------------------------------------------------------- */

/* Of a function that is not there nobody else knows that it was given. */
static int assume_once(const char *pci, struct vf_picks *picks, struct error *err)
{
	if (pci[0] == '<')
		return 0;
	for (unsigned i = 0; i < picks->count; i++)
		if (strcmp(picks->pci[i], pci) == 0)
			return error_set(err, -EBUSY, "%s is given to two cards; one has it", pci);
	if (picks->count < ARRAY_SIZE(picks->pci))
		str_copy(picks->pci[picks->count++], PCI_NAME, pci);
	return 0;
}

int host_hostdev_plan(struct nic_spec *nic, const char *guest, const char *port, bool assume,
		      struct vf_picks *picks, char *text, size_t size, struct error *err)
{
	const struct vf_owner owner = { .guest = guest, .port = port };
	struct vf_source source = { 0 };
	struct pci_function f;
	struct vf_host host;
	char pci[PCI_NAME];

	vf_host_init(&host);
	int rc = find_source(&host, nic, &source, err);
	if (rc == 0)
		rc = vf_pool_take(&host, &source, &owner, picks, pci, err);
	vf_source_finish(&source);
	if (rc == 0)
		rc = pci_function_read(host.sys, pci, &f, err);
	if (rc == 0 && !assume)
		rc = vfio_check_group(host.sys, &f, err);
	if (rc == 0) {
		str_copy(nic->host_pci, sizeof(nic->host_pci), pci);
		describe(&host, &f, text, size);
		return 0;
	}
	if (!assume || rc == -EINVAL)
		return rc;
	if (!nic->host_pci[0] && !pci_parse(nic->host_dev, nic->host_pci))
		str_copy(nic->host_pci, sizeof(nic->host_pci), "<pci>");
	rc = assume_once(nic->host_pci, picks, err);
	if (rc < 0)
		return rc;
	(void)snprintf(text, size, "a function of %s, which is assumed", source_name(nic));
	return 0;
}

/* --- open ----------------------------------------------------------------------------------------------------------- */

/* From the pool, with the journal's line first: what was taken ends with this process if that cannot be written. */
static int take(const struct vf_host *host, const struct backend_request *r,
		struct opened_backend *out, struct error *err)
{
	const struct vf_owner owner = { .guest = r->guest,
					.port = r->port,
					.journal = r->undo ? r->undo->path : NULL };
	struct vf_source source = { 0 };
	struct undo_step step;
	int rc = find_source(host, r->nic, &source, err);

	if (rc == 0)
		rc = vf_pool_take(host, &source, &owner, NULL, out->pci, err);
	vf_source_finish(&source);
	if (rc < 0)
		return rc;
	vf_undo_pool(&step, out->pci, r->guest, r->port);
	rc = opened_backend_note(out, &step, err);
	if (rc < 0)
		(void)vf_pool_release(host, out->pci, r->guest, r->port, NULL);
	return rc;
}

static int give_to_vfio(const struct vf_host *host, const struct nic_spec *nic,
			const struct pci_function *f, struct opened_backend *out, struct error *err)
{
	struct undo_step step;

	if (vfio_is_driver(f->driver) &&
	    (!nic->host_driver[0] || !strcmp(f->driver, nic->host_driver)))
		return 0;
	if (nic->host_managed == TRISTATE_OFF)
		return error_set(
			err, -EBUSY,
			"%s has driver %s, and managed='no' leaves it there; next: `driverctl "
			"set-override %s vfio-pci`, or managed='yes'",
			f->pci, f->driver[0] ? f->driver : "none", f->pci);
	vf_undo_driver(&step, f);
	int rc = opened_backend_note(out, &step, err);
	if (rc < 0)
		return rc;
	rc = vfio_bind(host->sys, f, nic->host_driver, err);
	if (rc < 0)
		opened_backend_forget(out);
	return rc;
}

/* The device of the physical function: its link is the function's, too. */
static int find_physical(const struct vf_host *host, struct netlink *nl,
			 const struct pci_function *f, struct vf_place *at,
			 struct opened_backend *out, struct error *err)
{
	int rc = vf_place_find(nl, host->sys, f, at, err);

	if (rc == 0 && !at->up)
		rc = error_set(err, -ENETDOWN,
			       "%s is down: its functions pass no frames; next: ip link set %s up",
			       at->pf, at->pf);
	if (rc < 0)
		return rc;
	out->ifindex = at->device;
	str_copy(out->ifname, sizeof(out->ifname), at->pf);
	return 0;
}

static void tell_skipped(const struct pci_function *f, const struct vf_place *at,
			 const char *skipped, struct opened_backend *out)
{
	char told[120];
	size_t end = strlen(out->reason);

	(void)snprintf(told, sizeof(told), "; the driver of %s does not set: %s", at->pf, skipped);
	if (!skipped[0] || strstr(out->reason, told))
		return;
	(void)snprintf(out->reason + end, sizeof(out->reason) - end, "%s", told);
	log_warning("%s: %s", f->pci, told + 2);
}

static int tell_physical(const struct backend_request *r, struct netlink *nl,
			 const struct pci_function *f, const struct vf_place *at,
			 const struct vf_settings *now, struct opened_backend *out,
			 struct error *err)
{
	struct vf_settings wanted;
	char skipped[80] = "";

	vf_settings_for(r->nic, r->link, &wanted);
	int rc = vf_settings_set(nl, at, &wanted, now, skipped, sizeof(skipped), err);
	if (rc == 0)
		tell_skipped(f, at, skipped, out);
	return rc;
}

static int read_settings(struct netlink *nl, const struct vf_place *at, struct vf_settings *now,
			 struct error *err)
{
	int rc = netlink_get_vf(nl, at->device, at->number, now);

	return rc < 0 ? error_set(err, rc, "%s does not tell about its function %u: %s", at->pf,
				  at->number, strerror(-rc))
		      : 0;
}

/* One that is told later keeps its own MAC until then: a driver that made that up would make up another one at its next reset, if the
 * physical function did not know it. */
static int set_up(const struct vf_host *host, const struct backend_request *r, struct netlink *nl,
		  const struct pci_function *f, struct opened_backend *out, struct error *err)
{
	struct vf_settings wanted, before;
	struct undo_step step;
	struct vf_place at;

	int rc = find_physical(host, nl, f, &at, out, err);
	if (rc == 0)
		rc = read_settings(nl, &at, &before, err);
	if (rc < 0)
		return rc;
	vf_settings_for(r->nic, r->link, &wanted);
	vf_undo_settings(&step, f->pci, &wanted, &before);
	rc = opened_backend_note(out, &step, err);
	if (rc < 0)
		return rc;
	if (r->unset) {
		if (!mac_is_zero(before.mac))
			(void)netlink_set_vf(nl, at.device, at.number, VF_MAC, &before);
		return 0;
	}
	rc = tell_physical(r, nl, f, &at, &before, out, err);
	if (rc < 0)
		opened_backend_forget(out);
	return rc;
}

/* A card of its own keeps the MAC that it has: nobody could tell it another one. */
static int set_up_if_virtual(const struct vf_host *host, const struct backend_request *r,
			     const struct pci_function *f, struct opened_backend *out,
			     struct error *err)
{
	struct netlink nl;

	if (!f->pf[0]) {
		size_t end = strlen(out->reason);
		(void)snprintf(out->reason + end, sizeof(out->reason) - end,
			       "; no virtual function: it keeps the MAC that it has");
		return 0;
	}
	int rc = netlink_open(&nl, err);
	if (rc < 0)
		return rc;
	rc = set_up(host, r, &nl, f, out, err);
	netlink_close(&nl);
	return rc;
}

int host_hostdev_set(const struct backend_request *request, struct opened_backend *out,
		     struct error *err)
{
	struct pci_function f = { 0 };
	struct vf_settings now;
	struct vf_host host;
	struct vf_place at;
	struct netlink nl;

	vf_host_init(&host);
	int rc = pci_function_read(host.sys, out->pci, &f, err);
	if (rc < 0 || !f.pf[0])
		return rc;
	rc = netlink_open(&nl, err);
	if (rc < 0)
		return rc;
	rc = find_physical(&host, &nl, &f, &at, out, err);
	if (rc == 0)
		rc = read_settings(&nl, &at, &now, err);
	if (rc == 0)
		rc = tell_physical(request, &nl, &f, &at, &now, out, err);
	netlink_close(&nl);
	return rc;
}

/* The journal's line stays: it says the same at the end. */
void host_hostdev_set_back(const struct opened_backend *out)
{
	struct error err = { 0 };

	for (unsigned i = 0; i < out->steps; i++)
		if (out->step[i].kind == UNDO_VF && undo_step_run(&out->step[i], &err) < 0)
			log_warning("%s", err.text);
}

static int check_access(const struct vf_host *host, const struct pci_function *f, struct error *err)
{
	int rc = vfio_check_access(host->dev, f, err);

	return rc == 1 ? error_set(err, -EBUSY, "%s is in use by another program, through VFIO",
				   f->pci)
		       : rc;
}

int host_hostdev_open(const struct backend_request *r, struct opened_backend *out,
		      struct error *err)
{
	struct pci_function f = { 0 };
	struct vf_host host;

	vf_host_init(&host);
	int rc = take(&host, r, out, err);
	if (rc == 0)
		rc = pci_function_read(host.sys, out->pci, &f, err);
	if (rc < 0)
		return rc;
	describe(&host, &f, out->reason, sizeof(out->reason));
	rc = vfio_check_group(host.sys, &f, err);
	if (rc == 0)
		rc = give_to_vfio(&host, r->nic, &f, out, err);
	if (rc == 0)
		rc = check_access(&host, &f, err);
	if (rc == 0)
		rc = set_up_if_virtual(&host, r, &f, out, err);
	if (rc == 0 && !f.resets)
		log_warning(
			"%s cannot be reset alone: the next guest may find what this one left in "
			"it",
			f.pci);
	return rc;
}

int host_has_hostdev(struct error *err)
{
	if (access(SYSFS "/kernel/iommu_groups/0", F_OK) == 0)
		return 0;
	return error_set(
		err, -ENOTSUP,
		"this host has no IOMMU, or it is off; next: switch VT-d or AMD-Vi on in the "
		"firmware, and boot with intel_iommu=on on Intel");
}
