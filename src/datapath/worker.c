/* worker.c - the packet path: one thread, one loop, whole ports. No lock but the one around the list of commands.
 *
 * Each turn: an event, then what it left behind in the NIC's notes, then one batch of every runnable queue. A register read
 * is never more than one batch away, or EVENTS_NS while batches are small.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "datapath/datapath.h"

/* While rings keep a polling worker busy and no event comes, it looks for one so often: a look costs as much as ten small frames. */
#define EVENTS_NS (NS_PER_MS / 100)

/* --- notes that a NIC left --- */

static void sync_timer(struct hosted_nic *hn)
{
	struct loop *loop = &hn->port->worker->loop;
	uint64_t deadline = hn->port->port.stopped ? 0 : hn->nic->notes.deadline_ns;

	if (deadline == hn->armed_ns)
		return;
	hn->armed_ns = deadline;
	if (!deadline)
		loop_timer_cancel(loop, &hn->timer);
	else if (loop_timer_set(loop, &hn->timer, clock_to_monotonic(hn->nic->clock, deadline)) < 0)
		log_error("%s: out of memory for its timer", hn->nic->spec.id);
}

static void take_notes(struct hosted_nic *hn)
{
	struct nic *nic = hn->nic;
	struct hosted_port *hp = hn->port;

	/* a bus reset is told even when no driver was there: all cards reset at once are the guest's reset */
	bool changed = nic_update_status(nic);
	if (changed || nic->status.asks || nic->status.bus_resets != hn->bus_resets_told)
		report_status(hn);
	nic->notes.rx_ready |= changed; /* a team waits for the driver of its transient card */
	sync_timer(hn);
	port_sync_offloads(&hp->port);
	if (nic->notes.rx_ready) {
		nic->notes.rx_ready = false;
		if (port_rx_waits(&hp->port) && port_deliver(&hp->port))
			hp->more_rx = true; /* the backend was not read meanwhile */
	}
}

/* At once, and then every PORT_ASK_NS for as long as it helps. */
static void ask_guest(struct hosted_port *hp)
{
	struct loop *loop = &hp->worker->loop;

	if (hp->ask_timer.slot || !port_ask(&hp->port))
		return;
	if (loop_timer_set(loop, &hp->ask_timer, monotonic_ns() + PORT_ASK_NS) < 0)
		log_error("%s: out of memory for its timer", hp->port.spec.id);
}

static void settle_port(struct hosted_port *hp)
{
	kernel_path_settle(hp);
	for (unsigned i = 0; i < hp->port.nics; i++)
		take_notes(&hp->nic[i]);
	if (hp->port.backend->up_changed)
		report_backend(hp);
	/* it became writable, or went down, or only this turn was over */
	if (hp->port.tx_blocked && !hp->port.backend->blocked)
		port_unblock(&hp->port);
	ask_guest(hp);
	if (hp->port.rx_paused || (hp->port.backend->more && port_wants_rx(&hp->port)))
		hp->more_rx = true;
	hosted_port_watch_backend(hp);
	for (unsigned i = 0; i < hp->port.nics; i++)
		if (nic_is_remote(hp->nic[i].nic))
			hosted_nic_watch_remote(&hp->nic[i]);
}

/* --- events --- */

static struct hosted_nic *hosted_of(const struct nic *nic)
{
	struct hosted_port *hp =
		(struct hosted_port *)nic->sink; /* struct port begins with its sink */

	for (unsigned i = 0; i < hp->port.nics; i++)
		if (hp->nic[i].nic == nic)
			return &hp->nic[i];
	return NULL;
}

static void serve_vfio(struct vfio_user *v, const struct loop_event *event)
{
	struct hosted_nic *hn = hosted_of(vfio_user_nic(v));

	if (!hn)
		return; /* no server is without its NIC */
	if (event->kind == FD_VFIO_LISTEN)
		vfio_user_accept(v);
	else
		vfio_user_serve(v, event->index, event->events);
	report_attached(hn);
	settle_port(hn->port);
}

