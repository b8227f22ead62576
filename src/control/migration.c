#include "control/migration.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/travel.h"

#define LOOK_NS (100 * NS_PER_MS)
#define UNPLUG_LOOK_NS                                                                             \
	(20 * NS_PER_MS) /* the guest has no network from the unplug until it is seen */
#define TELL_NS NS_PER_S

void migration_init(struct migration *m, struct control *control)
{
	*m = (struct migration){ .control = control };
	m->timer = (struct loop_timer){ .kind = KIND_MIGRATE_TIMER, .owner = m };
	control->migration = m;
}

void migration_finish(struct migration *m)
{
	if (m->control)
		loop_timer_cancel(m->control->loop, &m->timer);
	json_object_put(m->left_behind);
	m->left_behind = NULL;
}

/* --- whether it can be ------------------------------------------------------------------------------------------- */

static bool in_a_team(const struct control_port *p, const struct nic_spec *nic)
{
	return p->spec.policy == POLICY_TEAM && nic->role == ROLE_TRANSIENT;
}

/* What QEMU neither migrates nor refuses: the guest would arrive with a card that is dead. */
static int check_nic(const struct nic_spec *nic, struct error *err)
{
	bool virtio = strcmp(nic->model, "virtio-net") == 0;

	if (nic->netdev == NETDEV_NONE)
		return error_set(err, -ENOTSUP,
				 "%s cannot move: anynic serves it over vfio-user, whose state "
				 "QEMU does not carry; start the guest with place=qemu%s on both "
				 "ends, or make it the transient card of a team",
				 nic->id, virtio ? " or transport=vhost-user" : "");
	if (nic->netdev == NETDEV_HOSTDEV)
		return error_set(err, -ENOTSUP,
				 "%s cannot move: it is a device of this host; make it the "
				 "transient card of a team (--nic team,transient=hostdev,dev=...)",
				 nic->id);
	return 0;
}

int migration_check_ports(const struct control *c, struct error *err)
{
	for (unsigned i = 0; i < c->ports; i++)
		for (unsigned n = 0; n < c->port[i].spec.nics; n++) {
			const struct control_port *p = &c->port[i];
			const struct nic_spec *nic = &p->spec.nic[n];

			/* a stopped guest cannot let go of it, and QEMU waits without end */
			if (in_a_team(p, nic) && p->nic[n].attached && !c->running)
				return error_set(err, -EINVAL,
						 "%s cannot be unplugged while the guest is "
						 "stopped; continue the guest first",
						 nic->id);
			int rc = in_a_team(p, nic) ? 0 : check_nic(nic, err);
			if (rc < 0)
				return rc;
		}
	return 0;
}

static int check_begin(const struct migration *m, const char *uri, unsigned seconds,
		       struct error *err)
{
	const struct control *c = m->control;

	if (c->attached)
		return error_set(err, -ENOTSUP,
				 "somebody else started this guest and moves it (virsh migrate); "
				 "`anynic attach` on the other host goes on there");
	if (!migrate_is_over(m->state) || m->state == MIGRATE_DONE)
		return error_set(err, -EBUSY, "this guest is on its way already, to %s", m->uri);
	if (c->changing)
		return error_set(err, -EBUSY,
				 "a port of this guest is on its way in or out; try again when it "
				 "is there");
	if (!c->monitor)
		return error_set(err, -ENOTSUP, "there is no QEMU here that could be asked");
	if (uri[0] == '\0' || strlen(uri) >= sizeof(m->uri))
		return error_set(err, -EINVAL,
				 "the URI is empty or longer than %zu bytes; QEMU's are "
				 "tcp:HOST:PORT and unix:PATH",
				 sizeof(m->uri) - 1);
	if (seconds == 0 || seconds > MIGRATION_SECONDS_MAX)
		return error_set(err, -EINVAL, "the time limit is 1 to %d seconds",
				 MIGRATION_SECONDS_MAX);
	return migration_check_ports(c, err);
}

/* --- telling ----------------------------------------------------------------------------------------------------- */

