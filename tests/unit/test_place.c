/* Names of guests and their files, while others still have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/place.h"

static char dir[] = "/tmp/anynic-test-place-XXXXXX";
static char lock[64], elsewhere[64];

#define A_WHILE_US 300000

/* Another process does it, and ends after a while, with its first visitor, or when join() tells it. Returns when it has begun. */
enum until { A_WHILE, A_VISITOR, TOLD };

static int line; /* to the other process */

static pid_t another(int (*act)(void), enum until until)
{
	int pair[2];
	char byte = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(pair[0]);
		int fd = act();
		if (fd < 0 || write(pair[1], &byte, 1) != 1)
			_exit(1);
		struct pollfd p = { .fd = until == A_VISITOR ? fd : pair[1], .events = POLLIN };
		poll(&p, 1, until == A_WHILE ? A_WHILE_US / 1000 : 60000);
		_exit(0);
	}
	close(pair[1]);
	line = pair[0];
	assert_int_equal(read(line, &byte, 1), 1);
	return pid;
}

static void join(pid_t pid)
{
	int status;

	close(line);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int hold_lock(void)
{
	int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -1 : flock(fd, LOCK_EX | LOCK_NB);
}

static int be_a_guest(void)
{
	static struct place p;

	return place_claim(&p, "one", NULL, NULL);
}

static int listen_elsewhere(void)
{
	return place_listen(elsewhere, NULL);
}

static void a_name_that_is_being_tidied_up_can_be_had_soon(void **state)
{
	struct place p;
	struct error err = { 0 };
	uint64_t begin = monotonic_ns();

	(void)state;
	pid_t pid = another(hold_lock, A_WHILE);
	if (place_claim(&p, "one", NULL, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(monotonic_ns() - begin >= A_WHILE_US * 1000ull - 10 * NS_PER_MS);
	place_release(&p);
	join(pid);
}

static void a_name_that_is_live_is_refused_at_once(void **state)
{
	struct place p;
	struct error err = { 0 };

	(void)state;
	pid_t pid = another(be_a_guest, TOLD); /* which it is only after the refusal */
	assert_int_equal(place_claim(&p, "one", NULL, &err), -EEXIST);
	assert_non_null(strstr(err.text, "running already"));
	join(pid);
	/* and it left its files there, as if it had been killed */
	assert_int_equal(place_claim(&p, "one", NULL, &err), 0);
	place_release(&p);
	assert_int_equal(access(lock, F_OK), -1);
}

static void a_socket_of_one_who_is_about_to_end_is_had(void **state)
{
	(void)state;
	int fd = place_listen(elsewhere, NULL);
	assert_true(fd >= 0);
	assert_int_equal(place_listen(elsewhere, NULL), -EADDRINUSE);
	close(fd);
	pid_t pid = another(listen_elsewhere, A_VISITOR);
	fd = place_listen(elsewhere, NULL);
	assert_true(fd >= 0);
	close(fd);
	unlink(elsewhere);
	join(pid);
}

static void a_path_is_taken_while_somebody_listens_there(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	(void)state;
	assert_false(place_is_taken(elsewhere));
	memcpy(at.sun_path, elsewhere, sizeof(elsewhere));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_false(place_is_taken(elsewhere));
	assert_int_equal(listen(fd, 1), 0);
	assert_true(place_is_taken(elsewhere));
	elsewhere[strlen(elsewhere) - 1]--; /* another file */
	assert_false(place_is_taken(elsewhere));
	elsewhere[strlen(elsewhere) - 1]++;
	char relative[100]; /* by another name */
	snprintf(relative, sizeof(relative), "/tmp/../%s", elsewhere);
	assert_true(place_is_taken(relative));
	struct pollfd visitors = { .fd = fd, .events = POLLIN };
	assert_int_equal(poll(&visitors, 1, 0), 0); /* who looked did not knock */
	close(fd);
	assert_false(place_is_taken(elsewhere)); /* the file is there still */
	unlink(elsewhere);
}

#define SOMEBODY 54321

static void shell(const char *fmt, const char *argument)
{
	char command[400];

	(void)snprintf(command, sizeof(command), fmt, argument, argument, argument, argument,
		       argument);
	assert_int_equal(system(command), 0);
}

/* Anybody can make /tmp/anynic-UID of somebody else, with a journal and a link in it. */
static void a_folder_in_tmp_that_somebody_else_made_is_left_alone(void **state)
{
	char home[] = "/tmp/anynic-test-home-XXXXXX", sock[100];
	const char *trap = "/tmp/anynic-54321";
	struct place p;
	int status;

	(void)state;
	if (geteuid() != 0 || access(trap, F_OK) == 0)
		skip();
	assert_non_null(mkdtemp(home));
	shell("mkdir %s/run && chmod 711 %s && chown 54321 %s/run", home);
	(void)snprintf(sock, sizeof(sock), "%s/run/bus", home);
	int fd = place_listen(sock, NULL);
	assert_true(fd >= 0);
	shell("mkdir -m 777 /tmp/anynic-54321 && touch /tmp/anynic-54321/x.undo && "
	      "ln -s %s/run /tmp/anynic-54321/x.nics",
	      home);
	pid_t pid = fork();
	if (pid == 0) {
		(void)snprintf(sock, sizeof(sock), "%s/run", home);
		if (setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0 ||
		    setenv("XDG_RUNTIME_DIR", sock, 1) < 0)
			_exit(1);
		int rc = place_claim(&p, "one", NULL, NULL);
		place_release(&p);
		_exit(rc < 0 ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	bool there = access(sock, F_OK) == 0, swept = access("/tmp/anynic-54321/x.undo", F_OK) < 0;
	close(fd);
	shell("rm -r /tmp/anynic-54321 %s", home);
	assert_true(there);
	assert_false(swept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_is_being_tidied_up_can_be_had_soon),
		cmocka_unit_test(a_name_that_is_live_is_refused_at_once),
		cmocka_unit_test(a_socket_of_one_who_is_about_to_end_is_had),
		cmocka_unit_test(a_path_is_taken_while_somebody_listens_there),
		cmocka_unit_test(a_folder_in_tmp_that_somebody_else_made_is_left_alone),
	};
	char path[64];

	if (!mkdtemp(dir) || setenv("XDG_RUNTIME_DIR", dir, 1) < 0)
		return 1;
	snprintf(path, sizeof(path), "%s/anynic", dir);
	snprintf(lock, sizeof(lock), "%s/one.lock", path);
	snprintf(elsewhere, sizeof(elsewhere), "%s/else.sock", dir);
	if (mkdir(path, 0700) < 0)
		return 1;
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(path);
	rmdir(dir);
	return rc;
}
