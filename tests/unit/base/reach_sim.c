#include "unit/base/reach_sim.h"

#include <stdlib.h>

#include "unit/test.h"

/* splitmix64 */
static uint64_t next_random(struct sim *s)
{
	uint64_t z = (s->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

double sim_random(struct sim *s)
{
	return (double)(next_random(s) >> 11) / (double)(UINT64_C(1) << 53);
}

/* ---- answers under way: a heap by arrival ---- */

static void swap(struct sim *s, size_t i, size_t j)
{
	struct sim_flight f = s->flights[i];

	s->flights[i] = s->flights[j];
	s->flights[j] = f;
}

static void put(struct sim *s, struct sim_flight f)
{
	size_t i = s->n_flights++;

	assert_true(i < SIM_FLIGHTS);
	s->flights[i] = f;
	for (; i && s->flights[i].at_ns < s->flights[(i - 1) / 2].at_ns; i = (i - 1) / 2)
		swap(s, i, (i - 1) / 2);
}

static struct sim_flight take(struct sim *s)
{
	struct sim_flight first = s->flights[0];
	size_t i = 0;

	s->flights[0] = s->flights[--s->n_flights];
	for (;;) {
		size_t c = 2 * i + 1;

		if (c + 1 < s->n_flights && s->flights[c + 1].at_ns < s->flights[c].at_ns)
			c++;
		if (c >= s->n_flights || s->flights[i].at_ns <= s->flights[c].at_ns)
			return first;
		swap(s, i, c);
		i = c;
	}
}

/* ---- the network ---- */

static bool cut_at(const struct sim_target *t, int64_t at_ns)
{
	return t->cut_ns && at_ns >= t->cut_ns &&
	       (t->restored_ns == 0 || at_ns < t->restored_ns);
}

/* Whether a packet that leaves now comes back: it passes the place of a cut twice. */
static bool passes(struct sim *s, const struct sim_target *t, int64_t rtt_ns)
{
	int64_t half = rtt_ns / 2;
	int64_t there = (int64_t)((double)half * t->cut_at);

	if (cut_at(t, s->now_ns + there) || cut_at(t, s->now_ns + rtt_ns - there))
		return false;
	for (size_t i = 0; i < SIM_PARENTS && t->behind[i] >= 0; i++) {
		if (!passes(s, &s->targets[t->behind[i]], rtt_ns))
			return false;
	}
	return true;
}

static void on_send(void *arg, uint32_t target, uint16_t seq)
{
	struct sim *s = arg;
	struct sim_target *t = &s->targets[target];
	struct sim_flight f = { .target = target, .seq = seq };

	t->sent++;
	if (s->now_ns - s->second_ns >= HT_NS_PER_S) {
		s->second_ns = s->now_ns;
		s->in_second = 0;
	}
	if (++s->in_second > s->busiest)
		s->busiest = s->in_second;
	if (t->unsendable || t->unroutable) {
		assert_true(s->n_unsent < HT_COUNT(s->unsent));
		s->unsent[s->n_unsent++] = f;
		return;
	}
	int64_t rtt = t->rtt_ns + (int64_t)(sim_random(s) * (double)t->jitter_ns);
	if (sim_random(s) < t->loss || !passes(s, t, rtt))
		return;
	if (t->rtt_least_ns == 0 || rtt < t->rtt_least_ns)
		t->rtt_least_ns = rtt;
	if (rtt > t->rtt_most_ns)
		t->rtt_most_ns = rtt;
	f.at_ns = s->now_ns + rtt;
	put(s, f);
	if (t->twice)
		put(s, f);
}

/* ---- what the core says ---- */

static void on_change(void *arg, uint32_t target, const struct ht_reach_change *c)
{
	struct sim *s = arg;

	assert_true(s->n_changes < SIM_CHANGES);
	assert_false(s->targets[target].self);
	assert_int_equal(c->at_ns, s->now_ns);
	assert_int_equal(c->state, ht_reach_state(s->reach, target));
	s->changes[s->n_changes++] =
	    (struct sim_change){ .target = target, .change = *c };
}

static void on_minute(void *arg, uint32_t target, const struct ht_reach_minute *m)
{
	struct sim *s = arg;
	struct sim_target *t = &s->targets[target];

	t->minutes++;
	t->minute_sent += m->sent;
	t->minute_received += m->received;
	t->hist += ht_hist_count(m->rtt);
	assert_true(m->received <= m->sent);
	if (m->received) {
		assert_true(m->rtt_sum_ns >= t->rtt_least_ns * m->received);
		assert_true(m->rtt_sum_ns <= t->rtt_most_ns * m->received);
	}
}

static void on_sight(void *arg, enum ht_reach_sight sight, int64_t at_ns)
{
	struct sim *s = arg;

	s->sight = sight;
	s->n_sights++;
}

/* ---- time ---- */

static void tick(struct sim *s)
{
	while (s->n_flights && s->flights[0].at_ns <= s->now_ns) {
		struct sim_flight f = take(s);

		if (s->deaf > 0 && sim_random(s) < s->deaf) {
			ht_reach_deaf(s->reach, s->now_ns);
			continue;
		}
		ht_reach_answer(
		    s->reach, f.target, f.seq, f.at_ns - s->step_ns, s->now_ns);
	}
	for (bool more = true; more;) {
		more = ht_reach_tick(s->reach, s->now_ns);
		for (size_t i = 0; i < s->n_unsent; i++) {
			const struct sim_flight *f = &s->unsent[i];

			if (s->targets[f->target].unroutable)
				ht_reach_unroutable(
				    s->reach, f->target, f->seq, s->now_ns);
			else
				ht_reach_unsent(s->reach, f->target, f->seq, s->now_ns);
		}
		s->n_unsent = 0;
	}
}

void sim_run(struct sim *s, int64_t until_ns)
{
	for (;;) {
		int64_t next = ht_reach_next_ns(s->reach);

		if (s->n_flights && s->flights[0].at_ns < next)
			next = s->flights[0].at_ns;
		if (next > until_ns)
			break;
		if (next > s->now_ns)
			s->now_ns = next;
		tick(s);
	}
	s->now_ns = until_ns;
}

void sim_stop(struct sim *s, int64_t until_ns)
{
	while (s->n_flights && s->flights[0].at_ns < until_ns)
		(void)take(s); /* nobody was there to receive it */
	s->now_ns = until_ns;
	tick(s);
}

/* ---- life ---- */

struct sim *sim_new(size_t n, uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	assert_true(n <= SIM_TARGETS);
	s->n = n;
	s->random = seed;
	s->burst_rate = 10000;
	s->now_ns = 1000 * HT_NS_PER_S;
	for (size_t i = 0; i < n; i++)
		s->targets[i] = (struct sim_target){ .rtt_ns = 20 * HT_NS_PER_MS,
			.jitter_ns = 2 * HT_NS_PER_MS,
			.cut_at = 1,
			.behind = { -1 } };
	return s;
}

static void sim_begin(struct sim *s)
{
	static struct ht_reach_target targets[SIM_TARGETS];
	const struct ht_reach_host host = { s, on_send, on_change, on_minute, on_sight };

	for (size_t i = 0; i < s->n; i++)
		targets[i] = (struct ht_reach_target){ .parents = s->targets[i].parents,
			.n_parents = s->targets[i].n_parents,
			.self = s->targets[i].self };
	assert_ok(
	    ht_reach_new(targets, s->n, s->burst_rate, &host, s->now_ns, &s->reach));
}

void sim_start(struct sim *s)
{
	sim_begin(s);
	tick(s);
}

void sim_again(struct sim *s, size_t n, const uint32_t *was)
{
	struct ht_reach *old = s->reach;

	s->n = n;
	s->n_flights = s->n_unsent = 0;
	sim_begin(s);
	ht_reach_inherit(s->reach, old, was, s->now_ns);
	ht_reach_free(old);
	tick(s);
}

void sim_free(struct sim *s)
{
	ht_reach_free(s->reach);
	free(s);
}

const struct sim_change *sim_find(
    const struct sim *s, uint32_t target, enum ht_reach_state state, int64_t from_ns)
{
	for (size_t i = 0; i < s->n_changes; i++) {
		const struct sim_change *c = &s->changes[i];

		if (c->target == target && c->change.state == state &&
		    c->change.at_ns >= from_ns)
			return c;
	}
	return NULL;
}

size_t sim_count(const struct sim *s, enum ht_reach_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_changes; i++)
		n += s->changes[i].change.state == state;
	return n;
}
