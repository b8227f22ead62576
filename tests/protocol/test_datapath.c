/* The real anynic-datapath process: ports before and after the lock-down, clients that come and go under traffic, and what
 * happens when somebody takes it over: system calls are injected into its threads with ptrace while frames pass, and each
 * forbidden one must end it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/message.h"
#include "vfio_user_client.h"

#define WAIT_MS 10000

static const char *program;

struct process {
	pid_t pid;
	int control;
	uint32_t seq;
	char folder[64];
};

static int setup(void **state)
{
	static struct process p;
	int pair[2];

	p = (struct process){ 0 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	str_copy(p.folder, sizeof(p.folder), "/tmp/anynic-test.XXXXXX");
	assert_non_null(mkdtemp(p.folder));
	p.pid = fork();
	if (p.pid == 0) {
		dup2(pair[1], 3);
		fd_set_cloexec(3, false);
		execl(program, program, "1", (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	p.control = pair[0];
	*state = &p;
	return 0;
}

static int wait_exit(struct process *p)
{
	int status = -1;

	for (int i = 0; i < WAIT_MS / 10; i++) {
		if (waitpid(p->pid, &status, WNOHANG) == p->pid) {
			p->pid = 0;
			return status;
		}
		usleep(10000);
	}
	return -1;
}

static int teardown(void **state)
{
	struct process *p = *state;
	char command[128];

	fd_close(&p->control);
	if (p->pid && wait_exit(p) == -1) {
		kill(p->pid, SIGKILL);
		while (waitpid(-1, NULL, __WALL) > 0)
			; /* also a thread that is being traced */
		fail_msg("the process did not end when control went away");
	}
	snprintf(command, sizeof(command), "rm -r %s", p->folder);
	return system(command);
}

/* Next message of `type`; others are passed over. */
static void expect(struct process *p, enum message_type type, struct message *m)
{
	for (;;) {
		struct pollfd poll_control = { .fd = p->control, .events = POLLIN };
		if (poll(&poll_control, 1, WAIT_MS) != 1)
			fail_msg("no message %s came", message_type_name(type));
		if (message_receive(p->control, m) != 1)
			fail_msg("the process is gone while %s was expected",
				 message_type_name(type));
		if (m->type == type)
			return;
	}
}

static int reply_code(struct process *p, uint32_t seq)
{
	static struct message m;

	do
		expect(p, MSG_REPLY, &m);
	while (m.seq != seq);
	const struct msg_reply *r = message_body(&m, sizeof(*r));
	assert_non_null(r);
	return r->code;
}

static int call(struct process *p, enum message_type type, const void *body, size_t len,
		const int *fds, unsigned nfds)
{
	assert_int_equal(message_send(p->control, type, ++p->seq, body, len, fds, nfds), 0);
	return reply_code(p, p->seq);
}

static void path_of(const struct process *p, const char *id, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", p->folder, id);
}

