#include "probes/wan/throughput/budget.h"

#include <string.h>

#include "base/reader.h"

#define DAY_MS  INT64_C(86400000)
#define VERSION 1

/* ── the calendar ─────────────────────────────────────────────────────────────────── */

/* Months since year 0 of a day since 1970: the civil calendar, counted in eras of 400
 * years that begin in March (Howard Hinnant, "chrono-compatible date algorithms"). */
static int64_t month_of(int64_t day)
{
	int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153; /* 0 is March */

	return (era * 400 + yoe) * 12 + mp + 2;
}

/* ── as bytes: a version, five numbers in network order, the boot ────────────────── */

static void put64(uint8_t **at, int64_t v)
{
	for (int i = 7; i >= 0; i--)
		*(*at)++ = (uint8_t)((uint64_t)v >> (8 * i));
}

size_t budget_save(const struct budget *b, uint8_t out[static BUDGET_BYTES])
{
	uint8_t *at = out;

	*at++ = VERSION;
	put64(&at, b->known_ms);
	put64(&at, b->mono_ns);
	put64(&at, b->day_bytes);
	put64(&at, b->month_bytes);
	put64(&at, b->done_ms);
	size_t len = strlen(b->boot);
	memcpy(at, b->boot, len);
	return (size_t)(at - out) + len;
}

static int64_t get64(struct ht_reader *r)
{
	uint64_t high = ht_reader_u32(r);

	return (int64_t)(high << 32 | ht_reader_u32(r));
}

/* Up to the year 9999. */
static bool time_fits(int64_t ms)
{
	return ms == BUDGET_UNKNOWN || (ms >= 0 && ms <= INT64_C(253402300799999));
}

void budget_load(struct budget *b, const void *bytes, size_t len)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	struct budget in = { 0 };

	*b = (struct budget){ .known_ms = BUDGET_UNKNOWN, .done_ms = BUDGET_UNKNOWN };
	uint8_t version = ht_reader_u8(&r);
	in.known_ms = get64(&r);
	in.mono_ns = get64(&r);
	in.day_bytes = get64(&r);
	in.month_bytes = get64(&r);
	in.done_ms = get64(&r);
	size_t left = ht_reader_left(&r);
	if (r.bad || version != VERSION || left > HT_BOOT_ID_LEN || in.day_bytes < 0 ||
	    in.month_bytes < 0 || in.mono_ns < 0 || !time_fits(in.known_ms) ||
	    !time_fits(in.done_ms))
		return;
	memcpy(in.boot, r.at, left);
	if (in.known_ms != BUDGET_UNKNOWN) {
		in.day = in.known_ms / DAY_MS;
		in.month = month_of(in.day);
	}
	*b = in;
}

/* ── time ─────────────────────────────────────────────────────────────────────────── */

/* The latest that can be said without a clock to believe. */
static int64_t passed(const struct budget *b, const char *boot, int64_t mono_ns)
{
	if (b->known_ms == BUDGET_UNKNOWN || strcmp(b->boot, boot) != 0 ||
	    mono_ns < b->mono_ns)
		return b->known_ms;
	return b->known_ms + (mono_ns - b->mono_ns) / HT_NS_PER_MS;
}

void budget_clock(struct budget *b, int64_t wall_ms, const char *boot, int64_t mono_ns)
{
	int64_t now_ms = wall_ms;

	if (wall_ms == BUDGET_UNKNOWN || wall_ms < 0)
		now_ms = passed(b, boot, mono_ns);
	b->mono_ns = mono_ns;
	memset(b->boot, 0, sizeof(b->boot));
	strncpy(b->boot, boot, HT_BOOT_ID_LEN);
	if (now_ms == BUDGET_UNKNOWN)
		return;
	/* What was spent before any time was known counts for the first day that is. */
	int64_t day = now_ms / DAY_MS, month = month_of(day);
	bool first = b->known_ms == BUDGET_UNKNOWN;
	if (!first && day > b->day)
		b->day_bytes = 0;
	if (!first && month > b->month)
		b->month_bytes = 0;
	b->known_ms = now_ms;
	b->day = day;
	b->month = month;
	if (b->done_ms != BUDGET_UNKNOWN && b->done_ms > now_ms)
		b->done_ms = now_ms;
}

/* ── bytes ────────────────────────────────────────────────────────────────────────── */

int64_t budget_left(const struct budget *b, int64_t day_max, int64_t month_max)
{
	int64_t day = day_max - b->day_bytes, month = month_max - b->month_bytes;
	int64_t left = day < month ? day : month;

	return left > 0 ? left : 0;
}

static int64_t sum(int64_t a, int64_t b)
{
	return b > INT64_MAX - a ? INT64_MAX : a + b;
}

void budget_spend(struct budget *b, int64_t bytes)
{
	b->day_bytes = sum(b->day_bytes, bytes);
	b->month_bytes = sum(b->month_bytes, bytes);
}

void budget_done(struct budget *b)
{
	b->done_ms = b->known_ms;
}

int64_t budget_since_ms(const struct budget *b)
{
	if (b->done_ms == BUDGET_UNKNOWN || b->known_ms == BUDGET_UNKNOWN)
		return INT64_MAX;
	return b->known_ms - b->done_ms;
}
