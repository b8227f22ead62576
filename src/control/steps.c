/* One step of a port: links and the active NIC are asked of the datapath and, for cards on its side, of QEMU; what they confirm
 * becomes events.
 */
#include <string.h>

#include "control/control.h"

static const char *nic_id(const struct control_port *p, int nic)
{
	return nic < 0 ? NULL : p->spec.nic[nic].id;
}

/* --- what the datapath confirmed -------------------------------------------------------------------------------- */

static void set_nic_link(struct control_port *p, unsigned i, bool up)
{
	json_object *data = json_object_new_object();

	p->nic[i].link = up;
	json_object_object_add(data, "nic", json_object_new_string(p->spec.nic[i].id));
	json_object_object_add(data, "port", json_object_new_string(p->spec.id));
	json_object_object_add(data, "up", json_object_new_boolean(up));
	control_event(p->control, EVENT_NIC_LINK_CHANGED, data);
}

static void tell_switched(struct control_port *p, int from, int to, enum switch_reason reason,
			  uint64_t duration_ns)
{
	json_object *data = json_object_new_object();

	json_object_object_add(data, "port", json_object_new_string(p->spec.id));
	json_object_object_add(data, "from", json_name(nic_id(p, from)));
	json_object_object_add(data, "to", json_name(nic_id(p, to)));
	json_object_object_add(
		data, "reason",
		json_object_new_string(name_of(switch_reason_names, SWITCH_REASON_COUNT, reason)));
	json_object_object_add(data, "duration-us",
			       json_object_new_int64((int64_t)(duration_ns / 1000)));
	control_event(p->control, EVENT_PORT_LINK_SWITCHED, data);
	p->switches++;
}

static void tell_held(struct control_port *p, uint64_t until_wall_ns, unsigned switches)
{
	json_object *data = json_object_new_object();

	json_object_object_add(data, "port", json_object_new_string(p->spec.id));
	json_object_object_add(data, "until", time_make(until_wall_ns));
	json_object_object_add(data, "switches", json_object_new_int((int)switches));
	control_event(p->control, EVENT_PORT_SWITCH_HELD, data);
}

/* Old links go down first, then new ones up: the guest never has two. */
void control_port_carry_out(struct control_port *p, const struct port_step *step,
			    uint64_t duration_ns)
{
	int from = p->active;

	p->active = step->active;
	if (step->quiet) {
		for (unsigned i = 0; i < p->spec.nics; i++)
			p->nic[i].link = step->up[i];
		return;
	}
	for (unsigned i = 0; i < p->spec.nics; i++)
		if (p->nic[i].link && !step->up[i])
			set_nic_link(p, i, false);
	for (unsigned i = 0; i < p->spec.nics; i++)
		if (!p->nic[i].link && step->up[i])
			set_nic_link(p, i, true);
	if (from != step->active)
		tell_switched(p, from, step->active, step->reason, duration_ns);
	if (step->held_until_ns)
		tell_held(p, step->held_until_ns, step->held_switches);
}

static struct port_step take_step(struct control_port *p, unsigned at)
{
	struct port_step step = p->step[at];

	p->steps--;
	memmove(&p->step[at], &p->step[at + 1], (p->steps - at) * sizeof(p->step[0]));
	return step;
}

static bool waits_for_qemu(const struct port_step *step)
{
	for (unsigned i = 0; i < PORT_NICS; i++)
		if (step->link_id[i])
			return true;
	return false;
}

/* Steps happen in the order in which they were asked for, each when all whom it concerns have said so. */
static void finish_steps(struct control_port *p)
{
	while (p->steps && !p->step[0].seq && !waits_for_qemu(&p->step[0])) {
		struct port_step step = take_step(p, 0);

		control_port_carry_out(p, &step, step.duration_ns);
	}
}

static struct port_step *first_at_datapath(struct control_port *p)
{
	for (unsigned i = 0; i < p->steps; i++)
		if (p->step[i].seq)
			return &p->step[i];
	return NULL;
}

void control_port_links_applied(struct control_port *p, const struct msg_links_applied *applied)
{
	struct port_step *step = first_at_datapath(p);

	if (!step) {
		log_warning("port %s: the datapath confirmed links that nobody asked for",
			    p->spec.id);
		return;
	}
	step->seq = 0;
	step->duration_ns = MAX(step->duration_ns, applied->duration_ns);
	finish_steps(p);
}

void control_port_step_refused(struct control_port *p, uint32_t seq)
{
	for (unsigned i = 0; i < p->steps; i++) {
		if (p->step[i].seq != seq)
			continue;
		take_step(p, i);
		log_error("port %s: the datapath refused to set links", p->spec.id);
		finish_steps(p);
		return;
	}
}

