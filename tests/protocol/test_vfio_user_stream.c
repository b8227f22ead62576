/* The stream and its ends: messages in pieces or of no use, clients that do not read, come twice, or vanish. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "vfio_user_world.h"

/* --- the stream --- */

static void messages_come_in_any_pieces(void **state)
{
	struct world *w = *state;
	struct vu_region_access a = { TEST_COUNT, 0, 4 };
	struct vu_header h = { .id = 7, .command = VU_REGION_READ, .size = 32 };
	uint8_t stream[3 * 32];
	static struct client_message m;

	for (unsigned i = 0; i < 3; i++) {
		memcpy(stream + 32 * i, &h, 16);
		memcpy(stream + 32 * i + 16, &a, 16);
	}
	for (size_t cut = 1; cut < 32; cut++) {
		client_send_raw(&w->c, stream, cut, NULL, 0);
		world_pump(w);
		client_send_raw(&w->c, stream + cut, sizeof(stream) - cut, NULL, 0);
		for (unsigned i = 0; i < 3; i++) {
			uint32_t count;
			assert_int_equal(client_receive(&w->c, &m), 1);
			memcpy(&count, m.body + 16, 4);
			assert_int_equal(count, 3 * (cut - 1) + i + 1);
		}
	}
}

static void descriptors_find_their_message_however_it_is_cut(void **state)
{
	struct world *w = *state;
	int fd = guest_memory(4 * GUEST_PAGE);
	static struct client_message m;

	for (size_t cut = 1; cut < 48; cut++) {
		struct {
			struct vu_header h;
			struct vu_dma_map map;
		} one = { { .command = VU_DMA_MAP, .size = 48 },
			  { 32, 3, 0, 0x100000, GUEST_PAGE } },
		  rom = one, two = one;
		rom.map.iova = 0x200000;
		rom.map.flags = 1;
		two.map.iova = 0x300000;
		two.map.offset = GUEST_PAGE;
		/* [start of one + fd] [rest of one] [ROM, no fd] [start of two + fd] [rest of two] */
		client_send_raw(&w->c, &one, cut, &fd, 1);
		if (cut % 2)
			world_pump(w);
		client_send_raw(&w->c, (uint8_t *)&one + cut, 48 - cut, NULL, 0);
		client_send_raw(&w->c, &rom, 48, NULL, 0);
		client_send_raw(&w->c, &two, cut, &fd, 1);
		if (cut % 3)
			world_pump(w);
		client_send_raw(&w->c, (uint8_t *)&two + cut, 48 - cut, NULL, 0);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(client_receive(&w->c, &m), 1);
			assert_int_equal(m.h.flags, VU_REPLY);
		}
		client_bus_master(&w->c, true);
		assert_non_null(mem_pointer(&w->t[0]->nic.mem, 0x100000, GUEST_PAGE, MEM_WRITE));
		assert_null(mem_pointer(&w->t[0]->nic.mem, 0x200000, GUEST_PAGE, MEM_READ));
		assert_non_null(mem_pointer(&w->t[0]->nic.mem, 0x300000, GUEST_PAGE, MEM_WRITE));
		client_bus_master(&w->c, false);
		while (client_receive(&w->c, &m) == 1)
			; /* questions about memory */
		struct vu_dma_unmap all = { 24, VU_UNMAP_ALL, 0, 0 };
		assert_int_equal(client_call(&w->c, VU_DMA_UNMAP, &all, 24, NULL, 0, NULL, 0), 24);
	}
	close(fd);
}

static void too_many_descriptors_end_the_connection(void **state)
{
	struct world *w = *state;
	int fds[16];
	struct vu_header h = { .command = VU_DMA_MAP, .size = 48 };
	static struct client_message m;

	for (unsigned i = 0; i < 16; i++)
		fds[i] = event_descriptor();
	client_send_raw(&w->c, &h, 16, fds, 16);
	client_send_raw(&w->c, "12345678", 8, fds, 16);
	assert_int_equal(client_receive(&w->c, &m), 0);
	for (unsigned i = 0; i < 16; i++)
		close(fds[i]);
	world_pump(w);
	assert_false(vfio_user_connected(w->v[0]));
}

static void a_message_that_is_too_large_is_skipped(void **state)
{
	struct world *w = *state;
	static uint8_t body[300000];
	int fd = event_descriptor(), before = open_descriptors();

	memset(body, 0xff, sizeof(body));
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE, body, sizeof(body), &fd, 1, NULL, 0),
			 -EMSGSIZE);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
	client_send(&w->c, VU_MIG_DATA_WRITE, VU_NO_REPLY, body, 20000, NULL, 0);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
	/* descriptors in the middle of what is thrown away */
	struct vu_header h = { .command = VU_REGION_WRITE, .size = 20000, .flags = VU_NO_REPLY };
	client_send_raw(&w->c, &h, 16, NULL, 0);
	world_pump(w);
	client_send_raw(&w->c, body, 100, &fd, 1);
	world_pump(w);
	assert_int_equal(open_descriptors(), before);
	client_send_raw(&w->c, body, 20000 - 116, NULL, 0);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
	close(fd);
}