static void tell(struct migration *m)
{
	json_object *data = json_object_new_object();

	json_object_object_add(data, "status",
			       json_object_new_string(name_of(migrate_state_names,
							      MIGRATE_STATE_COUNT, m->state)));
	json_object_object_add(data, "uri", json_object_new_string(m->uri));
	if (m->moved) {
		json_object_object_add(data, "transferred", json_object_new_uint64(m->moved));
		json_object_object_add(data, "remaining", json_object_new_uint64(m->remaining));
		json_object_object_add(data, "total", json_object_new_uint64(m->total));
	}
	if (m->state == MIGRATE_DONE) {
		json_object_object_add(data, "downtime-ms", json_object_new_uint64(m->downtime_ms));
		json_object_object_add(data, "left-behind", json_object_get(m->left_behind));
	}
	if (m->reason[0] && m->state != MIGRATE_DONE)
		json_object_object_add(data, "reason", json_object_new_string(m->reason));
	if (m->state == MIGRATE_FAILED)
		json_object_object_add(data, "timeout", json_object_new_boolean(m->stuck));
	control_event(m->control, EVENT_MIGRATION, data);
	m->told_ns = monotonic_ns();
}

static void set_reason(struct migration *m, const char *text)
{
	if (!m->reason[0])
		str_copy(m->reason, sizeof(m->reason), text);
}

/* --- what QEMU is told ------------------------------------------------------------------------------------------- */

/* With a way back QEMU calls it complete when the other end has loaded everything, not when all was sent. */
static bool has_way_back(const char *uri)
{
	return strncmp(uri, "tcp:", 4) == 0 || strncmp(uri, "unix:", 5) == 0;
}

static void tell_how(struct migration *m)
{
	json_object *capability = json_object_new_object(), *list = json_object_new_array();
	json_object *arguments = json_object_new_object();

	json_object_object_add(capability, "capability", json_object_new_string("return-path"));
	json_object_object_add(capability, "state", json_object_new_boolean(has_way_back(m->uri)));
	json_object_array_add(list, capability);
	json_object_object_add(arguments, "capabilities", list);
	m->asked = qmp_client_send(m->control->monitor, "migrate-set-capabilities", arguments);
}

/* QEMU unplugs the transient cards of teams itself, as the first thing that it does. Until the guest has let go of one it reads it, so
 * that nothing is changed before. */
static void take_out(struct migration *m, bool out)
{
	struct control *c = m->control;

	for (unsigned i = 0; i < c->ports; i++)
		if (c->port[i].spec.policy == POLICY_TEAM)
			control_team_take_out(&c->port[i], out);
}

/* Functions of this host are taken out before QEMU is asked for anything, and plugged again by the same hand: only so is a function told its MAC
 * before the guest's driver asks for it. QEMU would plug it first and tell us then. */
static void take_functions(struct migration *m, bool leave)
{
	for (unsigned i = 0; i < m->control->ports; i++)
		m->control->port[i].function.leave = leave && m->control->port[i].function.ours;
}

static bool has_functions(const struct migration *m)
{
	for (unsigned i = 0; i < m->control->ports; i++)
		if (m->control->port[i].function.in)
			return true;
	return false;
}

static void tell_where(struct migration *m)
{
	json_object *arguments = json_object_new_object();

	json_object_object_add(arguments, "uri", json_object_new_string(m->uri));
	m->asked = qmp_client_send(m->control->monitor, "migrate", arguments);
}

static void carry_out(struct migration *m, enum migrate_action action)
{
	struct qmp_client *monitor = m->control->monitor;

	m->asked = 0; /* an answer that comes late is nobody's */
	switch (action) {
	case MIGRATE_TELL_HOW:
		tell_how(m);
		break;
	case MIGRATE_EMPTY:
		take_functions(m, true);
		break;
	case MIGRATE_TELL_WHERE:
		take_functions(m, true); /* none comes meanwhile */
		tell_where(m);
		break;
	case MIGRATE_TAKE_OUT:
		take_out(m, true);
		break;
	case MIGRATE_TELL_CANCEL:
		if (monitor)
			qmp_client_send(monitor, "migrate_cancel", NULL);
		break;
	case MIGRATE_PUT_BACK:
		m->runs = false;
		take_functions(m, false);
		take_out(m, false);
		break;
	case MIGRATE_CLEAN_UP:
		m->control->quit = true;
		break;
	case MIGRATE_GIVE_UP:
		take_functions(m, false);
		take_out(m, false);
		set_reason(m, m->stuck ? "the time is over" : "it was cancelled");
		break;
	case MIGRATE_NOTHING:
	case MIGRATE_ACTION_COUNT:
		break;
	}
}

