/* rx.c - receive: filters, choice of the queue, and the receive descriptors that the 82574 has alone (82574 datasheet 7.1). */
#include <errno.h>

#include "base/bytes.h"
#include "nic/e1000e/e1000e.h"

#define FRAME_NORMAL (1518u - FCS_SIZE)
#define FRAME_LONG   (16384u - FCS_SIZE)
#define SPLIT_PIECES 4u

/* --- extended descriptors and packet split --- */

/* What the write-back tells besides what the family's struct has. */
struct delivery {
	struct intel_rx rx; /* first */
	uint8_t queue;
};

static unsigned extended_buffers(const struct intel_rx *rx, const struct intel_image *im,
				 const struct intel_desc raw[2], bool first,
				 struct intel_rx_buffer out[RX_BUFFERS_MAX])
{
	(void)im, (void)first;
	out[0] = (struct intel_rx_buffer){ .address = raw[0].lo, .size = rx->buffer_size };
	return 1;
}

/* The first three dwords, the same for both kinds (7.1.4.2, 7.1.5.2). */
static void write_status(const struct intel_rx *rx, const struct intel_image *im, bool last,
			 uint8_t out[32])
{
	const struct delivery *d = (const struct delivery *)rx;
	uint32_t status = RXS_DD, id = 0;
	uint8_t errors = 0;

	if (last) {
		status |= RXS_EOP | (rx->status & ~0xffu) | intel_rx_status(rx, im, &errors);
		if (!(status & (RXS_IPCS | RXS_TCPCS)))
			status |= RXS_IXSM;
		if (rx->fragment_csum && im->info->l3 == L3_IPV4) {
			status |= RXE_STATUS_IPID;
			id = get_be16(im->info->head + im->info->l3_at + 4);
		}
	}
	put_le32(out, rx->rss_type | (uint32_t)d->queue << 8);
	put_le32(out + 4, rx->fragment_csum ? id : rx->rss_hash);
	put_le32(out + 8, status | (uint32_t)errors << RXE_ERRORS_SHIFT);
	put_le16(out + 14, last && im->cut ? im->info->tag : 0);
}

static void extended_write_back(const struct intel_rx *rx, const struct intel_image *im,
				const uint32_t used[RX_BUFFERS_MAX], bool last, uint8_t out[32])
{
	write_status(rx, im, last, out);
	put_le16(out + 12, (uint16_t)used[0]);
}

static const struct intel_rx_format extended = {
	.desc_size = INTEL_DESC_SIZE,
	.status_at = 8,
	.buffers = extended_buffers,
	.write_back = extended_write_back,
};

/* PSRCTL: the first size counts 128 bytes, the others kilobytes (10.2.5.4). */
static uint32_t piece_size(uint32_t psrctl, unsigned i)
{
	return i == 0 ? (psrctl & 0x7f) * 128 : (psrctl >> (8 * i) & 0x3f) * 1024;
}

static unsigned split_buffers(const struct intel_rx *rx, const struct intel_image *im,
			      const struct intel_desc raw[2], bool first,
			      struct intel_rx_buffer out[RX_BUFFERS_MAX])
{
	const uint64_t address[] = { raw[0].lo, raw[0].hi, raw[1].lo, raw[1].hi };
	uint32_t psrctl = e1000e_of(rx->nic)->s.psrctl;

	(void)im;
	for (unsigned i = 0; i < SPLIT_PIECES; i++)
		out[i] = (struct intel_rx_buffer){ address[i], piece_size(psrctl, i) };
	/* only the first descriptor's header buffer is used, and of it only the header where one was found */
	if (!first)
		out[0].size = 0;
	else if (rx->header_length)
		out[0].size = rx->header_length;
	return SPLIT_PIECES;
}

static void split_write_back(const struct intel_rx *rx, const struct intel_image *im,
			     const uint32_t used[RX_BUFFERS_MAX], bool last, uint8_t out[32])
{
	uint32_t header = used[0] ? rx->header_length : 0;

	write_status(rx, im, last, out);
	put_le16(out + 12, (uint16_t)used[0]);
	put_le16(out + 16, (uint16_t)(header ? RXE_HEADER_SPLIT | header : 0));
	for (unsigned i = 1; i < SPLIT_PIECES; i++)
		put_le16(out + 16 + (size_t)2 * i, (uint16_t)used[i]);
	put_le64(out + 24, 0);
}

static const struct intel_rx_format packet_split = {
	.desc_size = 2 * INTEL_DESC_SIZE,
	.status_at = 8,
	.buffers = split_buffers,
	.write_back = split_write_back,
};

