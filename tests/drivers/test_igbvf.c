/* The virtual function without its data: configuration space, resets, mailbox, interrupts, link, counters, driver status. */
#include "igbvf_help.h"

enum { CTRL = 0x0, STATUS = 0x8, MAILBOX = 0xc40, MEMORY = 0x800, PSRTYPE = 0xf0c, TIMER = 0x1048 };
enum { GPRC = 0xf10, GPTC = 0xf14, GORC = 0xf18, GOTC = 0xf34, MPRC = 0xf3c };
enum { EICS = 0x1520, EIMS = 0x1524, EIMC = 0x1528, EIAC = 0x152c, EICR = 0x1580, EITR = 0x1680 };
enum { RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818, RXDCTL = 0x2828, TXDCTL = 0x3828 };

#define LU BIT(1)

/* --- configuration space --- */

static void it_is_an_express_card_with_msix_and_nothing_else(void **state)
{
	struct vf_driver *d = *state;
	struct pci_device *pci = &d->m->nic->pci;

	assert_int_equal(pci_config_read(pci, 0, 4), 0x10ca8086);
	assert_int_equal(pci_config_read(pci, 8, 4) >> 8, 0x020000);
	assert_int_equal(pci_config_read(pci, PCI_INTERRUPT_PIN, 1), 0);
	assert_int_equal(pci_irq_count(pci, PCI_INTX), 0);
	assert_int_equal(pci_irq_count(pci, PCI_MSI), 0);
	assert_int_equal(pci_irq_count(pci, PCI_MSIX), 3);
	assert_int_equal(pci_config_size(pci), 4096);
	assert_true(pci_config_read(pci, pci->pcie + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR);
	assert_int_equal(pci_config_read(pci, 0x100, 2), PCI_EXT_CAP_ID_ERR);
	assert_int_equal(pci->bar[0].size, 0x4000);
	assert_int_equal(pci->bar[3].size, 0x4000);
	assert_int_equal(pci_config_read(pci, pci->msix + PCI_MSIX_TABLE, 4), 3);
	assert_int_equal(pci_config_read(pci, pci->msix + PCI_MSIX_PBA, 4), 0x2003);
}

/* --- resets and mailbox --- */

static void the_driver_comes_up_with_the_ports_mac(void **state)
{
	struct vf_driver *d = *state;

	assert_true(vf_reset(d));
	assert_memory_equal(d->mac, card_mac, 6);
	assert_int_equal(d->m->nic->status.resets, 1);
	assert_int_equal(vf_ask_mac(d, 2, card_mac), 2 | ACK | CTS);
}

static void without_trust_the_guest_keeps_the_ports_mac(void **state)
{
	struct vf_driver *d = *state;
	static const uint8_t mine[6] = { 2, 0, 0, 0, 0, 1 };

	assert_true(vf_reset(d));
	assert_int_equal(vf_ask_mac(d, 2, mine), 2 | NACK | CTS);
	assert_int_equal(vf_ask_mac(d, 2 | 2u << 16, mine), 2 | 2u << 16 | NACK | CTS);
	assert_int_equal(vf_ask_mac(d, 2, card_mac), 2 | ACK | CTS);
	vf_open(d, VF_ONE_BUFFER);
	machine_say(d->m, frame_to(mine, 100, 1), 100);
	uint8_t got[2000];
	assert_int_equal(vf_take(d, got), 0);
	machine_say(d->m, frame_to(card_mac, 100, 1), 100);
	assert_int_equal(vf_take(d, got), 100);
}

static void the_mac_that_the_guest_chose_lasts_until_the_next_reset(void **state)
{
	struct vf_driver *d = *state;
	static const uint8_t mine[6] = { 2, 0, 0, 0, 0, 1 };

	assert_true(vf_reset(d));
	assert_int_equal(vf_ask_mac(d, 2, mine), 2 | ACK | CTS);
	vf_open(d, VF_ONE_BUFFER);
	machine_say(d->m, frame_to(mine, 100, 1), 100);
	uint8_t got[2000];
	assert_int_equal(vf_take(d, got), 100);
	machine_say(d->m, frame_to(card_mac, 100, 1), 100);
	assert_int_equal(vf_take(d, got), 0);
	assert_true(vf_reset(d));
	assert_memory_equal(d->mac, card_mac, 6);
}

static void a_reset_switches_queues_and_interrupts_off_and_keeps_the_mailbox_memory(void **state)
{
	struct vf_driver *d = *state;

	vf_use_vectors(d);
	vf_w(d, PSRTYPE, 0x10);
	vf_w(d, MEMORY + 60, 0xcafe);
	vf_w(d, MAILBOX, 4); /* the buffer is taken */
	vf_w(d, CTRL, BIT(26));
	assert_int_equal(vf_r(d, CTRL), 0);
	assert_int_equal(vf_r(d, RXDCTL) | vf_r(d, TXDCTL) | vf_r(d, RDLEN), 0);
	assert_int_equal(vf_r(d, EIMS) | vf_r(d, EIAC) | vf_r(d, PSRTYPE), 0);
	assert_int_equal(vf_r(d, MEMORY + 60), 0xcafe);
	assert_int_equal(vf_r(d, MAILBOX), 0);
}

static void a_reset_from_outside_clears_the_mailbox_and_shows_as_one_of_the_pf(void **state)
{
	struct vf_driver *d = *state;

	vf_w(d, MEMORY, 0x20000100);
	nic_reset(d->m->nic, RESET_FUNCTION);
	assert_int_equal(vf_r(d, MEMORY), 0); /* no old CTS to be found */
	assert_int_equal(vf_r(d, MAILBOX), 0x80);
	assert_int_equal(vf_r(d, MAILBOX), 0);
	vf_w(d, MEMORY, 0x20000100);
	nic_reset(d->m->nic, RESET_PCI);
	assert_int_equal(vf_r(d, MEMORY), 0);
	assert_int_equal(vf_r(d, MAILBOX), 0x80);
}

static void a_driver_that_missed_a_function_reset_is_told_to_start_over(void **state)
{
	struct vf_driver *d = *state;
	struct pci_device *pci = &d->m->nic->pci;
	uint32_t msg[1];

	machine_use_msix(d->m);
	vf_use_vectors(d);
	pci_config_write(pci, pci->pcie + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	machine_run(d->m);
	assert_int_equal(d->m->nic->status.now.state, DRIVER_NONE);
	machine_set_bus(d->m, true);
	machine_wait(d->m, 3 * NS_PER_S);
	/* its watchdog sees RSTD, looks for CTS, finds none, and acknowledges */
	assert_true(vf_client_bit(&d->mailbox, VFMBX_RSTD));
	assert_true(vf_client_read(&d->mailbox, msg, 1));
	assert_int_equal(vf_r(d, MEMORY), NACK);
	assert_true(vf_reset(d));
}

/* --- link --- */

static void the_link_is_told_by_status_and_a_message_with_cts(void **state)
{
	struct vf_driver *d = *state;
	uint32_t msg[1];

	machine_use_msix(d->m);
	vf_use_vectors(d);
	assert_int_equal(vf_r(d, STATUS), 0x83);
	nic_set_link(d->m->nic, false);
	assert_int_equal(vf_r(d, STATUS) & LU, 0);
	assert_int_equal(machine_vector(d->m, 2), 1);
	assert_true(vf_client_bit(&d->mailbox, VFMBX_PFSTS));
	assert_true(vf_client_read(&d->mailbox, msg, 1));
	assert_int_equal(msg[0], 0x100 | CTS);
	vf_w(d, EIMS, 4);
	nic_set_link(d->m->nic, true);
	assert_int_equal(vf_r(d, STATUS), 0x83);
	assert_int_equal(machine_vector(d->m, 2), 1);
	assert_int_equal(machine_vector(d->m, 0) + machine_vector(d->m, 1), 0);
}

static void a_link_change_in_the_middle_of_a_request_disturbs_no_word_of_it(void **state)
{
	struct vf_driver *d = *state;

	vf_w(d, MAILBOX, 4);
	vf_w(d, MEMORY, 5);
	nic_set_link(d->m->nic, false);
	vf_w(d, MEMORY + 4, 3000);
	nic_set_link(d->m->nic, true);
	assert_int_equal(vf_r(d, MEMORY), 5);
	vf_w(d, MAILBOX, 1);
	assert_int_equal(vf_r(d, MAILBOX), 0x30);
	nic_set_link(d->m->nic, false);
	assert_int_equal(vf_r(d, MEMORY), 5 | ACK | CTS);
}

/* --- interrupts --- */

static void each_cause_has_its_vector_which_clears_and_masks_itself(void **state)
{
	struct vf_driver *d = *state;
	uint8_t got[2000];

	machine_use_msix(d->m);
	vf_use_vectors(d);
	vf_send(d, 0, own_frame(100, 1), 100, 0, 0);
	assert_int_equal(machine_vector(d->m, 0), 1);
	machine_say(d->m, frame_to(card_mac, 100, 1), 100);
	assert_int_equal(machine_vector(d->m, 1), 1);
	assert_int_equal(vf_r(d, EICR), 0);
	assert_int_equal(vf_r(d, EIMS), 4); /* the mailbox' only */
	machine_say(d->m, frame_to(card_mac, 100, 2), 100);
	assert_int_equal(machine_vector(d->m, 1), 0); /* the driver polls */
	assert_int_equal(vf_take(d, got), 100);
	assert_int_equal(vf_take(d, got), 100);
	vf_w(d, EIMS, 2);
	assert_int_equal(machine_vector(d->m, 1), 1);
	vf_w(d, EICS, 4);
	assert_int_equal(machine_vector(d->m, 2), 1);
	vf_w(d, EIMC, 7);
	assert_int_equal(vf_r(d, EIMS), 0);
	vf_w(d, EICS, 7);
	assert_int_equal(
		machine_vector(d->m, 0) + machine_vector(d->m, 1) + machine_vector(d->m, 2), 0);
	assert_int_equal(vf_r(d, EICR), 7);
	assert_int_equal(vf_r(d, EICR), 0);
}

static void interrupts_keep_the_distance_that_eitr_asks_for(void **state)
{
	struct vf_driver *d = *state;

	machine_use_msix(d->m);
	vf_use_vectors(d);
	vf_w(d, EIAC, 7);
	vf_w(d, 0x1530, 0); /* EIAM: nothing is masked */
	vf_w(d, EITR + 4, 100 << 2);
	machine_say(d->m, frame_to(card_mac, 100, 1), 100);
	assert_int_equal(machine_vector(d->m, 1), 1);
	for (unsigned i = 0; i < 5; i++)
		machine_say(d->m, frame_to(card_mac, 100, 1), 100);
	assert_int_equal(machine_vector(d->m, 1), 0);
	machine_wait(d->m, 99 * US);
	assert_int_equal(machine_vector(d->m, 1), 0);
	machine_wait(d->m, 2 * US);
	assert_int_equal(machine_vector(d->m, 1), 1);
	machine_wait(d->m, NS_PER_S);
	assert_int_equal(machine_vector(d->m, 1), 0);
}

static void a_request_and_its_reply_are_one_mailbox_interrupt(void **state)
{
	struct vf_driver *d = *state;

	machine_use_msix(d->m);
	vf_use_vectors(d);
	assert_int_equal(vf_ask(d, 5, 2000, 0), 5 | ACK | CTS);
	assert_int_equal(machine_vector(d->m, 2), 1);
}

/* --- counters --- */

static void counters_run_on_over_reads_and_resets(void **state)
{
	struct vf_driver *d = *state;
	static const uint8_t group[6] = { 1, 0, 0x5e, 0, 0, 5 };

	vf_set_multicast(d, &group, 1);
	vf_send(d, 0, own_frame(100, 1), 100, 0, 0);
	machine_say(d->m, frame_to(card_mac, 200, 1), 200);
	machine_say(d->m, frame_to(group, 60, 1), 60);
	machine_say(d->m, frame_to(all, 60, 1), 60);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(vf_r(d, GPTC), 1);
		assert_int_equal(vf_r(d, GOTC), 104); /* with FCS */
		assert_int_equal(vf_r(d, GPRC), 3);
		assert_int_equal(vf_r(d, GORC), 204 + 64 + 64);
		assert_int_equal(vf_r(d, MPRC), 1);
		assert_true(vf_reset(d));
	}
	nic_reset(d->m->nic, RESET_FUNCTION);
	assert_int_equal(vf_r(d, GPRC), 3);
	nic_reset(d->m->nic, RESET_PCI);
	assert_int_equal(vf_r(d, GPRC), 0);
}

static void counters_wrap_at_32_bits(void **state)
{
	struct vf_driver *d = *state;
	struct igbvf_stats *s = &((struct igbvf *)d->m->nic)->s.stats;

	s->rx_bytes = s->rx_frames = UINT32_MAX;
	machine_say(d->m, frame_to(card_mac, 100, 1), 100);
	assert_int_equal(vf_r(d, GPRC), 0);
	assert_int_equal(vf_r(d, GORC), 103);
}

static void the_free_running_timer_counts_milliseconds(void **state)
{
	struct vf_driver *d = *state;
	uint32_t before = vf_r(d, TIMER);

	machine_wait(d->m, 5 * NS_PER_MS);
	assert_int_equal(vf_r(d, TIMER) - before, 5);
}

/* --- driver status --- */

static enum driver_state state_of(struct vf_driver *d)
{
	machine_run(d->m);
	return d->m->nic->status.now.state;
}

static void a_driver_of_an_operating_system_is_ready_when_it_can_receive(void **state)
{
	struct vf_driver *d = *state;

	assert_int_equal(state_of(d), DRIVER_INITIALIZING);
	assert_true(vf_reset(d));
	assert_int_equal(state_of(d), DRIVER_INITIALIZING);
	machine_use_msix(d->m);
	vf_open(d, VF_ONE_BUFFER);
	assert_int_equal(state_of(d), DRIVER_INITIALIZING);
	vf_use_vectors(d);
	assert_int_equal(state_of(d), DRIVER_READY);
	assert_int_equal(d->m->nic->status.now.phase, PHASE_OS);
	/* handlers mask; that changes nothing */
	vf_w(d, EIMC, 7);
	assert_int_equal(state_of(d), DRIVER_READY);
	/* the interface goes down as Linux does it */
	vf_w(d, RXDCTL, 0);
	assert_int_equal(state_of(d), DRIVER_INITIALIZING);
	assert_true(vf_reset(d));
	assert_int_equal(state_of(d), DRIVER_INITIALIZING);
	machine_set_bus(d->m, false);
	assert_int_equal(state_of(d), DRIVER_NONE);
}

static void queues_without_vf_reset_make_nobody_ready(void **state)
{
	struct vf_driver *d = *state;

	machine_use_msix(d->m);
	vf_open(d, VF_ONE_BUFFER);
	vf_use_vectors(d);
	assert_int_equal(state_of(d), DRIVER_INITIALIZING);
	assert_non_null(strstr(d->m->nic->status.now.evidence, "VF_RESET"));
}

static void firmware_that_polls_is_ready_as_firmware(void **state)
{
	struct vf_driver *d = *state;
	uint8_t got[2000];

	/* as iPXE: a tail of the ring's whole length, no interrupt */
	assert_true(vf_reset(d));
	vf_open(d, VF_ONE_BUFFER);
	vf_w(d, RDT, VF_RING);
	vf_send(d, 0, own_frame(300, 1), 300, 0, 0);
	assert_int_equal(state_of(d), DRIVER_READY);
	assert_int_equal(d->m->nic->status.now.phase, PHASE_FIRMWARE);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 300, 2), 300), 1);
	assert_int_equal(vf_take(d, got), 300);
}

