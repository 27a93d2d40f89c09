#include "probes/wan/service/http_options.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "probes/wan/service/text_search.h"
#include "probes/wan/service/url.h"

enum { FAMILY_ANY, FAMILY_4, FAMILY_6 };
static const char *const family_names[] = { "any", "ipv4", "ipv6", NULL };
enum { METHOD_GET, METHOD_HEAD };
static const char *const method_names[] = { "GET", "HEAD", NULL };

#define OPT(f) offsetof(struct http_options, f)
static const struct ht_option option_rows[] = {
	{ "url", HT_OPT_STRING, OPT(url), .min = 1, .max = URL_MAX, .required = true,
	    .help = "http:// or https:// address to ask for" },
	{ "method", HT_OPT_ENUM, OPT(method), .def = "GET", .names = method_names,
	    .help = "GET, or HEAD for the header alone" },
	{ "expect_codes", HT_OPT_STRINGS, OPT(expect_codes), .min = 1, .max = 16,
	    .def = "2xx", .help = "status codes that are right: 200, 2xx, 200-299" },
	{ "expect_text", HT_OPT_STRING, OPT(expect_text), .min = 1,
	    .max = TEXT_SEARCH_MAX,
	    .help = "text that the body must hold, byte for byte" },
	{ "wait", HT_OPT_DURATION, OPT(wait_ns), .min = 100 * HT_NS_PER_MS,
	    .max = 120 * HT_NS_PER_S, .def = "10s",
	    .help = "how long all of it may take, redirects included" },
	{ "max_bytes", HT_OPT_BYTES, OPT(max_bytes), .min = 1024, .max = 1 << 30,
	    .def = "1M", .help = "most bytes of a body that are read" },
	{ "min_speed", HT_OPT_BYTES, OPT(min_speed), .min = 0, .max = 1 << 30,
	    .def = "64",
	    .help = "bytes a second of an answer that has begun; less for slow_for "
		    "ends it (0: never)" },
	{ "slow_for", HT_OPT_DURATION, OPT(slow_for_ns), .min = HT_NS_PER_S,
	    .max = 120 * HT_NS_PER_S, .def = "5s", .help = "see min_speed" },
	{ "redirects", HT_OPT_INT, OPT(redirects), .min = 0, .max = 10, .def = "0",
	    .help = "redirects that are followed: to the same host or one of "
		    "redirect_hosts, and never from https to http" },
	{ "redirect_hosts", HT_OPT_STRINGS, OPT(redirect_hosts), .min = 0, .max = 16,
	    .help = "other hosts that redirects may lead to" },
	{ "verify", HT_OPT_BOOL, OPT(verify), .def = "yes",
	    .help = "no: go on with a certificate that is not to be trusted; what is "
		    "wrong with it is told all the same" },
	{ "ca_file", HT_OPT_STRING, OPT(ca_file), .min = 1, .max = 4096, .file = true,
	    .help = "PEM file of the authorities to trust; else the system's" },
	{ "basic_file", HT_OPT_STRING, OPT(basic_file), .min = 1, .max = 4096,
	    .secret = true, .help = "0600 file that holds user:password; https only" },
	{ "bearer_file", HT_OPT_STRING, OPT(bearer_file), .min = 1, .max = 4096,
	    .secret = true, .help = "0600 file that holds a bearer token; https only" },
	{ "family", HT_OPT_ENUM, OPT(family), .def = "any", .names = family_names,
	    .help = "which addresses of a name to use" },
};
const struct ht_options http_option_table = HT_OPTIONS(struct http_options, option_rows);

int http_options_family(const struct http_options *o)
{
	static const int families[] = {
		[FAMILY_ANY] = AF_UNSPEC, [FAMILY_4] = AF_INET, [FAMILY_6] = AF_INET6
	};

	return families[o->family];
}

const char *http_options_method(const struct http_options *o)
{
	return o->method == METHOD_HEAD ? "HEAD" : NULL;
}

