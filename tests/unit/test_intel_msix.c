/* Causes, masks, vectors, intervals: the interrupts of the cards with EICR, on a card that has nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "nic/intel/msix.h"

struct state {
	struct intel_irq irq;
};

static const struct reg rows[] = {
	INTEL_IRQ_ROWS_PF(struct state, irq),
	INTEL_IRQ_ROWS(struct state, irq, 25, 8),
};
static const struct reg vf_rows[] = { INTEL_IRQ_ROWS(struct state, irq, 3, 1) };
static struct reg_space space = {
	.name = "msix", .rows = rows, .count = ARRAY_SIZE(rows), .size = 0x4000, .granule = 4
};
static struct reg_space vf_space = { .name = "msix vf",
				     .rows = vf_rows,
				     .count = ARRAY_SIZE(vf_rows),
				     .size = 0x4000,
				     .granule = 4 };

static struct nic nic;
static struct state s;
static struct clock now;
static int fd[25], line;

enum { ICR = 0x1500, ICS = 0x1504, IMS = 0x1508, IMC = 0x150c, IAM = 0x1510, GPIE = 0x1514 };
enum { EICS = 0x1520, EIMS = 0x1524, EIMC = 0x1528, EIAC = 0x152c, EIAM = 0x1530, EICR = 0x1580 };
enum { EITR = 0x1680, IVAR = 0x1700, IVAR_MISC = 0x1740 };

static void wr(uint32_t at, uint32_t value)
{
	pci_bar_write(&nic.pci, 0, at, 4, value);
}

static uint32_t rd(uint32_t at)
{
	return (uint32_t)pci_bar_read(&nic.pci, 0, at, 4);
}

static unsigned rang(int f)
{
	uint64_t n = 0;

	return read(f, &n, sizeof(n)) == sizeof(n) ? (unsigned)n : 0;
}

static void set_up_card(enum intel_irq_kind kind, unsigned vectors)
{
	const struct pci_identity id = { .vendor = 0x8086,
					 .device = 1,
					 .class_code = 0x020000,
					 .interrupt_pin = 1,
					 .express = true };
	struct error err;

	memset(&nic, 0, sizeof(nic));
	memset(&s, 0, sizeof(s));
	clock_set(&now, NS_PER_S);
	nic.clock = &now;
	assert_int_equal(reg_space_prepare(&space, &err), 0);
	assert_int_equal(reg_space_prepare(&vf_space, &err), 0);
	pci_init(&nic.pci, &id, &nic_pci_hooks, &s);
	mem_init(&nic.mem);
	pci_add_bar(&nic.pci, 0, BAR_MEM32, 0x4000, kind == IRQ_82576_VF ? &vf_space : &space);
	pci_add_msi(&nic.pci, 0, 1, true);
	pci_add_msix(&nic.pci, 0, vectors, 3, 0, 0x2000);
	pci_config_write(&nic.pci, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	intel_irq_reset(&nic, &s.irq, kind);
}

/* The card gets its own copy of each descriptor and closes it. */
static int give_fd(enum pci_irq_index index, unsigned vector)
{
	int mine = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_int_equal(pci_irq_set_fd(&nic.pci, index, vector, dup(mine)), 0);
	return mine;
}

static int with_vectors(void **state)
{
	(void)state;
	set_up_card(IRQ_82576, 25);
	for (unsigned i = 0; i < 25; i++)
		fd[i] = give_fd(PCI_MSIX, i);
	line = -1;
	wr(GPIE, GPIE_MULTIPLE | GPIE_EIAME | GPIE_NSICR);
	return 0;
}

static int with_line(void **state)
{
	(void)state;
	set_up_card(IRQ_82576, 25);
	line = give_fd(PCI_INTX, 0);
	return 0;
}

static int with_vf(void **state)
{
	(void)state;
	set_up_card(IRQ_82576_VF, 3);
	for (unsigned i = 0; i < 3; i++)
		fd[i] = give_fd(PCI_MSIX, i);
	line = -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 25 && line < 0; i++)
		if (fd[i] > 0)
			close(fd[i]);
	memset(fd, 0, sizeof(fd));
	if (line >= 0)
		close(line);
	pci_finish(&nic.pci);
	mem_finish(&nic.mem);
	reg_space_finish(&space);
	reg_space_finish(&vf_space);
	return 0;
}

static void raise_rx(uint32_t queues)
{
	const struct intel_causes c = { .rx = queues };

	intel_irq_raise(&nic, &s.irq, &c);
}