static void a_driver_that_resets_the_running_card_again_and_again_has_failed(void **state)
{
	struct vf_driver *d = *state;

	for (unsigned i = 0; i < 4; i++) {
		assert_true(vf_reset(d));
		vf_open(d, VF_ONE_BUFFER);
		vf_use_vectors(d);
	}
	vf_w(d, CTRL, BIT(26));
	assert_int_equal(state_of(d), DRIVER_FAILED);
}

int main(void)
{
#define STORY(name, how) cmocka_unit_test_setup_teardown(name, how, teardown)
	const struct CMUnitTest tests[] = {
		STORY(it_is_an_express_card_with_msix_and_nothing_else, setup),
		STORY(the_driver_comes_up_with_the_ports_mac, setup),
		STORY(without_trust_the_guest_keeps_the_ports_mac, setup),
		STORY(the_mac_that_the_guest_chose_lasts_until_the_next_reset, setup_trusted),
		STORY(a_reset_switches_queues_and_interrupts_off_and_keeps_the_mailbox_memory,
		      setup_open),
		STORY(a_reset_from_outside_clears_the_mailbox_and_shows_as_one_of_the_pf,
		      setup_open),
		STORY(a_driver_that_missed_a_function_reset_is_told_to_start_over, setup_open),
		STORY(the_link_is_told_by_status_and_a_message_with_cts, setup_open),
		STORY(a_link_change_in_the_middle_of_a_request_disturbs_no_word_of_it, setup_open),
		STORY(each_cause_has_its_vector_which_clears_and_masks_itself, setup_open),
		STORY(interrupts_keep_the_distance_that_eitr_asks_for, setup_open),
		STORY(a_request_and_its_reply_are_one_mailbox_interrupt, setup_open),
		STORY(counters_run_on_over_reads_and_resets, setup_open),
		STORY(counters_wrap_at_32_bits, setup_open),
		STORY(the_free_running_timer_counts_milliseconds, setup),
		STORY(a_driver_of_an_operating_system_is_ready_when_it_can_receive, setup),
		STORY(queues_without_vf_reset_make_nobody_ready, setup),
		STORY(firmware_that_polls_is_ready_as_firmware, setup),
		STORY(a_driver_that_resets_the_running_card_again_and_again_has_failed, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
