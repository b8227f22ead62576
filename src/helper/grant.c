#include "helper/grant.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/bridge.h"
#include "host/direct.h"
#include "host/netlink.h"
#include "host/tap.h"

static void alias_of(const struct grant *g, char alias[LINK_ALIAS])
{
	host_link_alias(alias, LINK_ALIAS, g->guest, g->request.port);
}

/* A tap alone: for the user's own frames with the host. */
static int set_up_tap(struct netlink *nl, struct grant *g, struct error *err)
{
	struct opened_backend *o = &g->opened;
	char alias[LINK_ALIAS];
	struct link l;

	alias_of(g, alias);
	struct link_change change = { .alias = alias, .mtu = g->request.mtu };
	struct link_change then = { .up = true };
	int rc = netlink_find(nl, o->ifname, &l);
	if (rc == 0)
		rc = netlink_change(nl, l.index, &change);
	if (rc == 0)
		rc = netlink_change(nl, l.index, &then);
	if (rc < 0)
		return error_set(err, rc, "tap %s cannot be set up: %s%s%s", o->ifname,
				 strerror(-rc), nl->said[0] ? ": " : "", nl->said);
	o->ifindex = l.index;
	o->mtu = (uint16_t)MIN(change.mtu ? change.mtu : l.mtu, (uint32_t)UINT16_MAX);
	return 0;
}

static int make_tap(struct grant *g, struct error *err)
{
	struct netlink nl;
	struct link l;

	int rc = netlink_open(&nl, err);
	if (rc < 0)
		return rc;
	if (g->request.ifname[0] && netlink_find(&nl, g->request.ifname, &l) == 0)
		rc = error_set(
			err, -EEXIST,
			"ifname=%s: there is such an interface already, and it is not yours; "
			"next: choose another ifname=",
			g->request.ifname);
	if (rc == 0)
		rc = host_tap_make("", g->request.ifname[0] ? g->request.ifname : HOST_TAP_NAME,
				   g->request.queues, &g->opened, err);
	if (rc == 0)
		rc = set_up_tap(&nl, g, err);
	netlink_close(&nl);
	return rc;
}

/* Whoever has a descriptor of a tap can make it outlive its descriptors (TUNSETPERSIST): so the link itself is deleted at the end. */
static int note_tap(struct grant *g, struct error *err)
{
	struct undo_step step = { .kind = UNDO_TAP, .below = g->opened.ifindex };

	str_copy(step.name, sizeof(step.name), g->opened.ifname);
	alias_of(g, step.text);
	return opened_backend_note(&g->opened, &step, err);
}

static int make(struct grant *g, struct undo *journal, struct error *err)
{
	const struct helper_request *r = &g->request;
	struct backend_spec spec = { .mtu = (uint16_t)r->mtu };
	struct backend_request request = { .spec = &spec,
					   .guest = g->guest,
					   .port = r->port,
					   .queues = r->queues,
					   .granted = true,
					   .undo = journal };
	int rc = -EINVAL;

	memcpy(request.mac, r->mac, MAC_LEN);
	memcpy(spec.ifname, r->ifname, sizeof(spec.ifname));
	switch ((enum helper_ask)r->ask) {
	case HELPER_TAP:
		rc = make_tap(g, err);
		break;
	case HELPER_BRIDGE:
		memcpy(spec.br, r->link, sizeof(spec.br));
		rc = host_bridge_open(&request, &g->opened, err);
		break;
	case HELPER_DIRECT:
		str_copy(spec.dev, sizeof(spec.dev), r->link);
		memcpy(spec.mode, r->mode, sizeof(spec.mode));
		return host_direct_open(&request, &g->opened, err);
	default:
		return error_set(err, rc, "there is nothing to join again");
	}
	return rc < 0 ? rc : note_tap(g, err);
}

int grant_make(struct grant *g, const struct helper_request *request, const struct peer *peer,
	       struct undo *journal, struct error *err)
{
	*g = (struct grant){ .request = *request };
	g->opened = (struct opened_backend){ .pidfd = -1, .log = -1, .journal = journal };
	(void)snprintf(g->guest, sizeof(g->guest), "%u:%s", (unsigned)peer->uid, request->guest);
	int rc = make(g, journal, err);
	if (rc < 0)
		grant_take_back(g);
	return rc;
}

int grant_rejoin(struct grant *g, struct error *err)
{
	struct link_change change = { 0 };
	struct link bridge = { 0 };
	struct netlink nl;

	if (g->request.ask != HELPER_BRIDGE || !g->opened.below)
		return error_set(err, -EINVAL, "%s is no port of a bridge", g->opened.ifname);
	int rc = netlink_open(&nl, err);
	if (rc < 0)
		return rc;
	rc = netlink_find(&nl, g->request.link, &bridge);
	if (rc == 0 && strcmp(bridge.kind, "bridge") != 0)
		rc = -ENODEV;
	change.master = bridge.index;
	if (rc == 0)
		rc = netlink_change(&nl, g->opened.ifindex, &change);
	netlink_close(&nl);
	if (rc < 0)
		return error_set(err, rc, "%s cannot join bridge %s again: %s", g->opened.ifname,
				 g->request.link, strerror(-rc));
	g->opened.below = bridge.index;
	return 0;
}

void grant_take_back(struct grant *g)
{
	if (g->opened.type[0] || g->opened.ifname[0] || g->opened.steps || g->opened.nfds)
		opened_backend_close(&g->opened);
	g->opened = (struct opened_backend){ .pidfd = -1, .log = -1 };
}
