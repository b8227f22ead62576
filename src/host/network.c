/* The rules are libvirt's (src/network/bridge_driver.c and src/conf/network_conf.c of 11.x say the same), the words are ours. */
#include "host/network.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *mode_name(const struct network_spec *n)
{
	return name_of(forward_mode_names, FORWARD_MODE_COUNT, n->forward);
}

/* --- is it a network that libvirt would take? -------------------------------------------------------------------- */

/* Who makes the bridge, and whether there is one. */
static bool forwards_by_ip(const struct network_spec *n)
{
	return n->forward <= FORWARD_OPEN;
}

static bool is_plain_bridge(const struct network_spec *n)
{
	return n->forward == FORWARD_BRIDGE && n->bridge[0];
}

struct checking {
	const struct network_spec *n;
	unsigned line; /* of what is wrong */
	struct error *err;
};

static int fail_at(struct checking *c, unsigned line, const char *fmt, ...) PRINTF(3, 4);

static int fail_at(struct checking *c, unsigned line, const char *fmt, ...)
{
	char text[sizeof(c->err->text)];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	c->line = line;
	return error_set(c->err, -EINVAL, "%s", text);
}

static int check_source(struct checking *c)
{
	const struct network_spec *n = c->n;
	bool direct = !forwards_by_ip(n) && !is_plain_bridge(n);

	if (n->pf[0] && n->devs > 0)
		return fail_at(c, n->forward_line,
			       "<pf> excludes <interface> and <address> in <forward>: the pool is "
			       "either the functions of a device, or a list");
	if (n->bridge[0] && !forwards_by_ip(n) && n->forward != FORWARD_BRIDGE)
		return fail_at(c, n->bridge_line,
			       "<bridge> has no meaning with forward mode='%s': its ports are "
			       "devices of the host",
			       mode_name(n));
	if (is_plain_bridge(n) && (n->devs > 0 || n->pf[0]))
		return fail_at(
			c, n->bridge_line,
			"<bridge>: a network has a bridge, or devices to forward to, not both");
	if (direct && n->devs == 0 && !n->pf[0])
		return fail_at(c, n->forward_line,
			       "<forward mode='%s'> needs devices: <pf dev=>, <interface dev=> or "
			       "<address type='pci'>%s",
			       mode_name(n),
			       n->forward == FORWARD_BRIDGE ? ", or <bridge name=>" : "");
	if (forwards_by_ip(n) && n->pf[0])
		return fail_at(c, n->forward_line, "<pf> has no meaning with forward mode='%s'",
			       mode_name(n));
	if (!forwards_by_ip(n) && n->mtu)
		return fail_at(c, n->mtu_line,
			       "<mtu> has no meaning with forward mode='%s': what is there has its "
			       "own",
			       mode_name(n));
	return 0;
}

static int check_devices(struct checking *c)
{
	const struct network_spec *n = c->n;

	if (n->devs > NETWORK_DEVICES_MAX)
		return fail_at(c, n->forward_line, "more than %d devices", NETWORK_DEVICES_MAX);
	if (n->devs > 0 && n->devs_are_pci != (n->forward == FORWARD_HOSTDEV))
		return fail_at(c, n->forward_line,
			       n->devs_are_pci
				       ? "<forward mode='%s'> takes names of devices, <interface "
					 "dev=>, not PCI addresses"
				       : "<forward mode='%s'> takes PCI addresses, <address "
					 "type='pci'>, or <pf dev=>, not names of devices",
			       mode_name(n));
	for (unsigned i = 0; i < n->devs; i++)
		for (unsigned j = 0; j < i; j++)
			if (strcmp(n->dev[i], n->dev[j]) == 0)
				return fail_at(c, n->forward_line, "device %s is listed twice",
					       n->dev[i]);
	return 0;
}

static bool has_bandwidth(const struct network_port *p)
{
	const struct bandwidth_limit *in = &p->inbound, *out = &p->outbound;

	return in->average || in->peak || in->burst || in->floor || out->average || out->peak ||
	       out->burst || out->floor;
}

/* VLANs are of what can tag: a function, a device in passthrough, Open vSwitch, a bridge. A group's own virtualport decides before the
 * network's. */
