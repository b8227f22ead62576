/* spec.h - what a user asked for, as plain structs: no pointers, no behaviour. Text and XML become these, diff compares
 * these, and control sends these to the datapath process. Every folder may include this file; it includes base/ only.
 */
#ifndef ANYNIC_CONFIG_SPEC_H
#define ANYNIC_CONFIG_SPEC_H

#include "base/mac.h"

#define ID_MAX		    40 /* port or NIC id with its NUL */
#define MODEL_MAX	    32
#define PATH_ROOM	    256
#define QUEUES_MAX	    16 /* queue pairs of one NIC or backend */
#define PORT_NICS	    2  /* NICs of one port, at most */
#define HOLD_COUNT_MAX	    64 /* switches that the hold-down can remember */
#define HOSTFWD_MAX	    16
#define LEGACY_DELAY_MAX_MS 600000
#define PORTS_MAX	    16 /* ports of one guest */
#define VLAN_TAGS_MAX	    8

enum policy_kind { POLICY_SINGLE, POLICY_SWITCH, POLICY_TEAM, POLICY_KIND_COUNT };
enum nic_role {
	ROLE_SINGLE,
	ROLE_LEGACY,
	ROLE_PERFORMANT,
	ROLE_PERSISTENT,
	ROLE_TRANSIENT,
	NIC_ROLE_COUNT
};
enum nic_place { PLACE_AUTO, PLACE_HOSTED, PLACE_QEMU, NIC_PLACE_COUNT };
enum nic_transport { TRANSPORT_VFIO_USER, TRANSPORT_VHOST_USER, NIC_TRANSPORT_COUNT };
/* How frames get between a card and us: decided by qemu/place.c, never given. A card of NONE is ours, over vfio-user. The others stand on
 * QEMU's side, and the guest sees their link by QEMU's set_link. With TAP the datapath knows nothing of the port. */
enum nic_netdev {
	NETDEV_NONE,
	NETDEV_VHOST_USER, /* QEMU's virtio card in front, ours behind */
	NETDEV_STREAM,	   /* QEMU's card, its frames over a socket of the datapath */
	NETDEV_TAP,	   /* QEMU's card on a tap of its own */
	NETDEV_QEMU, /* QEMU's card and QEMU's frames: a netdev that needs nothing of ours (user, socket, a foreign vhost-user, vdpa) */
	NETDEV_HOSTDEV, /* a function of this host, handed on by vfio-pci */
	NIC_NETDEV_COUNT
};
enum link_wish { LINK_AUTO, LINK_UP, LINK_DOWN, LINK_WISH_COUNT };
enum tristate { TRISTATE_DEFAULT, TRISTATE_ON, TRISTATE_OFF, TRISTATE_COUNT };
enum backend_driver { DRIVER_DEFAULT, DRIVER_VHOST, DRIVER_QEMU, BACKEND_DRIVER_COUNT };

extern const char *const policy_names[POLICY_KIND_COUNT]; /* single, switch, team */
extern const char *const role_names[NIC_ROLE_COUNT];
extern const char *const place_names[NIC_PLACE_COUNT];
extern const char *const transport_names[NIC_TRANSPORT_COUNT]; /* vfio-user, vhost-user */
extern const char
	*const netdev_names[NIC_NETDEV_COUNT]; /* none, vhost-user, stream, tap, qemu, hostdev */
extern const char *const link_wish_names[LINK_WISH_COUNT]; /* auto, up, down */
extern const char *const tristate_names[TRISTATE_COUNT];   /* default, on, off */
extern const char *const backend_driver_names[BACKEND_DRIVER_COUNT];

enum card_txmode { TXMODE_DEFAULT, TXMODE_IOTHREAD, TXMODE_TIMER, CARD_TXMODE_COUNT };

