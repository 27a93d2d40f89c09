/* The log: one line an event to stderr, `key=value`, for journald; JSON on request.
 * Programs and the owners of decisions log; base, mqtt and pure parsers never do.
 * Never pass a secret. Control bytes in the text are escaped, a line is cut at 2 KiB. */
#ifndef HT_BASE_LOG_H
#define HT_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum ht_log_level { HT_LOG_ERROR, HT_LOG_WARN, HT_LOG_INFO, HT_LOG_DEBUG };

/* Process-wide, set once at start-up, before any thread. `program` is borrowed for
 * the life of the process. The default is INFO as text. */
void ht_log_init(const char *program, enum ht_log_level level, bool json);

bool ht_log_enabled(enum ht_log_level level);

/* `event` is a stable word for searching ("spool.full"); fmt gives `key=value …`.
 * Thread safe; one write(2) a line. */
void ht_log(enum ht_log_level level, const char *event, const char *fmt, ...)
    HT_PRINTF(3, 4);

#define ht_log_error(event, ...) ht_log(HT_LOG_ERROR, event, __VA_ARGS__)
#define ht_log_warn(event, ...)  ht_log(HT_LOG_WARN, event, __VA_ARGS__)
#define ht_log_info(event, ...)  ht_log(HT_LOG_INFO, event, __VA_ARGS__)
#define ht_log_debug(event, ...)                                  \
	do {                                                      \
		if (ht_log_enabled(HT_LOG_DEBUG))                 \
			ht_log(HT_LOG_DEBUG, event, __VA_ARGS__); \
	} while (0)

#endif
