/* log.h - lines for the operator. Nobody below cli/ and control/ prints: this goes to a sink that the program sets
 * (control: stderr; datapath: a message to control). Safe from any thread.
 */
#ifndef ANYNIC_BASE_LOG_H
#define ANYNIC_BASE_LOG_H

#include "base/util.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT };

#define LOG_TEXT 400

/* One line, without newline. */
typedef void log_sink(enum log_level level, const char *text);

/* The default sink writes "anynic: LEVEL: text" to stderr. Set before threads start. */
void log_set_sink(log_sink *sink);
void log_set_level(enum log_level most);
const char *log_level_name(enum log_level level);

void log_write(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

#define log_error(...)	 log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	 log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_write(LOG_DEBUG, __VA_ARGS__)

#endif
