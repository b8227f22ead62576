/* device.c - the messages about the whole device: features, status, saved state. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attach/vhost_user/server.h"

#define BIT64(n) (1ull << (n))
#define PROTOCOL                                                                                   \
	(BIT64(VHU_P_MQ) | BIT64(VHU_P_LOG_SHMFD) | BIT64(VHU_P_RARP) | BIT64(VHU_P_REPLY_ACK) |   \
	 BIT64(VHU_P_NET_MTU) | BIT64(VHU_P_RESET_DEVICE) | BIT64(VHU_P_MEM_SLOTS) |               \
	 BIT64(VHU_P_STATUS) | BIT64(VHU_P_DEVICE_STATE))
#define OURS (BIT64(VHU_F_LOG_ALL) | BIT64(VHU_F_PROTOCOL_FEATURES))

#define MTU_MIN	     68
#define STATE_MAGIC  0x53554856u /* "VHUS" */
#define STATE_NO_FD  0x100u	 /* reply: the channel of the request is used */
#define STATE_FAILED 1u

int serve_get_features(struct vhost_user *v, struct request *rq)
{
	reply_u64(rq, virtio_core_offered(v->nic) | OURS);
	return 0;
}

int serve_set_features(struct vhost_user *v, struct request *rq)
{
	uint64_t features = body_u64(rq);
	int rc = virtio_core_set_features(v->nic, features & ~OURS);

	if (rc < 0)
		return rc;
	v->features = features;
	memory_set_logging(v);
	/* who knows no protocol features knows no message that enables a ring */
	if (!(features & BIT64(VHU_F_PROTOCOL_FEATURES)))
		for (unsigned i = 0; i < virtio_core_rings(v->nic); i++)
			virtio_core_enable_ring(v->nic, i, true);
	return 0;
}

/* SET_OWNER, and RESET_OWNER, which nobody has agreed on what it means. */
int serve_owner(struct vhost_user *v, struct request *rq)
{
	(void)v, (void)rq;
	return 0;
}

int serve_get_protocol(struct vhost_user *v, struct request *rq)
{
	(void)v;
	reply_u64(rq, PROTOCOL);
	return 0;
}

int serve_set_protocol(struct vhost_user *v, struct request *rq)
{
	uint64_t wanted = body_u64(rq);

	if (wanted & ~(uint64_t)PROTOCOL)
		return -EINVAL;
	v->protocol = wanted;
	/* QEMU from 8.2 on: older ones take the bits and do not say it */
	virtio_core_tells_resets(v->nic, has_protocol(v, VHU_P_RESET_DEVICE) &&
						 has_protocol(v, VHU_P_STATUS) &&
						 has_protocol(v, VHU_P_DEVICE_STATE));
	return 0;
}

int serve_queue_num(struct vhost_user *v, struct request *rq)
{
	/* pairs, as every network client and server has it, whatever the text calls them */
	reply_u64(rq, virtio_core_rings(v->nic) / 2);
	return 0;
}

int serve_rarp(struct vhost_user *v, struct request *rq)
{
	virtio_core_announce(v->nic, rq->body);
	return 0;
}

int serve_mtu(struct vhost_user *v, struct request *rq)
{
	uint64_t mtu = body_u64(rq);
	uint16_t ours = v->nic->spec.mtu;

	return mtu < MTU_MIN || mtu > 65535 || (ours && mtu > ours) ? -ERANGE : 0;
}

int serve_reset_device(struct vhost_user *v, struct request *rq)
{
	(void)rq;
	vrings_forget(v);
	virtio_core_reset(v->nic);
	return 0;
}

int serve_set_status(struct vhost_user *v, struct request *rq)
{
	uint64_t status = body_u64(rq);

	if (status > UINT8_MAX)
		return -EINVAL;
	virtio_core_set_status(v->nic, (uint8_t)status);
	return 0;
}

int serve_get_status(struct vhost_user *v, struct request *rq)
{
	reply_u64(rq, virtio_core_status(v->nic));
	return 0;
}

/* ------------------------------------------------------------------------------------------------ saved state */

void state_close(struct vhost_user *v)
{
	if (v->state.fd >= 0) {
		loop_unwatch(v->loop, &v->state);
		fd_close(&v->state.fd);
	}
	buffer_finish(&v->state_in);
	v->state_in = (struct buffer){ 0 };
}

/* A few hundred bytes: a pipe takes them at once. */
static int save_to(struct vhost_user *v, int fd)
{
	struct buffer out = { 0 };

	buffer_put_u32(&out, STATE_MAGIC);
	int rc = virtio_core_save(v->nic, &out);
	if (rc == 0 && write(fd, out.data, out.length) != (ssize_t)out.length)
		rc = -EIO;
	buffer_finish(&out);
	return rc;
}

static int load(struct vhost_user *v)
{
	const struct buffer *in = &v->state_in;
	struct reader r = reader_of(in->data, in->length);
	struct error err = { 0 };

	if (in->failed || reader_u32(&r) != STATE_MAGIC)
		return -EINVAL;
	int rc = virtio_core_load(v->nic, in->data + r.at, in->length - r.at, &err);
	if (rc < 0)
		str_copy(v->problem, sizeof(v->problem), err.text);
	return rc;
}

/* Reads what is there. The end of it is the end of the state. */
void state_event(struct vhost_user *v)
{
	uint8_t piece[4096];

	while (v->state.fd >= 0) {
		ssize_t n = read(v->state.fd, piece, sizeof(piece));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n > 0)
			buffer_put(&v->state_in, piece, (size_t)n);
		if (n > 0 && v->state_in.length <= STATE_MAX)
			continue;
		v->state_result = n == 0 ? load(v) : n < 0 ? -errno : -EFBIG;
		state_close(v);
	}
}

static bool any_started(const struct vhost_user *v)
{
	for (unsigned i = 0; i < virtio_core_rings(v->nic); i++)
		if (virtio_core_started(v->nic, i))
			return true;
	return false;
}

static int begin_transfer(struct vhost_user *v, struct request *rq, uint32_t direction)
{
	if (fd_set_nonblock(rq->fds[0], true) < 0)
		return -EBADF;
	if (direction == VHU_SAVE)
		return save_to(v, rq->fds[0]);
	v->state.fd = take_fd(rq, 0);
	/* a plain file cannot be waited for; it is read when the client asks how it went */
	(void)loop_watch(v->loop, &v->state, EPOLLIN);
	return -EINPROGRESS;
}

int serve_state_fd(struct vhost_user *v, struct request *rq)
{
	struct vhu_transfer t;

	memcpy(&t, rq->body, sizeof(t));
	state_close(v);
	v->state_result = -EINVAL;
	if (rq->nfds == 1 && t.direction <= VHU_LOAD && t.phase == 0 && !any_started(v))
		v->state_result = begin_transfer(v, rq, t.direction);
	bool going = v->state_result == 0 || v->state.fd >= 0;
	reply_u64(rq, STATE_NO_FD | (going ? 0 : STATE_FAILED));
	return 0;
}

int serve_check_state(struct vhost_user *v, struct request *rq)
{
	state_event(v); /* its last bytes may be seen here before they are seen there */
	state_close(v);
	reply_u64(rq, v->state_result == 0 ? 0 : STATE_FAILED);
	return 0;
}
