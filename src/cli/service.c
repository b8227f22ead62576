#include "cli/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cli/event_line.h"
#include "host/helper.h"
#include "host/vhost.h"
#include "qemu/arguments.h"

#define END_GRACE_NS	 (10 * NS_PER_S) /* from quit or a signal to SIGKILL */
#define MONITOR_GRACE_NS (2 * NS_PER_S)	 /* from the end of its monitor to its own */
#define LAST_WORDS_MS	 200
#define MESSAGES_AT_ONCE 256u

/* --- building ---------------------------------------------------------------------------------------------------- */

int service_signals(struct service *s, struct error *err)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction now;
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	/* nohup stays nohup. SIGINT ends it as it ends QEMU, also where a script's shell had it ignored for the background. */
	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends[i] != SIGHUP ||
		    (sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler != SIG_IGN))
			sigaddset(&set, ends[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return error_set(err, -errno, "cannot watch signals: %s", strerror(errno));
	s->signal_source = (struct loop_source){ .fd = fd, .kind = KIND_SIGNAL };
	return 0;
}

const char *service_socket_dir(const struct service *s)
{
	return s->options.nic_socket ? s->options.nic_socket : s->place.nics;
}

static unsigned total_nics(const struct service *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->options.count; i++)
		n += s->options.ports[i].nics;
	return n;
}

static bool nic_socket_path(const struct service *s, const struct nic_spec *nic,
			    char path[SOCKET_PATH])
{
	if (s->options.nic_socket && total_nics(s) == 1)
		return str_copy(path, SOCKET_PATH, s->options.nic_socket);
	return qemu_socket_path(path, SOCKET_PATH, service_socket_dir(s), nic->id);
}

static int nic_listen(struct service *s, const struct nic_spec *nic, struct error *err)
{
	char path[SOCKET_PATH];

	if (!nic_socket_path(s, nic, path))
		return error_set(err, -ENAMETOOLONG,
				 "the socket of %s in %s: the path is too long; set "
				 "XDG_RUNTIME_DIR to a shorter one",
				 nic->id, service_socket_dir(s));
	int fd = place_listen(path, err);
	s->sockets += fd >= 0;
	return fd;
}

/* Where a port's backend is, or one of them when each card of QEMU's has its own. */
static struct opened_backend *backend_of(const struct service *s, unsigned port, unsigned nic)
{
	return &s->backend[port * PORT_NICS + nic];
}

static unsigned backends_of(const struct port_spec *p)
{
	return port_in_datapath(p) ? 1 : p->nics;
}

/* Whether the kernel serves the card's rings: asked for the virtio card alone, said for the port. */
static int choose_driver(struct service *s, unsigned port, unsigned nic, struct error *err)
{
	const struct port_spec *p = &s->options.ports[port];
	struct control_port *told = &s->control.port[port];
	struct opened_backend *b = backend_of(s, port, nic);
	struct vhost_choice choice;

	if (!port_in_datapath(p) && strcmp(p->nic[nic].model, "virtio-net") != 0 && p->nics > 1)
		return 0;
	int rc = host_vhost_open(p, b->nfds, b->vhost, &b->vhosts, &choice, err);
	if (rc < 0) {
		error_prefix(err, "port %s", p->id);
		return rc;
	}
	told->driver = choice.driver;
	str_copy(told->driver_why, sizeof(told->driver_why), choice.why);
	return 0;
}

void service_backend_request(struct service *s, unsigned port, unsigned nic,
			     struct backend_request *request)
{
	const struct port_spec *p = &s->options.ports[port];

	*request = (struct backend_request){ .spec = &p->backend,
					     .guest = s->options.name,
					     /* cards of QEMU's have a tap each */
					     .port = port_in_datapath(p) ? p->id : p->nic[nic].id,
					     .undo = &s->undo };
	memcpy(request->mac, p->mac, MAC_LEN);
	for (unsigned n = 0; n < p->nics; n++)
		if (port_in_datapath(p) || n == nic)
			request->queues = MAX(request->queues, p->nic[n].queues);
}

