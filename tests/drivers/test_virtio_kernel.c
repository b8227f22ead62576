/* Rings in the kernel's vhost-net, with a driver that may be wrong or hostile. Needs a kernel that has it: tests/lab/vhost_driver.py
 * runs it on the lab host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "net/offload.h"
#include "nic/virtio/kernel.h"
#include "virtio_driver.h"

#define NODE	"/dev/vhost-net"
#define LENGTH	100
#define WAIT_MS 5000
#define BASIC	(F(VD_VERSION_1) | F(VD_MAC) | F(VD_STATUS) | F(VD_MRG_RXBUF))
#define OWN	0x88b5 /* for experiments: the host itself sends none of these */

struct wire {
	int tap, sock;
	struct vd *d;
};

static const uint8_t everybody[LENGTH] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,
					   0,	 0,    0,    1,	   0x88, 0xb5, 7 };

static int open_tap(struct ifreq *ifr)
{
	int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int size = 12, sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(tap >= 0);
	*ifr = (struct ifreq){ .ifr_name = "kern%d",
			       .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	assert_int_equal(ioctl(tap, TUNSETIFF, ifr), 0);
	assert_int_equal(ioctl(tap, TUNSETVNETHDRSZ, &size), 0);
	ifr->ifr_flags = IFF_UP;
	assert_int_equal(ioctl(sock, SIOCSIFFLAGS, ifr), 0);
	close(sock);
	return tap;
}

static int setup(void **state)
{
	static struct wire w;
	struct ifreq ifr;
	struct error err = { 0 };
	int vhost = open(NODE, O_RDWR | O_CLOEXEC);

	assert_true(vhost >= 0);
	w.tap = open_tap(&ifr);
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(OWN),
				  .sll_ifindex = (int)if_nametoindex(ifr.ifr_name) };
	w.sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(OWN));
	assert_int_equal(bind(w.sock, (struct sockaddr *)&at, sizeof(at)), 0);
	w.d = vd_create(NULL, NULL);
	assert_non_null(w.d);
	vd_use_msix(w.d);
	if (virtio_kernel_init(w.d->nic, &vhost, 1, FRAME_OFFLOADS_ALL, &err) < 0)
		fail_msg("%s", err.text);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct wire *w = *state;

	vd_destroy(w->d);
	close(w->tap);
	close(w->sock);
	return 0;
}

/* The driver is ready, and the kernel has its rings. */
static void take(struct wire *w)
{
	unsigned header = 0;

	assert_int_equal(virtio_kernel_wish(w->d->nic, &header), 1);
	assert_int_equal(header, 12);
	virtio_kernel_take(w->d->nic, &w->tap, 1);
	assert_int_equal(virtio_kernel_has(w->d->nic), 1);
}

static void ready(struct wire *w)
{
	vd_up(w->d, BASIC);
	vd_give(w->d, 0, 32, 2048);
	vd_poke(w->d, 0);
	take(w);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, WAIT_MS) == 1;
}

static void expect_sent(struct wire *w)
{
	uint8_t seen[2048];

	assert_true(readable(w->sock));
	assert_int_equal(recv(w->sock, seen, sizeof(seen), 0), LENGTH);
	assert_memory_equal(seen, everybody, LENGTH);
}

static void expect_received(struct wire *w)
{
	uint8_t seen[2048];
	int got = -1;

	for (unsigned i = 0; i < WAIT_MS && got < 0; i++) {
		got = vd_receive(w->d, 0, seen, sizeof(seen), NULL);
		if (got < 0)
			usleep(1000);
		else if (seen[12] != OWN >> 8) /* the host greets its new interface */
			got = -1;
	}
	assert_int_equal(got, LENGTH);
	assert_memory_equal(seen, everybody, LENGTH);
}

static void both_ways(struct wire *w)
{
	vd_send(w->d, 0, everybody, LENGTH);
	vd_kick(w->d, 1);
	expect_sent(w);
	assert_int_equal(send(w->sock, everybody, LENGTH, 0), LENGTH);
	expect_received(w);
}

