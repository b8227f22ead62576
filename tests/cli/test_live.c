/* Verbs against a live guest, and how a guest's control process ends: the real program with its datapath, no QEMU needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"

static const char *program;
static char dir[] = "/tmp/anynic-live-XXXXXX";
static char out[65536], err[65536]; /* what the last program said */

/* A program that answers as QEMU does when asked what it is; else it does what its -name says. */
static const char fake_qemu[] =
	"#!/bin/sh\n"
	"case $1 in\n"
	"--version) echo 'QEMU emulator version 11.1.3'; exit;;\n"
	"-device) echo 'vfio-user-pci options:'; exit;;\n"
	"esac\n"
	"case $2 in\n"
	"seven) exit 7;;\n"
	"killed) kill -KILL $$;;\n"
	"term) trap 'exit 3' TERM; : > ${0%/*}/trapped; while :; do sleep 0.05; done;;\n"
	"deaf) exec python3 -c 'import os, time; os.closerange(3, 1024); time.sleep(60)';;\n"
	"*) exec sleep 60;;\n"
	"esac\n";

/* Guests that really run on this machine are none of this test's: root's usual directory is covered, where that is allowed. */
static void hide_other_guests(void)
{
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    (mkdir("/run/anynic", 0700) == 0 || errno == EEXIST) &&
	    mount("tmpfs", "/run/anynic", "tmpfs", 0, "mode=0700") < 0)
		fprintf(stderr, "other guests may be seen: %s\n", strerror(errno));
}

static int set_up(void **state)
{
	char path[128];

	(void)state;
	hide_other_guests();
	/* what a killed anynic leaves behind becomes ours, so that its end can be seen */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || !mkdtemp(dir) ||
	    setenv("XDG_RUNTIME_DIR", dir, 1) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/qemu-system-x86_64", dir);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	bool written = fd >= 0 && write(fd, fake_qemu, sizeof(fake_qemu) - 1) ==
					  (ssize_t)sizeof(fake_qemu) - 1;
	return close(fd) < 0 || !written ? -1 : 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "/bin/rm -rf %s", dir);
	return system(command);
}

/* --- programs ---------------------------------------------------------------------------------------------------- */

/* Starts `anynic LINE`, words split at blanks, `DIR/` filled in for `@`. Its output goes to files. */
static pid_t start(const char *line, const char *name)
{
	static char text[2048];
	char *words[40] = { (char *)(uintptr_t)program }, *to = text, path[128];
	int n = 1;

	for (const char *c = line; *c; c++)
		to += *c == '@' ? sprintf(to, "%s/", dir) : sprintf(to, "%c", *c);
	for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
		words[n++] = w;
	words[n] = NULL;
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		for (int fd = 1; fd <= 2; fd++) {
			snprintf(path, sizeof(path), "%s/%s.%d", dir, name, fd);
			dup2(open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600), fd);
		}
		execv(program, words);
		_exit(126);
	}
	return pid;
}

static void read_file(const char *name, int fd, char *to, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s.%d", dir, name, fd);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = file < 0 ? 0 : read(file, to, size - 1);
	to[n < 0 ? 0 : n] = '\0';
	if (file >= 0)
		close(file);
}

/* Waits for the end. Returns what a shell would show; -1: not within 20 s. */
static int end_of(pid_t pid, const char *name)
{
	int status = 0;

	for (int tries = 0; tries < 2000; tries++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			read_file(name, 1, out, sizeof(out));
			read_file(name, 2, err, sizeof(err));
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		usleep(10000);
	}
	return -1;
}

static int run(const char *line)
{
	return end_of(start(line, "run"), "run");
}

static void expect(const char *line, int code, const char *says)
{
	int got = run(line);

	if (got != code || !(strstr(out, says) || strstr(err, says)))
		fail_msg("anynic %s: exit %d, wanted %d with '%s'\n%s%s", line, got, code, says,
			 out, err);
}

static bool exists(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/anynic/%s", dir, name);
	return access(path, F_OK) == 0;
}

/* Waits until the guest answers. */
static void wait_live(const char *name)
{
	char line[128];

	snprintf(line, sizeof(line), "qmp %s query-version", name);
	for (int tries = 0; tries < 600; tries++) {
		if (run(line) == 0)
			return;
		usleep(50000);
	}
	fail_msg("guest %s does not answer: %s", name, err);
}

/* Waits until QEMU has set its trap: its guest answers before that. */
static void wait_trapped(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/trapped", dir);
	for (int tries = 0; tries < 1000; tries++) {
		if (unlink(path) == 0)
			return;
		usleep(10000);
	}
	fail_msg("QEMU does not start");
}

