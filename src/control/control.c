#include "control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/migration.h"

/* Some guests and chipsets reset more than once for one reboot: those within this time, before any driver shows up, are one. */
#define RESET_REPEAT_NS (1 * NS_PER_S)

int control_init(struct control *c, const char *name, struct loop *loop, struct datapath *datapath,
		 const struct port_spec *ports, unsigned count, struct error *err)
{
	*c = (struct control){ .name = name, .loop = loop, .datapath = datapath, .running = true };
	c->announce_timer = (struct loop_timer){ .kind = KIND_ANNOUNCE_TIMER };
	c->port = calloc(MAX(count, (unsigned)PORTS_MAX), sizeof(*c->port));
	if (!c->port)
		return error_set(err, -ENOMEM, "out of memory");
	c->ports = count;
	for (unsigned i = 0; i < count; i++)
		control_port_init(&c->port[i], c, &ports[i]);
	return 0;
}

void control_set_port(struct control *c, unsigned i, const struct port_spec *spec)
{
	if (i < c->ports)
		control_port_finish(&c->port[i]);
	else
		c->ports = i + 1;
	control_port_init(&c->port[i], c, spec);
}

void control_drop_port(struct control *c, unsigned i)
{
	static const struct port_spec none;

	control_set_port(c, i, &none);
}

void control_finish(struct control *c)
{
	for (unsigned i = 0; i < c->ports; i++)
		control_port_finish(&c->port[i]);
	for (json_object *e = control_next_event(c); e; e = control_next_event(c))
		json_object_put(e);
	if (c->loop)
		loop_timer_cancel(c->loop, &c->announce_timer);
	json_object_put(c->reset_data);
	free(c->queue);
	free(c->port);
	*c = (struct control){ 0 };
}

void control_start(struct control *c)
{
	for (unsigned i = 0; i < c->ports; i++)
		control_port_start(&c->port[i]);
}

/* --- events ----------------------------------------------------------------------------------------------------- */

json_object *control_next_event(struct control *c)
{
	if (c->queue_at == c->queue_count) {
		c->queue_at = c->queue_count = 0;
		return NULL;
	}
	return c->queue[c->queue_at++];
}

void control_event(struct control *c, enum event_kind kind, json_object *data)
{
	if (c->queue_count == c->queue_room) {
		unsigned room = c->queue_room ? 2 * c->queue_room : 32;
		json_object **queue = realloc(c->queue, room * sizeof(json_object *));
		if (!queue) {
			json_object_put(data);
			return;
		}
		c->queue = queue;
		c->queue_room = room;
	}
	c->queue[c->queue_count++] = event_make(kind, data);
}

void control_port_event(struct control_port *p, enum event_kind kind)
{
	json_object *data = json_object_new_object();

	json_object_object_add(data, "port", json_object_new_string(p->spec.id));
	control_event(p->control, kind, data);
}

/* --- looking up ------------------------------------------------------------------------------------------------- */

struct control_port *control_find_port(struct control *c, const char *id)
{
	for (unsigned i = 0; i < c->ports; i++)
		if (c->port[i].spec.nics && strcmp(c->port[i].spec.id, id) == 0)
			return &c->port[i];
	return NULL;
}

static struct control_port *find_nic(struct control *c, const char *id, unsigned *index)
{
	for (unsigned i = 0; i < c->ports; i++)
		for (unsigned n = 0; n < c->port[i].spec.nics; n++)
			if (strcmp(c->port[i].spec.nic[n].id, id) == 0) {
				*index = n;
				return &c->port[i];
			}
	return NULL;
}

/* Links are set by the datapath, and by QEMU with a command that it answers after it told the reset: people read first what became of
 * them. */
static void tell_reset(struct control *c)
{
	for (unsigned i = 0; i < c->ports; i++)
		if (c->port[i].steps)
			return;
	if (c->reset_waits)
		control_event(c, EVENT_RESET, c->reset_data);
	c->reset_waits = false;
	c->reset_data = NULL;
}

/* --- reports of the datapath ------------------------------------------------------------------------------------ */

/* Text of a message ends in NUL even if the sender forgot, and holds nothing that a terminal obeys or JSON forbids: the datapath process may
 * be a guest's. */
