/* Elements whose attributes have a meaning together only: addresses, VLAN tags, our own namespace. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/xml_reading.h"

static struct interface_spec *spec_of(struct xml_reading *r)
{
	return r->item;
}

static struct nic_spec *card_of(struct xml_reading *r)
{
	return spec_of(r)->port.nic;
}

/* --- the root ------------------------------------------------------------------------------------------------------ */

static bool says_strict(const xmlNode *node)
{
	xmlChar *text = xmlGetNsProp(node, (const xmlChar *)"strict",
				     (const xmlChar *)ANYNIC_XML_NAMESPACE);
	bool yes = text && strcmp((const char *)text, "yes") == 0;

	xmlFree(text);
	return yes;
}

static int read_hostdev_root(struct xml_reading *r, const xmlNode *node)
{
	char mode[32];

	if (xml_value(node, "mode", mode, sizeof(mode)) && strcmp(mode, "subsystem") != 0)
		return xml_fail(r, node, -EINVAL,
				"<hostdev mode='%s'>: a PCI device has mode='subsystem'", mode);
	spec_of(r)->type = spec_of(r)->actual = r->type = INTERFACE_HOSTDEV;
	return 0;
}

int xml_read_root(struct xml_reading *r, const xmlNode *node)
{
	char type[32], words[200];
	int found = INTERFACE_USER;

	r->strict = says_strict(node);
	if (r->on == XML_ON_HOSTDEV)
		return read_hostdev_root(r, node);
	if (xml_value(node, "type", type, sizeof(type)))
		found = name_find(interface_type_names, INTERFACE_TYPE_COUNT, type);
	if (found < 0) {
		xml_type_words(BIT(INTERFACE_NULL) - 1, words, sizeof(words));
		return xml_fail(r, node, -EINVAL,
				"<interface type='%s'>: the type is not legal; it is %s", type,
				words);
	}
	if (found == INTERFACE_NULL || found == INTERFACE_VDS)
		return xml_fail(r, node, -EINVAL,
				"<interface type='%s'>: QEMU has no such interface, it is for "
				"other hypervisors",
				type);
	spec_of(r)->type = spec_of(r)->actual = r->type = (enum interface_type)found;
	return 0;
}

/* --- addresses of PCI ---------------------------------------------------------------------------------------------- */

struct pci_address {
	uint64_t domain, bus, slot, function;
};

static int read_pci(struct xml_reading *r, const xmlNode *node, struct pci_address *a)
{
	const struct {
		const char *name;
		uint64_t *to, max;
	} parts[] = {
		{ "domain", &a->domain, 0xffff },
		{ "bus", &a->bus, 0xff },
		{ "slot", &a->slot, 0x1f },
		{ "function", &a->function, 7 },
	};
	char value[32];

	*a = (struct pci_address){ 0 };
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		if (xml_value(node, parts[i].name, value, sizeof(value)) &&
		    parse_u64(value, 0, parts[i].max, parts[i].to) < 0)
			return xml_fail(r, node, -EINVAL,
					"<address %s='%s'>: the value is not legal; it is a number "
					"from 0 to 0x%x",
					parts[i].name, value, (unsigned)parts[i].max);
	return 0;
}

static bool is_type(const xmlNode *node, const char *wanted)
{
	char type[32];

	return xml_value(node, "type", type, sizeof(type)) && strcmp(type, wanted) == 0;
}

static bool has(const xmlNode *node, const char *name)
{
	return xmlHasProp(node, (const xmlChar *)name) != NULL;
}

static void host_pci_text(const struct pci_address *a, char *to, size_t size)
{
	(void)snprintf(to, size, "%04x:%02x:%02x.%x", (unsigned)a->domain, (unsigned)a->bus,
		       (unsigned)a->slot, (unsigned)a->function);
}

/* The function of this host. */
static int read_source_pci(struct xml_reading *r, const xmlNode *node)
{
	struct pci_address a;

	if (has(node, "type") && !is_type(node, "pci"))
		return xml_fail(r, node, -ENOTSUP,
				"<source>: only PCI functions can be passed on; next: <address "
				"type='pci' .../>");
	if (!has(node, "type") && r->on == XML_ON_INTERFACE)
		return xml_fail(r, node, -EINVAL,
				"<source><address> of an interface needs type='pci'");
	if (!has(node, "bus") && !has(node, "slot"))
		return xml_fail(
			r, node, -EINVAL,
			"<source><address>: bus= and slot= say which function it is; see lspci -D");
	int rc = read_pci(r, node, &a);
	if (rc == 0)
		host_pci_text(&a, spec_of(r)->hostdev.pci, sizeof(spec_of(r)->hostdev.pci));
	return rc;
}

