/* frames.h - frames that guest drivers send and receive, and checksums by the book. */
#ifndef ANYNIC_TESTS_DRIVERS_FRAMES_H
#define ANYNIC_TESTS_DRIVERS_FRAMES_H

#include <string.h>

#include "base/bytes.h"

static const uint8_t card_mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t other[6] = { 0x02, 0, 0, 0, 0, 0x99 };

/* A frame of `len` bytes to `to`, with a body that tells `seed`. */
static inline const uint8_t *frame_to(const uint8_t *to, size_t len, uint8_t seed)
{
	static uint8_t f[70000];

	memcpy(f, to, 6);
	memcpy(f + 6, other, 6);
	put_be16(f + 12, 0x88b5);
	for (size_t i = 14; i < len; i++)
		f[i] = (uint8_t)(seed + i);
	return f;
}

/* Ethernet, IPv4 and TCP (6) or UDP (17) in front of `payload` bytes; checksums are left zero. Returns the length. */
static inline size_t ip_frame(uint8_t *f, const uint8_t *to, uint8_t protocol, size_t payload)
{
	size_t l4 = protocol == 6 ? 20 : 8, total = 20 + l4 + payload;

	memset(f, 0, 14 + 20 + l4);
	memcpy(f, to, 6);
	memcpy(f + 6, other, 6);
	put_be16(f + 12, 0x0800);
	f[14] = 0x45;
	put_be16(f + 16, (uint16_t)total);
	f[22] = 64;
	f[23] = protocol;
	put_be32(f + 26, 0x0a000001);
	put_be32(f + 30, 0x0a000002);
	put_be16(f + 34, 1234);
	put_be16(f + 36, 80);
	if (protocol == 6)
		f[46] = 0x50;
	else
		put_be16(f + 38, (uint16_t)(8 + payload));
	for (size_t i = 0; i < payload; i++)
		f[34 + l4 + i] = (uint8_t)(i * 7);
	return 14 + total;
}

/* The pseudo header's part of the sum, by the book. */
static inline uint32_t pseudo(const uint8_t *ip, size_t l4_length)
{
	uint32_t sum = ip[9] + (uint32_t)l4_length;

	for (unsigned i = 12; i < 20; i += 2)
		sum += get_be16(ip + i);
	return sum;
}

static inline uint16_t by_the_book(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get_be16(data + i);
	if (len & 1)
		sum += (uint32_t)data[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Fills in both checksums of ip_frame. */
static inline void fill_checksums(uint8_t *f, size_t len)
{
	size_t at = f[23] == 6 ? 50 : 40;

	put_be16(f + 24, 0);
	put_be16(f + 24, by_the_book(0, f + 14, 20));
	put_be16(f + at, 0);
	put_be16(f + at, by_the_book(pseudo(f + 14, len - 34), f + 34, len - 34));
}

#endif
