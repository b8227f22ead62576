/* The judge of the family, on drivers as they open, close and break. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "nic/intel/status.h"

static struct nic nic;
static struct clock clock_of_test;
static struct intel_driver d;
static struct intel_card_state c;
static struct driver_report report;

static int fresh(void **state)
{
	(void)state;
	memset(&nic, 0, sizeof(nic));
	clock_set(&clock_of_test, NS_PER_S);
	nic.clock = &clock_of_test;
	put_le16(nic.pci.config + PCI_COMMAND, PCI_COMMAND_MASTER);
	intel_driver_clear(&d);
	c = (struct intel_card_state){ .vf_ready = true };
	return 0;
}

static void judge(enum driver_state state, enum driver_phase phase)
{
	intel_driver_judge(&nic, &d, &c, &report);
	assert_string_equal(driver_state_names[report.state], driver_state_names[state]);
	assert_string_equal(driver_phase_names[report.phase], driver_phase_names[phase]);
	assert_int_not_equal(report.evidence[0], 0);
}

static void note(void)
{
	intel_driver_note(&nic, &d, &c);
}

static void rings_on(void)
{
	c.rx_ring = c.rx_on = c.tx_on = true;
	note();
	c.rx_buffers = true;
	note();
}

static void a_driver_with_interrupts_is_ready_when_it_gave_buffers(void **state)
{
	(void)state;
	judge(DRIVER_INITIALIZING, PHASE_UNKNOWN);
	c.rx_ring = c.rx_on = c.tx_on = true;
	note();
	judge(DRIVER_INITIALIZING, PHASE_UNKNOWN);
	c.rx_buffers = true;
	note();
	judge(DRIVER_INITIALIZING, PHASE_UNKNOWN);
	c.irq_on = true;
	note();
	judge(DRIVER_READY, PHASE_OS);
}

/* Linux e1000 and e1000e switch the transmitter on when they see the link: in an auto port that comes after "ready". */
static void a_driver_that_waits_for_its_link_to_send_is_ready_to_receive(void **state)
{
	(void)state;
	c.rx_ring = c.rx_on = c.rx_buffers = c.irq_on = true;
	note();
	judge(DRIVER_READY, PHASE_OS);
	c.tx_on = true;
	note();
	judge(DRIVER_READY, PHASE_OS);
	c.rx_on = false; /* and what only sends is not */
	note();
	judge(DRIVER_INITIALIZING, PHASE_OS);
}

/* What comes after that is read by nobody: the driver looks through its ring once more and resets the card. */
static void a_card_whose_transmitter_stops_first_is_no_more_ready_then(void **state)
{
	(void)state;
	c.irq_on = c.tx_stops_first = true;
	rings_on();
	judge(DRIVER_READY, PHASE_OS);
	c.tx_on = false;
	nic.notes.status_dirty = false;
	note();
	assert_true(nic.notes.status_dirty);
	judge(DRIVER_INITIALIZING, PHASE_OS);
	assert_non_null(strstr(report.evidence, "stopped the transmitter"));
	c.tx_on = true;
	note();
	judge(DRIVER_READY, PHASE_OS);
	intel_driver_reset(&nic, &d, true);
	c.tx_on = false; /* until it sees the link */
	note();
	judge(DRIVER_READY, PHASE_OS);
	c.tx_on = true;
	note();
	c.tx_stops_first = c.tx_on = false; /* other cards' drivers stop the receiver first */
	note();
	judge(DRIVER_READY, PHASE_OS);
}

static void boot_firmware_is_ready_when_it_polls(void **state)
{
	(void)state;
	rings_on();
	judge(DRIVER_INITIALIZING, PHASE_UNKNOWN);
	intel_driver_served(&nic, &d, true);
	judge(DRIVER_READY, PHASE_FIRMWARE);
}

static void polling_a_receiver_that_is_off_counts_for_nothing(void **state)
{
	(void)state;
	intel_driver_served(&nic, &d, false);
	rings_on();
	judge(DRIVER_INITIALIZING, PHASE_UNKNOWN);
}

static void drv_load_is_an_os_driver_that_need_not_use_interrupts(void **state)
{
	(void)state;
	c.has_drv_load = true;
	intel_driver_load_bit(&nic, &d, true);
	judge(DRIVER_INITIALIZING, PHASE_OS);
	intel_driver_reset(&nic, &d, false); /* DPDK: the bit, then CTRL.RST */
	rings_on();
	judge(DRIVER_READY, PHASE_OS);
}

static void an_interface_that_went_down_is_told_from_an_unloaded_driver(void **state)
{
	(void)state;
	c.has_drv_load = true;
	intel_driver_load_bit(&nic, &d, true);
	rings_on();
	c.rx_on = c.tx_on = c.rx_buffers = false;
	note();
	c.stopped = "loaded, and down";
	judge(DRIVER_INITIALIZING, PHASE_OS);
	assert_string_equal(report.evidence, "loaded, and down");
	intel_driver_load_bit(&nic, &d, false);
	judge(DRIVER_INITIALIZING, PHASE_OS);
	assert_non_null(strstr(report.evidence, "stopped the card"));
	put_le16(nic.pci.config + PCI_COMMAND, 0);
	judge(DRIVER_NONE, PHASE_UNKNOWN);
}

