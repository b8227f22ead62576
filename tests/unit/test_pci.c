#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "pci/pci.h"

struct card {
	struct pci_device pci;
	uint32_t word, clear, ack;
	uint16_t half[4];
	uint8_t byte[6];
	uint32_t last_written, last_old;
	unsigned last_index;
	int resets, commands;
};

static struct card *card_of(struct pci_device *dev)
{
	return (struct card *)dev;
}

static void note_write(struct pci_device *dev, const struct reg *row, unsigned index,
		       uint32_t value, uint32_t old)
{
	(void)row;
	card_of(dev)->last_written = value;
	card_of(dev)->last_old = old;
	card_of(dev)->last_index = index;
}

static const struct reg rows[] = {
	{ .name = "WORD",
	  .offset = 0x00,
	  .kind = REG_RW,
	  .mask = 0x00ffff00,
	  .reset = 0xaa0000bb,
	  REG_STATE(struct card, word),
	  .written = note_write },
	{ .name = "CLEAR",
	  .offset = 0x04,
	  .kind = REG_CLEAR_R,
	  .mask = 0x0f,
	  REG_STATE(struct card, clear) },
	{ .name = "ACK",
	  .offset = 0x08,
	  .kind = REG_W1C,
	  .mask = 0xff,
	  REG_STATE(struct card, ack) },
	{ .name = "HALF",
	  .offset = 0x10,
	  .stride = 8,
	  .count = 4,
	  .width = 2,
	  .kind = REG_RW,
	  .mask = 0xffff,
	  REG_STATE(struct card, half),
	  .written = note_write },
	{ .name = "BYTE",
	  .offset = 0x30,
	  .count = 6,
	  .width = 1,
	  .kind = REG_RW,
	  .mask = 0xff,
	  REG_STATE(struct card, byte) },
	{ .name = "COMMAND", .offset = 0x38, .width = 2, .kind = REG_WO, .written = note_write },
	{ .name = "HALF (old place)",
	  .offset = 0x40,
	  .stride = 2,
	  .count = 3,
	  .width = 2,
	  .kind = REG_ALIAS,
	  .of = 0x18 },
};

static struct reg_space space = {
	.name = "card", .rows = rows, .count = ARRAY_SIZE(rows), .size = 0x80, .granule = 1
};

static void command_changed(struct pci_device *dev)
{
	card_of(dev)->commands++;
}

static void function_reset(struct pci_device *dev)
{
	card_of(dev)->resets++;
	pci_reset(dev);
}

static const struct pci_hooks hooks = { .command_changed = command_changed,
					.function_reset = function_reset };

static int setup(void **state)
{
	static struct card c;
	static const struct pci_identity id = { .vendor = 0x8086,
						.device = 0x1234,
						.class_code = 0x020000,
						.interrupt_pin = 1,
						.express = true };

	assert_int_equal(reg_space_prepare(&space, NULL), 0);
	c = (struct card){ 0 };
	pci_init(&c.pci, &id, &hooks, &c);
	pci_add_bar(&c.pci, 0, BAR_MEM32, 0x80, &space);
	pci_add_bar(&c.pci, 2, BAR_MEM64, 0x1000, NULL);
	pci_add_pm(&c.pci, 0);
	pci_add_msi(&c.pci, 0, 1, false);
	pci_add_msix(&c.pci, 0, 3, 2, 0, 0x800);
	pci_add_pcie(&c.pci, 0, true);
	pci_add_aer(&c.pci, 0x100);
	pci_add_dsn(&c.pci, 0x148, 0x1122334455667788);
	reg_space_reset(&space, &c.pci);
	*state = &c;
	return 0;
}

static int teardown(void **state)
{
	pci_finish(&((struct card *)*state)->pci);
	reg_space_finish(&space);
	return 0;
}

static void rows_mask_clear_and_acknowledge(void **state)
{
	struct card *c = *state;
	struct pci_device *d = &c->pci;

	assert_int_equal(pci_bar_read(d, 0, 0, 4), 0xaa0000bb);
	pci_bar_write(d, 0, 0, 4, 0x11223344);
	assert_int_equal(pci_bar_read(d, 0, 0, 4), 0xaa2233bb);
	assert_int_equal(c->last_written, 0x11223344);
	assert_int_equal(c->last_old, 0xaa0000bb);
	/* one byte: the others count as unchanged */
	pci_bar_write(d, 0, 2, 1, 0x99);
	assert_int_equal(c->word, 0xaa9933bb);
	assert_int_equal(c->last_written, 0xaa9933bb);
	assert_int_equal(pci_bar_read(d, 0, 1, 2), 0x9933);

	c->clear = 0xff;
	assert_int_equal(pci_bar_read(d, 0, 4, 4), 0xff);
	assert_int_equal(pci_bar_read(d, 0, 4, 4), 0xf0);
	c->ack = 0x1ff;
	pci_bar_write(d, 0, 8, 4, 0x103);
	assert_int_equal(c->ack, 0x1fc);
	pci_bar_write(d, 0, 0x38, 2, 0xbeef);
	assert_int_equal(c->last_written, 0xbeef);
	assert_int_equal(pci_bar_read(d, 0, 0x38, 2), 0);
}