static int open_backend(struct service *s, unsigned port, unsigned nic, struct error *err)
{
	const struct port_spec *p = &s->options.ports[port];
	struct opened_backend *b = backend_of(s, port, nic);
	struct loop_source *helper = &s->helper_source[port * PORT_NICS + nic];
	struct backend_request request;

	service_backend_request(s, port, nic, &request);
	int rc = host_backend_open(&request, b, err);
	if (rc < 0) {
		error_prefix(err, "port %s", p->id);
		return rc;
	}
	control_host_opened(&s->control.port[port], nic, b);
	if (p->backend.chosen[0])
		log_info("port %s: backend=%s: %s", p->id, p->backend.type, p->backend.chosen);
	rc = choose_driver(s, port, nic, err);
	if (rc < 0 || b->pidfd < 0)
		return rc;
	*helper =
		(struct loop_source){ .fd = b->pidfd, .kind = KIND_HELPER_PROCESS, .index = port };
	loop_watch(&s->loop, helper, EPOLLIN);
	return 0;
}

static int open_backends(struct service *s, struct error *err)
{
	unsigned room = s->options.count * PORT_NICS;
	int rc = 0;

	s->backend = calloc(room, sizeof(*s->backend));
	s->helper_source = calloc(room, sizeof(*s->helper_source));
	if (!s->backend || !s->helper_source)
		return error_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < room; i++) {
		s->backend[i].pidfd = s->backend[i].log = -1;
		s->helper_source[i].fd = -1;
	}
	for (unsigned i = 0; i < s->options.count; i++)
		for (unsigned n = 0; rc == 0 && n < backends_of(&s->options.ports[i]); n++)
			rc = open_backend(s, i, n, err);
	return rc;
}

static int open_rom(const struct nic_spec *nic, struct error *err)
{
	int fd = open(nic->romfile, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, -errno, "romfile=%s: %s", nic->romfile, strerror(errno));
	return fd;
}

/* The descriptors of one NIC: its socket, then its ROM if it has one. */
static int open_nic(struct service *s, const struct nic_spec *nic, int *fds, unsigned *nfds,
		    struct error *err)
{
	int fd = nic_listen(s, nic, err);

	if (fd < 0)
		return fd;
	fds[(*nfds)++] = fd;
	if (!nic->romfile[0])
		return 0;
	fd = open_rom(nic, err);
	if (fd < 0)
		return fd;
	fds[(*nfds)++] = fd;
	return 0;
}

#define PORT_MESSAGES 2

/* Hands over a port: the backend's descriptors, then those of each NIC; those of vhost-net in a message of their own. */
static int send_port(struct service *s, unsigned i, uint32_t seq[PORT_MESSAGES], struct error *err)
{
	struct msg_port_add add = { .spec = s->options.ports[i] };
	struct opened_backend *b = backend_of(s, i, 0);
	int fds[FD_PASS_MAX] = { 0 };
	unsigned nfds = b->nfds;
	int rc = 0;

	memcpy(fds, b->fds, nfds * sizeof(int));
	str_copy(add.spec.backend.type, sizeof(add.spec.backend.type), b->served);
	add.spec.backend.nfds = b->nfds;
	if (b->mtu)
		add.spec.backend.mtu = b->mtu;
	for (unsigned n = 0; rc == 0 && n < add.spec.nics; n++) {
		add.rom[n] = add.spec.nic[n].romfile[0] != '\0';
		rc = open_nic(s, &add.spec.nic[n], fds, &nfds, err);
	}
	struct msg_port_name name = { 0 };
	if (rc == 0) {
		seq[0] =
			datapath_send_fds(&s->datapath, MSG_PORT_ADD, &add, sizeof(add), fds, nfds);
		if (!seq[0])
			rc = error_set(err, -EPIPE, "port %s could not be handed over",
				       add.spec.id);
	}
	str_copy(name.port, sizeof(name.port), add.spec.id);
	if (rc == 0 && b->vhosts)
		seq[1] = datapath_send_fds(&s->datapath, MSG_PORT_VHOST, &name, sizeof(name),
					   b->vhost, b->vhosts);
	for (unsigned n = b->nfds; n < nfds; n++)
		close(fds[n]);
	opened_backend_close_fds(b);
	return rc;
}

