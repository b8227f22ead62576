/* network.h - one `<network>` of libvirt as a plain struct: what the XML said. host/network.c hands out ports of it.
 * Source: libvirt's formatnetwork. */
#ifndef ANYNIC_CONFIG_NETWORK_H
#define ANYNIC_CONFIG_NETWORK_H

#include "config/interface.h"

#define NETWORKS_MAX	    16
#define NETWORK_DEVICES_MAX 256 /* also the virtual functions behind <pf dev=> */
#define PORTGROUPS_MAX	    8

enum forward_mode {
	FORWARD_NONE, /* isolated: no <forward> */
	FORWARD_NAT,
	FORWARD_ROUTE,
	FORWARD_OPEN,
	FORWARD_BRIDGE,
	FORWARD_PRIVATE,
	FORWARD_VEPA,
	FORWARD_PASSTHROUGH,
	FORWARD_HOSTDEV,
	FORWARD_MODE_COUNT
};
extern const char *const forward_mode_names[FORWARD_MODE_COUNT];

/* What an interface, a portgroup and a network can all say; the first that does wins, virtualports are merged. */
struct network_port {
	unsigned vlan_line, bandwidth_line; /* of the elements in their file */
	struct vlan_tags vlan;
	struct virtualport virtualport;
	struct bandwidth_limit inbound, outbound;
	enum tristate trust_rx;
	enum tristate isolated;
};

struct portgroup_spec {
	unsigned line;
	char name[INTERFACE_NAME];
	bool is_default;
	struct network_port port;
};

struct network_spec {
	unsigned line, forward_line, bridge_line, mtu_line; /* of the elements in their file */
	char name[INTERFACE_NAME];
	enum forward_mode forward;
	char bridge[16]; /* <bridge name=> */
	char pf[16];	 /* <pf dev=>: the pool is its virtual functions */
	char dev[NETWORK_DEVICES_MAX]
		[16]; /* <interface dev=>, or PCI addresses of <address type='pci'> */
	unsigned devs;
	bool devs_are_pci;
	bool managed;
	char driver[16], variant[64]; /* <driver name= model=> */
	uint16_t mtu;
	struct network_port port;
	struct portgroup_spec group[PORTGROUPS_MAX];
	unsigned groups;
};

struct network_list {
	struct network_spec item[NETWORKS_MAX];
	unsigned count;
};

#endif
