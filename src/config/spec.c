#include "config/spec.h"

#include <stdio.h>

const char *const policy_names[] = {
	[POLICY_SINGLE] = "single", [POLICY_SWITCH] = "switch", [POLICY_TEAM] = "team"
};
NAMES_MATCH(policy_names, POLICY_KIND_COUNT);

const char *const role_names[] = {
	[ROLE_SINGLE] = "single",	  [ROLE_LEGACY] = "legacy",
	[ROLE_PERFORMANT] = "performant", [ROLE_PERSISTENT] = "persistent",
	[ROLE_TRANSIENT] = "transient",
};
NAMES_MATCH(role_names, NIC_ROLE_COUNT);

const char *const place_names[] = {
	[PLACE_AUTO] = "auto", [PLACE_HOSTED] = "hosted", [PLACE_QEMU] = "qemu"
};
NAMES_MATCH(place_names, NIC_PLACE_COUNT);

const char *const transport_names[] = {
	[TRANSPORT_VFIO_USER] = "vfio-user", [TRANSPORT_VHOST_USER] = "vhost-user"
};
NAMES_MATCH(transport_names, NIC_TRANSPORT_COUNT);

const char *const netdev_names[] = { [NETDEV_NONE] = "none",	 [NETDEV_VHOST_USER] = "vhost-user",
				     [NETDEV_STREAM] = "stream", [NETDEV_TAP] = "tap",
				     [NETDEV_QEMU] = "qemu",	 [NETDEV_HOSTDEV] = "hostdev" };
NAMES_MATCH(netdev_names, NIC_NETDEV_COUNT);

const char *const link_wish_names[] = {
	[LINK_AUTO] = "auto", [LINK_UP] = "up", [LINK_DOWN] = "down"
};
NAMES_MATCH(link_wish_names, LINK_WISH_COUNT);

const char *const tristate_names[] = {
	[TRISTATE_DEFAULT] = "default", [TRISTATE_ON] = "on", [TRISTATE_OFF] = "off"
};
NAMES_MATCH(tristate_names, TRISTATE_COUNT);

const char *const backend_driver_names[] = {
	[DRIVER_DEFAULT] = "default", [DRIVER_VHOST] = "vhost", [DRIVER_QEMU] = "qemu"
};
NAMES_MATCH(backend_driver_names, BACKEND_DRIVER_COUNT);

static size_t vlans_text(const struct vlan_tags *v, char *to, size_t size)
{
	size_t at = (size_t)snprintf(to, size, ", VLAN");

	for (unsigned i = 0; i < MIN(v->count, (unsigned)VLAN_TAGS_MAX) && at < size; i++)
		at += (size_t)snprintf(to + at, size - at, "%s%u", i ? "," : " ", v->tag[i]);
	if (v->trunk && v->native >= 0 && at < size)
		at += (size_t)snprintf(to + at, size - at, " (native %d, %s)", v->native,
				       v->native_tagged ? "tagged" : "untagged");
	else if (v->trunk && at < size)
		at += (size_t)snprintf(to + at, size - at, " (tagged)");
	return at;
}

void bridge_rules_text(const struct bridge_rules *rules, char *to, size_t size)
{
	size_t at = rules->vlan.count ? vlans_text(&rules->vlan, to, size) : 0;

	if (at < size)
		(void)snprintf(to + at, size - at, "%s", rules->isolated ? ", isolated" : "");
}

static size_t limit_text(const char *way, const struct bandwidth_limit *l, char *to, size_t size)
{
	size_t at = (size_t)snprintf(to, size, ", %s %u kB/s", way, l->average);

	if (l->peak && at < size)
		at += (size_t)snprintf(to + at, size - at, " (peak %u", l->peak);
	if (l->burst && at < size)
		at += (size_t)snprintf(to + at, size - at, "%sburst %u KiB", l->peak ? ", " : " (",
				       l->burst);
	if ((l->peak || l->burst) && at < size)
		at += (size_t)snprintf(to + at, size - at, ")");
	return MIN(at, size);
}

void port_limits_text(const struct port_limits *limits, char *to, size_t size)
{
	size_t at = 0;

	to[0] = '\0';
	if (limits->in.average)
		at = limit_text("in", &limits->in, to, size);
	if (limits->out.average)
		(void)limit_text("out", &limits->out, to + at, size - at);
}

void backend_text(const struct backend_spec *b, char to[BACKEND_TEXT])
{
	const char *name = b->ifname[0] ? b->ifname : b->path;
	const char *on = b->br[0] ? b->br : b->dev;
	char rules[120], limits[160];

	bridge_rules_text(&b->rules, rules, sizeof(rules));
	port_limits_text(&b->limits, limits, sizeof(limits));
	(void)snprintf(to, BACKEND_TEXT, "%s%s%s%s%s%s%s%s%s%s", b->type, name[0] ? " " : "", name,
		       on[0] ? " on " : "", on, b->mode[0] ? " (" : "", b->mode,
		       b->mode[0] ? ")" : "", rules, limits);
}
