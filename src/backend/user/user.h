/* user.h - the datapath's side of the user backend: frames go as packets over a SOCK_SEQPACKET socketpair to anynic-user,
 * which runs libslirp. One packet is one frame without any header.
 */
#ifndef ANYNIC_BACKEND_USER_USER_H
#define ANYNIC_BACKEND_USER_USER_H

#include "backend/backend.h"

extern const struct backend_ops user_backend;

#endif