static void look_later(struct migration *m)
{
	/* `moving` begins with the unplug, before QEMU says so */
	bool soon = m->state == MIGRATE_UNPLUGGING || m->state == MIGRATE_EMPTYING ||
		    (m->state == MIGRATE_MOVING && !m->moved);

	loop_timer_set(m->control->loop, &m->timer,
		       monotonic_ns() + (soon ? UNPLUG_LOOK_NS : LOOK_NS));
}

static void advance(struct migration *m, enum migrate_event event)
{
	struct migrate_step step = migrate_next(m->state, event);
	bool news = step.next != m->state;

	if (!news && step.action == MIGRATE_NOTHING)
		return;
	m->state = step.next;
	m->moved_ns = monotonic_ns();
	carry_out(m, step.action);
	/* the other end may have told the network already that the guest is there */
	if (news && m->state == MIGRATE_FAILED)
		control_announce(m->control);
	if (news)
		tell(m);
	if (migrate_is_over(m->state))
		loop_timer_cancel(m->control->loop, &m->timer);
	else
		look_later(m);
}

int migration_begin(struct migration *m, const char *uri, unsigned seconds, struct error *err)
{
	struct control *c = m->control;
	int rc = check_begin(m, uri, seconds, err);

	if (rc < 0)
		return rc;
	enum migrate_state state = m->state;
	json_object_put(m->left_behind);
	*m = (struct migration){ .control = c,
				 .timer = m->timer,
				 .state = state,
				 .patience_ns = seconds * NS_PER_S,
				 .was_running = c->running,
				 .left_behind = travel_left_behind(c) };
	str_copy(m->uri, sizeof(m->uri), uri);
	for (unsigned i = 0; i < c->ports; i++)
		for (unsigned n = 0; n < c->port[i].spec.nics; n++)
			m->had_driver[i] |= in_a_team(&c->port[i], &c->port[i].spec.nic[n]) &&
					    c->port[i].nic[n].status == DRIVER_READY;
	advance(m, MIGRATE_BEGIN);
	return 0;
}

int migration_cancel(struct migration *m, struct error *err)
{
	if (migrate_is_over(m->state))
		return error_set(err, -ENOENT, "this guest is not on its way anywhere");
	set_reason(m, "it was cancelled");
	advance(m, MIGRATE_CANCEL);
	return 0;
}

/* --- what QEMU says ---------------------------------------------------------------------------------------------- */

static uint64_t number_of(json_object *object, const char *name)
{
	json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return value ? json_object_get_uint64(value) : 0;
}

