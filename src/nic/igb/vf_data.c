/* vf_data.c - frames of the virtual function, through the PF's switch.
 *
 * With anti-spoofing, and with a port VLAN, a frame's first bytes are copied before they are looked at: what was checked is what is sent,
 * whatever the guest does to its memory meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "net/headers.h"
#include "nic/igb/vf.h"

#define CHECKED_BYTES (ETH_HEADER + VLAN_TAG)
#define BUFFER_STD    2048u /* SRRCTL.BSIZEPACKET 0: the PF's RCTL.BSIZE counts */

/* After an access outside guest memory. */
static void check_ring(struct igbvf *v, const struct intel_ring *ring)
{
	if (!intel_ring_reachable(&v->nic, ring))
		intel_driver_fault(&v->nic, &v->driver);
}

static const uint8_t broadcast[MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* --- guest -> wire --- */

/* Makes the first bytes ours. */
static bool lift(struct frame *f)
{
	if (f->iovs && f->iov[0].iov_base == f->head)
		return true; /* rewritten before */
	if (f->iovs == FRAME_IOV_MAX)
		return false;
	memmove(f->iov + 1, f->iov, f->iovs * sizeof(f->iov[0]));
	f->iovs++;
	frame_lift_head(f, CHECKED_BYTES);
	return true;
}

/* What the switch does to a frame before it leaves. DROP_NONE, or why it does not leave. */
static enum drop_reason pass_switch(struct nic *nic, struct frame *f)
{
	const struct igb_pf *pf = &igbvf_of(nic)->pf;
	const struct igb_vf_policy *p = &pf->policy;

	if (!p->spoof_check && !p->vlan)
		return DROP_NONE;
	if (!lift(f))
		return DROP_BAD_DESCRIPTOR;
	enum drop_reason reason = igb_pf_check_sent(pf, f->head, f->iov[0].iov_len);
	if (reason == DROP_NONE && p->vlan)
		frame_insert_tag(f, ETHERTYPE_VLAN, (uint16_t)(p->priority << 13 | p->vlan));
	return reason;
}

static void count_sent(struct igbvf_stats *s, const struct frame *f)
{
	uint32_t payload = f->length - f->hdr.hdr_len, size = f->hdr.gso_size;
	uint32_t frames = 1;

	if (f->hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE && size)
		frames = MAX((payload + size - 1) / size, 1u);
	s->tx_frames += frames;
	s->tx_bytes += f->length + (frames - 1) * f->hdr.hdr_len + frames * FCS_SIZE;
}

static unsigned send_run(struct nic *nic, struct frame *frames, unsigned n)
{
	struct igbvf *v = igbvf_of(nic);
	unsigned taken = n ? nic_send(nic, frames, n) : 0;

	for (unsigned i = 0; i < taken; i++)
		count_sent(&v->s.stats, &frames[i]);
	return taken;
}

/* Sends what may pass; the rest is dropped where it stands. How many are done with. */
static unsigned send_frames(struct nic *nic, struct frame *frames, unsigned n)
{
	return nic_send_runs(nic, frames, n, pass_switch, send_run);
}

bool igbvf_transmit(struct nic *nic, unsigned queue)
{
	struct igbvf *v = igbvf_of(nic);
	struct intel_tx_result result;

	if (queue >= VF_QUEUES || nic->stopped || !pci_bus_master(&nic->pci) ||
	    !igbvf_queue_on(v, &v->s.tx[queue].ring))
		return false;
	struct igbvf_tx *q = &v->s.tx[queue];
	struct intel_tx tx = {
		.nic = nic,
		.ring = &q->ring,
		.queue = &v->contexts[queue],
		.decode = intel_txd_decode_advanced,
		.index = 0, /* our wire has one lane */
		/* VMVIR: a port VLAN takes the place of what the descriptor wants */
		.vlan_type = v->pf.policy.vlan ? 0 : ETHERTYPE_VLAN,
		.pad = true,
		.head_only = q->wbal & TDWBAL_ENABLE,
		.head_at = (uint64_t)q->wbah << 32 | (q->wbal & ~3u),
		.send = send_frames,
	};

	uint64_t bad = nic->counters.bad_access;
	intel_transmit(&tx, &result);
	if (nic->counters.bad_access != bad)
		check_ring(v, &q->ring);
	if (result.report)
		intel_irq_raise(nic, &v->s.irq,
				&(struct intel_causes){ .tx = BIT(queue), .given = result.given });
	if (result.frames)
		intel_driver_served(nic, &v->driver, igbvf_queue_on(v, &v->s.rx[0].ring));
	return result.more;
}

/* --- wire -> guest --- */

/* Whether the switch has this frame for us: DROP_NONE if so. */
static enum drop_reason admit(const struct igbvf *v, const struct intel_rx_info *info)
{
	unsigned exact;

	if (info->have < ETH_HEADER)
		return DROP_RUNT;
	if (intel_filter_dest(&v->filter, 1 + PF_ADDRESSES, v->rctl, info->head, &exact) ==
	    DEST_NONE)
		return DROP_FILTERED;
	if (info->flags & RXF_VLAN ? !intel_filter_vlan(&v->filter, v->rctl, info)
				   : v->pf.policy.vlan != 0)
		return DROP_FILTERED;
	return info->length + FCS_SIZE > v->pf.frame_max ? DROP_OVERSIZE : DROP_NONE;
}

/* What SRRCTL and PSRTYPE say about descriptors (82576 8.10.2, 8.10.3). */
static void set_format(const struct igbvf *v, const struct igbvf_rx *q,
		       const struct intel_rx_info *info, struct intel_rx *rx)
{
	unsigned type = SRRCTL_DESCTYPE(q->srrctl);

	rx->buffer_size = SRRCTL_PACKET_KB(q->srrctl) * 1024;
	if (!rx->buffer_size)
		rx->buffer_size = BUFFER_STD;
	if (type == DESC_LEGACY) {
		rx->format = &intel_rx_legacy;
		return;
	}
	rx->format = &intel_rx_advanced;
	rx->packet_type = intel_rx_packet_type(info);
	if (type != DESC_SPLIT && type != DESC_SPLIT_ALWAYS)
		return;
	rx->header_size = SRRCTL_HEADER(q->srrctl);
	rx->header_length = intel_rx_header_length(info, v->s.psrtype);
	rx->split_always = type == DESC_SPLIT_ALWAYS;
}

static void count_received(struct igbvf_stats *s, const struct intel_rx_info *info)
{
	s->rx_frames++;
	s->rx_bytes += info->length + FCS_SIZE;
	if (mac_is_multicast(info->head) && memcmp(info->head, broadcast, MAC_LEN) != 0)
		s->rx_multicast++;
}

/* One frame into queue 0, the only one that the switch gives frames to without the PF's RSS. False: no room now. */
static bool take(struct igbvf *v, const struct frame *f, bool *interrupt)
{
	struct igbvf_rx *q = &v->s.rx[0];
	struct intel_rx_info info;
	struct intel_image image;

	intel_rx_look(&info, f, ETHERTYPE_VLAN);
	enum drop_reason reason = admit(v, &info);
	if (reason != DROP_NONE) {
		nic_drop(&v->nic, reason);
		return true;
	}
	intel_rx_check(&info, true, true);
	intel_image_make(&image, &info, igb_pf_strips(&v->pf), false);
	struct intel_rx rx = {
		.nic = &v->nic,
		.ring = &q->ring,
		.report_ip = true,
		.report_l4 = true,
	};
	set_format(v, q, &info, &rx);
	int rc = intel_rx_put(&rx, &image);
	if (rc == -ENOBUFS)
		return false;
	*interrupt |= rc != -EMSGSIZE;
	if (rc == 0) {
		count_received(&v->s.stats, &info);
		v->nic.counters.rx_frames++;
		v->nic.counters.rx_bytes += f->length;
	} else if (rc == -EMSGSIZE) {
		nic_drop(&v->nic, DROP_OVERSIZE);
	} else {
		nic_drop(&v->nic, DROP_BAD_ADDRESS);
		check_ring(v, &q->ring);
	}
	return true;
}

unsigned igbvf_receive(struct nic *nic, const struct frame *frames, unsigned n)
{
	struct igbvf *v = igbvf_of(nic);
	bool interrupt = false;
	unsigned done = 0;

	if (nic->stopped)
		return 0;
	if (!pci_bus_master(&nic->pci) || !igbvf_queue_on(v, &v->s.rx[0].ring)) {
		nic->counters.drop[DROP_RX_DISABLED] += n;
		return n;
	}
	while (done < n && take(v, &frames[done], &interrupt))
		done++;
	if (interrupt)
		intel_irq_raise(nic, &v->s.irq, &(struct intel_causes){ .rx = 1 });
	return done;
}
