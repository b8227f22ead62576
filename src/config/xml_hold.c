/* What the process that reads XML answered is used only when each field holds what the reader could have put there: numbers in range, texts
 * that end, words of their tables. */
#include <string.h>

#include "config/xml_reading.h"

static bool ends(const char *text, size_t room)
{
	return memchr(text, '\0', room) != NULL;
}

#define ENDS(field) ends(field, sizeof(field))

static bool is_bool(const bool *b)
{
	uint8_t raw;

	memcpy(&raw, b, sizeof(raw));
	return raw <= 1;
}

static bool is_of(const void *field, unsigned count)
{
	uint32_t raw;

	memcpy(&raw, field, sizeof(raw));
	return raw < count;
}
_Static_assert(sizeof(enum policy_kind) == 4 && sizeof(enum interface_type) == 4,
	       "is_of reads four bytes");

static bool vlan_holds(const struct vlan_tags *v)
{
	if (v->count > VLAN_TAGS_MAX || v->native < -1 || v->native > 4095 ||
	    !is_bool(&v->native_tagged))
		return false;
	for (unsigned i = 0; i < v->count; i++)
		if (v->tag[i] > 4095)
			return false;
	return true;
}

/* What interface_port.c puts there later, of the interface's own fields. */
static bool is_unset(const struct backend_spec *b)
{
	return b->rules.vlan.count == 0 && is_bool(&b->rules.isolated) &&
	       is_of(&b->managed, TRISTATE_COUNT) && !b->tap_node[0] && !b->vhost_node[0] &&
	       !b->script[0] && !b->downscript[0] && !b->limits.in.average &&
	       !b->limits.out.average;
}

static bool backend_holds(const struct backend_spec *b)
{
	for (unsigned i = 0; i < HOSTFWD_MAX; i++)
		if (!ENDS(b->hostfwd[i]))
			return false;
	return is_of(&b->driver, BACKEND_DRIVER_COUNT) && ENDS(b->net) && ENDS(b->net6) &&
	       b->hostfwds <= HOSTFWD_MAX && ENDS(b->tftp) && ENDS(b->bootfile) &&
	       ENDS(b->capture) && ENDS(b->chosen) && is_bool(&b->server) && b->nfds == 0 &&
	       is_unset(b);
}

static bool card_holds(const struct nic_spec *n)
{
	const struct card_options *o = &n->options;

	return ENDS(n->id) && ENDS(n->model) && is_of(&n->role, NIC_ROLE_COUNT) &&
	       is_of(&n->place, NIC_PLACE_COUNT) && is_of(&n->transport, NIC_TRANSPORT_COUNT) &&
	       is_of(&n->netdev, NIC_NETDEV_COUNT) && is_bool(&n->packed) &&
	       is_of(&n->msix, TRISTATE_COUNT) && is_bool(&n->standby) && ENDS(n->pair) &&
	       ENDS(n->host_pci) && ENDS(n->romfile) && ENDS(o->device) && ENDS(o->bus) &&
	       ENDS(o->addr) && n->rev >= -1 && n->rev <= 255 && n->vlan == -1 && n->qos == -1 &&
	       n->queues <= QUEUES_MAX && is_of(&n->trust, TRISTATE_COUNT) &&
	       is_of(&n->spoofchk, TRISTATE_COUNT);
}

static bool port_holds(const struct port_spec *p)
{
	return ENDS(p->id) && ENDS(p->source) && is_of(&p->policy, POLICY_KIND_COUNT) &&
	       is_bool(&p->mac_given) && !mac_is_multicast(p->mac) &&
	       p->hold_count <= HOLD_COUNT_MAX && p->hold_seconds <= 86400 && p->nics == 1 &&
	       card_holds(&p->nic[0]) && card_holds(&p->nic[1]) && backend_holds(&p->backend);
}

static bool interface_holds(const struct interface_spec *s)
{
	return is_bool(&s->hostdev_element) && is_bool(&s->unassigned) &&
	       is_of(&s->type, INTERFACE_NULL) && is_of(&s->actual, INTERFACE_NULL) &&
	       ENDS(s->hostdev.pci) && ENDS(s->hostdev.driver) && is_bool(&s->anynic.given) &&
	       xml_table_holds(&xml_interface_table, s) && port_holds(&s->port) &&
	       vlan_holds(&s->host.vlan);
}

bool xml_interfaces_hold(const struct interface_list *list)
{
	if (list->count > INTERFACES_MAX || list->notes > INTERFACE_NOTES_MAX ||
	    !ENDS(list->name) || !ENDS(list->arch) || !ENDS(list->machine) ||
	    !is_bool(&list->kvm) || list->boot > BOOTS_MAX)
		return false;
	for (unsigned i = 0; i < list->notes; i++)
		if (!ENDS(list->note[i].text))
			return false;
	for (unsigned i = 0; i < list->count; i++)
		if (!interface_holds(&list->item[i]))
			return false;
	return true;
}

static bool network_holds(const struct network_spec *n)
{
	if (n->devs > NETWORK_DEVICES_MAX || n->groups > PORTGROUPS_MAX ||
	    !is_bool(&n->devs_are_pci) || !xml_table_holds(&xml_network_table, n) ||
	    !vlan_holds(&n->port.vlan))
		return false;
	for (unsigned i = 0; i < n->devs; i++)
		if (!ENDS(n->dev[i]))
			return false;
	for (unsigned i = 0; i < n->groups; i++)
		if (!xml_table_holds(&xml_portgroup_table, &n->group[i]) ||
		    !vlan_holds(&n->group[i].port.vlan))
			return false;
	return true;
}

bool xml_networks_hold(const struct network_list *list)
{
	if (list->count > NETWORKS_MAX)
		return false;
	for (unsigned i = 0; i < list->count; i++)
		if (!network_holds(&list->item[i]))
			return false;
	return true;
}
