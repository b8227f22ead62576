/* stream.h - the UNIX socket of a stream backend: listening (mode=server) or connected. */
#ifndef ANYNIC_HOST_STREAM_H
#define ANYNIC_HOST_STREAM_H

#include "host/open.h"

int host_stream_open(const struct backend_request *request, struct opened_backend *out,
		     struct error *err);

#endif
