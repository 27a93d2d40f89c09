#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static struct {
	const char *program;
	enum ht_log_level level;
	bool json;
} logger = { "hatang", HT_LOG_INFO, false };

void ht_log_init(const char *program, enum ht_log_level level, bool json)
{
	logger.program = program;
	logger.level = level;
	logger.json = json;
}

bool ht_log_enabled(enum ht_log_level level)
{
	return level <= logger.level;
}

/* Text from the network may hold anything: keep one line one line. */
static size_t escape(char *out, size_t cap, const char *in, bool json)
{
	size_t n = 0;

	for (; *in && n + 7 < cap; in++) {
		unsigned char c = (unsigned char)*in;

		if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(
			    out + n, cap - n, json ? "\\u%04x" : "\\x%02x", c);
		else if (json && (c == '"' || c == '\\'))
			n += (size_t)snprintf(out + n, cap - n, "\\%c", c);
		else
			out[n++] = (char)c;
	}
	out[n] = '\0';
	return n;
}

void ht_log(enum ht_log_level level, const char *event, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES], safe[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 256],
	    when[40];
	struct timespec now;
	struct tm tm;
	va_list ap;
	int n;

	if (!ht_log_enabled(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	escape(safe, sizeof(safe), text, logger.json);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(line, sizeof(line),
	    logger.json ? "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"program\":\"%s\","
			  "\"event\":\"%s\",\"text\":\"%s\"}\n"
			: "%s.%03ldZ level=%s program=%s event=%s %s\n",
	    when, now.tv_nsec / 1000000, level_names[level], logger.program, event, safe);
	if (n > (int)sizeof(line) - 1)
		n = (int)sizeof(line) - 1;
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to complain to */
}
