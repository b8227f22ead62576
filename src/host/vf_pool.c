#include "host/vf_pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/netlink.h"
#include "host/vfio.h"

const char *const vf_state_names[] = {
	[VF_FREE] = "free", [VF_TAKEN] = "taken", [VF_BUSY] = "busy"
};
NAMES_MATCH(vf_state_names, VF_STATE_COUNT);

void vf_host_init(struct vf_host *host)
{
	*host = (struct vf_host){ .sys = SYSFS, .dev = "/dev" };
	pool_folder(host->folder, sizeof(host->folder));
}

void vf_source_finish(struct vf_source *source)
{
	free(source->list);
	source->list = NULL;
	source->count = 0;
}

const char *vf_pool_of(const struct pci_function *f)
{
	return f->pf[0] ? f->pf : f->pci;
}

/* --- is it free? ---------------------------------------------------------------------------------------------------- */

static enum vf_state look_at_use(const struct pool_use *use, char why[VF_WHY])
{
	if (pool_use_is_dead(use))
		(void)snprintf(why, VF_WHY,
			       "guest %.60s had it and was killed; what it left is still being put "
			       "in order (%.80s)",
			       use->guest, use->journal);
	else
		(void)snprintf(why, VF_WHY, "%s %.63s%s%.39s", use->pid ? "guest" : "by hand for",
			       use->guest, use->port[0] ? ", port " : "", use->port);
	return VF_TAKEN;
}

/* The host's own network uses it. */
static enum vf_state look_at_netdev(const char *netdev, char why[VF_WHY])
{
	struct netlink nl;
	struct link l, master;

	if (netlink_open(&nl, NULL) < 0)
		return VF_FREE;
	int rc = netlink_find(&nl, netdev, &l);
	bool owned = rc == 0 && l.master && netlink_get(&nl, l.master, &master) == 0;
	netlink_close(&nl);
	if (owned)
		(void)snprintf(why, VF_WHY, "%s belongs to %s", netdev, master.name);
	else if (rc == 0 && l.up)
		(void)snprintf(why, VF_WHY, "%s is up, the host uses it; next: ip link set %s down",
			       netdev, netdev);
	return owned || (rc == 0 && l.up) ? VF_BUSY : VF_FREE;
}

static enum vf_state look_at_driver(const struct vf_host *host, const struct pci_function *f,
				    char why[VF_WHY])
{
	if (!f->driver[0])
		return VF_FREE;
	if (vfio_is_driver(f->driver)) {
		if (!vfio_is_open(host->dev, f->group))
			return VF_FREE;
		(void)snprintf(why, VF_WHY, "another program has it by %s", f->driver);
		return VF_BUSY;
	}
	if (f->netdev[0])
		return look_at_netdev(f->netdev, why);
	(void)snprintf(
		why, VF_WHY,
		"driver %s has it, and its network device is not to be seen: it is in another "
		"network namespace, or a program's",
		f->driver);
	return VF_BUSY;
}

enum vf_state vf_look(const struct vf_host *host, const struct pool_file *p,
		      const struct pci_function *f, char why[VF_WHY])
{
	const struct pool_use *use = pool_file_find(p, f->pci);

	why[0] = '\0';
	if (use)
		return look_at_use(use, why);
	if (f->vfs) {
		(void)snprintf(why, VF_WHY, "it has %u virtual functions: those can be had",
			       f->vfs);
		return VF_BUSY;
	}
	return look_at_driver(host, f, why);
}

/* --- taking --------------------------------------------------------------------------------------------------------- */

/* A round through the pool: who asks, and what he saw. */
struct round {
	const struct vf_host *host;
	const struct vf_owner *owner;
	struct vf_picks *dry;
	bool single; /* it is asked for by its address */
	unsigned taken, busy;
	char pci[PCI_NAME], why[VF_WHY]; /* of the first that was not free */
};

/* It was kept for this guest, by hand or by this process before. */
static bool is_for(const struct pool_use *use, const struct vf_owner *owner)
{
	bool names = strcmp(use->guest, owner->guest) == 0 &&
		     (!use->port[0] || strcmp(use->port, owner->port) == 0);

	return !owner->by_hand && names && (use->pid == 0 || pool_use_is_ours(use));
}

static int note(struct pool_file *p, const struct pci_function *f, const struct vf_owner *owner,
		struct error *err)
{
	struct pool_use use;

	pool_use_init(&use, f->pci, owner->guest, owner->port);
	if (owner->by_hand)
		use.pid = 0;
	if (owner->journal)
		str_copy(use.journal, sizeof(use.journal), owner->journal);
	return pool_file_add(p, &use, err);
}

/* By a plan: one that is asked for by its address is the one that a network gave before. */
static bool was_picked(const struct round *r, const char *pci)
{
	for (unsigned i = 0; r->dry && !r->single && i < r->dry->count; i++)
		if (strcmp(r->dry->pci[i], pci) == 0)
			return true;
	return false;
}

static void count(struct round *t, const struct pci_function *f, enum vf_state state,
		  const char *why)
{
	if (t->taken + t->busy == 0) {
		str_copy(t->pci, sizeof(t->pci), f->pci);
		str_copy(t->why, sizeof(t->why), why);
	}
	t->taken += state == VF_TAKEN;
	t->busy += state == VF_BUSY;
}

