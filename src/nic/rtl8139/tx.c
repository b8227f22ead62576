/* tx.c - frames from the guest: four slots in C mode, descriptor rings in C+ mode.
 *
 * A ring is walked until its owner bit says stop, a whole batch of frames is handed on with pieces that point straight
 * into guest memory, and only then are the descriptors given back and the cause raised, once. A frame that the owner could
 * not take stays in its ring. The walk never passes more descriptors than a ring has (CVE-2016-8910).
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "net/csum.h"
#include "net/headers.h"
#include "nic/rtl8139/rtl8139.h"

/* One frame of the batch: the descriptors that it took, and why it cannot be sent. */
struct job {
	uint8_t first; /* in walk.seen */
	uint8_t count;
	uint8_t reason; /* enum drop_reason; DROP_NONE: send it */
};

struct seen {
	uint32_t opts1; /* as read, once */
	uint8_t index;
};

struct walk {
	struct rtl8139 *r;
	enum rtl8139_ring ring;
	uint64_t base;
	uint64_t visited; /* by index: no descriptor is used twice, wherever end marks lead */
	uint8_t at;	  /* next descriptor */
	uint8_t count;	  /* descriptors seen */
	struct seen seen[DESC_MAX];
	struct job job[FRAME_BATCH];
};

/* What ended the search for a frame. */
enum gather { GATHER_FRAME, GATHER_BAD, GATHER_END, GATHER_FAULT };

/* --- one frame --- */

struct descriptor {
	uint32_t opts1, opts2;
	uint64_t address;
};

/* The owner bit is read first: behind it the guest has finished writing the rest. */
static bool read_descriptor(struct walk *w, struct descriptor *d)
{
	const uint8_t *p = mem_pointer(&w->r->nic.mem, w->base + w->at * DESC_SIZE, DESC_SIZE,
				       MEM_READ | MEM_WRITE);

	if (!p)
		return false;
	d->opts1 = get_le32(p);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	d->opts2 = get_le32(p + 4);
	d->address = get_le64(p + 8);
	return true;
}

static bool needs_head(const struct descriptor *first)
{
	return (first->opts1 & (TXD_LGSEN | TXD_IPCS | TXD_TCPCS | TXD_UDPCS)) ||
	       (first->opts2 & TXD_TAGC);
}

/* Adds what a descriptor points to. Returns why the frame cannot be sent, or DROP_NONE. */
static enum drop_reason add_piece(struct walk *w, struct frame *f, const struct descriptor *d)
{
	uint32_t size = d->opts1 & TXD_SIZE;
	unsigned room = FRAME_IOV_MAX - f->iovs;

	if (f->length + size > FRAME_MAX)
		return DROP_OVERSIZE;
	int n = mem_iov(&w->r->nic.mem, d->address, size, MEM_READ, &f->iov[f->iovs], room);
	if (n < 0)
		return n == -E2BIG ? DROP_BAD_DESCRIPTOR : DROP_BAD_ADDRESS;
	f->iovs = (uint16_t)(f->iovs + n);
	f->length += size;
	return DROP_NONE;
}

/* Takes the descriptors of one frame into `job`. Piece 0 stays free when the headers will be rewritten. */
static enum gather gather(struct walk *w, struct frame *f, struct job *job,
			  struct descriptor *first)
{
	struct descriptor d;

