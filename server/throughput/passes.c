#include "server/throughput/passes.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"

void passes_drop(struct passes *all, struct pass *p)
{
	pthread_mutex_lock(&all->lock);
	bool last = --p->refs == 0;
	pthread_mutex_unlock(&all->lock);
	if (last) {
		sodium_memzero(p->token, sizeof(p->token));
		free(p);
	}
}

ht_err passes_allow(struct passes *all, int64_t slot, int64_t bytes, int64_t until_ns,
    char out_token[static ENDPOINT_TOKEN_HEX + 1])
{
	struct pass *p = calloc(1, sizeof(*p));
	size_t i = 0;

	if (!p)
		return HT_NOMEM;
	p->slot = slot;
	p->bytes = bytes;
	p->until_ns = until_ns;
	p->refs = 1;
	randombytes_buf(p->token, sizeof(p->token));
	pthread_mutex_lock(&all->lock);
	while (i < ENDPOINT_PASSES_MAX && all->at[i])
		i++;
	if (i < ENDPOINT_PASSES_MAX)
		all->at[i] = p;
	pthread_mutex_unlock(&all->lock);
	if (i == ENDPOINT_PASSES_MAX) {
		free(p);
		return HT_FULL;
	}
	sodium_bin2hex(out_token, ENDPOINT_TOKEN_HEX + 1, p->token, sizeof(p->token));
	return HT_OK;
}

int64_t passes_end(struct passes *all, int64_t slot)
{
	struct pass *p = NULL;

	pthread_mutex_lock(&all->lock);
	for (size_t i = 0; i < ENDPOINT_PASSES_MAX && !p; i++) {
		if (all->at[i] && all->at[i]->slot == slot) {
			p = all->at[i];
			all->at[i] = NULL;
		}
	}
	pthread_mutex_unlock(&all->lock);
	if (!p)
		return -1;
	atomic_store(&p->ended, true);
	int64_t used = atomic_load(&p->used);
	passes_drop(all, p);
	return used;
}

static bool pass_over(const struct pass *p)
{
	return atomic_load(&p->ended) || ht_mono_ns() >= p->until_ns;
}

/* Every pass is looked at, whole, so that time tells nothing of tokens. */
struct pass *passes_find(struct passes *all, const uint8_t token[PASS_TOKEN_BYTES])
{
	struct pass *found = NULL;

	pthread_mutex_lock(&all->lock);
	for (size_t i = 0; i < ENDPOINT_PASSES_MAX; i++) {
		struct pass *p = all->at[i];

		if (p && sodium_memcmp(p->token, token, PASS_TOKEN_BYTES) == 0)
			found = p;
	}
	if (found && pass_over(found))
		found = NULL;
	if (found)
		found->refs++;
	pthread_mutex_unlock(&all->lock);
	return found;
}

bool passes_crowded(struct passes *all, const struct pass *p)
{
	pthread_mutex_lock(&all->lock);
	bool crowded = p->refs > 1 + PASS_CONNECTIONS;
	pthread_mutex_unlock(&all->lock);
	return crowded;
}

int64_t pass_left(const struct pass *p)
{
	int64_t left = p->bytes - atomic_load(&p->used);

	return left > 0 ? left : 0;
}

/* How many of `want` bytes it still carries: they are used then. */
size_t pass_take(struct pass *p, size_t want)
{
	int64_t used = atomic_load(&p->used), take;

	if (pass_over(p))
		return 0;
	do {
		take = p->bytes - used;
		take = take < 0 ? 0 : take < (int64_t)want ? take : (int64_t)want;
	} while (!atomic_compare_exchange_weak(&p->used, &used, used + take));
	return (size_t)take;
}

void pass_refund(struct pass *p, int64_t bytes)
{
	atomic_fetch_sub(&p->used, bytes);
}

void passes_init(struct passes *all)
{
	pthread_mutex_init(&all->lock, NULL);
}

void passes_fini(struct passes *all)
{
	for (size_t i = 0; i < ENDPOINT_PASSES_MAX; i++) {
		if (all->at[i])
			passes_drop(all, all->at[i]);
	}
	pthread_mutex_destroy(&all->lock);
}
