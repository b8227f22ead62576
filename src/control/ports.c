/* One port: what happens to its cards is fed to the policy, and what switch_next says becomes a step (steps.c). */
#include <string.h>

#include "control/control.h"

/* QEMU resets its devices one by one, each by a cleared command register and a device reset, and tells RESET up to half a second
 * later. So the policy takes it for the guest's reset when all cards of a port were reset; a card whose reset stays alone has lost its
 * driver. A driver that goes without a reset is waited for only if no other card could take over.
 *
 * How long the next card's reset may take is the machine's affair. But QEMU resets all in one turn, in which it answers nobody: a question
 * that is asked at the first sign is answered behind its RESET, and without one there was none. Where no QEMU can be asked, these are
 * the times in which the rest must follow; one that does not answer is not waited for any longer than ANSWER_NS. */
#define RESET_SPREAD_NS (100 * NS_PER_MS)
#define LOST_GRACE_NS	(20 * NS_PER_MS)
#define ANSWER_NS	(10 * NS_PER_S)

const char *const port_state_names[] = { [PORT_DOWN] = "down",
					 [PORT_WAITING] = "waiting",
					 [PORT_UP] = "up",
					 [PORT_HELD] = "held",
					 [PORT_MANUAL] = "manual" };
NAMES_MATCH(port_state_names, PORT_STATE_COUNT);

static const struct {
	enum nic_role role;
	enum switch_event ready, lost;
} parts[] = {
	[SWITCH_LEGACY] = { ROLE_LEGACY, LEGACY_READY, LEGACY_LOST },
	[SWITCH_PERFORMANT] = { ROLE_PERFORMANT, PERFORMANT_READY, PERFORMANT_LOST },
};

int control_port_nic_of(const struct control_port *p, enum switch_nic which)
{
	for (unsigned i = 0; which != SWITCH_NONE && i < p->spec.nics; i++)
		if (p->spec.nic[i].role == parts[which].role)
			return (int)i;
	return -1;
}

static enum switch_nic part_of(const struct control_port *p, unsigned nic)
{
	if (p->spec.policy != POLICY_SWITCH)
		return SWITCH_NONE;
	return p->spec.nic[nic].role == ROLE_PERFORMANT ? SWITCH_PERFORMANT : SWITCH_LEGACY;
}

enum port_state control_port_state(const struct control_port *p)
{
	if (p->policy.manual)
		return PORT_MANUAL;
	if (p->policy.waiting)
		return PORT_WAITING;
	if (p->policy.held)
		return PORT_HELD; /* also a team whose transient card waits to carry traffic again */
	return p->active >= 0 ? PORT_UP : PORT_DOWN;
}

static void stop_waiting(struct control_port *p)
{
	p->policy.waiting = false;
	p->legacy_left_ns = 0;
	loop_timer_cancel(p->control->loop, &p->legacy_timer);
}

static void end_hold(struct control_port *p)
{
	p->policy.held = false;
	switch_hold_clear(&p->hold);
	loop_timer_cancel(p->control->loop, &p->hold_timer);
}

/* While the guest is stopped its time stands still. */
static void start_legacy_timer(struct control_port *p, uint64_t ns)
{
	p->legacy_left_ns = ns;
	if (p->control->running)
		loop_timer_set(p->control->loop, &p->legacy_timer, monotonic_ns() + ns);
}

/* Moves the link to policy.active. A switch that the drivers caused counts for the hold-down. */
static void move(struct control_port *p, enum switch_reason reason, uint64_t cause_ns)
{
	struct port_step step = { .active = control_port_nic_of(p, p->policy.active),
				  .reason = reason };
	bool up[PORT_NICS] = { false };
	uint64_t now = monotonic_ns();

	if (step.active >= 0)
		up[step.active] = true;
	uint64_t hold_ns = reason == REASON_RESET || reason == REASON_MANUAL
				   ? 0
				   : switch_hold_note(&p->hold, now);
	if (hold_ns) {
		p->policy.held = true;
		step.held_until_ns = wall_ns() + hold_ns;
		step.held_switches = p->hold.count + 1;
		loop_timer_set(p->control->loop, &p->hold_timer, now + hold_ns);
	}
	control_port_order(p, up, step, cause_ns);
}

static void feed(struct control_port *p, enum switch_event event, uint64_t cause_ns)
{
	struct switch_step step = switch_next(p->policy, event);

	p->policy = step.next;
	if (step.timer == TIMER_START)
		start_legacy_timer(p, MAX(p->spec.legacy_delay_ms * NS_PER_MS, 1));
	else if (step.timer == TIMER_STOP)
		stop_waiting(p);
	if (step.switched)
		move(p, step.reason, cause_ns);
}

/* --- what happens to a port ------------------------------------------------------------------------------------- */

