/* legacy.c - the I/O BAR of a transitional card (virtio 1.x, 4.1.4.10): the interface before 1.0, for old drivers.
 *
 * One page number tells where a queue is; size and layout are ours. The device configuration begins behind the two MSI-X
 * vectors when MSI-X is on, and at their place when it is not, so everything from byte 20 on is decided at each access.
 */
#include "base/bytes.h"
#include "nic/virtio/virtio_net.h"

#define CONFIG_AT 20u /* without MSI-X */
#define TAIL	  (VIRTIO_LEGACY_SIZE - CONFIG_AT)
#define PAGE	  4096u

static struct virtio_net *self(struct pci_device *dev)
{
	return virtio_of(nic_of(dev));
}

static struct virtio_queue *selected(struct virtio_net *v)
{
	uint16_t n = v->state.queue_select;

	return n < v->state.num_queues ? &v->state.queue[n] : NULL;
}

static uint32_t features_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row, (void)index;
	return (uint32_t)virtio_legacy_features(self(dev));
}

static uint32_t wanted_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row, (void)index;
	return (uint32_t)self(dev)->state.wanted;
}

static void wanted_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	struct virtio_state *s = &self(dev)->state;

	(void)row, (void)index, (void)old;
	if (!(s->status & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)))
		s->wanted = value;
}

static uint32_t page_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct virtio_queue *q = selected(self(dev));

	(void)row, (void)index;
	return q && q->enable ? (uint32_t)(q->desc / PAGE) : 0;
}

/* Where the parts of a legacy queue are: 2.7.2, with the alignment of PCI. */
static void page_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct virtio_net *v = self(dev);
	struct virtio_queue *q = selected(v);

	(void)row, (void)index, (void)old;
	if (!q)
		return;
	virtio_disable_queue(v, v->state.queue_select);
	if (value) {
		q->desc = (uint64_t)value * PAGE;
		q->driver = q->desc + RING_DESCRIPTOR * q->size;
		q->device =
			(q->driver + 6 + (size_t)2 * q->size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
		virtio_enable_queue(v, v->state.queue_select);
	}
	v->nic.notes.status_dirty = true;
	virtio_window_load(v);
}

static uint32_t size_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct virtio_queue *q = selected(self(dev));

	(void)row, (void)index;
	return q ? q->size : 0;
}

static void select_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)value, (void)old;
	virtio_window_load(self(dev));
}

static void notify_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)old;
	virtio_kick(self(dev), value);
}

static void status_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	struct virtio_net *v = self(dev);

	(void)row, (void)index;
	/* Linux before 2.6.34 never enables bus mastering; QEMU helps it in the same way */
	if ((value & ~old & VIRTIO_CONFIG_S_DRIVER_OK) && !v->state.fault && !pci_bus_master(dev))
		pci_config_write(dev, PCI_COMMAND, 2,
				 get_le16(dev->config + PCI_COMMAND) | PCI_COMMAND_MASTER);
	virtio_set_status(v, (uint8_t)value, true);
}

static uint32_t isr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row, (void)index;
	return virtio_take_isr(self(dev));
}

/* Byte `index` of the tail as a byte of the vectors (0..3, only with MSI-X) or of the device configuration (4 on). */
static unsigned tail_byte(struct pci_device *dev, unsigned index)
{
	return pci_irq_mode(dev) == IRQ_MSIX ? index : index + 4;
}

static uint32_t tail_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct virtio_net *v = self(dev);
	unsigned at = tail_byte(dev, index);

	(void)row;
	if (at < 4) {
		const struct virtio_queue *q = selected(v);
		uint16_t vector = q ? q->vector : VIRTIO_MSI_NO_VECTOR;
		if (at < 2)
			vector = v->state.config_vector;
		return at & 1 ? vector >> 8 : vector & 0xff;
	}
	if (at - 4 >= VIRTIO_CONFIG_LENGTH)
		return 0;
	return (uint32_t)reg_space_read(&virtio_modern_space, dev, VIRTIO_DEVICE_AT + at - 4, 1);
}

/* Vectors are written as two bytes, low one first: the second makes the number. */
static void vector_written(struct virtio_net *v, unsigned at, uint8_t value)
{
	struct virtio_queue *q = selected(v);

	if (!(at & 1)) {
		v->state.vector_low = value;
		return;
	}
	uint16_t vector = virtio_legal_vector(v, (uint32_t)value << 8 | v->state.vector_low);
	if (at < 2)
		v->state.config_vector = vector;
	else if (q)
		q->vector = vector;
	v->nic.notes.status_dirty = true;
	virtio_window_load(v);
}

/* 5.1.4: a legacy driver sets its address by writing it. */
static void tail_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct virtio_net *v = self(dev);
	unsigned at = tail_byte(dev, index);

	(void)row, (void)old;
	if (at < 4)
		vector_written(v, at, (uint8_t)value);
	else if (at - 4 < MAC_LEN && !virtio_has(v, VIRTIO_F_VERSION_1))
		v->state.mac[at - 4] = (uint8_t)value;
}

#define STATE(member) REG_STATE(struct virtio_state, member)

static const struct reg legacy_rows[] = {
	{ "host_features", VIRTIO_PCI_HOST_FEATURES, .kind = REG_RO, .read = features_read },
	{ "guest_features", VIRTIO_PCI_GUEST_FEATURES, .mask = 0xffffffff, .read = wanted_read,
	  .written = wanted_written },
	{ "queue_pfn", VIRTIO_PCI_QUEUE_PFN, .mask = 0xffffffff, .read = page_read,
	  .written = page_written },
	{ "queue_num", VIRTIO_PCI_QUEUE_NUM, .width = 2, .kind = REG_RO, .read = size_read },
	{ "queue_sel", VIRTIO_PCI_QUEUE_SEL, .width = 2, .mask = 0xffff, STATE(queue_select),
	  .written = select_written },
	{ "queue_notify", VIRTIO_PCI_QUEUE_NOTIFY, .width = 2, .mask = 0xffff, .kind = REG_WO,
	  .written = notify_written },
	{ "status", VIRTIO_PCI_STATUS, .width = 1, STATE(status), .written = status_written },
	{ "isr", VIRTIO_PCI_ISR, .width = 1, .kind = REG_RO, .read = isr_read },
	{ "vectors_and_config", CONFIG_AT, .width = 1, .count = TAIL, .read = tail_read,
	  .written = tail_written },
};

struct reg_space virtio_legacy_space = {
	.name = "virtio-net legacy",
	.rows = legacy_rows,
	.count = ARRAY_SIZE(legacy_rows),
	.size = VIRTIO_LEGACY_SIZE,
	.granule = 1,
};
