#include "virtio_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"

/* Common configuration, 4.1.4.3 */
enum {
	DF_SELECT = 0x00,
	DF = 0x04,
	GF_SELECT = 0x08,
	GF = 0x0c,
	CONFIG_VECTOR = 0x10,
	NUM_QUEUES = 0x12,
	STATUS = 0x14,
	Q_SELECT = 0x16,
	Q_SIZE = 0x18,
	Q_VECTOR = 0x1a,
	Q_ENABLE = 0x1c,
	Q_NOTIFY_OFF = 0x1e,
	Q_DESC = 0x20,
	Q_DRIVER = 0x28,
	Q_DEVICE = 0x30,
};
/* Legacy header, 4.1.4.10 */
enum {
	L_DF = 0x00,
	L_GF = 0x04,
	L_PFN = 0x08,
	L_SIZE = 0x0c,
	L_SELECT = 0x0e,
	L_NOTIFY = 0x10,
	L_STATUS = 0x12,
	L_ISR = 0x13,
	L_CONFIG_VECTOR = 0x14,
	L_Q_VECTOR = 0x16
};
enum { D_NEXT = 1, D_WRITE = 2, D_INDIRECT = 4, D_AVAIL = 0x80, D_USED = 0x8000 };

#define fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* --- the machine --- */

static unsigned keep(struct nic_sink *sink, struct nic *nic, struct frame *frames, unsigned n)
{
	struct vd *d = (struct vd *)sink;
	unsigned taken = 0;

	(void)nic;
	d->sends++;
	for (; taken < n && d->wire_room && d->frames < VD_WIRE_MAX; taken++, d->wire_room--) {
		struct vd_wire_frame *w = &d->wire[d->frames++];
		const struct frame *f = &frames[taken];
		*w = (struct vd_wire_frame){ .hdr = f->hdr,
					     .length = f->length,
					     .queue = f->queue };
		w->data = calloc(1, w->length + 1u);
		/* a length that the pieces do not bear out shows as a shorter copy */
		w->length = (uint32_t)iov_to_buffer(f->iov, f->iovs, 0, w->data, w->length);
	}
	return taken;
}

void vd_clear_wire(struct vd *d)
{
	for (unsigned i = 0; i < d->frames; i++)
		free(d->wire[i].data);
	d->frames = d->sends = 0;
}

static void find_structures(struct vd *d)
{
	struct pci_device *dev = &d->nic->pci;
	unsigned at = pci_config_read(dev, 0x34, 1);

	for (unsigned guard = 0; at && guard < 48; guard++, at = pci_config_read(dev, at + 1, 1)) {
		if (pci_config_read(dev, at, 1) != 9)
			continue;
		unsigned type = pci_config_read(dev, at + 3, 1);
		unsigned bar = pci_config_read(dev, at + 4, 1);
		uint32_t offset = pci_config_read(dev, at + 8, 4),
			 length = pci_config_read(dev, at + 12, 4);
		if (type == 1)
			d->common.bar = bar, d->common.at = offset, d->common.length = length;
		if (type == 2) {
			d->notify.bar = bar, d->notify.at = offset, d->notify.length = length;
			d->notify_multiplier = pci_config_read(dev, at + 16, 4);
		}
		if (type == 3)
			d->isr.bar = bar, d->isr.at = offset, d->isr.length = length;
		if (type == 4)
			d->device.bar = bar, d->device.at = offset, d->device.length = length;
		if (type == 5)
			d->window_cap = at;
	}
}

void vd_map(struct vd *d)
{
	if (mem_map(&d->nic->mem, VD_RAM_AT, VD_RAM_SIZE, d->ram_fd, 0, MEM_READ | MEM_WRITE,
		    NULL) < 0)
		abort();
}

struct vd *vd_create(const struct nic_spec *spec, struct error *err)
{
	struct nic_spec plain = { .rev = -1, .bootindex = -1 };
	struct vd *d = calloc(1, sizeof(*d));

