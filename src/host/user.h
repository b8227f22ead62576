/* user.h - starts anynic-user, the process behind a user backend. */
#ifndef ANYNIC_HOST_USER_H
#define ANYNIC_HOST_USER_H

#include "host/open.h"

/* Starts it. */
int host_user_open(const struct backend_request *request, struct opened_backend *out,
		   struct error *err);

/* 1 when it is ready, 0 when not yet, or why it is not (a port that is in use, ...). */
int host_user_ready(struct opened_backend *o, struct error *err);

#endif
