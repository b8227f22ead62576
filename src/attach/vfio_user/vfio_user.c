/* vfio_user.c - life cycle, receive loop and dispatch.
 *
 * One event is one recvmsg and the handling of everything that came whole: at most INPUT_ROOM bytes, so the work of a call is
 * bounded. Each request gets its reply before the next is looked at. When the socket does not take a reply, what is left waits
 * in `pending` and nothing more is read until it is out: a client that does not read stops nobody but itself.
 */
#include "attach/vfio_user/vfio_user.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attach/vfio_user/server.h"
#include "base/log.h"

/* A message larger than any client sends: the stream is no longer understood. */
#define MESSAGE_MAX_SIZE (sizeof(struct vu_header) + sizeof(struct vu_region_access) + MAX_TRANSFER)

/* Rounds in which a dead client's last words are read: more than its socket holds. */
#define LAST_ROUNDS 64

struct command {
	const char *name;
	uint32_t min, max; /* bytes of payload */
	uint8_t fds;	   /* descriptors, at most */
	serve_fn *serve;   /* NULL: only the server sends it */
};

static const struct command commands[] = {
	[VU_VERSION] = { "VERSION", 4, 4096, 0, serve_version },
	[VU_DMA_MAP] = { "DMA_MAP", 32, 32, 1, serve_dma_map },
	[VU_DMA_UNMAP] = { "DMA_UNMAP", 24, 40, 0,
			   serve_dma_unmap }, /* 40: with the question for dirty pages */
	[VU_GET_INFO] = { "DEVICE_GET_INFO", 16, 16, 0, serve_info },
	[VU_GET_REGION_INFO] = { "DEVICE_GET_REGION_INFO", 32, 32, 0, serve_region_info },
	[VU_GET_REGION_IO_FDS] = { "DEVICE_GET_REGION_IO_FDS", 16, 16, 0, serve_region_io_fds },
	[VU_GET_IRQ_INFO] = { "DEVICE_GET_IRQ_INFO", 16, 16, 0, serve_irq_info },
	[VU_SET_IRQS] = { "DEVICE_SET_IRQS", 20, 20 + 4 * PCI_VECTORS_MAX, VU_FDS_MAX,
			  serve_set_irqs },
	[VU_REGION_READ] = { "REGION_READ", 16, 16, 0, serve_region_read },
	[VU_REGION_WRITE] = { "REGION_WRITE", 17, 16 + ACCESS_MAX, 0, serve_region_write },
	[VU_DMA_READ] = { "DMA_READ" },
	[VU_DMA_WRITE] = { "DMA_WRITE" },
	[VU_DEVICE_RESET] = { "DEVICE_RESET", 0, 0, 0, serve_reset },
	[VU_DIRTY_PAGES] = { "DIRTY_PAGES", 0, INPUT_ROOM, 0, serve_unsupported },
	[VU_REGION_WRITE_MULTI] = { "REGION_WRITE_MULTI", 8, INPUT_ROOM, 0, serve_write_multi },
	[VU_DEVICE_FEATURE] = { "DEVICE_FEATURE", 8, INPUT_ROOM, 0, serve_unsupported },
	[VU_MIG_DATA_READ] = { "MIG_DATA_READ", 8, INPUT_ROOM, 0, serve_unsupported },
	[VU_MIG_DATA_WRITE] = { "MIG_DATA_WRITE", 8, INPUT_ROOM, 0, serve_unsupported },
};
NAMES_MATCH(commands, VU_COMMANDS);

static void drop_descriptors(struct vfio_user *v)
{
	for (unsigned i = 0; i < v->nfds; i++)
		fd_close(&v->fds[i]);
	v->nfds = 0;
}

/* The client is gone, or will not be listened to any more: the card is as at power-on, and ready for another. */
static void disconnect(struct vfio_user *v, const char *why)
{
	if (v->connection.fd < 0)
		return;
	if (why)
		log_warning("%s: vfio-user client disconnected: %s", v->nic->spec.id, why);
	loop_unwatch(v->loop, &v->connection);
	fd_close(&v->connection.fd);
	irq_unmask_close(v);
	loop_timer_cancel(v->loop, &v->unmask_timer);
	v->unmask_waits = false;
	drop_descriptors(v);
	v->in_at = v->in_end = v->skip = 0;
	v->pending_at = v->pending_end = v->tail_size = 0;
	v->negotiated = v->client_serves_dma = v->ram_mapped = v->ram_unmapped = false;
	v->probe = (struct probe){ 0 };
	for (unsigned i = 0; i < PCI_IRQ_INDEXES; i++)
		pci_irq_clear(&v->nic->pci, (enum pci_irq_index)i);
	nic_reset(v->nic, RESET_POWER_ON);
	mem_unmap_all(&v->nic->mem);
}