static void raise_tx(uint32_t queues)
{
	const struct intel_causes c = { .tx = queues };

	intel_irq_raise(&nic, &s.irq, &c);
}

static void raise_other(uint32_t bits)
{
	const struct intel_causes c = { .other = bits };

	intel_irq_raise(&nic, &s.irq, &c);
}

static void run_timer(uint64_t ns)
{
	clock_set(&now, now.frozen_ns + ns);
	if (nic.notes.deadline_ns && nic.notes.deadline_ns <= now.frozen_ns) {
		nic.notes.deadline_ns = 0;
		nic_set_timer(&nic, intel_irq_timer(&nic, &s.irq));
	}
}

/* --- MSI-X --- */

static void each_queue_rings_the_vector_that_ivar_names(void **state)
{
	(void)state;
	/* 82576: queue n and queue n + 8 share a register */
	wr(IVAR + 4 * 3, 0x80 | 7 | (0x80u | 8) << 8 | (0x80u | 9) << 16 | (0x80u | 10) << 24);
	wr(EIAC, 0x1ffffff);
	wr(EIMS, 0x1ffffff);
	raise_rx(BIT(3));
	assert_int_equal(rang(fd[7]), 1);
	raise_tx(BIT(3));
	assert_int_equal(rang(fd[8]), 1);
	raise_rx(BIT(11));
	assert_int_equal(rang(fd[9]), 1);
	raise_tx(BIT(11));
	assert_int_equal(rang(fd[10]), 1);
	raise_rx(BIT(4)); /* its entry is not valid */
	for (unsigned i = 0; i < 25; i++)
		assert_int_equal(rang(fd[i]), 0);
}

static void a_message_clears_what_eiac_names_and_masks_what_eiam_names(void **state)
{
	(void)state;
	wr(IVAR, 0x80 | 2);
	wr(EIAC, BIT(2));
	wr(EIAM, BIT(2));
	wr(EIMS, BIT(2));
	raise_rx(1);
	assert_int_equal(rang(fd[2]), 1);
	assert_int_equal(rd(EICS), 0);
	assert_int_equal(rd(EIMS), 0);
	/* what comes while the driver polls waits for it */
	raise_rx(1);
	assert_int_equal(rang(fd[2]), 0);
	assert_int_equal(rd(EICS), BIT(2));
	wr(EIMS, BIT(2));
	assert_int_equal(rang(fd[2]), 1);
}

static void a_cause_that_stays_set_rings_once(void **state)
{
	(void)state;
	wr(IVAR, 0x80 | 2);
	wr(EIMS, BIT(2));
	raise_rx(1);
	raise_rx(1);
	assert_int_equal(rang(fd[2]), 1);
	wr(EICR, BIT(2));
	raise_rx(1);
	assert_int_equal(rang(fd[2]), 1);
}

static void other_causes_ring_the_misc_vector_until_icr_is_read(void **state)
{
	(void)state;
	wr(IVAR_MISC, (0x80u | 24) << 8);
	wr(EIAC, BIT(24));
	wr(EIAM, BIT(24));
	wr(EIMS, BIT(24));
	raise_other(INT_LSC);
	assert_int_equal(rang(fd[24]), 0); /* IMS is closed */
	wr(IMS, INT_LSC | INT_DRSTA);
	assert_int_equal(rang(fd[24]), 1);
	assert_int_equal(rd(ICR), INT_LSC | INT_ASSERTED);
	assert_int_equal(rd(ICR), 0);
	wr(EIMS, BIT(24));
	assert_int_equal(rang(fd[24]), 0);
	raise_other(INT_DRSTA);
	assert_int_equal(rang(fd[24]), 1);
}

static void an_interval_holds_interrupts_back_and_the_timer_sends_one(void **state)
{
	(void)state;
	wr(IVAR, 0x80 | 2);
	wr(EIAC, BIT(2));
	wr(EIMS, BIT(2));
	wr(EITR + 4 * 2, 100 << 2); /* microseconds */
	raise_rx(1);
	assert_int_equal(rang(fd[2]), 1);
	for (unsigned i = 0; i < 5; i++) {
		raise_rx(1);
		assert_int_equal(rang(fd[2]), 0);
		run_timer(10000);
	}
	assert_int_equal(nic.notes.deadline_ns, NS_PER_S + 100000);
	run_timer(50000);
	assert_int_equal(rang(fd[2]), 1);
	assert_int_equal(nic.notes.deadline_ns, 0);
}

