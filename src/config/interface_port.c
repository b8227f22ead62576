#include "config/interface_port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/xml_rows.h"

struct making {
	struct interface_list *list; /* what was written stays as it is */
	struct interface_spec *item; /* a copy of its interfaces, which become ports */
	const struct interface_rules *rules;
	struct error *err;
};

static int fail(struct making *m, const struct interface_spec *s, int code, const char *fmt, ...)
	PRINTF(4, 5);

unsigned interface_line(const struct interface_spec *s, const char *text)
{
	char path[32];

	if (text[0] != '<')
		return s->line;
	size_t length = MIN(strcspn(text + 1, " >"), sizeof(path) - 1);
	(void)snprintf(path, sizeof(path), "%.*s", (int)length, text + 1);
	const struct xml_element *row = xml_element_find(&xml_interface_table, path);
	unsigned line = row ? s->element_line[row - xml_interface_table.elements] : 0;
	return line ? line : s->line;
}

static int fail(struct making *m, const struct interface_spec *s, int code, const char *fmt, ...)
{
	char text[sizeof(m->err->text)];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	error_set(m->err, code, "%s", text);
	error_place(m->err, m->rules->file, interface_line(s, text));
	return code;
}

/* What libvirt passes over in silence: a warning, or an error where the interface is strict. */
static int lenient(struct making *m, const struct interface_spec *s, const char *text)
{
	if (s->anynic.strict)
		return fail(m, s, -EINVAL, "%s; with anynic:strict='yes' this is an error", text);
	interface_warn(m->list, interface_line(s, text), "%s", text);
	return 0;
}

/* --- names ---------------------------------------------------------------------------------------------------------- */

/* What libvirt takes for an alias of the user's; others it drops without a word. */
static bool is_user_alias(const char *alias)
{
	static const char legal[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	return strncmp(alias, "ua-", 3) == 0 && alias[strspn(alias, legal)] == '\0';
}

void interfaces_name(struct interface_list *list)
{
	unsigned nets = list->nets, hostdevs = list->hostdevs;

	/* hostdev elements come after the interfaces, whatever their order in the file is */
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < list->count; i++) {
			struct interface_spec *s = &list->item[i];

			if (s->hostdev_element != (pass == 1) || is_user_alias(s->alias))
				continue;
			if (s->actual == INTERFACE_HOSTDEV)
				(void)snprintf(s->alias, ID_MAX, "hostdev%u", hostdevs++);
			else
				(void)snprintf(s->alias, ID_MAX, "net%u", nets++);
		}
}

/* --- the card ------------------------------------------------------------------------------------------------------- */

/* libvirt's word for a model, where it is not also QEMU's name of the device. */
static const struct {
	const char *word, *model, *device;
} models[] = {
	{ "virtio", "virtio-net", "" },
	{ "virtio-transitional", "virtio-net", "virtio-net-pci-transitional" },
	{ "virtio-non-transitional", "virtio-net", "virtio-net-pci-non-transitional" },
};

/* libvirt's choice when nothing is said: rtl8139 where PCs are, virtio elsewhere. */
static const char *default_model(const struct making *m)
{
	const char *target = m->rules->target;
	bool pc = target[0] == '\0' || strcmp(target, "x86_64") == 0 || strcmp(target, "i386") == 0;

	return pc ? "rtl8139" : "virtio";
}

static bool is_virtio(const struct nic_spec *nic)
{
	return strcmp(nic->model, "virtio-net") == 0;
}

static int set_model(struct making *m, struct interface_spec *s)
{
	struct nic_spec *nic = &s->port.nic[0];
	bool rings = s->actual == INTERFACE_VDPA || s->actual == INTERFACE_VHOSTUSER;
	const char *usual = rings ? "virtio" : default_model(m);
	const char *word = s->model[0] ? s->model : usual;

	if (strcmp(word, "usb-net") == 0)
		return fail(m, s, -ENOTSUP,
			    "<model type='usb-net'>: cards on USB are not carried out; next: a PCI "
			    "model");
	for (unsigned i = 0; i < ARRAY_SIZE(models); i++)
		if (strcmp(models[i].word, word) == 0) {
			str_copy(nic->model, MODEL_MAX, models[i].model);
			str_copy(nic->options.device, sizeof(nic->options.device),
				 models[i].device);
			return 0;
		}
	(void)str_copy(nic->model, MODEL_MAX, word); /* a longer name is the device's */
	if (!known_model_find(m->rules->known, word))
		str_copy(nic->options.device, sizeof(nic->options.device), word);
	return 0;
}

