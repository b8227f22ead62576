#include "host/bridge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "host/bandwidth.h"
#include "host/bridge_rules.h"
#include "host/netlink.h"
#include "host/ovs.h"
#include "host/tap.h"

#define BRIDGES_LISTED 16

void host_side_mac(const uint8_t guest[MAC_LEN], uint8_t mac[MAC_LEN])
{
	memcpy(mac, guest, MAC_LEN);
	mac[0] = guest[0] == 0xfe ? 0xfa : 0xfe;
}

static bool is_bridge(const struct link *l, const void *context)
{
	(void)context;
	return strcmp(l->kind, "bridge") == 0;
}

void host_bridge_names(char *to, size_t size)
{
	struct link list[BRIDGES_LISTED];
	struct netlink nl;
	size_t at = 0;
	int n = 0;

	if (netlink_open(&nl, NULL) == 0) {
		n = netlink_list(&nl, is_bridge, NULL, list, BRIDGES_LISTED);
		netlink_close(&nl);
	}
	(void)snprintf(to, size, "none");
	for (int i = 0; i < MIN(n, BRIDGES_LISTED) && at < size; i++)
		at += (size_t)snprintf(to + at, size - at, "%s%s", i ? ", " : "", list[i].name);
}

/* --- errors ------------------------------------------------------------------------------------------------------ */

static int no_such_bridge(const char *name, struct error *err)
{
	char list[200];

	host_bridge_names(list, sizeof(list));
	return error_set(
		err, -ENOENT,
		"there is no bridge %s on this host; bridges: %s; next: choose one of them "
		"with br=, or as root: ip link add %s type bridge; ip link set %s up",
		name, list, name, name);
}

static int not_allowed(const char *bridge, int code, struct error *err)
{
	return error_set(
		err, code,
		"making a tap on bridge %s needs root (CAP_NET_ADMIN); next: run anynic as "
		"root, or as root: ip tuntap add dev tap0 mode tap user $USER; ip link set "
		"tap0 master %s up, then backend=tap,ifname=tap0; or use backend=user",
		bridge, bridge);
}

static int join_error(const struct netlink *nl, const char *tap, const char *bridge, int code,
		      struct error *err)
{
	if (code == -EPERM || code == -EACCES)
		return not_allowed(bridge, code, err);
	if (code == -EXFULL)
		return error_set(err, code, "bridge %s has no room for another port", bridge);
	return error_set(err, code, "tap %s cannot join bridge %s: %s%s%s", tap, bridge,
			 strerror(-code), nl->said[0] ? ": " : "", nl->said);
}

/* --- joining ----------------------------------------------------------------------------------------------------- */

/* Of the kernel, or of Open vSwitch: that one may have no link of its name here, or a tap (its switch in user space). */
static int find_bridge(struct netlink *nl, const char *name, struct link *bridge, bool *ovs,
		       struct error *err)
{
	int rc = netlink_find(nl, name, bridge);

	*ovs = false;
	if (rc < 0 && rc != -ENODEV)
		return error_set(err, rc, "bridge %s: the kernel says %s", name, strerror(-rc));
	if (rc == 0 && is_bridge(bridge, NULL))
		return 0;
	int has = ovs_has_bridge(name, err);
	*ovs = has == 1;
	if (*ovs)
		return 0;
	/* it is one, or could be one, but nobody answers */
	if (has < 0 &&
	    (strcmp(bridge->kind, "openvswitch") == 0 || strcmp(bridge->kind, "tun") == 0))
		return error_set(err, has,
				 "%s is no Linux bridge, and Open vSwitch, whose it may be, does "
				 "not answer; next: systemctl start openvswitch-switch, or another "
				 "bridge with br=",
				 name);
	if (rc == -ENODEV)
		return no_such_bridge(name, err);
	return error_set(err, -ENODEV,
			 "%s is no bridge%s%s; next: backend=direct,dev=%s, or a bridge with br=",
			 name, bridge->kind[0] ? " but a link of kind " : "", bridge->kind, name);
}

/* As libvirt has it: its MTU is the chosen one, else the bridge's. A lower one lowers the bridge's own, which is not for every user to do. */
static uint32_t mtu_of(const struct backend_request *r, const struct link *bridge)
{
	uint32_t chosen = r->spec->mtu;

	return chosen && !r->granted ? chosen : MAX(bridge->mtu, chosen);
}

/* First a port, then up: nothing is sent in between. */
static int join(struct netlink *nl, const struct backend_request *r, const struct link *bridge,
		struct opened_backend *out, struct error *err)
{
	uint8_t mac[MAC_LEN];
	char alias[LINK_ALIAS];
	struct link tap;

