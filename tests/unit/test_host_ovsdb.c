/* What an OVSDB server may say, in whatever pieces: answers, questions, refusals, and things that are none of these. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "host/ovs.h"
#include "host/ovsdb.h"

static struct ovsdb *talk(int *server)
{
	struct error err = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*server = pair[1];
	struct ovsdb *db = ovsdb_adopt(pair[0], &err);
	assert_non_null(db);
	return db;
}

/* One operation; what the server answers is in its socket already. */
static int ask(struct ovsdb *db, struct error *err)
{
	json_object *results =
		ovsdb_transact(db, json_tokener_parse("[{\"op\": \"comment\"}]"), 0, err);

	json_object_put(results);
	return results ? 0 : err->code;
}

static int answer_with(const char *text, struct error *err)
{
	int server;
	struct ovsdb *db = talk(&server);

	*err = (struct error){ 0 };
	assert_int_equal(send(server, text, strlen(text), 0), (ssize_t)strlen(text));
	shutdown(server, SHUT_WR);
	int rc = ask(db, err);
	close(server);
	ovsdb_close(db);
	return rc;
}

static void assert_refused(const char *text, int code, const char *words)
{
	struct error err;

	assert_int_equal(answer_with(text, &err), code);
	if (!strstr(err.text, words))
		fail_msg("'%s' says nothing of '%s'", err.text, words);
}