	if (!spec)
		spec = &plain;
	plain = *spec;
	str_copy(plain.model, sizeof(plain.model), "virtio-net");
	str_copy(plain.id, sizeof(plain.id), "net0");
	memcpy(plain.mac, "\x52\x54\x00\x12\x34\x56", 6);
	d->sink.send = keep;
	d->wire_room = UINT32_MAX;
	d->next_free = VD_RAM_AT + 0x1000;
	d->ram_fd = memfd_create("ram", MFD_CLOEXEC);
	if (d->ram_fd < 0 || ftruncate(d->ram_fd, VD_RAM_SIZE) < 0)
		abort();
	d->ram = mmap(NULL, VD_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, d->ram_fd, 0);
	d->intx_fd = eventfd(0, EFD_NONBLOCK);
	for (unsigned i = 0; i < VD_VECTORS; i++)
		d->vector_fd[i] = eventfd(0, EFD_NONBLOCK);
	clock_set(&d->clock, NS_PER_S);
	if (nic_models_prepare(err) == 0)
		d->nic = nic_create(&plain, &d->clock, d->batch, err);
	if (!d->nic) {
		vd_destroy(d);
		return NULL;
	}
	d->nic->sink = &d->sink;
	if (spec->transport ==
	    TRANSPORT_VHOST_USER) { /* no registers, and memory comes by message */
		nic_set_link(d->nic, true);
		d->header = 12;
		return d;
	}
	vd_map(d);
	if (pci_irq_set_fd(&d->nic->pci, PCI_INTX, 0, dup(d->intx_fd)) < 0)
		abort();
	nic_set_link(d->nic, true);
	find_structures(d);
	vd_bus_master(d, true);
	return d;
}

void vd_destroy(struct vd *d)
{
	if (!d)
		return;
	vd_clear_wire(d);
	nic_destroy(d->nic);
	munmap(d->ram, VD_RAM_SIZE);
	close(d->ram_fd);
	close(d->intx_fd);
	for (unsigned i = 0; i < VD_VECTORS; i++)
		close(d->vector_fd[i]);
	free(d);
}

uint64_t vd_alloc(struct vd *d, size_t size, size_t align)
{
	uint64_t at = (d->next_free + align - 1) & ~(uint64_t)(align - 1);

	d->next_free = at + size;
	if (d->next_free > VD_RAM_AT + VD_RAM_SIZE)
		abort();
	memset(vd_at(d, at), 0, size);
	return at;
}

uint8_t *vd_at(struct vd *d, uint64_t addr)
{
	if (addr < VD_RAM_AT || addr >= VD_RAM_AT + VD_RAM_SIZE)
		abort();
	return d->ram + (addr - VD_RAM_AT);
}

void vd_bus_master(struct vd *d, bool on)
{
	pci_config_write(&d->nic->pci, 4, 2, on ? 7 : 3);
}

void vd_use_msix(struct vd *d)
{
	struct pci_device *dev = &d->nic->pci;
	uint32_t flags = pci_config_read(dev, dev->msix + 2u, 2);

	d->msix = true;
	pci_config_write(dev, dev->msix + 2u, 2, flags | 0x8000);
	for (unsigned i = 0; i < pci_irq_count(dev, PCI_MSIX); i++)
		if (pci_irq_set_fd(dev, PCI_MSIX, i, dup(d->vector_fd[i])) < 0)
			abort();
}

unsigned vd_interrupts(struct vd *d, int fd)
{
	uint64_t count;

	(void)d;
	return read(fd, &count, sizeof(count)) == sizeof(count) ? (unsigned)count : 0;
}

void vd_run(struct vd *d)
{
	struct nic *nic = d->nic;
	unsigned turns = 0;

	while (nic->notes.runnable && !nic->stopped) {
		uint32_t runnable = nic->notes.runnable;
		nic->notes.runnable = 0;
		for (unsigned q = 0; q < 32; q++)
			while ((runnable & BIT(q)) && nic->ops->transmit(nic, q))
				if (++turns > 100000)
					abort(); /* a turn that never ends */
	}
	nic_update_status(nic);
}

