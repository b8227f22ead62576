/* config.c - type 0 configuration space (PCI Local Bus 3.0, chapter 6; PCI Express Base, chapter 7).
 *
 * Bytes plus a list of fields that can be written; everything else is read-only. Capabilities are built by the functions
 * below, which add their own fields.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "pci/pci.h"

#define EXT_CONFIG     256u
#define EXPRESS_CONFIG 4096u
#define COMMAND_BITS                                                                               \
	(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INVALIDATE |       \
	 PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE)
#define STATUS_CLEAR_BITS 0xf900u
#define PCIE_LENGTH	  0x3c
#define PCIE_LENGTH_V1	  0x14 /* an endpoint's, without what version 2 added */

static uint32_t get_width(const uint8_t *p, unsigned width)
{
	return width == 1 ? *p : width == 2 ? get_le16(p) : get_le32(p);
}

static void put_width(uint8_t *p, unsigned width, uint32_t value)
{
	if (width == 1)
		*p = (uint8_t)value;
	else if (width == 2)
		put_le16(p, (uint16_t)value);
	else
		put_le32(p, value);
}

void pci_init(struct pci_device *dev, const struct pci_identity *id, const struct pci_hooks *hooks,
	      void *state)
{
	uint8_t *c = dev->config;

	*dev = (struct pci_device){
		.hooks = hooks, .state = state, .express = id->express, .cap_end = 0x40
	};
	for (unsigned i = 0; i < PCI_IRQ_INDEXES; i++)
		for (unsigned k = 0; k < PCI_VECTORS_MAX; k++)
			dev->irq_fd[i][k] = -1;
	put_le16(c + PCI_VENDOR_ID, id->vendor);
	put_le16(c + PCI_DEVICE_ID, id->device);
	put_le32(c + PCI_CLASS_REVISION, id->class_code << 8 | id->revision);
	put_le16(c + PCI_SUBSYSTEM_VENDOR_ID, id->subsystem_vendor);
	put_le16(c + PCI_SUBSYSTEM_ID, id->subsystem);
	c[PCI_INTERRUPT_PIN] = id->interrupt_pin;
	pci_add_field(dev, PCI_COMMAND, 2, COMMAND_BITS, 0);
	pci_add_field(dev, PCI_STATUS, 2, 0, STATUS_CLEAR_BITS);
	pci_add_field(dev, PCI_CACHE_LINE_SIZE, 1, 0xff, 0);
	pci_add_field(dev, PCI_LATENCY_TIMER, 1, 0xff, 0);
	pci_add_field(dev, PCI_INTERRUPT_LINE, 1, 0xff, 0);
}

void pci_finish(struct pci_device *dev)
{
	if (!dev->hooks)
		return; /* never initialised: its descriptors are zero, not -1 */
	for (unsigned i = 0; i < PCI_IRQ_INDEXES; i++)
		pci_irq_clear(dev, (enum pci_irq_index)i);
}

void pci_reset(struct pci_device *dev)
{
	for (unsigned i = 0; i < dev->fields; i++) {
		const struct pci_field *f = &dev->field[i];
		uint8_t *p = dev->config + f->offset;
		uint32_t change = f->writable | f->write_1_clear;
		put_width(p, f->width, (get_width(p, f->width) & ~change) | (f->reset & change));
	}
	pci_intx_set(dev, false);
	memset(dev->pending, 0, sizeof(dev->pending));
}

void pci_add_field(struct pci_device *dev, uint16_t offset, uint8_t width, uint32_t writable,
		   uint32_t write_1_clear)
{
	assert(dev->fields < PCI_FIELDS_MAX && offset + width <= PCI_CONFIG_ROOM);
	dev->field[dev->fields++] =
		(struct pci_field){ .offset = offset,
				    .width = width,
				    .writable = writable,
				    .write_1_clear = write_1_clear,
				    .reset = get_width(dev->config + offset, width) };
}

