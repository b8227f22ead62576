#include "vfio_user_nic.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static struct test_nic *test_of(struct pci_device *dev)
{
	return (struct test_nic *)nic_of(dev);
}

static uint32_t count_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row;
	(void)index;
	return ++test_of(dev)->r.count;
}

static void kick_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	(void)row;
	(void)index;
	(void)old;
	nic_kick(nic_of(dev), value & 31);
}

static void level_written(struct pci_device *dev, const struct reg *row, unsigned index,
			  uint32_t value, uint32_t old)
{
	(void)row;
	(void)index;
	(void)old;
	pci_intx_set(dev, value & 1);
}

static void raise_written(struct pci_device *dev, const struct reg *row, unsigned index,
			  uint32_t value, uint32_t old)
{
	(void)row;
	(void)index;
	(void)old;
	if (pci_irq_mode(dev) == IRQ_MSI)
		pci_msi_raise(dev, value);
	else
		pci_msix_raise(dev, value);
}

static void dma_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct test_registers *r = &test_of(dev)->r;
	struct guest_mem *mem = &nic_of(dev)->mem;
	uint64_t addr = (uint64_t)r->dma_high << 32 | r->dma_low;

	(void)row;
	(void)index;
	(void)old;
	if (value == 1)
		r->dma_ok = mem_read(mem, addr, &r->dma_word, sizeof(r->dma_word));
	else
		r->dma_ok = mem_write(mem, addr, &r->dma_word, sizeof(r->dma_word));
}

static void log_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct test_registers *r = &test_of(dev)->r;

	(void)row;
	(void)index;
	(void)old;
	r->log = 31 * r->log + value;
}

#define ALL 0xffffffffu
static const struct reg rows[] = {
	{ .name = "SCRATCH",
	  .offset = TEST_SCRATCH,
	  .mask = ALL,
	  .reset = 0x5a5a5a5a,
	  REG_STATE(struct test_registers, scratch) },
	{ .name = "COUNT", .offset = TEST_COUNT, .kind = REG_RO, .read = count_read },
	{ .name = "KICK", .offset = TEST_KICK, .kind = REG_WO, .written = kick_written },
	{ .name = "LEVEL", .offset = TEST_LEVEL, .kind = REG_WO, .written = level_written },
	{ .name = "RAISE", .offset = TEST_RAISE, .kind = REG_WO, .written = raise_written },
	{ .name = "DMA_LOW",
	  .offset = TEST_DMA_LOW,
	  .mask = ALL,
	  REG_STATE(struct test_registers, dma_low) },
	{ .name = "DMA_HIGH",
	  .offset = TEST_DMA_HIGH,
	  .mask = ALL,
	  REG_STATE(struct test_registers, dma_high) },
	{ .name = "DMA_GO", .offset = TEST_DMA_GO, .kind = REG_WO, .written = dma_written },
	{ .name = "DMA_WORD",
	  .offset = TEST_DMA_WORD,
	  .mask = ALL,
	  REG_STATE(struct test_registers, dma_word) },
	{ .name = "DMA_OK",
	  .offset = TEST_DMA_OK,
	  .kind = REG_RO,
	  REG_STATE(struct test_registers, dma_ok) },
	{ .name = "LOG",
	  .offset = TEST_LOG,
	  .kind = REG_RO,
	  REG_STATE(struct test_registers, log),
	  .written = log_written },
	{ .name = "BLOCK",
	  .offset = TEST_BLOCK,
	  .count = 16,
	  .mask = ALL,
	  REG_STATE(struct test_registers, block) },
};

static struct reg_space space = {
	.name = "test", .rows = rows, .count = ARRAY_SIZE(rows), .size = 0x80, .granule = 4
};

static void test_reset(struct nic *nic, enum reset_kind kind)
{
	struct test_nic *t = (struct test_nic *)nic;

	t->resets[kind]++;
	reg_space_reset(&space, &nic->pci);
	t->r.count = 0;
}

static void test_finish(struct nic *nic)
{
	(void)nic;
}

static void test_judge(const struct nic *nic, struct driver_report *out)
{
	(void)nic;
	(void)out;
}

static const struct nic_ops test_ops = { .name = "test",
					 .size = sizeof(struct test_nic),
					 .reset = test_reset,
					 .finish = test_finish,
					 .judge = test_judge };

struct test_nic *test_nic_create(const char *id, unsigned kind, const uint8_t *rom,
				 uint32_t rom_size)
{
	static const struct pci_identity conventional = { .vendor = 0x1af4,
							  .device = 0x10ff,
							  .subsystem_vendor = 0x1af4,
							  .class_code = 0x020000,
							  .interrupt_pin = 1 };
	struct pci_identity identity = conventional;
	static struct clock clock;
	struct test_nic *t = calloc(1, sizeof(*t));

	if (!t || (!space.slot && reg_space_prepare(&space, NULL) < 0))
		abort();
	identity.express = kind & TEST_EXPRESS;
	struct pci_device *pci = &t->nic.pci;
	pci_init(pci, &identity, &nic_pci_hooks, &t->r);
	t->nic.ops = &test_ops;
	t->nic.clock = &clock;
	str_copy(t->nic.spec.id, sizeof(t->nic.spec.id), id);
	mem_init(&t->nic.mem);
	pci_add_bar(pci, 0, BAR_MEM32, TEST_BAR_SIZE, &space);
	pci_add_bar(pci, 2, BAR_IO, TEST_IO_SIZE, &space);
	pci_add_bar(pci, 4, BAR_MEM64, 4096, NULL);
	pci_add_pm(pci, 0);
	pci_add_msi(pci, 0, 4, false);
	if (!(kind & TEST_NO_MSIX))
		pci_add_msix(pci, 0, TEST_NIC_VECTORS, 4, 0, 2048);
	if (kind & TEST_EXPRESS)
		pci_add_pcie(pci, 0, true);
	if (rom)
		pci_set_rom(pci, rom, rom_size);
	nic_reset(&t->nic, RESET_POWER_ON);
	return t;
}

void test_nic_destroy(struct test_nic *t)
{
	if (!t)
		return;
	pci_finish(&t->nic.pci);
	mem_finish(&t->nic.mem);
	free(t);
}
