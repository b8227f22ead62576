/* fd.h - file descriptors, alone and as passengers of a message; and a folder that is ours. */
#ifndef ANYNIC_BASE_FD_H
#define ANYNIC_BASE_FD_H

#include "base/error.h"
#include "base/util.h"

#define FD_PASS_MAX 32 /* descriptors with one message */

/* Closes *fd if it is open and sets it to -1. */
void fd_close(int *fd);

/* 0 or negative errno. */
int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);

/* Makes the folder `path`, or finds it: this user's own, mode 0700, no link. /tmp is everybody's: one there is ours only when nobody else
 * can have made it or can look into it. */
int folder_make_private(const char *path, struct error *err);

/* sendmsg with descriptors, MSG_NOSIGNAL. Returns bytes sent or negative errno. The descriptors stay open here. */
long fd_send(int sock, const void *data, size_t len, const int *fds, unsigned nfds);

/* recvmsg with descriptors (close-on-exec). `fds` has room for FD_PASS_MAX; *nfds tells how many came. Returns bytes,
 * 0 at the end, or negative errno; -EMSGSIZE when descriptors or data were cut off (whatever came was closed). */
long fd_recv(int sock, void *data, size_t len, int *fds, unsigned *nfds);

#endif