static void the_request_is_a_transaction_on_open_vswitch(void **state)
{
	char text[300] = "";
	struct error err = { 0 };
	int server;
	struct ovsdb *db = talk(&server);

	(void)state;
	send(server, "{\"id\":0,\"error\":null,\"result\":[{}]}", 35, 0);
	assert_int_equal(ask(db, &err), 0);
	assert_true(recv(server, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(text, "{\"method\":\"transact\",\"params\":[\"Open_vSwitch\","
				  "{\"op\":\"comment\"}],\"id\":0}");
	close(server);
	ovsdb_close(db);
}

static void results_must_be_one_object_for_each_operation(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(answer_with("{\"id\":0,\"error\":null,\"result\":[{}]}", &err), 0);
	assert_refused("{\"id\":0,\"error\":null,\"result\":[]}", -EPROTO, "proper");
	assert_refused("{\"id\":0,\"error\":null,\"result\":[null]}", -EPROTO, "proper");
	assert_refused("{\"id\":0,\"error\":null,\"result\":[{},{}]}", -EPROTO, "proper");
	assert_refused("{\"id\":0,\"error\":null,\"result\":{}}", -EPROTO, "proper");
	assert_refused("{\"id\":0,\"error\":null,\"result\":null}", -EPROTO, "proper");
	assert_refused("{\"id\":0}", -EPROTO, "proper");
	assert_refused("{\"id\":0,\"result\":[[7]]}", -EPROTO, "proper");
}

static void a_refusal_is_told_in_the_servers_words(void **state)
{
	(void)state;
	assert_refused("{\"id\":0,\"result\":[{\"error\":\"timed out\"}]}", -EAGAIN, "timed out");
	assert_refused("{\"id\":0,\"result\":[{},{\"error\":\"constraint violation\","
		       "\"details\":\"two\\u001b[2J rows\"}]}",
		       -EIO, "constraint violation: two?[2J rows");
	assert_refused("{\"id\":0,\"result\":null,\"error\":{\"error\":\"unknown database\"}}",
		       -ENOTSUP, "unknown database");
	assert_refused("{\"id\":0,\"result\":null,\"error\":\"no\"}", -EIO, "refused");
	assert_refused("{\"id\":0,\"result\":[{\"error\":\"not allowed\"}]}", -EACCES, "allowed");
}

static void what_is_no_answer_ends_the_conversation(void **state)
{
	struct error err = { 0 };
	int server;
	struct ovsdb *db = talk(&server);

	(void)state;
	assert_refused("", -EPIPE, "closed");
	assert_refused("{\"id\":0,\"resu", -EPIPE, "closed");
	assert_refused("HTTP/1.1 400 Bad Request\r\n", -EPROTO, "no answer of OVSDB");
	assert_refused("[]", -EPROTO, "no answer of OVSDB");
	assert_refused("null{}", -EPROTO, "no answer of OVSDB");
	assert_refused("{\"id\":1,\"result\":[{}]}{\"id\":\"0\",\"result\":[{}]}", -EPIPE,
		       "closed");
	send(server, "}", 1, 0);
	assert_int_equal(ask(db, &err), -EPROTO);
	send(server, "{\"id\":1,\"result\":[{}]}", 22, 0);
	assert_int_equal(ask(db, &err), -EPIPE); /* what comes later is not believed */
	close(server);
	ovsdb_close(db);
}

static void depth_and_size_are_bounded(void **state)
{
	static char text[1 << 21];
	struct error err = { 0 };
	pid_t child;
	int server;
	struct ovsdb *db = talk(&server);

	(void)state;
	memset(text, '[', 100);
	memcpy(text, "{\"id\":", 6);
	text[100] = '\0';
	assert_refused(text, -EPROTO, "no answer");
	memset(text, ' ', sizeof(text)); /* endless blanks: no value ever comes */
	text[0] = '{';
	child = fork();
	if (child == 0) {
		ovsdb_close(db); /* the last end of the pair is the parent's */
		for (size_t at = 0; at < sizeof(text);) {
			ssize_t n = send(server, text + at, sizeof(text) - at, MSG_NOSIGNAL);
			if (n <= 0)
				_exit(0);
			at += (size_t)n;
		}
		_exit(1);
	}
	close(server);
	assert_int_equal(ask(db, &err), -EPROTO);
	ovsdb_close(db);
	int status = 1;
	waitpid(child, &status, 0);
	assert_int_equal(status, 0); /* it could not get rid of all */
}

static void an_answer_in_single_bytes_with_questions_in_between_is_understood(void **state)
{
	static const char text[] = "{\"method\":\"update\",\"params\":[],\"id\":null}"
				   "{\"id\":\"echo\",\"method\":\"echo\",\"params\":[\"there?\"]} "
				   "{\"id\":99,\"result\":[],\"error\":null}\n"
				   "{\"id\":0,\"error\":null,\"result\":[{\"rows\":[]}]}";
	char heard[400] = "";
	struct error err = { 0 };
	int server;
	struct ovsdb *db = talk(&server);

	(void)state;
	pid_t child = fork();
	if (child == 0) {
		for (size_t i = 0; i < sizeof(text) - 1; i++) {
			send(server, text + i, 1, 0);
			if (i % 8 == 0)
				usleep(500);
		}
		_exit(0);
	}
	assert_int_equal(ask(db, &err), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(recv(server, heard, sizeof(heard) - 1, 0) > 0);
	assert_non_null(strstr(heard, "{\"id\":\"echo\",\"result\":[\"there?\"],\"error\":null}"));
	close(server);
	ovsdb_close(db);
}

static void a_server_that_hangs_is_left_after_the_deadline(void **state)
{
	struct error err = { 0 };
	int server;
	struct ovsdb *db = talk(&server);

	(void)state;
	assert_int_equal(ask(db, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "does not answer"));
	close(server);
	ovsdb_close(db);
}

/* At the end of a guest with many ports, or at a start after many were killed. */
static void a_database_that_hangs_is_waited_for_once(void **state)
{
	char folder[] = "/tmp/anynic-test-ovs-XXXXXX";
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct error err = { 0 };

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/db.sock", folder);
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(server, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(server, 16), 0);
	setenv("OVS_RUNDIR", folder, 1);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(ovs_port_remove("tap0", "guest", "net0", &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "does not answer"));
	unsigned asked = 0;
	for (int fd; (fd = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0; asked++)
		close(fd);
	assert_int_equal(asked, 1);
	close(server);
	unlink(at.sun_path);
	rmdir(folder);
}

static void without_open_vswitch_the_next_step_is_told(void **state)
{
	struct error err = { 0 };

	(void)state;
	setenv("OVS_RUNDIR", "/nowhere", 1);
	assert_int_equal(ovs_has_bridge("br0", &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "openvswitch-switch"));
	assert_int_equal(ovs_has_bridge("br0", NULL), -ENOTSUP);
	assert_int_equal(ovs_port_remove("tap0", "guest", "net0", NULL), -ENOTSUP);
}

static void uuids_are_stable_and_differ_for_every_port(void **state)
{
	char a[OVS_UUID], b[OVS_UUID], first[OVS_UUID];

	(void)state;
	assert_string_equal(ovs_uuid(first, "guest", "net0"),
			    "4b668aa8-b621-80ff-8d89-4a3cbdc36126");
	for (unsigned i = 0; i < 200; i++) {
		char name[16];
		snprintf(name, sizeof(name), "net%u", i + 1);
		ovs_uuid(a, "guest", name);
		assert_int_equal(strlen(a), OVS_UUID - 1);
		assert_int_equal(a[14], '8');
		assert_non_null(strchr("89ab", a[19]));
		assert_string_not_equal(a, first);
		assert_string_not_equal(ovs_uuid(b, name, "net0"), a);
		assert_true(memcmp(a, first, 8) != 0 && memcmp(a + 24, first + 24, 12) != 0);
	}
	assert_string_not_equal(ovs_uuid(a, "guest", NULL), ovs_uuid(b, "guest", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_is_a_transaction_on_open_vswitch),
		cmocka_unit_test(results_must_be_one_object_for_each_operation),
		cmocka_unit_test(a_refusal_is_told_in_the_servers_words),
		cmocka_unit_test(what_is_no_answer_ends_the_conversation),
		cmocka_unit_test(depth_and_size_are_bounded),
		cmocka_unit_test(an_answer_in_single_bytes_with_questions_in_between_is_understood),
		cmocka_unit_test(a_server_that_hangs_is_left_after_the_deadline),
		cmocka_unit_test(without_open_vswitch_the_next_step_is_told),
		cmocka_unit_test(a_database_that_hangs_is_waited_for_once),
		cmocka_unit_test(uuids_are_stable_and_differ_for_every_port),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
