#include "control/travel.h"

#include <stdio.h>
#include <string.h>

static void add(json_object *list, const struct control_port *p, const char *what,
		const char *command)
{
	json_object *one = json_object_new_object();

	json_object_object_add(one, "port", json_object_new_string(p->spec.id));
	json_object_object_add(one, "what", json_object_new_string(what));
	if (command)
		json_object_object_add(one, "command", json_object_new_string(command));
	json_object_array_add(list, one);
}

/* `nic` NULL: the whole port. */
static void add_link(json_object *list, const struct control_port *p, const struct nic_spec *nic,
		     const char *wish)
{
	const char *guest = p->control->name ? p->control->name : "NAME";
	char what[160], command[256];

	snprintf(what, sizeof(what), "the link of %s", nic ? nic->id : p->spec.id);
	snprintf(command, sizeof(command), "anynic link %s %s%s%s %s", guest, p->spec.id,
		 nic ? "/" : "", nic ? nic->id : "", wish);
	add(list, p, what, command);
}

static void add_team(json_object *list, const struct control_port *p)
{
	for (unsigned i = 0; i < p->spec.nics; i++) {
		const struct nic_spec *nic = &p->spec.nic[i];
		bool transient = nic->role == ROLE_TRANSIENT;
		enum link_wish wish = p->team.wish[transient ? TEAM_TRANSIENT : TEAM_PERSISTENT];
		/* as link= has it, which the destination has too */
		bool told = p->spec.link == wish && (!transient || wish == LINK_DOWN);

		if (wish != LINK_AUTO && !told)
			add_link(list, p, nic, wish == LINK_UP ? "up" : "down");
	}
}

static void add_links(json_object *list, const struct control_port *p)
{
	if (p->spec.link != LINK_AUTO && !p->policy.manual)
		add_link(list, p, NULL, "auto");
	else if (p->spec.policy == POLICY_TEAM)
		add_team(list, p);
	else if (p->policy.manual && p->spec.nics == 1 && p->spec.link == LINK_AUTO)
		add_link(list, p, NULL, p->wanted[0] ? "up" : "down");
	else if (p->policy.manual && p->spec.link == LINK_AUTO)
		for (unsigned i = 0; i < p->spec.nics; i++)
			add_link(list, p, &p->spec.nic[i], p->wanted[i] ? "up" : "down");
}

json_object *travel_left_behind(const struct control *c)
{
	json_object *list = json_object_new_array();

	for (unsigned i = 0; i < c->ports; i++) {
		const struct control_port *p = &c->port[i];

		add_links(list, p);
		if (p->policy.held)
			add(list, p, "the hold", NULL);
	}
	return list;
}

/* --- what the guest brings --------------------------------------------------------------------------------------- */

static const struct control_port *port_of_nic(const struct control *c, const char *id)
{
	for (unsigned i = 0; i < c->ports; i++)
		for (unsigned n = 0; n < c->port[i].spec.nics; n++)
			if (strcmp(c->port[i].spec.nic[n].id, id) == 0)
				return &c->port[i];
	return NULL;
}

static const char *text_in(json_object *object, const char *name)
{
	json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

unsigned travel_check_macs(const struct control *c, json_object *found)
{
	bool list = json_object_is_type(found, json_type_array);
	size_t count = list ? json_object_array_length(found) : 0;
	unsigned wrong = 0;

	for (size_t i = 0; i < count; i++) {
		json_object *one = json_object_array_get_idx(found, i);
		const char *id = text_in(one, "name"), *brought = text_in(one, "main-mac");
		const struct control_port *p = id ? port_of_nic(c, id) : NULL;
		uint8_t mac[MAC_LEN];
		char ours[MAC_TEXT];

		if (!p || !brought || mac_parse(brought, mac) < 0 ||
		    memcmp(mac, p->spec.mac, MAC_LEN) == 0)
			continue;
		log_warning("%s: the guest came with the MAC %s, and this port has %s: what goes "
			    "by the port's address (a macvtap, a team's pair) does not work; next: "
			    "start both ends with mac=%s",
			    id, brought, mac_format(p->spec.mac, ours), brought);
		wrong++;
	}
	return wrong;
}