void vd_wait(struct vd *d, uint64_t ns)
{
	struct nic *nic = d->nic;
	uint64_t end = clock_now(&d->clock) + ns;

	while (nic->notes.deadline_ns && nic->notes.deadline_ns <= end) {
		clock_set(&d->clock, MAX(nic->notes.deadline_ns, clock_now(&d->clock)));
		nic->notes.deadline_ns = 0;
		nic->ops->timer(nic);
		vd_run(d);
	}
	clock_set(&d->clock, end);
}

/* --- registers --- */

uint32_t vd_common_read(struct vd *d, uint32_t at, unsigned size)
{
	return (uint32_t)pci_bar_read(&d->nic->pci, d->common.bar, d->common.at + at, size);
}

void vd_common_write(struct vd *d, uint32_t at, unsigned size, uint32_t value)
{
	pci_bar_write(&d->nic->pci, d->common.bar, d->common.at + at, size, value);
}

static uint32_t io_read(struct vd *d, uint32_t at, unsigned size)
{
	return (uint32_t)pci_bar_read(&d->nic->pci, 0, at, size);
}

static void io_write(struct vd *d, uint32_t at, unsigned size, uint32_t value)
{
	pci_bar_write(&d->nic->pci, 0, at, size, value);
}

uint32_t vd_config_read(struct vd *d, uint32_t at, unsigned size)
{
	if (d->legacy)
		return io_read(d, (d->msix ? 24 : 20) + at, size);
	return (uint32_t)pci_bar_read(&d->nic->pci, d->device.bar, d->device.at + at, size);
}

uint8_t vd_status(struct vd *d)
{
	return (uint8_t)(d->legacy ? io_read(d, L_STATUS, 1) : vd_common_read(d, STATUS, 1));
}

void vd_set_status(struct vd *d, uint8_t status)
{
	if (d->legacy)
		io_write(d, L_STATUS, 1, status);
	else
		vd_common_write(d, STATUS, 1, status);
	nic_update_status(d->nic);
}

uint8_t vd_isr(struct vd *d)
{
	return (uint8_t)(d->legacy ? io_read(d, L_ISR, 1)
				   : pci_bar_read(&d->nic->pci, d->isr.bar, d->isr.at, 1));
}

uint64_t vd_offered(struct vd *d)
{
	if (d->legacy)
		return io_read(d, L_DF, 4);
	vd_common_write(d, DF_SELECT, 4, 0);
	uint64_t low = vd_common_read(d, DF, 4);
	vd_common_write(d, DF_SELECT, 4, 1);
	return low | (uint64_t)vd_common_read(d, DF, 4) << 32;
}

void vd_accept(struct vd *d, uint64_t features)
{
	if (d->legacy) {
		io_write(d, L_GF, 4, (uint32_t)features);
		return;
	}
	vd_common_write(d, GF_SELECT, 4, 0);
	vd_common_write(d, GF, 4, (uint32_t)features);
	vd_common_write(d, GF_SELECT, 4, 1);
	vd_common_write(d, GF, 4, (uint32_t)(features >> 32));
}

bool vd_begin(struct vd *d, uint64_t features)
{
	vd_set_status(d, 0);
	if (vd_status(d) != 0)
		return false;
	vd_set_status(d, VD_ACKNOWLEDGE);
	vd_set_status(d, VD_ACKNOWLEDGE | VD_DRIVER);
	memset(d->q, 0, sizeof(d->q));
	d->features = features;
	vd_accept(d, features);
	d->header = (features & F(VD_VERSION_1)) || (features & F(VD_MRG_RXBUF)) ? 12 : 10;
	if (d->legacy)
		return true;
	vd_set_status(d, VD_ACKNOWLEDGE | VD_DRIVER | VD_FEATURES_OK);
	return vd_status(d) & VD_FEATURES_OK;
}

