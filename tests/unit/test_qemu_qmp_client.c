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

#include "qemu/qmp_client.h"

/* The test plays QEMU at the other end. */
static int peer;

static struct qmp_client *connected(void)
{
	int fds[2];
	struct error err = { 0 };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	peer = fds[1];
	struct qmp_client *c = qmp_client_create(fds[0], &err);
	assert_non_null(c);
	return c;
}

static void say(const char *text)
{
	assert_int_equal(send(peer, text, strlen(text), 0), (ssize_t)strlen(text));
}

/* What the client has written since the last call. */
static const char *heard(void)
{
	static char text[4096];
	ssize_t n = recv(peer, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static bool next(struct qmp_client *c, struct qmp_item *item)
{
	qmp_client_read(c);
	return qmp_client_next(c, item);
}

#define GREETING                                                                                   \
	"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 11}}, \"capabilities\": [\"oob\"]}}\r\n"

static struct qmp_client *ready(void)
{
	struct qmp_client *c = connected();
	struct qmp_item item;

	say(GREETING);
	assert_false(next(c, &item));
	assert_non_null(strstr(heard(), "\"execute\":\"qmp_capabilities\""));
	say("{\"return\": {}, \"id\": 0}\r\n");
	assert_true(next(c, &item));
	assert_int_equal(item.kind, QMP_ITEM_READY);
	assert_non_null(json_object_object_get(item.data, "version"));
	return c;
}

static void done(struct qmp_client *c)
{
	qmp_client_destroy(c);
	close(peer);
}

static void commands_wait_for_the_negotiation(void **state)
{
	(void)state;
	struct qmp_client *c = connected();
	struct qmp_item item;
	uint64_t id = qmp_client_query_status(c);

	assert_true(id > 0);
	assert_string_equal(heard(), "");
	say(GREETING);
	assert_false(next(c, &item));
	assert_null(strstr(heard(), "query-status"));
	say("{\"return\": {}, \"id\": 0}\r\n");
	assert_true(next(c, &item));
	assert_int_equal(item.kind, QMP_ITEM_READY);
	assert_non_null(strstr(heard(), "{\"execute\":\"query-status\",\"id\":1}"));
	say("{\"return\": {\"running\": true, \"status\": \"running\"}, \"id\": 1}\r\n");
	assert_true(next(c, &item));
	assert_int_equal(item.kind, QMP_ITEM_REPLY);
	assert_int_equal(item.id, id);
	assert_true(qmp_status_is_running(item.data));
	assert_false(qmp_client_next(c, &item));
	done(c);
}

static void events_keep_their_order_and_time(void **state)
{
	(void)state;
	struct qmp_client *c = ready();
	struct qmp_item item;

	say("{\"timestamp\": {\"seconds\": 12, \"microseconds\": 34}, \"event\": \"RESET\", "
	    "\"data\": {\"guest\": true}}\r\n"
	    "{\"event\": \"STOP\"}\r\n{\"ret");
	assert_true(next(c, &item));
	assert_int_equal(item.kind, QMP_ITEM_EVENT);
	assert_string_equal(item.name, "RESET");
	assert_int_equal(item.seconds, 12);
	assert_int_equal(item.microseconds, 34);
	assert_true(json_object_get_boolean(json_object_object_get(item.data, "guest")));
	assert_true(qmp_client_next(c, &item));
	assert_string_equal(item.name, "STOP");
	assert_null(item.data);
	assert_false(qmp_client_next(c, &item));
	say("urn\": [{}, {}, {}], \"id\": 5}");
	assert_true(next(c, &item));
	assert_int_equal(item.kind, QMP_ITEM_REPLY);
	assert_int_equal(qmp_cpu_count(item.data), 3);
	done(c);
}

static void an_error_reply_has_class_and_text(void **state)
{
	(void)state;
	struct qmp_client *c = ready();
	struct qmp_item item;
	json_object *device = json_object_new_object();

	json_object_object_add(device, "driver", json_object_new_string("vfio-user-pci"));
	uint64_t id = qmp_client_device_add(c, device);
	assert_non_null(
		strstr(heard(),
		       "\"execute\":\"device_add\",\"arguments\":{\"driver\":\"vfio-user-pci\"}"));
	qmp_client_device_del(c, "net0");
	assert_non_null(
		strstr(heard(), "\"execute\":\"device_del\",\"arguments\":{\"id\":\"net0\"}"));
	char reply[128];
	snprintf(reply, sizeof(reply),
		 "{\"id\": %llu, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}",
		 (unsigned long long)id);
	say(reply);
	assert_true(next(c, &item));
	assert_int_equal(item.kind, QMP_ITEM_ERROR);
	assert_int_equal(item.id, id);
	assert_string_equal(item.name, "GenericError");
	assert_string_equal(item.text, "no");
	done(c);
}

static void what_came_before_the_end_is_still_told(void **state)
{
	(void)state;
	struct qmp_client *c = ready();
	struct qmp_item item;

	say("{\"event\": \"SHUTDOWN\", \"data\": {}}\r\n");
	close(peer);
	assert_true(next(c, &item));
	assert_string_equal(item.name, "SHUTDOWN");
	assert_true(qmp_client_next(c, &item));
	assert_int_equal(item.kind, QMP_ITEM_CLOSED);
	assert_string_equal(item.text, "QEMU closed its monitor");
	assert_false(qmp_client_next(c, &item));
	assert_int_equal(qmp_client_quit(c), 0);
	assert_false(qmp_client_wants_write(c));
	qmp_client_destroy(c);
}

static void what_is_no_qmp_closes_the_client(void **state)
{
	(void)state;
	static const char *const bad[] = { "hello", "[1]", "{\"a\":}", "\"x\" ", "{]" };

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct qmp_client *c = ready();
		struct qmp_item item;

		say(bad[i]);
		assert_true(next(c, &item));
		assert_int_equal(item.kind, QMP_ITEM_CLOSED);
		done(c);
	}
}

static void odd_members_are_no_danger(void **state)
{
	(void)state;
	struct qmp_client *c = ready();
	struct qmp_item item;

	say("{}{\"id\":{}}{\"error\":7}{\"event\":[1],\"timestamp\":3}{\"return\":null,\"id\":"
	    "\"x\"}{\"QMP\":1}");
	assert_true(next(c, &item));
	assert_int_equal(item.kind, QMP_ITEM_ERROR);
	assert_string_equal(item.text, "");
	assert_true(qmp_client_next(c, &item));
	assert_int_equal(item.kind, QMP_ITEM_EVENT);
	assert_string_equal(item.name, "");
	assert_true(qmp_client_next(c, &item));
	assert_int_equal(item.kind, QMP_ITEM_REPLY);
	assert_null(item.data);
	assert_false(qmp_status_is_running(item.data));
	assert_int_equal(qmp_cpu_count(item.data), 0);
	assert_false(qmp_client_next(c, &item));
	done(c);
}

static void too_deep_and_too_long_are_refused(void **state)
{
	(void)state;
	char deep[200];
	struct qmp_client *c = ready();
	struct qmp_item item;

	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	say("{\"return\":");
	say(deep);
	assert_true(next(c, &item));
	assert_int_equal(item.kind, QMP_ITEM_CLOSED);
	done(c);

	static char chunk[65536];
	memset(chunk, 'x', sizeof(chunk));
	c = ready();
	say("{\"return\":\"");
	bool closed = false;
	for (unsigned i = 0; i < 300 && !closed; i++) {
		assert_true(send(peer, chunk, sizeof(chunk), 0) > 0);
		closed = next(c, &item);
	}
	assert_true(closed);
	assert_int_equal(item.kind, QMP_ITEM_CLOSED);
	done(c);
}

static void a_qemu_that_does_not_read_closes_the_client(void **state)
{
	(void)state;
	struct qmp_client *c = ready();
	struct qmp_item item;
	unsigned sent = 0;

	while (qmp_client_query_status(c) != 0 && sent < 1000000)
		sent++;
	assert_true(sent > 1000 && sent < 1000000);
	assert_true(qmp_client_next(c, &item));
	assert_int_equal(item.kind, QMP_ITEM_CLOSED);
	done(c);
}

static void a_full_socket_is_written_later(void **state)
{
	(void)state;
	struct qmp_client *c = ready();
	static char text[1 << 20];
	size_t total = 0;
	unsigned sent = 0;

	while (!qmp_client_wants_write(c)) {
		assert_true(qmp_client_query_cpus(c) != 0);
		sent++;
	}
	while (1) {
		ssize_t n = recv(peer, text + total, sizeof(text) - 1 - total, MSG_DONTWAIT);
		if (n > 0)
			total += (size_t)n;
		else if (!qmp_client_wants_write(c))
			break;
		qmp_client_write(c);
	}
	text[total] = '\0';
	unsigned seen = 0;
	for (const char *p = text; (p = strstr(p, "query-cpus-fast")) != NULL; p++)
		seen++;
	assert_int_equal(seen, sent);
	done(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_wait_for_the_negotiation),
		cmocka_unit_test(events_keep_their_order_and_time),
		cmocka_unit_test(an_error_reply_has_class_and_text),
		cmocka_unit_test(what_came_before_the_end_is_still_told),
		cmocka_unit_test(what_is_no_qmp_closes_the_client),
		cmocka_unit_test(odd_members_are_no_danger),
		cmocka_unit_test(too_deep_and_too_long_are_refused),
		cmocka_unit_test(a_qemu_that_does_not_read_closes_the_client),
		cmocka_unit_test(a_full_socket_is_written_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
