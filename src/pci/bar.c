#include "base/bytes.h"
#include "pci/pci.h"

uint64_t pci_bar_read(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size)
{
	if (bar >= PCI_BARS || !dev->bar[bar].space) {
		dev->unknown_accesses++;
		return 0;
	}
	dev->reads++;
	return reg_space_read(dev->bar[bar].space, dev, offset, size);
}

void pci_bar_write(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size,
		   uint64_t value)
{
	if (bar >= PCI_BARS || !dev->bar[bar].space) {
		dev->unknown_accesses++;
		return;
	}
	dev->writes++;
	reg_space_write(dev->bar[bar].space, dev, offset, size, value);
}

void pci_add_bar(struct pci_device *dev, unsigned index, enum pci_bar_kind kind, uint32_t size,
		 const struct reg_space *space)
{
	static const uint32_t flags[] = {
		[BAR_MEM32] = PCI_BASE_ADDRESS_MEM_TYPE_32,
		[BAR_MEM64] = PCI_BASE_ADDRESS_MEM_TYPE_64,
		[BAR_IO] = PCI_BASE_ADDRESS_SPACE_IO,
	};
	uint16_t at = (uint16_t)(PCI_BASE_ADDRESS_0 + 4 * index);

	dev->bar[index] = (struct pci_bar){ .kind = kind, .size = size, .space = space };
	put_le32(dev->config + at, flags[kind]);
	pci_add_field(dev, at, 4, ~(size - 1), 0);
	if (kind == BAR_MEM64)
		pci_add_field(dev, (uint16_t)(at + 4), 4, 0xffffffffu, 0);
}

void pci_set_rom(struct pci_device *dev, const uint8_t *data, uint32_t size)
{
	uint32_t bar = 2048; /* PCI 3.0, 6.2.5.2: at least 2 KiB */

	while (bar < size)
		bar <<= 1;
	dev->rom = data;
	dev->rom_size = size;
	dev->rom_bar = bar;
	pci_add_field(dev, PCI_ROM_ADDRESS, 4, ~(bar - 1) | PCI_ROM_ADDRESS_ENABLE, 0);
}
