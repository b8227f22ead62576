#include "control/card_watch.h"

#include <string.h>

#include "qemu/card_json.h"

static bool is_watched(const struct nic_spec *nic)
{
	return nic->place == PLACE_QEMU && nic->netdev != NETDEV_VHOST_USER;
}

bool card_watch_needed(const struct port_spec *ports, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned n = 0; n < ports[i].nics; n++)
			if (is_watched(&ports[i].nic[n]))
				return true;
	return false;
}

void card_watch_init(struct card_watch *w, struct control *control,
		     const struct qemu_signals *signals)
{
	*w = (struct card_watch){ .control = control,
				  .timer = { .kind = KIND_CARD_TIMER, .owner = w } };
	nic_status_init(&w->status, signals);
}

void card_watch_add(struct card_watch *w, const struct nic_spec *nic, const char *owner,
		    const char *device, bool no_ring)
{
	int i = nic_status_add(&w->status, nic->id, owner, device, nic->role);

	if (i < 0) {
		log_warning("%s: the driver of QEMU's %s cannot be watched: %s", nic->id, device,
			    strerror(-i));
		return;
	}
	w->status.nic[i].packed = nic->packed;
	w->status.nic[i].no_ring = no_ring;
}

/* These stop a ring when they are asked where it is. */
static bool ring_is_away(const struct port_spec *p)
{
	return strcmp(p->backend.type, "vhostuser") == 0 || strcmp(p->backend.type, "vdpa") == 0;
}

static void add_port(struct card_watch *w, const struct port_spec *p)
{
	for (unsigned n = 0; n < p->nics; n++) {
		const struct nic_spec *nic = &p->nic[n];
		const char *device = card_device_name(nic);

		if (is_watched(nic) && device)
			card_watch_add(w, nic, nic->id, device, ring_is_away(p));
	}
}

void card_watch_add_ports(struct card_watch *w)
{
	for (unsigned i = 0; i < w->control->ports; i++)
		add_port(w, &w->control->port[i].spec);
}

void card_watch_port_came(struct card_watch *w, const struct port_spec *port)
{
	add_port(w, port);
	nic_status_look(&w->status, monotonic_ns());
	card_watch_go_on(w);
}

void card_watch_port_goes(struct card_watch *w, const struct port_spec *port)
{
	for (unsigned n = 0; n < port->nics; n++)
		nic_status_remove(&w->status, port->nic[n].id, monotonic_ns());
	card_watch_go_on(w);
}

void card_watch_take_over(struct card_watch *w)
{
	w->take_over = true;
	w->control->arriving = true;
}

/* What was seen goes to control, one card after the other: what it makes of the first is told before the second comes. */
static void pass_on(struct card_watch *w, bool all)
{
	struct nic_report report;
	bool attached;

	while ((all || !control_waits_for_qemu(w->control)) &&
	       nic_status_next(&w->status, &report, &attached)) {
		control_nic_attached(w->control, report.nic, attached, "");
		control_nic_report(w->control, &report);
	}
	if (w->take_over && w->control->running && nic_status_all_told(&w->status)) {
		w->take_over = false;
		control_take_over(w->control);
	}
	uint64_t deadline = nic_status_deadline(&w->status);
	if (deadline == NIC_STATUS_OFF)
		loop_timer_cancel(w->control->loop, &w->timer);
	else
		loop_timer_set(w->control->loop, &w->timer, deadline);
}

void card_watch_start(struct card_watch *w)
{
	nic_status_start(&w->status, w->control->running, monotonic_ns());
	pass_on(w, false);
}

void card_watch_stop(struct card_watch *w)
{
	if (!w->control)
		return;
	nic_status_stop(&w->status);
	pass_on(w, false);
}

bool card_watch_reply(struct card_watch *w, const struct qmp_item *item)
{
	if (!w->control->monitor ||
	    !nic_status_reply(&w->status, w->control->monitor, item, monotonic_ns()))
		return false;
	pass_on(w, false);
	return true;
}

void card_watch_event(struct card_watch *w, const char *name, json_object *data)
{
	nic_status_event(&w->status, name, data, monotonic_ns());
	/* control hears of a reset of the cards before it hears of the guest's */
	pass_on(w, strcmp(name, "RESET") == 0);
}

void card_watch_timer(struct card_watch *w)
{
	if (w->control->monitor)
		nic_status_run(&w->status, w->control->monitor, monotonic_ns());
	pass_on(w, false);
}

void card_watch_go_on(struct card_watch *w)
{
	nic_status_set_running(&w->status, w->control->running, monotonic_ns());
	pass_on(w, false);
}
