/* interface.h - one `<interface>` of libvirt, or a `<hostdev>` that is a PCI network function, as a plain struct: what the XML said, nothing
 * decided. xml_read.c fills it, host/network.c says what `type='network'` really is, interface_port.c makes ports of a list of them.
 *
 * What a card and its backend are told stands in `port`, in the same fields that `--nic` fills; what only XML can say stands beside it.
 * Source: libvirt's formatdomain, "Network interfaces" and "Host device assignment". */
#ifndef ANYNIC_CONFIG_INTERFACE_H
#define ANYNIC_CONFIG_INTERFACE_H

#include "config/spec.h"

#define INTERFACES_MAX	       (PORTS_MAX * PORT_NICS)
#define INTERFACE_NAME	       64 /* of a network or a portgroup */
#define INTERFACE_NOTES_MAX    64
#define BOOTS_MAX	       4  /* libvirt's kinds of <os><boot dev=> */
#define INTERFACE_ELEMENTS_MAX 64 /* rows of xml_interface_table */

enum interface_type {
	INTERFACE_NETWORK,
	INTERFACE_BRIDGE,
	INTERFACE_DIRECT,
	INTERFACE_ETHERNET,
	INTERFACE_USER,
	INTERFACE_VHOSTUSER,
	INTERFACE_VDPA,
	INTERFACE_HOSTDEV,
	INTERFACE_SERVER,
	INTERFACE_CLIENT,
	INTERFACE_MCAST,
	INTERFACE_UDP,
	INTERFACE_INTERNAL,
	INTERFACE_NULL,
	INTERFACE_VDS,
	INTERFACE_TYPE_COUNT
};

#define SNDBUF_UNSAID UINT32_MAX

enum teaming_kind { TEAMING_NONE, TEAMING_PERSISTENT, TEAMING_TRANSIENT, TEAMING_KIND_COUNT };

enum virtualport_kind {
	VIRTUALPORT_NONE,    /* no element */
	VIRTUALPORT_UNTYPED, /* an element without type=: the network says which */
	VIRTUALPORT_8021QBG,
	VIRTUALPORT_8021QBH,
	VIRTUALPORT_OPENVSWITCH,
	VIRTUALPORT_MIDONET,
	VIRTUALPORT_KIND_COUNT
};

extern const char *const interface_type_names[INTERFACE_TYPE_COUNT]; /* as in type='...' */
extern const char *const teaming_names[TEAMING_KIND_COUNT]; /* none, persistent, transient */
extern const char *const virtualport_names[VIRTUALPORT_KIND_COUNT];

struct virtualport {
	enum virtualport_kind kind;
	char interface_id[40]; /* UUID; empty = none */
	char profile[64];
};

/* A function of this host that goes to the guest as it is. */
struct hostdev_source {
	char pci[16];	  /* "0000:03:10.2"; empty = chosen from a network's pool */
	bool managed;	  /* bound to vfio-pci for the guest, given back to its driver after */
	char driver[16];  /* <driver name=>: "vfio" or empty */
	char variant[64]; /* <driver model=>: another driver of the vfio kind */
};

/* What is done on this host around the port. */
struct interface_host {
	struct vlan_tags vlan;
	struct virtualport virtualport;
	struct bandwidth_limit inbound, outbound;
	enum tristate isolated;	  /* <port isolated=> */
	enum tristate trust_rx;	  /* trustGuestRxFilters= */
	bool target_managed_off;  /* <target managed='no'>: the user's own tap */
	unsigned coalesce_frames; /* <coalesce><rx><frames max=>; 0 = not said */
	uint32_t sndbuf;	  /* <tune>; 0 is a size, too */
	char script[PATH_ROOM], downscript[PATH_ROOM];
	char tap_node[PATH_ROOM], vhost_node[PATH_ROOM]; /* <backend tap= vhost=> */
	char filter[INTERFACE_NAME];			 /* <filterref filter=> */
};

/* <anynic:auto>, <anynic:team>, <anynic:place>, anynic:strict=. */
struct interface_anynic {
	bool given;  /* one of the elements: the interface is served as --nic would have it */
	bool strict; /* what libvirt ignores with a warning is an error */
};

struct interface_spec {
	unsigned line;	      /* of the element in its file */
	unsigned driver_line; /* of its <driver>; 0 = none */
	uint32_t element_line
		[INTERFACE_ELEMENTS_MAX]; /* of its elements, in the order of xml_interface_table */
	bool hostdev_element;		  /* <hostdev>, not <interface> */
	bool unassigned; /* such a one that the guest does not get: <address type='unassigned'/> */
	enum interface_type type;   /* as written */
	enum interface_type actual; /* what came of a network; else the same */
	char network[INTERFACE_NAME], portgroup[INTERFACE_NAME];
	char alias[ID_MAX]; /* as written; empty = made from the position */
	char model
		[32]; /* as written: also models of QEMU's that we do not have; empty = libvirt's choice */
	enum teaming_kind teaming;
	char persistent[ID_MAX]; /* the alias of the partner; of a transient one */
	struct port_spec port;	 /* of one card; a team is made of two of these later */
	struct hostdev_source hostdev;
	struct interface_host host;
	struct interface_anynic anynic;
};

/* What a person should know and nothing fails for. */
struct interface_note {
	unsigned line;
	char text[240];
};

struct interface_list {
	struct interface_spec item[INTERFACES_MAX];
	unsigned count;
	unsigned nets,
		hostdevs; /* numbers of aliases that the guest's other cards have: those below */
	bool kvm;	  /* <domain type='kvm'>; also when there is no <domain> */
	unsigned boot;	  /* which of its <os><boot> is dev='network', from 1; 0 = none */
	char name[64];	  /* of the <domain>; empty = none */
	char arch[16], machine[40]; /* of its <os><type>; empty = not said */
	struct interface_note note[INTERFACE_NOTES_MAX];
	unsigned notes;
};

/* Adds a warning; those past the last place are dropped. */
void interface_warn(struct interface_list *list, unsigned line, const char *fmt, ...) PRINTF(3, 4);

#endif