	*job = (struct job){ .first = w->count };
	f->hdr = (struct virtio_net_hdr_v1){ 0 };
	f->length = 0;
	f->queue = 0;
	for (;;) {
		if (w->visited >> w->at & 1) {
			/* once those before it have gone, the ring has room for the rest */
			if (job->first)
				return GATHER_END;
			/* a ring full of pieces and no last one */
			job->reason = DROP_BAD_DESCRIPTOR;
			return GATHER_BAD;
		}
		if (!read_descriptor(w, &d))
			return GATHER_FAULT;
		if (!(d.opts1 & DESC_OWN))
			return GATHER_END; /* the rest of the frame is not there yet */
		if (job->count == 0) {
			*first = d;
			f->iovs = needs_head(&d) ? 1 : 0;
			if (!(d.opts1 & DESC_FS))
				job->reason = DROP_BAD_DESCRIPTOR; /* the tail of nothing */
		} else if (d.opts1 & DESC_FS) {
			job->reason = DROP_BAD_DESCRIPTOR; /* the frame before never ended */
			return GATHER_BAD;
		}
		if (job->reason == DROP_NONE)
			job->reason = (uint8_t)add_piece(w, f, &d);
		w->visited |= 1ull << w->at;
		w->seen[w->count++] = (struct seen){ .opts1 = d.opts1, .index = w->at };
		job->count++;
		w->at = d.opts1 & DESC_EOR ? 0 : (uint8_t)((w->at + 1) % DESC_MAX);
		if (d.opts1 & DESC_LS || !(first->opts1 & DESC_FS))
			return job->reason == DROP_NONE ? GATHER_FRAME : GATHER_BAD;
	}
}

/* --- offloads of the C+ chip --- */

static void ip_checksum(uint8_t *head, const struct ip_layers *ip)
{
	uint8_t *field = head + ip->l2 + IPV4_CSUM;

	put_be16(field, 0);
	put_be16(field, csum_fold(csum_add(0, head + ip->l2, ip->l4 - ip->l2, false)));
}

/* Leaves the TCP or UDP checksum to whoever comes after us: the field gets the pseudo header's sum. */
static void ask_checksum(struct frame *f, uint8_t *head, const struct ip_layers *ip)
{
	unsigned at = ip->protocol == PROTO_TCP ? TCP_CSUM : UDP_CSUM;
	uint16_t sum = csum_fold(rtl8139_pseudo_sum(head, ip, f->length - ip->l4));

	put_be16(head + ip->l4 + at, (uint16_t)~sum);
	f->hdr.flags |= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	f->hdr.csum_start = ip->l4;
	f->hdr.csum_offset = (uint16_t)at;
}

/* LGSEN: TCP over IPv4 in pieces of MSS bytes; both checksums are implied. */
static bool large_send(struct frame *f, uint8_t *head, const struct ip_layers *ip, uint32_t opts1)
{
	uint16_t mss = opts1 >> TXD_MSS_SHIFT & TXD_MSS_MASK;

	if (ip->protocol != PROTO_TCP || !ip->headers || mss == 0)
		return false;
	put_be16(head + ip->l2 + IPV4_LENGTH, (uint16_t)MIN(f->length - ip->l2, 0xffffu));
	ip_checksum(head, ip);
	ask_checksum(f, head, ip);
	if (f->length - ip->headers <= mss)
		return true; /* fits one frame */
	f->hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	if (head[ip->l4 + TCP_FLAGS] & TCP_CWR)
		f->hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	f->hdr.gso_size = mss;
	f->hdr.hdr_len = ip->headers;
	return true;
}

/* What the descriptor asks for, done on the copied headers. What the chip cannot parse goes out as it is. */
static bool apply_checksums(struct frame *f, uint8_t *head, size_t have, uint32_t opts1)
{
	struct ip_layers ip;
	bool large = opts1 & TXD_LGSEN;

	if (!large && !(opts1 & (TXD_IPCS | TXD_TCPCS | TXD_UDPCS)))
		return true;
	if (!rtl8139_parse_ipv4(head, have, f->length, &ip))
		return !large;
	if (large || ((opts1 & (TXD_TCPCS | TXD_UDPCS)) && ip.headers))
		frame_trim(f, ip.end); /* padding must not be summed or segmented */
	if (large)
		return large_send(f, head, &ip, opts1);
	if (opts1 & TXD_IPCS)
		ip_checksum(head, &ip);
	if (ip.headers && (opts1 & (ip.protocol == PROTO_TCP ? TXD_TCPCS : TXD_UDPCS)))
		ask_checksum(f, head, &ip);
	return true;
}

_Static_assert(HEADERS_MAX + VLAN_TAG <= FRAME_HEAD, "the rewritten headers fit");

