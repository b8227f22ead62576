#include "backend/stream/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"

#define RX_ROOM	   ((size_t)256 * 1024)
#define BATCH	   16u /* frames of one sendmsg */
#define BATCH_IOVS 256u

struct stream {
	struct backend base;
	int sock;     /* the connection; may be lost already: see base.fd[0] */
	int listener; /* server only */
	struct stream_parser rx;
	uint8_t *tx; /* the rest of a frame that went only in part */
	size_t tx_begin, tx_end;
	uint8_t lengths[BATCH][4];
	struct iovec iov[BATCH_IOVS];
};

static struct stream *stream_of(struct backend *b)
{
	return (struct stream *)b;
}

static void stream_finish(struct backend *b)
{
	struct stream *s = stream_of(b);

	fd_close(&s->sock);
	fd_close(&s->listener);
	free(s->rx.data);
	free(s->tx);
}

static void start_connection(struct stream *s, int sock)
{
	s->sock = sock;
	s->rx.begin = s->rx.end = 0;
	s->rx.skip = 0;
	s->tx_begin = s->tx_end = 0;
	s->base.fd[0] = sock;
	s->base.fds = 1;
	s->base.listen_fd = -1; /* one peer at a time; the next one waits in the socket's queue */
	s->base.fds_changed = true;
	s->base.more = s->base.blocked = false;
	backend_set_up(&s->base);
}

static void lose_connection(struct stream *s, const char *why)
{
	if (s->base.fd[0] < 0)
		return;
	shutdown(s->sock, SHUT_RDWR);
	backend_hide_fd(&s->base, 0);
	s->base.listen_fd = s->listener;
	s->base.more = s->base.blocked = false; /* nothing waits for a peer that is gone */
	s->tx_begin = s->tx_end = 0;
	backend_set_down(&s->base, "%s%s", why,
			 s->listener >= 0 ? "; waiting for the next one" : "");
}

static int stream_init(struct backend *b, const struct backend_spec *spec, struct error *err)
{
	struct stream *s = stream_of(b);
	int fd = spec->nfds ? spec->fds[0] : -1;

	s->sock = s->listener = -1;
	for (unsigned i = 1; i < spec->nfds; i++) {
		int extra = spec->fds[i];

		fd_close(&extra);
	}
	if (fd < 0)
		return error_set(err, -EBADF, "stream %s: no socket was given", spec->path);
	*(spec->server ? &s->listener : &s->sock) = fd;
	int rc = fd_set_nonblock(fd, true);
	if (rc < 0)
		return error_set(err, rc, "stream %s: the socket does not work: %s", spec->path,
				 strerror(-rc));
	s->rx.room = RX_ROOM;
	s->rx.data = malloc(RX_ROOM);
	s->tx = malloc(sizeof(s->lengths[0]) + FRAME_MAX);
	if (!s->rx.data || !s->tx)
		return error_set(err, -ENOMEM, "stream %s: out of memory", spec->path);
	if (!spec->server) {
		start_connection(s, fd);
		return 0;
	}
	b->listen_fd = fd;
	backend_set_down(b, "nobody is connected to %s yet; next: connect the other side to it",
			 spec->path);
	return 0;
}

static void stream_accept(struct backend *b)
{
	struct stream *s = stream_of(b);

	if (s->listener < 0 || b->fd[0] >= 0)
		return;
	int sock = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (sock < 0)
		return; /* it left before we looked */
	fd_close(&s->sock);
	start_connection(s, sock);
}

/* The other side is there again, and control has connected to it. */
static int stream_renew(struct backend *b, const int *fds, unsigned nfds)
{
	struct stream *s = stream_of(b);

	if (s->listener >= 0)
		return -EINVAL;
	if (nfds != 1)
		return -ENOTSUP;
	fd_close(&s->sock);
	start_connection(s, fds[0]);
	return 0;
}

/* Sends what is left of the frame before. True when nothing is left. */
static bool flush_rest(struct stream *s)
{
	while (s->tx_begin < s->tx_end) {
		ssize_t n = send(s->sock, s->tx + s->tx_begin, s->tx_end - s->tx_begin,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			s->tx_begin += (size_t)n;
		} else if (errno == EAGAIN) {
			s->base.blocked = true;
			return false;
		} else if (errno != EINTR) {
			lose_connection(s, "the other side left");
			return false;
		}
	}
	return true;
}

static bool sendable(const struct frame *f)
{
	return f->length <= FRAME_MAX && frame_pieces_match(f);
}

