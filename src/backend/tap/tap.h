/* tap.h - frames through tap (or macvtap) descriptors, one for each queue.
 *
 * With IFF_VNET_HDR the kernel takes and gives frames with offload requests; without it (a descriptor that somebody
 * else opened) everything is done in software.
 */
#ifndef ANYNIC_BACKEND_TAP_TAP_H
#define ANYNIC_BACKEND_TAP_TAP_H

#include "backend/backend.h"

extern const struct backend_ops tap_backend;

#endif
