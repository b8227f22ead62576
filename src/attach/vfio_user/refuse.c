/* refuse.c - a second client while one is there.
 *
 * It is refused with an error reply to its VERSION: QEMU 11.1 aborts, guest and all, when the connection just ends before that
 * reply. A client that says nothing is shown the door after REFUSE_MS, and sooner when yet another comes.
 */
#include <errno.h>
#include <string.h>

#include "attach/vfio_user/server.h"
#include "base/clock.h"
#include "base/log.h"

#define REFUSE_MS 100

void refuse_finish(struct vfio_user *v)
{
	if (v->refused_client.fd < 0)
		return;
	loop_timer_cancel(v->loop, &v->refuse_timer);
	loop_unwatch(v->loop, &v->refused_client);
	fd_close(&v->refused_client.fd);
}

void refuse_client(struct vfio_user *v, int fd)
{
	refuse_finish(v);
	v->refused_client.fd = fd;
	if (loop_watch(v->loop, &v->refused_client, EPOLLIN) < 0 ||
	    loop_timer_set(v->loop, &v->refuse_timer, monotonic_ns() + REFUSE_MS * NS_PER_MS) < 0)
		refuse_finish(v);
}

void refuse_event(struct vfio_user *v)
{
	uint8_t message[512];
	int fds[FD_PASS_MAX];
	unsigned n;
	struct vu_header h;

	if (v->refused_client.fd < 0)
		return;
	/* one read is enough: nothing is asked of a client but to have said something */
	long got = fd_recv(v->refused_client.fd, message, sizeof(message), fds, &n);
	for (unsigned i = 0; got > 0 && i < n; i++)
		fd_close(&fds[i]);
	if (got >= (long)sizeof(h)) {
		memcpy(&h, message, sizeof(h));
		h.size = sizeof(h);
		h.flags = VU_REPLY | VU_ERROR;
		h.error = EBUSY;
		fd_send(v->refused_client.fd, &h, sizeof(h), NULL, 0);
	}
	refuse_finish(v);
}