/* --- output --- */

/* How many bytes the socket took; 0 also when the client is lost. */
static uint32_t send_some(struct vfio_user *v, const void *data, uint32_t size)
{
	long n;

	do
		n = send(v->connection.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return (uint32_t)n;
	if (errno != EAGAIN)
		disconnect(v, errno == EPIPE || errno == ECONNRESET ? NULL : strerror(errno));
	return 0;
}

void connection_send(struct vfio_user *v, const void *data, uint32_t size)
{
	uint32_t n = send_some(v, data, size);

	if (v->connection.fd < 0 || n == size)
		return;
	memcpy(v->pending, (const uint8_t *)data + n, size - n);
	v->pending_at = 0;
	v->pending_end = size - n;
}

static void flush(struct vfio_user *v)
{
	if (v->pending_end != v->pending_at) {
		v->pending_at +=
			send_some(v, v->pending + v->pending_at, v->pending_end - v->pending_at);
		if (v->pending_end != v->pending_at)
			return;
	}
	while (v->tail_size) {
		uint32_t n = send_some(v, v->tail, v->tail_size);
		if (n == 0 || v->connection.fd < 0)
			return;
		v->tail += n;
		v->tail_size -= n;
	}
}

/* --- messages --- */

/* `message` has room for the header in front of the payload that is already there. */
static void answer(struct vfio_user *v, const struct vu_header *to, int rc, uint8_t *message,
		   uint32_t payload)
{
	struct vu_header h = { .id = to->id, .command = to->command, .flags = VU_REPLY };

	if (rc < 0) {
		v->refused++;
		payload = 0;
		v->tail_size = 0;
		h.flags |= VU_ERROR;
		h.error = (uint32_t)-rc;
	}
	if (to->flags & VU_NO_REPLY) {
		v->tail_size = 0;
		return;
	}
	h.size = (uint32_t)sizeof(h) + payload + v->tail_size;
	memcpy(message, &h, sizeof(h));
	connection_send(v, message, (uint32_t)sizeof(h) + payload);
	if (v->tail_size && v->pending_end == v->pending_at)
		flush(v);
}

static int serve(struct vfio_user *v, const struct vu_header *h, struct request *rq)
{
	const struct command *c = h->command < VU_COMMANDS ? &commands[h->command] : NULL;

	if (!c || !c->name)
		return -ENOSYS;
	if (!c->serve || (h->flags & ~(VU_TYPE | VU_NO_REPLY)))
		return -EINVAL;
	if (v->negotiated == (h->command == VU_VERSION))
		return -EINVAL; /* VERSION comes first, and once */
	if (rq->size < c->min || rq->size > c->max || rq->nfds > c->fds)
		return -EINVAL;
	return c->serve(v, rq);
}

static void handle(struct vfio_user *v, const struct vu_header *h, const uint8_t *body)
{
	uint8_t message[REPLY_ROOM];
	bool mine = v->nfds && v->fds_at == v->in_at;
	struct request rq = { .body = body,
			      .size = h->size - (uint32_t)sizeof(*h),
			      .fds = v->fds,
			      .nfds = mine ? v->nfds : 0,
			      .reply = message + sizeof(*h) };

	if ((h->flags & VU_TYPE) == VU_REPLY) {
		if (dma_probe_reply(v, h, body) < 0)
			disconnect(v, "it sent a reply that nobody asked for");
	} else if ((h->flags & VU_TYPE) != VU_REQUEST) {
		answer(v, h, -EINVAL, message, 0);
	} else {
		int rc = serve(v, h, &rq);
		answer(v, h, rc, message, rq.reply_size);
	}
	if (mine)
		drop_descriptors(v);
}

/* A message that does not fit: refused, and its bytes thrown away as they come. */
static void refuse_large(struct vfio_user *v, const struct vu_header *h)
{
	uint8_t message[sizeof(struct vu_header)];

	if ((h->flags & VU_TYPE) == VU_REPLY) {
		disconnect(v, "it sent a reply that nobody asked for");
		return;
	}
	if (v->nfds && v->fds_at == v->in_at)
		drop_descriptors(v);
	v->skip = h->size;
	answer(v, h, -EMSGSIZE, message, 0);
}

static void skip_bytes(struct vfio_user *v)
{
	uint32_t n = MIN(v->skip, v->in_end - v->in_at);

	v->in_at += n;
	v->skip -= n;
}

/* One message, if a whole one is there. False: there is nothing more to do before more comes or goes. */
static bool handle_next(struct vfio_user *v)
{
	struct vu_header h;

	skip_bytes(v);
	uint32_t there = v->in_end - v->in_at;
	if (there < sizeof(h))
		return false;
	memcpy(&h, v->in + v->in_at, sizeof(h));
	if (h.size < sizeof(h) || h.size > MESSAGE_MAX_SIZE) {
		disconnect(v, "it sent a message of an impossible size");
		return false;
	}
	if (h.size > INPUT_ROOM) {
		refuse_large(v, &h);
		return v->connection.fd >= 0;
	}
	if (there < h.size)
		return false;
	handle(v, &h, v->in + v->in_at + sizeof(h));
	if (v->connection.fd < 0)
		return false;
	v->in_at += h.size;
	return true;
}

static void handle_input(struct vfio_user *v)
{
	do
		dma_probe_step(v);
	while (v->connection.fd >= 0 && !connection_blocked(v) && handle_next(v));
}

/* --- input --- */

/* The start of the last message that begins in the input: the kernel ends a read at the piece that carried descriptors, and
 * a client sends them with the first byte of their message. */
static uint32_t last_message(const struct vfio_user *v)
{
	uint32_t at = v->in_at + MIN(v->skip, v->in_end - v->in_at);
	struct vu_header h;

	while (v->in_end - at > sizeof(h)) {
		memcpy(&h, v->in + at, sizeof(h));
		if (h.size < sizeof(h) || h.size >= v->in_end - at)
			break;
		at += h.size;
	}
	return at;
}

/* How much to read: all that there is room for; but while a message waits for its end with descriptors in hand, no
 * further, so that the next descriptors are known to be another message's. */
static uint32_t wanted(const struct vfio_user *v)
{
	uint32_t there = v->in_end - v->in_at;
	struct vu_header h;

	if (v->nfds == 0)
		return INPUT_ROOM - v->in_end;
	if (there < sizeof(h))
		return (uint32_t)sizeof(h) - there;
	memcpy(&h, v->in + v->in_at, sizeof(h));
	return h.size - there; /* handle_next saw that it fits and is not complete */
}

static bool take_descriptors(struct vfio_user *v, int *fds, unsigned n)
{
	if (v->nfds + n > VU_FDS_MAX) {
		for (unsigned i = 0; i < n; i++)
			fd_close(&fds[i]);
		disconnect(v, "it sent too many descriptors");
		return false;
	}
	if (v->nfds == 0)
		v->fds_at = last_message(v);
	memcpy(v->fds + v->nfds, fds, n * sizeof(int));
	v->nfds += n;
	if (v->fds_at == v->in_end)
		drop_descriptors(v); /* they came inside a message that is thrown away */
	return true;
}

/* Reads once. False when nothing came or the client is gone. */
static bool receive(struct vfio_user *v)
{
	int fds[FD_PASS_MAX];
	unsigned n;

	/* what is left over is the beginning of one message */
	if (v->in_at) {
		v->fds_at -= v->in_at;
		memmove(v->in, v->in + v->in_at, v->in_end - v->in_at);
		v->in_end -= v->in_at;
		v->in_at = 0;
	}
	long got = fd_recv(v->connection.fd, v->in + v->in_end, wanted(v), fds, &n);
	if (got == -EAGAIN)
		return false;
	if (got == -EMSGSIZE)
		disconnect(
			v,
			"more descriptors came than a message or the limit of open files allows");
	else if (got <= 0)
		disconnect(v, got == 0 || got == -ECONNRESET ? NULL : strerror((int)-got));
	if (got <= 0)
		return false;
	v->in_end += (uint32_t)got;
	return n == 0 || take_descriptors(v, fds, n);
}

/* One round with the client. False when there was nothing to do, or it is gone. */
static bool serve_socket(struct vfio_user *v)
{
	bool did;

	if (connection_blocked(v)) {
		flush(v);
		did = v->connection.fd >= 0 && !connection_blocked(v);
	} else {
		did = receive(v);
	}
	if (did)
		handle_input(v);
	return did && v->connection.fd >= 0;
}

static void watch_socket(struct vfio_user *v)
{
	if (v->connection.fd >= 0)
		loop_watch(v->loop, &v->connection, connection_blocked(v) ? EPOLLOUT : EPOLLIN);
}

void vfio_user_serve(struct vfio_user *v, unsigned index, uint32_t events)
{
	if (index == SOURCE_REFUSED) {
		refuse_event(v);
	} else if (events == 0 && v->unmask_waits && !v->unmask_timer.slot) {
		irq_unmask_due(v);
	} else if (events == 0) {
		refuse_finish(v); /* its time is up: no other timer is ours */
	} else if (index == SOURCE_UNMASK) {
		irq_unmask_event(v);
	} else if (v->connection.fd >= 0) {
		serve_socket(v);
		irq_unmask_settle(v);
		watch_socket(v);
	}
}

/* --- life cycle --- */

/* A card that was unplugged and plugged again: its new client may be seen here before the end of the old one is. What the old
 * one sent last still happens. */
static void see_end_of_client(struct vfio_user *v)
{
	for (unsigned i = 0; i < LAST_ROUNDS && v->connection.fd >= 0 && serve_socket(v); i++)
		;
	watch_socket(v);
}

void vfio_user_accept(struct vfio_user *v)
{
	int fd = accept4(v->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		/* the connection stays in the queue, and the loop would turn for ever */
		log_error("%s: cannot accept a vfio-user client: %s; raise the limit of open files",
			  v->nic->spec.id, strerror(errno));
		loop_unwatch(v->loop, &v->listener);
		return;
	}
	see_end_of_client(v);
	if (v->connection.fd >= 0) {
		log_warning("%s: a second vfio-user client was refused", v->nic->spec.id);
		refuse_client(v, fd);
		return;
	}
	v->problem[0] = '\0';
	v->connection.fd = fd;
	int rc = loop_watch(v->loop, &v->connection, EPOLLIN);
	if (rc < 0)
		disconnect(v, strerror(-rc));
}

struct vfio_user *vfio_user_create(struct nic *nic, int listen_fd, struct loop *loop,
				   unsigned listen_kind, unsigned connection_kind,
				   struct error *err)
{
	/* not calloc: its zeros would make memory of rooms that most cards never use */
	struct vfio_user *v = malloc(sizeof(*v));

	if (!v) {
		fd_close(&listen_fd);
		error_set(err, -ENOMEM, "%s: out of memory", nic->spec.id);
		return NULL;
	}
	memset(v, 0, offsetof(struct vfio_user, in));
	v->nic = nic;
	v->loop = loop;
	v->listener = (struct loop_source){ .fd = listen_fd, .kind = listen_kind, .owner = v };
	v->connection = (struct loop_source){
		.fd = -1, .kind = connection_kind, .index = SOURCE_SOCKET, .owner = v
	};
	v->unmask = (struct loop_source){
		.fd = -1, .kind = connection_kind, .index = SOURCE_UNMASK, .owner = v
	};
	v->refused_client = (struct loop_source){
		.fd = -1, .kind = connection_kind, .index = SOURCE_REFUSED, .owner = v
	};
	v->refuse_timer = (struct loop_timer){ .kind = connection_kind, .owner = v };
	v->unmask_timer = (struct loop_timer){ .kind = connection_kind, .owner = v };
	int rc = fd_set_nonblock(listen_fd, true);
	if (rc == 0)
		rc = loop_watch(loop, &v->listener, EPOLLIN);
	if (rc < 0) {
		error_set(err, rc, "%s: cannot watch its socket: %s", nic->spec.id, strerror(-rc));
		vfio_user_destroy(v);
		return NULL;
	}
	return v;
}

void vfio_user_destroy(struct vfio_user *v)
{
	if (!v)
		return;
	disconnect(v, NULL);
	refuse_finish(v);
	loop_unwatch(v->loop, &v->listener);
	fd_close(&v->listener.fd);
	free(v);
}

struct nic *vfio_user_nic(const struct vfio_user *v)
{
	return v->nic;
}

bool vfio_user_connected(const struct vfio_user *v)
{
	return v->connection.fd >= 0;
}

const char *vfio_user_memory_problem(const struct vfio_user *v)
{
	return v->problem;
}
