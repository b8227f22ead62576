/* csum.h - the Internet checksum (RFC 1071). Sums are kept as 32-bit partial sums in host order. */
#ifndef ANYNIC_NET_CSUM_H
#define ANYNIC_NET_CSUM_H

#include "base/util.h"

/* Adds `len` bytes to a partial sum; `odd` tells that an odd number of bytes came before. */
uint32_t csum_add(uint32_t sum, const void *data, size_t len, bool odd);

/* Folds to the 16 bits that go into the packet (network order as put_be16 writes them). */
uint16_t csum_fold(uint32_t sum);

#endif
