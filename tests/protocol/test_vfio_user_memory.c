/* Conversations with the vfio-user server about guest memory: maps, bus mastering, memory that only looks shared. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "vfio_user_world.h"

/* Answers DMA_READ as long as the server asks, from `seen`: the guest memory as the client has it. Returns how many. */
static unsigned answer_probes(struct world *w, const uint8_t *seen, size_t size)
{
	static struct client_message m;
	unsigned asked = 0;

	while (client_receive(&w->c, &m) == 1) {
		struct vu_dma_access a;
		uint8_t reply[sizeof(struct vu_header) + sizeof(a) + GUEST_PAGE];
		assert_int_equal(m.h.command, VU_DMA_READ);
		assert_int_equal(m.h.flags, VU_REQUEST);
		memcpy(&a, m.body, sizeof(a));
		assert_true(a.count <= GUEST_PAGE && a.address + a.count <= size);
		struct vu_header h = { .id = m.h.id,
				       .command = VU_DMA_READ,
				       .flags = VU_REPLY,
				       .size = (uint32_t)(sizeof(h) + sizeof(a) + a.count) };
		memcpy(reply, &h, sizeof(h));
		memcpy(reply + sizeof(h), &a, sizeof(a));
		memcpy(reply + sizeof(h) + sizeof(a), seen + a.address, a.count);
		client_send_raw(&w->c, reply, h.size, NULL, 0);
		world_pump(w);
		assert_true(++asked < 100);
	}
	return asked;
}

static uint32_t dma_word(struct vfio_client *c, uint64_t addr)
{
	client_write32(c, VU_BAR0, TEST_DMA_LOW, (uint32_t)addr);
	client_write32(c, VU_BAR0, TEST_DMA_HIGH, (uint32_t)(addr >> 32));
	client_write32(c, VU_BAR0, TEST_DMA_WORD, 0);
	client_write32(c, VU_BAR0, TEST_DMA_GO, 1);
	return client_read32(c, VU_BAR0, TEST_DMA_OK) ? client_read32(c, VU_BAR0, TEST_DMA_WORD)
						      : 0xbadacce5;
}

