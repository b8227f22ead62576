/* vf_pool.h - which function of this host a guest gets: one that is free, and nobody else's.
 *
 * A pool is the virtual functions of a device, or a list of PCI addresses. Who has one is kept in a file for each physical function
 * (pool_file.h) and compared with what is: a function whose network device the host uses, or that another program has, is not given.
 */
#ifndef ANYNIC_HOST_VF_POOL_H
#define ANYNIC_HOST_VF_POOL_H

#include "host/pci_function.h"
#include "host/pool_file.h"

/* Where things are. */
struct vf_host {
	char sys[64], dev[64], folder[POOL_PATH];
};

void vf_host_init(struct vf_host *host);

/* What dev= of a function names. */
struct vf_source {
	char name[64];		/* as it was named */
	char pf[PCI_NAME];	/* its virtual functions; empty = the list */
	char (*list)[PCI_NAME]; /* room for SRIOV_VFS_MAX; vf_source_finish frees it */
	unsigned count;
	bool single; /* one function that was named, not a pool */
};

/* `name` is a network device with virtual functions, a PCI address, or a network of libvirt's that hands on functions. -ENOENT: none of
 * these; -ENOTSUP: a device that can have no virtual functions, or has none yet. */
int vf_source_find(const struct vf_host *host, const char *name, struct vf_source *out,
		   struct error *err);

/* A list of PCI addresses (a network's); they must be functions of this host. */
int vf_source_list(const struct vf_host *host, const char *name, const char (*pci)[16],
		   unsigned count, struct vf_source *out, struct error *err);
void vf_source_finish(struct vf_source *source); /* accepts a zeroed one */

enum vf_state { VF_FREE, VF_TAKEN, VF_BUSY, VF_STATE_COUNT };
extern const char *const vf_state_names[VF_STATE_COUNT]; /* free, taken, busy */

/* One function as it is now; `why` says who has it. `p` is the open file of its pool. */
#define VF_WHY 200
enum vf_state vf_look(const struct vf_host *host, const struct pool_file *p,
		      const struct pci_function *f, char why[VF_WHY]);

/* The name of the pool file that a function belongs to: that of its physical function, or its own. */
const char *vf_pool_of(const struct pci_function *f);

struct vf_owner {
	const char *guest, *port;
	const char *journal; /* NULL = none */
	bool by_hand;	     /* not this process's: stays until it is released */
};

/* What a look found and nobody took: so that a plan does not give one function twice. */
struct vf_picks {
	char pci[64][PCI_NAME];
	unsigned count;
};

/* The first that is free, in the order of the pool; one that is kept by hand for this guest comes before. With `dry` it is only found, and
 * noted there. -EBUSY: none is free, and why. */
int vf_pool_take(const struct vf_host *host, const struct vf_source *from,
		 const struct vf_owner *owner, struct vf_picks *dry, char pci[PCI_NAME],
		 struct error *err);

/* NULL is any guest, any port. 1, or 0 when nobody (of these) had it. */
int vf_pool_release(const struct vf_host *host, const char *pci, const char *guest,
		    const char *port, struct error *err);

/* For an administrator: what was kept by hand. -EBUSY: a guest has it; -ENOENT: nobody has. */
int vf_pool_release_by_hand(const struct vf_host *host, const char *pci, struct error *err);

/* As sriov_set_count, and nobody takes one meanwhile. -EBUSY: somebody has one of those that would go. */
int vf_pool_set_count(const struct vf_host *host, const char *pf, unsigned count,
		      struct error *err);

#endif
