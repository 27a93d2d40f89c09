/* The reachability core against a simulated network: days pass in a moment. */
#include "unit/test.h"

#include <stdio.h>
#include <string.h>

#include "base/pings.h"
#include "unit/base/reach_sim.h"

#define MS HT_NS_PER_MS
#define S  HT_NS_PER_S

static int64_t down_after(const struct sim *s, uint32_t target, int64_t cut_ns)
{
	const struct sim_change *c = sim_find(s, target, HT_REACH_DOWN, cut_ns);

	assert_non_null(c);
	return c->change.at_ns - cut_ns;
}

/* ---- how soon ---- */

static void cut_and_restore(int64_t rtt_ns, double cut_at, uint64_t seed)
{
	struct sim *s = sim_new(1, seed);
	struct sim_target *t = &s->targets[0];

	t->rtt_ns = rtt_ns;
	t->jitter_ns = rtt_ns / (seed % 2 ? 20 : 4);
	t->cut_at = cut_at;
	t->cut_ns = s->now_ns + 30 * S + (int64_t)(sim_random(s) * (double)S);
	t->restored_ns = t->cut_ns + 20 * S + (int64_t)(sim_random(s) * (double)S);
	sim_start(s);
	sim_run(s, t->restored_ns + 10 * S);

	const struct sim_change *suspect =
	    sim_find(s, 0, HT_REACH_SUSPECT, t->cut_ns - S);
	const struct sim_change *down = sim_find(s, 0, HT_REACH_DOWN, t->cut_ns);
	const struct sim_change *up = sim_find(s, 0, HT_REACH_UP, t->restored_ns);

	assert_non_null(suspect);
	assert_non_null(down);
	assert_non_null(up);
	assert_true(suspect->change.at_ns - t->cut_ns <= 2500 * MS);
	assert_true(down->change.at_ns - t->cut_ns <= 4000 * MS);
	assert_true(up->change.at_ns - t->restored_ns <= 4000 * MS);
	assert_false(suspect->change.urgent);
	assert_true(down->change.urgent && up->change.urgent);
	/* the cut lies between the last answered and the first lost ping */
	assert_true(down->change.answered_ns <= t->cut_ns);
	assert_true(down->change.lost_ns + rtt_ns + t->jitter_ns >= t->cut_ns);
	assert_int_equal((down->change.lost_ns - down->change.answered_ns) / (S / 2), 2);
	/* and the end within one interval and a round trip of the first answered again */
	assert_int_equal(up->change.lost_ns, down->change.lost_ns);
	assert_true(up->change.answered_ns + rtt_ns + t->jitter_ns >= t->restored_ns);
	assert_true(up->change.answered_ns <= t->restored_ns + S);
	assert_int_equal(sim_count(s, HT_REACH_DOWN), 1);
	assert_int_equal(sim_count(s, HT_REACH_UP), 2);
	sim_free(s);
}

static void test_cut_is_told_in_time(void **state)
{
	static const int64_t rtts[] = { MS / 5, MS, 5 * MS, 20 * MS, 80 * MS, 200 * MS,
		350 * MS, 600 * MS };

	for (size_t i = 0; i < HT_COUNT(rtts); i++) {
		for (uint64_t seed = 0; seed < 60; seed++)
			cut_and_restore(rtts[i], (double)(seed % 3) / 2, seed * 31 + i);
	}
}

/* The state that a vantage meets at its start is told once, whatever it is. */
static void test_first_states(void **state)
{
	struct sim *s = sim_new(2, 1);

	s->targets[1].cut_ns = 1;
	sim_start(s);
	sim_run(s, s->now_ns + 30 * S);
	assert_int_equal(s->n_changes, 2);
	assert_int_equal(s->changes[0].target, 0);
	assert_int_equal(s->changes[0].change.state, HT_REACH_UP);
	assert_int_equal(s->changes[1].target, 1);
	assert_int_equal(s->changes[1].change.state, HT_REACH_DOWN);
	assert_true(s->changes[0].change.urgent && s->changes[1].change.urgent);
	assert_int_equal(s->changes[0].change.lost_ns, HT_REACH_NEVER);
	assert_int_equal(s->changes[1].change.answered_ns, HT_REACH_NEVER);
	assert_int_equal(s->sight, HT_REACH_UNCHECKED);
	sim_free(s);
}

/* ---- what is no outage ---- */