/* What libvirt's XML can set on a card of QEMU's own. Default, 0 and "": the property is not written. */
struct card_options {
	char device
		[40]; /* QEMU's name of it, where it is not that of the model: virtio-net-pci-transitional, ne2k_pci */
	enum tristate ioeventfd, event_idx, rss, rss_hash_report, iommu, ats, packed, page_per_vq;
	enum tristate csum, gso, host_tso4, host_tso6, host_ecn, host_ufo, mrg_rxbuf;
	enum tristate guest_csum, guest_tso4, guest_tso6, guest_ecn, guest_ufo;
	enum card_txmode txmode;
	uint16_t rx_queue_size, tx_queue_size;
	char bus[24], addr[12]; /* "pcie.0", "0x2" or "0x12.0x1" */
	enum tristate multifunction, rombar;
	enum tristate rom; /* off: no option ROM at all, whatever romfile is */
	uint32_t acpi_index;
	char loadparm[9];
};

struct nic_spec {
	char id[ID_MAX];
	char model[MODEL_MAX];
	enum nic_role role;
	enum nic_place place;
	enum nic_transport transport;
	enum nic_netdev netdev;
	uint8_t mac[MAC_LEN];
	uint16_t queues; /* queue pairs; 0 = the model's own */
	uint16_t mtu;	 /* 0 = the model's own */
	int rev;	 /* PCI revision; -1 = the model's own */
	int bootindex;	 /* -1 = none */
	bool packed;	 /* virtio: offer packed rings */
	enum tristate
		msix; /* of a card that anynic serves: off = it has none, and can be unplugged (docs/plug.md) */
	bool standby;	   /* virtio: offer VIRTIO_NET_F_STANDBY; QEMU's failover=on */
	char pair[ID_MAX]; /* of a transient card: the id of the persistent one. Empty = none */
	/* of a card that is a function of this host (netdev hostdev) */
	char host_dev
		[64]; /* as named: a device with virtual functions, a PCI address, a network; empty: host_pci has it */
	char host_pci[16];    /* "0000:03:10.2"; empty = the pool behind host_dev says which */
	char host_driver[32]; /* empty = vfio-pci, else a variant of it */
	enum tristate host_managed; /* bound to that driver, and given back after (on) */
	unsigned host_order;	    /* on QEMU's line, lowest first; 0 = last, as the ports are */
	char romfile[PATH_ROOM];    /* empty = no option ROM */
	struct card_options options;
	/* of a virtual function, as `ip link set DEV vf N` has them */
	int vlan;		/* which the guest does not see; 0 = none, -1 = not said */
	int qos;		/* its priority; -1 = not said */
	enum tristate trust;	/* the guest may choose another MAC (off) */
	enum tristate spoofchk; /* frames with a foreign MAC or VLAN are not sent (on) */
	uint32_t
		offloads; /* enum frame_offload that the port's backend takes; set by datapath, not by users */
};

struct vlan_tags {
	unsigned count; /* 0 = no VLAN */
	uint16_t tag[VLAN_TAGS_MAX];
	bool trunk;
	int native; /* the native VLAN of a trunk; -1 = none */
	bool native_tagged;
};

/* What a bridge does with the port that a tap is. Zeroed: nothing special. */
struct bridge_rules {
	struct vlan_tags vlan;
	bool isolated; /* it reaches no other isolated port */
};

/* A side of <bandwidth>: kilobytes (1000) a second, burst in kilobytes (1024). 0 = not said. */
struct bandwidth_limit {
	uint32_t average, peak, burst, floor;
};

/* What a guest may receive (in) and send (out). An average of 0: as much as it can. */
struct port_limits {
	struct bandwidth_limit in, out;
};

