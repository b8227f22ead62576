/* The 82574L and a driver: identity, NVM, PHY, resets, interrupts, driver status, saved state. */
#include <sys/eventfd.h>
#include <unistd.h>

#include "e1000e_help.h"

/* --- identity --- */

static void linux_finds_the_82574_and_its_capabilities(void **state)
{
	(void)state;
	assert_int_equal(config(0, 4), 0x10d38086);
	assert_int_equal(config(8, 4), 0x02000000);
	assert_int_equal(config(0xa0, 1), 0x11); /* MSI-X */
	assert_int_equal(config(0xa2, 2) & 0x7ff, 4);
	assert_int_equal(config(0xa4, 4), 3); /* table at 0 of BAR 3 */
	assert_int_equal(config(0xa8, 4), 0x2003);
	assert_int_equal(config(0xc8, 1), 0x01); /* power management */
	assert_int_equal(config(0xd0, 1), 0x05); /* MSI, 64 bits, one message */
	assert_int_equal(config(0xd2, 2) & 0x8e, 0x80);
	assert_int_equal(config(0xe0, 1), 0x10); /* PCI Express, version 1, with FLR */
	assert_int_equal(config(0xe2, 2), 1);
	assert_true(config(0xe4, 4) & BIT(28));
	assert_int_equal(config(0x100, 2), 1); /* AER */
	assert_int_equal(config(0x140, 2), 3); /* serial number from the MAC address */
	assert_int_equal(config(0x144, 4), 0xff123456);
	assert_int_equal(config(0x148, 4), 0x525400ff);
	static const uint32_t sizes[] = { 0x20000, 0x20000, 32, 0x4000 };
	for (unsigned i = 0; i < 4; i++) {
		pci_config_write(&m->nic->pci, 0x10 + 4 * i, 4, UINT32_MAX);
		assert_int_equal(~(config(0x10 + 4 * i, 4) & ~15u) + 1, sizes[i]);
	}
}

static void the_io_window_reaches_the_registers(void **state)
{
	struct pci_device *pci = &m->nic->pci;

	(void)state;
	pci_bar_write(pci, 2, 0, 4, RCTL);
	pci_bar_write(pci, 2, 4, 4, BIT(15));
	assert_int_equal(e1k_r32(&d, RCTL), BIT(15));
	assert_int_equal(pci_bar_read(pci, 2, 4, 4), BIT(15));
	pci_bar_write(pci, 2, 0, 4, CTRL); /* as Linux resets older cards */
	pci_bar_write(pci, 2, 4, 4, BIT(26));
	assert_int_equal(e1k_r32(&d, RCTL), 0);
}

/* --- NVM --- */

static void the_nvm_has_the_address_and_a_right_sum(void **state)
{
	uint16_t sum = 0;

	(void)state;
	for (unsigned i = 0; i < 0x40; i++)
		sum = (uint16_t)(sum + e1k_nvm_read(&d, i));
	assert_int_equal(sum, 0xbaba);
	assert_int_equal(e1k_nvm_read(&d, 0), 0x5452);
	assert_int_equal(e1k_nvm_read(&d, 2), 0x5634);
	assert_int_equal(e1k_nvm_read(&d, 0x0d), 0x10d3);
	assert_int_equal(e1k_nvm_read(&d, 0x0f) & 0x6000, 0); /* no manageability */
	assert_int_equal(e1k_nvm_read(&d, 5000), 0xffff);
	assert_true(e1k_r32(&d, EECD) & BIT(9)); /* auto read done: Linux waits for it */
	assert_int_equal(e1k_r32(&d, RAL), 0x12005452);
	assert_int_equal(e1k_r32(&d, RAH), 0x80005634);
}

static void what_is_written_to_the_nvm_outlives_every_reset(void **state)
{
	uint64_t strange = m->nic->pci.unknown_accesses;

	(void)state;
	e1k_nvm_write(&d, 2, 0x9999);
	assert_int_equal(e1k_r32(&d, RAH) & 0xffff, 0x5634); /* not before a reset */
	nic_reset(m->nic, RESET_PCI);
	e1k_probe(&d, m);
	assert_int_equal(e1k_nvm_read(&d, 2), 0x9999);
	assert_int_equal(e1k_r32(&d, RAH), 0x80009999);
	e1k_nvm_write(&d, 0x3fff,
		      1); /* there is no such word; the driver waits for DONE all the same */
	assert_true(e1k_r32(&d, 0x102c) & BIT(1));
	assert_int_equal(m->nic->pci.unknown_accesses, strange + 1);
}

