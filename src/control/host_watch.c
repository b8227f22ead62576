#include "control/host_watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/bridge_rules.h"
#include "host/helper_client.h"
#include "host/link_state.h"

void control_host_opened(struct control_port *p, unsigned nic, const struct opened_backend *o)
{
	struct port_host *h = &p->host[nic];

	*h = (struct port_host){
		.ifindex = o->ifindex,
		.below = o->below,
		.helper = o->helper,
		.made = o->made,
		.returns = port_in_datapath(&p->spec) && host_backend_returns(&p->spec.backend),
		.dirty = true,
	};
	str_copy(h->ifname, sizeof(h->ifname), o->ifname);
	const char *chosen = nic_is_plugged_later(&p->spec.nic[nic]) ? "" : p->spec.backend.chosen;

	(void)snprintf(h->chosen, sizeof(h->chosen), "%s%s%s", chosen,
		       chosen[0] && o->reason[0] ? "; " : "", o->reason);
	/* what the kernel chose, or a descriptor brought along */
	if (nic == 0)
		str_copy(p->spec.backend.ifname, sizeof(p->spec.backend.ifname), o->ifname);
}

void control_host_left(struct control_port *p, unsigned nic)
{
	p->host[nic] = (struct port_host){ 0 };
	control_backend_judge(p);
}

static bool on_bridge(const struct control_port *p, const struct port_host *h)
{
	return h->below && strcmp(p->spec.backend.type, "bridge") == 0;
}

/* A lookup that fails otherwise than by -ENODEV says nothing: then the port stays as it is. */
static int look(struct host_watch *w, const struct control_port *p, struct port_host *h,
		struct link_view *v)
{
	const struct backend_spec *b = &p->spec.backend;

	*v = (struct link_view){ .ifname = h->ifname,
				 .made = h->made,
				 .returns = h->returns,
				 .has_bridge = on_bridge(p, h),
				 .bridge_name = b->br,
				 .has_device = h->below && !on_bridge(p, h),
				 .device_name = b->dev };
	int rc = netlink_get(&w->nl, h->ifindex, &v->own);
	if (!h->below && strcmp(b->type, "bridge") == 0 && (rc == 0 || rc == -ENODEV)) {
		rc = netlink_find(&w->nl, b->br, &v->bridge);
		h->switched |= rc == 0;
		v->has_switch = h->switched;
	} else if (v->has_bridge && (rc == 0 || rc == -ENODEV))
		rc = netlink_find(&w->nl, b->br, &v->bridge);
	else if (v->has_device && (rc == 0 || rc == -ENODEV))
		rc = h->gone ? netlink_find(&w->nl, b->dev, &v->device)
			     : netlink_get(&w->nl, h->below, &v->device);
	return rc == -ENODEV ? 0 : rc;
}

/* A port with VLANs passes no frame before it has them again. */
static int join_again(struct host_watch *w, const struct control_port *p, const struct link_view *v,
		      struct error *err)
{
	const struct bridge_rules *rules = &p->spec.backend.rules;
	bool bare = !bridge_has_rules(rules);
	const struct link_change change = { .master = v->bridge.index, .down = !bare },
				 up = { .up = true };
	int rc = netlink_change(&w->nl, v->own.index, &change);

	if (rc < 0 || bare)
		return rc;
	rc = bridge_rules_set(&w->nl, v->own.index, &v->bridge, rules, err);
	return rc == 0 ? netlink_change(&w->nl, v->own.index, &up) : rc;
}

static void rejoin(struct host_watch *w, const struct control_port *p, struct port_host *h,
		   struct link_view *v)
{
	struct error err = { 0 };
	int rc = h->helper ? host_helper_rejoin(h->helper, &err) : join_again(w, p, v, &err);

	if (rc < 0) {
		log_warning("port %s: bridge %s is back, but %s cannot join it: %s", p->spec.id,
			    v->bridge_name, v->ifname, err.text[0] ? err.text : strerror(-rc));
		return;
	}
	log_info("port %s: bridge %s is back, %s has joined it", p->spec.id, v->bridge_name,
		 v->ifname);
	h->below = v->bridge.index;
	v->own.master = v->bridge.index;
}

