/* Cards that are plugged and unplugged: against a QEMU that this test plays, and against a real one (its path is the argument), whose guest
 * does not run.
 */
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
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "qemu/plug.h"
#include "qemu/process.h"

static struct port_spec port;
static struct qemu_card_fds fds;
static struct plug_card card;
static struct plug plug;
static struct qmp_client *client;
static int peer;

/* --- the test is QEMU ------------------------------------------------------------------------------------------------- */

static void say(const char *text)
{
	assert_int_equal(send(peer, text, strlen(text), 0), (ssize_t)strlen(text));
}

/* One command, "" when there is none; how many descriptors came with it goes to `passed`. */
static const char *heard(unsigned *passed)
{
	static char text[4096];
	char control[CMSG_SPACE(8 * sizeof(int))];
	struct iovec piece = { text, sizeof(text) - 1 };
	struct msghdr m = { .msg_iov = &piece,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(peer, &m, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	*passed = 0;
	for (struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL; h; h = CMSG_NXTHDR(&m, h)) {
		int fd[8];

		*passed = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fd, CMSG_DATA(h), *passed * sizeof(int));
		for (unsigned i = 0; i < *passed; i++)
			close(fd[i]);
	}
	return text;
}

static void take_items(uint64_t now)
{
	struct qmp_item item;

	qmp_client_read(client);
	while (qmp_client_next(client, &item)) {
		if (item.kind == QMP_ITEM_EVENT)
			plug_event(&plug, item.name, item.data);
		else if (item.kind == QMP_ITEM_CLOSED)
			plug_monitor_gone(&plug);
		else
			plug_reply(&plug, &item, now);
	}
}

static void begin(const char *backend, enum nic_netdev netdev, unsigned taps, unsigned vhosts)
{
	int pair[2];
	struct error err = { 0 };
	unsigned passed;

	port = (struct port_spec){ .nics = 1 };
	str_copy(port.backend.type, MODEL_MAX, backend);
	str_copy(port.nic[0].id, ID_MAX, "net0");
	str_copy(port.nic[0].model, MODEL_MAX, "virtio-net");
	port.nic[0].netdev = netdev;
	port.nic[0].bootindex = -1;
	fds = (struct qemu_card_fds){ .taps = taps, .vhosts = vhosts };
	for (unsigned i = 0; i < 4; i++)
		fds.tap[i] = fds.vhost[i] = 0;
	card = (struct plug_card){ .port = &port,
				   .nic = &port.nic[0],
				   .way = { .fds = &fds, .socket = "/run/x/net0.sock" },
				   .bus = "rp0",
				   .addr = "0x0" };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peer = pair[1];
	client = qmp_client_create(pair[0], &err);
	assert_non_null(client);
	say("{\"QMP\":{}}\r\n");
	take_items(0);
	heard(&passed);
	say("{\"return\":{},\"id\":0}\r\n");
	take_items(0);
}

static void end(void)
{
	qmp_client_destroy(client);
	close(peer);
}

/* The command that comes next holds `expected`; it is answered. */
static void expect(const char *expected, unsigned descriptors, const char *answer)
{
	unsigned passed;
	const char *text = heard(&passed);
	char reply[300];

	if (!strstr(text, expected))
		fail_msg("%s instead of %s", text, expected);
	assert_int_equal(passed, descriptors);
	const char *id = strstr(text, "\"id\":");
	for (const char *last = id; last; last = strstr(last + 1, "\"id\":"))
		id = last; /* that of the command is the last */
	snprintf(reply, sizeof(reply), "{%s,%.*s}\r\n", answer, (int)strcspn(id, "}"), id);
	say(reply);
	take_items(0);
}

static void expect_nothing(void)
{
	unsigned passed;

	assert_string_equal(heard(&passed), "");
}

#define OK	  "\"return\":{}"
#define NO(class) "\"error\":{\"class\":\"" class "\",\"desc\":\"because\"}"
#define DELETED	  "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"net0\",\"path\":\"/x\"}}\r\n"
#define OTHERS	  "{\"event\":\"DEVICE_DELETED\",\"data\":{\"path\":\"/x/virtio-backend\"}}\r\n"

static void plug_a_tap(void)
{
	struct error err;

	begin("bridge", NETDEV_TAP, 2, 2);
	card.link_down = true;
	assert_int_equal(plug_in(&plug, client, &card, &err), 0);
	expect("\"fdname\":\"fd-net0-0\"", 1, OK);
	expect("\"fdname\":\"fd-net0-1\"", 1, OK);
	expect("\"fdname\":\"vhostfd-net0-0\"", 1, OK);
	expect("\"fdname\":\"vhostfd-net0-1\"", 1, OK);
	expect("\"fds\":\"fd-net0-0:fd-net0-1\",\"vhost\":true,"
	       "\"vhostfds\":\"vhostfd-net0-0:vhostfd-net0-1\"",
	       0, OK);
	expect("\"execute\":\"device_add\"", 0, OK);
	expect("\"execute\":\"set_link\"", 0, OK);
	expect_nothing();
	assert_int_equal(plug.state, PLUG_IN);
}

static void a_card_goes_in_and_out_in_libvirts_order(void **state)
{
	(void)state;
	struct error err;

	plug_a_tap();
	assert_int_equal(plug_out(&plug, 1000, &err), 0);
	expect("\"execute\":\"device_del\"", 0, OK);
	expect_nothing();
	assert_int_equal(plug_deadline(&plug), 1000);
	say(OTHERS);
	take_items(1);
	expect_nothing();
	say(DELETED);
	take_items(2);
	assert_int_equal(plug_deadline(&plug), PLUG_NEVER);
	expect("\"execute\":\"netdev_del\"", 0, OK);
	expect_nothing(); /* the descriptors went with it */
	assert_int_equal(plug.state, PLUG_OUT);
	assert_int_equal(plug.rc, 0);
	end();
}

static void a_vhost_user_card_has_its_chardev_first_and_last(void **state)
{
	(void)state;
	struct error err;

	begin("user", NETDEV_VHOST_USER, 0, 0);
	assert_int_equal(plug_in(&plug, client, &card, &err), 0);
	expect("\"execute\":\"chardev-add\"", 0, OK);
	expect("\"execute\":\"netdev_add\"", 0, OK);
	expect("\"execute\":\"device_add\"", 0, OK);
	assert_int_equal(plug_out(&plug, 1000, &err), 0);
	expect("\"execute\":\"device_del\"", 0, OK);
	say(DELETED);
	take_items(2);
	expect("\"execute\":\"netdev_del\"", 0, OK);
	expect("\"execute\":\"chardev-remove\"", 0, OK);
	assert_int_equal(plug.state, PLUG_OUT);
	end();
}

/* Each step of a tap's and of a vhost-user's plan refused once: what was done before is undone in reverse, and nothing else. */
static void a_step_that_fails_undoes_those_before_it(void **state)
{
	(void)state;
	static const struct {
		enum nic_netdev netdev;
		const char *steps[6], *undo[6];
	} cases[] = {
		{ NETDEV_TAP, { "getfd" }, { NULL } },
		{ NETDEV_TAP, { "getfd", "getfd" }, { "closefd" } },
		{ NETDEV_TAP, { "getfd", "getfd", "netdev_add" }, { "closefd", "closefd" } },
		{ NETDEV_TAP, { "getfd", "getfd", "netdev_add", "device_add" }, { "netdev_del" } },
		{ NETDEV_VHOST_USER, { "chardev-add" }, { NULL } },
		{ NETDEV_VHOST_USER, { "chardev-add", "netdev_add" }, { "chardev-remove" } },
		{ NETDEV_VHOST_USER,
		  { "chardev-add", "netdev_add", "device_add" },
		  { "netdev_del", "chardev-remove" } },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err;

		begin("bridge", cases[i].netdev, 2, 0);
		assert_int_equal(plug_in(&plug, client, &card, &err), 0);
		for (unsigned n = 0; cases[i].steps[n]; n++)
			expect(cases[i].steps[n], strcmp(cases[i].steps[n], "getfd") == 0,
			       cases[i].steps[n + 1] ? OK : NO("GenericError"));
		/* an undo that finds nothing to undo is no trouble */
		for (unsigned n = 0; cases[i].undo[n]; n++)
			expect(cases[i].undo[n], 0, n ? NO("GenericError") : OK);
		expect_nothing();
		assert_int_equal(plug.state, PLUG_OUT);
		assert_int_equal(plug.rc, -EIO);
		assert_non_null(strstr(plug.why, "because"));
		end();
	}
}

static void a_link_that_cannot_be_set_takes_the_card_out_again(void **state)
{
	(void)state;
	struct error err;

	begin("bridge", NETDEV_TAP, 1, 0);
	card.link_down = true;
	assert_int_equal(plug_in(&plug, client, &card, &err), 0);
	expect("getfd", 1, OK);
	expect("netdev_add", 0, OK);
	expect("device_add", 0, OK);
	expect("set_link", 0, NO("DeviceNotFound"));
	expect("device_del", 0, OK);
	assert_int_equal(plug.state, PLUG_UNDOING);
	assert_true(plug_deadline(&plug) != PLUG_NEVER);
	say(DELETED);
	take_items(1);
	expect("netdev_del", 0, OK);
	assert_int_equal(plug.state, PLUG_OUT);
	assert_int_equal(plug.rc, -EIO);
	end();
}

static void a_guest_that_keeps_what_failed_can_be_asked_again(void **state)
{
	(void)state;
	struct error err;

	begin("bridge", NETDEV_TAP, 1, 0);
	card.link_down = true;
	assert_int_equal(plug_in(&plug, client, &card, &err), 0);
	expect("getfd", 1, OK);
	expect("netdev_add", 0, OK);
	expect("device_add", 0, OK);
	expect("set_link", 0, NO("DeviceNotFound"));
	expect("device_del", 0, OK);
	plug_timer(&plug, plug_deadline(&plug));
	assert_int_equal(plug.state, PLUG_IN);
	assert_int_equal(plug.rc, -EIO);
	assert_string_equal(plug.why, "net0: set_link: because");
	assert_int_equal(plug_out(&plug, 5000, &err), 0);
	expect("device_del", 0, OK);
	say(DELETED);
	take_items(1);
	expect("netdev_del", 0, OK);
	assert_int_equal(plug.state, PLUG_OUT);
	end();
}

static void a_step_that_cannot_be_sent_leaves_nothing(void **state)
{
	(void)state;
	struct error err;

	begin("bridge", NETDEV_TAP, 2, 0);
	fds.tap[1] = -1;
	assert_int_equal(plug_in(&plug, client, &card, &err), 0);
	expect("getfd", 1, OK);
	expect("closefd", 0, OK);
	assert_int_equal(plug.state, PLUG_OUT);
	assert_int_equal(plug.rc, -EPIPE);
	assert_string_equal(plug.why, "net0: getfd: it could not be sent to QEMU");
	end();
}

static void a_guest_that_does_not_answer_keeps_the_card_until_it_does(void **state)
{
	(void)state;
	struct error err;

	plug_a_tap();
	assert_int_equal(plug_out(&plug, 1000, &err), 0);
	expect("device_del", 0, OK);
	plug_timer(&plug, 999);
	assert_int_equal(plug.state, PLUG_GOING_OUT);
	plug_timer(&plug, 1000);
	assert_int_equal(plug.state, PLUG_IN);
	assert_int_equal(plug.rc, -ETIMEDOUT);
	expect_nothing();
	/* asked once more, and the answer to the first time comes late */
	assert_int_equal(plug_out(&plug, 5000, &err), 0);
	expect("device_del", 0, NO("GenericError"));
	assert_int_equal(plug.state, PLUG_IN);
	assert_int_equal(plug.rc, -EBUSY);
	say(DELETED);
	take_items(6000);
	expect("netdev_del", 0, OK);
	assert_int_equal(plug.state, PLUG_OUT);
	end();
}

static void a_card_that_shall_stay_after_all_is_in_at_once(void **state)
{
	(void)state;
	struct error err;

	plug_a_tap();
	plug_keep(&plug); /* nobody asked for it */
	assert_int_equal(plug.state, PLUG_IN);
	assert_int_equal(plug.rc, 0);
	assert_int_equal(plug_out(&plug, PLUG_NEVER, &err), 0);
	plug_keep(&plug);
	assert_int_equal(plug.state, PLUG_IN);
	assert_int_equal(plug.rc, -ECANCELED);
	expect("device_del", 0, NO("GenericError")); /* the answer says nothing any more */
	assert_int_equal(plug.rc, -ECANCELED);
	assert_int_equal(plug.state, PLUG_IN);
	/* the guest had been asked, and answers */
	say(DELETED);
	take_items(6000);
	expect("netdev_del", 0, OK);
	assert_int_equal(plug.state, PLUG_OUT);
	end();
}

static void a_guest_that_refuses_keeps_the_card(void **state)
{
	(void)state;
	struct error err;

	plug_a_tap();
	assert_int_equal(plug_out(&plug, 1000, &err), 0);
	assert_int_equal(plug_out(&plug, 1000, &err), -EINVAL);
	expect("device_del", 0, OK);
	say("{\"event\":\"DEVICE_UNPLUG_GUEST_ERROR\",\"data\":{\"device\":\"other\",\"path\":\"/"
	    "y\"}}\r\n");
	take_items(1);
	assert_int_equal(plug.state, PLUG_GOING_OUT);
	say("{\"event\":\"DEVICE_UNPLUG_GUEST_ERROR\",\"data\":{\"device\":\"net0\",\"path\":\"/"
	    "x\"}}\r\n");
	take_items(1);
	assert_int_equal(plug.state, PLUG_IN);
	assert_int_equal(plug.rc, -EBUSY);
	end();
}

static void a_card_that_qemu_hides_goes_with_its_netdev(void **state)
{
	(void)state;
	struct error err;

	plug_a_tap();
	assert_int_equal(plug_out(&plug, 1000, &err), 0);
	expect("device_del", 0, NO("DeviceNotFound"));
	expect("netdev_del", 0, OK);
	assert_int_equal(plug.state, PLUG_OUT);
	end();
}

static void a_function_of_the_host_is_a_device_alone(void **state)
{
	(void)state;
	struct error err;

	begin("hostdev", NETDEV_HOSTDEV, 0, 0);
	card.link_down = true; /* it has no link of QEMU's */
	str_copy(port.nic[0].host_pci, 16, "0000:03:10.2");
	assert_int_equal(plug_in(&plug, client, &card, &err), 0);
	expect("\"host\":\"0000:03:10.2\"", 0, OK);
	expect_nothing();
	assert_int_equal(plug.state, PLUG_IN);
	end();
}

static void a_card_of_the_line_can_be_taken_out(void **state)
{
	(void)state;
	struct error err;

	begin("bridge", NETDEV_TAP, 2, 0);
	plug_adopt(&plug, client, &card);
	assert_int_equal(plug_out(&plug, 1000, &err), 0);
	expect("device_del", 0, OK);
	say(DELETED);
	take_items(1);
	expect("netdev_del", 0, OK);
	assert_int_equal(plug.state, PLUG_OUT);
	end();
}

static void what_libvirt_does_not_plug_is_refused(void **state)
{
	(void)state;
	static const char *const types[] = { "server", "client", "mcast", "udp", "internal" };

	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		struct error err = { 0 };

		begin(types[i], NETDEV_QEMU, 0, 0);
		assert_int_equal(plug_in(&plug, client, &card, &err), -ENOTSUP);
		assert_non_null(strstr(err.text, types[i]));
		expect_nothing();
		end();
	}
}