static void write_address(struct vd *d, uint32_t at, uint64_t address)
{
	vd_common_write(d, at, 4, (uint32_t)address);
	vd_common_write(d, at + 4, 4, (uint32_t)(address >> 32));
}

static void setup_legacy(struct vd *d, struct vd_queue *q)
{
	io_write(d, L_SELECT, 2, q->number);
	q->size = io_read(d, L_SIZE, 2);
	/* 2.7.2: descriptors, available ring, padding to 4096, used ring */
	size_t driver = 16u * q->size, device = (driver + 6 + 2u * q->size + 4095) & ~(size_t)4095;
	q->desc = vd_alloc(d, device + 6 + 8u * q->size, 4096);
	q->driver = q->desc + driver;
	q->device = q->desc + device;
	io_write(d, L_PFN, 4, (uint32_t)(q->desc >> 12));
	if (d->msix)
		io_write(d, L_Q_VECTOR, 2, q->number + 1);
}

static void place_queue(struct vd *d, struct vd_queue *q)
{
	q->desc = vd_alloc(d, 16u * q->size, 4096);
	q->driver = vd_alloc(d, q->packed ? 4 : 6 + 2u * q->size, 64);
	q->device = vd_alloc(d, q->packed ? 4 : 6 + 8u * q->size, 64);
}

static void setup_modern(struct vd *d, struct vd_queue *q, unsigned size)
{
	vd_common_write(d, Q_SELECT, 2, q->number);
	q->size = vd_common_read(d, Q_SIZE, 2);
	if (size) {
		vd_common_write(d, Q_SIZE, 2, size);
		q->size = size;
	}
	place_queue(d, q);
	write_address(d, Q_DESC, q->desc);
	write_address(d, Q_DRIVER, q->driver);
	write_address(d, Q_DEVICE, q->device);
	q->notify = d->notify.at + vd_common_read(d, Q_NOTIFY_OFF, 2) * d->notify_multiplier;
	if (d->msix)
		vd_common_write(d, Q_VECTOR, 2, q->number + 1);
	vd_common_write(d, Q_ENABLE, 2, 1);
}

void vd_setup_queue(struct vd *d, unsigned queue, unsigned size)
{
	struct vd_queue *q = &d->q[queue];

	*q = (struct vd_queue){ .number = queue,
				.packed = d->features & F(VD_PACKED),
				.next_wrap = true,
				.used_wrap = true };
	q->event_idx = d->features & F(VD_EVENT_IDX);
	q->indirect = d->features & F(VD_INDIRECT);
	if (d->legacy) {
		setup_legacy(d, q);
	} else if (d->tell) {
		q->size = size;
		place_queue(d, q);
	} else
		setup_modern(d, q, size);
	q->free = q->free_ids = q->size;
	for (unsigned i = 0; i < q->size; i++)
		q->ids[i] = (uint16_t)i;
	if (!q->packed)
		for (unsigned i = 0; i < q->size; i++)
			put_le16(vd_at(d, q->desc + 16 * i) + 14, (uint16_t)(i + 1));
}

unsigned vd_control_queue(struct vd *d)
{
	return d->features & F(VD_MQ) ? 2 * vd_config_read(d, 8, 2) : 2;
}

void vd_driver_ok(struct vd *d)
{
	if (d->msix && d->legacy)
		io_write(d, L_CONFIG_VECTOR, 2, 0);
	else if (d->msix)
		vd_common_write(d, CONFIG_VECTOR, 2, 0);
	vd_set_status(d, vd_status(d) | VD_DRIVER_OK);
	vd_run(d);
}

void vd_up(struct vd *d, uint64_t features)
{
	if (!vd_begin(d, features))
		abort();
	vd_setup_queue(d, 0, 0);
	vd_setup_queue(d, 1, 0);
	if (features & F(VD_CTRL_VQ))
		vd_setup_queue(d, vd_control_queue(d), 0);
	vd_driver_ok(d);
}

/* --- rings --- */