/* Runs the line again and again until it says so. */
static void wait_says(const char *line, const char *says)
{
	for (int tries = 0; tries < 600; tries++) {
		if (run(line) == 0 && strstr(out, says))
			return;
		usleep(50000);
	}
	fail_msg("anynic %s never says '%s': %s%s", line, says, out, err);
}

/* Waits until this monitor hears of events: of those of a stream backend to which somebody comes and goes. */
static void wait_hears(const char *monitor, const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", dir, path);
	for (int tries = 0; tries < 200; tries++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
		usleep(25000);
		close(fd);
		read_file(monitor, 1, out, sizeof(out));
		if (out[0])
			return;
		usleep(25000);
	}
	fail_msg("the monitor hears nothing");
}

static pid_t serve(const char *name, const char *more)
{
	char line[256];

	snprintf(line, sizeof(line), "serve --name %s --socket @%s.nics %s", name, name, more);
	pid_t pid = start(line, name);
	wait_live(name);
	return pid;
}

/* --- stories ----------------------------------------------------------------------------------------------------- */

static void without_a_guest_nothing_is_found(void **state)
{
	(void)state;
	expect("status", 0, "no guest is running");
	expect("status -j", 0, "[]");
	expect("status nobody", 3, "no guest named nobody");
	expect("monitor nobody", 3, "no guest named nobody");
	expect("monitor", 3, "no guest is running");
	expect("why", 3, "no guest is running");
	expect("link net0 up", 3, "no guest is running");
	expect("qmp nobody query-version", 3, "no guest named nobody");
	expect("qmp /nowhere/x.sock query-version", 3, "nothing answers");
	expect("stop nobody", 3, "no guest named nobody");
}

static void wrong_words_are_usage_errors(void **state)
{
	(void)state;
	expect("monitro", 2, "did you mean `monitor`");
	expect("monitor --until RESTE", 2, "did you mean RESET");
	expect("monitor --timeout soon", 2, "a number of seconds");
	expect("monitor a b", 2, "at most one NAME");
	expect("link net0", 2, "usage: anynic link");
	expect("link vm net0 sideways", 2, "up, down or auto");
	expect("status -x", 2, "usage: anynic status");
	expect("stop --timeout x", 2, "--timeout x");
	expect("migrate", 2, "usage: anynic migrate");
	expect("migrate vm /there", 2, "is no URI");
	expect("migrate vm unix:/there --timeout 0", 2, "--timeout 0");
	expect("migrate nobody unix:/there", 3, "no guest named nobody");
	expect("plug nobody", 2, "--nic SPEC or --interfaces FILE");
	expect("plug nobody --nic auto --nic igc", 2, "one --nic");
	expect("plug nobody --nic auto --interfaces x", 2, "usage: anynic plug");
	expect("plug a b --nic auto", 2, "one word too many");
	expect("plug nobody --nic auto --timeout 0", 2, "--timeout 0: seconds, 1 to 3600");
	expect("plug nobody --nic auto", 3, "no guest named nobody");
	expect("unplug", 2, "usage: anynic unplug");
	expect("unplug nobody net0 --timeout 0", 2, "--timeout 0");
	expect("unplug nobody net0", 3, "no guest named nobody");
	expect("run --spare-ports many -- qemu", 2, "--spare-ports many");
	expect("run", 2, "after `--`");
	expect("run --nix auto -- qemu", 2, "usage: anynic run");
	expect("serve --nic auto", 2, "--socket");
	expect("serve --nic auto --socket x --cpu many", 2, "--cpu many");
	expect("--help", 0, "monitor");
	expect("link --help", 0, "net0-legacy");
	expect("--version", 0, "anynic ");
}

