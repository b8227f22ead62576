/* I225 and I226: what a driver finds, resets, link, queues, interrupts, driver status, saved state. */
#include "igc_help.h"

#define LSC	BIT(2)
#define LU	BIT(1)
#define SPEED	(3u << 6 | BIT(22))
#define AT_2500 (2u << 6 | BIT(22))

/* --- what a driver finds --- */

static void the_card_says_who_it_is(void **state)
{
	struct igc_driver *d = *state;
	struct pci_device *pci = &d->m->nic->pci;

	assert_int_equal(pci_config_read(pci, 0, 4), 0x125c8086);
	assert_int_equal(pci_config_read(pci, 0x0a, 2), 0x0200);
	assert_int_equal(pci->bar[0].size, 0x100000);
	assert_int_equal(pci_irq_count(pci, PCI_MSIX), 5);
	assert_int_equal(pci_irq_count(pci, PCI_MSI), 1);
	assert_int_equal(pci_irq_count(pci, PCI_INTX), 1);
	assert_int_not_equal(pci->pm, 0);
	assert_int_not_equal(pci->pcie, 0);
	assert_int_equal(pci_config_read(pci, 0x100, 2), PCI_EXT_CAP_ID_ERR);
	assert_int_equal(pci_config_read(pci, 0x140, 2), PCI_EXT_CAP_ID_DSN);
	assert_int_equal(igc_r(d, IGC_RAL), 0x12005452);
	assert_int_equal(igc_r(d, IGC_RAH), BIT(31) | 0x5634);
}

static void sisters_differ_by_their_ids(void **state)
{
	static const struct {
		const char *model;
		uint16_t device;
	} sisters[] = { { "igc-i226-lm", 0x125b },
			{ "igc-i225-v", 0x15f3 },
			{ "igc-i225-lm", 0x15f2 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sisters); i++) {
		struct igc_driver d = { .m = machine_create(sisters[i].model, -1, NULL) };
		assert_non_null(d.m);
		assert_int_equal(pci_config_read(&d.m->nic->pci, 2, 2), sisters[i].device);
		assert_int_equal(igc_nvm_word(&d, 0x0d), sisters[i].device);
		assert_int_equal(igc_phy_read(&d, 2), 0x67c9);
		machine_destroy(d.m);
	}
}

static uint16_t nvm_sum(struct igc_driver *d)
{
	uint16_t sum = 0;

	for (unsigned i = 0; i <= 0x3f; i++)
		sum = (uint16_t)(sum + igc_nvm_word(d, i));
	return sum;
}

static void the_NVM_is_valid_and_can_be_written(void **state)
{
	struct igc_driver *d = *state;
	uint32_t eecd = igc_r(d, IGC_EECD);

	assert_true(eecd & BIT(9) && eecd & BIT(19) && eecd & BIT(26)); /* read, flash, written */
	assert_int_equal(nvm_sum(d), 0xbaba);
	assert_int_equal(igc_nvm_word(d, 0), 0x5452);
	igc_w(d, IGC_EEWR, 0xbeef0000u | 0x30 << 2 | 1);
	assert_true(igc_r(d, IGC_EEWR) & 2);
	igc_w(d, IGC_CTRL, BIT(26));
	assert_int_equal(igc_nvm_word(d, 0x30), 0xbeef);
	igc_w(d, IGC_EEWR, 0xbeef0000u | 0x3fff << 2 | 1);
	assert_true(igc_r(d, IGC_EEWR) & 2); /* nobody waits for ever */
	assert_int_equal(igc_nvm_word(d, 0x3fff), 0xffff);
}

static void an_address_written_to_the_NVM_is_used_after_a_reset(void **state)
{
	struct igc_driver *d = *state;

	igc_w(d, IGC_EEWR, 0x11020000u | 0 << 2 | 1);
	igc_w(d, IGC_CTRL, BIT(26));
	assert_int_equal(igc_r(d, IGC_RAL), 0x12001102);
}

static void a_semaphore_is_given_to_one_reader(void **state)
{
	struct igc_driver *d = *state;

	assert_int_equal(igc_r(d, IGC_SWSM) & 1, 0);
	assert_int_equal(igc_r(d, IGC_SWSM) & 1, 1);
	igc_w(d, IGC_SWSM, 3);
	assert_int_equal(igc_r(d, IGC_SWSM) & 2, 2);
	igc_w(d, IGC_SWSM, 0);
	assert_int_equal(igc_r(d, IGC_SWSM) & 1, 0);
}

