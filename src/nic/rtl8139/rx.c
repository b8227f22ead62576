/* rx.c - frames for the guest: a ring of bytes in C mode, descriptors in C+ mode.
 *
 * Each frame is copied once, from where it is into guest memory, with what the chip adds: padding to 60 bytes and four bytes of
 * FCS. A frame for which there is no room is not lost: receive() takes fewer frames, and the owner tries again when
 * notes.rx_ready says that buffers came. C+ mode has no doorbell for that: the chip would look at its descriptor when the next
 * frame comes, so we look at every access that drivers make after they gave buffers, and every now and then by the clock.
 */
#include <string.h>

#include "base/bytes.h"
#include "net/csum.h"
#include "net/headers.h"
#include "nic/rtl8139/rtl8139.h"

#define LOOK_FIRST_NS 250000u
#define LOOK_LAST_NS  64000000u

/* What the guest will see of a frame. */
struct image {
	const struct frame *f;
	uint32_t cut;	       /* 4: the tag behind the addresses is left out */
	uint32_t frame_length; /* bytes that come from the frame */
	uint32_t length;       /* with padding and FCS */
	uint32_t tail_at;      /* where padding and FCS begin */
	uint8_t tail[FRAME_MIN + FCS_SIZE];
	uint32_t kind;		   /* RXH_BROADCAST ... */
	uint16_t tag;		   /* as in the descriptor */
	uint8_t head[HEADERS_MAX]; /* first bytes of the frame, copied once */
	size_t have;
};

/* --- filter --- */

/* CRC of IEEE 802.3, most significant bit first, without the final inversion. */
static uint32_t ether_crc(const uint8_t *data, size_t len)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bool carry = (crc >> 31) ^ (data[i] >> bit & 1);
			crc = crc << 1 ^ (carry ? 0x04c11db7u : 0);
		}
	return crc;
}

static bool hash_hit(const struct rtl8139 *r, const uint8_t *mac)
{
	uint32_t bit = ether_crc(mac, MAC_LEN) >> 26;

	return r->s.kept.mar[bit / 8] >> (bit % 8) & 1;
}

