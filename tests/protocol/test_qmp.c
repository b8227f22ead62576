/* Conversations with the control socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qmp_bench.h"

#define VERSION "{\"execute\": \"query-version\"}\n"

static void expect_version(struct bench *b, int fd)
{
	json_object *got = hear(b, fd);

	assert_non_null(got);
	assert_true(json_object_object_get_ex(got, "return", NULL));
	json_object_put(got);
}

static void a_client_is_greeted_as_by_qemu(void **state)
{
	struct bench *b = *state;
	int fd = connect_client(b);
	json_object *got = hear(b, fd), *qmp, *version, *part;
	struct stat st;

	assert_int_equal(stat(b->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(json_object_object_get_ex(got, "QMP", &qmp));
	assert_true(json_object_object_get_ex(qmp, "capabilities", &part));
	assert_true(json_object_is_type(part, json_type_array));
	assert_true(json_object_object_get_ex(qmp, "version", &version));
	assert_true(json_object_object_get_ex(version, "qemu", &part));
	assert_true(json_object_object_get_ex(part, "major", NULL));
	assert_true(json_object_object_get_ex(version, "package", NULL));
	json_object_put(got);
	close(fd);
}

static void commands_wait_for_the_negotiation(void **state)
{
	struct bench *b = *state;
	int fd = connect_client(b);

	json_object_put(hear(b, fd));
	say(b, fd, VERSION);
	expect_error(b, fd, "CommandNotFound",
		     "Expecting capabilities negotiation with 'qmp_capabilities'");
	say(b, fd, "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}");
	expect_error(b, fd, "GenericError", "not available");
	say(b, fd,
	    "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": []}, \"id\": 1}");
	expect(b, fd, "{\"return\":{},\"id\":1}");
	say(b, fd, "{\"execute\": \"qmp_capabilities\"}");
	expect_error(b, fd, "CommandNotFound", "already complete");
	close(fd);
}

static void the_id_comes_back_whatever_it_is(void **state)
{
	struct bench *b = *state;
	int fd = negotiated_client(b);

	say(b, fd,
	    "{\"execute\":\"query-why\",\"arguments\":{\"port\":\"no\"},\"id\":{\"a\":[1,\"x\"]}}");
	assert_string_equal(expect_error(b, fd, "DeviceNotFound", "Device 'no' not found"),
			    "{\"a\":[1,\"x\"]}");
	say(b, fd, "{\"execute\":\"nonsense\",\"id\":\"seven\"}");
	assert_string_equal(
		expect_error(b, fd, "CommandNotFound", "The command nonsense has not been found"),
		"\"seven\"");
	say(b, fd, "{\"id\":-3}");
	assert_string_equal(expect_error(b, fd, "GenericError", "lacks member 'execute'"), "-3");
	close(fd);
}

static void commands_need_no_lines(void **state)
{
	struct bench *b = *state;
	int fd = negotiated_client(b);

	say(b, fd,
	    "{\"execute\":\"query-version\"}{\"execute\":\"query-version\"} { \"execute\" "
	    ":\n\n\"query-version\"\n}");
	for (int i = 0; i < 3; i++)
		expect_version(b, fd);
	for (const char *c = "{'execute': 'query-version', 'id': 'its'}"; *c; c++)
		say_bytes(b, fd, c, 1);
	expect_version(b, fd);
	close(fd);
}

static void bad_input_is_answered_and_the_connection_lives_on(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "hello there\n", "JSON parse error" },
		{ "{\"execute\": }\n", "JSON parse error" },
		{ "{\"execute\" \"query-version\"}\n", "JSON parse error" },
		{ "{bad}\n", "JSON parse error" },
		{ "{\"execute\": \"query-version\"]}\n", "wrong kind of bracket" },
		{ "}\n", "not opened" },
		{ "{\"execute\": \"cut off\n", "control character" },
		{ "{\"execute\": \"\xff\n", "0xff" },
		{ "{\"execute\": \"\xc3\x28\"}\n", "UTF-8" },
		{ "{\"execute\": \"\xed\xa0\"}\n", "UTF-8" },
		{ "5\n", "must be a JSON object" },
		{ "[]\n", "must be a JSON object" },
		{ "\"text\"\n", "must be a JSON object" },
		{ "{}\n", "lacks member 'execute'" },
		{ "{\"execute\": 5}\n", "'execute' must be a string" },
		{ "{\"execute\": \"query-version\\u0000\"}\n", "'execute' must be a string" },
		{ "{\"execute\": \"query-version\", \"arguments\": []}\n",
		  "'arguments' must be an object" },
		{ "{\"execute\": \"query-version\", \"x\": 1}\n", "'x' is unexpected" },
		{ "{\"exec-oob\": \"query-version\"}\n", "'exec-oob' is unexpected" },
		{ "{\"execute\": \"query-version\", \"arguments\": {\"y\": 1}}\n",
		  "Parameter 'y' is unexpected" },
		{ "{\"execute\": \"set_link\", \"arguments\": {\"name\": \"net0\"}}\n",
		  "Parameter 'up' is missing" },
		{ "{\"execute\": \"set_link\", \"arguments\": {\"name\": 1, \"up\": true}}\n",
		  "'name', expected: string" },
		{ "{\"execute\": \"set_link\", \"arguments\": {\"name\": \"net0\", \"up\": 1}}\n",
		  "'up', expected: boolean" },
		/* or it would be the name of another */
		{ "{\"execute\": \"set_link\", \"arguments\": {\"name\": \"net0\\u0000x\", "
		  "\"up\": true}}\n",
		  "'name' holds a NUL" },
		{ "{\"execute\": \"port-add\", \"arguments\": {\"interface\": \"<a/>\", "
		  "\"networks\": [\"<b/>\", \"<c/>\\u0000\"]}}\n",
		  "'networks' holds a NUL" },
		{ "{\"execute\": \"set-port-policy\", \"arguments\": {\"port\": \"net0\", "
		  "\"mode\": \"x\"}}\n",
		  "auto or manual" },
	};
	struct bench *b = *state;
	int fd = negotiated_client(b);

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		say(b, fd, cases[i].text);
		expect_error(b, fd, "GenericError", cases[i].words);
		say(b, fd, VERSION);
		expect_version(b, fd);
	}
	close(fd);
}

