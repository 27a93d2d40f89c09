/* A round that hears anything at any time, and a search for a path's MTU that is told
 * anything: both end, within their bounds. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/reader.h"
#include "probes/wan/ping/pmtu.h"
#include "probes/wan/ping/round.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { PINGS = 20 };

static void check(const struct round *r)
{
	char text[ROUND_REASON_MAX];
	struct round_times t;

	round_reason(r, text);
	if (strlen(text) >= ROUND_REASON_MAX || r->n_answered > r->n_sent)
		abort();
	if (r->n_answered == 0)
		return;
	round_times(r, &t);
	if (t.min_ns > t.p50_ns || t.p50_ns > t.p95_ns || t.p95_ns > t.max_ns ||
	    t.avg_ns < t.min_ns || t.avg_ns > t.max_ns || t.max_ns > r->wait_ns ||
	    !(r->jitter_ns >= 0))
		abort();
}

static void hear(struct ht_reader r)
{
	struct round_ping pings[PINGS];
	struct round round = {
		.cookie = 7, .wait_ns = HT_NS_PER_S, .payload = 56, .pings = pings
	};
	int64_t now = 0;

	while (ht_reader_left(&r) >= 6) {
		uint8_t what = ht_reader_u8(&r);

		now += ht_reader_u8(&r) * HT_NS_PER_MS;
		const struct icmp_echo e = { .seq = ht_reader_u8(&r),
			.cookie = what & 2 ? 7 : 8,
			.payload = what & 4 ? 56 : 20 };
		int64_t kernel =
		    now - (int64_t)ht_reader_u16(&r) * HT_NS_PER_MS * (what & 8 ? 1 : -1);

		if (what & 1 && round.n_sent < PINGS)
			(void)round_send(&round, now, now + 5);
		else
			(void)round_take(&round, &e, kernel, now);
	}
	check(&round);
}

static void search(struct ht_reader r)
{
	struct pmtu p;
	unsigned sent = 0, refused = 0;
	uint32_t size;

	pmtu_init(&p, PMTU_LEAST_V4, 9000);
	while ((size = pmtu_next(&p)) != 0) {
		uint8_t what = ht_reader_u8(&r);

		if (size < PMTU_LEAST_V4 || size > 9000)
			abort();
		if (what % 4 == 0) {
			pmtu_passed(&p);
		} else if (what % 4 == 1) {
			pmtu_silent(&p);
		} else {
			pmtu_refused(&p, ht_reader_u32(&r), what % 4 == 2);
			refused += what % 4 == 2;
		}
		if (++sent - refused > PMTU_PACKETS || refused > 9000)
			abort();
	}
	if (pmtu_result(&p) > 9000)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	hear(ht_reader_of(bytes, len));
	search(ht_reader_of(bytes, len));
	return 0;
}
