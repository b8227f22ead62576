/* The stream backend against QEMU's own: one QEMU whose hub joins two `-netdev stream`, a client of our server and a server
 * that we are the client of. What goes in on one side must come out on the other.
 */
#include "backend_help.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "host_help.h"
#include "netns.h"

#define FRAMES 500u

static char folder[] = "/tmp/anynic-test-qemu-XXXXXX";
static struct rx_room rx;

static const char *find_qemu(const char *cached)
{
	const char *wished = getenv("ANYNIC_QEMU");

	if (wished)
		return wished;
	return access(cached, X_OK) == 0 ? cached : NULL;
}

static pid_t start_qemu(const char *qemu)
{
	char client[200], server[200];

	snprintf(client, sizeof(client), "stream,id=s1,server=off,addr.type=unix,addr.path=%s/ours",
		 folder);
	snprintf(server, sizeof(server),
		 "stream,id=s2,server=on,addr.type=unix,addr.path=%s/theirs", folder);
	const char *argv[] = { qemu,	   "-M",
			       "none",	   "-nodefaults",
			       "-display", "none",
			       "-netdev",  client,
			       "-netdev",  "hubport,id=h1,hubid=0,netdev=s1",
			       "-netdev",  server,
			       "-netdev",  "hubport,id=h2,hubid=0,netdev=s2",
			       NULL };
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		execv(qemu, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return pid;
}

static struct backend *open_side(const char *name, bool server, struct opened_backend *o)
{
	struct backend_spec spec = spec_of("stream", -1);
	struct error err = { 0 };
	int rc = -1;

	snprintf(spec.path, sizeof(spec.path), "%s/%s", folder, name);
	spec.server = server;
	for (int tries = 0; tries < 400 && rc < 0;
	     tries++, usleep(rc < 0 ? 25000 : 0)) /* QEMU starts slowly here */
		rc = open_host(&spec, 1, o, &err);
	if (rc < 0)
		fail_msg("%s", err.text);
	memcpy(spec.fds, o->fds, sizeof(spec.fds));
	spec.nfds = o->nfds;
	o->nfds = 0;
	return must_create(&spec);
}

static bool wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 10000) == 1;
}

static uint32_t length_of(unsigned i)
{
	return i % 7 == 0 ? 9000 + i : 60 + i * 3;
}

/* FRAMES of all sizes from one side to the other, with backpressure, each once. QEMU's hub may change their order: what comes
 * while a side is full waits in two places, and the later one is emptied first. */
static void carry(struct backend *from, struct backend *to)
{
	static uint8_t data[FRAME_MAX];
	bool seen[FRAMES] = { false };
	unsigned sent = 0, got = 0;

	while (got < FRAMES) {
		struct frame f;

		if (sent < FRAMES) {
			make_frame(&f, data, sent, length_of(sent));
			sent += from->ops->send(from, &f, 1);
		} else {
			from->ops->send(from, NULL, 0);
			assert_true(wait_for(to->fd[0], POLLIN));
		}
		unsigned n = to->ops->receive(to, 0, rx_frames(&rx), FRAME_BATCH);
		for (unsigned i = 0; i < n; i++, got++) {
			uint32_t number = get_be32(rx.frames[i].iov[0].iov_base);
			assert_true(number < FRAMES && !seen[number]);
			seen[number] = true;
			assert_frame(&rx.frames[i], number, length_of(number));
		}
	}
	assert_int_equal(from->refused, 0);
}

/* QEMU accepts when its loop comes to it, and its hub drops what comes before the other side is there. `from` is who connected to
 * QEMU: what it sends is read once QEMU has accepted. A frame of the other side that finds QEMU's server neither listening nor
 * connected would crash QEMU 11.1. */
static void wait_until_joined(struct backend *from, struct backend *to)
{
	uint8_t data[60];
	struct frame f;
	struct pollfd p = { .fd = to->fd[0], .events = POLLIN };
	uint32_t sent = 0, got = 0;

	do {
		make_frame(&f, data, ++sent, sizeof(data));
		assert_int_equal(from->ops->send(from, &f, 1), 1);
	} while (poll(&p, 1, 100) == 0 && sent < 100);
	while (got < sent) { /* what was sent after the first that came comes too */
		assert_true(wait_for(p.fd, POLLIN));
		unsigned n = to->ops->receive(to, 0, rx_frames(&rx), FRAME_BATCH);
		assert_true(n > 0);
		got = get_be32(rx.frames[n - 1].iov[0].iov_base);
	}
}

static pid_t qemu_pid;
static const char *qemu_path;

static void qemu_understands_us_in_both_roles(void **state)
{
	struct opened_backend so, co;

	(void)state;
	struct backend *server = open_side("ours", true, &so);
	qemu_pid = start_qemu(qemu_path);
	assert_true(wait_for(server->listen_fd, POLLIN));
	backend_accept(server);
	assert_true(server->up);
	struct backend *client = open_side("theirs", false, &co);
	wait_until_joined(client, server);
	carry(server, client);
	carry(client, server);
	kill(qemu_pid, SIGKILL);
	assert_true(wait_for(client->fd[0], POLLIN));
	assert_int_equal(client->ops->receive(client, 0, rx_frames(&rx), 4), 0);
	assert_false(client->up);
	backend_destroy(client);
	backend_destroy(server);
	opened_backend_close(&co);
	opened_backend_close(&so);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu_understands_us_in_both_roles),
	};
	char theirs[64];

	qemu_path = find_qemu(argc > 1 ? argv[1] : "/usr/bin/qemu-system-x86_64");
	if (!qemu_path) {
		printf("SKIP: no QEMU; tools/get-qemu makes one\n");
		return TEST_SKIPPED;
	}
	if (!mkdtemp(folder))
		return 1;
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	if (qemu_pid > 0) {
		kill(qemu_pid, SIGKILL);
		waitpid(qemu_pid, NULL, 0);
	}
	snprintf(theirs, sizeof(theirs), "%s/theirs", folder);
	unlink(theirs);
	rmdir(folder);
	return rc;
}