static void judge(struct host_watch *w, struct control_port *p, struct port_host *h)
{
	struct link_view v;
	bool was_down = h->down;

	h->dirty = false;
	if (!h->ifindex || look(w, p, h, &v) < 0)
		return;
	if (h->gone) /* whoever has its number now is another one */
		v.own = (struct link){ 0 };
	if (!v.own.index && (p->control->over || p->going))
		return; /* QEMU lets go of its taps */
	if (link_state_rejoins(&v, h->below))
		rejoin(w, p, h, &v);
	h->down = !link_state_judge(&v, h->reason, sizeof(h->reason));
	if (link_state_gone(&v) && !h->gone) {
		h->gone = true;
		(void)look(w, p, h, &v); /* a device may be back already, as another one */
		v.own = (struct link){ 0 };
		(void)link_state_judge(&v, h->reason, sizeof(h->reason));
	}
	/* the datapath would notice with the guest's next frame only */
	if (was_down && !h->down && !p->control->datapath_gone && !p->path.renewing)
		p->path.down = false;
	control_backend_judge(p);
}

static void judge_dirty(struct control *c, struct host_watch *w)
{
	for (unsigned i = 0; i < c->ports; i++)
		for (unsigned n = 0; n < PORT_NICS; n++)
			if (c->port[i].host[n].dirty)
				judge(w, &c->port[i], &c->port[i].host[n]);
}

static void mark_all(struct control *c)
{
	for (unsigned i = 0; i < c->ports; i++)
		for (unsigned n = 0; n < PORT_NICS; n++)
			c->port[i].host[n].dirty = true;
}

static void seen(const struct link *l, bool gone, void *context)
{
	struct control *c = context;

	(void)gone;
	for (unsigned i = 0; i < c->ports; i++)
		for (unsigned n = 0; n < PORT_NICS; n++) {
			struct control_port *p = &c->port[i];
			struct port_host *h = &p->host[n];

			if (l->index == h->ifindex || l->index == h->below ||
			    ((on_bridge(p, h) || h->switched) &&
			     strcmp(l->name, p->spec.backend.br) == 0) ||
			    (h->gone && strcmp(l->name, p->spec.backend.dev) == 0))
				h->dirty = true;
		}
}

static bool has_links(const struct control *c)
{
	for (unsigned i = 0; i < c->ports; i++)
		for (unsigned n = 0; n < PORT_NICS; n++)
			if (c->port[i].host[n].ifindex)
				return true;
	return false;
}

void control_host_start(struct control *c, struct host_watch *w)
{
	struct error err = { 0 };

	*w = (struct host_watch){ 0 };
	if (!has_links(c))
		return;
	int rc = link_news_open(&w->news, &err);
	if (rc == 0)
		rc = netlink_open(&w->nl, &err);
	w->source = (struct loop_source){ .fd = link_news_fd(&w->news), .kind = KIND_NETLINK };
	if (rc == 0)
		rc = loop_watch(c->loop, &w->source, EPOLLIN);
	if (rc < 0) {
		log_warning("%s; a bridge or a device that goes down will not be noticed",
			    err.text[0] ? err.text : strerror(-rc));
		control_host_stop(w);
		return;
	}
	w->on = true;
	judge_dirty(c, w);
}

void control_host_lost(struct control_port *p, const char *reason)
{
	struct port_host *h = &p->host[0];

	h->helper = 0; /* it took back what it had made */
	str_copy(h->reason, sizeof(h->reason), reason);
	control_backend_judge(p);
}

void control_host_look(struct control *c, struct host_watch *w)
{
	if (w->on)
		judge_dirty(c, w);
}

void control_host_read(struct control *c, struct host_watch *w)
{
	if (!w->on)
		return;
	if (link_news_read(&w->news, seen, c) < 0)
		mark_all(c);
	judge_dirty(c, w);
}

void control_host_stop(struct host_watch *w)
{
	link_news_close(&w->news);
	netlink_close(&w->nl);
	w->on = false;
}
