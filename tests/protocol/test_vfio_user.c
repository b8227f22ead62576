/* Conversations with the vfio-user server: what QEMU does, what other clients may do, and what nobody should. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "vfio_user_world.h"

#define PAGE 4096u

/* the stories provoke warnings */
static void quiet(enum log_level level, const char *text)
{
	(void)level;
	(void)text;
}

static int setup(void **state)
{
	struct world *w = world_create(2);

	world_greet(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(world_destroy(*state), 0);
	return 0;
}

static int memory(size_t size)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert_true(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

static uint64_t signals(int eventfd)
{
	uint64_t n = 0;

	return read(eventfd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static int event_descriptor(void)
{
	return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void bus_master(struct vfio_client *c, bool on)
{
	client_write16(c, VU_CONFIG, PCI_COMMAND, on ? PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY : PCI_COMMAND_MEMORY);
}

/* Answers DMA_READ as long as the server asks, from `seen`: the guest memory as the client has it. Returns how many. */
static unsigned answer_probes(struct world *w, const uint8_t *seen, size_t size)
{
	static struct client_message m;
	unsigned asked = 0;

	while (client_receive(&w->c, &m) == 1) {
		struct vu_dma_access a;
		uint8_t reply[sizeof(struct vu_header) + sizeof(a) + PAGE];
		assert_int_equal(m.h.command, VU_DMA_READ);
		assert_int_equal(m.h.flags, VU_REQUEST);
		memcpy(&a, m.body, sizeof(a));
		assert_true(a.count <= PAGE && a.address + a.count <= size);
		struct vu_header h = { .id = m.h.id, .command = VU_DMA_READ, .flags = VU_REPLY,
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

	assert_int_equal(client_call(c, VU_GET_INFO, &info, sizeof(info), NULL, 0, &info, sizeof(info)), 16);
	assert_int_equal(info.flags, VU_DEVICE_RESETS | VU_DEVICE_PCI);
	assert_int_equal(info.regions, 9);
	assert_int_equal(info.irqs, 5);
	for (uint32_t i = 0; i <= VU_CONFIG; i++) {
		if (i == VU_ROM)
			continue;
		struct vu_region_info r = { .argsz = sizeof(r), .index = i };
		assert_int_equal(client_call(c, VU_GET_REGION_INFO, &r, sizeof(r), NULL, 0, &r, sizeof(r)), 32);
		assert_int_equal(r.argsz, sizeof(r));
		assert_int_equal(r.index, i);
		assert_int_equal(r.cap_offset, 0);
		assert_int_equal(r.size, i == VU_CONFIG ? config_size : sizes[i]);
		assert_int_equal(r.flags, r.size ? 3 : 0);
	}
}

static int irq_count(struct vfio_client *c, uint32_t index, uint32_t *flags)
{
	struct vu_irq_info q = { .argsz = sizeof(q), .index = index };
	int rc = client_call(c, VU_GET_IRQ_INFO, &q, sizeof(q), NULL, 0, &q, sizeof(q));

	if (flags)
		*flags = q.flags;
	return rc < 0 ? rc : (int)q.count;
}

static void a_client_starts_up_as_qemu_does(void **state)
{
	struct world *w = *state;
	struct vfio_client c;
	int ram = memory(0x800000), intx = event_descriptor();
	uint8_t config[4096];

	assert_int_equal(world_connect(w, 1, &c), 0);
	assert_int_equal(client_hello(&c, client_qemu_text), 0);
	map_machine(&c, ram);
	ask_device(&c, 4096);
	assert_int_equal(irq_count(&c, PCI_ERR, NULL), -EINVAL);
	assert_int_equal(irq_count(&c, PCI_MSIX, NULL), TEST_NIC_VECTORS);
	assert_int_equal(client_region_read(&c, VU_CONFIG, 0, 4096, config), 0);
	assert_int_equal(config[0] | config[1] << 8, 0x1af4);
	assert_int_equal(client_set_irqs(&c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_INTX, 0, 1, &intx, 1), 0);

	/* the machine's reset */
	assert_int_equal(client_set_irqs(&c, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_INTX, 0, 0, NULL, 0), 0);
	bus_master(&c, false);
	unsigned resets = w->t[1]->resets[RESET_PCI];
	assert_int_equal(client_call(&c, VU_DEVICE_RESET, NULL, 0, NULL, 0, NULL, 0), 0);
	assert_int_equal(w->t[1]->resets[RESET_PCI], resets + 1);
	assert_int_equal(client_set_irqs(&c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_INTX, 0, 1, &intx, 1), 0);
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
		"", "{}", "{\"capabilities\":{}}", "{\"capabilities\":{\"max_msg_fds\":16}}",
		"{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576}}",
		"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,\"write_multiple\" : true}}",
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
	assert_int_equal(client_call(&c, VU_GET_INFO, &info, sizeof(info), NULL, 0, NULL, 0), -EINVAL);
	uint8_t bad_major[] = { 1, 0, 0, 0, '{', '}', 0 };
	assert_int_equal(client_call(&c, VU_VERSION, bad_major, sizeof(bad_major), NULL, 0, NULL, 0), -EINVAL);
	uint8_t no_end[] = { 0, 0, 0, 0, '{', '}' };
	assert_int_equal(client_call(&c, VU_VERSION, no_end, sizeof(no_end), NULL, 0, NULL, 0), -EINVAL);
	uint8_t bare[] = { 0, 0, 3, 0 }, reply[4];
	assert_int_equal(client_call(&c, VU_VERSION, bare, sizeof(bare), NULL, 0, reply, 4), 4);
	assert_int_equal(reply[2], 0);
	assert_int_equal(client_call(&c, VU_VERSION, bare, sizeof(bare), NULL, 0, NULL, 0), -EINVAL);
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
	assert_int_equal(client_region_read(c, 2, TEST_SCRATCH + 2, 2, &half), 0); /* the I/O BAR shows the same */
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
		{ TEST_BAR_SIZE, 0, 4 }, { TEST_BAR_SIZE - 2, 0, 4 }, { UINT64_MAX, 0, 1 }, { UINT64_MAX - 1, 0, 4 },
		{ 0, 0, 0 }, { 0, 0, 8192 }, { 0, 1, 4 }, { 0, 5, 4 }, { 0, VU_VGA, 4 }, { 0, VU_REGIONS, 4 },
		{ 0, UINT32_MAX, 4 }, { 0, VU_CONFIG, 257 }, { 256, VU_CONFIG, 1 }, { 0, 0, UINT32_MAX },
		{ ROM_SIZE, VU_ROM, 1 }, { 1, VU_ROM, ROM_SIZE }, { 0, VU_ROM, 0x7fffffff },
	};
	struct world *w = *state;
	uint8_t body[24] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(client_call(&w->c, VU_REGION_READ, &bad[i], 16, NULL, 0, NULL, 0), -EINVAL);
		memcpy(body, &bad[i], 16);
		assert_int_equal(client_call(&w->c, VU_REGION_WRITE, body, 20, NULL, 0, NULL, 0), -EINVAL);
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
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE_MULTI, body, size, NULL, 0, &done, 8), 8);
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
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE_MULTI, body, size, NULL, 0, NULL, 0), -EINVAL);
	wrong = UINT64_MAX / 24;
	memcpy(body, &wrong, 8);
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE_MULTI, body, size, NULL, 0, NULL, 0), -EINVAL);
	wrong = 0x0aaaaaaaaaaaaaac; /* * 24 wraps to a small number */
	memcpy(body, &wrong, 8);
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE_MULTI, body, size, NULL, 0, NULL, 0), -EINVAL);
	struct vu_write_entry long_one = { TEST_LOG, 0, 9, { 0 } };
	uint64_t one = 1;
	memcpy(body, &one, 8);
	memcpy(body + 8, &long_one, 24);
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE_MULTI, body, 32, NULL, 0, NULL, 0), -EINVAL);
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
	assert_int_equal(client_call(&w->c, VU_GET_REGION_INFO, &r, sizeof(r), NULL, 0, &r, sizeof(r)), 32);
	assert_int_equal(r.size, ROM_SIZE);
	assert_int_equal(r.flags, VU_REGION_R);
	assert_int_equal(client_region_read(&w->c, VU_ROM, 0, ROM_SIZE, rom), 0);
	assert_memory_equal(rom, w->rom, ROM_SIZE);
	assert_int_equal(client_region_read(&w->c, VU_ROM, 1000, 50, rom), 0);
	assert_memory_equal(rom, w->rom + 1000, 50);
	assert_int_equal(client_read32(&w->c, VU_BAR0, TEST_SCRATCH), 0x5a5a5a5a);
}