static void serve_vhost(struct vhost_user *v, const struct loop_event *event)
{
	struct hosted_nic *hn = hosted_of(vhost_user_nic(v));

	if (!hn)
		return;
	if (event->kind == FD_VHOST_LISTEN)
		vhost_user_accept(v);
	else
		vhost_user_serve(v, event->index, event->events);
	report_attached(hn);
	settle_port(hn->port);
}

static void serve_backend(struct hosted_port *hp, const struct loop_event *event)
{
	struct backend *b = hp->port.backend;

	if (event->events & EPOLLOUT)
		b->ops->send(
			b, NULL,
			0); /* the rest of a frame that it took; settle_port unblocks the port */
	if ((event->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) &&
	    port_receive(&hp->port, event->index))
		hp->more_rx =
			true; /* frames may wait inside the backend, where the descriptor does not show them */
	settle_port(hp);
}

static void serve_remote(struct hosted_nic *hn, const struct loop_event *event)
{
	if (event->kind == FD_REMOTE_LISTEN)
		backend_accept(remote_stream(hn->nic));
	else
		remote_serve(hn->nic, event->events);
	report_attached(hn);
	settle_port(hn->port);
}

static void nic_timer(struct hosted_nic *hn)
{
	hn->armed_ns = 0;
	hn->nic->notes.deadline_ns = 0;
	hn->nic->ops->timer(hn->nic);
	settle_port(hn->port);
}

/* --- commands --- */

static struct hosted_port **find_port(struct worker *w, const char *id)
{
	struct hosted_port **hp = &w->ports;

	while (*hp && strcmp((*hp)->port.spec.id, id) != 0)
		hp = &(*hp)->next;
	return hp;
}

static int add_port(struct worker *w, struct hosted_port *hp, struct error *err)
{
	int rc = hosted_port_attach(hp, w, err);

	if (rc < 0) {
		hosted_port_detach(hp);
		hosted_port_destroy(hp);
		return rc;
	}
	hp->next = w->ports;
	w->ports = hp;
	if (hp->port.backend->up || hp->port.backend->reason[0])
		report_backend(hp);
	return 0;
}

static int remove_port(struct worker *w, const char *id, struct error *err)
{
	struct hosted_port **place = find_port(w, id);
	struct hosted_port *hp = *place;

	if (!hp)
		return error_set(err, -ENOENT, "no port %s here", id);
	*place = hp->next;
	hosted_port_detach(hp);
	hosted_port_destroy(hp);
	return 0;
}

/* Also told when it never was down for us: control may have seen its end first. */
static int renew_backend(struct worker *w, const struct worker_command *c, struct error *err)
{
	struct hosted_port *hp = *find_port(w, c->name.port);

	if (!hp) {
		for (unsigned i = 0; i < c->nfds; i++)
			close(c->fds[i]);
		return error_set(err, -ENOENT, "no port %s here", c->name.port);
	}
	kernel_path_leave(hp);
	hosted_port_unwatch_backend(hp);
	int rc = backend_renew(hp->port.backend, c->fds, c->nfds, err);
	report_backend(hp);
	settle_port(hp);
	return rc;
}

/* Before its NICs are reached for the first time. */
static int add_vhost(struct worker *w, const struct worker_command *c, struct error *err)
{
	struct hosted_port *hp = *find_port(w, c->name.port);

	if (hp)
		return kernel_path_open(hp, c->fds, c->nfds, err);
	for (unsigned i = 0; i < c->nfds; i++)
		close(c->fds[i]);
	return error_set(err, -ENOENT, "no port %s here", c->name.port);
}

