/* The arguments that anynic adds, tried on a real QEMU: it starts, stays stopped, its monitor answers, the cards are there and the guest's
 * memory is shared. The cards are served by a thread of this test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "attach/vfio_user/vfio_user.h"
#include "base/fd.h"
#include "config/nic_option.h"
#include "known_for_tests.h"
#include "qemu/arguments.h"
#include "qemu/process.h"
#include "qemu/qmp_client.h"

#define NICS_MAX  8
#define ANSWER_MS 60000 /* sanitizers, busy machines */

enum { KIND_LISTEN, KIND_CONNECTION };

static struct qemu_program qemu;
static char dir[] = "/tmp/anynic-qemu-XXXXXX";

/* --- the cards -------------------------------------------------------------------------------------------------- */

struct cards {
	struct loop loop;
	struct clock clock;
	struct frame batch[FRAME_BATCH];
	struct nic *nic[NICS_MAX];
	struct vfio_user *server[NICS_MAX];
	unsigned count;
	pthread_t thread;
	atomic_bool stop;
};

static void *serve(void *arg)
{
	struct cards *c = arg;
	struct loop_event e;

	while (!atomic_load(&c->stop)) {
		if (loop_next(&c->loop, &e, 20) <= 0)
			continue;
		if (e.kind == KIND_LISTEN)
			vfio_user_accept(e.owner);
		else
			vfio_user_serve(e.owner, e.index, e.events);
	}
	return NULL;
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(str_copy(addr.sun_path, sizeof(addr.sun_path), path));
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void cards_start(struct cards *c, const struct port_spec *ports, unsigned count)
{
	struct error err = { 0 };

	memset(c, 0, sizeof(*c));
	assert_int_equal(loop_init(&c->loop, &err), 0);
	for (unsigned p = 0; p < count; p++) {
		for (unsigned i = 0; i < ports[p].nics; i++) {
			char path[128];

			assert_true(c->count < NICS_MAX);
			assert_true(qemu_socket_path(path, sizeof(path), dir, ports[p].nic[i].id));
			c->nic[c->count] = nic_create(&ports[p].nic[i], &c->clock, c->batch, &err);
			assert_non_null(c->nic[c->count]);
			c->server[c->count] =
				vfio_user_create(c->nic[c->count], listen_at(path), &c->loop,
						 KIND_LISTEN, KIND_CONNECTION, &err);
			assert_non_null(c->server[c->count]);
			c->count++;
		}
	}
	assert_int_equal(pthread_create(&c->thread, NULL, serve, c), 0);
}

static void cards_stop(struct cards *c)
{
	atomic_store(&c->stop, true);
	pthread_join(c->thread, NULL);
	for (unsigned i = 0; i < c->count; i++) {
		vfio_user_destroy(c->server[i]);
		nic_destroy(c->nic[i]);
	}
	loop_finish(&c->loop);
}

/* --- QEMU ------------------------------------------------------------------------------------------------------- */

struct run {
	struct port_spec ports[4];
	unsigned ports_count;
	struct cards cards;
	struct qemu_process process;
	struct qmp_client *qmp;
};

/* The item of `kind`, and of `id` unless that is 0; what comes before it is passed over. */
static struct qmp_item wait_item(struct run *r, enum qmp_item_kind kind, uint64_t id)
{
	while (1) {
		struct qmp_item item;
		struct pollfd p = { .fd = qmp_client_fd(r->qmp), .events = POLLIN };

		while (qmp_client_next(r->qmp, &item)) {
			if (item.kind == kind && (id == 0 || item.id == id))
				return item;
			if (item.kind == QMP_ITEM_ERROR || item.kind == QMP_ITEM_CLOSED)
				fail_msg("QEMU: %s %s", item.name, item.text);
		}
		if (poll(&p, 1, ANSWER_MS) != 1)
			fail_msg("QEMU does not answer");
		qmp_client_read(r->qmp);
	}
}

static void start(struct run *r, const char *text, const char *const *nics)
{
	struct guest_identity who = { "m", 0, "g" };
	char copy[512], *words[40] = { qemu.path };
	struct qemu_arguments a;
	struct qemu_line line;
	struct error err = { 0 };
	int fds[2], argc = 1;

	memset(r, 0, sizeof(*r));
	str_copy(copy, sizeof(copy), text);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		words[argc++] = w;
	for (; nics[r->ports_count]; r->ports_count++)
		assert_int_equal(nic_option_parse(&r->ports[r->ports_count], nics[r->ports_count],
						  &test_known, &err),
				 0);
	ports_complete(r->ports, r->ports_count, &who);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	struct qemu_setup setup = { .program = &qemu, .socket_dir = dir, .qmp_fd = fds[1] };
	if (qemu_line_parse(&line, words, argc, &err) < 0 ||
	    qemu_arguments_build(&a, &line, r->ports, r->ports_count, &setup, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	cards_start(&r->cards, r->ports, r->ports_count);
	if (qemu_process_start(&r->process, a.argv, &fds[1], 1, &err) < 0)
		fail_msg("%s", err.text);
	close(fds[1]);
	qemu_arguments_finish(&a);
	r->qmp = qmp_client_create(fds[0], &err);
	assert_non_null(r->qmp);
	wait_item(r, QMP_ITEM_READY, 0);
}

static void stop(struct run *r)
{
	struct pollfd p = { .fd = r->process.pid_fd, .events = POLLIN };

	qmp_client_quit(r->qmp);
	assert_int_equal(poll(&p, 1, ANSWER_MS), 1);
	assert_true(qemu_process_reap(&r->process));
	assert_int_equal(qemu_process_exit_status(&r->process), 0);
	qmp_client_destroy(r->qmp);
	qemu_process_finish(&r->process);
	cards_stop(&r->cards);
}

static bool device_is_there(struct run *r, const char *id)
{
	json_object *arguments = json_object_new_object();
	char path[80];

	snprintf(path, sizeof(path), "/machine/peripheral/%s", id);
	json_object_object_add(arguments, "path", json_object_new_string(path));
	json_object_object_add(arguments, "property", json_object_new_string("realized"));
	uint64_t command = qmp_client_send(r->qmp, "qom-get", arguments);
	return json_object_get_boolean(wait_item(r, QMP_ITEM_REPLY, command).data);
}

static void all_memory_is_shared(struct run *r)
{
	json_object *list =
		wait_item(r, QMP_ITEM_REPLY, qmp_client_send(r->qmp, "query-memdev", NULL)).data;

	assert_true(json_object_array_length(list) > 0);
	for (size_t i = 0; i < json_object_array_length(list); i++)
		assert_true(json_object_get_boolean(
			json_object_object_get(json_object_array_get_idx(list, i), "share")));
}

static unsigned count_chardevs(struct run *r, const char *label)
{
	json_object *list =
		wait_item(r, QMP_ITEM_REPLY, qmp_client_send(r->qmp, "query-chardev", NULL)).data;
	unsigned n = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *one =
			json_object_object_get(json_object_array_get_idx(list, i), "label");
		n += strcmp(json_object_get_string(one), label) == 0;
	}
	return n;
}

#define NO_SCREEN " -S -display none"

static void qemu_starts_with_what_was_added(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		const char *nics[4];
		unsigned vcpus;
	} cases[] = {
		{ "" NO_SCREEN, { "auto" }, 1 },
		{ "-M pc -m 64 -nodefaults" NO_SCREEN, { "auto", "rtl8139,rev=0x10" }, 1 },
		{ "-M q35 -m 65.5M -nodefaults -smp 2" NO_SCREEN,
		  { "auto,bootindex=1", "virtio-net,queues=2", "rtl8139" },
		  2 },
		{ "-machine q35 -m 64M,slots=2,maxmem=1G -device "
		  "pcie-root-port,id=mine,chassis=128 -device "
		  "{\"driver\":\"virtio-rng-pci\",\"addr\":\"0x4\"}" NO_SCREEN,
		  { "auto" },
		  1 },
		{ "-M q35 -m 64M -object "
		  "memory-backend-file,id=m,size=64M,mem-path=/dev/shm,share=on -numa "
		  "node,memdev=m" NO_SCREEN,
		  { "virtio-net" },
		  1 },
		{ "-m 64M -object memory-backend-memfd,id=m,size=64M -machine memory-backend=m "
		  "-qmp null -nic none" NO_SCREEN,
		  { "rtl8139" },
		  1 },
		{ "-S -nographic -m 20000k -serial null -monitor null", { "rtl8139" }, 1 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run r;

		print_message("           %s\n", cases[i].line);
		start(&r, cases[i].line, cases[i].nics);
		/* -S is the user's: nobody has continued the guest */
		assert_false(qmp_status_is_running(
			wait_item(&r, QMP_ITEM_REPLY, qmp_client_query_status(r.qmp)).data));
		assert_int_equal(
			qmp_cpu_count(
				wait_item(&r, QMP_ITEM_REPLY, qmp_client_query_cpus(r.qmp)).data),
			cases[i].vcpus);
		all_memory_is_shared(&r);
		for (unsigned n = 0; n < r.cards.count; n++) {
			assert_true(device_is_there(&r, r.cards.nic[n]->spec.id));
			assert_true(vfio_user_connected(r.cards.server[n]));
			assert_string_equal(vfio_user_memory_problem(r.cards.server[n]), "");
		}
		stop(&r);
	}
}

static void the_monitor_that_qemu_makes_by_itself_is_still_there(void **state)
{
	(void)state;
	struct run r;

	start(&r, "-m 64" NO_SCREEN, (const char *const[]){ "rtl8139", NULL });
	assert_int_equal(count_chardevs(&r, "compat_monitor0"), 1);
	assert_int_equal(count_chardevs(&r, "anynic-qmp"), 1);
	stop(&r);
	start(&r, "-m 64 -nodefaults" NO_SCREEN, (const char *const[]){ "rtl8139", NULL });
	assert_int_equal(count_chardevs(&r, "compat_monitor0"), 0);
	assert_int_equal(count_chardevs(&r, "anynic-qmp"), 1);
	stop(&r);
}

static void a_card_can_be_added_over_the_monitor(void **state)
{
	(void)state;
	struct run r;

	/* the second port is not on QEMU's line, and its root port is the user's own */
	start(&r, "-M q35 -m 64 -nodefaults -device pcie-root-port,id=spare,chassis=1" NO_SCREEN,
	      (const char *const[]){ "rtl8139", NULL });
	struct port_spec more;
	struct guest_identity who = { "m", 0, "g" };
	assert_int_equal(nic_option_parse(&more, "virtio-net,id=hot", &test_known, NULL), 0);
	ports_complete(&more, 1, &who);
	struct cards extra;
	cards_start(&extra, &more, 1);
	char text[256];
	snprintf(text, sizeof(text),
		 "{\"driver\":\"vfio-user-pci\",\"id\":\"hot\",\"bus\":\"spare\",\"socket\":{"
		 "\"type\":\"unix\",\"path\":\"%s/hot.sock\"}}",
		 dir);
	wait_item(&r, QMP_ITEM_REPLY, qmp_client_device_add(r.qmp, json_tokener_parse(text)));
	assert_true(device_is_there(&r, "hot"));
	qmp_client_system_reset(r.qmp); /* of a stopped guest: the event comes before the reply */
	assert_string_equal(wait_item(&r, QMP_ITEM_EVENT, 0).name, "RESET");
	stop(&r);
	cards_stop(&extra);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) && nic_models_prepare(NULL) == 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu_starts_with_what_was_added),
		cmocka_unit_test(the_monitor_that_qemu_makes_by_itself_is_still_there),
		cmocka_unit_test(a_card_can_be_added_over_the_monitor),
	};
	const char *asked = getenv("ANYNIC_QEMU");
	struct error err = { 0 };

	if (!asked)
		asked = argc > 1 && access(argv[1], X_OK) == 0 ? argv[1] : "qemu-system-x86_64";
	if (qemu_detect(&qemu, asked, &err) < 0 || qemu_require_vfio_user(&qemu, &err) < 0) {
		printf("skipped: %s (tools/get-qemu makes one)\n", err.text);
		return 77;
	}
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
