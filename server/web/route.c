#include "server/web/route.h"

#include <string.h>

#include "base/name.h"

const char *const route_method_names[ROUTE_METHODS] = {
	[ROUTE_GET] = "GET",
	[ROUTE_POST] = "POST",
	[ROUTE_PUT] = "PUT",
	[ROUTE_PATCH] = "PATCH",
	[ROUTE_DELETE] = "DELETE",
};

bool route_method_find(const char *name, enum route_method *out)
{
	for (int m = 0; m < ROUTE_METHODS; m++) {
		if (strcmp(route_method_names[m], name) == 0) {
			*out = (enum route_method)m;
			return true;
		}
	}
	return false;
}

static size_t route_segment(const char *p, const char *end)
{
	const char *slash = memchr(p, '/', (size_t)(end - p));

	return slash ? (size_t)(slash - p) : (size_t)(end - p);
}

/* A signed link's token is longer than an id, and has parts. */
static bool route_arg_valid(const char *pattern, size_t len, const char *arg)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789._:~-";

	if (len == 7 && memcmp(pattern, "{token}", len) == 0)
		return arg[0] && arg[strspn(arg, letters)] == '\0';
	return ht_id_valid(arg, HT_INSTANCE_MAX);
}

/* HT_NOTFOUND when pattern and path differ; arguments are checked after the shape. */
static ht_err route_match(
    const char *pattern, const char *path, size_t len, struct route_args *args)
{
	const char *pat_end = pattern + strlen(pattern), *end = path + len;
	struct route_args found = { .n = 0 };
	ht_err bad = HT_OK;

	while (pattern < pat_end && path < end) {
		size_t want = route_segment(pattern, pat_end),
		       have = route_segment(path, end);

		if (pattern[0] == '{') {
			char *arg = found.at[found.n++];

			if (param_unescape(path, have, false, arg, sizeof(found.at[0])) ||
			    !route_arg_valid(pattern, want, arg))
				bad = HT_MALFORMED;
		} else if (want != have || memcmp(pattern, path, want) != 0) {
			return HT_NOTFOUND;
		}
		pattern += want;
		path += have;
		if (pattern < pat_end && path < end) {
			pattern++;
			path++;
			if (path == end && pattern < pat_end)
				return HT_NOTFOUND;
		}
	}
	if (pattern < pat_end || path < end)
		return HT_NOTFOUND;
	*args = found;
	return bad;
}

ht_err route_find(const struct route *table, size_t n, enum route_method method,
    const char *path, size_t len, const struct route **out, struct route_args *out_args)
{
	ht_err err = HT_NOTFOUND;

	if (len > ROUTE_PATH_MAX)
		return HT_NOTFOUND;
	for (size_t i = 0; i < n; i++) {
		struct route_args args;
		ht_err match = route_match(table[i].path, path, len, &args);

		if (match == HT_NOTFOUND)
			continue;
		if (table[i].method != method) {
			if (err == HT_NOTFOUND)
				err = HT_UNSUPPORTED;
			continue;
		}
		/* A fixed word beats an argument: "agencies/import" before
		 * "agencies/{id}" by the order of the table. */
		if (!match) {
			*out = &table[i];
			*out_args = args;
		}
		return match;
	}
	return err;
}