_Static_assert(QUEUES_MAX + 2 * PORT_NICS <= FD_PASS_MAX, "a port fits one message");

static bool uses_datapath(const struct service *s)
{
	for (unsigned i = 0; i < s->options.count; i++)
		if (port_in_datapath(&s->options.ports[i]))
			return true;
	return false;
}

static int hand_over_ports(struct service *s, struct error *err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct msg_start start = { .vcpus = s->options.vcpus, .cpu = s->options.cpu, .sandbox = 1 };
	uint32_t *seq = calloc(s->options.count, PORT_MESSAGES * sizeof(*seq));
	char path[4096];

	if (!seq)
		return error_set(err, -ENOMEM, "out of memory");
	/* never more workers than CPUs: many ports can share one */
	unsigned hosted = 0;
	for (unsigned i = 0; i < s->options.count; i++)
		hosted += port_in_datapath(&s->options.ports[i]);
	unsigned workers = (unsigned)MIN((long)hosted, MAX(cpus, 1));
	int rc = host_helper_find("anynic-datapath", path, sizeof(path), err);
	if (rc == 0)
		rc = datapath_start(&s->datapath, path, workers, err);
	for (unsigned i = 0; rc == 0 && i < s->options.count; i++)
		if (port_in_datapath(&s->options.ports[i]))
			rc = send_port(s, i, &seq[i * PORT_MESSAGES], err);
	if (rc == 0) {
		uint32_t started = datapath_send(&s->datapath, MSG_START, &start, sizeof(start));
		rc = datapath_wait(&s->datapath, started, MSG_STARTED, err);
	}
	for (unsigned i = 0; rc == 0 && i < s->options.count * PORT_MESSAGES; i++) {
		if (!seq[i])
			continue;
		rc = datapath_wait(&s->datapath, seq[i], MSG_REPLY, err);
		if (rc < 0)
			error_prefix(err, "port %s", s->options.ports[i / PORT_MESSAGES].id);
	}
	free(seq);
	return rc;
}

static void read_datapath(struct service *s)
{
	static struct message m;
	int rc = 0;

	if (!uses_datapath(s))
		return;
	/* a process that never stops talking does not keep us from QMP clients, QEMU and signals */
	for (unsigned n = 0; n < MESSAGES_AT_ONCE || datapath_has_kept(&s->datapath); n++) {
		rc = datapath_receive(&s->datapath, &m);
		if (rc != 1)
			break;
		control_report(&s->control, &m);
		if (m.type == MSG_REPLY)
			commands_counters_came(&s->commands, m.seq);
		if (m.type == MSG_BACKEND_STATUS)
			recover_look(s);
		message_close_fds(&m);
	}
	if (rc == -EPIPE) {
		loop_unwatch(&s->loop, &s->datapath_source);
		loop_unwatch(&s->loop, &s->datapath_process);
		control_datapath_gone(&s->control);
		commands_counters_came(&s->commands, 0);
	}
}

static int make_socket_folder(struct service *s, struct error *err)
{
	const char *path = s->options.nic_socket;

	if (!path || total_nics(s) == 1)
		return 0;
	if (mkdir(path, 0700) == 0)
		str_copy(s->made_dir, sizeof(s->made_dir), path);
	else if (errno != EEXIST)
		return error_set(err, -errno, "cannot make the folder %s: %s", path,
				 strerror(errno));
	return 0;
}

static void watch_datapath(struct service *s)
{
	if (s->datapath.sock < 0)
		return;
	s->datapath_source = (struct loop_source){ .fd = s->datapath.sock, .kind = KIND_DATAPATH };
	s->datapath_process =
		(struct loop_source){ .fd = s->datapath.pid_fd, .kind = KIND_DATAPATH_PROCESS };
	loop_watch(&s->loop, &s->datapath_source, EPOLLIN);
	loop_watch(&s->loop, &s->datapath_process, EPOLLIN);
}