static void semaphores_behave_as_the_driver_tests_them(void **state)
{
	(void)state;
	e1k_w32(&d, EXTCNF, e1k_r32(&d, EXTCNF) | BIT(5));
	assert_true(e1k_r32(&d, EXTCNF) & BIT(5));
	assert_int_equal(e1k_r32(&d, SWSM) & 1, 0);
	assert_int_equal(e1k_r32(&d, SWSM) & 1, 1); /* the first reader has it */
	e1k_w32(&d, SWSM, 0);
	assert_int_equal(e1k_r32(&d, SWSM) & 1, 0);
}

/* --- PHY, link --- */

static void the_phy_has_the_id_that_linux_compares_whole(void **state)
{
	(void)state;
	assert_int_equal(e1k_phy_read(&d, 1, 2) & 0xffff, 0x0141);
	assert_int_equal(e1k_phy_read(&d, 1, 3) & 0xffff, 0x0cb1);
	assert_true(e1k_phy_read(&d, 1, 2) & BIT(28));
	assert_true(e1k_phy_read(&d, 2, 2) & BIT(30)); /* nobody at this address */
	e1k_w32(&d, IMS, BIT(9));
	e1k_w32(&d, 0x20, BIT(29) | 2u << 26 | 1u << 21);
	assert_true(e1k_r32(&d, ICR) & BIT(9)); /* MDAC when asked for */
}

static void the_pages_of_the_phy_do_not_mix(void **state)
{
	(void)state;
	e1k_phy_write(&d, 16, 0x1234);
	e1k_phy_write(&d, 22, 769);
	e1k_phy_write(&d, 16, 0x000c);
	assert_int_equal(e1k_phy_read(&d, 1, 16) & 0xffff, 0x000c);
	assert_int_equal(e1k_phy_read(&d, 1, 2) & 0xffff, 0x0141);
	e1k_phy_write(&d, 22, 12345);
	e1k_phy_write(&d, 16, 0xffff);
	assert_int_equal(e1k_phy_read(&d, 1, 16) & 0xffff, 0);
	e1k_phy_write(&d, 22, 0);
	assert_int_equal(e1k_phy_read(&d, 1, 16) & 0xffff, 0x1234);
}

static void the_cable_and_negotiation_make_the_link(void **state)
{
	(void)state;
	assert_int_equal(e1k_r32(&d, STATUS) & 0xc3, 0x83);
	assert_int_equal(e1k_phy_read(&d, 1, 17) & 0xec00, 0xac00);
	e1k_w32(&d, IMS, LSC);
	nic_set_link(m->nic, false);
	assert_int_equal(machine_interrupts(m), 1);
	assert_int_equal(e1k_r32(&d, STATUS) & 2, 0);
	assert_int_equal(e1k_r32(&d, ICR), LSC | ASSERTED);
	nic_set_link(m->nic, true);
	assert_int_equal(e1k_r32(&d, STATUS) & 2, 2);
	e1k_phy_write(&d, 0, BIT(12) | BIT(9)); /* negotiate anew */
	assert_int_equal(e1k_r32(&d, STATUS) & 2, 0);
	machine_wait(m, 1000 * MS);
	assert_int_equal(e1k_r32(&d, STATUS) & 2, 2);
	e1k_w32(&d, CTRL, e1k_r32(&d, CTRL) | BIT(31)); /* PHY reset pin */
	assert_int_equal(e1k_r32(&d, STATUS) & 2, 0);
	machine_wait(m, 1000 * MS);
	assert_int_equal(e1k_r32(&d, STATUS) & 2, 2);
}

static void bus_mastering_stops_when_the_driver_asks(void **state)
{
	(void)state;
	assert_true(e1k_r32(&d, STATUS) & BIT(19));
	e1k_w32(&d, CTRL, e1k_r32(&d, CTRL) | BIT(2));
	assert_false(e1k_r32(&d, STATUS) & BIT(19));
}

