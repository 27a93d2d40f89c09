#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "probes/wan/service/dns_chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Messages one after the other, each after its length: the answer, then what is said to
 * the questions of the chain. Whatever comes, it ends. The seeds are signed by the key
 * below, which is a test's. */
static const char anchor[] =
#include "dns_anchor.inc"
    ;
#define NOW  1700000000
#define ENDS 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	struct dns_anchors *anchors;
	struct dns_chain *c;
	char name[DNS_NAME_TEXT];
	const char *why;
	uint16_t type;
	int questions = 0;

	if (dns_anchors_parse(anchor, &anchors, NULL))
		abort();
	size_t n = ht_reader_u16(&r);
	const uint8_t *message = ht_reader_bytes(&r, n);

	if (!message) {
		dns_anchors_free(anchors);
		return 0;
	}
	if (dns_chain_new(anchors, "www.example", 1, message, n, NOW, &c))
		return 0;
	while (dns_chain_next(c, name, &type)) {
		if (++questions > ENDS)
			abort();
		n = ht_reader_u16(&r);
		message = ht_reader_bytes(&r, n);
		if (message)
			dns_chain_take(c, message, n);
		else
			dns_chain_fail(c, "timeout");
	}
	enum dns_security s = dns_chain_verdict(c, &why);

	if ((s == DNS_SECURE) != (why[0] == '\0'))
		abort();
	dns_chain_free(c);
	return 0;
}
