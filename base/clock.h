/* Clocks. Inside a process time is int64 nanoseconds since boot (CLOCK_BOOTTIME, so
 * that suspend counts); in SQL it is Unix milliseconds; on the wire SenML seconds.
 * Only program mains and adapters read a clock: pure code takes `now`. */
#ifndef HT_BASE_CLOCK_H
#define HT_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HT_NS_PER_US   INT64_C(1000)
#define HT_NS_PER_MS   INT64_C(1000000)
#define HT_NS_PER_S    INT64_C(1000000000)
#define HT_MS_PER_S    INT64_C(1000)
#define HT_BOOT_ID_LEN 36 /* a UUID as text */

/* Nanoseconds since boot. The same clock as /proc/uptime. */
int64_t ht_mono_ns(void);

/* Unix time in milliseconds, right or wrong. */
int64_t ht_wall_ms(void);

/* Whether the kernel's clock is disciplined by NTP/PTP (adjtimex) and not before
 * 2020: only then may records carry absolute time. The environment variable
 * HATANG_CLOCK=synchronised|free overrides it, for containers whose host keeps time. */
bool ht_clock_synchronised(void);

/* The kernel's boot id, a UUID; HATANG_BOOT_ID (a UUID in lower case) overrides it
 * (several agents of a lab share one kernel). `out` is NUL-terminated. HT_IO when it
 * cannot be read. */
HT_MUST_CHECK ht_err ht_boot_id(char out[static HT_BOOT_ID_LEN + 1]);

/* RFC 3339 UTC with milliseconds, "2018-03-01T07:00:00.000Z". */
#define HT_RFC3339_LEN 24
void ht_rfc3339(int64_t unix_ms, char out[static HT_RFC3339_LEN + 1]);

/* Reads RFC 3339 with any offset, or a date alone (midnight UTC).
 * HT_MALFORMED, HT_RANGE (year 1970..9999). */
HT_MUST_CHECK ht_err ht_rfc3339_parse(const char *text, int64_t *out_unix_ms);

#endif