static void bus_mastering_can_be_stopped(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	assert_true(igc_r(d, IGC_STATUS) & BIT(19));
	igc_w(d, IGC_CTRL, igc_r(d, IGC_CTRL) | BIT(2));
	assert_false(igc_r(d, IGC_STATUS) & BIT(19));
	igc_post_frame(d, 0, 0, frame_to(all, 60, 1), 60, 0, 0);
	igc_kick(d, 0);
	assert_int_equal(d->m->frames, 0);
}

/* --- PHY and link --- */

static void the_PHY_answers_in_both_clauses(void **state)
{
	struct igc_driver *d = *state;

	assert_int_equal(igc_phy_read(d, 2), 0x67c9);
	assert_int_equal(igc_phy_read(d, 3) & 0xfc00, 0xdc00);
	assert_int_equal(igc_mmd_read(d, 7, 32) & 0x80, 0x80);
	igc_mmd_write(d, 7, 32, 0);
	assert_int_equal(igc_mmd_read(d, 7, 32) & 0x80, 0);
	assert_int_equal(igc_mmd_read(d, 7, 33) & 0x20, 0x20); /* the partner can do 2.5 */
	assert_int_equal(igc_mmd_read(d, 1, 2), 0x67c9);
	igc_mmd_write(d, 1, 2, 0); /* an identifier is not written */
	assert_int_equal(igc_mmd_read(d, 1, 2), 0x67c9);
	assert_int_equal(igc_mmd_read(d, 31, 0xffff), 0);
	igc_mmd_write(d, 31, 0xffff, 0xffff);
}

static void an_MMD_address_can_run_along(void **state)
{
	struct igc_driver *d = *state;

	igc_phy_write(d, 13, 7);
	igc_phy_write(d, 14, 32);
	assert_int_equal(igc_phy_read(d, 14), 32); /* function 0: the address itself */
	igc_phy_write(d, 13, 0x8007);
	igc_phy_read(d, 14);
	igc_phy_write(d, 13, 7);
	assert_int_equal(igc_phy_read(d, 14), 33);
	igc_phy_write(d, 13, 0xc007); /* only writes move it */
	igc_phy_read(d, 14);
	igc_phy_write(d, 14, 0);
	igc_phy_write(d, 13, 7);
	assert_int_equal(igc_phy_read(d, 14), 34);
}

static void the_link_is_2500_from_the_start(void **state)
{
	struct igc_driver *d = *state;
	uint32_t status = igc_r(d, IGC_STATUS);

	assert_int_equal(status & (LU | 1 | SPEED), LU | 1 | AT_2500);
	assert_true(igc_r(d, IGC_PHPM) & BIT(8)); /* the PHY is through with its reset */
}

static void advertisement_decides_the_speed(void **state)
{
	static const struct {
		uint16_t ten, giga, fast;
		uint32_t status;
	} cases[] = {
		{ 0x1e0, 0x200, 0x80, LU | 1 | AT_2500 },
		{ 0x1e0, 0x200, 0, LU | 1 | 2u << 6 },
		{ 0x1e0, 0, 0, LU | 1 | 1u << 6 },
		{ 0x080, 0, 0, LU | 1u << 6 },
		{ 0x040, 0, 0, LU | 1 },
		{ 0, 0, 0, 0 },
	};
	struct igc_driver *d = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		igc_phy_write(d, 4, cases[i].ten | 1);
		igc_phy_write(d, 9, cases[i].giga);
		igc_mmd_write(d, 7, 32, cases[i].fast);
		igc_phy_write(d, 0, 0x1340);
		assert_false(igc_r(d, IGC_STATUS) & LU); /* under way */
		assert_int_equal(igc_phy_read(d, 1) & 0x20, 0);
		machine_wait(d->m, 500 * NS_PER_MS);
		assert_int_equal(igc_r(d, IGC_STATUS) & (LU | 1 | SPEED), cases[i].status);
	}
}

