/* card_probe.c - what a scenario asks of a card from inside the guest: the RSS hash of received frames, the card's clock, its
 * time stamps, and frames that leave at their time. Linked statically; each command prints `key=value` words and exits 0 when it could do its work.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ll
#define SYNC	 44 /* bytes of a PTP Sync message */

static int fail(const char *what)
{
	printf("error=%s: %s\n", what, strerror(errno));
	return 1;
}

/* --- RSS hash --- */

/* A socket that cuts each frame to 64 bytes and as many more as one byte of its hash says: so the hash comes out of a kernel that tells
 * it to packet filters only. */
static int hash_socket(const char *interface, uint16_t protocol, unsigned byte)
{
	struct sockaddr_ll where = { .sll_family = AF_PACKET,
				     .sll_protocol = htons(protocol),
				     .sll_ifindex = (int)if_nametoindex(interface) };
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RXHASH)),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 8 * byte),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 255),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 64),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), room = 1 << 22;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
	    bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0)
		return -1;
	return fd;
}

/* INTERFACE PROTOCOL OFFSET COUNT: prints the hash of COUNT frames, by the 16 bits at OFFSET, which name the flow. */
static int rx_hash(char **argv)
{
	uint16_t protocol = (uint16_t)strtoul(argv[1], NULL, 0);
	unsigned offset = (unsigned)atoi(argv[2]), count = (unsigned)atoi(argv[3]);
	static uint32_t hash[65536];
	static uint8_t seen[65536];
	int fd[4];

	for (unsigned i = 0; i < 4; i++)
		if ((fd[i] = hash_socket(argv[0], protocol, i)) < 0)
			return fail("packet socket");
	printf("ready=1\n");
	fflush(stdout);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned n = 0; n < count; n++) {
			struct pollfd p = { .fd = fd[i], .events = POLLIN };
			uint8_t data[512];
			uint16_t flow;

			if (poll(&p, 1, 10000) <= 0)
				return fail("too few frames");
			ssize_t length = recv(fd[i], data, sizeof(data), 0);

			if (length < 64 || length > 64 + 255)
				return fail("a frame that is too short");
			memcpy(&flow, data + offset, sizeof(flow));
			flow = ntohs(flow);
			hash[flow] |= (uint32_t)(length - 64) << (8 * i);
			seen[flow]++;
		}
	for (unsigned flow = 0; flow < 65536; flow++)
		if (seen[flow] == 4)
			printf("%u=%08x\n", flow, hash[flow]);
	return 0;
}

/* --- the card's clock --- */

static clockid_t clock_of(int fd)
{
	return (clockid_t)(~(unsigned)fd << 3 | 3); /* CLOCKFD of the kernel's posix-timers.h */
}

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	return clock_gettime(id, &t) < 0 ? -1 : t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* The card's clock, and the guest's at `from` and after the reading. */
static int print_clock(clockid_t id, int64_t from)
{
	int64_t t = read_clock(id), to = read_clock(CLOCK_MONOTONIC_RAW);

	if (t < 0)
		return fail("clock_gettime");
	printf("ns=%lld from=%lld to=%lld\n", (long long)t, (long long)from, (long long)to);
	return 0;
}

/* DEVICE */
static int phc_get(char **argv)
{
	clockid_t id = clock_of(open(argv[0], O_RDWR));

	return print_clock(id, read_clock(CLOCK_MONOTONIC_RAW));
}

/* DEVICE SECONDS */
static int phc_set(char **argv)
{
	struct timespec t = { .tv_sec = atoll(argv[1]) };
	clockid_t id = clock_of(open(argv[0], O_RDWR));
	int64_t from = read_clock(CLOCK_MONOTONIC_RAW);

	if (clock_settime(id, &t) < 0)
		return fail("clock_settime");
	return print_clock(id, from);
}

/* DEVICE NANOSECONDS: moves the clock by that much, at once. */
static int phc_step(char **argv)
{
	long long step = atoll(argv[1]);
	struct timex x = { .modes = ADJ_SETOFFSET | ADJ_NANO };

	x.time.tv_sec = step / NS_PER_S - (step % NS_PER_S < 0);
	x.time.tv_usec = step - x.time.tv_sec * NS_PER_S; /* nanoseconds, as ADJ_NANO says */
	if (clock_adjtime(clock_of(open(argv[0], O_RDWR)), &x) < 0)
		return fail("clock_adjtime");
	return phc_get(argv);
}