void control_port_init(struct control_port *p, struct control *c, const struct port_spec *spec)
{
	*p = (struct control_port){ .control = c,
				    .spec = *spec,
				    .active = -1,
				    .wanted_active = -1,
				    .wanted_receive = -1,
				    .backend_up = true,
				    .driver = DRIVER_QEMU };
	p->legacy_timer = (struct loop_timer){ .kind = KIND_LEGACY_TIMER, .owner = p };
	p->hold_timer = (struct loop_timer){ .kind = KIND_HOLD_TIMER, .owner = p };
	p->lost_timer = (struct loop_timer){ .kind = KIND_LOST_TIMER, .owner = p };
	for (unsigned i = 0; i < PORT_NICS; i++)
		str_copy(p->nic[i].evidence, sizeof(p->nic[i].evidence),
			 "the guest has not touched the card yet");
	switch_hold_init(&p->hold, spec->hold_count, spec->hold_seconds);
}

void control_port_finish(struct control_port *p)
{
	if (!p->control)
		return;
	loop_timer_cancel(p->control->loop, &p->legacy_timer);
	loop_timer_cancel(p->control->loop, &p->hold_timer);
	loop_timer_cancel(p->control->loop, &p->lost_timer);
	p->lost_asked = 0;
}

/* Which NIC comes up when a person says that the port is up. */
static int nic_to_raise(const struct control_port *p)
{
	if (p->wanted_active >= 0)
		return p->wanted_active;
	if (p->spec.policy != POLICY_SWITCH)
		return 0;
	/* no driver yet: every guest and every firmware has one for the legacy card */
	return control_port_nic_of(p,
				   p->policy.performant_ready ? SWITCH_PERFORMANT : SWITCH_LEGACY);
}

static void set_links(struct control_port *p, int nic, bool raise, struct port_step step)
{
	bool up[PORT_NICS];

	memcpy(up, p->wanted, sizeof(up));
	step.active = p->wanted_active;
	if (raise) {
		memset(up, 0, sizeof(up)); /* one MAC: only one NIC of a port has a link */
		nic = nic < 0 ? nic_to_raise(p) : nic;
		up[nic] = true;
		step.active = nic;
	} else if (nic < 0) {
		memset(up, 0, sizeof(up));
		step.active = -1;
	} else {
		up[nic] = false;
		step.active = step.active == nic ? -1 : step.active;
	}
	p->policy.active = step.active < 0 ? SWITCH_NONE : part_of(p, (unsigned)step.active);
	control_port_order(p, up, step, monotonic_ns());
}

void control_port_start(struct control_port *p)
{
	struct port_step quiet = { .quiet = true, .reason = REASON_MANUAL };

	if (p->spec.policy == POLICY_TEAM) {
		control_team_start(p);
		return;
	}
	p->policy.manual = p->spec.link != LINK_AUTO;
	if (p->spec.link == LINK_UP ||
	    (p->spec.link == LINK_AUTO && p->spec.policy == POLICY_SINGLE))
		set_links(p, -1, true, quiet);
}

static bool part_ready(const struct control_port *p, enum switch_nic part)
{
	return part == SWITCH_LEGACY ? p->policy.legacy_ready : p->policy.performant_ready;
}

/* Until it is clear whether the guest is being reset. */
static void keep_back(struct control_port *p, unsigned index, uint64_t ns)
{
	struct control *c = p->control;

	p->nic[index].lost = true;
	p->lost_asked = c->monitor ? qmp_client_query_status(c->monitor) : 0;
	loop_timer_set(c->loop, &p->lost_timer, monotonic_ns() + (p->lost_asked ? ANSWER_NS : ns));
}

static void forget_losses(struct control_port *p)
{
	loop_timer_cancel(p->control->loop, &p->lost_timer);
	p->lost_asked = 0;
	for (unsigned i = 0; i < PORT_NICS; i++)
		p->nic[i].lost = false;
}

void control_port_status_changed(struct control_port *p, unsigned index)
{
	struct control_nic *nic = &p->nic[index];
	enum switch_nic part = part_of(p, index);

	if (p->spec.policy == POLICY_TEAM)
		control_team_status_changed(p, index);
	if (part == SWITCH_NONE)
		return;
	if (nic->status == DRIVER_READY) {
		nic->lost = false;
		if (!part_ready(p, part))
			feed(p, parts[part].ready, nic->since_ns);
		return;
	}
	if (!part_ready(p, part) || nic->lost)
		return;
	bool other_ready = part_ready(p, part == SWITCH_LEGACY ? SWITCH_PERFORMANT : SWITCH_LEGACY);
	if (nic->attached && nic->status == DRIVER_NONE && p->policy.active == part && !other_ready)
		keep_back(p, index, LOST_GRACE_NS);
	else
		feed(p, parts[part].lost, nic->since_ns);
}

