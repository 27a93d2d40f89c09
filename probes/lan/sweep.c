#include "probes/lan/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

ht_err sweep_init(struct sweep *s, const struct ht_addr *net, uint32_t begin,
    uint32_t chunk, unsigned tries)
{
	if (net->family != AF_INET)
		return HT_UNSUPPORTED;
	if (net->prefix < SWEEP_PREFIX_MIN)
		return HT_TOOLARGE;
	struct sweep out = {
		.net = *net, .n_hosts = ht_addr_v4_hosts(net), .tries = tries
	};
	out.begin = begin % out.n_hosts;
	out.chunk = chunk < out.n_hosts ? chunk : out.n_hosts;
	out.bits = calloc(out.n_hosts / 8 + 1, 1);
	if (!out.bits)
		return HT_NOMEM;
	*s = out;
	return HT_OK;
}

void sweep_fini(struct sweep *s)
{
	free(s->bits);
	*s = (struct sweep){ 0 };
}

static bool has(const struct sweep *s, uint32_t i)
{
	return s->bits[i / 8] & (1u << (i % 8));
}

static uint32_t chunk_len(const struct sweep *s)
{
	uint32_t left = s->n_hosts - s->chunk_at;

	return left < s->chunk ? left : s->chunk;
}

/* The next host of the chunk that this try has to ask. */
static bool in_chunk(struct sweep *s, uint32_t *out_i)
{
	while (s->cursor < chunk_len(s)) {
		uint32_t i = (s->begin + s->chunk_at + s->cursor++) % s->n_hosts;

		if (s->try == 0)
			s->asked++;
		if (has(s, i))
			continue;
		*out_i = i;
		return true;
	}
	return false;
}

static void next_try(struct sweep *s)
{
	s->cursor = 0;
	s->hold_ns = s->try_began_ns + SWEEP_RETRY_NS;
	s->try_began_ns = 0;
	if (++s->try < s->tries)
		return;
	s->chunk_at += chunk_len(s);
	s->try = 0;
	s->hold_ns = 0;
}

enum sweep_step sweep_next(struct sweep *s, int64_t now, uint32_t *out_ip)
{
	uint32_t i;

	while (s->chunk_at < s->n_hosts) {
		if (now < s->hold_ns)
			return SWEEP_WAIT;
		if (in_chunk(s, &i)) {
			if (!s->try_began_ns)
				s->try_began_ns = now;
			*out_ip = ht_addr_v4_host(&s->net, i);
			return SWEEP_ASK;
		}
		next_try(s);
	}
	return SWEEP_END;
}

bool sweep_answer(struct sweep *s, uint32_t ip)
{
	uint32_t i = ip - ht_addr_v4_host(&s->net, 0);

	if (i >= s->n_hosts) /* also when ip lies below: the difference wraps */
		return false;
	if (!has(s, i))
		s->answered++;
	s->bits[i / 8] = (uint8_t)(s->bits[i / 8] | 1u << (i % 8));
	return true;
}

uint32_t sweep_resume(const struct sweep *s)
{
	if (s->chunk_at >= s->n_hosts)
		return 0;
	return (s->begin + s->chunk_at) % s->n_hosts;
}

static int64_t interval(int64_t per_s)
{
	return HT_NS_PER_S / per_s + (HT_NS_PER_S % per_s != 0);
}

static int64_t tolerance(int64_t per_s)
{
	int64_t burst = per_s / 100;

	return burst > 1 ? (burst - 1) * interval(per_s) : 0;
}

int64_t pace_wait(const struct pace *p, int64_t now, int64_t per_s)
{
	int64_t due = p->next_ns - tolerance(per_s);

	return due > now ? due - now : 0;
}

bool pace_take(struct pace *p, int64_t now, int64_t per_s)
{
	if (pace_wait(p, now, per_s) > 0)
		return false;
	p->next_ns = (p->next_ns > now ? p->next_ns : now) + interval(per_s);
	return true;
}
