/* A QEMU that someone else started: which cards it has, and which of them make a port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "known_for_tests.h"
#include "qemu/pair.h"

/* --- what it has --------------------------------------------------------------------------------------------------- */

#define GREETING                                                                                   \
	"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2}}}}\n{\"return\": {}, "    \
	"\"id\": 0}\n"
#define BASICS                                                                                     \
	GREETING "{\"return\": \"pc-q35-7.2-machine\", \"id\": 1}\n"                               \
		 "{\"return\": {\"arch\": \"x86_64\"}, \"id\": 2}\n"                               \
		 "{\"return\": {\"name\": \"bob\"}, \"id\": 3}\n"                                  \
		 "{\"return\": {\"running\": true}, \"id\": 4}\n"

/* QEMU's side of the conversation, as a whole, before anything was asked. `closes`: that was all. */
static int find(struct found_guest *g, const char *said, bool closes, struct error *err)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(send(fds[1], said, strlen(said), 0), (ssize_t)strlen(said));
	if (closes)
		shutdown(fds[1], SHUT_WR);
	struct qmp_client *c = qmp_client_create(fds[0], err);
	assert_non_null(c);
	int rc = qemu_find_cards(g, c, err);
	qmp_client_destroy(c);
	close(fds[1]);
	return rc;
}

/* As QEMU 7.2 and 11.1 answer (recorded). */
static const char conversation[] = BASICS
	"{\"return\": [{\"name\": \"type\", \"type\": \"string\"}, {\"name\": \"x\", \"type\": "
	"\"child<virtio-net-pci>\"}], \"id\": 5}\n"
	"{\"event\": \"NIC_RX_FILTER_CHANGED\", \"data\": {}, \"timestamp\": {}}\n"
	"{\"return\": [{\"name\": \"device[0]\", \"type\": \"child<e1000e>\"}], \"id\": 6}\n"
	"{\"return\": [{\"name\": \"device[18]\", \"type\": \"child<rtl8139>\"}, {\"name\": "
	"\"device[2]\", \"type\": \"child<ICH9-LPC>\"}], \"id\": 7}\n"
	"{\"return\": \"52:54:00:12:34:59\", \"id\": 8}\n"
	"{\"return\": \"52:54:00:12:34:5a\", \"id\": 9}\n"
	"{\"return\": \"52:54:00:12:34:57\", \"id\": 10}\n"
	"{\"return\": \"hub 0\\r\\n"
	" \\\\ hub0port3: #net329: index=0,type=user,net=10.0.2.0,restrict=off\\r\\n"
	" \\\\ hub0port1: rtl8139.0: index=0,type=nic,model=rtl8139,macaddr=52:54:00:12:34:57\\r\\n"
	" \\\\ hp: x: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:59\\r\\n"
	"e1000e.0: index=0,type=nic,model=e1000e,macaddr=52:54:00:12:34:5a\\r\\n"
	" \\\\ uu: index=0,type=tap,ifname=no-such-tap,script=no,downscript=no\\r\\n\", \"id\": "
	"11}\n";