static int set_links(struct worker *w, const struct msg_port_links *links, struct error *err)
{
	struct hosted_port *hp = *find_port(w, links->port);
	bool up[PORT_NICS];

	if (!hp)
		return error_set(err, -ENOENT, "no port %s here", links->port);
	for (unsigned i = 0; i < PORT_NICS; i++)
		up[i] = links->up[i];
	struct msg_links_applied applied = { .active = links->active };
	if (links->active != hp->port.active)
		kernel_path_leave(hp); /* what is posted goes out before the links move */
	applied.moved = port_set_links(&hp->port, up, links->active, links->receive);
	applied.duration_ns = links->cause_ns ? monotonic_ns() - links->cause_ns : 0;
	str_copy(applied.port, sizeof(applied.port), links->port);
	(void)message_send(w->control_fd, MSG_LINKS_APPLIED, 0, &applied, sizeof(applied), NULL, 0);
	settle_port(hp);
	return 0;
}

/* Frames of ours find no way while the kernel has the tap. */
static int announce(struct worker *w, const char *id, struct error *err)
{
	struct hosted_port *hp = *find_port(w, id);

	if (!hp)
		return error_set(err, -ENOENT, "no port %s here", id);
	kernel_path_leave(hp);
	port_announce(&hp->port);
	settle_port(hp);
	return 0;
}

/* What its client has said so far goes before the word of who asked the VMM. */
static void settle_client(struct hosted_nic *hn)
{
	vhost_user_settled(hn->vhost);
	report_attached(hn);
}

static void set_running(struct worker *w, bool running)
{
	for (struct hosted_port *hp = w->ports; hp; hp = hp->next) {
		if (running)
			clock_thaw(&hp->clock);
		else
			clock_freeze(&hp->clock);
		port_set_stopped(&hp->port, !running);
		/* deadlines are NIC time: they stand for another moment now */
		for (unsigned i = 0; i < hp->port.nics; i++)
			hp->nic[i].armed_ns = UINT64_MAX;
		if (running && port_rx_waits(&hp->port))
			port_deliver(&hp->port);
		for (unsigned i = 0; i < hp->port.nics; i++)
			if (hp->nic[i].vhost)
				settle_client(&hp->nic[i]);
		settle_port(hp);
	}
}

static void run_command(struct worker *w, struct worker_command *c)
{
	struct error err = { 0 };
	int rc = 0;

	switch (c->type) {
	case MSG_PORT_ADD:
		rc = add_port(w, c->port, &err);
		break;
	case MSG_PORT_REMOVE:
		rc = remove_port(w, c->name.port, &err);
		break;
	case MSG_BACKEND_RENEW:
		rc = renew_backend(w, c, &err);
		break;
	case MSG_PORT_VHOST:
		rc = add_vhost(w, c, &err);
		break;
	case MSG_PORT_LINKS:
		rc = set_links(w, &c->links, &err);
		break;
	case MSG_PORT_ANNOUNCE:
		rc = announce(w, c->name.port, &err);
		break;
	case MSG_GUEST_RUN:
		set_running(w, c->run.running);
		break;
	case MSG_COUNTERS_GET:
		for (const struct hosted_port *hp = w->ports; hp; hp = hp->next)
			report_counters(hp, c->seq);
		break;
	case MSG_QUIT:
		w->quit = true;
		return;
	default:
		rc = error_set(&err, -EPROTO, "a worker has no command %s",
			       message_type_name(c->type));
		break;
	}
	if (c->left && atomic_fetch_sub(c->left, 1) > 1)
		return;
	free(c->left);
	report_reply(w->control_fd, c->seq, rc, &err);
}

static void run_commands(struct worker *w)
{
	uint64_t count;

	if (read(w->wake.fd, &count, sizeof(count)) < 0)
		return; /* EAGAIN: an earlier turn took them all */
	pthread_mutex_lock(&w->lock);
	struct worker_command *c = w->commands;
	w->commands = NULL;
	w->commands_end = &w->commands;
	pthread_mutex_unlock(&w->lock);
	while (c) {
		struct worker_command *next = c->next;
		run_command(w, c);
		free(c);
		c = next;
	}
}

