/* model_cost.c - what a model costs for one more packet: CPU time of the process that serves the card, the difference between
 * a batch of many packets and one of few, so that doorbells, sockets and wake-ups cancel. Ours runs in the real datapath process
 * and is driven over vfio-user, QEMU's in a QEMU without a CPU and is driven over qtest; both by the driver in model_card.c,
 * in turns. "bare" is the system call alone, on a tap of the same kind: no model gets below it, frame by frame. Medians of rounds.
 *
 * Usage: model_cost DATAPATH QEMU [ROUNDS [REPEATS [MODEL]...]]; either may be "-". Makes a network namespace for its taps.
 * BENCH_FIGURE in the environment is a part of the names of the figures that are wanted: for a profiler.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "model_card.h"
#include "../unit/netns.h"

#define ROUNDS_MAX 51u

enum figure { TX_NOWHERE, TX_TAP, RX_TAP, STREAM_TAP, TSO_TAP, FIGURES };

static const struct {
	const char *name;
	bool tap;
	unsigned divisor; /* packets are so many segments each */
} figures[FIGURES] = {
	[TX_NOWHERE] = { "TX without a backend", false, 1 },
	[TX_TAP] = { "TX to a tap", true, 1 },
	[RX_TAP] = { "RX from a tap", true, 1 },
	[STREAM_TAP] = { "TCP stream to a tap, a segment", true, 1 },
	[TSO_TAP] = { "TCP stream with TSO to a tap, a segment", true, TSO_SEGMENTS },
};

/* Who is measured: the name of a side, and of its tap. */
enum who { ANYNIC, QEMU, BARE, SIDES };
static const char *const side_names[SIDES] = { "anynic", "QEMU", "bare" };

struct side {
	enum who who;
	const char *program;
	const char *device;
	struct bus bus;
	struct card card;
	int tap, packet; /* the tap, and a socket that puts frames into it from the host's side */
	double ns[FIGURES][ROUNDS_MAX];
};

