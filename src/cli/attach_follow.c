#include "cli/attach_follow.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cli/known.h"
#include "cli/service.h"
#include "qemu/qmp_call.h"

#define PAUSE_FIRST_NS (100 * NS_PER_MS)
#define PAUSE_MOST_NS  (5 * NS_PER_S)
#define GREETING_NS    (3 * NS_PER_S) /* somebody else may have the monitor */
#define LOOK_NS	       (2 * NS_PER_S)
#define UNSEEN_NS      (30 * NS_PER_S) /* a QEMU whose process cannot be seen is waited for so long */

static void set_timer(struct follow *f, uint64_t ns)
{
	loop_timer_set(&f->service->loop, &f->timer, monotonic_ns() + ns);
}

/* --- reaching it ------------------------------------------------------------------------------------------------- */

int follow_connect(const char *path, struct ucred *peer, struct error *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(*peer);

	if (!str_copy(a.sun_path, sizeof(a.sun_path), path))
		return error_set(err, -EINVAL, "--qmp %s: the path is longer than %zu bytes", path,
				 sizeof(a.sun_path) - 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		int rc = -errno;

		close(fd);
		if (rc == -EAGAIN)
			return error_set(err, rc,
					 "--qmp %s: other clients have this monitor; give QEMU one "
					 "more, as in -qmp unix:PATH,server=on,wait=off",
					 path);
		if (rc == -ECONNREFUSED || rc == -EPROTOTYPE || rc == -ENOTSOCK)
			return error_set(err, rc,
					 "--qmp %s: nobody answers there; start QEMU with -qmp "
					 "unix:%s,server=on,wait=off",
					 path, path);
		return error_set(err, rc, "--qmp %s: %s; it is the socket of QEMU's -qmp option",
				 path, strerror(-rc));
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) < 0)
		peer->pid = 0;
	return fd;
}

static bool process_has_ended(const struct follow *f)
{
	struct pollfd p = { .fd = f->process.fd, .events = POLLIN };

	return f->process.fd >= 0 && poll(&p, 1, 0) > 0;
}

static void pause_for_next(struct follow *f, const char *why)
{
	if (strcmp(f->why, why) != 0) /* once, not with each attempt */
		log_warning("%s; the monitor is tried again while the guest lives", why);
	str_copy(f->why, sizeof(f->why), why);
	f->pause_ns = f->pause_ns ? MIN(2 * f->pause_ns, PAUSE_MOST_NS) : PAUSE_FIRST_NS;
	f->state = FOLLOW_AWAY;
	set_timer(f, f->pause_ns);
}

/* No more of this connection. */
static void drop_monitor(struct follow *f)
{
	struct service *s = f->service;

	card_watch_stop(&s->cards);
	loop_unwatch(&s->loop, &s->monitor_source);
	control_set_monitor(&s->control, NULL, false);
	control_monitor_lost(&s->control);
	qmp_client_destroy(s->monitor);
	s->monitor = NULL;
	memset(f->asked, 0, sizeof(f->asked));
}

bool follow_lost(struct follow *f, const char *why)
{
	if (process_has_ended(f) || f->service->control.over)
		return false;
	control_monitor_lost(&f->service->control);
	memset(f->asked, 0, sizeof(f->asked));
	if (f->state == FOLLOW_READY) {
		f->away_ns = monotonic_ns();
		f->pause_ns = 0;
		f->why[0] = '\0';
	}
	pause_for_next(f, why);
	return true;
}

