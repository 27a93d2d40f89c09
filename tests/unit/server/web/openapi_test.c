/* openapi.yaml against the route table, both ways: paths, methods, ids, roles, query
 * parameters and body fields. */
#include "unit/test.h"

#include <stdio.h>
#include <string.h>

#include "base/yaml.h"
#include "server/web/openapi.h"
#include "server/web/route.h"

static struct ht_yaml api;

static int setup(void **state)
{
	struct ht_fault fault = { 0 };

	(void)state;
	if (ht_yaml_parse("openapi.yaml", openapi_yaml, openapi_yaml_len, &api, &fault)) {
		print_error("%s\n", fault.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ht_yaml_fini(&api);
	return 0;
}

static const char *text(const struct ht_node *map, const char *key)
{
	const struct ht_node *n = ht_node_get(map, key);

	return n && n->kind == HT_NODE_SCALAR ? n->text : "";
}

static struct ht_node *operation(const struct route *r)
{
	static const char *const verbs[] = { "get", "post", "put", "patch", "delete" };

	return ht_node_get(
	    ht_node_get(ht_node_get(api.root, "paths"), r->path), verbs[r->method]);
}

static bool in_table(const struct param *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].name, name) == 0)
			return true;
	return false;
}

/* "$ref: '#/components/parameters/after'" stands for the parameter of that name. */
static const char *parameter_name(const struct ht_node *p)
{
	const char *ref = text(p, "$ref"), *slash = strrchr(ref, '/');

	return slash ? slash + 1 : text(p, "name");
}

static size_t count_query(const struct ht_node *op, const struct route *r)
{
	const struct ht_node *list = ht_node_get(op, "parameters");
	size_t n = 0;

	for (size_t i = 0; list && i < list->n; i++) {
		const char *name = parameter_name(list->items[i]);
		char braces[80];

		snprintf(braces, sizeof(braces), "{%s}", name);
		if (strstr(r->path, braces))
			continue;
		if (!in_table(r->query, r->n_query, name))
			fail_msg("%s: openapi.yaml has the query parameter \"%s\", the "
				 "route has not",
			    r->id, name);
		n++;
	}
	return n;
}

static const struct ht_node *body_properties(const struct ht_node *op)
{
	const struct ht_node *content =
	    ht_node_get(ht_node_get(op, "requestBody"), "content");
	const struct ht_node *json = ht_node_get(content, "application/json");

	return ht_node_get(ht_node_get(json, "schema"), "properties");
}

static void test_every_route_is_described(void **state)
{
	static const char *const roles[] = { "public", "viewer", "operator", "admin" };

	(void)state;
	for (size_t i = 0; i < routes_len; i++) {
		const struct route *r = &routes[i];
		const struct ht_node *op = operation(r);

		if (!op)
			fail_msg("openapi.yaml lacks %s %s",
			    route_method_names[r->method], r->path);
		assert_string_equal(text(op, "operationId"), r->id);
		assert_string_equal(text(op, "x-role"), roles[r->role]);
		assert_true(strlen(text(op, "summary")) > 0);
		if (count_query(op, r) != r->n_query)
			fail_msg(
			    "%s: openapi.yaml does not have all query parameters", r->id);
		const struct ht_node *fields = body_properties(op);
		if (r->body != ROUTE_JSON)
			continue;
		assert_non_null(fields);
		assert_int_equal(fields->n, r->n_fields);
		for (size_t k = 0; k < fields->n; k++)
			if (!in_table(r->fields, r->n_fields, fields->keys[k]->text))
				fail_msg("%s: the route has no field \"%s\"", r->id,
				    fields->keys[k]->text);
	}
}

static void test_every_description_is_a_route(void **state)
{
	const struct ht_node *paths = ht_node_get(api.root, "paths");

	(void)state;
	assert_non_null(paths);
	for (size_t i = 0; i < paths->n; i++) {
		for (size_t k = 0; k < paths->items[i]->n; k++) {
			const char *id = text(paths->items[i]->items[k], "operationId");
			bool found = false;

			for (size_t r = 0; r < routes_len; r++)
				found |=
				    strcmp(routes[r].id, id) == 0 &&
				    strcmp(routes[r].path, paths->keys[i]->text) == 0;
			if (!found)
				fail_msg(
				    "openapi.yaml describes %s \"%s\", which is no route",
				    paths->keys[i]->text, id);
		}
	}
}

static const struct ht_node *resolve(const char *ref)
{
	const struct ht_node *at = api.root;
	char copy[160], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", ref + 2);
	for (char *part = strtok_r(copy, "/", &save); part;
	     part = strtok_r(NULL, "/", &save))
		at = ht_node_get(at, part);
	return at;
}

static void check_refs(const struct ht_node *n)
{
	for (size_t i = 0; i < n->n; i++) {
		if (n->keys && strcmp(n->keys[i]->text, "$ref") == 0 &&
		    !resolve(n->items[i]->text))
			fail_msg("openapi.yaml:%d: \"%s\" is not there",
			    n->items[i]->line, n->items[i]->text);
		check_refs(n->items[i]);
	}
}

static void test_references_are_there(void **state)
{
	(void)state;
	check_refs(api.root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_route_is_described),
		cmocka_unit_test(test_every_description_is_a_route),
		cmocka_unit_test(test_references_are_there),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