static const struct intel_rx_format *format_of(const struct e1000e *e)
{
	if (!(e->s.rfctl & RFCTL_EXTEN))
		return &intel_rx_legacy;
	return (e->s.rctl & RCTL_DTYP) == RCTL_DTYP_SPLIT ? &packet_split : &extended;
}

/* Bytes of the header that goes into a buffer of its own; 0: none was found, or it does not fit. */
static uint16_t header_of(const struct e1000e *e, const struct intel_image *im)
{
	const struct intel_rx_info *info = im->info;
	uint32_t length = info->payload_at;

	if ((info->l4 != L4_TCP && info->l4 != L4_UDP) || length <= im->cut)
		return 0;
	length -= im->cut;
	return length <= piece_size(e->s.psrctl, 0) && length < im->length ? (uint16_t)length : 0;
}

/* RCTL.FLXBUF in kilobytes, else BSIZE and BSEX. */
static uint32_t buffer_size(uint32_t rctl)
{
	uint32_t flexible = rctl >> RCTL_FLXBUF_SHIFT & 15;
	uint32_t size = 2048u >> (rctl >> RCTL_BSIZE_SHIFT & 3);

	if (flexible)
		return flexible * 1024;
	return rctl & RCTL_BSEX && size < 2048 ? size * 16 : size;
}

/* --- one frame --- */

static bool too_long(const struct e1000e *e, const struct intel_rx_info *info)
{
	uint32_t most = FRAME_NORMAL + (info->flags & RXF_VLAN ? VLAN_TAG : 0);

	return info->length > (e->s.rctl & RCTL_LPE ? FRAME_LONG : most);
}

/* Why the frame is not for this card, or DROP_NONE. */
static enum drop_reason refuse(struct e1000e *e, const struct intel_rx_info *info,
			       enum intel_dest *dest)
{
	unsigned exact;

	if (too_long(e, info)) {
		intel_stats_add(&e->s.stats, STAT_ROC, 1);
		return DROP_OVERSIZE;
	}
	*dest = intel_filter_dest(&e->s.filter, E1000E_RA, e->s.rctl, info->head, &exact);
	if (*dest == DEST_NONE || !intel_filter_vlan(&e->s.filter, e->s.rctl, info))
		return DROP_FILTERED;
	return DROP_NONE;
}

static void choose_queue(struct e1000e *e, const struct intel_rx_info *info, struct delivery *d)
{
	if ((e->s.rss.mrqc & 3) != MRQC_RSS ||
	    !intel_rss_hash(&e->s.rss, info, &d->rx.rss_hash, &d->rx.rss_type))
		return;
	d->queue = intel_rss_entry(&e->s.rss, d->rx.rss_hash) & RETA_QUEUE_1 ? 1 : 0;
	/* this card knows one kind of TCP over IPv6 */
	if (d->rx.rss_type == RSS_TCP_IPV6_EX)
		d->rx.rss_type = RSS_TCP_IPV6;
}

/* A frame that has to wait for a descriptor is stamped when it gets one. */
static uint32_t stamp(struct e1000e *e, const struct intel_rx_info *info, unsigned queue)
{
	uint64_t time;

	if (!intel_ptp_wants(e->s.rx_stamp.ctl, e->s.rxmtrl, info) ||
	    e->s.rx[queue].head == e->s.rx[queue].tail)
		return 0;
	time = intel_ptp_clock_read(&e->s.clock, nic_now(&e->nic));
	if (!intel_stamp_take(&e->s.rx_stamp, (uint32_t)time, (uint32_t)(time >> 32)))
		return 0;
	intel_ptp_attributes(info, &e->s.rxsatr[0], &e->s.rxsatr[1]);
	return RXE_STATUS_STAMP;
}

/* Descriptors left, against the threshold that RCTL.RDMTS sets: told once on the way down (10.2.5.1). */
static bool ran_low(struct e1000e *e, unsigned queue)
{
	struct intel_ring_view ring;
	uint8_t bit = (uint8_t)(1u << queue);

	if ((e->rx_low & bit) ||
	    !intel_ring_open(&e->nic, &e->s.rx[queue], format_of(e)->desc_size, &ring))
		return false;
	unsigned threshold = ring.count >> (1 + ((e->s.rctl & RCTL_RDMTS) >> 8));
	if (intel_ring_owned(&ring, ring.head) > threshold)
		return false;
	e->rx_low |= bit;
	return true;
}

/* What one call of receive() will interrupt for. */
struct outcome {
	uint32_t queues, more;
};

