/* The real client: stock QEMU's vfio-user-pci against our server, without a guest. QEMU runs under qtest, so that this program is
 * the CPU: it enumerates the card and touches its registers by qtest commands, and plugs by QMP.
 * Usage: test-vfio-user-qemu QEMU. Exit status 77 (skipped) when there is no QEMU with vfio-user-pci.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "vfio_user_world.h"

#define WAIT_MS	  20000
#define LINE_ROOM 65536
#define MEMORY                                                                                     \
	"-object", "memory-backend-memfd,id=m,size=64M,share=on", "-machine", "memory-backend=m"
#define ARGS_MAX 64

static const char *qemu;

struct line_reader {
	int fd;
	size_t length;
	char text[LINE_ROOM];
};

struct machine {
	struct world *w;
	pid_t pid;
	struct line_reader qmp, qtest;
	char events[4096]; /* that came while something else was awaited */
};

/* --- the machine --- */

/* Serves the cards until `fd` is readable. False at the time-out. */
static bool serve_until(struct machine *m, int fd)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
			       { .fd = m->w->loop.epoll_fd, .events = POLLIN } };

	for (;;) {
		int n = poll(p, 2, WAIT_MS);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		if (p[1].revents)
			world_pump(m->w);
		if (p[0].revents)
			return true;
	}
}

/* One line without its end, or NULL when QEMU is gone. */
static const char *read_line(struct machine *m, struct line_reader *r)
{
	static char line[LINE_ROOM];

	for (;;) {
		char *end = memchr(r->text, '\n', r->length);
		if (end) {
			size_t n = (size_t)(end - r->text);
			memcpy(line, r->text, n);
			line[n] = '\0';
			r->length -= n + 1;
			memmove(r->text, end + 1, r->length);
			return line;
		}
		if (r->length == LINE_ROOM || !serve_until(m, r->fd))
			return NULL;
		ssize_t got = recv(r->fd, r->text + r->length, LINE_ROOM - r->length, 0);
		if (got <= 0)
			return NULL;
		r->length += (size_t)got;
	}
}

static void write_line(int fd, const char *text)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	send(fd, line, (size_t)n, MSG_NOSIGNAL);
}

/* Sends a QMP command and returns the line with its answer; events before it are kept. */
static const char *qmp(struct machine *m, const char *command)
{
	const char *line;

	m->events[0] = '\0';
	write_line(m->qmp.fd, command);
	while ((line = read_line(m, &m->qmp))) {
		if (strstr(line, "\"return\"") || strstr(line, "\"error\""))
			return line;
		size_t used = strlen(m->events);
		str_copy(m->events + used, sizeof(m->events) - used, line);
	}
	return "";
}

/* Since the last command. */
static void qmp_await(struct machine *m, const char *event)
{
	const char *line = m->events;

	while (line && !strstr(line, event))
		line = read_line(m, &m->qmp);
	if (!line)
		fail_msg("no event %s", event);
}

/* A qtest command; its value where it has one. */
static uint64_t qtest(struct machine *m, const char *fmt, ...) PRINTF(2, 3);
static uint64_t qtest(struct machine *m, const char *fmt, ...)
{
	char command[128];
	const char *line;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	write_line(m->qtest.fd, command);
	line = read_line(m, &m->qtest);
	if (line && strncmp(line, "OK", 2) == 0)
		return strtoull(line + 2, NULL, 0);
	fail_msg("qtest: %s: %s", command, line ? line : "no answer");
	return 0;
}

