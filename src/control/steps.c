/* One step of a port: links and active NIC are asked of the datapath, and what it confirms becomes events. */
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

void control_port_links_applied(struct control_port *p, const struct msg_links_applied *applied)
{
	if (p->steps == 0) {
		log_warning("port %s: the datapath confirmed links that nobody asked for",
			    p->spec.id);
		return;
	}
	struct port_step step = take_step(p, 0);
	control_port_carry_out(p, &step, applied->duration_ns);
}

void control_port_step_refused(struct control_port *p, uint32_t seq)
{
	for (unsigned i = 0; i < p->steps; i++) {
		if (p->step[i].seq != seq)
			continue;
		take_step(p, i);
		log_error("port %s: the datapath refused to set links", p->spec.id);
		return;
	}
}

/* --- what is asked of the datapath ------------------------------------------------------------------------------ */

/* Sends the wanted links as one step, if they differ from what was wanted before. `step` says active, reason and the rest. */
void control_port_order(struct control_port *p, const bool up[PORT_NICS], struct port_step step,
			uint64_t cause_ns)
{
	struct control *c = p->control;
	struct msg_port_links links = { .active = (int8_t)step.active, .cause_ns = cause_ns };

	if (step.active == p->wanted_active && memcmp(up, p->wanted, sizeof(p->wanted)) == 0)
		return;
	if (!c->datapath || c->datapath_gone)
		return;
	str_copy(links.port, sizeof(links.port), p->spec.id);
	for (unsigned i = 0; i < PORT_NICS; i++) {
		links.up[i] = up[i];
		step.up[i] = up[i];
	}
	step.seq = datapath_send(c->datapath, MSG_PORT_LINKS, &links, sizeof(links));
	if (!step.seq)
		return;
	memcpy(p->wanted, up, sizeof(p->wanted));
	p->wanted_active = step.active;
	if (p->steps ==
	    PORT_STEPS) { /* a datapath that lags this far behind: do not wait for its times */
		struct port_step oldest = take_step(p, 0);
		control_port_carry_out(p, &oldest, 0);
	}
	p->step[p->steps++] = step;
}
