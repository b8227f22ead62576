/* event_line.h - an event as one line for a person. */
#ifndef ANYNIC_CLI_EVENT_LINE_H
#define ANYNIC_CLI_EVENT_LINE_H

#include <json-c/json.h>
#include <stdio.h>

#include "base/log.h"

/* Prints `event` with its time of day and a newline. */
void event_line_print(FILE *to, json_object *event);

/* A log_sink: with --json everything on stderr that is ours is one object a line. */
void event_log_json(enum log_level level, const char *text);

/* Prints `event` as one JSON document and a newline. */
void event_json_print(FILE *to, json_object *event);

#endif
