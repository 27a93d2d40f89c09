#include "probes/snmp/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#include "probes/snmp/iftype.h"

enum { TEXT_MAX = 255, ROWS_FIRST = 16, TEXT_COST = 16 /* of the allocator */ };

void table_init(struct table *t, size_t max_rows)
{
	*t = (struct table){ .max = max_rows };
}

void table_fini(struct table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		for (size_t k = 0; k < TABLE_TEXTS; k++)
			free(t->rows[i].texts[k]);
	}
	for (size_t k = 0; k < TABLE_SYSTEM_TEXTS; k++)
		free(t->system.texts[k]);
	neighbours_fini(&t->neighbours);
	free(t->rows);
	topology_fini(&t->topology);
	if (t->budget)
		t->budget->used -= t->charged;
	*t = (struct table){ .max = t->max, .budget = t->budget };
}

static size_t bytes_of(const struct table *t)
{
	const struct topology *p = &t->topology;

	return t->cap * sizeof(t->rows[0]) + t->text_bytes +
	       t->neighbours.cap * sizeof(t->neighbours.at[0]) +
	       p->cap_stacks * sizeof(p->stacks[0]) +
	       p->cap_addresses * sizeof(p->addresses[0]);
}

bool table_charge(struct table *t)
{
	if (!t->budget)
		return true;
	t->budget->used -= t->charged;
	t->charged = bytes_of(t);
	t->budget->used += t->charged;
	return t->budget->used <= t->budget->max || t->charged <= TABLE_SMALL;
}

static bool grow(struct table *t)
{
	size_t cap = t->cap ? t->cap * 2 : ROWS_FIRST;

	if (cap > t->max)
		cap = t->max;
	if (cap <= t->n)
		return false;
	struct table_row *more = realloc(t->rows, cap * sizeof(*more));

	if (!more)
		return false;
	t->rows = more;
	t->cap = cap;
	return true;
}

/* The place of an index, or where it would be. */
static size_t place_of(const struct table *t, uint64_t index)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->rows[mid].index < index)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct table_row *table_find(const struct table *t, uint64_t index)
{
	size_t at = place_of(t, index);

	return at < t->n && t->rows[at].index == index ? &t->rows[at] : NULL;
}

struct table_row *table_row(struct table *t, uint64_t index)
{
	size_t low = place_of(t, index);

	if (low < t->n && t->rows[low].index == index)
		return &t->rows[low];
	if (t->n == t->cap && !grow(t))
		return NULL;
	memmove(&t->rows[low + 1], &t->rows[low], (t->n - low) * sizeof(t->rows[0]));
	t->rows[low] = (struct table_row){ .index = index };
	t->n++;
	return &t->rows[low];
}

void table_put_number(struct table_row *r, enum table_number n, uint64_t v)
{
	r->numbers[n] = v;
	r->has |= UINT32_C(1) << n;
}

bool table_has(const struct table_row *r, enum table_number n)
{
	return r->has & UINT32_C(1) << n;
}

uint32_t table_type(const struct table_row *r)
{
	return table_has(r, TABLE_TYPE) && r->numbers[TABLE_TYPE] <= UINT32_MAX
		   ? iftype_class((uint32_t)r->numbers[TABLE_TYPE])
		   : 0;
}

bool table_lacks(const struct table *t, enum table_number n)
{
	for (size_t i = 0; i < t->n; i++) {
		if (!table_has(&t->rows[i], n))
			return true;
	}
	return false;
}

static size_t put_text(char out[static TEXT_MAX + 1], const uint8_t *bytes, size_t len)
{
	size_t at = 0;

	for (size_t i = 0; i < len;) {
		size_t n = ht_utf8_len(bytes + i, len - i);
		bool plain = n > 1 || (n == 1 && bytes[i] >= ' ' && bytes[i] != 0x7f);

		if (at + (plain ? n : 1) > TEXT_MAX)
			break;
		if (plain)
			memcpy(out + at, bytes + i, n);
		else
			out[at] = n ? ' ' : '?'; /* control byte, or not UTF-8 */
		at += plain ? n : 1;
		i += n ? n : 1;
	}
	while (at && out[at - 1] == ' ')
		at--;
	return at;
}

static size_t put_hex(char out[static TEXT_MAX + 1], const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;

	for (size_t i = 0; i < len && at + 3 < TEXT_MAX; i++) {
		out[at++] = digits[bytes[i] >> 4];
		out[at++] = digits[bytes[i] & 15];
		out[at++] = ':';
	}
	return at ? at - 1 : 0;
}

ht_err table_put_text(
    struct table_row *r, enum table_text n, const uint8_t *bytes, size_t len)
{
	char text[TEXT_MAX + 1];
	size_t used =
	    n == TABLE_PHYS ? put_hex(text, bytes, len) : put_text(text, bytes, len);

	free(r->texts[n]);
	r->texts[n] = used ? strndup(text, used) : NULL;
	return used && !r->texts[n] ? HT_NOMEM : HT_OK;
}

ht_err table_take_text(struct table *t, struct table_row *r, enum table_text n,
    const uint8_t *bytes, size_t len)
{
	size_t before = r->texts[n] ? strlen(r->texts[n]) + TEXT_COST : 0;
	ht_err err = table_put_text(r, n, bytes, len);

	t->text_bytes += r->texts[n] ? strlen(r->texts[n]) + TEXT_COST : 0;
	t->text_bytes -= before;
	return err;
}

void table_put_system(
    struct table_system *s, enum table_system_text n, const uint8_t *bytes, size_t len)
{
	char text[TEXT_MAX + 1];
	size_t used = put_text(text, bytes, len);

	free(s->texts[n]);
	s->texts[n] = used ? strndup(text, used) : NULL;
}