static void test_a_day_of_loss(void **state)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct sim *s = sim_new(1, seed);
		int64_t end = s->now_ns + 24 * 3600 * S;

		s->targets[0].loss = 0.2;
		s->targets[0].rtt_ns = seed % 2 ? 30 * MS : 600 * MS;
		s->targets[0].jitter_ns = 30 * MS;
		sim_start(s);
		while (s->now_ns < end) {
			sim_run(s, s->now_ns + 3600 * S);
			assert_int_equal(sim_count(s, HT_REACH_DOWN), 0);
			/* one in 25 pings has a lost one before it */
			assert_in_range(sim_count(s, HT_REACH_SUSPECT), 60, 240);
			s->n_changes = 0;
		}
		const struct sim_target *t = &s->targets[0];
		assert_in_range(t->minutes, 1440, 1441);
		assert_true(t->minute_sent + 70 > t->sent);
		assert_int_equal(t->hist, t->minute_received);
		double received = (double)t->minute_received / (double)t->minute_sent;
		assert_true(received > 0.78 && received < 0.82);
		sim_free(s);
	}
}

/* Everything is away for a second, at any phase: suspicion at most. */
static void test_short_gaps(void **state)
{
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct sim *s = sim_new(1, seed);
		struct sim_target *t = &s->targets[0];

		t->rtt_ns = seed % 2 ? 20 * MS : 600 * MS;
		t->cut_ns = s->now_ns + 20 * S + (int64_t)(sim_random(s) * (double)S);
		t->restored_ns = t->cut_ns + S;
		sim_start(s);
		sim_run(s, t->cut_ns + 20 * S);
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 0);
		assert_int_equal(ht_reach_state(s->reach, 0), HT_REACH_UP);
		sim_free(s);
	}
}

/* A line that becomes slow is not dead: its answers come late, and then the wait grows.
 */
static void test_growing_round_trip(void **state)
{
	struct sim *s = sim_new(1, 7);

	sim_start(s);
	sim_run(s, s->now_ns + 20 * S);
	s->targets[0].rtt_ns = 1500 * MS;
	s->targets[0].jitter_ns = 400 * MS;
	sim_run(s, s->now_ns + 60 * S);
	size_t before = sim_count(s, HT_REACH_SUSPECT);
	sim_run(s, s->now_ns + 600 * S);
	assert_int_equal(sim_count(s, HT_REACH_DOWN), 0);
	assert_int_equal(sim_count(s, HT_REACH_SUSPECT), before);
	assert_int_equal(ht_reach_state(s->reach, 0), HT_REACH_UP);
	sim_free(s);
}

/* The process stands still, and what arrives meanwhile is lost: that proves nothing. */
static void test_suspend(void **state)
{
	static const int64_t lengths[] = { 1500 * MS, 3 * S, 70 * S, 3600 * S };

	for (uint64_t seed = 0; seed < 100; seed++) {
		struct sim *s = sim_new(50, seed);

		for (size_t i = 0; i < s->n; i++)
			s->targets[i].rtt_ns = (int64_t)(5 + 12 * i) * MS;
		sim_start(s);
		sim_run(s, s->now_ns + 20 * S + (int64_t)(sim_random(s) * (double)S));
		sim_stop(s, s->now_ns + lengths[seed % HT_COUNT(lengths)]);
		assert_int_equal(ht_reach_counters(s->reach)->leaps, 1);
		sim_run(s, s->now_ns + 20 * S);
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 0);
		assert_int_equal(sim_count(s, HT_REACH_SUSPECT), 0);
		sim_free(s);
	}
}

/* … also in the middle of a suspicion, which then begins again; a real cut is told. */
static void test_suspend_in_suspicion(void **state)
{
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct sim *s = sim_new(2, seed);
		int64_t cut = s->now_ns + 20 * S;

		s->targets[0].cut_ns = s->targets[1].cut_ns = cut;
		s->targets[0].restored_ns = cut + 60 * S; /* back while we are asleep */
		sim_start(s);
		while (ht_reach_state(s->reach, 0) != HT_REACH_SUSPECT)
			sim_run(s, s->now_ns + 100 * MS);
		sim_stop(s, cut + 100 * S);
		sim_run(s, s->now_ns + 10 * S);
		assert_null(sim_find(s, 0, HT_REACH_DOWN, 0));
		assert_int_equal(ht_reach_state(s->reach, 0), HT_REACH_UP);
		assert_true(down_after(s, 1, cut + 100 * S) < 4 * S);
		sim_free(s);
	}
}

