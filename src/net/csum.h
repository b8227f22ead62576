/* csum.h - the Internet checksum (RFC 1071).
 *
 * A partial sum is a number: the one's complement sum of big-endian 16-bit words, not yet folded. Start with 0.
 */
#ifndef ANYNIC_NET_CSUM_H
#define ANYNIC_NET_CSUM_H

#include "base/util.h"

/* Adds `len` bytes to a partial sum; `odd` tells that an odd number of bytes came before. */
uint32_t csum_add(uint32_t sum, const void *data, size_t len, bool odd);

/* Folds and complements: what put_be16 writes into the packet's checksum field. A sum over data with a right checksum
 * in it folds to 0. */
uint16_t csum_fold(uint32_t sum);

#endif