static void verbs_talk_to_a_live_guest(void **state)
{
	(void)state;
	pid_t pid = serve("vm1", "--nic auto,backend=null --nic virtio-net,id=lan0,backend=null");

	expect("status", 0, "net0-performant");
	expect("status vm1 -j", 0, "\"guest\":\"vm1\"");
	expect("status vm1 -s", 0, "no_active_nic=0");
	expect("status -j -s", 0, "\"tx-frames\":0");
	expect("why", 0, "net0: no-driver");
	expect("why lan0", 0, "lan0: no-driver");
	expect("why vm1 lan0 -j", 0, "\"verdict\":\"no-driver\"");
	expect("why vm1 lan9", 3, "lan9");
	expect("monitor --timeout 0.2", 5, "");
	expect("link vm1 net9 up", 3, "no port net9");
	expect("link vm1 net0/moon up", 3, "no NIC moon");
	expect("link net0/legacy up", 0, "");
	expect("status -j", 0, "\"active\":\"net0-legacy\"");
	expect("why net0", 0, "manual");
	expect("link vm1 net0/net0-performant up", 0, "");
	expect("status -j", 0, "\"active\":\"net0-performant\"");
	expect("link net0 auto", 0, "");
	expect("status", 0, "state down");
	expect("qmp vm1 query-ports {\"port\":\"lan0\"}", 0, "\"active\":\"lan0\"");
	expect("qmp query-version", 0, "\"package\"");
	expect("qmp vm1 no-such-command", 1, "has not been found");
	expect("plug vm1 --nic igc", 4, "somebody else runs this one");
	expect("plug vm1 --interfaces @nowhere", 3, "nowhere: No such file");
	expect("unplug vm1 lan0", 4, "somebody else runs this one");
	expect("qmp vm1 port-add", 2, "one of 'nic'");
	expect("qmp vm1 port-add {\"nic\":\"igc\",\"networks\":[1]}", 2, "array of XML texts");
	expect("qmp vm1 port-add {\"nic\":\"igc\",\"timeout\":3601}", 2, "1 to 3600");
	expect("qmp vm1 port-del {\"port\":\"lan0\",\"timeout\":0}", 2, "1 to 3600");
	expect("qmp vm1 query-ports {", 2, "one JSON object");
	expect("qmp vm1 query-ports {\"port\":\"x\"}", 3, "'x' not found");
	expect("serve --name vm1 --nic auto,backend=null --socket @other", 1,
	       "a guest named vm1 is running already");
	expect("stop vm1", 0, "");
	assert_int_equal(end_of(pid, "vm1"), 0);
	assert_false(exists("vm1.qmp") || exists("vm1.lock") || exists("vm1.nics"));
	assert_int_equal(access(dir, F_OK), 0);
}

static void monitor_ends_with_the_event_that_it_waits_for(void **state)
{
	(void)state;
	pid_t pid = serve("vm2", "--nic auto,backend=stream,mode=server,path=@peer");
	pid_t monitor = start("monitor vm2 -j --until PORT_LINK_SWITCHED --timeout 15", "monitor");

	wait_hears("monitor", "peer");
	expect("link net0/legacy up", 0, "");
	assert_int_equal(end_of(monitor, "monitor"), 0);
	assert_non_null(strstr(out, "{\"event\":\"NIC_LINK_CHANGED\",\"data\":{\"nic\":\"net0-"
				    "legacy\",\"port\":\"net0\",\"up\":true},"));
	assert_non_null(strstr(out, "\"from\":null,\"to\":\"net0-legacy\",\"reason\":\"manual\""));
	monitor = start("monitor vm2 --until RESET", "monitor");
	pid_t plain = start("monitor vm2", "plain");
	wait_hears("monitor", "peer");
	wait_hears("plain", "peer");
	kill(pid, SIGTERM);
	assert_int_equal(end_of(pid, "vm2"), 0);
	assert_int_equal(end_of(monitor, "monitor"), 1);
	assert_non_null(strstr(err, "ended before RESET"));
	assert_int_equal(end_of(plain, "plain"), 0);
}

static void several_guests_must_be_named(void **state)
{
	(void)state;
	pid_t one = serve("vm3", "--nic virtio-net,backend=null");
	pid_t two = serve("vm4", "--nic virtio-net,backend=null --qmp @moved.qmp");
	struct stat st;
	char path[128];

	expect("why", 2, "name one");
	expect("why vm3", 0, "net0");
	expect("status", 0, "guest vm4");
	snprintf(path, sizeof(path), "%s/moved.qmp", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(path, sizeof(path), "%s/vm4.nics", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode)); /* one card: the socket itself */
	expect("qmp @moved.qmp query-version", 0, "package");
	expect("serve --name vm5 --nic virtio-net,backend=null --socket @x --qmp @moved.qmp", 1,
	       "in use by a running program");
	expect("serve --name vm5 --nic virtio-net,backend=null --socket @vm4.nics", 1,
	       "in use by a running program");
	assert_int_equal(stat(path, &st), 0); /* still there: it is not vm5's to remove */
	expect("stop vm4", 0, "");
	expect("stop vm3", 0, "");
	assert_int_equal(end_of(one, "vm3"), 0);
	assert_int_equal(end_of(two, "vm4"), 0);
	snprintf(path, sizeof(path), "%s/moved.qmp", dir);
	assert_int_equal(access(path, F_OK), -1);
	assert_false(exists("vm4.qmp"));
}

/* Waits until every child but `keep` has ended. */
static bool all_gone(void)
{
	for (int tries = 0; tries < 3000; tries++) {
		pid_t pid;
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0 && errno == ECHILD)
			return true;
		usleep(10000);
	}
	return false;
}