/* Answers are lost on our side, all of them even: that proves nothing of anybody. What is
 * really cut is told once we hear again. */
static void test_deaf(void **state)
{
	static const double shares[] = { 0.5, 0.9, 1 };

	for (uint64_t seed = 0; seed < 12; seed++) {
		struct sim *s = sim_new(50, seed);
		int64_t hear = s->now_ns + 220 * S;

		for (size_t i = 0; i < s->n; i++)
			s->targets[i].rtt_ns = (int64_t)(5 + 12 * i) * MS;
		s->targets[7].cut_ns = hear - 30 * S;
		sim_start(s);
		sim_run(s, s->now_ns + 20 * S);
		s->deaf = shares[seed % HT_COUNT(shares)];
		sim_run(s, hear - 30 * S);
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 0);
		for (size_t i = 0; i < s->n; i++)
			assert_int_equal(
			    s->targets[i].minute_sent, s->targets[i].minute_received);
		s->deaf = 0;
		sim_run(s, hear);
		assert_non_null(sim_find(s, 7, HT_REACH_DOWN, hear - 30 * S));
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 1);
		assert_true(ht_reach_counters(s->reach)->deaf > 0);
		sim_free(s);
	}
}

/* ---- parents ---- */

/* The parent is cut: it is told before its children, in the same turn, whoever noticed
 * first. */
static void test_parent_first(void **state)
{
	size_t child_noticed_first = 0;

	for (uint64_t seed = 0; seed < 200; seed++) {
		struct sim *s = sim_new(3, seed);
		uint32_t p = (uint32_t)(seed % 3), a = (p + 1) % 3, b = (p + 2) % 3;

		for (uint32_t i = 0; i < 3; i++) {
			if (i == p)
				continue;
			s->targets[i].parents[0] = p;
			s->targets[i].n_parents = 1;
			s->targets[i].behind[0] = (int)p;
			s->targets[i].behind[1] = -1;
			s->targets[i].rtt_ns = 120 * MS;
		}
		int64_t cut = s->now_ns + 20 * S + (int64_t)(sim_random(s) * (double)S);
		s->targets[p].cut_ns = cut;
		sim_start(s);
		sim_run(s, cut + 10 * S);
		assert_true(down_after(s, p, cut) <= 4 * S);
		assert_true(down_after(s, a, cut) <= 4 * S);
		assert_true(down_after(s, b, cut) <= 4 * S);
		const struct sim_change *parent = sim_find(s, p, HT_REACH_DOWN, cut);
		const struct sim_change *first = sim_find(s, a, HT_REACH_SUSPECT, cut);
		assert_true(parent < sim_find(s, a, HT_REACH_DOWN, cut));
		assert_true(parent < sim_find(s, b, HT_REACH_DOWN, cut));
		child_noticed_first += !sim_find(s, p, HT_REACH_SUSPECT, cut) ||
				       first < sim_find(s, p, HT_REACH_SUSPECT, cut);
		sim_free(s);
	}
	assert_in_range(child_noticed_first, 20, 180); /* both orders were played */
}

/* Grandparent, parent, child, and loss everywhere: never a child before its parent. */
static void test_chain_under_loss(void **state)
{
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct sim *s = sim_new(3, seed);

		for (uint32_t i = 0; i < 3; i++) {
			s->targets[i].loss = 0.2;
			if (i == 2)
				continue;
			s->targets[i].parents[0] = i + 1;
			s->targets[i].n_parents = 1;
			s->targets[i].behind[0] = (int)i + 1;
			s->targets[i].behind[1] = -1;
		}
		int64_t cut = s->now_ns + 20 * S + (int64_t)(sim_random(s) * (double)S);
		s->targets[2].cut_ns = cut;
		sim_start(s);
		sim_run(s, cut + 12 * S);
		const struct sim_change *d0 = sim_find(s, 0, HT_REACH_DOWN, 0);
		const struct sim_change *d1 = sim_find(s, 1, HT_REACH_DOWN, 0);
		const struct sim_change *d2 = sim_find(s, 2, HT_REACH_DOWN, 0);
		assert_true(d0 && d1 && d2);
		assert_true(d2 < d1 && d1 < d0);
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 3);
		sim_free(s);
	}
}