static void a_monitor_that_closes_leaves_it_stuck(void **state)
{
	(void)state;
	struct error err;

	plug_a_tap();
	close(peer);
	take_items(1);
	assert_int_equal(plug.state, PLUG_STUCK);
	assert_int_equal(plug_out(&plug, 1, &err), -EINVAL);
	qmp_client_destroy(client);
}

/* --- a real QEMU ------------------------------------------------------------------------------------------------------ */

static const char *program;

static void wait_for(enum plug_state wanted)
{
	uint64_t end_ns = monotonic_ns() + 30 * NS_PER_S;

	while (plug.state != wanted && monotonic_ns() < end_ns) {
		struct pollfd p = { .fd = qmp_client_fd(client), .events = POLLIN };

		poll(&p, 1, 100);
		take_items(monotonic_ns());
		if (plug.state == PLUG_OUT && wanted != PLUG_OUT)
			break;
	}
	if (plug.state != wanted)
		fail_msg("%s, not %s: %s", plug_state_names[plug.state], plug_state_names[wanted],
			 plug.why);
}

static void start_qemu(struct qemu_process *qemu)
{
	struct error err = { 0 };
	char chardev[64];
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	snprintf(chardev, sizeof(chardev), "socket,id=m,fd=%d", pair[1]);
	char *words[] = { (char *)(uintptr_t)program,
			  "-S",
			  "-nodefaults",
			  "-display",
			  "none",
			  "-M",
			  "q35",
			  "-accel",
			  "tcg",
			  "-m",
			  "16",
			  "-device",
			  "pcie-root-port,id=rp0,chassis=1",
			  "-chardev",
			  chardev,
			  "-mon",
			  "chardev=m,mode=control",
			  NULL };
	assert_int_equal(qemu_process_start(qemu, words, &pair[1], 1, &err), 0);
	close(pair[1]);
	client = qmp_client_create(pair[0], &err);
	assert_non_null(client);
}