	host_side_mac(r->mac, mac);
	host_link_alias(alias, sizeof(alias), r->guest, r->port);
	struct link_change first = { .mac = mac,
				     .alias = alias,
				     .mtu = mtu_of(r, bridge),
				     .master = is_bridge(bridge, NULL) ? bridge->index : 0,
				     .quiet = true };
	struct link_change then = { .up = true };
	int rc = netlink_find(nl, out->ifname, &tap);
	if (rc == 0)
		rc = netlink_change(nl, tap.index, &first);
	if (rc < 0)
		return join_error(nl, out->ifname, r->spec->br, rc, err);
	if (first.master)
		rc = bridge_rules_set(nl, tap.index, bridge, &r->spec->rules, err);
	if (rc == 0 && first.master) /* Open vSwitch sets its own */
		rc = bandwidth_set(nl, tap.index, &r->spec->limits, BANDWIDTH_OF_TAP, err);
	if (rc < 0)
		return rc;
	rc = netlink_change(nl, tap.index, &then);
	if (rc < 0)
		return join_error(nl, out->ifname, r->spec->br, rc, err);
	out->ifindex = tap.index;
	out->below = first.master;
	out->mtu = (uint16_t)MIN(first.mtu ? first.mtu : tap.mtu, (uint32_t)UINT16_MAX);
	return 0;
}

/* Its database keeps a port although the tap is gone: the journal has it before. */
static int join_ovs(const struct backend_request *r, struct opened_backend *out, struct error *err)
{
	struct undo_step step = { .kind = UNDO_OVS_PORT };
	struct ovs_port port = { .bridge = r->spec->br,
				 .ifname = out->ifname,
				 .mac = r->mac,
				 .guest = r->guest,
				 .port_id = r->port,
				 .iface_id = r->spec->iface_id,
				 .rules = &r->spec->rules,
				 .limits = &r->spec->limits };

	str_copy(step.name, sizeof(step.name), out->ifname);
	str_copy(step.text, sizeof(step.text), r->guest);
	str_copy(step.port, sizeof(step.port), r->port);
	int rc = opened_backend_note(out, &step, err);
	if (rc == 0)
		rc = ovs_port_add(&port, err);
	if (rc < 0)
		return rc;
	if (!r->spec->chosen[0])
		str_copy(out->reason, sizeof(out->reason), "the bridge is Open vSwitch's");
	return 0;
}

/* A tap that is there already belongs to somebody: it is not taken, enslaved and thrown away. */
static int check_name(struct netlink *nl, const char *ifname, struct error *err)
{
	struct link l;

	if (!ifname[0] || netlink_find(nl, ifname, &l) < 0)
		return 0;
	return error_set(err, -EEXIST,
			 "ifname=%s: there is such an interface already; next: leave ifname= out, "
			 "or backend=tap,ifname=%s for a tap that you put on the bridge",
			 ifname, ifname);
}

static int find_place(struct netlink *nl, const struct backend_spec *spec, struct link *bridge,
		      bool *ovs, struct error *err)
{
	int rc = find_bridge(nl, spec->br, bridge, ovs, err);

	return rc == 0 ? check_name(nl, spec->ifname, err) : rc;
}

int host_bridge_look(const struct backend_request *request, struct error *err)
{
	struct netlink nl;
	struct link bridge;
	bool ovs;

	int rc = netlink_open(&nl, err);
	if (rc < 0)
		return rc;
	rc = find_place(&nl, request->spec, &bridge, &ovs, err);
	if (rc == 0 && !ovs)
		rc = bridge_rules_look(&bridge, &request->spec->rules, err);
	if (rc == 0 && request->spec->tap_node[0])
		rc = host_tap_look_at_node(request->spec->tap_node, err);
	netlink_close(&nl);
	return rc;
}

int host_bridge_open(const struct backend_request *request, struct opened_backend *out,
		     struct error *err)
{
	const struct backend_spec *spec = request->spec;
	struct netlink nl;
	struct link bridge;
	bool ovs = false;

	int rc = netlink_open(&nl, err);
	if (rc < 0)
		return rc;
	rc = find_place(&nl, spec, &bridge, &ovs, err);
	if (rc == 0 && is_bridge(&bridge, NULL) && !bridge.up)
		log_warning("bridge %s is down and passes no frames; next: ip link set %s up",
			    spec->br, spec->br);
	if (rc == 0) {
		rc = host_tap_make(spec->tap_node, spec->ifname[0] ? spec->ifname : HOST_TAP_NAME,
				   request->queues, out, err);
		if (rc == -EPERM || rc == -EACCES)
			not_allowed(spec->br, rc, err);
	}
	if (rc == 0)
		rc = join(&nl, request, &bridge, out, err);
	if (rc == 0 && ovs)
		rc = join_ovs(request, out, err);
	netlink_close(&nl);
	return rc;
}