static bool takes_vlan(const struct network_spec *n, const struct network_port *group)
{
	enum virtualport_kind kind = n->port.virtualport.kind;

	if (group && group->virtualport.kind)
		return n->forward == FORWARD_BRIDGE &&
		       group->virtualport.kind == VIRTUALPORT_OPENVSWITCH;
	return n->forward == FORWARD_HOSTDEV || n->forward == FORWARD_PASSTHROUGH ||
	       (n->forward == FORWARD_BRIDGE && (!kind || kind == VIRTUALPORT_OPENVSWITCH));
}

/* `group` NULL: of the network itself. `whose` names it. */
static int check_vlan(struct checking *c, const struct network_port *group, const char *whose)
{
	const struct network_spec *n = c->n;
	const struct network_port *own = group && group->vlan.count ? group : &n->port;
	bool vlan = n->port.vlan.count || (group && group->vlan.count);

	if (!vlan || takes_vlan(n, group))
		return 0;
	return fail_at(c, own->vlan_line,
		       "%s<vlan> has no meaning with forward mode='%s'%s; it belongs to hostdev, "
		       "passthrough, a bridge of the host, Open vSwitch",
		       whose, mode_name(n),
		       group && group->virtualport.kind ? " and this virtualport" : "");
}

static int check_bandwidth(struct checking *c, const struct network_port *p, const char *whose)
{
	const struct network_spec *n = c->n;

	if (!has_bandwidth(p) || forwards_by_ip(n) || is_plain_bridge(n))
		return 0;
	return fail_at(c, p->bandwidth_line,
		       "%s<bandwidth> has no meaning with forward mode='%s' without a <bridge>",
		       whose, mode_name(n));
}

static int check_groups(struct checking *c)
{
	const struct network_spec *n = c->n;
	const struct portgroup_spec *standard = NULL;
	char whose[INTERFACE_NAME + 16];

	for (unsigned i = 0; i < n->groups; i++) {
		const struct portgroup_spec *g = &n->group[i];

		for (unsigned j = 0; j < i; j++)
			if (strcmp(g->name, n->group[j].name) == 0)
				return fail_at(c, g->line, "two portgroups are named %s", g->name);
		if (g->is_default && standard)
			return fail_at(c, g->line, "portgroups %s and %s are both the default",
				       standard->name, g->name);
		if (g->is_default)
			standard = g;
		(void)snprintf(whose, sizeof(whose), "portgroup %s: ", g->name);
		int rc = check_vlan(c, &g->port, whose);
		if (rc == 0)
			rc = check_bandwidth(c, &g->port, whose);
		if (rc < 0)
			return rc;
	}
	int rc = check_bandwidth(c, &n->port, "");
	/* with a default group the network's own VLAN is never used alone */
	return rc == 0 && !standard ? check_vlan(c, NULL, "") : rc;
}

int network_check(const struct network_spec *network, unsigned *line, struct error *err)
{
	struct checking c = { .n = network, .line = network->line, .err = err };
	int rc = check_source(&c);

	if (rc == 0)
		rc = check_devices(&c);
	if (rc == 0)
		rc = check_groups(&c);
	if (rc < 0 && err)
		(void)snprintf(err->where, sizeof(err->where), "network %.50s", network->name);
	if (line)
		*line = c.line;
	return rc;
}

/* --- what interface, portgroup and network say together ---------------------------------------------------------- */

/* As libvirt does it: a name that there is no group of means no group, not even the default one. */
static const struct portgroup_spec *find_group(const struct network_spec *n, const char *name)
{
	for (unsigned i = 0; i < n->groups; i++)
		if (name[0] ? strcmp(n->group[i].name, name) == 0 : n->group[i].is_default)
			return &n->group[i];
	return NULL;
}

static int merge_text(char *to, size_t size, const char *from)
{
	if (to[0] && from[0] && strcmp(to, from) != 0)
		return -EINVAL;
	if (!to[0])
		str_copy(to, size, from);
	return 0;
}

