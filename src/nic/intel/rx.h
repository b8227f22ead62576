/* rx.h - frames for the guest: what the card finds out about a frame, and how it lies in the guest's buffers.
 *
 * intel_rx_look copies the first bytes of a frame once and parses them; filters, queue choice, checksums and the write-back all work on
 * that. intel_rx_put copies the frame into as many descriptors as it needs and writes them back, the last one last. A frame for
 * which the guest gave no room is not lost: -ENOBUFS leaves the ring as it was, the model's receive() takes fewer frames, and sets
 * nic->notes.rx_ready when the tail is written.
 */
#ifndef ANYNIC_NIC_INTEL_RX_H
#define ANYNIC_NIC_INTEL_RX_H

#include "nic/intel/ring.h"
#include "nic/intel/tx.h"

#define RX_HEAD	 192u /* bytes that are looked at */
#define FCS_SIZE 4u

enum intel_l3 { L3_OTHER, L3_IPV4, L3_IPV6, INTEL_L3_COUNT };

enum intel_rx_flag {
	RXF_VLAN = BIT(0),	 /* has an 802.1Q tag (EtherType 0x8100, or VET): `tag` */
	RXF_FRAGMENT = BIT(1),	 /* IP fragment */
	RXF_OPTIONS = BIT(2),	 /* IPv4 options or IPv6 extension headers */
	RXF_IP_CHECKED = BIT(3), /* IPv4 header checksum was looked at */
	RXF_IP_BAD = BIT(4),
	RXF_L4_CHECKED = BIT(5), /* TCP, UDP (not 0) or SCTP checksum was looked at */
	RXF_L4_BAD = BIT(6),
	RXF_UDP_ZERO = BIT(7), /* UDP without a checksum */
	RXF_PTP_L2 = BIT(8),   /* EtherType 0x88f7 */
	RXF_PTP_L4 = BIT(9),   /* UDP port 319 */
};

struct intel_rx_info {
	const struct frame *frame;
	uint32_t length;		   /* of the frame, without FCS */
	uint32_t flags;			   /* enum intel_rx_flag */
	uint8_t l3, l4;			   /* enum intel_l3, enum intel_l4 */
	uint16_t ethertype;		   /* behind the tag */
	uint16_t tag;			   /* VLAN TCI, host order */
	uint16_t l3_at, l4_at, payload_at; /* 0 = not found in the bytes looked at */
	uint32_t ip_end;		   /* where the IP packet ends: padding follows */
	uint8_t ptp_at;			   /* where the PTP header begins; 0 = none */
	uint16_t have;			   /* bytes in `head` */
	uint8_t head[RX_HEAD];
};

/* `vlan_type` is the EtherType that counts as a tag (VET). Sums nothing yet. */
void intel_rx_look(struct intel_rx_info *info, const struct frame *f, uint16_t vlan_type);

/* Checks IPv4, TCP, UDP and SCTP checksums as far as `ip` and `l4` ask, and sets the flags. Frames that the other side vouches for
 * (DATA_VALID, NEEDS_CSUM) are not summed again. */
void intel_rx_check(struct intel_rx_info *info, bool ip, bool l4);

/* How the frame shall look in memory. */
struct intel_image {
	const struct intel_rx_info *info;
	uint32_t cut;	 /* 4: the VLAN tag is taken out */
	uint32_t prefix; /* bytes in front of the frame (igc: time stamps), from `prefix_data` */
	uint32_t length; /* bytes in guest memory: prefix, frame, padding, FCS */
	uint8_t prefix_data[32];
	uint8_t tail[FRAME_MIN + FCS_SIZE]; /* padding and FCS */
	uint32_t tail_at;
};

/* `fcs`: four bytes follow (RCTL.SECRC is off; zero, nobody checks them again). Short frames are padded to 60 bytes. */
void intel_image_make(struct intel_image *im, const struct intel_rx_info *info, bool strip_vlan,
		      bool fcs);

/* Copies bytes [at, at + len) of the image to a guest address. False outside guest memory. */
bool intel_image_write(struct nic *nic, const struct intel_image *im, uint32_t at, uint64_t address,
		       uint32_t len);

#define RX_BUFFERS_MAX 4u

struct intel_rx_buffer {
	uint64_t address;
	uint32_t size; /* 0 = not used */
};