static void put_descriptor(uint8_t *at, uint64_t addr, uint32_t length, uint16_t third,
			   uint16_t fourth)
{
	put_le64(at, addr);
	put_le32(at + 8, length);
	put_le16(at + 12, third);
	put_le16(at + 14, fourth);
}

/* A table of all pieces; returns its address. */
static uint64_t make_table(struct vd *d, const struct vd_queue *q, const struct vd_piece *p,
			   unsigned outs, unsigned all)
{
	uint64_t table = vd_alloc(d, 16u * all, 16);

	for (unsigned i = 0; i < all; i++) {
		uint16_t flags = i < outs ? 0 : D_WRITE;
		uint8_t *at = vd_at(d, table + 16 * i);
		if (q->packed)
			put_descriptor(at, p[i].addr, p[i].length, 0, flags);
		else
			put_descriptor(at, p[i].addr, p[i].length,
				       (uint16_t)(flags | (i + 1 < all ? D_NEXT : 0)),
				       (uint16_t)(i + 1));
	}
	return table;
}

static int add_split(struct vd *d, struct vd_queue *q, const struct vd_piece *p,
		     const uint16_t *flags, unsigned n)
{
	uint16_t head = q->free_head, slot = head;

	for (unsigned i = 0; i < n; i++) {
		uint8_t *at = vd_at(d, q->desc + 16u * slot);
		uint16_t next = get_le16(at + 14);
		put_descriptor(at, p[i].addr, p[i].length,
			       (uint16_t)(flags[i] | (i + 1 < n ? D_NEXT : 0)), next);
		slot = next;
	}
	q->free_head = slot;
	q->slots[head] = (uint16_t)n;
	put_le16(vd_at(d, q->driver + 4 + 2u * (q->next % q->size)), head);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	q->next++;
	put_le16(vd_at(d, q->driver + 2), q->next);
	q->added++;
	return head;
}

static int add_packed(struct vd *d, struct vd_queue *q, const struct vd_piece *p,
		      const uint16_t *flags, unsigned n)
{
	uint16_t id = q->ids[--q->free_ids], first = q->next, first_flags = 0;

	for (unsigned i = 0; i < n; i++) {
		uint16_t f = (uint16_t)(flags[i] | (i + 1 < n ? D_NEXT : 0) |
					(q->next_wrap ? D_AVAIL : D_USED));
		uint8_t *at = vd_at(d, q->desc + 16u * q->next);
		/* the first one's flags come last (2.8.21) */
		put_descriptor(at, p[i].addr, p[i].length, id, i ? f : get_le16(at + 14));
		if (!i)
			first_flags = f;
		if (++q->next == q->size) {
			q->next = 0;
			q->next_wrap = !q->next_wrap;
		}
	}
	__atomic_thread_fence(__ATOMIC_RELEASE);
	put_le16(vd_at(d, q->desc + 16u * first) + 14, first_flags);
	q->slots[id] = (uint16_t)n;
	q->added += n;
	return id;
}

int vd_add(struct vd *d, unsigned queue, const struct vd_piece *out, unsigned outs,
	   const struct vd_piece *in, unsigned ins, uint64_t cookie)
{
	struct vd_queue *q = &d->q[queue];
	struct vd_piece piece[VD_RING_MAX];
	uint16_t flags[VD_RING_MAX];
	unsigned n = outs + ins;

	for (unsigned i = 0; i < n; i++) {
		piece[i] = i < outs ? out[i] : in[i - outs];
		flags[i] = i < outs ? 0 : D_WRITE;
	}
	if (q->indirect && n > 1) {
		piece[0] = (struct vd_piece){ make_table(d, q, piece, outs, n), 16u * n };
		flags[0] = D_INDIRECT;
		n = 1;
	}
	if (q->free < n)
		return -1;
	int id = q->packed ? add_packed(d, q, piece, flags, n) : add_split(d, q, piece, flags, n);
	q->free -= n;
	q->cookie[id] = cookie;
	return id;
}

