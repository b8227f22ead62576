/* peer.h - who is at the other end of a socket: the kernel's word, taken when the connection (or the pair) was made. */
#ifndef ANYNIC_HELPER_PEER_H
#define ANYNIC_HELPER_PEER_H

#include <sys/types.h>

#include "base/error.h"

#define PEER_GROUPS 256
#define PEER_NAME   33

struct peer {
	pid_t pid; /* 0 = of a namespace that we do not see */
	uint64_t
		started; /* of that process, as the kernel counts; tells it from a later one of the same number. 0 = unknown */
	uid_t uid;
	gid_t gid;
	gid_t group[PEER_GROUPS];
	unsigned groups;
};

int peer_read(int sock, struct peer *peer, struct error *err);

/* 0 when there is no such process, or it cannot be known. */
uint64_t peer_started(pid_t pid);

bool peer_in_group(const struct peer *peer, gid_t group);

#endif
