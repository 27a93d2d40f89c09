#include "agent/schedule.h"

#include "base/clock.h"

/* The first runs come soon after start (a page without values helps nobody), but not
 * all in the same moment. */
#define PHASE_MAX_NS (3 * HT_NS_PER_S)
#define RETRY_NS     HT_NS_PER_S

/* FNV-1a: spread, not secrecy. */
static uint64_t hash(const char *text, uint64_t h)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return h;
}

void schedule_start(struct schedule *s, struct schedule_job *jobs, size_t n,
    const char *salt, int64_t now)
{
	uint64_t seed = hash(salt, UINT64_C(0xcbf29ce484222325));

	*s = (struct schedule){ .jobs = jobs, .n = n };
	for (size_t i = 0; i < n; i++) {
		struct schedule_job *j = &jobs[i];
		int64_t span = j->every_ns < PHASE_MAX_NS ? j->every_ns : PHASE_MAX_NS;
		j->state = SCHEDULE_WAITING;
		j->next_ns = now + (int64_t)(hash(j->id, seed) % (uint64_t)span);
		j->attempt_ns = j->next_ns;
		j->retried = 0;
		j->runs = j->skipped = j->timeouts = 0;
	}
}

/* The first slot of the grid after `now`; those in between were missed. */
static void advance(struct schedule_job *j, int64_t now, bool count)
{
	if (j->next_ns > now)
		return;
	int64_t slots = (now - j->next_ns) / j->every_ns + 1;
	j->next_ns += slots * j->every_ns;
	if (count)
		j->skipped += (uint64_t)slots;
}

static void begin(struct schedule *s, struct schedule_job *j, int64_t now)
{
	/* After a suspend many slots are due: one run stands for all of them. */
	if (j->next_ns <= now) {
		j->next_ns += j->every_ns;
		advance(j, now, true);
	}
	j->state = SCHEDULE_RUNNING;
	j->deadline_ns =
	    j->timeout_ns == SCHEDULE_ENDLESS ? INT64_MAX : now + j->timeout_ns;
	j->runs++;
	s->running++;
}

enum schedule_act schedule_step(struct schedule *s, int64_t now, size_t *out_job)
{
	for (size_t i = 0; i < s->n; i++) {
		struct schedule_job *j = &s->jobs[i];
		if (j->state == SCHEDULE_RUNNING && j->deadline_ns <= now) {
			j->state = SCHEDULE_ENDING;
			j->timeouts++;
			*out_job = i;
			return SCHEDULE_CANCEL;
		}
		if (j->state != SCHEDULE_WAITING && !j->continuous)
			advance(j, now, true);
		if (j->state == SCHEDULE_WAITING && j->attempt_ns <= now &&
		    s->running < SCHEDULE_RUNNING_MAX) {
			begin(s, j, now);
			*out_job = i;
			return SCHEDULE_RUN;
		}
	}
	return SCHEDULE_NONE;
}

void schedule_ended(struct schedule *s, size_t job, int64_t now, bool ok)
{
	struct schedule_job *j = &s->jobs[job];

	if (j->state == SCHEDULE_WAITING)
		return;
	j->state = SCHEDULE_WAITING;
	s->running--;
	if (!j->continuous)
		advance(j, now, true);
	else if (ok && j->next_ns > now && j->next_ns - now < RETRY_NS)
		j->next_ns = now; /* it ended a little early: listen on at once */
	j->attempt_ns = j->next_ns;
	if (ok || j->retried >= j->retries) {
		j->retried = 0;
	} else if (now + RETRY_NS < j->next_ns) {
		j->retried++;
		j->attempt_ns = now + RETRY_NS;
	}
}

void schedule_soon(struct schedule *s, size_t job, int64_t now)
{
	struct schedule_job *j = &s->jobs[job];

	if (j->state == SCHEDULE_WAITING && j->attempt_ns > now)
		j->attempt_ns = now;
}

int64_t schedule_next_ns(const struct schedule *s)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < s->n; i++) {
		const struct schedule_job *j = &s->jobs[i];
		int64_t at = INT64_MAX;
		if (j->state == SCHEDULE_RUNNING)
			at = j->deadline_ns;
		else if (j->state == SCHEDULE_WAITING &&
			 s->running < SCHEDULE_RUNNING_MAX)
			at = j->attempt_ns;
		if (at < next)
			next = at;
	}
	return next;
}
