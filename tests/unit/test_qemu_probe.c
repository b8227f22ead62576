/* Commands are tried on a throw-away QEMU: the real ones that are here, and this very program in the part of a bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "qemu/probe.h"

#define PART "ANYNIC_TEST_PART"

static char self[4096];
static const char *const *real; /* QEMU programs, ends with NULL */

/* --- the part of a bad QEMU -------------------------------------------------------------------------------------- */

static void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), 0) < 0)
		_exit(3);
}

static int monitor_fd(int argc, char **argv)
{
	int fd;

	for (int i = 1; i < argc; i++)
		if (sscanf(argv[i], "socket,id=monitor,fd=%d", &fd) == 1)
			return fd;
	_exit(2);
}

static const char *reply_to(const char *line)
{
	if (strstr(line, "info mtree"))
		return "\"0-f (prio 0, i/o): bus master container owner:{dev id=anynic-probe}\"";
	if (strstr(line, "xp "))
		return "\"00000000: 0x00\"";
	if (strstr(line, "x-query-virtio-queue-status"))
		return "{\"vring-desc\": 0, \"vring-avail\": 0}";
	return strstr(line, "query-rx-filter") ? "[{}]" : "{}";
}

/* Dies, or never answers, when a line holds the word of its part: "die:xp ". */
static int play(const char *part, int argc, char **argv)
{
	int fd = monitor_fd(argc, argv);
	char line[4096], answer[4096];
	FILE *in = fdopen(fd, "r");

	say(fd, "{\"QMP\": {\"version\": {}}}\n");
	while (fgets(line, sizeof(line), in)) {
		const char *id = strstr(line, "\"id\":");

		if (strstr(line, strchr(part, ':') + 1)) {
			if (strncmp(part, "die", 3) == 0)
				abort();
			if (strncmp(part, "refuse", 6) == 0)
				snprintf(answer, sizeof(answer),
					 "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": "
					 "\"no\"}, \"id\": %d}\n",
					 atoi(id + 5));
		} else {
			snprintf(answer, sizeof(answer), "{\"return\": %s, \"id\": %d}\n",
				 reply_to(line), atoi(id + 5));
		}
		say(fd, answer);
	}
	return 0;
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static int probe_part(const char *part, struct qemu_signals *signals)
{
	struct error err = { 0 };

	setenv(PART, part, 1);
	int rc = qemu_probe_signals(signals, self, "", 7, 2, &err);
	unsetenv(PART);
	return rc;
}

static void each_real_qemu_gives_every_signal_on_its_machines(void **state)
{
	(void)state;
	static const char *const machines[] = { "", "q35", "pc" };
	bool any = false;

	for (const char *const *program = real; *program; program++)
		for (unsigned i = 0; access(*program, X_OK) == 0 && i < ARRAY_SIZE(machines); i++) {
			struct qemu_signals s;
			struct error err = { 0 };

			any = true;
			if (qemu_probe_signals(&s, *program, machines[i], 0, 0, &err) < 0)
				fail_msg("%s", err.text);
			for (unsigned k = 0; k < QEMU_SIGNAL_COUNT; k++)
				if (!s.can[k])
					fail_msg("%s -machine %s: no %s", *program, machines[i],
						 qemu_signal_names[k]);
			assert_true(s.tried);
		}
	if (!any)
		skip();
}

static void a_command_that_kills_qemu_is_not_used_and_the_others_are(void **state)
{
	(void)state;
	static const char *const words[] = { [SIGNAL_TREE] = "die:info mtree",
					     [SIGNAL_MEMORY] = "die:xp ",
					     [SIGNAL_RING] = "die:x-query-virtio-queue-status",
					     [SIGNAL_FILTER] = "die:query-rx-filter" };

	for (unsigned i = 0; i < QEMU_SIGNAL_COUNT; i++) {
		struct qemu_signals s;

		assert_int_equal(probe_part(words[i], &s), 0);
		for (unsigned k = 0; k < QEMU_SIGNAL_COUNT; k++)
			assert_int_equal(s.can[k], k != i);
	}
}

static void a_command_that_is_refused_is_not_used(void **state)
{
	(void)state;
	struct qemu_signals s;

	assert_int_equal(probe_part("refuse:x-query-virtio-queue-status", &s), 0);
	assert_false(s.can[SIGNAL_RING]);
	assert_true(s.can[SIGNAL_FILTER]);
}

static void a_program_that_is_no_qemu_leaves_what_the_version_is_known_for(void **state)
{
	(void)state;
	struct qemu_signals s;
	struct error err = { 0 };

	assert_true(qemu_probe_signals(&s, "/bin/false", "q35", 8, 0, &err) < 0);
	assert_non_null(strstr(err.text, "/bin/false"));
	assert_false(s.tried);
	assert_true(s.can[SIGNAL_TREE] && s.can[SIGNAL_MEMORY]);
	assert_false(s.can[SIGNAL_RING]);
	assert_true(qemu_probe_signals(&s, "/nonexistent", "q35", 7, 2, &err) < 0);
	assert_true(s.can[SIGNAL_RING]);
	qemu_limit_signals(&s, "x86_64");
	assert_true(s.can[SIGNAL_MEMORY]);
	qemu_limit_signals(&s, "ppc64");
	assert_false(s.can[SIGNAL_MEMORY]);
	assert_true(s.can[SIGNAL_TREE]);
}

static void nothing(enum log_level level, const char *text)
{
	(void)level, (void)text;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_real_qemu_gives_every_signal_on_its_machines),
		cmocka_unit_test(a_command_that_kills_qemu_is_not_used_and_the_others_are),
		cmocka_unit_test(a_command_that_is_refused_is_not_used),
		cmocka_unit_test(a_program_that_is_no_qemu_leaves_what_the_version_is_known_for),
	};

	if (getenv(PART))
		return play(getenv(PART), argc, argv);
	log_set_sink(nothing);
	real = (const char *const *)argv + 1;
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
