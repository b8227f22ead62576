/* server.h - inside the vfio-user server: the connection, and the handlers of its commands. Only this folder includes it. */
#ifndef ANYNIC_ATTACH_VFIO_USER_SERVER_H
#define ANYNIC_ATTACH_VFIO_USER_SERVER_H

#include "attach/vfio_user/proto.h"
#include "attach/vfio_user/vfio_user.h"
#include "base/fd.h"

/* Bytes of one region read: the protocol's default, and what an option ROM may need. */
#define MAX_TRANSFER (1u << 20)
#define VU_FDS_MAX   16u /* descriptors with one message: QEMU refuses a server that says more */
/* Bytes of one access to a BAR or to config space. */
#define ACCESS_MAX 4096u
/* The largest message that is handled whole; also what one recvmsg drains. */
#define INPUT_ROOM 8192u

#define BODY_ROOM    (sizeof(struct vu_region_access) + ACCESS_MAX)
#define REPLY_ROOM   (sizeof(struct vu_header) + BODY_ROOM)
#define PROBLEM_ROOM 200

/* index of the sources of the connection kind */
enum source_index { SOURCE_SOCKET, SOURCE_UNMASK, SOURCE_REFUSED };

/* Finds a private mapping: asks the client for a few bytes of guest memory and compares them with ours. */
enum probe_state { PROBE_IDLE, PROBE_WANTED, PROBE_SENT, PROBE_DONE };

struct probe {
	enum probe_state state;
	unsigned place;	   /* index in the table of addresses */
	unsigned tries;	   /* at this place */
	unsigned differed; /* times in which our bytes stood still and the client's were others */
	bool proven;	   /* bytes other than zero were the same on both sides */
	uint16_t id;	   /* of the request */
	uint64_t before;   /* hash of our bytes when it was sent */
};

struct vfio_user {
	struct nic *nic;
	struct loop *loop;
	struct loop_source listener;
	struct loop_source connection; /* fd -1: no client */
	struct loop_source unmask; /* eventfd: KVM saw the end of an INTx interrupt; fd -1 = none */
	struct loop_source refused_client; /* a second one, until it can be told so; fd -1 = none */
	struct loop_timer refuse_timer;
	struct loop_timer unmask_timer; /* while `unmask_waits` */
	bool unmask_waits;
	bool negotiated;	/* VERSION went well */
	bool client_serves_dma; /* it looks like QEMU, which answers DMA_READ */
	bool ram_mapped;	/* writable memory came with a descriptor */
	bool ram_unmapped;	/* ... without one */
	struct probe probe;
	uint64_t refused; /* messages answered (or not) with an error */

	/* what came and is not handled yet; handled messages leave no complete one behind unless output waits */
	uint32_t in_at, in_end;
	uint32_t skip;	     /* bytes of a message too large to keep */
	int fds[VU_FDS_MAX]; /* descriptors of the message at fds_at */
	unsigned nfds;
	uint32_t fds_at;

	/* what the socket did not take: one reply, then a piece of the option ROM. No message is handled before it is out. */
	uint32_t pending_at, pending_end;
	const uint8_t *tail;
	uint32_t tail_size;

	char problem[PROBLEM_ROOM];
	/* last, the rarest at the end: a page that is never touched is no memory */
	uint8_t in[INPUT_ROOM];
	uint8_t pending[REPLY_ROOM];
};

/* One message on its way through a handler. A handler that keeps a descriptor sets its place to -1. */
struct request {
	const uint8_t *body;
	uint32_t size;
	int *fds;
	unsigned nfds;
	uint8_t *reply; /* BODY_ROOM bytes */
	uint32_t reply_size;
};

/* Handlers: 0, or the negative errno of the error reply. */
typedef int serve_fn(struct vfio_user *v, struct request *rq);

/* device.c */
serve_fn serve_version, serve_info, serve_reset, serve_unsupported;
/* region.c */
serve_fn serve_region_info, serve_region_io_fds, serve_region_read, serve_region_write;
serve_fn serve_write_multi;
/* irq.c */
serve_fn serve_irq_info, serve_set_irqs;
/* dma.c */
serve_fn serve_dma_map, serve_dma_unmap;

/* The unmask eventfd is readable; and it goes away. */
void irq_unmask_event(struct vfio_user *v);
void irq_unmask_close(struct vfio_user *v);
/* The time after an unmask is up; it was not needed. */
void irq_unmask_due(struct vfio_user *v);
void irq_unmask_settle(struct vfio_user *v);

/* 0, or -EOPNOTSUPP with v->problem set: guest memory has no descriptors. */
int dma_judge_memory(struct vfio_user *v);
void dma_bus_master_on(struct vfio_user *v);
/* Sends the next DMA_READ if one is wanted and nothing waits to be sent. */
void dma_probe_step(struct vfio_user *v);
/* The answer to it. 0, or -EPROTO for one that was not asked for. */
int dma_probe_reply(struct vfio_user *v, const struct vu_header *h, const uint8_t *body);

/* Takes `fd`. */
void refuse_client(struct vfio_user *v, int fd);
void refuse_event(struct vfio_user *v);
void refuse_finish(struct vfio_user *v);

/* True while output waits for the client. */
static inline bool connection_blocked(const struct vfio_user *v)
{
	return v->pending_end != v->pending_at || v->tail_size;
}

/* Sends or keeps; nothing may be pending before. */
void connection_send(struct vfio_user *v, const void *data, uint32_t size);

#endif
