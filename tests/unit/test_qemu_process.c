#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qemu/detect.h"
#include "qemu/process.h"

static char dir[] = "/tmp/anynic-test-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* A program that answers as a QEMU might. */
static const char *script(const char *name, const char *body)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", body);
	fclose(f);
	assert_int_equal(chmod(path, 0755), 0);
	return path;
}

static void versions_and_vfio_user_are_found_out(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		unsigned major, minor, micro;
		bool vfio_user;
		const char *says; /* of qemu_require_vfio_user */
	} cases[] = {
		{ "case $1 in --version) echo 'QEMU emulator version 11.1.3 (Debian 1:11.1.3)';; "
		  "-device) echo 'vfio-user-pci options:';; esac",
		  11, 1, 3, true, "" },
		{ "case $1 in --version) echo 'QEMU emulator version 10.1.0';; *) echo \"Device "
		  "'vfio-user-pci' not found\"; exit 1;; esac",
		  10, 1, 0, false, "built without vfio-user-pci" },
		{ "case $1 in --version) echo 'QEMU emulator version 7.2.22 (x)';; *) touch "
		  "asked-too-much;; esac",
		  7, 2, 22, false, "QEMU 7.2 has no vfio-user-pci" },
		{ "echo 'QEMU emulator version 10.0'", 10, 0, 0, false, "10.1 or newer has it" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct qemu_program p;
		struct error err = { 0 };
		int rc = qemu_detect(&p, script("qemu", cases[i].body), &err);

		if (rc < 0)
			fail_msg("case %u: %s", i, err.text);
		assert_int_equal(p.major, cases[i].major);
		assert_int_equal(p.minor, cases[i].minor);
		assert_int_equal(p.micro, cases[i].micro);
		assert_int_equal(p.vfio_user, cases[i].vfio_user);
		assert_int_equal(qemu_require_vfio_user(&p, &err),
				 cases[i].vfio_user ? 0 : -ENOTSUP);
		if (!strstr(err.text, cases[i].says))
			fail_msg("case %u: %s", i, err.text);
	}
	assert_int_equal(access("asked-too-much", F_OK), -1);
}

static void a_program_that_is_no_qemu_is_refused(void **state)
{
	(void)state;
	struct qemu_program p;
	struct error err = { 0 };

	assert_int_equal(qemu_detect(&p, script("other", "echo hello"), &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "is no QEMU"));
	assert_int_equal(qemu_detect(&p, "anynic-no-such-program", &err), -ENOENT);
	assert_non_null(strstr(err.text, "is not there on $PATH; install it"));
	assert_int_equal(qemu_detect(&p, "/nowhere/qemu", &err), -ENOENT);
	assert_non_null(strstr(err.text, "qemu-system-x86)"));
	assert_int_equal(qemu_detect(&p, "/nowhere/qemu-system-aarch64", &err), -ENOENT);
	assert_non_null(strstr(err.text, "qemu-system-arm)"));
	assert_int_equal(qemu_detect(&p, dir, &err), -EISDIR);
	assert_int_equal(chmod(script("plain", ""), 0644), 0);
	char path[128];
	snprintf(path, sizeof(path), "%s/plain", dir);
	assert_int_equal(qemu_detect(&p, path, &err), -EACCES);
	assert_non_null(strstr(err.text, "cannot be run"));
}

static void a_program_is_looked_up_as_the_shell_does(void **state)
{
	(void)state;
	char path[256], want[128], old[4096];
	struct error err = { 0 };

	script("myqemu", "");
	str_copy(old, sizeof(old), getenv("PATH"));
	snprintf(want, sizeof(want), "/nowhere:%s:/bin", dir);
	setenv("PATH", want, 1);
	assert_int_equal(qemu_find("myqemu", path, sizeof(path), &err), 0);
	snprintf(want, sizeof(want), "%s/myqemu", dir);
	assert_string_equal(path, want);
	setenv("PATH", "", 1);
	assert_int_equal(qemu_find("myqemu", path, sizeof(path), &err), -ENOENT);
	setenv("PATH", old, 1);
}

static void a_version_can_be_assumed(void **state)
{
	(void)state;
	struct qemu_program p;
	struct error err = { 0 };

	assert_int_equal(qemu_assume_version(&p, "10.0", &err), 0);
	assert_false(p.vfio_user);
	assert_int_equal(qemu_assume_version(&p, "10.1.2", &err), 0);
	assert_true(p.vfio_user);
	assert_int_equal(qemu_assume_version(&p, "12.0", &err), 0);
	assert_true(p.vfio_user);
	assert_int_equal(qemu_assume_version(&p, "11", &err), -EINVAL);
	assert_int_equal(qemu_assume_version(&p, "11.x", &err), -EINVAL);
	assert_int_equal(qemu_assume_version(&p, "11.1.0rc", &err), -EINVAL);
	assert_non_null(strstr(err.text, "write X.Y"));
}