bool control_port_qemu_replied(struct control_port *p, uint64_t id, const char *error)
{
	if (!id) /* an error that QEMU could put no number to */
		return false;
	for (unsigned i = 0; i < p->steps; i++)
		for (unsigned n = 0; n < PORT_NICS; n++) {
			struct port_step *step = &p->step[i];

			if (step->link_id[n] != id)
				continue;
			step->link_id[n] = 0;
			if (step->cause_ns)
				step->duration_ns = monotonic_ns() - step->cause_ns;
			if (error)
				log_error("%s: QEMU did not set its link: %s", p->spec.nic[n].id,
					  error);
			finish_steps(p);
			return true;
		}
	return false;
}

void control_port_qemu_gone(struct control_port *p)
{
	for (unsigned i = 0; i < p->steps; i++)
		memset(p->step[i].link_id, 0, sizeof(p->step[i].link_id));
	finish_steps(p);
	control_port_no_reset(p, p->lost_asked); /* and nobody will tell one */
}

bool control_port_waits_for_qemu(const struct control_port *p)
{
	for (unsigned i = 0; i < p->steps; i++)
		if (waits_for_qemu(&p->step[i]))
			return true;
	return false;
}

/* --- what is asked ---------------------------------------------------------------------------------------------- */

/* What QEMU is told of a card that shall be up or down. QEMU starts the rings of a vhost-user card only while its link is up,
 * and nothing else tells that a driver is there: until one is, its link stays up, which nobody sees. */
static bool shown(const struct control_port *p, unsigned nic, bool up)
{
	return up ||
	       (p->spec.nic[nic].netdev == NETDEV_VHOST_USER && p->nic[nic].status != DRIVER_READY);
}

/* Whether QEMU has a link to set: not of a function of the host, and not of a card that it has hidden from the guest, or that is
 * on its way into it. */
static bool qemu_has_link(const struct control_port *p, unsigned nic)
{
	return nic_link_is_qemus(&p->spec.nic[nic]) && !p->nic[nic].away &&
	       (p->spec.nic[nic].role != ROLE_TRANSIENT || p->nic[nic].attached);
}

static uint64_t tell(struct control_port *p, unsigned nic, bool up)
{
	p->told[nic] = up;
	return qmp_client_set_link(p->control->monitor, p->spec.nic[nic].id, up);
}

void control_port_show_link(struct control_port *p, unsigned nic)
{
	bool up = shown(p, nic, p->wanted[nic]);
	bool late = p->spec.nic[nic].netdev == NETDEV_VHOST_USER ||
		    p->spec.nic[nic].role == ROLE_TRANSIENT; /* plugged while the guest runs */

	if (p->control->monitor && late && qemu_has_link(p, nic) && p->told[nic] != up)
		tell(p, nic, up);
}

/* The links of QEMU's cards that go this way. */
static void ask_qemu(struct control_port *p, struct port_step *step, bool up)
{
	for (unsigned i = 0; i < p->spec.nics; i++)
		if (qemu_has_link(p, i) && shown(p, i, step->up[i]) == up && p->told[i] != up)
			step->link_id[i] = tell(p, i, up);
}

/* False when nobody is there to do it. */
static bool ask_datapath(struct control_port *p, struct port_step *step)
{
	struct control *c = p->control;
	bool team = p->spec.policy == POLICY_TEAM;
	struct msg_port_links links = { .active = (int8_t)step->active,
					.receive = (int8_t)(team ? step->receive : -1),
					.cause_ns = step->cause_ns };

	if (!port_in_datapath(&p->spec))
		return true;
	if (!c->datapath || c->datapath_gone)
		return false;
	str_copy(links.port, sizeof(links.port), p->spec.id);
	for (unsigned i = 0; i < PORT_NICS; i++)
		links.up[i] = step->up[i];
	step->seq = datapath_send(c->datapath, MSG_PORT_LINKS, &links, sizeof(links));
	return step->seq != 0;
}

void control_port_order(struct control_port *p, const bool up[PORT_NICS], struct port_step step,
			uint64_t cause_ns)
{
	if (control_port_out_of_reach(p))
		return;
	if (p->spec.policy != POLICY_TEAM)
		step.receive = step.active;
	if (step.active == p->wanted_active && step.receive == p->wanted_receive &&
	    memcmp(up, p->wanted, sizeof(p->wanted)) == 0)
		return;
	memcpy(step.up, up, sizeof(step.up));
	step.cause_ns = cause_ns;
	if (!ask_datapath(p, &step))
		return;
	if (p->control->monitor) {
		ask_qemu(p, &step, false);
		ask_qemu(p, &step, true);
	}
	memcpy(p->wanted, up, sizeof(p->wanted));
	p->wanted_active = step.active;
	p->wanted_receive = step.receive;
	if (p->steps == PORT_STEPS) { /* who lags this far behind is not waited for */
		struct port_step oldest = take_step(p, 0);
		control_port_carry_out(p, &oldest, 0);
	}
	p->step[p->steps++] = step;
	finish_steps(p);
}

void control_port_tell_qemu(struct control_port *p)
{
	for (unsigned i = 0; p->control->monitor && i < p->spec.nics; i++)
		if (qemu_has_link(p, i))
			tell(p, i, shown(p, i, p->wanted[i]));
}