static int listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	str_copy(sun.sun_path, sizeof(sun.sun_path), path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* A port with one rtl8139. `backend_fd` is the connected socket of a stream, or -1 for a loop. */
static int add_port_with(struct process *p, const char *id, int backend_fd, enum nic_netdev netdev)
{
	static struct msg_port_add add;
	char path[128];

	path_of(p, id, path, sizeof(path));
	add = (struct msg_port_add){
		.spec = { .nics = 1, .mac = { 0x52, 0x54, 0, 1, 2, 3 }, .backend.type = "loop" }
	};
	if (backend_fd >= 0) {
		str_copy(add.spec.backend.type, sizeof(add.spec.backend.type), "stream");
		add.spec.backend.nfds = 1;
	}
	str_copy(add.spec.id, sizeof(add.spec.id), id);
	struct nic_spec *nic = &add.spec.nic[0];
	*nic = (struct nic_spec){ .model = "rtl8139",
				  .rev = -1,
				  .bootindex = -1,
				  .mac = { 0x52, 0x54, 0, 1, 2, 3 },
				  .netdev = netdev };
	str_copy(nic->id, sizeof(nic->id), id);
	int fds[2] = { backend_fd, -1 };
	int *listener = &fds[backend_fd >= 0];
	*listener = listen_at(path);
	int rc = call(p, MSG_PORT_ADD, &add, sizeof(add), fds, backend_fd >= 0 ? 2 : 1);
	close(*listener);
	return rc;
}

static int add_port_on(struct process *p, const char *id, int backend_fd)
{
	return add_port_with(p, id, backend_fd, NETDEV_NONE);
}

static int add_port(struct process *p, const char *id)
{
	return add_port_on(p, id, -1);
}

static void start(struct process *p)
{
	static struct message m;
	struct msg_start s = { .cpu = -1, .sandbox = 1, .vcpus = 1 };

	assert_int_equal(message_send(p->control, MSG_START, ++p->seq, &s, sizeof(s), NULL, 0), 0);
	expect(p, MSG_STARTED, &m);
	assert_int_equal(reply_code(p, p->seq), 0);
}

static void connect_to(const struct process *p, const char *id, struct vfio_client *c)
{
	char path[128];

	path_of(p, id, path, sizeof(path));
	for (int i = 0; i < WAIT_MS / 10 && client_connect(c, path, NULL, NULL) < 0; i++)
		usleep(10000);
	c->refuse_dma = true;
	assert_true(client_hello(c, client_qemu_text) >= 0);
}

/* A VMM as QEMU is one: connects, reads config space, maps memory, switches the card on. */
static void use_card(struct vfio_client *c)
{
	uint32_t id = client_read32(c, 7, 0);
	assert_int_equal(id, 0x813910ec);
	int ram = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(ram, 1 << 20), 0);
	assert_int_equal(client_map(c, 0, 1 << 20, ram, 0, 3), 0);
	close(ram);
	client_write16(c, 7, 4, 7);
	/* RBSTART, RCR, CR: a driver in C mode that can receive, promiscuous, with interrupts */
	client_write32(c, 1, 0x30, 0x10000);
	client_write16(c, 1, 0x3c, 0x0005);
	uint8_t enable = 0x0c;
	assert_true(client_region_write(c, 1, 0x37, 1, &enable) >= 0);
	client_write32(c, 1, 0x44, 0x0f);
}

static void set_links(struct process *p, const char *port, bool up)
{
	struct msg_port_links links = { .up = { up }, .active = up ? 0 : -1 };

	str_copy(links.port, sizeof(links.port), port);
	assert_int_equal(call(p, MSG_PORT_LINKS, &links, sizeof(links), NULL, 0), 0);
}

static void ports_come_and_go_after_the_lock_down(void **state)
{
	struct process *p = *state;
	struct vfio_client a, b;
	struct msg_port_name name = { .port = "b" };
	static struct message m;

	assert_int_equal(add_port(p, "a"), 0);
	start(p);
	connect_to(p, "a", &a);
	use_card(&a);
	expect(p, MSG_NIC_STATUS, &m);
	/* hot plug, a new connection, a new memory map */
	assert_int_equal(add_port(p, "b"), 0);
	assert_int_equal(add_port(p, "b2"), 0);
	connect_to(p, "b", &b);
	use_card(&b);
	set_links(p, "a", true);
	set_links(p, "b", true);
	assert_int_equal(call(p, MSG_PORT_REMOVE, &name, sizeof(name), NULL, 0), 0);
	assert_int_equal(call(p, MSG_PORT_REMOVE, &name, sizeof(name), NULL, 0), -ENOENT);
	client_close(&b);
	/* the client leaves and another one comes */
	client_close(&a);
	usleep(50000);
	connect_to(p, "a", &a);
	use_card(&a);
	client_close(&a);
	assert_int_equal(call(p, MSG_COUNTERS_GET, NULL, 0, NULL, 0), 0);
}

