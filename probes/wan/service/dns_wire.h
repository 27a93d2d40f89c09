/* What of DNS is looked at before ldns sees a byte: whether a message answers our
 * question at all (RFC 1035 section 4, RFC 5452 section 9.1); and where resolvers are
 * (resolv.conf(5)). Pure. */
#ifndef HT_PROBES_WAN_DNS_WIRE_H
#define HT_PROBES_WAN_DNS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define DNS_HEADER       12
#define DNS_QUESTION_MAX 320  /* bytes of a question with its EDNS record */
#define DNS_UDP_MAX      1232 /* of an answer by UDP, as we ask for (RFC 9715) */
/* Of an answer by TCP. More is refused: what chains of compression pointers cost a parser
 * grows with the square of a message, 5 ms at worst for this one. */
#define DNS_ANSWER_MAX 16384

/* Whether `answer` is an answer to `query` (which we made): id, opcode, and the question,
 * whose letters' case is ignored. A server that failed may leave the question out. */
bool dns_wire_answers(
    const uint8_t *query, size_t query_len, const uint8_t *answer, size_t len);

/* TC: there is more by TCP. */
bool dns_wire_truncated(const uint8_t *answer, size_t len);

/* "10.0.0.1", "10.0.0.1:5353", "[2001:db8::1]:53", "2001:db8::1"; port 53 when there is
 * none. HT_MALFORMED. */
HT_MUST_CHECK ht_err dns_server_parse(
    const char *text, struct sockaddr_storage *out, socklen_t *out_len);

/* The first name server of a resolv.conf; none written means this machine (as in libc).
 */
void dns_server_from_resolv_conf(
    const char *text, struct sockaddr_storage *out, socklen_t *out_len);

#endif
