/* The core of traceroute against a network that is a table: no clock, no sockets. */
#include "unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "probes/wan/path/trace.h"

#define MS(n) ((n)*HT_NS_PER_MS)

static struct ht_addr addr(const char *text)
{
	struct ht_addr a;

	assert_ok(ht_addr_parse(text, &a));
	return a;
}

/* A way: who answers at each ttl (NULL: nobody); the target is behind the last. */
struct net {
	const char *const *hops;
	size_t n;
	bool target_answers;
	size_t refused_at; /* ttl whose router refuses; 0: none */
	size_t circle;     /* routers from which on they come again and again; 0: none */
	int64_t rtt_ns;    /* of one hop */
};

/* What was sent and is on its way back. */
struct flight {
	struct trace_answer answer;
	bool used;
};

struct run {
	struct trace t;
	struct flight flights[256];
	size_t sent, most_in_flight;
	int64_t now, last_sent_ns, least_gap_ns;
};

#define TARGET "10.20.0.1"
#define SELF   "192.168.10.5"

static struct trace_plan plan_of(uint8_t per_hop, uint8_t window)
{
	return (struct trace_plan){ .target = addr(TARGET),
		.self = addr(SELF),
		.ttl_max = 30,
		.per_hop = per_hop,
		.window = window,
		.silent_max = 5,
		.wait_ns = MS(1000),
		.gap_ns = MS(20),
		.deadline_ns = MS(60000) };
}

static bool net_answer(
    const struct net *net, uint8_t ttl, struct trace_answer *out, int64_t now)
{
	size_t i = ttl - 1u;

	if (net->circle && i >= net->circle)
		i = net->circle + (i - net->circle) % (net->n - net->circle);
	bool at_target = i >= net->n;
	const char *who = at_target ? TARGET : net->hops[i];

	if (net->refused_at && ttl >= net->refused_at) {
		who = net->hops[net->refused_at - 1];
		out->kind = TRACE_REFUSED;
		out->words = "administratively prohibited";
	} else {
		out->kind = at_target ? TRACE_ARRIVED : TRACE_EXCEEDED;
	}
	if (!who || (at_target && !net->target_answers))
		return false;
	out->from = addr(who);
	out->at_ns = now + net->rtt_ns * ttl;
	return true;
}

static void fly(struct run *r, const struct trace_answer *a)
{
	for (size_t i = 0; i < HT_COUNT(r->flights); i++) {
		if (!r->flights[i].used) {
			r->flights[i] = (struct flight){ *a, true };
			return;
		}
	}
	fail();
}

static struct flight *next_to_land(struct run *r)
{
	struct flight *first = NULL;

	for (size_t i = 0; i < HT_COUNT(r->flights); i++) {
		struct flight *f = &r->flights[i];

		if (f->used && (!first || f->answer.at_ns < first->answer.at_ns))
			first = f;
	}
	return first;
}

static void note_in_flight(struct run *r)
{
	size_t n = 0;

	for (size_t i = 0; i < HT_COUNT(r->t.tries); i++)
		n += r->t.tries[i].state == TRACE_TRY_WAITS;
	if (n > r->most_in_flight)
		r->most_in_flight = n;
}

static void send_due(struct run *r, const struct net *net)
{
	struct trace_probe p;

	while (trace_next(&r->t, r->now, &p)) {
		struct trace_answer a = { .no = p.no };

		assert_int_equal(p.ttl, p.no / r->t.plan.per_hop + 1);
		if (r->sent++ && r->now - r->last_sent_ns < r->least_gap_ns)
			r->least_gap_ns = r->now - r->last_sent_ns;
		r->last_sent_ns = r->now;
		note_in_flight(r);
		if (net_answer(net, p.ttl, &a, r->now))
			fly(r, &a);
	}
}

/* To the end, by its own wishes of when to be woken. */
static void run(struct run *r, const struct trace_plan *plan, const struct net *net)
{
	*r = (struct run){ .now = MS(5), .least_gap_ns = INT64_MAX };
	trace_init(&r->t, plan, r->now);
	for (size_t turns = 0; turns < 10000; turns++) {
		send_due(r, net);
		if (r->t.end != TRACE_RUNNING)
			return;
		struct flight *f = next_to_land(r);
		int64_t wake = trace_wake_ns(&r->t);

		assert_true(wake > r->now); /* else it would spin */
		if (f && f->answer.at_ns <= wake) {
			r->now = f->answer.at_ns;
			f->used = false;
			trace_answer(&r->t, &f->answer);
		} else {
			r->now = wake;
		}
	}
	fail_msg("it never ends");
}

