/* virtio_loop.c - what a looped frame costs on a virtio card, and nothing else: guest driver, card, port and backend loop in one
 * thread, no socket and no other core. The driver is the tests' own; only the turns of our side are counted, in nanoseconds and,
 * where the kernel lets us count them, instructions. Those hardly differ from run to run, so that a change of a few shows.
 *
 * Usage: virtio_loop [TURNS]
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../drivers/virtio_driver.h"
#include "port/port.h"

#define BATCH  64u
#define BUFFER 2048u
#define HEADER 12u

static struct port_scratch scratch;

/* Instructions of this thread in user space, off; -1: nobody counts them here. */
static int open_counter(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_HARDWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_HW_INSTRUCTIONS,
					.disabled = 1,
					.exclude_kernel = 1,
					.exclude_hv = 1 };

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct vd *make_card(struct port *port, bool packed)
{
	struct nic_spec spec = { .rev = -1, .bootindex = -1, .packed = packed };
	struct backend_spec loop = { .type = "loop" };
	struct port_spec name = { .id = "net0", .nics = 1 };
	const bool up[PORT_NICS] = { true };
	struct error err = { 0 };
	struct vd *d = vd_create(&spec, &err);
	struct backend *b = backend_create(&loop, &err);

	if (!d || !b || port_scratch_init(&scratch) < 0 ||
	    port_init(port, &name, b, &d->nic, 1, &scratch, &err) < 0) {
		fprintf(stderr, "virtio_loop: %s\n", err.text);
		exit(1);
	}
	port_set_links(port, up, 0, -1);
	d->nic->polled = true;
	vd_up(d, F(VD_VERSION_1) | F(VD_MRG_RXBUF) | (packed ? F(VD_PACKED) : 0));
	return d;
}

/* The driver's part of a turn: takes back what was used, gives as many buffers, sends a batch. */
static void drive(struct vd *d, uint64_t buffers, uint32_t size)
{
	uint64_t at;

	while (vd_get(d, 1, &at, NULL))
		continue;
	while (vd_get(d, 0, &at, NULL)) {
		struct vd_piece p = { at, BUFFER };
		vd_add(d, 0, NULL, 0, &p, 1, at);
	}
	for (unsigned i = 0; i < BATCH; i++) {
		struct vd_piece p = { buffers + i * BUFFER, HEADER + size };
		vd_add(d, 1, &p, 1, NULL, 0, 0);
	}
}

static void run(bool packed, uint32_t size, unsigned turns)
{
	static struct port port;
	struct vd *d = make_card(&port, packed);
	uint64_t buffers = vd_alloc(d, (size_t)BATCH * BUFFER, 64), ns = 0, instructions = 0;
	int counter = open_counter();

	vd_give(d, 0, VD_RING_MAX, BUFFER);
	for (unsigned i = 0; i < turns; i++) {
		drive(d, buffers, size);
		d->nic->notes.runnable |= d->nic->pollable;
		ioctl(counter, PERF_EVENT_IOC_ENABLE);
		uint64_t before = cpu_ns();
		while (port_transmit(&port))
			continue;
		while (port_receive(&port, 0))
			continue;
		ns += cpu_ns() - before;
		ioctl(counter, PERF_EVENT_IOC_DISABLE);
	}
	uint64_t frames = d->nic->counters.rx_frames;
	if (frames != (uint64_t)turns * BATCH) {
		fprintf(stderr, "virtio_loop: %llu frames came back\n", (unsigned long long)frames);
		exit(1);
	}
	printf("%s ring, %u B: %.1f ns", packed ? "packed" : "split", size,
	       (double)ns / (double)frames);
	if (counter >= 0 &&
	    read(counter, &instructions, sizeof(instructions)) == sizeof(instructions))
		printf(", %.0f instructions", (double)instructions / (double)frames);
	printf(" a frame\n");
	if (counter >= 0)
		close(counter);
	port.nics = 0; /* the driver's */
	port_finish(&port);
	port_scratch_finish(&scratch);
	vd_destroy(d);
}

int main(int argc, char **argv)
{
	unsigned turns = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20000;
	static const uint32_t sizes[] = { 64, 1500 };

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		run(false, sizes[i], turns);
		run(true, sizes[i], turns);
	}
	return 0;
}
