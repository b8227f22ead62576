/* The RTL8139C+ and RTL8139C with a driver of their own: registers, EEPROM, PHY, timer, filters, status, saved state. */
#include "rtl8139_help.h"

#include <errno.h>

/* --- identity --- */

static void linux_can_tell_the_two_revisions_apart(void **state)
{
	static const struct {
		int rev;
		uint8_t shown;
		uint32_t id;
	} want[] = {
		{ -1, 0x20, 0x74800000 },
		{ CPLUS, 0x20, 0x74800000 },
		{ C, 0x10, 0x74000000 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		struct rtl_driver *d = open_card(state, want[i].rev);
		struct pci_device *pci = &d->m->nic->pci;
		assert_int_equal(pci_config_read(pci, 0, 4), 0x813910ec);
		assert_int_equal(pci_config_read(pci, 8, 1), want[i].shown);
		assert_int_equal(pci_config_read(pci, 0x3d, 1), 1);
		assert_int_equal(rtl_r32(d, 0x40) & 0x7cc00000, want[i].id);
		/* memory write and invalidate needs a cache line size that can be written */
		pci_config_write(pci, 0x0c, 1, 0x10);
		assert_int_equal(pci_config_read(pci, 0x0c, 1), 0x10);
		/* the capability list leads to power management, and the bit that says so is set */
		assert_true(pci_config_read(pci, 6, 2) & 0x10);
		assert_int_equal(pci_config_read(pci, pci_config_read(pci, 0x34, 1), 1), 1);
		teardown(state);
	}
}

static void a_revision_that_never_was_is_refused(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_null(machine_create("rtl8139", 0x15, &err));
	assert_int_equal(err.code, -EINVAL);
	assert_non_null(strstr(err.text, "0x10"));
	assert_null(machine_create("rtl8139", 0, &err));
}

/* iPXE: RMS that reads back makes an RTL8169, CPCR that does not makes an RTL8139. */
static void ipxe_sees_the_right_chip(void **state)
{
	for (int rev = C; rev <= CPLUS; rev += 0x10) {
		struct rtl_driver *d = open_card(state, rev);
		rtl_w16(d, 0xda, 1530);
		assert_int_not_equal(rtl_r16(d, 0xda), 1530);
		uint16_t cpcr = (uint16_t)(rtl_r16(d, 0xe0) | 0x001b);
		rtl_w16(d, 0xe0, cpcr);
		if (rev == CPLUS)
			assert_int_equal(rtl_r16(d, 0xe0), cpcr);
		else
			assert_int_not_equal(rtl_r16(d, 0xe0), cpcr);
		assert_int_equal(rtl_r32(d, 0x44) & 0x40, 0); /* a 93C46 */
		teardown(state);
	}
}

static void both_bars_reach_the_same_registers_at_any_width(void **state)
{
	struct rtl_driver *d = *state;

	d->bar = 0;
	rtl_w32(d, 0x08, 0x44332211);
	d->bar = 1;
	assert_int_equal(rtl_r8(d, 0x0a), 0x33);
	assert_int_equal(rtl_r16(d, 0x09), 0x3322);
	rtl_w8(d, 0x0b, 0x99);
	assert_int_equal(rtl_r32(d, 0x08), 0x99332211);
	assert_int_equal(rtl_r8(d, 0x43), 0x77); /* ChipVersion: a byte of TCR */
	/* the 32 bits at 0x3c are IMR and ISR */
	rtl_w16(d, 0x3c, 0x0005);
	rtl_w8(d, 0xd9, 0x01);
	assert_int_equal(rtl_r32(d, 0x3c), 0x01000005);
	rtl_w8(d, 0x3e, 0xff); /* the low byte of ISR only */
	assert_int_equal(rtl_r16(d, 0x3e), 0x0100);
	rtl_w8(d, 0x3f, 0x01);
	assert_int_equal(rtl_r16(d, 0x3e), 0);
}

static void every_register_survives_every_width(void **state)
{
	struct rtl_driver *d = *state;

	for (unsigned bar = 0; bar < 2; bar++)
		for (unsigned size = 1; size <= 4; size *= 2)
			for (unsigned at = 0; at < 256; at++) {
				pci_bar_read(&d->m->nic->pci, bar, at, size);
				pci_bar_write(&d->m->nic->pci, bar, at, size, 0xffffffff);
				machine_run(d->m);
			}
	rtl_w8(d, 0x37, 0x10);
	assert_int_equal(rtl_r8(d, 0x37), 0x01);
}

/* --- reset --- */

static void a_software_reset_keeps_address_filter_and_phy(void **state)
{
	struct rtl_driver *d = *state;

	rtl_open_cplus(d, 0, IMR_CP);
	rtl_w32(d, 0x00, 0x11223302);
	rtl_w32(d, 0x08, 0xffffffff);
	rtl_unlock(d);
	rtl_w8(d, 0x59, 0x60);
	rtl_w16(d, 0x62, 0x0100);
	rtl_lock(d);
	rtl_w32(d, 0x54, 1000);
	rtl_w8(d, 0x37, 0x10);
	assert_int_equal(rtl_r8(d, 0x37), 0x01); /* done at once: off, and the buffer is empty */
	assert_int_equal(rtl_r32(d, 0x00), 0x11223302);
	assert_int_equal(rtl_r32(d, 0x08), 0xffffffff);
	assert_int_equal(rtl_r8(d, 0x59) & 0x70, 0x60);
	assert_int_equal(rtl_r16(d, 0x62), 0x0100);
	assert_int_equal(rtl_r16(d, 0x3c), 0);
	assert_int_equal(rtl_r16(d, 0x3e), 0);
	assert_int_equal(rtl_r16(d, 0xe0), 0);
	assert_int_equal(rtl_r32(d, 0x54), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(rtl_r32(d, 0x10 + 4 * i), 0x2000);
	assert_int_equal(d->m->nic->status.resets, 3); /* attach, open, this one */
}

static void a_bus_reset_loads_the_eeprom(void **state)
{
	struct rtl_driver *d = *state;

	rtl_w32(d, 0x00, 0x11223302);
	rtl_eeprom_write(d, 7, 0xbbaa);
	nic_reset(d->m->nic, RESET_PCI);
	machine_set_bus(d->m, true);
	assert_int_equal(rtl_r8(d, 0), 0xaa); /* what was written stays, as in the real part */
	assert_int_equal(rtl_r8(d, 1), 0xbb);
	assert_int_equal(rtl_r8(d, 2), card_mac[2]);
}

/* --- EEPROM --- */

static void drivers_find_the_address_in_the_eeprom(void **state)
{
	struct rtl_driver *d = *state;

	assert_memory_equal(d->mac, card_mac, 6);
	assert_int_equal(rtl_eeprom_read(d, 0, 6), 0x8129);
	assert_int_equal(rtl_eeprom_read(d, 1, 6), 0x10ec);
	assert_int_equal(rtl_eeprom_read(d, 2, 6), 0x8139);
	/* with eight address bits Linux finds out that it is no 93C56 */
	assert_int_not_equal(rtl_eeprom_read(d, 0, 8), 0x8129);
}

static void the_eeprom_writes_only_when_that_is_enabled(void **state)
{
	struct rtl_driver *d = *state;

	rtl_eeprom_command(d, (5u << 6 | 40) << 16 | 0x1234, 25);
	assert_int_equal(rtl_eeprom_read(d, 40, 6), 0);
	rtl_eeprom_write(d, 40, 0x1234);
	assert_int_equal(rtl_eeprom_read(d, 40, 6), 0x1234);
	assert_int_equal(rtl_eeprom_read(d, 41, 6), 0);
	/* written: the pin says ready at the next select */
	rtl_w8(d, 0x50, 0x80);
	rtl_w8(d, 0x50, 0x88);
	assert_int_equal(rtl_r8(d, 0x50) & 1, 1);
	rtl_w8(d, 0x50, 0);

	rtl_eeprom_command(d, 0x130, 9);	/* write enable */
	rtl_eeprom_command(d, 7u << 6 | 40, 9); /* erase */
	assert_int_equal(rtl_eeprom_read(d, 40, 6), 0xffff);
	rtl_eeprom_command(d, 5u << 22 | 41u << 16, 12);  /* cut short: nothing happens */
	rtl_eeprom_command(d, 0x110u << 16 | 0x5a5a, 25); /* write all */
	assert_int_equal(rtl_eeprom_read(d, 0, 6), 0x5a5a);
	assert_int_equal(rtl_eeprom_read(d, 63, 6), 0x5a5a);
	rtl_eeprom_command(d, 0x120, 9); /* erase all */
	assert_int_equal(rtl_eeprom_read(d, 7, 6), 0xffff);
	rtl_eeprom_command(d, 0x100, 9);
	rtl_eeprom_command(d, (5u << 6 | 3) << 16 | 0x1111, 25);
	assert_int_equal(rtl_eeprom_read(d, 3, 6), 0xffff);
}

static void a_read_goes_on_with_the_next_word(void **state)
{
	struct rtl_driver *d = *state;
	uint32_t value = 0;

	rtl_w8(d, 0x50, 0x88);
	for (int i = 8; i >= 0; i--) {
		uint8_t di = 0x180 >> i & 1 ? 2 : 0;
		rtl_w8(d, 0x50, 0x88 | di);
		rtl_w8(d, 0x50, 0x8c | di);
	}
	assert_int_equal(rtl_r8(d, 0x50) & 1, 0); /* the 0 before the data */
	for (int i = 0; i < 32; i++) {
		rtl_w8(d, 0x50, 0x88);
		rtl_w8(d, 0x50, 0x8c);
		value = value << 1 | (rtl_r8(d, 0x50) & 1);
	}
	assert_int_equal(value, 0x812910ec);
}

static void autoload_puts_the_address_back(void **state)
{
	struct rtl_driver *d = *state;

	rtl_w32(d, 0, 0);
	rtl_w8(d, 0x50, 0x40);
	assert_int_equal(rtl_r8(d, 0x50) & 0xc0, 0);
	assert_int_equal(rtl_r8(d, 0), card_mac[0]);
}

/* --- configuration --- */

static void configuration_registers_obey_their_lock(void **state)
{
	static const struct {
		uint8_t at, write, read;
	} row[] = {
		{ 0x52, 0xff, 0xff },
		{ 0x52, 0x20, 0x2c },
		{ 0x59, 0x60, 0x61 },
		{ 0x5a, 0xf5, 0xf5 },
	};
	struct rtl_driver *d = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		uint8_t before = rtl_r8(d, row[i].at);
		rtl_w8(d, row[i].at, (uint8_t)~row[i].write);
		assert_int_equal(rtl_r8(d, row[i].at), before);
		rtl_unlock(d);
		rtl_w8(d, row[i].at, row[i].write);
		rtl_lock(d);
		assert_int_equal(rtl_r8(d, row[i].at), row[i].read);
	}
	rtl_w8(d, 0xd8, 0x70); /* Config5 has no lock */
	assert_int_equal(rtl_r8(d, 0xd8), 0x70);
	/* BMCR: speed, duplex and negotiation */
	rtl_w16(d, 0x62, 0);
	assert_int_equal(rtl_r16(d, 0x62), 0x3100);
	rtl_unlock(d);
	rtl_w16(d, 0x62, 0x2000);
	rtl_lock(d);
	assert_int_equal(rtl_r16(d, 0x62), 0x2000);
}

static void wake_up_frames_are_stored(void **state)
{
	struct rtl_driver *d = *state;

	for (unsigned at = 0x84; at < 0xd4; at++)
		rtl_w8(d, at, (uint8_t)at);
	for (unsigned at = 0x84; at < 0xd4; at++)
		assert_int_equal(rtl_r8(d, at), at);
}

/* --- PHY and link --- */

static void both_linux_drivers_notice_the_link(void **state)
{
	struct rtl_driver *d = *state;
	struct nic *nic = d->m->nic;

	rtl_open_cplus(d, 0, IMR_CP);
	rtl_w16(d, 0x3e, 0xffff);
	rtl_r16(d, 0x64);
	assert_int_equal(rtl_r16(d, 0x64), 0x782d);
	assert_int_equal(rtl_r16(d, 0x68), 0x45e1);
	assert_int_equal(rtl_r8(d, 0x58) & 0x0c, 0);
	rtl_r16(d, 0x74);
	machine_interrupts(d->m);

	nic_set_link(nic, false);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0020);
	assert_int_equal(rtl_r16(d, 0x74) & 0x0c00, 0x0800); /* 8139too asks CSCR what changed */
	assert_int_equal(rtl_r16(d, 0x74) & 0x0c00, 0);
	rtl_w16(d, 0x3e, 0x0020);
	assert_int_equal(rtl_r16(d, 0x64) & 0x24, 0);
	assert_int_equal(rtl_r16(d, 0x68), 0);
	assert_int_equal(rtl_r8(d, 0x58) & 0x04, 0x04);

	nic_set_link(nic, true);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(rtl_r16(d, 0x64) & 0x24, 0x24); /* the fall was read already */
	nic_set_link(nic, false);
	nic_set_link(nic, true);
	assert_int_equal(rtl_r16(d, 0x64) & 0x04, 0); /* a lost link shows once */
	assert_int_equal(rtl_r16(d, 0x64) & 0x04, 4);
}