static const char *text_of(const struct trace *t)
{
	static char text[TRACE_TEXT];

	trace_text(t, text);
	return text;
}

static const char *end_of(const struct trace *t)
{
	static char text[256];

	trace_end_words(t, text, sizeof(text));
	return text;
}

static const char *const four[] = { "192.168.10.1", "10.1.0.2", "10.1.1.2", "10.1.2.2" };

static void test_a_whole_path(void **state)
{
	const struct net net = { four, 4, .target_answers = true, .rtt_ns = MS(7) };

	for (uint8_t window = 1; window <= TRACE_WINDOW_MAX; window++) {
		for (uint8_t per_hop = 1; per_hop <= TRACE_PER_HOP_MAX; per_hop++) {
			const struct trace_plan plan = plan_of(per_hop, window);
			struct run r;

			run(&r, &plan, &net);
			assert_int_equal(r.t.end, TRACE_REACHED);
			assert_string_equal(text_of(&r.t),
			    "192.168.10.1 10.1.0.2 10.1.1.2 10.1.2.2 10.20.0.1");
			assert_int_equal(trace_reach(&r.t), 5);
			assert_int_equal(r.t.hops[2].n, per_hop);
			assert_int_equal(r.t.hops[2].rtt_ns[0], MS(21));
			assert_true(r.most_in_flight <= window);
			assert_true(r.least_gap_ns >= plan.gap_ns);
			/* no more beyond the target than the window had under way */
			assert_true(r.sent <= 5u * per_hop + (window - 1u) * per_hop);
		}
	}
}

static void test_silent_hops(void **state)
{
	static const char *const hops[] = { "192.168.10.1", NULL, NULL, "10.1.2.2" };
	struct net net = { hops, 4, .target_answers = true, .rtt_ns = MS(5) };
	struct trace_plan plan = plan_of(2, 6);
	struct run r;

	run(&r, &plan, &net);
	assert_int_equal(r.t.end, TRACE_REACHED);
	assert_string_equal(text_of(&r.t), "192.168.10.1 * * 10.1.2.2 10.20.0.1");
	net.target_answers = false; /* five in a row behind hop 4, then enough */
	run(&r, &plan, &net);
	assert_int_equal(r.t.end, TRACE_SILENT);
	assert_string_equal(text_of(&r.t), "192.168.10.1 * * 10.1.2.2 * * * * *");
	assert_int_equal(trace_reach(&r.t), 4);
	assert_string_equal(end_of(&r.t), "was given up after 5 silent hops in a row");
	plan.silent_max = 2;
	run(&r, &plan, &net); /* hops 2 and 3 are silent, yet 4 has answered by then */
	assert_string_equal(text_of(&r.t), "192.168.10.1 * * 10.1.2.2 * *");
	plan.window = 1; /* nobody knows of hop 4 yet */
	run(&r, &plan, &net);
	assert_string_equal(text_of(&r.t), "192.168.10.1 * *");
	assert_int_equal(r.t.end, TRACE_SILENT);
}

static void test_nobody_answers(void **state)
{
	static const char *const hops[] = { NULL };
	const struct net net = { hops, 1, .rtt_ns = MS(5) };
	const struct trace_plan plan = plan_of(2, 6);
	struct run r;

	run(&r, &plan, &net);
	assert_int_equal(r.t.end, TRACE_SILENT);
	assert_int_equal(trace_reach(&r.t), 0);
	assert_string_equal(text_of(&r.t), "* * * * *");
}

