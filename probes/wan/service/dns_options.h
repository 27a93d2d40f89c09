/* What the probe dns is told: its option table, and what a table cannot check. */
#ifndef HT_PROBES_WAN_DNS_OPTIONS_H
#define HT_PROBES_WAN_DNS_OPTIONS_H

#include "base/option.h"

enum { DNS_SEC_NO, DNS_SEC_AD, DNS_SEC_VALIDATE };
enum { DNS_EXPECT_ALL, DNS_EXPECT_EXACTLY, DNS_EXPECT_ANY };

struct dns_options {
	char *name, *server, *expect_rcode, *anchors;
	int type, dnssec, expect_mode;
	struct ht_strings expect;
	int64_t wait_ns, tries;
};

extern const struct ht_options dns_option_table;

HT_MUST_CHECK ht_err dns_options_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault);

uint16_t dns_options_type(const struct dns_options *o);
const char *dns_options_type_name(const struct dns_options *o);

#endif
