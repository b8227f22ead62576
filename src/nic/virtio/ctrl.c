/* ctrl.c - the control queue (virtio 1.x, 5.1.6.5), and the receive filter that it sets. */
#include <string.h>

#include "base/bytes.h"
#include "net/headers.h"
#include "nic/virtio/virtio_net.h"

#define PIECES	 32
#define COMMANDS 16 /* of one turn */

/* The bytes of a command, read once and in order. */
struct command {
	const struct iovec *iov;
	unsigned count;
	size_t at, left;
};

static bool take(struct command *c, void *to, size_t n)
{
	if (n > c->left || iov_to_buffer(c->iov, c->count, c->at, to, n) != n)
		return false;
	c->at += n;
	c->left -= n;
	return true;
}

static bool take_u8(struct command *c, uint8_t *to)
{
	return take(c, to, 1);
}

static bool take_u16(struct command *c, uint16_t *to)
{
	bool ok = take(c, to, 2);

	*to = ok ? le16toh(*to) : 0;
	return ok;
}

/* --- the filter --- */

void virtio_filter_reset(struct virtio_filter *f)
{
	/* 5.1.6.5.1: everything passes until the driver says otherwise */
	*f = (struct virtio_filter){ .mode[RX_PROMISC] = 1 };
}

static bool listed(const struct virtio_filter *f, unsigned from, unsigned count, const uint8_t *mac)
{
	for (unsigned i = from; i < from + count; i++)
		if (memcmp(f->mac[i], mac, MAC_LEN) == 0)
			return true;
	return false;
}

static bool vlan_passes(const struct virtio_net *v, const uint8_t *head)
{
	uint16_t id = get_be16(head + ETH_HEADER) & 0xfff;

	if (!virtio_has(v, VIRTIO_NET_F_CTRL_VLAN) ||
	    get_be16(head + ETHERTYPE_AT) != ETHERTYPE_VLAN)
		return true;
	return v->state.filter.vlan[id / 32] & BIT(id % 32);
}