static void test_refusals(void **state)
{
	struct net net = { four, 4, .refused_at = 3, .rtt_ns = MS(5) };
	const struct trace_plan plan = plan_of(2, 6);
	struct run r;

	run(&r, &plan, &net);
	assert_int_equal(r.t.end, TRACE_UNREACHABLE);
	assert_string_equal(text_of(&r.t), "192.168.10.1 10.1.0.2 10.1.1.2");
	assert_string_equal(end_of(&r.t),
	    "was refused by 10.1.1.2 at hop 3: administratively prohibited");
	/* Our own kernel, when the gateway does not answer ARP: no hop at all. */
	static const char *const own[] = { SELF };

	net = (struct net){ own, 1, .refused_at = 1, .rtt_ns = MS(5) };
	run(&r, &plan, &net);
	assert_int_equal(r.t.end, TRACE_UNREACHABLE);
	assert_int_equal(trace_reach(&r.t), 0);
	assert_string_equal(text_of(&r.t), "*");
	assert_string_equal(end_of(&r.t),
	    "ended here: the next router does not answer (administratively prohibited)");
}

static void test_circles(void **state)
{
	static const char *const hops[] = { "192.168.10.1", "10.1.0.2", "10.1.1.2" };
	struct net net = { hops, 3, .circle = 1, .rtt_ns = MS(5) };
	const struct trace_plan plan = plan_of(1, 1);
	struct run r;

	run(&r, &plan, &net);
	assert_int_equal(r.t.end, TRACE_LOOP);
	assert_string_equal(
	    text_of(&r.t), "192.168.10.1 10.1.0.2 10.1.1.2 10.1.0.2 10.1.1.2");
	/* A router that speaks for two hops in a row is no circle. */
	static const char *const twice[] = { "192.168.10.1", "10.1.0.2", "10.1.0.2",
		"10.1.0.2", "10.1.2.2" };

	net = (struct net){ twice, 5, .target_answers = true, .rtt_ns = MS(5) };
	run(&r, &plan, &net);
	assert_int_equal(r.t.end, TRACE_REACHED);
}

static void test_far_and_late(void **state)
{
	const struct net net = { four, 4, .target_answers = true, .rtt_ns = MS(5) };
	struct trace_plan plan = plan_of(2, 6);
	struct run r;

	plan.ttl_max = 3;
	run(&r, &plan, &net);
	assert_int_equal(r.t.end, TRACE_TTL_OUT);
	assert_string_equal(text_of(&r.t), "192.168.10.1 10.1.0.2 10.1.1.2");
	plan = plan_of(2, 1);
	plan.deadline_ns = MS(60);
	run(&r, &plan, &net);
	assert_int_equal(r.t.end, TRACE_DEADLINE);
	assert_true(r.now >= MS(60) && r.now < MS(61));
	assert_true(trace_reach(&r.t) >= 1);
}

static void answer(struct trace *t, uint16_t no, const char *from, int64_t at_ns)
{
	trace_answer(t,
	    &(struct trace_answer){
		.kind = TRACE_EXCEEDED, .no = no, .from = addr(from), .at_ns = at_ns });
}

static void test_answers_that_do_not_count(void **state)
{
	struct trace_plan plan = plan_of(2, 2);
	struct trace_probe p;
	struct trace t;

	trace_init(&t, &plan, 0);
	assert_true(trace_next(&t, 0, &p));
	assert_int_equal(p.no, 0);
	answer(&t, 1, "10.9.9.9", MS(1)); /* never sent */
	answer(&t, 999, "10.9.9.9", MS(1));
	answer(&t, 0xfffe, "10.9.9.9", MS(1));
	answer(&t, 0, "2001:db8::9", MS(1)); /* another family */
	assert_int_equal(t.ignored.forged, 4);
	answer(&t, 0, "192.168.10.1", MS(2));
	answer(&t, 0, "10.9.9.9", MS(3)); /* answered already */
	assert_int_equal(t.ignored.duplicate, 1);
	assert_true(trace_next(&t, MS(20), &p));
	assert_int_equal(p.no, 1);
	assert_true(trace_next(&t, MS(40), &p));
	assert_int_equal(p.no, 2);
	answer(&t, TRACE_NO_ANY, "10.9.9.9", MS(41)); /* two wait */
	assert_int_equal(t.ignored.ambiguous, 1);
	assert_true(trace_next(&t, MS(1050), &p)); /* packets 1 and 2 are lost by now */
	assert_int_equal(p.no, 3);
	answer(&t, 1, "10.9.9.9", MS(1051));
	assert_int_equal(t.ignored.late, 1);
	assert_int_equal(t.hops[0].n, 1);
	assert_string_equal(text_of(&t), "192.168.10.1");
	/* One packet at a time: an answer without a number is its answer. */
	plan.window = 1;
	trace_init(&t, &plan, 0);
	answer(&t, TRACE_NO_ANY, "10.9.9.9", MS(0)); /* nothing waits */
	assert_int_equal(t.ignored.ambiguous, 1);
	assert_true(trace_next(&t, 0, &p));
	assert_false(trace_next(&t, MS(20), &p));
	answer(&t, TRACE_NO_ANY, "192.168.10.1", MS(30));
	assert_int_equal(t.hops[0].n, 1);
	assert_true(trace_next(&t, MS(30), &p));
	assert_int_equal(p.no, 1);
}