static void a_phy_reset_and_a_restart_clear_themselves(void **state)
{
	struct rtl_driver *d = *state;

	rtl_unlock(d);
	rtl_w16(d, 0x66, 0x0021);
	rtl_w16(d, 0x62, 0x1200);
	assert_int_equal(rtl_r16(d, 0x62), 0x1000);
	assert_int_equal(rtl_r8(d, 0x58) & 0x08, 0x08); /* 10 Mbit/s is all we offer */
	rtl_w16(d, 0x62, 0x8000);
	assert_int_equal(rtl_r16(d, 0x62), 0x3100);
	assert_int_equal(rtl_r16(d, 0x66), 0x05e1);
}

/* --- timer --- */

static void the_timer_counts_pci_clocks_and_interrupts(void **state)
{
	struct rtl_driver *d = *state;

	rtl_w16(d, 0x3c, 0x4000);
	rtl_w32(d, 0x48, 0);
	machine_wait(d->m, 30000);
	assert_int_equal(rtl_r32(d, 0x48), 1000);
	rtl_w32(d, 0x54, 2000);
	machine_wait(d->m, 29999);
	assert_int_equal(rtl_r16(d, 0x3e), 0);
	machine_wait(d->m, 1);
	assert_int_equal(rtl_r16(d, 0x3e), 0x4000);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(rtl_r32(d, 0x48), 2000); /* it runs on */
	rtl_w16(d, 0x3e, 0x4000);
	/* once around: 2^32 ticks later */
	machine_wait(d->m, (1ull << 32) * 30 - 1);
	assert_int_equal(rtl_r16(d, 0x3e), 0);
	machine_wait(d->m, 1);
	assert_int_equal(rtl_r16(d, 0x3e), 0x4000);
	rtl_w16(d, 0x3e, 0x4000);
	rtl_w32(d, 0x54, 0);
	assert_int_equal(d->m->nic->notes.deadline_ns, 0); /* off: nobody is woken */
}