static void a_killed_anynic_takes_its_processes_and_files_along(void **state)
{
	(void)state;
	pid_t pid = start("run --name vm6 --nic auto,backend=user -- @qemu-system-x86_64", "vm6");

	wait_live("vm6");
	kill(pid, SIGKILL);
	assert_true(all_gone());
	assert_false(exists("vm6.qmp") || exists("vm6.lock") || exists("vm6.nics"));
	expect("status", 0, "no guest is running");
	/* also a control socket that was moved */
	pid = start(
		"run --name vm6 --qmp @moved.qmp --nic auto,backend=null -- @qemu-system-x86_64",
		"vm6");
	wait_live("vm6");
	assert_true(exists("../moved.qmp"));
	kill(pid, SIGKILL);
	assert_true(all_gone());
	assert_false(exists("../moved.qmp") || exists("vm6.qmp") || exists("vm6.lock") ||
		     exists("vm6.nics"));
	pid = start("run --name vm6 --nic auto,backend=null -- @qemu-system-x86_64 -name seven",
		    "vm6");
	assert_int_equal(end_of(pid, "vm6"), 7);
	assert_false(exists("vm6.qmp") || exists("vm6.lock") || exists("vm6.nics"));
}

static void run_ends_with_the_exit_status_of_qemu(void **state)
{
	(void)state;
	assert_int_equal(run("run --nic auto,backend=null -- @qemu-system-x86_64 -name seven"), 7);
	assert_int_equal(run("run --nic auto,backend=null -- @qemu-system-x86_64 -name killed"),
			 128 + SIGKILL);
	pid_t pid = start("run --nic auto,backend=null -- @qemu-system-x86_64 -name term", "term");
	wait_live("term");
	wait_trapped();
	kill(pid, SIGTERM);
	assert_int_equal(end_of(pid, "term"), 3);
	assert_false(exists("term.qmp"));
}

static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n > 0;
}

