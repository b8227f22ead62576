/* main.c - the datapath process: takes commands from control over descriptor 3, and descriptors with them.
 *
 * It starts no program, opens no file and no socket. Ports may be added before MSG_START, which starts the workers and then
 * locks the process down; nothing of a guest is touched before that. When control goes away, so does this process.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "datapath/datapath.h"

#define CONTROL_FD  3
#define WORKERS_MAX 64u
#define POLL_NS	    50000u

struct datapath {
	struct worker worker[WORKERS_MAX];
	unsigned workers; /* initialised; running after MSG_START */
	unsigned next_worker;
	bool started;
	bool quit;
	/* which worker has which port; control's own list is the truth, this is for addressing */
	struct {
		char id[ID_MAX];
		unsigned worker;
	} * ports;
	unsigned port_count, port_room;
};

static void sink_control(enum log_level level, const char *text)
{
	struct msg_log m = { .level = level };

	str_copy(m.text, sizeof(m.text), text);
	(void)message_try_send(CONTROL_FD, MSG_LOG, &m, sizeof(m));
}

/* A peer that truncates memory it gave us must not end us: the lost page becomes a private page of zeroes. */
static void lost_page(int signo, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)4095;

	(void)signo;
	(void)context;
	if (mmap((void *)page, 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		_exit(1);
}

static int find_port(const struct datapath *d, const char *id)
{
	for (unsigned i = 0; i < d->port_count; i++)
		if (strcmp(d->ports[i].id, id) == 0)
			return (int)i;
	return -1;
}

static int remember_port(struct datapath *d, const char *id, unsigned worker, struct error *err)
{
	if (find_port(d, id) >= 0)
		return error_set(err, -EEXIST, "port %s is there already", id);
	if (d->port_count == d->port_room) {
		unsigned room = d->port_room ? 2 * d->port_room : 8;
		void *ports = realloc(d->ports, room * sizeof(*d->ports));
		if (!ports)
			return error_set(err, -ENOMEM, "port %s: out of memory", id);
		d->ports = ports;
		d->port_room = room;
	}
	str_copy(d->ports[d->port_count].id, ID_MAX, id);
	d->ports[d->port_count++].worker = worker;
	return 0;
}

static int add_port(struct datapath *d, struct message *m, struct error *err)
{
	struct worker *w = &d->worker[d->next_worker % d->workers];
	struct worker_command *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(err, -ENOMEM, "out of memory");
	struct hosted_port *hp = hosted_port_create(m, w, err);
	int rc = hp ? 0 : err->code ? err->code : -EINVAL;
	if (rc == 0)
		rc = remember_port(d, hp->port.spec.id, d->next_worker % d->workers, err);
	if (rc < 0) {
		hosted_port_destroy(hp);
		free(c);
		return rc;
	}
	d->next_worker++;
	c->type = MSG_PORT_ADD;
	c->seq = m->seq;
	c->port = hp;
	worker_send(w, c);
	return 1;
}

static int forward_to(struct worker *w, const struct message *m, atomic_uint *left)
{
	struct worker_command *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->type = m->type;
	c->seq = m->seq;
	c->left = left;
	memcpy(&c->links, m->body, MIN(m->length, sizeof(c->links)));
	worker_send(w, c);
	return 1;
}

/* 1: the worker answers, and has the descriptors. */
static int forward_fds(struct datapath *d, struct message *m, const char *port, struct error *err)
{
	int at = find_port(d, port);
	struct worker_command *c = at < 0 ? NULL : calloc(1, sizeof(*c));

	if (at < 0)
		return error_set(err, -ENOENT, "no port %s here", port);
	if (!c)
		return -ENOMEM;
	if (m->nfds > QUEUES_MAX) {
		free(c);
		return error_set(err, -EPROTO, "too many descriptors for port %s", port);
	}
	c->type = m->type;
	c->seq = m->seq;
	str_copy(c->name.port, sizeof(c->name.port), port);
	memcpy(c->fds, m->fds, m->nfds * sizeof(int));
	c->nfds = m->nfds;
	m->nfds = 0;
	worker_send(&d->worker[d->ports[at].worker], c);
	return 1;
}

/* 1: the worker answers. */
static int forward(struct datapath *d, const struct message *m, const char *port, struct error *err)
{
	int at = find_port(d, port);

	if (at < 0)
		return error_set(err, -ENOENT, "no port %s here", port);
	struct worker *w = &d->worker[d->ports[at].worker];
	if (m->type == MSG_PORT_REMOVE)
		d->ports[at] = d->ports[--d->port_count];
	return forward_to(w, m, NULL);
}

static int forward_all(struct datapath *d, const struct message *m)
{
	atomic_uint *left = malloc(sizeof(*left));

	if (!left)
		return -ENOMEM;
	atomic_init(left, d->workers);
	for (unsigned i = 0; i < d->workers; i++)
		if (forward_to(&d->worker[i], m, left) < 0)
			abort(); /* half a command cannot be taken back, and nothing from outside leads here */
	return 1;
}

static int start_workers(struct datapath *d, const struct msg_start *start, struct error *err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	/* a poller that takes the CPU from a vCPU costs more than it saves */
	bool poll = start->vcpus && cpus > (long)start->vcpus + (long)d->workers;
	bool own_cpu = start->cpu >= 0; /* whoever gives a worker a CPU has no better use for it */

	for (unsigned i = 0; i < d->workers; i++) {
		d->worker[i].poll_ns = poll || (own_cpu && i == 0) ? POLL_NS : 0;
		int rc = worker_start(&d->worker[i], err);
		if (rc < 0)
			return rc;
	}
	if (start->cpu >= 0) {
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET(start->cpu, &set);
		int rc = start->cpu < CPU_SETSIZE
				 ? pthread_setaffinity_np(d->worker[0].thread, sizeof(set), &set)
				 : EINVAL;
		if (rc)
			return error_set(err, -rc, "cannot use CPU %d: %s", start->cpu,
					 strerror(rc));
	}
	return 0;
}

static int start(struct datapath *d, const struct message *m, struct error *err)
{
	const struct msg_start *s = message_body(m, sizeof(*s));

	if (!s || d->started)
		return error_set(err, -EPROTO, "bad message that starts the workers");
	int rc = start_workers(d, s, err);
	if (rc == 0 && s->sandbox)
		rc = sandbox_lock(err);
	if (rc < 0)
		return rc;
	d->started = true;
	return message_send(CONTROL_FD, MSG_STARTED, 0, NULL, 0, NULL, 0);
}

/* 1: a worker answers; 0 or negative errno: answer now. */
static int handle(struct datapath *d, struct message *m, struct error *err)
{
	const struct msg_port_name *name;
	const struct msg_port_links *links;

	switch (m->type) {
	case MSG_START:
		return start(d, m, err);
	case MSG_PORT_ADD:
		return add_port(d, m, err);
	case MSG_PORT_ANNOUNCE:
	case MSG_PORT_REMOVE:
		name = message_body(m, sizeof(*name));
		return name ? forward(d, m, name->port, err) : -EPROTO;
	case MSG_BACKEND_RENEW:
	case MSG_PORT_VHOST:
		name = message_body(m, sizeof(*name));
		return name ? forward_fds(d, m, name->port, err) : -EPROTO;
	case MSG_PORT_LINKS:
		links = message_body(m, sizeof(*links));
		return links ? forward(d, m, links->port, err) : -EPROTO;
	case MSG_GUEST_RUN:
		return m->length == sizeof(struct msg_guest_run) ? forward_all(d, m) : -EPROTO;
	case MSG_COUNTERS_GET:
		return forward_all(d, m);
	case MSG_QUIT:
		d->quit = true;
		return 0;
	default:
		return error_set(err, -EPROTO, "the datapath process takes no message %s",
				 message_type_name(m->type));
	}
}

static void serve(struct datapath *d)
{
	static struct message m;

	while (!d->quit) {
		int rc = message_receive(CONTROL_FD, &m);
		if (rc == 0 || (rc < 0 && rc != -EPROTO))
			return; /* control is gone */
		struct error err = { 0 };
		if (rc == -EPROTO) {
			log_error("a malformed message from control was ignored");
			continue;
		}
		rc = handle(d, &m, &err);
		if (rc <= 0)
			report_reply(CONTROL_FD, m.seq, rc, &err);
		message_close_fds(&m);
	}
}

static int init(struct datapath *d, unsigned workers, struct error *err)
{
	struct sigaction lost = { .sa_sigaction = lost_page, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGBUS, &lost, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Ctrl-C goes to the whole foreground group: control decides when this process ends */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	int rc = nic_models_prepare(err);
	for (unsigned i = 0; rc == 0 && i < workers; i++) {
		rc = worker_init(&d->worker[i], i, CONTROL_FD, err);
		if (rc == 0)
			d->workers++;
	}
	return rc == 0 ? sandbox_before_threads(err) : rc;
}

int main(int argc, char **argv)
{
	static struct datapath d;
	struct error err = { 0 };
	uint64_t workers = 1;

	if (argc != 2 || parse_u64(argv[1], 1, WORKERS_MAX, &workers) < 0) {
		static const char text[] =
			"anynic-datapath is started by anynic; it takes a number of workers and "
			"a socket as descriptor 3\n";
		return write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ? 1 : 2;
	}
	log_set_sink(sink_control);
	prctl(PR_SET_NAME, "anynic-datapath");
	int rc = init(&d, (unsigned)workers, &err);
	if (rc < 0) {
		log_error("%s", err.text);
		return 1;
	}
	serve(&d);
	for (unsigned i = 0; i < d.workers; i++) {
		worker_stop(&d.worker[i]);
		worker_finish(&d.worker[i]);
	}
	free(d.ports);
	return 0;
}
