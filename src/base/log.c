#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};
NAMES_MATCH(level_names, LOG_LEVEL_COUNT);

static void sink_stderr(enum log_level level, const char *text)
{
	fprintf(stderr, "anynic: %s: %s\n", log_level_name(level), text);
}

static log_sink *current_sink = sink_stderr;
static enum log_level current_level = LOG_INFO;

void log_set_sink(log_sink *sink)
{
	current_sink = sink;
}

void log_set_level(enum log_level most)
{
	current_level = most;
}

const char *log_level_name(enum log_level level)
{
	return name_of(level_names, ARRAY_SIZE(level_names), level);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char text[LOG_TEXT];
	va_list args;

	if (level > current_level)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	current_sink(level, text);
}
