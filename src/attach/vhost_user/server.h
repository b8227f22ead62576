/* server.h - inside the vhost-user server: the connection, and the handlers of its messages. Only this folder includes it. */
#ifndef ANYNIC_ATTACH_VHOST_USER_SERVER_H
#define ANYNIC_ATTACH_VHOST_USER_SERVER_H

#include "attach/vhost_user/proto.h"
#include "attach/vhost_user/vhost_user.h"
#include "base/buffer.h"
#include "base/fd.h"
#include "nic/virtio/core.h"

#define BODY_ROOM    sizeof(struct vhu_mem_table) /* the largest payload */
#define PROBLEM_ROOM 200
#define SLOTS_MAX    509 /* regions of guest memory: what a VMM with all its DIMMs needs */
#define STATE_MAX    65536u

/* index of the sources of the connection kind; kicks follow, one for each ring */
enum source_index { SOURCE_SOCKET, SOURCE_STATE, SOURCE_KICK };

/* What was told about a ring. Addresses are the client's until guest memory is known. */
struct vring {
	uint32_t size, base;
	uint64_t desc, used, avail;
	bool placed;		 /* the addresses were told */
	bool logged;		 /* its used ring is part of the log of dirty pages */
	struct loop_source kick; /* fd -1: none */
};

struct vhost_user {
	struct nic *nic;
	struct loop *loop;
	struct loop_source listener;
	struct loop_source connection; /* fd -1: no client */
	uint64_t features;	       /* as the client set them, with the bits of vhost */
	uint64_t protocol;
	struct vring ring[VIRTIO_CORE_RINGS_MAX];
	struct vhu_region
		region[SLOTS_MAX]; /* sorted by nothing: few, and looked up when rings start */
	unsigned regions;

	/* saved state on its way in; fd -1: none */
	struct loop_source state;
	struct buffer state_in;
	int state_result; /* of the last transfer: 0, or negative errno */

	/* the message that is coming, and its descriptors */
	uint8_t in[sizeof(struct vhu_header) + BODY_ROOM];
	uint32_t in_end;
	int fds[FD_PASS_MAX];
	unsigned nfds;

	/* a reply that the socket did not take; no message is handled before it is out */
	uint8_t pending[sizeof(struct vhu_header) + 16];
	uint32_t pending_at, pending_end;
	char problem[PROBLEM_ROOM];
};

/* One message on its way through a handler. A handler that keeps a descriptor sets its place to -1. */
struct request {
	const uint8_t *body;
	uint32_t size;
	int *fds;
	unsigned nfds;
	uint8_t reply[16];
	uint32_t reply_size;
};

/* Handlers: 0, or negative errno. */
typedef int serve_fn(struct vhost_user *v, struct request *rq);

/* device.c */
serve_fn serve_get_features, serve_set_features, serve_owner, serve_get_protocol;
serve_fn serve_set_protocol, serve_queue_num, serve_rarp, serve_mtu, serve_reset_device;
serve_fn serve_set_status, serve_get_status, serve_state_fd, serve_check_state;
/* memory.c */
serve_fn serve_mem_table, serve_slots, serve_add_region, serve_remove_region;
serve_fn serve_log_base, serve_log_fd;
/* vring.c */
serve_fn serve_num, serve_addr, serve_set_base, serve_get_base, serve_kick, serve_call, serve_err;
serve_fn serve_enable;

/* device.c: the state's descriptor is readable; forgets what came. */
void state_event(struct vhost_user *v);
void state_close(struct vhost_user *v);

/* memory.c: the guest address of [user, user + size) when it lies in one region. */
bool memory_translate(const struct vhost_user *v, uint64_t user, uint64_t size, uint64_t *guest);
void memory_forget(struct vhost_user *v);
/* The log is on when the client asked for it and gave it. */
void memory_set_logging(struct vhost_user *v);

/* vring.c: the memory of running rings may be elsewhere. */
void vrings_moved(struct vhost_user *v);
void vring_kicked(struct vhost_user *v, unsigned ring);
void vrings_forget(struct vhost_user *v);

static inline bool has_protocol(const struct vhost_user *v, enum vhu_protocol bit)
{
	return v->protocol & BIT(bit);
}

static inline void reply_u64(struct request *rq, uint64_t value)
{
	memcpy(rq->reply, &value, sizeof(value));
	rq->reply_size = sizeof(value);
}

/* The payload, whose size the table of messages has checked. */
static inline uint64_t body_u64(const struct request *rq)
{
	uint64_t value;

	memcpy(&value, rq->body, sizeof(value));
	return value;
}

static inline int take_fd(struct request *rq, unsigned i)
{
	int fd = rq->fds[i];

	rq->fds[i] = -1;
	return fd;
}

#endif
