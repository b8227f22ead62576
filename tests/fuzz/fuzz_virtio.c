/* fuzz_virtio.c - bytes become what a hostile driver does: register accesses of any place and size, writes into guest memory,
 * kicks, frames from the wire, links, resets, memory maps, save and load. A few steps are well-formed on purpose (a whole
 * bring-up, a descriptor that points to a buffer), so that an input reaches the rings early.
 *
 * The first byte picks the card. Whatever happens, every turn ends, and after a reset the card works.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "nic/virtio/virtio_net.h"

#define RAM_AT	  0x10000ull
#define RAM_SIZE  0x40000u
#define STEPS_MAX 300
#define TURNS_MAX 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
	STEP_WRITE, /* a BAR, an offset, a size, a value */
	STEP_READ,
	STEP_CONFIG,   /* configuration space */
	STEP_MEMORY,   /* bytes to an address */
	STEP_BRING_UP, /* features, then all queues at fixed places */
	STEP_CHAIN,    /* descriptors into a ring, made available, kicked */
	STEP_KICK,
	STEP_WIRE, /* a frame for the guest */
	STEP_ROOM, /* how many frames the wire takes */
	STEP_LINK,
	STEP_MAP, /* memory goes or comes back */
	STEP_RESET,
	STEP_TIME,
	STEP_SAVE, /* save, damage a byte or none, load */
	STEP_COUNT
};

struct scene {
	struct nic_sink sink; /* first */
	struct nic *nic;
	struct clock clock;
	const uint8_t *in;
	size_t left;
	unsigned room;
	uint16_t next[VIRTIO_QUEUES];
};

static struct frame batch[FRAME_BATCH];
static uint8_t *ram;
static int ram_fd = -1;

static uint64_t take(struct scene *s, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes && s->left; i++, s->left--)
		value |= (uint64_t)*s->in++ << (8 * i);
	return value;
}

/* Frames are read to the last byte, as a backend would. */
static unsigned swallow(struct nic_sink *sink, struct nic *nic, struct frame *frames, unsigned n)
{
	struct scene *s = (struct scene *)sink;
	volatile uint8_t sum = 0;
	unsigned taken = MIN(n, s->room);

	(void)nic;
	for (unsigned i = 0; i < taken; i++) {
		size_t length = 0;
		for (unsigned k = 0; k < frames[i].iovs; k++) {
			const uint8_t *p = frames[i].iov[k].iov_base;
			sum = sum ^ p[0] ^ p[frames[i].iov[k].iov_len - 1];
			length += frames[i].iov[k].iov_len;
		}
		if (length != frames[i].length || length > FRAME_MAX)
			abort();
	}
	s->room -= taken;
	return taken;
}

static void turn(struct scene *s)
{
	struct nic *nic = s->nic;
	unsigned turns = 0;

	while (nic->notes.runnable) {
		uint32_t runnable = nic->notes.runnable;
		nic->notes.runnable = 0;
		for (unsigned q = 0; q < 32; q++)
			while ((runnable & BIT(q)) && nic->ops->transmit(nic, q))
				if (++turns > TURNS_MAX)
					abort(); /* more than all rings can hold */
	}
	nic_update_status(nic);
}

static void map(struct scene *s)
{
	mem_map(&s->nic->mem, RAM_AT, RAM_SIZE / 2, ram_fd, 0, MEM_READ | MEM_WRITE, NULL);
	mem_map(&s->nic->mem, RAM_AT + RAM_SIZE / 2, RAM_SIZE / 2, ram_fd, RAM_SIZE / 2,
		MEM_READ | MEM_WRITE, NULL);
}

static void common(struct scene *s, uint32_t at, unsigned size, uint32_t value)
{
	pci_bar_write(&s->nic->pci, VIRTIO_BAR_MODERN, VIRTIO_COMMON_AT + at, size, value);
}

/* Queue q: descriptors, driver and device areas in 0x2000 bytes of its own. */
static uint32_t area(unsigned q)
{
	return (uint32_t)(RAM_AT + 0x2000 * q);
}