static void link_changes_interrupt(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_use_vectors(d);
	machine_vector(d->m, 0);
	nic_set_link(d->m->nic, false);
	assert_int_equal(machine_vector(d->m, 0), 1);
	assert_true(igc_r(d, IGC_ICR) & LSC);
	assert_false(igc_r(d, IGC_STATUS) & LU);
	nic_set_link(d->m->nic, true);
	assert_int_equal(machine_vector(d->m, 0), 1);
	assert_true(igc_r(d, IGC_STATUS) & LU);
}

/* --- resets --- */

static void a_reset_by_the_driver_keeps_what_the_chip_keeps(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_mmd_write(d, 7, 32, 0);
	igc_w(d, IGC_RAL, 0x99999999);
	igc_w(d, IGC_MTA, 5);
	igc_w(d, IGC_CTRL, igc_r(d, IGC_CTRL) | BIT(26));
	assert_false(igc_r(d, IGC_CTRL) & BIT(26));
	assert_true(igc_r(d, IGC_CTRL_EXT) & BIT(28)); /* DRV_LOAD */
	assert_int_equal(igc_r(d, IGC_RAL), 0x12005452);
	assert_int_equal(igc_r(d, IGC_MTA), 0);
	assert_int_equal(igc_r(d, IGC_RCTL), 0);
	assert_int_equal(igc_r(d, igc_q(IGC_RDBAL, 1)), 0);
	assert_int_equal(igc_mmd_read(d, 7, 32) & 0x80, 0); /* the PHY is not touched */
	assert_int_equal(igc_r(d, IGC_ICR), 0);
	igc_w(d, IGC_CTRL, igc_r(d, IGC_CTRL) | BIT(29));
	assert_true(igc_r(d, IGC_STATUS) & BIT(20));
	igc_w(d, IGC_STATUS, BIT(20));
	assert_false(igc_r(d, IGC_STATUS) & BIT(20));
}

static void a_PHY_reset_restores_the_advertisement(void **state)
{
	struct igc_driver *d = *state;
	uint32_t ctrl = igc_r(d, IGC_CTRL);

	igc_mmd_write(d, 7, 32, 0);
	igc_w(d, IGC_CTRL, ctrl | BIT(31));
	igc_w(d, IGC_CTRL, ctrl);
	assert_int_equal(igc_mmd_read(d, 7, 32) & 0x80, 0x80);
	assert_true(igc_r(d, IGC_PHPM) & BIT(8));
}

static void a_bus_reset_forgets_the_driver(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	nic_reset(d->m->nic, RESET_PCI);
	nic_update_status(d->m->nic);
	assert_int_equal(d->m->nic->status.now.state, DRIVER_NONE);
	assert_int_equal(igc_r(d, IGC_CTRL_EXT) & BIT(28), 0);
}

