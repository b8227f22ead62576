/* client.h - the other end of the control socket: what the command line uses. Blocking, with time limits. */
#ifndef ANYNIC_CONTROL_CLIENT_H
#define ANYNIC_CONTROL_CLIENT_H

#include <json-c/json.h>

#include "base/error.h"

struct client;

/* Connects to a guest (name or socket path), reads the greeting, negotiates. -ENOENT when it is not live. NULL on failure. */
struct client *client_open(const char *guest, struct error *err);
void client_close(struct client *c); /* NULL is fine */

/* Runs a command; `arguments` (may be NULL) is taken. *value is the caller's; NULL = not wanted. -ENOENT for DeviceNotFound,
 * -EINVAL, -ENOTSUP, -ETIMEDOUT for InvalidParameter, NotSupported, TimedOut, -EPROTO for other errors of the server (its words are in err), -EPIPE when it is gone, -ETIMEDOUT. */
int client_call(struct client *c, const char *command, json_object *arguments, json_object **value,
		struct error *err);

/* The same of a command that takes its time: `ms` is how long it may. */
int client_call_for(struct client *c, unsigned ms, const char *command, json_object *arguments,
		    json_object **value, struct error *err);

/* The next event, for the caller to put. 1, 0 at the time-out (ms, -1 = none), -EPIPE when the guest is gone, -EINTR. */
int client_next_event(struct client *c, int timeout_ms, json_object **event);

int client_fd(const struct client *c);

#endif
