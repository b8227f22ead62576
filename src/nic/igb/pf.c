#include "nic/igb/pf.h"

#include <string.h>

#include "base/bytes.h"
#include "net/headers.h"
#include "nic/intel/regs.h"

#define VID_MASK  0x0fffu
#define HASH_MASK 0x0fffu

/* --- life --- */

/* What the PF forgets with every reset of its VF. */
static void forget(struct igb_pf *pf, uint64_t now)
{
	pf->cts = false;
	pf->multicast_all = false;
	pf->hashes = 0;
	pf->addresses = 0;
	pf->vlans = 1;
	pf->vlan[0] =
		pf->policy.vlan; /* VLAN 0 without a port VLAN: untagged and priority tagged */
	pf->frame_max = PF_FRAME_STD;
	pf->refused_ns = now;
}

void igb_pf_init(struct igb_pf *pf, const struct igb_vf_policy *policy, uint64_t now)
{
	*pf = (struct igb_pf){ .policy = *policy };
	igb_pf_vf_gone(pf, now);
}

void igb_pf_vf_gone(struct igb_pf *pf, uint64_t now)
{
	memcpy(pf->mac, pf->policy.mac, MAC_LEN);
	forget(pf, now);
	pf->due = 0;
	pf->notice_due = false;
	pf->reply_unread = false;
}

/* --- requests: each returns whether it is granted --- */

static void get_mac(const uint32_t *word, uint8_t mac[MAC_LEN])
{
	uint8_t bytes[8];

	put_le32(bytes, word[0]);
	put_le32(bytes + 4, word[1]);
	memcpy(mac, bytes, MAC_LEN);
}

static bool mac_is_station(const uint8_t mac[MAC_LEN])
{
	return !mac_is_zero(mac) && !mac_is_multicast(mac);
}

static bool may_choose_mac(const struct igb_pf *pf)
{
	return !pf->policy.mac_fixed || pf->policy.trusted;
}

/* Drivers ask for the MAC that they were told after each reset: Linux' PF refuses even that, and nothing is won by it. */
static bool may_have_mac(const struct igb_pf *pf, const uint8_t mac[MAC_LEN])
{
	return mac_is_station(mac) &&
	       (may_choose_mac(pf) || memcmp(mac, pf->policy.mac, MAC_LEN) == 0);
}

static bool add_address(struct igb_pf *pf, const uint8_t mac[MAC_LEN])
{
	for (unsigned i = 0; i < pf->addresses; i++)
		if (memcmp(pf->address[i], mac, MAC_LEN) == 0)
			return true;
	if (pf->addresses == PF_ADDRESSES)
		return false;
	memcpy(pf->address[pf->addresses++], mac, MAC_LEN);
	return true;
}

static bool set_mac(struct igb_pf *pf, uint32_t *msg)
{
	uint8_t mac[MAC_LEN];

	get_mac(msg + 1, mac);
	switch (msg[0] & VF_MSG_INFO) {
	case 0:
		if (!may_have_mac(pf, mac))
			return false;
		memcpy(pf->mac, mac, MAC_LEN);
		return true;
	case VF_MAC_CLEAR:
		pf->addresses = 0;
		return true;
	case VF_MAC_ADD:
		return may_have_mac(pf, mac) && add_address(pf, mac);
	default:
		return false;
	}
}

static bool set_multicast(struct igb_pf *pf, uint32_t *msg)
{
	pf->hashes = (uint8_t)((msg[0] & VF_MSG_INFO) >> 16);
	for (unsigned i = 0; i < MIN(pf->hashes, PF_HASHES); i++)
		pf->hash[i] = msg[1 + i / 2] >> (i & 1 ? 16 : 0) & HASH_MASK;
	return true;
}

static bool set_promisc(struct igb_pf *pf, uint32_t *msg)
{
	pf->multicast_all = msg[0] & VF_PROMISC_MULTI;
	msg[0] &= ~(uint32_t)VF_PROMISC_MULTI;
	return !(msg[0] & VF_MSG_INFO); /* unicast: nobody gets the others' frames */
}

static bool set_lpe(struct igb_pf *pf, uint32_t *msg)
{
	if (msg[1] == 0 || msg[1] > PF_FRAME_MAX)
		return false;
	pf->frame_max = (uint16_t)msg[1];
	return true;
}

static int find_vlan(const struct igb_pf *pf, uint16_t vid)
{
	for (unsigned i = 0; i < pf->vlans; i++)
		if (pf->vlan[i] == vid)
			return (int)i;
	return -1;
}

static bool change_vlan(struct igb_pf *pf, uint16_t vid, bool add)
{
	int at = find_vlan(pf, vid);

	if (pf->policy.vlan)
		return false;
	if (add) {
		if (at >= 0)
			return true;
		if (pf->vlans == PF_VLANS)
			return false;
		pf->vlan[pf->vlans++] = vid;
	} else if (at > 0) { /* VLAN 0 stays */
		pf->vlan[at] = pf->vlan[--pf->vlans];
	}
	return true;
}

