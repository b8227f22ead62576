/* What a user may type wrong: each case runs the real program, and has its message and its exit code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"

static const char *program;
static char dir[] = "/tmp/anynic-cli-XXXXXX";

/* Programs that answer as QEMU does, so that the cases do not depend on what is installed. */
static const struct {
	const char *name, *body;
} fakes[] = {
	{ "qemu-system-x86_64", "case $1 in --version) echo 'QEMU emulator version 11.1.3';; "
				"-device) echo 'vfio-user-pci options:';; esac" },
	{ "qemu-system-aarch64", "case $1 in --version) echo 'QEMU emulator version 11.1.3';; "
				 "-device) echo 'vfio-user-pci options:';; esac" },
	{ "qemu-old", "echo 'QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg)'" },
	{ "qemu-without",
	  "case $1 in --version) echo 'QEMU emulator version 10.2.0';; esac; exit 1" },
	{ "not-qemu", "echo hello" },
};

static int set_up(void **state)
{
	char path[128];

	(void)state;
	if (!mkdtemp(dir) || setenv("PATH", dir, 1) < 0 || setenv("XDG_RUNTIME_DIR", dir, 1) < 0)
		return -1;
	for (unsigned i = 0; i < ARRAY_SIZE(fakes); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, fakes[i].name);
		FILE *f = fopen(path, "we");
		if (!f)
			return -1;
		fprintf(f, "#!/bin/sh\n%s\n", fakes[i].body);
		fclose(f);
		if (chmod(path, 0755) < 0)
			return -1;
	}
	snprintf(path, sizeof(path), "%s/plain", dir);
	return close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "/bin/rm -rf %s", dir);
	return system(command);
}

static void read_all(int fd, char *to, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size - 1 && (got = read(fd, to + n, size - 1 - n)) > 0)
		n += (size_t)got;
	to[n] = '\0';
	close(fd);
}