static void connect_again(struct follow *f)
{
	struct service *s = f->service;
	struct error err = { 0 };
	struct ucred peer = { 0 };

	int fd = follow_connect(f->path, &peer, &err);
	if (fd >= 0 && f->pid > 0 && peer.pid != f->pid) {
		error_set(&err, -ESRCH, "--qmp %s: that is another process now (%d)", f->path,
			  (int)peer.pid);
		fd_close(&fd);
	}
	if (fd >= 0)
		s->monitor = qmp_client_create(fd, &err);
	if (!s->monitor) {
		s->ended |= f->process.fd < 0 && monotonic_ns() - f->away_ns > UNSEEN_NS;
		pause_for_next(f, err.text);
		return;
	}
	s->monitor_source =
		(struct loop_source){ .fd = qmp_client_fd(s->monitor), .kind = KIND_QEMU_MONITOR };
	loop_watch(&s->loop, &s->monitor_source, EPOLLIN);
	f->state = FOLLOW_GREETING;
	set_timer(f, GREETING_NS);
}

/* --- ports ------------------------------------------------------------------------------------------------------- */

static void take_port(struct follow *f, unsigned i, const struct found_port *port)
{
	f->port[i] = *port;
	f->spec[i] = port->spec;
	for (unsigned n = 0; n < port->spec.nics; n++) {
		f->card[i][n] = *port->card[n];
		f->port[i].card[n] = &f->card[i][n];
	}
}

void follow_take_ports(struct follow *f)
{
	for (unsigned i = 0; i < f->ports; i++)
		take_port(f, i, &f->port[i]);
}

/* Where a card of this name is; -1 = it is a new one. */
static int port_with(const struct follow *f, const char *name, unsigned *nic)
{
	for (unsigned i = 0; i < f->ports; i++)
		for (unsigned n = 0; n < f->port[i].spec.nics; n++)
			if (strcmp(f->port[i].spec.nic[n].id, name) == 0) {
				*nic = n;
				return (int)i;
			}
	return -1;
}

/* Cards of pairs stay where they are; the rest is left in `g`. */
static void take_known(struct follow *f, struct found_guest *g)
{
	unsigned kept = 0, nic;

	for (unsigned c = 0; c < g->cards; c++) {
		int i = port_with(f, g->card[c].name, &nic);

		if (i >= 0)
			f->card[i][nic] = g->card[c]; /* it may have another place in QEMU's tree */
		if (i < 0 || f->port[i].spec.nics == 1)
			g->card[kept++] = g->card[c];
	}
	g->cards = kept;
}

static bool id_is_free(const struct follow *f, const char *id)
{
	for (unsigned i = 0; i < f->ports; i++)
		if (strcmp(f->spec[i].id, id) == 0)
			return false;
	return true;
}

/* A pair is named by number, and the numbers of kept ones are unknown to who named it. */
static void name_port(const struct follow *f, struct found_port *port)
{
	for (unsigned k = 0; port->spec.nics > 1 && !id_is_free(f, port->spec.id); k++)
		snprintf(port->spec.id, sizeof(port->spec.id), "port%u", k);
}

void follow_describe_port(struct control_port *p)
{
	p->driver = DRIVER_QEMU;
	str_copy(p->driver_why, sizeof(p->driver_why),
		 "QEMU's own backend, made by who started the guest; whether vhost serves "
		 "it is not known");
}

/* One that was put together of what is not in a pair yet. Two cards that were singles before stay so. */
static void add_port(struct follow *f, struct found_port *port)
{
	struct control *c = &f->service->control;
	int at[PORT_NICS] = { -1, -1 };
	unsigned nic, old = 0;

	for (unsigned n = 0; n < port->spec.nics; n++) {
		at[n] = port_with(f, port->card[n]->name, &nic);
		old += at[n] >= 0;
	}
	if (old == port->spec.nics || (!old && f->ports == PORTS_MAX))
		return;
	name_port(f, port);
	unsigned i = at[0] >= 0 ? (unsigned)at[0] : at[1] >= 0 ? (unsigned)at[1] : f->ports++;
	take_port(f, i, port);
	control_set_port(c, i, &f->spec[i]);
	follow_describe_port(&c->port[i]);
	log_warning("card %s has come: port %s%s%s", f->card[i][port->spec.nics - 1].name,
		    f->spec[i].id, port->why[0] ? ", a pair: " : "", port->why);
}