static bool event_passed(uint16_t event, uint16_t now, uint16_t before)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

static bool wants_kick(struct vd *d, struct vd_queue *q)
{
	const uint8_t *device = vd_at(d, q->device);
	unsigned added = q->added;

	q->added = 0;
	fence();
	if (!q->packed && !q->event_idx)
		return !(get_le16(device) & 1);
	if (!q->packed)
		return event_passed(get_le16(device + 4 + 8u * q->size), q->next,
				    (uint16_t)(q->next - added));
	uint16_t event = get_le16(device), flags = get_le16(device + 2);
	if (flags != 2)
		return flags == 0;
	uint16_t slot = event & 0x7fff;
	if (!!(event & 0x8000) != q->next_wrap)
		slot = (uint16_t)(slot - q->size);
	return event_passed(slot, q->next, (uint16_t)(q->next - added));
}

static void notify(struct vd *d, unsigned queue)
{
	if (d->tell)
		d->tell(d->tell_arg, queue);
	else if (d->legacy)
		io_write(d, L_NOTIFY, 2, queue);
	else
		pci_bar_write(&d->nic->pci, d->notify.bar, d->q[queue].notify, 2, queue);
}

bool vd_poke(struct vd *d, unsigned queue)
{
	notify(d, queue);
	vd_run(d);
	return true;
}

bool vd_tell(struct vd *d, unsigned queue)
{
	bool wanted = wants_kick(d, &d->q[queue]);

	if (wanted)
		notify(d, queue);
	return wanted;
}

bool vd_kick(struct vd *d, unsigned queue)
{
	return wants_kick(d, &d->q[queue]) && vd_poke(d, queue);
}

uint16_t vd_used_index(struct vd *d, unsigned queue)
{
	return get_le16(vd_at(d, d->q[queue].device + 2));
}

static bool get_split(struct vd *d, struct vd_queue *q, unsigned *id, uint32_t *length)
{
	if (get_le16(vd_at(d, q->device + 2)) == q->used)
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	const uint8_t *e = vd_at(d, q->device + 4 + 8u * (q->used % q->size));
	*id = get_le32(e);
	*length = get_le32(e + 4);
	q->used++;
	if (*id >= q->size || !q->slots[*id])
		abort(); /* nothing that we gave */
	uint16_t tail = (uint16_t)*id;
	for (unsigned i = 1; i < q->slots[*id]; i++)
		tail = get_le16(vd_at(d, q->desc + 16u * tail) + 14);
	put_le16(vd_at(d, q->desc + 16u * tail) + 14, q->free_head);
	q->free_head = (uint16_t)*id;
	return true;
}

static bool get_packed(struct vd *d, struct vd_queue *q, unsigned *id, uint32_t *length)
{
	const uint8_t *e = vd_at(d, q->desc + 16u * q->used);
	uint16_t flags = get_le16(e + 14);

	if (!!(flags & D_AVAIL) != q->used_wrap || !!(flags & D_USED) != q->used_wrap)
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	*id = get_le16(e + 12);
	*length = get_le32(e + 8);
	if (*id >= q->size || !q->slots[*id])
		abort();
	unsigned next = q->used + q->slots[*id];
	if (next >= q->size) {
		next -= q->size;
		q->used_wrap = !q->used_wrap;
	}
	q->used = (uint16_t)next;
	return true;
}

bool vd_get(struct vd *d, unsigned queue, uint64_t *cookie, uint32_t *length)
{
	struct vd_queue *q = &d->q[queue];
	unsigned id;
	uint32_t unused;

	if (!length)
		length = &unused;
	if (!(q->packed ? get_packed(d, q, &id, length) : get_split(d, q, &id, length)))
		return false;
	if (cookie)
		*cookie = q->cookie[id];
	q->free += q->slots[id];
	q->slots[id] = 0;
	if (q->packed)
		q->ids[q->free_ids++] = (uint16_t)id;
	return true;
}

