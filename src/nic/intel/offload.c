/* offload.c - from what the driver asked to the frame's virtio header.
 *
 * Every offset and length here is the guest's: each is held against the bytes that were gathered before it is used (CVE-2021-20257, CVE-2015-6815). A
 * checksum alone needs no look at the frame: the chip sums from one place and stores at another, which is what the virtio header says too.
 * Headers are rewritten in a copy: the guest's own memory never changes.
 */
#include "base/bytes.h"
#include "net/crc32c.h"
#include "net/csum.h"
#include "net/headers.h"
#include "net/offload.h"
#include "nic/intel/tx.h"

#define HEAD_MAX (FRAME_HEAD - VLAN_TAG)

#define UNSEGMENTED_MAX                                                                            \
	16384u /* no card of the family sends longer frames (8254x manual 13.4.22) */

static const uint8_t zeros[FRAME_MIN];

/* TCTL.PSP */
static void pad(struct frame *f)
{
	if (f->length >= FRAME_MIN || f->length == 0 || f->iovs == FRAME_IOV_MAX)
		return;
	f->iov[f->iovs++] = (struct iovec){ .iov_base = (void *)(uintptr_t)zeros,
					    .iov_len = FRAME_MIN - f->length };
	f->length = FRAME_MIN;
}

/* The checksum of bytes [from, end) goes to `at`: asked from whoever comes next. What lies outside the frame is not done, as on the chip. */
static enum drop_reason ask_checksum(struct frame *f, uint32_t from, uint32_t at)
{
	if (from >= f->length || at + 2 > f->length)
		return DROP_NONE;
	if (at < from || from < ETH_HEADER)
		return DROP_BAD_OFFLOAD;
	f->hdr.flags |= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	f->hdr.csum_start = (uint16_t)from;
	f->hdr.csum_offset = (uint16_t)(at - from);
	return DROP_NONE;
}

/* The same done here and now, in the lifted head: for ranges that end before the frame does. */
static void sum_now(struct frame *f, uint32_t from, uint32_t end, uint32_t at)
{
	if (from >= end || at + 2 > f->iov[0].iov_len)
		return;
	put_be16(f->head + at, csum_fold(frame_sum(f, from, end, 0)));
}

static void ip_checksum(struct frame *f, const struct intel_tx_context *c)
{
	uint32_t last = c->ipcse ? c->ipcse : f->length - 1;
	uint32_t end = MIN(last + 1, f->length);

	if (c->ipcso + 2u <= f->iov[0].iov_len && c->ipcso >= c->ipcss && c->ipcso < end)
		put_be16(f->head + c->ipcso, 0);
	sum_now(f, c->ipcss, end, c->ipcso);
}

/* SCTP has no place in the virtio header: always done here (82576 7.2.2.3.1). */
static enum drop_reason sctp_checksum(struct frame *f, const struct intel_tx_context *c)
{
	uint32_t crc = CRC32C_BEGIN, at = 0;

	if (c->tucss >= f->length || c->tucso + 4u > f->iov[0].iov_len)
		return DROP_NONE;
	/* a batch of 64 KiB frames on each queue would keep the worker for a third of a second */
	if (f->length > UNSEGMENTED_MAX)
		return DROP_OVERSIZE;
	memset(f->head + c->tucso, 0, 4);
	for (unsigned i = 0; i < f->iovs; at += (uint32_t)f->iov[i++].iov_len) {
		uint32_t n = (uint32_t)f->iov[i].iov_len;
		uint32_t skip = c->tucss > at ? MIN(c->tucss - at, n) : 0;
		crc = crc32c_add(crc, (const uint8_t *)f->iov[i].iov_base + skip, n - skip);
	}
	put_le32(f->head + c->tucso, crc32c_end(crc));
	return DROP_NONE;
}

static enum drop_reason l4_checksum(struct frame *f, const struct intel_tx_context *c)
{
	if (c->l4 == L4_SCTP)
		return sctp_checksum(f, c);
	if (c->tucse == 0 || c->tucse + 1u >= f->length)
		return ask_checksum(f, c->tucss, c->tucso);
	sum_now(f, c->tucss, c->tucse + 1u, c->tucso);
	return DROP_NONE;
}

/* The driver left the pseudo header's sum without the length, for the chip adds each segment's: we add the whole length. */
static void add_to_sum(uint8_t *field, uint32_t length)
{
	uint32_t sum = get_be16(field) + (length & 0xffff) + (length >> 16);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put_be16(field, (uint16_t)sum);
}

