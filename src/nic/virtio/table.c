/* table.c - the registers of the modern interface (virtio 1.x, 4.1.4) as rows. One 4 KiB BAR holds the common
 * configuration, the interrupt status, the device configuration and a notification address per queue.
 */
#include "nic/virtio/virtio_net.h"

static struct virtio_net *self(struct pci_device *dev)
{
	return virtio_of(nic_of(dev));
}

static void device_select_written(struct pci_device *dev, const struct reg *row, unsigned index,
				  uint32_t value, uint32_t old)
{
	struct virtio_net *v = self(dev);

	(void)row, (void)index, (void)old;
	/* words above 63 read 0: no feature there yet */
	v->state.device_feature = value < 2 ? (uint32_t)(v->offered >> (32 * value)) : 0;
}

static void driver_select_written(struct pci_device *dev, const struct reg *row, unsigned index,
				  uint32_t value, uint32_t old)
{
	struct virtio_state *s = &self(dev)->state;

	(void)row, (void)index, (void)old;
	s->driver_feature = value < 2 ? (uint32_t)(s->wanted >> (32 * value)) : 0;
}

static void driver_feature_written(struct pci_device *dev, const struct reg *row, unsigned index,
				   uint32_t value, uint32_t old)
{
	struct virtio_state *s = &self(dev)->state;
	unsigned shift = 32 * (s->driver_feature_select & 1);

	(void)row, (void)index;
	if (s->driver_feature_select > 1 || (s->status & VIRTIO_CONFIG_S_FEATURES_OK)) {
		s->driver_feature = old; /* 2.2.1: settled */
		return;
	}
	s->wanted = (s->wanted & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

static void config_vector_written(struct pci_device *dev, const struct reg *row, unsigned index,
				  uint32_t value, uint32_t old)
{
	struct virtio_net *v = self(dev);

	(void)row, (void)index, (void)old;
	v->state.config_vector = virtio_legal_vector(v, value);
	v->nic.notes.status_dirty = true;
}

static void status_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)old;
	virtio_set_status(self(dev), (uint8_t)value, false);
}

static void queue_select_written(struct pci_device *dev, const struct reg *row, unsigned index,
				 uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)value, (void)old;
	virtio_window_load(self(dev));
}

void virtio_window_load(struct virtio_net *v)
{
	struct virtio_state *s = &v->state;
	uint16_t n = s->queue_select;

	s->window = (struct virtio_window){ .vector = VIRTIO_MSI_NO_VECTOR };
	if (n >= s->num_queues)
		return; /* 4.1.5.1.3: size 0, there is no such queue */
	const struct virtio_queue *q = &s->queue[n];
	s->window = (struct virtio_window){
		.size = q->size,
		.vector = q->vector,
		.enable = q->enable,
		.notify_off = n,
		.notify_data = n,
		.desc_lo = (uint32_t)q->desc,
		.desc_hi = (uint32_t)(q->desc >> 32),
		.driver_lo = (uint32_t)q->driver,
		.driver_hi = (uint32_t)(q->driver >> 32),
		.device_lo = (uint32_t)q->device,
		.device_hi = (uint32_t)(q->device >> 32),
	};
}

static uint64_t both(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

/* The window was written: takes over what the driver may change now, and shows what came of it. */
static void queue_written(struct pci_device *dev, const struct reg *row, unsigned index,
			  uint32_t value, uint32_t old)
{
	struct virtio_net *v = self(dev);
	struct virtio_state *s = &v->state;
	const struct virtio_window *w = &s->window;
	struct virtio_queue *q = &s->queue[s->queue_select % VIRTIO_QUEUES];

	(void)index, (void)old;
	if (s->queue_select >= s->num_queues) {
		virtio_window_load(v);
		return;
	}
	q->vector = virtio_legal_vector(v, w->vector);
	if (!q->enable) {
		if (w->size && w->size <= virtio_size_max(v, s->queue_select))
			q->size = w->size;
		q->desc = both(w->desc_lo, w->desc_hi);
		q->driver = both(w->driver_lo, w->driver_hi);
		q->device = both(w->device_lo, w->device_hi);
	}
	if (row->offset == VIRTIO_COMMON_AT + VIRTIO_PCI_COMMON_Q_ENABLE && value == 1)
		virtio_enable_queue(v, s->queue_select);
	if (row->offset == VIRTIO_COMMON_AT + VIRTIO_PCI_COMMON_Q_RESET && value == 1 &&
	    virtio_has(v, VIRTIO_F_RING_RESET))
		virtio_disable_queue(v, s->queue_select); /* done at once: reads 0 */
	v->nic.notes.status_dirty = true;
	virtio_window_load(v);
}

static uint32_t isr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row, (void)index;
	return virtio_take_isr(self(dev));
}

