/* kernel.c - rings that the kernel's vhost-net serves for a while. */
#include "nic/virtio/kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/log.h"
#include "nic/virtio/virtio_net.h"
#include "vhost/vhost.h"

enum own_fd { FD_CALL, FD_ERROR };

struct virtio_kernel {
	struct vhost pair[VIRTIO_PAIRS];
	unsigned pairs;
	uint64_t features; /* that it serves */
	int fd[VIRTIO_KERNEL_FDS];
	/* what the kernel was told last */
	uint64_t irq_changes, generation;
	unsigned regions;
	uint16_t vector[2 * VIRTIO_PAIRS];
	enum pci_irq_mode mode;
	bool too_many_regions; /* of this map of memory; said once */
};

/* What concerns the layout of rings and headers: there the kernel must know it too. All else is the tap's or ours. */
#define RING_BITS                                                                                  \
	(VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) |           \
	 VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_RING_PACKED) |                       \
	 VIRTIO_BIT(VIRTIO_F_IN_ORDER) | VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF))

/* What a tap cannot do is not done in software on this path: it is not offered. */
static uint64_t without_offloads(uint64_t features, uint32_t offloads)
{
	static const struct {
		uint32_t frame;
		uint64_t bits;
	} map[] = {
		{ FRAME_CSUM, VIRTIO_BIT(VIRTIO_NET_F_CSUM) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) },
		{ FRAME_TSO4,
		  VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) },
		{ FRAME_TSO6,
		  VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO6) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6) },
		{ FRAME_ECN,
		  VIRTIO_BIT(VIRTIO_NET_F_HOST_ECN) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_ECN) },
		{ FRAME_USO, VIRTIO_BIT(VIRTIO_NET_F_HOST_USO) |
				     VIRTIO_BIT(VIRTIO_NET_F_GUEST_USO4) |
				     VIRTIO_BIT(VIRTIO_NET_F_GUEST_USO6) },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(map); i++)
		if (!(offloads & map[i].frame))
			features &= ~map[i].bits;
	return virtio_mend_features(features, features);
}

static void memory_leaves(struct guest_mem *m)
{
	struct nic *nic = (struct nic *)(void *)((uint8_t *)m - offsetof(struct nic, mem));

	virtio_kernel_release(virtio_of(nic));
}

static int open_pairs(struct virtio_kernel *k, const int *fds, unsigned count, struct error *err)
{
	int rc = 0;

	for (unsigned i = 0; i < count; i++) {
		int fd = fds[i];

		if (rc < 0 || k->pairs == VIRTIO_PAIRS) {
			fd_close(&fd);
			continue;
		}
		rc = vhost_init(&k->pair[k->pairs++], fd, err);
	}
	if (rc == 0)
		rc = vhost_features(k->pair[0].fd, &k->features);
	return rc < 0 ? error_set(err, rc, "vhost-net: not usable: %s", strerror(-rc)) : 0;
}

int virtio_kernel_init(struct nic *nic, const int *fds, unsigned count, uint32_t offloads,
		       struct error *err)
{
	struct virtio_net *v = virtio_of(nic);
	struct virtio_kernel *k = v->kernel || !count ? NULL : calloc(1, sizeof(*k));

	if (!k) {
		for (unsigned i = 0; i < count; i++)
			close(fds[i]);
		return error_set(err, -EINVAL, "%s takes no (more) vhost-net", nic->spec.id);
	}
	v->kernel = k;
	for (unsigned i = 0; i < VIRTIO_KERNEL_FDS; i++)
		k->fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int rc = open_pairs(k, fds, count, err);
	if (rc < 0 || k->fd[FD_CALL] < 0 || k->fd[FD_ERROR] < 0) {
		virtio_kernel_finish(v);
		return rc < 0 ? rc : error_set(err, -EMFILE, "vhost-net: no eventfd");
	}
	v->offered = without_offloads(v->offered & ~(RING_BITS & ~k->features), offloads);
	v->state.device_feature = (uint32_t)v->offered;
	nic->mem.leave = memory_leaves;
	return 0;
}

