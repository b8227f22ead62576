/* netlink.h - the kernel's network links: look one up, make, change and delete one.
 *
 * Each call is one question that the kernel answers at once. Errors are negative errno; nl->said has the kernel's own words, when
 * it had any. What an error means to a person is the caller's business.
 */
#ifndef ANYNIC_HOST_NETLINK_H
#define ANYNIC_HOST_NETLINK_H

#include <net/if.h>

#include "base/error.h"
#include "base/mac.h"

#define LINK_KIND  16
#define LINK_ALIAS 128

struct mnl_socket;

struct netlink {
	struct mnl_socket *sock;
	unsigned seq;
	char said[128]; /* the kernel's words about the last refusal; may be empty */
};

struct link {
	unsigned index; /* 0 = there is none */
	char name[IFNAMSIZ];
	char kind[LINK_KIND]; /* "bridge", "macvtap", "tun", "veth"...; empty = hardware, or lo */
	char alias[LINK_ALIAS];
	uint8_t mac[MAC_LEN];
	uint32_t mtu;
	uint16_t type;		   /* ARPHRD_... */
	bool up;		   /* as its administrator set it */
	bool carrier;		   /* and frames can pass */
	unsigned master;	   /* index of what it belongs to; 0 = nothing */
	char port_kind[LINK_KIND]; /* of that: "bridge", "bond"... */
	unsigned parent;    /* macvtap, vlan...: what it sits on, in the same namespace; 0 = none */
	unsigned mode;	    /* of a macvlan or macvtap: MACVLAN_MODE_... */
	bool filters_vlans; /* of a bridge: it keeps VLANs apart */
	unsigned tun_type;  /* of kind tun: IFF_TUN or IFF_TAP; 0 = unknown */
	bool tun_multi;	    /* it may have several queues */
	bool tun_owned;	    /* only user `tun_owner` and an administrator may open it */
	uint32_t tun_owner;
	bool plugged; /* carrier, whether it is up or not: of a tap, somebody has it open */
};

int netlink_open(struct netlink *nl, struct error *err);
void netlink_close(struct netlink *nl); /* accepts a zeroed one */

/* -ENODEV when there is none. A name that no interface can have is -ENODEV as well. */
int netlink_find(struct netlink *nl, const char *name, struct link *out);
int netlink_get(struct netlink *nl, unsigned index, struct link *out);

/* Stores those that `wanted` likes, at most `max`; returns how many there are. NULL likes all. */
typedef bool link_filter(const struct link *link, const void *context);
int netlink_list(struct netlink *nl, link_filter *wanted, const void *context, struct link *out,
		 unsigned max);

/* A macvtap that does not exist yet; down. `mac` NULL: the kernel chooses. */
int netlink_make_macvtap(struct netlink *nl, const char *name, unsigned parent, unsigned mode,
			 const uint8_t *mac);

/* What changes; the rest stays. All in one message, so that it happens as a whole or, on an error, perhaps in part. */
struct link_change {
	const uint8_t *mac; /* NULL = stays */
	const char *alias;  /* NULL = stays */
	uint32_t mtu;	    /* 0 = stays */
	unsigned master;    /* 0 = stays */
	bool up, down;
	bool all_multicast;
	bool quiet; /* the host gives itself no IPv6 address on it: it is the guest's */
};
int netlink_change(struct netlink *nl, unsigned index, const struct link_change *change);

int netlink_delete(struct netlink *nl, unsigned index);

/* --- virtual functions ------------------------------------------------------------------------------------------ */

/* What a physical function is told about one of its virtual ones; `ip link set DEV vf N` has the same words. -1 = not known, or stays. */
struct vf_settings {
	uint8_t mac[MAC_LEN];
	int vlan, qos; /* 0 = no VLAN */
	int spoofchk, trust;
	int link_state; /* IFLA_VF_LINK_STATE_AUTO, _ENABLE, _DISABLE */
};

enum vf_setting {
	VF_MAC,
	VF_VLAN, /* with its priority */
	VF_SPOOFCHK,
	VF_TRUST,
	VF_LINK_STATE,
	VF_SETTING_COUNT
};
extern const char *const vf_setting_names[VF_SETTING_COUNT]; /* mac, vlan, ... */

/* As the driver of the physical function `device` tells. -ENOENT: it has no such function. */
int netlink_get_vf(struct netlink *nl, unsigned device, unsigned vf, struct vf_settings *out);

/* One of them. -EOPNOTSUPP: this driver does not have it. */
int netlink_set_vf(struct netlink *nl, unsigned device, unsigned vf, enum vf_setting which,
		   const struct vf_settings *to);

/* Reads what came as an answer about `vf`, from wherever: 1 at its end, 0 when more is to come, or a negative errno that it carries.
 * Either may be NULL. For the fuzzer; the calls above read the kernel's answers with it. */
int netlink_read_answer(struct netlink *nl, const void *data, size_t size, struct link *link,
			unsigned vf, struct vf_settings *settings);

/* What our links carry, so that an administrator sees whose they are, and we know them again: "anynic GUEST/PORT". */
void host_link_alias(char *to, size_t size, const char *guest, const char *port);

/* --- news ------------------------------------------------------------------------------------------------------- */

/* Tells when links change. Readable descriptor: link_news_fd. */
struct link_news {
	struct mnl_socket *sock;
};

int link_news_open(struct link_news *news, struct error *err);
void link_news_close(struct link_news *news); /* accepts a zeroed one */
int link_news_fd(const struct link_news *news);

/* What waits, one call of `seen` for each changed link (`gone`: it was deleted). Returns -ENOBUFS when news were lost: look at
 * everything anew; else 0. */
typedef void link_seen(const struct link *link, bool gone, void *context);
int link_news_read(struct link_news *news, link_seen *seen, void *context);

#endif
