/* options.h - the command line of anynic-user: KEY=VALUE words that control writes from a checked backend_spec. */
#ifndef ANYNIC_BACKEND_USER_OPTIONS_H
#define ANYNIC_BACKEND_USER_OPTIONS_H

#include <netinet/in.h>

#include "base/error.h"
#include "config/spec.h"

struct forward {
	bool udp;
	struct in_addr host;  /* 0.0.0.0 = all addresses */
	struct in_addr guest; /* 0.0.0.0 = the first address that DHCP gives */
	uint16_t host_port;
	uint16_t guest_port;
};

struct user_options {
	char port[ID_MAX]; /* for messages */
	struct in_addr net;
	unsigned prefix;
	uint16_t mtu;	   /* 0 = 1500 */
	char hostname[64]; /* what DHCP tells the guest about itself; empty = nothing */
	char tftp[PATH_ROOM];
	char bootfile[PATH_ROOM];
	struct forward forward[HOSTFWD_MAX];
	char forward_text[HOSTFWD_MAX][96];
	unsigned forwards;
};

/* net=10.0.2.0/24 unless told otherwise. */
int user_options_read(struct user_options *o, int argc, char *const argv[], struct error *err);

/* "[tcp|udp]:[HOST]:PORT-[GUEST]:PORT", as QEMU's hostfwd=. */
int forward_read(struct forward *f, const char *text);

/* Addresses of the network as QEMU's user network has them: .2 the host, .3 DNS, .15 and up by DHCP. */
struct user_addresses {
	struct in_addr net, mask, host, dns, dhcp;
};

struct user_addresses user_addresses_of(const struct user_options *o);

#endif
