/* What the SenML codecs and the resolver share; private to mqtt/. A codec turns bytes
 * into raw records, one after the other; the resolver (senml.c) applies RFC 8428's
 * base fields, checks names and values, and appends to the pack. */
#ifndef HT_MQTT_SENML_RECORD_H
#define HT_MQTT_SENML_RECORD_H

#include "mqtt/senml.h"

enum senml_field {
	SENML_BN,
	SENML_BT,
	SENML_BU,
	SENML_BV,
	SENML_BS,
	SENML_BVER,
	SENML_N,
	SENML_U,
	SENML_V,
	SENML_VS,
	SENML_VB,
	SENML_S,
	SENML_T,
	SENML_UT,
	SENML_VD,
	SENML_FIELD_COUNT
};

/* RFC 8428 table 4. */
struct senml_label {
	const char *json;
	int cbor;
};
extern const struct senml_label senml_labels[SENML_FIELD_COUNT];

enum senml_value_kind {
	SENML_OTHER, /* null, a list, a map, a byte string, a tag … */
	SENML_WHOLE, /* an integer ≥ 0 */
	SENML_REAL,  /* any other finite number */
	SENML_TEXT,  /* borrowed, not NUL-terminated, unchecked */
	SENML_FLAG,
};

struct senml_value {
	enum senml_value_kind kind;
	union {
		uint64_t whole;
		double real;
		bool flag;
		struct {
			const char *text;
			size_t len;
		};
	};
};

struct senml_raw {
	unsigned has; /* 1 << field */
	struct senml_value at[SENML_FIELD_COUNT];
};

/* Which field a label names, or SENML_FIELD_COUNT for one that we do not know. */
enum senml_field senml_field_by_json(const char *label, size_t len);
enum senml_field senml_field_by_cbor(int64_t label);

/* Whether a label that we do not know must be understood (RFC 8428, 4.4). */
bool senml_label_binding(const char *label, size_t len);

/* Put one field. HT_MALFORMED when it is there already or of the wrong kind. */
HT_MUST_CHECK ht_err senml_raw_put(struct senml_raw *raw, enum senml_field field,
    const struct senml_value *value, struct ht_fault *fault);

/* The resolver: one a pack. */
struct senml_resolver {
	struct senml_pack *pack;
	struct ht_fault *fault;
	size_t cap;                        /* of pack->records */
	size_t seen;                       /* raw records, for messages */
	const char *base_name, *base_unit; /* in the arena; "" and NULL at first */
	double base_time_s;
	struct senml_value base_value;
};

HT_MUST_CHECK ht_err senml_resolve(struct senml_resolver *r, const struct senml_raw *raw);

/* Read all of the bytes into the resolver. */
HT_MUST_CHECK ht_err senml_cbor_read(
    const void *bytes, size_t len, struct senml_resolver *r);
HT_MUST_CHECK ht_err senml_json_read(
    const void *bytes, size_t len, struct senml_resolver *r);

/* The other direction: append one record, whose first fields are `base_name` and
 * `base_time_s` when those pointers are not NULL. The record has been checked. */
void senml_cbor_write(struct ht_buf *b, const struct senml_record *r,
    const char *base_name, const double *base_time_s);
void senml_json_write(struct ht_buf *b, const struct senml_record *r,
    const char *base_name, const double *base_time_s);

/* Head and tail around `n` records; JSON's separator is written by senml_json_write's
 * caller as ",". Returns the bytes written, at most SENML_HEAD_MAX. */
#define SENML_HEAD_MAX 9
size_t senml_cbor_head(size_t n, uint8_t out[static SENML_HEAD_MAX]);

#endif