/* The child alone is cut: the parent is asked, and stays what it is. */
static void test_parent_lives(void **state)
{
	struct sim *s = sim_new(2, 3);
	int64_t cut = s->now_ns + 20 * S;

	s->targets[0].parents[0] = 1;
	s->targets[0].n_parents = 1;
	s->targets[0].cut_ns = cut;
	sim_start(s);
	sim_run(s, cut + 20 * S);
	assert_true(down_after(s, 0, cut) <= 4 * S);
	assert_int_equal(ht_reach_state(s->reach, 1), HT_REACH_UP);
	assert_null(sim_find(s, 1, HT_REACH_SUSPECT, 0));
	/* one answer was enough */
	assert_in_range(s->targets[1].sent, 40, 43);
	sim_free(s);
}

static void test_refuses_cycles(void **state)
{
	const struct ht_reach_host host = { 0 };
	const uint32_t zero[] = { 0 }, one[] = { 1 }, nine[] = { 9 };
	struct ht_reach_target t[3] = { { one, 1, false }, { zero, 1, false }, { 0 } };
	struct ht_reach *r = NULL;

	assert_int_equal(ht_reach_new(t, 3, 1000, &host, 0, &r), HT_INVALID);
	t[1].parents = one;
	assert_int_equal(ht_reach_new(t, 3, 1000, &host, 0, &r), HT_INVALID);
	t[1].parents = nine;
	assert_int_equal(ht_reach_new(t, 3, 1000, &host, 0, &r), HT_INVALID);
	t[1] = (struct ht_reach_target){ .self = true };
	assert_int_equal(ht_reach_new(t, 3, 1000, &host, 0, &r), HT_INVALID);
	assert_null(r);
	t[1].self = false;
	assert_ok(ht_reach_new(t, 3, 1000, &host, 0, &r));
	ht_reach_free(r);
}

/* ---- storms ---- */

/* 500 targets behind 20 parents are cut at once. */
static void test_storm(void **state)
{
	enum { PARENTS = 20, ALL = 520 };
	struct sim *s = sim_new(ALL, 11);
	int64_t cut = s->now_ns + 20 * S + 123 * MS;

	for (uint32_t i = 0; i < ALL; i++) {
		struct sim_target *t = &s->targets[i];

		if (i < PARENTS) {
			t->cut_ns = cut;
			continue;
		}
		t->parents[0] = i % PARENTS;
		t->n_parents = 1;
		t->behind[0] = (int)(i % PARENTS);
		t->behind[1] = -1;
	}
	sim_start(s);
	sim_run(s, cut);
	uint64_t before = ht_reach_counters(s->reach)->sent;
	assert_in_range(s->busiest, ALL, ALL + 1); /* spread evenly */
	sim_run(s, cut + 5 * S);
	for (uint32_t i = 0; i < ALL; i++)
		assert_true(down_after(s, i, cut) <= 4 * S);
	for (uint32_t i = PARENTS; i < ALL; i++)
		assert_true(sim_find(s, i % PARENTS, HT_REACH_DOWN, cut) <
			    sim_find(s, i, HT_REACH_DOWN, cut));
	/* one steady ping a second, and one burst each: the parents' are shared */
	uint64_t sent = ht_reach_counters(s->reach)->sent - before;
	assert_true(sent <= ALL * (5 + HT_REACH_BURST + 1));
	assert_true(s->busiest <= s->burst_rate);
	sim_free(s);
}

/* With a small budget the storm takes longer, but the rate holds and parents are first.
 */
static void test_storm_keeps_its_budget(void **state)
{
	enum { PARENTS = 20, ALL = 2000 };
	struct sim *s = sim_new(ALL, 12);
	int64_t cut = s->now_ns + 20 * S;

	s->burst_rate = 4000;
	for (uint32_t i = 0; i < ALL; i++) {
		struct sim_target *t = &s->targets[i];

		if (i < PARENTS) {
			t->cut_ns = cut;
			continue;
		}
		t->parents[0] = i % PARENTS;
		t->n_parents = 1;
		t->behind[0] = (int)(i % PARENTS);
		t->behind[1] = -1;
	}
	sim_start(s);
	sim_run(s, cut + 12 * S);
	assert_true(s->busiest <= 4000 + ALL + PARENTS * 20 + 200);
	for (uint32_t i = 0; i < PARENTS; i++)
		assert_true(down_after(s, i, cut) <= 4 * S);
	for (uint32_t i = PARENTS; i < ALL; i++)
		assert_true(down_after(s, i, cut) <= 6 * S);
	sim_free(s);
}

