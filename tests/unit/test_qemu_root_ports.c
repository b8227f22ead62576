/* Where a card finds room in a running guest: a QEMU that the test plays tells what it has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "qemu/root_ports.h"

static struct qmp_client *client;
static struct root_search search;
static int peer;

static void say(const char *text)
{
	assert_int_equal(write(peer, text, strlen(text)), strlen(text));
}

static void hear(char text[4096])
{
	ssize_t n = recv(peer, text, 4095, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	char *to = text; /* json-c writes "\/" */
	for (const char *from = text; *from; from++)
		if (*from != '\\')
			*to++ = *from;
	*to = '\0';
}

static void take_items(void)
{
	struct qmp_item item;

	qmp_client_read(client);
	while (qmp_client_next(client, &item))
		if (item.kind == QMP_ITEM_REPLY || item.kind == QMP_ITEM_ERROR)
			root_search_reply(&search, &item);
}

static int setup(void **state)
{
	struct error err = { 0 };
	char text[4096];
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peer = pair[1];
	client = qmp_client_create(pair[0], &err);
	assert_non_null(client);
	say("{\"QMP\":{}}\r\n");
	take_items();
	hear(text);
	say("{\"return\":{},\"id\":0}\r\n");
	take_items();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	qmp_client_destroy(client);
	close(peer);
	return 0;
}

/* The question that comes next holds `path`; it is answered. */
static void expect(const char *path, const char *answer)
{
	char text[4096], reply[1024];

	hear(text);
	if (!strstr(text, path))
		fail_msg("%s instead of %s", text, path);
	const char *id = NULL;
	for (const char *at = strstr(text, "\"id\":"); at; at = strstr(at + 1, "\"id\":"))
		id = at;
	snprintf(reply, sizeof(reply), "{%s,%.*s}\r\n", answer, (int)strcspn(id, "}"), id);
	say(reply);
	take_items();
}

#define DEVICES                                                                                    \
	"\"return\":[{\"name\":\"type\",\"type\":\"string\"},"                                     \
	"{\"name\":\"net0\",\"type\":\"child<virtio-net-pci>\"},"                                  \
	"{\"name\":\"mine\",\"type\":\"child<pcie-root-port>\"},"                                  \
	"{\"name\":\"anynic-rp-0\",\"type\":\"child<pcie-root-port>\"},"                           \
	"{\"name\":\"anynic-rp-1\",\"type\":\"child<pcie-root-port>\"}]"
#define EMPTY "\"return\":[{\"name\":\"type\",\"type\":\"string\"}]"
#define USED                                                                                       \
	"\"return\":[{\"name\":\"type\",\"type\":\"string\"},"                                     \
	"{\"name\":\"child[3]\",\"type\":\"link<virtio-net-pci>\"}]"
#define ERROR "\"error\":{\"class\":\"GenericError\",\"desc\":\"it went\"}"

static void ports_of_anynic_are_taken_before_those_of_the_line(void **state)
{
	(void)state;
	root_search_begin(&search, client, 2, NULL, 0);
	expect("\"/machine/peripheral\"", DEVICES);
	expect("/anynic-rp-0/anynic-rp-0\"", USED);
	expect("/anynic-rp-1/anynic-rp-1\"", EMPTY);
	assert_int_equal(search.state, ROOT_SEARCHING);
	expect("/mine/mine\"", EMPTY);
	assert_int_equal(search.state, ROOT_FOUND);
	assert_string_equal(search.found[0], "anynic-rp-1");
	assert_string_equal(search.found[1], "mine");
}

static void one_that_is_kept_for_a_hidden_card_is_not_looked_at(void **state)
{
	(void)state;
	static const char kept[][ROOT_PORT_NAME] = { "anynic-rp-0", "mine" };

	root_search_begin(&search, client, 1, kept, 2);
	expect("\"/machine/peripheral\"", DEVICES);
	expect("/anynic-rp-1/anynic-rp-1\"", EMPTY);
	assert_int_equal(search.state, ROOT_FOUND);
	assert_string_equal(search.found[0], "anynic-rp-1");
}

static void a_guest_without_room_is_full(void **state)
{
	(void)state;
	root_search_begin(&search, client, 1, NULL, 0);
	expect("\"/machine/peripheral\"", "\"return\":[]");
	assert_int_equal(search.state, ROOT_FULL);
	root_search_begin(&search, client, 2, NULL, 0);
	expect("\"/machine/peripheral\"", DEVICES);
	expect("/anynic-rp-0\"", USED);
	expect("/anynic-rp-1\"", ERROR); /* one that says nothing is not taken */
	expect("/mine\"", EMPTY);
	assert_int_equal(search.state, ROOT_FULL);
	assert_int_equal(search.founds, 1);
}

static void what_is_no_list_is_no_room(void **state)
{
	(void)state;
	static const char *const bad[] = { "\"return\":{}", "\"return\":[1,{},null,[]]",
					   "\"return\":[{\"name\":1,\"type\":2}]", ERROR };

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		root_search_begin(&search, client, 1, NULL, 0);
		expect("\"/machine/peripheral\"", bad[i]);
		assert_int_equal(search.state, ROOT_FULL);
	}
}

static void names_that_are_too_many_or_too_long_are_left_out(void **state)
{
	(void)state;
	static char list[ROOT_PORTS_MAX * 100];
	struct qmp_item item = { .kind = QMP_ITEM_REPLY };

	root_search_begin(&search, client, 1, NULL, 0);
	item.id = search.id;
	strcpy(list, "[{\"name\":\"");
	memset(list + strlen(list), 'x', 60);
	strcat(list, "\",\"type\":\"child<pcie-root-port>\"}");
	for (unsigned i = 0; i < ROOT_PORTS_MAX + 5; i++)
		sprintf(list + strlen(list), ",{\"name\":\"p%u\",\"type\":\"child<ioh3420>\"}", i);
	strcat(list, "]");
	item.data = json_tokener_parse(list);
	assert_true(root_search_reply(&search, &item));
	json_object_put(item.data);
	assert_int_equal(search.count, ROOT_PORTS_MAX);
	assert_string_equal(search.name[0], "p0");
}

static void the_answer_to_somebody_else_is_not_taken(void **state)
{
	(void)state;
	struct qmp_item item = { .kind = QMP_ITEM_REPLY, .id = 4711 };

	root_search_begin(&search, client, 1, NULL, 0);
	assert_false(root_search_reply(&search, &item));
	assert_int_equal(search.state, ROOT_SEARCHING);
}

static void a_monitor_that_closed_is_lost(void **state)
{
	(void)state;
	close(peer);
	take_items();
	root_search_begin(&search, client, 1, NULL, 0);
	assert_int_equal(search.state, ROOT_LOST);
	peer = dup(0); /* for teardown */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(ports_of_anynic_are_taken_before_those_of_the_line),
		TEST(one_that_is_kept_for_a_hidden_card_is_not_looked_at),
		TEST(a_guest_without_room_is_full),
		TEST(what_is_no_list_is_no_room),
		TEST(names_that_are_too_many_or_too_long_are_left_out),
		TEST(the_answer_to_somebody_else_is_not_taken),
		TEST(a_monitor_that_closed_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
