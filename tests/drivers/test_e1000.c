/* The 82540EM and its siblings with a driver of their own: identity, EEPROM, PHY, link, interrupts and their delays, status, saved
 * state.
 */
#include "e1000_help.h"

#include <unistd.h>

/* --- identity --- */

static void three_cards_have_their_own_ids_and_bars(void **state)
{
	static const struct {
		const char *model;
		uint32_t id;
		unsigned io_bar;
		uint16_t phy_id2;
	} want[] = {
		{ "e1000", 0x100e8086, 2, 0x0c20 },
		{ "e1000-82545em", 0x100f8086, 4, 0x0c20 },
		{ "e1000-82544gc", 0x100c8086, 4, 0x0c30 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		teardown(state);
		struct e_driver *d = open_model(state, want[i].model);
		struct pci_device *pci = &d->m->nic->pci;
		assert_int_equal(pci_config_read(pci, 0, 4), want[i].id);
		assert_int_equal(pci_config_read(pci, 0x3d, 1), 1);
		assert_int_equal(pci->bar[0].size, 0x20000);
		assert_int_equal(d->io_bar, want[i].io_bar);
		assert_int_equal(e_phy_read(d, 2), 0x0141);
		assert_int_equal(e_phy_read(d, 3), want[i].phy_id2);
		assert_int_equal(e_eeprom_read(d, 0x0d), want[i].id >> 16);
	}
}

static void power_management_pcix_and_msi_are_where_the_chip_has_them(void **state)
{
	struct e_driver *d = *state;
	struct pci_device *pci = &d->m->nic->pci;
	static const uint8_t want[][2] = { { 0xdc, 1 }, { 0xe4, 7 }, { 0xf0, 5 } };
	uint32_t at = pci_config_read(pci, 0x34, 1);

	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(at, want[i][0]);
		assert_int_equal(pci_config_read(pci, at, 1), want[i][1]);
		at = pci_config_read(pci, at + 1, 1);
	}
	assert_int_equal(at, 0);
}

static void the_io_window_reaches_every_register(void **state)
{
	struct e_driver *d = *state;
	struct pci_device *pci = &d->m->nic->pci;

	pci_bar_write(pci, d->io_bar, 0, 4, 0x38);
	assert_int_equal(pci_bar_read(pci, d->io_bar, 4, 4), 0x8100); /* VET */
	pci_bar_write(pci, d->io_bar, 4, 4, 0x9100);
	assert_int_equal(e_read(d, 0x38), 0x9100);
	pci_bar_write(pci, d->io_bar, 0, 4, 0x20000); /* behind the last one */
	pci_bar_write(pci, d->io_bar, 4, 4, 0xffffffff);
	assert_int_equal(pci_bar_read(pci, d->io_bar, 4, 4), 0);
}

static void registers_answer_at_the_offsets_of_the_82542_too(void **state)
{
	struct e_driver *d = *state;

	e_write(d, 0x110, 0x12345670);
	assert_int_equal(e_read(d, 0x2800), 0x12345670);
	e_write(d, 0x200 + 4 * 127, 7);
	assert_int_equal(e_read(d, 0x5200 + 4 * 127), 7);
	assert_int_equal(e_read(d, 0x40), e_read(d, 0x5400));
	e_write(d, 0x604, 9);
	assert_int_equal(e_read(d, 0x5604), 9);
}

