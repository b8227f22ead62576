/* qmp.h - a QMP server, as QEMU speaks it: greeting, capabilities negotiation, `id` echoed, several clients, events to each.
 *
 * Everything that is not a command for the owner is handled inside: broken JSON, members that do not belong, negotiation,
 * a client that does not read. One command of a client is under way at a time; the owner may answer it later:
 *
 *     case KIND_QMP_LISTEN: qmp_server_accept(s); break;
 *     case KIND_QMP_CLIENT: qmp_server_serve(s, event.owner, event.events); break;
 *     ...
 *     while (qmp_server_next(s, &request))
 *             qmp_reply(s, request.client, answer) or qmp_reply_error(...), now or later
 */
#ifndef ANYNIC_CONTROL_QMP_H
#define ANYNIC_CONTROL_QMP_H

#include <json-c/json.h>

#include "base/error.h"
#include "loop/loop.h"

#define QMP_COMMAND_MAX (1u << 20) /* bytes of one command */
#define QMP_PENDING_MAX (4u << 20) /* bytes that may wait for a client that does not read */
#define QMP_CLIENTS_MAX 64u

enum qmp_error_class {
	QMP_GENERIC_ERROR,
	QMP_COMMAND_NOT_FOUND,
	QMP_DEVICE_NOT_FOUND,
	/* QEMU has not these: of commands that only we have, so that exit codes can follow */
	QMP_INVALID_PARAMETER,
	QMP_NOT_SUPPORTED,
	QMP_TIMED_OUT,
	QMP_ERROR_CLASS_COUNT
};
extern const char *const qmp_error_class_names[QMP_ERROR_CLASS_COUNT];

struct qmp_server;
struct qmp_client;

struct qmp_request {
	uint64_t client;	/* whom to answer; may be gone by then */
	const char *command;	/* valid until it is answered */
	json_object *arguments; /* borrowed, an object; NULL when there were none */
};

/* Takes the listening socket (-1: none), also on failure. `loop` is borrowed. */
struct qmp_server *qmp_server_create(int listen_fd, struct loop *loop, unsigned listen_kind,
				     unsigned client_kind, struct error *err);
void qmp_server_destroy(struct qmp_server *s); /* NULL is fine */

/* The listening socket is readable. */
void qmp_server_accept(struct qmp_server *s);

/* Serves a connected, non-blocking socket as if it had been accepted. Takes it, also on failure: 0 or negative errno. */
int qmp_server_add(struct qmp_server *s, int fd);

/* A client (the event's owner) is readable or writable. */
void qmp_server_serve(struct qmp_server *s, struct qmp_client *client, uint32_t events);

/* The next command, of any client. */
bool qmp_server_next(struct qmp_server *s, struct qmp_request *request);

/* Answers the command of this client. `value` is taken. A client that is gone is no error. */
void qmp_reply(struct qmp_server *s, uint64_t client, json_object *value);
void qmp_reply_error(struct qmp_server *s, uint64_t client, enum qmp_error_class class,
		     const char *fmt, ...) PRINTF(4, 5);

/* Sends an event to every client that has negotiated. `event` is borrowed. */
void qmp_server_event(struct qmp_server *s, json_object *event);

/* Writes what waits, for at most `timeout_ms`: the last words before the end. */
void qmp_server_drain(struct qmp_server *s, int timeout_ms);

/* What query-version returns and the greeting holds. */
json_object *qmp_version(void);

#endif
