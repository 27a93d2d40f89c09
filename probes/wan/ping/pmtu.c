#include "probes/wan/ping/pmtu.h"

void pmtu_init(struct pmtu *p, uint32_t least, uint32_t high)
{
	*p = (struct pmtu){ .low = least, .high = high };
}

uint32_t pmtu_next(struct pmtu *p)
{
	bool first = p->size == 0;

	if (p->packets >= PMTU_PACKETS || (p->low >= p->high && p->measured) ||
	    p->low > p->high)
		return 0;
	if (p->tries == 0) {
		p->hinted = p->hint >= p->low + p->measured && p->hint <= p->high;
		if (p->hinted)
			p->size = p->hint;
		else if (first)
			p->size = p->high; /* most paths take it */
		else
			p->size = p->low + (p->high - p->low + 1) / 2;
		p->hint = 0;
	}
	p->packets++;
	return p->size;
}

void pmtu_passed(struct pmtu *p)
{
	p->tries = 0;
	p->measured = true;
	p->low = p->size;
	if (p->hinted) /* what is larger was refused by who gave the hint */
		p->high = p->low;
}

/* That size does not pass. */
static void too_large(struct pmtu *p)
{
	p->tries = 0;
	p->high = p->size - 1;
}

void pmtu_silent(struct pmtu *p)
{
	if (++p->tries >= PMTU_TRIES)
		too_large(p);
}

void pmtu_refused(struct pmtu *p, uint32_t mtu, bool local)
{
	too_large(p);
	if (mtu < p->size)
		p->hint = mtu;
	if (local)
		p->packets--;
}

uint32_t pmtu_result(const struct pmtu *p)
{
	return p->measured && p->low >= p->high ? p->low : 0;
}