/* A device that is taken for the guest and not given to it: others of its IOMMU group are. */
static int read_unassigned(struct xml_reading *r, const xmlNode *node)
{
	if (r->on != XML_ON_HOSTDEV)
		return xml_fail(r, node, -EINVAL,
				"<address type='unassigned'> belongs to <hostdev>, not to an "
				"interface; remove it");
	spec_of(r)->unassigned = true;
	return xml_warn(r, node, "<address type='unassigned'>: the guest does not get the device");
}

/* Where the guest sees the card. libvirt gives a bus N the name of its controller, pci.N. */
static int read_guest_pci(struct xml_reading *r, const xmlNode *node)
{
	struct card_options *o = &card_of(r)->options;
	struct pci_address a;
	char type[32];

	xml_value(node, "type", type, sizeof(type));
	if (strcmp(type, "unassigned") == 0)
		return read_unassigned(r, node);
	if (strcmp(type, "pci") != 0)
		return xml_fail(r, node, -ENOTSUP,
				"<address type='%s'>: cards are put on PCI only; next: remove the "
				"element, or type='pci'",
				type);
	int rc = read_pci(r, node, &a);
	if (rc < 0 || !(a.domain || a.bus || a.slot)) /* libvirt: an address to be chosen */
		return rc;
	if (a.domain)
		return xml_fail(r, node, -EINVAL,
				"<address domain='%u'>: QEMU's machines have domain 0 only",
				(unsigned)a.domain);
	(void)snprintf(o->bus, sizeof(o->bus), "pci.%u", (unsigned)a.bus);
	if (a.function)
		(void)snprintf(o->addr, sizeof(o->addr), "0x%x.0x%x", (unsigned)a.slot,
			       (unsigned)a.function);
	else
		(void)snprintf(o->addr, sizeof(o->addr), "0x%x", (unsigned)a.slot);
	return 0;
}

/* --- the card ------------------------------------------------------------------------------------------------------ */

static int read_mac(struct xml_reading *r, const xmlNode *node)
{
	struct port_spec *port = &spec_of(r)->port;
	char text[40];
	uint8_t mac[MAC_LEN];

	if (!xml_value(node, "address", text, sizeof(text)))
		return 0;
	if (mac_parse(text, mac) < 0 || strchr(text, '-'))
		return xml_fail(r, node, -EINVAL,
				"<mac address='%s'>: the value is not legal; it is six pairs of "
				"hex digits with colons",
				text);
	if (mac_is_multicast(mac))
		return xml_fail(r, node, -EINVAL,
				"<mac address='%s'> is a multicast address; a card needs a unicast "
				"one: its first byte is even",
				text);
	if (mac_is_zero(mac))
		return 0; /* as if it were not there */
	memcpy(port->mac, mac, MAC_LEN);
	port->mac_given = true;
	return 0;
}

/* libvirt knows its models again in capital letters, too; a name that it does not know is QEMU's, as it is written. */
static void read_model_word(struct xml_reading *r)
{
	static const char *const known[] = {
		"netfront",
		"rtl8139",
		"virtio",
		"e1000",
		"e1000e",
		"igb",
		"usb-net",
		"spapr-vlan",
		"lan9118",
		"scm91c111",
		"virtio-transitional",
		"vlance",
		"vmxnet",
		"vmxnet2",
		"vmxnet3",
		"Am79C970A",
		"Am79C973",
		"82540EM",
		"82545EM",
		"82543GC",
		"virtio-non-transitional",
	};
	struct interface_spec *spec = spec_of(r);

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (strcasecmp(known[i], spec->model) == 0)
			str_copy(spec->model, sizeof(spec->model), known[i]);
}

static bool is_virtio_card(const xmlNode *interface)
{
	char model[16];

	for (const xmlNode *c = interface->children; c; c = c->next)
		if (c->type == XML_ELEMENT_NODE && strcmp((const char *)c->name, "model") == 0 &&
		    xml_value(c, "type", model, sizeof(model)))
			return strncasecmp(model, "virtio", 6) == 0;
	return false;
}

/* The older way to say that there is no ROM. */
static void read_rom(struct xml_reading *r, const xmlNode *node)
{
	char text[8];

	if (xml_value(node, "file", text, sizeof(text)) && !text[0])
		card_of(r)->options.rom = TRISTATE_OFF;
}

