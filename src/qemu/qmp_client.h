/* qmp_client.h - our end of QEMU's monitor: non-blocking, no callbacks.
 *
 *     qmp_client_read(c);                         the socket is readable
 *     while (qmp_client_next(c, &item))
 *             switch (item.kind) { ... }          item.data is valid until the next call
 *
 * The greeting and qmp_capabilities are handled inside; commands sent before that wait. QEMU is not trusted: depth and size are
 * bounded, a line that is no JSON closes the client.
 */
#ifndef ANYNIC_QEMU_QMP_CLIENT_H
#define ANYNIC_QEMU_QMP_CLIENT_H

#include <json-c/json.h>

#include "base/error.h"

enum qmp_item_kind {
	QMP_ITEM_READY,	 /* capabilities are negotiated; data = the greeting's "QMP" object */
	QMP_ITEM_REPLY,	 /* data = "return" */
	QMP_ITEM_ERROR,	 /* name = class, text = desc */
	QMP_ITEM_EVENT,	 /* name = "RESET" ..., data = its data or NULL */
	QMP_ITEM_CLOSED, /* once, the last one; text says why */
	QMP_ITEM_KIND_COUNT
};

struct qmp_item {
	enum qmp_item_kind kind;
	uint64_t id; /* REPLY, ERROR: what qmp_client_send returned */
	const char *name;
	const char *text;
	json_object *data;		/* borrowed */
	uint64_t seconds, microseconds; /* EVENT: QEMU's timestamp */
};

struct qmp_client;

/* Takes `fd` (made non-blocking), also on failure. */
struct qmp_client *qmp_client_create(int fd, struct error *err);
void qmp_client_destroy(struct qmp_client *c); /* NULL is fine */

int qmp_client_fd(const struct qmp_client *c);
bool qmp_client_wants_write(const struct qmp_client *c);

/* The socket is readable / writable. What came is handed out by qmp_client_next, also the end. */
void qmp_client_read(struct qmp_client *c);
void qmp_client_write(struct qmp_client *c);
bool qmp_client_next(struct qmp_client *c, struct qmp_item *item);

/* Queues a command; `arguments` (may be NULL) is taken. Returns its id, 0 when the client is closed. */
uint64_t qmp_client_send(struct qmp_client *c, const char *command, json_object *arguments);

/* The same with a descriptor (getfd, add-fd), which stays the caller's. One at a time: 0 also before the capabilities are negotiated and
 * while another has not left. QEMU keeps one that waits for its command, so the reply to this one comes before the next is sent. */
uint64_t qmp_client_send_fd(struct qmp_client *c, const char *command, json_object *arguments,
			    int fd);

/* Commands with one or two plain arguments. */
uint64_t qmp_client_device_add(
	struct qmp_client *c,
	json_object *device); /* takes it: an object of qemu_arguments.devices */
uint64_t qmp_client_device_del(struct qmp_client *c, const char *id);
uint64_t qmp_client_system_reset(struct qmp_client *c);
/* RARP of this card of QEMU's, NULL = of all, several times: a switch learns where it is. */
uint64_t qmp_client_announce(struct qmp_client *c, const char *nic);

uint64_t qmp_client_set_link(struct qmp_client *c, const char *name, bool up);
uint64_t qmp_client_cont(struct qmp_client *c);
uint64_t qmp_client_quit(struct qmp_client *c);
uint64_t qmp_client_query_status(struct qmp_client *c);
uint64_t qmp_client_query_cpus(struct qmp_client *c);

/* What the replies mean: "running" of query-status, number of entries of query-cpus-fast. */
bool qmp_status_is_running(json_object *data);
unsigned qmp_cpu_count(json_object *data);

#endif
