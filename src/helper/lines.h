/* lines.h - where the helper's log goes, as it is run. */
#ifndef ANYNIC_HELPER_LINES_H
#define ANYNIC_HELPER_LINES_H

enum lines {
	LINES_PLAIN,   /* standard error, for a person */
	LINES_JOURNAL, /* standard error, with the priority that journald reads */
	LINES_SYSLOG,  /* standard error belongs to the user who started us */
};

/* Before the lock-down: what must be opened is opened now. */
void lines_go_to(enum lines lines);

#endif
