#include "qemu/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "qemu/monitor_text.h"
#include "qemu/qmp_call.h"

#define PROBE_NS (15 * NS_PER_S) /* a cold start on a busy machine takes a few */
#define CARD_ID	 "anynic-probe"
#define CARD_QOM "/machine/peripheral/" CARD_ID "/virtio-backend"

const char *const qemu_signal_names[] = {
	[SIGNAL_TREE] = "info mtree -o",
	[SIGNAL_MEMORY] = "xp",
	[SIGNAL_RING] = "x-query-virtio-queue-status",
	[SIGNAL_FILTER] = "query-rx-filter",
};
NAMES_MATCH(qemu_signal_names, QEMU_SIGNAL_COUNT);

/* Text of the human monitor and query-rx-filter are as old as anything that we run; commands with x- carry no promise, so they count for the
 * versions that were tried. */
void qemu_assume_signals(struct qemu_signals *signals, unsigned major, unsigned minor)
{
	bool seen = (major == 7 && minor == 2) || (major == 11 && minor == 1);

	*signals = (struct qemu_signals){ .can = { [SIGNAL_TREE] = true,
						   [SIGNAL_MEMORY] = true,
						   [SIGNAL_RING] = seen,
						   [SIGNAL_FILTER] = true } };
}

void qemu_limit_signals(struct qemu_signals *signals, const char *target)
{
	if (strncmp(target, "ppc", 3) == 0)
		signals->can[SIGNAL_MEMORY] = false;
}

/* --- the throw-away QEMU ----------------------------------------------------------------------------------------- */

struct trial {
	pid_t pid;
	struct qmp_client *client;
	uint64_t end_ns;
};

static void run_child(const char *program, const char *machine, int sock)
{
	static const char card[] = "virtio-net-pci,id=" CARD_ID ",romfile=";
	char chardev[48];
	const char *argv[24] = { program };
	unsigned n = 1;
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (machine[0]) {
		argv[n++] = "-machine";
		argv[n++] = machine;
	}
	snprintf(chardev, sizeof(chardev), "socket,id=monitor,fd=%d", sock);
	/* the first accelerator that is there: no instruction is carried out */
	const char *const rest[] = { "-accel",
				     "tcg",
				     "-accel",
				     "kvm",
				     "-S",
				     "-nodefaults",
				     "-no-user-config",
				     "-display",
				     "none",
				     "-chardev",
				     chardev,
				     "-mon",
				     "chardev=monitor,mode=control",
				     "-device",
				     card };
	for (unsigned i = 0; i < ARRAY_SIZE(rest); i++)
		argv[n++] = rest[i];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	fd_set_cloexec(sock, false);
	execvp(program, (char *const *)argv);
	_exit(127);
}

static void end_trial(struct trial *t)
{
	qmp_client_destroy(t->client);
	t->client = NULL;
	if (t->pid > 0) {
		kill(t->pid, SIGKILL);
		while (waitpid(t->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	t->pid = 0;
}

static int begin_trial(struct trial *t, const char *program, const char *machine, struct error *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, "cannot make a socket pair: %s", strerror(errno));
	t->pid = fork();
	if (t->pid == 0)
		run_child(program, machine, pair[1]);
	int rc = t->pid < 0 ? -errno : 0;
	close(pair[1]);
	t->client = qmp_client_create(pair[0], err);
	if (rc == 0 && !t->client)
		rc = -ENOMEM;
	if (rc == 0)
		rc = qmp_call_ready(t->client, t->end_ns, NULL);
	if (rc == 0)
		return 0;
	end_trial(t);
	return error_set(err, rc, "a QEMU to try commands on did not start: %s -machine %s: %s",
			 program, machine[0] ? machine : "(default)", strerror(-rc));
}

/* --- what is tried ----------------------------------------------------------------------------------------------- */

static bool try_tree(struct trial *t, int *rc)
{
	const char *text = qmp_call_human(t->client, "info mtree -o", t->end_ns, rc);
	struct mtree_region r;

	while (mtree_next(&text, &r))
		if (span_is(r.owner, CARD_ID) && span_is(r.name, "bus master container"))
			return true;
	return false;
}

static bool try_memory(struct trial *t, int *rc)
{
	static const char *const lines[] = { "xp /1wx 0x0", "xp /1hx 0x0", "xp /1bx 0x0" };
	uint64_t value;

	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		const char *text = qmp_call_human(t->client, lines[i], t->end_ns, rc);
		/* what lies at 0 is the machine's business: nothing, on some */
		if (*rc < 0 ||
		    (!xp_parse(text, 0, &value, 1) && !strstr(text, "Cannot access memory")))
			return false;
	}
	return true;
}

static bool try_ring(struct trial *t, int *rc)
{
	json_object *arguments = qmp_text_argument("path", CARD_QOM), *ring, *avail;

	json_object_object_add(arguments, "queue", json_object_new_int(0));
	json_object *o =
		qmp_call(t->client, "x-query-virtio-queue-status", arguments, t->end_ns, rc);
	return json_object_object_get_ex(o, "vring-desc", &ring) &&
	       json_object_is_type(ring, json_type_int) &&
	       json_object_object_get_ex(o, "vring-avail", &avail) &&
	       json_object_is_type(avail, json_type_int);
}

static bool try_filter(struct trial *t, int *rc)
{
	json_object *o = qmp_call(t->client, "query-rx-filter", qmp_text_argument("name", CARD_ID),
				  t->end_ns, rc);

	return json_object_is_type(o, json_type_array) && json_object_array_length(o) == 1;
}

static bool (*const trials[])(struct trial *t, int *rc) = {
	[SIGNAL_TREE] = try_tree,
	[SIGNAL_MEMORY] = try_memory,
	[SIGNAL_RING] = try_ring,
	[SIGNAL_FILTER] = try_filter,
};
NAMES_MATCH(trials, QEMU_SIGNAL_COUNT);

int qemu_probe_signals(struct qemu_signals *signals, const char *program, const char *machine,
		       unsigned major, unsigned minor, struct error *err)
{
	struct trial t = { .end_ns = monotonic_ns() + PROBE_NS };
	int rc = 0;

	qemu_assume_signals(signals, major, minor); /* for what cannot be tried */
	for (unsigned i = 0; rc == 0 && i < QEMU_SIGNAL_COUNT; i++) {
		int died = 0;

		if (!t.client)
			rc = begin_trial(&t, program, machine, err);
		if (rc < 0)
			break;
		signals->can[i] = trials[i](&t, &died);
		if (died == 0)
			continue;
		signals->can[i] = false;
		log_warning("%s %s at `%s`, which is not used then", program,
			    died == -ETIMEDOUT ? "hangs" : "dies", qemu_signal_names[i]);
		end_trial(&t);
	}
	end_trial(&t);
	signals->tried = rc == 0;
	return rc;
}
