/* What one turn of a worker costs at most: sixteen queues of the 82576, each full of frames of 64 KiB whose checksum is made in software,
 * through a real port. How long the longest turn took is printed, not judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "machine.h"
#include "port/port.h"

#define QUEUES	16u
#define RING	72u /* a multiple of 8 descriptors, above a batch */
#define FRAMES	70u /* of each queue, behind one context */
#define LENGTH	65535u
#define RING_AT (RAM_AT + 0x1000)
#define DATA_AT (RAM_AT + 0x40000)

enum { TCTL = 0x400, TX = 0xe000, TDLEN = 8, TDH = 16, TDT = 24, TXDCTL = 40 };

static uint64_t frames_out, bytes_out;

/* As the stream backend: no offloads, and the bytes leave the frame. */
static unsigned sink_send(struct backend *b, const struct frame *frames, unsigned n)
{
	static uint8_t copy[FRAME_MAX];

	(void)b;
	for (unsigned i = 0; i < n; i++)
		bytes_out += frame_copy_out(&frames[i], 0, copy, sizeof(copy));
	frames_out += n;
	return n;
}

static unsigned sink_receive(struct backend *b, unsigned queue, struct frame *frames, unsigned max)
{
	(void)b, (void)queue, (void)frames, (void)max;
	return 0;
}

static uint32_t sink_offloads(const struct backend *b)
{
	(void)b;
	return 0;
}

static void sink_finish(struct backend *b)
{
	(void)b;
}

static const struct backend_ops sink_ops = { .name = "sink",
					     .send = sink_send,
					     .receive = sink_receive,
					     .offloads = sink_offloads,
					     .finish = sink_finish };

static struct machine *m;
static struct port port;
static struct port_scratch scratch;

static void w(uint32_t at, uint32_t value)
{
	pci_bar_write(&m->nic->pci, 0, at, 4, value);
}

/* Not the clock on the wall: the machine has other work. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void fill_ring(unsigned q)
{
	uint8_t *p = machine_at(m, RING_AT + q * RING * 16);

	put_le64(p, 20 | 14u << 9); /* IPv4 behind Ethernet; TCP */
	put_le64(p + 8, BIT(29) | 2u << 20 | BIT(11));
	for (unsigned i = 1; i <= FRAMES; i++) {
		put_le64(p + 16 * i, DATA_AT);
		put_le32(p + 16 * i + 8, LENGTH | BIT(24) | BIT(25) | BIT(29) | 3u << 20);
		put_le32(p + 16 * i + 12, LENGTH << 14 | BIT(9));
	}
	w(TX + 0x40 * q, RING_AT + q * RING * 16);
	w(TX + 0x40 * q + TDLEN, RING * 16);
	w(TX + 0x40 * q + TXDCTL, BIT(25));
}

static void set_up(void)
{
	struct port_spec spec = { .id = "net0", .nics = 1 };
	struct backend *b = calloc(1, sizeof(*b));
	const bool up[PORT_NICS] = { true };

	m = machine_create("igb", -1, NULL);
	assert_non_null(m);
	assert_non_null(b);
	b->ops = &sink_ops;
	machine_set_bus(m, true);
	memset(machine_at(m, DATA_AT), 0x45, LENGTH);
	assert_int_equal(port_scratch_init(&scratch), 0);
	assert_int_equal(port_init(&port, &spec, b, &m->nic, 1, &scratch, NULL), 0);
	port_set_links(&port, up, 0, -1);
	w(TCTL, BIT(1));
	for (unsigned q = 0; q < QUEUES; q++)
		fill_ring(q);
	for (unsigned q = 0; q < QUEUES; q++)
		w(TX + 0x40 * q + TDT, FRAMES + 1);
}

static void tear_down(void)
{
	port.nics = 0; /* the machine's */
	port_finish(&port);
	port_scratch_finish(&scratch);
	machine_destroy(m);
}

static void a_turn_takes_a_bounded_part_of_sixteen_full_queues(void **state)
{
	uint64_t longest_ns = 0, most = 0;
	unsigned turns = 0;
	bool more = true;

	(void)state;
	set_up();
	while (more && turns++ < 1000) {
		uint64_t begin = cpu_ns(), before = bytes_out;
		more = port_transmit(&port);
		longest_ns = MAX(longest_ns, cpu_ns() - begin);
		most = MAX(most, bytes_out - before);
	}
	assert_int_equal(frames_out, QUEUES * FRAMES);
	assert_int_equal(bytes_out, (uint64_t)QUEUES * FRAMES * LENGTH);
	print_message("%u turns of at most %llu KiB, the longest %llu us\n", turns,
		      (unsigned long long)(most >> 10), (unsigned long long)(longest_ns / 1000));
	assert_true(most <= PORT_TURN_BYTES + BATCH_BYTES + LENGTH);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_takes_a_bounded_part_of_sixteen_full_queues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