/* Lines up to BATCH frames behind their lengths. Returns how many; *iovs tells how many pieces. */
static unsigned gather(struct stream *s, const struct frame *frames, unsigned n, unsigned *iovs)
{
	unsigned count = 0, at = 0;

	for (; count < n && count < BATCH; count++) {
		const struct frame *f = &frames[count];

		if (at + 1 + f->iovs > BATCH_IOVS || !sendable(f))
			break;
		put_be32(s->lengths[count], f->length);
		s->iov[at++] = (struct iovec){ .iov_base = s->lengths[count],
					       .iov_len = sizeof(s->lengths[0]) };
		memcpy(&s->iov[at], f->iov, f->iovs * sizeof(f->iov[0]));
		at += f->iovs;
	}
	*iovs = at;
	return count;
}

/* `sent` bytes of the gathered frames went. Keeps the rest of a frame that went in part, since its memory is the guest's
 * again once we return. Returns how many frames are taken. */
static unsigned account(struct stream *s, const struct frame *frames, unsigned n, size_t sent)
{
	const size_t field = sizeof(s->lengths[0]);

	for (unsigned i = 0; i < n; i++) {
		size_t whole = field + frames[i].length;

		if (sent >= whole) {
			sent -= whole;
			continue;
		}
		if (sent == 0)
			return i;
		memcpy(s->tx, s->lengths[i], field);
		frame_copy_out(&frames[i], 0, s->tx + field, frames[i].length);
		s->tx_begin = sent;
		s->tx_end = whole;
		return i + 1;
	}
	return n;
}

static unsigned send_batch(struct stream *s, const struct frame *frames, unsigned n)
{
	unsigned iovs;
	unsigned count = gather(s, frames, n, &iovs);
	struct msghdr msg = { .msg_iov = s->iov, .msg_iovlen = iovs };

	if (count == 0) { /* the first one can never go */
		s->base.refused++;
		return 1;
	}
	ssize_t sent = sendmsg(s->sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent >= 0)
		return account(s, frames, count, (size_t)sent);
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
		s->base.blocked = true;
	else if (errno == EFAULT) { /* guest memory that vanished under us */
		s->base.refused++;
		return 1;
	} else if (errno != EINTR)
		lose_connection(s, "the other side left");
	return 0;
}

static unsigned stream_send(struct backend *b, const struct frame *frames, unsigned n)
{
	struct stream *s = stream_of(b);
	unsigned taken = 0;

	b->blocked = false;
	while (b->fd[0] >= 0 && flush_rest(s) && taken < n && !b->blocked)
		taken += send_batch(s, frames + taken, n - taken);
	if (b->fd[0] >= 0)
		return taken;
	b->refused += n - taken;
	return n;
}

/* Reads once. False when nothing came. */
static bool fill_buffer(struct stream *s)
{
	struct stream_parser *p = &s->rx;

	if (p->begin) { /* at most one frame that is not whole: FRAME_MAX bytes */
		memmove(p->data, p->data + p->begin, p->end - p->begin);
		p->end -= p->begin;
		p->begin = 0;
	}
	ssize_t n = recv(s->sock, p->data + p->end, p->room - p->end, MSG_DONTWAIT);
	if (n > 0) {
		p->end += (size_t)n;
		return true;
	}
	if (n == 0)
		lose_connection(s, "the other side closed the connection");
	else if (errno != EAGAIN && errno != EINTR)
		lose_connection(s, "the connection broke");
	return false;
}

static unsigned stream_receive(struct backend *b, unsigned queue, struct frame *frames,
			       unsigned max)
{
	struct stream *s = stream_of(b);
	unsigned n = 0;
	uint8_t *data;
	uint32_t length;

	(void)queue;
	b->more = false;
	while (n < max && b->fd[0] >= 0) {
		int rc = stream_parse(&s->rx, &data, &length);

		if (rc < 0) {
			lose_connection(s, "the other side sent a frame longer than any frame is");
		} else if (rc > 0) {
			memcpy(frames[n].iov[0].iov_base, data, length);
			frame_set_linear(&frames[n], frames[n].iov[0].iov_base, length);
			n++;
		} else if (!fill_buffer(s)) {
			return n;
		}
	}
	b->more = b->fd[0] >= 0 && n == max;
	return n;
}

static uint32_t stream_offloads(const struct backend *b)
{
	(void)b;
	return 0;
}

const struct backend_ops stream_backend = {
	.name = "stream",
	.summary = "a UNIX socket that speaks QEMU's stream protocol: another guest, passt, a "
		   "switch in user space",
	.size = sizeof(struct stream),
	.init = stream_init,
	.finish = stream_finish,
	.send = stream_send,
	.receive = stream_receive,
	.offloads = stream_offloads,
	.accept = stream_accept,
	.renew = stream_renew,
};
