#include "cli/service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cli/attach_follow.h"
#include "cli/event_line.h"
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

void service_read_datapath(struct service *s)
{
	static struct message m;
	int rc = 0;

	if (s->datapath.sock < 0 && !s->datapath.why[0])
		return; /* there never was one */
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

void service_watch_datapath(struct service *s)
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
	port_changes_init(&s->changes);
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
		rc = service_make_ports(s, err);
	if (rc == 0)
		rc = control_init(&s->control, o->name, &s->loop, &s->datapath, s->options.ports,
				  o->count, err);
	if (rc == 0 && !o->attached)
		rc = service_open_ports(s, err);
	if (rc < 0) {
		static struct message m; /* what the datapath had to say about it */
		while (datapath_receive(&s->datapath, &m) == 1)
			control_report(&s->control, &m);
		return rc;
	}
	service_watch_datapath(s);
	control_set_running(&s->control, o->running);
	control_start(&s->control);
	control_host_start(&s->control, &s->host);
	s->server = qmp_server_create(s->place.listen_fd, &s->loop, KIND_QMP_LISTEN,
				      KIND_QMP_CLIENT, err);
	s->place.listen_fd = -1;
	if (!s->server)
		return err->code;
	migration_init(&s->migration, &s->control);
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
	s->control.awaited = s->options.incoming;
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

void service_watch_found(struct service *s, const struct found_port *ports)
{
	control_set_monitor(&s->control, s->monitor, false);
	loop_timer_cancel(&s->loop, &s->cards.timer);
	card_watch_init(&s->cards, &s->control, &s->options.signals);
	for (unsigned i = 0; i < s->control.ports; i++)
		for (unsigned n = 0; n < ports[i].spec.nics; n++)
			card_watch_add(&s->cards, &ports[i].spec.nic[n], ports[i].card[n]->owner,
				       ports[i].card[n]->device, ring_is_away(ports[i].card[n]));
	card_watch_take_over(&s->cards);
	card_watch_start(&s->cards);
}

int service_attach(struct service *s, const struct found_port *ports, struct error *err)
{
	s->monitor_source =
		(struct loop_source){ .fd = qmp_client_fd(s->monitor), .kind = KIND_QEMU_MONITOR };
	s->control.attached = true;
	service_watch_found(s, ports);
	int rc = loop_watch(&s->loop, &s->monitor_source, EPOLLIN);
	return rc < 0 ? error_set(err, rc, "cannot watch QEMU's monitor: %s", strerror(-rc)) : 0;
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

/* What QEMU says of a reset it says behind what its cards told of it, however late we are. */
static void note_event(struct service *s, const struct qmp_item *item)
{
	if (strcmp(item->name, "RESET") == 0)
		service_read_datapath(s);
	control_qemu_event(&s->control, item->name, item->data);
}

static void note_reply(struct service *s, const struct qmp_item *item)
{
	service_read_datapath(s);
	control_qemu_replied(&s->control, item->id, NULL);
}

static void read_monitor(struct service *s, uint32_t events)
{
	struct qmp_item item;
	bool ours = false;

	if (events & EPOLLOUT)
		qmp_client_write(s->monitor);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		qmp_client_read(s->monitor);
	while (qmp_client_next(s->monitor, &item)) {
		switch (item.kind) {
		case QMP_ITEM_READY:
			if (s->follow) {
				if (!follow_ready(s->follow))
					return;
				break;
			}
			s->status_id = qmp_client_query_status(s->monitor);
			card_watch_start(&s->cards);
			break;
		case QMP_ITEM_REPLY:
			if (s->follow && !follow_reply(s->follow, item.id, item.data, &ours))
				return;
			if (ours)
				break;
			if (item.id == s->status_id)
				control_set_running(&s->control, qmp_status_is_running(item.data));
			else if (!port_changes_reply(s, &item) && !transient_reply(s, &item) &&
				 !migration_reply(&s->migration, &item) &&
				 !control_announce_reply(&s->control, &item) &&
				 !card_watch_reply(&s->cards, &item))
				note_reply(s, &item);
			break;
		case QMP_ITEM_EVENT:
			if (s->follow)
				follow_event(s->follow, item.name);
			transient_event(s, item.name, item.data);
			port_changes_event(s, item.name, item.data);
			card_watch_event(&s->cards, item.name, item.data);
			note_event(s, &item);
			break;
		case QMP_ITEM_ERROR:
			if (s->follow)
				(void)follow_reply(s->follow, item.id, NULL, &ours);
			if (!ours && !port_changes_reply(s, &item) && !transient_reply(s, &item) &&
			    !migration_reply(&s->migration, &item) &&
			    !control_announce_reply(&s->control, &item) &&
			    !card_watch_reply(&s->cards, &item) &&
			    !control_qemu_replied(&s->control, item.id, item.text))
				log_warning("QEMU's monitor: %s", item.text);
			break;
		case QMP_ITEM_CLOSED:
			transient_monitor_gone(s);
			card_watch_stop(&s->cards);
			loop_unwatch(&s->loop, &s->monitor_source);
			control_set_monitor(&s->control, NULL, false);
			migration_lost(&s->migration);
			port_changes_lost(s);
			str_copy(s->monitor_end, sizeof(s->monitor_end), item.text);
			qmp_client_destroy(s->monitor);
			s->monitor = NULL;
			if (s->follow) {
				s->ended |= !follow_lost(s->follow, s->monitor_end);
				return;
			}
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
		service_read_datapath(s);
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
		recover_look(s);
		break;
	case KIND_SIGNAL:
		take_signal(s);
		break;
	case KIND_LEGACY_TIMER:
	case KIND_HOLD_TIMER:
	case KIND_LOST_TIMER:
	case KIND_ANNOUNCE_TIMER:
		/* what the cards did before the deadline counts before it, however late we are */
		service_read_datapath(s);
		control_timer(&s->control, e->kind, e->owner);
		break;
	case KIND_TRANSIENT_TIMER:
		transient_timer(s, e->owner);
		break;
	case KIND_CARD_TIMER:
		card_watch_timer(&s->cards);
		break;
	case KIND_MIGRATE_TIMER:
		migration_timer(&s->migration);
		break;
	case KIND_PLUG_TIMER:
		port_changes_timer(s);
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
	case KIND_VMM_PROCESS:
		if (s->monitor)
			read_monitor(s, EPOLLIN); /* its last events */
		s->ended = true;
		break;
	case KIND_FOLLOW_TIMER:
		follow_timer(e->owner);
		break;
	case CONTROL_KIND_COUNT:
		break;
	}
}

void service_run(struct service *s)
{
	struct loop_event e;

	service_read_datapath(s); /* reports that came while a reply was waited for */
	tell_events(s);
	while (!s->ended) {
		int rc = loop_next(&s->loop, &e, -1);
		if (rc == 1)
			handle(s, &e);
		else if (rc < 0 && rc != -EINTR)
			break;
		tell_events(s);
		commands_serve(&s->commands);
		do {
			transient_look(s);
			port_changes_serve(s);
		} while (commands_serve(&s->commands)); /* who was answered may have said more */
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

void service_close(struct service *s)
{
	if (s->qemu.pid)
		qemu_process_finish(&s->qemu);
	card_watch_stop(&s->cards);
	if (s->monitor)
		qmp_client_destroy(s->monitor);
	datapath_finish(&s->datapath);
	port_changes_finish(s);
	service_close_ports(s);
	undo_close(&s->undo);
	control_host_stop(&s->host);
	commands_finish(&s->commands);
	migration_finish(&s->migration);
	qmp_server_destroy(s->server);
	control_finish(&s->control);
	place_release(&s->place);
	tidy_finish(&s->tidy);
	if (s->signal_source.fd > 0)
		close(s->signal_source.fd);
	loop_finish(&s->loop);
}
