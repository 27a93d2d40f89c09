#include "server/derive/availability.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS INT64_C(60000)
#define DAY_MS    INT64_C(86400000)

const struct availability_rule availability_rules[AVAILABILITY_RULES] = {
	{ "Kỳ tính là tháng dương lịch theo múi giờ của tỉnh; phần sau thời điểm tính "
	  "không "
	  "được tính.",
	    "The period is the calendar month in the province's time zone; what lies "
	    "after "
	    "the moment of counting is not counted." },
	{ "Mỗi khoảnh khắc chỉ tính một lần, theo thứ tự: bảo trì, rồi mất kết nối, rồi "
	  "trạng thái đo được.",
	    "Each moment counts once, in this order: maintenance, then outage, then the "
	    "state that was measured." },
	{ "Bảo trì là cửa sổ do người có quyền nhập, kể cả nhập sau; người nhập và lúc "
	  "nhập "
	  "được lưu lại. Bảo trì tính riêng, không vào mẫu số.",
	    "Maintenance is a window entered by a person with the right to, also "
	    "afterwards; who and when are kept. It is counted apart, not in the "
	    "denominator." },
	{ "Thời gian mất kết nối lấy theo ghi nhận của thiết bị tại cơ quan nếu có, nếu "
	  "không thì theo ước tính từ trung tâm; cả hai đều được in.",
	    "An outage lasts from when to when the edge wrote down, where it did, else "
	    "as "
	    "estimated from the core; both are printed. What the correction takes from "
	    "the "
	    "estimate counts as up." },
	{ "Mất kết nối do đường truyền phía trước hỏng (không tới được) tính riêng, "
	  "không "
	  "vào mẫu số của đường truyền này.",
	    "An outage behind a dead parent (unreachable) is counted apart, not in this "
	    "link's denominator." },
	{ "Mất kết nối có nguyên nhân phía máy chủ hoặc do tác tử tính là không rõ.",
	    "An outage whose cause is the server's side or the agent counts as "
	    "unknown." },
	{ "Không rõ là khi không ai đo được; tính riêng, không vào mẫu số, và cho thấy "
	  "qua "
	  "tỷ lệ được đo.",
	    "Unknown is when nobody could measure; it is counted apart, not in the "
	    "denominator, and shows in the coverage." },
	{ "Độ sẵn sàng = (tốt + suy giảm) ÷ (tốt + suy giảm + mất). Nhóm đường truyền: "
	  "cộng "
	  "thời gian của mọi đường rồi chia.",
	    "Availability = (up + degraded) / (up + degraded + down). Of several links: "
	    "the "
	    "times of all are summed, then divided." },
	{ "Một lần mất kết nối tính vào tháng nó bắt đầu, số phút tính vào từng tháng nó "
	  "đi "
	  "qua. MTTR: trung bình các lần kết thúc trong kỳ, trừ bảo trì. MTBF: (tốt + "
	  "suy "
	  "giảm) ÷ số lần.",
	    "An outage is counted in the month in which it begins, its minutes in every "
	    "month it touches; one wholly within maintenance not at all. MTTR: mean of "
	    "those "
	    "that ended in the period, less maintenance. MTBF: (up + degraded) / their "
	    "number." },
};

/* ── sweeping ── */

struct sweep {
	const struct availability_span *spans;
	size_t n_spans, span;
	const struct availability_outage *outages;
	size_t n_outages, outage; /* those before `outage` are over */
	const struct availability_window *windows;
	size_t n_windows;
};

