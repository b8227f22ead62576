#include "control/events.h"

#include <time.h>

#include "base/clock.h"

const char *const event_names[] = {
	[EVENT_GUEST_DRIVER_STATUS_CHANGED] = "GUEST_DRIVER_STATUS_CHANGED",
	[EVENT_NIC_LINK_CHANGED] = "NIC_LINK_CHANGED",
	[EVENT_PORT_LINK_SWITCHED] = "PORT_LINK_SWITCHED",
	[EVENT_PORT_SWITCH_HELD] = "PORT_SWITCH_HELD",
	[EVENT_BACKEND_STATUS_CHANGED] = "BACKEND_STATUS_CHANGED",
	[EVENT_MIGRATION] = "MIGRATION",
	[EVENT_PORT_ADDED] = "PORT_ADDED",
	[EVENT_PORT_REMOVED] = "PORT_REMOVED",
	[EVENT_RESET] = "RESET",
	[EVENT_SHUTDOWN] = "SHUTDOWN",
	[EVENT_STOP] = "STOP",
	[EVENT_RESUME] = "RESUME",
};
NAMES_MATCH(event_names, EVENT_KIND_COUNT);

uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

json_object *time_make(uint64_t ns)
{
	json_object *time = json_object_new_object();

	json_object_object_add(time, "seconds", json_object_new_int64((int64_t)(ns / NS_PER_S)));
	json_object_object_add(time, "microseconds",
			       json_object_new_int64((int64_t)(ns % NS_PER_S / 1000)));
	return time;
}

json_object *json_name(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

json_object *event_make(enum event_kind kind, json_object *data)
{
	json_object *event = json_object_new_object();

	json_object_object_add(
		event, "event",
		json_object_new_string(name_of(event_names, EVENT_KIND_COUNT, kind)));
	if (data)
		json_object_object_add(event, "data", data);
	json_object_object_add(event, "timestamp", time_make(wall_ns()));
	return event;
}
