/* region.c - BARs, config space and the option ROM as regions that are read and written by message. */
#include <errno.h>
#include <string.h>

#include "attach/vfio_user/server.h"
#include "base/bytes.h"

static uint32_t region_size(const struct pci_device *pci, uint32_t region)
{
	if (region <= VU_BAR5)
		return pci->bar[region].kind == BAR_NONE ? 0 : pci->bar[region].size;
	if (region == VU_ROM)
		return pci->rom ? pci->rom_size : 0;
	return region == VU_CONFIG ? pci_config_size(pci) : 0;
}

int serve_region_info(struct vfio_user *v, struct request *rq)
{
	struct vu_region_info info;

	memcpy(&info, rq->body, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= VU_REGIONS)
		return -EINVAL;
	info = (struct vu_region_info){ .argsz = sizeof(info),
					.index = info.index,
					.size = region_size(&v->nic->pci, info.index) };
	if (info.size)
		info.flags = info.index == VU_ROM ? VU_REGION_R : VU_REGION_R | VU_REGION_W;
	memcpy(rq->reply, &info, sizeof(info));
	rq->reply_size = sizeof(info);
	return 0;
}

/* No doorbell goes around the socket: no client asks for it, and the value that was written would be lost. */
int serve_region_io_fds(struct vfio_user *v, struct request *rq)
{
	struct vu_region_io_fds io;

	(void)v;
	memcpy(&io, rq->body, sizeof(io));
	if (io.argsz < sizeof(io) || io.flags || io.index >= VU_REGIONS)
		return -EINVAL;
	io.argsz = sizeof(io);
	io.count = 0;
	memcpy(rq->reply, &io, sizeof(io));
	rq->reply_size = sizeof(io);
	return 0;
}

static bool access_fits(const struct vfio_user *v, const struct vu_region_access *a)
{
	uint32_t size = a->region < VU_REGIONS ? region_size(&v->nic->pci, a->region) : 0;
	uint32_t max = a->region == VU_ROM ? MAX_TRANSFER : ACCESS_MAX;

	return a->count && a->count <= max && a->offset < size && a->count <= size - a->offset;
}

/* What a guest does in one instruction stays one access; anything else is cut into aligned pieces of at most 4 bytes. */
static unsigned piece_size(uint64_t offset, uint32_t left, bool first, unsigned widest)
{
	if (first && left <= widest && (left & (left - 1)) == 0)
		return left;
	unsigned size = 4;
	while (size > left || offset % size)
		size /= 2;
	return size;
}

static void read_region(struct pci_device *pci, const struct vu_region_access *a, uint8_t *to)
{
	bool config = a->region == VU_CONFIG;
	uint8_t value[8];

	for (uint32_t done = 0, n; done < a->count; done += n) {
		uint64_t at = a->offset + done;
		n = piece_size(at, a->count - done, done == 0, config ? 4 : 8);
		put_le64(value, config ? pci_config_read(pci, (uint32_t)at, n)
				       : pci_bar_read(pci, a->region, at, n));
		memcpy(to + done, value, n);
	}
}

static void write_region(struct pci_device *pci, const struct vu_region_access *a,
			 const uint8_t *from)
{
	bool config = a->region == VU_CONFIG;

	for (uint32_t done = 0, n; done < a->count; done += n) {
		uint64_t at = a->offset + done;
		uint8_t value[8] = { 0 };
		n = piece_size(at, a->count - done, done == 0, config ? 4 : 8);
		memcpy(value, from + done, n);
		if (config)
			pci_config_write(pci, (uint32_t)at, n, get_le32(value));
		else
			pci_bar_write(pci, a->region, at, n, get_le64(value));
	}
}

int serve_region_read(struct vfio_user *v, struct request *rq)
{
	struct vu_region_access a;

	memcpy(&a, rq->body, sizeof(a));
	if (!access_fits(v, &a))
		return -EINVAL;
	memcpy(rq->reply, &a, sizeof(a));
	rq->reply_size = sizeof(a);
	if (a.region == VU_ROM) {
		/* sent from where it lies: the whole ROM in one reply needs no buffer */
		v->tail = v->nic->pci.rom + a.offset;
		v->tail_size = a.count;
		return 0;
	}
	read_region(&v->nic->pci, &a, rq->reply + sizeof(a));
	rq->reply_size += a.count;
	return 0;
}

static int write_access(struct vfio_user *v, const struct vu_region_access *a, const uint8_t *data)
{
	bool bus_master = v->nic->mem.bus_master;

	if (a->region == VU_ROM || !access_fits(v, a))
		return -EINVAL;
	write_region(&v->nic->pci, a, data);
	if (!bus_master && v->nic->mem.bus_master)
		dma_bus_master_on(v);
	return 0;
}

int serve_region_write(struct vfio_user *v, struct request *rq)
{
	struct vu_region_access a;

	memcpy(&a, rq->body, sizeof(a));
	if (rq->size - sizeof(a) != a.count)
		return -EINVAL;
	int rc = write_access(v, &a, rq->body + sizeof(a));
	if (rc < 0)
		return rc;
	memcpy(rq->reply, &a, sizeof(a));
	rq->reply_size = sizeof(a);
	return 0;
}

/* Writes that queued up at the client, in one message. One that fails ends it: what came before has happened. */
int serve_write_multi(struct vfio_user *v, struct request *rq)
{
	uint64_t n;

	memcpy(&n, rq->body, sizeof(n));
	if ((rq->size - sizeof(n)) % sizeof(struct vu_write_entry) ||
	    (rq->size - sizeof(n)) / sizeof(struct vu_write_entry) != n)
		return -EINVAL;
	for (uint64_t i = 0; i < n; i++) {
		struct vu_write_entry e;
		memcpy(&e, rq->body + sizeof(n) + i * sizeof(e), sizeof(e));
		struct vu_region_access a = { .offset = e.offset,
					      .region = e.region,
					      .count = e.count };
		if (e.count > sizeof(e.data))
			return -EINVAL;
		int rc = write_access(v, &a, e.data);
		if (rc < 0)
			return rc;
	}
	memcpy(rq->reply, &n, sizeof(n));
	rq->reply_size = sizeof(n);
	return 0;
}
