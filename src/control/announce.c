/* A guest that came from elsewhere: switches on the way learn where it is, and OVN gives a port with activation-strategy=rarp its traffic. */
#include "control/control.h"

#define ROUNDS	5
#define STEP_NS (100 * NS_PER_MS) /* the first pause; each is longer than the one before */

void control_announce_port(struct control_port *p)
{
	const struct control *c = p->control;
	struct msg_port_name name = { 0 };

	if (!c->datapath || c->datapath_gone || !port_in_datapath(&p->spec))
		return;
	str_copy(name.port, sizeof(name.port), p->spec.id);
	datapath_send(c->datapath, MSG_PORT_ANNOUNCE, &name, sizeof(name));
}

void control_announce(struct control *c)
{
	if (c->monitor)
		qmp_client_announce(c->monitor, NULL); /* it has rounds of its own */
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