static void frames_go_through_the_kernel_and_interrupts_come_from_it(void **state)
{
	struct wire *w = *state;

	ready(w);
	vd_interrupts(w->d, w->d->vector_fd[1]);
	vd_want_interrupt(w->d, 0, true);
	for (unsigned i = 0; i < 20; i++)
		both_ways(w);
	assert_true(vd_interrupts(w->d, w->d->vector_fd[1]) > 0);
	assert_int_equal(w->d->frames, 0);
	assert_int_equal(w->d->nic->counters.tx_frames, 0);
}

static void rings_come_back_where_the_kernel_left_them_many_times(void **state)
{
	struct wire *w = *state;

	ready(w);
	for (unsigned i = 0; i < 100; i++) {
		both_ways(w);
		virtio_kernel_give_back(w->d->nic);
		assert_int_equal(virtio_kernel_has(w->d->nic), 0);
		vd_run(w->d);
		/* now through us */
		unsigned frames = w->d->frames;
		vd_send(w->d, 0, everybody, LENGTH);
		vd_kick(w->d, 1);
		assert_int_equal(w->d->frames, frames + 1);
		vd_clear_wire(w->d);
		assert_int_equal(vd_say(w->d, everybody, LENGTH), 1);
		expect_received(w);
		vd_give(w->d, 0, 2, 2048);
		vd_poke(w->d, 0);
		take(w);
	}
}

static void an_interrupt_without_an_eventfd_of_the_vmms_goes_through_the_card(void **state)
{
	struct wire *w = *state;
	struct pci_device *dev = &w->d->nic->pci;

	ready(w);
	/* the guest masks the vector: the VMM takes its eventfd away */
	int keep = dup(w->d->vector_fd[1]);
	assert_int_equal(pci_irq_set_fd(dev, PCI_MSIX, 1, -1), 0);
	virtio_kernel_settle(w->d->nic);
	vd_want_interrupt(w->d, 0, true);
	assert_int_equal(send(w->sock, everybody, LENGTH, 0), LENGTH);
	assert_true(readable(virtio_kernel_fd(w->d->nic, 0)));
	virtio_kernel_event(w->d->nic, 0);
	assert_true(dev->pending[PCI_MSIX] & 2);
	assert_int_equal(pci_irq_set_fd(dev, PCI_MSIX, 1, keep), 0);
	assert_true(readable(keep)); /* what was pending comes with the unmasking */
	virtio_kernel_settle(w->d->nic);
	expect_received(w);
	both_ways(w);
}

static void expect_failed(struct wire *w)
{
	assert_true(readable(virtio_kernel_fd(w->d->nic, 1)));
	virtio_kernel_event(w->d->nic, 1);
	assert_int_equal(virtio_kernel_has(w->d->nic), 0);
	nic_update_status(w->d->nic);
	assert_int_equal(vd_status(w->d) & VD_NEEDS_RESET, VD_NEEDS_RESET);
	assert_int_equal(w->d->nic->status.now.state, DRIVER_FAILED);
	assert_non_null(strstr(w->d->nic->status.now.evidence, "says the kernel"));
	unsigned header;
	assert_int_equal(virtio_kernel_wish(w->d->nic, &header), 0);
	/* and works again after a reset */
	ready(w);
	both_ways(w);
}

/* Says that descriptor `head` is available, whatever that is. */
static void offer(struct vd *d, unsigned queue, uint16_t head, uint16_t ahead)
{
	struct vd_queue *q = &d->q[queue];

	put_le16(vd_at(d, q->driver + 4 + 2u * (q->next % q->size)), head);
	q->next = (uint16_t)(q->next + ahead);
	put_le16(vd_at(d, q->driver + 2), q->next);
	vd_poke(d, queue);
}

static void a_descriptor_outside_the_table_fails_the_device(void **state)
{
	struct wire *w = *state;

	ready(w);
	offer(w->d, 1, 0xfff0, 1);
	expect_failed(w);
}

static void an_index_that_jumps_fails_the_device(void **state)
{
	struct wire *w = *state;

	ready(w);
	offer(w->d, 1, 0, 0x4000);
	expect_failed(w);
}

static void a_descriptor_that_points_to_itself_fails_the_device(void **state)
{
	struct wire *w = *state;

	ready(w);
	uint8_t *desc = vd_at(w->d, w->d->q[1].desc);
	put_le64(desc, VD_RAM_AT);
	put_le32(desc + 8, 16);
	put_le16(desc + 12, 1);
	put_le16(desc + 14, 0);
	offer(w->d, 1, 0, 1);
	expect_failed(w);
}

