/* qmp_call.h - one command and its reply, waited for: what is asked of QEMU before there is a loop. Events that come meanwhile are dropped. */
#ifndef ANYNIC_QEMU_QMP_CALL_H
#define ANYNIC_QEMU_QMP_CALL_H

#include "qemu/qmp_client.h"

/* Until the capabilities are negotiated. `greeting` (may be NULL) is borrowed until the next call. -ETIMEDOUT, -EPIPE. */
int qmp_call_ready(struct qmp_client *c, uint64_t end_ns, json_object **greeting);

/* Sends a command and waits; takes `arguments`. The reply's data is borrowed until the next call; NULL = QEMU refused, or *rc says why
 * (-ETIMEDOUT, -EPIPE). */
json_object *qmp_call(struct qmp_client *c, const char *command, json_object *arguments,
		      uint64_t end_ns, int *rc);

/* human-monitor-command: its text, "" when there is none. */
const char *qmp_call_human(struct qmp_client *c, const char *line, uint64_t end_ns, int *rc);

/* {"key": "value"} */
json_object *qmp_text_argument(const char *key, const char *value);

#endif
