/* vhost_user.c - life cycle, receive loop and dispatch.
 *
 * A message is read in two pieces, its header (with the descriptors) and its payload: few come, and none of the next is read
 * before it is done with. Whatever a message must not say gets it refused. Where the client asked for an answer it gets one;
 * otherwise the protocol has no way to say no but to hang up.
 */
#include "attach/vhost_user/vhost_user.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attach/vhost_user/server.h"
#include "base/log.h"

/* Messages of one event: other ports wait for its end. */
#define TURN_MESSAGES 64
/* Rounds in which a dead client's last words are read: more than its socket holds. */
#define LAST_ROUNDS 64

#define NO_GATE	  0
#define GATE(bit) (BIT(bit))

struct message {
	const char *name;
	uint16_t min, max; /* bytes of payload */
	uint8_t fds;	   /* descriptors, at most */
	bool answered;	   /* has a reply of its own */
	uint32_t gate;	   /* only with this protocol feature */
	serve_fn *serve;
};

#define U64   8, 8
#define STATE 8, 8
#define NONE  0, 0
static const struct message messages[VHU_REQUESTS] = {
	[VHU_GET_FEATURES] = { "GET_FEATURES", NONE, 0, true, NO_GATE, serve_get_features },
	[VHU_SET_FEATURES] = { "SET_FEATURES", U64, 0, false, NO_GATE, serve_set_features },
	[VHU_SET_OWNER] = { "SET_OWNER", NONE, 0, false, NO_GATE, serve_owner },
	[VHU_RESET_OWNER] = { "RESET_OWNER", NONE, 0, false, NO_GATE, serve_owner },
	[VHU_SET_MEM_TABLE] = { "SET_MEM_TABLE", 8, sizeof(struct vhu_mem_table), VHU_TABLE_REGIONS,
				false, NO_GATE, serve_mem_table },
	[VHU_SET_LOG_BASE] = { "SET_LOG_BASE", 16, 16, 1, true, GATE(VHU_P_LOG_SHMFD),
			       serve_log_base },
	[VHU_SET_LOG_FD] = { "SET_LOG_FD", 0, 8, 1, false, NO_GATE, serve_log_fd },
	[VHU_SET_VRING_NUM] = { "SET_VRING_NUM", STATE, 0, false, NO_GATE, serve_num },
	[VHU_SET_VRING_ADDR] = { "SET_VRING_ADDR", 40, 40, 0, false, NO_GATE, serve_addr },
	[VHU_SET_VRING_BASE] = { "SET_VRING_BASE", STATE, 0, false, NO_GATE, serve_set_base },
	[VHU_GET_VRING_BASE] = { "GET_VRING_BASE", STATE, 0, true, NO_GATE, serve_get_base },
	[VHU_SET_VRING_KICK] = { "SET_VRING_KICK", U64, 1, false, NO_GATE, serve_kick },
	[VHU_SET_VRING_CALL] = { "SET_VRING_CALL", U64, 1, false, NO_GATE, serve_call },
	[VHU_SET_VRING_ERR] = { "SET_VRING_ERR", U64, 1, false, NO_GATE, serve_err },
	[VHU_GET_PROTOCOL_FEATURES] = { "GET_PROTOCOL_FEATURES", NONE, 0, true, NO_GATE,
					serve_get_protocol },
	[VHU_SET_PROTOCOL_FEATURES] = { "SET_PROTOCOL_FEATURES", U64, 0, false, NO_GATE,
					serve_set_protocol },
	[VHU_GET_QUEUE_NUM] = { "GET_QUEUE_NUM", NONE, 0, true, NO_GATE, serve_queue_num },
	[VHU_SET_VRING_ENABLE] = { "SET_VRING_ENABLE", STATE, 0, false, NO_GATE, serve_enable },
	[VHU_SEND_RARP] = { "SEND_RARP", U64, 0, false, GATE(VHU_P_RARP), serve_rarp },
	[VHU_NET_SET_MTU] = { "NET_SET_MTU", U64, 0, false, GATE(VHU_P_NET_MTU), serve_mtu },
	[VHU_RESET_DEVICE] = { "RESET_DEVICE", NONE, 0, false, GATE(VHU_P_RESET_DEVICE),
			       serve_reset_device },
	[VHU_GET_MAX_MEM_SLOTS] = { "GET_MAX_MEM_SLOTS", NONE, 0, true, GATE(VHU_P_MEM_SLOTS),
				    serve_slots },
	[VHU_ADD_MEM_REG] = { "ADD_MEM_REG", 40, 40, 1, false, GATE(VHU_P_MEM_SLOTS),
			      serve_add_region },
	[VHU_REM_MEM_REG] = { "REM_MEM_REG", 40, 40, 1, false, GATE(VHU_P_MEM_SLOTS),
			      serve_remove_region },
	[VHU_SET_STATUS] = { "SET_STATUS", U64, 0, false, GATE(VHU_P_STATUS), serve_set_status },
	[VHU_GET_STATUS] = { "GET_STATUS", NONE, 0, true, GATE(VHU_P_STATUS), serve_get_status },
	[VHU_SET_DEVICE_STATE_FD] = { "SET_DEVICE_STATE_FD", STATE, 1, true,
				      GATE(VHU_P_DEVICE_STATE), serve_state_fd },
	[VHU_CHECK_DEVICE_STATE] = { "CHECK_DEVICE_STATE", NONE, 0, true, GATE(VHU_P_DEVICE_STATE),
				     serve_check_state },
	/* postcopy is not offered: pages would have to be waited for in the middle of a ring */
};