/* A guest that does not run answers no unplug: what is hidden from it, and what QEMU refuses, goes at once. */
static void a_real_qemu_takes_a_card_and_gives_its_netdev_back(void **state)
{
	(void)state;
	struct qemu_process qemu = { 0 };
	struct error err = { 0 };

	if (!program || access(program, X_OK) < 0)
		skip();
	begin("bridge", NETDEV_TAP, 0, 0);
	end();
	start_qemu(&qemu);
	str_copy(port.backend.type, MODEL_MAX, "user");
	port.nic[0].netdev = NETDEV_QEMU;
	port.nic[0].options.packed = TRISTATE_ON;
	card.link_down = true;
	assert_int_equal(plug_in(&plug, client, &card, &err), 0);
	wait_for(PLUG_IN);
	assert_int_equal(plug_out(&plug, monotonic_ns() + NS_PER_S / 2, &err), 0);
	uint64_t before = monotonic_ns();
	while (plug.state == PLUG_GOING_OUT && monotonic_ns() < before + 20 * NS_PER_S) {
		usleep(50000);
		take_items(monotonic_ns());
		plug_timer(&plug, monotonic_ns());
	}
	/* a guest that never ran has not taken the card into use: QEMU may take it out by itself */
	assert_true(plug.state == PLUG_OUT || plug.rc == -ETIMEDOUT);
	/* a device that cannot be leaves nothing: the same netdev can be added again */
	str_copy(port.nic[0].id, ID_MAX, "net1");
	port.nic[0].options.rx_queue_size = 3;
	card.bus = NULL;
	card.addr = NULL;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(plug_in(&plug, client, &card, &err), 0);
		wait_for(PLUG_OUT);
		assert_non_null(strstr(plug.why, "device_add"));
	}
	qmp_client_destroy(client);
	qemu_process_signal(&qemu, 15);
	qemu_process_finish(&qemu);
}

