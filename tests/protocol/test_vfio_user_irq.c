/* Conversations with the vfio-user server about interrupts: INTx with its two kinds of unmask, MSI, MSI-X. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <cmocka.h>

#include "vfio_user_world.h"

/* A level that stays up is signalled again a little after the unmask. */
static uint64_t signals_soon(struct world *w, int fd)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < 10000 && n == 0; i++) {
		usleep(100);
		world_pump(w);
		n = signals(fd);
	}
	return n;
}

static void intx_is_signalled_again_on_unmask_while_the_level_is_up(void **state)
{
	struct world *w = *state;
	struct vfio_client *c = &w->c;
	int fd = event_descriptor();
	uint32_t flags;

	assert_int_equal(client_irq_count(c, PCI_INTX, &flags), 1);
	assert_int_equal(flags, VU_IRQ_EVENTFD | VU_IRQ_MASKABLE | VU_IRQ_AUTOMASKED);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_INTX, 0, 1, &fd, 1),
		0);
	assert_int_equal(signals(fd), 0);
	client_write32(c, VU_BAR0, TEST_LEVEL, 1);
	assert_int_equal(signals(fd), 1);
	client_write32(c, VU_BAR0, TEST_LEVEL, 1);
	assert_int_equal(signals(fd), 0);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_UNMASK, PCI_INTX, 0, 1, NULL, 0), 0);
	assert_int_equal(signals_soon(w, fd), 1);
	client_write32(c, VU_BAR0, TEST_LEVEL, 0);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_UNMASK, PCI_INTX, 0, 1, NULL, 0), 0);
	assert_int_equal(signals(fd), 0);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_MASK, PCI_INTX, 0, 1, NULL, 0), 0);
	close(fd);
}

static void a_level_that_falls_soon_after_the_unmask_is_not_signalled_again(void **state)
{
	struct world *w = *state;
	struct vfio_client *c = &w->c;
	int fd = event_descriptor();

	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_INTX, 0, 1, &fd, 1),
		0);
	client_write32(c, VU_BAR0, TEST_LEVEL, 1);
	assert_int_equal(signals(fd), 1);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_UNMASK, PCI_INTX, 0, 1, NULL, 0), 0);
	client_write32(c, VU_BAR0, TEST_LEVEL, 0);
	assert_int_equal(w->loop.timers, 0); /* so there is nothing that could signal */
	signals(fd); /* a machine that slept between the two may have signalled */

	/* the next one is told at once, as ever */
	client_write32(c, VU_BAR0, TEST_LEVEL, 1);
	assert_int_equal(signals(fd), 1);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_UNMASK, PCI_INTX, 0, 1, NULL, 0), 0);
	client_close(c); /* nor is anybody signalled who is gone */
	world_pump(w);
	assert_int_equal(w->loop.timers, 0);
	close(fd);
}

static void kvm_tells_the_end_of_intx_by_an_eventfd(void **state)
{
	struct world *w = *state;
	struct vfio_client *c = &w->c;
	int fd = event_descriptor(), eoi = event_descriptor();
	uint64_t one = 1;

	/* as QEMU's vfio_intx_enable_kvm: trigger, mask, unmask by eventfd, unmask */
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_INTX, 0, 1, &fd, 1),
		0);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_MASK, PCI_INTX, 0, 1, NULL, 0), 0);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_UNMASK, PCI_INTX, 0, 1, &eoi, 1),
		0);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_UNMASK, PCI_INTX, 0, 1, NULL, 0), 0);
	client_write32(c, VU_BAR0, TEST_LEVEL, 1);
	assert_int_equal(signals(fd), 1);
	assert_int_equal(write(eoi, &one, 8), 8);
	assert_int_equal(signals_soon(w, fd), 1);
	client_write32(c, VU_BAR0, TEST_LEVEL, 0);
	assert_int_equal(write(eoi, &one, 8), 8);
	world_pump(w);
	assert_int_equal(signals(fd), 0);
	/* taken away again: nobody listens */
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_UNMASK, PCI_INTX, 0, 1, NULL, 0),
		0);
	client_write32(c, VU_BAR0, TEST_LEVEL, 1);
	assert_int_equal(signals(fd), 1);
	assert_int_equal(write(eoi, &one, 8), 8);
	world_pump(w);
	assert_int_equal(signals(fd), 0);
	assert_int_equal(signals(eoi), 1);
	close(fd);
	close(eoi);
}