static void a_timer_behind_the_counter_waits_for_the_next_turn(void **state)
{
	struct rtl_driver *d = *state;

	rtl_w32(d, 0x48, 0);
	machine_wait(d->m, 3000);
	rtl_w32(d, 0x54, 50);
	machine_wait(d->m, 1000000);
	assert_int_equal(rtl_r16(d, 0x3e), 0);
	rtl_w32(d, 0x48, 77); /* any value: back to 0 */
	assert_int_equal(rtl_r32(d, 0x48), 0);
	machine_wait(d->m, 1500);
	assert_int_equal(rtl_r16(d, 0x3e), 0x4000);
}

/* --- driver status --- */

static const struct driver_report *status(struct rtl_driver *d)
{
	machine_run(d->m);
	return &d->m->nic->status.now;
}

#define assert_status(d, want_state, want_phase)                                                   \
	do {                                                                                       \
		assert_int_equal(status(d)->state, want_state);                                    \
		assert_int_equal(status(d)->phase, want_phase);                                    \
	} while (0)

/* What 8139cp does, in its order. */
static void the_status_follows_8139cp(void **state)
{
	struct rtl_driver *d = *state;

	nic_reset(d->m->nic, RESET_PCI);
	assert_status(d, DRIVER_NONE, PHASE_UNKNOWN);
	rtl_w8(d, 0x37, 0); /* cp_stop_hw at probe, before bus mastering */
	assert_status(d, DRIVER_NONE, PHASE_UNKNOWN);
	machine_set_bus(d->m, true);
	assert_status(d, DRIVER_INITIALIZING, PHASE_UNKNOWN);

	for (unsigned i = 0; i < RTL_RING; i++)
		rtl_give(d, i, RTL_RX_BUFFERS + i * RTL_BUFFER, 1536);
	rtl_w8(d, 0x37, 0x10);
	rtl_unlock(d);
	rtl_w16(d, 0xe0, 0x002b);
	rtl_w32(d, 0xe4, RTL_RX_RING);
	rtl_w32(d, 0x20, RTL_TX_RING);
	assert_status(d, DRIVER_INITIALIZING, PHASE_UNKNOWN);
	rtl_w8(d, 0x37, 0x0c);
	rtl_w32(d, 0x44, 0x0000a40a);
	assert_status(d, DRIVER_INITIALIZING, PHASE_UNKNOWN);
	rtl_w8(d, 0x52, 0x2d);
	rtl_lock(d);
	assert_status(d, DRIVER_INITIALIZING, PHASE_UNKNOWN);
	rtl_w16(d, 0x3c, IMR_CP);
	assert_status(d, DRIVER_READY, PHASE_OS);
	rtl_w16(d, 0x3c, 0); /* other drivers mask everything while they handle an interrupt */
	assert_status(d, DRIVER_READY, PHASE_OS);
	assert_int_equal(d->m->nic->status.ready_edges, 1);

	/* ifdown: cp_stop_hw */
	rtl_w16(d, 0x3c, 0);
	rtl_w8(d, 0x37, 0);
	rtl_w16(d, 0xe0, 0);
	assert_status(d, DRIVER_INITIALIZING, PHASE_OS);
	assert_non_null(strstr(status(d)->evidence, "driver stopped the card"));
	/* remove */
	machine_set_bus(d->m, false);
	assert_status(d, DRIVER_NONE, PHASE_UNKNOWN);
}

