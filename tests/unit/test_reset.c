/* Whatever a guest did to a card, a reset of the bus leaves nothing of it: the saved state is that of a card that nobody touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nic/nic.h"

#define ROUNDS 40
#define STEPS  3000

static struct clock clock_of_test;
static struct frame batch[FRAME_BATCH];
static uint32_t seed = 1;

static uint32_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static struct nic *make(const struct nic_ops *ops)
{
	struct nic_spec spec = {
		.rev = -1, .bootindex = -1, .queues = 1, .mac = { 0x52, 0x54, 0, 1, 2, 3 }
	};
	struct error err = { 0 };

	str_copy(spec.model, sizeof(spec.model), ops->name);
	str_copy(spec.id, sizeof(spec.id), "net0");
	clock_set(&clock_of_test, NS_PER_S);
	struct nic *nic = nic_create(&spec, &clock_of_test, batch, &err);
	if (!nic)
		fail_msg("%s: %s", ops->name, err.text);
	nic_set_link(nic, true);
	return nic;
}

/* What outlives a reset: the words of the NVM, and what e1000 wakes by (82540EM: cleared by power-on alone). The I/O windows lead there, too. */
static bool may_write(const struct nic *nic, const struct pci_bar *bar, const struct reg *row)
{
	static const char *const kept[] = { "EE", "FL", "WU", "9346CR" };

	if (bar->kind == BAR_IO && strcmp(nic->ops->name, "virtio-net") != 0)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		if (strncmp(row->name, kept[i], strlen(kept[i])) == 0)
			return false;
	return true;
}

/* One access somewhere; values with few bits switch more on than random ones. */
static void poke(struct nic *nic)
{
	unsigned bar = any() % PCI_BARS;
	uint32_t value = any() & 1 ? any() : 1u << any() % 32;
	const struct pci_bar *b = &nic->pci.bar[bar];

	if (any() % 16 == 0) {
		/* commands and capabilities; identity is read-only anyway */
		pci_config_write(&nic->pci, any() % 256 & ~3u, 4, value);
		pci_config_write(&nic->pci, PCI_COMMAND, 2,
				 PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
		return;
	}
	if (!b->space)
		return;
	const struct reg *row = &b->space->rows[any() % b->space->count];
	unsigned size = row->width ? row->width : 4;
	uint64_t at = row->offset +
		      (row->count ? any() % row->count : 0) * (row->stride ? row->stride : size);
	if (!may_write(nic, b, row))
		return;
	if (any() % 4 == 0)
		pci_bar_read(&nic->pci, bar, at, size);
	else
		pci_bar_write(&nic->pci, bar, at, size, value);
}

static void use(struct nic *nic)
{
	static uint8_t data[64];
	struct frame frame;

	pci_config_write(&nic->pci, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	for (unsigned i = 0; i < STEPS; i++) {
		poke(nic);
		if (any() % 64 == 0) {
			frame_set_linear(&frame, data, sizeof(data));
			nic->ops->receive(nic, &frame, 1);
		}
		if (any() % 64 == 0)
			nic->ops->transmit(nic, any() % 20);
		if (any() % 64 == 0) {
			clock_set(&clock_of_test, nic_now(nic) + any() % NS_PER_MS);
			nic->notes.deadline_ns = 0;
			nic->ops->timer(nic);
		}
		nic_update_status(nic);
	}
}

static void state_after_reset(struct nic *nic, enum reset_kind kind, struct buffer *out)
{
	clock_set(&clock_of_test, NS_PER_S);
	nic_reset(nic, kind);
	*out = (struct buffer){ 0 };
	assert_int_equal(nic_save(nic, out), 0);
}

static void check_model(const struct nic_ops *ops, enum reset_kind kind)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct buffer fresh, used;
		struct nic *nic = make(ops);

		state_after_reset(nic, kind, &fresh);
		uint32_t begin = seed;
		use(nic);
		state_after_reset(nic, kind, &used);
		size_t n = MIN(fresh.length, used.length), at = 0;
		while (at < n && fresh.data[at] == used.data[at])
			at++;
		if (fresh.length != used.length || at < n)
			fail_msg("%s: after reset %d byte %zu of %zu (%zu) is %02x, was %02x (seed "
				 "%u)",
				 ops->name, kind, at, used.length, fresh.length,
				 at < n ? used.data[at] : 0, at < n ? fresh.data[at] : 0, begin);
		buffer_finish(&fresh);
		buffer_finish(&used);
		nic_destroy(nic);
	}
}

static void a_bus_reset_leaves_nothing_of_what_the_guest_did(void **state)
{
	(void)state;
	for (unsigned m = 0; m < nic_model_count; m++)
		check_model(nic_models[m], RESET_PCI);
}

static void so_does_a_function_reset(void **state)
{
	(void)state;
	for (unsigned m = 0; m < nic_model_count; m++)
		check_model(nic_models[m], RESET_FUNCTION);
}

static int prepare(void **state)
{
	(void)state;
	return nic_models_prepare(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bus_reset_leaves_nothing_of_what_the_guest_did),
		cmocka_unit_test(so_does_a_function_reset),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