void vd_want_interrupt(struct vd *d, unsigned queue, bool on)
{
	struct vd_queue *q = &d->q[queue];
	uint8_t *driver = vd_at(d, q->driver);

	if (q->packed) {
		put_le16(driver, (uint16_t)(q->used | (q->used_wrap ? 0x8000 : 0)));
		put_le16(driver + 2, !on ? 1 : q->event_idx ? 2 : 0);
	} else if (q->event_idx) {
		/* an event far behind the index is as good as none */
		put_le16(driver + 4 + 2u * q->size, on ? q->used : (uint16_t)(q->used - 1));
	} else {
		put_le16(driver, on ? 0 : 1);
	}
	fence();
}

/* --- frames --- */

uint64_t vd_send(struct vd *d, unsigned pair, const void *frame, size_t length)
{
	uint64_t at = vd_alloc(d, d->header + length, 8);
	struct vd_piece p = { at, (uint32_t)(d->header + length) };

	memcpy(vd_at(d, at) + d->header, frame, length);
	if (vd_add(d, 2 * pair + 1, &p, 1, NULL, 0, at) < 0)
		abort();
	return at;
}

void vd_give(struct vd *d, unsigned pair, unsigned count, uint32_t size)
{
	for (unsigned i = 0; i < count; i++) {
		struct vd_piece p = { vd_alloc(d, size, 8), size };
		if (vd_add(d, 2 * pair, NULL, 0, &p, 1, p.addr) < 0)
			abort();
	}
	vd_kick(d, 2 * pair);
}

unsigned vd_say_queue(struct vd *d, const void *frame, size_t length, uint16_t queue,
		      const struct virtio_net_hdr_v1 *hdr)
{
	static uint8_t copy[FRAME_MAX + 100];
	static struct frame f;

	memcpy(copy, frame, length);
	frame_set_linear(&f, copy, length);
	f.queue = queue;
	if (hdr)
		f.hdr = *hdr;
	unsigned taken = d->nic->ops->receive(d->nic, &f, 1);
	nic_update_status(d->nic);
	return taken;
}

unsigned vd_say(struct vd *d, const void *frame, size_t length)
{
	return vd_say_queue(d, frame, length, 0, NULL);
}

int vd_receive(struct vd *d, unsigned pair, void *to, size_t room, struct virtio_net_hdr_v1 *hdr)
{
	struct virtio_net_hdr_v1 h = { 0 };
	uint64_t at;
	uint32_t length;
	size_t done = 0;

	if (!vd_get(d, 2 * pair, &at, &length))
		return -1;
	memcpy(&h, vd_at(d, at), d->header);
	if (hdr)
		*hdr = h;
	unsigned buffers = d->features & F(VD_MRG_RXBUF) ? le16toh(h.num_buffers) : 1;
	for (unsigned i = 0; i < buffers; i++) {
		unsigned skip = i ? 0 : d->header;
		if (i && !vd_get(d, 2 * pair, &at, &length))
			abort(); /* fewer buffers than promised */
		if (length < skip || done + length - skip > room)
			abort();
		memcpy((uint8_t *)to + done, vd_at(d, at) + skip, length - skip);
		done += length - skip;
	}
	return (int)done;
}

bool vd_control(struct vd *d, uint8_t class, uint8_t command, const void *data, size_t length)
{
	unsigned queue = vd_control_queue(d);
	uint64_t at = vd_alloc(d, 2 + length + 1, 8);
	uint8_t *p = vd_at(d, at);
	struct vd_piece out[2] = { { at, 2 }, { at + 2, (uint32_t)length } },
			in = { at + 2 + length, 1 };

	p[0] = class;
	p[1] = command;
	if (length)
		memcpy(p + 2, data, length);
	p[2 + length] = 0xee;
	if (vd_add(d, queue, out, length ? 2 : 1, &in, 1, at) < 0)
		abort();
	vd_kick(d, queue);
	if (!vd_get(d, queue, NULL, NULL))
		return false;
	return p[2 + length] == 0;
}