static bool set_vlan(struct igb_pf *pf, uint32_t *msg)
{
	bool granted = change_vlan(pf, msg[1] & VID_MASK, msg[0] & VF_MSG_INFO);

	/* Linux' igbvf knows a refusal only without the information; its PF never sends that, and the VLAN is dead in silence */
	if (!granted)
		msg[0] &= ~VF_MSG_INFO;
	return granted;
}

static const struct {
	uint16_t type;
	bool (*serve)(struct igb_pf *pf, uint32_t *msg);
} requests[] = {
	{ VF_SET_MAC, set_mac }, { VF_SET_MULTICAST, set_multicast }, { VF_SET_VLAN, set_vlan },
	{ VF_SET_LPE, set_lpe }, { VF_SET_PROMISC, set_promisc },
};

static bool grant(struct igb_pf *pf, uint32_t *msg)
{
	for (unsigned i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].type == (msg[0] & VF_MSG_TYPE))
			return requests[i].serve(pf, msg);
	return false;
}

/* --- the mailbox --- */

static uint32_t clear_to_send(const struct igb_pf *pf)
{
	return pf->cts ? VF_MSG_CTS : 0;
}

static void reply(struct igb_pf *pf, struct igb_mailbox *m, uint32_t word)
{
	m->word[0] = word;
	pf->reply_unread = true;
	pf->refusals += word & VF_MSG_NACK ? 1 : 0;
}

/* A VF without CTS is told so, but not more often than PF_QUIET_NS. */
static unsigned refuse(struct igb_pf *pf, struct igb_mailbox *m, uint32_t request, uint64_t now)
{
	if (now - pf->refused_ns <= PF_QUIET_NS)
		return 0;
	pf->refused_ns = now;
	reply(pf, m, request | VF_MSG_NACK);
	return PF_TOLD;
}

/* VF_RESET: from now on the VF may send, receive and ask. This reply carries no CTS. */
static void serve_reset(struct igb_pf *pf, struct igb_mailbox *m, uint64_t now)
{
	uint8_t bytes[8] = { 0 };

	forget(pf, now);
	pf->cts = true;
	memcpy(bytes, pf->mac, MAC_LEN);
	m->word[1] = get_le32(bytes);
	m->word[2] = get_le32(bytes + 4);
	reply(pf, m, VF_RESET | (mac_is_zero(pf->mac) ? VF_MSG_NACK : VF_MSG_ACK));
}

static unsigned serve_request(struct igb_pf *pf, struct igb_mailbox *m, uint64_t now)
{
	uint32_t msg[MAILBOX_WORDS];

	memcpy(msg, m->word, sizeof(msg));
	pf->reply_unread = false;
	if (msg[0] & (VF_MSG_ACK | VF_MSG_NACK))
		return 0; /* our own reply, sent back */
	if (msg[0] == VF_RESET) {
		serve_reset(pf, m, now);
		return PF_TOLD | PF_FILTERS | PF_RESET;
	}
	if (!pf->cts)
		return refuse(pf, m, msg[0], now);
	bool granted = grant(pf, msg);
	reply(pf, m, msg[0] | VF_MSG_CTS | (granted ? VF_MSG_ACK : VF_MSG_NACK));
	return PF_TOLD | PF_FILTERS;
}

/* A VF that reads without having said VF_RESET has missed a reset: the NACK makes its driver start over. */
static unsigned serve_ack(struct igb_pf *pf, struct igb_mailbox *m, uint64_t now)
{
	pf->reply_unread = false;
	return pf->cts || (pf->due & MBX_REQ) ? 0 : refuse(pf, m, 0, now);
}

static void ping(struct igb_pf *pf, struct igb_mailbox *m)
{
	pf->notice_due = false;
	if (!pf->reply_unread) /* one that waits says CTS too */
		m->word[0] = PF_CONTROL | clear_to_send(pf);
}

unsigned igb_pf_serve(struct igb_pf *pf, struct igb_mailbox *m, uint32_t signals, uint64_t now)
{
	unsigned result = 0;
	uint32_t tell = 0;

	pf->due |= signals;
	if ((!pf->due && !pf->notice_due) || !igb_mailbox_pf_take(m))
		return 0;
	if (pf->due & MBX_ACK)
		result |= serve_ack(pf, m, now);
	if (pf->due & MBX_REQ) {
		result |= serve_request(pf, m, now) | PF_TOLD;
		tell |= MBX_PFACK;
	}
	pf->due = 0;
	if (pf->reply_unread && (result & PF_TOLD)) {
		pf->notice_due = false;
		tell |= MBX_PFSTS;
	} else if (pf->notice_due) {
		ping(pf, m);
		tell |= MBX_PFSTS;
		result |= PF_TOLD;
	}
	igb_mailbox_pf_give(m, tell);
	return result;
}

unsigned igb_pf_link_changed(struct igb_pf *pf, struct igb_mailbox *m)
{
	pf->notice_due = true;
	return igb_pf_serve(pf, m, 0, 0);
}

/* --- filters and the switch --- */

