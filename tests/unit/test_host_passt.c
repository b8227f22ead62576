/* The real passt, in a network namespace with an address and a default route: from start to end, as root and as somebody else. */
#include "backend_help.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "host/child.h"
#include "host_help.h"
#include "host/passt.h"
#include "netns.h"

#define HOST_IP "10.77.0.2"

static struct rx_room rx;
static bool root; /* and not only in a namespace of ours */
static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static struct backend_spec passt_spec(void)
{
	return spec_of("passt", -1);
}

static struct backend *open_passt(struct backend_spec *spec, struct opened_backend *o)
{
	struct error err = { 0 };

	if (open_host(spec, 1, o, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(o->type, "passt");
	assert_string_equal(o->served, "stream");
	str_copy(spec->type, sizeof(spec->type), o->served);
	memcpy(spec->fds, o->fds, sizeof(spec->fds));
	spec->nfds = o->nfds;
	o->nfds = 0;
	return must_create(spec);
}

/* Who has `ip`? True when somebody says so. */
static bool arp_answers(struct backend *b, const char *ip)
{
	static const uint8_t head[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	uint8_t data[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct in_addr in;
	struct frame f;

	memcpy(data + 6, guest_mac, 6);
	memcpy(data + 12, head, sizeof(head));
	memcpy(data + 22, guest_mac, 6);
	inet_pton(AF_INET, ip, &in);
	memcpy(data + 38, &in, 4);
	frame_set_linear(&f, data, sizeof(data));
	b->ops->send(b, &f, 1);
	for (unsigned i = 0; i < 2000 && b->fd[0] >= 0; i++) {
		struct pollfd p = { .fd = b->fd[0], .events = POLLIN };
		poll(&p, 1, 10);
		unsigned n = b->ops->receive(b, 0, rx_frames(&rx), FRAME_BATCH);
		for (unsigned k = 0; k < n; k++) {
			const uint8_t *d = rx.frames[k].iov[0].iov_base;
			if (d[12] == 8 && d[13] == 6 && d[21] == 2 && memcmp(d + 28, &in, 4) == 0)
				return true;
		}
	}
	return false;
}

static void wait_down(struct backend *b)
{
	for (unsigned i = 0; i < 2000 && b->up; i++) {
		b->ops->receive(b, 0, rx_frames(&rx), FRAME_BATCH);
		usleep(10000);
	}
	assert_false(b->up);
}

static void passt_is_ready_when_it_is_open_and_goes_with_its_port(void **state)
{
	struct backend_spec spec = passt_spec();
	struct opened_backend o;
	struct backend *b = open_passt(&spec, &o);
	pid_t pid = o.pid;
	char file[64];
	struct stat st;

	(void)state;
	assert_true(pid > 0 && o.pidfd >= 0 && !o.waiting);
	assert_string_equal(o.program, "passt");
	assert_true(fd_is(b->fd[0], POLLIN)); /* it answered what it was asked */
	assert_true(arp_answers(b, "10.77.0.1"));
	snprintf(file, sizeof(file), "/proc/%d", (int)pid);
	assert_int_equal(stat(file, &st), 0);
	if (root)
		assert_int_equal(st.st_uid, 65534); /* nobody */
	backend_destroy(b);
	opened_backend_close(&o);
	assert_int_equal(kill(pid, 0), -1);
}

/* What remains when control and datapath are killed: nothing, since passt changes its user and PR_SET_PDEATHSIG goes with that. */
static void passt_ends_when_nobody_holds_its_socket(void **state)
{
	struct backend_spec spec = passt_spec();
	struct opened_backend o;
	struct backend *b = open_passt(&spec, &o);

	(void)state;
	backend_destroy(b);
	struct pollfd ended = { .fd = o.pidfd, .events = POLLIN };
	assert_int_equal(poll(&ended, 1, 20000), 1);
	char text[200];
	child_end(&o, text, sizeof(text));
	assert_non_null(strstr(text, "passt ended (exit status 0)"));
	opened_backend_close(&o);
}

static void a_passt_that_is_killed_is_replaced_behind_the_same_backend(void **state)
{
	struct backend_spec spec = passt_spec(), again = passt_spec();
	struct opened_backend o;
	struct error err = { 0 };
	char text[200];
	struct backend *b = open_passt(&spec, &o);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		kill(o.pid, SIGKILL);
		wait_down(b);
		child_end(&o, text, sizeof(text));
		assert_non_null(strstr(text, "signal 9"));
		opened_backend_close(&o);
		assert_true(host_backend_returns(&again));
		assert_int_equal(open_host(&again, 1, &o, &err), 0);
		assert_int_equal(backend_renew(b, o.fds, o.nfds, &err), 0);
		o.nfds = 0;
		assert_true(b->up);
		assert_true(arp_answers(b, "10.77.0.1"));
	}
	backend_destroy(b);
	opened_backend_close(&o);
}

/* Not ready, without waiting, until it has answered. */
static void passt_can_be_started_without_waiting_for_it(void **state)
{
	struct backend_spec spec = passt_spec();
	struct backend_request request = { .spec = &spec, .guest = "test", .port = "net0" };
	struct opened_backend o;
	struct error err = { 0 };
	int rc = 0;

	(void)state;
	memcpy(request.mac, guest_mac, 6);
	assert_int_equal(host_backend_start(&request, &o, &err), 0);
	assert_true(o.waiting);
	for (unsigned i = 0; i < 1000 && rc == 0; i++, usleep(10000))
		rc = host_backend_ready(&o, &err);
	assert_int_equal(rc, 1);
	assert_false(o.waiting);
	opened_backend_close(&o);
}

static void assert_fails(const struct backend_spec *spec, int code, const char *words)
{
	struct opened_backend o;
	struct error err = { 0 };

	assert_int_equal(open_host(spec, 1, &o, &err), code);
	if (!strstr(err.text, words))
		fail_msg("'%s' says nothing of '%s'", err.text, words);
	assert_int_equal(o.pid, 0);
	assert_int_equal(o.nfds, 0);
}

static void passt_says_itself_why_it_cannot_start(void **state)
{
	struct backend_spec spec = passt_spec();

	(void)state;
	str_copy(spec.hostfwd[0], sizeof(spec.hostfwd[0]), "tcp:10.9.9.9:8080-:80");
	spec.hostfwds = 1; /* an address that this host does not have */
	assert_fails(&spec, -ECHILD, "8080");
	spec = passt_spec();
	snprintf(spec.path, sizeof(spec.path), "/nowhere/passt.sock");
	assert_fails(&spec, -ENOENT, "passt -s");
}

static void without_passt_the_package_is_named(void **state)
{
	struct backend_spec spec = passt_spec();
	char path[4096];

	(void)state;
	str_copy(path, sizeof(path), getenv("PATH"));
	setenv("PATH", "/nowhere::/", 1);
	assert_fails(&spec, -ENOTSUP, "apt-get install passt");
	unsetenv("PATH");
	assert_fails(&spec, -ENOTSUP, "apt-get install passt");
	setenv("PATH", path, 1);
}

static void a_connection_to_the_host_reaches_the_guest(void **state)
{
	struct backend_spec spec = passt_spec();
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(8005) };
	struct opened_backend o;
	bool syn = false;

	(void)state;
	str_copy(spec.hostfwd[0], sizeof(spec.hostfwd[0]), "tcp:127.0.0.1:2222-:22");
	str_copy(spec.hostfwd[1], sizeof(spec.hostfwd[1]), "udp::5353-:53");
	str_copy(spec.hostfwd[2], sizeof(spec.hostfwd[2]), "tcp::8000..8009-:80");
	spec.hostfwds = 3;
	struct backend *b = open_passt(&spec, &o);
	/* passt must have seen the guest's MAC */
	assert_true(arp_answers(b, "10.77.0.1"));
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
	(void)connect(sock, (struct sockaddr *)&at, sizeof(at));
	for (unsigned i = 0; i < 2000 && !syn; i++) {
		unsigned n = b->ops->receive(b, 0, rx_frames(&rx), FRAME_BATCH);
		for (unsigned k = 0; k < n; k++) {
			const uint8_t *d = rx.frames[k].iov[0].iov_base;
			syn |= get_be16(d + 12) == 0x800 && d[23] == 6 && get_be16(d + 36) == 85 &&
			       (d[47] & 2);
		}
		usleep(10000);
	}
	assert_true(syn); /* for port 85 */
	close(sock);
	backend_destroy(b);
	opened_backend_close(&o);
}

/* By what the kernel tells: passt takes one connection at a time, so that a visitor would have it. */
static bool listens(const char *path)
{
	char line[300];
	bool found = false;
	FILE *sockets = fopen("/proc/net/unix", "r");

	while (sockets && !found && fgets(line, sizeof(line), sockets))
		found = strstr(line, path) && strstr(line, " 00010000 ");
	if (sockets)
		fclose(sockets);
	return found;
}

static void a_passt_that_listens_is_joined_and_joined_again(void **state)
{
	struct backend_spec spec = passt_spec(), again;
	struct opened_backend o;
	struct error err = { 0 };

	(void)state;
	snprintf(spec.path, sizeof(spec.path), "/tmp/anynic-test-passt-%d", getpid());
	unlink(spec.path);
	again = spec;
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		execlp("passt", "passt", "-f", "-q", "-s", spec.path, (char *)NULL);
		_exit(127);
	}
	for (unsigned i = 0; i < 2000 && !listens(spec.path); i++)
		usleep(10000);
	struct backend *b = open_passt(&spec, &o);
	assert_int_equal(o.pid, 0);
	assert_true(arp_answers(b, "10.77.0.1"));
	/* one connection at a time: the old one goes first */
	shutdown(b->fd[0], SHUT_RDWR);
	wait_down(b);
	assert_true(host_backend_returns(&again));
	assert_int_equal(open_host(&again, 1, &o, &err), 0);
	assert_int_equal(backend_renew(b, o.fds, o.nfds, &err), 0);
	o.nfds = 0;
	assert_true(arp_answers(b, "10.77.0.1"));
	backend_destroy(b);
	opened_backend_close(&o);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(again.path);
}

/* Another address than the host's, of a device that is named. The answer for the host's own shows that it is not the guest's. */
static void the_guest_has_the_addresses_that_it_was_given(void **state)
{
	struct backend_spec spec = passt_spec();
	struct opened_backend o;

	(void)state;
	str_copy(spec.net, sizeof(spec.net), "10.77.0.9/24");
	str_copy(spec.net6, sizeof(spec.net6), "2001:db8::9");
	str_copy(spec.dev, sizeof(spec.dev), "out0");
	struct backend *b = open_passt(&spec, &o);
	assert_true(arp_answers(b, HOST_IP));
	backend_destroy(b);
	opened_backend_close(&o);
	str_copy(spec.type, sizeof(spec.type), "passt");
	str_copy(spec.dev, sizeof(spec.dev), "nodev9");
	spec.nfds = 0;
	assert_fails(&spec, -ECHILD, "nodev9");
}

/* All of the above once more without root: what an ordinary user of a Debian machine has. */
static void an_ordinary_user_can_use_passt(void **state)
{
	int status = -1;

	(void)state;
	if (!root)
		skip(); /* then the other tests were this one */
	pid_t pid = fork();
	if (pid == 0) {
		struct backend_spec spec = passt_spec();
		struct opened_backend o;
		struct error err = { 0 };

		if (setresgid(12345, 12345, 12345) < 0 || setresuid(12345, 12345, 12345) < 0)
			_exit(2);
		if (open_host(&spec, 1, &o, &err) < 0) {
			printf("%s\n", err.text);
			fflush(stdout);
			_exit(3);
		}
		opened_backend_close(&o);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void give_network(void)
{
	run("ip link set lo up && ip link add out0 type veth peer name out1 && ip link set out0 up "
	    "&& "
	    "ip link set out1 up && ip addr add " HOST_IP "/24 dev out0 && "
	    "ip route add default via 10.77.0.1");
}

static void ports_and_ranges_become_passts_words(void **state)
{
	static const struct {
		const char *hostfwd, *passt; /* NULL: refused */
	} cases[] = {
		{ "tcp:127.0.0.1:2222-:22", "127.0.0.1/2222:22" },
		{ "udp::5353-:53", "5353:53" },
		{ "tcp::8000..8099-:80", "8000-8099:80-179" },
		{ "tcp:10.0.0.1:1..65535-:1", "10.0.0.1/1-65535:1-65535" },
		{ "tcp:2001:db8::1%eth-0:22-:22", "2001:db8::1%eth-0/22:22" },
		{ "udp:%eth0:53-:53", "%eth0/53:53" },
		{ "tcp::8000..7000-:80", NULL },
		{ "tcp::8000..8099-:65500", NULL },
		{ "tcp::0-:80", NULL },
		{ "tcp:22", NULL },
		{ "tcp", NULL },
	};
	char said[96];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		bool good = host_passt_forward(cases[i].hostfwd, said, sizeof(said));

		assert_int_equal(good, cases[i].passt != NULL);
		assert_string_equal(said, good ? cases[i].passt : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passt_is_ready_when_it_is_open_and_goes_with_its_port),
		cmocka_unit_test(passt_ends_when_nobody_holds_its_socket),
		cmocka_unit_test(a_passt_that_is_killed_is_replaced_behind_the_same_backend),
		cmocka_unit_test(passt_can_be_started_without_waiting_for_it),
		cmocka_unit_test(passt_says_itself_why_it_cannot_start),
		cmocka_unit_test(without_passt_the_package_is_named),
		cmocka_unit_test(a_connection_to_the_host_reaches_the_guest),
		cmocka_unit_test(a_passt_that_listens_is_joined_and_joined_again),
		cmocka_unit_test(the_guest_has_the_addresses_that_it_was_given),
		cmocka_unit_test(an_ordinary_user_can_use_passt),
		cmocka_unit_test(ports_and_ranges_become_passts_words),
	};

	if (system("command -v passt >/dev/null") != 0) {
		printf("SKIP: no passt here; tools/setup check installs it\n");
		return TEST_SKIPPED;
	}
	root = geteuid() == 0;
	if (enter_netns() < 0)
		return TEST_SKIPPED;
	give_network();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
