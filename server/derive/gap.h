/* The text of an agent/<part>/gap reading: "<epoch>:<first>-<last> <reason>". Pure. */
#ifndef HT_SERVER_DERIVE_GAP_H
#define HT_SERVER_DERIVE_GAP_H

#include <stdint.h>

#include "base/err.h"
#include "mqtt/props.h"

#define GAP_REASON_MAX 64

struct gap {
	char epoch[PROPS_HEX_LEN + 1];
	int64_t first_seq, last_seq;
	char reason[GAP_REASON_MAX + 1];
};

/* HT_MALFORMED: not of this form, first above last, or a number outside 1 … 2^63-1. */
HT_MUST_CHECK ht_err gap_parse(const char *text, struct gap *out);

#endif