/* name= of a card says who serves its rings, of a device of the host who hands it on. */
static int read_driver(struct xml_reading *r, const xmlNode *node)
{
	struct interface_spec *spec = spec_of(r);
	char name[32];

	spec->driver_line = (unsigned)xmlGetLineNo(node);
	if (!xml_value(node, "name", name, sizeof(name)))
		return 0;
	if (r->type == INTERFACE_HOSTDEV) {
		if (strcmp(name, "vfio") != 0)
			return xml_fail(
				r, node, -EINVAL,
				"<driver name='%s'>: a device of the host is handed on by 'vfio'",
				name);
		return str_copy(spec->hostdev.driver, sizeof(spec->hostdev.driver), name) ? 0
											  : -EINVAL;
	}
	int found = name_find(backend_driver_names, BACKEND_DRIVER_COUNT, name);
	if (found <= 0 && !is_virtio_card(node->parent))
		return 0; /* V0: not even read; interface_port.c warns of the element */
	if (found <= 0)
		return xml_fail(
			r, node, -EINVAL,
			"<driver name='%s'>: the value is not legal; it is 'vhost' or 'qemu'",
			name);
	spec->port.backend.driver = (enum backend_driver)found;
	return 0;
}

/* --- VLANs ---------------------------------------------------------------------------------------------------------- */

static int read_tag(struct xml_reading *r, const xmlNode *node)
{
	struct vlan_tags *vlan = (struct vlan_tags *)((char *)r->item + r->table->vlan_at);
	char id[16], native[16];
	uint64_t number;

	if (!xml_value(node, "id", id, sizeof(id)) || parse_u64(id, 0, 4095, &number) < 0)
		return xml_fail(r, node, -EINVAL,
				"<vlan><tag id='%s'>: the value is not legal; it is a number from "
				"0 to 4095",
				id);
	if (vlan->count == VLAN_TAGS_MAX)
		return xml_fail(r, node, -ERANGE, "<vlan>: more than %d tags", VLAN_TAGS_MAX);
	vlan->tag[vlan->count++] = (uint16_t)number;
	if (!xml_value(node, "nativeMode", native, sizeof(native)))
		return 0;
	bool tagged = strcmp(native, "tagged") == 0;
	if (!tagged && strcmp(native, "untagged") != 0)
		return xml_fail(r, node, -EINVAL,
				"<vlan><tag nativeMode='%s'>: the value is not legal; it is "
				"'tagged' or 'untagged'",
				native);
	if (vlan->native >= 0)
		return xml_fail(r, node, -EINVAL,
				"<vlan>: two tags with nativeMode; a trunk has one native VLAN");
	vlan->native = (int)number;
	vlan->native_tagged = tagged;
	vlan->trunk = true;
	return 0;
}

/* --- user networking ----------------------------------------------------------------------------------------------- */

static int read_guest_ip(struct xml_reading *r, const xmlNode *node)
{
	struct backend_spec *b = &spec_of(r)->port.backend;
	char address[64], family[16], prefix[16];
	uint8_t raw[16];
	uint64_t bits = 0;

	if (!xml_value(node, "address", address, sizeof(address)))
		return xml_fail(r, node, -EINVAL, "<ip> needs address=");
	if (has(node, "peer"))
		return xml_fail(r, node, -EINVAL,
				"<ip peer=...> has no meaning for type='user'; remove it");
	bool six = xml_value(node, "family", family, sizeof(family)) ? strcmp(family, "ipv6") == 0
								     : strchr(address, ':') != NULL;
	if (inet_pton(six ? AF_INET6 : AF_INET, address, raw) != 1)
		return xml_fail(r, node, -EINVAL, "<ip address='%s'> is no IPv%d address", address,
				six ? 6 : 4);
	if (xml_value(node, "prefix", prefix, sizeof(prefix)) &&
	    parse_u64(prefix, six ? 64 : 4, six ? 64 : 27, &bits) < 0)
		return xml_fail(r, node, -EINVAL,
				"<ip prefix='%s'>: the value is not legal; it is %s", prefix,
				six ? "64" : "a number from 4 to 27");
	char *to = six ? b->net6 : b->net;
	if (to[0])
		return xml_fail(r, node, -EINVAL, "<ip>: a second IPv%d address; one is legal",
				six ? 6 : 4);
	if (bits)
		(void)snprintf(to, sizeof(b->net), "%.46s/%u", address, (unsigned)bits);
	else
		(void)snprintf(to, sizeof(b->net), "%.46s", address);
	return 0;
}

