/* What only the whole element shows: attributes that a type cannot be without, and those that exclude each other. libvirt's own rules, in
 * its order where that matters; T1 to T9 are its checks of <teaming>. What depends on the actual type of a network's port, on the guest's
 * machine, or on other interfaces is checked in interface_port.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/xml_reading.h"

#define TAPS                                                                                       \
	(BIT(INTERFACE_NETWORK) | BIT(INTERFACE_BRIDGE) | BIT(INTERFACE_DIRECT) |                  \
	 BIT(INTERFACE_ETHERNET))
#define TYPE BIT(r->type)

/* vhost-user to a passt that is started for it: the socket is nobody's to name. */
static bool is_passts_own(const struct xml_reading *r)
{
	const struct interface_spec *s = r->item;

	return r->type == INTERFACE_VHOSTUSER && strcmp(s->port.backend.type, "passt") == 0;
}

static int check_needed(struct xml_reading *r, const xmlNode *node)
{
	const char *type = interface_type_names[r->type];

	for (unsigned i = 0; i < r->table->attribute_count; i++) {
		const struct xml_attribute *row = &r->table->attributes[i];

		if ((row->needed & TYPE) && r->on == XML_ON_INTERFACE && !is_passts_own(r) &&
		    !xml_attribute_is_set(row, r->item))
			return xml_fail(r, node, -EINVAL,
					"<interface type='%s'> needs <%s %s='...'/>", type,
					row->element, row->name);
	}
	return 0;
}

static const xmlNode *child(const xmlNode *node, const char *name)
{
	for (const xmlNode *c = node->children; c; c = c->next)
		if (c->type == XML_ELEMENT_NODE && !c->ns &&
		    strcmp((const char *)c->name, name) == 0)
			return c;
	return node; /* its line is near enough */
}

static bool is_virtio(const char *model)
{
	return strncmp(model, "virtio", 6) == 0;
}

static int check_source_mode(struct xml_reading *r, const xmlNode *node,
			     const struct interface_spec *s)
{
	const char *mode = s->port.backend.mode;
	bool ends = strcmp(mode, "client") == 0 || strcmp(mode, "server") == 0;
	char type[16];

	if (!mode[0])
		return 0;
	if (ends != (r->type == INTERFACE_VHOSTUSER))
		return xml_fail(r, child(node, "source"), -EINVAL,
				"<source mode='%s'> does not belong to type='%s'; it is %s", mode,
				interface_type_names[r->type],
				ends ? "'vepa', 'bridge', 'private' or 'passthrough'"
				     : "'client' or 'server'");
	if (!ends)
		return 0;
	if (!xml_value(child(node, "source"), "type", type, sizeof(type)) && !is_passts_own(r))
		return xml_fail(r, child(node, "source"), -EINVAL,
				"<interface type='vhostuser'> needs <source type='unix'>");
	if (type[0] && strcmp(type, "unix") != 0)
		return xml_fail(r, child(node, "source"), -EINVAL,
				"<source type='%s'>: a vhost-user socket has type='unix'", type);
	if (mode[0] == 's' && s->port.backend.reconnect_s)
		return xml_fail(r, child(node, "source"), -EINVAL,
				"<reconnect> belongs to mode='client': a server does not connect");
	return 0;
}

/* Only virtio has the rings that these two serve. */
static int check_virtio_types(struct xml_reading *r, const xmlNode *node,
			      const struct interface_spec *s)
{
	/* without a model it is virtio */
	if ((r->type == INTERFACE_VDPA || r->type == INTERFACE_VHOSTUSER) && !s->anynic.given &&
	    s->model[0] && !is_virtio(s->model))
		return xml_fail(r, child(node, "model"), -EINVAL,
				"<interface type='%s'> needs <model type='virtio'/>, not '%s': "
				"only virtio cards have its rings",
				interface_type_names[r->type], s->model);
	return 0;
}