static void blocks_and_aliases_reach_one_place(void **state)
{
	struct card *c = *state;
	struct pci_device *d = &c->pci;

	pci_bar_write(d, 0, 0x18, 2, 0x1234);
	assert_int_equal(c->half[1], 0x1234);
	assert_int_equal(c->last_index, 1);
	assert_int_equal(pci_bar_read(d, 0, 0x40, 2), 0x1234);
	pci_bar_write(d, 0, 0x44, 2, 0x5678);
	assert_int_equal(c->half[3], 0x5678);
	assert_int_equal(c->last_index, 3);
	/* the gap between two elements is a hole */
	uint64_t holes = d->unknown_accesses;
	assert_int_equal(pci_bar_read(d, 0, 0x12, 2), 0);
	assert_true(d->unknown_accesses > holes);
	/* one access over several registers */
	pci_bar_write(d, 0, 0x30, 4, 0x04030201);
	pci_bar_write(d, 0, 0x34, 2, 0x0605);
	assert_int_equal(pci_bar_read(d, 0, 0x30, 8), 0x060504030201);
	assert_int_equal(pci_bar_read(d, 0, 0x7e, 4), 0); /* over the end */
	assert_int_equal(pci_bar_read(d, 0, 0xffffffff0, 4), 0);
	pci_bar_write(d, 0, 0x7e, 8, ~0ull);
}

static void tables_that_cannot_be_right_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct reg rows[2];
	} bad[] = {
		{ "overlap",
		  { { .name = "A", .offset = 0 }, { .name = "B", .offset = 2, .width = 2 } } },
		{ "beyond", { { .name = "A", .offset = 0x7e } } },
		{ "width", { { .name = "A", .width = 3 } } },
		{ "mask", { { .name = "A", .width = 1, .mask = 0x100 } } },
		{ "alias", { { .name = "A", .kind = REG_ALIAS, .of = 0x40 } } },
		{ "state",
		  { { .name = "A", .count = 7, .width = 1, REG_STATE(struct card, byte) } } },
	};
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct reg_space s = { .name = bad[i].what,
				       .rows = bad[i].rows,
				       .size = 0x80,
				       .granule = 1,
				       .count = bad[i].rows[1].name ? 2 : 1 };
		struct error err = { 0 };
		assert_int_equal(reg_space_prepare(&s, &err), -EINVAL);
		assert_null(s.slot);
		assert_true(err.text[0]);
	}
}

static void config_space_shows_sizes_and_walks_capabilities(void **state)
{
	struct card *c = *state;
	struct pci_device *d = &c->pci;

	pci_config_write(d, PCI_BASE_ADDRESS_0, 4, 0xffffffff);
	assert_int_equal(pci_config_read(d, PCI_BASE_ADDRESS_0, 4), 0xffffff80);
	pci_config_write(d, PCI_BASE_ADDRESS_2, 4, 0xffffffff);
	assert_int_equal(pci_config_read(d, PCI_BASE_ADDRESS_2, 4), 0xfffff004);
	pci_config_write(d, PCI_VENDOR_ID, 4, 0);
	assert_int_equal(pci_config_read(d, PCI_VENDOR_ID, 4), 0x12348086);

	unsigned seen = 0, at = pci_config_read(d, PCI_CAPABILITY_LIST, 1);
	while (at) {
		seen |= 1u << pci_config_read(d, at, 1);
		at = pci_config_read(d, at + 1, 1);
	}
	assert_int_equal(seen, 1u << PCI_CAP_ID_PM | 1u << PCI_CAP_ID_MSI | 1u << PCI_CAP_ID_MSIX |
				       1u << PCI_CAP_ID_EXP);
	assert_int_equal(pci_config_read(d, 0x100, 4), 0x14820001);
	assert_int_equal(pci_config_read(d, 0x148, 4), 0x00010003);
	assert_int_equal(pci_config_read(d, 0x14c, 4), 0x55667788);
	assert_int_equal(pci_config_read(d, 0xffc, 4), 0);
	assert_int_equal(pci_config_read(d, 0x1000, 4), 0);
	pci_config_write(d, 0xffe, 4, ~0u);
}