struct backend_spec {
	char type[MODEL_MAX]; /* "user", "tap", ... */
	enum backend_driver driver;
	char ifname[16];
	char br[16];
	char dev[64]; /* of a host, also a network of libvirt */
	char mode[16];
	char path[PATH_ROOM];	       /* stream: UNIX socket */
	char net[64];		       /* user: a.b.c.d/p */
	char hostfwd[HOSTFWD_MAX][96]; /* passt: also ranges, "tcp::8000..8099-:80" */
	unsigned hostfwds;
	char tftp[PATH_ROOM];	  /* user: folder that its TFTP server offers */
	char bootfile[PATH_ROOM]; /* user: what DHCP tells firmware to load */
	char capture[PATH_ROOM];
	char iface_id
		[40]; /* bridge of Open vSwitch: the external id that OVN knows the port by; empty = made of the names */
	char chosen[160]; /* of backend=auto: why it became this; users do not give it */
	bool server;	  /* stream: mode=server listens, else it connects */
	/* of netdevs that only XML has: sockets (server, client, mcast, udp), and vhost-user, whose socket is somebody else's */
	char address[64], local_address[64];
	uint16_t port, local_port;
	enum tristate reconnect; /* vhost-user, QEMU connects: again, when it is lost */
	unsigned reconnect_s;	 /* after so many; 0 = not said */
	struct bridge_rules rules;
	struct port_limits limits;			 /* of a tap, in XML */
	char tap_node[PATH_ROOM], vhost_node[PATH_ROOM]; /* in XML; empty = the usual ones */
	enum tristate
		managed; /* of a tap, in XML: off = somebody made it, on = it is made. Else what is there is used */
	char script[PATH_ROOM],
		downscript[PATH_ROOM]; /* of a tap, in XML: programs that root runs */
	bool sndbuf_given;
	uint32_t sndbuf; /* tap: bytes that may wait in it; 0 = any number */
	char net6[64];	 /* user: an IPv6 network */
	uint16_t mtu;
	int fds[QUEUES_MAX]; /* open descriptors; numbers of the process that holds the struct */
	unsigned nfds;
};

struct port_spec {
	char id[ID_MAX];
	enum policy_kind policy;
	uint8_t mac[MAC_LEN];
	bool mac_given; /* false: control makes a stable one */
	enum link_wish link;
	unsigned legacy_delay_ms;
	unsigned hold_count; /* 0 = hold is off */
	unsigned hold_seconds;
	bool plain; /* of plain libvirt XML: the card and the netdev that libvirt would give QEMU */
	bool tcg;   /* of a <domain> that is not of type kvm: where libvirt never takes vhost */
	char source[64]; /* "FILE:LINE" of its XML; empty = of --nic */
	struct nic_spec nic[PORT_NICS];
	unsigned nics;
	struct backend_spec backend;
};

#define BACKEND_TEXT 512

/* ", VLAN 10,20 (native 10, untagged), isolated"; empty when there are none. */
void bridge_rules_text(const struct bridge_rules *rules, char *to, size_t size);

/* ", in 1000 kB/s (peak 2000, burst 128 KiB), out 500 kB/s"; empty when there are none. */
void port_limits_text(const struct port_limits *limits, char *to, size_t size);

/* What a person reads: "bridge anynic0 on br0", "direct on eth0 (vepa)", "stream /run/s (server)". */
void backend_text(const struct backend_spec *b, char to[BACKEND_TEXT]);

/* QEMU moves the carrier that the guest sees. Of a card of ours the datapath does; that of the host's own is nobody's to move. */
static inline bool nic_link_is_qemus(const struct nic_spec *nic)
{
	return nic->netdev != NETDEV_NONE && nic->netdev != NETDEV_HOSTDEV;
}

/* The transient card of a team that is a function of this host: QEMU gets it while the guest runs (cli/transient.h). */
static inline bool nic_is_plugged_later(const struct nic_spec *nic)
{
	return nic->netdev == NETDEV_HOSTDEV && nic->pair[0];
}

/* All cards of a port are of one kind: the datapath has them, or nothing of the port. A team has a part in it when one card has. */
static inline bool port_in_datapath(const struct port_spec *port)
{
	for (unsigned i = 0; i < port->nics; i++)
		if (port->nic[i].netdev < NETDEV_TAP)
			return true;
	return false;
}

#endif
