#include "backend/tap/tap.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/offload.h"

#ifndef TUN_F_USO4 /* kernel headers before 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* A frame up to this size is copied behind its header, and goes to the kernel in one piece: a list of pieces costs it more than
 * the copy costs us. */
#define COPY_MAX 2048u

_Static_assert(sizeof(struct virtio_net_hdr_v1) <= BACKEND_FRONT,
	       "the header fits in front of a frame");

struct tap {
	struct backend base;
	int fd[QUEUES_MAX]; /* also those that base no longer offers */
	unsigned fds;
	unsigned header; /* bytes in front of each frame: 0, 10 or 12 */
	bool uso;
	unsigned rx_flags; /* TUN_F_... as asked for last */
	char name[IFNAMSIZ];
	uint8_t room[sizeof(struct virtio_net_hdr_v1) + COPY_MAX];
};

static struct tap *tap_of(struct backend *b)
{
	return (struct tap *)b;
}

static void tap_finish(struct backend *b)
{
	struct tap *t = tap_of(b);

	for (unsigned i = 0; i < t->fds; i++)
		fd_close(&t->fd[i]);
}

static unsigned tun_flags(uint32_t offloads)
{
	static const struct {
		uint32_t offload;
		unsigned flags;
	} table[] = {
		{ FRAME_CSUM, TUN_F_CSUM },
		{ FRAME_TSO4, TUN_F_TSO4 },
		{ FRAME_TSO6, TUN_F_TSO6 },
		{ FRAME_ECN, TUN_F_TSO_ECN },
		{ FRAME_USO, TUN_F_USO4 | TUN_F_USO6 },
	};
	unsigned flags = 0;

	if (!(offloads & FRAME_CSUM)) /* the kernel refuses segments without checksum offload */
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (offloads & table[i].offload)
			flags |= table[i].flags;
	return flags;
}

/* The header's size belongs to the queue (macvtap) or to the device (tap): set it everywhere, and take what all have. */
static int setup_header(struct tap *t, struct error *err)
{
	/* the short one: of the long one the kernel would fill the rest with zeros, frame by frame */
	int size = sizeof(struct virtio_net_hdr);

	for (unsigned i = 0; i < t->fds; i++) {
		if (ioctl(t->fd[i], TUNSETVNETHDRSZ, &size) == 0)
			continue;
		if (ioctl(t->fd[i], TUNGETVNETHDRSZ, &size) < 0)
			return error_set(err, -errno,
					 "tap %s: the kernel does not tell the header size",
					 t->name);
	}
	if (size != sizeof(struct virtio_net_hdr) && size != sizeof(struct virtio_net_hdr_v1))
		return error_set(err, -EINVAL,
				 "tap %s: a header of %d bytes is unknown; 10 or 12 are right",
				 t->name, size);
	t->header = (unsigned)size;
	return 0;
}

static int setup_device(struct tap *t, struct error *err)
{
	struct ifreq ifr = { 0 };

	if (ioctl(t->fd[0], TUNGETIFF, &ifr) < 0)
		return error_set(err, -errno, "tap: the descriptor is not a tap: %s",
				 strerror(errno));
	str_copy(t->name, sizeof(t->name), ifr.ifr_name);
	if ((ifr.ifr_flags & IFF_TUN) || !(ifr.ifr_flags & IFF_NO_PI))
		return error_set(err, -EINVAL, "tap %s: not opened with IFF_TAP | IFF_NO_PI",
				 t->name);
	if (!(ifr.ifr_flags & IFF_VNET_HDR))
		return 0;
	int rc = setup_header(t, err);
	if (rc < 0)
		return rc;
	/* Nothing to the guest as it is until its driver asks; on the way, find out what this kernel knows. */
	t->uso = ioctl(t->fd[0], TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6) == 0;
	for (unsigned i = 0; i < t->fds; i++)
		if (ioctl(t->fd[i], TUNSETOFFLOAD, 0) < 0)
			return error_set(err, -errno, "tap %s: offloads cannot be switched off: %s",
					 t->name, strerror(errno));
	return 0;
}

