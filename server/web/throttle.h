/* How often something may be tried: a bounded table of keys with growing delays, for
 * logins (by account and by address) and enrolment (by address). Pure: takes `now`; the
 * caller locks. A key is hashed with a secret of the process, so that nobody can choose
 * keys that collide. */
#ifndef HT_SERVER_WEB_THROTTLE_H
#define HT_SERVER_WEB_THROTTLE_H

#include <stdint.h>

#define THROTTLE_SLOTS   1024
#define THROTTLE_FREE    4                /* failures before the first delay */
#define THROTTLE_MAX_S   300              /* longest delay */
#define THROTTLE_KEEP_MS (15 * 60 * 1000) /* a slot without failure is forgotten */

struct throttle_slot {
	uint64_t key;
	uint32_t failures;
	int64_t last_ms;
};

struct throttle {
	uint8_t secret[16];
	struct throttle_slot slots[THROTTLE_SLOTS];
};

void throttle_init(struct throttle *t, const uint8_t secret[static 16]);

/* Seconds to wait before `key` of `kind` ("login", "ip") may try again; 0: now. */
int throttle_wait_s(
    const struct throttle *t, const char *kind, const char *key, int64_t now_ms);

void throttle_failed(
    struct throttle *t, const char *kind, const char *key, int64_t now_ms);
void throttle_passed(struct throttle *t, const char *kind, const char *key);

#endif