static void set_address(struct intel_address *ra, const uint8_t mac[MAC_LEN])
{
	ra->low = get_le32(mac);
	ra->high = get_le16(mac + 4) | RAH_AV;
}

uint32_t igb_pf_fill_filter(const struct igb_pf *pf, struct intel_filter *f)
{
	memset(f, 0, sizeof(*f));
	if (!mac_is_zero(pf->mac))
		set_address(&f->ra[0], pf->mac);
	for (unsigned i = 0; i < pf->addresses; i++)
		set_address(&f->ra[1 + i], pf->address[i]);
	for (unsigned i = 0; i < MIN(pf->hashes, PF_HASHES); i++)
		f->mta[pf->hash[i] / 32] |= BIT(pf->hash[i] % 32);
	for (unsigned i = 0; i < pf->vlans; i++)
		f->vfta[pf->vlan[i] / 32] |= BIT(pf->vlan[i] % 32);
	return RCTL_EN | RCTL_BAM | RCTL_VFE |
	       (pf->multicast_all || pf->hashes > PF_HASHES ? RCTL_MPE : 0);
}

bool igb_pf_strips(const struct igb_pf *pf)
{
	return pf->policy.vlan || pf->vlans > 1;
}

bool igb_pf_has_vlan(const struct igb_pf *pf, uint16_t vid)
{
	return find_vlan(pf, vid) >= 0;
}

static bool is_own_address(const struct igb_pf *pf, const uint8_t mac[MAC_LEN])
{
	if (memcmp(pf->mac, mac, MAC_LEN) == 0)
		return true;
	for (unsigned i = 0; i < pf->addresses; i++)
		if (memcmp(pf->address[i], mac, MAC_LEN) == 0)
			return true;
	return false;
}

enum drop_reason igb_pf_check_sent(const struct igb_pf *pf, const uint8_t *head, size_t len)
{
	if (len < ETH_HEADER)
		return DROP_RUNT;
	if (!pf->policy.spoof_check)
		return DROP_NONE;
	if (!is_own_address(pf, head + MAC_LEN))
		return DROP_SPOOFED;
	if (get_be16(head + ETHERTYPE_AT) != ETHERTYPE_VLAN)
		return DROP_NONE;
	if (len < ETH_HEADER + VLAN_TAG)
		return DROP_RUNT;
	/* behind a port VLAN a tag of the guest's own leads to somebody else's network */
	return pf->policy.vlan || find_vlan(pf, get_be16(head + ETH_HEADER) & VID_MASK) < 0
		       ? DROP_SPOOFED
		       : DROP_NONE;
}

/* --- saved state --- */

void igb_pf_save(const struct igb_pf *pf, uint64_t now, struct buffer *out)
{
	buffer_put(out, pf->mac, MAC_LEN);
	buffer_put_u8(out, pf->cts);
	buffer_put_u8(out, pf->multicast_all);
	buffer_put_u8(out, pf->hashes);
	for (unsigned i = 0; i < MIN(pf->hashes, PF_HASHES); i++)
		buffer_put_u16(out, pf->hash[i]);
	buffer_put_u8(out, pf->addresses);
	buffer_put(out, pf->address, (size_t)pf->addresses * MAC_LEN);
	buffer_put_u8(out, pf->vlans);
	for (unsigned i = 0; i < pf->vlans; i++)
		buffer_put_u16(out, pf->vlan[i]);
	buffer_put_u16(out, pf->frame_max);
	buffer_put_u8(out, (uint8_t)pf->due);
	buffer_put_u8(out, pf->notice_due);
	buffer_put_u8(out, pf->reply_unread);
	buffer_put_u64(out, now - pf->refused_ns);
	buffer_put_u32(out, pf->refusals);
}

bool igb_pf_load(struct igb_pf *pf, uint64_t now, struct reader *in)
{
	struct igb_pf p = { .policy = pf->policy };

	reader_get(in, p.mac, MAC_LEN);
	p.cts = reader_u8(in) & 1;
	p.multicast_all = reader_u8(in) & 1;
	p.hashes = reader_u8(in);
	for (unsigned i = 0; i < MIN(p.hashes, PF_HASHES); i++)
		p.hash[i] = reader_u16(in) & HASH_MASK;
	p.addresses = reader_u8(in);
	if (p.addresses > PF_ADDRESSES)
		return false;
	reader_get(in, p.address, (size_t)p.addresses * MAC_LEN);
	p.vlans = reader_u8(in);
	if (p.vlans < 1 || p.vlans > PF_VLANS)
		return false;
	for (unsigned i = 0; i < p.vlans; i++)
		p.vlan[i] = reader_u16(in) & VID_MASK;
	p.frame_max = reader_u16(in) & PF_FRAME_MAX;
	p.due = reader_u8(in) & (MBX_REQ | MBX_ACK);
	p.notice_due = reader_u8(in) & 1;
	p.reply_unread = reader_u8(in) & 1;
	p.refused_ns = now - reader_u64(in);
	p.refusals = reader_u32(in);
	if (in->failed)
		return false;
	*pf = p;
	return true;
}