static void take_text(char *to, size_t size, const char *from, size_t from_size)
{
	size_t length = strnlen(from, MIN(size - 1, from_size));

	for (size_t i = 0; i < length; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[length] = '\0';
}

#define TAKE_TEXT(to, from) take_text(to, sizeof(to), from, sizeof(from))

static void tell_status(struct control_port *p, unsigned index, enum driver_state previous)
{
	const struct control_nic *nic = &p->nic[index];
	json_object *data = json_object_new_object();

	json_object_object_add(data, "nic", json_object_new_string(p->spec.nic[index].id));
	json_object_object_add(data, "port", json_object_new_string(p->spec.id));
	json_object_object_add(data, "model", json_object_new_string(p->spec.nic[index].model));
	json_object_object_add(data, "status",
			       json_object_new_string(name_of(driver_state_names,
							      DRIVER_STATE_COUNT, nic->status)));
	json_object_object_add(
		data, "previous",
		json_object_new_string(name_of(driver_state_names, DRIVER_STATE_COUNT, previous)));
	json_object_object_add(data, "phase",
			       json_object_new_string(name_of(driver_phase_names,
							      DRIVER_PHASE_COUNT, nic->phase)));
	json_object_object_add(data, "evidence", json_object_new_string(nic->evidence));
	control_event(p->control, EVENT_GUEST_DRIVER_STATUS_CHANGED, data);
}

void control_nic_report(struct control *c, const struct nic_report *r)
{
	unsigned index;
	struct control_port *p = find_nic(c, r->nic, &index);

	if (!p || r->now.state >= DRIVER_STATE_COUNT || r->now.phase >= DRIVER_PHASE_COUNT)
		return;
	struct control_nic *nic = &p->nic[index];
	enum driver_state previous = nic->status;
	enum driver_phase phase = nic->phase;
	bool standby = nic->standby;
	nic->standby = r->now.standby;
	nic->status = r->now.state;
	nic->phase = r->now.phase;
	TAKE_TEXT(nic->evidence, r->now.evidence);
	nic->resets = r->resets;
	if (nic->status != DRIVER_NONE)
		c->touched = true;
	if (c->over)
		return;
	/* The phase alone is news only of a driver that works (firmware hands over to a system); until then it is a guess that comes
	 * true or not while the driver starts. A reset of a card that no driver had touched is no news either.
	 */
	if (nic->status != previous || (nic->status == DRIVER_READY && nic->phase != phase)) {
		nic->since_ns = r->since_ns;
		tell_status(p, index, previous);
	}
	/* the reset first: a loss that comes with it has its cause then */
	if (r->bus_reset)
		control_port_nic_reset(p, index);
	/* ... and a driver that is ready again by the time that it is told was not lost */
	if (nic->status != previous || nic->standby != standby || r->bus_reset) {
		control_port_status_changed(p, index);
		control_port_show_link(p, index);
	}
}

static void tell_running(struct control *c)
{
	struct msg_guest_run run = { .running = c->running };

	c->run_asked = 0;
	if (c->datapath && !c->datapath_gone)
		datapath_send(c->datapath, MSG_GUEST_RUN, &run, sizeof(run));
}

/* Rings of a vhost-user card stand still, and its client is one that does not say why. QEMU stops and starts them in the turn in which
 * it stops the guest or moves the link: when it has answered, we have heard of the former and the card of the latter. */
static void ask_for_card(struct control *c)
{
	c->run_asked = c->monitor ? qmp_client_query_status(c->monitor) : 0;
	if (!c->run_asked)
		tell_running(c);
}

static void nic_status(struct control *c, const struct msg_nic_status *m)
{
	char id[ID_MAX];
	struct nic_report r = {
		.nic = id,
		.now = { .state = m->state, .phase = m->phase, .standby = m->standby != 0 },
		.since_ns = m->since_ns,
		.resets = m->resets,
		.bus_reset = m->bus_reset
	};

	TAKE_TEXT(id, m->nic);
	TAKE_TEXT(r.now.evidence, m->evidence);
	control_nic_report(c, &r);
	if (m->asks)
		ask_for_card(c);
}

void control_nic_attached(struct control *c, const char *id, bool attached, const char *problem)
{
	unsigned index;
	struct control_port *p = find_nic(c, id, &index);

	if (!p)
		return;
	p->nic[index].attached = attached;
	if (p->spec.policy == POLICY_TEAM)
		control_team_attached(p, index);
	str_copy(p->nic[index].problem, sizeof(p->nic[index].problem), problem);
	if (p->nic[index].problem[0])
		log_error("%s: %s", id, p->nic[index].problem);
}

static void nic_attached(struct control *c, const struct msg_nic_attached *m)
{
	char id[ID_MAX], problem[sizeof(m->problem)];

	TAKE_TEXT(id, m->nic);
	TAKE_TEXT(problem, m->problem);
	control_nic_attached(c, id, m->attached, problem);
}

static void tell_backend(struct control_port *p)
{
	json_object *data = json_object_new_object();

	json_object_object_add(data, "port", json_object_new_string(p->spec.id));
	json_object_object_add(data, "up", json_object_new_boolean(p->backend_up));
	json_object_object_add(data, "reason", json_object_new_string(p->backend_reason));
	control_event(p->control, EVENT_BACKEND_STATUS_CHANGED, data);
}

bool control_backend_judge(struct control_port *p)
{
	const struct port_host *host = NULL;
	const char *reason = "";
	bool was = p->backend_up;

	for (unsigned i = 0; i < PORT_NICS && !host; i++)
		if (p->host[i].down)
			host = &p->host[i];
	/* without a datapath nothing of the host matters; else its links say more exactly what is wrong */
	if (p->path.down && (p->control->datapath_gone || !host))
		reason = p->path.reason;
	else if (host)
		reason = host->reason;
	bool up = !p->path.down && !host;

	p->backend_up = up;
	str_copy(p->backend_reason, sizeof(p->backend_reason), reason);
	if (up != was)
		tell_backend(p);
	return up != was;
}

void control_backend_renews(struct control_port *p, const char *reason)
{
	p->path.renewing = true;
	p->path.down = true;
	str_copy(p->path.reason, sizeof(p->path.reason), reason);
	control_backend_judge(p);
}

static void backend_status(struct control *c, const struct msg_backend_status *m)
{
	char id[ID_MAX];

	TAKE_TEXT(id, m->port);
	struct control_port *p = control_find_port(c, id);
	if (!p)
		return;
	p->path.renewing &= m->up == 0;
	if (p->path.down == (m->up == 0))
		return;
	p->path.down = m->up == 0;
	TAKE_TEXT(p->path.reason, m->reason);
	control_backend_judge(p);
}

static void links_applied(struct control *c, const struct msg_links_applied *m)
{
	char id[ID_MAX];

	TAKE_TEXT(id, m->port);
	struct control_port *p = control_find_port(c, id);
	if (!p)
		return;
	control_port_links_applied(p, m);
	tell_reset(c);
}

static void counters(struct control *c, const struct msg_counters *m)
{
	char id[ID_MAX];

	TAKE_TEXT(id, m->port);
	struct control_port *p = control_find_port(c, id);
	if (p)
		p->counters = *m;
}

static void reply(struct control *c, uint32_t seq, const struct msg_reply *m)
{
	for (unsigned i = 0; m->code < 0 && i < c->ports; i++)
		control_port_step_refused(&c->port[i], seq);
	tell_reset(c);
}

static void log_line(const struct msg_log *m)
{
	char text[LOG_TEXT];

	TAKE_TEXT(text, m->text);
	if (m->level < LOG_LEVEL_COUNT)
		log_write(m->level, "%s", text);
}

void control_report(struct control *c, const struct message *m)
{
	const void *body;

	switch (m->type) {
	case MSG_NIC_STATUS:
		if ((body = message_body(m, sizeof(struct msg_nic_status))))
			nic_status(c, body);
		break;
	case MSG_NIC_ATTACHED:
		if ((body = message_body(m, sizeof(struct msg_nic_attached))))
			nic_attached(c, body);
		break;
	case MSG_BACKEND_STATUS:
		if ((body = message_body(m, sizeof(struct msg_backend_status))))
			backend_status(c, body);
		break;
	case MSG_LINKS_APPLIED:
		if ((body = message_body(m, sizeof(struct msg_links_applied))))
			links_applied(c, body);
		break;
	case MSG_COUNTERS:
		if ((body = message_body(m, sizeof(struct msg_counters))))
			counters(c, body);
		break;
	case MSG_REPLY:
		if ((body = message_body(m, sizeof(struct msg_reply))))
			reply(c, m->seq, body);
		break;
	case MSG_LOG:
		if ((body = message_body(m, sizeof(struct msg_log))))
			log_line(body);
		break;
	default:
		break; /* nothing that control waits for here */
	}
}

void control_datapath_gone(struct control *c)
{
	if (c->datapath_gone)
		return;
	c->datapath_gone = true;
	log_error("%s; the guest goes on without network: start it again", c->datapath->why);
	for (unsigned i = 0; i < c->ports; i++) {
		struct control_port *p = &c->port[i];
		if (!port_in_datapath(&p->spec))
			continue;
		str_copy(p->path.reason, sizeof(p->path.reason), c->datapath->why);
		p->path.down = true;
		if (!control_backend_judge(p)) /* down already: now for another reason */
			tell_backend(p);
		control_port_datapath_gone(p);
	}
	tell_reset(c);
}

/* --- timers, QEMU, administrators ------------------------------------------------------------------------------- */

/* Between its end and this call: by a report that was read first. */
static bool is_set_anew(const struct control_port *p, unsigned kind)
{
	const struct loop_timer *timer = kind == KIND_LEGACY_TIMER ? &p->legacy_timer
					 : kind == KIND_HOLD_TIMER ? &p->hold_timer
								   : &p->lost_timer;

	return timer->slot != 0;
}

void control_timer(struct control *c, unsigned kind, struct control_port *port)
{
	if (kind == KIND_ANNOUNCE_TIMER) {
		control_announce_timer(c);
		return;
	}
	if (is_set_anew(port, kind))
		return;
	if (!c->datapath_gone || !port_in_datapath(&port->spec))
		control_port_timer(port, kind);
}

void control_set_running(struct control *c, bool running)
{
	if (c->running == running)
		return;
	c->running = running;
	c->awaited &= !running;
	tell_running(c);
	for (unsigned i = 0; i < c->ports; i++)
		control_port_guest_running(&c->port[i], running);
}

void control_take_over(struct control *c)
{
	c->arriving = false;
	for (unsigned i = 0; i < c->ports; i++) {
		struct control_port *p = &c->port[i];

		if (p->spec.policy != POLICY_SWITCH && c->attached)
			continue;
		/* a driver that was ready before we came has waited long enough */
		if (p->policy.waiting)
			control_port_timer(p, KIND_LEGACY_TIMER);
		/* of a guest that came from elsewhere QEMU has the links that it had there */
		control_port_tell_qemu(p);
	}
	if (!c->monitor || c->attached)
		return;
	/* the network learns where the guest is now: QEMU said so itself when the guest came, but what it sent before the links were
	 * right went nowhere */
	control_announce(c);
	if (c->migration)
		migration_arrived(c->migration);
	json_object *data = json_object_new_object();
	json_object_object_add(data, "status", json_object_new_string("arrived"));
	for (unsigned i = 0; i < c->ports; i++)
		if (c->port[i].function.why[0])
			json_object_object_add(data, "reason",
					       json_object_new_string(c->port[i].function.why));
	control_event(c, EVENT_MIGRATION, data);
}

bool control_waits_for_qemu(const struct control *c)
{
	for (unsigned i = 0; c->monitor && i < c->ports; i++)
		if (control_port_waits_for_qemu(&c->port[i]))
			return true;
	return false;
}

void control_set_monitor(struct control *c, struct qmp_client *monitor, bool go_on)
{
	c->monitor = monitor;
	c->monitor_gone &= !monitor;
	if (!monitor && c->run_asked)
		tell_running(c);
	c->cards_asked = 0;
	for (unsigned i = 0; !monitor && i < c->ports; i++)
		control_port_qemu_gone(&c->port[i]);
	tell_reset(c);
	/* a guest that comes brings its links along, and may be there before this is read: until it is taken over they stay */
	for (unsigned i = 0; monitor && !c->attached && !c->awaited && i < c->ports; i++)
		control_port_tell_qemu(&c->port[i]);
	c->continuing = monitor && go_on;
	if (c->continuing)
		qmp_client_cont(monitor);
}

bool control_port_out_of_reach(const struct control_port *p)
{
	for (unsigned i = 0; p->control->monitor_gone && i < p->spec.nics; i++)
		if (nic_link_is_qemus(&p->spec.nic[i]))
			return true;
	return false;
}

void control_monitor_lost(struct control *c)
{
	c->monitor_gone = true;
}

bool control_qemu_replied(struct control *c, uint64_t id, const char *error)
{
	if (id && id == c->run_asked) {
		tell_running(c);
		return true;
	}
	for (unsigned i = 0; i < c->ports; i++)
		if (control_port_no_reset(&c->port[i], id) ||
		    control_port_qemu_replied(&c->port[i], id, error)) {
			tell_reset(c);
			return true;
		}
	return false;
}

static void guest_was_reset(struct control *c, json_object *data)
{
	uint64_t now = monotonic_ns();
	bool repeat = c->reset_ns && !c->touched && now - c->reset_ns < RESET_REPEAT_NS;

	c->reset_ns = now;
	if (repeat)
		return;
	c->touched = false;
	c->over = false;
	c->reset_waits = true;
	json_object_put(c->reset_data);
	c->reset_data = json_object_get(data);
	tell_reset(c);
	for (unsigned i = 0; i < c->ports; i++)
		control_port_guest_reset(&c->port[i]);
}

/* QEMU's word that the guest pairs the cards of a team. */
static void guest_pairs(struct control *c, json_object *data)
{
	json_object *nic = NULL;

	if (!json_object_object_get_ex(data, "device-id", &nic))
		return;
	for (unsigned i = 0; i < c->ports; i++)
		if (c->port[i].spec.policy == POLICY_TEAM &&
		    control_team_negotiated(&c->port[i], json_object_get_string(nic)))
			return;
}

void control_qemu_event(struct control *c, const char *name, json_object *data)
{
	if (strcmp(name, "FAILOVER_NEGOTIATED") == 0)
		guest_pairs(c, data);
	switch (name_find(event_names, EVENT_KIND_COUNT, name)) {
	case EVENT_RESET:
		guest_was_reset(c, data);
		break;
	case EVENT_SHUTDOWN:
		c->over = true;
		control_event(c, EVENT_SHUTDOWN, json_object_get(data));
		break;
	case EVENT_STOP:
		control_event(c, EVENT_STOP, json_object_get(data));
		control_set_running(c, false);
		break;
	case EVENT_RESUME:
		if (!c->continuing)
			control_event(c, EVENT_RESUME, json_object_get(data));
		c->continuing = false;
		control_set_running(c, true);
		break;
	default:
		break;
	}
}

static int refuse_when_gone(const struct control_port *p, struct error *err)
{
	const struct control *c = p->control;

	if (control_port_out_of_reach(p))
		return error_set(err, -EPIPE,
				 "QEMU closed its monitor: the links of its own cards stay as they "
				 "are; next: %s",
				 c->attached ? "wait, it is tried again" : "start the guest again");
	return c->datapath_gone ? error_set(err, -EPIPE, "%s", c->datapath->why) : 0;
}

int control_set_link(struct control *c, const char *name, bool up, struct error *err)
{
	unsigned index = 0;
	struct control_port *p = control_find_port(c, name);
	int nic = -1;

	/* a single NIC has its port's name */
	if (!p) {
		p = find_nic(c, name, &index);
		nic = (int)index;
	}
	if (!p)
		return error_set(err, -ENOENT, "Device '%.100s' not found", name);
	int rc = refuse_when_gone(p, err);
	if (rc < 0)
		return rc;
	control_port_set_link(p, nic, up);
	return 0;
}

int control_set_mode(struct control *c, const char *port, bool manual, struct error *err)
{
	struct control_port *p = control_find_port(c, port);

	if (!p)
		return error_set(err, -ENOENT, "Device '%.100s' not found", port);
	int rc = refuse_when_gone(p, err);
	if (rc < 0)
		return rc;
	control_port_set_mode(p, manual);
	return 0;
}
