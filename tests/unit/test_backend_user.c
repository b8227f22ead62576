/* anynic-user as control starts it: the test plays the guest, frame by frame, and the hosts behind it. */
#include "backend_help.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/mman.h>

#include "backend/user/lockdown.h"
#include "backend/user/options.h"
#include "base/clock.h"
#include "host_help.h"
#include "net/csum.h"
#include "netns.h"

#define GUEST 0x0a00020fu /* 10.0.2.15 */
#define HOST  0x0a000202u
#define DNS   0x0a000203u

static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 0xaa, 0xbb, 0xcc };
static struct rx_room rx;
static bool etc_made;  /* /etc is a file system of the test's own */
static bool real_root; /* not the root of a user namespace */

struct guest {
	struct backend *b;
	struct opened_backend open;
	uint8_t gateway[6];
	unsigned waiting, at; /* frames of rx that nobody looked at */
	uint16_t id;
};

static void start_guest(struct guest *g, struct backend_spec *spec)
{
	struct error err = { 0 };

	*g = (struct guest){ 0 };
	if (open_host(spec, 1, &g->open, &err) < 0)
		fail_msg("%s", err.text);
	memcpy(spec->fds, g->open.fds, sizeof(spec->fds));
	spec->nfds = g->open.nfds;
	g->open.nfds = 0;
	g->b = must_create(spec);
	memset(g->gateway, 0xff, 6);
}

static void stop_guest(struct guest *g)
{
	backend_destroy(g->b);
	opened_backend_close(&g->open);
}

static const uint8_t *next_frame(struct guest *g, uint32_t *length, int wait_ms)
{
	if (g->at == g->waiting) {
		struct pollfd p = { .fd = g->b->fd[0], .events = POLLIN };

		if (poll(&p, 1, wait_ms) != 1)
			return NULL;
		g->waiting = g->b->ops->receive(g->b, 0, rx_frames(&rx), FRAME_BATCH);
		g->at = 0;
		if (g->waiting == 0)
			return NULL;
	}
	*length = rx.frames[g->at].length;
	return rx.frames[g->at++].iov[0].iov_base;
}

static void send_frame(struct guest *g, uint8_t *data, uint32_t length)
{
	struct frame f;

	frame_set_linear(&f, data, length);
	assert_int_equal(g->b->ops->send(g->b, &f, 1), 1);
}

static void send_ip(struct guest *g, uint8_t protocol, uint32_t from, uint32_t to, const void *body,
		    uint32_t length)
{
	uint8_t data[2000] = { 0 };

	memcpy(data, g->gateway, 6);
	memcpy(data + 6, guest_mac, 6);
	put_be16(data + 12, 0x0800);
	data[14] = 0x45;
	put_be16(data + 16, (uint16_t)(20 + length));
	put_be16(data + 18, g->id++);
	data[22] = 64;
	data[23] = protocol;
	put_be32(data + 26, from);
	put_be32(data + 30, to);
	put_be16(data + 24, csum_fold(csum_add(0, data + 14, 20, false)));
	memcpy(data + 34, body, length);
	unsigned field = protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 : 2;
	uint32_t pseudo =
		protocol == IPPROTO_ICMP ? 0 : csum_add(protocol + length, data + 26, 8, false);
	put_be16(data + 34 + field, 0);
	put_be16(data + 34 + field, csum_fold(csum_add(pseudo, data + 34, length, false)));
	send_frame(g, data, 34 + length);
}

static void send_udp(struct guest *g, uint32_t from, uint32_t to, uint16_t from_port,
		     uint16_t to_port, const void *body, uint32_t length)
{
	uint8_t data[1500];

	put_be16(data, from_port);
	put_be16(data + 2, to_port);
	put_be16(data + 4, (uint16_t)(8 + length));
	memcpy(data + 8, body, length);
	send_ip(g, IPPROTO_UDP, from, to, data, 8 + length);
}