static bool write_ip_length(struct frame *f, const struct intel_tx_context *c)
{
	uint8_t *ip = f->head + c->ipcss;
	uint32_t room = c->tucss - c->ipcss, length = f->length - c->ipcss;

	if (room < (c->ipv4 ? IPV4_HEADER_MIN : IPV6_HEADER))
		return false;
	if (!c->ipv4) {
		put_be16(ip + IPV6_LENGTH, (uint16_t)MIN(length - IPV6_HEADER, 0xffffu));
		return true;
	}
	put_be16(ip + IPV4_LENGTH, (uint16_t)MIN(length, 0xffffu));
	put_be16(ip + IPV4_CSUM, 0);
	put_be16(ip + IPV4_CSUM, csum_fold(csum_add(0, ip, room, false)));
	return true;
}

/* TCP or UDP in pieces of MSS bytes (8254x manual 3.5; 82576 7.2.4). */
static enum drop_reason segment(struct frame *f, const struct intel_tx_context *c)
{
	bool udp = c->l4 == L4_UDP;
	uint32_t l4_min = udp ? UDP_HEADER : TCP_HEADER_MIN;

	if (c->mss < GSO_SIZE_MIN || c->hdrlen > f->iov[0].iov_len || c->ipcss < ETH_HEADER ||
	    c->tucss <= c->ipcss || c->tucss + l4_min > c->hdrlen ||
	    (c->l4 != L4_TCP && c->l4 != L4_UDP) || !write_ip_length(f, c))
		return DROP_BAD_OFFLOAD;
	uint8_t *l4 = f->head + c->tucss;
	uint32_t csum_at = udp ? UDP_CSUM : TCP_CSUM, length = f->length - c->tucss;
	if (udp)
		put_be16(l4 + UDP_LENGTH, (uint16_t)MIN(length, 0xffffu));
	add_to_sum(l4 + csum_at, length);
	enum drop_reason reason = ask_checksum(f, c->tucss, c->tucss + csum_at);
	if (reason != DROP_NONE || f->length - c->hdrlen <= c->mss)
		return reason; /* one frame */
	f->hdr.gso_type = udp	    ? VIRTIO_NET_HDR_GSO_UDP_L4
			  : c->ipv4 ? VIRTIO_NET_HDR_GSO_TCPV4
				    : VIRTIO_NET_HDR_GSO_TCPV6;
	if (!udp && (l4[TCP_FLAGS] & TCP_CWR))
		f->hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	f->hdr.gso_size = c->mss;
	f->hdr.hdr_len = c->hdrlen;
	return DROP_NONE;
}

/* What only a look at the bytes can do. */
static bool needs_head(const struct frame *f, const struct intel_tx_request *ask)
{
	const struct intel_tx_context *c = ask->context;

	return intel_offload_rewrites(ask->flags) ||
	       ((ask->flags & TXD_TXSM) &&
		(c->l4 == L4_SCTP || (c->tucse && c->tucse + 1u < f->length)));
}

/* Makes room for piece 0 where the first descriptor did not tell that it would be needed. */
static bool free_first(struct frame *f)
{
	if (f->iovs == FRAME_IOV_MAX)
		return false;
	memmove(f->iov + 1, f->iov, f->iovs * sizeof(f->iov[0]));
	f->iovs++;
	return true;
}

#define ALL_WISHES (TXD_NO_FCS | TXD_VLAN | TXD_TSE | TXD_IXSM | TXD_TXSM | TXD_CSO)

enum drop_reason intel_offload_apply(struct frame *f, const struct intel_tx_request *ask)
{
	const struct intel_tx_context *c = ask->context;
	bool lifted = f->iovs && !f->iov[0].iov_base;
	enum drop_reason reason = DROP_NONE;

	if (f->length < ETH_HEADER)
		return DROP_RUNT;
	if (!(ask->flags & ALL_WISHES) && !lifted && f->length >= FRAME_MIN)
		return DROP_NONE; /* gathered with no more than FRAME_MAX bytes */
	if (ask->flags & TXD_NO_FCS)
		frame_trim(f, f->length - MIN(f->length, 4u));
	if (!lifted && needs_head(f, ask)) {
		if (!free_first(f))
			return DROP_BAD_DESCRIPTOR;
		lifted = true;
	}
	if (lifted && frame_lift_head(f, HEAD_MAX) < ETH_HEADER)
		return DROP_RUNT;
	if (ask->flags & TXD_TSE) {
		reason = segment(f, c);
	} else {
		if (ask->flags & TXD_IXSM)
			ip_checksum(f, c);
		if (ask->flags & TXD_TXSM)
			reason = l4_checksum(f, c);
		else if (ask->flags & TXD_CSO)
			reason = ask_checksum(f, ask->css, ask->cso);
	}
	if (reason != DROP_NONE)
		return reason;
	if (ask->flags & TXD_VLAN)
		frame_insert_tag(f, ask->vlan_type, ask->vlan);
	if (ask->pad)
		pad(f);
	return f->length > FRAME_MAX ? DROP_OVERSIZE : DROP_NONE;
}