static void an_end_of_interrupt_that_is_no_eventfd_does_no_harm(void **state)
{
	struct world *w = *state;
	int ends[2], file = guest_memory(GUEST_PAGE);

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_UNMASK, PCI_INTX, 0, 1,
					 ends, 1),
			 0);
	close(ends[0]);
	close(ends[1]); /* an end of file for ever: the server gives up on it */
	world_pump(w);
	assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_UNMASK, PCI_INTX, 0, 1,
					 &file, 1),
			 -EPERM);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
	struct loop_event e;
	assert_int_equal(loop_next(&w->loop, &e, 0), 0);
	close(file);
}

static void msix_is_enabled_in_the_odd_order_of_qemu(void **state)
{
	struct world *w = *state;
	struct vfio_client *c = &w->c;
	int fd[3] = { event_descriptor(), event_descriptor(), event_descriptor() };
	uint32_t flags;

	assert_int_equal(client_irq_count(c, PCI_MSIX, &flags), TEST_NIC_VECTORS);
	assert_int_equal(flags, VU_IRQ_EVENTFD | VU_IRQ_NORESIZE);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 0, 1, NULL, 0),
		0);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSIX, 0, 0, NULL, 0), 0);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 0, 1, NULL, 0),
		0);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 1, 1, &fd[0], 1),
		0);
	client_write32(c, VU_BAR0, TEST_RAISE, 1);
	assert_int_equal(signals(fd[0]), 1);
	/* a vector without eventfd waits for one */
	client_write32(c, VU_BAR0, TEST_RAISE, 2);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 2, 1, &fd[1], 1),
		0);
	assert_int_equal(signals(fd[1]), 1);
	/* the same vector again, with another eventfd */
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 1, 1, &fd[2], 1),
		0);
	client_write32(c, VU_BAR0, TEST_RAISE, 1);
	assert_int_equal(signals(fd[0]), 0);
	assert_int_equal(signals(fd[2]), 1);
	assert_int_equal(
		client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSIX, 0, 0, NULL, 0), 0);
	client_write32(c, VU_BAR0, TEST_RAISE, 1);
	assert_int_equal(signals(fd[2]), 0);
	for (unsigned i = 0; i < 3; i++)
		close(fd[i]);
}

static void several_vectors_come_in_one_message_and_fire_by_hand(void **state)
{
	struct world *w = *state;
	struct {
		struct vu_set_irqs set;
		uint8_t on[4];
	} bools = { { 24, VU_IRQ_DATA_BOOL | VU_IRQ_TRIGGER, PCI_MSI, 0, 4 }, { 1, 0, 0, 1 } };
	int fd[4];

	for (unsigned i = 0; i < 4; i++)
		fd[i] = event_descriptor();
	assert_int_equal(
		client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSI, 0, 4, fd, 4),
		0);
	client_write32(&w->c, VU_BAR0, TEST_RAISE, 3);
	assert_int_equal(signals(fd[3]), 1);
	assert_int_equal(client_call(&w->c, VU_SET_IRQS, &bools, sizeof(bools), NULL, 0, NULL, 0),
			 0);
	assert_int_equal(signals(fd[0]), 1);
	assert_int_equal(signals(fd[1]), 0);
	assert_int_equal(signals(fd[3]), 1);
	assert_int_equal(
		client_set_irqs(&w->c, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSI, 1, 2, NULL, 0),
		0);
	assert_int_equal(signals(fd[1]), 1);
	assert_int_equal(signals(fd[2]), 1);
	for (unsigned i = 0; i < 4; i++)
		close(fd[i]);
}