/* What `ethtool -t` of Linux writes and wants back. */
static void the_register_test_of_linux_finds_its_masks(void **state)
{
	static const struct {
		uint32_t at, mask, write;
	} test[] = {
		{ 0x28, 0xffffffff, 0xffffffff },   { 0x2c, 0xffff, 0xffffffff },
		{ 0x30, 0xffff, 0xffffffff },	    { 0x38, 0xffff, 0xffffffff },
		{ 0x2820, 0xffff, 0xffffffff },	    { 0x2804, 0xffffffff, 0xffffffff },
		{ 0x2808, 0xfff80, 0xfffff },	    { 0x2810, 0xffff, 0xffff },
		{ 0x2818, 0xffff, 0xffff },	    { 0x2168, 0xfff8, 0xfff8 },
		{ 0x170, 0xffff, 0xffff },	    { 0x410, 0x3fffffff, 0x3fffffff },
		{ 0x3804, 0xffffffff, 0xffffffff }, { 0x3808, 0xfff80, 0xfffff },
		{ 0x2800, 0xfffffff0, 0xffffffff }, { 0x178, 0xc000ffff, 0xffff },
		{ 0x3800, 0xfffffff0, 0xffffffff }, { 0x3820, 0xffff, 0xffff },
		{ 0x5404, 0x8003ffff, 0xffffffff }, { 0x547c, 0x8003ffff, 0xffffffff },
		{ 0x5200, 0xffffffff, 0xffffffff }, { 0x53fc, 0xffffffff, 0xffffffff },
	};
	static const uint32_t pattern[] = { 0x5a5a5a5a, 0xa5a5a5a5, 0, 0xffffffff };
	struct e_driver *d = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(test); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(pattern); k++) {
			uint32_t value = test[i].write & pattern[k];
			e_write(d, test[i].at, value);
			assert_int_equal(e_read(d, test[i].at), value & test[i].mask);
		}
	uint32_t before = e_read(d, 8);
	e_write(d, 8, 0xfffff833);
	assert_int_equal(e_read(d, 8), before);
	e_write(d, 0x100, 0x06dfb3fe);
	assert_int_equal(e_read(d, 0x100), 0x06dfb3fe);
	e_write(d, 0x100, 0);
	e_write(d, 0x1000, 40); /* PBA: the transmitter gets the rest of 64 KiB */
	assert_int_equal(e_read(d, 0x1000), 24u << 16 | 40);
}

/* --- EEPROM --- */

static void drivers_find_the_address_and_the_sum_in_the_eeprom(void **state)
{
	struct e_driver *d = *state;
	uint16_t sum = 0;

	for (unsigned i = 0; i < 0x40; i++) {
		uint16_t word = e_eeprom_read(d, i);
		sum = (uint16_t)(sum + word);
		/* EERD tells the same: START 0, DONE 4, address from 8 */
		e_write(d, 0x14, i << 8 | 1);
		assert_int_equal(e_read(d, 0x14) & 0xffff0010, (uint32_t)word << 16 | 0x10);
	}
	assert_int_equal(sum, 0xbaba);
	assert_int_equal(e_eeprom_read(d, 0), 0x5452);
	assert_int_equal(e_eeprom_read(d, 2), 0x5634);
	assert_int_equal(e_read(d, 0x5400), 0x12005452);
	assert_int_equal(e_read(d, 0x5404), 0x80005634);
}

static void pins_without_a_grant_do_nothing(void **state)
{
	struct e_driver *d = *state;

	assert_int_equal(e_read(d, 0x10) & 0x80, 0);
	e_write(d, 0x10, 0x40);
	assert_int_equal(e_read(d, 0x10) & 0x80, 0x80);
	e_write(d, 0x10, 0x40 | 2);
	e_write(d, 0x10, 2); /* the request is gone: the chip is no longer selected */
	e_write(d, 0x10, 0x40 | 2 | 4 | 1);
	assert_int_equal(e_eeprom_read(d, 0), 0x5452);
}

static void the_eeprom_keeps_what_is_written_over_resets(void **state)
{
	struct e_driver *d = *state;

	e_eeprom_write(d, 2, 0xbbaa);
	assert_int_equal(e_eeprom_read(d, 2), 0xbbaa);
	assert_int_equal(e_read(d, 0x5404), 0x80005634);
	e_reset(d);
	assert_int_equal(e_read(d, 0x5404), 0x8000bbaa);
	e_eeprom_write(d, 2, 0x1122);
	e_set(d, 0x18, BIT(13)); /* EE_RST loads it too */
	assert_int_equal(e_read(d, 0x5404), 0x80001122);
	assert_int_equal(e_read(d, 0x18) & BIT(13), 0);
	nic_reset(d->m->nic, RESET_PCI);
	machine_set_bus(d->m, true);
	assert_int_equal(e_read(d, 0x5404), 0x80001122);
}

/* --- PHY and link --- */