struct intel_rx;

/* How one kind of receive descriptor is read and written. */
struct intel_rx_format {
	uint8_t desc_size;
	uint8_t from;	   /* first byte that is written back */
	uint8_t status_at; /* offset of the dword with DD, written last */
	/* Buffers of a descriptor, in the order in which they are filled; how many. `first`: it begins a frame. */
	unsigned (*buffers)(const struct intel_rx *rx, const struct intel_image *im,
			    const struct intel_desc raw[2], bool first,
			    struct intel_rx_buffer out[RX_BUFFERS_MAX]);
	/* The descriptor to write back: `used[i]` bytes went into buffer i; `last`: EOP. */
	void (*write_back)(const struct intel_rx *rx, const struct intel_image *im,
			   const uint32_t used[RX_BUFFERS_MAX], bool last, uint8_t out[32]);
};

/* Legacy (8254x manual 3.2.3, 82576 7.1.4): all cards. */
extern const struct intel_rx_format intel_rx_legacy;
/* Advanced, one buffer and header split (82576 7.1.5): igb, igbvf, igc. */
extern const struct intel_rx_format intel_rx_advanced;

/* Packet type of the advanced write-back (82576 7.1.5.2), as it lies beside the RSS type. */
enum intel_rx_type {
	RXT_IPV4 = BIT(4),
	RXT_IPV4_OPTIONS = BIT(5),
	RXT_IPV6 = BIT(6),
	RXT_IPV6_EXTENSIONS = BIT(7),
	RXT_TCP = BIT(8),
	RXT_UDP = BIT(9),
	RXT_SCTP = BIT(10),
	RXT_ETQF = BIT(15), /* bits 6:4: which EtherType filter; no other type then */
};

uint16_t intel_rx_packet_type(const struct intel_rx_info *info);

/* Where PSRTYPE wants a frame to be split: bytes of its header, 0 = not at all. */
uint16_t intel_rx_header_length(const struct intel_rx_info *info, uint32_t psrtype);

/* Status byte of the last descriptor (VP, IPCS, TCPCS, UDPCS and the model's own) and its error byte, as the legacy layout has
 * them; other layouts move them. */
uint8_t intel_rx_status(const struct intel_rx *rx, const struct intel_image *im, uint8_t *errors);

/* What a model lends to the delivery of one frame. */
struct intel_rx {
	struct nic *nic;
	struct intel_ring *ring; /* its head moves */
	const struct intel_rx_format *format;
	uint32_t buffer_size;	/* bytes of a packet buffer */
	uint32_t header_size;	/* bytes of a header buffer; 0 = none */
	uint16_t header_length; /* of this frame: intel_rx_header_length() */
	bool split_always;	/* header split even where no header is found */
	uint32_t
		status; /* bits for the write-back that the model knows: e.g. PIF, TS; advanced: of the whole dword */
	uint32_t errors;
	uint32_t rss_hash;
	uint8_t rss_type;	   /* 0 = none */
	uint16_t packet_type;	   /* advanced: the model's or intel_rx_packet_type() */
	bool report_ip, report_l4; /* RXCSUM.IPOFLD, TUOFLD: checksum bits are given */
	bool fragment_csum;	   /* PCSD off: the RSS field carries IP id and checksum */
};

/* 0; -ENOBUFS: not enough descriptors now, nothing was used; -EMSGSIZE: more than the whole ring holds; -EFAULT: a buffer is outside guest
 * memory: its descriptors are given back, the frame is lost. */
int intel_rx_put(struct intel_rx *rx, const struct intel_image *im);

/* Takes frames that the card sent to itself (MAC or PHY loopback, another pool): offloads are done, then `receive` is called for
 * each resulting frame; what finds no room is dropped like on a wire. How many were taken: fewer when they become so many
 * segments that the worker has to look after others; then all queues are runnable. */
unsigned intel_loop_back(struct nic *nic, struct frame *frames, unsigned n,
			 unsigned (*receive)(struct nic *nic, const struct frame *frames,
					     unsigned n));
/* The same bound for who loops frames back one by one: false when the turn is over. `*spent` begins as 0. */
bool intel_loop_turn(struct nic *nic, const struct frame *f, unsigned *spent);

#endif
