/* Waiting for OVN, against a played database of Open vSwitch: one that says it late, never, goes away in the middle, or loses the port. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/ovn.h"

#define LONG_MS 30000 /* never waited for */

/* What the played database does. A turn is a "wait" that was answered. */
struct play {
	const char *settings;  /* external_ids of its one row, as pairs of JSON */
	atomic_uint installed; /* from this turn on; 0 = never */
	atomic_uint removed;   /* the port's row is gone from this turn on; 0 = never */
	atomic_uint hangs_up;  /* in this turn; 0 = never */
	const char *nonsense;  /* what it answers to "wait" */
	atomic_uint turns;
	atomic_bool stop;
	int listener;
	pthread_t thread;
};

static char folder[] = "/tmp/anynic-test-ovn-XXXXXX";
static struct play play;
static char said[4096];

static void keep_log(enum log_level level, const char *text)
{
	(void)level;
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n", text);
}

/* --- the database ------------------------------------------------------------------------------------------------- */

static void listen_anew(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/db.sock", folder);
	unlink(at.sun_path);
	play.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(play.listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(play.listener, 5) < 0)
		abort();
}

static void answer(int fd, const char *id, const char *result)
{
	char text[1000];
	int n = snprintf(text, sizeof(text), "{\"id\":%s,\"error\":null,\"result\":[%s]}", id,
			 result);

	(void)!send(fd, text, (size_t)n, MSG_NOSIGNAL);
}

/* False: it hangs up. */
static bool answer_wait(int fd, const char *id)
{
	unsigned turn = atomic_fetch_add(&play.turns, 1) + 1;

	if (turn == play.hangs_up)
		return false;
	if (play.nonsense)
		(void)!send(fd, play.nonsense, strlen(play.nonsense), MSG_NOSIGNAL);
	else if (play.installed && turn >= play.installed)
		answer(fd, id, "{}");
	else
		answer(fd, id, "{\"error\":\"timed out\"}");
	return true;
}

static bool serve_request(int fd, const char *text)
{
	char id[20] = "0", settings[600];
	const char *at = strstr(text, "\"id\":");
	bool gone = play.removed && play.turns >= play.removed;

	if (at)
		sscanf(at, "\"id\":%19[0-9]", id);
	if (strstr(text, "\"wait\""))
		return answer_wait(fd, id);
	if (strstr(text, "\"table\":\"Open_vSwitch\"")) {
		snprintf(settings, sizeof(settings),
			 "{\"rows\":[{\"external_ids\":[\"map\",[%s]]}]}", play.settings);
		answer(fd, id, settings);
	} else {
		answer(fd, id, gone ? "{\"rows\":[]}" : "{\"rows\":[{}]}");
	}
	return true;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 20) > 0;
}

/* Requests are short, and come one at a time. False: it went down. */
static bool serve_client(int fd)
{
	char text[2000];

	while (!play.stop) {
		if (!readable(fd))
			continue;
		ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
		if (n <= 0)
			return true;
		text[n] = '\0';
		if (!serve_request(fd, text))
			return false;
	}
	return true;
}

static void *serve(void *arg)
{
	while (!play.stop) {
		if (!readable(play.listener))
			continue;
		int fd = accept(play.listener, NULL, NULL);
		bool up = serve_client(fd);
		close(fd);
		if (up)
			continue;
		close(play.listener); /* nobody listens until the next one is up */
		usleep(300000);
		listen_anew();
	}
	return arg;
}

#define OVN_HERE "[\"ovn-remote\",\"unix:/x\"]"

