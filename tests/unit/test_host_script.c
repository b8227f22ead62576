/* <script> and <downscript> of a tap: programs that a test writes, run with the interface's name, in a network namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "host/open.h"
#include "host/script.h"
#include "netns.h"

static char folder[] = "/tmp/anynic-test-script-XXXXXX";
static struct error err;

static void write_script(const char *name, const char *body, char path[PATH_ROOM])
{
	char text[400];

	(void)snprintf(path, PATH_ROOM, "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	int len = snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
	assert_int_equal(write(fd, text, (size_t)len), len);
	close(fd);
}

/* What the scripts have written so far. */
static const char *said(void)
{
	static char text[400];
	char path[PATH_ROOM];

	(void)snprintf(path, sizeof(path), "%s/said", folder);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

static struct backend_spec tap_with(const char *up, const char *down)
{
	struct backend_spec spec = { .type = "tap", .ifname = "tap7" };
	char body[300];

	(void)snprintf(body, sizeof(body),
		       "echo \"%s $# $1 $(ip -o link show up dev $1 | wc -l)\" >>%s/said", up,
		       folder);
	if (*up)
		write_script("up", body, spec.script);
	(void)snprintf(body, sizeof(body), "echo \"%s $# $1\" >>%s/said", down, folder);
	if (*down)
		write_script("down", body, spec.downscript);
	return spec;
}

static int open_tap(const struct backend_spec *spec, struct undo *undo, struct opened_backend *o)
{
	struct backend_request r = { .spec = spec, .guest = "test", .port = "net0", .undo = undo };

	err = (struct error){ 0 };
	return host_backend_open(&r, o, &err);
}

static void scripts_run_with_the_interfaces_name_when_it_is_up_and_when_it_goes(void **state)
{
	struct backend_spec spec = tap_with("up", "down");
	struct opened_backend o;

	(void)state;
	assert_int_equal(open_tap(&spec, NULL, &o), 0);
	assert_string_equal(said(), "up 1 tap7 1\n");
	opened_backend_close(&o);
	assert_string_equal(said(), "up 1 tap7 1\ndown 1 tap7\n");
}

static void a_script_that_fails_is_an_error(void **state)
{
	struct backend_spec spec = tap_with("", "down");
	struct opened_backend o;

	(void)state;
	write_script("up", "exit 3", spec.script);
	assert_int_equal(open_tap(&spec, NULL, &o), -ECANCELED);
	assert_non_null(strstr(err.text, "exit status 3"));
	assert_non_null(strstr(err.text, "tap7"));
	assert_string_equal(said(), "down 1 tap7\n");
	assert_int_equal(if_nametoindex("tap7"), 0);
	write_script("up", "kill -9 $$", spec.script);
	assert_int_equal(open_tap(&spec, NULL, &o), -ECANCELED);
	assert_non_null(strstr(err.text, "signal 9"));
}

static void one_that_cannot_be_run_is_told_before(void **state)
{
	struct backend_spec spec = tap_with("up", "");
	struct backend_request r = { .spec = &spec, .guest = "test", .port = "net0" };

	(void)state;
	assert_int_equal(chmod(spec.script, 0600), 0);
	assert_int_equal(host_backend_look(&r, &err), -EACCES);
	assert_non_null(strstr(err.text, spec.script));
	assert_int_equal(unlink(spec.script), 0);
	assert_int_equal(host_backend_look(&r, &err), -ENOENT);
}

static void the_last_one_runs_after_a_kill_and_once(void **state)
{
	struct backend_spec spec = tap_with("", "down");
	struct opened_backend o;
	struct undo undo;
	char journal[PATH_ROOM];

	(void)state;
	(void)snprintf(journal, sizeof(journal), "%s/undo", folder);
	assert_int_equal(undo_open(&undo, journal, &err), 0);
	assert_int_equal(open_tap(&spec, &undo, &o), 0);
	close(undo.fd); /* as the kernel does */
	opened_backend_close_fds(&o);
	assert_int_equal(undo_run(journal), 0);
	assert_int_equal(undo_run(journal), 0);
	assert_string_equal(said(), "down 1 tap7\n");
}

/* Of a folder that somebody else could put in the place of ours. */
static void a_journal_that_somebody_else_could_have_written_runs_nothing(void **state)
{
	struct backend_spec spec = tap_with("", "down");
	struct opened_backend o;
	struct undo undo;
	char journal[PATH_ROOM];

	(void)state;
	(void)snprintf(journal, sizeof(journal), "%s/undo", folder);
	assert_int_equal(undo_open(&undo, journal, &err), 0);
	assert_int_equal(open_tap(&spec, &undo, &o), 0);
	close(undo.fd);
	opened_backend_close_fds(&o);
	assert_int_equal(chmod(journal, 0666), 0);
	assert_int_equal(undo_run(journal), 1);
	assert_string_equal(said(), "");
	assert_int_equal(chmod(journal, 0600), 0);
	if (chown(journal, 1, (gid_t)-1) == 0) {
		assert_int_equal(undo_run(journal), 1);
		assert_string_equal(said(), "");
		assert_int_equal(chown(journal, 0, (gid_t)-1), 0);
	}
	assert_int_equal(undo_run(journal), 0);
	assert_string_equal(said(), "down 1 tap7\n");
}

static void scripts_have_nothing_of_ours_open(void **state)
{
	char path[PATH_ROOM], body[200];
	int fd = open("/dev/null", O_RDONLY); /* inherited, if nobody closes it */

	(void)state;
	assert_true(fd >= 3);
	(void)snprintf(body, sizeof(body), "test ! -e /proc/self/fd/%d && echo closed >%s/said", fd,
		       folder);
	write_script("up", body, path);
	assert_int_equal(host_script_run(path, "tap7", &err), 0);
	assert_string_equal(said(), "closed\n");
	close(fd);
}

/* The process that tidies up after a kill ignores most, and a shell cannot even trap what it finds ignored. */
static void scripts_are_not_deaf(void **state)
{
	char path[PATH_ROOM], body[200];

	(void)state;
	assert_true(signal(SIGTERM, SIG_IGN) != SIG_ERR);
	(void)snprintf(body, sizeof(body), "trap 'echo heard >%s/said' TERM; kill -TERM $$; exit 0",
		       folder);
	write_script("down", body, path);
	assert_int_equal(host_script_run(path, "tap7", &err), 0);
	signal(SIGTERM, SIG_DFL);
	assert_string_equal(said(), "heard\n");
}

static int clear(void **state)
{
	char command[150];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -f %s/*", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			scripts_run_with_the_interfaces_name_when_it_is_up_and_when_it_goes, clear),
		cmocka_unit_test_teardown(a_script_that_fails_is_an_error, clear),
		cmocka_unit_test_teardown(one_that_cannot_be_run_is_told_before, clear),
		cmocka_unit_test_teardown(the_last_one_runs_after_a_kill_and_once, clear),
		cmocka_unit_test_teardown(
			a_journal_that_somebody_else_could_have_written_runs_nothing, clear),
		cmocka_unit_test_teardown(scripts_have_nothing_of_ours_open, clear),
		cmocka_unit_test_teardown(scripts_are_not_deaf, clear),
	};

	if (enter_netns() < 0 || need_tun() < 0)
		return TEST_SKIPPED;
	if (!mkdtemp(folder))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(folder) < 0 ? 1 : failed;
}