/* A living parent of many dead children is not flooded by their suspicions. */
static void test_shared_parent_is_spared(void **state)
{
	struct sim *s = sim_new(501, 13);
	int64_t cut = s->now_ns + 20 * S;

	for (uint32_t i = 1; i < s->n; i++) {
		s->targets[i].parents[0] = 0;
		s->targets[i].n_parents = 1;
		s->targets[i].cut_ns = cut;
	}
	sim_start(s);
	sim_run(s, cut);
	uint64_t before = s->targets[0].sent;
	sim_run(s, cut + 5 * S);
	assert_int_equal(sim_count(s, HT_REACH_DOWN), 500);
	assert_int_equal(ht_reach_state(s->reach, 0), HT_REACH_UP);
	assert_true(s->targets[0].sent - before <= 40);
	sim_free(s);
}

/* ---- our own sight ---- */

static struct sim *sighted(size_t n, uint64_t seed)
{
	struct sim *s = sim_new(n + 3, seed);

	for (size_t i = n; i < s->n; i++)
		s->targets[i].self = true;
	return s;
}

/* All is silent at once, the self-check targets too: blind, and nothing is down. */
static void test_blind(void **state)
{
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct sim *s = sighted(30, seed);
		int64_t cut = s->now_ns + 20 * S + (int64_t)(sim_random(s) * (double)S);

		for (size_t i = 0; i < s->n; i++) {
			s->targets[i].cut_ns = cut;
			s->targets[i].restored_ns = i == 7 ? 0 : cut + 30 * S;
		}
		sim_start(s);
		sim_run(s, cut);
		assert_int_equal(s->sight, HT_REACH_SIGHTED);
		assert_int_equal(sim_count(s, HT_REACH_UP), 30);
		sim_run(s, cut + 5 * S);
		assert_int_equal(s->sight, HT_REACH_SELF_SILENT);
		sim_run(s, cut + 30 * S);
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 0);
		s->n_changes = 0;
		sim_run(s, cut + 45 * S);
		assert_int_equal(s->sight, HT_REACH_SIGHTED);
		/* all is told anew; the one that stayed away is down now */
		assert_int_equal(sim_count(s, HT_REACH_UP), 29);
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 1);
		assert_non_null(sim_find(s, 7, HT_REACH_DOWN, 0));
		for (size_t i = 0; i < s->n_changes; i++)
			assert_true(s->changes[i].change.urgent);
		sim_free(s);
	}
}

/* One self-check target that answers is enough; also under loss. */
static void test_one_sees_enough(void **state)
{
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct sim *s = sighted(10, seed);
		int64_t cut = s->now_ns + 20 * S + (int64_t)(sim_random(s) * (double)S);

		for (size_t i = 0; i < s->n - 1; i++)
			s->targets[i].cut_ns = cut;
		s->targets[s->n - 1].loss = 0.2;
		sim_start(s);
		sim_run(s, cut + 10 * S);
		assert_int_equal(s->sight, HT_REACH_SIGHTED);
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 10);
		for (uint32_t i = 0; i < 10; i++)
			assert_true(down_after(s, i, cut) < 5 * S);
		sim_free(s);
	}
}

/* A vantage that starts blind says so, and tells no state. */
static void test_starts_blind(void **state)
{
	struct sim *s = sighted(5, 1);

	for (size_t i = 5; i < s->n; i++)
		s->targets[i].cut_ns = 1;
	s->targets[0].cut_ns = 1;
	sim_start(s);
	sim_run(s, s->now_ns + 100 * S);
	assert_int_equal(s->sight, HT_REACH_SELF_SILENT);
	assert_int_equal(s->n_sights, 2); /* at once, and again after a minute */
	assert_int_equal(sim_count(s, HT_REACH_DOWN), 0);
	sim_free(s);
}