/* --- interrupts --- */

static void intx_is_signalled_again_on_unmask_while_the_level_is_up(void **state)
{
	struct world *w = *state;
	struct vfio_client *c = &w->c;
	int fd = event_descriptor();
	uint32_t flags;

	assert_int_equal(irq_count(c, PCI_INTX, &flags), 1);
	assert_int_equal(flags, VU_IRQ_EVENTFD | VU_IRQ_MASKABLE | VU_IRQ_AUTOMASKED);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_INTX, 0, 1, &fd, 1), 0);
	assert_int_equal(signals(fd), 0);
	client_write32(c, VU_BAR0, TEST_LEVEL, 1);
	assert_int_equal(signals(fd), 1);
	client_write32(c, VU_BAR0, TEST_LEVEL, 1);
	assert_int_equal(signals(fd), 0);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_UNMASK, PCI_INTX, 0, 1, NULL, 0), 0);
	assert_int_equal(signals(fd), 1);
	client_write32(c, VU_BAR0, TEST_LEVEL, 0);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_UNMASK, PCI_INTX, 0, 1, NULL, 0), 0);
	assert_int_equal(signals(fd), 0);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_MASK, PCI_INTX, 0, 1, NULL, 0), 0);
	close(fd);
}

static void kvm_tells_the_end_of_intx_by_an_eventfd(void **state)
{
	struct world *w = *state;
	struct vfio_client *c = &w->c;
	int fd = event_descriptor(), eoi = event_descriptor();
	uint64_t one = 1;

	/* as QEMU's vfio_intx_enable_kvm: trigger, mask, unmask by eventfd, unmask */
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_INTX, 0, 1, &fd, 1), 0);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_MASK, PCI_INTX, 0, 1, NULL, 0), 0);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_UNMASK, PCI_INTX, 0, 1, &eoi, 1), 0);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_UNMASK, PCI_INTX, 0, 1, NULL, 0), 0);
	client_write32(c, VU_BAR0, TEST_LEVEL, 1);
	assert_int_equal(signals(fd), 1);
	assert_int_equal(write(eoi, &one, 8), 8);
	world_pump(w);
	assert_int_equal(signals(fd), 1);
	client_write32(c, VU_BAR0, TEST_LEVEL, 0);
	assert_int_equal(write(eoi, &one, 8), 8);
	world_pump(w);
	assert_int_equal(signals(fd), 0);
	/* taken away again: nobody listens */
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_UNMASK, PCI_INTX, 0, 1, NULL, 0), 0);
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
	int ends[2], file = memory(PAGE);

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_UNMASK, PCI_INTX, 0, 1, ends, 1), 0);
	close(ends[0]);
	close(ends[1]); /* an end of file for ever: the server gives up on it */
	world_pump(w);
	assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_UNMASK, PCI_INTX, 0, 1, &file, 1), -EPERM);
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

	assert_int_equal(irq_count(c, PCI_MSIX, &flags), TEST_NIC_VECTORS);
	assert_int_equal(flags, VU_IRQ_EVENTFD | VU_IRQ_NORESIZE);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 0, 1, NULL, 0), 0);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSIX, 0, 0, NULL, 0), 0);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 0, 1, NULL, 0), 0);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 1, 1, &fd[0], 1), 0);
	client_write32(c, VU_BAR0, TEST_RAISE, 1);
	assert_int_equal(signals(fd[0]), 1);
	/* a vector without eventfd waits for one */
	client_write32(c, VU_BAR0, TEST_RAISE, 2);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 2, 1, &fd[1], 1), 0);
	assert_int_equal(signals(fd[1]), 1);
	/* the same vector again, with another eventfd */
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 1, 1, &fd[2], 1), 0);
	client_write32(c, VU_BAR0, TEST_RAISE, 1);
	assert_int_equal(signals(fd[0]), 0);
	assert_int_equal(signals(fd[2]), 1);
	assert_int_equal(client_set_irqs(c, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSIX, 0, 0, NULL, 0), 0);
	client_write32(c, VU_BAR0, TEST_RAISE, 1);
	assert_int_equal(signals(fd[2]), 0);
	for (unsigned i = 0; i < 3; i++)
		close(fd[i]);
}

