/* probe.c - what runs in the guest when traffic must be checked, counted or timed. Linked statically: the guest has no C
 * library. Each command prints one line of `key=value` words and exits 0 only when every byte was right.
 *
 * Content is a pseudo-random stream, so that a frame that is lost, doubled or out of place changes the sum.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint32_t crc_table[8][256];

static void crc_init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = (c & 1) ? 0xedb88320u ^ (c >> 1) : c >> 1;
		crc_table[0][i] = c;
	}
	for (int t = 1; t < 8; t++)
		for (int i = 0; i < 256; i++)
			crc_table[t][i] = (crc_table[t - 1][i] >> 8) ^
					  crc_table[0][crc_table[t - 1][i] & 0xff];
}

/* CRC-32 as in zlib, eight bytes a step: a guest under TCG checks 64 MiB in well under a second. */
static uint32_t crc_add(uint32_t crc, const uint8_t *p, size_t n)
{
	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t a, b;

		memcpy(&a, p, 4);
		memcpy(&b, p + 4, 4);
		a ^= crc;
		crc = crc_table[7][a & 0xff] ^ crc_table[6][(a >> 8) & 0xff] ^
		      crc_table[5][(a >> 16) & 0xff] ^ crc_table[4][a >> 24] ^
		      crc_table[3][b & 0xff] ^ crc_table[2][(b >> 8) & 0xff] ^
		      crc_table[1][(b >> 16) & 0xff] ^ crc_table[0][b >> 24];
	}
	for (; n > 0; n--, p++)
		crc = (crc >> 8) ^ crc_table[0][(crc ^ *p) & 0xff];
	return ~crc;
}

static void fill_random(uint64_t *state, uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		*state ^= *state << 13;
		*state ^= *state >> 7;
		*state ^= *state << 17;
		memcpy(p + i, state, 8);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(const char *what)
{
	printf("error=%s: %s\n", what, strerror(errno));
	return 1;
}

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

static struct address parse_address(const char *host, const char *port)
{
	struct address a = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&a.sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a.sa;

	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)atoi(port));
		a.len = sizeof(*in);
	} else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)atoi(port));
		a.len = sizeof(*in6);
	}
	return a;
}