/* --- the driver's self-test --- */

static void the_masks_are_those_of_the_self_test(void **state)
{
	static const struct {
		uint32_t at, mask;
	} kept[] = {
		{ 0x28, UINT32_MAX },	{ 0x2c, 0xffff },	{ 0x30, 0xffff },
		{ VET, 0xffff },	{ 0x2820, 0xffff },	{ 0x2804, UINT32_MAX },
		{ 0x2808, 0xfff80 },	{ 0x2810, 0xffff },	{ 0x2818, 0xffff },
		{ 0x2168, 0xfff8 },	{ 0x170, 0xffff },	{ 0x410, 0x3fffffff },
		{ 0x3804, UINT32_MAX }, { 0x3808, 0xfff80 },	{ 0x2800, 0xfffffff0 },
		{ 0x178, 0xc000ffff },	{ 0x3800, 0xfffffff0 }, { 0x3820, 0xffff },
		{ RAH, 0x8003ffff },	{ 0x5200, UINT32_MAX },
	};
	static const uint32_t pattern[] = { 0x5a5a5a5a, 0xa5a5a5a5, 0, UINT32_MAX };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		for (unsigned k = 0; k < 4; k++) {
			e1k_w32(&d, kept[i].at, pattern[k]);
			assert_int_equal(e1k_r32(&d, kept[i].at), pattern[k] & kept[i].mask);
		}
	e1k_w32(&d, RCTL, UINT32_MAX);
	assert_int_equal(e1k_r32(&d, RCTL) & 0x06dfb3fe, 0x06dfb3fe);
	e1k_w32(&d, RCTL, 0);
	assert_int_equal(e1k_r32(&d, RCTL), 0);
	uint32_t before = e1k_r32(&d, STATUS);
	e1k_w32(&d, STATUS, 0x7ffff033);
	assert_int_equal((e1k_r32(&d, STATUS) ^ before) & 0x7ffff033, 0);
}

static void each_of_the_ten_low_causes_interrupts_when_it_is_unmasked(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		e1k_w32(&d, IMC, BIT(i));
		e1k_w32(&d, ICS, BIT(i));
		assert_int_equal(machine_interrupts(m), 0);
		e1k_w32(&d, IMS, BIT(i));
		assert_int_equal(machine_interrupts(m), 1);
		assert_true(e1k_r32(&d, ICR) & BIT(i));
		e1k_w32(&d, IMC, UINT32_MAX);
	}
}

/* --- interrupts --- */

static void reading_icr_clears_what_was_asserted_and_nothing_else(void **state)
{
	(void)state;
	e1k_w32(&d, IMS, LSC);
	e1k_w32(&d, ICS, RXT0);
	assert_int_equal(e1k_r32(&d, ICR), RXT0); /* no interrupt: no side effect */
	assert_int_equal(e1k_r32(&d, ICR), RXT0);
	e1k_w32(&d, ICS, LSC);
	assert_true(m->nic->pci.intx_level);
	assert_int_equal(e1k_r32(&d, ICR), ASSERTED | RXT0 | LSC);
	assert_false(m->nic->pci.intx_level);
	assert_int_equal(e1k_r32(&d, ICR), 0);
	e1k_w32(&d, IMC, UINT32_MAX);
	e1k_w32(&d, ICS, RXT0);
	assert_int_equal(e1k_r32(&d, ICR), RXT0); /* a driver that polls */
	assert_int_equal(e1k_r32(&d, ICR), 0);
}

static void reading_icr_masks_as_iam_says(void **state)
{
	(void)state;
	e1k_w32(&d, IAM, RXT0);
	e1k_w32(&d, CTRL_EXT, BIT(27));
	e1k_w32(&d, IMS, LSC | RXT0);
	e1k_w32(&d, ICS, RXT0);
	e1k_r32(&d, ICR);
	assert_int_equal(e1k_r32(&d, IMS), LSC);
	e1k_w32(&d, CTRL_EXT, 0);
	e1k_w32(&d, IMS, RXT0);
	e1k_w32(&d, ICS, RXT0);
	e1k_r32(&d, ICR);
	assert_int_equal(e1k_r32(&d, IMS), LSC | RXT0);
}