static void several_vectors_come_in_one_message_and_fire_by_hand(void **state)
{
	struct world *w = *state;
	struct { struct vu_set_irqs set; uint8_t on[4]; } bools = {
		{ 24, VU_IRQ_DATA_BOOL | VU_IRQ_TRIGGER, PCI_MSI, 0, 4 }, { 1, 0, 0, 1 }
	};
	int fd[4];

	for (unsigned i = 0; i < 4; i++)
		fd[i] = event_descriptor();
	assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSI, 0, 4, fd, 4), 0);
	client_write32(&w->c, VU_BAR0, TEST_RAISE, 3);
	assert_int_equal(signals(fd[3]), 1);
	assert_int_equal(client_call(&w->c, VU_SET_IRQS, &bools, sizeof(bools), NULL, 0, NULL, 0), 0);
	assert_int_equal(signals(fd[0]), 1);
	assert_int_equal(signals(fd[1]), 0);
	assert_int_equal(signals(fd[3]), 1);
	assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSI, 1, 2, NULL, 0), 0);
	assert_int_equal(signals(fd[1]), 1);
	assert_int_equal(signals(fd[2]), 1);
	for (unsigned i = 0; i < 4; i++)
		close(fd[i]);
}

static void a_vector_with_a_blocking_descriptor_does_not_stop_the_server(void **state)
{
	struct world *w = *state;
	int ends[2];
	uint8_t page[PAGE] = { 0 };

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fd_set_nonblock(ends[1], true), 0);
	while (write(ends[1], page, sizeof(page)) > 0)
		;
	assert_int_equal(fd_set_nonblock(ends[1], false), 0);
	assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 0, 1, &ends[1], 1), 0);
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
		assert_int_equal(client_call(&w->c, VU_SET_IRQS, &bad[i], 20, NULL, 0, NULL, 0), -EINVAL);
	/* a number of descriptors that does not fit, and descriptors where none belong */
	assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 0, 2, fd, 3), -EINVAL);
	assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 0, 3, fd, 1), -EINVAL);
	assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_NONE | VU_IRQ_TRIGGER, PCI_MSIX, 0, 0, fd, 1), -EINVAL);
	struct vu_irq_info q = { .argsz = sizeof(q), .index = PCI_IRQ_INDEXES };
	assert_int_equal(client_call(&w->c, VU_GET_IRQ_INFO, &q, sizeof(q), NULL, 0, NULL, 0), -EINVAL);
	for (unsigned i = 0; i < 3; i++)
		close(fd[i]);
}