static uint8_t *view(int fd, size_t size)
{
	uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void memory_is_reached_only_while_mapped_and_bus_master(void **state)
{
	struct world *w = *state;
	struct vfio_client *c = &w->c;
	int fd = guest_memory(4 * GUEST_PAGE);
	uint8_t *p = view(fd, 4 * GUEST_PAGE);
	uint32_t word = 0x600df00d;

	memcpy(p + GUEST_PAGE + 16, &word, 4);
	assert_int_equal(client_map(c, 0x10000, 2 * GUEST_PAGE, fd, GUEST_PAGE, 3), 0);
	assert_int_equal(dma_word(c, 0x10010), 0xbadacce5);
	client_bus_master(c, true);
	assert_int_equal(dma_word(c, 0x10010), 0x600df00d);
	client_write32(c, VU_BAR0, TEST_DMA_LOW, 0x10000 + GUEST_PAGE + 8);
	client_write32(c, VU_BAR0, TEST_DMA_GO, 2);
	assert_memory_equal(p + 2 * GUEST_PAGE + 8, &word, 4);
	client_bus_master(c, false);
	assert_int_equal(dma_word(c, 0x10010), 0xbadacce5);
	client_bus_master(c, true);
	assert_int_equal(client_unmap(c, 0x10000, 2 * GUEST_PAGE), 24);
	assert_int_equal(dma_word(c, 0x10010), 0xbadacce5);
	munmap(p, 4 * GUEST_PAGE);
	close(fd);
}

static void an_flr_switches_bus_mastering_off(void **state)
{
	struct world *w = *state;
	struct vfio_client c;
	uint16_t control;

	assert_int_equal(world_connect(w, 1, &c), 0);
	assert_int_equal(client_hello(&c, client_qemu_text), 0);
	client_bus_master(&c, true);
	assert_true(w->t[1]->nic.mem.bus_master);
	uint32_t at = w->t[1]->nic.pci.pcie + PCI_EXP_DEVCTL;
	assert_int_equal(client_region_read(&c, VU_CONFIG, at, 2, &control), 0);
	client_write16(&c, VU_CONFIG, at, control | PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(w->t[1]->resets[RESET_FUNCTION], 1);
	assert_false(w->t[1]->nic.mem.bus_master);
	client_close(&c);
}

static void wrong_maps_are_refused(void **state)
{
	static const struct {
		struct vu_dma_map map;
		int rc;
	} bad[] = {
		{ { 32, 3, 0, 0x1000, 2 * GUEST_PAGE }, -EEXIST }, /* overlaps at its end */
		{ { 32, 3, 0, 0x2000, GUEST_PAGE }, -EEXIST },
		{ { 32, 3, 0, 0x10000, 0 }, -EINVAL },
		{ { 32, 3, 0, UINT64_MAX - GUEST_PAGE + 2, GUEST_PAGE }, -EINVAL }, /* wraps */
		{ { 32, 3, UINT64_MAX - GUEST_PAGE + 1, 0x10000, GUEST_PAGE }, -EINVAL },
		{ { 32, 3, 4 * GUEST_PAGE, 0x10000, GUEST_PAGE },
		  -EINVAL }, /* past the end of the file */
		{ { 32, 3, 0, 0x10000, 1ull << 62 }, -EINVAL },
		{ { 32, 0, 0, 0x10000, GUEST_PAGE }, -EINVAL },
		{ { 16, 3, 0, 0x10000, GUEST_PAGE }, -EINVAL },
	};
	struct world *w = *state;
	int fd = guest_memory(4 * GUEST_PAGE), two[2] = { fd, fd };

	assert_int_equal(client_map(&w->c, 0x2000, 2 * GUEST_PAGE, fd, 0, 3), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(client_call(&w->c, VU_DMA_MAP, &bad[i].map, 32, &fd, 1, NULL, 0),
				 bad[i].rc);
	struct vu_dma_map good = { 32, 3, 0, 0x10000, GUEST_PAGE };
	assert_int_equal(client_call(&w->c, VU_DMA_MAP, &good, 32, two, 2, NULL, 0), -EINVAL);
	assert_int_equal(client_call(&w->c, VU_DMA_MAP, &good, 31, &fd, 1, NULL, 0), -EINVAL);
	assert_int_equal(client_call(&w->c, VU_DMA_MAP, &good, 32, &w->c.fd, 1, NULL, 0),
			 -ENODEV); /* a socket */
	assert_int_equal(w->t[0]->nic.mem.regions, 1);
	close(fd);
}

static void wrong_unmaps_are_refused(void **state)
{
	struct world *w = *state;
	int fd = guest_memory(4 * GUEST_PAGE);
	struct vu_dma_unmap dirty = { 24, VU_UNMAP_DIRTY, 0x2000, GUEST_PAGE },
			    all = { 24, VU_UNMAP_ALL, 0, GUEST_PAGE };

	assert_int_equal(client_map(&w->c, 0x2000, 2 * GUEST_PAGE, fd, 0, 3), 0);
	assert_int_equal(client_unmap(&w->c, 0x2000, GUEST_PAGE), -EINVAL);
	assert_int_equal(client_unmap(&w->c, 0x8000, GUEST_PAGE),
			 24); /* nothing there: as the kernel's VFIO */
	assert_int_equal(client_unmap(&w->c, 0x2000, UINT64_MAX), -EINVAL);
	assert_int_equal(client_call(&w->c, VU_DMA_UNMAP, &dirty, 24, NULL, 0, NULL, 0),
			 -EOPNOTSUPP);
	assert_int_equal(client_call(&w->c, VU_DMA_UNMAP, &all, 24, NULL, 0, NULL, 0), -EINVAL);
	assert_int_equal(w->t[0]->nic.mem.regions, 1);
	all.size = 0;
	assert_int_equal(client_call(&w->c, VU_DMA_UNMAP, &all, 24, NULL, 0, NULL, 0), 24);
	assert_int_equal(w->t[0]->nic.mem.regions, 0);
	close(fd);
}

static void memory_without_any_descriptor_is_refused_with_the_option(void **state)
{
	struct world *w = *state;
	struct vu_device_info info = { .argsz = sizeof(info) };

	assert_int_equal(client_map(&w->c, 0, 0xa0000, -1, 0, 3), 0);
	assert_int_equal(client_map(&w->c, 0xc0000, 0x20000, -1, 0, 1), 0);
	assert_int_equal(client_call(&w->c, VU_GET_INFO, &info, sizeof(info), NULL, 0, NULL, 0),
			 -EOPNOTSUPP);
	assert_non_null(strstr(vfio_user_memory_problem(w->v[0]), "memory-backend-memfd"));
	assert_non_null(strstr(vfio_user_memory_problem(w->v[0]), "share=on"));
	/* the words outlive the client, and go with the next one */
	client_close(&w->c);
	assert_string_not_equal(vfio_user_memory_problem(w->v[0]), "");
	world_greet(w);
	assert_string_equal(vfio_user_memory_problem(w->v[0]), "");
}

static void video_memory_and_rom_may_come_without_descriptor(void **state)
{
	struct world *w = *state;
	struct vu_device_info info = { .argsz = sizeof(info) };
	int fd = guest_memory(16 * GUEST_PAGE);

	assert_int_equal(client_map(&w->c, 0, 16 * GUEST_PAGE, fd, 0, 3), 0);
	assert_int_equal(client_map(&w->c, 0xc0000, 0x20000, -1, 0, 1), 0);
	assert_int_equal(client_map(&w->c, 0xfd000000, 0x1000000, -1, 0, 3), 0);
	assert_int_equal(client_call(&w->c, VU_GET_INFO, &info, sizeof(info), NULL, 0, NULL, 0),
			 16);
	client_bus_master(&w->c, true);
	static uint8_t zero[16 * GUEST_PAGE];
	answer_probes(w, zero, sizeof(zero));
	assert_int_equal(dma_word(&w->c, 0xc0000), 0xbadacce5);
	assert_int_equal(dma_word(&w->c, 0x1000), 0);
	assert_string_equal(vfio_user_memory_problem(w->v[0]), "");
	close(fd);
}

static void private_memory_is_found_by_its_bytes(void **state)
{
	struct world *w = *state;
	int fd = guest_memory(16 * GUEST_PAGE);
	static uint8_t guest[16 * GUEST_PAGE];

	/* what the guest wrote, as its VMM sees it: nothing of it in the file */
	memset(guest, 0, sizeof(guest));
	memset(guest + 0x400, 0x53, 100);
	assert_int_equal(client_map(&w->c, 0, 16 * GUEST_PAGE, fd, 0, 3), 0);
	client_bus_master(&w->c, true);
	unsigned asked = answer_probes(w, guest, sizeof(guest));
	assert_in_range(asked, 3, 8);
	assert_non_null(strstr(vfio_user_memory_problem(w->v[0]), "share=on"));
	close(fd);
}

static void shared_memory_is_believed_after_one_look(void **state)
{
	struct world *w = *state;
	int fd = guest_memory(16 * GUEST_PAGE);
	uint8_t *guest = view(fd, 16 * GUEST_PAGE);

	memset(guest + 0x10, 0x53, 100);
	assert_int_equal(client_map(&w->c, 0, 16 * GUEST_PAGE, fd, 0, 3), 0);
	client_bus_master(&w->c, true);
	assert_in_range(answer_probes(w, guest, 16 * GUEST_PAGE), 1, 10);
	assert_string_equal(vfio_user_memory_problem(w->v[0]), "");
	/* once is enough */
	client_bus_master(&w->c, false);
	client_bus_master(&w->c, true);
	assert_int_equal(answer_probes(w, guest, 16 * GUEST_PAGE), 0);
	munmap(guest, 16 * GUEST_PAGE);
	close(fd);
}

static void memory_that_the_guest_changes_while_we_look_is_not_called_private(void **state)
{
	struct world *w = *state;
	int fd = guest_memory(16 * GUEST_PAGE);
	uint8_t *guest = view(fd, 16 * GUEST_PAGE);
	static struct client_message m;

	assert_int_equal(client_map(&w->c, 0, 16 * GUEST_PAGE, fd, 0, 3), 0);
	client_bus_master(&w->c, true);
	for (unsigned i = 0; i < 60 && client_receive(&w->c, &m) == 1; i++) {
		uint8_t reply[16 + 16 + 512] = { 0 };
		struct vu_header h = { .id = m.h.id,
				       .command = VU_DMA_READ,
				       .flags = VU_REPLY,
				       .size = sizeof(reply) };
		memcpy(reply, &h, 16);
		memcpy(reply + 16, m.body, 16);
		memset(reply + 32, (int)i + 1, 512);
		memset(guest, (int)i + 100,
		       16 * GUEST_PAGE); /* and changes again before the reply is seen */
		client_send_raw(&w->c, reply, sizeof(reply), NULL, 0);
		world_pump(w);
	}
	assert_string_equal(vfio_user_memory_problem(w->v[0]), "");
	munmap(guest, 16 * GUEST_PAGE);
	close(fd);
}

static void nothing_waits_for_the_answer_about_memory(void **state)
{
	struct world *w = *state;
	int fd = guest_memory(16 * GUEST_PAGE);
	static struct client_message m;
	struct vu_region_access a = { TEST_SCRATCH, 0, 4 };

	assert_int_equal(client_map(&w->c, 0, 16 * GUEST_PAGE, fd, 0, 3), 0);
	client_bus_master(&w->c, true);
	assert_int_equal(client_receive(&w->c, &m), 1);
	assert_int_equal(m.h.command, VU_DMA_READ);
	struct vu_header asked = m.h;
	for (unsigned i = 0; i < 3; i++) {
		uint16_t id = client_send(&w->c, VU_REGION_READ, 0, &a, sizeof(a), NULL, 0);
		assert_int_equal(client_receive(&w->c, &m), 1);
		assert_int_equal(m.h.id, id);
		assert_int_equal(m.size, 20);
	}
	/* the answer may be an error: bus mastering is off again */
	asked.flags = VU_REPLY | VU_ERROR;
	asked.error = ENODEV;
	asked.size = 16;
	client_send_raw(&w->c, &asked, 16, NULL, 0);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
	close(fd);
}

static void a_client_that_expects_no_request_gets_none_when_memory_shows(void **state)
{
	struct world *w = *state;
	struct vfio_client c;
	int fd = guest_memory(16 * GUEST_PAGE);
	uint8_t *guest = view(fd, 16 * GUEST_PAGE);
	static struct client_message m;

	guest[0x7010] = 1;
	assert_int_equal(world_connect(w, 1, &c), 0);
	assert_int_equal(client_hello(&c, "{\"capabilities\":{\"max_msg_fds\":1}}"), 0);
	assert_int_equal(client_map(&c, 0, 16 * GUEST_PAGE, fd, 0, 3), 0);
	client_bus_master(&c, true);
	assert_int_equal(client_receive(&c, &m), -EAGAIN);
	client_close(&c);
	munmap(guest, 16 * GUEST_PAGE);
	close(fd);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		STORY(memory_is_reached_only_while_mapped_and_bus_master),
		STORY(an_flr_switches_bus_mastering_off),
		STORY(wrong_maps_are_refused),
		STORY(wrong_unmaps_are_refused),
		STORY(memory_without_any_descriptor_is_refused_with_the_option),
		STORY(video_memory_and_rom_may_come_without_descriptor),
		STORY(private_memory_is_found_by_its_bytes),
		STORY(shared_memory_is_believed_after_one_look),
		STORY(memory_that_the_guest_changes_while_we_look_is_not_called_private),
		STORY(nothing_waits_for_the_answer_about_memory),
		STORY(a_client_that_expects_no_request_gets_none_when_memory_shows),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