static void what_the_kernel_refuses_fails_the_device(void **state)
{
	struct wire *w = *state;
	int none = virtio_kernel_fd(w->d->nic, 0); /* no tap */

	vd_up(w->d, BASIC);
	vd_give(w->d, 0, 32, 2048);
	vd_poke(w->d, 0);
	virtio_kernel_take(w->d->nic, &none, 1);
	assert_int_equal(virtio_kernel_has(w->d->nic), 0);
	assert_int_equal(vd_status(w->d) & VD_NEEDS_RESET, VD_NEEDS_RESET);
	ready(w);
	both_ways(w);
}

static void memory_bus_master_and_reset_take_the_rings_from_the_kernel(void **state)
{
	struct wire *w = *state;
	struct nic *nic = w->d->nic;

	ready(w);
	assert_int_equal(mem_unmap(&nic->mem, VD_RAM_AT, VD_RAM_SIZE), 0);
	assert_int_equal(virtio_kernel_has(nic), 0);
	vd_map(w->d);
	vd_run(w->d);
	take(w);
	both_ways(w);
	vd_bus_master(w->d, false);
	assert_int_equal(virtio_kernel_has(nic), 0);
	vd_bus_master(w->d, true);
	vd_run(w->d);
	take(w);
	both_ways(w);
	vd_set_status(w->d, 0);
	assert_int_equal(virtio_kernel_has(nic), 0);
	ready(w);
	nic_reset(nic, RESET_PCI);
	assert_int_equal(virtio_kernel_has(nic), 0);
}

/* A guest that writes anything at all over its rings while the kernel works on them: what it has is its own memory. */
static void noise_in_the_rings_harms_nobody_but_the_guest(void **state)
{
	struct wire *w = *state;
	unsigned failures = 0;
	uint8_t *beside =
		mmap(NULL, VD_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(beside, MAP_FAILED);
	memset(beside, 0x5a, VD_RAM_SIZE);
	srand(4);
	for (unsigned round = 0; round < 200; round++) {
		ready(w);
		for (unsigned i = 0; i < 60; i++) {
			const struct vd_queue *q = &w->d->q[rand() % 2];
			const uint64_t area[] = { q->desc, q->driver, q->device };
			unsigned at = (unsigned)rand() % 3;

			*vd_at(w->d, area[at] + (unsigned)rand() % (at == 0 ? 64 : 16)) =
				(uint8_t)(rand() % 4 ? rand() % 8 : rand());
			vd_poke(w->d, q->number);
			send(w->sock, everybody, LENGTH, 0);
		}
		virtio_kernel_event(w->d->nic, 1);
		failures += !virtio_kernel_has(w->d->nic);
		virtio_kernel_give_back(w->d->nic);
		for (unsigned i = 0; i < 2; i++)
			vd_poke(w->d, i);
		vd_run(w->d);
	}
	for (unsigned i = 0; i < VD_RAM_SIZE; i++)
		if (beside[i] != 0x5a)
			fail_msg("memory that is not the guest's was written");
	munmap(beside, VD_RAM_SIZE);
	assert_in_range(failures, 20, 200); /* the noise did reach the rings */
	while (recv(w->sock, &(uint8_t[2048]){ 0 }, 2048, 0) > 0)
		continue;
	ready(w);
	vd_send(w->d, 0, everybody, LENGTH);
	vd_kick(w->d, 1);
	expect_sent(w);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(frames_go_through_the_kernel_and_interrupts_come_from_it),
		T(rings_come_back_where_the_kernel_left_them_many_times),
		T(an_interrupt_without_an_eventfd_of_the_vmms_goes_through_the_card),
		T(a_descriptor_outside_the_table_fails_the_device),
		T(an_index_that_jumps_fails_the_device),
		T(a_descriptor_that_points_to_itself_fails_the_device),
		T(what_the_kernel_refuses_fails_the_device),
		T(memory_bus_master_and_reset_take_the_rings_from_the_kernel),
		T(noise_in_the_rings_harms_nobody_but_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