/* --- the loop --- */

static void dispatch(struct worker *w, const struct loop_event *event)
{
	switch ((enum fd_kind)event->kind) {
	case FD_COMMAND:
		run_commands(w);
		break;
	case FD_VFIO_LISTEN:
	case FD_VFIO_CONNECTION:
		serve_vfio(event->owner, event);
		break;
	case FD_VHOST_LISTEN:
	case FD_VHOST_CONNECTION:
		serve_vhost(event->owner, event);
		break;
	case FD_BACKEND:
		serve_backend(event->owner, event);
		break;
	case FD_BACKEND_LISTEN: {
		struct hosted_port *hp = event->owner;
		backend_accept(hp->port.backend);
		settle_port(hp);
		break;
	}
	case FD_REMOTE:
	case FD_REMOTE_LISTEN:
		serve_remote(event->owner, event);
		break;
	case FD_KERNEL: {
		struct hosted_port *hp = event->owner;
		if (hp->kernel)
			virtio_kernel_event(hp->kernel->nic, event->index);
		settle_port(hp);
		break;
	}
	case TIMER_REPORT:
		settle_port(((struct hosted_nic *)event->owner)->port);
		break;
	case TIMER_ASK:
		settle_port(event->owner); /* which asks again */
		break;
	case TIMER_NIC:
		nic_timer(event->owner);
		break;
	}
}

static bool has_work(const struct hosted_port *hp)
{
	if (hp->port.stopped)
		return false;
	/* rx_ready after settling: buffers keep coming without a kick while the card looks */
	for (unsigned i = 0; i < hp->port.nics; i++)
		if (hp->port.nic[i]->notes.runnable ||
		    (hp->port.nic[i]->notes.rx_ready && port_rx_waits(&hp->port)))
			return true;
	return hp->more_rx;
}

/* One batch of every queue that can run. True when there is more. */
static bool run_ports(struct worker *w)
{
	bool more = false;

	for (struct hosted_port *hp = w->ports; hp; hp = hp->next) {
		if (!has_work(hp))
			continue;
		if (hp->more_rx) {
			hp->more_rx = false;
			for (unsigned q = 0; q < hp->port.backend->fds; q++)
				hp->more_rx |= port_receive(&hp->port, q);
			settle_port(hp);
		}
		port_transmit(&hp->port);
		settle_port(hp);
		more |= has_work(hp); /* also what settling found: no event would tell */
	}
	return more;
}

static void set_polled(struct worker *w, bool polled)
{
	for (struct hosted_port *hp = w->ports; hp; hp = hp->next)
		for (unsigned i = 0; i < hp->port.nics; i++)
			hp->port.nic[i]->polled = polled;
}

/* Rings whose driver need not tell that it added something are looked at in every turn. */
static void look_at_rings(struct worker *w)
{
	for (struct hosted_port *hp = w->ports; hp; hp = hp->next)
		for (unsigned i = 0; i < hp->port.nics; i++) {
			struct nic *nic = hp->port.nic[i];
			nic->notes.runnable |= nic->pollable;
			nic->notes.rx_ready |= nic->pollable && port_rx_waits(&hp->port);
		}
}

/* Before it sleeps, every driver is asked to tell. True when there was something to do after all. */
static bool ask_to_be_told(struct worker *w)
{
	set_polled(w, false);
	look_at_rings(w);
	return run_ports(w);
}

/* An event that is there already. While rings are busy and the last look found none, the next one waits a little. */
static int look_for_event(struct worker *w, struct loop_event *event, bool busy)
{
	if (busy && monotonic_ns() < w->no_event_until_ns)
		return 0;
	int n = loop_next(&w->loop, event, 0);
	w->no_event_until_ns = n == 0 ? monotonic_ns() + EVENTS_NS : 0;
	return n;
}