static void a_stream_out_of_step_ends_the_connection(void **state)
{
	static const struct vu_header bad[] = {
		{ .command = VU_REGION_READ, .size = 0 },
		{ .command = VU_REGION_READ, .size = 15 },
		{ .command = VU_REGION_READ, .size = 0xffffffff },
		{ .command = VU_REGION_READ, .size = 0x200000 },
		{ .command = VU_DMA_READ, .size = 16, .flags = VU_REPLY }, /* nobody asked */
		{ .command = VU_DMA_READ, .size = 1000000, .flags = VU_REPLY },
	};
	struct world *w = *state;
	static struct client_message m;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		client_send_raw(&w->c, &bad[i], sizeof(bad[i]), NULL, 0);
		assert_int_equal(client_receive(&w->c, &m), 0);
		assert_false(vfio_user_connected(w->v[0]));
		client_close(&w->c);
		world_greet(w);
	}
}

static void unknown_flags_are_refused(void **state)
{
	struct world *w = *state;
	static struct client_message m;
	static const uint32_t flags[] = { 0x2, 0xe, VU_ERROR, 0x40, 0x80000000 };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct vu_region_access a = { TEST_COUNT, 0, 4 };
		client_send(&w->c, VU_REGION_READ, flags[i], &a, sizeof(a), NULL, 0);
		assert_int_equal(client_receive(&w->c, &m), 1);
		assert_int_equal(m.h.flags, VU_REPLY | VU_ERROR);
		assert_int_equal(m.h.error, EINVAL);
	}
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_COUNT), 1);
}

static void a_client_that_does_not_read_stops_only_itself(void **state)
{
	struct world *w = *state;
	struct vfio_client other;
	struct vu_region_access a = { 0, VU_ROM, ROM_SIZE };
	static struct client_message m;
	struct {
		struct vu_header h;
		struct vu_region_access a;
	} read = { { .command = VU_REGION_READ, .size = 32 }, { TEST_COUNT, 0, 4 } };
	unsigned sent = 0, count;

	for (unsigned i = 0; i < 4; i++)
		client_send(&w->c, VU_REGION_READ, 0, &a, sizeof(a), NULL, 0);
	/* until nothing more goes in: a bounded amount is taken */
	for (;; sent++) {
		if (fd_send(w->c.fd, &read, sizeof(read), NULL, 0) != sizeof(read))
			break;
		world_pump(w);
		assert_true(sent < 100000);
	}
	world_pump(w);
	struct loop_event e;
	assert_int_equal(loop_next(&w->loop, &e, 0), 0); /* it sleeps, and does not turn */
	assert_int_equal(world_connect(w, 1, &other), 0);
	assert_int_equal(client_hello(&other, client_qemu_text), 0);
	assert_int_equal(client_read32(&other, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);

	/* when it reads at last, everything is there, in order */
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(client_receive(&w->c, &m), 1);
		assert_int_equal(m.size, 16 + ROM_SIZE);
		assert_memory_equal(m.body + 16, w->rom, ROM_SIZE);
	}
	for (unsigned i = 0; i < sent; i++) {
		assert_int_equal(client_receive(&w->c, &m), 1);
		memcpy(&count, m.body + 16, 4);
		assert_int_equal(count, i + 1);
	}
	client_close(&other);
}

/* --- clients come and go --- */

static void a_second_client_is_refused_while_one_is_there(void **state)
{
	struct world *w = *state;
	struct vfio_client second;
	static struct client_message m;

	/* in words: QEMU aborts when its connection just ends */
	assert_int_equal(world_connect(w, 0, &second), 0);
	assert_int_equal(client_hello(&second, client_qemu_text), -EBUSY);
	assert_int_equal(client_receive(&second, &m), 0);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
	client_close(&second);
}

static void a_second_client_that_says_nothing_is_sent_away(void **state)
{
	struct world *w = *state;
	struct vfio_client second, third, fourth;
	static struct client_message m;
	struct loop_event e;

	assert_int_equal(world_connect(w, 0, &second), 0);
	assert_int_equal(world_connect(w, 0, &third), 0);
	assert_int_equal(client_receive(&second, &m), 0); /* makes room for the third */
	assert_int_equal(loop_next(&w->loop, &e, 2000), 1);
	vfio_user_serve(e.owner, e.index, e.events);
	assert_int_equal(client_receive(&third, &m), 0);
	assert_int_equal(world_connect(w, 0, &fourth), 0);
	client_close(&fourth); /* goes by itself */
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
	assert_int_equal(loop_next(&w->loop, &e, 0), 0);
	client_close(&second);
	client_close(&third);
}

static void a_new_client_is_taken_when_the_old_one_is_dead_but_not_yet_noticed(void **state)
{
	struct world *w = *state;
	struct vfio_client second;

	for (uint32_t i = 1; i <= 2000; i++)
		client_region_post(&w->c, VU_BAR0, TEST_LOG, 4, &i);
	fd_close(&w->c.fd); /* no turn for the server in between */
	assert_int_equal(world_connect(w, 0, &second), 0);
	assert_int_equal(client_hello(&second, client_qemu_text), 0);
	assert_int_equal(client_read32(&second, VU_BAR0, TEST_LOG), 0); /* power-on */
	client_close(&second);
}