static void bring_up(struct scene *s)
{
	const struct virtio_net *v = virtio_of(s->nic);
	uint64_t features = (take(s, 8) & v->offered) | VIRTIO_BIT(VIRTIO_F_VERSION_1);
	unsigned queues = v->state.num_queues;

	common(s, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	pci_config_write(&s->nic->pci, PCI_COMMAND, 2, 7);
	memset(ram, 0, (size_t)0x2000 * queues);
	memset(s->next, 0, sizeof(s->next));
	for (unsigned i = 0; i < 2; i++) {
		common(s, VIRTIO_PCI_COMMON_GFSELECT, 4, i);
		common(s, VIRTIO_PCI_COMMON_GF, 4,
		       (uint32_t)(virtio_mend_features(v->offered, features) >> (32 * i)));
	}
	common(s, VIRTIO_PCI_COMMON_STATUS, 1, 3);
	common(s, VIRTIO_PCI_COMMON_STATUS, 1, 11);
	for (unsigned q = 0; q < queues; q++) {
		common(s, VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
		common(s, VIRTIO_PCI_COMMON_Q_SIZE, 2, 1u << (take(s, 1) % 9));
		common(s, VIRTIO_PCI_COMMON_Q_DESCLO, 4, area(q));
		common(s, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, area(q) + 0x1000);
		common(s, VIRTIO_PCI_COMMON_Q_USEDLO, 4, area(q) + 0x1400);
		common(s, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	}
	common(s, VIRTIO_PCI_COMMON_STATUS, 1, 15);
}

/* A chain whose descriptors come from the input, at the place where the device looks next. */
static void chain(struct scene *s)
{
	const struct virtio_net *v = virtio_of(s->nic);
	unsigned q = (unsigned)take(s, 1) % v->state.num_queues, n = 1 + (unsigned)take(s, 1) % 8;
	const struct ring *r = &v->ring[q];
	uint16_t size = MAX(r->size, 1);
	uint8_t *base = ram + (area(q) - RAM_AT);

	for (unsigned i = 0; i < n; i++) {
		unsigned slot = (r->avail + i) % size;
		unsigned own = (r->avail + i < size) == r->avail_wrap ? 0x80 : 0x8000;
		uint16_t flags = (uint16_t)((take(s, 1) & 7) | (i + 1 < n));
		if (r->packed)
			flags = (uint16_t)(flags | own);
		put_le64(base + 16 * slot, RAM_AT + take(s, 3));
		put_le32(base + 16 * slot + 8, (uint32_t)take(s, 2));
		put_le16(base + 16 * slot + 12, r->packed ? (uint16_t)slot : flags);
		put_le16(base + 16 * slot + 14, r->packed ? flags : (uint16_t)((slot + 1) % size));
	}
	if (!r->packed) {
		uint16_t at = s->next[q]++;
		put_le16(base + 0x1000 + 4 + 2 * (at % size), (uint16_t)(r->avail % size));
		put_le16(base + 0x1000 + 2, s->next[q]);
	}
	pci_bar_write(&s->nic->pci, VIRTIO_BAR_MODERN, VIRTIO_NOTIFY_AT + 4 * q, 2, q);
}

static void from_wire(struct scene *s)
{
	static uint8_t data[FRAME_MAX];
	struct frame f[2];
	size_t length = 14 + take(s, 2) % (FRAME_MAX - 13);

	memcpy(data, s->in, MIN(s->left, 20));
	for (unsigned i = 0; i < ARRAY_SIZE(f); i++) {
		frame_set_linear(&f[i], data, i ? 60 : length);
		f[i].queue = (uint16_t)take(s, 1);
		if (i && length > 100) { /* in pieces */
			f[i].iovs = 2;
			f[i].iov[0].iov_len = 30;
			f[i].iov[1] = (struct iovec){ data + 30, 30 };
		}
	}
	s->nic->ops->receive(s->nic, f, ARRAY_SIZE(f));
}

static void save_and_load(struct scene *s)
{
	struct buffer saved = { 0 };
	size_t at = take(s, 2);
	uint8_t damage = (uint8_t)take(s, 1);

	if (nic_save(s->nic, &saved) < 0)
		abort();
	saved.data[at % saved.length] ^= damage;
	if (nic_load(s->nic, saved.data, saved.length, NULL) < 0 && !damage)
		abort();
	buffer_finish(&saved);
}

static void do_step(struct scene *s)
{
	static const unsigned bars[] = { VIRTIO_BAR_MODERN, VIRTIO_BAR_LEGACY, VIRTIO_BAR_MSIX, 7 };
	struct nic *nic = s->nic;
	unsigned size = 1u << (s->left % 4), bar;
	uint64_t at;

	switch (take(s, 1) % STEP_COUNT) {
	case STEP_WRITE:
	case STEP_READ:
		bar = bars[take(s, 1) % 4];
		at = take(s, 2);
		pci_bar_read(&nic->pci, bar, at, size);
		pci_bar_write(&nic->pci, bar, at, size, take(s, size));
		break;
	case STEP_CONFIG:
		at = take(s, 2);
		size = MIN(size, 4);
		pci_config_read(&nic->pci, (uint32_t)at, size);
		pci_config_write(&nic->pci, (uint32_t)at, size, (uint32_t)take(s, size));
		break;
	case STEP_MEMORY:
		at = take(s, 3) % (RAM_SIZE - 8);
		put_le64(ram + at, take(s, 8));
		break;
	case STEP_BRING_UP:
		bring_up(s);
		break;
	case STEP_CHAIN:
		chain(s);
		break;
	case STEP_KICK:
		pci_bar_write(&nic->pci, VIRTIO_BAR_MODERN,
			      VIRTIO_NOTIFY_AT + 4 * (take(s, 1) % 20), 2, 0);
		break;
	case STEP_WIRE:
		from_wire(s);
		break;
	case STEP_ROOM:
		s->room = (unsigned)take(s, 1);
		nic->notes.runnable = UINT32_MAX;
		break;
	case STEP_LINK:
		nic_set_link(nic, take(s, 1) & 1);
		virtio_net_announce(nic);
		break;
	case STEP_MAP:
		mem_unmap_all(&nic->mem);
		if (take(s, 1) & 1)
			map(s);
		break;
	case STEP_RESET:
		nic_reset(nic, RESET_PCI);
		break;
	case STEP_TIME:
		clock_set(&s->clock, clock_now(&s->clock) + take(s, 4));
		nic->notes.deadline_ns = 0;
		nic->ops->timer(nic);
		break;
	default:
		save_and_load(s);
		break;
	}
	turn(s);
}

/* After a reset a plain driver must find a plain card. */
static void still_works(struct scene *s)
{
	static const uint8_t none[16];
	const struct virtio_net *v = virtio_of(s->nic);

	mem_unmap_all(&s->nic->mem);
	map(s);
	nic_reset(s->nic, RESET_PCI);
	s->in = none;
	s->left = 0;
	s->room = 1;
	uint64_t before = s->nic->counters.tx_frames;
	bring_up(s);
	if ((v->state.status & 0xff) != 15)
		abort();
	uint8_t *base = ram + (area(1) - RAM_AT);
	put_le64(base, RAM_AT + 0x30000);
	put_le32(base + 8, 72);
	memset(ram + 0x30000, 0, 72);
	put_le16(base + 0x1000 + 2, 1);
	pci_bar_write(&s->nic->pci, VIRTIO_BAR_MODERN, VIRTIO_NOTIFY_AT + 4, 2, 1);
	turn(s);
	if (s->nic->counters.tx_frames != before + 1)
		abort();
}

static void machine(void)
{
	if (ram)
		return;
	ram_fd = memfd_create("ram", MFD_CLOEXEC);
	if (ram_fd < 0 || ftruncate(ram_fd, RAM_SIZE) < 0 || nic_models_prepare(NULL) < 0)
		abort();
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, ram_fd, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scene s = { .sink.send = swallow, .in = data, .left = size, .room = 100 };
	uint8_t card = (uint8_t)take(&s, 1);
	struct nic_spec spec = { .rev = card & 1 ? 1 : -1,
				 .queues = (uint16_t)(1 + (card >> 1) % 8),
				 .packed = card & 16,
				 .mtu = card & 32 ? 9000 : 0,
				 .standby = card & 64,
				 .mac = { 2 },
				 .bootindex = -1 };

	machine();
	memset(ram, 0, RAM_SIZE);
	str_copy(spec.model, sizeof(spec.model), "virtio-net");
	clock_set(&s.clock, NS_PER_S);
	s.nic = nic_create(&spec, &s.clock, batch, NULL);
	if (!s.nic)
		abort();
	s.nic->sink = &s.sink;
	map(&s);
	for (unsigned i = 0; i < STEPS_MAX && s.left; i++)
		do_step(&s);
	still_works(&s);
	nic_destroy(s.nic);
	return 0;
}