/* iommu, ats, packed and page_per_vq of a card that has no rings are an error of libvirt's; all else of its <driver> is not even read. */
static int check_driver(struct making *m, struct interface_spec *s)
{
	struct nic_spec *nic = &s->port.nic[0];
	struct card_options *o = &nic->options;
	char text[160];

	if (!s->driver_line || is_virtio(nic))
		return 0;
	if (o->iommu || o->ats || o->packed || o->page_per_vq)
		return fail(m, s, -EINVAL,
			    "<driver iommu= ats= packed= page_per_vq=> belong to virtio models, "
			    "not to '%s'",
			    nic->model);
	(void)snprintf(text, sizeof(text),
		       "<driver%s%s%s> belongs to virtio models, not to '%s'; it is ignored, as "
		       "libvirt does",
		       s->port.backend.driver ? " name='" : "",
		       s->port.backend.driver ? backend_driver_names[s->port.backend.driver] : "",
		       s->port.backend.driver ? "'" : "", nic->model);
	s->port.backend.driver = DRIVER_DEFAULT;
	nic->queues = 0;
	o->ioeventfd = o->event_idx = o->rss = o->rss_hash_report = TRISTATE_DEFAULT;
	o->csum = o->gso = o->host_tso4 = o->host_tso6 = o->host_ecn = o->host_ufo = o->mrg_rxbuf =
		TRISTATE_DEFAULT;
	o->guest_csum = o->guest_tso4 = o->guest_tso6 = o->guest_ecn = o->guest_ufo =
		TRISTATE_DEFAULT;
	o->txmode = TXMODE_DEFAULT;
	o->rx_queue_size = o->tx_queue_size = 0;
	return lenient(m, s, text);
}

static bool is_tap(enum interface_type type)
{
	return type == INTERFACE_BRIDGE || type == INTERFACE_DIRECT || type == INTERFACE_ETHERNET;
}

static int check_queues(struct making *m, struct interface_spec *s)
{
	uint16_t *queues = &s->port.nic[0].queues;

	if (*queues <= 1) { /* one is none, for libvirt */
		*queues = 0;
		return 0;
	}
	if (is_tap(s->actual) || s->actual == INTERFACE_VHOSTUSER || s->actual == INTERFACE_VDPA ||
	    s->anynic.given)
		return 0;
	return fail(m, s, -EINVAL,
		    "<driver queues='%u'> does not belong to type='%s'; only taps, vhostuser and "
		    "vdpa have several",
		    *queues, interface_type_names[s->actual]);
}

/* V1: on a guest without KVM libvirt takes no vhost-net, whatever was asked for. */
static int check_vhost(struct making *m, struct interface_spec *s)
{
	struct backend_spec *b = &s->port.backend;
	bool wanted = b->driver == DRIVER_VHOST;

	if (s->anynic.given)
		return 0;
	if (wanted && !is_tap(s->actual) && is_virtio(&s->port.nic[0])) {
		char text[160];

		b->driver = DRIVER_DEFAULT;
		(void)snprintf(text, sizeof(text),
			       "<driver name='vhost'> has no meaning for type='%s', only taps "
			       "have it; it is ignored, as libvirt does",
			       interface_type_names[s->actual]);
		return lenient(m, s, text);
	}
	if (m->rules->kvm)
		return 0;
	s->port.tcg = true;
	if (!wanted || !is_virtio(&s->port.nic[0]))
		return 0;
	b->driver = DRIVER_DEFAULT;
	return lenient(
		m, s,
		"<driver name='vhost'>: the guest does not run on KVM, so the card is served in "
		"user space, as libvirt does");
}

/* --- the backend ---------------------------------------------------------------------------------------------------- */

