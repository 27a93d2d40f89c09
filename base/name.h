/* Names on the wire: <family>/<instance>/<quantity>, letters of RFC 8428 section 4.5.1.
 * An instance is a stable id of [A-Za-z0-9._:-]; agent and agency ids are the same. */
#ifndef HT_BASE_NAME_H
#define HT_BASE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/metric.h"
#include "base/reading.h"

#define HT_ID_MAX   64                     /* bytes of an agent or agency id */
#define HT_NAME_MAX (HT_INSTANCE_MAX + 64) /* bytes of family/instance/quantity */

/* Parts of a name, borrowed from it. */
struct ht_name {
	const char *family, *instance, *quantity;
	size_t family_len, instance_len, quantity_len;
};

/* [A-Za-z0-9._:-]{1,max}, beginning with a letter or digit. */
bool ht_id_valid(const char *id, size_t max);

/* Turn any text into an id: other bytes become '-', cut at `cap`-1 bytes, "x" when
 * nothing is left. For interface names and the like; not unique by itself. */
void ht_id_from(const char *text, char *out, size_t cap);

/* Write "<family>/<instance>/<quantity>" and a NUL; HT_TOOLARGE when `cap` is short. */
HT_MUST_CHECK ht_err ht_name_format(
    enum ht_metric m, const char *instance, char *out, size_t cap);

/* Split a name of `len` bytes. HT_MALFORMED when it has not three parts of allowed
 * letters. */
HT_MUST_CHECK ht_err ht_name_parse(const char *text, size_t len, struct ht_name *out);

#endif