static void drop_descriptors(struct vhost_user *v)
{
	for (unsigned i = 0; i < v->nfds; i++)
		fd_close(&v->fds[i]);
	v->nfds = 0;
}

/* The client is gone, or will not be listened to any more: the card is as new, and ready for another. */
static void disconnect(struct vhost_user *v, const char *fmt, ...) PRINTF(2, 3);
static void disconnect(struct vhost_user *v, const char *fmt, ...)
{
	va_list args;

	if (v->connection.fd < 0)
		return;
	if (fmt) {
		va_start(args, fmt);
		vsnprintf(v->problem, sizeof(v->problem), fmt, args);
		va_end(args);
		log_warning("%s: vhost-user client sent away: %s", v->nic->spec.id, v->problem);
	}
	loop_unwatch(v->loop, &v->connection);
	fd_close(&v->connection.fd);
	drop_descriptors(v);
	state_close(v);
	vrings_forget(v);
	virtio_core_connect(v->nic, false);
	memory_forget(v);
	v->in_end = v->pending_at = v->pending_end = 0;
	v->features = v->protocol = 0;
}

/* --- output --- */

static void flush(struct vhost_user *v)
{
	while (v->pending_at < v->pending_end) {
		ssize_t n = send(v->connection.fd, v->pending + v->pending_at,
				 v->pending_end - v->pending_at, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			disconnect(v, NULL);
		if (n < 0)
			return;
		v->pending_at += (uint32_t)n;
	}
	v->pending_at = v->pending_end = 0;
}

static void answer(struct vhost_user *v, uint32_t request, const void *body, uint32_t size)
{
	struct vhu_header h = { .request = request,
				.flags = VHU_VERSION | VHU_REPLY,
				.size = size };

	memcpy(v->pending, &h, sizeof(h));
	memcpy(v->pending + sizeof(h), body, size);
	v->pending_at = 0;
	v->pending_end = (uint32_t)sizeof(h) + size;
	flush(v);
}

/* --- messages --- */

static int serve(struct vhost_user *v, const struct vhu_header *h, const struct message *m,
		 struct request *rq)
{
	if ((h->flags & (VHU_VERSION_MASK | VHU_REPLY)) != VHU_VERSION)
		return -EPROTO;
	if (!m)
		return -ENOSYS;
	if (rq->size < m->min || rq->size > m->max || rq->nfds > m->fds)
		return -EINVAL;
	if (m->gate & ~v->protocol)
		return -EOPNOTSUPP;
	return m->serve(v, rq);
}

static void handle(struct vhost_user *v)
{
	struct vhu_header h;
	struct request rq = { .body = v->in + sizeof(h), .fds = v->fds, .nfds = v->nfds };

	memcpy(&h, v->in, sizeof(h));
	const struct message *m =
		h.request < VHU_REQUESTS && messages[h.request].serve ? &messages[h.request] : NULL;
	rq.size = h.size;
	int rc = serve(v, &h, m, &rq);
	log_debug("%s: vhost-user %s: %d", v->nic->spec.id, m ? m->name : "unknown message", rc);
	drop_descriptors(v);
	v->in_end = 0;
	bool wants_result = (h.flags & VHU_NEED_REPLY) && has_protocol(v, VHU_P_REPLY_ACK);
	if (rc == 0 && m->answered) {
		answer(v, h.request, rq.reply, rq.reply_size);
	} else if (wants_result && !(m && m->answered)) {
		reply_u64(&rq, rc != 0);
		answer(v, h.request, rq.reply, rq.reply_size);
	} else if (rc < 0) {
		disconnect(v, "%s (%u bytes, %u descriptors): %s", m ? m->name : "unknown message",
			   h.size, rq.nfds, strerror(-rc));
	}
}

/* --- input --- */

/* Bytes that are missing from the header, or from the message. */
static uint32_t wanted(const struct vhost_user *v)
{
	struct vhu_header h;

	if (v->in_end < sizeof(h))
		return (uint32_t)sizeof(h) - v->in_end;
	memcpy(&h, v->in, sizeof(h));
	return (uint32_t)sizeof(h) + h.size - v->in_end;
}

static bool take_descriptors(struct vhost_user *v, int *fds, unsigned n)
{
	if (v->nfds + n > FD_PASS_MAX) {
		for (unsigned i = 0; i < n; i++)
			fd_close(&fds[i]);
		disconnect(v, "it sent too many descriptors");
		return false;
	}
	memcpy(v->fds + v->nfds, fds, n * sizeof(int));
	v->nfds += n;
	return true;
}

/* Reads once. False when nothing came or the client is gone. */
static bool receive(struct vhost_user *v)
{
	struct vhu_header h;
	int fds[FD_PASS_MAX];
	unsigned n;
	long got = fd_recv(v->connection.fd, v->in + v->in_end, wanted(v), fds, &n);

	if (got == -EAGAIN)
		return false;
	if (got == -EMSGSIZE)
		disconnect(v, "more descriptors came than a message or the limit of open files "
			      "allows");
	else if (got == 0 || got == -ECONNRESET)
		disconnect(v, NULL);
	else if (got < 0)
		disconnect(v, "%s", strerror((int)-got));
	if (got <= 0)
		return false;
	v->in_end += (uint32_t)got;
	if (n && !take_descriptors(v, fds, n))
		return false;
	memcpy(&h, v->in, sizeof(h));
	if (v->in_end >= sizeof(h) && h.size > BODY_ROOM) {
		disconnect(v, "it sent a message of an impossible size");
		return false;
	}
	return true;
}

/* One round with the client. False when there was nothing to do, or it is gone. */
static bool serve_socket(struct vhost_user *v)
{
	if (v->pending_end) {
		flush(v);
		return v->connection.fd >= 0 && !v->pending_end;
	}
	if (!receive(v))
		return false;
	if (v->in_end >= sizeof(struct vhu_header) && wanted(v) == 0)
		handle(v);
	return v->connection.fd >= 0;
}

static void watch_socket(struct vhost_user *v)
{
	if (v->connection.fd >= 0)
		loop_watch(v->loop, &v->connection, v->pending_end ? EPOLLOUT : EPOLLIN);
}

void vhost_user_serve(struct vhost_user *v, unsigned index, uint32_t events)
{
	(void)events;
	if (index >= SOURCE_KICK) {
		vring_kicked(v, index - SOURCE_KICK);
	} else if (index == SOURCE_STATE) {
		state_event(v);
	} else {
		for (unsigned i = 0; i < 2 * TURN_MESSAGES && v->connection.fd >= 0; i++)
			if (!serve_socket(v))
				break;
		watch_socket(v);
	}
}

void vhost_user_settled(struct vhost_user *v)
{
	if (v->connection.fd >= 0)
		vhost_user_serve(v, SOURCE_SOCKET, 0);
	virtio_core_settled(v->nic);
}

/* --- life cycle --- */

/* A client that connects again may be seen here before the end of its last connection is. */
static void see_end_of_client(struct vhost_user *v)
{
	for (unsigned i = 0; i < LAST_ROUNDS && v->connection.fd >= 0 && serve_socket(v); i++)
		;
	watch_socket(v);
}

void vhost_user_accept(struct vhost_user *v)
{
	int fd = accept4(v->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		/* the connection stays in the queue, and the loop would turn for ever */
		log_error(
			"%s: cannot accept a vhost-user client: %s; raise the limit of open files",
			v->nic->spec.id, strerror(errno));
		loop_unwatch(v->loop, &v->listener);
		return;
	}
	see_end_of_client(v);
	if (v->connection.fd >= 0) {
		log_warning("%s: a second vhost-user client was refused", v->nic->spec.id);
		fd_close(&fd);
		return;
	}
	v->problem[0] = '\0';
	v->connection.fd = fd;
	virtio_core_connect(v->nic, true);
	int rc = loop_watch(v->loop, &v->connection, EPOLLIN);
	if (rc < 0)
		disconnect(v, "%s", strerror(-rc));
}

struct vhost_user *vhost_user_create(struct nic *nic, int listen_fd, struct loop *loop,
				     unsigned listen_kind, unsigned connection_kind,
				     struct error *err)
{
	struct vhost_user *v = calloc(1, sizeof(*v));

	if (!v) {
		fd_close(&listen_fd);
		error_set(err, -ENOMEM, "%s: out of memory", nic->spec.id);
		return NULL;
	}
	v->nic = nic;
	v->loop = loop;
	v->listener = (struct loop_source){ .fd = listen_fd, .kind = listen_kind, .owner = v };
	v->connection = (struct loop_source){
		.fd = -1, .kind = connection_kind, .index = SOURCE_SOCKET, .owner = v
	};
	v->state = v->connection;
	v->state.index = SOURCE_STATE;
	for (unsigned i = 0; i < VIRTIO_CORE_RINGS_MAX; i++) {
		v->ring[i].kick = v->connection;
		v->ring[i].kick.index = SOURCE_KICK + i;
	}
	int rc = fd_set_nonblock(listen_fd, true);
	if (rc == 0)
		rc = loop_watch(loop, &v->listener, EPOLLIN);
	if (rc < 0) {
		error_set(err, rc, "%s: cannot watch its socket: %s", nic->spec.id, strerror(-rc));
		vhost_user_destroy(v);
		return NULL;
	}
	return v;
}

void vhost_user_destroy(struct vhost_user *v)
{
	if (!v)
		return;
	disconnect(v, NULL);
	loop_unwatch(v->loop, &v->listener);
	fd_close(&v->listener.fd);
	free(v);
}

struct nic *vhost_user_nic(const struct vhost_user *v)
{
	return v->nic;
}

bool vhost_user_connected(const struct vhost_user *v)
{
	return v->connection.fd >= 0;
}

const char *vhost_user_problem(const struct vhost_user *v)
{
	return v->problem;
}
