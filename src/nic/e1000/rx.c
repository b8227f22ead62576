/* rx.c - frames for the guest: filters and thresholds of this card around intel/rx.c. */
#include <errno.h>

#include "base/bytes.h"
#include "nic/e1000/e1000.h"

static uint32_t buffer_size(uint32_t rctl)
{
	uint32_t code = rctl >> RCTL_BSIZE_SHIFT & 3;

	if (!(rctl & RCTL_BSEX))
		return 2048u >> code;
	return code ? 32768u >> code : 2048u; /* BSEX with code 0 is reserved */
}

static uint32_t owned(struct e1000 *e)
{
	struct intel_ring_view ring;

	return intel_ring_open(&e->nic, &e->s.rx, INTEL_DESC_SIZE, &ring)
		       ? intel_ring_owned(&ring, ring.head)
		       : 0;
}

/* How many descriptors are left when RXDMT0 is due (RCTL.RDMTS). */
static uint32_t low_mark(const struct e1000 *e)
{
	uint32_t shift = (e->s.rctl >> 8 & 3) + 1;

	return (e->s.rx.len / INTEL_DESC_SIZE) >> MIN(shift, 3);
}

/* --- one frame --- */

/* DROP_NONE: the guest wants it; `*status` gets PIF. */
static enum drop_reason filter(struct e1000 *e, const struct intel_rx_info *info, uint32_t *status)
{
	uint32_t wire = MAX(info->length, FRAME_MIN) + FCS_SIZE, rctl = e->s.rctl;
	unsigned exact;

	if (wire > e1000_frame_max(e)) {
		intel_stats_add(&e->s.stats, STAT_ROC, 1);
		return DROP_OVERSIZE;
	}
	enum intel_dest dest =
		intel_filter_dest(&e->s.filter, E1000_ADDRESSES, rctl, info->head, &exact);
	if (dest == DEST_NONE || !intel_filter_vlan(&e->s.filter, rctl, info))
		return DROP_FILTERED;
	if (dest == DEST_HASH || dest == DEST_PROMISCUOUS)
		*status |= RXS_PIF;
	return DROP_NONE;
}

static int deliver(struct e1000 *e, struct intel_rx_info *info, uint32_t status)
{
	struct intel_image image;
	struct intel_rx rx = {
		.nic = &e->nic,
		.ring = &e->s.rx,
		.format = &intel_rx_legacy,
		.buffer_size = buffer_size(e->s.rctl),
		.status = status,
		.report_ip = e->s.rxcsum & RXCSUM_IPOFL,
		.report_l4 = e->s.rxcsum & RXCSUM_TUOFL,
	};

	intel_rx_check(info, rx.report_ip, rx.report_l4);
	intel_image_make(&image, info, e->s.ctrl & CTRL_VME, !(e->s.rctl & RCTL_SECRC));
	return intel_rx_put(&rx, &image);
}

static void lose(struct e1000 *e, int why)
{
	nic_drop(&e->nic, why == -EMSGSIZE ? DROP_OVERSIZE : DROP_BAD_ADDRESS);
	intel_stats_add(&e->s.stats, STAT_MPC, 1);
	if (why == -EFAULT && !intel_ring_reachable(&e->nic, &e->s.rx))
		intel_driver_fault(&e->nic, &e->driver);
}

/* What happened in one call of receive(). */
struct batch {
	bool filled; /* a frame went into the ring */
	bool small;  /* ... one that RSRPD wants told at once */
};

/* A MAC control frame that ends here (manual 3.5.3). */
static bool is_control(struct e1000 *e, const struct intel_rx_info *info)
{
	struct intel_flow_card card;

	e1000_flow_card(e, &card);
	return intel_flow_received(&e->nic, &e->flow, &card, info);
}

/* False: no room now. */
static bool receive_one(struct e1000 *e, const struct frame *f, struct batch *b)
{
	struct intel_rx_info info;
	uint32_t status = 0;

	if (f->length < ETH_HEADER) {
		nic_drop(&e->nic, DROP_RUNT);
		return true;
	}
	intel_rx_look(&info, f, (uint16_t)e->s.vet);
	if (intel_flow_concerns(&info, e->s.fct) && is_control(e, &info))
		return true;
	enum drop_reason reason = filter(e, &info, &status);
	if (reason != DROP_NONE) {
		nic_drop(&e->nic, reason);
		return true;
	}
	int rc = deliver(e, &info, status);
	if (rc == -ENOBUFS)
		return false;
	b->filled = true; /* also a bad one: its descriptors went back */
	if (rc < 0) {
		lose(e, rc);
		return true;
	}
	b->small |= MAX(f->length, FRAME_MIN) + FCS_SIZE <= e->s.rsrpd;
	e->nic.counters.rx_frames++;
	e->nic.counters.rx_bytes += f->length;
	intel_stats_received(&e->s.stats, info.head, f->length, 1);
	return true;
}

static void starve(struct e1000 *e)
{
	if (e->rx_starved)
		return;
	e->rx_starved = true;
	intel_stats_add(&e->s.stats, STAT_RNBC, 1);
}

static unsigned receive(struct e1000 *e, const struct frame *frames, unsigned n)
{
	struct batch b = { 0 };
	uint32_t before = owned(e), mark = low_mark(e), causes = 0;
	unsigned taken = 0;

	while (taken < n && receive_one(e, &frames[taken], &b))
		taken++;
	if (taken < n)
		starve(e);
	if (b.filled) {
		e->rx_filled = true;
		if (before > mark && owned(e) <= mark)
			causes |= INT_RXDMT0;
		if (b.small)
			causes |= INT_SRPD;
		if (causes)
			e1000_raise(e, causes);
		e1000_received(e);
	}
	return taken;
}

static enum drop_reason shut(const struct e1000 *e)
{
	if (!(e->s.rctl & RCTL_EN) || !pci_bus_master(&e->nic.pci))
		return DROP_RX_DISABLED;
	return e->link_up ? DROP_NONE : DROP_LINK_DOWN;
}

unsigned e1000_receive(struct nic *nic, const struct frame *frames, unsigned n)
{
	struct e1000 *e = e1000_of(nic);

	if (nic->stopped)
		return 0;
	enum drop_reason reason = shut(e);
	if (reason == DROP_NONE && e1000_loops(e))
		reason = DROP_RX_DISABLED;
	if (reason != DROP_NONE) {
		if (e1000_asleep(e))
			e1000_wake_frames(e, frames, n);
		nic->counters.drop[reason] += n;
		return n;
	}
	return receive(e, frames, n);
}

unsigned e1000_receive_looped(struct nic *nic, const struct frame *frames, unsigned n)
{
	struct e1000 *e = e1000_of(nic);

	if (!(e->s.rctl & RCTL_EN)) {
		nic->counters.drop[DROP_RX_DISABLED] += n;
		return n;
	}
	return receive(e, frames, n);
}

void e1000_rx_tail(struct e1000 *e)
{
	if (e->rx_filled)
		e1000_served(e);
	e->rx_filled = false;
	e1000_rx_changed(e);
}

void e1000_rx_changed(struct e1000 *e)
{
	e->nic.notes.rx_ready |= e->rx_starved;
	e->rx_starved = false;
	if (!e->driver.given)
		e1000_note(e);
}