static int tap_init(struct backend *b, const struct backend_spec *spec, struct error *err)
{
	struct tap *t = tap_of(b);

	memcpy(t->fd, spec->fds, sizeof(t->fd));
	t->fds = spec->nfds;
	if (!t->fds)
		return error_set(err, -EBADF, "tap %s: no descriptor was given", spec->ifname);
	int rc = setup_device(t, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < t->fds; i++) {
		rc = fd_set_nonblock(t->fd[i], true);
		if (rc < 0)
			return error_set(err, rc, "tap %s: queue %u does not work: %s", t->name, i,
					 strerror(-rc));
		b->fd[i] = t->fd[i];
	}
	b->fds = t->fds;
	b->up = true;
	return 0;
}

static void note_error(struct tap *t, int code)
{
	if (code ==
	    -ENOLINK) /* a macvtap that was deleted; a tap's descriptor tells when it is read */
		backend_set_down(&t->base, "%s is gone", t->name);
	if (code == -EIO)
		backend_set_down(&t->base, "%s is down; next: ip link set %s up", t->name, t->name);
}

static ssize_t write_frame(struct tap *t, int fd, const struct virtio_net_hdr_v1 *hdr,
			   const struct frame *f)
{
	struct iovec iov[FRAME_IOV_MAX + 1];
	unsigned first = t->header ? 0 : 1;

	if (f->length <= COPY_MAX) {
		memcpy(t->room, hdr, sizeof(*hdr));
		return write(fd, t->room,
			     t->header + frame_copy_out(f, 0, t->room + t->header, COPY_MAX));
	}
	iov[0] = (struct iovec){ .iov_base = (void *)(uintptr_t)hdr, .iov_len = t->header };
	memcpy(iov + 1, f->iov, f->iovs * sizeof(iov[0]));
	return writev(fd, iov + first, (int)(f->iovs + 1 - first));
}

/* 1 when the frame went (or never will), 0 when the kernel has no room. */
static int send_one(struct tap *t, const struct frame *f)
{
	struct virtio_net_hdr_v1 hdr = f->hdr;
	int fd = t->fd[f->queue < t->fds ? f->queue : f->queue % t->fds];

	hdr.flags &=
		VIRTIO_NET_HDR_F_NEEDS_CSUM; /* whether data is valid is not for a guest to say */
	hdr.num_buffers = 0;
	if (write_frame(t, fd, &hdr, f) >= 0) {
		if (!t->base.up)
			backend_set_up(&t->base);
		return 1;
	}
	if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
		return 0;
	note_error(t, -errno);
	t->base.refused++;
	return 1;
}

static unsigned tap_send(struct backend *b, const struct frame *frames, unsigned n)
{
	struct tap *t = tap_of(b);
	unsigned taken = 0;

	b->blocked = false;
	if (b->lent) { /* of a queue that the guest does not use by its own words */
		b->refused += n;
		return n;
	}
	while (taken < n && !b->blocked) {
		if (send_one(t, &frames[taken]))
			taken++;
		else
			b->blocked = true;
	}
	return taken;
}

/* The interface was deleted: its descriptors stay readable and dead for ever. */
static void lose_device(struct tap *t)
{
	backend_set_down(&t->base, "%s is gone", t->name);
	for (unsigned i = t->fds; i-- > 0;)
		if (t->base.fd[i] >= 0)
			backend_hide_fd(&t->base, i);
}

/* Reads one frame with its header, which lands in front of the room. Its length, 0 for one that is none, or -errno. */
static ssize_t read_frame(const struct tap *t, int fd, struct frame *f)
{
	struct virtio_net_hdr_v1 hdr = { 0 };
	uint8_t *room = f->iov[0].iov_base;
	size_t size = f->iov[0].iov_len;
	ssize_t got = read(fd, room - t->header, t->header + size);

	if (got < 0)
		return -errno;
	size_t length = (size_t)got - MIN((size_t)got, t->header);
	if (length < ETH_HEADER)
		return 0;
	memcpy(&hdr, room - t->header, t->header);
	hdr.num_buffers = 0;
	frame_set_linear(f, room, length);
	f->hdr = hdr;
	return (ssize_t)length;
}