static void notify_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	(void)row, (void)value, (void)old;
	virtio_kick(self(dev), index);
}

#define STATE(member) REG_STATE(struct virtio_state, member)
#define COMMON(at)    (VIRTIO_COMMON_AT + VIRTIO_PCI_COMMON_##at)
#define CONFIG(field) (VIRTIO_DEVICE_AT + (uint32_t)offsetof(struct virtio_net_config, field))
#define QUEUE(mask_)  .mask = (mask_), .written = queue_written

static const struct reg modern_rows[] = {
	{ "device_feature_select", COMMON(DFSELECT), .mask = 0xffffffff,
	  STATE(device_feature_select), .written = device_select_written },
	{ "device_feature", COMMON(DF), .kind = REG_RO, STATE(device_feature) },
	{ "driver_feature_select", COMMON(GFSELECT), .mask = 0xffffffff,
	  STATE(driver_feature_select), .written = driver_select_written },
	{ "driver_feature", COMMON(GF), .mask = 0xffffffff, STATE(driver_feature),
	  .written = driver_feature_written },
	{ "config_msix_vector", COMMON(MSIX), .width = 2, .mask = 0xffff,
	  .reset = VIRTIO_MSI_NO_VECTOR, STATE(config_vector), .written = config_vector_written },
	{ "num_queues", COMMON(NUMQ), .width = 2, .kind = REG_RO, STATE(num_queues) },
	/* written only through virtio_set_status */
	{ "device_status", COMMON(STATUS), .width = 1, STATE(status), .written = status_written },
	{ "config_generation", COMMON(CFGGENERATION), .width = 1, .kind = REG_RO,
	  STATE(generation) },
	{ "queue_select", COMMON(Q_SELECT), .width = 2, .mask = 0xffff, STATE(queue_select),
	  .written = queue_select_written },
	{ "queue_size", COMMON(Q_SIZE), .width = 2, STATE(window.size), QUEUE(0xffff) },
	{ "queue_msix_vector", COMMON(Q_MSIX), .width = 2, STATE(window.vector), QUEUE(0xffff) },
	{ "queue_enable", COMMON(Q_ENABLE), .width = 2, STATE(window.enable), QUEUE(0) },
	{ "queue_notify_off", COMMON(Q_NOFF), .width = 2, .kind = REG_RO,
	  STATE(window.notify_off) },
	{ "queue_desc_lo", COMMON(Q_DESCLO), STATE(window.desc_lo), QUEUE(0xffffffff) },
	{ "queue_desc_hi", COMMON(Q_DESCHI), STATE(window.desc_hi), QUEUE(0xffffffff) },
	{ "queue_driver_lo", COMMON(Q_AVAILLO), STATE(window.driver_lo), QUEUE(0xffffffff) },
	{ "queue_driver_hi", COMMON(Q_AVAILHI), STATE(window.driver_hi), QUEUE(0xffffffff) },
	{ "queue_device_lo", COMMON(Q_USEDLO), STATE(window.device_lo), QUEUE(0xffffffff) },
	{ "queue_device_hi", COMMON(Q_USEDHI), STATE(window.device_hi), QUEUE(0xffffffff) },
	{ "queue_notify_data", COMMON(Q_NDATA), .width = 2, .kind = REG_RO,
	  STATE(window.notify_data) },
	{ "queue_reset", COMMON(Q_RESET), .width = 2, STATE(window.reset), QUEUE(0) },
	{ "isr_status", VIRTIO_ISR_AT, .width = 1, .kind = REG_RO, .read = isr_read },
	{ "mac", CONFIG(mac), .width = 1, .count = MAC_LEN, .kind = REG_RO, STATE(mac) },
	{ "status", CONFIG(status), .width = 2, .kind = REG_RO, STATE(net_status) },
	{ "max_virtqueue_pairs", CONFIG(max_virtqueue_pairs), .width = 2, .kind = REG_RO,
	  STATE(pairs_max) },
	{ "mtu", CONFIG(mtu), .width = 2, .kind = REG_RO, STATE(mtu) },
	{ "speed", CONFIG(speed), .kind = REG_RO, STATE(speed) },
	{ "duplex", CONFIG(duplex), .width = 1, .kind = REG_RO, STATE(duplex) },
	{ "notify", VIRTIO_NOTIFY_AT, .stride = 4, .count = VIRTIO_QUEUES, .width = 2,
	  .kind = REG_WO, .written = notify_written },
};

struct reg_space virtio_modern_space = {
	.name = "virtio-net",
	.rows = modern_rows,
	.count = ARRAY_SIZE(modern_rows),
	.size = VIRTIO_MODERN_SIZE,
	.granule = 1,
};
