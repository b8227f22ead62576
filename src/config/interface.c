#include "config/interface.h"

#include <stdarg.h>
#include <stdio.h>

#include "config/network.h"

const char *const interface_type_names[] = {
	[INTERFACE_NETWORK] = "network",   [INTERFACE_BRIDGE] = "bridge",
	[INTERFACE_DIRECT] = "direct",	   [INTERFACE_ETHERNET] = "ethernet",
	[INTERFACE_USER] = "user",	   [INTERFACE_VHOSTUSER] = "vhostuser",
	[INTERFACE_VDPA] = "vdpa",	   [INTERFACE_HOSTDEV] = "hostdev",
	[INTERFACE_SERVER] = "server",	   [INTERFACE_CLIENT] = "client",
	[INTERFACE_MCAST] = "mcast",	   [INTERFACE_UDP] = "udp",
	[INTERFACE_INTERNAL] = "internal", [INTERFACE_NULL] = "null",
	[INTERFACE_VDS] = "vds",
};
NAMES_MATCH(interface_type_names, INTERFACE_TYPE_COUNT);

const char *const teaming_names[] = { [TEAMING_NONE] = "none",
				      [TEAMING_PERSISTENT] = "persistent",
				      [TEAMING_TRANSIENT] = "transient" };
NAMES_MATCH(teaming_names, TEAMING_KIND_COUNT);

const char *const virtualport_names[] = {
	[VIRTUALPORT_NONE] = "none",
	[VIRTUALPORT_UNTYPED] = "",
	[VIRTUALPORT_8021QBG] = "802.1Qbg",
	[VIRTUALPORT_8021QBH] = "802.1Qbh",
	[VIRTUALPORT_OPENVSWITCH] = "openvswitch",
	[VIRTUALPORT_MIDONET] = "midonet",
};
NAMES_MATCH(virtualport_names, VIRTUALPORT_KIND_COUNT);

const char *const forward_mode_names[] = {
	[FORWARD_NONE] = "none",       [FORWARD_NAT] = "nat",
	[FORWARD_ROUTE] = "route",     [FORWARD_OPEN] = "open",
	[FORWARD_BRIDGE] = "bridge",   [FORWARD_PRIVATE] = "private",
	[FORWARD_VEPA] = "vepa",       [FORWARD_PASSTHROUGH] = "passthrough",
	[FORWARD_HOSTDEV] = "hostdev",
};
NAMES_MATCH(forward_mode_names, FORWARD_MODE_COUNT);

void interface_warn(struct interface_list *list, unsigned line, const char *fmt, ...)
{
	va_list args;

	if (list->notes >= INTERFACE_NOTES_MAX)
		return;
	struct interface_note *note = &list->note[list->notes++];
	note->line = line;
	va_start(args, fmt);
	(void)vsnprintf(note->text, sizeof(note->text), fmt, args);
	va_end(args);
}