#define CLOSE_NS 400000

/* Both clocks at one moment: the closest of a few tries, or of as many as it takes, since the guest's CPU may be taken away in between. */
static void read_both(clockid_t id, int64_t *here, int64_t *there)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < 20 || (best > CLOSE_NS && i < 20000); i++) {
		int64_t before = read_clock(CLOCK_MONOTONIC_RAW), card = read_clock(id);
		int64_t after = read_clock(CLOCK_MONOTONIC_RAW);

		if (after - before >= best)
			continue;
		best = after - before;
		*here = before + best / 2;
		*there = card;
	}
}

/* DEVICE PPB MILLISECONDS: makes the clock run that much faster and prints how much faster it ran. */
static int phc_rate(char **argv)
{
	clockid_t id = clock_of(open(argv[0], O_RDWR));
	struct timex x = { .modes = ADJ_FREQUENCY, .freq = (long)(atof(argv[1]) * 65.536) };
	struct timespec wait = { .tv_sec = atoi(argv[2]) / 1000,
				 .tv_nsec = atoi(argv[2]) % 1000 * 1000000l };

	if (clock_adjtime(id, &x) < 0)
		return fail("clock_adjtime");
	int64_t here[2], there[2];

	read_both(id, &here[0], &there[0]);
	nanosleep(&wait, NULL);
	read_both(id, &here[1], &there[1]);
	printf("ppb=%.0f\n",
	       ((double)(there[1] - there[0]) / (double)(here[1] - here[0]) - 1) * 1e9);
	return 0;
}

/* --- time stamps --- */

static const uint8_t ptp_group[ETH_ALEN] = { 0x01, 0x1b, 0x19, 0, 0, 0 };

/* PTP over Ethernet or, with an address, over UDP. `there` is where messages go. */
static int stamp_socket(const char *interface, const char *address, struct sockaddr_storage *there,
			socklen_t *length)
{
	struct sockaddr_ll ether = { .sll_family = AF_PACKET,
				     .sll_protocol = htons(ETH_P_1588),
				     .sll_ifindex = (int)if_nametoindex(interface),
				     .sll_halen = ETH_ALEN };
	struct sockaddr_in udp = { .sin_family = AF_INET, .sin_port = htons(319) };
	struct packet_mreq join = { .mr_ifindex = ether.sll_ifindex,
				    .mr_type = PACKET_MR_MULTICAST,
				    .mr_alen = ETH_ALEN };
	bool over_udp = strcmp(address, "ether") != 0;
	int fd = socket(over_udp ? AF_INET : AF_PACKET, SOCK_DGRAM, 0);

	memcpy(join.mr_address, ptp_group, ETH_ALEN);
	if (fd < 0 || (over_udp ? bind(fd, (struct sockaddr *)&udp, sizeof(udp))
				: bind(fd, (struct sockaddr *)&ether, sizeof(ether)) < 0 ||
					  setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &join,
						     sizeof(join)) < 0))
		return -1;
	inet_pton(AF_INET, address, &udp.sin_addr);
	memcpy(ether.sll_addr, ptp_group, ETH_ALEN);
	*length = over_udp ? sizeof(udp) : sizeof(ether);
	memcpy(there, over_udp ? (void *)&udp : (void *)&ether, *length);
	return fd;
}

static int stamps_on(int fd, const char *interface, int filter)
{
	struct hwtstamp_config config = { .tx_type = HWTSTAMP_TX_ON, .rx_filter = filter };
	struct ifreq request = { .ifr_data = (char *)&config };
	int flags = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE |
		    SOF_TIMESTAMPING_RAW_HARDWARE;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCSHWTSTAMP, &request) < 0)
		return -1;
	return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags));
}