static void another_phy_address_and_a_bad_operation_are_errors(void **state)
{
	struct e_driver *d = *state;

	e_write(d, 0x20, 2u << 26 | 2u << 21 | 2u << 16);
	assert_int_equal(e_read(d, 0x20) >> 28, 5); /* ready, error */
	e_write(d, 0x20, 3u << 26 | 1u << 21 | 2u << 16);
	assert_int_equal(e_read(d, 0x20) >> 28, 5);
}

static void mdic_interrupts_when_asked(void **state)
{
	struct e_driver *d = *state;

	e_write(d, 0xd0, E_MDAC);
	machine_interrupts(d->m);
	e_phy_read(d, 1);
	assert_int_equal(machine_interrupts(d->m), 0);
	e_write(d, 0x20, 1u << 29 | 2u << 26 | 1u << 21 | 1u << 16);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(e_read(d, 0xc0) & E_MDAC, E_MDAC);
}

static void a_negotiation_is_seen_under_way_and_ends_with_a_link_change(void **state)
{
	struct e_driver *d = *state;

	assert_int_equal(e_read(d, 8) & 0xc3, 0x83); /* 1000, up, full duplex */
	e_phy_write(d, 0, 0x1340);		     /* restart */
	e_phy_read(d, 1);
	assert_int_equal(e_phy_read(d, 1) & 0x24, 0);
	assert_int_equal(e_read(d, 8) & 2, 0);
	e_read(d, 0xc0);
	e_write(d, 0xd0, E_LSC);
	machine_interrupts(d->m);
	machine_wait(d->m, 500 * MS);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(e_read(d, 0xc0), E_LSC);
	e_phy_read(d, 1);
	assert_int_equal(e_phy_read(d, 1) & 0x24, 0x24);
	assert_int_equal(e_phy_read(d, 17) & 0xec00, 0xac00); /* 1000, full, resolved, link */
}

static void the_cable_moves_the_link_and_interrupts(void **state)
{
	struct e_driver *d = *state;

	e_write(d, 0xd0, E_LSC);
	e_read(d, 0xc0);
	nic_set_link(d->m->nic, false);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(e_read(d, 8) & 2, 0);
	assert_int_equal(e_read(d, 0xc0), E_LSC);
	assert_int_equal(e_phy_read(d, 17) & 0x400, 0);
	nic_set_link(d->m->nic, true);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(e_read(d, 8) & 2, 2);
	assert_int_equal(e_phy_read(d, 1) & 4, 0); /* shown lost once */
	assert_int_equal(e_phy_read(d, 1) & 4, 4);
}

static void the_mac_sees_no_link_before_it_is_told_to(void **state)
{
	struct e_driver *d = *state;

	e_clear(d, 0, 0x40);
	assert_int_equal(e_read(d, 8) & 2, 0);
	e_set(d, 0, 0x40);
	assert_int_equal(e_read(d, 8) & 2, 2);
}

static void slower_links_show_in_status(void **state)
{
	struct e_driver *d = *state;

	e_phy_write(d, 9, 0);
	e_phy_write(d, 4, 0x0081); /* 100 half */
	e_phy_write(d, 0, 0x1200);
	machine_wait(d->m, 500 * MS);
	assert_int_equal(e_read(d, 8) & 0xc3, 0x42);
	e_phy_write(d, 0, 0x0100); /* 10 full, without negotiation */
	assert_int_equal(e_read(d, 8) & 0xc3, 0x03);
	e_set(d, 0, 0x1801 | 2u << 8); /* forced in the MAC */
	assert_int_equal(e_read(d, 8) & 0xc1, 0x81);
}

static void a_phy_reset_by_the_mac_restarts_it(void **state)
{
	struct e_driver *d = *state;

	e_phy_write(d, 16, 0x0800);
	e_set(d, 0, BIT(31));
	e_clear(d, 0, BIT(31));
	assert_int_equal(e_phy_read(d, 16), 0x0068);
	machine_wait(d->m, 500 * MS);
	assert_int_equal(e_read(d, 8) & 2, 2);
}

/* --- interrupts --- */