static void function_level_reset_is_one(void **state)
{
	struct igc_driver *d = *state;
	struct pci_device *pci = &d->m->nic->pci;

	igc_open(d);
	assert_true(pci_config_read(pci, pci->pcie + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR);
	pci_config_write(pci, pci->pcie + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(igc_r(d, IGC_RCTL), 0);
	assert_int_equal(d->m->nic->status.bus_resets, 1);
}

/* --- traffic --- */

static void each_queue_sends(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	for (unsigned q = 0; q < IGC_DRIVER_QUEUES; q++) {
		const uint8_t *f = frame_to(all, 100 + q, (uint8_t)q);
		igc_post_frame(d, q, q, f, 100 + q, 0, 0);
		igc_kick(d, q);
		assert_int_equal(d->m->frames, q + 1);
		assert_int_equal(d->m->wire[q].length, 100 + q);
		assert_memory_equal(d->m->wire[q].data, f, 100 + q);
		assert_true(igc_sent_done(d, q, 0));
		assert_int_equal(igc_r(d, igc_q(IGC_TDH, q)), 1);
	}
	igc_post_frame(d, 0, 0, frame_to(all, 20, 0), 20, 0, 0);
	igc_kick(d, 0);
	assert_int_equal(d->m->wire[4].length, 60); /* TCTL.PSP */
}

static void a_frame_is_received_with_its_type_and_checksums(void **state)
{
	struct igc_driver *d = *state;
	uint8_t f[200];
	size_t len = ip_frame(f, card_mac, 6, 50);

	igc_open(d);
	fill_checksums(f, len);
	assert_int_equal(machine_say(d->m, f, len), 1);
	struct igc_received r = igc_take(d, 0);
	assert_true(r.there);
	assert_int_equal(r.length, len);
	assert_memory_equal(r.data, f, len);
	assert_int_equal(r.type & 0xfff0, BIT(4) | BIT(8)); /* IPv4, TCP */
	assert_int_equal(r.status & (BIT(1) | BIT(5) | BIT(6)), BIT(1) | BIT(5) | BIT(6));
	assert_int_equal(r.status & 0xff000000u, 0);
	f[60] ^= 1;
	machine_say(d->m, f, len);
	r = igc_take(d, 0);
	assert_int_equal(r.status & 0xff000000u, BIT(29)); /* L4 error */
}

static void tags_are_inserted_and_stripped(void **state)
{
	struct igc_driver *d = *state;
	uint8_t f[100];

	igc_open(d);
	igc_w(d, IGC_CTRL, igc_r(d, IGC_CTRL) | BIT(30)); /* VME */
	igc_post(d, 0, (uint64_t)0x2005 << 16 | 14 << 9, BIT(29) | 2u << 20, 0);
	igc_post_frame(d, 0, 0, frame_to(all, 60, 1), 60, BIT(30), 0);
	igc_kick(d, 0);
	assert_int_equal(d->m->wire[0].length, 64);
	assert_int_equal(get_be32(d->m->wire[0].data + 12), 0x81002005);

	memcpy(f, frame_to(card_mac, 100, 3), 100);
	put_be32(f + 12, 0x81002007);
	machine_say(d->m, f, 100);
	struct igc_received r = igc_take(d, 0);
	assert_int_equal(r.length, 96);
	assert_int_equal(r.vlan, 0x2007);
	assert_true(r.status & BIT(3));
}

static void jumbo_frames_lie_in_several_buffers(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 5000, 1), 5000), 1);
	struct igc_received r = igc_take(d, 0);
	assert_int_equal(r.length, 2048);
	assert_false(r.status & BIT(1));
	assert_int_equal(igc_take(d, 0).length, 2048);
	r = igc_take(d, 0);
	assert_int_equal(r.length, 5000 - 4096);
	assert_true(r.status & BIT(1));
	igc_w(d, IGC_RLPML, 4000);
	machine_say(d->m, frame_to(card_mac, 5000, 1), 5000);
	assert_false(igc_take(d, 0).there);
	assert_int_equal(igc_r(d, IGC_ROC), 1);
	igc_w(d, IGC_RCTL, igc_r(d, IGC_RCTL) & ~BIT(5)); /* no long packets */
	machine_say(d->m, frame_to(card_mac, 1600, 1), 1600);
	assert_false(igc_take(d, 0).there);
	machine_say(d->m, frame_to(card_mac, 1514, 1), 1514);
	assert_true(igc_take(d, 0).there);
}

static void a_header_is_split_off_where_the_driver_asks(void **state)
{
	struct igc_driver *d = *state;
	uint8_t f[400];
	size_t len = ip_frame(f, card_mac, 6, 200);

	d->srrctl = 2u << 25 | 4u << 8 | 2; /* header split, 256 bytes of header */
	igc_open(d);
	igc_w(d, 0x5480, BIT(4) | BIT(2)); /* PSRTYPE: TCP over IPv4 */
	put_le64(machine_at(d->m, IGC_RX_RING(0)) + 8, RAM_AT + 0x18000);
	machine_say(d->m, f, len);
	uint32_t word0 = get_le32(machine_at(d->m, IGC_RX_RING(0)));
	struct igc_received r = igc_take(d, 0);
	assert_int_equal(r.length, len - 54);
	assert_int_equal(word0 >> 16, 0x8000 | 54 << 5);
	assert_memory_equal(machine_at(d->m, RAM_AT + 0x18000), f, 54);
	assert_memory_equal(r.data, f + 54, len - 54);
}