static const char *word_of(json_object *object, const char *name)
{
	json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static void take_status(struct migration *m, json_object *data)
{
	json_object *ram = NULL;
	const char *why = word_of(data, "error-desc");

	json_object_object_get_ex(data, "ram", &ram);
	uint64_t moved = ram ? number_of(ram, "transferred") : m->moved;
	if (moved != m->moved && m->state == MIGRATE_MOVING)
		m->moved_ns = monotonic_ns();
	m->moved = moved;
	if (ram) {
		m->total = number_of(ram, "total");
		m->remaining = number_of(ram, "remaining");
	}
	m->downtime_ms = number_of(data, "downtime");
	enum migrate_event event = migrate_status_event(word_of(data, "status"));
	if (event == MIGRATE_STOPPED)
		set_reason(m, why ? why : "QEMU does not say why");
	if (event != MIGRATE_EVENT_COUNT)
		advance(m, event);
}

/* Its CPUs run, and it uses the cards that it used: that QEMU shows them again says nothing. */
static bool is_restored(const struct migration *m)
{
	const struct control *c = m->control;

	if (m->was_running && !m->runs)
		return false;
	for (unsigned i = 0; i < c->ports; i++)
		for (unsigned n = 0; n < c->port[i].spec.nics; n++)
			if (m->had_driver[i] && in_a_team(&c->port[i], &c->port[i].spec.nic[n]) &&
			    (c->port[i].nic[n].status != DRIVER_READY ||
			     (c->port[i].function.ours && !c->port[i].function.in)))
				return false;
	return true;
}

void migration_arrived(struct migration *m)
{
	if (m->control->monitor)
		m->macs_asked = qmp_client_send(m->control->monitor, "query-rx-filter", NULL);
}

bool migration_reply(struct migration *m, const struct qmp_item *item)
{
	if (item->id && item->id == m->macs_asked) {
		m->macs_asked = 0;
		if (item->kind == QMP_ITEM_REPLY) /* an error: it has no card that could say */
			travel_check_macs(m->control, item->data);
		return true;
	}
	if (!item->id || item->id != m->asked)
		return false;
	m->asked = 0;
	if (item->kind == QMP_ITEM_ERROR)
		set_reason(m, item->text);
	switch (m->state) {
	case MIGRATE_PREPARING:
	case MIGRATE_STARTING:
		advance(m, item->kind == QMP_ITEM_ERROR			       ? MIGRATE_REFUSED
			   : m->state == MIGRATE_PREPARING && has_functions(m) ? MIGRATE_HOLDS
									       : MIGRATE_ACCEPTED);
		break;
	case MIGRATE_UNPLUGGING:
	case MIGRATE_MOVING:
	case MIGRATE_CANCELLING:
		if (item->kind == QMP_ITEM_REPLY)
			take_status(m, item->data);
		break;
	case MIGRATE_RESTORING:
		m->runs = item->kind == QMP_ITEM_REPLY && qmp_status_is_running(item->data);
		if (is_restored(m))
			advance(m, MIGRATE_RESTORED);
		break;
	default:
		break;
	}
	return true;
}

/* What stood still, for a person. */
static void tell_stuck(struct migration *m)
{
	static const char *const what[MIGRATE_STATE_COUNT] = {
		[MIGRATE_PREPARING] = "QEMU did not answer",
		[MIGRATE_EMPTYING] = "the guest did not let go of its transient card",
		[MIGRATE_STARTING] = "QEMU did not answer",
		[MIGRATE_UNPLUGGING] = "the guest did not let go of its transient card",
		[MIGRATE_MOVING] = "the other end took nothing",
		[MIGRATE_CANCELLING] = "QEMU still cancels: it waits for the guest",
		[MIGRATE_RESTORING] = "the guest is not back as it was; look at `anynic status`",
	};
	char text[200];

	snprintf(text, sizeof(text), "%s for %u s",
		 what[m->state] ? what[m->state] : "nothing moved",
		 (unsigned)(m->patience_ns / NS_PER_S));
	if (m->state == MIGRATE_CANCELLING || m->state == MIGRATE_RESTORING) {
		/* the first reason is the cause; this is what became of it */
		size_t at = strlen(m->reason);
		snprintf(m->reason + at, sizeof(m->reason) - at, "%s%s", at ? "; " : "", text);
	} else {
		set_reason(m, text);
	}
	m->stuck = true;
}

void migration_timer(struct migration *m)
{
	struct qmp_client *monitor = m->control->monitor;
	uint64_t now = monotonic_ns();
	bool looks = m->state == MIGRATE_UNPLUGGING || m->state == MIGRATE_MOVING ||
		     m->state == MIGRATE_CANCELLING;

	if (migrate_is_over(m->state))
		return;
	if (m->state == MIGRATE_EMPTYING && !has_functions(m)) {
		advance(m, MIGRATE_LET_GO);
		return;
	}
	if (now - m->moved_ns >= m->patience_ns) {
		tell_stuck(m);
		advance(m, MIGRATE_STUCK);
		return;
	}
	if (!m->asked && monitor && looks)
		m->asked = qmp_client_send(monitor, "query-migrate", NULL);
	else if (!m->asked && monitor && m->state == MIGRATE_RESTORING)
		m->asked = qmp_client_query_status(monitor);
	if (m->state == MIGRATE_MOVING && m->moved && now - m->told_ns >= TELL_NS)
		tell(m);
	look_later(m);
}

void migration_lost(struct migration *m)
{
	if (!m->control || migrate_is_over(m->state))
		return;
	set_reason(m, "QEMU closed its monitor");
	advance(m, MIGRATE_LOST);
}
