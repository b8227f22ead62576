/* session.h - one connection, in a process of its own: one request at a time, and what it got as long as it lasts. */
#ifndef ANYNIC_HELPER_SESSION_H
#define ANYNIC_HELPER_SESSION_H

#include "base/error.h"

struct helper_setup {
	const char *config; /* helper.conf */
	const char *state;  /* folder of slots.h */
};

/* Serves the connected socket `sock` until the other end is closed, and takes back what it got. */
void session_run(int sock, const struct helper_setup *setup);

/* For a connection that is not served: why. */
void session_refuse(int sock, int code, const char *why);

#endif