/* What 8139too does; its card has no C+ rings. */
static void the_status_follows_8139too(void **state)
{
	struct rtl_driver *d = *state;

	assert_status(d, DRIVER_INITIALIZING, PHASE_UNKNOWN);
	rtl_w8(d, 0x37, 0x10);
	rtl_w8(d, 0x37, 0x0c);
	assert_status(d, DRIVER_INITIALIZING, PHASE_UNKNOWN);
	rtl_w32(d, 0x30, RTL_C_RING);
	assert_status(d, DRIVER_INITIALIZING, PHASE_UNKNOWN);
	rtl_w16(d, 0x3c, IMR_TOO);
	assert_status(d, DRIVER_READY, PHASE_OS);
	rtl_w8(d, 0x37, 0);
	rtl_w16(d, 0x3c, 0);
	assert_status(d, DRIVER_INITIALIZING, PHASE_OS);
}

/* iPXE: C+ rings, buffers given after the receiver is on, no interrupt, polls ISR. */
static void firmware_that_polls_is_ready_too(void **state)
{
	struct rtl_driver *d = *state;

	memset(machine_at(d->m, RTL_RX_RING), 0, 16 * RTL_RING);
	rtl_w8(d, 0x37, 0x10);
	rtl_w16(d, 0xe0, 0x001b);
	rtl_w32(d, 0x20, RTL_TX_RING);
	rtl_w32(d, 0xe8, 0);
	rtl_w32(d, 0xe4, RTL_RX_RING);
	rtl_w8(d, 0x37, 0x0c);
	rtl_w32(d, 0x44, 0x0000e78f);
	assert_status(d, DRIVER_INITIALIZING, PHASE_UNKNOWN);
	assert_non_null(strstr(status(d)->evidence, "no receive buffer"));
	for (unsigned i = 0; i < 4; i++)
		rtl_give(d, i, RTL_RX_BUFFERS + i * RTL_BUFFER, 1530);
	rtl_r8(d, 0x58);
	assert_status(d, DRIVER_INITIALIZING, PHASE_UNKNOWN);
	rtl_r16(d, 0x3e);
	assert_status(d, DRIVER_READY, PHASE_FIRMWARE);
	/* the kernel's driver comes later */
	rtl_w16(d, 0x3c, IMR_CP);
	assert_status(d, DRIVER_READY, PHASE_OS);
}