static void a_vanished_client_leaves_a_card_as_at_power_on(void **state)
{
	struct world *w = *state;
	int ram = guest_memory(16 * GUEST_PAGE),
	    fd[3] = { event_descriptor(), event_descriptor(), event_descriptor() };
	int before = open_descriptors();
	struct vu_header half = { .command = VU_DMA_MAP, .size = 48 };

	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(client_map(&w->c, 0, 16 * GUEST_PAGE, ram, 0, 3), 0);
		assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER,
						 PCI_INTX, 0, 1, fd, 1),
				 0);
		assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_UNMASK,
						 PCI_INTX, 0, 1, fd, 1),
				 0);
		assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER,
						 PCI_MSIX, 0, 3, fd, 3),
				 0);
		client_write32(&w->c, VU_BAR0, TEST_SCRATCH, round);
		client_write32(&w->c, VU_BAR0, TEST_LEVEL, 1);
		client_bus_master(&w->c, true);
		unsigned resets = w->t[0]->resets[RESET_POWER_ON];
		/* in the middle of a message, with a descriptor that nobody will ever use */
		client_send_raw(&w->c, &half, 10 + round * 3, fd, 1);
		client_close(&w->c);
		assert_false(vfio_user_connected(w->v[0]));
		assert_int_equal(w->t[0]->resets[RESET_POWER_ON], resets + 1);
		assert_int_equal(w->t[0]->nic.mem.regions, 0);
		assert_false(w->t[0]->nic.mem.bus_master);
		assert_false(w->t[0]->nic.pci.intx_level);
		assert_int_equal(w->t[0]->nic.pci.irq_fds[PCI_MSIX], 0);
		world_greet(w);
		assert_int_equal(open_descriptors(), before);
		assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
	}
	for (unsigned i = 0; i < 3; i++)
		close(fd[i]);
	close(ram);
}

static void writes_that_were_posted_before_the_end_still_happen(void **state)
{
	struct world *w = *state;
	uint32_t queue = 1;

	(void)w;
	client_region_post(&w->c, VU_BAR0, TEST_KICK, 4, &queue);
	shutdown(w->c.fd, SHUT_WR);
	struct loop_event e;
	assert_int_equal(loop_next(&w->loop, &e, 0), 1);
	vfio_user_serve(e.owner, e.index, e.events);
	assert_int_equal(w->t[0]->nic.notes.runnable, 2);
	world_pump(w);
	assert_false(vfio_user_connected(w->v[0]));
}

static void seven_cards_are_served_from_one_loop(void **state)
{
	struct world *w = world_create(WORLD_NICS);
	struct vfio_client c[WORLD_NICS];

	(void)state;
	for (unsigned i = 0; i < WORLD_NICS; i++) {
		assert_int_equal(world_connect(w, i, &c[i]), 0);
		assert_int_equal(client_hello(&c[i], client_qemu_text), 0);
		client_write32(&c[i], VU_BAR0, TEST_SCRATCH, 1000 + i);
	}
	for (unsigned i = 0; i < WORLD_NICS; i++)
		for (unsigned k = 0; k <= i; k++)
			client_region_post(&c[i], VU_BAR0, TEST_LOG, 4, &k);
	for (unsigned i = 0; i < WORLD_NICS; i++) {
		uint32_t sum = 0;
		for (uint32_t k = 0; k <= i; k++)
			sum = 31 * sum + k;
		assert_int_equal(client_read32(&c[i], VU_BAR0, TEST_SCRATCH), 1000 + i);
		assert_int_equal(client_read32(&c[i], VU_BAR0, TEST_LOG), sum);
	}
	for (unsigned i = 0; i < WORLD_NICS; i += 2)
		client_close(&c[i]);
	for (unsigned i = 1; i < WORLD_NICS; i += 2)
		assert_int_equal(client_read32(&c[i], VU_BAR0, TEST_SCRATCH), 1000 + i);
	for (unsigned i = 1; i < WORLD_NICS; i += 2)
		client_close(&c[i]);
	assert_int_equal(world_destroy(w), 0);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		STORY(messages_come_in_any_pieces),
		STORY(descriptors_find_their_message_however_it_is_cut),
		STORY(too_many_descriptors_end_the_connection),
		STORY(a_message_that_is_too_large_is_skipped),
		STORY(a_stream_out_of_step_ends_the_connection),
		STORY(unknown_flags_are_refused),
		STORY(a_client_that_does_not_read_stops_only_itself),
		STORY(a_second_client_is_refused_while_one_is_there),
		STORY(a_second_client_that_says_nothing_is_sent_away),
		STORY(a_new_client_is_taken_when_the_old_one_is_dead_but_not_yet_noticed),
		STORY(a_vanished_client_leaves_a_card_as_at_power_on),
		STORY(writes_that_were_posted_before_the_end_still_happen),
		cmocka_unit_test(seven_cards_are_served_from_one_loop),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
