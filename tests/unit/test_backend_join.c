/* A real TCP behind the user backend: the kernel of a second network namespace is the guest, on a tap that a small pump
 * joins with anynic-user, as a port would. Both directions move real data through a real DHCP-less guest.
 */
#include "backend_help.h"

#include <arpa/inet.h>
#include <net/route.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "host_help.h"
#include "netns.h"

#define MEGABYTES 32u
#define CHUNK	  65536u
#define PORT_DOWN 7001
#define PORT_UP	  7002

/* One direction: what was received and not yet taken by the other side. */
struct lane {
	struct rx_room room;
	unsigned count, at;
};

static struct lane down, up;
static struct backend *user, *tap;
static struct opened_backend user_open, tap_open;

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 16) * 7);
}

static int tcp_socket(uint32_t address, uint16_t port, bool server)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(address) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	int rc = server ? bind(fd, (struct sockaddr *)&in, sizeof(in))
			: connect(fd, (struct sockaddr *)&in, sizeof(in));
	if (rc < 0 || (server && listen(fd, 1) < 0)) {
		perror("test socket");
		_exit(10);
	}
	return fd;
}

static void push_data(int fd)
{
	static uint8_t data[CHUNK];

	for (uint64_t at = 0; at < (uint64_t)MEGABYTES << 20;) {
		for (unsigned i = 0; i < CHUNK; i++)
			data[i] = pattern(at + i);
		for (unsigned sent = 0; sent < CHUNK;) {
			ssize_t n = send(fd, data + sent, CHUNK - sent, MSG_NOSIGNAL);
			if (n <= 0)
				_exit(11);
			sent += (unsigned)n;
		}
		at += CHUNK;
	}
	shutdown(fd, SHUT_WR);
}

static void pull_data(int fd)
{
	static uint8_t data[CHUNK];
	uint64_t at = 0;
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			if (data[i] != pattern(at))
				_exit(12);
	if (n < 0 || at != (uint64_t)MEGABYTES << 20)
		_exit(13);
}

/* The program in the guest's namespace. */
static void guest_program(uint16_t port)
{
	uint64_t begin = monotonic_ns();
	int fd = tcp_socket(0x0a000202, port, false);

	if (port == PORT_DOWN) {
		pull_data(fd);
	} else {
		push_data(fd);
		(void)!recv(fd, &(char){ 0 }, 1, 0); /* the server has it all */
	}
	double seconds = (double)(monotonic_ns() - begin) / 1e9;
	printf("# %s: %.0f Mbit/s\n", port == PORT_DOWN ? "host -> guest" : "guest -> host",
	       (double)MEGABYTES * 8.388608 / seconds);
	fflush(stdout);
	_exit(0);
}

/* The server on the host's loopback. */
static void host_program(int listener, uint16_t port)
{
	int fd = accept(listener, NULL, NULL);

	if (port == PORT_DOWN) {
		push_data(fd);
		(void)!recv(fd, &(char){ 0 }, 1, 0);
	} else {
		pull_data(fd);
	}
	_exit(0);
}

static short move(struct backend *from, struct backend *to, struct lane *l)
{
	if (l->at == l->count) {
		l->count = from->ops->receive(from, 0, rx_frames(&l->room), FRAME_BATCH);
		l->at = 0;
	}
	if (l->at < l->count)
		l->at += to->ops->send(to, &l->room.frames[l->at], l->count - l->at);
	return l->at < l->count ? POLLOUT : 0; /* what `to` is polled for */
}

/* Moves frames until both children ended. */
static void pump(pid_t a, pid_t b)
{
	int left = 2, status;
	uint64_t end = monotonic_ns() + 60 * NS_PER_S;

	while (left) {
		short tap_out = move(user, tap, &down), user_out = move(tap, user, &up);
		struct pollfd p[2] = {
			{ .fd = user->fd[0], .events = (short)((tap_out ? 0 : POLLIN) | user_out) },
			{ .fd = tap->fd[0], .events = (short)((user_out ? 0 : POLLIN) | tap_out) }
		};

		poll(p, 2, 20);
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid == a || pid == b) {
			assert_int_equal(status, 0);
			left--;
		}
		if (monotonic_ns() > end) {
			kill(a, SIGKILL);
			kill(b, SIGKILL);
			fail_msg("not done in 60 seconds");
		}
	}
}

static int guest_ns;

static void transfer(uint16_t port)
{
	int listener = tcp_socket(INADDR_LOOPBACK, port, true);
	pid_t server = fork();

	if (server == 0)
		host_program(listener, port);
	close(listener);
	pid_t guest = fork();
	if (guest == 0) {
		if (setns(guest_ns, CLONE_NEWNET) < 0)
			_exit(14);
		guest_program(port);
	}
	pump(server, guest);
	assert_true(user->up && tap->up);
	assert_int_equal(user->refused, 0);
}

static void thirty_two_megabytes_arrive_in_the_guest(void **state)
{
	(void)state;
	transfer(PORT_DOWN);
}

static void thirty_two_megabytes_arrive_at_the_host(void **state)
{
	(void)state;
	transfer(PORT_UP);
}

static struct backend *open_backend(const char *type, struct opened_backend *o)
{
	struct backend_spec spec = spec_of(type, -1);
	struct error err = { 0 };

	str_copy(spec.ifname, sizeof(spec.ifname), "tapguest");
	if (open_host(&spec, 1, o, &err) < 0)
		fail_msg("%s", err.text);
	memcpy(spec.fds, o->fds, sizeof(spec.fds));
	spec.nfds = o->nfds;
	o->nfds = 0;
	return must_create(&spec);
}

static void add_default_route(uint32_t gateway)
{
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY };
	struct sockaddr_in via = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(gateway) };
	struct sockaddr_in all = { .sin_family = AF_INET };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(&route.rt_gateway, &via, sizeof(via));
	memcpy(&route.rt_dst, &all, sizeof(all));
	memcpy(&route.rt_genmask, &all, sizeof(all));
	assert_int_equal(ioctl(sock, SIOCADDRT, &route), 0);
	close(sock);
}

static int make_both_sides(void **state)
{
	(void)state;
	guest_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	tap = open_backend("tap", &tap_open);
	tap->ops->set_rx_offloads(tap, 0);
	set_address("tapguest", "10.0.2.15");
	add_default_route(0x0a000202);
	if (unshare(CLONE_NEWNET) < 0) /* from here on this process is the host */
		return -1;
	set_link("lo", true);
	user = open_backend("user", &user_open);
	return 0;
}

static int end_both_sides(void **state)
{
	(void)state;
	backend_destroy(user);
	backend_destroy(tap);
	opened_backend_close(&user_open);
	opened_backend_close(&tap_open);
	close(guest_ns);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thirty_two_megabytes_arrive_in_the_guest),
		cmocka_unit_test(thirty_two_megabytes_arrive_at_the_host),
	};

	if (enter_netns() < 0 || need_tun() < 0)
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, make_both_sides, end_both_sides);
}