void virtio_kernel_finish(struct virtio_net *v)
{
	struct virtio_kernel *k = v->kernel;

	if (!k)
		return;
	v->nic.mem.leave = NULL;
	v->kernel = NULL;
	v->kernel_rings = 0;
	for (unsigned i = 0; i < k->pairs; i++)
		vhost_finish(&k->pair[i]);
	for (unsigned i = 0; i < VIRTIO_KERNEL_FDS; i++)
		fd_close(&k->fd[i]);
	free(k);
}

bool virtio_kernel_can(const struct nic *nic)
{
	return ((const struct virtio_net *)nic)->kernel;
}

unsigned virtio_kernel_has(const struct nic *nic)
{
	return ((const struct virtio_net *)nic)->kernel_rings / 2;
}

static bool map_is_known(const struct virtio_net *v)
{
	return v->kernel->generation == v->nic.mem.generation &&
	       v->kernel->regions == v->nic.mem.regions;
}

/* With more regions than the kernel takes, rings stay with us: such a map is no error of the guest's. */
static bool tell_memory(struct virtio_net *v)
{
	struct virtio_kernel *k = v->kernel;

	k->generation = v->nic.mem.generation;
	k->regions = v->nic.mem.regions;
	int rc = 0;
	for (unsigned i = 0; i < k->pairs && rc == 0; i++)
		rc = vhost_set_memory(&k->pair[i], &v->nic.mem);
	if (rc < 0 && !k->too_many_regions)
		log_warning("%s: the rings stay in user space: vhost-net does not take the map of "
			    "guest memory (%u regions): %s",
			    v->nic.spec.id, k->regions, strerror(-rc));
	k->too_many_regions = rc < 0;
	return rc == 0;
}

unsigned virtio_kernel_wish(struct nic *nic, unsigned *header)
{
	struct virtio_net *v = virtio_of(nic);
	unsigned pairs = v->state.pairs;

	if (!v->kernel || !virtio_running(v) || nic->stopped || !nic->mem.bus_master ||
	    !v->state.rx_given || v->lost_ns || pairs > v->kernel->pairs ||
	    virtio_has(v, VIRTIO_F_RING_PACKED) || (v->kernel->too_many_regions && map_is_known(v)))
		return 0;
	for (unsigned i = v->kernel_rings; i < 2 * pairs; i++)
		if (!ring_usable(&v->ring[i]))
			return 0;
	*header = virtio_header_size(v);
	return pairs;
}

/* The eventfd of the VMM's that a queue's interrupts can go to without us; ours when there is none; -1 for a driver that polls. */
static int call_fd(const struct virtio_net *v, unsigned queue)
{
	const struct pci_device *dev = &v->nic.pci;
	uint16_t vector = v->state.queue[queue].vector;

	if (pci_irq_mode(dev) != IRQ_MSIX)
		return v->kernel->fd[FD_CALL];
	if (vector == VIRTIO_MSI_NO_VECTOR)
		return -1;
	int fd = vector < PCI_VECTORS_MAX ? dev->irq_fd[PCI_MSIX][vector] : -1;
	return fd >= 0 ? fd : v->kernel->fd[FD_CALL];
}

static void remember_calls(struct virtio_net *v)
{
	struct virtio_kernel *k = v->kernel;

	k->irq_changes = v->nic.pci.irq_changes;
	k->mode = pci_irq_mode(&v->nic.pci);
	for (unsigned i = 0; i < 2 * VIRTIO_PAIRS; i++)
		k->vector[i] = v->state.queue[i].vector;
}

static bool calls_changed(const struct virtio_net *v)
{
	const struct virtio_kernel *k = v->kernel;

	if (k->irq_changes != v->nic.pci.irq_changes || k->mode != pci_irq_mode(&v->nic.pci))
		return true;
	for (unsigned i = 0; i < v->kernel_rings; i++)
		if (k->vector[i] != v->state.queue[i].vector)
			return true;
	return false;
}

