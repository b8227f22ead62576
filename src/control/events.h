/* events.h - the events of the control socket: one row each, and how their data is made. */
#ifndef ANYNIC_CONTROL_EVENTS_H
#define ANYNIC_CONTROL_EVENTS_H

#include <json-c/json.h>

#include "base/util.h"

enum event_kind {
	EVENT_GUEST_DRIVER_STATUS_CHANGED,
	EVENT_NIC_LINK_CHANGED,
	EVENT_PORT_LINK_SWITCHED,
	EVENT_PORT_SWITCH_HELD,
	EVENT_BACKEND_STATUS_CHANGED,
	EVENT_MIGRATION,
	EVENT_PORT_ADDED,
	EVENT_PORT_REMOVED,
	EVENT_RESET,
	EVENT_SHUTDOWN,
	EVENT_STOP,
	EVENT_RESUME,
	EVENT_KIND_COUNT
};

extern const char *const event_names[EVENT_KIND_COUNT];

/* {"event": ..., "data": ..., "timestamp": ...}, now. `data` is taken; NULL = no data. The caller owns the result. */
json_object *event_make(enum event_kind kind, json_object *data);

/* {"seconds": ..., "microseconds": ...} of a wall-clock time in ns. */
json_object *time_make(uint64_t wall_ns);

/* CLOCK_REALTIME, ns. */
uint64_t wall_ns(void);

/* A string, or null for NULL: for `from`, `to` and `active`. */
json_object *json_name(const char *text);

#endif