static void die(const char *what)
{
	fprintf(stderr, "model_cost: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A tap that is up, without IPv6: no frame but ours. */
static void make_tap(struct side *s)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	struct sockaddr_ll at = { .sll_family = AF_PACKET };
	char path[80];
	int one = 1;

	str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), side_names[s->who]);
	s->tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (s->tap < 0 || ioctl(s->tap, TUNSETIFF, &ifr) < 0)
		die("a tap");
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", ifr.ifr_name);
	write_file(path, "1");
	s->packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	at.sll_ifindex = (int)if_nametoindex(ifr.ifr_name);
	if (s->packet < 0 || set_link(ifr.ifr_name, true) < 0 ||
	    setsockopt(s->packet, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0 ||
	    bind(s->packet, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("the tap's other side");
}

static void close_side(struct side *s)
{
	bus_stop(&s->bus);
	fd_close(&s->tap);
	fd_close(&s->packet);
}

/* The driver for QEMU's device, which may be another card than ours. */
static const struct card_model *driver_of(const struct side *s, const struct card_model *model)
{
	unsigned i = 0;

	while (s->who == QEMU && i < card_model_count &&
	       strcmp(card_models[i].name, model->qemu) != 0)
		i++;
	return s->who == QEMU && i < card_model_count ? &card_models[i] : model;
}

static bool open_side(struct side *s, const struct card_model *model, bool with_tap)
{
	bool ok = true;

	s->tap = s->packet = -1;
	s->card.model = model;
	if (with_tap)
		make_tap(s);
	if (s->who == ANYNIC)
		ok = bus_start_ours(&s->bus, s->program, s->device, model->bar, s->tap);
	else if (s->who == QEMU)
		ok = bus_start_qemu(&s->bus, s->program, s->device, model->bar, s->tap);
	if (ok && s->who != BARE)
		card_open(&s->card, driver_of(s, model), &s->bus);
	if (!ok && !with_tap) /* said once */
		printf("%s: not measured: %s: %s\n", model->name, side_names[s->who], s->bus.error);
	return ok;
}

static void put_into_tap(struct side *s, unsigned n)
{
	uint8_t frame[SMALL_FRAME] = { 0x52, 0x54, 0, 1, 2, 3, 0x52, 0x54, 0, 9, 9, 9, 0x88, 0xb5 };

	for (unsigned i = 0; i < n; i++)
		if (send(s->packet, frame, sizeof(frame), 0) != sizeof(frame))
			die("sending into the tap");
}

/* Frames that wait in the tap when the process goes on: it finds them all at once. */
static bool receive_batch(struct side *s, unsigned n)
{
	bus_freeze(&s->bus);
	put_into_tap(s, n);
	bus_thaw(&s->bus);
	return card_receive(&s->card, n);
}

/* --- the system call alone --- */

static uint64_t thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double bare_ns(struct side *s, enum figure figure, unsigned repeats)
{
	static uint8_t frame[sizeof(struct virtio_net_hdr) + 65536];
	const struct virtio_net_hdr large = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					      .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
					      .hdr_len = STREAM_HEADERS,
					      .gso_size = STREAM_MSS,
					      .csum_start = 34,
					      .csum_offset = 16 };
	size_t header = sizeof(large), length = header + SMALL_FRAME;
	unsigned n = s->card.model->many;

	memset(frame, 0, header);
	card_put_frame(frame + header, figure == TX_TAP ? PACKET_SMALL : PACKET_SEGMENT);
	if (figure == STREAM_TAP)
		length = header + STREAM_HEADERS + STREAM_MSS;
	if (figure == TSO_TAP) {
		memcpy(frame, &large, header);
		length = header + STREAM_HEADERS + TSO_SEGMENTS * STREAM_MSS;
		card_put_frame(frame + header, PACKET_LARGE);
	}
	uint64_t cpu = 0;
	for (unsigned i = 0; i < repeats; i++) {
		if (figure == RX_TAP)
			put_into_tap(s, n);
		uint64_t before = thread_cpu_ns();
		for (unsigned j = 0; j < n; j++)
			if ((figure == RX_TAP ? read(s->tap, frame, sizeof(frame))
					      : write(s->tap, frame, length)) < 0)
				die("the tap");
		cpu += thread_cpu_ns() - before;
	}
	return (double)cpu / repeats / n / figures[figure].divisor;
}

/* --- figures --- */

static bool one_batch(struct side *s, enum figure figure, unsigned n)
{
	switch (figure) {
	case RX_TAP:
		return receive_batch(s, n);
	case STREAM_TAP:
		return card_send(&s->card, PACKET_SEGMENT, n);
	case TSO_TAP:
		return card_send(&s->card, PACKET_LARGE, n);
	default:
		return card_send(&s->card, PACKET_SMALL, n);
	}
}

/* CPU nanoseconds of one batch of `n`. */
static double batch_ns(struct side *s, enum figure figure, unsigned n, unsigned repeats)
{
	uint64_t before = bus_cpu_ns(&s->bus);

	for (unsigned i = 0; i < repeats; i++) {
		if (!one_batch(s, figure, n)) {
			fprintf(stderr, "model_cost: %s of %s: %s: the card did nothing\n",
				s->card.model->name, side_names[s->who], figures[figure].name);
			exit(1);
		}
	}
	return (double)(bus_cpu_ns(&s->bus) - before) / repeats;
}

static double slope_ns(struct side *s, enum figure figure, unsigned repeats)
{
	if (s->who == BARE)
		return bare_ns(s, figure, repeats);
	/* large packets are several descriptors and many segments each */
	unsigned scale = figure == TSO_TAP ? 8 : 1;
	unsigned few = s->card.model->few / scale, many = s->card.model->many / scale;
	double less = batch_ns(s, figure, few, repeats);
	double more = batch_ns(s, figure, many, repeats);

	return (more - less) / (many - few) / figures[figure].divisor;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[n / 2];
}

/* The first round is thrown away: caches, page tables and the process itself are cold. */
static void measure(struct side **sides, unsigned count, enum figure figure, unsigned rounds,
		    unsigned repeats)
{
	for (unsigned i = 0; i <= rounds; i++) {
		for (unsigned j = 0; j < count; j++) {
			double ns = slope_ns(sides[j], figure, repeats);
			if (i)
				sides[j]->ns[figure][i - 1] = ns;
		}
	}
}

static void report(const struct card_model *model, struct side **sides, unsigned count,
		   enum figure figure, unsigned rounds)
{
	const char *remark = model->remark;

	printf("%s, %s%s%s%s:", model->name, figures[figure].name, remark[0] ? " (" : "", remark,
	       remark[0] ? ")" : "");
	for (unsigned j = 0; j < count; j++) {
		double middle = median(sides[j]->ns[figure], rounds);
		printf(" %s %.1f ns (%.1f to %.1f)", side_names[sides[j]->who], middle,
		       sides[j]->ns[figure][0], sides[j]->ns[figure][rounds - 1]);
	}
	printf("\n");
	fflush(stdout);
}

static void measure_all(struct side **sides, unsigned count, const struct card_model *model,
			bool tap, unsigned rounds, unsigned repeats)
{
	const char *part = getenv("BENCH_FIGURE");

	for (enum figure f = 0; f < FIGURES; f++) {
		if (figures[f].tap != tap || (f == TSO_TAP && !model->tso) ||
		    (part && !strstr(figures[f].name, part)))
			continue;
		/* of few packets the doorbell is the larger part: more of them until it cancels */
		measure(sides, count, f, rounds, repeats * (tap || model->many > 64 ? 1 : 5));
		report(model, sides, count, f, rounds);
	}
}

static void measure_model(const struct card_model *model, const char *datapath, const char *qemu,
			  unsigned rounds, unsigned repeats)
{
	static struct side all[SIDES];

	for (unsigned tap = 0; tap < 2; tap++) {
		struct side *sides[SIDES];
		unsigned count = 0;
		all[ANYNIC] = (struct side){ .program = datapath, .device = model->name };
		all[QEMU] = (struct side){ .program = qemu, .device = model->qemu };
		all[BARE] = (struct side){ .program = tap ? "" : "-" };
		for (unsigned who = 0; who < SIDES; who++) {
			struct side *s = &all[who];
			s->who = who;
			if (strcmp(s->program, "-") == 0)
				continue;
			if (open_side(s, model, tap))
				sides[count++] = s;
			else
				close_side(s);
		}
		/* the bare system call without a card beside it says nothing */
		if (count > tap)
			measure_all(sides, count, model, tap, rounds, repeats);
		for (unsigned i = 0; i < count; i++)
			close_side(sides[i]);
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 3 ? (unsigned)atoi(argv[3]) : 5;
	unsigned repeats = argc > 4 ? (unsigned)atoi(argv[4]) : 200;

	if (argc < 3 || !rounds || rounds > ROUNDS_MAX || !repeats) {
		fprintf(stderr, "usage: model_cost DATAPATH QEMU [ROUNDS [REPEATS [MODEL]...]]\n");
		return 2;
	}
	if (need_tun() < 0 || enter_netns() < 0)
		return TEST_SKIPPED;
	prctl(PR_SET_TIMERSLACK, 1ul);
	for (unsigned i = 0; i < card_model_count; i++)
		if (card_wanted(card_models[i].name, argv + MIN(argc, 5)))
			measure_model(&card_models[i], argv[1], argv[2], rounds, repeats);
	return 0;
}
