#include "server/web/throttle.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

void throttle_init(struct throttle *t, const uint8_t secret[static 16])
{
	*t = (struct throttle){ 0 };
	memcpy(t->secret, secret, sizeof(t->secret));
}

static uint64_t throttle_key(const struct throttle *t, const char *kind, const char *key)
{
	char text[320];
	uint64_t hash;
	int n = snprintf(text, sizeof(text), "%s\n%s", kind, key);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;

	crypto_shorthash((uint8_t *)&hash, (const uint8_t *)text, len, t->secret);
	return hash ? hash : 1;
}

int throttle_wait_s(
    const struct throttle *t, const char *kind, const char *key, int64_t now_ms)
{
	uint64_t hash = throttle_key(t, kind, key);
	const struct throttle_slot *s = &t->slots[hash % THROTTLE_SLOTS];

	if (s->key != hash || s->failures < THROTTLE_FREE ||
	    now_ms - s->last_ms > THROTTLE_KEEP_MS)
		return 0;
	uint32_t over = s->failures - THROTTLE_FREE;
	int64_t delay_s = over >= 9 ? THROTTLE_MAX_S : INT64_C(1) << over;
	if (delay_s > THROTTLE_MAX_S)
		delay_s = THROTTLE_MAX_S;
	int64_t left_ms = s->last_ms + delay_s * 1000 - now_ms;
	return left_ms <= 0 ? 0 : (int)((left_ms + 999) / 1000);
}

void throttle_failed(
    struct throttle *t, const char *kind, const char *key, int64_t now_ms)
{
	uint64_t hash = throttle_key(t, kind, key);
	struct throttle_slot *s = &t->slots[hash % THROTTLE_SLOTS];

	/* A slot taken by another key is given over: its attacker gains a few tries, but
	 * cannot choose whose slot he takes. */
	if (s->key != hash || now_ms - s->last_ms > THROTTLE_KEEP_MS)
		*s = (struct throttle_slot){ .key = hash };
	if (s->failures < UINT32_MAX)
		s->failures++;
	s->last_ms = now_ms;
}

void throttle_passed(struct throttle *t, const char *kind, const char *key)
{
	uint64_t hash = throttle_key(t, kind, key);
	struct throttle_slot *s = &t->slots[hash % THROTTLE_SLOTS];

	if (s->key == hash)
		*s = (struct throttle_slot){ 0 };
}