static int read_reconnect(struct xml_reading *r, const xmlNode *node)
{
	struct backend_spec *b = &spec_of(r)->port.backend;

	if (b->reconnect == TRISTATE_DEFAULT)
		return xml_fail(r, node, -EINVAL,
				"<reconnect> needs enabled=, which is 'yes' or 'no'");
	if (b->reconnect == TRISTATE_OFF)
		b->reconnect_s = 0;
	else if (!b->reconnect_s)
		return xml_fail(r, node, -EINVAL,
				"<reconnect enabled='yes'> needs timeout=, in seconds");
	return 0;
}

/* --- ours ---------------------------------------------------------------------------------------------------------- */

/* "off" or "N/SECONDS", as --nic takes it. */
static int read_hold(struct xml_reading *r, const xmlNode *node)
{
	struct port_spec *port = &spec_of(r)->port;
	char text[24];
	uint64_t count = 0, seconds = 0;

	if (!xml_value(node, "hold", text, sizeof(text)))
		return 0;
	char *slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	bool good = slash ? parse_u64(text, 1, HOLD_COUNT_MAX, &count) == 0 &&
				    parse_u64(slash, 1, 86400, &seconds) == 0
			  : strcmp(text, "off") == 0;
	if (!good)
		return xml_fail(r, node, -EINVAL,
				"<anynic:%s hold=...>: the value is not legal; it is off, or "
				"N/SECONDS as in 6/60",
				node->name);
	port->hold_count = (unsigned)count;
	port->hold_seconds = (unsigned)seconds;
	return 0;
}

static int take_policy(struct xml_reading *r, const xmlNode *node, enum policy_kind policy)
{
	struct port_spec *port = &spec_of(r)->port;

	if (port->policy != POLICY_SINGLE)
		return xml_fail(r, node, -EINVAL,
				"<anynic:auto> and <anynic:team> exclude each other; leave one");
	port->policy = policy;
	return read_hold(r, node);
}

static int read_model(struct xml_reading *r, const xmlNode *node, const char *name,
		      char to[MODEL_MAX])
{
	if (!has(node, name))
		return 0;
	if (xml_value(node, name, to, MODEL_MAX) && to[0])
		return 0;
	return xml_fail(
		r, node, -EINVAL,
		"<anynic:%s %s=...>: the value is not legal; it is a model, see `anynic models`",
		node->name, name);
}

static int read_auto(struct xml_reading *r, const xmlNode *node)
{
	int rc = take_policy(r, node, POLICY_SWITCH);

	if (rc == 0)
		rc = read_model(r, node, "legacy", card_of(r)[0].model);
	return rc == 0 ? read_model(r, node, "performant", card_of(r)[1].model) : rc;
}

static int read_team(struct xml_reading *r, const xmlNode *node)
{
	int rc = take_policy(r, node, POLICY_TEAM);

	return rc == 0 ? read_model(r, node, "transient", card_of(r)[1].model) : rc;
}

/* --- <network> ----------------------------------------------------------------------------------------------------- */

static int add_device(struct xml_reading *r, const xmlNode *node, const char *name, bool pci)
{
	struct network_spec *n = r->item;

	if (n->devs && n->devs_are_pci != pci)
		return xml_fail(
			r, node, -EINVAL,
			"<forward>: <interface> and <address> exclude each other; leave one kind");
	for (unsigned i = 0; i < n->devs; i++)
		if (strcmp(n->dev[i], name) == 0)
			return xml_fail(r, node, -EINVAL, "<forward>: %s is there twice; leave one",
					name);
	if (n->devs == NETWORK_DEVICES_MAX)
		return xml_fail(r, node, -ERANGE, "<forward>: more than %d devices",
				NETWORK_DEVICES_MAX);
	n->devs_are_pci = pci;
	str_copy(n->dev[n->devs++], sizeof(n->dev[0]), name);
	return 0;
}

static bool is_short(const char *ifname)
{
	return ifname[0] && strlen(ifname) <= 15;
}

static int read_network_device(struct xml_reading *r, const xmlNode *node)
{
	const struct network_spec *n = r->item;
	char name[64], first[64];

	if (!xml_value(node, "dev", name, sizeof(name)) || !is_short(name))
		return xml_fail(r, node, -EINVAL,
				"<forward><interface> needs dev=, the name of a network interface "
				"of at most 15 characters");
	/* <forward dev=> repeats the first */
	if (n->devs == 1 && xml_value(node->parent, "dev", first, sizeof(first)) &&
	    strcmp(first, name) == 0 && strcmp(n->dev[0], name) == 0)
		return 0;
	return add_device(r, node, name, false);
}