static void what_is_no_vhost_net_is_refused_and_the_port_goes_on(void **state)
{
	struct process *p = *state;
	struct msg_port_name name = { .port = "a" }, nobody = { .port = "x" };
	struct vfio_client client;
	int pair[2];
	char byte;

	assert_int_equal(add_port(p, "a"), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	/* this port has no tap */
	assert_int_equal(call(p, MSG_PORT_VHOST, &name, sizeof(name), pair, 1), -EINVAL);
	assert_int_equal(call(p, MSG_PORT_VHOST, &nobody, sizeof(nobody), pair, 1), -ENOENT);
	assert_int_equal(call(p, MSG_PORT_VHOST, &name, 3, pair, 1), -EPROTO);
	close(pair[0]);
	assert_int_equal(recv(pair[1], &byte, 1, 0), 0); /* none of them stayed open */
	close(pair[1]);
	start(p);
	connect_to(p, "a", &client);
	use_card(&client);
	client_close(&client);
}

static void expect_backend(struct process *p, bool up)
{
	static struct message m;

	expect(p, MSG_BACKEND_STATUS, &m);
	const struct msg_backend_status *status = message_body(&m, sizeof(*status));
	assert_non_null(status);
	assert_int_equal(status->up, up);
}

static void a_port_is_announced_by_rarp_while_a_card_is_active(void **state)
{
	struct process *p = *state;
	struct msg_port_name name = { .port = "s" }, nobody = { .port = "x" };
	uint8_t seen[4 + 60], more;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(add_port_on(p, "s", pair[0]), 0);
	close(pair[0]);
	start(p);
	assert_int_equal(call(p, MSG_PORT_ANNOUNCE, &name, sizeof(name), NULL, 0), 0);
	assert_int_equal(recv(pair[1], &more, 1, MSG_DONTWAIT), -1);
	set_links(p, "s", true);
	assert_int_equal(call(p, MSG_PORT_ANNOUNCE, &name, sizeof(name), NULL, 0), 0);
	assert_int_equal(recv(pair[1], seen, sizeof(seen), MSG_WAITALL), sizeof(seen));
	assert_memory_equal(seen, "\0\0\0\x3c\xff\xff\xff\xff\xff\xff", 10);
	assert_memory_equal(seen + 10, "\x52\x54\0\1\2\3\x80\x35", 8);
	assert_int_equal(call(p, MSG_PORT_ANNOUNCE, &nobody, sizeof(nobody), NULL, 0), -ENOENT);
	assert_int_equal(call(p, MSG_PORT_ANNOUNCE, &name, 3, NULL, 0), -EPROTO);
	close(pair[1]);
}

static void a_backend_that_was_lost_goes_on_with_a_new_socket(void **state)
{
	struct process *p = *state;
	struct msg_port_name name = { .port = "s" }, loop = { .port = "a" },
			     nobody = { .port = "x" };
	int pair[2], spare[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(add_port_on(p, "s", pair[0]), 0);
	assert_int_equal(add_port(p, "a"), 0);
	start(p);
	for (unsigned i = 0; i < 3; i++) {
		close(pair[0]);
		if (i < 2) { /* the last time control knows before the datapath */
			close(pair[1]);
			expect_backend(p, false);
		}
		int old = i < 2 ? -1 : pair[1];
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(call(p, MSG_BACKEND_RENEW, &name, sizeof(name), &pair[0], 1), 0);
		if (old >= 0) {
			char byte;
			assert_int_equal(recv(old, &byte, 1, 0), 0); /* the old one is closed */
			close(old);
		}
	}
	/* what cannot be: told, and the descriptors do not stay open */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, spare), 0);
	assert_int_equal(call(p, MSG_BACKEND_RENEW, &loop, sizeof(loop), spare, 1), -ENOTSUP);
	assert_int_equal(call(p, MSG_BACKEND_RENEW, &nobody, sizeof(nobody), spare, 1), -ENOENT);
	assert_int_equal(call(p, MSG_BACKEND_RENEW, &name, 3, spare, 1), -EPROTO);
	close(spare[0]);
	char byte;
	assert_int_equal(recv(spare[1], &byte, 1, 0), 0);
	close(spare[1]);
	close(pair[0]);
	close(pair[1]);
	expect_backend(p, false);
}

