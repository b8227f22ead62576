#include "cli/event_line.h"

#include <string.h>
#include <time.h>

#include "cli/talk.h"
#include "control/events.h"

#define LINE_ROOM 512

static const char *or_none(json_object *data, const char *name)
{
	return member_of(data, name) ? text_of(data, name) : "none";
}

static void status_line(json_object *d, char *to, size_t size)
{
	const char *phase = text_of(d, "phase");

	snprintf(to, size, "%s: %s driver %s (was %s%s%s): %s", text_of(d, "nic"),
		 text_of(d, "model"), text_of(d, "status"), text_of(d, "previous"),
		 strcmp(phase, "unknown") ? ", " : "", strcmp(phase, "unknown") ? phase : "",
		 text_of(d, "evidence"));
}

static void link_line(json_object *d, char *to, size_t size)
{
	snprintf(to, size, "%s: link %s", text_of(d, "nic"),
		 json_object_get_boolean(member_of(d, "up")) ? "up" : "down");
}

static void switched_line(json_object *d, char *to, size_t size)
{
	int64_t us = json_object_get_int64(member_of(d, "duration-us"));

	snprintf(to, size, "%s: switched %s -> %s (%s, %lld.%03lld ms)", text_of(d, "port"),
		 or_none(d, "from"), or_none(d, "to"), text_of(d, "reason"), (long long)(us / 1000),
		 (long long)(us % 1000));
}

static void held_line(json_object *d, char *to, size_t size)
{
	time_t until = (time_t)json_object_get_int64(member_of(member_of(d, "until"), "seconds"));
	struct tm tm;
	char text[16];

	localtime_r(&until, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	snprintf(to, size, "%s: %s switches in a short time: the choice is held until %s",
		 text_of(d, "port"), text_of(d, "switches"), text);
}

static void backend_line(json_object *d, char *to, size_t size)
{
	const char *reason = text_of(d, "reason");

	snprintf(to, size, "%s: backend %s%s%s", text_of(d, "port"),
		 json_object_get_boolean(member_of(d, "up")) ? "up" : "down", reason[0] ? ": " : "",
		 reason);
}

#define MIB (1024.0 * 1024.0)

static void migration_line(json_object *d, char *to, size_t size)
{
	const char *status = text_of(d, "status"), *reason = text_of(d, "reason");
	json_object *moved = member_of(d, "transferred"), *left = member_of(d, "remaining");
	char amount[80] = "";

	if (strcmp(status, "moving") == 0 && moved && left)
		snprintf(amount, sizeof(amount), ", %.1f MiB sent, %.1f MiB left",
			 (double)json_object_get_uint64(moved) / MIB,
			 (double)json_object_get_uint64(left) / MIB);
	if (strcmp(status, "completed") == 0)
		snprintf(amount, sizeof(amount),
			 ", %.1f MiB sent, the guest stood still for %lld ms",
			 (double)json_object_get_uint64(moved) / MIB,
			 (long long)json_object_get_int64(member_of(d, "downtime-ms")));
	snprintf(to, size, "migration: %s%s%s%s", status, amount, reason[0] ? ": " : "", reason);
}

static void added_line(json_object *d, char *to, size_t size)
{
	snprintf(to, size, "%s: plugged into the guest", text_of(d, "port"));
}

static void removed_line(json_object *d, char *to, size_t size)
{
	snprintf(to, size, "%s: taken out of the guest", text_of(d, "port"));
}

static void reset_line(json_object *d, char *to, size_t size)
{
	snprintf(to, size, "guest was reset%s%s", text_of(d, "reason")[0] ? ": " : "",
		 text_of(d, "reason"));
}

static void shutdown_line(json_object *d, char *to, size_t size)
{
	snprintf(to, size, "guest shuts down%s%s", text_of(d, "reason")[0] ? ": " : "",
		 text_of(d, "reason"));
}

static void stop_line(json_object *d, char *to, size_t size)
{
	(void)d;
	snprintf(to, size, "guest is stopped");
}

static void resume_line(json_object *d, char *to, size_t size)
{
	(void)d;
	snprintf(to, size, "guest goes on");
}

static void (*const lines[EVENT_KIND_COUNT])(json_object *data, char *to, size_t size) = {
	[EVENT_GUEST_DRIVER_STATUS_CHANGED] = status_line,
	[EVENT_NIC_LINK_CHANGED] = link_line,
	[EVENT_PORT_LINK_SWITCHED] = switched_line,
	[EVENT_PORT_SWITCH_HELD] = held_line,
	[EVENT_BACKEND_STATUS_CHANGED] = backend_line,
	[EVENT_MIGRATION] = migration_line,
	[EVENT_PORT_ADDED] = added_line,
	[EVENT_PORT_REMOVED] = removed_line,
	[EVENT_RESET] = reset_line,
	[EVENT_SHUTDOWN] = shutdown_line,
	[EVENT_STOP] = stop_line,
	[EVENT_RESUME] = resume_line,
};

void event_line_print(FILE *to, json_object *event)
{
	json_object *stamp = member_of(event, "timestamp");
	time_t seconds = (time_t)json_object_get_int64(member_of(stamp, "seconds"));
	int ms = (int)(json_object_get_int64(member_of(stamp, "microseconds")) / 1000);
	int kind = name_find(event_names, EVENT_KIND_COUNT, text_of(event, "event"));
	char line[LINE_ROOM], clock[16];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	if (kind >= 0)
		lines[kind](member_of(event, "data"), line, sizeof(line));
	else
		str_copy(line, sizeof(line), text_of(event, "event")); /* of a newer anynic */
	fprintf(to, "%s.%03d %s\n", clock, ms, line);
	fflush(to);
}

void event_json_print(FILE *to, json_object *event)
{
	fprintf(to, "%s\n",
		json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(to);
}

void event_log_json(enum log_level level, const char *text)
{
	json_object *event = json_object_new_object();
	json_object *data = json_object_new_object();

	json_object_object_add(data, "level", json_object_new_string(log_level_name(level)));
	json_object_object_add(data, "text", json_object_new_string(text));
	json_object_object_add(event, "event", json_object_new_string("LOG"));
	json_object_object_add(event, "data", data);
	json_object_object_add(event, "timestamp", time_make(wall_ns()));
	event_json_print(stderr, event);
	json_object_put(event);
}
