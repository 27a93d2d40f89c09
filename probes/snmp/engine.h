/* SNMPv3 engine discovery (RFC 3414 section 4), pure codec: the empty request that every
 * engine must answer with a Report, and that Report. net-snmp would wait for it inside
 * its open; we ask ourselves, from the loop, and give net-snmp the answer. */
#ifndef HT_PROBES_SNMP_ENGINE_H
#define HT_PROBES_SNMP_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { ENGINE_REQUEST_LEN = 64, ENGINE_ID_MIN = 5, ENGINE_ID_MAX = 32 };

struct engine_id {
	uint8_t at[ENGINE_ID_MAX];
	size_t len;
};

/* `message_id` is 0..2^31-1 and random: the Report must carry it. */
void engine_request_write(int32_t message_id, uint8_t out[static ENGINE_REQUEST_LEN]);

/* HT_MALFORMED, HT_CONFLICT (another message's id), HT_UNSUPPORTED (no Report). */
HT_MUST_CHECK ht_err engine_report_parse(
    const void *bytes, size_t len, int32_t message_id, struct engine_id *out);

#endif