/* Copies the headers into the frame's own room, once, and works on the copy. */
static enum drop_reason rewrite_head(struct frame *f, const struct descriptor *first)
{
	size_t have = frame_lift_head(f, HEADERS_MAX);

	if (have < ETH_HEADER)
		return DROP_RUNT;
	if (!apply_checksums(f, f->head, have, first->opts1))
		return DROP_BAD_OFFLOAD;
	/* the field holds the tag as it is on the wire, low byte first */
	if (first->opts2 & TXD_TAGC)
		frame_insert_tag(f, ETHERTYPE_VLAN, be16toh((uint16_t)first->opts2));
	return f->length > FRAME_MAX ? DROP_OVERSIZE : DROP_NONE;
}

/* --- a batch --- */

static void give_back(struct walk *w, const struct job *job)
{
	for (unsigned i = job->first; i < (unsigned)job->first + job->count; i++) {
		const struct seen *s = &w->seen[i];
		uint64_t at = w->base + s->index * DESC_SIZE;
		uint8_t *p = mem_pointer(&w->r->nic.mem, at, DESC_SIZE, MEM_WRITE);
		uint32_t status = s->opts1 & TXD_KEEP;

		if (job->reason != DROP_NONE && (s->opts1 & DESC_LS))
			status |= TXD_TES;
		__atomic_thread_fence(__ATOMIC_RELEASE);
		if (p)
			put_le32(p, status);
		w->r->s.tdokla = (uint16_t)at;
		w->r->tx_at[w->ring] =
			s->opts1 & DESC_EOR ? 0 : (uint8_t)((s->index + 1) % DESC_MAX);
	}
}

/* A frame that cannot be sent: its descriptors go back, and the chip's error bits tell. */
static uint16_t refuse(struct walk *w, const struct job *job)
{
	struct rtl8139 *r = w->r;

	nic_drop(&r->nic, job->reason);
	r->tally.tx_err++;
	if (job->reason == DROP_BAD_ADDRESS)
		rtl8139_system_error(r);
	give_back(w, job);
	return INT_TER;
}

static unsigned hand_on(struct rtl8139 *r, struct frame *frames, unsigned n)
{
	if (!in_loopback(r))
		return nic_send(&r->nic, frames, n);
	for (unsigned i = 0; i < n; i++)
		rtl8139_loop_back(r, &frames[i]);
	return n;
}

/* One batch of a ring. Returns true when more may wait. */
static bool transmit_ring(struct rtl8139 *r, enum rtl8139_ring ring)
{
	const uint32_t *address = &r->s.tsad[ring == RING_HIGH ? 2 : 0];
	uint64_t base = (uint64_t)address[1] << 32 | address[0];
	struct walk w = { .r = r, .ring = ring, .base = base & ~DESC_ALIGN, .at = r->tx_at[ring] };
	uint8_t poll = ring == RING_NORMAL ? TPPOLL_NPQ : TPPOLL_HPQ;
	struct frame *frames = r->nic.batch;
	enum gather end = GATHER_FRAME;
	uint16_t causes = 0;
	uint32_t bytes = 0;
	unsigned n = 0;

	while (n < FRAME_BATCH && bytes < BATCH_BYTES) {
		struct descriptor first;
		end = gather(&w, &frames[n], &w.job[n], &first);
		if (end == GATHER_FRAME && needs_head(&first)) {
			w.job[n].reason = (uint8_t)rewrite_head(&frames[n], &first);
			if (w.job[n].reason != DROP_NONE)
				end = GATHER_BAD;
		}
		if (end != GATHER_FRAME)
			break;
		bytes += frames[n++].length;
	}
	r->nic.walked += bytes;
	unsigned taken = n ? hand_on(r, frames, n) : 0, descriptors = 0;
	for (unsigned i = 0; i < taken; i++) {
		give_back(&w, &w.job[i]);
		descriptors += w.job[i].count;
	}
	r->tally.tx_ok += taken;
	causes |= taken ? INT_TOK : 0;
	if (taken == n && end == GATHER_BAD)
		causes |= refuse(&w, &w.job[n]);
	if (taken == n && end == GATHER_FAULT)
		rtl8139_system_error(r);
	bool drained = taken == n && (end == GATHER_END || end == GATHER_FAULT);
	if (drained) {
		r->tx_poll &= (uint8_t)~poll;
		causes |= taken ? INT_TDU : 0;
	}
	if (causes)
		rtl8139_raise_sent(r, causes, descriptors, causes & INT_TER);
	/* frames that were not taken wait for the owner, who makes the queue runnable again */
	return taken == n && !drained;
}