int service_open(struct service *s, const struct service_options *o, struct error *err)
{
	s->options = *o;
	s->end_timer = (struct loop_timer){ .kind = KIND_END_TIMER };
	s->monitor_timer = (struct loop_timer){ .kind = KIND_MONITOR_TIMER };
	s->datapath = (struct datapath){ .sock = -1, .pid_fd = -1 };
	int rc = loop_init(&s->loop, err);
	if (rc == 0)
		rc = loop_watch(&s->loop, &s->signal_source, EPOLLIN);
	if (rc == 0)
		rc = place_claim(&s->place, o->name, o->qmp, err);
	if (rc == 0)
		rc = tidy_start(&s->tidy, &s->place, err);
	if (rc == 0)
		undo_init(&s->undo, s->place.undo);
	if (rc == 0)
		rc = make_socket_folder(s, err);
	if (rc == 0)
		rc = control_init(&s->control, o->name, &s->loop, &s->datapath, o->ports, o->count,
				  err);
	if (rc == 0)
		rc = recover_init(s, err);
	if (rc == 0 && !o->attached)
		rc = open_backends(s, err);
	if (rc == 0 && uses_datapath(s))
		rc = hand_over_ports(s, err);
	if (rc < 0) {
		static struct message m; /* what the datapath had to say about it */
		while (datapath_receive(&s->datapath, &m) == 1)
			control_report(&s->control, &m);
		return rc;
	}
	watch_datapath(s);
	control_set_running(&s->control, o->running);
	control_start(&s->control);
	control_host_start(&s->control, &s->host);
	s->server = qmp_server_create(s->place.listen_fd, &s->loop, KIND_QMP_LISTEN,
				      KIND_QMP_CLIENT, err);
	s->place.listen_fd = -1;
	if (!s->server)
		return err->code;
	commands_init(&s->commands, &s->control, s->server);
	return 0;
}

int service_watch_qemu(struct service *s, int monitor_fd, struct error *err)
{
	s->monitor = qmp_client_create(monitor_fd, err);
	if (!s->monitor)
		return err->code;
	s->monitor_source =
		(struct loop_source){ .fd = qmp_client_fd(s->monitor), .kind = KIND_QEMU_MONITOR };
	s->qemu_source = (struct loop_source){ .fd = s->qemu.pid_fd, .kind = KIND_QEMU_PROCESS };
	loop_watch(&s->loop, &s->monitor_source, EPOLLIN);
	card_watch_init(&s->cards, &s->control, &s->options.signals);
	card_watch_add_ports(&s->cards);
	if (s->options.incoming)
		card_watch_take_over(&s->cards);
	control_set_monitor(&s->control, s->monitor, s->options.go_on);
	return loop_watch(&s->loop, &s->qemu_source, EPOLLIN);
}

/* These stop a ring when they are asked where it is. */
static bool ring_is_away(const struct found_card *card)
{
	return strncmp(card->type, "vhost-", 6) == 0;
}

int service_attach(struct service *s, struct qmp_client *monitor, const struct found_port *ports,
		   struct error *err)
{
	s->monitor = monitor;
	s->monitor_source =
		(struct loop_source){ .fd = qmp_client_fd(monitor), .kind = KIND_QEMU_MONITOR };
	s->control.attached = true;
	control_set_monitor(&s->control, monitor, false);
	card_watch_init(&s->cards, &s->control, &s->options.signals);
	for (unsigned i = 0; i < s->options.count; i++)
		for (unsigned n = 0; n < ports[i].spec.nics; n++)
			card_watch_add(&s->cards, &ports[i].spec.nic[n], ports[i].card[n]->owner,
				       ports[i].card[n]->device, ring_is_away(ports[i].card[n]));
	card_watch_take_over(&s->cards);
	card_watch_start(&s->cards);
	int rc = loop_watch(&s->loop, &s->monitor_source, EPOLLIN);
	return rc < 0 ? error_set(err, rc, "cannot watch QEMU's monitor: %s", strerror(-rc)) : 0;
}