static void a_vector_clears_and_masks_its_cause_by_itself(void **state)
{
	(void)state;
	e1k_use_vectors(&d);
	e1k_w32(&d, IMS, RXQ0 | TXQ0 | OTHER | LSC);
	e1k_w32(&d, ICS, RXQ0);
	assert_int_equal(machine_vector(m, 0), 1);
	assert_int_equal(e1k_r32(&d, ICS) & RXQ0, 0);
	assert_int_equal(e1k_r32(&d, IMS), TXQ0 | OTHER | LSC);
	e1k_w32(&d, ICS, RXQ0);
	assert_int_equal(machine_vector(m, 0), 0); /* masked: kept until the driver opens it */
	e1k_w32(&d, IMS, RXQ0);
	assert_int_equal(machine_vector(m, 0), 1);
	e1k_w32(&d, ICS, TXQ0);
	assert_int_equal(machine_vector(m, 2), 1);
	assert_int_equal(machine_vector(m, 0), 0);
}

static void link_changes_come_by_the_vector_of_other_causes(void **state)
{
	(void)state;
	e1k_use_vectors(&d);
	e1k_w32(&d, IMS, OTHER | LSC);
	nic_set_link(m->nic, false);
	assert_int_equal(machine_vector(m, 4), 1);
	assert_int_equal(e1k_r32(&d, ICR) & LSC, LSC);
	e1k_w32(&d, IMS, OTHER | LSC);
	assert_int_equal(machine_vector(m, 4), 0);
	nic_set_link(m->nic, true);
	assert_int_equal(machine_vector(m, 4), 1);
}

static void a_cause_without_a_vector_interrupts_nobody(void **state)
{
	(void)state;
	e1k_use_vectors(&d);
	e1k_w32(&d, IVAR, 0x00000007); /* not valid, and no such vector */
	e1k_w32(&d, IMS, 0x01f00000);
	e1k_w32(&d, ICS, 0x01f00000);
	e1k_w32(&d, IVAR, 0x000000fe);
	for (unsigned v = 0; v < 5; v++)
		assert_int_equal(machine_vector(m, v), 0);
}

/* Without EIAC and IAM the cause stays until the driver reads ICR. */
static void a_cause_that_stays_is_told_once(void **state)
{
	(void)state;
	e1k_use_vectors(&d);
	e1k_w32(&d, 0xdc, 0);
	e1k_w32(&d, IAM, 0);
	e1k_w32(&d, IMS, RXQ0);
	e1k_w32(&d, ICS, RXQ0);
	assert_int_equal(machine_vector(m, 0), 1);
	e1k_w32(&d, ICS, TXQ0); /* something else moves */
	e1k_w32(&d, EITR, 0);
	assert_int_equal(machine_vector(m, 0), 0);
	e1k_w32(&d, IMC, RXQ0);
	e1k_w32(&d, IMS, RXQ0); /* a new edge */
	assert_int_equal(machine_vector(m, 0), 1);
}

static void one_message_serves_all_causes_without_vectors(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t count = 0;

	(void)state;
	pci_config_write(&m->nic->pci, 0xd2, 2, 1);
	assert_int_equal(pci_irq_set_fd(&m->nic->pci, PCI_MSI, 0, dup(fd)), 0);
	e1k_w32(&d, IMS, RXT0 | LSC);
	e1k_w32(&d, ICS, RXT0);
	e1k_w32(&d, ITR, 0);
	e1k_w32(&d, EITR, 0);
	assert_int_equal(read(fd, &count, 8), 8);
	assert_int_equal(count, 1); /* not again for a cause that was told */
	e1k_w32(&d, ICS, LSC);
	assert_int_equal(read(fd, &count, 8), 8);
	assert_int_equal(count, 1);
	assert_int_equal(machine_interrupts(m), 0);
	close(fd);
}

static void with_vectors_no_delay_timer_holds_a_frame_back(void **state)
{
	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_use_vectors(&d);
	e1k_w32(&d, RDTR, 100);
	e1k_w32(&d, TIDV, 100);
	e1k_w32(&d, IMS, RXQ0 | TXQ0);
	say(100);
	assert_int_equal(machine_vector(m, 0), 1);
	e1k_send(&d, 0, frame_to(all, 60, 1), 60, E1K_IDE, 0);
	assert_int_equal(machine_vector(m, 2), 1);
}