/* ── status codes ────────────────────────────────────────────────────────────────── */

/* Three digits of 100..599, or -1. */
static int code_of(const char *text)
{
	int code = 0;

	for (int i = 0; i < 3; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		code = code * 10 + (text[i] - '0');
	}
	return code >= 100 && code <= 599 ? code : -1;
}

static bool read_range(const char *text, int *low, int *high)
{
	size_t len = strlen(text);

	if (len == 3 && text[0] >= '1' && text[0] <= '5' &&
	    strcasecmp(text + 1, "xx") == 0) {
		*low = (text[0] - '0') * 100;
		*high = *low + 99;
		return true;
	}
	*low = len == 3 || len == 7 ? code_of(text) : -1;
	*high = len == 7 && text[3] == '-' ? code_of(text + 4) : len == 3 ? *low : -1;
	return *low > 0 && *high >= *low;
}

bool http_range_valid(const char *range)
{
	int low, high;

	return read_range(range, &low, &high);
}

bool http_code_within(const char *range, int code)
{
	int low, high;

	return read_range(range, &low, &high) && code >= low && code <= high;
}

/* ── checks ──────────────────────────────────────────────────────────────────────── */

static const struct ht_node *at(const struct ht_node *node, const char *key)
{
	const struct ht_node *value = ht_node_get(node, key);

	return value ? value : node;
}

static ht_err check_url(const struct http_options *o, const struct ht_node *node,
    struct url *url, struct ht_fault *fault)
{
	ht_err err = url_parse(o->url, url);

	if (err == HT_UNSUPPORTED)
		return ht_node_fault(at(node, "url"), fault,
		    "url: only http:// and https:// are asked for");
	if (err)
		return ht_node_fault(at(node, "url"), fault,
		    "url: this is no address; write https://host/path (a name with "
		    "letters "
		    "beyond ASCII in its xn-- form)");
	if (url->has_user)
		return ht_node_fault(at(node, "url"), fault,
		    "url: no user and password here, where others read them; put "
		    "user:password in a 0600 file and name it as basic_file");
	return HT_OK;
}

static ht_err check_secrets(const struct http_options *o, const struct ht_node *node,
    const struct url *url, struct ht_fault *fault)
{
	const char *key = o->basic_file ? "basic_file" : "bearer_file";
	const char *file = o->basic_file ? o->basic_file : o->bearer_file;
	struct ht_fault why = { 0 };

	if (!file)
		return HT_OK;
	if (o->basic_file && o->bearer_file)
		return ht_node_fault(at(node, "bearer_file"), fault,
		    "basic_file and bearer_file exclude each other: keep one");
	if (!url->https || !o->verify)
		return ht_node_fault(at(node, key), fault,
		    "%s: a secret goes to a verified server only: use https and verify: "
		    "yes",
		    key);
	if (ht_secret_check(file, &why))
		return ht_node_fault(at(node, key), fault, "%s: %s", key, why.text);
	return HT_OK;
}

ht_err http_options_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault)
{
	const struct http_options *o = options;
	struct url url;
	ht_err err = check_url(o, node, &url, fault);

	for (size_t i = 0; !err && i < o->expect_codes.n; i++) {
		if (!http_range_valid(o->expect_codes.at[i]))
			err = ht_node_fault(at(node, "expect_codes"), fault,
			    "expect_codes: \"%.20s\" is no status code; write 200, 2xx "
			    "or 200-299",
			    o->expect_codes.at[i]);
	}
	if (!err && o->ca_file && access(o->ca_file, R_OK))
		err = ht_node_fault(at(node, "ca_file"), fault,
		    "ca_file: %s cannot be read; name a PEM file of authorities",
		    o->ca_file);
	if (!err && o->expect_text && http_options_method(o))
		err = ht_node_fault(at(node, "expect_text"), fault,
		    "expect_text: HEAD brings no body; use method: GET");
	return err ? err : check_secrets(o, node, &url, fault);
}