static int tcp_connect(char **argv)
{
	struct address a = parse_address(argv[0], argv[1]);
	int fd = socket(a.sa.ss_family, SOCK_STREAM, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&a.sa, a.len) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* HOST PORT: reads to the end. */
static int get(char **argv, uint64_t most)
{
	static uint8_t data[256 * 1024];
	uint64_t bytes = 0;
	uint32_t crc = 0;
	double start = now();
	int fd = tcp_connect(argv);
	ssize_t n;

	if (fd < 0)
		return fail("connect");
	for (n = 1; bytes < most && n > 0; bytes += (uint64_t)n) {
		n = recv(fd, data, sizeof(data), 0);
		if (n < 0)
			return fail("recv");
		crc = crc_add(crc, data, (size_t)n);
	}
	printf("bytes=%llu crc=%08x seconds=%.3f\n", (unsigned long long)bytes, crc, now() - start);
	return 0;
}

static int tcp_get(char **argv)
{
	return get(argv, UINT64_MAX);
}

/* HOST PORT BYTES: the same, where the end may get lost on the way. */
static int tcp_fetch(char **argv)
{
	return get(argv, strtoull(argv[2], NULL, 0));
}

/* HOST PORT BYTES: sends BYTES, then reads the sum that the other side saw. */
static int tcp_put(char **argv)
{
	static uint8_t data[256 * 1024];
	uint64_t left = strtoull(argv[2], NULL, 0), seed = 88172645463325252ull, total = left;
	uint32_t crc = 0;
	char seen[9] = "";
	double start = now();
	int fd = tcp_connect(argv);

	if (fd < 0)
		return fail("connect");
	while (left > 0) {
		size_t n = left < sizeof(data) ? left : sizeof(data);

		fill_random(&seed, data, n);
		crc = crc_add(crc, data, n);
		for (size_t done = 0; done < n;) {
			ssize_t sent = send(fd, data + done, n - done, MSG_NOSIGNAL);

			if (sent < 0)
				return fail("send");
			done += (size_t)sent;
		}
		left -= n;
	}
	shutdown(fd, SHUT_WR);
	for (size_t have = 0; have < 8;) {
		ssize_t n = recv(fd, seen + have, 8 - have, 0);

		if (n <= 0)
			return fail("no sum came back");
		have += (size_t)n;
	}
	printf("bytes=%llu crc=%08x seen=%s seconds=%.3f\n", (unsigned long long)total, crc, seen,
	       now() - start);
	return strtoul(seen, NULL, 16) == crc ? 0 : 1;
}

/* HOST PORT COUNT: one byte there and back, with the median and the slowest in microseconds. */
static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int tcp_rtt(char **argv)
{
	unsigned count = (unsigned)atoi(argv[2]);
	double *taken = calloc(count ? count : 1, sizeof(*taken));
	int fd = tcp_connect(argv), one = 1;

	if (fd < 0 || !taken)
		return fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (unsigned i = 0; i < count; i++) {
		char byte = (char)i;
		double start = now();

		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
			return fail("round trip");
		taken[i] = now() - start;
	}
	qsort(taken, count, sizeof(*taken), compare_double);
	printf("count=%u median-us=%.1f p99-us=%.1f max-us=%.1f\n", count, taken[count / 2] * 1e6,
	       taken[count - 1 - count / 100] * 1e6, taken[count - 1] * 1e6);
	return 0;
}

#define SILENT_MS 1000
#define PATIENCE  30

/* HOST PORT COUNT SIZE: sends datagrams one at a time and compares what comes back. One that is late is told from one that is lost by a
 * mark that is sent behind it: when the mark is back, the other one is lost. */
static int udp_echo(char **argv)
{
	static uint8_t data[65536], back[65536];
	struct address a = parse_address(argv[0], argv[1]);
	unsigned count = (unsigned)atoi(argv[2]), lost = 0, wrong = 0;
	size_t size = (size_t)atoi(argv[3]);
	uint64_t seed = 1234567;
	int fd = socket(a.sa.ss_family, SOCK_DGRAM, 0);

	if (size < 8 || size > sizeof(data) || fd < 0 ||
	    connect(fd, (struct sockaddr *)&a.sa, a.len) < 0)
		return fail("connect");
	for (unsigned i = 0; i < count; i++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint32_t mark[2] = { ~i, i };
		unsigned silent = 0;

		fill_random(&seed, data, size);
		memcpy(data, &i, sizeof(i));
		if (send(fd, data, size, 0) != (ssize_t)size)
			return fail("send");
		for (;;) {
			if (poll(&p, 1, SILENT_MS) <= 0) {
				if (++silent > PATIENCE) {
					lost++;
					break;
				}
				(void)!send(fd, mark, sizeof(mark), 0);
				continue;
			}
			ssize_t n = recv(fd, back, sizeof(back), 0);

			if (n == (ssize_t)size && memcmp(data, back, size) == 0)
				break;
			if (n >= 4 && memcmp(data, back, 4) == 0) {
				wrong++;
				break;
			}
			if (n == sizeof(mark) && memcmp(mark, back, sizeof(mark)) == 0) {
				lost++;
				break;
			}
		}
	}
	printf("count=%u lost=%u wrong=%u\n", count, lost, wrong);
	return lost || wrong ? 1 : 0;
}

/* GROUP PORT COUNT INTERFACE SECONDS: joins, says so, and waits for COUNT datagrams. */
static int multicast_receive(char **argv)
{
	struct ip_mreqn join = { 0 };
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)atoi(argv[1])) };
	unsigned count = (unsigned)atoi(argv[2]), got = 0;
	double end = now() + atof(argv[4]);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	inet_pton(AF_INET, argv[0], &join.imr_multiaddr);
	join.imr_ifindex = (int)if_nametoindex(argv[3]);
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)) < 0)
		return fail("join");
	printf("joined\n");
	fflush(stdout);
	while (got < count && now() < end) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char data[2048];

		if (poll(&p, 1, 100) > 0 && recv(fd, data, sizeof(data), 0) > 0)
			got++;
	}
	printf("received=%u\n", got);
	return got == count ? 0 : 1;
}