static void flr_and_leaving_d3_reset_the_function(void **state)
{
	struct card *c = *state;
	struct pci_device *d = &c->pci;

	pci_config_write(d, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_int_equal(c->commands, 1);
	assert_true(pci_bus_master(d));
	pci_config_write(d, d->pcie + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(c->resets, 1);
	assert_false(pci_bus_master(d));
	pci_config_write(d, d->pm + PCI_PM_CTRL, 2, 3);
	assert_int_equal(c->resets, 1);
	pci_config_write(d, d->pm + PCI_PM_CTRL, 2, 0);
	assert_int_equal(c->resets, 2);
}

static uint64_t count_of(int fd)
{
	uint64_t n = 0;
	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void intx_signals_again_on_unmask_while_the_level_is_up(void **state)
{
	struct card *c = *state;
	struct pci_device *d = &c->pci;
	int fd = eventfd(0, EFD_NONBLOCK);

	pci_intx_set(d, true);
	assert_int_equal(pci_irq_set_fd(d, PCI_INTX, 0, fd),
			 0); /* the level waited for its eventfd */
	assert_int_equal(count_of(fd), 1);
	assert_true(pci_config_read(d, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	pci_intx_unmask(d);
	assert_int_equal(count_of(fd), 1);
	pci_intx_set(d, true);
	assert_int_equal(count_of(fd), 0);
	pci_intx_set(d, false);
	pci_intx_unmask(d);
	assert_int_equal(count_of(fd), 0);
	pci_config_write(d, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	pci_intx_set(d, true);
	assert_int_equal(count_of(fd), 0);
	pci_config_write(d, PCI_COMMAND, 2, 0);
	assert_int_equal(count_of(fd), 1);
}

static void a_vector_without_eventfd_stays_pending(void **state)
{
	struct card *c = *state;
	struct pci_device *d = &c->pci;
	int fd = eventfd(0, EFD_NONBLOCK);

	pci_msix_raise(d, 1);
	assert_int_equal(d->pending[PCI_MSIX], 0); /* MSI-X is off */
	pci_config_write(d, d->msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(pci_irq_mode(d), IRQ_MSIX);
	pci_msix_raise(d, 1);
	pci_msix_raise(d, 77);
	assert_int_equal(pci_irq_set_fd(d, PCI_MSIX, 1, fd), 0);
	assert_int_equal(count_of(fd), 1);
	pci_msix_raise(d, 1);
	assert_int_equal(count_of(fd), 1);
	assert_int_equal(pci_irq_set_fd(d, PCI_MSIX, 3, dup(fd)), -EINVAL);
	assert_int_equal(pci_irq_set_fd(d, (enum pci_irq_index)9, 0, dup(fd)), -EINVAL);
}

static void saved_state_comes_back_and_wrong_state_is_refused(void **state)
{
	struct card *c = *state;
	struct pci_device *d = &c->pci;
	struct buffer b = { 0 }, regs = { 0 };

	pci_config_write(d, PCI_COMMAND, 2, 7);
	pci_config_write(d, PCI_BASE_ADDRESS_0, 4, 0xfebc0000);
	pci_bar_write(d, 0, 0, 4, 0x11223344);
	pci_save(d, &b);
	reg_space_save(&space, d, &regs);
	assert_int_equal(regs.length, 8); /* one register differs from reset */
	pci_reset(d);
	reg_space_reset(&space, d);
	struct reader r = reader_of(b.data, b.length), q = reader_of(regs.data, regs.length);
	assert_int_equal(pci_load(d, &r, NULL), 0);
	assert_int_equal(reg_space_load(&space, d, &q, NULL), 0);
	assert_int_equal(pci_config_read(d, PCI_COMMAND, 2), 7);
	assert_int_equal(pci_config_read(d, PCI_BASE_ADDRESS_0, 4), 0xfebc0000);
	assert_int_equal(c->word, 0xaa2233bb);

	r = reader_of(b.data, b.length - 3);
	assert_int_equal(pci_load(d, &r, NULL), -EINVAL);
	put_le32(regs.data, 0x12);
	q = reader_of(regs.data, regs.length);
	assert_int_equal(reg_space_load(&space, d, &q, NULL), -EINVAL);
	put_le32(regs.data, 1u << 20); /* a run longer than its row */
	q = reader_of(regs.data, regs.length);
	assert_int_equal(reg_space_load(&space, d, &q, NULL), -EINVAL);
	buffer_finish(&b);
	buffer_finish(&regs);
}

static void neighbours_are_saved_as_one_run(void **state)
{
	struct card *c = *state;
	struct pci_device *d = &c->pci;
	struct buffer regs = { 0 };

	for (unsigned i = 0; i < 4; i++)
		c->half[i] = i == 2 ? 0 : (uint16_t)(0x100 + i);
	reg_space_save(&space, d, &regs);
	assert_int_equal(regs.length, (1 + 2 + 1 + 1) * 4);
	reg_space_reset(&space, d);
	struct reader in = reader_of(regs.data, regs.length);
	assert_int_equal(reg_space_load(&space, d, &in, NULL), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(c->half[i], i == 2 ? 0 : 0x100 + i);
	buffer_finish(&regs);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(rows_mask_clear_and_acknowledge),
		T(blocks_and_aliases_reach_one_place),
		T(tables_that_cannot_be_right_are_refused),
		T(config_space_shows_sizes_and_walks_capabilities),
		T(flr_and_leaving_d3_reset_the_function),
		T(intx_signals_again_on_unmask_while_the_level_is_up),
		T(a_vector_without_eventfd_stays_pending),
		T(saved_state_comes_back_and_wrong_state_is_refused),
		T(neighbours_are_saved_as_one_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