unsigned service_card_fds(struct service *s, struct qemu_card_fds *cards)
{
	unsigned count = 0;

	for (unsigned i = 0; i < s->options.count; i++) {
		const struct port_spec *p = &s->options.ports[i];

		for (unsigned n = 0; !port_in_datapath(p) && n < p->nics; n++) {
			struct qemu_card_fds *card = &cards[count++];
			const struct opened_backend *b = backend_of(s, i, n);

			*card = (struct qemu_card_fds){ .taps = b->nfds, .vhosts = b->vhosts };
			str_copy(card->nic, sizeof(card->nic), p->nic[n].id);
			memcpy(card->tap, b->fds, sizeof(card->tap));
			memcpy(card->vhost, b->vhost, sizeof(card->vhost));
		}
	}
	return count;
}

void service_qemu_has_fds(struct service *s)
{
	for (unsigned i = 0; i < s->options.count * PORT_NICS; i++)
		opened_backend_close_fds(&s->backend[i]);
}

/* --- running ----------------------------------------------------------------------------------------------------- */

/* The end has begun: what has not ended by itself after the grace is killed. */
static void begin_end(struct service *s)
{
	if (s->ending)
		return;
	s->ending = true;
	if (!s->qemu.pid)
		s->ended = true;
	else
		loop_timer_set(&s->loop, &s->end_timer, monotonic_ns() + END_GRACE_NS);
}

static void quit(struct service *s)
{
	/* without a monitor SIGTERM says the same */
	if (s->qemu.pid && (!s->monitor || !qmp_client_quit(s->monitor)))
		qemu_process_signal(&s->qemu, SIGTERM);
	begin_end(s);
}