static void answer_arp(struct guest *g, const uint8_t *request)
{
	uint8_t data[42];

	if (get_be16(request + 20) != 1 || get_be32(request + 38) != GUEST)
		return;
	memcpy(data, request + 6, 6);
	memcpy(data + 6, guest_mac, 6);
	memcpy(data + 12, request + 12, 8);
	put_be16(data + 20, 2);
	memcpy(data + 22, guest_mac, 6);
	put_be32(data + 28, GUEST);
	memcpy(data + 32, request + 22, 10);
	send_frame(g, data, sizeof(data));
}

/* The next IPv4 packet of this protocol; returns its payload. */
static const uint8_t *expect_ip(struct guest *g, uint8_t protocol, uint32_t *length)
{
	const uint8_t *f;
	uint32_t n;

	for (int tries = 0; tries < 200 && (f = next_frame(g, &n, 20000)); tries++) {
		if (get_be16(f + 12) == 0x0806)
			answer_arp(g, f);
		if (get_be16(f + 12) != 0x0800 || f[23] != protocol)
			continue;
		assert_int_equal(csum_fold(csum_add(0, f + 14, 20, false)), 0);
		memcpy(g->gateway, f + 6, 6);
		*length = get_be16(f + 16) - 20u;
		return f + 34;
	}
	return NULL;
}

/* DHCP message of this type, answered by one of another type. Returns the BOOTP part of the answer. */
static const uint8_t *dhcp(struct guest *g, uint8_t type, uint8_t answer, uint32_t *length)
{
	uint8_t b[300] = { 1, 1, 6, 0, 'a', 'n', 'y', 'n' };

	b[10] = 0x80; /* answer by broadcast */
	memcpy(b + 28, guest_mac, 6);
	put_be32(b + 236, 0x63825363);
	b[240] = 53;
	b[241] = 1;
	b[242] = type;
	b[243] = 50;
	b[244] = 4;
	put_be32(b + 245, GUEST);
	b[249] = 255;
	send_udp(g, 0, 0xffffffff, 68, 67, b, sizeof(b));
	const uint8_t *udp = expect_ip(g, IPPROTO_UDP, length);
	assert_non_null(udp);
	assert_int_equal(get_be16(udp + 2), 68);
	assert_memory_equal(udp + 8 + 4, "anyn", 4);
	assert_int_equal(udp[8 + 242], answer);
	*length -= 8;
	return udp + 8;
}

static uint32_t dhcp_option(const uint8_t *bootp, uint32_t length, uint8_t code)
{
	for (uint32_t at = 240; at + 6 <= length && bootp[at] != 255; at += 2u + bootp[at + 1])
		if (bootp[at] == code)
			return get_be32(bootp + at + 2);
	return 0;
}

static void do_dhcp(struct guest *g)
{
	uint32_t length;

	dhcp(g, 1, 2, &length);
	const uint8_t *b = dhcp(g, 3, 5, &length);
	assert_int_equal(get_be32(b + 16), GUEST);
}

static void dhcp_gives_what_users_of_qemu_know(void **state)
{
	struct backend_spec spec = spec_of("user", -1);
	struct guest g;
	uint32_t length;

	(void)state;
	str_copy(spec.bootfile, sizeof(spec.bootfile), "pxe.0");
	start_guest(&g, &spec);
	const uint8_t *b = dhcp(&g, 1, 2, &length);
	assert_int_equal(get_be32(b + 16), GUEST);
	assert_string_equal((const char *)b + 108, "pxe.0");
	assert_int_equal(dhcp_option(b, length, 1), 0xffffff00);
	assert_int_equal(dhcp_option(b, length, 3), HOST);
	assert_int_equal(dhcp_option(b, length, 6), DNS);
	dhcp(&g, 3, 5, &length);
	stop_guest(&g);
}

