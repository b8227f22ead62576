/* helper_protocol.h - what an unprivileged anynic and the privileged anynic-helper say to each other.
 *
 * A SOCK_SEQPACKET socket; one packet = one struct of a fixed size, host order: both ends are on one machine. The user's end asks, the
 * helper answers, one at a time. The first request names what is wanted; its answer brings the descriptors. As long as the connection
 * is open the thing is the user's; when it closes, for whatever reason, the helper takes the thing back. The helper trusts nothing
 * that comes in: helper_request_check is the whole of what it believes afterwards.
 */
#ifndef ANYNIC_HOST_HELPER_PROTOCOL_H
#define ANYNIC_HOST_HELPER_PROTOCOL_H

#include "base/error.h"
#include "base/mac.h"

#define HELPER_SOCKET	 "/run/anynic-helper/socket"
#define HELPER_CONFIG	 "/etc/anynic/helper.conf"
#define HELPER_MAGIC	 0x68796e61u /* "anyh" */
#define HELPER_VERSION	 1u
#define HELPER_QUEUES	 16 /* descriptors with one answer, at most */
#define HELPER_GUEST	 64
#define HELPER_PORT	 40
#define HELPER_MTU_MAX	 65521u
#define HELPER_MTU_LEAST 68u

enum helper_ask {
	HELPER_TAP,    /* a new tap: ifname, mtu */
	HELPER_BRIDGE, /* a new tap on the bridge `link`: ifname, mtu, mac */
	HELPER_DIRECT, /* a macvtap on the device `link`: mode, ifname, mac */
	HELPER_REJOIN, /* what this connection got is put on its bridge again, which had gone; no descriptor */
	HELPER_ASK_COUNT
};
extern const char *const helper_ask_names[HELPER_ASK_COUNT]; /* tap, bridge, direct, rejoin */

struct helper_request {
	uint32_t magic, version;
	uint32_t ask;
	uint32_t queues; /* at least 1 */
	uint32_t mtu;	 /* 0 = usual */
	uint8_t mac[MAC_LEN];
	uint8_t zero[2];
	char link[16];	 /* a name, or empty where the ask has none */
	char ifname[16]; /* of the new interface; empty = the helper chooses */
	char mode[16];	 /* empty = vepa */
	char guest[HELPER_GUEST];
	char port[HELPER_PORT];
};

struct helper_answer {
	uint32_t magic, version;
	int32_t code;  /* 0 or negative errno; then `text` says why */
	uint32_t nfds; /* that came along */
	uint32_t ifindex, below, mtu;
	char ifname[16];
	char reason[160]; /* what a person must know of the choice */
	char text[512];
};

/* Whether each field can be what it claims: sizes, numbers, names, and that unused ones are empty. -EINVAL and why. */
int helper_request_check(const struct helper_request *r, struct error *err);

/* 1 to 15 printable characters that an interface can have and that no file, log or pattern takes for something else. */
bool helper_name_fits(const char name[16]);

#endif
