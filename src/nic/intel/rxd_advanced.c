/* rxd_advanced.c - advanced receive descriptors: one buffer, and header split (82576 7.1.5, 7.1.10).
 *
 * Buffer 0 is the header buffer, buffer 1 that of the packet; of one-buffer descriptors the header buffer has no size. Only the first
 * descriptor of a frame gets a header.
 */
#include "base/bytes.h"
#include "net/csum.h"
#include "net/headers.h"
#include "nic/intel/regs.h"
#include "nic/intel/rx.h"

#define HEADER_MAX    0x3ffu /* HDR_LEN has 10 bits */
#define HEADER_SHIFT  5
#define HEADER_SPLIT  0x8000u /* SPH */
#define STATUS_UDPV   BIT(10) /* the fragment's checksum is given */
#define ERROR_HBO     BIT(23) /* the header is longer than its buffer */
#define DESC_LOW_BITS 1ull    /* of both addresses: no-snoop, DD */

enum psr_type {
	PSR_L2 = BIT(0),
	PSR_IPV4_FRAGMENT = BIT(1),
	PSR_IPV4_TCP = BIT(2),
	PSR_IPV4_UDP = BIT(3),
	PSR_IPV6_FRAGMENT = BIT(7),
	PSR_IPV6_TCP = BIT(8),
	PSR_IPV6_UDP = BIT(9),
};

uint16_t intel_rx_header_length(const struct intel_rx_info *info, uint32_t psrtype)
{
	bool v4 = info->l3 == L3_IPV4;
	uint32_t fragment = v4 ? PSR_IPV4_FRAGMENT : PSR_IPV6_FRAGMENT;
	uint32_t tcp = v4 ? PSR_IPV4_TCP : PSR_IPV6_TCP, udp = v4 ? PSR_IPV4_UDP : PSR_IPV6_UDP;
	uint32_t at = 0;

	if (info->l3 != L3_OTHER) {
		if ((info->flags & RXF_FRAGMENT) && (psrtype & fragment))
			at = info->l4_at;
		else if ((info->l4 == L4_TCP && (psrtype & tcp)) ||
			 (info->l4 == L4_UDP && (psrtype & udp)))
			at = info->payload_at;
	}
	if (!at && (psrtype & PSR_L2))
		at = info->l3_at;
	return (uint16_t)MIN(at, info->length);
}

uint16_t intel_rx_packet_type(const struct intel_rx_info *info)
{
	static const uint16_t l4_type[INTEL_L4_COUNT] = {
		[L4_TCP] = RXT_TCP,
		[L4_UDP] = RXT_UDP,
		[L4_SCTP] = RXT_SCTP,
	};
	bool more = info->flags & RXF_OPTIONS;
	uint16_t type = 0;

	if (info->l3 == L3_IPV4)
		type = more ? RXT_IPV4_OPTIONS : RXT_IPV4;
	else if (info->l3 == L3_IPV6)
		type = more ? RXT_IPV6_EXTENSIONS : RXT_IPV6;
	return type | l4_type[info->l4];
}

/* How many bytes of the image go into the header buffer. */
static uint32_t header_bytes(const struct intel_rx *rx, const struct intel_image *im)
{
	uint32_t room = MIN(rx->header_size, HEADER_MAX);
	uint32_t header = rx->header_length;

	if (header) {
		header = im->prefix + header - im->cut;
		if (header <= room)
			return header;
	}
	return rx->split_always ? MIN(room, im->length) : 0;
}

static unsigned advanced_buffers(const struct intel_rx *rx, const struct intel_image *im,
				 const struct intel_desc raw[2], bool first,
				 struct intel_rx_buffer out[RX_BUFFERS_MAX])
{
	out[0].address = raw[0].hi & ~DESC_LOW_BITS;
	out[0].size = first && rx->header_size ? header_bytes(rx, im) : 0;
	out[1].address = raw[0].lo & ~DESC_LOW_BITS;
	out[1].size = rx->buffer_size;
	return 2;
}

/* IP identification and, of a UDP fragment over IPv4, the sum of what it carries (82576 7.1.11.2). True: there is a sum. */
static bool fragment_fields(const struct intel_rx_info *info, uint8_t out[4])
{
	const uint8_t *ip = info->head + info->l3_at;
	bool first;

	put_le32(out, 0);
	if (info->l3 != L3_IPV4)
		return false;
	put_le16(out, get_be16(ip + IPV4_ID));
	if (!(info->flags & RXF_FRAGMENT) || ip[IPV4_PROTOCOL] != PROTO_UDP)
		return false;
	first = (get_be16(ip + IPV4_FRAGMENT) & 0x1fff) == 0;
	if (first && (info->l4_at + UDP_HEADER > info->have ||
		      !get_be16(info->head + info->l4_at + UDP_CSUM)))
		return false;
	put_le16(out + 2, csum_fold(frame_sum(info->frame, info->l4_at, info->ip_end, 0)));
	return true;
}

static uint32_t last_status(const struct intel_rx *rx, const struct intel_image *im)
{
	uint8_t errors;
	uint32_t status = RXS_EOP | intel_rx_status(rx, im, &errors);

	status |= rx->status & ~0xffu;
	status |= (uint32_t)errors << 24;
	if (rx->header_size && rx->header_length &&
	    im->prefix + rx->header_length - im->cut > MIN(rx->header_size, HEADER_MAX))
		status |= ERROR_HBO;
	return status;
}

static void advanced_write_back(const struct intel_rx *rx, const struct intel_image *im,
				const uint32_t used[RX_BUFFERS_MAX], bool last, uint8_t out[32])
{
	/* what begins in the header buffer is split, whether a header was found or not */
	uint32_t header = used[0] ? HEADER_SPLIT | used[0] << HEADER_SHIFT : 0;
	uint32_t status = RXS_DD;

	put_le32(out, rx->packet_type | rx->rss_type | header << 16);
	put_le32(out + 4, rx->rss_hash);
	if (last)
		status |= last_status(rx, im);
	if (rx->fragment_csum && fragment_fields(im->info, out + 4))
		status |= last ? STATUS_UDPV : 0;
	put_le32(out + 8, status);
	put_le16(out + 12, (uint16_t)used[1]);
	put_le16(out + 14, last && im->cut ? im->info->tag : 0);
}

const struct intel_rx_format intel_rx_advanced = {
	.desc_size = INTEL_DESC_SIZE,
	.from = 0,
	.status_at = 8,
	.buffers = advanced_buffers,
	.write_back = advanced_write_back,
};
