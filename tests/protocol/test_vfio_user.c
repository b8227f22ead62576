/* Conversations with the vfio-user server: start-up as QEMU does it, regions, and the other commands. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vfio_user_world.h"

/* --- the start-up of QEMU, as vfio-user.md lists it --- */

static void map_machine(struct vfio_client *c, int fd)
{
	/* a batch without waiting for each reply: RAM, ROM without descriptor, RAM above */
	struct vu_dma_map map[3] = {
		{ 32, 3, 0, 0, 0xa0000 },
		{ 32, 1, 0, 0xc0000, 0x20000 },
		{ 32, 3, 0x100000, 0x100000, 0x700000 },
	};
	static struct client_message m;

	client_send(c, VU_DMA_MAP, 0, &map[0], 32, &fd, 1);
	client_send(c, VU_DMA_MAP, 0, &map[1], 32, NULL, 0);
	client_send(c, VU_DMA_MAP, 0, &map[2], 32, &fd, 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(client_receive(c, &m), 1);
		assert_int_equal(m.h.command, VU_DMA_MAP);
		assert_int_equal(m.h.flags, VU_REPLY);
		assert_int_equal(m.h.size, 16);
	}
}

static void ask_device(struct vfio_client *c, uint32_t config_size)
{
	struct vu_device_info info = { .argsz = sizeof(info) };
	static const uint64_t sizes[] = { TEST_BAR_SIZE, 0, TEST_IO_SIZE, 0, 4096, 0 };

	assert_int_equal(
		client_call(c, VU_GET_INFO, &info, sizeof(info), NULL, 0, &info, sizeof(info)), 16);
	assert_int_equal(info.flags, VU_DEVICE_RESETS | VU_DEVICE_PCI);
	assert_int_equal(info.regions, 9);
	assert_int_equal(info.irqs, 5);
	for (uint32_t i = 0; i <= VU_CONFIG; i++) {
		if (i == VU_ROM)
			continue;
		struct vu_region_info r = { .argsz = sizeof(r), .index = i };
		assert_int_equal(
			client_call(c, VU_GET_REGION_INFO, &r, sizeof(r), NULL, 0, &r, sizeof(r)),
			32);
		assert_int_equal(r.argsz, sizeof(r));
		assert_int_equal(r.index, i);
		assert_int_equal(r.cap_offset, 0);
		assert_int_equal(r.size, i == VU_CONFIG ? config_size : sizes[i]);
		assert_int_equal(r.flags, r.size ? 3 : 0);
	}
}

static void a_client_starts_up_as_qemu_does(void **state)
{
	struct world *w = *state;
	struct vfio_client c;
	int ram = guest_memory(0x800000), intx = event_descriptor();
	uint8_t config[4096];

	assert_int_equal(world_connect(w, 1, &c), 0);
	assert_int_equal(client_hello(&c, client_qemu_text), 0);
	map_machine(&c, ram);
	ask_device(&c, 4096);
	assert_int_equal(client_irq_count(&c, PCI_ERR, NULL), -EINVAL);
	assert_int_equal(client_irq_count(&c, PCI_MSIX, NULL), TEST_NIC_VECTORS);
	assert_int_equal(client_region_read(&c, VU_CONFIG, 0, 4096, config), 0);
	assert_int_equal(config[0] | config[1] << 8, 0x1af4);
	assert_int_equal(
		client_set_irqs(&c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_INTX, 0, 1, &intx, 1),
		0);

	/* the machine's reset */
	assert_int_equal(
		client_set_irqs(&c, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_INTX, 0, 0, NULL, 0), 0);
	client_bus_master(&c, false);
	unsigned resets = w->t[1]->resets[RESET_PCI];
	assert_int_equal(client_call(&c, VU_DEVICE_RESET, NULL, 0, NULL, 0, NULL, 0), 0);
	assert_int_equal(w->t[1]->resets[RESET_PCI], resets + 1);
	assert_int_equal(
		client_set_irqs(&c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_INTX, 0, 1, &intx, 1),
		0);
	for (uint32_t bar = 0; bar < 6; bar++)
		client_write32(&c, VU_CONFIG, PCI_BASE_ADDRESS_0 + 4 * bar, 0);

	/* the firmware moves its shadow areas */
	assert_int_equal(client_unmap(&c, 0xc0000, 0x20000), 24);
	assert_int_equal(client_map(&c, 0xc0000, 0x40000, ram, 0xc0000, 3), 0);
	client_write32(&c, VU_BAR0, TEST_LEVEL, 1);
	assert_int_equal(signals(intx), 1);
	assert_string_equal(vfio_user_memory_problem(w->v[1]), "");
	client_close(&c);
	close(intx);
	close(ram);
}