static void a_real_qemu_takes_the_descriptors_of_a_tap(void **state)
{
	(void)state;
	struct qemu_process qemu = { 0 };
	struct error err = { 0 };
	int notap = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (!program || access(program, X_OK) < 0)
		skip();
	begin("bridge", NETDEV_TAP, 2, 0);
	end();
	fds.tap[0] = fds.tap[1] = notap;
	start_qemu(&qemu);
	for (unsigned i = 0; i < 2; i++) {
		while (plug_in(&plug, client, &card, &err) == 0 && plug.state == PLUG_OUT) {
			usleep(20000); /* the capabilities are being negotiated */
			take_items(0);
		}
		wait_for(PLUG_OUT);
		/* it had both under their names, and found that they are no taps */
		assert_non_null(strstr(plug.why, "netdev_add"));
		assert_null(strstr(plug.why, "File descriptor named"));
	}
	close(notap);
	qmp_client_destroy(client);
	qemu_process_signal(&qemu, 15);
	qemu_process_finish(&qemu);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_card_goes_in_and_out_in_libvirts_order),
		cmocka_unit_test(a_vhost_user_card_has_its_chardev_first_and_last),
		cmocka_unit_test(a_step_that_fails_undoes_those_before_it),
		cmocka_unit_test(a_link_that_cannot_be_set_takes_the_card_out_again),
		cmocka_unit_test(a_guest_that_keeps_what_failed_can_be_asked_again),
		cmocka_unit_test(a_step_that_cannot_be_sent_leaves_nothing),
		cmocka_unit_test(a_guest_that_does_not_answer_keeps_the_card_until_it_does),
		cmocka_unit_test(a_card_that_shall_stay_after_all_is_in_at_once),
		cmocka_unit_test(a_guest_that_refuses_keeps_the_card),
		cmocka_unit_test(a_card_that_qemu_hides_goes_with_its_netdev),
		cmocka_unit_test(a_function_of_the_host_is_a_device_alone),
		cmocka_unit_test(a_card_of_the_line_can_be_taken_out),
		cmocka_unit_test(what_libvirt_does_not_plug_is_refused),
		cmocka_unit_test(a_monitor_that_closes_leaves_it_stuck),
		cmocka_unit_test(a_real_qemu_takes_a_card_and_gives_its_netdev_back),
		cmocka_unit_test(a_real_qemu_takes_the_descriptors_of_a_tap),
	};
	program = argc > 1 ? argv[1] : NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