static void wrong_messages_get_an_error_and_change_nothing(void **state)
{
	struct process *p = *state;
	static struct msg_port_add add;
	struct msg_port_links links = { .port = "nobody" };
	char junk[100] = { 1 };

	start(p);
	assert_int_equal(call(p, MSG_PORT_ADD, junk, sizeof(junk), NULL, 0), -EPROTO);
	add = (struct msg_port_add){ .spec.nics = 7 };
	assert_int_equal(call(p, MSG_PORT_ADD, &add, sizeof(add), NULL, 0), -EPROTO);
	add = (struct msg_port_add){ .spec = { .nics = 1, .backend.type = "nothing" } };
	assert_true(call(p, MSG_PORT_ADD, &add, sizeof(add), NULL, 0) < 0);
	add = (struct msg_port_add){ .spec = { .nics = 1, .backend.type = "null" } };
	assert_true(call(p, MSG_PORT_ADD, &add, sizeof(add), NULL, 0) <
		    0); /* no socket came along */
	assert_int_equal(call(p, MSG_PORT_LINKS, &links, sizeof(links), NULL, 0), -ENOENT);
	assert_int_equal(call(p, MSG_START, junk, sizeof(junk), NULL, 0), -EPROTO);
	assert_int_equal(call(p, MSG_LOG, junk, sizeof(junk), NULL, 0), -EPROTO);
	assert_int_equal(add_port(p, "a"), 0);
	assert_int_equal(call(p, MSG_GUEST_RUN, "\1", 1, NULL, 0), 0);
}

/* A guest that flips its driver's status at full speed while control does not read: the cards go on answering, and in the
 * end control learns the last status. */
static void a_flood_of_status_changes_stops_nobody(void **state)
{
	struct process *p = *state;
	struct vfio_client c;
	static struct message m;
	uint8_t on = 0x0c, off = 0;
	const struct msg_nic_status *last = NULL;
	unsigned told = 0;

	assert_int_equal(add_port(p, "a"), 0);
	start(p);
	connect_to(p, "a", &c);
	use_card(&c);
	for (int i = 0; i < 3000; i++) {
		assert_true(client_region_write(&c, 1, 0x37, 1, &off) >= 0);
		assert_true(client_region_write(&c, 1, 0x37, 1, &on) >= 0);
	}
	assert_int_equal(client_read32(&c, 7, 0), 0x813910ec);
	/* until nothing comes any more and the last word is that it is ready */
	struct pollfd more = { .fd = p->control, .events = POLLIN };
	for (bool ready = false; poll(&more, 1, ready ? 200 : WAIT_MS) == 1;) {
		assert_int_equal(message_receive(p->control, &m), 1);
		if (m.type == MSG_NIC_STATUS) {
			last = message_body(&m, sizeof(*last));
			ready = last->state == 2;
			told++;
		}
	}
	assert_non_null(last);
	assert_int_equal(last->state, 2); /* ready */
	assert_in_range(told, 2, 1500);
	client_close(&c);
}

/* A peer that sends many frames at once: they lie inside the backend, where no descriptor tells of them. */
#define AT_ONCE 500u

static uint64_t frames_read(struct process *p)
{
	static struct message m;

	assert_int_equal(message_send(p->control, MSG_COUNTERS_GET, ++p->seq, NULL, 0, NULL, 0), 0);
	expect(p, MSG_COUNTERS, &m);
	uint64_t frames = ((const struct msg_counters *)(const void *)m.body)->rx_frames;
	assert_int_equal(reply_code(p, p->seq), 0);
	return frames;
}