static void a_port_is_asked_for_with_a_text(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "{\"execute\": \"port-add\"}\n", "one of 'nic'" },
		{ "{\"execute\": \"port-add\", \"arguments\": {\"nic\": \"auto\", \"interface\": "
		  "\"<a/>\"}}\n",
		  "not both" },
		{ "{\"execute\": \"port-add\", \"arguments\": {\"interface\": \"\"}}\n",
		  "this one is empty" },
		{ "{\"execute\": \"port-add\", \"arguments\": {\"interface\": \"<a/>\", "
		  "\"networks\": [\"\"]}}\n",
		  "array of XML texts" },
		{ "{\"execute\": \"port-add\", \"arguments\": {\"interface\": \"<a/>\", "
		  "\"networks\": [1]}}\n",
		  "array of XML texts" },
		{ "{\"execute\": \"port-add\", \"arguments\": {\"nic\": \"auto\", \"timeout\": "
		  "-1}}\n",
		  "1 to 3600 seconds" },
		{ "{\"execute\": \"port-del\", \"arguments\": {\"port\": \"net0\", \"timeout\": "
		  "0}}\n",
		  "1 to 3600 seconds" },
	};
	struct bench *b = *state;
	int fd = negotiated_client(b);

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		say(b, fd, cases[i].text);
		expect_error(b, fd, "InvalidParameter", cases[i].words);
	}
	close(fd);
}

static void a_truncated_command_does_not_swallow_the_next(void **state)
{
	struct bench *b = *state;
	int fd = negotiated_client(b);

	say(b, fd, "{\"execute\": \"query-version\"\n");
	say(b, fd, VERSION);
	expect_error(b, fd, "GenericError", "JSON parse error");
	expect_version(b, fd);
	close(fd);
}

static void a_command_of_one_mebibyte_is_the_longest(void **state)
{
	struct bench *b = *state;
	int fd = negotiated_client(b);
	static char text[QMP_COMMAND_MAX + 64];
	int head = snprintf(text, sizeof(text), "{\"execute\": \"query-version\", \"id\": \"");

	memset(text + head, 'x', QMP_COMMAND_MAX - (size_t)head - 2);
	memcpy(text + QMP_COMMAND_MAX - 2, "\"}\n", 4);
	say(b, fd, text);
	expect_version(b, fd);
	memcpy(text + QMP_COMMAND_MAX - 2, "x\"}\n", 5);
	say(b, fd, text);
	expect_error(b, fd, "GenericError", "size limit");
	say(b, fd, VERSION);
	expect_version(b, fd);
	close(fd);
}