static void count(struct e1000e *e, const struct intel_rx_info *info, struct delivery *d,
		  struct outcome *out)
{
	e->nic.counters.rx_frames++;
	e->nic.counters.rx_bytes += info->length;
	intel_stats_received(&e->s.stats, info->head, info->length, 1);
	out->queues |= 1u << d->queue;
	e->rx_seen = true;
	if (info->length + FCS_SIZE <= e->s.rsrpd)
		out->more |= INT_SRPD;
}

/* 0: done with, -ENOBUFS: no room now. */
static int put(struct e1000e *e, const struct intel_rx_info *info, struct delivery *d,
	       struct outcome *out)
{
	struct intel_image im;

	intel_image_make(&im, info, e->s.ctrl & CTRL_VME, !(e->s.rctl & RCTL_SECRC));
	d->rx.nic = &e->nic;
	d->rx.ring = &e->s.rx[d->queue];
	d->rx.format = format_of(e);
	d->rx.buffer_size = buffer_size(e->s.rctl);
	if (d->rx.format == &packet_split)
		d->rx.header_length = header_of(e, &im);
	d->rx.report_ip = e->s.rxcsum & RXCSUM_IPOFL;
	d->rx.report_l4 = e->s.rxcsum & RXCSUM_TUOFL;
	d->rx.fragment_csum = !(e->s.rxcsum & RXCSUM_PCSD);
	switch (intel_rx_put(&d->rx, &im)) {
	case 0:
		count(e, info, d, out);
		return 0;
	case -ENOBUFS:
		return -ENOBUFS;
	case -EMSGSIZE:
		intel_stats_add(&e->s.stats, STAT_ROC, 1);
		nic_drop(&e->nic, DROP_OVERSIZE);
		return 0;
	default: /* its descriptors went back */
		out->queues |= 1u << d->queue;
		e1000e_check_ring(e, d->rx.ring);
		nic_drop(&e->nic, DROP_BAD_ADDRESS);
		return 0;
	}
}

/* A MAC control frame that ends here. */
static bool is_control(struct e1000e *e, const struct intel_rx_info *info)
{
	struct intel_flow_card card;

	e1000e_flow_card(e, &card);
	return intel_flow_received(&e->nic, &e->flow, &card, info);
}

static int deliver(struct e1000e *e, const struct frame *f, struct outcome *out)
{
	struct delivery d = { .queue = 0 };
	struct intel_rx_info info;
	enum intel_dest dest;

	intel_rx_look(&info, f, (uint16_t)e->s.vet);
	if (intel_flow_concerns(&info, e->s.fct) && is_control(e, &info))
		return 0;
	enum drop_reason reason = refuse(e, &info, &dest);
	if (reason != DROP_NONE) {
		nic_drop(&e->nic, reason);
		return 0;
	}
	bool l4 = (e->s.rxcsum & RXCSUM_TUOFL) &&
		  !(info.l3 == L3_IPV6 && (e->s.rfctl & RFCTL_IPV6_XSUM_NO));
	intel_rx_check(&info, e->s.rxcsum & RXCSUM_IPOFL, l4);
	choose_queue(e, &info, &d);
	if (dest == DEST_HASH)
		d.rx.status |= RXS_PIF;
	d.rx.status |= stamp(e, &info, d.queue);
	return put(e, &info, &d, out);
}

unsigned e1000e_receive(struct nic *nic, const struct frame *frames, unsigned n)
{
	struct e1000e *e = e1000e_of(nic);
	struct outcome out = { 0 };
	unsigned i;

	if (nic->stopped)
		return 0;
	if (!(e->s.rctl & RCTL_EN) || !pci_bus_master(&nic->pci)) {
		nic->counters.drop[DROP_RX_DISABLED] += n;
		return n;
	}
	for (i = 0; i < n; i++) {
		if (!e->phy.link && !e->looping && !nic->hears) {
			nic_drop(nic, DROP_LINK_DOWN);
		} else if (deliver(e, &frames[i], &out) < 0) {
			intel_stats_add(&e->s.stats, STAT_RNBC, 1);
			break;
		}
	}
	for (unsigned q = 0; q < E1000E_QUEUES; q++)
		if ((out.queues & 1u << q) && ran_low(e, q))
			out.more |= INT_RXDMT0;
	if (out.queues || out.more)
		e1000e_raise_received(e, out.queues, out.more);
	return i;
}

void e1000e_rx_tail(struct e1000e *e, unsigned queue)
{
	e->rx_low &= (uint8_t) ~(1u << queue);
	e->nic.notes.rx_ready = true;
	if (e->rx_seen)
		intel_driver_served(&e->nic, &e->driver, e->s.rctl & RCTL_EN);
	e->rx_seen = false;
	e1000e_note(e);
}