/* In the child. */
static void run_qemu(const char *const *args, int qmp_fd, int qtest_fd)
{
	static char qmp_chardev[64], qtest_chardev[64];
	const char *argv[ARGS_MAX] = {
		qemu,	    "-nodefaults", "-display",	"none",	      "-accel",
		"qtest",    "-chardev",	   qmp_chardev, "-mon",	      "chardev=qmp,mode=control",
		"-chardev", qtest_chardev, "-qtest",	"chardev:qt", "-qtest-log",
		"none"
	};
	unsigned n = 16;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!getenv("VFIO_USER_TEST_LOG"))
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
	fd_set_cloexec(qmp_fd, false);
	fd_set_cloexec(qtest_fd, false);
	snprintf(qmp_chardev, sizeof(qmp_chardev), "socket,id=qmp,fd=%d", qmp_fd);
	snprintf(qtest_chardev, sizeof(qtest_chardev), "socket,id=qt,fd=%d", qtest_fd);
	for (; *args && n < ARGS_MAX - 1; args++)
		argv[n++] = *args;
	execvp(qemu, (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* "{nicN}" in an argument becomes the card's device option. */
static const char *expand(const struct world *w, const char *arg, char *room, size_t size)
{
	unsigned nic;
	char path[80], rest[128] = "";

	if (sscanf(arg, "{nic%u}%127s", &nic, rest) < 1)
		return arg;
	world_socket_path(w, nic, path, sizeof(path));
	snprintf(room, size,
		 "{\"driver\":\"vfio-user-pci\",\"id\":\"n%u\",\"socket\":{\"type\":\"unix\","
		 "\"path\":\"%s\"}%s}",
		 nic, path, rest);
	return room;
}

/* Starts QEMU; `args` end with NULL. */
static struct machine *machine_create(unsigned nics, const char *const *args)
{
	static char room[ARGS_MAX][256];
	const char *expanded[ARGS_MAX] = { 0 };
	struct machine *m = calloc(1, sizeof(*m));
	int a[2], b[2];

	m->w = world_create(nics);
	for (unsigned i = 0; args[i]; i++)
		expanded[i] = expand(m->w, args[i], room[i], sizeof(room[i]));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b), 0);
	m->qmp.fd = a[0];
	m->qtest.fd = b[0];
	m->pid = fork();
	if (m->pid == 0)
		run_qemu(expanded, a[1], b[1]);
	close(a[1]);
	close(b[1]);
	return m;
}

/* True when it runs; false when it ended by itself. */
static bool machine_started(struct machine *m)
{
	/* the greeting comes before the cards are made */
	if (!read_line(m, &m->qmp) ||
	    !strstr(qmp(m, "{\"execute\":\"qmp_capabilities\"}"), "return"))
		return false;
	qtest(m, "clock_step 1");
	return true;
}

static int machine_end(struct machine *m)
{
	int status = 0;

	if (m->pid) {
		kill(m->pid, SIGTERM);
		/* it says goodbye to its cards first */
		while (waitpid(m->pid, &status, WNOHANG) == 0) {
			world_pump(m->w);
			usleep(1000);
		}
	}
	close(m->qmp.fd);
	close(m->qtest.fd);
	world_pump(m->w);
	int leaked = world_destroy(m->w);
	free(m);
	assert_int_equal(leaked, 0);
	return status;
}

/* --- the card, as the CPU sees it on PCI bus `bus` --- */

static uint32_t config_address(unsigned bus, unsigned slot, unsigned offset)
{
	return 0x80000000u | bus << 16 | slot << 11 | (offset & 0xfc);
}

static uint32_t config_read(struct machine *m, unsigned bus, unsigned slot, unsigned offset)
{
	qtest(m, "outl 0xcf8 0x%x", config_address(bus, slot, offset));
	return (uint32_t)qtest(m, "inl 0xcfc");
}

static void config_write(struct machine *m, unsigned bus, unsigned slot, unsigned offset,
			 uint32_t value)
{
	qtest(m, "outl 0xcf8 0x%x", config_address(bus, slot, offset));
	qtest(m, "outl 0xcfc 0x%x", value);
}

#define BAR0_AT 0xe0000000u
#define BAR2_AT 0xc000u
#define ROM_AT	0xe0100000u
#define TEST_ID 0x10ff1af4u

static void enable(struct machine *m, unsigned bus, unsigned slot, bool bus_master)
{
	config_write(m, bus, slot, PCI_BASE_ADDRESS_0, BAR0_AT);
	config_write(m, bus, slot, PCI_BASE_ADDRESS_2, BAR2_AT);
	config_write(m, bus, slot, PCI_COMMAND,
		     PCI_COMMAND_MEMORY | PCI_COMMAND_IO | (bus_master ? PCI_COMMAND_MASTER : 0));
}

