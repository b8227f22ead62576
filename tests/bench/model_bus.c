#include "model_bus.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/message.h"

#define FOLDER	  "/tmp/anynic-bench.XXXXXX"
#define WAIT_MS	  10000
#define QEMU_SLOT 4u /* of the card on QEMU's bus 0 */
#define QEMU_BAR  0xe0000000u

static bool fail(struct bus *bus, const char *fmt, ...) PRINTF(2, 3);
static bool fail(struct bus *bus, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(bus->error, sizeof(bus->error), fmt, args);
	va_end(args);
	bus_stop(bus);
	return false;
}

uint64_t bus_cpu_ns(const struct bus *bus)
{
	struct timespec t = { 0 };

	clock_gettime(bus->cpu, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void bus_freeze(struct bus *bus)
{
	kill(bus->pid, SIGSTOP);
	waitpid(bus->pid, NULL, WUNTRACED);
}

void bus_thaw(struct bus *bus)
{
	kill(bus->pid, SIGCONT);
}

/* Guest memory; returns its descriptor. */
static int make_ram(struct bus *bus)
{
	int fd = memfd_create("ram", 0);

	if (fd < 0 || ftruncate(fd, RAM_SIZE) < 0)
		return -1;
	bus->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (bus->ram == MAP_FAILED) {
		bus->ram = NULL;
		fd_close(&fd);
	}
	return fd;
}

static int listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	str_copy(sun.sun_path, sizeof(sun.sun_path), path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 1) < 0)
		fd_close(&fd);
	return fd;
}

static bool prepare(struct bus *bus, unsigned bar, int *ram)
{
	*bus = (struct bus){ .bar = bar, .control = -1, .qtest = -1, .client.fd = -1 };
	str_copy(bus->folder, sizeof(bus->folder), FOLDER);
	*ram = make_ram(bus);
	return *ram >= 0 && mkdtemp(bus->folder);
}

static bool started(struct bus *bus)
{
	return bus->pid > 0 && clock_getcpuclockid(bus->pid, &bus->cpu) == 0;
}

void bus_stop(struct bus *bus)
{
	char path[64];

	if (bus->pid > 0) {
		kill(bus->pid, SIGKILL);
		waitpid(bus->pid, NULL, 0);
	}
	if (bus->ram)
		munmap(bus->ram, RAM_SIZE);
	if (bus->pid) { /* 0 in one that was never begun: descriptor 0 is not ours to close */
		fd_close(&bus->control);
		fd_close(&bus->qtest);
		fd_close(&bus->client.fd);
	}
	snprintf(path, sizeof(path), "%s/socket", bus->folder);
	if (bus->folder[0]) {
		unlink(path);
		rmdir(bus->folder);
	}
	bus->pid = 0;
	bus->ram = NULL;
	bus->folder[0] = '\0';
}

/* --- ours --- */

static int command(struct bus *bus, enum message_type type, const void *body, size_t size,
		   const int *fds, unsigned nfds)
{
	static struct message m;
	static uint32_t seq;

	if (message_send(bus->control, type, ++seq, body, size, fds, nfds) < 0)
		return -ECONNRESET;
	for (;;) {
		struct pollfd p = { .fd = bus->control, .events = POLLIN };
		if (poll(&p, 1, WAIT_MS) != 1 || message_receive(bus->control, &m) != 1)
			return -ECONNRESET;
		const struct msg_reply *r = message_body(&m, sizeof(*r));
		if (m.type != MSG_REPLY || m.seq != seq || !r)
			continue;
		if (r->code < 0)
			str_copy(bus->error, sizeof(bus->error), r->error.text);
		return r->code;
	}
}

static void write_ours(struct bus *bus, uint32_t at, unsigned size, uint32_t value)
{
	if (bus->running)
		client_region_post(&bus->client, bus->bar, at, size, &value);
	else
		client_region_write(&bus->client, bus->bar, at, size, &value);
}

static void run_datapath(const char *program, int control)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(control, 3);
	fd_set_cloexec(3, false);
	execl(program, program, "1", (char *)NULL);
	_exit(127);
}

/* One port with one card; its backend is the tap, or nothing at all. Named after the bus's folder, since there may be more. */
static int add_port(struct bus *bus, const char *model, int tap, const char *path)
{
	static struct msg_port_add add;
	struct msg_port_links links = { .up = { 1 }, .active = 0 };
	int fds[2] = { tap, listen_at(path) };
	unsigned skip = tap < 0;

	add = (struct msg_port_add){ .spec.nics = 1 };
	str_copy(add.spec.id, ID_MAX, bus->folder + sizeof(FOLDER) - sizeof("XXXXXX"));
	str_copy(links.port, ID_MAX, add.spec.id);
	str_copy(add.spec.backend.type, MODEL_MAX, tap < 0 ? "null" : "tap");
	add.spec.backend.nfds = tap < 0 ? 0 : 1;
	struct nic_spec *nic = &add.spec.nic[0];
	*nic = (struct nic_spec){ .rev = -1, .bootindex = -1, .mac = { 0x52, 0x54, 0, 1, 2, 3 } };
	str_copy(nic->id, ID_MAX, add.spec.id);
	str_copy(nic->model, sizeof(nic->model), model);
	int rc = command(bus, MSG_PORT_ADD, &add, sizeof(add), fds + skip, 2 - skip);
	close(fds[1]);
	return rc < 0 ? rc : command(bus, MSG_PORT_LINKS, &links, sizeof(links), NULL, 0);
}

