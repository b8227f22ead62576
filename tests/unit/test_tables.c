/* Walks every row of every model: each register is found at its own address and nowhere else, masks and reset values hold
 * through real accesses, and a reset brings everything back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "nic/nic.h"

static struct clock clock_of_test;
static struct frame batch[FRAME_BATCH];

static unsigned width_of(const struct reg *row)
{
	return row->width ? row->width : 4;
}

static unsigned count_of(const struct reg *row)
{
	return row->count ? row->count : 1;
}

static uint32_t offset_of(const struct reg *row, unsigned i)
{
	return row->offset + i * (row->stride ? row->stride : width_of(row));
}

static struct nic *make(const struct nic_ops *ops, int rev)
{
	struct nic_spec spec = {
		.rev = rev, .bootindex = -1, .queues = 1, .mac = { 0x52, 0x54, 0, 1, 2, 3 }
	};
	struct error err = { 0 };

	str_copy(spec.model, sizeof(spec.model), ops->name);
	str_copy(spec.id, sizeof(spec.id), "net0");
	struct nic *nic = nic_create(&spec, &clock_of_test, batch, &err);
	if (!nic)
		fail_msg("%s: %s", ops->name, err.text);
	return nic;
}

static bool has_io_bar(const struct nic_ops *ops, int rev)
{
	struct nic *nic = make(ops, rev);
	bool found = false;

	for (unsigned i = 0; i < PCI_BARS; i++)
		found |= nic->pci.bar[i].kind == BAR_IO;
	nic_destroy(nic);
	return found;
}

/* As a guest finds it. */
static unsigned find_capability(struct nic *nic, unsigned id)
{
	unsigned at = nic->pci.config[PCI_CAPABILITY_LIST];

	for (unsigned n = 0; at && n < 48; n++) {
		if (nic->pci.config[at] == id)
			return at;
		at = nic->pci.config[at + PCI_CAP_LIST_NEXT];
	}
	return 0;
}

static unsigned capabilities(struct nic *nic)
{
	unsigned count = 0, at = nic->pci.config[PCI_CAPABILITY_LIST];

	for (; at && count < 48; count++)
		at = nic->pci.config[at + PCI_CAP_LIST_NEXT];
	return count;
}

static void a_card_without_msix_has_all_its_other_capabilities(void **state)
{
	(void)state;
	for (size_t i = 0; i < nic_model_count; i++) {
		struct nic *with = make(nic_models[i], -1);
		struct nic_spec spec = with->spec;
		struct error err = { 0 };

		assert_int_equal(find_capability(with, PCI_CAP_ID_MSIX) != 0, nic_models[i]->msix);
		spec.msix = TRISTATE_OFF;
		struct nic *nic = nic_create(&spec, &clock_of_test, batch, &err);
		assert_non_null(nic);
		assert_int_equal(find_capability(nic, PCI_CAP_ID_MSIX), 0);
		assert_int_equal(capabilities(nic), capabilities(with) - nic_models[i]->msix);
		nic_reset(nic, RESET_POWER_ON);
		assert_int_equal(find_capability(nic, PCI_CAP_ID_MSIX), 0);
		assert_int_equal(pci_irq_count(&nic->pci, PCI_MSIX), 0);
		pci_msix_raise(&nic->pci, 0);
		assert_int_equal(nic->pci.pending[PCI_MSIX], 0);
		if (!nic_models[i]->vf_policy)
			assert_int_equal(pci_irq_count(&nic->pci, PCI_INTX), 1);
		nic_destroy(nic);
		nic_destroy(with);
	}
}

/* The room for I/O ports is counted from these flags before a guest starts. */
static void a_model_says_whether_it_has_io_ports(void **state)
{
	(void)state;
	for (unsigned m = 0; m < nic_model_count; m++) {
		const struct nic_ops *ops = nic_models[m];

		if (has_io_bar(ops, -1) != ops->io_ports)
			fail_msg("%s: .io_ports is not what its BARs say", ops->name);
		if (ops->express_rev && has_io_bar(ops, ops->express_rev))
			fail_msg("%s: .express_rev has I/O ports", ops->name);
	}
}