static void a_low_latency_cause_does_not_wait(void **state)
{
	const struct intel_causes c = { .rx = 1, .at_once = 1 };

	(void)state;
	wr(IVAR, 0x80 | 2);
	wr(EIAC, BIT(2));
	wr(EIMS, BIT(2));
	wr(EITR + 4 * 2, 100 << 2);
	raise_rx(1);
	intel_irq_raise(&nic, &s.irq, &c);
	assert_int_equal(rang(fd[2]), 2);
}

/* --- "sent" waits for company --- */

/* Queue 0: receives on vector 2, sends on vector 3, or both on vector 2. */
static void use_interval(bool shared, uint32_t us)
{
	wr(IVAR, 0x80 | 2 | (0x80u | (shared ? 2 : 3)) << 8);
	wr(EIAC, BIT(2) | BIT(3));
	wr(EIMS, BIT(2) | BIT(3));
	wr(EITR + 4 * 2, us << 2);
	wr(EITR + 4 * 3, us << 2);
}

static void give_back(uint32_t part)
{
	const struct intel_causes c = { .tx = 1, .given = part };

	intel_irq_raise(&nic, &s.irq, &c);
}

static void sent_alone_waits_four_intervals_and_its_cause_is_seen_at_once(void **state)
{
	(void)state;
	use_interval(false, 50);
	raise_tx(1);
	raise_tx(1);
	assert_int_equal(rang(fd[3]), 0);
	assert_int_equal(rd(EICS), BIT(3));
	assert_int_equal(nic.notes.deadline_ns, NS_PER_S + 200000);
	run_timer(199999);
	assert_int_equal(rang(fd[3]), 0);
	run_timer(1);
	assert_int_equal(rang(fd[3]), 1);
	assert_int_equal(nic.notes.deadline_ns, 0);
	/* the next one waits anew */
	raise_tx(1);
	assert_int_equal(rang(fd[3]), 0);
	run_timer(200000);
	assert_int_equal(rang(fd[3]), 1);
}

static void sent_alone_never_waits_longer_than_its_bound(void **state)
{
	(void)state;
	use_interval(false, 100);
	raise_tx(1);
	run_timer(249999);
	assert_int_equal(rang(fd[3]), 0);
	run_timer(1);
	assert_int_equal(rang(fd[3]), 1);
}

static void a_driver_without_an_interval_is_told_at_once_what_was_sent(void **state)
{
	(void)state;
	use_interval(false, 0);
	for (unsigned i = 0; i < 3; i++) {
		raise_tx(1);
		assert_int_equal(rang(fd[3]), 1);
	}
	assert_int_equal(nic.notes.deadline_ns, 0);
}

static void a_received_frame_takes_what_was_sent_along_on_its_vector(void **state)
{
	(void)state;
	use_interval(true, 50);
	raise_tx(1);
	assert_int_equal(rang(fd[2]), 0);
	raise_rx(1);
	assert_int_equal(rang(fd[2]), 1);
	run_timer(300000);
	assert_int_equal(rang(fd[2]), 0);
}

static void a_received_frame_does_not_wait_for_a_frame_that_is_sent_behind_it(void **state)
{
	(void)state;
	use_interval(true, 50);
	raise_rx(1);
	assert_int_equal(rang(fd[2]), 1);
	raise_rx(1); /* the interval holds it back, and nothing else does */
	raise_tx(1);
	assert_int_equal(rang(fd[2]), 0);
	run_timer(50000);
	assert_int_equal(rang(fd[2]), 1);
}

static void half_a_ring_to_take_back_does_not_wait(void **state)
{
	(void)state;
	use_interval(false, 50);
	give_back(INTEL_RING_WHOLE / 4);
	assert_int_equal(rang(fd[3]), 0);
	give_back(INTEL_RING_WHOLE / 4);
	assert_int_equal(rang(fd[3]), 1);
	give_back(INTEL_RING_WHOLE / 4);
	assert_int_equal(rang(fd[3]), 0);
}

static void software_that_rings_a_vector_does_not_wait_for_company(void **state)
{
	(void)state;
	use_interval(false, 50);
	raise_tx(1);
	wr(EICS, BIT(3));
	assert_int_equal(rang(fd[3]), 1);
}