/* A trace that follows another keeps its distance. */
static void test_no_packet_before_its_time(void **state)
{
	struct trace_plan plan = plan_of(1, 1);
	struct trace_probe p;
	struct trace t;

	plan.begin_ns = MS(40);
	trace_init(&t, &plan, MS(10));
	assert_false(trace_next(&t, MS(10), &p));
	assert_int_equal(trace_wake_ns(&t), MS(40));
	assert_true(trace_next(&t, MS(40), &p));
}

/* Several routers at one hop: each is named once, two at most. */
static void test_several_at_one_hop(void **state)
{
	const struct trace_plan plan = plan_of(4, 1);
	static const char *const from[] = { "10.1.0.2", "10.1.0.6", "10.1.0.2",
		"10.1.0.9" };
	struct trace_probe p;
	struct trace t;

	trace_init(&t, &plan, 0);
	for (uint16_t i = 0; i < 4; i++) {
		assert_true(trace_next(&t, MS(20) * i, &p));
		answer(&t, i, from[i], MS(20) * i + 1);
	}
	assert_string_equal(text_of(&t), "10.1.0.2,10.1.0.6");
}

/* What the kernel does not send: a full queue loses one packet, no route ends it. */
static void test_unsendable(void **state)
{
	const struct trace_plan plan = plan_of(1, 2);
	struct trace_probe p;
	struct trace t;

	trace_init(&t, &plan, 0);
	assert_true(trace_next(&t, 0, &p));
	trace_unsent(&t, p.no, ENOBUFS);
	assert_int_equal(t.end, TRACE_RUNNING);
	assert_true(trace_next(&t, MS(20), &p));
	assert_int_equal(p.ttl, 2);
	trace_unsent(&t, p.no, ENETUNREACH);
	assert_int_equal(t.end, TRACE_UNSENDABLE);
	assert_false(trace_next(&t, MS(40), &p));
	assert_non_null(strstr(end_of(&t), "could not be sent: "));
	assert_non_null(strstr(end_of(&t), strerror(ENETUNREACH)));
}

/* The longest text there can be fits, whatever the addresses. */
static void test_longest_text(void **state)
{
	struct trace_plan plan = plan_of(4, 16);
	struct trace_probe p;
	struct trace t;
	char text[TRACE_TEXT], from[HT_ADDR_TEXT];
	int64_t now = 0;

	plan.ttl_max = TRACE_TTL_MAX;
	plan.target = addr("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
	trace_init(&t, &plan, 0);
	for (; t.end == TRACE_RUNNING; now += MS(20)) {
		if (!trace_next(&t, now, &p))
			continue;
		snprintf(from, sizeof(from), "2001:db8:1111:2222:3333:4444:%x:%x",
		    0x1000 + p.ttl, 0x1000 + p.no);
		answer(&t, p.no, from, now + 1);
	}
	assert_int_equal(t.end, TRACE_TTL_OUT);
	trace_text(&t, text);
	assert_int_equal(strlen(text), TRACE_TTL_MAX * (2 * 38 + 2) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_path),
		cmocka_unit_test(test_silent_hops),
		cmocka_unit_test(test_nobody_answers),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_far_and_late),
		cmocka_unit_test(test_answers_that_do_not_count),
		cmocka_unit_test(test_no_packet_before_its_time),
		cmocka_unit_test(test_several_at_one_hop),
		cmocka_unit_test(test_unsendable),
		cmocka_unit_test(test_longest_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
