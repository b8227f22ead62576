/* peer.c - both ends of the traffic that is measured; linked statically, since the guest has no C library.
 *
 *     peer serve PORT                    on the host: one connection after the other
 *     peer put ADDRESS PORT SECONDS      guest -> host; the server says how much came
 *     peer get ADDRESS PORT SECONDS      host -> guest
 *     peer turn ADDRESS PORT SECONDS     one byte there and back, over and over
 *     peer echo ADDRESS PORT SECONDS     what comes over TCP, and over UDP, goes back, until the other end has enough
 *
 * A client prints one line of `key=value` words. The first byte of a connection says what it is for.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	   (256u << 10)
#define TURNS_MAX  500000u
#define WARM_TURNS 50u

static char buffer[CHUNK];
static float turn_us[TURNS_MAX];

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

static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* --- the server --- */

static void serve_put(int fd)
{
	uint64_t bytes = 0;
	ssize_t n;

	while ((n = recv(fd, buffer, CHUNK, 0)) > 0)
		bytes += (uint64_t)n;
	(void)send(fd, &bytes, sizeof(bytes), MSG_NOSIGNAL);
}

static void serve_get(int fd)
{
	while (send(fd, buffer, CHUNK, MSG_NOSIGNAL) > 0)
		continue;
}

static void serve_turn(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
		continue;
}

static int serve(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 4) < 0)
		return fail("listen");
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		char kind = 0;
		if (fd < 0)
			return fail("accept");
		no_delay(fd);
		if (recv(fd, &kind, 1, 0) == 1) {
			if (kind == 'p')
				serve_put(fd);
			else if (kind == 'g')
				serve_get(fd);
			else
				serve_turn(fd);
		}
		close(fd);
	}
}

/* --- the client --- */

static int put(int fd, double seconds)
{
	uint64_t bytes = 0;
	double start = now();

	while (now() - start < seconds)
		if (send(fd, buffer, CHUNK, MSG_NOSIGNAL) < 0)
			return fail("send");
	shutdown(fd, SHUT_WR);
	if (recv(fd, &bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes))
		return fail("no answer");
	printf("bytes=%llu seconds=%f\n", (unsigned long long)bytes, now() - start);
	return 0;
}

static int get(int fd, double seconds)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	uint64_t bytes = 0;
	double start = now(), left;

	while ((left = seconds - (now() - start)) > 0) {
		ssize_t n = poll(&ready, 1, (int)(left * 1000) + 1) > 0 ? recv(fd, buffer, CHUNK, 0)
									: 0;
		if (n < 0)
			return fail("recv");
		bytes += (uint64_t)n;
	}
	printf("bytes=%llu seconds=%f\n", (unsigned long long)bytes, now() - start);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static int turn(int fd, double seconds)
{
	unsigned turns = 0;
	double start = 0, before, sum = 0;
	char byte = 0;

	for (unsigned i = 0; i < WARM_TURNS; i++)
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
			return fail("round trip");
	for (start = before = now(); before - start < seconds && turns < TURNS_MAX; turns++) {
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
			return fail("round trip");
		double after = now();
		turn_us[turns] = (float)((after - before) * 1e6);
		sum += turn_us[turns];
		before = after;
	}
	qsort(turn_us, turns, sizeof(turn_us[0]), by_value);
	printf("turns=%u median_us=%.1f mean_us=%.1f p99_us=%.1f\n", turns,
	       (double)turn_us[turns / 2], sum / turns, (double)turn_us[turns - 1 - turns / 100]);
	return 0;
}

/* The datagram that goes first tells the other end where to send. Bytes that the stream does not take wait for it. */
static int echo(int fd, const struct sockaddr_in *to, double seconds)
{
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	uint64_t bytes = 0, datagrams = 0;
	double start = now();

	if (connect(udp, (const struct sockaddr *)to, sizeof(*to)) < 0 || send(udp, "", 1, 0) < 0)
		return fail("udp");
	while (now() - start < seconds) {
		struct pollfd ready[] = { { .fd = fd, .events = POLLIN },
					  { .fd = udp, .events = POLLIN } };
		if (poll(ready, 2, 1000) < 0)
			return fail("poll");
		if (ready[0].revents) {
			ssize_t n = recv(fd, buffer, CHUNK, 0);
			if (n <= 0)
				break;
			bytes += (uint64_t)n;
			for (ssize_t done = 0; done < n;) {
				ssize_t sent =
					send(fd, buffer + done, (size_t)(n - done), MSG_NOSIGNAL);
				if (sent < 0)
					return fail("send");
				done += sent;
			}
		}
		if (ready[1].revents) {
			ssize_t n = recv(udp, buffer, CHUNK, MSG_DONTWAIT);
			if (n > 0 && send(udp, buffer, (size_t)n, 0) == n)
				datagrams++;
		}
	}
	printf("bytes=%llu datagrams=%llu\n", (unsigned long long)bytes,
	       (unsigned long long)datagrams);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct timeval patience = { .tv_sec = 20 };

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve((uint16_t)atoi(argv[2]));
	if (argc != 5 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) {
		fprintf(stderr,
			"usage: peer serve PORT | peer put|get|turn|echo ADDRESS PORT SECONDS\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[3]));
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	no_delay(fd);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    send(fd, argv[1], 1, MSG_NOSIGNAL) != 1)
		return fail("connect");
	double seconds = atof(argv[4]);
	switch (argv[1][0]) {
	case 'p':
		return put(fd, seconds);
	case 'g':
		return get(fd, seconds);
	case 'e':
		return echo(fd, &to, seconds);
	default:
		return turn(fd, seconds);
	}
}