static void the_version_reply_is_no_longer_than_the_request(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"{\"capabilities\":{}}",
		"{\"capabilities\":{\"max_msg_fds\":16}}",
		"{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576}}",
		"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,\"write_"
		"multiple\" : true}}",
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct vfio_client c;
		uint8_t body[512] = { 0 }, reply[512];
		uint32_t size = (uint32_t)(4 + strlen(texts[i]) + 1);
		memcpy(body + 4, texts[i], strlen(texts[i]) + 1);
		assert_int_equal(world_connect(w, 1, &c), 0);
		int rc = client_call(&c, VU_VERSION, body, size, NULL, 0, reply, sizeof(reply));
		assert_in_range(rc, 4, size);
		if (rc > 4) {
			assert_int_equal(reply[rc - 1], 0);
			bool offered = strstr((char *)reply + 4, "\"write_multiple\":true") != NULL;
			assert_int_equal(offered, i == 5);
		}
		client_close(&c);
	}
}

static void version_comes_first_and_once(void **state)
{
	struct world *w = *state;
	struct vu_device_info info = { .argsz = sizeof(info) };
	struct vfio_client c;

	assert_int_equal(world_connect(w, 1, &c), 0);
	assert_int_equal(client_call(&c, VU_GET_INFO, &info, sizeof(info), NULL, 0, NULL, 0),
			 -EINVAL);
	uint8_t bad_major[] = { 1, 0, 0, 0, '{', '}', 0 };
	assert_int_equal(
		client_call(&c, VU_VERSION, bad_major, sizeof(bad_major), NULL, 0, NULL, 0),
		-EINVAL);
	uint8_t no_end[] = { 0, 0, 0, 0, '{', '}' };
	assert_int_equal(client_call(&c, VU_VERSION, no_end, sizeof(no_end), NULL, 0, NULL, 0),
			 -EINVAL);
	uint8_t bare[] = { 0, 0, 3, 0 }, reply[4];
	assert_int_equal(client_call(&c, VU_VERSION, bare, sizeof(bare), NULL, 0, reply, 4), 4);
	assert_int_equal(reply[2], 0);
	assert_int_equal(client_call(&c, VU_VERSION, bare, sizeof(bare), NULL, 0, NULL, 0),
			 -EINVAL);
	assert_int_equal(client_call(&c, VU_GET_INFO, &info, sizeof(info), NULL, 0, NULL, 0), 16);
	client_close(&c);
}

/* --- regions --- */

