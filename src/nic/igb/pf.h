/* pf.h - the physical function's side of a virtual function that stands alone: the administrator's policy, and what the PF's driver
 * and the card's switch do for the VF. The policy is that of Linux' igb (`ip link set DEV vf 0 ...`).
 *
 * Pure: no clock, no NIC; the caller raises the interrupts and counts. A VF may talk after it said VF_RESET ("clear to send", CTS); every
 * request before that is refused, at most once in PF_QUIET_NS. A reply stays in the mailbox until the VF has read it: drivers look for CTS
 * there when the link changes.
 */
#ifndef ANYNIC_NIC_IGB_PF_H
#define ANYNIC_NIC_IGB_PF_H

#include "base/clock.h"
#include "nic/igb/mailbox.h"
#include "nic/intel/filter.h"

#define PF_HASHES    30u /* multicast hashes that fit into a message */
#define PF_ADDRESSES 16u /* further unicast addresses */
#define PF_VLANS     32u /* entries of VLVF; the first is VLAN 0 */
#define PF_FRAME_STD 1522u
#define PF_FRAME_MAX 0x3fffu /* VMOLR.RLPML */
#define PF_QUIET_NS  (2 * NS_PER_S)

/* Messages: type in the low 16 bits, information in bits 23:16. */
enum {
	VF_RESET = 0x01,
	VF_SET_MAC = 0x02,
	VF_SET_MULTICAST = 0x03,
	VF_SET_VLAN = 0x04,
	VF_SET_LPE = 0x05,
	VF_SET_PROMISC = 0x06,
	PF_CONTROL = 0x0100,
};

#define VF_MSG_TYPE	 0x0000ffffu
#define VF_MSG_INFO	 0x00ff0000u
#define VF_MSG_CTS	 BIT(29)
#define VF_MSG_NACK	 BIT(30)
#define VF_MSG_ACK	 BIT(31)
#define VF_MAC_CLEAR	 BIT(16) /* VF_SET_MAC: forget the further addresses */
#define VF_MAC_ADD	 BIT(17) /* ... add one */
#define VF_PROMISC_MULTI BIT(17)

struct igb_vf_policy {
	uint8_t mac[MAC_LEN]; /* the VF's after each reset; zero: it may choose one */
	bool mac_fixed;	      /* the guest may not change it, unless it is trusted */
	bool trusted;
	bool spoof_check; /* frames with a foreign source address or VLAN are not sent */
	uint16_t vlan;	  /* port VLAN, which the guest does not see; 0 = none */
	uint8_t priority; /* ... and its priority */
};

struct igb_pf {
	struct igb_vf_policy policy;

	uint8_t mac[MAC_LEN]; /* now */
	bool cts;
	bool multicast_all; /* asked for */
	uint8_t hashes;	    /* as the VF said; more than PF_HASHES: all multicast */
	uint16_t hash[PF_HASHES];
	uint8_t addresses;
	uint8_t address[PF_ADDRESSES][MAC_LEN];
	uint8_t vlans;
	uint16_t vlan[PF_VLANS];
	uint16_t frame_max; /* FCS included */

	uint32_t due;	     /* MBX_REQ, MBX_ACK: signals that wait for the buffer */
	bool notice_due;     /* a link notice waits for it */
	bool reply_unread;   /* the buffer holds a reply that the VF has not acknowledged */
	uint64_t refused_ns; /* refusals keep PF_QUIET_NS of distance to this */
	uint32_t refusals;   /* NACKs since power-on */
};

/* What the caller has to do after a call: a set. */
enum igb_pf_result {
	PF_TOLD = BIT(0),    /* raise the VF's mailbox interrupt */
	PF_FILTERS = BIT(1), /* igb_pf_fill_filter again */
	PF_RESET = BIT(2),   /* VF_RESET was answered */
};

void igb_pf_init(struct igb_pf *pf, const struct igb_vf_policy *policy, uint64_t now);
/* VFLRE: CTRL.RST or FLR of the VF. Filters change. */
void igb_pf_vf_gone(struct igb_pf *pf, uint64_t now);
/* The VF wrote its mailbox register; `signals` is what igb_mailbox_vf_write returned, maybe none. */
unsigned igb_pf_serve(struct igb_pf *pf, struct igb_mailbox *m, uint32_t signals, uint64_t now);
/* The PF pings its VF when the link changes. */
unsigned igb_pf_link_changed(struct igb_pf *pf, struct igb_mailbox *m);

/* Addresses, multicast hashes and VLANs as the card's filters have them, and the RCTL that goes with them. */
uint32_t igb_pf_fill_filter(const struct igb_pf *pf, struct intel_filter *f);
/* True when tags are taken out of received frames. */
bool igb_pf_strips(const struct igb_pf *pf);
bool igb_pf_has_vlan(const struct igb_pf *pf, uint16_t vid);

/* What the switch says to a frame that the VF sends, from its first `len` bytes. */
enum drop_reason igb_pf_check_sent(const struct igb_pf *pf, const uint8_t *head, size_t len);

void igb_pf_save(const struct igb_pf *pf, uint64_t now, struct buffer *out);
/* False: cut short or out of range. */
bool igb_pf_load(struct igb_pf *pf, uint64_t now, struct reader *in);

#endif