static int start_pair(struct virtio_net *v, unsigned pair, int tap)
{
	struct virtio_kernel *k = v->kernel;
	struct vhost_ring rings[VHOST_RINGS];

	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		const struct ring *r = &v->ring[2 * pair + i];

		rings[i] = (struct vhost_ring){
			.desc = r->desc_at,
			.driver = r->driver_at,
			.device = r->device_at,
			.size = r->size,
			.base = r->avail,
			.call = call_fd(v, 2 * pair + i),
		};
	}
	/* other bits mean other things there: 27 is ANY_LAYOUT here, and a header of the kernel's own there */
	return vhost_start(&k->pair[pair], v->state.features & k->features & RING_BITS, rings,
			   k->fd[FD_ERROR], tap);
}

void virtio_kernel_take(struct nic *nic, const int *taps, unsigned pairs)
{
	struct virtio_net *v = virtio_of(nic);
	unsigned header;

	if (v->kernel_rings || virtio_kernel_wish(nic, &header) != pairs || !tell_memory(v))
		return;
	for (unsigned i = 0; i < pairs; i++) {
		if (start_pair(v, i, taps[i]) < 0) {
			virtio_kernel_release(v);
			virtio_fail(v, 2 * i, VIRTIO_FAULT_KERNEL);
			return;
		}
		v->kernel_rings = 2 * (i + 1);
	}
	remember_calls(v);
	/* what was used before, and not told yet */
	for (unsigned i = 0; i < v->kernel_rings; i++) {
		v->ring[i].held = 0;
		virtio_interrupt(v, i);
	}
}

/* Where a ring goes on: what the kernel took, and what it showed as used. */
static void ring_returns(struct virtio_net *v, unsigned queue, uint16_t base)
{
	struct ring at = { .avail = base, .used = base };
	uint8_t used[2];

	if (mem_read(&v->nic.mem, v->state.queue[queue].device + 2, used, sizeof(used)))
		at.used = get_le16(used);
	virtio_start_queue(v, queue, &at);
}

void virtio_kernel_release(struct virtio_net *v)
{
	unsigned rings = v->kernel_rings;
	uint16_t base[2 * VIRTIO_PAIRS] = { 0 };

	for (unsigned i = 0; i < rings; i += 2)
		vhost_stop(&v->kernel->pair[i / 2], base + i);
	v->kernel_rings = 0;
	for (unsigned i = 0; i < rings; i++)
		ring_returns(v, i, base[i]);
}

void virtio_kernel_give_back(struct nic *nic)
{
	virtio_kernel_release(virtio_of(nic));
}

void virtio_kernel_kick(struct virtio_net *v, unsigned queue)
{
	vhost_kick(&v->kernel->pair[queue / 2], queue % 2);
}

void virtio_kernel_settle(struct nic *nic)
{
	struct virtio_net *v = virtio_of(nic);
	struct virtio_kernel *k = v->kernel;

	if (!v->kernel_rings)
		return;
	if (!map_is_known(v) && !tell_memory(v)) {
		virtio_kernel_release(v);
		return;
	}
	if (!calls_changed(v))
		return;
	for (unsigned i = 0; i < v->kernel_rings; i++)
		vhost_set_call(&k->pair[i / 2], i % 2, call_fd(v, i));
	remember_calls(v);
	/* an interrupt may have gone to an eventfd that nobody reads any more: one too many does no harm */
	for (unsigned i = 0; i < v->kernel_rings; i++)
		virtio_interrupt(v, i);
}

int virtio_kernel_fd(const struct nic *nic, unsigned index)
{
	const struct virtio_kernel *k = ((const struct virtio_net *)nic)->kernel;

	return k && index < VIRTIO_KERNEL_FDS ? k->fd[index] : -1;
}

void virtio_kernel_event(struct nic *nic, unsigned index)
{
	struct virtio_net *v = virtio_of(nic);
	uint64_t count;

	if (!v->kernel || index >= VIRTIO_KERNEL_FDS ||
	    read(v->kernel->fd[index], &count, sizeof(count)) != (ssize_t)sizeof(count))
		return;
	if (index == FD_CALL) {
		/* which of them is not known: a driver looks at its ring and finds nothing */
		for (unsigned i = 0; i < v->kernel_rings; i++)
			if (call_fd(v, i) == v->kernel->fd[FD_CALL])
				virtio_interrupt(v, i);
		return;
	}
	if (!v->kernel_rings)
		return;
	virtio_kernel_release(v);
	virtio_fail(v, 0, VIRTIO_FAULT_KERNEL);
}
