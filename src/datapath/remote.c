#include "datapath/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "base/fd.h"

#define BATCH 16u
#define ROOM  ((size_t)69632) /* FRAME_MAX and BACKEND_FRONT, rounded up to pages */

_Static_assert(BACKEND_FRONT + FRAME_MAX <= ROOM, "a frame fits its room");

struct remote {
	struct nic nic;
	struct backend *stream;
	struct frame *frame; /* BATCH of them, what QEMU's card sent */
	uint8_t *room;	     /* pages that no frame needed cost nothing */
	unsigned at, count;
};

static struct remote *remote_of(struct nic *nic)
{
	return (struct remote *)nic;
}

static int remote_init(struct nic *nic, const struct nic_spec *spec, struct error *err)
{
	struct remote *r = remote_of(nic);
	static const struct pci_identity nobody = { 0 };

	pci_init(&nic->pci, &nobody, &nic_pci_hooks, r);
	r->frame = calloc(BATCH, sizeof(*r->frame));
	void *room = mmap(NULL, BATCH * ROOM, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	r->room = room == MAP_FAILED ? NULL : room;
	if (!r->frame || !r->room)
		return error_set(err, -ENOMEM, "%s: out of memory", spec->id);
	return 0;
}

static void remote_finish(struct nic *nic)
{
	struct remote *r = remote_of(nic);

	backend_destroy(r->stream);
	if (r->room)
		munmap(r->room, BATCH * ROOM);
	free(r->frame);
}

static void read_batch(struct remote *r)
{
	for (unsigned i = 0; i < BATCH; i++) {
		r->frame[i].iovs = 1;
		r->frame[i].iov[0] = (struct iovec){ .iov_base = r->room + i * ROOM + BACKEND_FRONT,
						     .iov_len = FRAME_MAX };
	}
	r->at = 0;
	r->count = r->stream->ops->receive(r->stream, 0, r->frame, BATCH);
}

/* QEMU's card sent. What the port does not take stays here, and QEMU is not read. */
static bool remote_transmit(struct nic *nic, unsigned queue)
{
	struct remote *r = remote_of(nic);

	if (queue)
		return false;
	if (r->at == r->count)
		read_batch(r);
	/* what the port kept back for a QEMU that is gone now, it would keep back from the next one as well */
	nic->notes.rx_ready |= !r->stream->up;
	r->at += nic_send(nic, r->frame + r->at, r->count - r->at);
	return r->at < r->count || r->stream->more;
}

static unsigned remote_receive(struct nic *nic, const struct frame *frames, unsigned n)
{
	struct remote *r = remote_of(nic);
	unsigned taken = r->stream->ops->send(r->stream, frames, n);

	for (unsigned i = 0; i < taken; i++)
		nic->counters.rx_bytes += frames[i].length;
	nic->counters.rx_frames += taken;
	return taken;
}

/* Its driver is watched from outside QEMU: nothing is known here. */
static void remote_judge(const struct nic *nic, struct driver_report *out)
{
	(void)nic;
	*out = (struct driver_report){ .state = DRIVER_NONE };
}

static void remote_reset(struct nic *nic, enum reset_kind kind)
{
	(void)nic;
	(void)kind;
}

static void remote_nothing(struct nic *nic)
{
	(void)nic;
}

static const struct nic_ops remote_ops = {
	.name = "qemu",
	.summary = "a card of QEMU's own",
	.size = sizeof(struct remote),
	.queues_max = 1,
	.init = remote_init,
	.finish = remote_finish,
	.reset = remote_reset,
	.transmit = remote_transmit,
	.receive = remote_receive,
	.link_changed = remote_nothing,
	.timer = remote_nothing,
	.judge = remote_judge,
};

static struct backend *listen_for_qemu(int listen_fd, struct error *err)
{
	struct backend_spec spec = {
		.type = "stream", .server = true, .fds = { listen_fd }, .nfds = 1
	};

	return backend_create(&spec, err);
}

struct nic *remote_create(const struct nic_spec *spec, int listen_fd, struct clock *clock,
			  struct frame *batch, struct error *err)
{
	struct nic *nic = nic_create_as(&remote_ops, spec, clock, batch, err);

	if (!nic) {
		fd_close(&listen_fd);
		return NULL;
	}
	remote_of(nic)->stream = listen_for_qemu(listen_fd, err);
	if (remote_of(nic)->stream)
		return nic;
	nic_destroy(nic);
	return NULL;
}

bool nic_is_remote(const struct nic *nic)
{
	return nic->ops == &remote_ops;
}

struct backend *remote_stream(struct nic *nic)
{
	return remote_of(nic)->stream;
}

bool remote_wants_read(const struct nic *nic)
{
	const struct remote *r = (const struct remote *)nic;

	return r->at == r->count;
}

void remote_serve(struct nic *nic, uint32_t events)
{
	struct backend *stream = remote_of(nic)->stream;

	if (events & EPOLLOUT) {
		stream->ops->send(stream, NULL, 0);
		nic->notes.rx_ready |= !stream->blocked;
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		nic_kick(nic, 0);
}