/* A ping that cannot leave proves nothing of its target. */
static void test_unsendable(void **state)
{
	struct sim *s = sim_new(3, 1);

	sim_start(s);
	sim_run(s, s->now_ns + 10 * S);
	s->targets[0].unsendable = true;
	sim_run(s, s->now_ns + 60 * S);
	assert_int_equal(s->n_changes, 3); /* the first three */
	assert_int_equal(ht_reach_state(s->reach, 0), HT_REACH_UNKNOWN);
	assert_int_equal(s->sight, HT_REACH_UNCHECKED);
	s->targets[1].unsendable = s->targets[2].unsendable = true;
	sim_run(s, s->now_ns + 60 * S);
	assert_int_equal(s->sight, HT_REACH_UNSENDABLE);
	assert_int_equal(s->n_changes, 3);
	for (size_t i = 0; i < 3; i++)
		s->targets[i].unsendable = false;
	s->targets[2].cut_ns = 1;
	sim_run(s, s->now_ns + 60 * S);
	assert_int_equal(s->sight, HT_REACH_UNCHECKED);
	assert_int_equal(s->n_changes, 6);
	assert_int_equal(sim_count(s, HT_REACH_DOWN), 1);
	assert_non_null(sim_find(s, 2, HT_REACH_DOWN, 0));
	sim_free(s);
}

/* No way to one while others answer is that one's outage, and no way to anybody ours. */
static void test_unroutable(void **state)
{
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct sim *s = sim_new(3, seed);
		int64_t cut = s->now_ns + 10 * S + (int64_t)(sim_random(s) * (double)S);

		sim_start(s);
		sim_run(s, cut);
		s->targets[0].unroutable = true;
		sim_run(s, cut + 30 * S);
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 1);
		assert_true(down_after(s, 0, cut) < 5 * S);
		assert_int_equal(s->sight, HT_REACH_UNCHECKED);
		s->targets[0].unroutable = false;
		sim_run(s, cut + 40 * S);
		assert_int_equal(ht_reach_state(s->reach, 0), HT_REACH_UP);
		s->n_changes = 0;
		for (size_t i = 0; i < s->n; i++)
			s->targets[i].unroutable = true;
		sim_run(s, cut + 100 * S);
		assert_int_equal(s->sight, HT_REACH_UNSENDABLE);
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 0);
		assert_true(s->targets[0].minute_sent > s->targets[0].minute_received);
		sim_free(s);
	}
}

/* With self-check targets it is theirs to say whose trouble that is. */
static void test_unroutable_when_checked(void **state)
{
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct sim *s = sighted(4, seed);
		int64_t cut = s->now_ns + 10 * S + (int64_t)(sim_random(s) * (double)S);

		sim_start(s);
		sim_run(s, cut);
		for (size_t i = 0; i < 4; i++)
			s->targets[i].unroutable = true;
		sim_run(s, cut + 20 * S);
		assert_int_equal(s->sight, HT_REACH_SIGHTED);
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 4);
		s->n_changes = 0;
		for (size_t i = 4; i < s->n; i++)
			s->targets[i].unroutable = true;
		sim_run(s, cut + 60 * S);
		assert_int_equal(s->sight, HT_REACH_SELF_SILENT);
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 0);
		sim_free(s);
	}
}

/* In the middle of a burst, too: what was not sent is no silence. */
static void test_unsendable_in_burst(void **state)
{
	struct sim *s = sim_new(2, 5);

	s->targets[0].cut_ns = s->now_ns + 10 * S;
	sim_start(s);
	while (ht_reach_state(s->reach, 0) != HT_REACH_SUSPECT)
		sim_run(s, s->now_ns + 10 * MS);
	sim_run(s, s->now_ns + 300 * MS);
	s->targets[0].unsendable = true;
	sim_run(s, s->now_ns + 30 * S);
	assert_int_equal(sim_count(s, HT_REACH_DOWN), 0);
	assert_int_equal(ht_reach_state(s->reach, 0), HT_REACH_UNKNOWN);
	sim_free(s);
}

/* Without self-check targets, self pings that cannot be sent make us blind. */
static void test_unsendable_self(void **state)
{
	struct sim *s = sighted(4, 5);

	sim_start(s);
	sim_run(s, s->now_ns + 10 * S);
	for (size_t i = 0; i < s->n; i++)
		s->targets[i].unsendable = true;
	sim_run(s, s->now_ns + 10 * S);
	assert_int_equal(s->sight, HT_REACH_SELF_SILENT);
	assert_int_equal(sim_count(s, HT_REACH_DOWN), 0);
	sim_free(s);
}

/* ---- a clock that is set ---- */

