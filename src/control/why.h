/* why.h - why a port has, or has no, network: one verdict, and what to do next. A pure function of what control knows. */
#ifndef ANYNIC_CONTROL_WHY_H
#define ANYNIC_CONTROL_WHY_H

#include "control/control.h"

enum why_verdict {
	WHY_OK,
	WHY_NO_DRIVER,
	WHY_INITIALIZING,
	WHY_WAITING,
	WHY_HELD,
	WHY_MANUAL,
	WHY_BACKEND_DOWN,
	WHY_DRIVER_FAILED,
	WHY_VERDICT_COUNT
};

extern const char *const why_verdict_names[WHY_VERDICT_COUNT];

struct why {
	enum why_verdict verdict;
	char text[640];
	char next_step[320]; /* empty when there is nothing to do */
};

void why_port(const struct control_port *p, struct why *why);

#endif
