/* A memory of any bytes, then a match of rows made of the rest against it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/snmp/identity.h"

enum { ROWS_MAX = 24, WORDS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char *word(uint8_t b)
{
	static const char *const words[WORDS] = { NULL, "", "Gi0/1", "port", "02:00",
		"00:00:00:00:00:00", "WAN", "a-very-long-name-of-an-interface-indeed" };

	return words[b % WORDS];
}

/* Whatever was remembered: each row has an id of its own, and the memory can be read. */
static void check(const struct identity *k, const struct identity_match *out, size_t n)
{
	struct ht_buf b;
	struct identity again;
	char why[IDENTITY_WHY_MAX];

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(out[i].id, out[j].id) == 0)
				abort();
		}
		(void)identity_why(&out[i], why);
	}
	ht_buf_init(&b, 1 << 20);
	identity_encode(k, &b);
	struct ht_reader r = ht_reader_of(b.data, b.len);
	if (ht_buf_err(&b) || identity_decode(&again, &r) != HT_OK || again.n != k->n)
		abort();
	identity_fini(&again);
	ht_buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	struct identity k = { 0 };
	struct identity_row rows[ROWS_MAX] = { { 0 } };
	struct identity_match out[ROWS_MAX];
	size_t n = 0;

	if (identity_decode(&k, &r) != HT_OK)
		r = ht_reader_of(bytes, len);
	for (; n < ROWS_MAX && ht_reader_left(&r) >= 6; n++) {
		rows[n].index = ht_reader_u8(&r);
		rows[n].type = ht_reader_u8(&r) % 8;
		for (size_t t = 0; t < IDENTITY_TEXTS; t++)
			rows[n].texts[t] = word(ht_reader_u8(&r));
	}
	if (identity_match(&k, rows, n, true, IDENTITY_ID_MAX, out) == HT_OK)
		check(&k, out, n);
	if (identity_match(&k, rows, n / 2, len & 1, 24, out) == HT_OK)
		check(&k, out, n / 2);
	identity_fini(&k);
	return 0;
}