/* One message with its stamp, 0 when it has none; -1: none came. */
static int64_t read_stamp(int fd, int flags)
{
	struct pollfd p = { .fd = fd, .events = flags & MSG_ERRQUEUE ? 0 : POLLIN };
	char data[2048], control[512];
	struct iovec v = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };

	if (poll(&p, 1, 20000) <= 0 || recvmsg(fd, &m, flags | MSG_DONTWAIT) < 0)
		return -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct timespec t[3];

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPING)
			continue;
		memcpy(t, CMSG_DATA(c), sizeof(t));
		return t[2].tv_sec * NS_PER_S + t[2].tv_nsec;
	}
	return 0;
}

/* INTERFACE DEVICE all|event HOST|ether COUNT: sends PTP Sync messages, the host sends each back; both ways are stamped. Prints how many
 * stamps were there, and how many lay outside of the time in which they must have been taken. */
static int stamps(char **argv)
{
	int filter =
		strcmp(argv[2], "all") == 0 ? HWTSTAMP_FILTER_ALL : HWTSTAMP_FILTER_PTP_V2_EVENT;
	struct sockaddr_storage there;
	socklen_t length;
	clockid_t id = clock_of(open(argv[1], O_RDWR));
	int fd = stamp_socket(argv[0], argv[3], &there, &length), count = atoi(argv[4]);
	int sent = 0, received = 0, wrong = 0;
	int64_t slowest = 0;

	if (fd < 0 || stamps_on(fd, argv[0], filter) < 0)
		return fail("stamps");
	for (int i = 0; i < count; i++) {
		uint8_t sync[SYNC] = { 0x00, 0x02, 0, SYNC }; /* Sync, version 2 */
		int64_t before = read_clock(id);

		sync[31] = (uint8_t)i; /* sequence */
		if (sendto(fd, sync, sizeof(sync), 0, (struct sockaddr *)&there, length) < 0)
			return fail("sendto");
		int64_t tx = read_stamp(fd, MSG_ERRQUEUE), rx = read_stamp(fd, 0);
		int64_t after = read_clock(id);

		sent += tx > 0;
		received += rx > 0;
		wrong += (tx > 0 && (tx < before || tx > after)) ||
			 (rx > 0 && (rx < before || rx > after)) || (tx > 0 && rx > 0 && rx < tx);
		if (tx > 0 && rx - tx > slowest)
			slowest = rx - tx;
	}
	printf("tx=%d rx=%d wrong=%d slowest-us=%lld\n", sent, received, wrong,
	       (long long)slowest / 1000);
	return 0;
}

/* --- frames at their time --- */

#define TIMED_PROTOCOL 0x88b5 /* for local experiments (IEEE 802) */
#define TIMED_MAX      1024
#define TIMED_MAGIC    "time"

struct timed {
	int64_t launch, stamp; /* 0: none */
};

/* Frames of priority `priority`, stamped when they leave. */
static int timed_socket(const char *interface, int priority, bool launch)
{
	struct sock_txtime txtime = { .clockid = CLOCK_TAI };
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)) < 0 ||
	    (launch && setsockopt(fd, SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)) < 0) ||
	    stamps_on(fd, interface, HWTSTAMP_FILTER_NONE) < 0)
		return -1;
	return fd;
}

/* To everybody; `launch` 0: as soon as it can go. */
static bool send_timed(int fd, const char *interface, uint32_t number, uint64_t launch)
{
	struct sockaddr_ll there = { .sll_family = AF_PACKET,
				     .sll_protocol = htons(TIMED_PROTOCOL),
				     .sll_ifindex = (int)if_nametoindex(interface),
				     .sll_halen = ETH_ALEN };
	char control[CMSG_SPACE(sizeof(launch))] = { 0 };
	uint8_t data[46] = TIMED_MAGIC;
	uint32_t big = htonl(number);
	struct iovec v = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr m = {
		.msg_name = &there, .msg_namelen = sizeof(there), .msg_iov = &v, .msg_iovlen = 1
	};

	memset(there.sll_addr, 0xff, ETH_ALEN);
	memcpy(data + 4, &big, sizeof(big));
	if (launch) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_TXTIME;
		c->cmsg_len = CMSG_LEN(sizeof(launch));
		memcpy(CMSG_DATA(c), &launch, sizeof(launch));
	}
	return sendmsg(fd, &m, 0) == (ssize_t)sizeof(data);
}