/* A model that we do not know is QEMU's to know, but a word it is: libvirt's rule. */
static int check_model(struct xml_reading *r, const xmlNode *node, const struct interface_spec *s)
{
	static const char legal[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	if (s->model[strspn(s->model, legal)])
		return xml_fail(r, child(node, "model"), -EINVAL,
				"<model type='%s'> is no model: its name is a word of letters, "
				"digits, - and _, see `anynic models`",
				s->model);
	return 0;
}

/* Without passt libvirt does not look at these. */
static int check_passts_words(struct xml_reading *r, const xmlNode *node,
			      const struct interface_spec *s)
{
	const char *dev = s->port.backend.dev;
	char text[64];
	int rc = 0;

	if (strcmp(s->port.backend.type, "passt") == 0)
		return 0;
	if (dev[0] && r->type != INTERFACE_DIRECT && r->type != INTERFACE_VDPA)
		rc = xml_warn(r, child(node, "source"),
			      "<source dev='%.40s'> of type='%s' needs <backend type='passt'/>; it "
			      "is ignored, as libvirt does",
			      dev, interface_type_names[r->type]);
	if (rc == 0 && xml_value(child(node, "backend"), "logFile", text, sizeof(text)))
		rc = xml_warn(r, child(node, "backend"),
			      "<backend logFile='%.40s'> needs type='passt'; it is ignored, as "
			      "libvirt does",
			      text);
	return rc;
}

static int check_backend(struct xml_reading *r, const xmlNode *node, const struct interface_spec *s)
{
	const struct backend_spec *b = &s->port.backend;
	bool passt = strcmp(b->type, "passt") == 0;

	if (passt && r->type != INTERFACE_USER && r->type != INTERFACE_VHOSTUSER)
		return xml_fail(r, child(node, "backend"), -EINVAL,
				"<backend type='passt'> belongs to type='user'");
	if (is_passts_own(r) && b->path[0])
		return xml_fail(r, child(node, "source"), -EINVAL,
				"<source path='%s'> has no meaning with <backend type='passt'>, "
				"which has a socket of its own; remove it",
				b->path);
	if (!passt && r->type == INTERFACE_VHOSTUSER && (b->net[0] || b->net6[0]))
		return xml_fail(r, child(node, "ip"), -EINVAL,
				"<ip> of type='vhostuser' needs <backend type='passt'/>");
	if (b->hostfwds && !passt)
		return xml_fail(r, child(node, "portForward"), -EINVAL,
				"<portForward> needs <backend type='passt'/>");
	if (s->host.tap_node[0] && !(TYPE & TAPS & ~BIT(INTERFACE_DIRECT)))
		return xml_fail(
			r, child(node, "backend"), -EINVAL,
			"<backend tap=...> belongs to types 'network', 'bridge', 'ethernet'");
	if (r->type == INTERFACE_USER && s->port.nic[0].mtu && !passt && !s->anynic.given)
		return xml_fail(r, child(node, "mtu"), -EINVAL,
				"<mtu> of type='user' needs <backend type='passt'/>");
	if (s->host.vhost_node[0] && (!(TYPE & TAPS) || !is_virtio(s->model)))
		return xml_warn(r, child(node, "backend"),
				"<backend vhost=...> belongs to virtio cards on a tap; it is "
				"ignored, as libvirt does");
	return 0;
}

static int check_host(struct xml_reading *r, const xmlNode *node, const struct interface_spec *s)
{
	const struct interface_host *h = &s->host;

	if (h->target_managed_off && r->type != INTERFACE_ETHERNET)
		return xml_fail(r, child(node, "target"), -EINVAL,
				"<target managed='no'> belongs to type='ethernet'");
	if (h->target_managed_off && !s->port.backend.ifname[0])
		return xml_fail(r, child(node, "target"), -EINVAL,
				"<target managed='no'> needs dev=, the tap that is there");
	if (h->isolated == TRISTATE_ON && h->virtualport.kind)
		return xml_fail(r, child(node, "port"), -EINVAL,
				"<port isolated='yes'> and <virtualport> exclude each other");
	if ((h->inbound.floor || h->inbound.average || h->outbound.average) &&
	    r->type == INTERFACE_HOSTDEV)
		return xml_fail(r, child(node, "bandwidth"), -EINVAL,
				"<bandwidth> cannot be set for type='hostdev'");
	return 0;
}

static int check_vlan(struct xml_reading *r, const xmlNode *node)
{
	struct vlan_tags *vlan = (struct vlan_tags *)((char *)r->item + r->table->vlan_at);
	const xmlNode *at = child(node, "vlan");
	char trunk[8];

	if (at == node)
		return 0;
	if (vlan->count == 0)
		return xml_fail(r, at, -EINVAL, "<vlan> needs a <tag id='...'/>");
	bool said = xml_value(at, "trunk", trunk, sizeof(trunk));
	if (said && trunk[0] == 'n' && (vlan->count > 1 || vlan->native >= 0))
		return xml_fail(r, at, -EINVAL,
				"<vlan trunk='no'>: several tags, or a native one, are a trunk");
	vlan->trunk = vlan->trunk || vlan->count > 1;
	return 0;
}

/* `floor`: it may have one. */
static int check_limit(struct xml_reading *r, const xmlNode *at, bool floor)
{
	const char *name = (const char *)at->name;
	bool has_floor = xmlHasProp(at, BAD_CAST "floor") != NULL;
	bool has_average = xmlHasProp(at, BAD_CAST "average") != NULL;

	if (has_floor && !floor)
		return xml_fail(r, at, -EINVAL,
				"<bandwidth><%s floor=...> belongs to <inbound> of "
				"<interface type='network'>",
				name);
	if (!has_average && !has_floor)
		return xml_fail(r, at, -EINVAL, "<bandwidth><%s> needs average=", name);
	if (!has_average && (xmlHasProp(at, BAD_CAST "peak") || xmlHasProp(at, BAD_CAST "burst")))
		return xml_fail(r, at, -EINVAL,
				"<bandwidth><%s>: peak= and burst= need average= beside them",
				name);
	return 0;
}

int xml_check_bandwidth(struct xml_reading *r, const xmlNode *node, bool floor)
{
	static const char *const sides[] = { "inbound", "outbound" };
	const xmlNode *at = child(node, "bandwidth");
	int rc = 0;

	for (unsigned i = 0; at != node && i < ARRAY_SIZE(sides) && rc == 0; i++) {
		const xmlNode *side = child(at, sides[i]);

		if (side != at)
			rc = check_limit(r, side, floor && i == 0);
	}
	return rc;
}

/* Where it has no meaning it was not read. */
static int check_bandwidth(struct xml_reading *r, const xmlNode *node,
			   const struct interface_spec *s)
{
	(void)s;
	if (!(TYPE & (TAPS | BIT(INTERFACE_HOSTDEV))) || r->on != XML_ON_INTERFACE)
		return 0;
	return xml_check_bandwidth(r, node, r->type == INTERFACE_NETWORK);
}

/* T1: the type is legal (by its row) and there. */
static int check_teaming(struct xml_reading *r, const xmlNode *node, const struct interface_spec *s)
{
	const xmlNode *at = child(node, "teaming");
	const char *pair = s->persistent;

	if (at == node)
		return 0;
	if (s->teaming == TEAMING_NONE)
		return xml_fail(r, at, -EINVAL,
				"<teaming> needs type='persistent' or type='transient'");
	if (r->on == XML_ON_HOSTDEV && s->teaming != TEAMING_TRANSIENT) /* T7 */
		return xml_fail(
			r, at, -EINVAL,
			"<teaming type='%s'>: a <hostdev> can only be the transient one of a team",
			teaming_names[s->teaming]);
	if (s->teaming == TEAMING_TRANSIENT && !pair[0]) /* T2, T8 */
		return xml_fail(r, at, -EINVAL,
				"<teaming type='transient'> needs persistent='ALIAS', the <alias "
				"name=...> of its partner");
	if (s->teaming == TEAMING_PERSISTENT && pair[0]) /* T3 */
		return xml_fail(r, at, -EINVAL,
				"<teaming type='persistent' persistent='%s'>: only the transient "
				"one names its partner",
				pair);
	if (s->teaming == TEAMING_PERSISTENT && r->type == INTERFACE_HOSTDEV) /* T4 */
		return xml_fail(r, at, -EINVAL,
				"<teaming type='persistent'>: the persistent card must be virtio, "
				"not a device of the host");
	if (s->teaming == TEAMING_PERSISTENT && s->model[0] && !is_virtio(s->model)) /* T4 */
		return xml_fail(
			r, at, -EINVAL,
			"<teaming type='persistent'>: the persistent card must be virtio, not '%s'",
			s->model);
	if (s->teaming == TEAMING_TRANSIENT && r->type != INTERFACE_HOSTDEV &&
	    r->type != INTERFACE_NETWORK) /* T5 */
		return xml_fail(r, at, -EINVAL,
				"<teaming type='transient'> belongs to type='hostdev', or to a "
				"network of such devices, not to type='%s'",
				interface_type_names[r->type]);
	return 0;
}

static int check_hostdev(struct xml_reading *r, const xmlNode *node, const struct interface_spec *s)
{
	if (r->type == INTERFACE_HOSTDEV && !s->hostdev.pci[0])
		return xml_fail(r, node, -EINVAL,
				"<%s> needs <source><address type='pci' domain='0x0000' bus='0x03' "
				"slot='0x10' function='0x0'/></source>",
				r->on == XML_ON_HOSTDEV ? "hostdev" : "interface type='hostdev'");
	return 0;
}

static int check_rom(struct xml_reading *r, const xmlNode *node, const struct interface_spec *s)
{
	const struct nic_spec *nic = &s->port.nic[0];
	char enabled[8];

	if (!xml_value(child(node, "rom"), "enabled", enabled, sizeof(enabled)) ||
	    strcmp(enabled, "no") != 0 || (!nic->romfile[0] && !nic->options.rombar))
		return 0;
	return xml_fail(r, child(node, "rom"), -EINVAL,
			"<rom enabled='no'>: file= and bar= are of a ROM that is there");
}

static int check_boot(struct xml_reading *r, const xmlNode *node, const struct interface_spec *s)
{
	const xmlNode *at = child(node, "boot");

	if (at == node || s->port.nic[0].bootindex >= 0)
		return 0;
	return xml_fail(r, at, -EINVAL, "<boot> needs order=, a number from 1 on");
}

static bool has_ours(const xmlNode *node)
{
	char name[XML_ELEMENT_PATH];

	for (const xmlNode *c = node->children; c; c = c->next)
		if (c->type == XML_ELEMENT_NODE &&
		    strncmp(xml_element_name(c, name), "anynic:", 7) == 0 &&
		    strcmp(name, "anynic:actual") != 0)
			return true;
	return false;
}

static int check_ours(struct xml_reading *r, const xmlNode *node, const struct interface_spec *s)
{
	static const uint32_t never = BIT(INTERFACE_VHOSTUSER) | BIT(INTERFACE_VDPA) |
				      BIT(INTERFACE_HOSTDEV) | BIT(INTERFACE_SERVER) |
				      BIT(INTERFACE_CLIENT) | BIT(INTERFACE_MCAST) |
				      BIT(INTERFACE_UDP) | BIT(INTERFACE_INTERNAL);
	bool needs = s->port.policy != POLICY_SINGLE || s->port.nic[0].place == PLACE_HOSTED;

	if (needs && (never & TYPE))
		return xml_fail(r, node, -ENOTSUP,
				"<interface type='%s'> is served by QEMU alone: anynic has no such "
				"backend; next: remove the <anynic:...> element, or another type",
				interface_type_names[r->type]);
	if (s->port.policy != POLICY_SINGLE && s->teaming)
		return xml_fail(r, child(node, "teaming"), -EINVAL,
				"<teaming> and <anynic:%s> exclude each other",
				s->port.policy == POLICY_TEAM ? "team" : "auto");
	return 0;
}

int xml_check_interface(struct xml_reading *r, const xmlNode *node)
{
	static int (*const checks[])(struct xml_reading *, const xmlNode *,
				     const struct interface_spec *) = {
		check_model,   check_hostdev,	   check_source_mode, check_virtio_types,
		check_backend, check_passts_words, check_rom,	      check_host,
		check_boot,    check_bandwidth,	   check_teaming,     check_ours,
	};
	struct interface_spec *s = r->item;

	s->anynic.given = has_ours(node);
	int rc = check_needed(r, node);
	for (unsigned i = 0; rc == 0 && i < ARRAY_SIZE(checks); i++)
		rc = checks[i](r, node, s);
	return rc == 0 ? check_vlan(r, node) : rc;
}

/* libvirt takes a <dns> that names nobody. */
static bool is_empty_dns(const xmlNode *node)
{
	static const char *const words[] = { "txt", "host", "srv" };

	if (strcmp((const char *)node->name, "dns") != 0)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (child(node, words[i]) != node)
			return false;
	return true;
}

/* What libvirt makes of a bridge of its own has no place in a network that hands on what the host has. */
static int check_own_bridge(struct xml_reading *r, const xmlNode *node,
			    const struct network_spec *n)
{
	static const char *const words[] = { "mac", "ip", "dns", "domain" };

	if (n->forward < FORWARD_BRIDGE)
		return 0;
	for (const xmlNode *c = node->children; c; c = c->next)
		if (c->type == XML_ELEMENT_NODE && !c->ns &&
		    name_find(words, ARRAY_SIZE(words), (const char *)c->name) >= 0 &&
		    !is_empty_dns(c))
			return xml_fail(r, c, -EINVAL,
					"<%s> has no meaning with forward mode='%s': libvirt makes "
					"no bridge for it; remove it",
					c->name, forward_mode_names[n->forward]);
	return 0;
}

/* Whoever makes no bridge does not say how it behaves; delay='0' is libvirt's default. */
static int check_bridge_options(struct xml_reading *r, const xmlNode *node,
				const struct network_spec *n)
{
	static const struct {
		const char *name, *same; /* as if it were not there; NULL = no value is */
		enum forward_mode from;
	} rows[] = {
		{ "stp", NULL, FORWARD_BRIDGE },
		{ "delay", "0", FORWARD_BRIDGE },
		{ "zone", NULL, FORWARD_BRIDGE },
		{ "macTableManager", NULL, FORWARD_PRIVATE },
	};
	const xmlNode *at = child(node, "bridge");
	char value[24];

	for (unsigned i = 0; at != node && i < ARRAY_SIZE(rows); i++)
		if (n->forward >= rows[i].from &&
		    xml_value(at, rows[i].name, value, sizeof(value)) &&
		    (!rows[i].same || strcmp(value, rows[i].same) != 0))
			return xml_fail(r, at, -EINVAL,
					"<bridge %s='%s'> has no meaning with forward mode='%s': "
					"libvirt makes no bridge for it; remove it",
					rows[i].name, value, forward_mode_names[n->forward]);
	return 0;
}

/* Of devices: one way to name them, and where packets of a network that forwards IP leave is one device. */
static int check_forward(struct xml_reading *r, const xmlNode *node, const struct network_spec *n)
{
	const xmlNode *at = child(node, "forward"), *first = child(at, "interface");
	char dev[64], name[64];

	if (at == node)
		return 0;
	bool has_dev = xml_value(at, "dev", dev, sizeof(dev));
	bool list = child(at, "address") != at || child(at, "pf") != at;

	if (has_dev && list)
		return xml_fail(r, at, -EINVAL,
				"<forward dev='%.40s'> excludes <address> and <pf>; leave one",
				dev);
	if (has_dev && first != at && xml_value(first, "dev", name, sizeof(name)) &&
	    strcmp(dev, name) != 0)
		return xml_fail(
			r, first, -EINVAL,
			"<forward/interface dev='%.40s'>: <forward dev='%.40s'> repeats the "
			"first of the list, and this is another",
			name, dev);
	if (n->forward == FORWARD_OPEN && (has_dev || first != at))
		return xml_fail(r, at, -EINVAL,
				"<forward mode='open'> says nothing of where packets go; remove "
				"the device");
	if ((n->forward == FORWARD_NAT || n->forward == FORWARD_ROUTE) && n->devs > 1)
		return xml_fail(
			r, at, -EINVAL,
			"<forward mode='%s'>: packets leave by one device, and there are %u",
			forward_mode_names[n->forward], n->devs);
	return 0;
}

static unsigned line_of_child(const xmlNode *node, const char *name)
{
	return (unsigned)xmlGetLineNo(child(node, name));
}

void xml_note_lines(struct network_port *port, const xmlNode *node)
{
	port->vlan_line = line_of_child(node, "vlan");
	port->bandwidth_line = line_of_child(node, "bandwidth");
}

int xml_check_network(struct xml_reading *r, const xmlNode *node)
{
	struct network_spec *n = r->item;

	n->forward_line = line_of_child(node, "forward");
	n->bridge_line = line_of_child(node, "bridge");
	n->mtu_line = line_of_child(node, "mtu");
	xml_note_lines(&n->port, node);

	if (!n->name[0])
		return xml_fail(r, node, -EINVAL, "<network> needs <name>");
	for (unsigned i = 0; i < r->networks->count; i++)
		if (strcmp(r->networks->item[i].name, n->name) == 0)
			return xml_fail(r, node, -EINVAL, "<network>: '%s' is described twice",
					n->name);
	if (strchr(n->name, '/'))
		return xml_fail(r, child(node, "name"), -EINVAL,
				"<name>%s</name>: the name of a network has no '/'", n->name);
	int rc = check_forward(r, node, n);
	if (rc == 0)
		rc = check_own_bridge(r, node, n);
	if (rc == 0)
		rc = check_bridge_options(r, node, n);
	if (rc == 0)
		rc = xml_check_bandwidth(r, node, false);
	return rc == 0 ? check_vlan(r, node) : rc;
}
