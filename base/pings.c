#include "base/pings.h"

#include "base/clock.h"

/* RFC 6298: the least that 4 RTTVAR adds, for clocks and queues. */
#define SLACK_NS (100 * HT_NS_PER_MS)
/* Beside half a round trip: half a second, less what a loop may be late. */
#define WAIT_ROOM_NS (450 * HT_NS_PER_MS)

static uint64_t bit(uint32_t seq)
{
	return UINT64_C(1) << (seq % HT_PINGS_WINDOW);
}

static int64_t sent_ns(const struct ht_pings *p, uint32_t seq)
{
	return p->sent_ns[seq % HT_PINGS_WINDOW];
}

static struct ht_ping ping(const struct ht_pings *p, uint32_t seq)
{
	return (struct ht_ping){ .seq = seq,
		.sent_ns = sent_ns(p, seq),
		.steady = (p->steady & bit(seq)) != 0 };
}

uint32_t ht_pings_send(struct ht_pings *p, int64_t now_ns, bool steady)
{
	uint32_t seq = p->next++;

	if (p->next - p->overdue > HT_PINGS_WINDOW)
		p->overdue = p->next - HT_PINGS_WINDOW;
	if (p->next - p->lost > HT_PINGS_WINDOW)
		p->lost = p->next - HT_PINGS_WINDOW;
	p->sent_ns[seq % HT_PINGS_WINDOW] = now_ns;
	p->open |= bit(seq);
	p->steady = steady ? p->steady | bit(seq) : p->steady & ~bit(seq);
	return seq;
}

int64_t ht_pings_wait_ns(const struct ht_pings *p)
{
	int64_t spread = 4 * p->rttvar_ns;
	int64_t wait = p->srtt_ns + (spread > SLACK_NS ? spread : SLACK_NS);
	int64_t most = WAIT_ROOM_NS + p->srtt_ns / 2;

	if (p->srtt_ns == 0)
		return HT_PINGS_WAIT_FIRST;
	if (most < p->srtt_ns + SLACK_NS)
		most = p->srtt_ns + SLACK_NS;
	if (most > HT_PINGS_WAIT_MAX)
		most = HT_PINGS_WAIT_MAX;
	if (wait < HT_PINGS_WAIT_MIN)
		wait = HT_PINGS_WAIT_MIN;
	return wait < most ? wait : most;
}

/* RFC 6298 section 2; numbers are unique, so a late answer is no ambiguous sample. */
static void measure(struct ht_pings *p, int64_t rtt_ns)
{
	if (rtt_ns < 1)
		rtt_ns = 1;
	int64_t off = rtt_ns - p->srtt_ns;
	if (p->srtt_ns == 0) {
		p->srtt_ns = rtt_ns;
		p->rttvar_ns = rtt_ns / 2;
		return;
	}
	p->rttvar_ns += ((off < 0 ? -off : off) - p->rttvar_ns) / 4;
	p->srtt_ns += off / 8;
	if (p->srtt_ns < 1)
		p->srtt_ns = 1;
}

/* The number with these last 16 bits among the open ones. */
static bool find(const struct ht_pings *p, uint16_t seq, uint32_t *out)
{
	uint16_t back = (uint16_t)((uint16_t)p->next - seq);
	uint32_t full = p->next - back;

	if (back == 0 || back > HT_PINGS_WINDOW || !(p->open & bit(full)))
		return false;
	*out = full;
	return true;
}

void ht_pings_sent(struct ht_pings *p, uint16_t seq, int64_t at_ns)
{
	uint32_t full;

	if (find(p, seq, &full))
		p->sent_ns[full % HT_PINGS_WINDOW] = at_ns;
}

bool ht_pings_answer(struct ht_pings *p, uint16_t seq, int64_t at_ns, struct ht_ping *out)
{
	uint32_t full;

	if (!find(p, seq, &full))
		return false;
	*out = ping(p, full);
	p->open &= ~bit(full);
	if (at_ns >= out->sent_ns) /* else a clock was set meanwhile: no sample */
		measure(p, at_ns - out->sent_ns);
	return true;
}

bool ht_pings_take_overdue(struct ht_pings *p, int64_t now_ns, struct ht_ping *out)
{
	int64_t wait = ht_pings_wait_ns(p);

	for (; p->overdue != p->next; p->overdue++) {
		if (!(p->open & bit(p->overdue)))
			continue;
		if (now_ns < sent_ns(p, p->overdue) + wait)
			return false;
		*out = ping(p, p->overdue++);
		return true;
	}
	return false;
}

bool ht_pings_take_lost(struct ht_pings *p, int64_t now_ns)
{
	for (; p->lost != p->overdue; p->lost++) {
		if (!(p->open & bit(p->lost)))
			continue;
		if (now_ns < sent_ns(p, p->lost) + HT_PINGS_LOST_NS)
			return false;
		p->open &= ~bit(p->lost++);
		return true;
	}
	return false;
}

/* The first open ping from number `from` on, but before `end`. */
static bool first_open(
    const struct ht_pings *p, uint32_t from, uint32_t end, uint32_t *out)
{
	for (; from != end; from++) {
		if (p->open & bit(from)) {
			*out = from;
			return true;
		}
	}
	return false;
}

int64_t ht_pings_next_ns(const struct ht_pings *p)
{
	int64_t next = INT64_MAX;
	uint32_t seq;

	if (first_open(p, p->overdue, p->next, &seq))
		next = sent_ns(p, seq) + ht_pings_wait_ns(p);
	if (first_open(p, p->lost, p->overdue, &seq) &&
	    sent_ns(p, seq) + HT_PINGS_LOST_NS < next)
		next = sent_ns(p, seq) + HT_PINGS_LOST_NS;
	return next;
}

unsigned ht_pings_overdue_after(
    const struct ht_pings *p, uint32_t seq, int64_t *out_first_ns)
{
	uint32_t at = seq + 1;
	unsigned n = 0;

	if (p->next - at > HT_PINGS_WINDOW)
		at = p->next - HT_PINGS_WINDOW;
	for (bool first = true; (int32_t)(p->overdue - at) > 0; at++) {
		if (!(p->open & bit(at)))
			continue;
		if (first)
			*out_first_ns = sent_ns(p, at);
		first = false;
		n += (p->steady & bit(at)) != 0;
	}
	return n;
}

bool ht_pings_void(struct ht_pings *p, uint16_t seq, struct ht_ping *out)
{
	uint32_t full;

	if (!find(p, seq, &full))
		return false;
	*out = ping(p, full);
	p->open &= ~bit(full);
	return true;
}

void ht_pings_void_all(struct ht_pings *p)
{
	p->open = 0;
	p->overdue = p->lost = p->next;
}