uint16_t pci_add_capability(struct pci_device *dev, uint8_t id, uint16_t at, uint8_t length)
{
	uint8_t *c = dev->config;

	if (!at)
		at = dev->cap_end;
	assert(at % 4 == 0 && at + length <= EXT_CONFIG);
	c[at + PCI_CAP_LIST_ID] = id;
	c[dev->last_cap ? dev->last_cap + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST] = (uint8_t)at;
	c[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	dev->last_cap = at;
	dev->cap_end = (uint16_t)MAX(dev->cap_end, (at + length + 3) & ~3);
	return at;
}

uint16_t pci_add_ext_capability(struct pci_device *dev, uint16_t id, uint8_t version, uint16_t at,
				uint16_t length)
{
	/* the list begins at 0x100; later entries say where they are */
	assert(dev->express && at % 4 == 0 && at + length <= PCI_CONFIG_ROOM);
	assert(dev->last_ext_cap ? at > dev->last_ext_cap : at == EXT_CONFIG);
	put_le32(dev->config + at, (uint32_t)version << 16 | id);
	if (dev->last_ext_cap) {
		uint8_t *last = dev->config + dev->last_ext_cap;
		put_le32(last, get_le32(last) | (uint32_t)at << 20);
	}
	dev->last_ext_cap = at;
	return at;
}

void pci_add_pm(struct pci_device *dev, uint16_t at)
{
	dev->pm = pci_add_capability(dev, PCI_CAP_ID_PM, at, PCI_PM_SIZEOF);
	/* version 2 (PCI PM 1.1); PME from D0, D3hot and D3cold, as the cards here say */
	put_le16(dev->config + dev->pm + PCI_PM_PMC,
		 2 | PCI_PM_CAP_PME_D0 | PCI_PM_CAP_PME_D3hot | PCI_PM_CAP_PME_D3cold);
	pci_add_field(dev, (uint16_t)(dev->pm + PCI_PM_CTRL), 2,
		      PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_ENABLE, PCI_PM_CTRL_PME_STATUS);
}

void pci_add_msi(struct pci_device *dev, uint16_t at, unsigned vectors, bool maskable)
{
	uint16_t flags = PCI_MSI_FLAGS_64BIT;

	for (unsigned n = vectors; n > 1; n >>= 1)
		flags = (uint16_t)(flags + (1u << 1)); /* log2 in bits 3:1 */
	if (maskable)
		flags |= PCI_MSI_FLAGS_MASKBIT;
	dev->msi = pci_add_capability(dev, PCI_CAP_ID_MSI, at, maskable ? 24 : 14);
	put_le16(dev->config + dev->msi + PCI_MSI_FLAGS, flags);
	pci_add_field(dev, (uint16_t)(dev->msi + PCI_MSI_FLAGS), 2,
		      PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE, 0);
	pci_add_field(dev, (uint16_t)(dev->msi + PCI_MSI_ADDRESS_LO), 4, 0xfffffffcu, 0);
	pci_add_field(dev, (uint16_t)(dev->msi + PCI_MSI_ADDRESS_HI), 4, 0xffffffffu, 0);
	pci_add_field(dev, (uint16_t)(dev->msi + PCI_MSI_DATA_64), 2, 0xffff, 0);
	if (maskable)
		pci_add_field(dev, (uint16_t)(dev->msi + PCI_MSI_MASK_64), 4,
			      vectors >= 32 ? 0xffffffffu : (1u << vectors) - 1, 0);
}

void pci_add_msix(struct pci_device *dev, uint16_t at, unsigned vectors, unsigned bar,
		  uint32_t table, uint32_t pba)
{
	assert(vectors >= 1 && vectors <= PCI_VECTORS_MAX);
	dev->msix = pci_add_capability(dev, PCI_CAP_ID_MSIX, at, PCI_CAP_MSIX_SIZEOF);
	put_le16(dev->config + dev->msix + PCI_MSIX_FLAGS, (uint16_t)(vectors - 1));
	put_le32(dev->config + dev->msix + PCI_MSIX_TABLE, table | bar);
	put_le32(dev->config + dev->msix + PCI_MSIX_PBA, pba | bar);
	pci_add_field(dev, (uint16_t)(dev->msix + PCI_MSIX_FLAGS), 2,
		      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 0);
}

void pci_hide_msix(struct pci_device *dev)
{
	unsigned at = PCI_CAPABILITY_LIST;

	while (dev->msix && dev->config[at] && dev->config[at] != dev->msix)
		at = dev->config[at] + PCI_CAP_LIST_NEXT;
	if (dev->msix)
		dev->config[at] = dev->config[dev->msix + PCI_CAP_LIST_NEXT];
	dev->msix = 0;
}

void pci_add_pcie(struct pci_device *dev, uint16_t at, bool flr)
{
	uint8_t *c = dev->config;
	/* cards older than version 2 have it where there is room for no more (82574: 0xe0) */
	bool v1 = (unsigned)at + PCIE_LENGTH > EXT_CONFIG;
	uint16_t e = pci_add_capability(dev, PCI_CAP_ID_EXP, at, v1 ? PCIE_LENGTH_V1 : PCIE_LENGTH);

	dev->pcie = e;
	put_le16(c + e + PCI_EXP_FLAGS, v1 ? 1 : 2); /* version, endpoint */
	put_le32(c + e + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER | (flr ? PCI_EXP_DEVCAP_FLR : 0));
	put_le32(c + e + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_2_5GB | 1u << 4);
	put_le16(c + e + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1);
	put_le16(c + e + PCI_EXP_DEVCTL,
		 PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ_512B);
	pci_add_field(dev, (uint16_t)(e + PCI_EXP_DEVCTL), 2, 0x7fff, 0);
	pci_add_field(dev, (uint16_t)(e + PCI_EXP_DEVSTA), 2, 0, 0x000f);
	pci_add_field(dev, (uint16_t)(e + PCI_EXP_LNKCTL), 2, 0x01fb, 0);
	if (!v1)
		pci_add_field(dev, (uint16_t)(e + PCI_EXP_DEVCTL2), 2, 0x0010, 0);
}

void pci_add_aer(struct pci_device *dev, uint16_t at)
{
	uint16_t a = pci_add_ext_capability(dev, PCI_EXT_CAP_ID_ERR, 2, at, 0x48);

	put_le32(dev->config + a + PCI_ERR_UNCOR_SEVER, 0x00462030);
	put_le32(dev->config + a + PCI_ERR_COR_MASK, 0x00002000);
	pci_add_field(dev, (uint16_t)(a + PCI_ERR_UNCOR_STATUS), 4, 0, 0x007ff030);
	pci_add_field(dev, (uint16_t)(a + PCI_ERR_UNCOR_MASK), 4, 0x007ff030, 0);
	pci_add_field(dev, (uint16_t)(a + PCI_ERR_UNCOR_SEVER), 4, 0x007ff030, 0);
	pci_add_field(dev, (uint16_t)(a + PCI_ERR_COR_STATUS), 4, 0, 0x0000f1c1);
	pci_add_field(dev, (uint16_t)(a + PCI_ERR_COR_MASK), 4, 0x0000f1c1, 0);
}

void pci_add_dsn(struct pci_device *dev, uint16_t at, uint64_t serial)
{
	uint16_t d = pci_add_ext_capability(dev, PCI_EXT_CAP_ID_DSN, 1, at, 12);

	put_le64(dev->config + d + 4, serial);
}

uint32_t pci_config_size(const struct pci_device *dev)
{
	return dev->express ? EXPRESS_CONFIG : EXT_CONFIG;
}

uint32_t pci_config_read(struct pci_device *dev, uint32_t offset, unsigned size)
{
	uint32_t value = 0;

	if (size > 4 || offset >= pci_config_size(dev) || size > pci_config_size(dev) - offset)
		return 0;
	if (dev->hooks->config_read)
		dev->hooks->config_read(dev, offset, size);
	for (unsigned i = 0; i < size; i++)
		if (offset + i < PCI_CONFIG_ROOM)
			value |= (uint32_t)dev->config[offset + i] << (8 * i);
	return value;
}

/* The part of a write at [offset, offset+size) that touches the field: value and enabled bits, both at the field's place. */
static bool overlap(const struct pci_field *f, uint32_t offset, unsigned size, uint32_t value,
		    uint32_t *bits, uint32_t *enable)
{
	*bits = *enable = 0;
	for (unsigned i = 0; i < f->width; i++) {
		uint32_t at = f->offset + i;
		if (at < offset || at >= offset + size)
			continue;
		*enable |= 0xffu << (8 * i);
		*bits |= (value >> (8 * (at - offset)) & 0xff) << (8 * i);
	}
	return *enable != 0;
}

void pci_config_write(struct pci_device *dev, uint32_t offset, unsigned size, uint32_t value)
{
	uint16_t command = get_le16(dev->config + PCI_COMMAND);
	uint8_t power = dev->pm ? dev->config[dev->pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK : 0;
	bool reset = false;
	uint32_t bits, enable;

	if (size > 4 || offset >= PCI_CONFIG_ROOM || size > pci_config_size(dev) - offset)
		return;
	for (unsigned i = 0; i < dev->fields; i++) {
		const struct pci_field *f = &dev->field[i];
		if (!overlap(f, offset, size, value, &bits, &enable))
			continue;
		uint8_t *p = dev->config + f->offset;
		uint32_t writable = f->writable & enable;
		uint32_t now = (get_width(p, f->width) & ~writable) | (bits & writable);
		put_width(p, f->width, now & ~(bits & f->write_1_clear));
		/* initiate FLR: reads as 0 (PCI Express 7.5.3.4) */
		if (dev->pcie && f->offset == dev->pcie + PCI_EXP_DEVCTL &&
		    (bits & PCI_EXP_DEVCTL_BCR_FLR))
			reset = get_le32(dev->config + dev->pcie + PCI_EXP_DEVCAP) &
				PCI_EXP_DEVCAP_FLR;
	}
	if (dev->pm && power == 3 &&
	    (dev->config[dev->pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK) == 0)
		reset = true; /* No_Soft_Reset is 0: leaving D3hot resets the function */
	if (reset) {
		dev->hooks->function_reset(dev);
		return;
	}
	uint16_t now = get_le16(dev->config + PCI_COMMAND);
	if (now != command) {
		if ((command & PCI_COMMAND_INTX_DISABLE) && !(now & PCI_COMMAND_INTX_DISABLE))
			pci_intx_unmask(dev);
		dev->hooks->command_changed(dev);
	}
	if (dev->hooks->config_written)
		dev->hooks->config_written(dev, offset, size);
}

bool pci_bus_master(const struct pci_device *dev)
{
	return get_le16(dev->config + PCI_COMMAND) & PCI_COMMAND_MASTER;
}

bool pci_memory_enabled(const struct pci_device *dev)
{
	return get_le16(dev->config + PCI_COMMAND) & PCI_COMMAND_MEMORY;
}

/* Saved: the writable bits of every field, and the interrupt level. */
void pci_save(const struct pci_device *dev, struct buffer *out)
{
	buffer_put_u8(out, dev->intx_level);
	buffer_put_u32(out, dev->fields);
	for (unsigned i = 0; i < dev->fields; i++) {
		buffer_put_u16(out, dev->field[i].offset);
		buffer_put_u32(out,
			       get_width(dev->config + dev->field[i].offset, dev->field[i].width));
	}
	for (unsigned i = 0; i < PCI_IRQ_INDEXES; i++)
		buffer_put_u32(out, dev->pending[i]);
}

int pci_load(struct pci_device *dev, struct reader *in, struct error *err)
{
	bool level = reader_u8(in);

	if (reader_u32(in) != dev->fields)
		return error_set(err, -EINVAL, "saved PCI state is of another card");
	pci_reset(dev);
	for (unsigned i = 0; i < dev->fields; i++) {
		const struct pci_field *f = &dev->field[i];
		uint16_t offset = reader_u16(in);
		uint32_t value = reader_u32(in);
		if (in->failed || offset != f->offset)
			return error_set(err, -EINVAL,
					 "saved PCI state is cut short or of another card");
		uint8_t *p = dev->config + f->offset;
		uint32_t change = f->writable | f->write_1_clear;
		put_width(p, f->width, (get_width(p, f->width) & ~change) | (value & change));
	}
	for (unsigned i = 0; i < PCI_IRQ_INDEXES; i++) {
		uint32_t pending = reader_u32(in);
		unsigned count = pci_irq_count(dev, (enum pci_irq_index)i);
		dev->pending[i] = count >= 32 ? pending : pending & ((1u << count) - 1);
	}
	if (in->failed)
		return error_set(err, -EINVAL, "saved PCI state is cut short");
	pci_intx_set(dev, level);
	dev->hooks->command_changed(dev);
	return 0;
}
