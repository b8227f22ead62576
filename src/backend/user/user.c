#include "backend/user/user.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

struct user {
	struct backend base;
	int sock;
	struct mmsghdr messages
		[FRAME_BATCH]; /* too much for the stack of a busy worker, and always the same */
};

static struct user *user_of(struct backend *b)
{
	return (struct user *)b;
}

static void user_finish(struct backend *b)
{
	fd_close(&user_of(b)->sock);
}

static int user_init(struct backend *b, const struct backend_spec *spec, struct error *err)
{
	struct user *u = user_of(b);

	u->sock = spec->nfds ? spec->fds[0] : -1;
	for (unsigned i = 1; i < spec->nfds; i++) {
		int fd = spec->fds[i];

		fd_close(&fd);
	}
	if (u->sock < 0)
		return error_set(err, -EBADF, "backend user: no socket to anynic-user was given");
	int rc = fd_set_nonblock(u->sock, true);
	if (rc < 0)
		return error_set(err, rc,
				 "backend user: the socket to anynic-user does not work: %s",
				 strerror(-rc));
	b->fd[0] = u->sock;
	b->fds = 1;
	b->up = true;
	return 0;
}

/* A new anynic-user stands behind the new socket. */
static int user_renew(struct backend *b, const int *fds, unsigned nfds)
{
	struct user *u = user_of(b);

	if (nfds != 1)
		return -ENOTSUP;
	fd_close(&u->sock);
	u->sock = b->fd[0] = fds[0];
	b->fds = 1;
	b->fds_changed = true;
	b->blocked = false;
	backend_set_up(b);
	return 0;
}

static void lose_helper(struct user *u)
{
	if (u->base.fd[0] < 0)
		return;
	backend_hide_fd(&u->base, 0);
	backend_set_down(&u->base, "anynic-user, the process behind this backend, has ended");
}

static unsigned prepare_send(struct user *u, const struct frame *frames, unsigned n)
{
	n = MIN(n, FRAME_BATCH);
	for (unsigned i = 0; i < n; i++)
		u->messages[i].msg_hdr = (struct msghdr){
			.msg_iov = (struct iovec *)(uintptr_t)frames[i].iov,
			.msg_iovlen = frames[i].iovs,
		};
	return n;
}

static unsigned user_send(struct backend *b, const struct frame *frames, unsigned n)
{
	struct user *u = user_of(b);
	unsigned taken = 0;

	b->blocked = false;
	while (taken < n && b->fd[0] >= 0) {
		unsigned batch = prepare_send(u, frames + taken, n - taken);
		int sent = sendmmsg(u->sock, u->messages, batch, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			taken += (unsigned)sent;
		} else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
			b->blocked = true;
			return taken;
		} else if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
			lose_helper(u);
		} else if (errno !=
			   EINTR) { /* this frame: too large for a packet, memory that vanished */
			b->refused++;
			taken++;
		}
	}
	b->refused += n - taken;
	return n;
}

/* Brings the frames that came into a row without gaps. Buffers only change places. */
static unsigned collect(struct user *u, struct frame *frames, unsigned came)
{
	unsigned n = 0;

	for (unsigned i = 0; i < came; i++) {
		uint32_t length = u->messages[i].msg_len;
		struct iovec mine = frames[i].iov[0];

		if (length ==
		    0) { /* the end of a SOCK_SEQPACKET stream; nobody sends empty packets */
			lose_helper(u);
			break;
		}
		if (length < ETH_HEADER || u->messages[i].msg_hdr.msg_flags & MSG_TRUNC)
			continue;
		frames[i].iov[0] = frames[n].iov[0];
		frame_set_linear(&frames[n++], mine.iov_base, length);
	}
	return n;
}

static unsigned user_receive(struct backend *b, unsigned queue, struct frame *frames, unsigned max)
{
	struct user *u = user_of(b);
	unsigned n = MIN(max, FRAME_BATCH);

	(void)queue;
	if (b->fd[0] < 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		u->messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = frames[i].iov,
								.msg_iovlen = 1 } };
	int came = recvmmsg(u->sock, u->messages, n, MSG_DONTWAIT, NULL);
	if (came < 0) {
		if (errno != EAGAIN && errno != EINTR)
			lose_helper(u);
		return 0;
	}
	return collect(u, frames, (unsigned)came);
}

static uint32_t user_offloads(const struct backend *b)
{
	(void)b;
	return 0;
}

const struct backend_ops user_backend = {
	.name = "user",
	.summary = "a private network with DHCP and DNS behind the host's address (libslirp), no "
		   "root needed",
	.size = sizeof(struct user),
	.init = user_init,
	.finish = user_finish,
	.send = user_send,
	.receive = user_receive,
	.offloads = user_offloads,
	.renew = user_renew,
};