/* depth 64 with the command's own object */
static void nest(char *text, unsigned depth)
{
	strcpy(text, "{\"execute\": \"query-version\", \"id\": ");
	for (unsigned i = 1; i < depth; i++)
		strcat(text, i % 2 ? "[" : "{\"a\":");
	strcat(text, "1");
	for (unsigned i = depth - 1; i > 0; i--)
		strcat(text, i % 2 ? "]" : "}");
	strcat(text, "}\n");
}

static void a_depth_of_64_is_the_deepest(void **state)
{
	struct bench *b = *state;
	int fd = negotiated_client(b);
	char text[8192];

	nest(text, 64);
	say(b, fd, text);
	expect_version(b, fd);
	nest(text, 65);
	say(b, fd, text);
	expect_error(b, fd, "GenericError", "depth");
	nest(text, 700);
	say(b, fd, text);
	expect_error(b, fd, "GenericError", "depth");
	say(b, fd, VERSION);
	expect_version(b, fd);
	close(fd);
}

static void every_client_gets_its_own_answers_and_all_events(void **state)
{
	struct bench *b = *state;
	int one = negotiated_client(b);
	int two = negotiated_client(b);
	int mute = connect_client(b); /* has not negotiated: gets no events */
	json_object *event;

	say(b, one, "{\"execute\":\"query-version\",\"id\":1}");
	say(b, two, "{\"execute\":\"nonsense\",\"id\":2}");
	assert_string_equal(expect_error(b, two, "CommandNotFound", "nonsense"), "2");
	expect_version(b, one);

	control_qemu_event(&b->control, "STOP", NULL);
	say(b, one, VERSION);
	expect_version(b, one);
	for (int i = 0; i < 2; i++) {
		event = hear(b, i ? two : one);
		json_object *name;
		assert_true(json_object_object_get_ex(event, "event", &name));
		assert_string_equal(json_object_get_string(name), "STOP");
		assert_true(json_object_object_get_ex(event, "timestamp", NULL));
		json_object_put(event);
	}
	event = hear(b, mute);
	assert_true(json_object_object_get_ex(event, "QMP", NULL));
	json_object_put(event);
	assert_null(hear(b, mute));
	close(one);
	close(two);
	close(mute);
}

static void a_client_that_does_not_read_is_disconnected_and_nobody_else(void **state)
{
	struct bench *b = *state;
	int slow = negotiated_client(b);
	int good = negotiated_client(b);
	char text[4096];

	/* every command asks for about 2 KiB */
	snprintf(text, sizeof(text), "{\"execute\":\"query-ports\",\"id\":\"%01000d\"}\n", 0);
	for (int i = 0; i < 8000; i++) {
		ssize_t n = send(slow, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n != (ssize_t)strlen(text))
			break;
		if (i % 16 == 0)
			turn(b);
	}
	turn(b);
	assert_int_equal(send(slow, "x", 1, MSG_NOSIGNAL), -1);
	say(b, good, VERSION);
	expect_version(b, good);
	assert_true(is_closed(b, slow));
	close(slow);
	close(good);
}

static void a_client_may_send_all_and_close_its_side(void **state)
{
	struct bench *b = *state;
	int fd = connect_client(b);

	json_object_put(hear(b, fd));
	say(b, fd,
	    "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-version\"}{\"execute\":\"query-"
	    "events\"}");
	shutdown(fd, SHUT_WR);
	expect(b, fd, "{\"return\":{}}");
	expect_version(b, fd);
	expect_version(b, fd);
	assert_true(is_closed(b, fd));
	close(fd);
}

static void many_clients_come_and_go(void **state)
{
	struct bench *b = *state;

	for (int round = 0; round < 3; round++) {
		int fds[QMP_CLIENTS_MAX + 4];
		for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
			fds[i] = connect_client(b);
		/* those above the limit wait in the queue of the socket and are not lost */
		for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
			json_object *greeting = hear(b, fds[i]);
			if (i >= QMP_CLIENTS_MAX)
				assert_null(greeting);
			else
				assert_non_null(greeting);
			json_object_put(greeting);
			if (i >= QMP_CLIENTS_MAX)
				close(fds[i]);
		}
		for (unsigned i = 0; i < QMP_CLIENTS_MAX; i++)
			close(fds[i]);
		turn(b);
	}
	int fd = negotiated_client(b);
	close(fd);
}

