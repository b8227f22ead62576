/* pci.c - the card as a PCI function: identity, BARs, capabilities, interrupts; registers are in table.c and legacy.c. */
#include "base/bytes.h"
#include "nic/virtio/virtio_net.h"

#define VENDOR		 0x1af4
#define DEVICE_MODERN	 0x1041
#define DEVICE_LEGACY	 0x1000
#define SUBSYSTEM_MODERN 0x1100
#define SUBSYSTEM_LEGACY 1 /* the virtio device id: what a transitional driver looks at (4.1.2.1) */

/* ------------------------------------------------------------------------------------------------ interrupts */

static void raise_vector(struct virtio_net *v, uint16_t vector, uint8_t isr)
{
	struct pci_device *dev = &v->nic.pci;

	if (pci_irq_mode(dev) == IRQ_MSIX) {
		if (vector != VIRTIO_MSI_NO_VECTOR)
			pci_msix_raise(dev, vector);
		return;
	}
	v->state.isr |= isr;
	pci_intx_set(dev, true);
}

static void queue_interrupt(struct virtio_net *v, unsigned queue)
{
	raise_vector(v, v->state.queue[queue].vector, 1);
}

static void config_interrupt(struct virtio_net *v)
{
	raise_vector(v, v->state.config_vector, VIRTIO_PCI_ISR_CONFIG);
}

uint8_t virtio_take_isr(struct virtio_net *v)
{
	uint8_t isr = v->state.isr;

	v->state.isr = 0;
	pci_intx_set(&v->nic.pci, false);
	return isr;
}

uint16_t virtio_legal_vector(const struct virtio_net *v, uint32_t vector)
{
	return vector < v->vectors ? (uint16_t)vector : VIRTIO_MSI_NO_VECTOR;
}

static void reset(struct virtio_net *v)
{
	reg_space_reset(&virtio_modern_space, &v->nic.pci);
	pci_intx_set(&v->nic.pci, false);
}

static const struct virtio_transport transport = {
	.interrupt = queue_interrupt,
	.config_interrupt = config_interrupt,
	.reset = reset,
};

/* ------------------------------------------------------------------------------------------------ config space */

#define WINDOW_DATA sizeof(struct virtio_pci_cap)

/* What the configuration access capability points at: a legal access to the modern BAR, or nothing (4.1.4.9). */
static bool window_target(const struct virtio_net *v, uint32_t *offset, unsigned *size)
{
	const uint8_t *cap = v->nic.pci.config + v->window_cap;

	*offset = get_le32(cap + VIRTIO_PCI_CAP_OFFSET);
	*size = get_le32(cap + VIRTIO_PCI_CAP_LENGTH);
	return cap[VIRTIO_PCI_CAP_BAR] == VIRTIO_BAR_MODERN &&
	       (*size == 1 || *size == 2 || *size == 4) && *offset % *size == 0 &&
	       *offset < VIRTIO_MODERN_SIZE;
}

static bool touches_window(const struct virtio_net *v, uint32_t offset, unsigned size)
{
	uint32_t at = v->window_cap + WINDOW_DATA;

	return offset < at + 4 && offset + size > at;
}

static void config_read(struct pci_device *dev, uint32_t offset, unsigned size)
{
	struct virtio_net *v = virtio_of(nic_of(dev));
	uint32_t at;
	unsigned width;

	if (!touches_window(v, offset, size) || !window_target(v, &at, &width))
		return;
	put_le32(dev->config + v->window_cap + WINDOW_DATA,
		 (uint32_t)pci_bar_read(dev, VIRTIO_BAR_MODERN, at, width));
}

static void config_written(struct pci_device *dev, uint32_t offset, unsigned size)
{
	struct virtio_net *v = virtio_of(nic_of(dev));
	uint32_t at;
	unsigned width;

	if (!touches_window(v, offset, size) || !window_target(v, &at, &width))
		return;
	uint32_t value = get_le32(dev->config + v->window_cap + WINDOW_DATA);
	pci_bar_write(dev, VIRTIO_BAR_MODERN, at, width,
		      width == 4 ? value : value & ((1u << (8 * width)) - 1));
}

static const struct pci_hooks hooks = {
	.command_changed = nic_command_changed,
	.function_reset = nic_function_reset,
	.config_read = config_read,
	.config_written = config_written,
};

static uint16_t add_structure(struct pci_device *dev, uint8_t type, uint8_t bar, uint32_t offset,
			      uint32_t length, uint8_t extra)
{
	uint8_t size = (uint8_t)(sizeof(struct virtio_pci_cap) + extra);
	uint16_t at = pci_add_capability(dev, PCI_CAP_ID_VNDR, 0, size);
	uint8_t *c = dev->config + at;

	c[VIRTIO_PCI_CAP_LEN] = size;
	c[VIRTIO_PCI_CAP_CFG_TYPE] = type;
	c[VIRTIO_PCI_CAP_BAR] = bar;
	put_le32(c + VIRTIO_PCI_CAP_OFFSET, offset);
	put_le32(c + VIRTIO_PCI_CAP_LENGTH, length);
	return at;
}

