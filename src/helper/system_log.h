/* system_log.h - syslog(3), away from base/log.h, whose words it takes for others. */
#ifndef ANYNIC_HELPER_SYSTEM_LOG_H
#define ANYNIC_HELPER_SYSTEM_LOG_H

void system_log_open(const char *name);
void system_log_write(int priority, const char *text);

#endif