static unsigned tap_receive(struct backend *b, unsigned queue, struct frame *frames, unsigned max)
{
	struct tap *t = tap_of(b);
	unsigned n = 0;

	if (queue >= b->fds || b->fd[queue] < 0)
		return 0;
	for (unsigned reads = 0; reads < max; reads++) {
		ssize_t length = read_frame(t, b->fd[queue], &frames[n]);

		if (length < 0) {
			if (length != -EAGAIN && length != -EINTR)
				lose_device(t);
			break;
		}
		if (length == 0)
			continue;
		frames[n++].queue = (uint16_t)queue;
	}
	return n;
}

static uint32_t tap_offloads(const struct backend *b)
{
	const struct tap *t = (const struct tap *)b;

	if (!t->header)
		return 0;
	return t->uso ? FRAME_OFFLOADS_ALL : FRAME_OFFLOADS_ALL & ~(uint32_t)FRAME_USO;
}

static void tap_set_rx_offloads(struct backend *b, uint32_t offloads)
{
	struct tap *t = tap_of(b);

	t->rx_flags = tun_flags(offloads & tap_offloads(b));
	/* A refusal leaves less than was asked for, which the port copes with. */
	for (unsigned i = 0; t->header && i < t->fds; i++)
		if (ioctl(t->fd[i], TUNSETOFFLOAD, t->rx_flags) < 0)
			ioctl(t->fd[i], TUNSETOFFLOAD, 0);
}

/* The interface was made anew: the guest's driver knows what it was told of the old one, so the new one has to be as able. */
static int tap_renew(struct backend *b, const int *fds, unsigned nfds)
{
	struct tap *t = tap_of(b);
	struct tap fresh = { .fds = nfds };

	memcpy(fresh.fd, fds, nfds * sizeof(*fds));
	int rc = setup_device(&fresh, NULL);
	if (rc < 0)
		return rc;
	if (!fresh.header != !t->header)
		return -ENOTSUP;
	tap_finish(b);
	memcpy(t->fd, fds, nfds * sizeof(*fds));
	t->fds = nfds;
	t->header = fresh.header;
	t->uso = fresh.uso;
	str_copy(t->name, sizeof(t->name), fresh.name);
	for (unsigned i = 0; i < QUEUES_MAX; i++)
		b->fd[i] = i < nfds ? fds[i] : -1;
	b->fds = nfds;
	b->fds_changed = true;
	b->blocked = false;
	for (unsigned i = 0; t->header && i < nfds; i++)
		ioctl(t->fd[i], TUNSETOFFLOAD, t->rx_flags);
	backend_set_up(b);
	return 0;
}

/* The kernel takes the size of the device, or of each descriptor (macvtap). */
static int set_header(const struct tap *t, unsigned header)
{
	int size = (int)header;

	for (unsigned i = 0; i < t->fds; i++)
		if (ioctl(t->fd[i], TUNSETVNETHDRSZ, &size) < 0)
			return -errno;
	return 0;
}

/* Queues without a ring behind them would keep their frames for ever. One that is so already refuses. */
static void use_queues(const struct tap *t, unsigned queues)
{
	for (unsigned i = 0; t->fds > 1 && i < t->fds; i++) {
		struct ifreq ifr = { .ifr_flags =
					     i < queues ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

		ioctl(t->fd[i], TUNSETQUEUE, &ifr);
	}
}

/* The kernel's thread reads and writes headers of its own size. A queue that is not in use takes no size. */
static int tap_lend(struct backend *b, unsigned queues, unsigned header)
{
	struct tap *t = tap_of(b);

	if (!t->header || queues > t->fds)
		return -EINVAL;
	if (!queues)
		use_queues(t, t->fds);
	int rc = set_header(t, queues ? header : t->header);
	if (rc < 0)
		return rc;
	if (queues)
		use_queues(t, queues);
	b->lent = queues;
	return 0;
}

const struct backend_ops tap_backend = {
	.name = "tap",
	.summary = "a tap interface of the host: an existing one, one made for the port, or an "
		   "open descriptor",
	.size = sizeof(struct tap),
	.init = tap_init,
	.finish = tap_finish,
	.send = tap_send,
	.receive = tap_receive,
	.offloads = tap_offloads,
	.set_rx_offloads = tap_set_rx_offloads,
	.renew = tap_renew,
	.lend = tap_lend,
};
