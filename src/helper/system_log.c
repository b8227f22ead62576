#include "helper/system_log.h"

#include <syslog.h>

void system_log_open(const char *name)
{
	openlog(name, LOG_PID | LOG_NDELAY, LOG_AUTHPRIV);
}

void system_log_write(int priority, const char *text)
{
	syslog(priority, "%s", text);
}
