/* features.c - what is offered, what depends on what (virtio 1.x, 5.1.3.1), and what it all is called. */
#include "nic/virtio/virtio_net.h"

#define B VIRTIO_BIT

static const struct {
	uint8_t feature;
	uint64_t one_of; /* at least one of these must come along */
} needs[] = {
	{ VIRTIO_NET_F_GUEST_TSO4, B(VIRTIO_NET_F_GUEST_CSUM) },
	{ VIRTIO_NET_F_GUEST_TSO6, B(VIRTIO_NET_F_GUEST_CSUM) },
	{ VIRTIO_NET_F_GUEST_USO4, B(VIRTIO_NET_F_GUEST_CSUM) },
	{ VIRTIO_NET_F_GUEST_USO6, B(VIRTIO_NET_F_GUEST_CSUM) },
	{ VIRTIO_NET_F_GUEST_ECN, B(VIRTIO_NET_F_GUEST_TSO4) | B(VIRTIO_NET_F_GUEST_TSO6) },
	{ VIRTIO_NET_F_HOST_TSO4, B(VIRTIO_NET_F_CSUM) },
	{ VIRTIO_NET_F_HOST_TSO6, B(VIRTIO_NET_F_CSUM) },
	{ VIRTIO_NET_F_HOST_USO, B(VIRTIO_NET_F_CSUM) },
	{ VIRTIO_NET_F_HOST_ECN, B(VIRTIO_NET_F_HOST_TSO4) | B(VIRTIO_NET_F_HOST_TSO6) },
	{ VIRTIO_NET_F_CTRL_RX, B(VIRTIO_NET_F_CTRL_VQ) },
	{ VIRTIO_NET_F_CTRL_RX_EXTRA, B(VIRTIO_NET_F_CTRL_VQ) },
	{ VIRTIO_NET_F_CTRL_VLAN, B(VIRTIO_NET_F_CTRL_VQ) },
	{ VIRTIO_NET_F_CTRL_MAC_ADDR, B(VIRTIO_NET_F_CTRL_VQ) },
	{ VIRTIO_NET_F_GUEST_ANNOUNCE, B(VIRTIO_NET_F_CTRL_VQ) },
	{ VIRTIO_NET_F_MQ, B(VIRTIO_NET_F_CTRL_VQ) },
};

static const char *const names[64] = {
	[VIRTIO_NET_F_CSUM] = "csum",
	[VIRTIO_NET_F_GUEST_CSUM] = "guest_csum",
	[VIRTIO_NET_F_CTRL_GUEST_OFFLOADS] = "ctrl_guest_offloads",
	[VIRTIO_NET_F_MTU] = "mtu",
	[VIRTIO_NET_F_MAC] = "mac",
	[VIRTIO_NET_F_GUEST_TSO4] = "guest_tso4",
	[VIRTIO_NET_F_GUEST_TSO6] = "guest_tso6",
	[VIRTIO_NET_F_GUEST_ECN] = "guest_ecn",
	[VIRTIO_NET_F_HOST_TSO4] = "host_tso4",
	[VIRTIO_NET_F_HOST_TSO6] = "host_tso6",
	[VIRTIO_NET_F_HOST_ECN] = "host_ecn",
	[VIRTIO_NET_F_MRG_RXBUF] = "mrg_rxbuf",
	[VIRTIO_NET_F_STATUS] = "status",
	[VIRTIO_NET_F_CTRL_VQ] = "ctrl_vq",
	[VIRTIO_NET_F_CTRL_RX] = "ctrl_rx",
	[VIRTIO_NET_F_CTRL_VLAN] = "ctrl_vlan",
	[VIRTIO_NET_F_CTRL_RX_EXTRA] = "ctrl_rx_extra",
	[VIRTIO_NET_F_GUEST_ANNOUNCE] = "guest_announce",
	[VIRTIO_NET_F_MQ] = "mq",
	[VIRTIO_NET_F_CTRL_MAC_ADDR] = "ctrl_mac_addr",
	[VIRTIO_F_ANY_LAYOUT] = "any_layout",
	[VIRTIO_RING_F_INDIRECT_DESC] = "indirect",
	[VIRTIO_RING_F_EVENT_IDX] = "event_idx",
	[VIRTIO_F_VERSION_1] = "version_1",
	[VIRTIO_F_RING_PACKED] = "packed",
	[VIRTIO_F_IN_ORDER] = "in_order",
	[VIRTIO_F_RING_RESET] = "ring_reset",
	[VIRTIO_NET_F_GUEST_USO4] = "guest_uso4",
	[VIRTIO_NET_F_GUEST_USO6] = "guest_uso6",
	[VIRTIO_NET_F_HOST_USO] = "host_uso",
	[VIRTIO_NET_F_STANDBY] = "standby",
	[VIRTIO_NET_F_SPEED_DUPLEX] = "speed_duplex",
};

