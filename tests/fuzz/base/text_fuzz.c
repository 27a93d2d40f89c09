/* Names, ids, dates, durations and the other one-line texts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/name.h"
#include "base/option.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what)               \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

static void name(const char *text, size_t size)
{
	struct ht_name n;
	enum ht_metric m;

	if (ht_name_parse(text, size, &n))
		return;
	MUST(n.family_len + n.instance_len + n.quantity_len + 2 == size);
	if (ht_metric_find(n.family, n.family_len, n.quantity, n.quantity_len, &m))
		MUST(strlen(ht_metric_info(m)->family) == n.family_len);
}

static void date(const char *text)
{
	char again[HT_RFC3339_LEN + 1];
	int64_t ms, same;

	if (ht_rfc3339_parse(text, &ms))
		return;
	ht_rfc3339(ms, again);
	/* An offset can lead out of the years that are read. */
	if (!ht_rfc3339_parse(again, &same))
		MUST(same == ms || ms > INT64_C(253402300799999));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), id[HT_INSTANCE_MAX + 1];
	int64_t v;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	name(text, size);
	date(text);
	ht_id_from(text, id, sizeof(id));
	MUST(ht_id_valid(id, HT_INSTANCE_MAX));
	if (!ht_duration_parse(text, &v) && !ht_bytes_parse(text, &v) &&
	    !ht_int_parse(text, &v))
		MUST(false); /* a duration has a unit, a number has none */
	if (!ht_rate_parse(text, &v) && !ht_int_parse(text, &v))
		MUST(strspn(text, "-0123456789") == strlen(text));
	free(text);
	return 0;
}
