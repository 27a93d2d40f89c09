/* What the probe http is told: its option table, and what a table cannot check. */
#ifndef HT_PROBES_WAN_HTTP_OPTIONS_H
#define HT_PROBES_WAN_HTTP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"

struct http_options {
	char *url, *expect_text, *ca_file, *basic_file, *bearer_file;
	int64_t wait_ns, max_bytes, min_speed, slow_for_ns, redirects;
	struct ht_strings expect_codes, redirect_hosts;
	bool verify;
	int method, family;
};

extern const struct ht_options http_option_table;

HT_MUST_CHECK ht_err http_options_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault);

/* Whether `code` is one of "200", "2xx", "200-299" … Pure; false for what is none. */
bool http_code_within(const char *range, int code);
bool http_range_valid(const char *range);

int http_options_family(const struct http_options *o);         /* AF_… */
const char *http_options_method(const struct http_options *o); /* NULL: GET */

#endif