/* The next event. A worker that may poll looks at its rings and for events until nothing came for a while, and sleeps only then. */
static int wait_event(struct worker *w, struct loop_event *event, bool busy)
{
	if (!w->poll_ns)
		return loop_next(&w->loop, event, busy ? 0 : -1);
	if (busy) {
		w->poll_until_ns = 0;
	} else if (!w->poll_until_ns) {
		w->poll_until_ns = monotonic_ns() + w->poll_ns;
	} else if (monotonic_ns() >= w->poll_until_ns) {
		bool found = ask_to_be_told(w);
		int n = loop_next(&w->loop, event, found ? 0 : -1);
		w->poll_until_ns = 0;
		set_polled(w, true);
		look_at_rings(w);
		return n;
	}
	look_at_rings(w);
	return look_for_event(w, event, busy);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	bool more = false;

	while (!w->quit) {
		struct loop_event event;
		int n = wait_event(w, &event, more);
		if (n < 0 && n != -EINTR) {
			log_error("worker %u: waiting failed: %s", w->number, strerror(-n));
			break;
		}
		if (n > 0)
			dispatch(w, &event);
		more = run_ports(w);
	}
	while (w->ports) {
		struct hosted_port *hp = w->ports;
		w->ports = hp->next;
		hosted_port_detach(hp);
		hosted_port_destroy(hp);
	}
	return NULL;
}

int worker_init(struct worker *w, unsigned number, int control_fd, struct error *err)
{
	*w = (struct worker){ .number = number, .control_fd = control_fd, .wake.fd = -1 };
	w->commands_end = &w->commands;
	pthread_mutex_init(&w->lock, NULL);
	int rc = loop_init(&w->loop, err);
	if (rc < 0)
		return rc;
	w->batch = calloc(FRAME_BATCH, sizeof(*w->batch));
	if (!w->batch || port_scratch_init(&w->scratch) < 0) {
		rc = error_set(err, -ENOMEM, "worker %u: out of memory", number);
		goto fail;
	}
	w->wake = (struct loop_source){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
					.kind = FD_COMMAND };
	rc = w->wake.fd < 0 ? -errno : loop_watch(&w->loop, &w->wake, EPOLLIN);
	if (rc < 0) {
		error_set(err, rc, "worker %u: no eventfd: %s", number, strerror(-rc));
		goto fail;
	}
	return 0;

fail:
	worker_finish(w);
	return rc;
}

void worker_finish(struct worker *w)
{
	if (w->wake.fd >= 0)
		loop_unwatch(&w->loop, &w->wake);
	fd_close(&w->wake.fd);
	loop_finish(&w->loop);
	port_scratch_finish(&w->scratch);
	free(w->batch);
	w->batch = NULL;
}

int worker_start(struct worker *w, struct error *err)
{
	int rc = pthread_create(&w->thread, NULL, worker_main, w);

	if (rc)
		return error_set(err, -rc, "worker %u: no thread: %s", w->number, strerror(rc));
	w->running = true;
	return 0;
}

void worker_send(struct worker *w, struct worker_command *c)
{
	uint64_t one = 1;

	if (!w->running) {
		/* before the start there is no thread yet: the caller does it, so that errors come before the guest */
		run_command(w, c);
		free(c);
		return;
	}
	c->next = NULL;
	pthread_mutex_lock(&w->lock);
	*w->commands_end = c;
	w->commands_end = &c->next;
	pthread_mutex_unlock(&w->lock);
	if (write(w->wake.fd, &one, sizeof(one)) < 0)
		log_error("worker %u: cannot be woken: %s", w->number, strerror(errno));
}

void worker_stop(struct worker *w)
{
	struct worker_command *quit = calloc(1, sizeof(*quit));

	if (!w->running || !quit) {
		free(quit);
		return;
	}
	quit->type = MSG_QUIT;
	worker_send(w, quit);
	pthread_join(w->thread, NULL);
	w->running = false;
}