static void add_capabilities(struct virtio_net *v)
{
	struct pci_device *dev = &v->nic.pci;
	uint8_t bar = VIRTIO_BAR_MODERN;

	add_structure(dev, VIRTIO_PCI_CAP_COMMON_CFG, bar, VIRTIO_COMMON_AT, VIRTIO_COMMON_LENGTH,
		      0);
	uint16_t notify = add_structure(dev, VIRTIO_PCI_CAP_NOTIFY_CFG, bar, VIRTIO_NOTIFY_AT,
					4 * VIRTIO_QUEUES, 4);
	put_le32(dev->config + notify + VIRTIO_PCI_NOTIFY_CAP_MULT, 4);
	add_structure(dev, VIRTIO_PCI_CAP_ISR_CFG, bar, VIRTIO_ISR_AT, 1, 0);
	add_structure(dev, VIRTIO_PCI_CAP_DEVICE_CFG, bar, VIRTIO_DEVICE_AT, VIRTIO_CONFIG_LENGTH,
		      0);
	v->window_cap = add_structure(dev, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0, 4);
	pci_add_field(dev, (uint16_t)(v->window_cap + VIRTIO_PCI_CAP_BAR), 1, 0xff, 0);
	pci_add_field(dev, (uint16_t)(v->window_cap + VIRTIO_PCI_CAP_OFFSET), 4, 0xffffffff, 0);
	pci_add_field(dev, (uint16_t)(v->window_cap + VIRTIO_PCI_CAP_LENGTH), 4, 0xffffffff, 0);
	pci_add_field(dev, (uint16_t)(v->window_cap + WINDOW_DATA), 4, 0xffffffff, 0);
	pci_add_msix(dev, 0, v->vectors, VIRTIO_BAR_MSIX, 0, 0x800);
	pci_add_pm(dev, 0);
	pci_add_pcie(dev, 0, true);
}

/* ------------------------------------------------------------------------------------------------ the model */

static int init(struct nic *nic, const struct nic_spec *spec, struct error *err)
{
	struct virtio_net *v = virtio_of(nic);
	bool transitional = spec->rev <= 0; /* also where nobody chose: what fits every driver */

	int rc = virtio_init(v, spec, err);
	if (rc < 0)
		return rc;
	v->transport = &transport;
	v->vectors = 2u * MAX(spec->queues, 1) + 2;

	const struct pci_identity id = {
		.vendor = VENDOR,
		.device = transitional ? DEVICE_LEGACY : DEVICE_MODERN,
		.subsystem_vendor = VENDOR,
		.subsystem = transitional ? SUBSYSTEM_LEGACY : SUBSYSTEM_MODERN,
		.revision = (uint8_t)(transitional ? 0 : spec->rev),
		.class_code = 0x020000,
		.interrupt_pin = 1,
		.express = true,
	};
	pci_init(&nic->pci, &id, &hooks, &v->state);
	if (transitional)
		pci_add_bar(&nic->pci, VIRTIO_BAR_LEGACY, BAR_IO, VIRTIO_LEGACY_SIZE,
			    &virtio_legacy_space);
	pci_add_bar(&nic->pci, VIRTIO_BAR_MSIX, BAR_MEM32, 4096, NULL);
	pci_add_bar(&nic->pci, VIRTIO_BAR_MODERN, BAR_MEM64, VIRTIO_MODERN_SIZE,
		    &virtio_modern_space);
	add_capabilities(v);
	return 0;
}

static const char *const does[] = {
	("split and packed rings, indirect descriptors, event index, in order, ring reset; up to 8 "
	 "queue pairs"),
	"checksums, TCP and UDP segmentation both ways, merged receive buffers, MTU",
	"control queue: receive modes, addresses, VLANs, queue pairs, offloads, announcement",
	"transitional and modern interface, PCI window; INTx and MSI-X",
	NULL,
};

static const char *const lacks[] = {
	"RSS and hash reports, notification coalescing, device statistics, UDP tunnels",
	"ACCESS_PLATFORM, ADMIN_VQ, NOTIFICATION_DATA",
	NULL,
};

static struct reg_space *const spaces[] = { &virtio_modern_space, &virtio_legacy_space, NULL };

const struct nic_ops virtio_net_ops = {
	.name = "virtio-net",
	.vhost_user = &virtio_core_ops,
	.summary = "virtio 1.x network card; rev=0 transitional, rev=1 (behind a root port) modern "
		   "only",
	.does = does,
	.lacks = lacks,
	.size = sizeof(struct virtio_net),
	.performant = true,
	.express = true,
	.queues_max = VIRTIO_PAIRS,
	.mtu_max = 65535,
	.packed = true,
	.revs = { 1 },
	.rev_zero = true,
	.express_rev = 1, /* as QEMU's own: what is plugged into a root port is modern only */
	.msix = true,
	.io_ports = true,
	.spaces = spaces,
	.init = init,
	.finish = virtio_finish,
	.reset = virtio_reset,
	.transmit = virtio_transmit,
	.receive = virtio_receive,
	.link_changed = virtio_link_changed,
	.timer = virtio_timer,
	.judge = virtio_judge,
	.save = virtio_save,
	.load = virtio_load,
};