static void take_signal(struct service *s)
{
	struct signalfd_siginfo info;

	if (read(s->signal_source.fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	/* QEMU sits in the same foreground group and may have it already: once more does no harm */
	qemu_process_signal(&s->qemu, (int)info.ssi_signo);
	begin_end(s);
}

static void read_monitor(struct service *s, uint32_t events)
{
	struct qmp_item item;

	if (events & EPOLLOUT)
		qmp_client_write(s->monitor);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		qmp_client_read(s->monitor);
	while (qmp_client_next(s->monitor, &item)) {
		switch (item.kind) {
		case QMP_ITEM_READY:
			s->status_id = qmp_client_query_status(s->monitor);
			card_watch_start(&s->cards);
			break;
		case QMP_ITEM_REPLY:
			if (item.id == s->status_id)
				control_set_running(&s->control, qmp_status_is_running(item.data));
			else if (!card_watch_reply(&s->cards, &item))
				control_qemu_replied(&s->control, item.id, NULL);
			break;
		case QMP_ITEM_EVENT:
			card_watch_event(&s->cards, item.name, item.data);
			control_qemu_event(&s->control, item.name, item.data);
			break;
		case QMP_ITEM_ERROR:
			if (!card_watch_reply(&s->cards, &item) &&
			    !control_qemu_replied(&s->control, item.id, item.text))
				log_warning("QEMU's monitor: %s", item.text);
			break;
		case QMP_ITEM_CLOSED:
			card_watch_stop(&s->cards);
			loop_unwatch(&s->loop, &s->monitor_source);
			control_set_monitor(&s->control, NULL, false);
			str_copy(s->monitor_end, sizeof(s->monitor_end), item.text);
			qmp_client_destroy(s->monitor);
			s->monitor = NULL;
			s->ended |= s->options.attached;
			/* mostly QEMU is about to end */
			loop_timer_set(&s->loop, &s->monitor_timer,
				       monotonic_ns() + MONITOR_GRACE_NS);
			return;
		default:
			break;
		}
	}
	card_watch_go_on(&s->cards);
}

static void qemu_ended(struct service *s)
{
	if (!qemu_process_reap(&s->qemu))
		return;
	loop_unwatch(&s->loop, &s->qemu_source);
	if (s->monitor)
		read_monitor(s, EPOLLIN); /* its last events */
	s->ended = true;
}

static void tell_events(struct service *s)
{
	for (json_object *e = control_next_event(&s->control); e;
	     e = control_next_event(&s->control)) {
		if (s->options.json)
			event_json_print(stderr, e);
		else
			event_line_print(stderr, e);
		if (s->server)
			qmp_server_event(s->server, e);
		json_object_put(e);
	}
}

static void handle(struct service *s, const struct loop_event *e)
{
	switch ((enum control_kind)e->kind) {
	case KIND_DATAPATH:
	case KIND_DATAPATH_PROCESS:
		read_datapath(s);
		break;
	case KIND_QMP_LISTEN:
		qmp_server_accept(s->server);
		break;
	case KIND_QMP_CLIENT:
		qmp_server_serve(s->server, e->owner, e->events);
		break;
	case KIND_QEMU_MONITOR:
		read_monitor(s, e->events);
		break;
	case KIND_QEMU_PROCESS:
		qemu_ended(s);
		break;
	case KIND_HELPER_PROCESS:
		recover_process_ended(s, e->index);
		break;
	case KIND_RECOVER_TIMER:
		recover_timer(s, e->owner);
		break;
	case KIND_RECOVER_READY:
		recover_ready(s, e->owner);
		break;
	case KIND_NETLINK:
		control_host_read(&s->control, &s->host);
		break;
	case KIND_SIGNAL:
		take_signal(s);
		break;
	case KIND_LEGACY_TIMER:
	case KIND_HOLD_TIMER:
	case KIND_LOST_TIMER:
		control_timer(&s->control, e->kind, e->owner);
		break;
	case KIND_CARD_TIMER:
		card_watch_timer(&s->cards);
		break;
	case KIND_COUNTERS_TIMER:
		commands_counters_came(&s->commands, 0);
		break;
	case KIND_END_TIMER:
		log_warning("QEMU does not end: it is killed");
		qemu_process_signal(&s->qemu, SIGKILL);
		break;
	case KIND_MONITOR_TIMER:
		if (!s->qemu.pid || s->ending)
			break;
		log_warning("%s, and QEMU goes on: links of its own cards stay as they are, "
			    "resets and their drivers are not seen; next: start the guest again",
			    s->monitor_end);
		control_monitor_lost(&s->control);
		break;
	case CONTROL_KIND_COUNT:
		break;
	}
}

void service_run(struct service *s)
{
	struct loop_event e;

	read_datapath(s); /* reports that came while a reply was waited for */
	tell_events(s);
	while (!s->ended) {
		int rc = loop_next(&s->loop, &e, -1);
		if (rc == 1)
			handle(s, &e);
		else if (rc < 0 && rc != -EINTR)
			break;
		tell_events(s);
		commands_serve(&s->commands);
		tell_events(s);
		if (s->control.quit && !s->ending)
			quit(s);
		if (s->monitor)
			loop_watch(&s->loop, &s->monitor_source,
				   qmp_client_wants_write(s->monitor) ? EPOLLIN | EPOLLOUT
								      : EPOLLIN);
	}
	qmp_server_drain(s->server, LAST_WORDS_MS);
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

/* Only what was made here: another program may sit on the path that the next one would have had. */
static void remove_nic_sockets(const struct service *s)
{
	char path[SOCKET_PATH];
	unsigned left = s->sockets;

	for (unsigned i = 0; i < s->options.count; i++)
		for (unsigned n = 0; n < s->options.ports[i].nics && left; n++, left--)
			if (nic_socket_path(s, &s->options.ports[i].nic[n], path))
				unlink(path);
	if (s->made_dir[0])
		rmdir(s->made_dir);
}

void service_close(struct service *s)
{
	if (s->qemu.pid)
		qemu_process_finish(&s->qemu);
	card_watch_stop(&s->cards);
	if (s->monitor)
		qmp_client_destroy(s->monitor);
	datapath_finish(&s->datapath);
	recover_finish(s);
	for (unsigned i = 0; s->backend && i < s->options.count * PORT_NICS; i++)
		opened_backend_close(&s->backend[i]);
	free(s->backend);
	free(s->helper_source);
	undo_close(&s->undo);
	control_host_stop(&s->host);
	commands_finish(&s->commands);
	qmp_server_destroy(s->server);
	control_finish(&s->control);
	remove_nic_sockets(s);
	place_release(&s->place);
	tidy_finish(&s->tidy);
	if (s->signal_source.fd > 0)
		close(s->signal_source.fd);
	loop_finish(&s->loop);
}
