/* host_help.h - a backend opened as control opens it. */
#ifndef ANYNIC_TESTS_HOST_HELP_H
#define ANYNIC_TESTS_HOST_HELP_H

#include "host/open.h"

static inline int open_host(const struct backend_spec *spec, unsigned queues,
			    struct opened_backend *o, struct error *err)
{
	struct backend_request request = { .spec = spec,
					   .guest = "test",
					   .port = "net0",
					   .mac = { 0x52, 0x54, 0, 1, 2, 3 },
					   .queues = queues };

	return host_backend_open(&request, o, err);
}

#endif