static void registers_are_read_and_written_in_all_sizes(void **state)
{
	struct world *w = *state;
	struct vfio_client *c = &w->c;
	uint64_t value = 0x1122334455667788;
	uint8_t byte;
	uint16_t half;

	assert_int_equal(client_read32(c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
	client_write32(c, VU_BAR0, TEST_SCRATCH, 0x01020304);
	assert_int_equal(client_region_read(c, VU_BAR0, TEST_SCRATCH + 1, 1, &byte), 0);
	assert_int_equal(byte, 3);
	assert_int_equal(client_region_read(c, 2, TEST_SCRATCH + 2, 2, &half),
			 0); /* the I/O BAR shows the same */
	assert_int_equal(half, 0x0102);
	assert_int_equal(client_region_write(c, VU_BAR0, TEST_BLOCK, 8, &value), 0);
	assert_int_equal(client_read32(c, VU_BAR0, TEST_BLOCK + 4), 0x11223344);
	value = 0;
	assert_int_equal(client_region_read(c, VU_BAR0, TEST_BLOCK, 8, &value), 0);
	assert_true(value == 0x1122334455667788);
}

static void a_block_is_read_and_written_in_one_message(void **state)
{
	struct world *w = *state;
	uint8_t block[64], back[64], odd[7];

	for (unsigned i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i + 1);
	assert_int_equal(client_region_write(&w->c, VU_BAR0, TEST_BLOCK, 64, block), 0);
	assert_int_equal(client_region_read(&w->c, VU_BAR0, TEST_BLOCK, 64, back), 0);
	assert_memory_equal(block, back, 64);
	assert_int_equal(client_region_read(&w->c, VU_BAR0, TEST_BLOCK + 1, 7, odd), 0);
	assert_memory_equal(block + 1, odd, 7);
	assert_int_equal(client_region_write(&w->c, VU_BAR0, TEST_BLOCK + 9, 7, block), 0);
	assert_int_equal(client_region_read(&w->c, VU_BAR0, TEST_BLOCK, 64, back), 0);
	memmove(block + 9, block, 7);
	assert_memory_equal(block + 9, back + 9, 7);
}

static void a_read_of_a_register_happens_once(void **state)
{
	struct world *w = *state;

	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_COUNT), 1);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_COUNT), 2);
}

static void accesses_outside_a_region_are_refused(void **state)
{
	static const struct vu_region_access bad[] = {
		{ TEST_BAR_SIZE, 0, 4 },
		{ TEST_BAR_SIZE - 2, 0, 4 },
		{ UINT64_MAX, 0, 1 },
		{ UINT64_MAX - 1, 0, 4 },
		{ 0, 0, 0 },
		{ 0, 0, 8192 },
		{ 0, 1, 4 },
		{ 0, 5, 4 },
		{ 0, VU_VGA, 4 },
		{ 0, VU_REGIONS, 4 },
		{ 0, UINT32_MAX, 4 },
		{ 0, VU_CONFIG, 257 },
		{ 256, VU_CONFIG, 1 },
		{ 0, 0, UINT32_MAX },
		{ ROM_SIZE, VU_ROM, 1 },
		{ 1, VU_ROM, ROM_SIZE },
		{ 0, VU_ROM, 0x7fffffff },
	};
	struct world *w = *state;
	uint8_t body[24] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(client_call(&w->c, VU_REGION_READ, &bad[i], 16, NULL, 0, NULL, 0),
				 -EINVAL);
		memcpy(body, &bad[i], 16);
		assert_int_equal(client_call(&w->c, VU_REGION_WRITE, body, 20, NULL, 0, NULL, 0),
				 -EINVAL);
	}
	/* more and less data than the count says */
	struct vu_region_access a = { 0, 0, 4 };
	memcpy(body, &a, sizeof(a));
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE, body, 17, NULL, 0, NULL, 0), -EINVAL);
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE, body, 24, NULL, 0, NULL, 0), -EINVAL);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
}

static void posted_writes_get_no_reply_and_keep_their_order(void **state)
{
	struct world *w = *state;
	static struct client_message m;
	uint32_t sum = 0;

	for (uint32_t i = 1; i <= 1000; i++) {
		client_region_post(&w->c, VU_BAR0, TEST_LOG, 4, &i);
		sum = 31 * sum + i;
	}
	/* a bad one is dropped without a word */
	client_region_post(&w->c, VU_BAR0, TEST_BAR_SIZE, 4, &sum);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_LOG), sum);
	assert_int_equal(client_receive(&w->c, &m), -EAGAIN);
}