static void a_driver_that_masks_interrupts_in_its_handler_stays_ready(void **state)
{
	(void)state;
	c.irq_on = true;
	rings_on();
	judge(DRIVER_READY, PHASE_OS);
	nic.notes.status_dirty = false;
	for (unsigned i = 0; i < 3; i++) {
		c.irq_on = !c.irq_on;
		note();
		assert_false(nic.notes.status_dirty);
		judge(DRIVER_READY, PHASE_OS);
	}
}

static void each_step_asks_for_a_new_judgement(void **state)
{
	bool *const step[] = { &c.rx_on, &c.tx_on, &c.rx_ring, &c.rx_buffers, &c.irq_on };

	(void)state;
	note();
	for (size_t i = 0; i < ARRAY_SIZE(step); i++) {
		nic.notes.status_dirty = false;
		*step[i] = true;
		note();
		assert_true(nic.notes.status_dirty);
	}
}

static void buffers_count_anew_after_the_receiver_was_off(void **state)
{
	(void)state;
	c.irq_on = true;
	rings_on();
	c.rx_on = c.rx_buffers = false;
	note();
	c.rx_on = true;
	note();
	judge(DRIVER_INITIALIZING, PHASE_OS);
	assert_string_equal(report.evidence, "no receive buffer given");
}

static void four_resets_of_a_running_card_within_a_minute_are_a_failure(void **state)
{
	(void)state;
	c.irq_on = true;
	for (unsigned i = 0; i < INTEL_RESETS_KEPT; i++) {
		rings_on();
		judge(DRIVER_READY, PHASE_OS);
		clock_set(&clock_of_test, clock_now(&clock_of_test) + NS_PER_S);
		intel_driver_reset(&nic, &d, true);
	}
	assert_int_equal(nic.status.resets, INTEL_RESETS_KEPT);
	rings_on();
	judge(DRIVER_FAILED, PHASE_OS);
	clock_set(&clock_of_test, clock_now(&clock_of_test) + 60 * NS_PER_S);
	judge(DRIVER_READY, PHASE_OS);
}

static void resets_of_a_stopped_card_are_no_failure(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		intel_driver_reset(&nic, &d, false);
	judge(DRIVER_INITIALIZING, PHASE_UNKNOWN);
}

static void a_ring_outside_memory_is_a_failure_until_the_driver_resets(void **state)
{
	(void)state;
	c.irq_on = true;
	rings_on();
	intel_driver_fault(&nic, &d);
	judge(DRIVER_FAILED, PHASE_OS);
	intel_driver_reset(&nic, &d, false);
	rings_on();
	judge(DRIVER_READY, PHASE_OS);
}

static void a_virtual_function_waits_for_its_mailbox(void **state)
{
	(void)state;
	c.irq_on = true;
	c.vf_ready = false;
	rings_on();
	judge(DRIVER_INITIALIZING, PHASE_OS);
	c.vf_ready = true;
	note();
	judge(DRIVER_READY, PHASE_OS);
}

static void latches_are_saved_and_ages_kept(void **state)
{
	struct buffer b = { 0 };

	(void)state;
	c.irq_on = true;
	rings_on();
	for (unsigned i = 0; i < INTEL_RESETS_KEPT; i++)
		intel_driver_reset(&nic, &d, true);
	rings_on();
	intel_driver_save(&d, clock_now(&clock_of_test), &b);
	intel_driver_clear(&d);
	clock_set(&clock_of_test, 1000 * NS_PER_S);
	struct reader in = reader_of(b.data, b.length);
	intel_driver_load(&d, clock_now(&clock_of_test), &in);
	assert_true(reader_at_end(&in) && !in.failed);
	judge(DRIVER_FAILED, PHASE_OS);
	clock_set(&clock_of_test, 1061 * NS_PER_S);
	judge(DRIVER_READY, PHASE_OS);
	buffer_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_driver_with_interrupts_is_ready_when_it_gave_buffers,
				       fresh),
		cmocka_unit_test_setup(a_driver_that_waits_for_its_link_to_send_is_ready_to_receive,
				       fresh),
		cmocka_unit_test_setup(a_card_whose_transmitter_stops_first_is_no_more_ready_then,
				       fresh),
		cmocka_unit_test_setup(boot_firmware_is_ready_when_it_polls, fresh),
		cmocka_unit_test_setup(polling_a_receiver_that_is_off_counts_for_nothing, fresh),
		cmocka_unit_test_setup(drv_load_is_an_os_driver_that_need_not_use_interrupts,
				       fresh),
		cmocka_unit_test_setup(an_interface_that_went_down_is_told_from_an_unloaded_driver,
				       fresh),
		cmocka_unit_test_setup(a_driver_that_masks_interrupts_in_its_handler_stays_ready,
				       fresh),
		cmocka_unit_test_setup(each_step_asks_for_a_new_judgement, fresh),
		cmocka_unit_test_setup(buffers_count_anew_after_the_receiver_was_off, fresh),
		cmocka_unit_test_setup(four_resets_of_a_running_card_within_a_minute_are_a_failure,
				       fresh),
		cmocka_unit_test_setup(resets_of_a_stopped_card_are_no_failure, fresh),
		cmocka_unit_test_setup(a_ring_outside_memory_is_a_failure_until_the_driver_resets,
				       fresh),
		cmocka_unit_test_setup(a_virtual_function_waits_for_its_mailbox, fresh),
		cmocka_unit_test_setup(latches_are_saved_and_ages_kept, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
