/* A port of policy team: what happens to its cards is fed to the policy (port/team.h), and what that says becomes a step (steps.c). */
#include <string.h>

#include "control/control.h"

/* A driver that sets up its card anew is gone for a moment (Linux does so for a new MTU or number of rings), and one that is unloaded
 * still has its interface, which the guest reads, until the card is no bus master any more. So frames wait meanwhile. */
#define LOST_GRACE_NS (300 * NS_PER_MS)

static int nic_of(const struct control_port *p, enum team_nic which)
{
	enum nic_role role = which == TEAM_TRANSIENT ? ROLE_TRANSIENT : ROLE_PERSISTENT;

	for (unsigned i = 0; which != TEAM_NONE && i < p->spec.nics; i++)
		if (p->spec.nic[i].role == role)
			return (int)i;
	return -1;
}

static bool is_transient(const struct control_port *p, unsigned nic)
{
	return p->spec.nic[nic].role == ROLE_TRANSIENT;
}

static void end_hold(struct control_port *p)
{
	loop_timer_cancel(p->control->loop, &p->hold_timer);
}

/* Flapping holds for longer, and is told. */
static void begin_hold(struct control_port *p, struct port_step *step)
{
	uint64_t now = monotonic_ns();
	uint64_t flaps_ns = switch_hold_note(&p->hold, now);

	if (flaps_ns) {
		step->held_until_ns = wall_ns() + flaps_ns;
		step->held_switches = p->hold.count + 1;
	}
	loop_timer_set(p->control->loop, &p->hold_timer, now + MAX(flaps_ns, TEAM_RETURN_NS));
}

static void order(struct control_port *p, struct port_step step, uint64_t cause_ns)
{
	bool up[PORT_NICS] = { false };

	for (enum team_nic which = TEAM_PERSISTENT; which < TEAM_NIC_COUNT; which++) {
		int nic = nic_of(p, which);

		if (nic >= 0)
			up[nic] = p->team.link[which];
	}
	step.active = nic_of(p, p->team.active);
	step.receive = nic_of(p, p->team.receive);
	control_port_order(p, up, step, cause_ns);
}

/* Where the two paths are two ports of a switch, it learns at once which one the guest uses: QEMU sends RARP for its card. */
static void announce(struct control_port *p)
{
	const struct nic_spec *persistent = &p->spec.nic[nic_of(p, TEAM_PERSISTENT)];
	const struct nic_spec *transient = &p->spec.nic[nic_of(p, TEAM_TRANSIENT)];

	if (p->team.active == TEAM_PERSISTENT && transient->netdev == NETDEV_HOSTDEV &&
	    p->control->monitor)
		qmp_client_announce(p->control->monitor, persistent->id);
}

static void feed(struct control_port *p, enum team_event event, uint64_t cause_ns)
{
	struct team_step step = team_next(p->team, event);
	struct port_step links = { .reason = step.reason };

	p->team = step.next;
	/* what all ports are asked for */
	p->policy.manual = team_is_manual(&p->team);
	p->policy.held = p->team.held && p->team.transient_ready;
	if (step.stop_hold)
		end_hold(p);
	if (step.hold)
		begin_hold(p, &links);
	if (step.moved)
		order(p, links, cause_ns);
	if (step.announce)
		announce(p);
}

/* --- what happens to a port ------------------------------------------------------------------------------------- */

void control_team_start(struct control_port *p)
{
	struct port_step quiet = { .quiet = true, .reason = REASON_MANUAL };

	int transient = nic_of(p, TEAM_TRANSIENT);

	team_init(&p->team, false, transient >= 0 && p->spec.nic[transient].netdev != NETDEV_NONE);
	if (p->spec.link != LINK_AUTO)
		p->team.wish[TEAM_PERSISTENT] = p->spec.link;
	if (p->spec.link == LINK_DOWN)
		p->team.wish[TEAM_TRANSIENT] = LINK_DOWN;
	p->team = team_next(p->team, TEAM_ADMIN).next;
	p->function.ours = transient >= 0 && nic_is_plugged_later(&p->spec.nic[transient]);
	p->policy.manual = team_is_manual(&p->team);
	order(p, quiet, 0);
}

static void judge_pairing(struct control_port *p, const struct control_nic *nic,
			  const struct nic_spec *spec)
{
	/* QEMU tells it of its own cards, and nothing of a driver that does without */
	if (spec->netdev != NETDEV_NONE)
		return;
	if (nic->standby && !p->team.paired)
		feed(p, TEAM_PAIRED, nic->since_ns);
	else if (!nic->standby && p->team.paired && nic->status == DRIVER_READY)
		feed(p, TEAM_NOT_PAIRED, nic->since_ns);
}

