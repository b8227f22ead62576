/* tap.h - tap interfaces: an existing one, one made for the port, or descriptors that somebody opened for us. */
#ifndef ANYNIC_HOST_TAP_H
#define ANYNIC_HOST_TAP_H

#include "host/open.h"

int host_tap_open(const struct backend_request *request, struct opened_backend *out,
		  struct error *err);

#endif