/* --- C mode --- */

/* Fills a frame from a slot. Returns why it cannot be sent, or DROP_NONE. */
static enum drop_reason frame_from_slot(struct rtl8139 *r, struct frame *f, unsigned slot)
{
	uint32_t size = r->s.tsd[slot] & TSD_SIZE;

	if (size > C_FRAME_MAX)
		return DROP_OVERSIZE;
	int n = mem_iov(&r->nic.mem, r->s.tsad[slot], size, MEM_READ, f->iov, FRAME_IOV_MAX);
	if (n < 0)
		return DROP_BAD_ADDRESS;
	f->hdr = (struct virtio_net_hdr_v1){ 0 };
	f->queue = 0;
	f->iovs = (uint16_t)n;
	f->length = size;
	return DROP_NONE;
}

static void end_slot(struct rtl8139 *r, uint32_t status)
{
	r->s.tsd[r->tx_slot] |= TSD_OWN | status;
	r->tx_slot = (uint8_t)((r->tx_slot + 1) % TX_SLOTS);
}

static void abort_slot(struct rtl8139 *r, enum drop_reason reason)
{
	nic_drop(&r->nic, reason);
	r->tally.tx_err++;
	r->tally.tx_abort++;
	end_slot(r, TSD_TABT);
	if (reason == DROP_BAD_ADDRESS)
		rtl8139_system_error(r);
	rtl8139_raise_sent(r, INT_TER, 0, true);
}

/* The slots are sent in turn; one whose owner bit is set ends the batch. */
static bool transmit_slots(struct rtl8139 *r)
{
	struct frame *frames = r->nic.batch;
	enum drop_reason reason = DROP_NONE;
	unsigned n = 0;

	for (; n < TX_SLOTS && reason == DROP_NONE; n += reason == DROP_NONE) {
		unsigned slot = (r->tx_slot + n) % TX_SLOTS;
		if (r->s.tsd[slot] & TSD_OWN)
			break;
		reason = frame_from_slot(r, &frames[n], slot);
	}
	unsigned taken = n ? hand_on(r, frames, n) : 0;
	for (unsigned i = 0; i < taken; i++)
		end_slot(r, TSD_TOK);
	r->tally.tx_ok += taken;
	/* a driver with all four in use waits for this: each counts like a quarter of what may be held back */
	if (taken)
		rtl8139_raise_sent(r, INT_TOK, taken * (DESC_MAX / 2 / TX_SLOTS), false);
	if (taken == n && reason != DROP_NONE)
		abort_slot(r, reason);
	return taken == n && !(r->s.tsd[r->tx_slot] & TSD_OWN);
}

void rtl8139_tx_restart(struct rtl8139 *r)
{
	r->tx_slot = 0;
	r->tx_at[RING_NORMAL] = r->tx_at[RING_HIGH] = 0;
	if (r->tx_poll)
		nic_kick(&r->nic, 0);
}

bool rtl8139_transmit(struct nic *nic, unsigned queue)
{
	struct rtl8139 *r = rtl8139_of(nic);

	if (queue || nic->stopped || !(r->s.cr & CR_TE) || !pci_bus_master(&nic->pci))
		return false;
	rtl8139_note_service(r, true);
	if (!tx_cplus(r))
		return transmit_slots(r);
	if ((r->tx_poll & TPPOLL_HPQ) && transmit_ring(r, RING_HIGH))
		return true;
	return (r->tx_poll & TPPOLL_NPQ) && transmit_ring(r, RING_NORMAL);
}
