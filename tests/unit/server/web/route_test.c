#include "unit/test.h"

#include <string.h>

#include "server/web/route.h"

static ht_err find(
    const char *method, const char *path, const char **id, struct route_args *args)
{
	const struct route *route;
	enum route_method m;

	assert_true(route_method_find(method, &m));
	ht_err err = route_find(routes, routes_len, m, path, strlen(path), &route, args);
	if (!err)
		*id = route->id;
	return err;
}

static void test_finds(void **state)
{
	static const struct {
		const char *method, *path, *id, *first, *second;
	} rows[] = {
		{ "GET", "/healthz", "healthz", "", "" },
		{ "GET", "/api/v1/agencies", "listAgencies", "", "" },
		{ "GET", "/api/v1/agencies/bat-xat", "showAgency", "bat-xat", "" },
		{ "POST", "/api/v1/agencies/import", "importAgencies", "", "" },
		{ "GET", "/api/v1/agencies/import", "showAgency", "import", "" },
		{ "PUT", "/api/v1/machines/bat-xat/00:11:22:33:44:55", "correctMachine",
		    "bat-xat", "00:11:22:33:44:55" },
		{ "GET", "/api/v1/agents/a%2Db", "showAgent", "a-b", "" },
		{ "GET", "/ack/i7-wan~1700000000000~0a", "showAckPage",
		    "i7-wan~1700000000000~0a", "" },
	};

	(void)state;
	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		struct route_args args = { .at = { "", "" } };
		const char *id = "";

		assert_ok(find(rows[i].method, rows[i].path, &id, &args));
		assert_string_equal(id, rows[i].id);
		assert_string_equal(args.n > 0 ? args.at[0] : "", rows[i].first);
		assert_string_equal(args.n > 1 ? args.at[1] : "", rows[i].second);
	}
}

static void test_refuses(void **state)
{
	static const struct {
		const char *method, *path;
		ht_err err;
	} rows[] = {
		{ "GET", "", HT_NOTFOUND },
		{ "GET", "/api/v1/agents/a~b", HT_MALFORMED },
		{ "GET", "/ack/a%2Fb", HT_MALFORMED },
		{ "GET", "/ack/a%3Cb", HT_MALFORMED },
		{ "GET", "/", HT_NOTFOUND },
		{ "GET", "/healthz/", HT_NOTFOUND },
		{ "GET", "/healthzz", HT_NOTFOUND },
		{ "GET", "/api/v1/agencies/", HT_NOTFOUND },
		{ "GET", "/api/v1/agencies/a/b", HT_NOTFOUND },
		{ "GET", "//api/v1/agencies", HT_NOTFOUND },
		{ "DELETE", "/healthz", HT_UNSUPPORTED },
		{ "GET", "/api/v1/agencies/..", HT_MALFORMED },
		{ "GET", "/api/v1/agencies/%2e%2e", HT_MALFORMED },
		{ "GET", "/api/v1/agencies/a%2fb", HT_MALFORMED },
		{ "GET", "/api/v1/agencies/a%00b", HT_MALFORMED },
		{ "GET", "/api/v1/agencies/%", HT_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		struct route_args args;
		const char *id;
		ht_err err = find(rows[i].method, rows[i].path, &id, &args);

		if (err != rows[i].err)
			fail_msg(
			    "%s %s: %s", rows[i].method, rows[i].path, ht_err_name(err));
	}
}

static void test_overlong(void **state)
{
	char path[ROUTE_PATH_MAX + 64] = "/api/v1/agencies/";
	struct route_args args;
	const char *id;

	(void)state;
	memset(path + strlen(path), 'a', 100);
	assert_int_equal(find("GET", path, &id, &args), HT_MALFORMED);
	memset(path + strlen("/api/v1/agencies/"), 'a',
	    sizeof(path) - strlen("/api/v1/agencies/") - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(find("GET", path, &id, &args), HT_NOTFOUND);
}

/* Each id once; each path with a method once; every write needs a role, unless named. */
static void test_table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < routes_len; i++) {
		const struct route *r = &routes[i];

		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(r->id, routes[k].id);
			assert_false(r->method == routes[k].method &&
				     strcmp(r->path, routes[k].path) == 0);
		}
		if (r->method != ROUTE_GET && r->role == ROUTE_PUBLIC)
			assert_true(strcmp(r->id, "login") == 0 ||
				    strcmp(r->id, "enroll") == 0 ||
				    strcmp(r->id, "ackByLink") == 0);
		assert_true(r->n_query <= PARAM_MAX && r->n_fields <= PARAM_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_overlong),
		cmocka_unit_test(test_table_is_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
