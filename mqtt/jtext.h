/* Strict JSON text to json-c values and back to C: the one way in which bytes from the
 * network become a struct json_object here. Bounded in depth, whole input, valid UTF-8,
 * no NUL in a text, no NaN and no infinity. Of a key that is there twice the last one
 * counts (json-c keeps no other). Pure. */
#ifndef HT_MQTT_JTEXT_H
#define HT_MQTT_JTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct json_object;

/* Parse all of the bytes as one value (nothing but white space may follow). The caller
 * puts `*out` with json_object_put. HT_MALFORMED with "byte N: why", HT_NOMEM. */
HT_MUST_CHECK ht_err jtext_parse(const void *bytes, size_t len, int depth_max,
    struct json_object **out, struct ht_fault *fault);

/* A text without NUL inside; borrowed from `v`. False for anything else. */
bool jtext_string(struct json_object *v, const char **out, size_t *out_len);

/* A finite number, whole or not. */
bool jtext_double(struct json_object *v, double *out);

/* A whole number of 0 … 2^64-1, written without point or exponent. */
bool jtext_uint64(struct json_object *v, uint64_t *out);

/* The shortest decimal that reads back as `v`, always with a point or an exponent so
 * that it stays apart from a whole number. `v` is finite. */
#define JTEXT_DOUBLE_MAX 40
void jtext_double_format(double v, char out[static JTEXT_DOUBLE_MAX]);

#endif
