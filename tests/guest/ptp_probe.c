/* ptp_probe.c - a card's IEEE 1588 clock and stamps, through Linux' own interfaces. Linked statically: the guest has no C library.
 *
 * clock IFACE: how the clock of the card runs beside CLOCK_MONOTONIC, and what setting and tuning it does.
 * stamp IFACE N: sends N sync messages over Ethernet, asks for the time at which each left, and takes the times of N that come in.
 * Each prints one line of `key=value` words.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define ETHERTYPE_PTP 0x88f7
#define SECOND	      1000000000ll
#define CLOCK_OF(fd)                                                                               \
	((clockid_t)((~(unsigned)(fd) << 3) | 3)) /* as the kernel's PTP interface asks */

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int64_t now(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		exit(fail("clock_gettime"));
	return t.tv_sec * SECOND + t.tv_nsec;
}

static int ask(const char *iface, int request, void *data)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(ifr.ifr_name, iface, IFNAMSIZ - 1);
	ifr.ifr_data = data;
	int rc = ioctl(fd, (unsigned)request, &ifr);
	close(fd);
	return rc;
}

static int open_clock(const char *iface)
{
	struct ethtool_ts_info info = { .cmd = ETHTOOL_GET_TS_INFO };
	char path[32];

	if (ask(iface, SIOCETHTOOL, &info) < 0 || info.phc_index < 0)
		return -1;
	snprintf(path, sizeof(path), "/dev/ptp%d", info.phc_index);
	return open(path, O_RDWR);
}

/* Both clocks at one moment: the closest of many tries, for the guest may be stopped between two instructions. */
struct moment {
	double monotonic, card;
};

static struct moment look(clockid_t card)
{
	struct moment best = { 0 };
	int64_t closest = INT64_MAX;

	for (unsigned i = 0; i < 50; i++) {
		int64_t before = now(CLOCK_MONOTONIC), c = now(card), after = now(CLOCK_MONOTONIC);
		if (after - before >= closest)
			continue;
		closest = after - before;
		best = (struct moment){ (double)(before + after) / 2, (double)c };
	}
	return best;
}

/* How much faster than CLOCK_MONOTONIC it runs, in parts per million. */
static double rate(clockid_t card)
{
	struct moment begin = look(card);
	sleep(2);
	struct moment end = look(card);

	return ((end.card - begin.card) / (end.monotonic - begin.monotonic) - 1) * 1e6;
}

static int clock_command(char **argv)
{
	int fd = open_clock(argv[0]);
	struct timespec t = { .tv_sec = 1000000 };
	struct timex by = { .modes = ADJ_SETOFFSET | ADJ_NANO, .time = { .tv_sec = -10 } };
	struct timex tune = { .modes = ADJ_FREQUENCY, .freq = 500 * 65536 };

	if (fd < 0)
		return fail("clock");
	clockid_t card = CLOCK_OF(fd);
	double own = rate(card);
	if (clock_settime(card, &t) < 0)
		return fail("clock_settime");
	double set = (double)(now(card) - t.tv_sec * SECOND) / 1e6;
	if (clock_adjtime(card, &by) < 0)
		return fail("clock_adjtime offset");
	double moved = (double)(now(card) - (t.tv_sec - 10) * SECOND) / 1e6;
	if (clock_adjtime(card, &tune) < 0)
		return fail("clock_adjtime frequency");
	double tuned = rate(card);
	printf("rate_ppm=%.1f set_ms=%.3f moved_ms=%.3f tuned_ppm=%.1f\n", own, set, moved, tuned);
	return 0;
}

/* The time that the card took, out of a message's control data; 0: none. */
static int64_t stamp_of(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct scm_timestamping stamps;
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING)
			continue;
		memcpy(&stamps, CMSG_DATA(c), sizeof(stamps));
		return stamps.ts[2].tv_sec * SECOND + stamps.ts[2].tv_nsec;
	}
	return 0;
}

static int64_t take(int fd, int flags, int events)
{
	uint8_t data[256], control[512];
	struct iovec piece = { data, sizeof(data) };
	struct msghdr msg = { .msg_iov = &piece,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct pollfd p = { .fd = fd, .events = (short)events };

	if (poll(&p, 1, 5000) <= 0 || recvmsg(fd, &msg, flags) < 0)
		return 0;
	return stamp_of(&msg);
}

static int open_messages(const char *iface)
{
	struct hwtstamp_config config = { .tx_type = HWTSTAMP_TX_ON,
					  .rx_filter = HWTSTAMP_FILTER_PTP_V2_EVENT };
	struct sockaddr_ll here = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETHERTYPE_PTP),
				    .sll_ifindex = (int)if_nametoindex(iface) };
	unsigned flags = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE |
			 SOF_TIMESTAMPING_RAW_HARDWARE;
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETHERTYPE_PTP));

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    ask(iface, SIOCSHWTSTAMP, &config) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) < 0)
		return -1;
	return fd;
}

static int stamp_command(char **argv)
{
	uint8_t frame[60] = { 0x01, 0x1b, 0x19, 0, 0, 0, 0x52, 0x54, 0, 0, 0, 1, 0x88, 0xf7, 0, 2 };
	int clock_fd = open_clock(argv[0]), fd = open_messages(argv[0]), count = atoi(argv[1]);
	int sent = 0, received = 0, wrong = 0;

	if (clock_fd < 0 || fd < 0)
		return fail("stamp");
	for (int i = 0; i < count; i++) {
		int64_t before = now(CLOCK_OF(clock_fd));
		frame[45] = (uint8_t)i; /* sequence number: the peer answers with the same one */
		if (send(fd, frame, sizeof(frame), 0) < 0)
			return fail("send");
		int64_t out = take(fd, MSG_ERRQUEUE, 0), in = take(fd, 0, POLLIN);
		int64_t after = now(CLOCK_OF(clock_fd));
		sent += out != 0;
		received += in != 0;
		wrong += out < before || in < out || in > after;
	}
	printf("sent=%d received=%d wrong=%d\n", sent, received, wrong);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "clock") == 0)
		return clock_command(argv + 2);
	if (argc == 4 && strcmp(argv[1], "stamp") == 0)
		return stamp_command(argv + 2);
	fprintf(stderr, "ptp_probe: clock IFACE, or stamp IFACE N\n");
	return 2;
}
