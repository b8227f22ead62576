/* ask.h - asking a host, by a frame of our own, whether it hears us there: whose address is this? ARP (RFC 826, asked as RFC 5227 asks)
 * for IPv4, a neighbour solicitation (RFC 4861) for IPv6. The asker has a MAC of its own, which no other frame is for: so its answer is
 * told from all others, and is nobody else's.
 */
#ifndef ANYNIC_NET_ASK_H
#define ANYNIC_NET_ASK_H

#include "base/mac.h"
#include "net/frame.h"

#define ASK_ADDRESS 16u /* bytes of the longer one */

struct ask_whose {
	uint16_t ethertype; /* IPv4 or IPv6; 0 = not known */
	uint8_t address[ASK_ADDRESS];
};

/* An address that may be that of the host with this MAC: where a frame for this MAC alone goes. False: this one tells none, and *who is as
 * it was. */
bool ask_learn(struct ask_whose *who, const struct frame *f, const uint8_t mac[MAC_LEN]);

/* The question, in the frame's own head. */
void ask_question(struct frame *f, const struct ask_whose *who, const uint8_t mac[MAC_LEN]);

/* A frame of that host's: for the asker, whatever it is; and if so, whether it is the answer. */
bool ask_is_for_asker(const struct frame *f, const uint8_t mac[MAC_LEN]);
bool ask_is_answer(const struct frame *f, const struct ask_whose *who);

#endif