/* --- guest memory --- */

static uint32_t dma_word(struct vfio_client *c, uint64_t addr)
{
	client_write32(c, VU_BAR0, TEST_DMA_LOW, (uint32_t)addr);
	client_write32(c, VU_BAR0, TEST_DMA_HIGH, (uint32_t)(addr >> 32));
	client_write32(c, VU_BAR0, TEST_DMA_WORD, 0);
	client_write32(c, VU_BAR0, TEST_DMA_GO, 1);
	return client_read32(c, VU_BAR0, TEST_DMA_OK) ? client_read32(c, VU_BAR0, TEST_DMA_WORD) : 0xbadacce5;
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
	int fd = memory(4 * PAGE);
	uint8_t *p = view(fd, 4 * PAGE);
	uint32_t word = 0x600df00d;

	memcpy(p + PAGE + 16, &word, 4);
	assert_int_equal(client_map(c, 0x10000, 2 * PAGE, fd, PAGE, 3), 0);
	assert_int_equal(dma_word(c, 0x10010), 0xbadacce5);
	bus_master(c, true);
	assert_int_equal(dma_word(c, 0x10010), 0x600df00d);
	client_write32(c, VU_BAR0, TEST_DMA_LOW, 0x10000 + PAGE + 8);
	client_write32(c, VU_BAR0, TEST_DMA_GO, 2);
	assert_memory_equal(p + 2 * PAGE + 8, &word, 4);
	bus_master(c, false);
	assert_int_equal(dma_word(c, 0x10010), 0xbadacce5);
	bus_master(c, true);
	assert_int_equal(client_unmap(c, 0x10000, 2 * PAGE), 24);
	assert_int_equal(dma_word(c, 0x10010), 0xbadacce5);
	munmap(p, 4 * PAGE);
	close(fd);
}

