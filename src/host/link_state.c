#include "host/link_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool say(char *reason, size_t size, const char *fmt, ...) PRINTF(3, 4);

static bool say(char *reason, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(reason, size, fmt, args);
	va_end(args);
	return false;
}

static bool is_bridge(const struct link *l)
{
	return l->index && strcmp(l->kind, "bridge") == 0;
}

static bool judge_bridge(const struct link_view *v, char *reason, size_t size)
{
	if (v->own.master && v->own.master != v->bridge.index)
		return true; /* an administrator put it elsewhere: that is up to them */
	if (!is_bridge(&v->bridge))
		return say(reason, size,
			   "bridge %s is gone; next: make it again, and %s joins it by itself",
			   v->bridge_name, v->ifname);
	if (!v->own.master)
		return say(reason, size,
			   "%s was taken out of bridge %s; next: ip link set %s master %s",
			   v->ifname, v->bridge_name, v->ifname, v->bridge_name);
	if (!v->bridge.up)
		return say(reason, size, "bridge %s is down; next: ip link set %s up",
			   v->bridge_name, v->bridge_name);
	return true;
}

static bool judge_device(const struct link_view *v, char *reason, size_t size)
{
	if (!v->device.up)
		return say(reason, size, "%s is down; next: ip link set %s up", v->device_name,
			   v->device_name);
	if (!v->device.carrier)
		return say(reason, size,
			   "%s has no carrier; next: look at its cable, or at the other end",
			   v->device_name);
	return true;
}

/* What to do first, and how the port gets on. */
static bool judge_gone(const struct link_view *v, char *reason, size_t size)
{
	static const char by_itself[] = "the port goes on by itself",
			  again[] = "start the guest again";
	const char *then = v->returns ? by_itself : again;

	if (v->has_device && !v->device.index)
		return say(reason, size, "%s is gone, and %s on it; next: bring %s back, then %s",
			   v->device_name, v->ifname, v->device_name, then);
	if (v->has_bridge && !is_bridge(&v->bridge))
		return say(reason, size, "%s is gone, and bridge %s; next: make it again, then %s",
			   v->ifname, v->bridge_name, then);
	if (v->has_switch && !v->bridge.index)
		return say(reason, size, "bridge %s is gone; next: ovs-vsctl add-br %s, then %s",
			   v->bridge_name, v->bridge_name, then);
	if (!v->made)
		return say(reason, size,
			   "%s is gone; next: ip tuntap add dev %s mode tap, ip link set %s up, "
			   "then %s",
			   v->ifname, v->ifname, v->ifname, then);
	if (!v->returns)
		return say(reason, size, "%s is gone; next: %s", v->ifname, again);
	return say(reason, size, "%s is gone; next: wait, it is made again", v->ifname);
}

bool link_state_gone(const struct link_view *v)
{
	return !v->own.index || (v->has_switch && !v->bridge.index);
}

bool link_state_judge(const struct link_view *v, char *reason, size_t size)
{
	reason[0] = '\0';
	if (link_state_gone(v))
		return judge_gone(v, reason, size);
	if (!v->own.up)
		return say(reason, size, "%s is down; next: ip link set %s up", v->ifname,
			   v->ifname);
	if (v->has_bridge)
		return judge_bridge(v, reason, size);
	return v->has_device ? judge_device(v, reason, size) : true;
}

bool link_state_rejoins(const struct link_view *v, unsigned was)
{
	return v->has_bridge && v->own.index && !v->own.master && is_bridge(&v->bridge) &&
	       v->bridge.index != was;
}