static void reset_port(struct control_port *p)
{
	if (p->spec.policy == POLICY_TEAM) {
		control_team_guest_reset(p);
		return;
	}
	forget_losses(p);
	if (p->spec.policy != POLICY_SWITCH)
		return;
	end_hold(p);
	feed(p, SWITCH_RESET, monotonic_ns());
}

void control_port_nic_reset(struct control_port *p, unsigned index)
{
	uint64_t now = monotonic_ns();
	enum switch_nic part = part_of(p, index);

	p->nic[index].bus_reset_ns = now;
	if (part == SWITCH_NONE || !p->nic[index].attached)
		return;
	for (unsigned i = 0; i < p->spec.nics; i++) {
		const struct control_nic *nic = &p->nic[i];
		if (!nic->attached || nic->lost ||
		    (nic->bus_reset_ns && now - nic->bus_reset_ns <= RESET_SPREAD_NS))
			continue;
		if (part_ready(p, part))
			keep_back(p, index, RESET_SPREAD_NS); /* not all of them yet */
		return;
	}
	p->reset_known = true;
	reset_port(p);
}

void control_port_guest_reset(struct control_port *p)
{
	/* the new firmware may have a driver ready by now */
	if (p->reset_known)
		p->reset_known = false;
	else
		reset_port(p);
}

/* No guest reset followed. The NIC that is not active goes first: nothing must move to it. */
static void losses_are_real(struct control_port *p)
{
	loop_timer_cancel(p->control->loop, &p->lost_timer);
	p->lost_asked = 0;
	enum switch_nic active = p->policy.active;
	enum switch_nic turn[] = { active == SWITCH_LEGACY ? SWITCH_PERFORMANT : SWITCH_LEGACY,
				   active == SWITCH_LEGACY ? SWITCH_LEGACY : SWITCH_PERFORMANT };

	for (unsigned i = 0; i < ARRAY_SIZE(turn); i++) {
		int nic = control_port_nic_of(p, turn[i]);
		if (nic < 0 || !p->nic[nic].lost)
			continue;
		p->nic[nic].lost = false;
		feed(p, parts[turn[i]].lost, monotonic_ns());
	}
}

bool control_port_no_reset(struct control_port *p, uint64_t id)
{
	if (!p->lost_asked || p->lost_asked != id)
		return false;
	losses_are_real(p);
	return true;
}

void control_port_guest_running(struct control_port *p, bool running)
{
	if (running && p->legacy_left_ns) {
		loop_timer_set(p->control->loop, &p->legacy_timer,
			       monotonic_ns() + p->legacy_left_ns);
	} else if (!running && p->legacy_timer.slot) {
		uint64_t now = monotonic_ns();
		/* at least one: 0 would mean that no timer runs */
		p->legacy_left_ns =
			p->legacy_timer.deadline_ns > now ? p->legacy_timer.deadline_ns - now : 1;
		loop_timer_cancel(p->control->loop, &p->legacy_timer);
	}
}

void control_port_timer(struct control_port *p, unsigned kind)
{
	if (p->spec.policy == POLICY_TEAM) {
		control_team_timer(p, kind);
		return;
	}
	switch (kind) {
	case KIND_LEGACY_TIMER:
		p->legacy_left_ns = 0;
		feed(p, SWITCH_TIMER, monotonic_ns());
		break;
	case KIND_HOLD_TIMER:
		feed(p, HOLD_ENDED, monotonic_ns());
		break;
	case KIND_LOST_TIMER:
		losses_are_real(p);
		break;
	}
}

void control_port_set_link(struct control_port *p, int nic, bool up)
{
	if (p->spec.policy == POLICY_TEAM) {
		control_team_set_link(p, nic, up);
		return;
	}
	stop_waiting(p);
	end_hold(p);
	p->policy.manual = true;
	set_links(p, nic, up, (struct port_step){ .reason = REASON_MANUAL });
}

void control_port_set_mode(struct control_port *p, bool manual)
{
	bool ends_hold = !manual && p->policy.held;

	if (p->spec.policy == POLICY_TEAM) {
		control_team_set_mode(p, manual);
		return;
	}
	if (p->policy.manual == manual && !ends_hold)
		return;
	stop_waiting(p);
	end_hold(p);
	p->policy.manual = manual;
	if (manual)
		return;
	if (p->spec.policy == POLICY_SWITCH)
		feed(p, MODE_AUTO, monotonic_ns());
	else
		set_links(p, -1, true, (struct port_step){ .reason = REASON_MANUAL });
}

/* The guest's cards are dead: what was up is down now, whatever was under way. */
void control_port_datapath_gone(struct control_port *p)
{
	struct port_step step = { .active = -1, .reason = REASON_BACKEND };

	p->steps = 0;
	p->backend_up = false;
	control_port_finish(p);
	control_port_carry_out(p, &step, 0);
	p->wanted_active = p->wanted_receive = -1;
	memset(p->wanted, 0, sizeof(p->wanted));
	control_port_tell_qemu(p);
}