static void test_a_stepped_clock_is_no_sample(void **state)
{
	struct ht_pings p = { 0 };
	struct ht_ping got;
	int64_t now = 1000 * S;

	for (int i = 0; i < 20; i++, now += S) {
		uint32_t seq = ht_pings_send(&p, now, true);

		assert_true(ht_pings_answer(&p, (uint16_t)seq, now + 20 * MS, &got));
	}
	int64_t wait = ht_pings_wait_ns(&p);
	uint32_t seq = ht_pings_send(&p, now, true);

	assert_true(ht_pings_answer(&p, (uint16_t)seq, now - 5 * S, &got));
	assert_int_equal(ht_pings_wait_ns(&p), wait);
}

/* The sim asserts that no minute holds a round trip that was none. */
static void test_a_stepped_clock(void **state)
{
	struct sim *s = sim_new(3, 4);

	sim_start(s);
	sim_run(s, s->now_ns + 30 * S);
	s->step_ns = 4 * S;
	sim_run(s, s->now_ns + 2 * S);
	s->step_ns = 0;
	sim_run(s, s->now_ns + 100 * S);
	assert_true(s->targets[0].minute_received > 60);
	assert_int_equal(s->n_changes, 3);
	sim_free(s);
}

/* ---- answers that are no answers ---- */

static void test_duplicates_and_strangers(void **state)
{
	struct sim *s = sim_new(2, 9);
	int64_t cut = s->now_ns + 30 * S;

	s->targets[0].twice = true;
	s->targets[0].cut_ns = cut;
	sim_start(s);
	sim_run(s, cut);
	assert_int_equal(s->targets[0].hist, s->targets[0].minute_received);
	assert_in_range(ht_reach_counters(s->reach)->ignored, 25, 35);
	/* every number there is, at any time: old, never sent, of another target */
	while (s->now_ns < cut + 10 * S) {
		uint64_t sent = s->targets[0].sent;

		for (uint32_t seq = 0; seq <= UINT16_MAX; seq += 7) {
			if ((uint16_t)(sent - 1 - seq) >= HT_REACH_BURST + 10)
				ht_reach_answer(
				    s->reach, 0, (uint16_t)seq, s->now_ns, s->now_ns);
		}
		sim_run(s, s->now_ns + 100 * MS);
	}
	assert_true(down_after(s, 0, cut) <= 4 * S);
	assert_int_equal(sim_count(s, HT_REACH_UP), 2);
	sim_free(s);
}

/* An answer later than three seconds is lost, and stays lost. */
static void test_too_late(void **state)
{
	struct sim *s = sim_new(1, 9);

	s->targets[0].rtt_ns = 3500 * MS;
	sim_start(s);
	sim_run(s, s->now_ns + 30 * S);
	assert_int_equal(sim_count(s, HT_REACH_UP), 0);
	assert_int_equal(sim_count(s, HT_REACH_DOWN), 1);
	ht_reach_flush(s->reach, s->now_ns);
	assert_int_equal(s->targets[0].minute_received, 0);
	assert_true(s->targets[0].minute_sent > 40);
	sim_free(s);
}

/* The numbers wrap after 18 hours and nobody notices. */
static void test_numbers_wrap(void **state)
{
	struct sim *s = sim_new(1, 2);

	sim_start(s);
	sim_run(s, s->now_ns + 66000 * S);
	assert_int_equal(s->n_changes, 1);
	ht_reach_flush(s->reach, s->now_ns);
	assert_true(s->targets[0].minute_received + 2 >= s->targets[0].sent);
	sim_free(s);
}

/* ---- another list ---- */

/* Targets that stay keep their state and are not told again, also from another place in
 * the list; what is new is learned. */