static bool address_passes(const struct virtio_net *v, const uint8_t *to)
{
	static const uint8_t broadcast[MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct virtio_filter *f = &v->state.filter;

	if (memcmp(to, broadcast, MAC_LEN) == 0)
		return !f->mode[RX_NOBCAST];
	if (to[0] & 1) {
		if (f->mode[RX_NOMULTI])
			return false;
		return f->mode[RX_ALLMULTI] || f->multicast_overflow ||
		       listed(f, f->unicasts, f->multicasts, to);
	}
	if (f->mode[RX_NOUNI])
		return false;
	return f->mode[RX_ALLUNI] || f->unicast_overflow ||
	       memcmp(to, v->state.mac, MAC_LEN) == 0 || listed(f, 0, f->unicasts, to);
}

bool virtio_filter_passes(const struct virtio_net *v, const struct frame *frame)
{
	uint8_t head[ETH_HEADER + VLAN_TAG] = { 0 };

	if (v->state.filter.mode[RX_PROMISC])
		return true;
	frame_copy_out(frame, 0, head, sizeof(head));
	return vlan_passes(v, head) && address_passes(v, head);
}

/* --- the commands: true = VIRTIO_NET_OK --- */

static bool set_rx_mode(struct virtio_net *v, uint8_t command, struct command *c)
{
	uint8_t on;
	unsigned feature = command <= VIRTIO_NET_CTRL_RX_ALLMULTI ? VIRTIO_NET_F_CTRL_RX
								  : VIRTIO_NET_F_CTRL_RX_EXTRA;

	/* commands and enum virtio_rx_mode have the same numbers */
	if (command >= RX_MODE_COUNT || !virtio_has(v, feature) || !take_u8(c, &on))
		return false;
	v->state.filter.mode[command] = on != 0;
	return true;
}

/* One of the two lists. What does not fit counts as "all of this kind". */
static bool take_list(struct command *c, struct virtio_filter *f, uint8_t *count, bool *overflow)
{
	uint8_t raw[4];

	if (!take(c, raw, sizeof(raw)))
		return false;
	size_t n = get_le32(raw);
	if (n > c->left / MAC_LEN)
		return false;
	unsigned used = (unsigned)(f->unicasts + f->multicasts);
	if (n > VIRTIO_MACS - used) {
		*overflow = true;
		c->at += n * MAC_LEN;
		c->left -= n * MAC_LEN;
		return true;
	}
	*count = (uint8_t)n;
	return take(c, f->mac[used], n * MAC_LEN);
}

static bool set_mac_table(struct virtio_net *v, struct command *c)
{
	struct virtio_filter f = v->state.filter;

	f.unicasts = f.multicasts = 0;
	f.unicast_overflow = f.multicast_overflow = false;
	if (!virtio_has(v, VIRTIO_NET_F_CTRL_RX) ||
	    !take_list(c, &f, &f.unicasts, &f.unicast_overflow) ||
	    !take_list(c, &f, &f.multicasts, &f.multicast_overflow))
		return false;
	v->state.filter = f;
	return true;
}

static bool set_mac(struct virtio_net *v, uint8_t command, struct command *c)
{
	uint8_t mac[MAC_LEN];

	if (command == VIRTIO_NET_CTRL_MAC_TABLE_SET)
		return set_mac_table(v, c);
	if (command != VIRTIO_NET_CTRL_MAC_ADDR_SET || !virtio_has(v, VIRTIO_NET_F_CTRL_MAC_ADDR) ||
	    !take(c, mac, sizeof(mac)))
		return false;
	memcpy(v->state.mac, mac, MAC_LEN);
	v->state.generation++;
	return true;
}

static bool set_vlan(struct virtio_net *v, uint8_t command, struct command *c)
{
	uint16_t id;

	if (!virtio_has(v, VIRTIO_NET_F_CTRL_VLAN) || !take_u16(c, &id) || id >= VIRTIO_VLANS)
		return false;
	uint32_t *word = &v->state.filter.vlan[id / 32];
	if (command == VIRTIO_NET_CTRL_VLAN_ADD)
		*word |= BIT(id % 32);
	else if (command == VIRTIO_NET_CTRL_VLAN_DEL)
		*word &= ~BIT(id % 32);
	else
		return false;
	return true;
}

static bool announced(struct virtio_net *v, uint8_t command)
{
	if (command != VIRTIO_NET_CTRL_ANNOUNCE_ACK ||
	    !(v->state.net_status & VIRTIO_NET_S_ANNOUNCE))
		return false;
	v->state.net_status &= (uint16_t)~VIRTIO_NET_S_ANNOUNCE;
	v->state.generation++;
	return true;
}

static bool set_pairs(struct virtio_net *v, uint8_t command, struct command *c)
{
	uint16_t pairs;

	if (command != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || !virtio_has(v, VIRTIO_NET_F_MQ) ||
	    !take_u16(c, &pairs) || pairs < VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN ||
	    pairs > v->state.pairs_max)
		return false;
	v->state.pairs = pairs;
	v->nic.notes.rx_ready = true;
	return true;
}

static bool set_offloads(struct virtio_net *v, uint8_t command, struct command *c)
{
	uint8_t raw[8];

	if (command != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET ||
	    !virtio_has(v, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) || !take(c, raw, sizeof(raw)))
		return false;
	uint64_t wanted = get_le64(raw);
	if (virtio_bad_feature(virtio_guest_offloads(v), wanted) >= 0)
		return false;
	virtio_set_offloads(v, wanted);
	return true;
}

static bool run(struct virtio_net *v, struct command *c)
{
	uint8_t class, command;

	if (!take_u8(c, &class) || !take_u8(c, &command))
		return false;
	switch (class) {
	case VIRTIO_NET_CTRL_RX:
		return set_rx_mode(v, command, c);
	case VIRTIO_NET_CTRL_MAC:
		return set_mac(v, command, c);
	case VIRTIO_NET_CTRL_VLAN:
		return set_vlan(v, command, c);
	case VIRTIO_NET_CTRL_ANNOUNCE:
		return announced(v, command);
	case VIRTIO_NET_CTRL_MQ:
		return set_pairs(v, command, c);
	case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
		return set_offloads(v, command, c);
	default:
		return false;
	}
}

/* 1: a command was answered; 0: none waits; -1: the device failed. */
static int control_one(struct virtio_net *v, struct ring *r, unsigned queue)
{
	struct iovec out[PIECES], in[1];
	struct ring_chain chain = { .out = { .iov = out, .max = PIECES },
				    .in = { .iov = in, .max = 1 } };

	int rc = ring_pop(r, &chain);
	if (rc == 0)
		return 0;
	if (rc < 0 || chain.out.bytes < 2 || chain.in.count == 0) {
		virtio_fail(v, queue, rc < 0 ? r->fault : VIRTIO_FAULT_CTRL);
		return -1;
	}
	struct command c = { .iov = out, .count = chain.out.count, .left = chain.out.bytes };
	uint8_t *answer = in[0].iov_base;
	/* a command in more pieces than we keep is refused when its end is missed */
	*answer = run(v, &c) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
	struct ring_used used = { .written = 1, .id = chain.id, .slots = (uint16_t)chain.slots };
	ring_push(r, &used, 1);
	return 1;
}

bool virtio_control(struct virtio_net *v)
{
	unsigned queue = virtio_ctrl_queue(v), done = 0;
	struct ring *r = &v->ring[queue];
	int rc = 0;

	if (!virtio_ring_usable(v, queue))
		return false;
	ring_kicks_off(r);
	while (done < COMMANDS && (rc = control_one(v, r, queue)) > 0)
		done++;
	if (ring_publish(r))
		virtio_interrupt(v, queue);
	if (rc < 0)
		return false;
	return rc > 0 || ring_kicks_on(r);
}