static int find_again(struct follow *f)
{
	static struct found_port found[PORTS_MAX];
	static struct found_guest rest;
	struct error err = { 0 };
	unsigned count;

	int rc = qemu_list_cards(&f->guest, f->service->monitor, &err);
	if (rc < 0) {
		drop_monitor(f);
		pause_for_next(f, err.text);
		return rc;
	}
	rest = f->guest;
	take_known(f, &rest);
	if (qemu_pair_cards(found, &count, &rest, NULL, 0, cli_known(), &err) < 0)
		return 0;
	for (unsigned i = 0; i < count; i++)
		add_port(f, &found[i]);
	return 0;
}

/* --- what happens ------------------------------------------------------------------------------------------------ */

static bool begin_anew(struct follow *f)
{
	struct service *s = f->service;

	if (f->all && find_again(f) < 0)
		return false;
	f->state = FOLLOW_READY;
	service_watch_found(s, f->port);
	s->status_id = qmp_client_query_status(s->monitor);
	set_timer(f, LOOK_NS);
	return true;
}

bool follow_ready(struct follow *f)
{
	log_info("QEMU's monitor is back");
	f->why[0] = '\0';
	return begin_anew(f);
}

bool follow_reply(struct follow *f, uint64_t id, json_object *data, bool *ours)
{
	*ours = false;
	for (unsigned i = 0; i < FOUND_FOLDERS; i++) {
		if (!f->asked[i] || f->asked[i] != id)
			continue;
		*ours = true;
		f->asked[i] = 0;
		if (!data || found_list_mark(data) == f->guest.mark[i])
			continue;
		memset(f->asked, 0, sizeof(f->asked));
		control_set_monitor(&f->service->control, NULL,
				    false); /* nobody waits for what is cut short */
		return begin_anew(f);
	}
	return true;
}

static void ask_for_devices(struct follow *f)
{
	for (unsigned i = 0; f->all && i < FOUND_FOLDERS; i++)
		if (!f->asked[i])
			f->asked[i] = qmp_client_send(f->service->monitor, "qom-list",
						      qmp_text_argument("path", found_folders[i]));
	set_timer(f, LOOK_NS);
}

void follow_event(struct follow *f, const char *name)
{
	if (f->state == FOLLOW_READY && strcmp(name, "DEVICE_DELETED") == 0)
		ask_for_devices(f);
}

void follow_timer(struct follow *f)
{
	switch (f->state) {
	case FOLLOW_READY:
		if (f->service->monitor)
			ask_for_devices(f);
		break;
	case FOLLOW_AWAY:
		connect_again(f);
		break;
	case FOLLOW_GREETING:
		drop_monitor(f);
		pause_for_next(f, "QEMU's monitor does not greet: another client has it");
		break;
	case FOLLOW_STATE_COUNT:
		break;
	}
}

int follow_start(struct follow *f, struct service *s, struct error *err)
{
	f->service = s;
	f->process = (struct loop_source){ .fd = -1, .kind = KIND_VMM_PROCESS };
	f->timer = (struct loop_timer){ .kind = KIND_FOLLOW_TIMER, .owner = f };
	if (f->pid > 0)
		f->process.fd = (int)syscall(SYS_pidfd_open, f->pid, 0);
	int rc = f->process.fd >= 0 ? loop_watch(&s->loop, &f->process, EPOLLIN) : 0;
	if (rc == 0)
		rc = service_attach(s, f->port, err);
	s->follow = f;
	if (rc == 0)
		set_timer(f, LOOK_NS);
	return rc;
}

void follow_finish(struct follow *f)
{
	if (!f->service)
		return;
	loop_timer_cancel(&f->service->loop, &f->timer);
	loop_unwatch(&f->service->loop, &f->process);
	fd_close(&f->process.fd);
	f->service = NULL;
}
