/* A guest that came from elsewhere: switches on the way learn where it is, and OVN gives a port with activation-strategy=rarp its traffic. */
#include <stdio.h>
#include <string.h>

#include "control/control.h"
#include "qemu/monitor_text.h"
#include "qemu/qmp_call.h"

#define ROUNDS	5
#define STEP_NS (100 * NS_PER_MS) /* the first pause; each is longer than the one before */
#define OTHERS	64		  /* cards of the user's own line; QEMU's text is not trusted */

void control_announce_port(struct control_port *p)
{
	const struct control *c = p->control;
	struct msg_port_name name = { 0 };

	if (!c->datapath || c->datapath_gone || !port_in_datapath(&p->spec) ||
	    control_team_is_on_function(p))
		return;
	str_copy(name.port, sizeof(name.port), p->spec.id);
	datapath_send(c->datapath, MSG_PORT_ANNOUNCE, &name, sizeof(name));
}

/* Where a guest is on a function of the host, its other card is another place of the network: a bridge that heard of it there would keep from the
 * function what is for the guest. So all others are told of by their names; those that are no port of ours, since the user's line brought
 * them, QEMU has to name first. */
static void announce_by_qemu(struct control *c)
{
	unsigned elsewhere = 0;

	for (unsigned i = 0; i < c->ports; i++)
		elsewhere += control_team_is_on_function(&c->port[i]);
	if (!elsewhere)
		qmp_client_announce(c->monitor, NULL); /* it has rounds of its own */
	for (unsigned i = 0; elsewhere && i < c->ports; i++)
		for (unsigned n = 0; n < c->port[i].spec.nics; n++) {
			const struct nic_spec *nic = &c->port[i].spec.nic[n];

			if (nic->netdev != NETDEV_NONE && nic->netdev != NETDEV_HOSTDEV &&
			    !control_team_is_on_function(&c->port[i]))
				qmp_client_announce(c->monitor, nic->id);
		}
	if (elsewhere)
		c->cards_asked = qmp_client_send(c->monitor, "human-monitor-command",
						 qmp_text_argument("command-line", "info network"));
}

static bool is_of_a_port(const struct control *c, struct text_span name)
{
	for (unsigned i = 0; i < c->ports; i++)
		for (unsigned n = 0; n < c->port[i].spec.nics; n++)
			if (span_is(name, c->port[i].spec.nic[n].id))
				return true;
	return false;
}

/* Each queue of a card has a line; the first one stands for it. */
static bool is_another_card(const struct control *c, const struct network_line *l)
{
	return !l->hub && (!l->peer || l->port) && span_is(network_value(l->info, "type"), "nic") &&
	       span_is(network_value(l->info, "index"), "0") && !is_of_a_port(c, l->name);
}

static void announce_others(struct control *c, const char *text)
{
	struct network_line l;
	char name[128];

	for (unsigned n = 0; n < OTHERS && network_next(&text, &l);) {
		if (!is_another_card(c, &l) || l.name.length >= sizeof(name))
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)l.name.length, l.name.at);
		qmp_client_announce(c->monitor, name);
		n++;
	}
}

bool control_announce_reply(struct control *c, const struct qmp_item *item)
{
	if (!item->id || item->id != c->cards_asked)
		return false;
	c->cards_asked = 0;
	if (item->kind == QMP_ITEM_REPLY && json_object_is_type(item->data, json_type_string))
		announce_others(c, json_object_get_string(item->data));
	return true;
}

void control_announce(struct control *c)
{
	if (c->monitor)
		announce_by_qemu(c);
	c->announce_rounds = ROUNDS;
	control_announce_timer(c);
}

void control_announce_timer(struct control *c)
{
	if (!c->datapath || c->datapath_gone || !c->announce_rounds)
		return;
	/* QEMU sends nothing for cards over vhost-user whose guest can announce itself, which Linux does by ARP */
	for (unsigned i = 0; i < c->ports; i++)
		control_announce_port(&c->port[i]);
	if (--c->announce_rounds)
		loop_timer_set(c->loop, &c->announce_timer,
			       monotonic_ns() + (ROUNDS - c->announce_rounds) * STEP_NS);
}
