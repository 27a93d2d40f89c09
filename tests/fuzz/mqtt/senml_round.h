/* The property that both SenML fuzzers hold: what decodes, encodes (record by record, in
 * both formats) and decodes to the same records. */
#ifndef HT_TESTS_FUZZ_SENML_ROUND_H
#define HT_TESTS_FUZZ_SENML_ROUND_H

#include <stdlib.h>
#include <string.h>

#include "mqtt/senml.h"

#define MUST(what)               \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

static inline bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static inline void record_must_equal(
    const struct senml_record *a, const struct senml_record *b)
{
	MUST(text_equal(a->name, b->name) && text_equal(a->unit, b->unit));
	MUST(a->kind == b->kind && a->time_s == b->time_s);
	switch (a->kind) {
	case HT_STRING:
		MUST(text_equal(a->string, b->string));
		break;
	case HT_BOOL:
		MUST(a->boolean == b->boolean);
		break;
	default:
		MUST(memcmp(&a->counter, &b->counter, sizeof(a->counter)) == 0);
	}
}

/* A pack may be too much for one of ours (JSON is longer than CBOR): begin another. */
static inline void flush_and_compare(
    enum senml_format format, struct senml_encoder *e, const struct senml_record *want)
{
	struct senml_pack again = { 0 };
	struct ht_buf out;
	size_t n = senml_encoder_count(e), promised = senml_encoder_bytes(e);

	if (n == 0)
		return;
	ht_buf_init(&out, SENML_PACK_MAX);
	MUST(senml_encoder_end(e, &out) == HT_OK);
	MUST(out.len == promised && out.len <= SENML_PACK_MAX);
	MUST(senml_decode(format, out.data, out.len, &again, NULL) == HT_OK);
	MUST(again.n == n);
	for (size_t i = 0; i < n; i++)
		record_must_equal(&again.records[i], &want[i]);
	senml_pack_fini(&again);
	ht_buf_fini(&out);
}

static inline void round_trip(enum senml_format format, const struct senml_pack *pack)
{
	struct senml_encoder *e;
	size_t first = 0;

	MUST(senml_encoder_new(format, "", &e) == HT_OK);
	for (size_t i = 0; i < pack->n; i++) {
		ht_err err = senml_encoder_put(e, &pack->records[i]);

		if (err == HT_FULL) {
			flush_and_compare(format, e, &pack->records[first]);
			first = i;
			err = senml_encoder_put(e, &pack->records[i]);
		}
		if (err == HT_FULL) { /* one text longer than any pack, once escaped */
			first = i + 1;
			err = HT_OK;
		}
		MUST(err == HT_OK);
	}
	flush_and_compare(format, e, &pack->records[first]);
	senml_encoder_free(e);
}

static inline int senml_fuzz(enum senml_format format, const uint8_t *data, size_t size)
{
	struct senml_pack pack = { 0 };
	struct ht_fault fault = { 0 };
	ht_err err = senml_decode(format, data, size, &pack, &fault);

	if (err) {
		MUST(fault.text[0] && !pack.records);
		return 0;
	}
	MUST(pack.n >= 1 && pack.n <= SENML_RECORDS_MAX);
	round_trip(SENML_CBOR, &pack);
	round_trip(SENML_JSON, &pack);
	senml_pack_fini(&pack);
	return 0;
}

#endif