/* Takes the stamps that are there; with `wait` those that come within its milliseconds. */
static void take_stamps(int fd, struct timed *list, unsigned count, int wait)
{
	char data[512], control[512];
	struct pollfd p = { .fd = fd };

	while (poll(&p, 1, wait) > 0) {
		struct iovec v = { .iov_base = data, .iov_len = sizeof(data) };
		struct msghdr m = { .msg_iov = &v,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
		const char *found = n > 0 ? memmem(data, (size_t)n, TIMED_MAGIC, 4) : NULL;
		uint32_t number;

		if (n < 0)
			return;
		if (!found || found + 8 > data + n)
			continue;
		memcpy(&number, found + 4, sizeof(number));
		number = ntohl(number);
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			struct timespec t[3];

			if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPING ||
			    number >= count)
				continue;
			memcpy(t, CMSG_DATA(c), sizeof(t));
			list[number].stamp = t[2].tv_sec * NS_PER_S + t[2].tv_nsec;
		}
	}
}

static void print_timed(const struct timed *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		printf("%u=%lld,%lld\n", i, (long long)list[i].launch, (long long)list[i].stamp);
}

/* INTERFACE PRIORITY FIRST-MS GAP-US COUNT: hands over COUNT frames at once, with launch times from so much behind a full second on. Prints
 * for each its launch time and its stamp. */
static int launch(char **argv)
{
	static struct timed list[TIMED_MAX];
	unsigned count = (unsigned)atoi(argv[4]);
	int fd = timed_socket(argv[0], atoi(argv[1]), true);
	int64_t at = (read_clock(CLOCK_TAI) / NS_PER_S + 2) * NS_PER_S + atoll(argv[2]) * 1000000;

	if (fd < 0 || count > TIMED_MAX)
		return fail("launch");
	for (unsigned i = 0; i < count; i++) {
		list[i].launch = at + (int64_t)i * atoll(argv[3]) * 1000;
		if (!send_timed(fd, argv[0], i, (uint64_t)list[i].launch))
			return fail("sendmsg");
	}
	int64_t left = at - read_clock(CLOCK_TAI);
	if (left > 0)
		usleep((useconds_t)(left / 1000));
	take_stamps(fd, list, count, 500);
	print_timed(list, count);
	return 0;
}

/* INTERFACE PRIORITIES GAP-US COUNT: sends frames in even steps, of each priority below PRIORITIES in turn. Prints the stamps of those that
 * got one: the card has few registers for them. */
static int paced(char **argv)
{
	static struct timed list[TIMED_MAX];
	unsigned priorities = (unsigned)atoi(argv[1]), count = (unsigned)atoi(argv[3]);
	struct timespec gap = { .tv_nsec = atol(argv[2]) * 1000 };
	int fd[8];

	if (priorities < 1 || priorities > 8 || count > TIMED_MAX)
		return fail("paced");
	for (unsigned i = 0; i < priorities; i++)
		if ((fd[i] = timed_socket(argv[0], (int)i, false)) < 0)
			return fail("socket");
	for (unsigned i = 0; i < count; i++) {
		if (!send_timed(fd[i % priorities], argv[0], i, 0))
			return fail("sendmsg");
		nanosleep(&gap, NULL);
		take_stamps(fd[i % priorities], list, count, 0);
	}
	for (unsigned i = 0; i < priorities; i++)
		take_stamps(fd[i], list, count, 1000);
	print_timed(list, count);
	return 0;
}

static const struct {
	const char *name;
	int arguments;
	int (*run)(char **argv);
} commands[] = {
	{ "rx-hash", 4, rx_hash },   { "phc-get", 1, phc_get },	  { "phc-set", 2, phc_set },
	{ "phc-step", 2, phc_step }, { "phc-rate", 3, phc_rate }, { "stamps", 5, stamps },
	{ "launch", 5, launch },     { "paced", 4, paced },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 == commands[i].arguments)
			return commands[i].run(argv + 2);
	fprintf(stderr, "card_probe: unknown command or wrong number of arguments\n");
	return 2;
}