/* As iPXE does: legacy descriptors, one queue at the addresses of older cards, no interrupts. */
static void legacy_rings_work_at_the_old_addresses(void **state)
{
	struct igc_driver *d = *state;
	struct machine *m = d->m;
	const uint8_t *f = frame_to(all, 100, 9);

	machine_set_bus(m, true);
	igc_w(d, 0x3800, IGC_TX_RING(0));
	igc_w(d, 0x3808, 256);
	igc_w(d, 0x3828, BIT(25));
	igc_w(d, 0x2800, IGC_RX_RING(0));
	igc_w(d, 0x2808, 256);
	igc_w(d, 0x2828, BIT(25));
	igc_w(d, IGC_TCTL, BIT(1) | BIT(3));
	igc_w(d, IGC_RCTL, BIT(1) | BIT(3) | BIT(4) | BIT(15) | BIT(26));
	for (unsigned i = 0; i < 16; i++) {
		put_le64(machine_at(m, IGC_RX_RING(0) + 16 * i), IGC_RX_DATA(0) + i * 2048);
		put_le64(machine_at(m, IGC_RX_RING(0) + 16 * i + 8), 0);
	}
	igc_w(d, 0x2818, 15);
	memcpy(machine_at(m, IGC_TX_DATA), f, 100);
	put_le64(machine_at(m, IGC_TX_RING(0)), IGC_TX_DATA);
	put_le64(machine_at(m, IGC_TX_RING(0) + 8), 100 | BIT(24) | BIT(25) | BIT(27));
	igc_w(d, 0x3818, 1);
	assert_int_equal(m->frames, 1);
	assert_true(igc_sent_done(d, 0, 0));
	assert_int_equal(igc_r(d, IGC_TDH), 1); /* the same registers */

	assert_int_equal(machine_say(m, f, 100), 1);
	const uint8_t *r = machine_at(m, IGC_RX_RING(0));
	assert_int_equal(get_le16(r + 8), 100);
	assert_int_equal(r[12] & 3, 3); /* DD, EOP: where legacy has them */
	assert_memory_equal(machine_at(m, IGC_RX_DATA(0)), f, 100);
	assert_int_equal(m->nic->status.now.state, DRIVER_READY);
	assert_int_equal(m->nic->status.now.phase, PHASE_FIRMWARE);
}

/* A port's link stays down until the card is ready: firmware that waits for it only polls. */
static void firmware_that_polls_is_ready_before_it_sends(void **state)
{
	struct igc_driver *d = *state;

	machine_set_bus(d->m, true);
	igc_w(d, 0x2800, IGC_RX_RING(0));
	igc_w(d, 0x2808, 256);
	igc_w(d, 0x2828, BIT(25));
	igc_w(d, 0x3828, BIT(25));
	igc_w(d, IGC_TCTL, BIT(1) | BIT(3));
	igc_w(d, IGC_RCTL, BIT(1) | BIT(15));
	igc_w(d, 0x2818, 15);
	assert_int_equal(d->m->nic->status.now.state, DRIVER_INITIALIZING);
	igc_r(d, 0xc0);
	assert_int_equal(d->m->nic->status.now.state, DRIVER_READY);
	assert_int_equal(d->m->nic->status.now.phase, PHASE_FIRMWARE);
}

static void frames_loop_back_in_MAC_and_PHY(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_w(d, IGC_RCTL, igc_r(d, IGC_RCTL) | BIT(6));
	igc_post_frame(d, 0, 0, frame_to(card_mac, 80, 4), 80, 0, 0);
	igc_kick(d, 0);
	assert_int_equal(d->m->frames, 0);
	assert_int_equal(igc_take(d, 0).length, 80);
	igc_w(d, IGC_RCTL, igc_r(d, IGC_RCTL) & ~BIT(6));
	igc_phy_write(d, 0, 0x4140);
	nic_set_link(d->m->nic, false); /* needs no cable */
	igc_post_frame(d, 0, 0, frame_to(card_mac, 90, 4), 90, 0, 0);
	igc_kick(d, 0);
	assert_int_equal(d->m->frames, 0);
	assert_int_equal(igc_take(d, 0).length, 90);
}

static void a_full_queue_waits_or_drops_as_SRRCTL_says(void **state)
{
	struct igc_driver *d = *state;
	unsigned taken = 0;

	igc_open(d);
	while (taken < 100 && machine_say(d->m, frame_to(card_mac, 60, 1), 60))
		taken++;
	assert_int_equal(taken, IGC_RING - 1);
	assert_int_equal(igc_r(d, IGC_MPC), 0);
	igc_w(d, IGC_SRRCTL, d->srrctl | BIT(31));
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 60, 1), 60), 1);
	assert_int_equal(igc_r(d, IGC_MPC), 1);
	assert_int_equal(igc_r(d, IGC_RQDPC), 1);
	assert_int_equal(igc_r(d, IGC_RQDPC), 0);
	d->m->nic->notes.rx_ready = false;
	igc_take(d, 0);
	assert_true(d->m->nic->notes.rx_ready);
}