/* Adds the card and connects to it. */
static bool plug_ours(struct bus *bus, const char *model, int tap, int ram)
{
	char path[64];

	bus->write = write_ours;
	snprintf(path, sizeof(path), "%s/socket", bus->folder);
	int rc = add_port(bus, model, tap, path);
	if (rc == 0)
		rc = client_connect(&bus->client, path, NULL, NULL);
	bus->client.refuse_dma = true;
	if (rc == 0)
		rc = client_hello(&bus->client, client_qemu_text);
	if (rc >= 0)
		rc = client_map(&bus->client, 0, RAM_SIZE, ram, 0, 3);
	close(ram);
	if (rc < 0) { /* the datapath's own words, if it had any */
		if (!bus->error[0])
			str_copy(bus->error, sizeof(bus->error), strerror(-rc));
		bus_stop(bus);
		return false;
	}
	client_write16(&bus->client, 7, 4, 7); /* COMMAND: I/O, memory, bus master */
	return true;
}

bool bus_start_ours(struct bus *bus, const char *program, const char *model, unsigned bar, int tap)
{
	/* as many vCPUs as forbid looking for work before sleeping: that costs CPU which is no card's */
	struct msg_start s = { .cpu = -1, .sandbox = 1, .vcpus = 4096 };
	int pair[2], ram;

	if (!prepare(bus, bar, &ram) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return fail(bus, "no memory or no socket");
	bus->pid = fork();
	if (bus->pid == 0)
		run_datapath(program, pair[1]);
	close(pair[1]);
	bus->control = pair[0];
	if (!started(bus) || command(bus, MSG_START, &s, sizeof(s), NULL, 0) < 0) {
		close(ram);
		return fail(bus, "%s does not start", program);
	}
	return plug_ours(bus, model, tap, ram);
}

bool bus_add_ours(struct bus *bus, const struct bus *first, const char *model, unsigned bar)
{
	int ram;

	if (!prepare(bus, bar, &ram))
		return fail(bus, "no memory");
	bus->pid = -1; /* it is the first one's to end */
	bus->control = fcntl(first->control, F_DUPFD_CLOEXEC, 0);
	return plug_ours(bus, model, -1, ram);
}

/* --- QEMU --- */

/* One line there, one line back. */
static void qtest(struct bus *bus, const char *fmt, ...) PRINTF(2, 3);
static void qtest(struct bus *bus, const char *fmt, ...)
{
	char line[128];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (send(bus->qtest, line, (size_t)n, MSG_NOSIGNAL) != n ||
	    recv(bus->qtest, line, sizeof(line), 0) < 2 || memcmp(line, "OK", 2) != 0) {
		fprintf(stderr, "model_cost: QEMU did not take: %s", line);
		exit(1);
	}
}

static void write_qemu(struct bus *bus, uint32_t at, unsigned size, uint32_t value)
{
	static const char letter[] = { [1] = 'b', [2] = 'w', [4] = 'l' };

	qtest(bus, "write%c 0x%x 0x%x\n", letter[size], QEMU_BAR + at, value);
}

static void write_config(struct bus *bus, uint32_t at, uint32_t value)
{
	qtest(bus, "outl 0xcf8 0x%x\n", 0x80000000u | QEMU_SLOT << 11 | at);
	qtest(bus, "outl 0xcfc 0x%x\n", value);
}

void bus_settle(struct bus *bus)
{
	if (bus->qtest >= 0)
		qtest(bus, "clock_step 2000000000\n");
}

static void run_qemu(const char *program, const char *device, const char *path, int ram, int tap)
{
	char memory[128], netdev[32], card[128], socket_at[96];
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(memory, sizeof(memory),
		 "memory-backend-file,id=ram,size=%u,share=on,mem-path=/proc/self/fd/%d", RAM_SIZE,
		 ram);
	snprintf(netdev, sizeof(netdev), "tap,id=net,fd=%d", tap);
	snprintf(card, sizeof(card), "%s,addr=%u%s,mac=52:54:00:01:02:03", device, QEMU_SLOT,
		 tap < 0 ? "" : ",netdev=net");
	snprintf(socket_at, sizeof(socket_at), "unix:%s", path);
	dup2(null, 0);
	dup2(null, 1);
	execl(program, program, "-nodefaults", "-display", "none", "-machine",
	      "q35,memory-backend=ram", "-object", memory, "-m", "32", "-accel", "qtest", "-qtest",
	      socket_at, "-qtest-log", "/dev/null", "-device", card, tap < 0 ? NULL : "-netdev",
	      netdev, (char *)NULL);
	_exit(127);
}

bool bus_start_qemu(struct bus *bus, const char *program, const char *device, unsigned bar, int tap)
{
	char path[64];
	int ram;

	if (!prepare(bus, bar, &ram))
		return fail(bus, "no memory");
	snprintf(path, sizeof(path), "%s/socket", bus->folder);
	int listener = listen_at(path);
	bus->pid = fork();
	if (bus->pid == 0) {
		if (tap >= 0)
			fd_set_cloexec(tap, false);
		run_qemu(program, device, path, ram, tap);
	}
	close(ram);
	struct pollfd p = { .fd = listener, .events = POLLIN };
	if (poll(&p, 1, WAIT_MS) == 1)
		bus->qtest = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	fd_close(&listener);
	if (bus->qtest < 0 || !started(bus))
		return fail(bus, "%s does not start with %s", program, device);
	bus->write = write_qemu;
	write_config(bus, 0x10 + 4 * bar, QEMU_BAR);
	write_config(bus, 4, 7);
	return true;
}