/* Runs `anynic LINE`, words split at blanks. Returns the exit code. */
static int run(const char *line, char *out, char *err, size_t size)
{
	char copy[512], *words[40] = { (char *)program };
	int o[2], e[2], status, n = 1;

	str_copy(copy, sizeof(copy), line);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		words[n++] = w;
	assert_int_equal(pipe2(o, O_CLOEXEC), 0);
	assert_int_equal(pipe2(e, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(o[1], 1);
		dup2(e[1], 2);
		execv(program, words);
		_exit(126);
	}
	close(o[1]);
	close(e[1]);
	read_all(o[0], out, size);
	read_all(e[0], err, size);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define Q "-- qemu-system-x86_64"

struct bad_case {
	const char *line;
	int code;
	const char *says, *also;
};

static void check(const struct bad_case *cases, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char out[8192], err[8192];
		int code = run(cases[i].line, out, err, sizeof(out));

		if (code != cases[i].code || !strstr(err, cases[i].says) ||
		    !strstr(err, cases[i].also))
			fail_msg("anynic %s\n  exit %d, want %d\n  %s", cases[i].line, code,
				 cases[i].code, err);
		if (out[0] != '\0')
			fail_msg("anynic %s: an error, and yet on stdout: %s", cases[i].line, out);
	}
}

static void wrong_verbs_and_options_are_usage_errors(void **state)
{
	(void)state;
	static const struct bad_case cases[] = {
		{ "", 2, "usage", "plan" },
		{ "plam", 2, "plam", "plan" },
		{ "plan --nix auto", 2, "nix", "usage: anynic plan" },
		{ "plan --nic", 2, "requires an argument", "usage: anynic plan" },
		{ "plan auto", 2, "'auto'", "after --" },
		{ "plan --assume kvm,warp", 2, "--assume kvm,warp", "kvm, vhost, vfio" },
		{ "plan --qemu-version eleven", 2, "--qemu-version eleven", "write X.Y" },
		{ "plan --qemu-version -1.2", 2, "--qemu-version -1.2", "write X.Y" },
		{ "plan --qemu-version 11.1 --qemu qemu-old", 2, "exclude each other", "" },
		{ "plan --place moon", 2, "--place moon", "hosted, qemu" },
		{ "plan --name a/b", 2, "--name a/b is not legal", "letters, digits" },
		{ "plan --interfaces f.xml", 3, "f.xml: cannot be read", "No such file" },
		{ "xml", 2, "tell the file", "usage: anynic xml" },
		{ "xml f.xml --qemu-version 11.1", 3, "f.xml: cannot be read", "No such file" },
		{ "xml --validate f.xml", 3, "f.xml: cannot be read", "No such file" },
		{ "pool take eth0 --owner ../x", 2, "--owner ../x is not legal", "GUEST/PORT" },
		{ "pool take eth0 --owner a/b/c", 2, "--owner a/b/c is not legal", "letters" },
		{ "xml f.xml g.xml", 2, "'g.xml': one file is read", "after --" },
		{ "xml f.xml --nix", 2, "nix", "usage: anynic xml" },
		{ "models --guest windoze", 3, "no guest 'windoze' is known", "anynic models" },
		{ "models --guest windows-8.1", 3, "did you mean windows-8?", "" },
		{ "models --guest", 2, "requires an argument", "usage: anynic models" },
		{ "models x", 2, "'x'", "usage: anynic models" },
		{ "models -x", 2, "x", "usage: anynic models" },
		{ "backends x", 2, "'x'", "usage: anynic backends" },
		{ "pool list --owner x", 2, "list takes no --owner", "usage: anynic pool" },
		{ "pool show lo --vfs 3", 2, "show takes no --vfs", "usage: anynic pool" },
		{ "pool create lo --vfs 3 --owner x", 2, "create takes no --owner",
		  "usage: anynic pool" },
		{ "pool release lo --owner x", 2, "release takes no --owner",
		  "usage: anynic pool" },
	};

	check(cases, ARRAY_SIZE(cases));
}

static void a_bad_port_names_key_and_legal_values(void **state)
{
	(void)state;
	static const struct bad_case cases[] = {
		{ "plan --nic auto,lagacy=e1000 " Q, 2,
		  "--nic auto,lagacy=e1000: unknown key 'lagacy'", "did you mean legacy?" },
		{ "plan --nic auto,colour=red " Q, 2, "unknown key 'colour'",
		  "keys are id, legacy" },
		{ "plan --nic auto,id=a,id=b " Q, 2, "id= is given twice", "" },
		{ "plan --nic auto,queues=17 " Q, 2, "queues=17 is not legal", "1 to 16" },
		{ "plan --nic auto,queues=9 " Q, 2, "queues=9 is too many", "at most 8" },
		{ "plan --nic rtl8139,queues=2 " Q, 2, "queues=2 is too many", "at most 1" },
		{ "plan --nic auto,mtu=99999 " Q, 2, "mtu=99999 is not legal", "68 to 65535" },
		{ "plan --nic auto,legacy-delay=soon " Q, 2, "legacy-delay=soon is not legal",
		  "milliseconds" },
		{ "plan --nic auto,hold=6 " Q, 2, "hold=6 is not legal", "N/SECONDS" },
		{ "plan --nic auto,packed=maybe " Q, 2, "packed=maybe is not legal", "on, off" },
		{ "plan --nic igb,trust=on " Q, 2, "trust= has no meaning for igb", "" },
		{ "plan --nic igbvf,vlan=4095 " Q, 2, "vlan=4095 is not legal",
		  "0 (none) to 4094" },
		{ "plan --nic rtl8139,packed=on " Q, 2, "packed= has no meaning for rtl8139",
		  "virtio-net" },
		{ "plan --nic rtl8139,rev=5 " Q, 2, "rev=0x05 is not legal", "0x20" },
		{ "plan --nic auto,link=sideways " Q, 2, "link=sideways is not legal",
		  "auto, up, down" },
		{ "plan --nic auto,place=hostd " Q, 2, "place=hostd is not legal",
		  "did you mean hosted?" },
		{ "plan --nic auto,mac=53:54:00:00:00:01 " Q, 2, "multicast", "unicast" },
		{ "plan --nic auto,mac=nonsense " Q, 2, "mac=nonsense is not legal",
		  "52:54:00:12:34:56" },
		{ "plan --nic auto,id=a --nic auto,id=a " Q, 2, "port a: id=a is used by two ports",
		  "of its own" },
		{ "plan --nic auto,mac=52:54:00:00:00:01 --nic auto,mac=52:54:00:00:00:01 " Q, 2,
		  "mac=52:54:00:00:00:01 is used by two ports", "of its own" },
		{ "plan --nic atuo " Q, 2, "unknown model 'atuo', did you mean auto?",
		  "models are" },
		{ "plan --nic auto,legacy=virtio-net " Q, 2, "cannot be the legacy one",
		  "legacy= takes rtl8139" },
		{ "plan --nic auto,performant=rtl8139 " Q, 2, "cannot be the performant one",
		  "performant= takes igb" },
		{ "plan --nic auto,backend=usr " Q, 2, "unknown backend 'usr', did you mean user?",
		  "user, tap" },
		{ "plan --nic auto,ifname=tap0 " Q, 2, "ifname= has no meaning for backend=user",
		  "tap" },
		{ "plan --nic auto,backend=stream " Q, 2, "needs path=", "" },
		{ "plan --nic auto,backend=direct,dev=../eth0 " Q, 2, "dev=../eth0 is not legal",
		  "network interface" },
		{ "plan --nic auto,backend=bridge,br=sixteen_letters_ " Q, 2,
		  "br=sixteen_letters_ is not legal", "15 characters" },
		{ "plan --nic auto,backend=tap,fd=1 " Q, 2, "fd=1 is not legal", "above 2" },
		{ "plan --nic auto,net=10.0.2.0 " Q, 2, "net=10.0.2.0 is not legal",
		  "10.0.2.0/24" },
		{ "plan --nic auto,hostfwd=22 " Q, 2, "hostfwd=22 is not legal",
		  "tcp:127.0.0.1:2222-:22" },
	};

	check(cases, ARRAY_SIZE(cases));
}

static void two_cards_that_make_no_team_are_refused(void **state)
{
	(void)state;
	static const struct bad_case cases[] = {
		{ "plan --nic team,transient=rtl8139 " Q " -M q35", 2, "no PCI Express card",
		  "transient= takes e1000e, igb, igbvf, igc" },
		{ "plan --nic team,transient=e1000 " Q " -M q35", 2, "no PCI Express card", "" },
		{ "plan --nic team,transient=hostdev " Q " -M q35", 2,
		  "transient=hostdev needs dev=", "a PCI address" },
		{ "plan --nic team,transient=hostdev,dev=eth0,place=hosted " Q " -M q35", 4,
		  "exclude each other", "leave out place=" },
		{ "plan --nic team,transient=virtio-net " Q " -M q35", 2, "is one already",
		  "e1000e" },
		{ "plan --nic team,transient=igbb " Q " -M q35", 2, "unknown model 'igbb'",
		  "did you mean igb" },
		{ "plan --nic team,legacy=rtl8139 " Q " -M q35", 2, "legacy= does not belong to",
		  "a team" },
		{ "plan --nic team,transient=e1000e " Q, 4,
		  "a team needs a machine with PCI Express, and -machine pc has none",
		  "use -machine q35" },
	};

	check(cases, ARRAY_SIZE(cases));
}

static void what_a_later_version_brings_is_missing_not_wrong(void **state)
{
	(void)state;
	static const struct bad_case cases[] = {
		{ "plan --nic hostdev,dev=lo " Q, 1, "lo is no PCI card", "anynic pool list" },
		{ "plan --nic hostdev,dev=0000:fe:1f.7 " Q, 3, "no PCI function", "lspci" },
		{ "plan --nic hostdev,dev=nosuch0 " Q, 3, "no network of libvirt's",
		  "anynic pool list" },
		{ "plan --nic igc,place=qemu " Q, 4, "igc: no QEMU has this card", "place=hosted" },
		{ "plan --place qemu --nic rtl8139,rev=0x10 " Q, 2, "rev= cannot be had", "" },
		{ "plan --nic auto,driver=vhost " Q, 4, "port net0: driver=vhost cannot be had",
		  "the backend has none" },
		{ "plan --assume vhost --nic auto,backend=tap,place=qemu,driver=vhost " Q, 4,
		  "driver=vhost cannot be had", "backend=bridge gives each its own" },
	};

	check(cases, ARRAY_SIZE(cases));
}

#define FIVE "--nic auto --nic auto --nic auto --nic rtl8139 --nic rtl8139 "

#define FOUR                                                                                       \
	"--nic auto,legacy=igc --nic auto,legacy=igc --nic auto,legacy=igc --nic auto,legacy=igc "
#define EIGHT FOUR FOUR

static void a_qemu_line_that_cannot_work_says_what_to_add(void **state)
{
	(void)state;
	static const struct bad_case cases[] = {
		{ "plan " Q " -daemonize", 2, "-daemonize cannot be used", "leave it out" },
		{ "plan " Q " -m lots", 2, "-m lots is no memory size", "" },
		{ "plan " Q " -object memory-backend-ram,id=m,size=1G -M memory-backend=m", 2,
		  "guest memory 'm'", "add share=on" },
		{ "plan " Q
		  " -object memory-backend-memfd,id=m,size=1G,share=off -numa node,memdev=m",
		  2, "guest memory 'm'", "add share=on" },
		{ "plan " Q " -mem-path /dev/hugepages", 2, "-mem-path", "memory-backend-file" },
		{ "plan " Q " -numa node", 2,
		  "-numa node without memdev=", "memory-backend-memfd" },
		{ "plan " Q " -M isapc", 2, "-machine isapc", "q35" },
		{ "plan -- qemu-system-aarch64", 2, "no default machine with PCI",
		  "-machine virt" },
		{ "plan " Q " -incoming defer", 4, "-incoming", "place=qemu" },
		{ "run --incoming unix:/x " Q, 4, "net0-legacy", "place=qemu" },
		{ "run --incoming /x " Q, 2, "--incoming /x is no URI", "unix:PATH" },
		{ "run --incoming unix:/x " Q " -incoming defer", 2, "already", "leave one" },
		{ "plan " FIVE FIVE FIVE Q " -M q35", 2, "15 cards with I/O ports do not fit",
		  "-machine pc" },
		{ "plan " FIVE FIVE FIVE "-- qemu-system-aarch64 -M virt", 2,
		  "there is room for 14", "use fewer, or" },
		{ "plan " EIGHT EIGHT Q " -M q35", 2, "32 cards do not find a slot each",
		  "use fewer ports" },
		{ "plan " EIGHT EIGHT Q " -M pc", 2, "32 cards do not find a slot each", "" },
		{ "plan --nic rtl8139,id=lan " Q " -device e1000,id=lan", 2, "id=lan already",
		  "another id=" },
	};

	check(cases, ARRAY_SIZE(cases));
}

static void a_qemu_that_cannot_be_used_is_told_apart(void **state)
{
	(void)state;
	static const struct bad_case cases[] = {
		{ "plan -- qemu-nowhere", 3, "QEMU program 'qemu-nowhere' is not there",
		  "install it" },
		{ "plan -- /nowhere/qemu", 3, "/nowhere/qemu", "install it" },
		{ "plan --place hosted -- qemu-old", 4, "QEMU 7.2 has no vfio-user-pci",
		  "10.1 or newer" },
		{ "plan --nic igc -- qemu-old", 4, "igc: no QEMU has this card", "10.1 or newer" },
		{ "plan --nic igb -- qemu-old", 4, "igb: QEMU has this card from 8.0 on", "" },
		{ "plan --place hosted --qemu-version 10.0", 4, "QEMU 10.0 has no vfio-user-pci",
		  "10.1 or newer" },
		{ "plan --place hosted -- qemu-without", 4,
		  "QEMU 10.2 was built without vfio-user-pci", "another build" },
		{ "plan -- not-qemu", 1, "is no QEMU", "qemu-system-" },
		{ "plan --qemu plain", 1, "'plain' cannot be run: Permission denied", "" },
	};

	check(cases, ARRAY_SIZE(cases));
}

static void write_file(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* Also where the host has no such functions, and they are assumed. */
static void a_function_is_given_once(void **state)
{
	static const char head[] = "<devices>", tail[] = "</devices>",
			  one[] = "<interface type='network'><source network='n'/></interface>";
	static const char list[] =
		"<network><name>n</name><forward mode='hostdev'>"
		"<address type='pci' domain='0' bus='0xfe' slot='0' function='1'/>"
		"<address type='pci' domain='0' bus='0xfe' slot='0' "
		"function='2'/></forward></network>";
	static const struct bad_case twice[] = {
		{ "plan --assume vfio --nic hostdev,dev=0000:fe:00.1 --nic hostdev,dev=fe:00.1", 1,
		  "0000:fe:00.1 is given to two cards", "port net1" },
	};
	char text[400], line[200], out[8192], err[8192];

	(void)state;
	check(twice, ARRAY_SIZE(twice));
	write_file("n.xml", list);
	for (unsigned ports = 2; ports <= 3; ports++) {
		snprintf(text, sizeof(text), "%s%s%s%s%s", head, one, one, ports == 3 ? one : "",
			 tail);
		write_file("x.xml", text);
		snprintf(line, sizeof(line),
			 "plan -j --assume vfio --interfaces %s/x.xml --networks %s/n.xml", dir,
			 dir);
		int code = run(line, out, err, sizeof(out));
		if (ports == 3) {
			assert_int_equal(code, 1);
			assert_non_null(strstr(err, "all 2 are taken"));
		} else if (code || !strstr(out, "0000:fe:00.1") || !strstr(out, "0000:fe:00.2")) {
			fail_msg("exit %d: %s%s", code, out, err);
		}
	}
}

static void errors_of_networks_name_the_file_and_the_line(void **state)
{
	char line[200], out[8192], err[8192];

	(void)state;
	write_file("n.xml", "<networks>\n<network>\n<name>n</name><forward mode='hostdev'/>"
			    "</network></networks>");
	write_file("x.xml", "<interface type='user'/>");
	snprintf(line, sizeof(line), "plan --interfaces %s/x.xml --networks %s/n.xml", dir, dir);
	assert_int_equal(run(line, out, err, sizeof(out)), 2);
	if (!strstr(err, "/n.xml:3: <forward mode='hostdev'> needs devices"))
		fail_msg("%s", err);
}

static void run_refuses_before_anything_is_opened(void **state)
{
	(void)state;
	static const struct bad_case cases[] = {
		{ "run", 2, "after `--`", "usage: anynic run" },
		{ "run --nix", 2, "unknown option", "usage: anynic run" },
		{ "run --place moon " Q, 2, "--place moon", "hosted, qemu" },
		{ "run --interfaces f.xml " Q, 3, "f.xml: cannot be read", "No such file" },
		{ "run --name ../x " Q, 2, "--name ../x is not legal", "" },
		{ "run --nic auto,lagacy=x " Q, 2, "--nic auto,lagacy=x: unknown key 'lagacy'",
		  "did you mean legacy?" },
		{ "run --nic auto,backend=bridge " Q, 2, "needs br=", "bridges of this host" },
		{ "run " Q " -daemonize", 2, "-daemonize cannot be used", "leave it out" },
		{ "run " Q " -object memory-backend-ram,id=m,size=1G -M memory-backend=m", 2,
		  "guest memory 'm'", "add share=on" },
		{ "run -- qemu-nowhere", 3, "is not there", "install it" },
		{ "run --nic auto,place=hosted -- qemu-old", 4, "QEMU 7.2 has no vfio-user-pci",
		  "10.1 or newer" },
	};
	char path[128];

	check(cases, ARRAY_SIZE(cases));
	snprintf(path, sizeof(path), "%s/anynic", dir);
	assert_int_equal(access(path, F_OK), -1);
}

/* QEMU would take the path away from the one that waits, who would wait for ever. */
static void two_do_not_wait_for_a_guest_at_one_path(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char line[256], out[1024], said[1024];

	(void)state;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/in", dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	snprintf(line, sizeof(line), "run --nic auto,place=qemu --incoming unix:%s " Q,
		 at.sun_path);
	assert_int_equal(run(line, out, said, sizeof(out)), 1);
	assert_non_null(strstr(said, "somebody waits there already; choose another path"));
	close(fd);
}

static void a_good_plan_is_one_document_and_opens_nothing(void **state)
{
	(void)state;
	char out[16384], err[16384];

	assert_int_equal(
		run("plan -j --name vm --nic auto,mac=52:54:00:12:34:56 --nic rtl8139,id=x " Q
		    " -M q35 -m 1G",
		    out, err, sizeof(out)),
		0);
	assert_string_equal(err, "");
	assert_true(out[0] == '{' && strcmp(out + strlen(out) - 3, "\n}\n") == 0);
	assert_non_null(strstr(out, "\"mac\":\"52:54:00:12:34:56\""));
	assert_non_null(strstr(out, "vm.nics/net0-performant.sock"));
	assert_int_equal(run("plan --name vm", out, err, sizeof(out)), 0);
	assert_non_null(strstr(out, "net0-legacy"));
	snprintf(out, sizeof(out), "%s/anynic", dir);
	assert_int_equal(access(out, F_OK), -1);
}

static void the_links_of_a_guest_from_elsewhere_are_its_own(void **state)
{
	static char out[16384], said[16384];

	(void)state;
	assert_int_equal(run("plan --nic auto,place=qemu " Q, out, said, sizeof(said)), 0);
	assert_non_null(strstr(out, "set_link"));
	assert_int_equal(
		run("plan --nic auto,place=qemu " Q " -incoming defer", out, said, sizeof(said)),
		0);
	assert_null(strstr(out, "set_link"));
}

static void a_guest_gets_its_cards_recommended(void **state)
{
	(void)state;
	static char out[1 << 16], err[1 << 16];

	assert_int_equal(run("models", out, err, sizeof(out)), 0);
	/* lines of cards come first and begin at the left, for who reads first words */
	assert_int_equal(strncmp(out, "rtl8139 ", 8), 0);
	char *overview = strstr(out, "\n\n");
	assert_non_null(overview);
	assert_non_null(strstr(overview, "windows-11"));
	for (char *line = overview + 2; (line = strchr(line, '\n')) && line[1]; line++)
		assert_true(line[1] == ' ' || line[1] == '\n');
	assert_int_equal(run("models --guest linux-2.6", out, err, sizeof(out)), 0);
	assert_non_null(strstr(out, "rtl8139, "));
	assert_non_null(strstr(out, ", virtio-net"));
	assert_non_null(strstr(out, "--nic auto"));
	assert_non_null(strstr(out, "source "));
	assert_int_equal(run("models -j --guest windows", out, err, sizeof(out)), 0);
	assert_true(out[0] == '[' && strstr(out, "\"guest\":\"windows-xp\"") &&
		    strstr(out, "\"guest\":\"windows-11\""));
	assert_int_equal(run("models -j", out, err, sizeof(out)), 0);
	assert_true(out[0] == '[' && strstr(out, "\"model\":\"rtl8139\""));
}

static void a_virtio_card_behind_a_root_port_is_modern_only(void **state)
{
	(void)state;
	static const struct {
		const char *plan, *there, *absent;
	} cases[] = {
		{ "plan -j --nic virtio-net " Q " -M q35", "\"rev\":1", "\"rev\":0" },
		{ "plan -j --nic auto -- qemu-system-aarch64 -M virt", "\"rev\":1", "\"rev\":0" },
		{ "plan -j --nic virtio-net,rev=0 " Q " -M q35", "\"rev\":0", "\"rev\":1" },
		{ "plan -j --nic auto,rev=0 " Q " -M q35", "\"rev\":0", "\"rev\":1" },
		{ "plan -j --nic virtio-net " Q " -M pc", "virtio-net", "\"rev\"" },
		{ "plan -j --nic rtl8139 " Q " -M q35", "rtl8139", "\"rev\"" },
		/* 9 of these, but one window of I/O ports for each of the 14 old cards only */
		{ "plan -j " FIVE FIVE
		  "--nic auto --nic auto --nic auto --nic auto --nic virtio-net " Q " -M q35",
		  "net14", "\"rev\":0" },
	};
	static char out[1 << 17], err[1 << 17];

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		if (run(cases[i].plan, out, err, sizeof(out)) != 0)
			fail_msg("%s: %s", cases[i].plan, err);
		if (!strstr(out, cases[i].there) || strstr(out, cases[i].absent))
			fail_msg("%s: %s", cases[i].plan, out);
	}
}