static void statistics_are_cleared_by_reading(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_post_frame(d, 2, 0, frame_to(all, 60, 1), 60, 0, 0);
	igc_kick(d, 2);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(igc_r(d, IGC_GPTC), 1);
	assert_int_equal(igc_r(d, IGC_GPTC), 0);
	assert_int_equal(igc_r(d, IGC_GPRC), 1);
	assert_int_equal(igc_r(d, IGC_GPRC), 0);
}

static void each_queue_has_its_vector(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_use_vectors(d);
	for (unsigned q = 0; q < IGC_DRIVER_QUEUES; q++) {
		igc_post_frame(d, q, q, frame_to(all, 60, 1), 60, 0, 0);
		igc_kick(d, q);
		for (unsigned v = 0; v < 5; v++)
			assert_int_equal(machine_vector(d->m, v), v == q + 1);
	}
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(machine_vector(d->m, 1), 1);
	assert_int_equal(machine_interrupts(d->m), 0); /* not the line too */
}

static void one_interrupt_line_serves_all_causes_without_MSIX(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_w(d, IGC_IMS, BIT(7) | BIT(0) | LSC);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(igc_r(d, IGC_ICR), BIT(31) | BIT(7));
	assert_int_equal(igc_r(d, IGC_ICR), 0);
	assert_false(d->m->nic->pci.intx_level);
}

/* --- driver status --- */

static enum driver_state state_now(struct igc_driver *d)
{
	nic_update_status(d->m->nic);
	return d->m->nic->status.now.state;
}

static void the_status_follows_linux(void **state)
{
	struct igc_driver *d = *state;

	assert_int_equal(state_now(d), DRIVER_NONE);
	machine_set_bus(d->m, true);
	igc_w(d, IGC_CTRL_EXT, BIT(28)); /* probe */
	assert_int_equal(state_now(d), DRIVER_INITIALIZING);
	assert_int_equal(d->m->nic->status.now.phase, PHASE_OS);
	igc_open(d);
	igc_use_vectors(d);
	assert_int_equal(state_now(d), DRIVER_READY);
	assert_int_equal(d->m->nic->status.now.phase, PHASE_OS);
	for (unsigned q = 0; q < IGC_DRIVER_QUEUES; q++)
		igc_w(d, igc_q(IGC_RXDCTL, q), 0);
	igc_w(d, IGC_RCTL, 0);
	igc_w(d, IGC_CTRL_EXT, 0);
	assert_int_equal(state_now(d), DRIVER_INITIALIZING);
	machine_set_bus(d->m, false);
	assert_int_equal(state_now(d), DRIVER_NONE);
}

static void four_resets_of_a_running_card_are_a_failure(void **state)
{
	struct igc_driver *d = *state;

	for (unsigned i = 0; i < 5; i++)
		igc_open(d);
	assert_int_equal(state_now(d), DRIVER_FAILED);
	assert_int_equal(d->m->nic->status.resets, 5);
}

static void a_ring_outside_memory_is_a_failure(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_use_vectors(d);
	assert_int_equal(state_now(d), DRIVER_READY);
	igc_w(d, igc_q(IGC_TDBAL, 1), RAM_END + 0x1000);
	igc_post_frame(d, 1, 0, frame_to(all, 60, 1), 60, 0, 0);
	igc_kick(d, 1);
	assert_int_equal(state_now(d), DRIVER_FAILED);
	igc_open(d); /* a reset by the driver mends it */
	assert_int_equal(state_now(d), DRIVER_READY);
	igc_w(d, IGC_RDBAL, RAM_END + 0x1000);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(state_now(d), DRIVER_FAILED);
}

/* --- saved state --- */

