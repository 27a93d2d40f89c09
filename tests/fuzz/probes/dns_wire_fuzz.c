#include <stdlib.h>
#include <string.h>

#include "probes/wan/service/dns_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A message that somebody sent: is it the answer to our question, and what is in it? And
 * the same bytes as the texts of a configuration. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t query[DNS_QUESTION_MAX];
	struct sockaddr_storage server;
	socklen_t server_len;
	struct dns_answer a;
	size_t query_len;
	char text[512];

	if (dns_question_write("www.example", 1, DNS_DO, query, &query_len))
		abort();
	bool ours = dns_wire_answers(query, query_len, bytes, len);

	if (ours && (len < DNS_HEADER || !(bytes[2] & 0x80)))
		abort();
	(void)dns_wire_truncated(bytes, len);
	for (uint16_t type = 1; type <= 257; type += type == 1 ? 14 : 241) {
		if (dns_answer_read(bytes, len, "www.example", type, &a))
			continue;
		for (size_t i = 0; i < a.n; i++) {
			if (!a.data[i][0])
				abort();
		}
		dns_answer_fini(&a);
	}
	if (len >= sizeof(text))
		return 0;
	memcpy(text, bytes, len);
	text[len] = '\0';
	dns_server_from_resolv_conf(text, &server, &server_len);
	if (dns_server_parse(text, &server, &server_len) == HT_OK && !server_len)
		abort();
	free(dns_data_normal(15, text));
	free(dns_data_normal(16, text));
	(void)dns_name_valid(text);
	return 0;
}