/* GROUP PORT COUNT INTERFACE */
static int multicast_send(char **argv)
{
	struct address a = parse_address(argv[0], argv[1]);
	struct ip_mreqn via = { .imr_ifindex = (int)if_nametoindex(argv[3]) };
	int count = atoi(argv[2]);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof(via)) < 0)
		return fail("interface");
	for (int i = 0; i < count; i++) {
		if (sendto(fd, &i, sizeof(i), 0, (struct sockaddr *)&a.sa, a.len) < 0)
			return fail("sendto");
		usleep(2000);
	}
	printf("sent=%d\n", count);
	return 0;
}

/* Accepts one connection, reads `size` bytes or to the end, and answers with their sum. */
static int serve_once(const char *port, uint64_t size)
{
	static uint8_t data[256 * 1024];
	struct sockaddr_in6 here = { .sin6_family = AF_INET6,
				     .sin6_port = htons((uint16_t)atoi(port)) };
	int listener = socket(AF_INET6, SOCK_STREAM, 0), one = 1, fd;
	uint32_t crc = 0;
	char text[16];
	ssize_t n;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(listener, 4) < 0)
		return fail("listen");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		return fail("accept");
	for (n = 1; size > 0 && n > 0; size -= (uint64_t)n) {
		n = recv(fd, data, size < sizeof(data) ? (size_t)size : sizeof(data), 0);
		if (n > 0)
			crc = crc_add(crc, data, (size_t)n);
		else
			break;
	}
	snprintf(text, sizeof(text), "%08x", crc);
	if (n < 0 || send(fd, text, 8, MSG_NOSIGNAL) != 8)
		return fail("answer");
	printf("crc=%s\n", text);
	return 0;
}

/* PORT: to the end. For ports that are forwarded to the guest. */
static int tcp_serve(char **argv)
{
	return serve_once(argv[0], UINT64_MAX);
}

#define FLOOD_BURST    32
#define FLOOD_PAUSE_US 500

/* HOST PORT SIZE SECONDS: bursts of datagrams, also while the link is down; nothing is to come back. */
static int udp_flood(char **argv)
{
	static uint8_t data[65536];
	struct address a = parse_address(argv[0], argv[1]);
	size_t size = (size_t)atoi(argv[2]);
	double end = now() + atof(argv[3]);
	unsigned long sent = 0;
	int fd = socket(a.sa.ss_family, SOCK_DGRAM, 0);

	if (size > sizeof(data) || fd < 0)
		return fail("socket");
	for (unsigned i = 0; now() < end; i++) {
		sent += sendto(fd, data, size, 0, (struct sockaddr *)&a.sa, a.len) == (ssize_t)size;
		if (i % FLOOD_BURST == 0)
			usleep(FLOOD_PAUSE_US);
	}
	printf("sent=%lu\n", sent);
	return 0;
}

/* PORT BYTES: the same, where the end may get lost on the way. */
static int tcp_take(char **argv)
{
	return serve_once(argv[0], strtoull(argv[1], NULL, 0));
}

static const struct {
	const char *name;
	int arguments;
	int (*run)(char **argv);
} commands[] = {
	{ "tcp-get", 2, tcp_get },
	{ "tcp-fetch", 3, tcp_fetch },
	{ "tcp-put", 3, tcp_put },
	{ "tcp-rtt", 3, tcp_rtt },
	{ "tcp-serve", 1, tcp_serve },
	{ "tcp-take", 2, tcp_take },
	{ "udp-echo", 4, udp_echo },
	{ "udp-flood", 4, udp_flood },
	{ "multicast-receive", 5, multicast_receive },
	{ "multicast-send", 4, multicast_send },
};

int main(int argc, char **argv)
{
	crc_init();
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 == commands[i].arguments)
			return commands[i].run(argv + 2);
	fprintf(stderr, "probe: unknown command or wrong number of arguments\n");
	return 2;
}