static void a_posted_write_makes_its_queue_runnable(void **state)
{
	struct world *w = *state;
	uint32_t queue = 3;

	client_region_post(&w->c, VU_BAR0, TEST_KICK, 4, &queue);
	world_pump(w);
	assert_int_equal(w->t[0]->nic.notes.runnable, 1u << 3);
}

static uint32_t multi(uint8_t *body, unsigned n, uint32_t *sum)
{
	uint64_t count = n;

	memcpy(body, &count, 8);
	for (uint32_t i = 0; i < n; i++) {
		struct vu_write_entry e = { TEST_LOG, 0, 4, { (uint8_t)i, (uint8_t)(i >> 8) } };
		memcpy(body + 8 + i * sizeof(e), &e, sizeof(e));
		*sum = 31 * *sum + i;
	}
	return 8 + n * 24;
}

static void two_hundred_writes_come_in_one_message(void **state)
{
	struct world *w = *state;
	uint8_t body[8192];
	uint64_t done = 0;
	uint32_t sum = 0;

	for (unsigned i = 0; i < 5; i++) {
		uint32_t size = multi(body, 200, &sum);
		client_send(&w->c, VU_REGION_WRITE_MULTI, VU_NO_REPLY, body, size, NULL, 0);
	}
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_LOG), sum);
	uint32_t size = multi(body, 3, &sum);
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE_MULTI, body, size, NULL, 0, &done, 8),
			 8);
	assert_int_equal(done, 3);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_LOG), sum);
}

static void a_bad_batch_of_writes_is_refused(void **state)
{
	struct world *w = *state;
	uint8_t body[1024];
	uint32_t sum = 0, size = multi(body, 2, &sum);
	uint64_t wrong = 3;

	memcpy(body, &wrong, 8);
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE_MULTI, body, size, NULL, 0, NULL, 0),
			 -EINVAL);
	wrong = UINT64_MAX / 24;
	memcpy(body, &wrong, 8);
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE_MULTI, body, size, NULL, 0, NULL, 0),
			 -EINVAL);
	wrong = 0x0aaaaaaaaaaaaaac; /* * 24 wraps to a small number */
	memcpy(body, &wrong, 8);
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE_MULTI, body, size, NULL, 0, NULL, 0),
			 -EINVAL);
	struct vu_write_entry long_one = { TEST_LOG, 0, 9, { 0 } };
	uint64_t one = 1;
	memcpy(body, &one, 8);
	memcpy(body + 8, &long_one, 24);
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE_MULTI, body, 32, NULL, 0, NULL, 0),
			 -EINVAL);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_LOG), 0);
}

static void the_option_rom_is_sized_and_read_at_once(void **state)
{
	struct world *w = *state;
	static uint8_t rom[ROM_SIZE];
	struct vu_region_info r = { .argsz = sizeof(r), .index = VU_ROM };

	client_write32(&w->c, VU_CONFIG, PCI_ROM_ADDRESS, 0xfffff800);
	uint32_t bits = client_read32(&w->c, VU_CONFIG, PCI_ROM_ADDRESS) & ~1u;
	assert_int_equal(~bits + 1, 131072);
	assert_int_equal(
		client_call(&w->c, VU_GET_REGION_INFO, &r, sizeof(r), NULL, 0, &r, sizeof(r)), 32);
	assert_int_equal(r.size, ROM_SIZE);
	assert_int_equal(r.flags, VU_REGION_R);
	assert_int_equal(client_region_read(&w->c, VU_ROM, 0, ROM_SIZE, rom), 0);
	assert_memory_equal(rom, w->rom, ROM_SIZE);
	assert_int_equal(client_region_read(&w->c, VU_ROM, 1000, 50, rom), 0);
	assert_memory_equal(rom, w->rom + 1000, 50);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
}

/* --- other commands --- */

