/* ovsdb.h - one conversation with an OVSDB server (RFC 7047): JSON-RPC over its UNIX socket, one request at a time.
 *
 * Every call has an end: the socket does not block and there is a deadline. What the server says is bounded in size and depth.
 */
#ifndef ANYNIC_HOST_OVSDB_H
#define ANYNIC_HOST_OVSDB_H

#include <json-c/json.h>

#include "base/error.h"

struct ovsdb;

/* Connects to the server of this host. NULL with `err`. */
struct ovsdb *ovsdb_open(struct error *err);

/* Talks over a connected socket; takes it, also on failure. */
struct ovsdb *ovsdb_adopt(int fd, struct error *err);

void ovsdb_close(struct ovsdb *db); /* NULL is fine */

/* Runs `operations` (an array; taken) as one transaction on the database Open_vSwitch. Returns the array of results, an object for
 * each operation, for the caller to put; or NULL with `err`: -ETIMEDOUT when the server, or a "wait" operation, took longer than
 * `timeout_ms`, -EAGAIN when a wait operation found something else, -EPROTO, -EPIPE. After -EPROTO, -EPIPE and a server that
 * took too long the conversation is over: every later call fails. */
json_object *ovsdb_transact(struct ovsdb *db, json_object *operations, unsigned timeout_ms,
			    struct error *err);

#endif
