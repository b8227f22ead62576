#include "qemu/qmp_call.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"

/* The next item of the kind (READY), or of the id. */
static int wait_for(struct qmp_client *c, enum qmp_item_kind kind, uint64_t id, uint64_t end_ns,
		    struct qmp_item *item)
{
	for (;;) {
		while (qmp_client_next(c, item)) {
			bool answer = item->kind == QMP_ITEM_REPLY || item->kind == QMP_ITEM_ERROR;

			if (item->kind == QMP_ITEM_CLOSED)
				return -EPIPE;
			if (kind == QMP_ITEM_READY ? item->kind == kind : answer && item->id == id)
				return 0;
		}
		uint64_t now = monotonic_ns();
		struct pollfd p = { .fd = qmp_client_fd(c), .events = POLLIN };
		if (now >= end_ns)
			return -ETIMEDOUT;
		if (qmp_client_wants_write(c))
			p.events |= POLLOUT;
		poll(&p, 1, (int)((end_ns - now) / NS_PER_MS) + 1);
		qmp_client_write(c);
		qmp_client_read(c);
	}
}

int qmp_call_ready(struct qmp_client *c, uint64_t end_ns, json_object **greeting)
{
	struct qmp_item item;
	int rc = wait_for(c, QMP_ITEM_READY, 0, end_ns, &item);

	if (rc == 0 && greeting)
		*greeting = item.data;
	return rc;
}

json_object *qmp_call(struct qmp_client *c, const char *command, json_object *arguments,
		      uint64_t end_ns, int *rc)
{
	struct qmp_item item;
	uint64_t id = qmp_client_send(c, command, arguments);

	*rc = id ? wait_for(c, QMP_ITEM_REPLY, id, end_ns, &item) : -EPIPE;
	return *rc == 0 && item.kind == QMP_ITEM_REPLY ? item.data : NULL;
}

const char *qmp_call_human(struct qmp_client *c, const char *line, uint64_t end_ns, int *rc)
{
	json_object *o = qmp_call(c, "human-monitor-command",
				  qmp_text_argument("command-line", line), end_ns, rc);

	return json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "";
}

json_object *qmp_text_argument(const char *key, const char *value)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, key, json_object_new_string(value));
	return o;
}
