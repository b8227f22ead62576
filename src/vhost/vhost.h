/* vhost.h - the kernel's vhost-net: two rings of a guest, receive and transmit, served by a thread of the kernel between guest memory
 * and a tap.
 *
 * Works on descriptors that were opened elsewhere: one of /dev/vhost-net for each queue pair. The kernel takes host addresses, so
 * whoever has it running stops it before a mapping of guest memory goes away: the place may be somebody else's afterwards.
 */
#ifndef ANYNIC_VHOST_VHOST_H
#define ANYNIC_VHOST_VHOST_H

#include "mem/mem.h"

#define VHOST_REGIONS_MAX 64 /* what the kernel takes, unless it was told otherwise */

enum vhost_side { VHOST_RX, VHOST_TX, VHOST_RINGS };

struct vhost {
	int fd;
	int kick[VHOST_RINGS]; /* eventfds that the kernel waits for */
	bool running;
};

/* A ring as this process sees it: split, in mapped memory. */
struct vhost_ring {
	void *desc, *driver, *device;
	uint16_t size;
	uint16_t base; /* the next entry of the available ring */
	int call;      /* eventfd for "used"; -1 = nobody wants to know */
};

/* Feature bits that the kernel can serve. Negative errno for a descriptor that is none of vhost-net's. */
int vhost_features(int fd, uint64_t *features);

/* Takes `fd`, also on failure. The memory that rings lie in is that of the calling process. */
int vhost_init(struct vhost *v, int fd, struct error *err);
void vhost_finish(struct vhost *v); /* after vhost_init, also a failed one; stops it */

/* Guest memory, before vhost_start and after each new region. -E2BIG: more regions than the kernel takes. */
int vhost_set_memory(const struct vhost *v, const struct guest_mem *mem);

/* From now on the kernel reads and writes the rings and `tap`, and signals `error` when the guest's ring makes no sense.
 * Negative errno with nothing changed. */
int vhost_start(struct vhost *v, uint64_t features, const struct vhost_ring rings[VHOST_RINGS],
		int error, int tap);

/* When it returns, the kernel touches neither rings nor tap any more. `base` as in struct vhost_ring. */
void vhost_stop(struct vhost *v, uint16_t base[VHOST_RINGS]);

int vhost_set_call(const struct vhost *v, enum vhost_side side, int call);
void vhost_kick(const struct vhost *v, enum vhost_side side);

#endif
