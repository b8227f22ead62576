#include "helper/lines.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "helper/system_log.h"

/* syslog(3)'s numbers, which journald takes from the line. */
static const int priority[] = {
	[LOG_ERROR] = 3,
	[LOG_WARNING] = 4,
	[LOG_INFO] = 6,
	[LOG_DEBUG] = 7,
};
_Static_assert(ARRAY_SIZE(priority) == LOG_LEVEL_COUNT, "one priority for each level");

/* One write for one line: those of several processes do not mix. */
static void put(const char *before, const char *text)
{
	char line[LOG_TEXT + 64];
	int n = snprintf(line, sizeof(line), "%s%s\n", before, text);
	ssize_t done = write(STDERR_FILENO, line, (size_t)MIN(n, (int)sizeof(line) - 1));

	(void)done;
}

static void to_person(enum log_level level, const char *text)
{
	char before[40];

	(void)snprintf(before, sizeof(before), "anynic-helper: %s: ", log_level_name(level));
	put(before, text);
}

static void to_journal(enum log_level level, const char *text)
{
	char before[8];

	(void)snprintf(before, sizeof(before), "<%d>", priority[level]);
	put(before, text);
}

static void to_syslog(enum log_level level, const char *text)
{
	system_log_write(priority[level], text);
}

void lines_go_to(enum lines lines)
{
	static log_sink *const sinks[] = { to_person, to_journal, to_syslog };

	if (lines == LINES_SYSLOG) {
		tzset(); /* reads /etc/localtime, which is out of reach later */
		system_log_open("anynic-helper");
	}
	log_set_sink(sinks[lines]);
}
