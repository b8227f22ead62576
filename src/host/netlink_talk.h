/* netlink_talk.h - inside the files that speak netlink with the kernel's links: one question, one answer. */
#ifndef ANYNIC_HOST_NETLINK_TALK_H
#define ANYNIC_HOST_NETLINK_TALK_H

#include <libmnl/libmnl.h>

#include "host/netlink.h"

#define REQUEST_ROOM 1024 /* of any request of ours */

/* `request` asks for an acknowledgement. 0, or what the kernel says, with its words in nl->said. */
int netlink_ask(struct netlink *nl, struct nlmsghdr *request);

#endif
