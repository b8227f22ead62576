/* frame.h - an Ethernet frame on its way, and the one language for offloads.
 *
 * A frame is pieces of memory plus what virtio calls the header: "checksum is still to be computed", "this is a large
 * segment of this kind". Models translate into it, backends consume it, net/ does what one of them cannot.
 * Pieces may lie in guest memory: whoever parses headers copies them first, once.
 */
#ifndef ANYNIC_NET_FRAME_H
#define ANYNIC_NET_FRAME_H

#include <linux/virtio_net.h>
#include <string.h>
#include <sys/uio.h>

#include "base/util.h"

#define ETH_HEADER    14u
#define VLAN_TAG      4u
#define FRAME_MIN     60u /* shortest frame without FCS */
#define FRAME_MAX     (65535u + ETH_HEADER + VLAN_TAG)
#define FRAME_IOV_MAX 48u
#define FRAME_HEAD    192u /* room for headers that a model rewrites (VLAN tag, segment headers) */
#define FRAME_BATCH   64u
#define BATCH_BYTES   (512u << 10) /* a model's batch ends with the frame that reaches this */

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* kernel headers before 6.2 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* What a backend or a guest driver takes as it is (backend_ops.offloads, nic->rx_offloads). */
enum frame_offload {
	FRAME_CSUM = BIT(0), /* VIRTIO_NET_HDR_F_NEEDS_CSUM */
	FRAME_TSO4 = BIT(1),
	FRAME_TSO6 = BIT(2),
	FRAME_USO = BIT(3), /* VIRTIO_NET_HDR_GSO_UDP_L4 */
	FRAME_ECN = BIT(4), /* TSO with ECN */
};

/* The 12 bytes in front of a frame are virtio's own struct, little-endian as on the wire of virtio 1.x
 * (all supported hosts are little-endian); num_buffers belongs to the receive ring alone. */
struct frame {
	struct virtio_net_hdr_v1 hdr;
	uint32_t length; /* bytes of all pieces, FCS not included */
	uint16_t iovs;
	uint16_t queue; /* which queue pair it came from, or should go to */
	struct iovec iov[FRAME_IOV_MAX];
	uint8_t head[FRAME_HEAD]; /* scratch that a piece may point into */
};

/* Why a frame did not get through. One counter each, in every port. */
enum drop_reason {
	DROP_NONE,
	DROP_LINK_DOWN,	    /* the guest sent on a NIC whose link is down */
	DROP_INACTIVE,	    /* the guest sent on the NIC that is not active */
	DROP_NO_ACTIVE_NIC, /* from the backend while no NIC is active */
	DROP_NO_BUFFER,	    /* the guest gave no receive buffer in time */
	DROP_FILTERED,	    /* the NIC's receive filter does not want it (not an error) */
	DROP_OVERSIZE,
	DROP_RUNT, /* shorter than an Ethernet header */
	DROP_BAD_DESCRIPTOR,
	DROP_BAD_ADDRESS, /* a descriptor points outside guest memory */
	DROP_BAD_OFFLOAD, /* offload fields that fit no frame */
	DROP_RX_DISABLED, /* the driver has reception switched off */
	DROP_BACKEND,	  /* the backend refused it for good */
	DROP_SPOOFED,	  /* the guest sent with a source address or VLAN that is not its own */
	DROP_REASON_COUNT
};

/* "no_active_nic" and so on: as in query-ports. */
const char *drop_reason_name(enum drop_reason reason);

/* A frame that shows every switch on its way where this address is, made in its own head: RARP (RFC 903), "who am I?", asked of nobody. */
void frame_set_rarp(struct frame *f, const uint8_t mac[6]);

/* Copies bytes [skip, skip+len) of the frame. Returns how many there were. */
size_t frame_copy_out(const struct frame *f, size_t skip, void *to, size_t len);

bool frame_pieces_add_up(const struct frame *f);

/* True when the pieces are as many bytes as `length` says. Most frames are one piece. */
static inline bool frame_pieces_match(const struct frame *f)
{
	return f->iovs == 1 ? f->iov[0].iov_len == f->length : frame_pieces_add_up(f);
}

/* Copies all of a frame whose pieces match. */
static inline void frame_copy_all(const struct frame *f, void *to)
{
	if (f->iovs == 1)
		memcpy(to, f->iov[0].iov_base, f->length);
	else
		frame_copy_out(f, 0, to, f->length);
}

/* A place in a frame, for whoever copies it piece by piece. The frame is borrowed. */
struct frame_cursor {
	const struct frame *frame;
	unsigned piece;
	size_t at;
};

struct frame_cursor frame_cursor_at(const struct frame *f, size_t skip);

/* Copies the next bytes. Returns how many there were. */
size_t frame_cursor_copy(struct frame_cursor *c, void *to, size_t len);

/* Cuts the frame to its first `length` bytes. */
void frame_trim(struct frame *f, uint32_t length);

/* For who rewrites headers: piece 0 is free; copies the first bytes (at most `max`) of the others to f->head, once, which becomes
 * piece 0. Returns how many bytes lie there. */
size_t frame_lift_head(struct frame *f, size_t max);

/* Inserts a VLAN tag behind the addresses of a lifted head with room for it; the offsets in f->hdr move along. */
void frame_insert_tag(struct frame *f, uint16_t ethertype, uint16_t tci);

/* Sum of bytes [from, to) of the frame, for csum_fold; big-endian words counted from `from`. */
uint32_t frame_sum(const struct frame *f, uint32_t from, uint32_t to, uint32_t sum);

/* Makes `f` one piece over `data`, with an empty header. */
void frame_set_linear(struct frame *f, void *data, size_t len);

#endif