static void with_vectors_sent_frames_are_told_together_and_in_time(void **state)
{
	struct buffer saved = { 0 };
	struct error err;

	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_use_vectors(&d);
	e1k_w32(&d, EITR + 4 * 2, 200); /* 51.2 us */
	e1k_w32(&d, IMS, RXQ0 | TXQ0);
	e1k_send(&d, 0, frame_to(all, 60, 1), 60, E1K_IDE, 0);
	assert_int_equal(e1k_r32(&d, ICS) & TXQ0, TXQ0); /* the cause is there at once */
	machine_wait(m, 204 * US);
	assert_int_equal(machine_vector(m, 2), 0);
	machine_wait(m, 1 * US);
	assert_int_equal(machine_vector(m, 2), 1);
	/* without IDE the driver wants to know at once, as far as EITR lets it */
	machine_wait(m, 100 * US);
	e1k_w32(&d, IMS, TXQ0);
	e1k_send(&d, 0, frame_to(all, 60, 1), 60, 0, 0);
	assert_int_equal(machine_vector(m, 2), 1);
	machine_wait(m, 100 * US);
	e1k_w32(&d, IMS, TXQ0);
	e1k_send(&d, 0, frame_to(all, 60, 1), 60, E1K_IDE, 0);
	assert_int_equal(machine_vector(m, 2), 0);
	assert_int_equal(nic_save(m->nic, &saved), 0);
	if (nic_load(m->nic, saved.data, saved.length, &err) < 0)
		fail_msg("%s", err.text);
	buffer_finish(&saved);
	assert_int_equal(machine_vector(m, 2), 1);
}

static void eitr_keeps_two_messages_apart(void **state)
{
	(void)state;
	e1k_use_vectors(&d);
	e1k_w32(&d, EITR, 400); /* 102.4 us */
	e1k_w32(&d, IMS, RXQ0);
	e1k_w32(&d, ICS, RXQ0);
	assert_int_equal(machine_vector(m, 0), 1); /* the first goes at once */
	e1k_w32(&d, IMS, RXQ0);
	e1k_w32(&d, ICS, RXQ0);
	assert_int_equal(machine_vector(m, 0), 0);
	machine_wait(m, 100 * US);
	assert_int_equal(machine_vector(m, 0), 0);
	machine_wait(m, 3 * US);
	assert_int_equal(machine_vector(m, 0), 1);
}

static void itr_keeps_two_interrupts_of_the_line_apart(void **state)
{
	(void)state;
	e1k_w32(&d, ITR, 400);
	e1k_w32(&d, IMS, RXT0);
	e1k_w32(&d, ICS, RXT0);
	assert_int_equal(machine_interrupts(m), 1);
	e1k_r32(&d, ICR);
	e1k_w32(&d, ICS, RXT0);
	machine_wait(m, 100 * US);
	assert_int_equal(machine_interrupts(m), 0);
	machine_wait(m, 3 * US);
	assert_int_equal(machine_interrupts(m), 1);
	e1k_r32(&d, ICR);
	machine_wait(m, 200 * US); /* a quiet time: the next one goes at once */
	e1k_w32(&d, ICS, RXT0);
	assert_int_equal(machine_interrupts(m), 1);
}

static void received_frames_wait_for_company_as_rdtr_and_radv_say(void **state)
{
	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_w32(&d, RDTR, 100); /* of 1.024 us */
	e1k_w32(&d, RADV, 150);
	e1k_w32(&d, IMS, RXT0);
	say(100);
	machine_wait(m, 90 * US);
	assert_int_equal(machine_interrupts(m), 0);
	say(100); /* moves the first deadline, not the second */
	machine_wait(m, 60 * US);
	assert_int_equal(machine_interrupts(m), 0);
	machine_wait(m, 5 * US);
	assert_int_equal(machine_interrupts(m), 1);
	e1k_r32(&d, ICR);
	say(100);
	e1k_w32(&d, RDTR, BIT(31) | 100); /* flush */
	assert_int_equal(machine_interrupts(m), 1);
}

