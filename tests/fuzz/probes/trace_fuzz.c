#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/reader.h"
#include "probes/wan/path/path_rules.h"
#include "probes/wan/path/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A trace to which the input answers as it likes: numbers, times and routers. It ends,
 * never has more under way than its window, and every verdict has a reason. */

static void check_under_way(const struct trace *t)
{
	size_t n = 0;

	for (size_t i = 0; i < HT_COUNT(t->tries); i++)
		n += t->tries[i].state == TRACE_TRY_WAITS;
	if (n > t->plan.window)
		abort();
}

static struct ht_addr router(uint8_t b)
{
	/* some of each kind: private, listed, public */
	static const uint32_t nets[] = { 0xc0a80100, 0x0a010000, 0x09090900, 0x64400000 };

	return ht_addr_from_v4(nets[b & 3] | (uint32_t)(b >> 2));
}

static struct trace_answer read_answer(struct ht_reader *r, int64_t now)
{
	uint8_t what = ht_reader_u8(r), no = ht_reader_u8(r), late = ht_reader_u8(r);

	return (struct trace_answer){ .kind = (enum trace_kind)(what % 3),
		.no = what & 0x80 ? TRACE_NO_ANY : (uint16_t)(no | (what & 0x40) << 2),
		.from = router(ht_reader_u8(r)),
		.words = "unreachable",
		.at_ns = now - late * HT_NS_PER_MS };
}

static void finish(const struct trace *t)
{
	static struct ht_addr prefix = { AF_INET, 16, { 10, 1 } },
			      named = { AF_INET, 32, { 10, 1, 0, 5 } };
	static const struct path_rule rules[] = {
		{ .network = PATH_PROVINCE_WAN, .prefixes = { &prefix, 1 } },
		{ .network = PATH_INTERNET, .hops = { &named, 1 } },
		{ .network = PATH_GOVERNMENT_WAN,
		    .hops = { &prefix, 1 },
		    .tunnel = true },
	};
	const struct path_rules all = { .at = rules, .n = HT_COUNT(rules) };
	struct path_hop hops[TRACE_TTL_MAX];
	struct path_way way = {
		.hops = hops, .n = trace_n_hops(t), .target = &t->plan.target
	};
	struct path_verdict v;
	char text[TRACE_TEXT], words[256];

	trace_text(t, text);
	trace_end_words(t, words, sizeof(words));
	if (way.n > TRACE_TTL_MAX || trace_reach(t) > way.n || strlen(words) == 0)
		abort();
	for (size_t i = 0; i < way.n; i++)
		hops[i] = (struct path_hop){ t->hops[i].from, t->hops[i].n };
	path_rules_judge(&all, &way, &v);
	if (v.reason[0] == '\0')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	uint8_t shape = ht_reader_u8(&r);
	const struct trace_plan plan = { .target = { AF_INET, 32, { 10, 20, 0, 1 } },
		.self = { AF_INET, 32, { 192, 168, 1, 9 } },
		.ttl_max = (uint8_t)(1 + (shape & 0x3f)),
		.per_hop = (uint8_t)(1 + (shape >> 6)),
		.window = (uint8_t)(1 + ht_reader_u8(&r) % TRACE_WINDOW_MAX),
		.silent_max = 5,
		.wait_ns = 100 * HT_NS_PER_MS,
		.gap_ns = 10 * HT_NS_PER_MS,
		.deadline_ns = 60 * HT_NS_PER_S };
	struct trace_probe p;
	struct trace t;
	int64_t now = 0;

	trace_init(&t, &plan, now);
	while (t.end == TRACE_RUNNING) {
		while (trace_next(&t, now, &p))
			check_under_way(&t);
		if (t.end != TRACE_RUNNING)
			break;
		int64_t wake = trace_wake_ns(&t);

		if (wake <= now)
			abort(); /* it would spin */
		if (ht_reader_left(&r) >= 4) {
			struct trace_answer a = read_answer(&r, now);

			trace_answer(&t, &a);
			now += HT_NS_PER_MS < wake - now ? HT_NS_PER_MS : wake - now;
		} else {
			now = wake;
		}
	}
	finish(&t);
	return 0;
}