/* 1 = it is ours now (or would be), 0 = not this one. `kept`: only if it is kept for us. */
static int try_one(struct round *r, const char *pci, bool kept, struct error *err)
{
	struct pool_file p = { .lock = -1 };
	struct pci_function f;
	char why[VF_WHY];

	if (pci_function_read(r->host->sys, pci, &f, NULL) < 0)
		return 0;
	int rc = r->dry ? pool_file_peek(&p, r->host->folder, vf_pool_of(&f), err)
			: pool_file_open(&p, r->host->folder, vf_pool_of(&f), err);
	if (rc < 0)
		return rc;
	const struct pool_use *use = pool_file_find(&p, pci);
	bool ours = use && is_for(use, r->owner), picked = was_picked(r, pci);
	enum vf_state state = vf_look(r->host, &p, &f, why);
	bool take = !picked && (kept ? ours : state == VF_FREE);
	if (take && ours)
		pool_file_remove(&p, pci, use->guest, use->port);
	if (take && !r->dry)
		rc = note(&p, &f, r->owner, err);
	else if (!kept && !take)
		count(r, &f, picked ? VF_TAKEN : state,
		      picked ? "another port of this guest" : why);
	int closed = pool_file_close(&p, err); /* one that was only peeked at is not written */
	if (rc == 0)
		rc = closed;
	return rc < 0 ? rc : take;
}

static int none_free(const struct vf_source *from, const struct round *t, struct error *err)
{
	if (from->single && from->count && t->taken + t->busy)
		return error_set(err, -EBUSY, "%s cannot be had: %s", t->pci, t->why);
	if (t->taken + t->busy == 0)
		return error_set(err, -ENODEV, "%s: none of its %u functions is on this host",
				 from->name, from->count);
	return error_set(err, -EBUSY,
			 "no function of %s is free: of %u, guests have %u, the host uses %u (%s: "
			 "%s); next: stop a guest, or see `anynic pool show %s`",
			 from->name, from->count, t->taken, t->busy, t->pci, t->why, from->name);
}

int vf_pool_take(const struct vf_host *host, const struct vf_source *from,
		 const struct vf_owner *owner, struct vf_picks *dry, char pci[PCI_NAME],
		 struct error *err)
{
	struct round r = { .host = host, .owner = owner, .dry = dry, .single = from->single };
	int rc = 0;

	pci[0] = '\0';
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned n = 0; rc == 0 && n < from->count; n++) {
			rc = try_one(&r, from->list[n], turn == 0, err);
			if (rc == 1)
				str_copy(pci, PCI_NAME, from->list[n]);
		}
	if (rc < 0)
		return rc;
	if (rc == 0)
		return none_free(from, &r, err);
	if (dry && dry->count < ARRAY_SIZE(dry->pci))
		str_copy(dry->pci[dry->count++], PCI_NAME, pci);
	return 0;
}

int vf_pool_release(const struct vf_host *host, const char *pci, const char *guest,
		    const char *port, struct error *err)
{
	struct pci_function f;
	struct pool_file p;

	if (pci_function_read(host->sys, pci, &f, NULL) < 0)
		return 0; /* its uses end with their processes */
	int rc = pool_file_open(&p, host->folder, vf_pool_of(&f), err);
	if (rc < 0)
		return rc;
	bool had = pool_file_remove(&p, pci, guest, port);
	rc = pool_file_close(&p, err);
	return rc < 0 ? rc : had;
}

int vf_pool_release_by_hand(const struct vf_host *host, const char *pci, struct error *err)
{
	struct pci_function f;
	struct pool_file p;
	char why[VF_WHY];

	int rc = pci_function_read(host->sys, pci, &f, err);
	if (rc == 0)
		rc = pool_file_open(&p, host->folder, vf_pool_of(&f), err);
	if (rc < 0)
		return rc;
	const struct pool_use *use = pool_file_find(&p, pci);
	if (!use) {
		rc = error_set(err, -ENOENT, "%s is nobody's", pci);
	} else if (use->pid) {
		look_at_use(use, why);
		rc = error_set(err, -EBUSY, "%s is in use: %s; next: stop the guest", pci, why);
	} else {
		pool_file_remove(&p, pci, use->guest, use->port);
	}
	int closed = pool_file_close(&p, rc == 0 ? err : NULL);
	return rc < 0 ? rc : closed;
}

/* --- making --------------------------------------------------------------------------------------------------------- */

/* Functions that somebody has do not vanish under him. */
static int check_unused(const struct vf_host *host, const struct pool_file *p,
			const struct pci_function *pf, struct error *err)
{
	static char vf[SRIOV_VFS_MAX][PCI_NAME];
	unsigned n =
		MIN(sriov_list(host->sys, pf->pci, vf, SRIOV_VFS_MAX), (unsigned)SRIOV_VFS_MAX);

	for (unsigned i = 0; i < n; i++) {
		struct pci_function f;
		char why[VF_WHY];

		if (pci_function_read(host->sys, vf[i], &f, NULL) == 0 &&
		    vf_look(host, p, &f, why) != VF_FREE)
			return error_set(err, -EBUSY, "function %u of %s, %s, is in use: %s", i,
					 pf->netdev[0] ? pf->netdev : pf->pci, vf[i], why);
	}
	return 0;
}

int vf_pool_set_count(const struct vf_host *host, const char *pf, unsigned count, struct error *err)
{
	struct pci_function now;
	struct pool_file p;
	int rc = pool_file_open(&p, host->folder, pf, err);

	if (rc == 0)
		rc = pci_function_read(host->sys, pf, &now, err);
	if (rc == 0 && count < now.vfs)
		rc = check_unused(host, &p, &now, err);
	if (rc == 0)
		rc = sriov_set_count(host->sys, pf, count, err);
	(void)pool_file_close(&p, NULL);
	return rc;
}