static bool in_window(const struct sweep *s, int64_t at)
{
	for (size_t i = 0; i < s->n_windows; i++) {
		if (s->windows[i].from_ms <= at && at < s->windows[i].to_ms)
			return true;
	}
	return false;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The outage that counts at `at`, or else one whose estimate alone covers it. */
static const struct availability_outage *outage_at(
    struct sweep *s, int64_t at, bool *out_estimate)
{
	*out_estimate = false;
	while (
	    s->outage < s->n_outages && later(s->outages[s->outage].end_ms,
					    s->outages[s->outage].estimate_end_ms) <= at)
		s->outage++;
	for (size_t i = s->outage; i < s->n_outages; i++) {
		const struct availability_outage *o = &s->outages[i];

		if (o->start_ms <= at && at < o->end_ms)
			return o;
		if (o->estimate_start_ms <= at && at < o->estimate_end_ms)
			*out_estimate = true;
		if (o->start_ms > at && o->estimate_start_ms > at + DAY_MS)
			break;
	}
	return NULL;
}

static int64_t *measured(
    struct sweep *s, int64_t at, bool corrected, struct availability_sums *sums)
{
	while (s->span < s->n_spans && s->spans[s->span].to_ms <= at)
		s->span++;
	if (s->span == s->n_spans || s->spans[s->span].from_ms > at)
		return &sums->unknown_ms;
	switch (s->spans[s->span].state) {
	case LINK_UP:
		return &sums->up_ms;
	case LINK_DEGRADED:
		return &sums->degraded_ms;
	case LINK_DOWN:
		return corrected ? &sums->up_ms : &sums->down_ms;
	case LINK_UNREACHABLE:
		return corrected ? &sums->up_ms : &sums->unreachable_ms;
	default:
		return &sums->unknown_ms;
	}
}

/* Where the time from `at` to the next boundary goes. */
static int64_t *class_at(struct sweep *s, int64_t at, struct availability_sums *sums)
{
	bool estimate;
	const struct availability_outage *o = outage_at(s, at, &estimate);
	int64_t *state = measured(s, at, estimate, sums);

	if (in_window(s, at))
		return &sums->maintenance_ms;
	if (!o)
		return state;
	return o->not_the_link  ? &sums->unknown_ms
	       : o->unreachable ? &sums->unreachable_ms
				: &sums->down_ms;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void put(int64_t *marks, size_t *n, int64_t at, int64_t from, int64_t to)
{
	if (at > from && at < to)
		marks[(*n)++] = at;
}

static size_t boundaries(const struct sweep *s, int64_t from, int64_t to, int64_t *marks)
{
	size_t n = 0;

	marks[n++] = from;
	for (size_t i = 0; i < s->n_spans; i++) {
		put(marks, &n, s->spans[i].from_ms, from, to);
		put(marks, &n, s->spans[i].to_ms, from, to);
	}
	for (size_t i = 0; i < s->n_outages; i++) {
		put(marks, &n, s->outages[i].start_ms, from, to);
		put(marks, &n, s->outages[i].end_ms, from, to);
		put(marks, &n, s->outages[i].estimate_start_ms, from, to);
		put(marks, &n, s->outages[i].estimate_end_ms, from, to);
	}
	for (size_t i = 0; i < s->n_windows; i++) {
		put(marks, &n, s->windows[i].from_ms, from, to);
		put(marks, &n, s->windows[i].to_ms, from, to);
	}
	qsort(marks, n, sizeof(*marks), by_time);
	marks[n++] = to;
	return n;
}

/* ── outages as events ── */

/* How much of [from, to) lies outside every window; `to` is not OPEN. */
static int64_t outside(const struct sweep *s, int64_t from, int64_t to)
{
	int64_t at = from, out = 0;

	while (at < to) {
		int64_t covered = at, next = to;

		for (size_t i = 0; i < s->n_windows; i++) {
			const struct availability_window *w = &s->windows[i];
			if (w->from_ms <= at && w->to_ms > covered)
				covered = w->to_ms;
			if (w->from_ms > at && w->from_ms < next)
				next = w->from_ms;
		}
		if (covered == at)
			out += next - at;
		at = covered > at ? covered : next;
	}
	return out;
}

static void events(const struct sweep *s, int64_t from, int64_t to, int64_t now,
    struct availability_sums *sums)
{
	for (size_t i = 0; i < s->n_outages; i++) {
		const struct availability_outage *o = &s->outages[i];
		bool over = o->end_ms <= now;
		int64_t repair = o->start_ms < now
				     ? outside(s, o->start_ms, over ? o->end_ms : now)
				     : 0;

		if (o->unreachable || o->not_the_link || repair <= 0)
			continue;
		if (o->start_ms >= from && o->start_ms < to)
			sums->outages++;
		if (!over || o->end_ms < from || o->end_ms >= to)
			continue;
		sums->ended++;
		sums->ended_repair_ms += repair;
	}
}

ht_err availability_count(const struct availability_span *spans, size_t n_spans,
    const struct availability_outage *outages, size_t n_outages,
    const struct availability_window *windows, size_t n_windows, int64_t from_ms,
    int64_t to_ms, int64_t now_ms, struct availability_sums *sums)
{
	struct sweep s = { .spans = spans,
		.n_spans = n_spans,
		.outages = outages,
		.n_outages = n_outages,
		.windows = windows,
		.n_windows = n_windows };
	int64_t end = to_ms < now_ms ? to_ms : now_ms;

	sums->links++;
	if (end <= from_ms)
		return HT_OK;
	int64_t *marks =
	    malloc((2 * n_spans + 4 * n_outages + 2 * n_windows + 2) * sizeof(*marks));
	if (!marks)
		return HT_NOMEM;
	size_t n = boundaries(&s, from_ms, end, marks);
	for (size_t i = 0; i + 1 < n; i++) {
		if (marks[i] < marks[i + 1])
			*class_at(&s, marks[i], sums) += marks[i + 1] - marks[i];
	}
	free(marks);
	events(&s, from_ms, to_ms, now_ms, sums);
	return HT_OK;
}

/* ── figures ── */

void availability_add(struct availability_sums *to, const struct availability_sums *more)
{
	to->up_ms += more->up_ms;
	to->degraded_ms += more->degraded_ms;
	to->down_ms += more->down_ms;
	to->unreachable_ms += more->unreachable_ms;
	to->unknown_ms += more->unknown_ms;
	to->maintenance_ms += more->maintenance_ms;
	to->outages += more->outages;
	to->ended += more->ended;
	to->ended_repair_ms += more->ended_repair_ms;
	to->links += more->links;
}

static double share(int64_t part, int64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : (double)NAN;
}

double availability_share(const struct availability_sums *s)
{
	int64_t good = s->up_ms + s->degraded_ms;

	return share(good, good + s->down_ms);
}

double availability_service(const struct availability_sums *s)
{
	int64_t good = s->up_ms + s->degraded_ms;

	return share(good, good + s->down_ms + s->unreachable_ms);
}

double availability_coverage(const struct availability_sums *s)
{
	int64_t known = s->up_ms + s->degraded_ms + s->down_ms + s->unreachable_ms;

	return share(known, known + s->unknown_ms);
}

double availability_mttr_s(const struct availability_sums *s)
{
	return share(s->ended_repair_ms, s->ended * 1000);
}

double availability_mtbf_s(const struct availability_sums *s)
{
	return share(s->up_ms + s->degraded_ms, s->outages * 1000);
}

/* ── months ── */

/* Days from 1970-01-01 to the first of a month (proleptic Gregorian calendar). */
static int64_t days_to(int year, int month)
{
	int64_t y = month <= 2 ? year - 1 : year, m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 - 719468;
}

static int64_t month_begin(int year, int month, int offset_min)
{
	return days_to(month > 12 ? year + 1 : year, month > 12 ? 1 : month) * DAY_MS -
	       offset_min * MINUTE_MS;
}

ht_err availability_month(
    const char *month, int offset_min, int64_t *out_from_ms, int64_t *out_to_ms)
{
	if (strlen(month) != 7 || month[4] != '-' || strspn(month, "0123456789") != 4 ||
	    strspn(month + 5, "0123456789") != 2)
		return HT_MALFORMED;
	int year = (int)strtol(month, NULL, 10), m = (int)strtol(month + 5, NULL, 10);
	if (year < 2000 || year > 9998 || m < 1 || m > 12)
		return HT_RANGE;
	*out_from_ms = month_begin(year, m, offset_min);
	*out_to_ms = month_begin(year, m + 1, offset_min);
	return HT_OK;
}

void availability_month_of(int64_t at_ms, int offset_min, char out[static 8])
{
	int year = 2000, month = 1;

	while (year < 9998 && month_begin(year + 1, 1, offset_min) <= at_ms)
		year++;
	while (month < 12 && month_begin(year, month + 1, offset_min) <= at_ms)
		month++;
	snprintf(out, 8, "%04d-%02d", year % 10000, month % 100);
}