/* The slot of the card on a bus, or -1. */
static int find_card(struct machine *m, unsigned bus)
{
	for (unsigned slot = 0; slot < 32; slot++)
		if (config_read(m, bus, slot, PCI_VENDOR_ID) == TEST_ID)
			return (int)slot;
	return -1;
}

static void check_registers(struct machine *m, struct test_nic *t, unsigned bus, unsigned slot)
{
	uint32_t sum = 0;

	enable(m, bus, slot, false);
	assert_int_equal(qtest(m, "readl 0x%x", BAR0_AT + TEST_SCRATCH), 0x5a5a5a5a);
	for (uint32_t i = 1; i <= 50; i++) {
		qtest(m, "writel 0x%x %u", BAR0_AT + TEST_LOG, i);
		sum = 31 * sum + i;
	}
	assert_int_equal(qtest(m, "readl 0x%x", BAR0_AT + TEST_LOG), sum);
	qtest(m, "outl 0x%x 0x01020304", BAR2_AT + TEST_SCRATCH);
	assert_int_equal(qtest(m, "inb 0x%x", BAR2_AT + TEST_SCRATCH + 1), 3);
	assert_int_equal(t->r.scratch, 0x01020304);
}

static void check_dma(struct machine *m, unsigned bus, unsigned slot)
{
	enable(m, bus, slot, true);
	qtest(m, "writel 0x200010 0x600df00d");
	qtest(m, "writel 0x%x 0x200010", BAR0_AT + TEST_DMA_LOW);
	qtest(m, "writel 0x%x 1", BAR0_AT + TEST_DMA_GO);
	assert_int_equal(qtest(m, "readl 0x%x", BAR0_AT + TEST_DMA_WORD), 0x600df00d);
	qtest(m, "writel 0x%x 0x200020", BAR0_AT + TEST_DMA_LOW);
	qtest(m, "writel 0x%x 0xcafe", BAR0_AT + TEST_DMA_WORD);
	qtest(m, "writel 0x%x 2", BAR0_AT + TEST_DMA_GO);
	assert_int_equal(qtest(m, "readl 0x%x", BAR0_AT + TEST_DMA_OK), 1);
	assert_int_equal(qtest(m, "readl 0x200020"), 0xcafe);
}

/* --- the stories --- */

static void qemu_on_pc_attaches_reads_writes_resets_and_leaves(void **state)
{
	static const char *const args[] = { "-M", "pc", MEMORY, "-device", "{nic0}", NULL };
	struct machine *m = machine_create(1, args);
	struct test_nic *t = m->w->t[0];

	(void)state;
	assert_true(machine_started(m));
	int slot = find_card(m, 0);
	assert_true(slot > 0);
	check_registers(m, t, 0, (unsigned)slot);
	check_dma(m, 0, (unsigned)slot);

	unsigned resets = t->resets[RESET_PCI];
	assert_non_null(strstr(qmp(m, "{\"execute\":\"system_reset\"}"), "return"));
	qmp_await(m, "\"RESET\"");
	qtest(m, "clock_step 1");
	assert_true(t->resets[RESET_PCI] > resets);
	assert_false(t->nic.mem.bus_master);
	check_registers(m, t, 0, (unsigned)slot);
	machine_end(m);
}

static void the_option_rom_is_loaded_when_the_firmware_looks(void **state)
{
	static const char *const args[] = { "-M", "pc", MEMORY, "-device", "{nic0}", NULL };
	struct machine *m = machine_create(1, args);
	uint32_t word;

	(void)state;
	assert_true(machine_started(m));
	unsigned slot = (unsigned)find_card(m, 0);
	config_write(m, 0, slot, PCI_ROM_ADDRESS, 0xfffff800);
	assert_int_equal(config_read(m, 0, slot, PCI_ROM_ADDRESS), 0xfffe0000); /* 128 KiB */
	config_write(m, 0, slot, PCI_ROM_ADDRESS, ROM_AT | PCI_ROM_ADDRESS_ENABLE);
	config_write(m, 0, slot, PCI_COMMAND, PCI_COMMAND_MEMORY);
	for (uint32_t at = 0; at < ROM_SIZE; at += 10 * GUEST_PAGE) {
		memcpy(&word, m->w->rom + at, sizeof(word));
		assert_int_equal(qtest(m, "readl 0x%x", ROM_AT + at), word);
	}
	memcpy(&word, m->w->rom + ROM_SIZE - 4, sizeof(word));
	assert_int_equal(qtest(m, "readl 0x%x", ROM_AT + ROM_SIZE - 4), word);
	machine_end(m);
}