static void test_another_list_goes_on(void **state)
{
	struct sim *s = sim_new(3, 7);
	int64_t begun = s->now_ns, cut = begun + 10 * S;
	struct sim_target self = s->targets[0], dead = s->targets[1], up = s->targets[2];

	self.self = true;
	dead.cut_ns = cut;
	s->targets[0] = up;
	s->targets[1] = dead;
	s->targets[2] = self;
	sim_start(s);
	sim_run(s, begun + 20 * S);
	assert_non_null(sim_find(s, 1, HT_REACH_DOWN, cut));
	assert_int_equal(s->sight, HT_REACH_SIGHTED);
	size_t told = s->n_changes, sights = s->n_sights;

	s->targets[0] = dead;
	s->targets[1] = s->targets[2] = up; /* the first of the two is new */
	s->targets[3] = self;
	sim_again(s, 4, (uint32_t[]){ 1, HT_REACH_NEW, 0, 2 });
	sim_run(s, begun + 40 * S);
	assert_int_equal(s->n_changes, told + 1);
	assert_int_equal(s->changes[told].target, 1);
	assert_int_equal(s->changes[told].change.state, HT_REACH_UP);
	assert_int_equal(ht_reach_state(s->reach, 0), HT_REACH_DOWN);
	assert_int_equal(s->n_sights, sights);

	/* The dead one's first lost ping is still known when it comes back. */
	s->targets[0].restored_ns = begun + 40 * S;
	sim_run(s, begun + 50 * S);
	const struct sim_change *back = sim_find(s, 0, HT_REACH_UP, begun + 40 * S);
	assert_non_null(back);
	assert_true(back->change.lost_ns >= cut - S && back->change.lost_ns <= cut + S);
	sim_free(s);
}

/* Whatever the cut is at when the list comes, it is told, once, and hardly later. */
static void test_another_list_while_dying(void **state)
{
	for (int64_t at = -1000 * MS; at < 5000 * MS; at += 100 * MS) {
		struct sim *s = sim_new(2, 11);
		int64_t cut = s->now_ns + 10 * S + 300 * MS;

		s->targets[0].cut_ns = cut;
		s->targets[1].self = true;
		sim_start(s);
		sim_run(s, cut + at);
		sim_again(s, 2, (uint32_t[]){ 0, 1 });
		sim_run(s, cut + 15 * S);
		assert_true(down_after(s, 0, cut) <= (at > 0 ? at : 0) + 5000 * MS);
		assert_int_equal(sim_count(s, HT_REACH_DOWN), 1);
		assert_int_equal(sim_count(s, HT_REACH_UP), 1);
		sim_free(s);
	}
}

/* A list of many answering targets, renewed all the time: nobody is suspected. */
static void test_lists_without_end_kill_nobody(void **state)
{
	struct sim *s = sim_new(50, 3);
	uint32_t was[50];

	for (uint32_t i = 0; i < 50; i++)
		was[i] = i;
	s->targets[49].self = true;
	sim_start(s);
	sim_run(s, s->now_ns + 5 * S);
	for (int k = 0; k < 200; k++) {
		sim_again(s, 50, was);
		sim_run(s, s->now_ns + 100 * MS + (int64_t)(sim_random(s) * 2e9));
	}
	assert_int_equal(sim_count(s, HT_REACH_DOWN) + sim_count(s, HT_REACH_SUSPECT), 0);
	assert_int_equal(sim_count(s, HT_REACH_UP), 49);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_is_told_in_time),
		cmocka_unit_test(test_first_states),
		cmocka_unit_test(test_a_day_of_loss),
		cmocka_unit_test(test_short_gaps),
		cmocka_unit_test(test_growing_round_trip),
		cmocka_unit_test(test_suspend),
		cmocka_unit_test(test_suspend_in_suspicion),
		cmocka_unit_test(test_deaf),
		cmocka_unit_test(test_parent_first),
		cmocka_unit_test(test_chain_under_loss),
		cmocka_unit_test(test_parent_lives),
		cmocka_unit_test(test_refuses_cycles),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_storm_keeps_its_budget),
		cmocka_unit_test(test_shared_parent_is_spared),
		cmocka_unit_test(test_blind),
		cmocka_unit_test(test_one_sees_enough),
		cmocka_unit_test(test_starts_blind),
		cmocka_unit_test(test_unsendable),
		cmocka_unit_test(test_unroutable),
		cmocka_unit_test(test_unroutable_when_checked),
		cmocka_unit_test(test_unsendable_in_burst),
		cmocka_unit_test(test_unsendable_self),
		cmocka_unit_test(test_a_stepped_clock_is_no_sample),
		cmocka_unit_test(test_a_stepped_clock),
		cmocka_unit_test(test_duplicates_and_strangers),
		cmocka_unit_test(test_too_late),
		cmocka_unit_test(test_another_list_goes_on),
		cmocka_unit_test(test_another_list_while_dying),
		cmocka_unit_test(test_lists_without_end_kill_nobody),
		cmocka_unit_test(test_numbers_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