/* A virtualport is put together from all three, and they may not contradict each other. */
static int merge_virtualport(struct virtualport *to, const struct virtualport *from,
			     struct error *err)
{
	if (from->kind == VIRTUALPORT_NONE)
		return 0;
	if (to->kind > VIRTUALPORT_UNTYPED && from->kind > VIRTUALPORT_UNTYPED &&
	    to->kind != from->kind)
		return error_set(err, -EINVAL,
				 "virtualports of interface, network and portgroup differ in type: "
				 "%s and %s",
				 virtualport_names[to->kind], virtualport_names[from->kind]);
	to->kind = MAX(to->kind, from->kind);
	if (merge_text(to->interface_id, sizeof(to->interface_id), from->interface_id) < 0 ||
	    merge_text(to->profile, sizeof(to->profile), from->profile) < 0)
		return error_set(err, -EINVAL,
				 "virtualports of interface, network and portgroup differ in their "
				 "parameters");
	return 0;
}

/* The network's own <bandwidth> is of its bridge as a whole, and not of a port. */
static int merge_port(const struct network_spec *n, const struct interface_spec *i,
		      struct network_plug *plug, struct error *err)
{
	static const struct network_port nothing;
	const struct portgroup_spec *found = find_group(n, i->portgroup);
	const struct network_port *group = found ? &found->port : &nothing;
	struct network_port *p = &plug->port;

	*p = (struct network_port){ .vlan = i->host.vlan,
				    .virtualport = i->host.virtualport,
				    .inbound = i->host.inbound,
				    .outbound = i->host.outbound,
				    .trust_rx = i->host.trust_rx,
				    .isolated = i->host.isolated };
	if (!p->vlan.count)
		p->vlan = group->vlan.count ? group->vlan : n->port.vlan;
	if (!has_bandwidth(p)) {
		p->inbound = group->inbound;
		p->outbound = group->outbound;
	}
	if (!p->trust_rx)
		p->trust_rx = group->trust_rx ? group->trust_rx : n->port.trust_rx;
	if (!p->isolated)
		p->isolated = n->port.isolated;
	if (i->portgroup[0] && !found)
		(void)snprintf(
			plug->warning, sizeof(plug->warning),
			"network %.40s has no portgroup %.40s: it is ignored, as libvirt does",
			n->name, i->portgroup);
	int rc = merge_virtualport(&p->virtualport, &n->port.virtualport, err);
	return rc == 0 ? merge_virtualport(&p->virtualport, &group->virtualport, err) : rc;
}

/* --- which device -------------------------------------------------------------------------------------------------- */

/* The first that nobody has. */
static int find_free(const struct network_spec *n, const struct network_use *use, struct error *err)
{
	for (unsigned i = 0; i < n->devs; i++)
		if (use->connections[i] == 0)
			return (int)i;
	if (n->devs == 0)
		return error_set(err, -EBUSY,
				 "network %s has no device: %s%s has no virtual functions; next: "
				 "`anynic pool create %s --vfs N`",
				 n->name, n->pf[0] ? "" : "its pool ", n->pf, n->pf);
	return error_set(
		err, -EBUSY,
		"network %s gives each device to one port only, and all %u are taken; next: "
		"stop a guest (`anynic pool list` shows who has them)",
		n->name, n->devs);
}

/* The one with the fewest ports; the first of several. */
static int find_least(const struct network_spec *n, const struct network_use *use,
		      struct error *err)
{
	unsigned best = 0;

	if (n->devs == 0)
		return error_set(err, -ENODEV, "network %s has no device", n->name);
	for (unsigned i = 1; i < n->devs; i++)
		if (use->connections[i] < use->connections[best])
			best = i;
	return (int)best;
}

static int choose_device(const struct network_spec *n, const struct network_use *use,
			 struct network_plug *plug, struct error *err)
{
	plug->exclusive = n->forward == FORWARD_HOSTDEV || n->forward == FORWARD_PASSTHROUGH ||
			  (n->forward == FORWARD_PRIVATE &&
			   plug->port.virtualport.kind == VIRTUALPORT_8021QBH);
	plug->chosen = plug->exclusive ? find_free(n, use, err) : find_least(n, use, err);
	if (plug->chosen < 0)
		return plug->chosen;
	str_copy(plug->device, sizeof(plug->device), n->dev[plug->chosen]);
	return 0;
}

static int refuse_virtualport(const struct network_spec *n, enum virtualport_kind kind,
			      const char *what, struct error *err)
{
	const char *type = virtualport_names[kind];

	return error_set(err, -EINVAL, "<virtualport%s%s%s> is not for network %s, %s",
			 type[0] ? " type='" : "", type, type[0] ? "'" : "", n->name, what);
}

