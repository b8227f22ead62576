/* offload.c - finds the IPv4, TCP and UDP headers that the C+ chip's checksum and segmentation units look at. */
#include "base/bytes.h"
#include "net/csum.h"
#include "net/headers.h"
#include "nic/rtl8139/rtl8139.h"

static size_t l2_length(const uint8_t *head, size_t have)
{
	size_t at = ETHERTYPE_AT;

	for (unsigned tags = 0; tags < 2 && at + 2 <= have && get_be16(head + at) == ETHERTYPE_VLAN;
	     tags++)
		at += VLAN_TAG;
	return at + 2 <= have && get_be16(head + at) == ETHERTYPE_IPV4 ? at + 2 : 0;
}

/* Bytes of the TCP or UDP header at `l4`, or 0 when it is not all there. */
static unsigned l4_length(const uint8_t *head, size_t have, const struct ip_layers *ip)
{
	size_t room = MIN(have, ip->end);

	if (ip->fragment || ip->l4 > room)
		return 0;
	room -= ip->l4;
	if (ip->protocol == PROTO_UDP)
		return room >= UDP_HEADER ? UDP_HEADER : 0;
	if (ip->protocol != PROTO_TCP || room < TCP_HEADER_MIN)
		return 0;
	unsigned length = (head[ip->l4 + TCP_DATA_AT] >> 4) * 4u;
	return length >= TCP_HEADER_MIN && length <= room ? length : 0;
}

bool rtl8139_parse_ipv4(const uint8_t *head, size_t have, uint32_t length, struct ip_layers *out)
{
	size_t l2 = l2_length(head, have);

	if (!l2 || have < l2 + IPV4_HEADER_MIN || head[l2] >> 4 != 4)
		return false;
	const uint8_t *ip = head + l2;
	unsigned ip_header = (ip[0] & 0xf) * 4u;
	uint32_t total = get_be16(ip + IPV4_LENGTH);

	if (ip_header < IPV4_HEADER_MIN || have < l2 + ip_header)
		return false;
	if (total == 0)
		total = length - (uint32_t)l2; /* drivers leave it 0 in front of a large send */
	if (total < ip_header || l2 + total > length)
		return false;
	*out = (struct ip_layers){
		.l2 = (uint16_t)l2,
		.l4 = (uint16_t)(l2 + ip_header),
		.end = (uint32_t)l2 + total,
		.protocol = ip[IPV4_PROTOCOL],
		.fragment = get_be16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENT_PARTS,
	};
	unsigned l4 = l4_length(head, have, out);
	out->headers = l4 ? (uint16_t)(out->l4 + l4) : 0;
	return true;
}

uint32_t rtl8139_pseudo_sum(const uint8_t *head, const struct ip_layers *ip, uint32_t length)
{
	return csum_add(ip->protocol + length, head + ip->l2 + IPV4_SOURCE, IPV4_ADDRESSES, false);
}