static void cards_with_and_without_an_id_are_found_with_what_is_behind_them(void **state)
{
	(void)state;
	static struct found_guest g;
	struct error err = { 0 };

	if (find(&g, conversation, false, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(g.name, "bob");
	assert_string_equal(g.machine, "pc-q35-7.2");
	assert_string_equal(g.target, "x86_64");
	assert_true(g.major == 7 && g.minor == 2 && g.running);
	assert_int_equal(g.cards, 3);
	assert_string_equal(g.card[0].name, "x");
	assert_string_equal(g.card[0].owner, "x");
	assert_string_equal(g.card[0].model, "virtio-net");
	assert_int_equal(g.card[0].hub, 0);
	assert_string_equal(g.card[1].name, "e1000e.0");
	assert_string_equal(g.card[1].owner, "/machine/peripheral-anon/device[0]");
	assert_int_equal(g.card[1].hub, -1);
	assert_string_equal(g.card[1].type, "tap");
	assert_string_equal(g.card[1].ifname, "no-such-tap");
	assert_string_equal(g.card[1].bridge, "");
	assert_string_equal(g.card[2].name, "rtl8139.0");
	assert_string_equal(g.card[2].owner, "/machine/unattached/device[18]");
	assert_int_equal(g.card[2].hub, 0);
}

static void what_is_no_monitor_is_told(void **state)
{
	(void)state;
	static struct found_guest g;
	static const char *const said[] = { "", "SSH-2.0-OpenSSH_9.2\r\n", "{\"event\": \"X\"}",
					    "[1,2,3]" };

	for (unsigned i = 0; i < ARRAY_SIZE(said); i++) {
		struct error err = { 0 };
		assert_int_equal(find(&g, said[i], true, &err), -EPIPE);
		assert_non_null(strstr(err.text, "no QMP monitor"));
	}
}

static void a_monitor_that_closes_halfway_is_told(void **state)
{
	(void)state;
	static struct found_guest g;
	struct error err = { 0 };
	char heard[256] = "";
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		if (send(fds[1], GREETING, strlen(GREETING), 0) > 0)
			while (recv(fds[1], heard, sizeof(heard) - 1, 0) > 0 &&
			       !memmem(heard, sizeof(heard), "qom-get", 7))
				;
		_exit(0);
	}
	close(fds[1]);
	struct qmp_client *c = qmp_client_create(fds[0], &err);
	assert_int_equal(qemu_find_cards(&g, c, &err), -EPIPE);
	assert_non_null(strstr(err.text, "was closed while"));
	qmp_client_destroy(c);
	waitpid(pid, NULL, 0);
}

static void answers_of_a_hostile_qemu_give_no_cards(void **state)
{
	(void)state;
	static struct found_guest g;
	struct error err = { 0 };

	assert_int_equal(find(&g,
			      GREETING
			      "{\"return\": 7, \"id\": 1}\n"
			      "{\"return\": {\"arch\": []}, \"id\": 2}\n"
			      "{\"error\": {}, \"id\": 3}\n"
			      "{\"return\": [], \"id\": 4}\n"
			      "{\"return\": [1, {}, {\"type\": \"child<e1000\"}, {\"type\": "
			      "\"child<e1000>\", \"name\": 5}], \"id\": 5}\n"
			      "{\"return\": {\"a\": 1}, \"id\": 6}\n"
			      "{\"return\": null, \"id\": 7}\n"
			      "{\"return\": {}, \"id\": 8}\n"
			      "{\"return\": {}, \"id\": 9}\n",
			      false, &err),
			 0);
	assert_int_equal(g.cards, 0);
	assert_false(g.running);
}

/* --- which make a port --------------------------------------------------------------------------------------------- */

#define CARD(n, m, b, h, last)                                                                     \
	{                                                                                          \
		.name = n, .owner = n, .device = m, .model = m,                                    \
		.mac = { 0x52, 0x54, 0, 0, 0, last }, .type = "tap", .bridge = b, .hub = h         \
	}

static struct found_port ports[PORTS_MAX];
static unsigned count;

static int pair(const struct found_guest *g, struct error *err, const char *a, const char *b)
{
	const char *names[] = { a, b };

	return qemu_pair_cards(ports, &count, g, names, (a != NULL) + (b != NULL), &test_known,
			       err);
}

static void expect_pair(unsigned at, const char *legacy, const char *performant)
{
	assert_true(at < count);
	const struct port_spec *p = &ports[at].spec;
	assert_int_equal(p->policy, POLICY_SWITCH);
	assert_string_equal(p->nic[0].id, legacy);
	assert_int_equal(p->nic[0].role, ROLE_LEGACY);
	assert_string_equal(p->nic[1].id, performant);
	assert_int_equal(p->nic[1].role, ROLE_PERFORMANT);
	assert_string_equal(ports[at].card[0]->name, legacy);
	assert_true(ports[at].why[0]);
}

static void expect_single(unsigned at, const char *name)
{
	assert_true(at < count);
	assert_int_equal(ports[at].spec.policy, POLICY_SINGLE);
	assert_string_equal(ports[at].spec.id, name);
	assert_string_equal(ports[at].spec.nic[0].id, name);
}

static void two_cards_on_one_bridge_are_a_pair_and_the_older_one_is_the_legacy_card(void **state)
{
	(void)state;
	static const struct found_guest g = { .cards = 3,
					      .card = { CARD("new", "virtio-net", "br0", -1, 1),
							CARD("old", "rtl8139", "br0", -1, 2),
							CARD("else", "rtl8139", "br1", -1, 3) } };
	struct error err;

	assert_int_equal(pair(&g, &err, NULL, NULL), 0);
	assert_int_equal(count, 2);
	expect_pair(0, "old", "new");
	assert_string_equal(ports[0].spec.id, "port0");
	assert_non_null(strstr(ports[0].why, "br0"));
	assert_non_null(strstr(ports[0].why, "MAC addresses differ"));
	expect_single(1, "else");
}

static void a_shared_hub_or_mac_makes_a_pair_too(void **state)
{
	(void)state;
	static const struct found_guest hub = { .cards = 2,
						.card = { CARD("a", "rtl8139", "", 0, 1),
							  CARD("b", "virtio-net", "", 0, 2) } };
	static const struct found_guest mac = { .cards = 2,
						.card = { CARD("a", "rtl8139", "", -1, 1),
							  CARD("b", "virtio-net", "", -1, 1) } };
	struct error err;

	assert_int_equal(pair(&hub, &err, NULL, NULL), 0);
	expect_pair(0, "a", "b");
	assert_int_equal(pair(&mac, &err, NULL, NULL), 0);
	expect_pair(0, "a", "b");
	assert_null(strstr(ports[0].why, "differ"));
}

static void what_is_not_clear_stays_single(void **state)
{
	(void)state;
	static const struct found_guest three = { .cards = 3,
						  .card = { CARD("a", "rtl8139", "br0", -1, 1),
							    CARD("b", "virtio-net", "br0", -1, 2),
							    CARD("c", "middling", "br0", -1, 3) } };
	static const struct found_guest same = { .cards = 2,
						 .card = {
							 CARD("a", "virtio-net", "br0", -1, 1),
							 CARD("b", "virtio-net", "br0", -1, 2) } };
	static const struct found_guest apart = { .cards = 2,
						  .card = { CARD("a", "rtl8139", "", -1, 1),
							    CARD("b", "virtio-net", "", -1, 2) } };
	struct error err;

	assert_int_equal(pair(&three, &err, NULL, NULL), 0);
	assert_int_equal(count, 3);
	assert_int_equal(pair(&same, &err, NULL, NULL), 0);
	assert_int_equal(count, 2);
	assert_int_equal(pair(&apart, &err, NULL, NULL), 0);
	assert_int_equal(count, 2);
	expect_single(0, "a");
}

static void what_a_person_names_counts_and_nothing_else(void **state)
{
	(void)state;
	static const struct found_guest g = { .cards = 4,
					      .card = { CARD("a", "rtl8139", "br0", -1, 1),
							CARD("b", "virtio-net", "br0", -1, 2),
							CARD("c", "virtio-net", "br0", -1, 3),
							CARD("port0", "middling", "", -1, 4) } };
	struct error err;

	assert_int_equal(pair(&g, &err, "c,a", NULL), 0);
	assert_int_equal(count, 1);
	expect_pair(0, "c", "a");			/* as they were named */
	assert_string_equal(ports[0].spec.id, "port1"); /* a card has the other name */
	assert_int_equal(pair(&g, &err, "a", "c"), 0);
	assert_int_equal(count, 1);
	expect_pair(0, "a", "c");
	assert_int_equal(pair(&g, &err, "b", "c"), 0);
	assert_int_equal(count, 2);
	expect_single(0, "b");
	assert_int_equal(pair(&g, &err, "b", NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(pair(&g, &err, "b", "b"), 0);
	assert_int_equal(count, 1);
}

static void names_that_are_none_and_cards_named_twice_are_refused(void **state)
{
	(void)state;
	static const struct found_guest g = { .cards = 2,
					      .card = { CARD("a", "rtl8139", "", -1, 1),
							CARD("b", "virtio-net", "", -1, 2) } };
	struct error err;

	assert_int_equal(pair(&g, &err, "x", NULL), -ENOENT);
	assert_non_null(strstr(err.text, "it has a, b"));
	assert_int_equal(pair(&g, &err, "a,x", NULL), -ENOENT);
	assert_int_equal(pair(&g, &err, ",", NULL), -ENOENT);
	assert_int_equal(pair(&g, &err, "a,a", NULL), -EINVAL);
	assert_int_equal(pair(&g, &err, "a,b", "b,a"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cards_with_and_without_an_id_are_found_with_what_is_behind_them),
		cmocka_unit_test(what_is_no_monitor_is_told),
		cmocka_unit_test(a_monitor_that_closes_halfway_is_told),
		cmocka_unit_test(answers_of_a_hostile_qemu_give_no_cards),
		cmocka_unit_test(
			two_cards_on_one_bridge_are_a_pair_and_the_older_one_is_the_legacy_card),
		cmocka_unit_test(a_shared_hub_or_mac_makes_a_pair_too),
		cmocka_unit_test(what_is_not_clear_stays_single),
		cmocka_unit_test(what_a_person_names_counts_and_nothing_else),
		cmocka_unit_test(names_that_are_none_and_cards_named_twice_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