static pid_t child_of(pid_t pid, const char *name)
{
	char path[64], list[256], comm[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	assert_true(read_text(path, list, sizeof(list)));
	for (char *word = strtok(list, " \n"); word; word = strtok(NULL, " \n")) {
		snprintf(path, sizeof(path), "/proc/%s/comm", word);
		if (read_text(path, comm, sizeof(comm)) && strncmp(comm, name, strlen(name)) == 0)
			return (pid_t)atoi(word);
	}
	fail_msg("%d has no child %s", (int)pid, name);
	return 0;
}

static void the_end_of_the_datapath_is_told_and_qemu_goes_on(void **state)
{
	(void)state;
	pid_t pid = start("run --name vm7 --json --nic auto,backend=null -- @qemu-system-x86_64",
			  "vm7");
	wait_live("vm7");
	kill(child_of(pid, "anynic-datapath"), SIGKILL);
	wait_says("why vm7", "net0: backend-down");
	expect("why vm7", 0, "the datapath process died (signal 9");
	expect("link vm7 net0 up", 1, "datapath");
	kill(pid, SIGTERM);
	assert_int_equal(end_of(pid, "vm7"), 128 + SIGTERM);
	assert_non_null(strstr(
		err,
		"{\"event\":\"BACKEND_STATUS_CHANGED\",\"data\":{\"port\":\"net0\",\"up\":false,"));
	for (char *line = strtok(err, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strncmp(line, "{\"event\":", 9) ==
			    0); /* with --json nothing else is said */
}

static void a_signal_to_the_whole_group_ends_it_without_an_error(void **state)
{
	(void)state;
	pid_t pid =
		start("run --name vm10 --nic auto,backend=user -- @qemu-system-x86_64 -name term",
		      "vm10");
	wait_live("vm10");
	wait_trapped();
	/* as timeout(1) does it: everybody gets the signal, at once */
	kill(-pid, SIGTERM);
	assert_int_equal(end_of(pid, "vm10"), 3);
	assert_null(strstr(err, "error"));
	assert_false(exists("vm10.qmp"));
}

static void a_monitor_that_closes_while_qemu_goes_on_is_told(void **state)
{
	(void)state;
	pid_t pid =
		start("run --name vm12 --nic auto,backend=null -- @qemu-system-x86_64 -name deaf",
		      "vm12");
	wait_live("vm12");
	for (int tries = 0; tries < 3000 && !strstr(err, "QEMU goes on"); tries++) {
		usleep(10000);
		read_file("vm12", 2, err, sizeof(err));
	}
	assert_non_null(strstr(err, "closed its monitor, and QEMU goes on"));
	expect("link vm12 net0 up", 0, "");
	expect("status vm12", 0, "net0");
	kill(pid, SIGTERM);
	assert_int_equal(end_of(pid, "vm12"), 128 + SIGTERM);
}

static void an_interrupt_ends_it_also_in_the_background_of_a_script(void **state)
{
	(void)state;
	signal(SIGINT, SIG_IGN);
	pid_t pid = start("run --name vm11 --nic auto,backend=null -- @qemu-system-x86_64", "vm11");
	signal(SIGINT, SIG_DFL);
	wait_live("vm11");
	kill(pid, SIGINT);
	assert_int_equal(end_of(pid, "vm11"), 128 + SIGINT);
	assert_false(exists("vm11.qmp"));
}

/* A tap whose name the kernel chose is of no use to a person who is not told it. */
/* Reads until `says` has come, in so many answers. */
static void wait_reads(int fd, const char *says)
{
	struct timeval patience = { .tv_sec = 30 };
	size_t n = 0;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	for (out[0] = '\0'; !strstr(out, says); out[n] = '\0') {
		ssize_t got = recv(fd, out + n, sizeof(out) - 1 - n, 0);
		if (got <= 0)
			fail_msg("'%s' does not come after '%s'", says, out);
		n += (size_t)got;
	}
}

/* Nothing else happens here that would wake the one who answers. */
static void what_follows_a_refused_port_is_answered_too(void **state)
{
	static const char said[] =
		"{\"execute\":\"qmp_capabilities\"}\n"
		"{\"execute\":\"port-del\",\"arguments\":{\"port\":\"lan0\"},\"id\":1}\n"
		"{\"execute\":\"port-add\",\"arguments\":{\"nic\":\"igc\"},\"id\":2}\n"
		"{\"execute\":\"query-version\",\"id\":3}\n";
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	(void)state;
	pid_t pid = serve("vm1", "--nic virtio-net,id=lan0,backend=null");
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/anynic/vm1.qmp", dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(send(fd, said, sizeof(said) - 1, 0), sizeof(said) - 1);
	wait_reads(fd, "\"id\":3");
	assert_non_null(strstr(out, "\"id\":1"));
	assert_non_null(strstr(out, "\"id\":2"));
	close(fd);
	expect("stop vm1", 0, "");
	assert_int_equal(end_of(pid, "vm1"), 0);
}

static void the_name_of_a_tap_is_told(void **state)
{
	(void)state;
	if (access("/dev/net/tun", R_OK | W_OK) < 0 || unshare(CLONE_NEWNET) < 0) {
		print_message("skip: no taps or no network namespace for an ordinary user\n");
		skip();
	}
	pid_t pid = start("run --name vm9 --nic auto,backend=tap -- @qemu-system-x86_64", "vm9");
	wait_live("vm9");
	expect("status vm9", 0, "backend tap anynic0 up");
	expect("qmp vm9 query-ports", 0, "\"ifname\":\"anynic0\"");
	kill(pid, SIGTERM);
	end_of(pid, "vm9");
	assert_non_null(strstr(err, "backend tap anynic0, mac"));
	/* one that is there and down */
	assert_int_equal(system("ip tuntap add dev down0 mode tap"), 0);
	pid = start("run --name vm9 --nic auto,backend=tap,ifname=down0 -- @qemu-system-x86_64 "
		    "-name seven",
		    "vm9");
	assert_int_equal(end_of(pid, "vm9"), 7);
	assert_non_null(strstr(err, "ip link set down0 up"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_guest_nothing_is_found),
		cmocka_unit_test(wrong_words_are_usage_errors),
		cmocka_unit_test(verbs_talk_to_a_live_guest),
		cmocka_unit_test(monitor_ends_with_the_event_that_it_waits_for),
		cmocka_unit_test(several_guests_must_be_named),
		cmocka_unit_test(a_killed_anynic_takes_its_processes_and_files_along),
		cmocka_unit_test(run_ends_with_the_exit_status_of_qemu),
		cmocka_unit_test(the_end_of_the_datapath_is_told_and_qemu_goes_on),
		cmocka_unit_test(a_signal_to_the_whole_group_ends_it_without_an_error),
		cmocka_unit_test(a_monitor_that_closes_while_qemu_goes_on_is_told),
		cmocka_unit_test(an_interrupt_ends_it_also_in_the_background_of_a_script),
		cmocka_unit_test(what_follows_a_refused_port_is_answered_too),
		cmocka_unit_test(the_name_of_a_tap_is_told), /* last: it moves to another network */
	};
	if (argc != 2)
		return 2;
	program = argv[1];
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