static int setup(void **state)
{
	(void)state;
	said[0] = '\0';
	play = (struct play){ .settings = OVN_HERE };
	listen_anew();
	pthread_create(&play.thread, NULL, serve, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	play.stop = true;
	pthread_join(play.thread, NULL);
	close(play.listener);
	return 0;
}

/* --- a port ------------------------------------------------------------------------------------------------------- */

static enum ovn_verdict wait_for(const char *bridge, unsigned ms, int stop_fd)
{
	struct backend_spec spec = { .iface_id = "web" };
	struct opened_backend opened = { .steps = 1 };
	struct undo_step *step = &opened.step[0];
	struct ovn_wait w;

	snprintf(spec.br, sizeof(spec.br), "%s", bridge);
	*step = (struct undo_step){
		.kind = UNDO_OVS_PORT, .name = "tap7", .text = "vm1", .port = "net0"
	};
	ovn_wait_begin(&w, ms, stop_fd);
	return ovn_wait_port(&w, "net0", &spec, &opened);
}

static void assert_said(const char *words)
{
	if (!strstr(said, words))
		fail_msg("nothing of '%s' in: %s", words, said);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void it_waits_until_the_flows_are_there(void **state)
{
	(void)state;
	play.installed = 3;
	assert_int_equal(wait_for("br-int", LONG_MS, -1), OVN_BOUND);
	assert_int_equal(play.turns, 3);
	assert_said("OVN's flows of web (tap7) are in place");
}

static void flows_that_never_come_are_waited_for_once_and_told(void **state)
{
	(void)state;
	assert_int_equal(wait_for("br-int", 1000, -1), OVN_LATE);
	assert_said("port net0: after 1 s OVN's controller here has not said");
	assert_said("web (tap7 on br-int) are in place; the guest may come");
	assert_said("next: ovn-nbctl lsp-set-options web requested-chassis=");
}

static void a_bridge_that_is_not_ovns_is_not_waited_for(void **state)
{
	static const char *const others[] = {
		"", "[\"ovn-remote-probe-interval\",\"60000\"]",
		OVN_HERE ",[\"ovn-bridge\",\"br-x\"]",
		OVN_HERE ",[\"ovn-bridge\",\"br-x\"],[\"ovn-bridge-mappings\",\"phys:br-int\"]"
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		play.settings = others[i];
		assert_int_equal(wait_for("br-int", LONG_MS, -1), OVN_NO_PART);
	}
	play.settings = OVN_HERE;
	assert_int_equal(wait_for("br-ex", LONG_MS, -1), OVN_NO_PART);
	assert_int_equal(play.turns, 0);
	assert_string_equal(said, "");
}

static void ovns_bridge_may_have_another_name_and_the_host_several_controllers(void **state)
{
	(void)state;
	play.installed = 1;
	play.settings = OVN_HERE ",[\"ovn-bridge\",\"br-x\"]";
	assert_int_equal(wait_for("br-x", LONG_MS, -1), OVN_BOUND);
	play.settings = "[\"ovn-remote-two\",\"tcp:10.0.0.1:6642\"],[\"ovn-bridge-two\",\"br-2\"]";
	assert_int_equal(wait_for("br-2", LONG_MS, -1), OVN_BOUND);
}

static void a_database_that_is_started_again_is_asked_again(void **state)
{
	(void)state;
	play.hangs_up = 2;
	play.installed = 4;
	assert_int_equal(wait_for("br-int", LONG_MS, -1), OVN_BOUND);
}

static void a_database_that_goes_for_good_is_told(void **state)
{
	(void)state;
	teardown(NULL);
	play.stop = false;
	char path[100];
	snprintf(path, sizeof(path), "%s/db.sock", folder);
	unlink(path);
	assert_int_equal(wait_for("br-int", 1000, -1), OVN_LATE);
	assert_said("are in place: Open vSwitch does not run here");
	listen_anew();
	pthread_create(&play.thread, NULL, serve, NULL);
}

static void a_port_that_is_removed_is_not_waited_for(void **state)
{
	(void)state;
	play.removed = 2;
	assert_int_equal(wait_for("br-int", LONG_MS, -1), OVN_GONE);
	assert_said("port net0: the port tap7 was removed from Open vSwitch");
}

static void nonsense_is_no_news(void **state)
{
	static const char *const nonsense[] = { "[]", "}", "{\"id\":0,\"result\":[7]}",
						"{\"id\":0,\"error\":\"no\",\"result\":null}" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(nonsense); i++) {
		play.nonsense = nonsense[i];
		assert_int_equal(wait_for("br-int", 300, -1), OVN_LATE);
	}
	play.nonsense = NULL;
	play.settings = "7,[],[1,2],[\"a\"],[\"ovn-remote\",{}]," OVN_HERE;
	play.installed = 1;
	assert_int_equal(wait_for("br-int", LONG_MS, -1), OVN_BOUND);
}

static void who_ends_anynic_does_not_wait(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(wait_for("br-int", LONG_MS, pair[0]), OVN_STOPPED);
	assert_true(play.turns <= 1);
	close(pair[0]);
	close(pair[1]);
}

static void a_backend_that_is_no_port_of_ours_is_not_asked_for(void **state)
{
	struct backend_spec spec = { .br = "br-int" };
	struct opened_backend opened = { .steps = 0 };
	struct ovn_wait w;

	(void)state;
	ovn_wait_begin(&w, LONG_MS, -1);
	assert_int_equal(ovn_wait_port(&w, "net0", &spec, &opened), OVN_NO_PART);
}

#define story(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		story(it_waits_until_the_flows_are_there),
		story(flows_that_never_come_are_waited_for_once_and_told),
		story(a_bridge_that_is_not_ovns_is_not_waited_for),
		story(ovns_bridge_may_have_another_name_and_the_host_several_controllers),
		story(a_database_that_is_started_again_is_asked_again),
		story(a_database_that_goes_for_good_is_told),
		story(a_port_that_is_removed_is_not_waited_for),
		story(nonsense_is_no_news),
		story(who_ends_anynic_does_not_wait),
		story(a_backend_that_is_no_port_of_ours_is_not_asked_for),
	};
	char path[100];

	if (!mkdtemp(folder))
		return 1;
	setenv("OVS_RUNDIR", folder, 1);
	log_set_sink(keep_log);
	log_set_level(LOG_DEBUG);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(path, sizeof(path), "%s/db.sock", folder);
	unlink(path);
	return rmdir(folder) < 0 ? 1 : rc;
}