static void causes_are_shown_once_and_interrupt_when_unmasked(void **state)
{
	struct e_driver *d = *state;

	e_read(d, 0xc0);
	machine_interrupts(d->m);
	for (unsigned bit = 0; bit < 10; bit++) {
		e_write(d, 0xd8, 0xffffffff);
		e_write(d, 0xc8, 1u << bit);
		assert_int_equal(machine_interrupts(d->m), 0);
		e_write(d, 0xd0, 1u << bit);
		assert_int_equal(e_read(d, 0xd0), 1u << bit);
		assert_int_equal(machine_interrupts(d->m), 1);
		assert_int_equal(e_read(d, 0xc0), 1u << bit);
		assert_int_equal(e_read(d, 0xc0), 0);
	}
}

static void writing_causes_clears_those_alone(void **state)
{
	struct e_driver *d = *state;

	e_read(d, 0xc0);
	e_write(d, 0xc8, 0x14);
	e_write(d, 0xc0, 0x04);
	assert_int_equal(e_read(d, 0xc0), 0x10);
}

static void masking_drops_the_line_and_unmasking_raises_it_again(void **state)
{
	struct e_driver *d = *state;

	e_read(d, 0xc0);
	e_write(d, 0xd0, E_RXT0);
	machine_interrupts(d->m);
	e_write(d, 0xc8, E_RXT0);
	assert_int_equal(machine_interrupts(d->m), 1);
	e_write(d, 0xd8, E_RXT0);
	assert_false(d->m->nic->pci.intx_level);
	e_write(d, 0xd0, E_RXT0);
	assert_int_equal(machine_interrupts(d->m), 1);
}

static void the_throttle_keeps_interrupts_apart(void **state)
{
	struct e_driver *d = *state;

	e_read(d, 0xc0);
	e_write(d, 0xc4, 1000); /* 256 us */
	e_write(d, 0xd0, E_RXT0);
	machine_interrupts(d->m);
	e_write(d, 0xc8, E_RXT0);
	assert_int_equal(machine_interrupts(d->m), 1);
	e_read(d, 0xc0);
	machine_wait(d->m, 100 * US);
	e_write(d, 0xc8, E_RXT0);
	assert_int_equal(machine_interrupts(d->m), 0);
	machine_wait(d->m, 155 * US);
	assert_int_equal(machine_interrupts(d->m), 0);
	machine_wait(d->m, 2 * US);
	assert_int_equal(machine_interrupts(d->m), 1);
}

static void a_frame_waits_for_its_delay_and_company_delays_it_on(void **state)
{
	struct e_driver *d = *state;

	e_open(d, BIT(26), E_RXT0);
	e_write(d, 0x2820, 10); /* 10.24 us */
	e_write(d, 0x282c, 20); /* ... at most 20.48 */
	e_read(d, 0xc0);
	machine_interrupts(d->m);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	machine_wait(d->m, 9 * US);
	assert_int_equal(machine_interrupts(d->m), 0);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	machine_wait(d->m, 9 * US);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(machine_interrupts(d->m), 0);
	machine_wait(d->m, 3 * US);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(e_read(d, 0xc0) & E_RXT0, E_RXT0);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	machine_wait(d->m, 11 * US);
	assert_int_equal(machine_interrupts(d->m), 1);
}

static void the_delay_can_be_ended_by_hand_and_ends_with_a_read_of_causes(void **state)
{
	struct e_driver *d = *state;

	e_open(d, BIT(26), E_RXT0);
	e_write(d, 0x2820, 1000);
	e_read(d, 0xc0);
	machine_interrupts(d->m);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(machine_interrupts(d->m), 0);
	e_write(d, 0x2820, BIT(31) | 1000);
	assert_int_equal(machine_interrupts(d->m), 1);
	e_read(d, 0xc0);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(e_read(d, 0xc0) & E_RXT0, E_RXT0);
	machine_wait(d->m, 2 * MS);
	assert_int_equal(machine_interrupts(d->m), 0);
}

