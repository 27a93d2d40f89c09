#include "server/ingest/acks.h"

#include <string.h>

void acks_init(struct acks *a, const char *epoch)
{
	a->new_epoch = false;
	a->n = 0;
	memset(a->epoch, 0, sizeof(a->epoch));
	memcpy(a->epoch, epoch, strnlen(epoch, PROPS_HEX_LEN));
}

/* Index of the first range that ends at seq - 1 or later. */
static size_t find(const struct acks *a, int64_t seq)
{
	size_t low = 0, high = a->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (a->ranges[mid].last < seq - 1)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void join_next(struct acks *a, size_t i)
{
	if (i + 1 >= a->n || a->ranges[i + 1].first - 1 != a->ranges[i].last)
		return;
	a->ranges[i].last = a->ranges[i + 1].last;
	a->n--;
	memmove(
	    &a->ranges[i + 1], &a->ranges[i + 2], (a->n - i - 1) * sizeof(a->ranges[0]));
}

ht_err acks_add(struct acks *a, int64_t seq)
{
	size_t i = find(a, seq);

	if (i < a->n && a->ranges[i].first <= seq && seq <= a->ranges[i].last)
		return HT_OK;
	if (i < a->n && a->ranges[i].last == seq - 1) {
		a->ranges[i].last = seq;
		join_next(a, i);
		return HT_OK;
	}
	if (i < a->n && a->ranges[i].first - 1 == seq) {
		a->ranges[i].first = seq;
		return HT_OK;
	}
	if (a->n == ACKS_RANGES_MAX)
		return HT_FULL;
	memmove(&a->ranges[i + 1], &a->ranges[i], (a->n - i) * sizeof(a->ranges[0]));
	a->ranges[i].first = a->ranges[i].last = seq;
	a->n++;
	return HT_OK;
}

ht_err acks_encode(const struct acks *a, struct ht_buf *out)
{
	struct control_ack ack = { .new_epoch = a->new_epoch,
		.ranges = (struct control_range *)a->ranges, /* only read */
		.n = a->n };

	memcpy(ack.epoch, a->epoch, sizeof(ack.epoch));
	return control_ack_encode(&ack, out);
}