static void attach_says_what_is_wrong_with_a_monitor(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		int code;
		const char *says;
	} rows[] = {
		{ "attach", 2, "tell --qmp" },
		{ "attach --qmp", 2, "" },
		{ "attach --qmp /x word", 2, "no words are expected" },
		{ "attach --qmp /x --name a/b", 2, "--name a/b is not legal" },
		{ "attach --qmp /nonexistent/x", 3, "socket of QEMU's -qmp option" },
		{ "attach --qmp /etc/passwd", 1, "nobody answers there; start QEMU with -qmp" },
		{ "detach nobody", 3, "nobody" },
		{ "detach a b", 2, "at most one NAME" },
	};
	char out[4096], err[4096];

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		int code = run(rows[i].line, out, err, sizeof(out));
		if (code != rows[i].code || !strstr(err, rows[i].says))
			fail_msg("anynic %s: %d, %s", rows[i].line, code, err);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_verbs_and_options_are_usage_errors),
		cmocka_unit_test(a_bad_port_names_key_and_legal_values),
		cmocka_unit_test(two_cards_that_make_no_team_are_refused),
		cmocka_unit_test(what_a_later_version_brings_is_missing_not_wrong),
		cmocka_unit_test(a_qemu_line_that_cannot_work_says_what_to_add),
		cmocka_unit_test(a_qemu_that_cannot_be_used_is_told_apart),
		cmocka_unit_test(a_function_is_given_once),
		cmocka_unit_test(errors_of_networks_name_the_file_and_the_line),
		cmocka_unit_test(run_refuses_before_anything_is_opened),
		cmocka_unit_test(two_do_not_wait_for_a_guest_at_one_path),
		cmocka_unit_test(attach_says_what_is_wrong_with_a_monitor),
		cmocka_unit_test(the_links_of_a_guest_from_elsewhere_are_its_own),
		cmocka_unit_test(a_guest_gets_its_cards_recommended),
		cmocka_unit_test(a_virtio_card_behind_a_root_port_is_modern_only),
		cmocka_unit_test(a_good_plan_is_one_document_and_opens_nothing),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s ANYNIC\n", argv[0]);
		return 2;
	}
	program = argv[1];
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