static void sent_frames_interrupt_late_only_when_they_may(void **state)
{
	struct e_driver *d = *state;

	e_open(d, BIT(26), E_TXDW);
	e_write(d, 0x3820, 100);
	e_read(d, 0xc0);
	machine_interrupts(d->m);
	e_send(d, frame_to(other, 60, 1), 60, 0, 0);
	assert_int_equal(machine_interrupts(d->m), 1);
	e_read(d, 0xc0);
	e_send(d, frame_to(other, 60, 1), 60, E_IDE, 0);
	assert_true(e_sent(d, 1)); /* the descriptor is back at once */
	assert_int_equal(machine_interrupts(d->m), 0);
	machine_wait(d->m, 103 * US);
	assert_int_equal(machine_interrupts(d->m), 1);
}

static void an_interrupt_by_message_needs_no_line(void **state)
{
	struct e_driver *d = *state;
	struct pci_device *pci = &d->m->nic->pci;

	e_read(d, 0xc0);
	pci_config_write(pci, 0xf2, 2, 1);
	assert_int_equal(pci_irq_set_fd(pci, PCI_MSI, 0, dup(d->m->irq_fd)), 0);
	machine_interrupts(d->m);
	e_write(d, 0xd0, E_RXT0);
	e_write(d, 0xc8, E_RXT0);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_false(pci->intx_level);
	e_read(d, 0xc0);
	e_write(d, 0xc8, E_RXT0);
	assert_int_equal(machine_interrupts(d->m), 1);
}

/* --- status --- */

static void a_driver_with_interrupts_becomes_ready(void **state)
{
	struct e_driver *d = *state;

	assert_int_equal(status_of(d), DRIVER_INITIALIZING);
	e_open(d, BIT(26), 0);
	assert_int_equal(status_of(d), DRIVER_INITIALIZING);
	e_write(d, 0xd0, 0x9d);
	assert_int_equal(status_of(d), DRIVER_READY);
	assert_int_equal(d->m->nic->status.now.phase, PHASE_OS);
	e_close(d);
	assert_int_equal(status_of(d), DRIVER_INITIALIZING);
	machine_set_bus(d->m, false);
	assert_int_equal(status_of(d), DRIVER_NONE);
}

static void boot_firmware_polls_and_is_ready_as_firmware(void **state)
{
	struct e_driver *d = *state;

	e_open(d, BIT(26) | 0x18, 0);
	e_read(d, 0xc0);
	assert_int_equal(status_of(d), DRIVER_READY);
	assert_int_equal(d->m->nic->status.now.phase, PHASE_FIRMWARE);
}

static void dpdk_says_drv_load_before_its_reset(void **state)
{
	struct e_driver *d = *state;

	e_set(d, 0x18, BIT(28));
	e_reset(d);
	assert_true(e_read(d, 0x18) & BIT(28));
	e_open(d, BIT(26), 0);
	assert_int_equal(status_of(d), DRIVER_READY);
	assert_int_equal(d->m->nic->status.now.phase, PHASE_OS);
}

static void a_card_that_hears_only_itself_is_not_ready(void **state)
{
	struct e_driver *d = *state;

	e_open(d, BIT(26), 0x9d);
	assert_int_equal(status_of(d), DRIVER_READY);
	e_phy_write(d, 0, 0x4140);
	assert_int_equal(status_of(d), DRIVER_INITIALIZING);
}

static void a_ring_outside_memory_is_told(void **state)
{
	struct e_driver *d = *state;

	e_open(d, BIT(26), 0x9d);
	e_write(d, 0x3804, 0xff);
	e_write(d, 0x3818, 3);
	assert_int_equal(status_of(d), DRIVER_FAILED);
	assert_true(d->m->nic->counters.bad_access > 0);
	e_close(d);
	e_open(d, BIT(26), 0x9d);
	assert_int_equal(status_of(d), DRIVER_READY);
}

/* --- resets --- */

static void a_reset_stops_everything_but_keeps_link_and_wake_state(void **state)
{
	struct e_driver *d = *state;

	e_open(d, BIT(26), 0x9d);
	e_write(d, 0x5808, 0x2);
	e_write(d, 0x2820, 1000);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	e_reset(d);
	assert_int_equal(e_read(d, 0x100), 0);
	assert_int_equal(e_read(d, 0xd0), 0);
	assert_int_equal(e_read(d, 0xc0), 0);
	assert_int_equal(e_read(d, 0x4074), 0);
	assert_int_equal(e_read(d, 0x5808), 2);
	assert_int_equal(e_read(d, 8) & 2, 2);
	machine_wait(d->m, 10 * MS);
	assert_int_equal(e_read(d, 0xc0), 0);
}