static void arp_and_ping_of_the_gateway_are_answered(void **state)
{
	struct backend_spec spec = spec_of("user", -1);
	uint8_t arp[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		echo[64] = { 8, 0, 0, 0, 0x12, 0x34, 0, 1 };
	struct guest g;
	uint32_t length;

	(void)state;
	start_guest(&g, &spec);
	memcpy(arp + 6, guest_mac, 6);
	static const uint8_t head[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	memcpy(arp + 12, head, sizeof(head));
	memcpy(arp + 22, guest_mac, 6);
	put_be32(arp + 28, GUEST);
	put_be32(arp + 38, HOST);
	send_frame(&g, arp, sizeof(arp));
	const uint8_t *f;
	do
		f = next_frame(&g, &length, 20000);
	while (f && get_be16(f + 12) != 0x0806);
	assert_non_null(f);
	assert_int_equal(get_be16(f + 20), 2);
	assert_int_equal(get_be32(f + 28), HOST);
	send_ip(&g, IPPROTO_ICMP, GUEST, HOST, echo, sizeof(echo));
	const uint8_t *icmp = expect_ip(&g, IPPROTO_ICMP, &length);
	assert_non_null(icmp);
	assert_int_equal(icmp[0], 0);
	assert_int_equal(get_be16(icmp + 4), 0x1234);
	stop_guest(&g);
}

static void a_router_is_announced_in_ipv6(void **state)
{
	struct backend_spec spec = spec_of("user", -1);
	uint8_t rs[62] = { 0x33, 0x33, 0, 0, 0, 2 };
	struct guest g;
	uint32_t length;
	const uint8_t *f;

	(void)state;
	start_guest(&g, &spec);
	memcpy(rs + 6, guest_mac, 6);
	put_be16(rs + 12, 0x86dd);
	rs[14] = 0x60;
	put_be16(rs + 18, 8);
	rs[20] = IPPROTO_ICMPV6;
	rs[21] = 255;
	put_be16(rs + 22, 0xfe80);
	rs[37] = 9;
	put_be16(rs + 38, 0xff02);
	rs[53] = 2;
	rs[54] = 133;
	put_be16(rs + 56, csum_fold(csum_add(csum_add(IPPROTO_ICMPV6 + 8, rs + 22, 32, false),
					     rs + 54, 8, false)));
	send_frame(&g, rs, sizeof(rs));
	do
		f = next_frame(&g, &length, 20000);
	while (f && !(get_be16(f + 12) == 0x86dd && f[20] == IPPROTO_ICMPV6 && f[54] == 134));
	assert_non_null(f);
	bool prefix = false;
	for (uint32_t at = 70; at + 8 <= length && f[at + 1]; at += f[at + 1] * 8u)
		prefix |= f[at] == 3 && f[at + 2] == 64 && get_be16(f + at + 16) == 0xfec0;
	assert_true(prefix);
	stop_guest(&g);
}

static int host_socket(int type, uint32_t address, uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(address) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* A TCP segment of the guest. */
static void send_tcp(struct guest *g, uint16_t from_port, uint16_t to_port, uint32_t seq,
		     uint32_t ack, uint8_t flags, const char *text)
{
	uint8_t data[200] = { 0 };

	put_be16(data, from_port);
	put_be16(data + 2, to_port);
	put_be32(data + 4, seq);
	put_be32(data + 8, ack);
	data[12] = 0x50;
	data[13] = flags;
	put_be16(data + 14, 60000);
	memcpy(data + 20, text, strlen(text));
	send_ip(g, IPPROTO_TCP, GUEST, HOST, data, 20 + (uint32_t)strlen(text));
}

static void tcp_to_the_gateway_reaches_the_host_itself(void **state)
{
	struct backend_spec spec = spec_of("user", -1);
	int listener = host_socket(SOCK_STREAM, INADDR_LOOPBACK, 7070);
	struct guest g;
	char text[100] = "";
	uint32_t length;

	(void)state;
	start_guest(&g, &spec);
	do_dhcp(&g);
	send_tcp(&g, 4444, 7070, 1000, 0, 0x02, "");
	const uint8_t *tcp = expect_ip(&g, IPPROTO_TCP, &length);
	assert_non_null(tcp);
	assert_int_equal(tcp[13] & 0x3f, 0x12); /* SYN, ACK */
	assert_int_equal(get_be32(tcp + 8), 1001);
	uint32_t peer = get_be32(tcp + 4) + 1;
	send_tcp(&g, 4444, 7070, 1001, peer, 0x18, "hello from the guest");
	int sock = accept(listener, NULL, NULL);
	assert_int_equal(recv(sock, text, sizeof(text), 0), 20);
	assert_string_equal(text, "hello from the guest");
	assert_int_equal(send(sock, "and back", 8, 0), 8);
	do
		tcp = expect_ip(&g, IPPROTO_TCP, &length);
	while (tcp && length <= (tcp[12] >> 4) * 4u);
	assert_non_null(tcp);
	assert_memory_equal(tcp + (tcp[12] >> 4) * 4, "and back", 8);
	close(sock);
	close(listener);
	stop_guest(&g);
}

static void a_forwarded_port_reaches_the_guest(void **state)
{
	struct backend_spec spec = spec_of("user", -1);
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(2222),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct guest g;
	uint32_t length;

	(void)state;
	str_copy(spec.hostfwd[0], sizeof(spec.hostfwd[0]), "tcp:127.0.0.1:2222-:22");
	str_copy(spec.hostfwd[1], sizeof(spec.hostfwd[1]), "udp::5353-10.0.2.15:53");
	spec.hostfwds = 2;
	start_guest(&g, &spec);
	do_dhcp(&g);
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	connect(sock, (struct sockaddr *)&at, sizeof(at));
	const uint8_t *tcp = expect_ip(&g, IPPROTO_TCP, &length);
	assert_non_null(tcp);
	assert_int_equal(get_be16(tcp + 2), 22);
	assert_int_equal(tcp[13] & 0x3f, 0x02);
	close(sock);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	at.sin_port = htons(5353);
	assert_int_equal(sendto(sock, "query", 5, 0, (struct sockaddr *)&at, sizeof(at)), 5);
	const uint8_t *udp = expect_ip(&g, IPPROTO_UDP, &length);
	assert_non_null(udp);
	assert_int_equal(get_be16(udp + 2), 53);
	assert_memory_equal(udp + 8, "query", 5);
	close(sock);
	stop_guest(&g);
}

static void assert_refused(struct backend_spec spec, int code, const char *words)
{
	struct opened_backend o;
	struct error err = { 0 };

	assert_int_equal(open_host(&spec, 1, &o, &err), code);
	if (!strstr(err.text, words))
		fail_msg("'%s' says nothing of '%s'", err.text, words);
	assert_int_equal(o.pid, 0);
}

static void what_cannot_work_is_said_before_the_guest_starts(void **state)
{
	struct backend_spec spec = spec_of("user", -1);
	int taken = host_socket(SOCK_STREAM, INADDR_LOOPBACK, 3333);

	(void)state;
	spec.hostfwds = 1;
	str_copy(spec.hostfwd[0], sizeof(spec.hostfwd[0]), "tcp:127.0.0.1:3333-:22");
	assert_refused(spec, -EADDRINUSE, "stop the program that has this port");
	close(taken);
	str_copy(spec.hostfwd[0], sizeof(spec.hostfwd[0]), "tcp:192.0.2.7:3333-:22");
	assert_refused(spec, -EADDRNOTAVAIL, "address of this host");
	str_copy(spec.hostfwd[0], sizeof(spec.hostfwd[0]), "tcp:3333:22");
	assert_refused(spec, -EINVAL, "tcp:127.0.0.1:2222-:22");
	spec = spec_of("user", -1);
	str_copy(spec.net, sizeof(spec.net), "10.0.2.0");
	assert_refused(spec, -EINVAL, "net=10.0.2.0/24");
	char *folder = strdup(getenv("ANYNIC_LIBEXEC"));
	setenv("ANYNIC_LIBEXEC", "/nowhere", 1);
	assert_refused(spec_of("user", -1), -ENOENT, "ANYNIC_LIBEXEC");
	setenv("ANYNIC_LIBEXEC", folder, 1);
	free(folder);
}

static void another_network_moves_all_addresses(void **state)
{
	struct backend_spec spec = spec_of("user", -1);
	struct guest g;
	uint32_t length;

	(void)state;
	str_copy(spec.net, sizeof(spec.net), "192.168.76.0/24");
	start_guest(&g, &spec);
	const uint8_t *b = dhcp(&g, 1, 2, &length);
	assert_int_equal(get_be32(b + 16), 0xc0a84c0f);
	assert_int_equal(dhcp_option(b, length, 3), 0xc0a84c02);
	assert_int_equal(dhcp_option(b, length, 6), 0xc0a84c03);
	stop_guest(&g);
}

static void replace_resolv_conf(const char *server)
{
	char text[64];

	snprintf(text, sizeof(text), "nameserver %s\n", server);
	int fd = open("/etc/new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	assert_int_equal(rename("/etc/new", "/etc/resolv.conf"), 0);
}

static void dns_follows_resolv_conf_also_when_it_is_replaced(void **state)
{
	struct backend_spec spec = spec_of("user", -1);
	struct guest g;
	char text[20] = "";

	(void)state;
	if (!etc_made) {
		printf("SKIP: /etc cannot be replaced for the test without root\n");
		skip();
	}
	int first = host_socket(SOCK_DGRAM, INADDR_LOOPBACK, 53),
	    second = host_socket(SOCK_DGRAM, 0x7f000002, 53);
	replace_resolv_conf("127.0.0.1");
	start_guest(&g, &spec);
	do_dhcp(&g);
	send_udp(&g, GUEST, DNS, 4000, 53, "query one", 9);
	assert_int_equal(recv(first, text, sizeof(text), 0), 9);
	replace_resolv_conf("127.0.0.2");
	usleep(1200000); /* libslirp looks once a second */
	send_udp(&g, GUEST, DNS, 4001, 53, "query two", 9);
	assert_int_equal(recv(second, text, sizeof(text), 0), 9);
	assert_memory_equal(text, "query two", 9);
	close(first);
	close(second);
	stop_guest(&g);
}

static void a_boot_file_comes_over_tftp_and_no_other_folder_does(void **state)
{
	struct backend_spec spec = spec_of("user", -1);
	static const char request[] = "\0\1kernel\0octet", bad[] = "\0\1../secret\0octet";
	char folder[] = "/tmp/anynic-test-tftp-XXXXXX", path[64];
	struct guest g;
	uint32_t length;

	(void)state;
	assert_non_null(mkdtemp(folder));
	chmod(folder, 0755);
	snprintf(path, sizeof(path), "%s/kernel", folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "boot me", 7), 7);
	close(fd);
	str_copy(spec.tftp, sizeof(spec.tftp), folder);
	start_guest(&g, &spec);
	do_dhcp(&g);
	send_udp(&g, GUEST, HOST, 2000, 69, request, sizeof(request));
	const uint8_t *udp = expect_ip(&g, IPPROTO_UDP, &length);
	assert_non_null(udp);
	assert_int_equal(get_be16(udp + 8), 3); /* DATA */
	assert_int_equal(length, 8 + 4 + 7);
	assert_memory_equal(udp + 12, "boot me", 7);
	send_udp(&g, GUEST, HOST, 2001, 69, bad, sizeof(bad));
	udp = expect_ip(&g, IPPROTO_UDP, &length);
	assert_non_null(udp);
	assert_int_equal(get_be16(udp + 8), 5); /* ERROR */
	stop_guest(&g);
	unlink(path);
	rmdir(folder);
}

static long status_field(pid_t pid, const char *name, int base)
{
	char path[40], line[200];
	long value = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			value = strtol(line + strlen(name) + 1, NULL, base);
	fclose(f);
	return value;
}

static void the_running_helper_is_locked_down(void **state)
{
	struct backend_spec spec = spec_of("user", -1);
	struct guest g;

	(void)state;
	start_guest(&g, &spec);
	assert_int_equal(status_field(g.open.pid, "NoNewPrivs", 10), 1);
	assert_int_equal(status_field(g.open.pid, "Seccomp", 10), 2);
	assert_int_equal(status_field(g.open.pid, "CapEff", 16), 0);
	assert_int_equal(status_field(g.open.pid, "CapPrm", 16), 0);
	assert_int_equal(status_field(g.open.pid, "CapBnd", 16),
			 getuid() ? status_field(getpid(), "CapBnd", 16) : 0);
	if (real_root)
		assert_int_equal(status_field(g.open.pid, "Uid", 10), 65534);
	stop_guest(&g);
}

static void the_helper_ends_with_its_socket(void **state)
{
	struct backend_spec spec = spec_of("user", -1);
	struct guest g;
	int status = -1;

	(void)state;
	start_guest(&g, &spec);
	backend_destroy(g.b);
	struct pollfd p = { .fd = g.open.pidfd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 20000), 1);
	assert_int_equal(waitpid(g.open.pid, &status, 0), g.open.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	g.open.pid = 0;
	opened_backend_close(&g.open);
}

/* --- the sandbox, call by call: each in a child that is locked down like the helper --- */

static void try_exec(void)
{
	char *argv[] = { "true", NULL };

	execv("/bin/true", argv);
}

static void try_ptrace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void try_write(void)
{
	(void)!open("/dev/null", O_WRONLY);
}

static void try_create(void)
{
	(void)!open("/tmp/anynic-test-never", O_RDONLY | O_CREAT, 0600);
}

static void try_fork(void)
{
	(void)!fork();
}

static void try_packet_socket(void)
{
	(void)!socket(AF_PACKET, SOCK_RAW, 0);
}

static void try_code(void)
{
	(void)!mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_unlink(void)
{
	unlink("/tmp/anynic-test-never");
}

static void try_prctl(void)
{
	syscall(SYS_prctl, 4, 1, 0, 0, 0);
}

static void try_unshare(void)
{
	syscall(SYS_unshare, 0x10000000);
}

/* What happened to a child that was locked down and did `attempt`: 0 lived, else the signal. */
static int locked_down(void (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct error err = { 0 };

		if (user_lock_down("", &err) < 0)
			_exit(99);
		attempt();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status))
		fail_msg("the child ended with %d", WEXITSTATUS(status));
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void after_lock_down_forbidden_calls_end_the_process(void **state)
{
	static const struct {
		const char *name;
		void (*attempt)(void);
	} attempts[] = {
		{ "exec", try_exec },
		{ "ptrace", try_ptrace },
		{ "open for writing", try_write },
		{ "create", try_create },
		{ "fork", try_fork },
		{ "packet socket", try_packet_socket },
		{ "new code", try_code },
		{ "unlink", try_unlink },
		{ "prctl", try_prctl },
		{ "unshare", try_unshare },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(attempts); i++)
		if (locked_down(attempts[i].attempt) != SIGSYS)
			fail_msg("%s did not end the process", attempts[i].name);
}

static void do_what_is_needed(void)
{
	uint8_t *p = malloc(1 << 20);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    d = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int conf = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC),
	    unix_socket = socket(AF_UNIX, SOCK_STREAM, 0);

	if (!p || s < 0 || d < 0 || conf < 0)
		_exit(1);
	if (unix_socket >= 0 || errno != EAFNOSUPPORT)
		_exit(2);
}

static void read_elsewhere(void)
{
	if (open("/bin/true", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		_exit(4);
}

static void after_lock_down_the_needed_calls_work(void **state)
{
	(void)state;
	assert_int_equal(locked_down(do_what_is_needed), 0);
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0) /* the kernel has Landlock */
		assert_int_equal(locked_down(read_elsewhere), 0);
}

static void forwards_are_read_as_qemu_writes_them(void **state)
{
	struct forward f;

	(void)state;
	assert_int_equal(forward_read(&f, "tcp:127.0.0.1:2222-10.0.2.15:22"), 0);
	assert_false(f.udp);
	assert_int_equal(ntohl(f.host.s_addr), INADDR_LOOPBACK);
	assert_int_equal(ntohl(f.guest.s_addr), GUEST);
	assert_int_equal(f.host_port, 2222);
	assert_int_equal(f.guest_port, 22);
	assert_int_equal(forward_read(&f, "udp::53-:5353"), 0);
	assert_true(f.udp);
	assert_int_equal(f.host.s_addr, 0);
	assert_int_equal(forward_read(&f, "::8080-:80"), 0); /* tcp, as in QEMU */
	static const char *const wrong[] = { "",
					     "tcp",
					     "tcp:",
					     "tcp::22",
					     "tcp::22-",
					     "tcp::22-:",
					     "tcp::0-:22",
					     "tcp::22-:0",
					     "tcp::22-:65536",
					     "icmp::1-:1",
					     "tcp:localhost:22-:22",
					     "tcp:1.2.3:22-:22",
					     "tcp::22-:22:22",
					     "tcp::-1-:22" };
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		if (forward_read(&f, wrong[i]) == 0)
			fail_msg("accepted: %s", wrong[i]);
}

static void small_networks_keep_the_guest_off_the_broadcast_address(void **state)
{
	struct user_options o;
	char *argv[] = { "anynic-user", "net=10.1.1.9/28" };
	struct error err = { 0 };

	(void)state;
	assert_int_equal(user_options_read(&o, 2, argv, &err), 0);
	struct user_addresses a = user_addresses_of(&o);
	assert_int_equal(ntohl(a.net.s_addr), 0x0a010100);
	assert_int_equal(ntohl(a.dhcp.s_addr), 0x0a010104);
	assert_int_equal(ntohl(a.host.s_addr), 0x0a010102);
	argv[1] = "hostname=guest-7";
	assert_int_equal(user_options_read(&o, 2, argv, &err), 0);
	assert_string_equal(o.hostname, "guest-7");
	assert_int_equal(o.prefix, 24);
	argv[1] = "frobnicate=1";
	assert_int_equal(user_options_read(&o, 2, argv, &err), -EINVAL);
	argv[1] = "net=10.1.1.9/30";
	assert_int_equal(user_options_read(&o, 2, argv, &err), -EINVAL);
}

/* An /etc of our own, so that a test may change resolv.conf. Needs root. */
static void make_etc(void)
{
	if (getuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/etc", "tmpfs", 0, "mode=755,size=64k") < 0)
		return;
	replace_resolv_conf("127.0.0.1");
	etc_made = true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dhcp_gives_what_users_of_qemu_know),
		cmocka_unit_test(arp_and_ping_of_the_gateway_are_answered),
		cmocka_unit_test(a_router_is_announced_in_ipv6),
		cmocka_unit_test(tcp_to_the_gateway_reaches_the_host_itself),
		cmocka_unit_test(a_forwarded_port_reaches_the_guest),
		cmocka_unit_test(what_cannot_work_is_said_before_the_guest_starts),
		cmocka_unit_test(another_network_moves_all_addresses),
		cmocka_unit_test(dns_follows_resolv_conf_also_when_it_is_replaced),
		cmocka_unit_test(a_boot_file_comes_over_tftp_and_no_other_folder_does),
		cmocka_unit_test(the_running_helper_is_locked_down),
		cmocka_unit_test(the_helper_ends_with_its_socket),
		cmocka_unit_test(after_lock_down_forbidden_calls_end_the_process),
		cmocka_unit_test(after_lock_down_the_needed_calls_work),
		cmocka_unit_test(forwards_are_read_as_qemu_writes_them),
		cmocka_unit_test(small_networks_keep_the_guest_off_the_broadcast_address),
	};

	real_root = getuid() == 0;
	if (enter_netns() < 0)
		return TEST_SKIPPED;
	set_link("lo", true);
	make_etc();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
