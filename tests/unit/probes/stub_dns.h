/* A DNS server for one test on a thread of its own, UDP and TCP on one port of 127.0.0.1,
 * that answers as badly as it is told to. */
#ifndef HT_TESTS_UNIT_PROBES_STUB_DNS_H
#define HT_TESTS_UNIT_PROBES_STUB_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STUB_DNS_MAX 66000

struct stub_dns;

struct stub_dns_question {
	const uint8_t *bytes;
	size_t len;
	bool tcp;
	unsigned number; /* of questions so far, from 0 */
};

/* Writes an answer into `out` and returns its length; 0: none. */
typedef size_t (*stub_dns_answer)(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg);

struct stub_dns *stub_dns_start(stub_dns_answer answer, void *arg);
void stub_dns_free(struct stub_dns *s);
uint16_t stub_dns_port(const struct stub_dns *s);
unsigned stub_dns_asked(const struct stub_dns *s);

/* For `answer`: send something else before, from the server's own port, or from another
 * that only pretends to be it. UDP only. */
void stub_dns_also(struct stub_dns *s, const uint8_t *bytes, size_t len);
void stub_dns_spoof(struct stub_dns *s, const uint8_t *bytes, size_t len);
/* For `answer` by TCP: say bytes as they are, without a length before them. */
void stub_dns_raw(struct stub_dns *s, const uint8_t *bytes, size_t len);

/* A plain answer to `q`: its question, rcode, and `n` A records 192.0.2.1 … */
size_t stub_dns_plain(
    const struct stub_dns_question *q, uint8_t *out, unsigned rcode, unsigned n);

#endif