static int wait_for(struct qemu_process *p)
{
	struct pollfd fd = { .fd = p->pid_fd, .events = POLLIN };

	assert_int_equal(poll(&fd, 1, 10000), 1);
	assert_true(qemu_process_reap(p));
	return qemu_process_exit_status(p);
}

static void the_exit_status_is_the_shells(void **state)
{
	(void)state;
	struct qemu_process p;
	struct error err = { 0 };
	char *seven[] = { "/bin/sh", "-c", "exit 7", NULL };
	char *killed[] = { "/bin/sh", "-c", "kill -9 $$", NULL };

	assert_int_equal(qemu_process_start(&p, seven, NULL, 0, &err), 0);
	assert_int_equal(wait_for(&p), 7);
	qemu_process_finish(&p);
	assert_int_equal(qemu_process_start(&p, killed, NULL, 0, &err), 0);
	assert_int_equal(wait_for(&p), 128 + SIGKILL);
	qemu_process_finish(&p);
	qemu_process_finish(&p);
}

static void a_program_that_cannot_start_says_so(void **state)
{
	(void)state;
	struct qemu_process p;
	struct error err = { 0 };
	char *none[] = { "/nowhere/qemu", NULL };

	assert_int_equal(qemu_process_start(&p, none, NULL, 0, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/qemu cannot be started: No such file"));
	assert_int_equal(p.pid, 0);
}

static void only_the_named_descriptors_are_kept(void **state)
{
	(void)state;
	struct qemu_process p;
	struct error err = { 0 };
	char text[128];
	int keep = open("/dev/null", O_RDONLY | O_CLOEXEC),
	    lose = open("/dev/null", O_RDONLY | O_CLOEXEC);

	snprintf(text, sizeof(text), "test -e /proc/self/fd/%d && ! test -e /proc/self/fd/%d", keep,
		 lose);
	char *look[] = { "/bin/sh", "-c", text, NULL };
	assert_int_equal(qemu_process_start(&p, look, &keep, 1, &err), 0);
	assert_int_equal(wait_for(&p), 0);
	assert_int_equal(fcntl(keep, F_GETFD), FD_CLOEXEC); /* here it is as it was */
	qemu_process_finish(&p);
	close(keep);
	close(lose);
}

static void the_child_starts_with_default_signals_in_our_group(void **state)
{
	(void)state;
	struct qemu_process p;
	struct error err = { 0 };
	sigset_t block;
	static const char program[] = "/^SigBlk:/ && !/0000$/ { bad = 1 } /^SigIgn:/ && "
				      "!/[02468ace]000$/ { bad = 1 } END { exit bad }";
	char *look[] = { "awk", (char *)program, "/proc/self/status", NULL };

	for (int i = 1; i < SIGSYS;
	     i++) /* nohup and shells without job control leave some ignored */
		signal(i, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, NULL);
	assert_int_equal(qemu_process_start(&p, look, NULL, 0, &err), 0);
	assert_int_equal(getpgid(p.pid), getpgrp());
	assert_int_equal(wait_for(&p), 0);
	qemu_process_finish(&p);
	sigprocmask(SIG_UNBLOCK, &block, NULL);
	signal(SIGPIPE, SIG_DFL);
}

static void the_child_ends_with_its_parent(void **state)
{
	(void)state;
	int out[2];
	char byte;

	assert_int_equal(pipe(out), 0);
	pid_t parent = fork();
	if (parent == 0) {
		struct qemu_process p;
		char *sleep_long[] = { "/bin/sleep", "60", NULL };

		/* the sleeper holds the pipe open for as long as it lives */
		if (qemu_process_start(&p, sleep_long, NULL, 0, NULL) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	close(out[1]);
	waitpid(parent, NULL, 0);
	struct pollfd fd = { .fd = out[0], .events = POLLIN };
	assert_int_equal(poll(&fd, 1, 10000), 1);
	assert_int_equal(read(out[0], &byte, 1), 0);
	close(out[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_and_vfio_user_are_found_out),
		cmocka_unit_test(a_program_that_is_no_qemu_is_refused),
		cmocka_unit_test(a_program_is_looked_up_as_the_shell_does),
		cmocka_unit_test(a_version_can_be_assumed),
		cmocka_unit_test(the_exit_status_is_the_shells),
		cmocka_unit_test(a_program_that_cannot_start_says_so),
		cmocka_unit_test(only_the_named_descriptors_are_kept),
		cmocka_unit_test(the_child_starts_with_default_signals_in_our_group),
		cmocka_unit_test(the_child_ends_with_its_parent),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