static void what_waits_for_company_is_told_after_load_and_forgotten_by_a_reset(void **state)
{
	(void)state;
	use_interval(false, 50);
	raise_tx(1);
	intel_irq_loaded(&nic, &s.irq);
	assert_int_equal(rang(fd[3]), 1);
	raise_tx(1);
	intel_irq_reset(&nic, &s.irq, IRQ_82576);
	wr(GPIE, GPIE_MULTIPLE);
	wr(EIMS, 0x1ffffff);
	run_timer(300000);
	for (unsigned i = 0; i < 25; i++)
		assert_int_equal(rang(fd[i]), 0);
	assert_int_equal(nic.notes.deadline_ns, 0);
}

static void a_mask_that_opens_late_lets_out_what_waited_long_enough(void **state)
{
	(void)state;
	use_interval(false, 50);
	wr(EIMC, BIT(3));
	raise_tx(1);
	run_timer(500000);
	assert_int_equal(rang(fd[3]), 0);
	wr(EIMS, BIT(3));
	run_timer(200000);
	assert_int_equal(rang(fd[3]), 1);
}

static void software_can_ring_every_vector(void **state)
{
	(void)state;
	wr(EIAC, 0x1ffffff);
	wr(EIMS, 0x1ffffff);
	wr(EICS, 0x1ffffff);
	for (unsigned i = 0; i < 25; i++)
		assert_int_equal(rang(fd[i]), 1);
}

static void an_ivar_that_names_no_vector_rings_nothing(void **state)
{
	(void)state;
	wr(EIMS, 0xffffffff);
	for (unsigned v = 25; v < 32; v++) {
		wr(IVAR, 0x80 | v);
		wr(IVAR_MISC, (0x80 | v) << 8);
		raise_rx(1);
		raise_other(INT_LSC);
	}
	for (unsigned i = 0; i < 25; i++)
		assert_int_equal(rang(fd[i]), 0);
}

static void without_multiple_vectors_the_first_one_rings_for_all(void **state)
{
	(void)state;
	wr(GPIE, 0);
	wr(IMS, INT_RXT0 | INT_LSC);
	raise_rx(1);
	assert_int_equal(rang(fd[0]), 1);
	raise_other(INT_LSC);
	assert_int_equal(rang(fd[0]), 1);
	assert_int_equal(rd(ICR), INT_RXT0 | INT_LSC | INT_ASSERTED);
}

/* --- one line --- */

static void the_line_follows_icr_and_ims(void **state)
{
	(void)state;
	raise_rx(1);
	assert_false(nic.pci.intx_level);
	wr(IMS, INT_RXT0);
	assert_true(nic.pci.intx_level);
	assert_int_equal(rang(line), 1);
	assert_int_equal(rd(ICS), INT_RXT0 | INT_ASSERTED); /* a look that changes nothing */
	assert_true(nic.pci.intx_level);
	assert_int_equal(rd(ICR), INT_RXT0 | INT_ASSERTED);
	assert_false(nic.pci.intx_level);
	assert_int_equal(rd(IMS), INT_RXT0);
}

static void reading_icr_masks_what_iam_names(void **state)
{
	(void)state;
	wr(IAM, INT_RXT0 | INT_TXDW);
	wr(IMS, INT_RXT0 | INT_TXDW | INT_LSC);
	raise_rx(1);
	rd(ICR);
	assert_int_equal(rd(IMS), INT_LSC);
	raise_tx(1);
	assert_false(nic.pci.intx_level);
	wr(IMS, INT_TXDW);
	assert_true(nic.pci.intx_level);
}

static void icr_keeps_its_causes_when_read_without_an_interrupt(void **state)
{
	(void)state;
	wr(IMS, INT_LSC);
	raise_rx(1);
	assert_int_equal(rd(ICR), INT_RXT0);
	assert_int_equal(rd(ICR), INT_RXT0);
	wr(ICR, INT_RXT0);
	assert_int_equal(rd(ICR), 0);
	/* nobody asked for anything: reading clears */
	wr(IMC, 0xffffffff);
	raise_rx(1);
	assert_int_equal(rd(ICR), INT_RXT0);
	assert_int_equal(rd(ICR), 0);
}

static void every_cause_that_software_sets_is_seen_when_its_mask_is_open(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 31; i++) {
		wr(0xd8, 0xffffffff); /* the old addresses */
		wr(0xc8, BIT(i));
		assert_false(nic.pci.intx_level);
		wr(0xc0, 0xffffffff);
		wr(0xd0, BIT(i));
		assert_false(nic.pci.intx_level);
		wr(0xc8, BIT(i));
		assert_true(nic.pci.intx_level);
		assert_int_equal(rd(0xc0), BIT(i) | INT_ASSERTED);
		assert_false(nic.pci.intx_level);
	}
}

