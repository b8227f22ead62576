#include "net/ask.h"

#include <string.h>

#include "base/bytes.h"
#include "net/csum.h"
#include "net/headers.h"

#define ARP_LENGTH    28u
#define ARP_OPERATION 6u
#define ARP_SENDER    14u /* their IPv4 addresses */
#define ARP_TARGET    24u

/* Neighbour discovery: RFC 4861 4.3, 4.4 and 4.6.1 */
#define PROTO_ICMPV6  58
#define SOLICITATION  135
#define ADVERTISEMENT 136
#define ND_TARGET     8u
#define NS_OPTION     24u /* the sender's link-layer address */
#define NS_LENGTH     32u
#define NA_LENGTH     24u /* without options */

_Static_assert(ETH_HEADER + IPV6_HEADER + NS_LENGTH <= FRAME_HEAD, "a question fits the head");

static bool set(struct ask_whose *who, uint16_t ethertype, const uint8_t *address, size_t length)
{
	static const uint8_t none[ASK_ADDRESS];

	if (memcmp(address, none, length) == 0)
		return false;
	who->ethertype = ethertype;
	memcpy(who->address, address, length);
	return true;
}

bool ask_learn(struct ask_whose *who, const struct frame *f, const uint8_t mac[MAC_LEN])
{
	uint8_t p[ETH_HEADER + IPV6_HEADER];
	const uint8_t *net = p + ETH_HEADER;
	size_t n = frame_copy_out(f, 0, p, sizeof(p));

	if (n < ETH_HEADER + IPV4_HEADER_MIN || memcmp(p, mac, MAC_LEN) != 0)
		return false;
	switch (get_be16(p + ETHERTYPE_AT)) {
	case ETHERTYPE_IPV4:
		return set(who, ETHERTYPE_IPV4, net + IPV4_DEST, 4);
	case ETHERTYPE_IPV6:
		return n == sizeof(p) && set(who, ETHERTYPE_IPV6, net + IPV6_DEST, 16);
	case ETHERTYPE_ARP:
		return n >= ETH_HEADER + ARP_LENGTH &&
		       set(who, ETHERTYPE_IPV4, net + ARP_TARGET, 4);
	default:
		return false;
	}
}

/* The MAC of who asks the host with this one. */
static void asker(uint8_t from[MAC_LEN], const uint8_t mac[MAC_LEN])
{
	memcpy(from, mac, MAC_LEN);
	from[0] = (uint8_t)((from[0] | 0x02) ^ 0x04); /* locally administered, and another one */
}

/* Sender 0.0.0.0: nobody learns an address from it. */
static size_t put_arp(uint8_t *p, const struct ask_whose *who, const uint8_t from[MAC_LEN])
{
	static const uint8_t request[] = { 0, 1, 8, 0, 6, 4, 0, 1 };

	memset(p, 0, FRAME_MIN - ETH_HEADER);
	memcpy(p, request, sizeof(request));
	memcpy(p + 8, from, MAC_LEN);
	memcpy(p + ARP_TARGET, who->address, 4);
	return FRAME_MIN - ETH_HEADER;
}

/* From the asker's link-local address (RFC 4291, appendix A): an answer to the unspecified one would go to all nodes. */
static size_t put_solicitation(uint8_t *p, const struct ask_whose *who, const uint8_t from[MAC_LEN])
{
	uint8_t *icmp = p + IPV6_HEADER;
	uint8_t *source = p + IPV6_SOURCE;

	memset(p, 0, IPV6_HEADER + NS_LENGTH);
	p[0] = 6 << 4;
	p[IPV6_LENGTH + 1] = NS_LENGTH;
	p[IPV6_NEXT] = PROTO_ICMPV6;
	p[IPV6_NEXT + 1] = 255; /* no router may have passed it on */
	source[0] = 0xfe;
	source[1] = 0x80;
	memcpy(source + 8, from, 3);
	source[8] ^= 0x02;
	source[11] = 0xff;
	source[12] = 0xfe;
	memcpy(source + 13, from + 3, 3);
	memcpy(p + IPV6_DEST, who->address, 16);
	icmp[0] = SOLICITATION;
	memcpy(icmp + ND_TARGET, who->address, 16);
	icmp[NS_OPTION] = icmp[NS_OPTION + 1] = 1;
	memcpy(icmp + NS_OPTION + 2, from, MAC_LEN);
	put_be16(icmp + 2, csum_fold(csum_add(NS_LENGTH + PROTO_ICMPV6, source,
					      IPV6_ADDRESSES + NS_LENGTH, false)));
	return IPV6_HEADER + NS_LENGTH;
}

void ask_question(struct frame *f, const struct ask_whose *who, const uint8_t mac[MAC_LEN])
{
	bool ipv6 = who->ethertype == ETHERTYPE_IPV6;
	uint8_t from[MAC_LEN], *p = f->head;
	size_t length;

	asker(from, mac);
	memcpy(p, mac, MAC_LEN);
	memcpy(p + MAC_LEN, from, MAC_LEN);
	put_be16(p + ETHERTYPE_AT, ipv6 ? ETHERTYPE_IPV6 : ETHERTYPE_ARP);
	length = ipv6 ? put_solicitation(p + ETH_HEADER, who, from)
		      : put_arp(p + ETH_HEADER, who, from);
	frame_set_linear(f, p, ETH_HEADER + length);
}

bool ask_is_for_asker(const struct frame *f, const uint8_t mac[MAC_LEN])
{
	uint8_t from[MAC_LEN], to[MAC_LEN];

	asker(from, mac);
	return frame_copy_out(f, 0, to, sizeof(to)) == sizeof(to) &&
	       memcmp(to, from, sizeof(to)) == 0;
}

bool ask_is_answer(const struct frame *f, const struct ask_whose *who)
{
	uint8_t p[ETH_HEADER + IPV6_HEADER + NA_LENGTH] = { 0 };
	const uint8_t *net = p + ETH_HEADER, *icmp = net + IPV6_HEADER;

	frame_copy_out(f, 0, p, sizeof(p));
	switch (get_be16(p + ETHERTYPE_AT)) {
	case ETHERTYPE_ARP:
		return who->ethertype == ETHERTYPE_IPV4 && get_be16(net + ARP_OPERATION) == 2 &&
		       memcmp(net + ARP_SENDER, who->address, 4) == 0;
	case ETHERTYPE_IPV6:
		return who->ethertype == ETHERTYPE_IPV6 && net[IPV6_NEXT] == PROTO_ICMPV6 &&
		       icmp[0] == ADVERTISEMENT && memcmp(icmp + ND_TARGET, who->address, 16) == 0;
	default:
		return false;
	}
}
