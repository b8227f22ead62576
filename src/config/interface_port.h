/* interface_port.h - from a list of interfaces (XML, with the ports of networks already known) to the ports that --nic describes as well.
 *
 * Plain XML means what libvirt would run: place=qemu, libvirt's ids, its leniency with a warning. What has an <anynic:...> element, and
 * everything under --place hosted, is what --nic would make of it.
 */
#ifndef ANYNIC_CONFIG_INTERFACE_PORT_H
#define ANYNIC_CONFIG_INTERFACE_PORT_H

#include "config/interface.h"
#include "config/known.h"

struct interface_rules {
	const char *file;   /* for people */
	const char *target; /* of QEMU: "x86_64"; "" = not known */
	bool kvm;	    /* the guest runs on KVM: else libvirt takes no vhost-net */
	enum nic_place place;
	const struct known *known;
};

/* Aliases as libvirt gives them: net0, net1, hostdev0 in the order of the list; what begins with ua- is the user's own. */
void interfaces_name(struct interface_list *list);

/* The line of the element that a text begins with: "<teaming persistent='x'>: ..." has that one's; else the interface's own. */
unsigned interface_line(const struct interface_spec *interface, const char *text);

#define INTERFACE_NO_PORT PORTS_MAX

/* Which port and which of its cards an interface became; INTERFACE_NO_PORT: it is not given to the guest. */
struct interface_origin {
	unsigned port, nic;
};

/* Appends to `ports`, of which *count are there; `origin` has a row for each interface. Warnings go to list->note. err->where is
 * "FILE:LINE". */
int interfaces_to_ports(struct interface_list *list, const struct interface_rules *rules,
			struct port_spec *ports, unsigned *count, struct interface_origin *origin,
			struct error *err);

#endif