static bool is_8021q(enum virtualport_kind kind)
{
	return kind == VIRTUALPORT_8021QBG || kind == VIRTUALPORT_8021QBH;
}

static int plug_bridge(const struct network_spec *n, struct network_plug *plug, struct error *err)
{
	enum virtualport_kind kind = plug->port.virtualport.kind;

	if (plug->port.vlan.count && forwards_by_ip(n))
		return error_set(err, -EINVAL,
				 "<vlan> is not for network %s, which forwards IP; it belongs to "
				 "bridges of the host, Open vSwitch, hostdev and passthrough",
				 n->name);
	if (kind && forwards_by_ip(n))
		return refuse_virtualport(n, kind, "which forwards IP", err);
	if (kind && kind != VIRTUALPORT_OPENVSWITCH)
		return refuse_virtualport(n, kind, "which is a bridge of the host", err);
	if (!n->bridge[0])
		return error_set(err, -EINVAL,
				 "network %s has no <bridge name=>; next: write the name of its "
				 "bridge (`virsh net-dumpxml %s` shows the one that libvirt made)",
				 n->name, n->name);
	plug->actual = INTERFACE_BRIDGE;
	str_copy(plug->bridge, sizeof(plug->bridge), n->bridge);
	return 0;
}

static int plug_device(const struct network_spec *n, const struct network_use *use,
		       struct network_plug *plug, struct error *err)
{
	enum virtualport_kind kind = plug->port.virtualport.kind;
	bool hostdev = n->forward == FORWARD_HOSTDEV;

	if (kind && !is_8021q(kind))
		return refuse_virtualport(n, kind,
					  hostdev ? "which hands on functions of a device"
						  : "which uses macvtaps",
					  err);
	plug->actual = hostdev ? INTERFACE_HOSTDEV : INTERFACE_DIRECT;
	if (!hostdev)
		str_copy(plug->mode, sizeof(plug->mode), mode_name(n));
	plug->managed = n->managed;
	str_copy(plug->driver, sizeof(plug->driver), n->driver);
	str_copy(plug->variant, sizeof(plug->variant), n->variant);
	return choose_device(n, use, plug, err);
}

int network_allocate(const struct network_spec *network, const struct interface_spec *interface,
		     const struct network_use *use, struct network_plug *plug, struct error *err)
{
	*plug = (struct network_plug){ .chosen = -1, .mtu = network->mtu };
	int rc = merge_port(network, interface, plug, err);
	if (rc < 0)
		return rc;
	if (forwards_by_ip(network) || is_plain_bridge(network))
		return plug_bridge(network, plug, err);
	return plug_device(network, use, plug, err);
}

void network_apply(const struct network_plug *plug, struct interface_spec *interface)
{
	struct backend_spec *b = &interface->port.backend;
	struct interface_host *host = &interface->host;

	interface->actual = plug->actual;
	str_copy(b->type, sizeof(b->type), interface_type_names[plug->actual]);
	if (plug->actual == INTERFACE_BRIDGE)
		str_copy(b->br, sizeof(b->br), plug->bridge);
	if (plug->actual == INTERFACE_DIRECT) {
		str_copy(b->dev, sizeof(b->dev), plug->device);
		str_copy(b->mode, sizeof(b->mode), plug->mode);
	}
	if (plug->actual == INTERFACE_HOSTDEV) {
		struct hostdev_source *h = &interface->hostdev;

		str_copy(h->pci, sizeof(h->pci), plug->device);
		str_copy(h->driver, sizeof(h->driver), plug->driver);
		str_copy(h->variant, sizeof(h->variant), plug->variant);
		h->managed = plug->managed;
	}
	if (plug->mtu && !b->mtu)
		b->mtu = plug->mtu;
	host->vlan = plug->port.vlan;
	host->virtualport = plug->port.virtualport;
	host->inbound = plug->port.inbound;
	host->outbound = plug->port.outbound;
	host->trust_rx = plug->port.trust_rx;
	host->isolated = plug->port.isolated;
}

const struct network_spec *network_find(const struct network_list *list, const char *name)
{
	for (unsigned i = 0; list && i < list->count; i++)
		if (strcmp(list->item[i].name, name) == 0)
			return &list->item[i];
	return NULL;
}