static void sent_frames_wait_only_when_each_descriptor_allows_it(void **state)
{
	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_w32(&d, TIDV, 100);
	e1k_w32(&d, IMS, TXDW);
	e1k_send(&d, 0, frame_to(all, 60, 1), 60, E1K_IDE, 0);
	assert_true(e1k_sent(&d, 0, 0)); /* the descriptor itself is back at once */
	assert_int_equal(machine_interrupts(m), 0);
	machine_wait(m, 103 * US);
	assert_int_equal(machine_interrupts(m), 1);
	e1k_r32(&d, ICR);
	e1k_send(&d, 0, frame_to(all, 60, 1), 60, 0, 0);
	assert_int_equal(machine_interrupts(m), 1);
}

/* --- resets, status --- */

static enum driver_state state_now(void)
{
	machine_run(m);
	nic_update_status(m->nic);
	return m->nic->status.now.state;
}

static void drv_load_outlives_a_reset_of_the_mac(void **state)
{
	(void)state;
	e1k_w32(&d, CTRL_EXT, BIT(28));
	e1k_w32(&d, RCTL, BIT(1));
	e1k_w32(&d, CTRL, BIT(26));
	assert_true(e1k_r32(&d, CTRL_EXT) & BIT(28));
	assert_int_equal(e1k_r32(&d, RCTL), 0);
	assert_int_equal(e1k_r32(&d, CTRL) & BIT(26), 0);
	assert_int_equal(state_now(), DRIVER_INITIALIZING);
	pci_config_write(&m->nic->pci, 0xe8, 2, 0x8000); /* FLR */
	machine_set_bus(m, true);
	assert_false(e1k_r32(&d, CTRL_EXT) & BIT(28));
}

/* Linux: DRV_LOAD comes with open and goes with ifdown. */
static void the_status_follows_the_driver(void **state)
{
	(void)state;
	assert_int_equal(state_now(), DRIVER_INITIALIZING);
	e1k_open(&d, E1K_EXTENDED, 0);
	assert_int_equal(state_now(), DRIVER_READY);
	assert_int_equal(m->nic->status.now.phase, PHASE_OS);
	e1k_w32(&d, RCTL, 0);
	e1k_w32(&d, TCTL, 0);
	e1k_w32(&d, CTRL, BIT(26));
	e1k_w32(&d, CTRL_EXT, e1k_r32(&d, CTRL_EXT) & ~BIT(28));
	assert_int_equal(state_now(), DRIVER_INITIALIZING);
	machine_set_bus(m, false);
	assert_int_equal(state_now(), DRIVER_NONE);
}

static void firmware_that_polls_is_told_from_an_operating_system(void **state)
{
	(void)state;
	e1k_w32(&d, 0x2800, E1K_RX_RING);
	e1k_w32(&d, 0x2808, 128);
	e1k_w32(&d, TCTL, BIT(1));
	e1k_w32(&d, RCTL, BIT(1) | BIT(15));
	e1k_w32(&d, 0x2818, 7);
	assert_int_equal(state_now(), DRIVER_INITIALIZING);
	e1k_r32(&d, ICR);
	assert_int_equal(state_now(), DRIVER_READY);
	assert_int_equal(m->nic->status.now.phase, PHASE_FIRMWARE);
}

/* --- saved state --- */