const char *virtio_feature_name(unsigned feature)
{
	return feature < ARRAY_SIZE(names) && names[feature] ? names[feature] : "unknown";
}

/* All offloads are offered whatever the backend can: net/ segments and sums in software, which costs less here than
 * several times the descriptors in the guest, and a guest does not notice when its backend changes. */
uint64_t virtio_offered(const struct nic_spec *spec)
{
	uint64_t f =
		B(VIRTIO_NET_F_CSUM) | B(VIRTIO_NET_F_GUEST_CSUM) |
		B(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) | B(VIRTIO_NET_F_MAC) |
		B(VIRTIO_NET_F_GUEST_TSO4) | B(VIRTIO_NET_F_GUEST_TSO6) |
		B(VIRTIO_NET_F_GUEST_ECN) | B(VIRTIO_NET_F_HOST_TSO4) | B(VIRTIO_NET_F_HOST_TSO6) |
		B(VIRTIO_NET_F_HOST_ECN) | B(VIRTIO_NET_F_MRG_RXBUF) | B(VIRTIO_NET_F_STATUS) |
		B(VIRTIO_NET_F_CTRL_VQ) | B(VIRTIO_NET_F_CTRL_RX) | B(VIRTIO_NET_F_CTRL_VLAN) |
		B(VIRTIO_NET_F_CTRL_RX_EXTRA) | B(VIRTIO_NET_F_GUEST_ANNOUNCE) |
		B(VIRTIO_NET_F_CTRL_MAC_ADDR) | B(VIRTIO_RING_F_INDIRECT_DESC) |
		B(VIRTIO_RING_F_EVENT_IDX) | B(VIRTIO_F_VERSION_1) | B(VIRTIO_F_IN_ORDER) |
		B(VIRTIO_F_RING_RESET) | B(VIRTIO_NET_F_GUEST_USO4) | B(VIRTIO_NET_F_GUEST_USO6) |
		B(VIRTIO_NET_F_HOST_USO) | B(VIRTIO_NET_F_SPEED_DUPLEX);

	if (spec->mtu)
		f |= B(VIRTIO_NET_F_MTU);
	if (spec->queues > 1)
		f |= B(VIRTIO_NET_F_MQ);
	if (spec->packed)
		f |= B(VIRTIO_F_RING_PACKED);
	if (spec->standby)
		f |= B(VIRTIO_NET_F_STANDBY);
	return f;
}

uint64_t virtio_core_features(uint64_t offered)
{
	/* MQ, CTRL_VQ and GUEST_ANNOUNCE stay: a VMM that serves the control queue itself lets its guest have them only if the
	 * server offers them. Resetting one ring is not told to a server. */
	return offered &
	       ~(B(VIRTIO_NET_F_MAC) | B(VIRTIO_NET_F_STATUS) | B(VIRTIO_NET_F_SPEED_DUPLEX) |
		 B(VIRTIO_NET_F_STANDBY) | B(VIRTIO_NET_F_CTRL_RX) | B(VIRTIO_NET_F_CTRL_RX_EXTRA) |
		 B(VIRTIO_NET_F_CTRL_VLAN) | B(VIRTIO_NET_F_CTRL_MAC_ADDR) |
		 B(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) | B(VIRTIO_F_RING_RESET));
}

int virtio_bad_feature(uint64_t offered, uint64_t wanted)
{
	if (wanted & ~offered)
		return __builtin_ctzll(wanted & ~offered);
	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
		if ((wanted & B(needs[i].feature)) && !(wanted & needs[i].one_of))
			return needs[i].feature;
	return -1;
}

uint64_t virtio_feature_needs(unsigned feature)
{
	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
		if (needs[i].feature == feature)
			return needs[i].one_of;
	return 0;
}

uint64_t virtio_mend_features(uint64_t offered, uint64_t wanted)
{
	int bad;

	wanted &= offered;
	/* each turn takes one away; those that depended on it go in a later turn */
	while ((bad = virtio_bad_feature(offered, wanted)) >= 0)
		wanted &= ~B(bad);
	return wanted;
}

/* What iPXE and EDK2 negotiate at most; an operating system's driver always takes more. */
bool virtio_firmware_like(uint64_t features)
{
	return !(features &
		 ~(B(VIRTIO_NET_F_MTU) | B(VIRTIO_NET_F_MAC) | B(VIRTIO_NET_F_STATUS) |
		   B(VIRTIO_F_ANY_LAYOUT) | B(VIRTIO_F_VERSION_1) | B(VIRTIO_F_ACCESS_PLATFORM)));
}