static void what_we_do_not_have_is_declined(void **state)
{
	static const struct {
		uint16_t command;
		uint32_t size;
		int rc;
	} rows[] = {
		{ VU_DIRTY_PAGES, 16, -EOPNOTSUPP },
		{ VU_DEVICE_FEATURE, 8, -EOPNOTSUPP },
		{ VU_MIG_DATA_READ, 8, -EOPNOTSUPP },
		{ VU_MIG_DATA_WRITE, 100, -EOPNOTSUPP },
		{ VU_DMA_READ, 16, -EINVAL },
		{ VU_DMA_WRITE, 32, -EINVAL },
		{ 0, 0, -ENOSYS },
		{ VU_COMMANDS, 0, -ENOSYS },
		{ 65535, 100, -ENOSYS },
	};
	struct world *w = *state;
	uint8_t body[100] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(
			client_call(&w->c, rows[i].command, body, rows[i].size, NULL, 0, NULL, 0),
			rows[i].rc);
}

static void no_doorbell_goes_around_the_socket(void **state)
{
	struct world *w = *state;
	struct vu_region_io_fds io = { .argsz = 4096 };

	assert_int_equal(
		client_call(&w->c, VU_GET_REGION_IO_FDS, &io, sizeof(io), NULL, 0, &io, sizeof(io)),
		16);
	assert_int_equal(io.count, 0);
	assert_int_equal(io.argsz, 16);
	io.index = VU_REGIONS;
	assert_int_equal(
		client_call(&w->c, VU_GET_REGION_IO_FDS, &io, sizeof(io), NULL, 0, NULL, 0),
		-EINVAL);
}

static void every_command_of_a_wrong_size_is_refused(void **state)
{
	struct world *w = *state;
	static uint8_t body[8192];

	for (uint16_t command = VU_VERSION; command < VU_COMMANDS; command++) {
		for (uint32_t size = 0; size < 64; size++) {
			int rc = client_call(&w->c, command, body, size, NULL, 0, NULL, 0);
			bool good_size = (command == VU_DEVICE_RESET && size == 0) ||
					 (command == VU_REGION_WRITE_MULTI && size == 8);
			if (good_size)
				assert_true(rc >= 0);
			else
				assert_true(rc == -EINVAL || rc == -EOPNOTSUPP);
		}
		assert_int_equal(
			client_call(&w->c, command, body, 8192 - 16, NULL, 0, NULL, 0) >= 0, 0);
	}
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
}

static void descriptors_where_none_belong_are_closed_and_refused(void **state)
{
	struct world *w = *state;
	int fds[16];
	uint8_t body[64] = { 0 };

	for (unsigned i = 0; i < 16; i++)
		fds[i] = event_descriptor();
	int before = open_descriptors();
	for (uint16_t command = 0; command <= VU_COMMANDS; command++)
		assert_true(client_call(&w->c, command, body, 32, fds, 16, NULL, 0) < 0);
	assert_int_equal(open_descriptors(), before);
	for (unsigned i = 0; i < 16; i++)
		close(fds[i]);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		STORY(a_client_starts_up_as_qemu_does),
		STORY(the_version_reply_is_no_longer_than_the_request),
		STORY(version_comes_first_and_once),
		STORY(registers_are_read_and_written_in_all_sizes),
		STORY(a_block_is_read_and_written_in_one_message),
		STORY(a_read_of_a_register_happens_once),
		STORY(accesses_outside_a_region_are_refused),
		STORY(posted_writes_get_no_reply_and_keep_their_order),
		STORY(a_posted_write_makes_its_queue_runnable),
		STORY(two_hundred_writes_come_in_one_message),
		STORY(a_bad_batch_of_writes_is_refused),
		STORY(the_option_rom_is_sized_and_read_at_once),
		STORY(what_we_do_not_have_is_declined),
		STORY(no_doorbell_goes_around_the_socket),
		STORY(every_command_of_a_wrong_size_is_refused),
		STORY(descriptors_where_none_belong_are_closed_and_refused),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
