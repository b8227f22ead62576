/* register_read.c - what our server adds to a register read: REGION_READ through the vfio-user server, against a bare server
 * that answers the same 32 bytes with the same 36 (recv, send, nothing else) on the same kind of socket. Runs alternate; medians.
 * The time of a read is two wake-ups of a thread more than anything else, so both are measured on any CPU and on one.
 * Usage: register_read [READS] [ROUNDS]. The limit is 1.2 on any CPU.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "attach/vfio_user/vfio_user.h"
#include "base/clock.h"
#include "vfio_user_client.h"
#include "vfio_user_nic.h"

#define ROUNDS_MAX  51
#define LIMIT_RATIO 1.2

enum { KIND_LISTEN = 1, KIND_CONNECTION };

struct result {
	double ns[ROUNDS_MAX];	/* a read */
	double cpu[ROUNDS_MAX]; /* a read, user and system time of both threads */
};

static struct loop loop;
static struct vfio_user *server;

static void *run_server(void *arg)
{
	struct loop_event e;

	while (loop_next(&loop, &e, -1) != 0) {
		if (e.kind == KIND_LISTEN)
			vfio_user_accept(e.owner);
		else
			vfio_user_serve(e.owner, e.index, e.events);
	}
	return arg;
}

static void *run_echo(void *arg)
{
	int fd = *(int *)arg;
	uint8_t message[4096];

	while (recv(fd, message, sizeof(message), 0) == 32) {
		uint32_t size = 36, flags = VU_REPLY;
		memcpy(message + 4, &size, 4);
		memcpy(message + 8, &flags, 4);
		memset(message + 32, 0x5a, 4);
		if (send(fd, message, size, MSG_NOSIGNAL) != size)
			break;
	}
	return NULL;
}

static int connect_to_server(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(addr);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct vfio_client c = { .fd = fd };
	pthread_t thread;

	if (bind(listener, (struct sockaddr *)&addr, sizeof(sa_family_t)) < 0 ||
	    listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&addr, &size) < 0 ||
	    loop_init(&loop, NULL) < 0)
		abort();
	server = vfio_user_create(&test_nic_create("bench", TEST_EXPRESS, NULL, 0)->nic, listener,
				  &loop, KIND_LISTEN, KIND_CONNECTION, NULL);
	if (pthread_create(&thread, NULL, run_server, NULL) ||
	    connect(fd, (struct sockaddr *)&addr, size) < 0 ||
	    client_hello(&c, client_qemu_text) < 0)
		abort();
	return fd;
}

static int connect_to_echo(void)
{
	static int pair[2];
	pthread_t thread;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
	    pthread_create(&thread, NULL, run_echo, &pair[1]))
		abort();
	return pair[0];
}

static double cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return ((double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec) * 1e9 +
	       ((double)u.ru_utime.tv_usec + (double)u.ru_stime.tv_usec) * 1e3;
}

static void measure(int fd, unsigned reads, double *ns, double *cpu)
{
	struct {
		struct vu_header h;
		struct vu_region_access a;
	} ask = { { .command = VU_REGION_READ, .size = 32 }, { TEST_SCRATCH, 0, 4 } };
	uint8_t reply[64];
	double cpu_before = cpu_ns();
	uint64_t before = monotonic_ns();

	for (unsigned i = 0; i < reads; i++) {
		if (send(fd, &ask, sizeof(ask), 0) != sizeof(ask) ||
		    recv(fd, reply, sizeof(reply), 0) != 36 || reply[35] != 0x5a) {
			fprintf(stderr, "register_read: a wrong answer\n");
			exit(1);
		}
	}
	*ns = (double)(monotonic_ns() - before) / reads;
	*cpu = (cpu_ns() - cpu_before) / reads;
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

static double compare(const char *name, int ours, int bare, unsigned reads, unsigned rounds)
{
	static struct result a, b;

	for (unsigned i = 0; i < rounds; i++) {
		measure(bare, reads, &b.ns[i], &b.cpu[i]);
		measure(ours, reads, &a.ns[i], &a.cpu[i]);
	}
	double ns = median(a.ns, rounds), bare_ns = median(b.ns, rounds);
	printf("register read, %s: vfio-user server %.0f ns, bare server %.0f ns, ratio %.3f; CPU "
	       "%.0f ns and %.0f ns a read\n",
	       name, ns, bare_ns, ns / bare_ns, median(a.cpu, rounds), median(b.cpu, rounds));
	return ns / bare_ns;
}

int main(int argc, char **argv)
{
	unsigned reads = argc > 1 ? (unsigned)atoi(argv[1]) : 10000;
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 11;
	int ours = connect_to_server(), bare = connect_to_echo();
	cpu_set_t one;

	if (!reads || !rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: register_read [READS] [ROUNDS, at most %d]\n", ROUNDS_MAX);
		return 2;
	}
	double ratio = compare("any CPU", ours, bare, reads, rounds);

	/* threads that are already there take the mask one by one; a new process would be another thing to measure */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	close(ours);
	close(bare);
	if (sched_setaffinity(0, sizeof(one), &one) == 0) {
		ours = connect_to_server(); /* new threads have the mask of this one */
		bare = connect_to_echo();
		compare("one CPU", ours, bare, reads, rounds);
	}
	printf("register read: %s %.1f times the bare server's\n",
	       ratio <= LIMIT_RATIO ? "within" : "NOT within", LIMIT_RATIO);
	return 0;
}