/* --- saved state --- */

static void a_card_moves_in_the_middle_of_its_work(void **state)
{
	struct e_driver *d = *state;
	struct buffer b = { 0 };
	struct error err = { 0 };

	e_open(d, BIT(26), E_RXT0);
	e_eeprom_write(d, 0x30, 0x7777);
	e_write(d, 0x2820, 1000);
	e_read(d, 0xc0);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	machine_interrupts(d->m);
	assert_int_equal(nic_save(d->m->nic, &b), 0);
	assert_true(b.length < 8192);
	nic_reset(d->m->nic, RESET_POWER_ON);
	assert_int_equal(nic_load(d->m->nic, b.data, b.length, &err), 0);
	machine_wait(d->m, 1);
	assert_int_equal(machine_interrupts(d->m), 1); /* the delay ended with the move */
	assert_int_equal(e_read(d, 0xc0) & E_RXT0, E_RXT0);
	assert_int_equal(e_eeprom_read(d, 0x30), 0x7777);
	uint8_t frame[2048];
	assert_int_equal(e_take(d, frame), 60);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 70, 2), 70), 1);
	assert_int_equal(e_take(d, frame), 70);
	e_send(d, frame_to(other, 80, 3), 80, 0, 0);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(status_of(d), DRIVER_READY);
	buffer_finish(&b);
}

static void broken_state_is_refused_and_leaves_a_fresh_card(void **state)
{
	struct e_driver *d = *state;
	struct buffer b = { 0 };
	struct error err = { 0 };

	e_open(d, BIT(26), E_RXT0);
	assert_int_equal(nic_save(d->m->nic, &b), 0);
	for (size_t cut = 0; cut < b.length; cut += 7)
		assert_true(nic_load(d->m->nic, b.data, cut, &err) < 0);
	assert_int_equal(e_read(d, 0x100), 0);
	assert_int_equal(nic_load(d->m->nic, b.data, b.length, &err), 0);
	buffer_finish(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(three_cards_have_their_own_ids_and_bars),
		T(power_management_pcix_and_msi_are_where_the_chip_has_them),
		T(the_io_window_reaches_every_register),
		T(registers_answer_at_the_offsets_of_the_82542_too),
		T(the_register_test_of_linux_finds_its_masks),
		T(drivers_find_the_address_and_the_sum_in_the_eeprom),
		T(pins_without_a_grant_do_nothing),
		T(the_eeprom_keeps_what_is_written_over_resets),
		T(another_phy_address_and_a_bad_operation_are_errors),
		T(mdic_interrupts_when_asked),
		T(a_negotiation_is_seen_under_way_and_ends_with_a_link_change),
		T(the_cable_moves_the_link_and_interrupts),
		T(the_mac_sees_no_link_before_it_is_told_to),
		T(slower_links_show_in_status),
		T(a_phy_reset_by_the_mac_restarts_it),
		T(causes_are_shown_once_and_interrupt_when_unmasked),
		T(writing_causes_clears_those_alone),
		T(masking_drops_the_line_and_unmasking_raises_it_again),
		T(the_throttle_keeps_interrupts_apart),
		T(a_frame_waits_for_its_delay_and_company_delays_it_on),
		T(the_delay_can_be_ended_by_hand_and_ends_with_a_read_of_causes),
		T(sent_frames_interrupt_late_only_when_they_may),
		T(an_interrupt_by_message_needs_no_line),
		T(a_driver_with_interrupts_becomes_ready),
		T(boot_firmware_polls_and_is_ready_as_firmware),
		T(dpdk_says_drv_load_before_its_reset),
		T(a_card_that_hears_only_itself_is_not_ready),
		T(a_ring_outside_memory_is_told),
		T(a_reset_stops_everything_but_keeps_link_and_wake_state),
		T(a_card_moves_in_the_middle_of_its_work),
		T(broken_state_is_refused_and_leaves_a_fresh_card),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