static void wait_for_frames(struct process *p, uint64_t wanted)
{
	uint64_t seen = 0;

	for (int i = 0; i < WAIT_MS / 10 && (seen = frames_read(p)) != wanted; i++)
		usleep(10000);
	assert_int_equal(seen, wanted);
}

static void send_many(int fd)
{
	static uint8_t data[AT_ONCE][68];

	for (unsigned i = 0; i < AT_ONCE; i++)
		data[i][3] = 64;
	assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
}

/* The guest gave room for some frames only: the port waits for it, with the rest inside the backend. */
static void fill_the_guest(struct process *p, struct vfio_client *c, int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(add_port_on(p, "a", pair[1]), 0);
	start(p);
	connect_to(p, "a", c);
	use_card(c);
	set_links(p, "a", true);
	send_many(pair[0]);
	uint64_t seen = 0;
	for (int i = 0; i < WAIT_MS / 10 && (seen = frames_read(p)) < 32; i++)
		usleep(10000);
	usleep(200000);
	assert_in_range(seen, 32, AT_ONCE - 33);
	assert_in_range(frames_read(p), 32, AT_ONCE - 33);
}

static void frames_inside_a_backend_follow_those_that_a_switch_let_go(void **state)
{
	struct process *p = *state;
	struct vfio_client c;
	int pair[2];

	fill_the_guest(p, &c, pair);
	set_links(p, "a", false); /* what waited is dropped: nobody is active */
	wait_for_frames(p, AT_ONCE);
	client_close(&c);
	close(pair[0]);
	close(pair[1]);
}

static void frames_inside_a_backend_are_read_when_a_stopped_guest_goes_on(void **state)
{
	struct process *p = *state;
	struct vfio_client c;
	struct msg_guest_run run = { .running = false };
	int pair[2];

	fill_the_guest(p, &c, pair);
	assert_int_equal(call(p, MSG_GUEST_RUN, &run, sizeof(run), NULL, 0), 0);
	set_links(p, "a", false);
	run.running = true;
	assert_int_equal(call(p, MSG_GUEST_RUN, &run, sizeof(run), NULL, 0), 0);
	wait_for_frames(p, AT_ONCE);
	client_close(&c);
	close(pair[0]);
	close(pair[1]);
}

/* --- injection --- */

/* Makes thread `tid`, which is stopped inside a system call, do another one. Returns the wait status behind it. */
static int inject(pid_t tid, long nr, long a, long b, long c)
{
	struct user_regs_struct regs;
	int status = 0;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return -1;
	/* it stopped behind a `syscall` instruction of two bytes: go back to it */
	regs.rip -= 2;
	regs.rax = (unsigned long long)nr;
	regs.orig_rax = (unsigned long long)-1;
	regs.rdi = (unsigned long long)a;
	regs.rsi = (unsigned long long)b;
	regs.rdx = (unsigned long long)c;
	regs.r10 = 0;
	if (ptrace(PTRACE_SETREGS, tid, NULL, &regs) < 0 ||
	    ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL) < 0)
		return -1;
	waitpid(tid, &status, __WALL);
	return status;
}

static pid_t a_worker_of(pid_t pid)
{
	char path[64];
	pid_t worker = pid;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));)
		if (atoi(e->d_name) > 0 && atoi(e->d_name) != pid)
			worker = atoi(e->d_name);
	if (d)
		closedir(d);
	return worker;
}

struct forbidden {
	const char *what;
	long nr, a, b, c;
};