static void a_saved_card_goes_on_where_it_was(void **state)
{
	struct igc_driver *d = *state;
	struct igc_driver second = *d;
	struct buffer out = { 0 };
	struct error err = { 0 };

	igc_open(d);
	igc_use_vectors(d);
	igc_mmd_write(d, 7, 32, 0);
	igc_w(d, IGC_FHFTSL, 2);
	igc_w(d, IGC_FHFT + 4, 0x12345678);
	igc_set_clock(d, 77 * NS_PER_S);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	d->m->wire_room = 0; /* a frame that nobody takes now */
	igc_post_frame(d, 1, 0, frame_to(all, 99, 1), 99, 0, 0);
	igc_kick(d, 1);
	assert_int_equal(d->m->frames, 0);
	assert_int_equal(nic_save(d->m->nic, &out), 0);
	assert_true(out.length < 8192);

	second.m = machine_create("igc", -1, &err);
	memcpy(second.m->ram, d->m->ram, RAM_SIZE);
	memcpy(second.tx_tail, d->tx_tail, sizeof(second.tx_tail));
	if (nic_load(second.m->nic, out.data, out.length, &err) < 0)
		fail_msg("%s", err.text);
	machine_run(second.m);
	assert_int_equal(second.m->frames, 1);
	assert_int_equal(second.m->wire[0].length, 99);
	assert_int_equal(igc_mmd_read(&second, 7, 32) & 0x80, 0);
	assert_int_equal(igc_r(&second, IGC_FHFT + 4), 0x12345678);
	assert_int_equal(igc_clock(&second) / NS_PER_S, 77);
	assert_int_equal(second.m->nic->status.now.state, DRIVER_READY);
	second.rx_next[0] = 0;
	assert_true(igc_take(&second, 0).there);
	machine_say(second.m, frame_to(card_mac, 61, 1), 61);
	assert_int_equal(igc_take(&second, 0).length, 61);
	machine_destroy(second.m);
	buffer_finish(&out);
}

static void damaged_states_are_refused_and_the_card_lives(void **state)
{
	struct igc_driver *d = *state;
	struct buffer out = { 0 };
	struct error err;

	igc_open(d);
	nic_save(d->m->nic, &out);
	for (size_t cut = 0; cut < out.length; cut += 7)
		assert_true(nic_load(d->m->nic, out.data, cut, &err) < 0);
	for (size_t at = 0; at < out.length; at++) {
		out.data[at] ^= 0xa5;
		nic_load(d->m->nic, out.data, out.length, &err);
		machine_run(d->m);
		machine_wait(d->m, NS_PER_MS);
		out.data[at] ^= 0xa5;
	}
	nic_reset(d->m->nic, RESET_PCI);
	igc_open(d);
	machine_clear_wire(d->m);
	igc_post_frame(d, 0, 0, frame_to(all, 60, 1), 60, 0, 0);
	igc_kick(d, 0);
	assert_int_equal(d->m->frames, 1);
	buffer_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_card_says_who_it_is),
		cmocka_unit_test(sisters_differ_by_their_ids),
		T(the_NVM_is_valid_and_can_be_written),
		T(an_address_written_to_the_NVM_is_used_after_a_reset),
		T(a_semaphore_is_given_to_one_reader),
		T(bus_mastering_can_be_stopped),
		T(the_PHY_answers_in_both_clauses),
		T(an_MMD_address_can_run_along),
		T(the_link_is_2500_from_the_start),
		T(advertisement_decides_the_speed),
		T(link_changes_interrupt),
		T(a_reset_by_the_driver_keeps_what_the_chip_keeps),
		T(a_PHY_reset_restores_the_advertisement),
		T(a_bus_reset_forgets_the_driver),
		T(function_level_reset_is_one),
		T(each_queue_sends),
		T(a_frame_is_received_with_its_type_and_checksums),
		T(tags_are_inserted_and_stripped),
		T(jumbo_frames_lie_in_several_buffers),
		T(a_header_is_split_off_where_the_driver_asks),
		T(legacy_rings_work_at_the_old_addresses),
		T(firmware_that_polls_is_ready_before_it_sends),
		T(frames_loop_back_in_MAC_and_PHY),
		T(a_full_queue_waits_or_drops_as_SRRCTL_says),
		T(statistics_are_cleared_by_reading),
		T(each_queue_has_its_vector),
		T(one_interrupt_line_serves_all_causes_without_MSIX),
		T(the_status_follows_linux),
		T(four_resets_of_a_running_card_are_a_failure),
		T(a_ring_outside_memory_is_a_failure),
		T(a_saved_card_goes_on_where_it_was),
		T(damaged_states_are_refused_and_the_card_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
