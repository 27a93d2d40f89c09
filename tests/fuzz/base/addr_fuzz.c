#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what)               \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

/* What parses, formats to a text that parses to the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), again[HT_ADDR_TEXT], mac_again[HT_MAC_TEXT];
	struct ht_addr a, b;
	struct ht_mac m, n;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!ht_addr_parse(text, &a)) {
		ht_addr_format(&a, again);
		MUST(ht_addr_parse(again, &b) == HT_OK && ht_addr_equal(&a, &b));
		MUST(ht_addr_within(&a, &b));
		uint32_t hosts = ht_addr_v4_hosts(&a);
		if (hosts) {
			struct ht_addr last =
			    ht_addr_from_v4(ht_addr_v4_host(&a, hosts - 1));

			MUST(ht_addr_within(&a, &last));
		}
	}
	if (!ht_mac_parse(text, &m)) {
		ht_mac_format(&m, mac_again);
		MUST(ht_mac_parse(mac_again, &n) == HT_OK &&
		     memcmp(&m, &n, sizeof(m)) == 0);
	}
	free(text);
	return 0;
}
