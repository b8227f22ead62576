/* vring.c - the messages about rings. A ring starts with its kick descriptor, as every client expects, and stops when its place
 * is asked for. */
#include <errno.h>
#include <string.h>

#include "attach/vhost_user/server.h"

/* The ring of a message, or NULL when there is none of that number. */
static struct vring *ring_of(struct vhost_user *v, uint32_t index)
{
	return index < virtio_core_rings(v->nic) ? &v->ring[index] : NULL;
}

static int state_of(struct vhost_user *v, const struct request *rq, struct vhu_vring_state *s,
		    struct vring **ring)
{
	memcpy(s, rq->body, sizeof(*s));
	*ring = ring_of(v, s->index);
	return *ring ? 0 : -EINVAL;
}

int serve_num(struct vhost_user *v, struct request *rq)
{
	struct vhu_vring_state s;
	struct vring *ring;

	if (state_of(v, rq, &s, &ring) < 0 || s.num == 0 || s.num > 32768)
		return -EINVAL;
	if (virtio_core_started(v->nic, s.index))
		return s.num == ring->size ? 0 : -EBUSY;
	ring->size = s.num;
	return 0;
}

int serve_set_base(struct vhost_user *v, struct request *rq)
{
	struct vhu_vring_state s;
	struct vring *ring;

	if (state_of(v, rq, &s, &ring) < 0)
		return -EINVAL;
	if (virtio_core_started(v->nic, s.index))
		return -EBUSY;
	ring->base = s.num;
	return 0;
}

/* Where the ring is for the card. Sizes of the parts: virtio 1.x, 2.7 and 2.8. */
static bool place(const struct vhost_user *v, const struct vring *ring, struct virtio_core_ring *at)
{
	bool packed = v->features >> VIRTIO_F_RING_PACKED & 1;
	uint64_t size = ring->size;

	*at = (struct virtio_core_ring){ .size = ring->size, .base = ring->base };
	return ring->placed && ring->size &&
	       memory_translate(v, ring->desc, 16 * size, &at->desc) &&
	       memory_translate(v, ring->avail, packed ? 4 : 6 + 2 * size, &at->driver) &&
	       memory_translate(v, ring->used, packed ? 4 : 6 + 8 * size, &at->device);
}

int serve_addr(struct vhost_user *v, struct request *rq)
{
	struct vhu_vring_addr a;
	struct virtio_core_ring at;

	memcpy(&a, rq->body, sizeof(a));
	struct vring *ring = ring_of(v, a.index);
	if (!ring || a.flags & ~VHU_VRING_LOG)
		return -EINVAL;
	bool moved = ring->desc != a.desc || ring->used != a.used || ring->avail != a.avail;
	ring->desc = a.desc;
	ring->used = a.used;
	ring->avail = a.avail;
	ring->logged =
		a.flags & VHU_VRING_LOG; /* told again while it runs, when a migration begins */
	ring->placed = true;
	if (!moved || !virtio_core_started(v->nic, a.index))
		return 0;
	if (!place(v, ring, &at))
		return -EFAULT;
	virtio_core_move_ring(v->nic, a.index, &at);
	return 0;
}

void vrings_moved(struct vhost_user *v)
{
	struct virtio_core_ring at;

	/* one that is nowhere now may come back with the next region; the card waits a moment for that */
	for (unsigned i = 0; i < virtio_core_rings(v->nic); i++)
		if (virtio_core_started(v->nic, i) && place(v, &v->ring[i], &at))
			virtio_core_move_ring(v->nic, i, &at);
}

static void forget_kick(struct vhost_user *v, struct vring *ring)
{
	if (ring->kick.fd < 0)
		return;
	loop_unwatch(v->loop, &ring->kick);
	fd_close(&ring->kick.fd);
}

int serve_get_base(struct vhost_user *v, struct request *rq)
{
	struct vhu_vring_state s;
	struct vring *ring;

	if (state_of(v, rq, &s, &ring) < 0)
		return -EINVAL;
	forget_kick(v, ring);
	if (virtio_core_started(v->nic, s.index))
		ring->base = virtio_core_stop_ring(v->nic, s.index);
	s.num = ring->base;
	memcpy(rq->reply, &s, sizeof(s));
	rq->reply_size = sizeof(s);
	return 0;
}

/* The descriptor of a message about one; -1 when it says that there is none. -EINVAL when the two do not fit together. */
static int event_of(struct vhost_user *v, struct request *rq, uint32_t *index, int *fd)
{
	uint64_t value = body_u64(rq);
	bool none = value & VHU_VRING_NOFD;

	*index = (uint32_t)(value & VHU_VRING_MASK);
	if (value & ~(uint64_t)(VHU_VRING_MASK | VHU_VRING_NOFD) || rq->nfds != !none ||
	    !ring_of(v, *index))
		return -EINVAL;
	*fd = none ? -1 : take_fd(rq, 0);
	/* what a hostile client gives may be anything that can be written to; none of it is waited for */
	if (*fd >= 0 && fd_set_nonblock(*fd, true) < 0) {
		fd_close(fd);
		return -EBADF;
	}
	return 0;
}

int serve_kick(struct vhost_user *v, struct request *rq)
{
	struct virtio_core_ring at;
	uint32_t index;
	int fd;
	int rc = event_of(v, rq, &index, &fd);

	if (rc < 0)
		return rc;
	struct vring *ring = &v->ring[index];
	forget_kick(v, ring);
	ring->kick.fd = fd;
	/* every write to an eventfd is an edge: it need not be read */
	if (fd >= 0)
		rc = loop_watch(v->loop, &ring->kick, EPOLLIN | EPOLLET);
	if (rc == 0 && !virtio_core_started(v->nic, index))
		rc = place(v, ring, &at) ? virtio_core_start_ring(v->nic, index, &at) : -EFAULT;
	if (rc < 0) {
		forget_kick(v, ring);
		return rc;
	}
	virtio_core_kick(v->nic, index);
	return 0;
}

void vring_kicked(struct vhost_user *v, unsigned ring)
{
	virtio_core_kick(v->nic, ring);
}

int serve_call(struct vhost_user *v, struct request *rq)
{
	uint32_t index;
	int fd;
	int rc = event_of(v, rq, &index, &fd);

	if (rc == 0)
		virtio_core_set_call(v->nic, index, fd);
	return rc;
}

int serve_err(struct vhost_user *v, struct request *rq)
{
	uint32_t index;
	int fd;
	int rc = event_of(v, rq, &index, &fd);

	if (rc == 0)
		virtio_core_set_err(v->nic, index, fd);
	return rc;
}

int serve_enable(struct vhost_user *v, struct request *rq)
{
	struct vhu_vring_state s;
	struct vring *ring;

	if (state_of(v, rq, &s, &ring) < 0 || s.num > 1)
		return -EINVAL;
	virtio_core_enable_ring(v->nic, s.index, s.num == 1);
	return 0;
}

void vrings_forget(struct vhost_user *v)
{
	for (unsigned i = 0; i < VIRTIO_CORE_RINGS_MAX; i++) {
		forget_kick(v, &v->ring[i]);
		v->ring[i] = (struct vring){ .kick = v->ring[i].kick };
	}
}
