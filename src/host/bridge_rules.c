#include "host/bridge_rules.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "host/netlink_talk.h"

#define VLAN_LAST 4094

bool bridge_has_rules(const struct bridge_rules *rules)
{
	return rules->vlan.count > 0 || rules->isolated;
}

/* A message about a link as a bridge's port. */
static struct nlmsghdr *begin(char room[REQUEST_ROOM], uint16_t type, unsigned index)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof(*info));

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	info->ifi_family = AF_BRIDGE;
	info->ifi_index = (int)index;
	return h;
}

static void put_vlan(struct nlmsghdr *h, unsigned flags, unsigned vid)
{
	struct bridge_vlan_info info = { (uint16_t)flags, (uint16_t)vid };

	mnl_attr_put(h, IFLA_BRIDGE_VLAN_INFO, sizeof(info), &info);
}

/* A new port is in the bridge's default VLAN. */
static int leave_all_vlans(struct netlink *nl, unsigned index)
{
	char room[REQUEST_ROOM];
	struct nlmsghdr *h = begin(room, RTM_DELLINK, index);
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);

	put_vlan(h, BRIDGE_VLAN_INFO_RANGE_BEGIN, 1);
	put_vlan(h, BRIDGE_VLAN_INFO_RANGE_END, VLAN_LAST);
	mnl_attr_nest_end(h, spec);
	return netlink_ask(nl, h);
}

/* Untagged frames of the guest are of the access VLAN, or of a trunk's native one; those of it go out untagged, unless it is native and tagged. */
static unsigned flags_of(const struct vlan_tags *v, unsigned vid)
{
	bool native = v->trunk ? v->native == (int)vid : true;

	if (!native)
		return 0;
	return BRIDGE_VLAN_INFO_PVID |
	       (v->trunk && v->native_tagged ? 0 : BRIDGE_VLAN_INFO_UNTAGGED);
}

static int join_vlans(struct netlink *nl, unsigned index, const struct vlan_tags *v)
{
	char room[REQUEST_ROOM];
	struct nlmsghdr *h = begin(room, RTM_SETLINK, index);
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);

	for (unsigned i = 0; i < v->count; i++)
		put_vlan(h, flags_of(v, v->tag[i]), v->tag[i]);
	mnl_attr_nest_end(h, spec);
	return netlink_ask(nl, h);
}

int bridge_rules_look(const struct link *bridge, const struct bridge_rules *rules,
		      struct error *err)
{
	const struct vlan_tags *v = &rules->vlan;

	for (unsigned i = 0; i < v->count; i++)
		if (v->tag[i] < 1 || v->tag[i] > VLAN_LAST)
			return error_set(err, -EINVAL,
					 "VLAN %u: a Linux bridge has VLANs from 1 to %d",
					 v->tag[i], VLAN_LAST);
	if (v->count && !bridge->filters_vlans)
		return error_set(
			err, -EINVAL,
			"bridge %s does not keep VLANs apart, so the guest would be in all "
			"of them; next, as root: ip link set %s type bridge vlan_filtering 1",
			bridge->name, bridge->name);
	return 0;
}

static int set_vlans(struct netlink *nl, unsigned index, const struct link *bridge,
		     const struct vlan_tags *v, struct error *err)
{
	int rc = leave_all_vlans(nl, index);

	if (rc == 0)
		rc = join_vlans(nl, index, v);
	return rc < 0 ? error_set(err, rc, "bridge %s does not take the port's VLANs: %s%s%s",
				  bridge->name, strerror(-rc), nl->said[0] ? ": " : "", nl->said)
		      : 0;
}

static int isolate(struct netlink *nl, unsigned index, const struct link *bridge, struct error *err)
{
	char room[REQUEST_ROOM];
	struct nlmsghdr *h = begin(room, RTM_SETLINK, index);
	struct nlattr *port = mnl_attr_nest_start(h, IFLA_PROTINFO);

	mnl_attr_put_u8(h, IFLA_BRPORT_ISOLATED, 1);
	mnl_attr_nest_end(h, port);
	int rc = netlink_ask(nl, h);
	return rc < 0 ? error_set(err, rc, "bridge %s does not isolate the port: %s%s%s",
				  bridge->name, strerror(-rc), nl->said[0] ? ": " : "", nl->said)
		      : 0;
}

int bridge_rules_set(struct netlink *nl, unsigned index, const struct link *bridge,
		     const struct bridge_rules *rules, struct error *err)
{
	int rc = bridge_rules_look(bridge, rules, err);

	if (rc == 0 && rules->vlan.count)
		rc = set_vlans(nl, index, bridge, &rules->vlan, err);
	return rc == 0 && rules->isolated ? isolate(nl, index, bridge, err) : rc;
}
