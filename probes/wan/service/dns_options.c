#include "probes/wan/service/dns_options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/wan/service/dns_packet.h"

static const char *const type_names[] = { "A", "AAAA", "CAA", "CNAME", "DNSKEY", "DS",
	"MX", "NS", "PTR", "SOA", "SRV", "TXT", NULL };
static const char *const dnssec_names[] = { "no", "ad", "validate", NULL };
static const char *const mode_names[] = { "all", "exactly", "any", NULL };

#define OPT(f) offsetof(struct dns_options, f)
static const struct ht_option option_rows[] = {
	{ "name", HT_OPT_STRING, OPT(name), .min = 1, .max = 1000, .required = true,
	    .help = "name to ask for" },
	{ "type", HT_OPT_ENUM, OPT(type), .def = "A", .names = type_names,
	    .help = "type of record to ask for" },
	{ "server", HT_OPT_STRING, OPT(server), .min = 1, .max = 64, .def = "resolver",
	    .help = "resolver: the first one of /etc/resolv.conf, read in each run; or "
		    "address, address:port, [address]:port" },
	{ "expect", HT_OPT_STRINGS, OPT(expect), .min = 0, .max = 64,
	    .help = "data that the answer must hold, as in a zone file; names are "
		    "absolute" },
	{ "expect_mode", HT_OPT_ENUM, OPT(expect_mode), .def = "all", .names = mode_names,
	    .help = "all of expect must be there; exactly: and nothing else; any: one of "
		    "them" },
	{ "expect_rcode", HT_OPT_STRING, OPT(expect_rcode), .min = 1, .max = 16,
	    .def = "NOERROR",
	    .help = "response code that is right: NOERROR, NXDOMAIN …" },
	{ "dnssec", HT_OPT_ENUM, OPT(dnssec), .def = "no", .names = dnssec_names,
	    .help = "ad: believe the resolver's AD bit; validate: check the chain of "
		    "signatures here, asking the same server for keys" },
	{ "anchors", HT_OPT_STRING, OPT(anchors), .min = 1, .max = 4096, .file = true,
	    .def = "/usr/share/dns/root.key",
	    .help = "file of trust anchors, DS or DNSKEY records as in a zone file "
		    "(Debian's is of the package dns-root-data)" },
	{ "wait", HT_OPT_DURATION, OPT(wait_ns), .min = 50 * HT_NS_PER_MS,
	    .max = 60 * HT_NS_PER_S, .def = "5s",
	    .help = "how long an answer is waited for" },
	{ "tries", HT_OPT_INT, OPT(tries), .min = 1, .max = 5, .def = "2",
	    .help = "how often a question is sent in that time" },
};
const struct ht_options dns_option_table = HT_OPTIONS(struct dns_options, option_rows);

const char *dns_options_type_name(const struct dns_options *o)
{
	return type_names[o->type];
}

uint16_t dns_options_type(const struct dns_options *o)
{
	return dns_type_of(type_names[o->type]);
}

static const struct ht_node *at(const struct ht_node *node, const char *key)
{
	const struct ht_node *value = ht_node_get(node, key);

	return value ? value : node;
}

static ht_err check_expect(
    const struct dns_options *o, const struct ht_node *node, struct ht_fault *fault)
{
	uint16_t rcode;

	if (!dns_rcode_of(o->expect_rcode, &rcode))
		return ht_node_fault(at(node, "expect_rcode"), fault,
		    "expect_rcode: \"%s\" is none; write NOERROR, NXDOMAIN, SERVFAIL, "
		    "REFUSED …",
		    o->expect_rcode);
	for (size_t i = 0; i < o->expect.n; i++) {
		char *data = dns_data_normal(dns_options_type(o), o->expect.at[i]);

		if (!data)
			return ht_node_fault(at(node, "expect"), fault,
			    "expect: \"%.60s\" is no data of type %s; write it as in a "
			    "zone file",
			    o->expect.at[i], dns_options_type_name(o));
		free(data);
	}
	return HT_OK;
}

ht_err dns_options_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault)
{
	const struct dns_options *o = options;
	struct sockaddr_storage server;
	socklen_t len;

	if (!dns_name_valid(o->name))
		return ht_node_fault(at(node, "name"), fault,
		    "name: \"%.60s\" is no domain name; labels have 1 to 63 letters",
		    o->name);
	if (strcmp(o->server, "resolver") != 0 &&
	    dns_server_parse(o->server, &server, &len))
		return ht_node_fault(at(node, "server"), fault,
		    "server: write resolver, 10.0.0.1, 10.0.0.1:53 or [2001:db8::1]:53");
	if (o->dnssec == DNS_SEC_VALIDATE && access(o->anchors, R_OK))
		return ht_node_fault(at(node, "anchors"), fault,
		    "anchors: %s cannot be read; install dns-root-data, or name a file "
		    "of DS or DNSKEY records",
		    o->anchors);
	return check_expect(o, node, fault);
}