static void an_flr_switches_bus_mastering_off(void **state)
{
	struct world *w = *state;
	struct vfio_client c;
	uint16_t control;

	assert_int_equal(world_connect(w, 1, &c), 0);
	assert_int_equal(client_hello(&c, client_qemu_text), 0);
	bus_master(&c, true);
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
	static const struct { struct vu_dma_map map; int rc; } bad[] = {
		{ { 32, 3, 0, 0x1000, 2 * PAGE }, -EEXIST },     /* overlaps at its end */
		{ { 32, 3, 0, 0x2000, PAGE }, -EEXIST },
		{ { 32, 3, 0, 0x10000, 0 }, -EINVAL },
		{ { 32, 3, 0, UINT64_MAX - PAGE + 2, PAGE }, -EINVAL }, /* wraps */
		{ { 32, 3, UINT64_MAX - PAGE + 1, 0x10000, PAGE }, -EINVAL },
		{ { 32, 3, 4 * PAGE, 0x10000, PAGE }, -EINVAL }, /* past the end of the file */
		{ { 32, 3, 0, 0x10000, 1ull << 62 }, -EINVAL },
		{ { 32, 0, 0, 0x10000, PAGE }, -EINVAL },
		{ { 16, 3, 0, 0x10000, PAGE }, -EINVAL },
	};
	struct world *w = *state;
	int fd = memory(4 * PAGE), two[2] = { fd, fd };

	assert_int_equal(client_map(&w->c, 0x2000, 2 * PAGE, fd, 0, 3), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(client_call(&w->c, VU_DMA_MAP, &bad[i].map, 32, &fd, 1, NULL, 0), bad[i].rc);
	struct vu_dma_map good = { 32, 3, 0, 0x10000, PAGE };
	assert_int_equal(client_call(&w->c, VU_DMA_MAP, &good, 32, two, 2, NULL, 0), -EINVAL);
	assert_int_equal(client_call(&w->c, VU_DMA_MAP, &good, 31, &fd, 1, NULL, 0), -EINVAL);
	assert_int_equal(client_call(&w->c, VU_DMA_MAP, &good, 32, &w->c.fd, 1, NULL, 0), -ENODEV); /* a socket */
	assert_int_equal(w->t[0]->nic.mem.regions, 1);
	close(fd);
}

static void wrong_unmaps_are_refused(void **state)
{
	struct world *w = *state;
	int fd = memory(4 * PAGE);
	struct vu_dma_unmap dirty = { 24, VU_UNMAP_DIRTY, 0x2000, PAGE }, all = { 24, VU_UNMAP_ALL, 0, PAGE };

	assert_int_equal(client_map(&w->c, 0x2000, 2 * PAGE, fd, 0, 3), 0);
	assert_int_equal(client_unmap(&w->c, 0x2000, PAGE), -EINVAL);
	assert_int_equal(client_unmap(&w->c, 0x8000, PAGE), -ENOENT);
	assert_int_equal(client_unmap(&w->c, 0x2000, UINT64_MAX), -EINVAL);
	assert_int_equal(client_call(&w->c, VU_DMA_UNMAP, &dirty, 24, NULL, 0, NULL, 0), -EOPNOTSUPP);
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
	assert_int_equal(client_call(&w->c, VU_GET_INFO, &info, sizeof(info), NULL, 0, NULL, 0), -EOPNOTSUPP);
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
	int fd = memory(16 * PAGE);

	assert_int_equal(client_map(&w->c, 0, 16 * PAGE, fd, 0, 3), 0);
	assert_int_equal(client_map(&w->c, 0xc0000, 0x20000, -1, 0, 1), 0);
	assert_int_equal(client_map(&w->c, 0xfd000000, 0x1000000, -1, 0, 3), 0);
	assert_int_equal(client_call(&w->c, VU_GET_INFO, &info, sizeof(info), NULL, 0, NULL, 0), 16);
	bus_master(&w->c, true);
	static uint8_t zero[16 * PAGE];
	answer_probes(w, zero, sizeof(zero));
	assert_int_equal(dma_word(&w->c, 0xc0000), 0xbadacce5);
	assert_int_equal(dma_word(&w->c, 0x1000), 0);
	assert_string_equal(vfio_user_memory_problem(w->v[0]), "");
	close(fd);
}

static void private_memory_is_found_by_its_bytes(void **state)
{
	struct world *w = *state;
	int fd = memory(16 * PAGE);
	static uint8_t guest[16 * PAGE];

	/* what the guest wrote, as its VMM sees it: nothing of it in the file */
	memset(guest, 0, sizeof(guest));
	memset(guest + 0x400, 0x53, 100);
	assert_int_equal(client_map(&w->c, 0, 16 * PAGE, fd, 0, 3), 0);
	bus_master(&w->c, true);
	unsigned asked = answer_probes(w, guest, sizeof(guest));
	assert_in_range(asked, 3, 8);
	assert_non_null(strstr(vfio_user_memory_problem(w->v[0]), "share=on"));
	close(fd);
}

static void shared_memory_is_believed_after_one_look(void **state)
{
	struct world *w = *state;
	int fd = memory(16 * PAGE);
	uint8_t *guest = view(fd, 16 * PAGE);

	memset(guest + 0x10, 0x53, 100);
	assert_int_equal(client_map(&w->c, 0, 16 * PAGE, fd, 0, 3), 0);
	bus_master(&w->c, true);
	assert_in_range(answer_probes(w, guest, 16 * PAGE), 1, 10);
	assert_string_equal(vfio_user_memory_problem(w->v[0]), "");
	/* once is enough */
	bus_master(&w->c, false);
	bus_master(&w->c, true);
	assert_int_equal(answer_probes(w, guest, 16 * PAGE), 0);
	munmap(guest, 16 * PAGE);
	close(fd);
}

static void memory_that_the_guest_changes_while_we_look_is_not_called_private(void **state)
{
	struct world *w = *state;
	int fd = memory(16 * PAGE);
	uint8_t *guest = view(fd, 16 * PAGE);
	static struct client_message m;

	assert_int_equal(client_map(&w->c, 0, 16 * PAGE, fd, 0, 3), 0);
	bus_master(&w->c, true);
	for (unsigned i = 0; i < 60 && client_receive(&w->c, &m) == 1; i++) {
		uint8_t reply[16 + 16 + 512] = { 0 };
		struct vu_header h = { .id = m.h.id, .command = VU_DMA_READ, .flags = VU_REPLY, .size = sizeof(reply) };
		memcpy(reply, &h, 16);
		memcpy(reply + 16, m.body, 16);
		memset(reply + 32, (int)i + 1, 512);
		memset(guest, (int)i + 100, 16 * PAGE); /* and changes again before the reply is seen */
		client_send_raw(&w->c, reply, sizeof(reply), NULL, 0);
		world_pump(w);
	}
	assert_string_equal(vfio_user_memory_problem(w->v[0]), "");
	munmap(guest, 16 * PAGE);
	close(fd);
}

static void nothing_waits_for_the_answer_about_memory(void **state)
{
	struct world *w = *state;
	int fd = memory(16 * PAGE);
	static struct client_message m;
	struct vu_region_access a = { TEST_SCRATCH, 0, 4 };

	assert_int_equal(client_map(&w->c, 0, 16 * PAGE, fd, 0, 3), 0);
	bus_master(&w->c, true);
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
	int fd = memory(16 * PAGE);
	uint8_t *guest = view(fd, 16 * PAGE);
	static struct client_message m;

	guest[0x7010] = 1;
	assert_int_equal(world_connect(w, 1, &c), 0);
	assert_int_equal(client_hello(&c, "{\"capabilities\":{\"max_msg_fds\":1}}"), 0);
	assert_int_equal(client_map(&c, 0, 16 * PAGE, fd, 0, 3), 0);
	bus_master(&c, true);
	assert_int_equal(client_receive(&c, &m), -EAGAIN);
	client_close(&c);
	munmap(guest, 16 * PAGE);
	close(fd);
}

/* --- other commands --- */

static void what_we_do_not_have_is_declined(void **state)
{
	static const struct { uint16_t command; uint32_t size; int rc; } rows[] = {
		{ VU_DIRTY_PAGES, 16, -EOPNOTSUPP },   { VU_DEVICE_FEATURE, 8, -EOPNOTSUPP },
		{ VU_MIG_DATA_READ, 8, -EOPNOTSUPP },  { VU_MIG_DATA_WRITE, 100, -EOPNOTSUPP },
		{ VU_DMA_READ, 16, -EINVAL },          { VU_DMA_WRITE, 32, -EINVAL },
		{ 0, 0, -ENOSYS },                     { VU_COMMANDS, 0, -ENOSYS },
		{ 65535, 100, -ENOSYS },
	};
	struct world *w = *state;
	uint8_t body[100] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(client_call(&w->c, rows[i].command, body, rows[i].size, NULL, 0, NULL, 0), rows[i].rc);
}

static void no_doorbell_goes_around_the_socket(void **state)
{
	struct world *w = *state;
	struct vu_region_io_fds io = { .argsz = 4096 };

	assert_int_equal(client_call(&w->c, VU_GET_REGION_IO_FDS, &io, sizeof(io), NULL, 0, &io, sizeof(io)), 16);
	assert_int_equal(io.count, 0);
	assert_int_equal(io.argsz, 16);
	io.index = VU_REGIONS;
	assert_int_equal(client_call(&w->c, VU_GET_REGION_IO_FDS, &io, sizeof(io), NULL, 0, NULL, 0), -EINVAL);
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
		assert_int_equal(client_call(&w->c, command, body, 8192 - 16, NULL, 0, NULL, 0) >= 0, 0);
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
	int fd = memory(4 * PAGE);
	static struct client_message m;

	for (size_t cut = 1; cut < 48; cut++) {
		struct { struct vu_header h; struct vu_dma_map map; } one = {
			{ .command = VU_DMA_MAP, .size = 48 }, { 32, 3, 0, 0x100000, PAGE }
		}, rom = one, two = one;
		rom.map.iova = 0x200000;
		rom.map.flags = 1;
		two.map.iova = 0x300000;
		two.map.offset = PAGE;
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
		bus_master(&w->c, true);
		assert_non_null(mem_pointer(&w->t[0]->nic.mem, 0x100000, PAGE, MEM_WRITE));
		assert_null(mem_pointer(&w->t[0]->nic.mem, 0x200000, PAGE, MEM_READ));
		assert_non_null(mem_pointer(&w->t[0]->nic.mem, 0x300000, PAGE, MEM_WRITE));
		bus_master(&w->c, false);
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
	assert_int_equal(client_call(&w->c, VU_REGION_WRITE, body, sizeof(body), &fd, 1, NULL, 0), -EMSGSIZE);
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
		{ .command = VU_DMA_READ, .size = 16, .flags = VU_REPLY },       /* nobody asked */
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
	struct { struct vu_header h; struct vu_region_access a; } read = {
		{ .command = VU_REGION_READ, .size = 32 }, { TEST_COUNT, 0, 4 }
	};
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
	int ram = memory(16 * PAGE), fd[3] = { event_descriptor(), event_descriptor(), event_descriptor() };
	int before = open_descriptors();
	struct vu_header half = { .command = VU_DMA_MAP, .size = 48 };

	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(client_map(&w->c, 0, 16 * PAGE, ram, 0, 3), 0);
		assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_INTX, 0, 1, fd, 1), 0);
		assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_UNMASK, PCI_INTX, 0, 1, fd, 1), 0);
		assert_int_equal(client_set_irqs(&w->c, VU_IRQ_DATA_EVENTFD | VU_IRQ_TRIGGER, PCI_MSIX, 0, 3, fd, 3), 0);
		client_write32(&w->c, VU_BAR0, TEST_SCRATCH, round);
		client_write32(&w->c, VU_BAR0, TEST_LEVEL, 1);
		bus_master(&w->c, true);
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

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		STORY(intx_is_signalled_again_on_unmask_while_the_level_is_up),
		STORY(kvm_tells_the_end_of_intx_by_an_eventfd),
		STORY(an_end_of_interrupt_that_is_no_eventfd_does_no_harm),
		STORY(msix_is_enabled_in_the_odd_order_of_qemu),
		STORY(several_vectors_come_in_one_message_and_fire_by_hand),
		STORY(a_vector_with_a_blocking_descriptor_does_not_stop_the_server),
		STORY(wrong_interrupt_requests_are_refused),
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
		STORY(what_we_do_not_have_is_declined),
		STORY(no_doorbell_goes_around_the_socket),
		STORY(every_command_of_a_wrong_size_is_refused),
		STORY(descriptors_where_none_belong_are_closed_and_refused),
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

	log_set_sink(quiet);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