static void a_driver_that_keeps_resetting_a_running_card_has_failed(void **state)
{
	struct rtl_driver *d = *state;

	/* in and out twenty times is no failure */
	for (unsigned i = 0; i < 20; i++) {
		rtl_open_cplus(d, 0, IMR_CP);
		assert_status(d, DRIVER_READY, PHASE_OS);
		rtl_w16(d, 0x3c, 0);
		rtl_w8(d, 0x37, 0);
	}
	/* resets out of the middle are */
	for (unsigned i = 0; i < 5; i++) {
		rtl_open_cplus(d, 0, IMR_CP);
		machine_wait(d->m, 1000 * MS);
	}
	assert_status(d, DRIVER_FAILED, PHASE_OS);
	assert_non_null(strstr(status(d)->evidence, "reset the running card"));
	machine_wait(d->m, 61000 * MS);
	rtl_open_cplus(d, 0, IMR_CP);
	assert_status(d, DRIVER_READY, PHASE_OS);
}

static void resets_are_counted_at_an_even_nanosecond_too(void **state)
{
	struct rtl_driver *d = *state;

	/* judged in the very nanosecond of the last reset: an age of 0, not one below it */
	machine_wait(d->m, 1000 * MS - clock_now(d->m->nic->clock) % (1000 * MS));
	assert_int_equal(clock_now(d->m->nic->clock) % 2, 0);
	for (unsigned i = 0; i < 6; i++)
		rtl_open_cplus(d, 0, IMR_CP);
	assert_status(d, DRIVER_FAILED, PHASE_OS);
}