static void a_vector_with_a_blocking_descriptor_does_not_stop_the_server(void **state)
{
	struct world *w = *state;
	int ends[2];
	uint8_t page[GUEST_PAGE] = { 0 };

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fd_set_nonblock(ends[1], true), 0);
	while (write(ends[1], page, sizeof(page)) > 0)
		;
	assert_int_equal(fd_set_nonblock(ends[1], false), 0);
	assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 0,
					 1, &ends[1], 1),
			 0);
	client_write32(&w->c, VU_BAR0, TEST_RAISE, 0);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
	close(ends[0]);
	close(ends[1]);
}

static void wrong_interrupt_requests_are_refused(void **state)
{
	static const struct vu_set_irqs bad[] = {
		{ 20, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_IRQ_INDEXES, 0, 0 },
		{ 20, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, UINT32_MAX, 0, 0 },
		{ 20, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSIX, 0, TEST_NIC_VECTORS + 1 },
		{ 20, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSIX, TEST_NIC_VECTORS, 1 },
		{ 20, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSIX, UINT32_MAX, 2 },
		{ 20, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSIX, 1, UINT32_MAX },
		{ 20, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSIX, 1, 0 },
		{ 20, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_ERR, 0, 1 },
		{ 20, VU_IRQ_DATA_NONE, PCI_INTX, 0, 1 },
		{ 20, VU_IRQ_TRIGGER, PCI_INTX, 0, 1 },
		{ 20, VU_IRQ_DATA_NONE | VU_IRQ_DATA_BOOL | VU_IRQ_TRIGGER, PCI_INTX, 0, 1 },
		{ 20, VU_IRQ_DATA_NONE | VU_IRQ_MASK | VU_IRQ_TRIGGER, PCI_INTX, 0, 1 },
		{ 20, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER | 0x40, PCI_INTX, 0, 1 },
		{ 20, VU_IRQ_DATA_BOOL | VU_IRQ_TRIGGER, PCI_INTX, 0, 1 }, /* without its byte */
		{ 20, VU_IRQ_DATA_EVENTFD | VU_IRQ_MASK, PCI_INTX, 0, 1 },
		{ 20, VU_IRQ_DATA_EVENTFD | VU_IRQ_UNMASK, PCI_MSIX, 0, 1 },
		{ 20, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_INTX, 0, 0 },
	};
	struct world *w = *state;
	int fd[3] = { event_descriptor(), event_descriptor(), event_descriptor() };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(client_call(&w->c, VU_SET_IRQS, &bad[i], 20, NULL, 0, NULL, 0),
				 -EINVAL);
	/* a number of descriptors that does not fit, and descriptors where none belong */
	assert_int_equal(
		client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 0, 2, fd, 3),
		-EINVAL);
	assert_int_equal(
		client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 0, 3, fd, 1),
		-EINVAL);
	assert_int_equal(
		client_set_irqs(&w->c, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSIX, 0, 0, fd, 1),
		-EINVAL);
	struct vu_irq_info q = { .argsz = sizeof(q), .index = PCI_IRQ_INDEXES };
	assert_int_equal(client_call(&w->c, VU_GET_IRQ_INFO, &q, sizeof(q), NULL, 0, NULL, 0),
			 -EINVAL);
	for (unsigned i = 0; i < 3; i++)
		close(fd[i]);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		STORY(intx_is_signalled_again_on_unmask_while_the_level_is_up),
		STORY(a_level_that_falls_soon_after_the_unmask_is_not_signalled_again),
		STORY(kvm_tells_the_end_of_intx_by_an_eventfd),
		STORY(an_end_of_interrupt_that_is_no_eventfd_does_no_harm),
		STORY(msix_is_enabled_in_the_odd_order_of_qemu),
		STORY(several_vectors_come_in_one_message_and_fire_by_hand),
		STORY(a_vector_with_a_blocking_descriptor_does_not_stop_the_server),
		STORY(wrong_interrupt_requests_are_refused),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
