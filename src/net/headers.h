/* headers.h - where fields stand in the headers of Ethernet, IP, TCP, UDP and SCTP: offsets and sizes are bytes from the beginning of
 * that header. Fields are big-endian.
 */
#ifndef ANYNIC_NET_HEADERS_H
#define ANYNIC_NET_HEADERS_H

#define ETHERTYPE_AT   12u
#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_ARP  0x0806u
#define ETHERTYPE_VLAN 0x8100u
#define ETHERTYPE_IPV6 0x86ddu
#define ETHERTYPE_QINQ 0x88a8u
#define ETHERTYPE_PTP  0x88f7u

#define IPV4_HEADER_MIN	    20u
#define IPV4_LENGTH	    2u
#define IPV4_ID		    4u
#define IPV4_FRAGMENT	    6u
#define IPV4_FRAGMENT_PARTS 0x3fffu /* more fragments, offset: not 0 in each part of a packet */
#define IPV4_PROTOCOL	    9u
#define IPV4_CSUM	    10u
#define IPV4_SOURCE	    12u
#define IPV4_DEST	    16u
#define IPV4_ADDRESSES	    8u /* bytes of both */

#define IPV6_HEADER    40u
#define IPV6_LENGTH    4u
#define IPV6_NEXT      6u
#define IPV6_SOURCE    8u
#define IPV6_DEST      24u
#define IPV6_ADDRESSES 32u

/* IPv4's protocol, IPv6's next header; not those of netinet/in.h, which brings socket calls along */
#define PROTO_HOPOPTS  0
#define PROTO_TCP      6
#define PROTO_UDP      17
#define PROTO_ROUTING  43
#define PROTO_FRAGMENT 44
#define PROTO_DSTOPTS  60
#define PROTO_SCTP     132

#define TCP_HEADER_MIN 20u
#define TCP_SEQ	       4u
#define TCP_DATA_AT    12u
#define TCP_FLAGS      13u
#define TCP_FIN	       0x01u
#define TCP_SYN	       0x02u
#define TCP_PSH	       0x08u
#define TCP_ACK	       0x10u
#define TCP_CWR	       0x80u
#define TCP_CSUM       16u

#define UDP_HEADER 8u
#define UDP_LENGTH 4u
#define UDP_CSUM   6u

#define L4_DEST_PORT 2u /* of all three */
#define SCTP_HEADER  12u
#define SCTP_CSUM    8u

#endif
