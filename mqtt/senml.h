/* SenML packs (RFC 8428) in CBOR and JSON, resolved and bounded. A pack is at most
 * 64 KiB and 4,096 records; base fields are resolved while decoding, so a record's
 * name is whole and its time is plain. Codecs are pure: bytes in, struct out.
 *
 * hatang's packs: bn = "<agent>/"; counters are integers, exact to 2^64-1 in both
 * codecs; `t` is absolute (Unix seconds, ≥ 2^28) when the edge's clock is synchronised,
 * and otherwise negative: seconds before the pack was sealed. */
#ifndef HT_MQTT_SENML_H
#define HT_MQTT_SENML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/metric.h"

#define SENML_PACK_MAX    65536 /* bytes */
#define SENML_RECORDS_MAX 4096
/* 2^28: times below are relative (RFC 8428, 4.5.3). */
#define SENML_ABSOLUTE_S 268435456.0
#define SENML_CBOR_TYPE  "application/senml+cbor"
#define SENML_JSON_TYPE  "application/senml+json"

enum senml_format { SENML_CBOR, SENML_JSON };

struct senml_record {
	const char *name; /* resolved (base name + name), NUL-terminated */
	const char *unit; /* resolved, or NULL */
	double time_s;    /* resolved base time + time; 0 when neither is given */
	enum ht_kind kind;
	union {
		double number;      /* HT_NUMBER */
		uint64_t counter;   /* HT_COUNTER: an integer ≥ 0 on the wire */
		const char *string; /* HT_STRING; NUL-terminated, no NUL inside */
		bool boolean;       /* HT_BOOL */
	};
};

/* A decoded pack owns its records and their strings. */
struct senml_pack {
	struct senml_record *records;
	size_t n;
	void *arena; /* storage of the strings; private */
};

/* Decode `len` bytes. HT_TOOLARGE, HT_MALFORMED (with the reason in the fault, which
 * may be NULL), HT_UNSUPPORTED (a "must understand" field ending in "_", a base version
 * above 10, a data value `vd`, a sum-only record), HT_NOMEM. Unknown optional fields are
 * skipped. A whole number on the wire becomes HT_COUNTER when it is ≥ 0, HT_NUMBER
 * otherwise; the reader of a metric that is an HT_NUMBER accepts both. */
HT_MUST_CHECK ht_err senml_decode(enum senml_format format, const void *bytes, size_t len,
    struct senml_pack *out, struct ht_fault *fault);
void senml_pack_fini(struct senml_pack *pack); /* accepts a zeroed one */

/* The value as a double, whichever number it was. False for text and booleans. */
bool senml_number(const struct senml_record *r, double *out);

/* An encoder builds one pack. `base_name` ("<agent>/") begins each name; where records
 * that follow each other have more in common (the thing that they are of), their base
 * name says it once for all. Records are appended as they come; the pack is
 * complete after senml_encoder_end(). */
struct senml_encoder;

HT_MUST_CHECK ht_err senml_encoder_new(
    enum senml_format format, const char *base_name, struct senml_encoder **out);
void senml_encoder_free(struct senml_encoder *e); /* accepts NULL */

/* Append a record; `r->name` is relative to the base name. A number that is not finite
 * is HT_INVALID. HT_FULL when the pack would pass `SENML_PACK_MAX` bytes or
 * SENML_RECORDS_MAX records: the pack is unchanged and may be ended. */
HT_MUST_CHECK ht_err senml_encoder_put(
    struct senml_encoder *e, const struct senml_record *r);

size_t senml_encoder_count(const struct senml_encoder *e);
size_t senml_encoder_bytes(const struct senml_encoder *e); /* what end would yield now */

/* Append the finished pack to `out` (whose max must allow SENML_PACK_MAX) and reset the
 * encoder for the next pack with the same base name. HT_INVALID when it has no record. */
HT_MUST_CHECK ht_err senml_encoder_end(struct senml_encoder *e, struct ht_buf *out);

HT_MUST_CHECK ht_err senml_format_parse(const char *content_type, enum senml_format *out);
const char *senml_content_type(enum senml_format format);

#endif
