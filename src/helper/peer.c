#include "helper/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_FIELD 22 /* proc_pid_stat(5) */

/* The second field is the program's name, which may hold blanks and parentheses: fields are counted from its last one. */
uint64_t peer_started(pid_t pid)
{
	char path[40], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	char *at = strrchr(text, ')');
	for (unsigned field = 2; at && field < START_FIELD; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

int peer_read(int sock, struct peer *peer, struct error *err)
{
	struct ucred who = { 0 };
	socklen_t length = sizeof(who);

	*peer = (struct peer){ 0 };
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &who, &length) < 0 || length != sizeof(who))
		return error_set(err, -EPERM, "the kernel does not say who asks: %s",
				 strerror(errno));
	peer->pid = who.pid;
	peer->uid = who.uid;
	peer->gid = who.gid;
	peer->started = peer_started(who.pid);
	length = sizeof(peer->group);
	/* one with more groups than we have room for has none here: rules that allow groups do not fit him */
	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, peer->group, &length) == 0)
		peer->groups = (unsigned)(length / sizeof(gid_t));
	return 0;
}

bool peer_in_group(const struct peer *peer, gid_t group)
{
	for (unsigned i = 0; i < peer->groups; i++)
		if (peer->group[i] == group)
			return true;
	return peer->gid == group;
}
