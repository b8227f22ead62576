/* stream.h - the UNIX socket of a stream backend: listening (mode=server) or connected. */
#ifndef ANYNIC_HOST_STREAM_H
#define ANYNIC_HOST_STREAM_H

#include "host/open.h"

int host_stream_open(const struct backend_spec *spec, const char *port_id, unsigned queues,
		     struct opened_backend *out, struct error *err);

#endif