/* The kind of address, or 0 when the filter does not want the frame (RCR; datasheet 5.8). */
static uint32_t accept(const struct rtl8139 *r, const uint8_t *mac)
{
	static const uint8_t broadcast[MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint32_t rcr = r->s.rcr;

	if (memcmp(mac, broadcast, MAC_LEN) == 0)
		return rcr & RCR_AB ? RXH_BROADCAST : 0;
	if (mac_is_multicast(mac))
		return rcr & RCR_AM && hash_hit(r, mac) ? RXH_MULTICAST : 0;
	bool mine = memcmp(mac, r->s.kept.idr, MAC_LEN) == 0;
	if (mine && (rcr & (RCR_APM | RCR_AAP)))
		return RXH_PHYSICAL;
	return rcr & RCR_AAP ? RXH_OK : 0; /* another station's: no address bit is set */
}

/* --- the image --- */

static void make_image(struct image *im, const struct rtl8139 *r, const struct frame *f)
{
	im->f = f;
	im->have = frame_copy_out(f, 0, im->head, sizeof(im->head));
	im->cut = 0;
	im->tag = 0;
	if (rx_cplus(r) && (r->s.cpcr & CPCR_RXVLAN) && im->have >= ETHERTYPE_AT + VLAN_TAG + 2 &&
	    get_be16(im->head + ETHERTYPE_AT) == ETHERTYPE_VLAN) {
		im->cut = VLAN_TAG;
		im->tag = get_le16(im->head + ETHERTYPE_AT + 2);
	}
	im->frame_length = f->length - im->cut;
	im->tail_at = im->frame_length;
	im->length = MAX(im->frame_length, FRAME_MIN) + FCS_SIZE;
	memset(im->tail, 0, im->length - im->tail_at);
}

/* FCS of the whole image. The chip has checked it, and no driver looks at it unless it asks for broken frames too
 * (RCR.AER); otherwise four zero bytes stand in its place. */
static void add_fcs(struct image *im, const uint8_t *linear)
{
	uint32_t crc = ether_crc(linear, im->length - FCS_SIZE);
	uint32_t fcs = 0;

	for (unsigned bit = 0; bit < 32; bit++)
		fcs |= (~crc >> (31 - bit) & 1) << bit;
	put_le32(im->tail + (im->length - FCS_SIZE - im->tail_at), fcs);
}

/* Copies bytes [at, at + len) of the image. */
static void image_copy(const struct image *im, uint32_t at, uint8_t *to, uint32_t len)
{
	if (at < ETHERTYPE_AT && im->cut) {
		uint32_t n = MIN(len, ETHERTYPE_AT - at);
		frame_copy_out(im->f, at, to, n);
		at += n;
		to += n;
		len -= n;
	}
	if (len && at < im->frame_length) {
		uint32_t n = MIN(len, im->frame_length - at);
		frame_copy_out(im->f, at + im->cut, to, n);
		at += n;
		to += n;
		len -= n;
	}
	if (len)
		memcpy(to, im->tail + (at - im->tail_at), len);
}

/* Copies a part of the image to a guest address. False when it is not all memory. */
static bool image_write(struct rtl8139 *r, const struct image *im, uint32_t at, uint64_t address,
			uint32_t len)
{
	struct iovec piece[4];
	int n = mem_iov(&r->nic.mem, address, len, MEM_WRITE, piece, ARRAY_SIZE(piece));

	for (int i = 0; i < n; i++) {
		image_copy(im, at, piece[i].iov_base, (uint32_t)piece[i].iov_len);
		at += (uint32_t)piece[i].iov_len;
	}
	return n >= 0;
}

/* --- receive checksums of the C+ chip --- */

/* Is the TCP or UDP checksum right? What the other side vouches for is not summed again. */
static bool l4_right(const struct image *im, const struct ip_layers *ip)
{
	const struct frame *f = im->f;

	if (f->hdr.flags & (VIRTIO_NET_HDR_F_DATA_VALID | VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	if (ip->protocol == PROTO_UDP && get_be16(im->head + ip->l4 + UDP_CSUM) == 0)
		return true; /* the sender made none */
	uint32_t sum = rtl8139_pseudo_sum(im->head, ip, ip->end - ip->l4);
	return csum_fold(frame_sum(f, ip->l4, ip->end, sum)) == 0;
}

/* Protocol and checksum bits of opts1 (RTL8139C(L)+ 9.2.2). */
static uint32_t checksum_bits(const struct rtl8139 *r, const struct image *im)
{
	struct ip_layers ip;

	if (!(r->s.cpcr & CPCR_RXCSUM) ||
	    !rtl8139_parse_ipv4(im->head, im->have, im->f->length, &ip))
		return 0;
	if (csum_fold(csum_add(0, im->head + ip.l2, ip.l4 - ip.l2, false)) != 0)
		return RXD_IP | RXD_IPF;
	if (!ip.headers)
		return RXD_IP;
	if (ip.protocol == PROTO_TCP)
		return RXD_TCP | (l4_right(im, &ip) ? 0 : RXD_TCPF);
	return RXD_UDP | (l4_right(im, &ip) ? 0 : RXD_UDPF);
}

/* --- C+ mode --- */

enum room { ROOM_TAKEN, ROOM_NONE, ROOM_NEVER, ROOM_BAD };

struct rx_piece {
	uint32_t opts1;
	uint64_t address;
	uint8_t index;
};

static uint64_t rx_base(const struct rtl8139 *r)
{
	return ((uint64_t)r->s.rdsar[1] << 32 | r->s.rdsar[0]) & ~DESC_ALIGN;
}

static uint8_t rx_next(uint8_t index, uint32_t opts1)
{
	return opts1 & DESC_EOR ? 0 : (uint8_t)((index + 1) % DESC_MAX);
}

/* Finds the descriptors that the frame will fill. Nothing is written yet. */
static enum room find_room(struct rtl8139 *r, uint32_t length, struct rx_piece *piece,
			   unsigned *count)
{
	uint64_t visited = 0; /* no descriptor is used twice, wherever end marks lead */
	uint32_t room = 0;
	uint8_t at = r->rx_at;

	for (unsigned n = 0; !(visited >> at & 1); n++) {
		const uint8_t *p = mem_pointer(&r->nic.mem, rx_base(r) + at * DESC_SIZE, DESC_SIZE,
					       MEM_READ | MEM_WRITE);
		if (!p)
			return ROOM_BAD;
		piece[n].opts1 = get_le32(p);
		if (!(piece[n].opts1 & DESC_OWN))
			return ROOM_NONE;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		piece[n].address = get_le64(p + 8);
		piece[n].index = at;
		room += piece[n].opts1 & RXD_SIZE;
		*count = n + 1;
		if (room >= length)
			return ROOM_TAKEN;
		visited |= 1ull << at;
		at = rx_next(at, piece[n].opts1);
	}
	return ROOM_NEVER;
}

static void rx_give_back(struct rtl8139 *r, const struct rx_piece *piece, uint32_t opts1,
			 uint32_t opts2)
{
	uint8_t *p = mem_pointer(&r->nic.mem, rx_base(r) + piece->index * DESC_SIZE, DESC_SIZE,
				 MEM_WRITE);

	if (p) {
		put_le32(p + 4, opts2);
		__atomic_thread_fence(__ATOMIC_RELEASE);
		put_le32(p, opts1 | (piece->opts1 & DESC_EOR));
	}
	r->rx_at = rx_next(piece->index, piece->opts1);
}

/* Status words: sizes of the pieces, the whole length in the last one. The first goes back last, so that a driver that
 * finds it finds the whole frame. */
static void publish(struct rtl8139 *r, const struct rx_piece *piece, unsigned count,
		    uint32_t status, uint32_t opts2, uint32_t length)
{
	for (unsigned i = count; i-- > 0;) {
		uint32_t opts1 = status | (i == 0 ? DESC_FS : 0);
		opts1 |= i == count - 1 ? DESC_LS | (length & RXD_SIZE) : piece[i].opts1 & RXD_SIZE;
		rx_give_back(r, &piece[i], opts1, opts2);
	}
	r->rx_last = piece[count - 1].index;
	r->rx_at = rx_next(r->rx_last, piece[count - 1].opts1);
}

static uint32_t address_bits(uint32_t kind)
{
	switch (kind) {
	case RXH_BROADCAST:
		return RXD_BROADCAST;
	case RXH_MULTICAST:
		return RXD_MULTICAST;
	case RXH_PHYSICAL:
		return RXD_PHYSICAL;
	default:
		return 0;
	}
}

static enum room receive_descriptors(struct rtl8139 *r, const struct image *im)
{
	struct rx_piece piece[DESC_MAX];
	unsigned count = 0;
	uint32_t at = 0;

	if (im->length > RXD_SIZE)
		return ROOM_NEVER;
	enum room room = find_room(r, im->length, piece, &count);
	if (room != ROOM_TAKEN)
		return room;
	r->rx_given = true;
	bool good = true;
	for (unsigned i = 0; i < count; i++) {
		uint32_t n = MIN(piece[i].opts1 & RXD_SIZE, im->length - at);
		good &= image_write(r, im, at, piece[i].address, n);
		at += n;
	}
	uint32_t status = address_bits(im->kind) | (good ? checksum_bits(r, im) : RXD_RES);
	publish(r, piece, count, status, im->cut ? RXD_TAVA | im->tag : 0, im->length);
	return good ? ROOM_TAKEN : ROOM_BAD;
}

/* --- C mode --- */

static uint32_t ring_size(const struct rtl8139 *r)
{
	return 8192u << (r->s.rcr >> RCR_RBLEN_SHIFT & 3);
}

/* Where the driver reads: CAPR holds that place minus 16. */
static uint32_t read_at(const struct rtl8139 *r)
{
	return (r->s.capr + 16u) & (ring_size(r) - 1);
}

bool rtl8139_rx_empty(const struct rtl8139 *r)
{
	return (r->s.cbr & (ring_size(r) - 1)) == read_at(r);
}

/* In C+ mode the driver gives a descriptor back when it has taken the frame. */
bool rtl8139_rx_consumed(struct rtl8139 *r)
{
	if (!rx_cplus(r))
		return rtl8139_rx_empty(r);
	const uint8_t *p = r->nic.stopped
				   ? NULL
				   : mem_pointer(&r->nic.mem, rx_base(r) + r->rx_last * DESC_SIZE,
						 DESC_SIZE, MEM_READ);
	return p && (get_le32(p) & DESC_OWN);
}

static uint32_t ring_free(const struct rtl8139 *r)
{
	uint32_t size = ring_size(r);
	uint32_t used = (r->s.cbr - read_at(r)) & (size - 1);

	/* one filled to the last byte would look empty: callers want more than they need */
	return size - used;
}

/* A part of the ring: wraps at its end, or, with RCR.WRAP, goes on behind it (not with 64 KiB; datasheet 5.8). */
static bool ring_write(struct rtl8139 *r, const struct image *im, uint32_t at, uint32_t ring_at,
		       uint32_t len)
{
	uint32_t size = ring_size(r);
	bool linear = (r->s.rcr & RCR_WRAP) && size < 65536;

	if (!linear && ring_at >= size)
		ring_at -= size;
	uint32_t first = linear || ring_at + len <= size ? len : size - ring_at;

	return image_write(r, im, at, (uint64_t)r->s.rbstart + ring_at, first) &&
	       image_write(r, im, at + first, r->s.rbstart, len - first);
}

static enum room receive_ring(struct rtl8139 *r, const struct image *im)
{
	uint32_t size = ring_size(r), at = r->s.cbr & (size - 1);
	uint32_t need = (4 + im->length + 3) & ~3u;
	uint8_t header[4];

	if (im->frame_length > C_FRAME_MAX)
		return ROOM_NEVER; /* drivers leave no more than that behind the ring */
	if (need >= ring_free(r))
		return ROOM_NONE;
	put_le16(header, (uint16_t)(im->kind | RXH_OK));
	put_le16(header + 2, (uint16_t)im->length);
	/* the ring is a multiple of 4 long and so is every step: the header never wraps */
	if (!ring_write(r, im, 0, at + 4, im->length))
		return ROOM_BAD;
	if (!mem_write(&r->nic.mem, (uint64_t)r->s.rbstart + at, header, sizeof(header)))
		return ROOM_BAD;
	r->s.cbr = (uint16_t)((at + need) & (size - 1));
	return ROOM_TAKEN;
}

/* --- both --- */

static void count_frame(struct rtl8139 *r, const struct image *im)
{
	struct rtl8139_tally *t = &r->tally;

	r->nic.counters.rx_frames++;
	r->nic.counters.rx_bytes += im->f->length;
	t->rx_ok++;
	t->rx_physical += im->kind == RXH_PHYSICAL;
	t->rx_broadcast += im->kind == RXH_BROADCAST;
	t->rx_multicast += im->kind == RXH_MULTICAST;
}

static uint16_t lose(struct rtl8139 *r, enum room why)
{
	nic_drop(&r->nic, why == ROOM_BAD ? DROP_BAD_ADDRESS : DROP_OVERSIZE);
	r->tally.rx_err++;
	r->tally.missed++;
	r->s.mpc = (r->s.mpc + 1) & 0xffffff;
	if (why == ROOM_BAD)
		rtl8139_system_error(r);
	return INT_RER;
}

/* No room now: remember, tell a C+ driver once, and look again later. */
static uint16_t starve(struct rtl8139 *r)
{
	bool told = r->rx_starved;

	r->rx_starved = true;
	if (!rx_cplus(r))
		return 0; /* CAPR will tell */
	if (!told) {
		r->rx_look_wait_ns = LOOK_FIRST_NS;
		r->rx_look_due_ns = nic_now(&r->nic) + LOOK_FIRST_NS;
		rtl8139_arm(r);
	}
	return told ? 0 : INT_RDU;
}

static enum room receive_one(struct rtl8139 *r, const struct frame *f, uint16_t *causes)
{
	struct image im;

	im.kind = f->length >= ETH_HEADER && frame_copy_out(f, 0, im.head, MAC_LEN) == MAC_LEN
			  ? accept(r, im.head)
			  : 0;
	if (!im.kind) {
		nic_drop(&r->nic, f->length < ETH_HEADER ? DROP_RUNT : DROP_FILTERED);
		return ROOM_TAKEN;
	}
	make_image(&im, r, f);
	if (r->s.rcr & RCR_AER && im.length <= RXD_SIZE) {
		uint8_t linear[RXD_SIZE + 1];
		image_copy(&im, 0, linear, im.length - FCS_SIZE);
		add_fcs(&im, linear);
	}
	enum room room = rx_cplus(r) ? receive_descriptors(r, &im) : receive_ring(r, &im);
	if (room == ROOM_TAKEN) {
		*causes |= INT_ROK;
		count_frame(r, &im);
	} else if (room == ROOM_NONE) {
		*causes |= starve(r);
	} else {
		*causes |= lose(r, room);
	}
	return room;
}

unsigned rtl8139_receive(struct nic *nic, const struct frame *frames, unsigned n)
{
	struct rtl8139 *r = rtl8139_of(nic);
	uint16_t causes = 0;
	unsigned taken = 0;

	if (nic->stopped)
		return 0;
	if (!(r->s.cr & CR_RE) || in_loopback(r) || !pci_bus_master(&nic->pci)) {
		nic->counters.drop[DROP_RX_DISABLED] += n;
		return n;
	}
	while (taken < n && receive_one(r, &frames[taken], &causes) != ROOM_NONE)
		taken++;
	if (causes)
		rtl8139_raise(r, causes);
	return taken;
}

/* TCR.LBK: the frame comes back through the receiver. It is copied first, for a guest may let both sides use the same memory,
 * and nothing here leads back to the transmitter (CVE-2021-3416). */
void rtl8139_loop_back(struct rtl8139 *r, const struct frame *f)
{
	uint8_t copy[RXD_SIZE + 1];
	uint16_t causes = 0;
	struct frame looped;

	if (!(r->s.cr & CR_RE)) {
		nic_drop(&r->nic, DROP_RX_DISABLED);
		return;
	}
	if (f->hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE || f->length > RXD_SIZE) {
		nic_drop(&r->nic, DROP_OVERSIZE);
		return;
	}
	frame_set_linear(&looped, copy, frame_copy_out(f, 0, copy, f->length));
	if (f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		uint32_t start = f->hdr.csum_start, at = start + f->hdr.csum_offset;
		if (at + 2 > looped.length)
			return;
		uint16_t sum = csum_fold(csum_add(0, copy + start, looped.length - start, false));
		put_be16(copy + at, sum ? sum : 0xffff); /* 0 would mean none (RFC 768) */
	}
	if (receive_one(r, &looped, &causes) == ROOM_NONE)
		nic_drop(&r->nic, DROP_NO_BUFFER); /* the wire inside the chip cannot wait */
	rtl8139_raise(r, causes);
}

void rtl8139_rx_restart(struct rtl8139 *r)
{
	r->rx_at = r->rx_last = 0;
	r->s.cbr = 0;
	r->s.capr = 0xfff0;
	rtl8139_rx_stop(r);
	rtl8139_rx_look(r);
}

/* What waits at the backend is offered again: to a receiver that is off, so that it is dropped, or to the new ring. */
void rtl8139_rx_stop(struct rtl8139 *r)
{
	r->rx_given = false;
	r->rx_starved = false;
	r->rx_look_due_ns = 0;
	r->nic.notes.rx_ready = true;
}

static bool next_descriptor_given(struct rtl8139 *r)
{
	const uint8_t *p = mem_pointer(&r->nic.mem, rx_base(r) + r->rx_at * DESC_SIZE, DESC_SIZE,
				       MEM_READ | MEM_WRITE);

	return p && (get_le32(p) & DESC_OWN);
}

void rtl8139_rx_look(struct rtl8139 *r)
{
	bool cplus = rx_cplus(r);

	if (!(r->s.cr & CR_RE) || r->nic.stopped || (!r->rx_starved && (r->rx_given || !cplus)))
		return;
	bool room = cplus ? rx_base(r) && next_descriptor_given(r) : ring_free(r) > C_FRAME_MAX + 8;
	if (room ||
	    !pci_bus_master(&r->nic.pci)) { /* without bus mastering what waits is to be dropped */
		r->nic.notes.status_dirty |= room && !r->rx_given;
		r->rx_given |= room;
		r->nic.notes.rx_ready |= r->rx_starved;
		r->rx_starved = false;
		r->rx_look_due_ns = 0;
	}
}

void rtl8139_rx_look_by_clock(struct rtl8139 *r)
{
	rtl8139_rx_look(r);
	if (!r->rx_starved) {
		r->rx_look_due_ns = 0;
		return;
	}
	/* twice as long each time: a guest that gives nothing costs nothing */
	r->rx_look_wait_ns = MIN(r->rx_look_wait_ns * 2, LOOK_LAST_NS);
	r->rx_look_due_ns = nic_now(&r->nic) + r->rx_look_wait_ns;
}