static const char *const backend_types[INTERFACE_TYPE_COUNT] = {
	[INTERFACE_BRIDGE] = "bridge",
	[INTERFACE_DIRECT] = "direct",
	[INTERFACE_ETHERNET] = "tap",
	[INTERFACE_USER] = "user",
	[INTERFACE_VHOSTUSER] = "vhostuser",
	[INTERFACE_VDPA] = "vdpa",
	[INTERFACE_HOSTDEV] = "hostdev",
	[INTERFACE_SERVER] = "server",
	[INTERFACE_CLIENT] = "client",
	[INTERFACE_MCAST] = "mcast",
	[INTERFACE_UDP] = "udp",
	[INTERFACE_INTERNAL] = "internal",
};

/* Names that libvirt gives itself, and drops when it reads them; not that of a tap of the user's own. */
static bool is_made_up(const struct interface_spec *s)
{
	static const char *const prefixes[] = { "vnet", "macvtap", "macvlan" };

	for (unsigned i = 0; i < ARRAY_SIZE(prefixes) && !s->host.target_managed_off; i++)
		if (strncmp(s->port.backend.ifname, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static int set_backend(struct making *m, struct interface_spec *s)
{
	struct backend_spec *b = &s->port.backend;

	if (s->actual == INTERFACE_NETWORK)
		return fail(m, s, -ENOTSUP,
			    "<source network='%s'>: what the network is, was not said; next: "
			    "--networks FILE",
			    s->network);
	bool has_dev = s->actual == INTERFACE_DIRECT || s->actual == INTERFACE_VDPA;

	if (strcmp(b->type, "passt") != 0) { /* <backend type='passt'> */
		str_copy(b->type, sizeof(b->type), backend_types[s->actual]);
		if (!has_dev)
			b->dev[0] = '\0';
	}
	if (is_made_up(s) || !is_tap(s->actual))
		b->ifname[0] = '\0';
	if (s->actual == INTERFACE_DIRECT && !b->mode[0])
		str_copy(b->mode, sizeof(b->mode), "vepa");
	b->sndbuf_given = s->host.sndbuf != SNDBUF_UNSAID;
	b->sndbuf = b->sndbuf_given ? s->host.sndbuf : 0;
	str_copy(b->iface_id, sizeof(b->iface_id), s->host.virtualport.interface_id);
	if (s->actual == INTERFACE_BRIDGE)
		b->rules = (struct bridge_rules){ s->host.vlan, s->host.isolated == TRISTATE_ON };
	/* a macvtap has a node of its own, and of a card without rings libvirt reads no vhost= */
	if (s->actual == INTERFACE_BRIDGE || s->actual == INTERFACE_ETHERNET)
		str_copy(b->tap_node, sizeof(b->tap_node), s->host.tap_node);
	if (is_tap(s->actual))
		str_copy(b->vhost_node, sizeof(b->vhost_node), s->host.vhost_node);
	if (s->actual == INTERFACE_ETHERNET) {
		str_copy(b->script, sizeof(b->script), s->host.script);
		str_copy(b->downscript, sizeof(b->downscript), s->host.downscript);
		b->managed = s->host.target_managed_off ? TRISTATE_OFF : TRISTATE_ON;
	}
	if (is_tap(s->actual))
		b->limits = (struct port_limits){ s->host.inbound, s->host.outbound };
	if (s->actual == INTERFACE_VHOSTUSER)
		b->server = strcmp(b->mode, "server") == 0;
	return 0;
}

/* What is done around a port on this host, as far as it is done. */
static int check_host(struct making *m, const struct interface_spec *s)
{
	const struct interface_host *h = &s->host;

	if (h->inbound.floor)
		return fail(m, s, -ENOTSUP,
			    "<bandwidth><inbound floor='%u'>: a rate that is sure is a part of the "
			    "network's own <bandwidth>, which anynic does not set: it makes no "
			    "bridge; remove floor=",
			    h->inbound.floor);
	if ((h->inbound.average || h->outbound.average) && s->actual == INTERFACE_HOSTDEV)
		return fail(m, s, -EINVAL, "<bandwidth> cannot be set for type='hostdev'");
	if (h->trust_rx == TRISTATE_ON) {
		int rc = lenient(m, s,
				 "trustGuestRxFilters='yes': nothing acts on it; a guest that "
				 "changes its MAC or its multicast addresses changes nothing on "
				 "this host");
		if (rc < 0)
			return rc;
	}
	if (h->sndbuf != SNDBUF_UNSAID && s->anynic.given)
		return fail(m, s, -ENOTSUP,
			    "<tune><sndbuf> is not carried out for cards that anynic serves; "
			    "remove it");
	if (h->isolated == TRISTATE_ON && s->actual != INTERFACE_BRIDGE)
		return fail(m, s, -EINVAL,
			    "<port isolated='yes'> has no meaning for type='%s': it is no port of "
			    "a bridge",
			    interface_type_names[s->actual]);
	if (h->vlan.count && s->actual != INTERFACE_HOSTDEV && s->actual != INTERFACE_BRIDGE)
		return fail(m, s, -ENOTSUP,
			    "<vlan> of type='%s' is not carried out; next: a bridge, or a network "
			    "device of that VLAN (ip link add link DEV name DEV.N type vlan id N)",
			    interface_type_names[s->actual]);
	if (h->virtualport.kind != VIRTUALPORT_NONE &&
	    h->virtualport.kind != VIRTUALPORT_OPENVSWITCH)
		return fail(m, s, -ENOTSUP,
			    "<virtualport type='%s'> is not carried out; type='openvswitch' is",
			    virtualport_names[h->virtualport.kind]);
	return 0;
}

/* --- a port --------------------------------------------------------------------------------------------------------- */

/* QEMU's card and QEMU's frames: nothing of ours in between. */
static bool is_qemus_alone(enum interface_type type)
{
	return !is_tap(type) && type != INTERFACE_USER && type != INTERFACE_HOSTDEV;
}

static void set_place(struct making *m, struct interface_spec *s)
{
	struct nic_spec *nic = &s->port.nic[0];
	bool alone = is_qemus_alone(s->actual);

	if (nic->place == PLACE_AUTO)
		nic->place = m->rules->place;
	if (nic->place == PLACE_HOSTED && (alone || s->actual == INTERFACE_HOSTDEV)) {
		interface_warn(
			m->list, s->line,
			"type='%s' is served by QEMU alone, --place hosted does not change it",
			interface_type_names[s->actual]);
		nic->place = PLACE_QEMU;
	}
	if (nic->place == PLACE_HOSTED)
		s->anynic.given = true;
	if (s->anynic.given)
		return;
	nic->place = PLACE_QEMU;
	s->port.plain = true;
	/* its rings are ours, and its frames go to passt: QEMU's side is as if passt had both */
	if (s->actual == INTERFACE_VHOSTUSER && strcmp(s->port.backend.type, "passt") == 0) {
		nic->place = PLACE_HOSTED;
		nic->transport = TRANSPORT_VHOST_USER;
	}
}

/* T4: also of the model that nobody named. */
static int check_persistent(struct making *m, struct interface_spec *s)
{
	if (s->teaming != TEAMING_PERSISTENT || is_virtio(&s->port.nic[0]))
		return 0;
	return fail(m, s, -EINVAL,
		    "<teaming type='persistent'>: the persistent card must be virtio, not '%s'",
		    s->port.nic[0].model);
}

static int set_hostdev(struct making *m, struct interface_spec *s)
{
	struct nic_spec *nic = &s->port.nic[0];
	unsigned kind = s->type == INTERFACE_NETWORK ? 2 : s->hostdev_element;

	str_copy(nic->model, MODEL_MAX, "hostdev");
	/* type='hostdev', then <hostdev>, then those that a network gave */
	nic->host_order = kind * INTERFACES_MAX + (unsigned)(s - m->item) + 1;
	int rc = check_persistent(m, s);
	if (rc < 0)
		return rc;
	str_copy(nic->host_pci, sizeof(nic->host_pci), s->hostdev.pci);
	nic->host_managed = s->hostdev.managed ? TRISTATE_ON : TRISTATE_OFF;
	if (!str_copy(nic->host_driver, sizeof(nic->host_driver), s->hostdev.variant))
		return fail(m, s, -EINVAL,
			    "<driver model='%s'>: a driver's name has at most %zu characters",
			    s->hostdev.variant, sizeof(nic->host_driver) - 1);
	if (s->host.vlan.count > 1 || s->host.vlan.trunk)
		return fail(m, s, -ENOTSUP,
			    "<vlan> of a device of the host: a virtual function has one VLAN, not "
			    "a trunk");
	if (s->host.vlan.count)
		nic->vlan = s->host.vlan.tag[0];
	return 0;
}

/* The second card of <anynic:auto> and <anynic:team>: the same in all but its model. */
static int set_second_card(struct making *m, struct interface_spec *s)
{
	struct port_spec *p = &s->port;
	char first[MODEL_MAX], second[MODEL_MAX];
	bool team = p->policy == POLICY_TEAM;

	str_copy(first, sizeof(first), p->nic[0].model);
	str_copy(second, sizeof(second), p->nic[1].model);
	p->nic[0].options.device[0] = '\0';
	/* <model type='e1000'/> is the legacy card, <model type='virtio'/> the performant one */
	if (!first[0])
		str_copy(first, sizeof(first),
			 team || strcmp(s->model, "virtio") == 0 || !s->model[0] ? "" : s->model);
	if (!first[0])
		str_copy(first, sizeof(first), team ? "virtio-net" : "rtl8139");
	if (!second[0])
		str_copy(second, sizeof(second), team ? "igbvf" : "virtio-net");
	p->nics = 2;
	p->nic[1] = p->nic[0];
	p->nic[team ? 1 : 0].queues = 0;
	str_copy(p->nic[0].model, MODEL_MAX, first);
	str_copy(p->nic[1].model, MODEL_MAX, second);
	p->nic[0].role = team ? ROLE_PERSISTENT : ROLE_LEGACY;
	p->nic[1].role = team ? ROLE_TRANSIENT : ROLE_PERFORMANT;
	/* one of them boots, and addresses on the guest's bus are one card's */
	p->nic[1].bootindex = -1;
	p->nic[1].options.bus[0] = p->nic[1].options.addr[0] = '\0';
	p->nic[0].mtu = team ? p->nic[0].mtu : 0;
	p->nic[0].standby = team;
	(void)m;
	return 0;
}

static int make_port(struct making *m, struct interface_spec *s)
{
	struct nic_spec *nic = &s->port.nic[0];
	int rc = set_backend(m, s);

	if (rc == 0)
		rc = check_host(m, s);
	if (rc < 0)
		return rc;
	set_place(m, s);
	str_copy(s->port.id, ID_MAX, s->alias);
	error_place_text(s->port.source, sizeof(s->port.source), m->rules->file, s->line);
	nic->role = ROLE_SINGLE;
	if (s->actual == INTERFACE_HOSTDEV)
		return set_hostdev(m, s);
	if (s->port.policy != POLICY_SINGLE)
		return set_second_card(m, s);
	rc = set_model(m, s);
	if (rc == 0)
		rc = check_driver(m, s);
	if (rc == 0)
		rc = check_queues(m, s);
	if (rc == 0)
		rc = check_vhost(m, s);
	if (rc == 0 && nic->options.device[0] && !is_virtio(nic) && s->anynic.given)
		return fail(
			m, s, -ENOTSUP,
			"<model type='%s'> is QEMU's: anynic has no such card; see `anynic models`",
			s->model);
	if (nic->mtu)
		s->port.backend.mtu = nic->mtu;
	if (!is_virtio(nic)) /* the tap's alone: only virtio tells the guest */
		nic->mtu = 0;
	if (rc == 0)
		rc = check_persistent(m, s);
	if (rc == 0 && s->host.trust_rx == TRISTATE_ON && s->actual == INTERFACE_DIRECT)
		rc = lenient(m, s,
			     "trustGuestRxFilters='yes': a guest that changes its MAC is not "
			     "followed; it is ignored");
	if (rc == 0 && s->host.virtualport.profile[0])
		rc = lenient(m, s,
			     "<virtualport/parameters profileid=...> is not told Open vSwitch; it "
			     "is ignored");
	if (rc == 0 && nic->options.loadparm[0])
		rc = lenient(m, s,
			     "<boot loadparm=...> is for cards on the channels of s390; it is "
			     "ignored");
	nic->packed = nic->options.packed == TRISTATE_ON;
	nic->standby = s->teaming == TEAMING_PERSISTENT;
	return rc;
}

/* --- teams ---------------------------------------------------------------------------------------------------------- */

static struct interface_spec *find_alias(struct making *m, const char *alias)
{
	for (unsigned i = 0; i < m->list->count; i++)
		if (strcmp(m->item[i].alias, alias) == 0)
			return &m->item[i];
	return NULL;
}

/* T4 and T6, with what the ports of networks turned out to be; and what libvirt leaves unchecked. */
static int check_pair(struct making *m, struct interface_spec *t, struct interface_spec *p)
{
	char a[MAC_TEXT], b[MAC_TEXT];

	if (t->actual != INTERFACE_HOSTDEV) /* T6 */
		return fail(m, t, -EINVAL,
			    "<teaming type='transient'>: network '%s' gives a port of type='%s', "
			    "and the transient one must be a "
			    "device of the host; next: a network with <forward mode='hostdev'>",
			    t->network, interface_type_names[t->actual]);
	if (!p)
		return fail(m, t, -EINVAL,
			    "<teaming persistent='%s'>: there is no such alias; next: <alias "
			    "name='ua-NAME'/> in the persistent "
			    "<interface>, and that name here",
			    t->persistent);
	if (p == t || p->teaming != TEAMING_PERSISTENT)
		return fail(m, t, -EINVAL,
			    "<teaming persistent='%s'>: that interface (line %u) is not <teaming "
			    "type='persistent'/>",
			    t->persistent, p->line);
	if (p->port.nics == 2)
		return fail(m, t, -EINVAL,
			    "<teaming persistent='%s'>: it has a transient partner already; a team "
			    "has one",
			    t->persistent);
	if (t->port.mac_given && p->port.mac_given &&
	    memcmp(t->port.mac, p->port.mac, MAC_LEN) != 0)
		return fail(m, t, -EINVAL,
			    "<mac address='%s'>: the persistent card (line %u) has %s; the cards "
			    "of a team have one address, or "
			    "the guest does not pair them",
			    mac_format(t->port.mac, a), p->line, mac_format(p->port.mac, b));
	if (t->port.mac_given && !p->port.mac_given)
		return fail(m, t, -EINVAL,
			    "<mac address='%s'>: the persistent card (line %u) has none; next: "
			    "give both the same",
			    mac_format(t->port.mac, a), p->line);
	if (t->port.nic[0].options.multifunction == TRISTATE_ON ||
	    strchr(t->port.nic[0].options.addr, '.'))
		return fail(m, t, -EINVAL,
			    "<address multifunction=...>: QEMU drops a transient card that shares "
			    "its slot; next: an address of its own");
	return 0;
}

/* For libvirt the partner may be plugged later; more often its alias is misspelt. */
static int check_alone(struct making *m)
{
	int rc = 0;

	for (unsigned i = 0; i < m->list->count && rc == 0; i++)
		if (m->item[i].teaming == TEAMING_PERSISTENT && m->item[i].port.nics == 1)
			rc = lenient(m, &m->item[i],
				     "<teaming type='persistent'>: no transient card names it; the "
				     "guest has this card alone until one is plugged");
	return rc;
}

static int join_teams(struct making *m)
{
	for (unsigned i = 0; i < m->list->count; i++) {
		struct interface_spec *t = &m->item[i];

		if (t->teaming != TEAMING_TRANSIENT || t->unassigned)
			continue;
		struct interface_spec *p = find_alias(m, t->persistent);
		int rc = check_pair(m, t, p);

		if (rc < 0)
			return rc;
		struct port_spec *port = &p->port;
		port->policy = POLICY_TEAM;
		port->nics = 2;
		port->nic[1] = t->port.nic[0];
		port->nic[0].role = ROLE_PERSISTENT;
		port->nic[1].role = ROLE_TRANSIENT;
		str_copy(port->nic[0].id, ID_MAX, p->alias);
		str_copy(port->nic[1].id, ID_MAX, t->alias);
		str_copy(port->nic[1].pair, ID_MAX, p->alias);
	}
	return check_alone(m);
}

static int check_aliases(struct making *m)
{
	for (unsigned i = 0; i < m->list->count; i++)
		for (unsigned j = 0; j < i; j++)
			if (strcmp(m->list->item[i].alias, m->list->item[j].alias) == 0)
				return fail(m, &m->list->item[i], -EINVAL,
					    "<alias name='%s'> is there twice (line %u); each "
					    "needs its own",
					    m->list->item[i].alias, m->list->item[j].line);
	return 0;
}

static int append(struct making *m, const struct interface_spec *s, struct port_spec *ports,
		  unsigned *count, struct interface_origin *origin)
{
	if (*count == PORTS_MAX)
		return fail(m, s, -ERANGE, "more than %d ports; a guest has at most that many",
			    PORTS_MAX);
	*origin = (struct interface_origin){ *count, 0 };
	ports[(*count)++] = s->port;
	return 0;
}

/* Functions of the host come last, as with libvirt. */
static int append_all(struct making *m, struct port_spec *ports, unsigned *count,
		      struct interface_origin *origin)
{
	unsigned n = m->list->count;
	int rc = 0;

	for (unsigned i = 0; i < n; i++)
		origin[i] = (struct interface_origin){ INTERFACE_NO_PORT, 0 };
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < n && rc == 0; i++) {
			const struct interface_spec *s = &m->item[i];

			if (s->teaming != TEAMING_TRANSIENT && !s->unassigned &&
			    (s->actual == INTERFACE_HOSTDEV) == (pass == 1))
				rc = append(m, s, ports, count, &origin[i]);
		}
	for (unsigned i = 0; i < n && rc == 0; i++) {
		const struct interface_spec *s = &m->item[i];

		if (s->teaming == TEAMING_TRANSIENT && !s->unassigned)
			origin[i] = (struct interface_origin){
				origin[find_alias(m, s->persistent) - m->item].port, 1
			};
	}
	return rc;
}

/* libvirt takes two cards with one MAC. Ports of ours need a MAC each, which is said for them later. */
static int check_macs(struct making *m)
{
	int rc = 0;

	for (unsigned i = 0; i < m->list->count; i++)
		for (unsigned j = 0; j < i && rc == 0; j++) {
			const struct interface_spec *a = &m->item[j], *b = &m->item[i];

			if (a->port.plain && b->port.plain && b->port.mac_given &&
			    memcmp(a->port.mac, b->port.mac, MAC_LEN) == 0 &&
			    b->teaming != TEAMING_TRANSIENT && a->teaming != TEAMING_TRANSIENT) {
				rc = lenient(
					m, b,
					"<mac>: another interface has this address, too; where "
					"both are in one network neither is reached for certain");
				break;
			}
		}
	return rc;
}

/* <os><boot dev='network'/>, which stands without a <boot order=> of any device. */
static void boot_from_first(struct making *m)
{
	for (unsigned i = 0; m->list->boot && i < m->list->count; i++)
		if (!m->item[i].hostdev_element) {
			m->item[i].port.nic[0].bootindex = (int)m->list->boot;
			return;
		}
}

/* Where a card is put there is no other; a slot may have several functions. */
static int check_addresses(struct making *m)
{
	for (unsigned i = 0; i < m->list->count; i++)
		for (unsigned j = 0; j < i; j++) {
			const struct card_options *a = &m->item[j].port.nic[0].options;
			const struct card_options *b = &m->item[i].port.nic[0].options;

			if (a->bus[0] && strcmp(a->bus, b->bus) == 0 &&
			    strcmp(a->addr, b->addr) == 0)
				return fail(m, &m->item[i], -EINVAL,
					    "<address> %s on %s is that of another card (line %u); "
					    "each needs its own",
					    b->addr, b->bus, m->item[j].line);
		}
	return 0;
}

int interfaces_to_ports(struct interface_list *list, const struct interface_rules *rules,
			struct port_spec *ports, unsigned *count, struct interface_origin *origin,
			struct error *err)
{
	struct making m = { .list = list, .rules = rules, .err = err };
	int rc = 0;

	interfaces_name(list);
	struct interface_spec *item = malloc(sizeof(list->item));
	if (!item)
		return error_set(err, -ENOMEM, "out of memory");
	memcpy(item, list->item, sizeof(list->item));
	m.item = item;
	boot_from_first(&m);
	rc = check_aliases(&m);
	if (rc == 0)
		rc = check_addresses(&m);
	for (unsigned i = 0; i < list->count && rc == 0; i++)
		rc = make_port(&m, &m.item[i]);
	if (rc == 0)
		rc = join_teams(&m);
	if (rc == 0)
		rc = check_macs(&m);
	if (rc == 0)
		rc = append_all(&m, ports, count, origin);
	free(item);
	return rc;
}
