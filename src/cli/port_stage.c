#include "cli/port_stage.h"

#include "cli/service.h"
#include "host/network_pool.h"

struct port_change *port_stage_of(struct service *s, unsigned i)
{
	return &s->changes.port[i];
}

bool port_stage_is_under_way(const struct port_change *c)
{
	return c->stage != PORT_STAGE_NONE && c->stage != PORT_STAGE_THERE;
}

void port_stage_set(struct service *s, unsigned i, enum port_stage stage)
{
	bool any = false;

	port_stage_of(s, i)->stage = stage;
	for (unsigned n = 0; n < PORTS_MAX; n++)
		any |= port_stage_is_under_way(&s->changes.port[n]);
	s->control.changing = any;
}

void port_stage_refuse(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);

	commands_order_failed(&s->commands, c->client, &c->err);
	c->client = 0;
}

/* --- teams ------------------------------------------------------------------------------------------------------- */

bool port_stage_is_team(const struct service *s, unsigned i)
{
	return s->spec[i].policy == POLICY_TEAM;
}

unsigned port_stage_card_of(const struct service *s, unsigned i, enum port_leg leg)
{
	unsigned n = 0;

	while (n + 1 < s->spec[i].nics &&
	       (s->spec[i].nic[n].role == ROLE_TRANSIENT) != (leg != LEG_PERSISTENT))
		n++;
	return n;
}

bool port_stage_leg_is_functions(const struct service *s, unsigned i, enum port_leg leg)
{
	return port_stage_is_team(s, i) && leg == LEG_TRANSIENT &&
	       nic_is_plugged_later(&s->spec[i].nic[port_stage_card_of(s, i, leg)]);
}

bool port_stage_function_goes(const struct service *s, unsigned i)
{
	const struct port_change *c = &s->changes.port[i];

	return c->stage == PORT_STAGE_GOING && port_stage_leg_is_functions(s, i, c->leg) &&
	       s->control.port[i].function.in;
}

/* --- its cards ---------------------------------------------------------------------------------------------------- */

bool port_stage_all_in(const struct service *s, unsigned i, enum plug_state state)
{
	for (unsigned n = 0; n < s->spec[i].nics; n++)
		if (s->changes.port[i].card[n].state != state)
			return false;
	return true;
}

bool port_stage_cards_move(const struct service *s, unsigned i)
{
	for (unsigned n = 0; n < s->spec[i].nics; n++) {
		enum plug_state state = s->changes.port[i].card[n].state;

		if (state == PLUG_GOING_IN || state == PLUG_UNDOING || state == PLUG_GOING_OUT)
			return true;
	}
	return false;
}

void port_stage_note_away(struct service *s, unsigned i)
{
	struct control_port *p = &s->control.port[i];

	for (unsigned n = 0; n < p->spec.nics; n++) {
		enum plug_state state = port_stage_of(s, i)->card[n].state;

		p->nic[n].away = state != PLUG_IN;
		/* each card has a tap of its own: QEMU has let go of this one, and the others work */
		if (state == PLUG_OUT && !port_in_datapath(&p->spec) &&
		    !nic_is_plugged_later(&p->spec.nic[n]))
			control_host_left(p, n);
	}
}

/* --- the end of a port ------------------------------------------------------------------------------------------- */

/* A function that was opened is given back already, with what was done to it. */
static void give_back_network(struct service *s, unsigned i)
{
	const struct vf_owner owner = { .guest = s->options.name, .port = s->spec[i].id };
	const char *network = port_stage_of(s, i)->network;
	struct vf_host host;

	if (!network[0])
		return;
	vf_host_init(&host);
	network_pool_release(&host, network, s->spec[i].nic[0].host_pci, &owner);
}

void port_stage_forget(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);

	card_watch_port_goes(&s->cards, &s->spec[i]);
	service_close_port(s, i);
	service_read_datapath(s); /* its last reports, before another port has its name */
	give_back_network(s, i);
	for (unsigned n = 0; n < PORT_NICS; n++)
		json_object_put(c->device[n]);
	*c = (struct port_change){ .stage = PORT_STAGE_NONE };
	s->changes.hidden[i][0] = '\0';
	control_drop_port(&s->control, i);
	s->spec[i] = (struct port_spec){ 0 };
	port_stage_set(s, i, PORT_STAGE_NONE);
}