static void the_line_waits_for_the_interval_too(void **state)
{
	(void)state;
	wr(EITR, 50 << 2);
	wr(IMS, INT_RXT0);
	raise_rx(1);
	assert_true(nic.pci.intx_level);
	rd(ICR);
	raise_rx(1);
	assert_false(nic.pci.intx_level);
	run_timer(50000);
	assert_true(nic.pci.intx_level);
}

static void the_line_waits_for_company_of_what_was_sent(void **state)
{
	(void)state;
	wr(EITR, 50 << 2);
	wr(IMS, INT_TXDW | INT_RXT0);
	raise_tx(1);
	assert_false(nic.pci.intx_level);
	run_timer(200000);
	assert_true(nic.pci.intx_level);
	assert_int_equal(rd(ICR), INT_TXDW | INT_ASSERTED);
	run_timer(100000);
	raise_tx(1);
	assert_false(nic.pci.intx_level);
	raise_rx(1);
	assert_true(nic.pci.intx_level);
	rd(ICR);
	run_timer(100000);
	/* a driver that asks sooner sees it, and none comes later */
	raise_tx(1);
	assert_int_equal(rd(ICR), INT_TXDW | INT_ASSERTED);
	run_timer(300000);
	assert_false(nic.pci.intx_level);
}

/* --- virtual function --- */

static void a_virtual_function_has_pairs_of_queues_and_a_mailbox(void **state)
{
	(void)state;
	wr(IVAR, 0x80 | (0x81u << 8) | (0x81u << 16) | (0x80u << 24));
	wr(IVAR_MISC, 0x82);
	wr(EIAC, 7);
	wr(EIMS, 7);
	raise_rx(1);
	assert_int_equal(rang(fd[0]), 1);
	raise_rx(2);
	raise_tx(1);
	assert_int_equal(rang(fd[1]), 2);
	raise_tx(2);
	assert_int_equal(rang(fd[0]), 1);
	raise_other(1);
	assert_int_equal(rang(fd[2]), 1);
	raise_rx(BIT(31));
	assert_int_equal(rang(fd[0]) + rang(fd[1]) + rang(fd[2]), 0);
}

#define MSIX(f) cmocka_unit_test_setup_teardown(f, with_vectors, tear_down)
#define INTX(f) cmocka_unit_test_setup_teardown(f, with_line, tear_down)
#define VF(f)	cmocka_unit_test_setup_teardown(f, with_vf, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MSIX(each_queue_rings_the_vector_that_ivar_names),
		MSIX(a_message_clears_what_eiac_names_and_masks_what_eiam_names),
		MSIX(a_cause_that_stays_set_rings_once),
		MSIX(other_causes_ring_the_misc_vector_until_icr_is_read),
		MSIX(an_interval_holds_interrupts_back_and_the_timer_sends_one),
		MSIX(a_low_latency_cause_does_not_wait),
		MSIX(sent_alone_waits_four_intervals_and_its_cause_is_seen_at_once),
		MSIX(sent_alone_never_waits_longer_than_its_bound),
		MSIX(a_driver_without_an_interval_is_told_at_once_what_was_sent),
		MSIX(a_received_frame_takes_what_was_sent_along_on_its_vector),
		MSIX(a_received_frame_does_not_wait_for_a_frame_that_is_sent_behind_it),
		MSIX(half_a_ring_to_take_back_does_not_wait),
		MSIX(software_that_rings_a_vector_does_not_wait_for_company),
		MSIX(what_waits_for_company_is_told_after_load_and_forgotten_by_a_reset),
		MSIX(a_mask_that_opens_late_lets_out_what_waited_long_enough),
		MSIX(software_can_ring_every_vector),
		MSIX(an_ivar_that_names_no_vector_rings_nothing),
		MSIX(without_multiple_vectors_the_first_one_rings_for_all),
		INTX(the_line_follows_icr_and_ims),
		INTX(reading_icr_masks_what_iam_names),
		INTX(icr_keeps_its_causes_when_read_without_an_interrupt),
		INTX(every_cause_that_software_sets_is_seen_when_its_mask_is_open),
		INTX(the_line_waits_for_the_interval_too),
		INTX(the_line_waits_for_company_of_what_was_sent),
		VF(a_virtual_function_has_pairs_of_queues_and_a_mailbox),
	};

	return cmocka_run_group_tests_name("intel_msix", tests, NULL, NULL);
}
