/* crc32c.h - the checksum of SCTP (RFC 9260 appendix A): CRC-32 with Castagnoli's polynomial, reflected. */
#ifndef ANYNIC_NET_CRC32C_H
#define ANYNIC_NET_CRC32C_H

#include "base/util.h"

#define CRC32C_BEGIN 0xffffffffu

/* Goes on with `len` more bytes. */
uint32_t crc32c_add(uint32_t crc, const void *data, size_t len);

/* The value as it stands in the packet, little-endian. */
static inline uint32_t crc32c_end(uint32_t crc)
{
	return ~crc;
}

#endif