static void one_reset_now_and_then_is_no_failure(void **state)
{
	struct rtl_driver *d = *state;

	for (unsigned i = 0; i < 12; i++) {
		rtl_open_cplus(d, 0, IMR_CP);
		assert_status(d, DRIVER_READY, PHASE_OS);
		machine_wait(d->m, 21000 * MS);
	}
}

int main(void)
{
#define CP(f)  cmocka_unit_test_setup_teardown(f, setup_cplus, teardown)
#define TOO(f) cmocka_unit_test_setup_teardown(f, setup_c, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_can_tell_the_two_revisions_apart),
		cmocka_unit_test(a_revision_that_never_was_is_refused),
		cmocka_unit_test(ipxe_sees_the_right_chip),
		CP(both_bars_reach_the_same_registers_at_any_width),
		CP(every_register_survives_every_width),
		TOO(every_register_survives_every_width),
		CP(a_software_reset_keeps_address_filter_and_phy),
		CP(a_bus_reset_loads_the_eeprom),
		CP(drivers_find_the_address_in_the_eeprom),
		CP(the_eeprom_writes_only_when_that_is_enabled),
		CP(a_read_goes_on_with_the_next_word),
		CP(autoload_puts_the_address_back),
		CP(configuration_registers_obey_their_lock),
		CP(wake_up_frames_are_stored),
		CP(both_linux_drivers_notice_the_link),
		CP(a_phy_reset_and_a_restart_clear_themselves),
		CP(the_timer_counts_pci_clocks_and_interrupts),
		CP(a_timer_behind_the_counter_waits_for_the_next_turn),
		CP(the_status_follows_8139cp),
		TOO(the_status_follows_8139too),
		CP(firmware_that_polls_is_ready_too),
		CP(a_driver_that_keeps_resetting_a_running_card_has_failed),
		CP(resets_are_counted_at_an_even_nanosecond_too),
		CP(one_reset_now_and_then_is_no_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
