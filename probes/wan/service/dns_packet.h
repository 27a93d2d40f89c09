/* Questions made and answers read by ldns. Pure: bytes in, values out. Names and data are
 * in presentation format (RFC 1035 section 5), names with their final dot and in lower
 * case. No other header of the probes shows ldns. */
#ifndef HT_PROBES_WAN_DNS_PACKET_H
#define HT_PROBES_WAN_DNS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "probes/wan/service/dns_wire.h"

enum { DNS_AD = 1, DNS_CD = 2, DNS_DO = 4 }; /* flags of a question; RD is always set */

struct dns_answer {
	uint16_t rcode; /* with the extension of RFC 6891 */
	bool ad;
	char **data; /* of the records asked for, CNAMEs followed; sorted, malloc'ed */
	size_t n;
};

/* The id is left zero. HT_INVALID when the name is none. */
HT_MUST_CHECK ht_err dns_question_write(const char *name, uint16_t type, unsigned flags,
    uint8_t out[static DNS_QUESTION_MAX], size_t *out_len);

/* `bytes` answers a question for `name` and `type`. HT_MALFORMED, HT_NOMEM. */
HT_MUST_CHECK ht_err dns_answer_read(const uint8_t *bytes, size_t len, const char *name,
    uint16_t type, struct dns_answer *out);
void dns_answer_fini(struct dns_answer *a); /* accepts a zeroed one */

/* One record's data as dns_answer has it, from what a person wrote; malloc'ed, or NULL
 * when it is no data of that type. */
char *dns_data_normal(uint16_t type, const char *text);

bool dns_name_valid(const char *name);
uint16_t dns_type_of(const char *name); /* 0: no such type */
/* "NOERROR", "NXDOMAIN" …; writes "RCODE23" for what has no name. */
void dns_rcode_name(uint16_t rcode, char out[static 16]);
bool dns_rcode_of(const char *name, uint16_t *out);

#endif