static void try_to_break_out(void **state, const struct forbidden *f, bool in_worker)
{
	struct process *p = *state;
	struct vfio_client c;

	assert_int_equal(add_port(p, "a"), 0);
	start(p);
	connect_to(p, "a", &c);
	use_card(&c);
	set_links(p, "a", true);
	/* traffic: TSD0 with a frame of 60 bytes, which the loop backend returns */
	for (int i = 0; i < 20; i++) {
		client_write32(&c, 1, 0x20, 0x20000);
		client_write32(&c, 1, 0x10, 60);
	}
	pid_t tid = in_worker ? a_worker_of(p->pid) : p->pid;
	if (ptrace(PTRACE_ATTACH, tid, NULL, NULL) < 0) {
		client_close(&c);
		print_message("not permitted to ptrace here: needs root\n");
		skip();
	}
	int status = 0;
	waitpid(tid, &status, __WALL);
	status = inject(tid, f->nr, f->a, f->b, f->c);
	client_close(&c);
	if (tid != p->pid)
		status = wait_exit(p);
	else
		p->pid = 0;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		fail_msg("%s was not stopped (status 0x%x)", f->what, status);
}

static const struct forbidden calls[] = {
#if !defined(                                                                                      \
	__SANITIZE_ADDRESS__) /* the wider filter of sanitizer builds lets their runtime do these two */
	{ "open", SYS_openat, AT_FDCWD, 0, O_RDONLY },	   { "clone", SYS_clone, SIGCHLD, 0, 0 },
#endif
	{ "socket", SYS_socket, AF_INET, SOCK_STREAM, 0 }, { "exec", SYS_execve, 0, 0, 0 },
	{ "ptrace", SYS_ptrace, PTRACE_ATTACH, 1, 0 },
};

static void a_hijacked_control_thread_is_ended(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
		if (i > 0)
			setup(state);
		try_to_break_out(state, &calls[i], false);
		if (i + 1 < ARRAY_SIZE(calls))
			teardown(state);
	}
}

/* --- the end of a card that QEMU has ------------------------------------------------------------------------------ */

static int connect_as_qemu(const struct process *p, const char *id)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	path_of(p, id, sun.sun_path, sizeof(sun.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

/* The wire sends as long as somebody takes it. */
static void flood(int wire)
{
	static const uint8_t frame[64] = { [3] = 60 };

	for (unsigned patience = 0; patience < 30; patience++, usleep(10000))
		while (send(wire, frame, sizeof(frame), MSG_DONTWAIT) == sizeof(frame))
			patience = 0;
}

static bool gets_something(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t data[64];

	return poll(&p, 1, WAIT_MS) == 1 && recv(fd, data, sizeof(data), MSG_DONTWAIT) > 0;
}

/* It did not read, so the port waited for it; then it was sent away for what it said. */
static void frames_that_waited_for_a_qemu_do_not_stop_the_next_one(void **state)
{
	struct process *p = *state;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(add_port_with(p, "a", pair[1], NETDEV_STREAM), 0);
	start(p);
	set_links(p, "a", true);
	int qemu = connect_as_qemu(p, "a");
	flood(pair[0]);
	assert_int_equal(send(qemu, "\xff\xff\xff\xff", 4, 0), 4);
	usleep(100000);
	int next = connect_as_qemu(p, "a");
	flood(pair[0]);
	assert_true(gets_something(next));
	close(qemu);
	close(next);
	close(pair[0]);
}

static void a_hijacked_worker_is_ended(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
		if (i > 0)
			setup(state);
		try_to_break_out(state, &calls[i], true);
		if (i + 1 < ARRAY_SIZE(calls))
			teardown(state);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(ports_come_and_go_after_the_lock_down),
		T(what_is_no_vhost_net_is_refused_and_the_port_goes_on),
		T(a_port_is_announced_by_rarp_while_a_card_is_active),
		T(a_backend_that_was_lost_goes_on_with_a_new_socket),
		T(wrong_messages_get_an_error_and_change_nothing),
		T(a_flood_of_status_changes_stops_nobody),
		T(frames_inside_a_backend_follow_those_that_a_switch_let_go),
		T(frames_inside_a_backend_are_read_when_a_stopped_guest_goes_on),
		T(frames_that_waited_for_a_qemu_do_not_stop_the_next_one),
		T(a_hijacked_control_thread_is_ended),
		T(a_hijacked_worker_is_ended),
	};
	if (argc != 2)
		return 2;
	program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