static void the_interrupt_line_rises_and_falls_with_the_card(void **state)
{
	static const char *const args[] = { "-M", "pc", MEMORY, "-device", "{nic0}", NULL };
	struct machine *m = machine_create(1, args);

	(void)state;
	assert_true(machine_started(m));
	unsigned slot = (unsigned)find_card(m, 0);
	enable(m, 0, slot, false);
	qtest(m, "outl 0xcf8 0x80000860"); /* PIIX3 PIRQA..D -> IRQ 10 */
	qtest(m, "outl 0xcfc 0x0a0a0a0a");
	qtest(m, "outb 0x4d1 0x04"); /* IRQ 10 is a level */
	qtest(m, "outb 0xa0 0x0a");  /* what is read is the request register */
	qtest(m, "writel 0x%x 1", BAR0_AT + TEST_LEVEL);
	unsigned up = 0;
	for (unsigned i = 0; i < 200 && !up; i++)
		up = (unsigned)qtest(m, "inb 0xa0") & 0x04;
	assert_int_equal(up, 0x04);
	/* an access while the level is up: QEMU drops the line, unmasks, and is signalled again a little later */
	uint64_t before = m->w->t[0]->nic.pci.interrupts;
	qtest(m, "readl 0x%x", BAR0_AT + TEST_COUNT);
	for (unsigned i = 0; i < 10000 && m->w->t[0]->nic.pci.interrupts == before; i++) {
		usleep(100);
		world_pump(m->w);
	}
	assert_true(m->w->t[0]->nic.pci.interrupts > before);
	qtest(m, "writel 0x%x 0", BAR0_AT + TEST_LEVEL);
	for (unsigned i = 0; i < 200 && up; i++) {
		qtest(m, "readl 0x%x", BAR0_AT + TEST_COUNT);
		up = (unsigned)qtest(m, "inb 0xa0") & 0x04;
	}
	assert_int_equal(up, 0);
	machine_end(m);
}

