/* The zones of dns_world.h on a real port, for tests/e2e/test_dnssec.py:
 *
 *     dns_world_serve ANCHOR-FILE [drop OWNER TYPE | unsign OWNER TYPE | add RECORD]…
 *
 * writes the root's key into the file, prints its port, and answers until it is killed.
 */
#include "unit/test.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "probes/wan/service/dns_wire.h"
#include "unit/probes/dns_world.h"
#include "unit/probes/stub_dns.h"

#define RECORDS(zone)                                        \
	"www." zone " 300 IN A 192.0.2.1\n"                  \
	"www." zone " 300 IN A 192.0.2.2\n"                  \
	"*.wild." zone " 300 IN A 192.0.2.3\n"               \
	"a.b." zone " 300 IN A 192.0.2.4\n"                  \
	"here." zone " 300 IN CNAME www.unsigned.example.\n" \
	"there." zone " 300 IN CNAME www.three.example.\n"

static const struct dns_world_zone zones[] = {
	{ "unsigned.example.", RECORDS("unsigned.example."), WORLD_UNSIGNED },
	{ "three.example.", RECORDS("three.example."), WORLD_NSEC3, .iterations = 1 },
	{ "one.example.", RECORDS("one.example."), WORLD_NSEC },
	{ "example.", "", WORLD_NSEC },
	{ ".", "", WORLD_NSEC },
};

static size_t answer(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg)
{
	size_t len = dns_world_reply(arg, q->bytes, q->len, out, STUB_DNS_MAX);

	if (len <= DNS_UDP_MAX || q->tcp)
		return len;
	len = stub_dns_plain(q, out, 0, 0);
	out[2] |= 2; /* TC */
	return len;
}

static void spoil(struct dns_world *w, char **args)
{
	while (*args && args[1]) {
		uint16_t type = args[2] ? (uint16_t)ldns_get_rr_type_by_name(args[2]) : 0;

		if (strcmp(args[0], "add") == 0) {
			dns_world_add(w, args[1]);
			args += 2;
			continue;
		}
		if (strcmp(args[0], "drop") == 0)
			dns_world_drop(w, args[1], type);
		else
			dns_world_drop_sigs(w, args[1], type);
		args += args[2] ? 3 : 2;
	}
}

int main(int argc, char **argv)
{
	struct dns_world *w = dns_world_new(zones, HT_COUNT(zones), time(NULL));
	char *anchor = dns_world_anchor(w, ".");
	FILE *f = argc > 1 ? fopen(argv[1], "w") : NULL;

	if (!f)
		return HT_EXIT_USAGE;
	fputs(anchor, f);
	fclose(f);
	free(anchor);
	spoil(w, argv + 2);
	printf("%u\n", stub_dns_port(stub_dns_start(answer, w)));
	fflush(stdout);
	for (;;)
		pause();
}