static void a_card_moves_in_the_middle_of_its_work(void **state)
{
	struct buffer saved = { 0 };
	struct e1k_received r;
	struct error err;

	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_use_vectors(&d);
	e1k_w32(&d, IMS, RXQ0 | TXQ0);
	e1k_w32(&d, TIMINCA, 1u << 24 | 40u << 18);
	e1k_nvm_write(&d, 0x30, 0x1234);
	e1k_phy_write(&d, 22, 776);
	m->wire_room = 0; /* a frame of each queue waits for the backend */
	e1k_send(&d, 0, frame_to(all, 60, 1), 60, 0, 0);
	e1k_send(&d, 1, frame_to(all, 61, 1), 61, 0, 0);
	say(100);
	assert_int_equal(nic_save(m->nic, &saved), 0);
	assert_true(saved.length < 8192);
	uint64_t time = e1k_r32(&d, SYSTIML) | (uint64_t)e1k_r32(&d, SYSTIMH) << 32;

	if (nic_load(m->nic, saved.data, saved.length, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(m->nic->notes.rx_ready); /* frames may have come meanwhile */
	m->wire_room = 10;
	machine_run(m);
	assert_int_equal(m->frames, 2);
	assert_true(e1k_sent(&d, 0, 0));
	assert_true(e1k_take(&d, 0, &r));
	say(200);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.length, 200);
	assert_int_equal(e1k_nvm_read(&d, 0x30), 0x1234);
	assert_int_equal(e1k_phy_read(&d, 1, 22) & 0xffff, 776);
	uint64_t now = e1k_r32(&d, SYSTIML) | (uint64_t)e1k_r32(&d, SYSTIMH) << 32;
	assert_int_equal(now, time);
	assert_int_equal(state_now(), DRIVER_READY);
	buffer_finish(&saved);
}

static void a_saved_state_that_is_broken_is_refused(void **state)
{
	struct buffer saved = { 0 };
	struct error err = { 0 };

	(void)state;
	e1k_open(&d, E1K_SPLIT, 0);
	assert_int_equal(nic_save(m->nic, &saved), 0);
	for (size_t cut = 0; cut < saved.length; cut += 7)
		assert_true(nic_load(m->nic, saved.data, cut, &err) < 0);
	buffer_finish(&saved);
}

/* --- statistics --- */

static void counters_are_cleared_by_reading(void **state)
{
	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	say(100);
	say(1514);
	e1k_send(&d, 0, frame_to(all, 60, 1), 60, 0, 0);
	assert_int_equal(e1k_r32(&d, GPRC), 2);
	assert_int_equal(e1k_r32(&d, GPRC), 0);
	assert_int_equal(e1k_r32(&d, GORCL), 100 + 1514 + 8); /* with FCS */
	assert_int_equal(e1k_r32(&d, GORCL), 100 + 1514 + 8);
	assert_int_equal(e1k_r32(&d, GORCH), 0); /* reading the high half clears both */
	assert_int_equal(e1k_r32(&d, GORCL), 0);
	assert_int_equal(e1k_r32(&d, GPTC), 1);
	assert_int_equal(e1k_r32(&d, 0x40f4), 1); /* broadcast */
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(linux_finds_the_82574_and_its_capabilities),
		STORY(the_io_window_reaches_the_registers),
		STORY(the_nvm_has_the_address_and_a_right_sum),
		STORY(what_is_written_to_the_nvm_outlives_every_reset),
		STORY(semaphores_behave_as_the_driver_tests_them),
		STORY(the_phy_has_the_id_that_linux_compares_whole),
		STORY(the_pages_of_the_phy_do_not_mix),
		STORY(the_cable_and_negotiation_make_the_link),
		STORY(bus_mastering_stops_when_the_driver_asks),
		STORY(the_masks_are_those_of_the_self_test),
		STORY(each_of_the_ten_low_causes_interrupts_when_it_is_unmasked),
		STORY(reading_icr_clears_what_was_asserted_and_nothing_else),
		STORY(reading_icr_masks_as_iam_says),
		STORY(a_vector_clears_and_masks_its_cause_by_itself),
		STORY(link_changes_come_by_the_vector_of_other_causes),
		STORY(a_cause_without_a_vector_interrupts_nobody),
		STORY(a_cause_that_stays_is_told_once),
		STORY(one_message_serves_all_causes_without_vectors),
		STORY(with_vectors_no_delay_timer_holds_a_frame_back),
		STORY(with_vectors_sent_frames_are_told_together_and_in_time),
		STORY(eitr_keeps_two_messages_apart),
		STORY(itr_keeps_two_interrupts_of_the_line_apart),
		STORY(received_frames_wait_for_company_as_rdtr_and_radv_say),
		STORY(sent_frames_wait_only_when_each_descriptor_allows_it),
		STORY(drv_load_outlives_a_reset_of_the_mac),
		STORY(the_status_follows_the_driver),
		STORY(firmware_that_polls_is_told_from_an_operating_system),
		STORY(a_card_moves_in_the_middle_of_its_work),
		STORY(a_saved_state_that_is_broken_is_refused),
		STORY(counters_are_cleared_by_reading),
	};

	return cmocka_run_group_tests_name("e1000e", tests, NULL, NULL);
}