static void qemu_on_q35_sees_an_express_card_behind_a_root_port(void **state)
{
	static const char *const args[] = { "-M",
					    "q35",
					    MEMORY,
					    "-device",
					    "pcie-root-port,id=rp,chassis=1,slot=1",
					    "-device",
					    "{nic1},\"bus\":\"rp\"",
					    NULL };
	struct machine *m = machine_create(2, args);

	(void)state;
	assert_true(machine_started(m));
	/* the port becomes bridge to bus 1, with windows for the card */
	unsigned port = 0;
	while (port < 32 && config_read(m, 0, port, PCI_VENDOR_ID) != 0x000c1b36)
		port++;
	assert_in_range(port, 0, 31);
	config_write(m, 0, port, PCI_PRIMARY_BUS, 0x00010100);
	config_write(m, 0, port, PCI_IO_BASE, 0x0000c0c0);
	config_write(m, 0, port, PCI_MEMORY_BASE, 0xe000e000);
	config_write(m, 0, port, PCI_COMMAND,
		     PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_MASTER);
	assert_int_equal(find_card(m, 1), 0);
	check_registers(m, m->w->t[1], 1, 0);
	check_dma(m, 1, 0);
	/* FLR is a write to config space */
	unsigned at = m->w->t[1]->nic.pci.pcie + PCI_EXP_DEVCTL;
	config_write(m, 1, 0, at, config_read(m, 1, 0, at) | PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(m->w->t[1]->resets[RESET_FUNCTION], 1);
	machine_end(m);
}

static void plug(struct machine *m, unsigned nic, const char *more, const char *answer)
{
	char add[512], path[80];

	world_socket_path(m->w, nic, path, sizeof(path));
	snprintf(add, sizeof(add),
		 "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"vfio-user-pci\",\"id\":"
		 "\"plugged\",%s"
		 "\"socket\":{\"type\":\"unix\",\"path\":\"%s\"}}}",
		 more, path);
	assert_non_null(strstr(qmp(m, add), answer));
}

static void check_gone(struct machine *m, unsigned nic)
{
	qmp_await(m, "DEVICE_DELETED");
	world_pump(m->w);
	assert_false(vfio_user_connected(m->w->v[nic]));
	assert_int_equal(m->w->t[nic]->nic.mem.regions, 0);
}

/* The card has no MSI-X: QEMU 11.1 aborts when one that has is unplugged (vfio_user_msix_teardown takes a region out of a BAR that
 * is gone already). */
static void a_card_on_pc_is_plugged_unplugged_and_plugged_again(void **state)
{
	static const char *const args[] = { "-M", "pc", MEMORY, NULL };
	struct machine *m = machine_create(4, args);

	(void)state;
	assert_true(machine_started(m));
	for (unsigned round = 0; round < 3; round++) {
		plug(m, 2, "\"addr\":\"5\",", "return");
		assert_true(vfio_user_connected(m->w->v[2]));
		assert_int_equal(find_card(m, 0), 5);
		check_registers(m, m->w->t[2], 0, 5);
		assert_non_null(strstr(
			qmp(m, "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"plugged\"}}"),
			"return"));
		qtest(m, "outl 0xae08 0x20"); /* the guest's ACPI ejects slot 5 */
		check_gone(m, 2);
	}
	machine_end(m);
}

#define ROOT_PORT "pcie-root-port,id=rp,chassis=1,slot=1,addr=4"

static void a_card_on_a_root_port_is_plugged_unplugged_and_plugged_again(void **state)
{
	static const char *const args[] = {
		"-M",	"q35",	   "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
		MEMORY, "-device", ROOT_PORT, NULL
	};
	struct machine *m = machine_create(4, args);

	(void)state;
	assert_true(machine_started(m));
	unsigned cap = config_read(m, 0, 4, PCI_CAPABILITY_LIST) & 0xff;
	while (cap && (config_read(m, 0, 4, cap) & 0xff) != PCI_CAP_ID_EXP)
		cap = config_read(m, 0, 4, cap) >> 8 & 0xff;
	assert_true(cap);
	unsigned control = cap + PCI_EXP_SLTCTL;
	config_write(m, 0, 4, PCI_PRIMARY_BUS, 0x00010100);
	for (unsigned round = 0; round < 3; round++) {
		plug(m, 3, "\"bus\":\"rp\",", "return");
		config_write(m, 0, 4, control, PCI_EXP_SLTCTL_PWR_IND_ON);
		assert_int_equal(find_card(m, 1), 0);
		assert_non_null(strstr(
			qmp(m, "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"plugged\"}}"),
			"return"));
		/* the guest switches the slot off */
		config_write(m, 0, 4, control, PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PWR_IND_OFF);
		check_gone(m, 3);
	}
	machine_end(m);
}

static void a_second_machine_on_the_same_socket_is_refused(void **state)
{
	static const char *const args[] = { "-M", "pc", MEMORY, "-device", "{nic0}", NULL };
	struct machine *m = machine_create(1, args);

	(void)state;
	assert_true(machine_started(m));
	plug(m, 0, "", "\"error\"");
	int slot = find_card(m, 0);
	assert_true(slot > 0);
	check_registers(m, m->w->t[0], 0, (unsigned)slot);
	machine_end(m);
}

static void seven_cards_fit_in_one_machine(void **state)
{
	static const char *const args[] = { "-M",      "pc",	  MEMORY,    "-device", "{nic0}",
					    "-device", "{nic1}",  "-device", "{nic2}",	"-device",
					    "{nic3}",  "-device", "{nic4}",  "-device", "{nic5}",
					    "-device", "{nic6}",  NULL };
	struct machine *m = machine_create(7, args);
	unsigned cards = 0;

	(void)state;
	assert_true(machine_started(m));
	for (unsigned slot = 0; slot < 32; slot++) {
		if (config_read(m, 0, slot, PCI_VENDOR_ID) != TEST_ID)
			continue;
		check_registers(m, m->w->t[cards++], 0,
				slot); /* slots are given in the order of the line */
		config_write(m, 0, slot, PCI_COMMAND, 0);
	}
	assert_int_equal(cards, 7);
	machine_end(m);
}

static void memory_without_descriptors_ends_the_start_with_the_option(void **state)
{
	static const char *const args[] = { "-M", "pc", "-m", "64", "-device", "{nic0}", NULL };
	struct machine *m = machine_create(1, args);

	(void)state;
	assert_false(machine_started(m));
	assert_non_null(strstr(vfio_user_memory_problem(m->w->v[0]), "share=on"));
	int status = machine_end(m);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

/* The firmware's writes, then a driver that switches on bus mastering. */
static void write_and_look(const char *const *args, bool problem)
{
	struct machine *m = machine_create(1, args);

	assert_true(machine_started(m));
	unsigned slot = (unsigned)find_card(m, 0);
	for (unsigned i = 0; i < 16; i++)
		qtest(m, "writel 0x%x 0xf000ff53", 4 * i);
	enable(m, 0, slot, true);
	for (unsigned i = 0; i < 100 && problem && !*vfio_user_memory_problem(m->w->v[0]); i++)
		qtest(m, "readl 0x%x", BAR0_AT + TEST_SCRATCH);
	for (unsigned i = 0; i < 100; i++)
		qtest(m, "readl 0x%x", BAR0_AT + TEST_SCRATCH);
	assert_int_equal(*vfio_user_memory_problem(m->w->v[0]) != '\0', problem);
	machine_end(m);
}

static void a_private_memfd_is_found_when_a_driver_starts(void **state)
{
	static const char *const private[] = {
		"-M",	   "pc,memory-backend=m",
		"-object", "memory-backend-memfd,id=m,size=64M,share=off",
		"-device", "{nic0}",
		NULL
	};

	(void)state;
	write_and_look(private, true);
}

static void shared_memory_of_every_kind_is_taken(void **state)
{
	static const char *const kinds[] = {
		"memory-backend-memfd,id=m,size=64M,share=on",
		"memory-backend-ram,id=m,size=64M,share=on",
		"memory-backend-file,id=m,size=64M,mem-path=/dev/shm,share=on"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *args[] = {
			"-M", "pc,memory-backend=m", "-object", kinds[i], "-device", "{nic0}", NULL
		};
		write_and_look(args, false);
	}
}

static bool has_client(const char *path)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "'%s' -device vfio-user-pci,help 2>/dev/null | grep -q socket=", path);
	return system(command) == 0;
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu_on_pc_attaches_reads_writes_resets_and_leaves),
		cmocka_unit_test(the_option_rom_is_loaded_when_the_firmware_looks),
		cmocka_unit_test(the_interrupt_line_rises_and_falls_with_the_card),
		cmocka_unit_test(qemu_on_q35_sees_an_express_card_behind_a_root_port),
		cmocka_unit_test(a_card_on_pc_is_plugged_unplugged_and_plugged_again),
		cmocka_unit_test(a_card_on_a_root_port_is_plugged_unplugged_and_plugged_again),
		cmocka_unit_test(a_second_machine_on_the_same_socket_is_refused),
		cmocka_unit_test(seven_cards_fit_in_one_machine),
		cmocka_unit_test(memory_without_descriptors_ends_the_start_with_the_option),
		cmocka_unit_test(a_private_memfd_is_found_when_a_driver_starts),
		cmocka_unit_test(shared_memory_of_every_kind_is_taken),
	};

	for (int i = 1; i < argc && !qemu; i++)
		if (has_client(argv[i]))
			qemu = argv[i];
	if (!qemu) {
		printf("skipped: no QEMU with vfio-user-pci; tools/get-qemu makes one\n");
		return 77;
	}
	if (!getenv("VFIO_USER_TEST_LOG"))
		world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