static int read_network_pci(struct xml_reading *r, const xmlNode *node)
{
	struct pci_address a;
	char text[16];

	if (!is_type(node, "pci"))
		return xml_fail(r, node, -EINVAL, "<forward><address>: only type='pci' is legal");
	int rc = read_pci(r, node, &a);
	if (rc < 0)
		return rc;
	host_pci_text(&a, text, sizeof(text));
	return add_device(r, node, text, true);
}

static int read_forward_mode(struct xml_reading *r, const xmlNode *node)
{
	struct network_spec *n = r->item;
	char dev[64];

	if (!has(node, "mode"))
		n->forward = FORWARD_NAT; /* libvirt's default of an element without it */
	if (!xml_value(node, "dev", dev, sizeof(dev)))
		return 0;
	if (!is_short(dev))
		return xml_fail(r, node, -EINVAL,
				"<forward dev='%s'>: a network interface's name has 1 to 15 "
				"characters",
				dev);
	/* of a routed network it says where the host's own rules let packets out: libvirt's business */
	return n->forward >= FORWARD_BRIDGE ? add_device(r, node, dev, false) : 0;
}

static int read_portgroup(struct xml_reading *r, const xmlNode *node)
{
	struct network_spec *n = r->item;
	struct xml_reading inner = *r;

	if (n->groups == PORTGROUPS_MAX)
		return xml_fail(r, node, -ERANGE, "more than %d portgroups", PORTGROUPS_MAX);
	struct portgroup_spec *group = &n->group[n->groups];
	*group = (struct portgroup_spec){ .port.vlan.native = -1 };
	memset(inner.seen, 0, sizeof(inner.seen));
	inner.table = &xml_portgroup_table;
	inner.item = group;
	int rc = xml_read_item(&inner, node);
	if (rc < 0)
		return rc;
	group->line = (unsigned)xmlGetLineNo(node);
	xml_note_lines(&group->port, node);
	rc = xml_check_bandwidth(r, node, false);
	if (rc < 0)
		return rc;
	if (!group->name[0])
		return xml_fail(r, node, -EINVAL, "<portgroup> needs name=");
	for (unsigned i = 0; i < n->groups; i++) {
		if (strcmp(n->group[i].name, group->name) == 0)
			return xml_fail(r, node, -EINVAL, "<portgroup name='%s'> is there twice",
					group->name);
		if (n->group[i].is_default && group->is_default)
			return xml_fail(r, node, -EINVAL,
					"<portgroup name='%s'>: a second default; one is legal",
					group->name);
	}
	n->groups++;
	return 0;
}

int xml_read_by_hand(struct xml_reading *r, const struct xml_element *row, const xmlNode *node)
{
	switch (row->reader) {
	case XML_MAC_OF_CARD:
		return read_mac(r, node);
	case XML_MODEL_WORD:
		read_model_word(r);
		return 0;
	case XML_ROM:
		read_rom(r, node);
		return 0;
	case XML_SOURCE_PCI:
		return read_source_pci(r, node);
	case XML_GUEST_PCI:
		return read_guest_pci(r, node);
	case XML_DRIVER:
		return read_driver(r, node);
	case XML_VLAN_TAG:
		return read_tag(r, node);
	case XML_VIRTUALPORT:
		return xml_read_virtualport(r, node);
	case XML_VIRTUALPORT_IDS:
		xml_read_virtualport_ids(r);
		return 0;
	case XML_GUEST_IP:
		return read_guest_ip(r, node);
	case XML_FORWARD:
		return xml_read_port_forward(r, node);
	case XML_FORWARD_RANGE:
		return xml_read_port_range(r, node);
	case XML_RECONNECT:
		return read_reconnect(r, node);
	case XML_AUTO:
		return read_auto(r, node);
	case XML_TEAM:
		return read_team(r, node);
	case XML_NETWORK_FORWARD:
		return read_forward_mode(r, node);
	case XML_NETWORK_DEVICE:
		return read_network_device(r, node);
	case XML_NETWORK_PCI:
		return read_network_pci(r, node);
	case XML_PORTGROUP:
		return read_portgroup(r, node);
	case XML_PLAIN:
	case XML_READER_COUNT:
		break;
	}
	return 0;
}