static void all_commands_and_events_are_listed(void **state)
{
	static const char *const commands[] = {
		"qmp_capabilities", "query-version", "query-commands",
		"query-events",	    "quit",	     "query-guest-driver-status",
		"query-ports",	    "set_link",	     "set-port-policy",
		"query-why"
	};
	struct bench *b = *state;
	int fd = negotiated_client(b);

	say(b, fd, "{\"execute\":\"query-commands\"}");
	json_object *got = hear(b, fd);
	const char *text = json_object_to_json_string_ext(got, JSON_C_TO_STRING_PLAIN);
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		char name[64];
		snprintf(name, sizeof(name), "{\"name\":\"%s\"}", commands[i]);
		assert_non_null(strstr(text, name));
	}
	json_object_put(got);
	say(b, fd, "{\"execute\":\"query-events\"}");
	got = hear(b, fd);
	text = json_object_to_json_string_ext(got, JSON_C_TO_STRING_PLAIN);
	for (unsigned i = 0; i < EVENT_KIND_COUNT; i++)
		assert_non_null(strstr(text, event_names[i]));
	json_object_put(got);
	close(fd);
}

static void queries_have_the_members_that_the_manual_names(void **state)
{
	struct bench *b = *state;
	int fd = negotiated_client(b);

	say(b, fd, "{\"execute\":\"query-guest-driver-status\",\"arguments\":{\"nic\":\"lan0\"}}");
	expect(b, fd,
	       "{\"return\":[{\"nic\":\"lan0\",\"port\":\"lan0\",\"model\":\"virtio-net\","
	       "\"place\":\"hosted\",\"status\":\"none\","
	       "\"phase\":\"unknown\",\"evidence\":\"the guest has not touched the card yet\","
	       "\"since\":{\"seconds\":0,\"microseconds\":0},\"resets\":0}]}");
	say(b, fd, "{\"execute\":\"query-ports\",\"arguments\":{\"port\":\"net0\"}}");
	json_object *got = hear(b, fd), *list;
	assert_true(json_object_object_get_ex(got, "return", &list));
	assert_int_equal(json_object_array_length(list), 1);
	json_object *port = json_object_array_get_idx(list, 0), *active;
	static const char *const members[] = { "port",	"policy",  "mac",  "active",
					       "state", "backend", "nics", "counters" };
	for (unsigned i = 0; i < ARRAY_SIZE(members); i++)
		assert_true(json_object_object_get_ex(port, members[i], NULL));
	json_object *backend, *driver;
	assert_true(json_object_object_get_ex(port, "backend", &backend));
	assert_true(json_object_object_get_ex(backend, "driver", &driver));
	assert_string_equal(json_object_get_string(driver), "qemu"); /* in use, not wished */
	json_object_object_get_ex(port, "active", &active);
	assert_null(active);
	json_object_put(got);
	say(b, fd, "{\"execute\":\"query-why\",\"arguments\":{\"port\":\"net0\"}}");
	got = hear(b, fd);
	assert_non_null(strstr(json_object_to_json_string_ext(got, JSON_C_TO_STRING_PLAIN),
			       "{\"port\":\"net0\",\"verdict\":\"no-driver\",\"text\":"));
	json_object_put(got);
	say(b, fd, "{\"execute\":\"query-guest-driver-status\",\"arguments\":{\"nic\":\"no\"}}");
	expect_error(b, fd, "DeviceNotFound", "Device 'no' not found");
	close(fd);
}

static void quit_is_answered_and_told_to_the_owner(void **state)
{
	struct bench *b = *state;
	int fd = negotiated_client(b);

	assert_false(b->control.quit);
	say(b, fd, "{\"execute\":\"quit\"}");
	expect(b, fd, "{\"return\":{}}");
	assert_true(b->control.quit);
	close(fd);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_client_is_greeted_as_by_qemu),
		STORY(commands_wait_for_the_negotiation),
		STORY(the_id_comes_back_whatever_it_is),
		STORY(commands_need_no_lines),
		STORY(bad_input_is_answered_and_the_connection_lives_on),
		STORY(a_port_is_asked_for_with_a_text),
		STORY(a_truncated_command_does_not_swallow_the_next),
		STORY(a_command_of_one_mebibyte_is_the_longest),
		STORY(a_depth_of_64_is_the_deepest),
		STORY(every_client_gets_its_own_answers_and_all_events),
		STORY(a_client_that_does_not_read_is_disconnected_and_nobody_else),
		STORY(a_client_may_send_all_and_close_its_side),
		STORY(many_clients_come_and_go),
		STORY(all_commands_and_events_are_listed),
		STORY(queries_have_the_members_that_the_manual_names),
		STORY(quit_is_answered_and_told_to_the_owner),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