static int prepare(void **state)
{
	struct error err = { 0 };

	(void)state;
	clock_set(&clock_of_test, NS_PER_S);
	if (nic_models_prepare(&err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static void each_register_is_found_at_its_own_address_once(void **state)
{
	(void)state;
	for (unsigned m = 0; m < nic_model_count; m++) {
		for (struct reg_space *const *s = nic_models[m]->spaces; *s; s++) {
			unsigned bytes = 0;
			for (unsigned i = 0; i < (*s)->count; i++) {
				const struct reg *row = &(*s)->rows[i];
				for (unsigned k = 0; k < count_of(row); k++) {
					unsigned index;
					const struct reg *found =
						reg_find(*s, offset_of(row, k), &index);
					if (found != row || index != k)
						fail_msg("%s: %s[%u] is not at 0x%x", (*s)->name,
							 row->name, k, offset_of(row, k));
				}
				bytes += width_of(row) * count_of(row);
			}
			assert_true(bytes <= (*s)->size);
		}
	}
}

static void names_are_unique_but_for_reserved_ones(void **state)
{
	(void)state;
	for (unsigned m = 0; m < nic_model_count; m++)
		for (struct reg_space *const *s = nic_models[m]->spaces; *s; s++)
			for (unsigned i = 0; i < (*s)->count; i++)
				for (unsigned k = 0; k < i; k++)
					if (strcmp((*s)->rows[i].name, (*s)->rows[k].name) == 0 &&
					    strcmp((*s)->rows[i].name, "reserved") != 0)
						fail_msg("%s: two rows are called %s", (*s)->name,
							 (*s)->rows[i].name);
}

/* Only rows without code of their own: what a side effect does is the model's own test. */
static bool is_plain(const struct reg *row)
{
	return row->state && row->kind != REG_ALIAS && !row->read && !row->written;
}

static void check_plain(const struct reg_space *space, struct nic *nic, const struct reg *row,
			unsigned k)
{
	uint32_t all = width_of(row) == 4 ? 0xffffffffu : (1u << (8 * width_of(row))) - 1;
	uint32_t at = offset_of(row, k), before = reg_value(&nic->pci, row, k);

	reg_space_write(space, &nic->pci, at, width_of(row), all);
	uint32_t ones = reg_value(&nic->pci, row, k);
	reg_space_write(space, &nic->pci, at, width_of(row), 0);
	uint32_t zeroes = reg_value(&nic->pci, row, k);
	bool fine = true;
	if (row->kind == REG_RW)
		fine = ones == (before | row->mask) && zeroes == (before & ~row->mask);
	else if (row->kind == REG_W1C)
		fine = ones == (before & ~row->mask) && zeroes == ones;
	else
		fine = ones == before && zeroes == before;
	if (!fine)
		fail_msg("%s: %s: was 0x%x, 0x%x after ones, 0x%x after zeroes", space->name,
			 row->name, before, ones, zeroes);
}

static void masks_hold_through_real_accesses(void **state)
{
	(void)state;
	unsigned checked = 0;

	for (unsigned m = 0; m < nic_model_count; m++) {
		struct nic *nic = make(nic_models[m], -1);
		for (unsigned b = 0; b < PCI_BARS; b++) {
			const struct reg_space *space = nic->pci.bar[b].space;
			for (unsigned i = 0; space && i < space->count; i++)
				for (unsigned k = 0;
				     is_plain(&space->rows[i]) && k < count_of(&space->rows[i]);
				     k++) {
					check_plain(space, nic, &space->rows[i], k);
					checked++;
				}
		}
		nic_destroy(nic);
	}
	assert_true(checked > 50);
}

static void every_byte_of_every_bar_can_be_accessed_in_every_size(void **state)
{
	(void)state;
	for (unsigned m = 0; m < nic_model_count; m++) {
		struct nic *nic = make(nic_models[m], -1);
		for (unsigned b = 0; b < PCI_BARS; b++)
			for (uint32_t at = 0; at < nic->pci.bar[b].size; at++)
				for (unsigned size = 1; size <= 8; size *= 2) {
					pci_bar_read(&nic->pci, b, at, size);
					pci_bar_write(&nic->pci, b, at, size,
						      0x5a5a5a5a5a5a5a5aull);
				}
		/* and a reset brings the card back to where no driver is */
		nic_reset(nic, RESET_PCI);
		nic_update_status(nic);
		assert_int_equal(nic->status.now.state, DRIVER_NONE);
		nic_destroy(nic);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_register_is_found_at_its_own_address_once),
		cmocka_unit_test(a_model_says_whether_it_has_io_ports),
		cmocka_unit_test(a_card_without_msix_has_all_its_other_capabilities),
		cmocka_unit_test(names_are_unique_but_for_reserved_ones),
		cmocka_unit_test(masks_hold_through_real_accesses),
		cmocka_unit_test(every_byte_of_every_bar_can_be_accessed_in_every_size),
	};
	return cmocka_run_group_tests(tests, prepare, NULL);
}