static void transient_changed(struct control_port *p, struct control_nic *nic)
{
	if (nic->status == DRIVER_READY) {
		nic->lost = false;
		if (!p->team.transient_ready)
			feed(p, TEAM_TRANSIENT_READY, nic->since_ns);
		return;
	}
	if (!p->team.transient_ready)
		return;
	if (nic->attached && nic->status == DRIVER_INITIALIZING) {
		nic->lost = true;
		loop_timer_set(p->control->loop, &p->lost_timer, monotonic_ns() + LOST_GRACE_NS);
		return;
	}
	nic->lost = false;
	feed(p, TEAM_TRANSIENT_LOST, nic->since_ns);
}

void control_team_status_changed(struct control_port *p, unsigned index)
{
	struct control_nic *nic = &p->nic[index];
	bool ready = nic->status == DRIVER_READY;

	if (is_transient(p, index)) {
		transient_changed(p, nic);
		return;
	}
	if (ready != p->team.persistent_ready)
		feed(p, ready ? TEAM_PERSISTENT_READY : TEAM_PERSISTENT_LOST, nic->since_ns);
	judge_pairing(p, nic, &p->spec.nic[index]);
}

void control_team_attached(struct control_port *p, unsigned index)
{
	bool attached = p->nic[index].attached;

	if (!is_transient(p, index) || attached == p->team.plugged)
		return;
	feed(p, attached ? TEAM_PLUGGED : TEAM_UNPLUGGED, monotonic_ns());
	control_port_show_link(p, index);
}

bool control_team_negotiated(struct control_port *p, const char *nic)
{
	int persistent = nic_of(p, TEAM_PERSISTENT);

	if (persistent < 0 || strcmp(p->spec.nic[persistent].id, nic) != 0)
		return false;
	feed(p, TEAM_PAIRED, monotonic_ns());
	/* a guest that stands still does not pair: it comes from elsewhere, and QEMU is loading its state. What is sent to it from
	 * now on waits for it here. */
	if (!p->control->running)
		control_announce_port(p);
	return true;
}

void control_team_take_out(struct control_port *p, bool out)
{
	if (p->team.out != out)
		feed(p, out ? TEAM_TAKE_OUT : TEAM_PUT_BACK, monotonic_ns());
}

bool control_team_is_on_function(const struct control_port *p)
{
	int transient = p->team.active == TEAM_TRANSIENT ? nic_of(p, TEAM_TRANSIENT) : -1;

	return transient >= 0 && p->spec.nic[transient].netdev == NETDEV_HOSTDEV;
}

bool control_team_wants_function(const struct control_port *p)
{
	const struct control *c = p->control;

	/* while a function is plugged QEMU answers nothing, for as long as it takes to pin the guest's memory: what the network and
	 * people are told of a guest that comes from elsewhere goes first */
	if (c->arriving)
		return false;
	return p->function.ours && !p->function.leave && p->team.paired && c->running &&
	       c->monitor && !c->over && !c->quit;
}

/* QEMU tells its reset late: a driver may have come since. */
void control_team_guest_reset(struct control_port *p)
{
	loop_timer_cancel(p->control->loop, &p->lost_timer);
	switch_hold_clear(&p->hold);
	feed(p, TEAM_RESET, monotonic_ns());
	for (unsigned i = 0; i < p->spec.nics; i++) {
		p->nic[i].lost = false;
		control_team_status_changed(p, i);
	}
}

void control_team_timer(struct control_port *p, unsigned kind)
{
	int transient = nic_of(p, TEAM_TRANSIENT);

	if (kind == KIND_HOLD_TIMER) {
		feed(p, TEAM_HOLD_ENDED, monotonic_ns());
	} else if (kind == KIND_LOST_TIMER && transient >= 0 && p->nic[transient].lost) {
		p->nic[transient].lost = false;
		feed(p, TEAM_TRANSIENT_LOST, monotonic_ns());
	}
}

/* The port's link down is both down; up, the persistent card, on which every guest works. */
void control_team_set_link(struct control_port *p, int nic, bool up)
{
	enum link_wish wish = up ? LINK_UP : LINK_DOWN;

	if (nic < 0 || !is_transient(p, (unsigned)nic))
		p->team.wish[TEAM_PERSISTENT] = wish;
	if (nic < 0)
		p->team.wish[TEAM_TRANSIENT] = up ? LINK_AUTO : LINK_DOWN;
	else if (is_transient(p, (unsigned)nic))
		p->team.wish[TEAM_TRANSIENT] = wish;
	switch_hold_clear(&p->hold);
	feed(p, TEAM_ADMIN, monotonic_ns());
}

void control_team_set_mode(struct control_port *p, bool manual)
{
	if (team_is_manual(&p->team) == manual && !(p->team.held && !manual))
		return;
	for (enum team_nic which = TEAM_PERSISTENT; which < TEAM_NIC_COUNT; which++)
		p->team.wish[which] = !manual		    ? LINK_AUTO
				      : p->team.link[which] ? LINK_UP
							    : LINK_DOWN;
	switch_hold_clear(&p->hold);
	feed(p, TEAM_ADMIN, monotonic_ns());
}
