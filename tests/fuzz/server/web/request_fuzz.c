/* A request as it comes: one line "<method> <path>?<query>", then the body. Routing,
 * query and body parsing, and writing what was read back as JSON. */
#include <stdlib.h>
#include <string.h>

#include "server/web/emit.h"
#include "server/web/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void fuzz_echo(const struct param_set *set)
{
	struct ht_buf out;
	struct emit e;

	ht_buf_init(&out, 1 << 20);
	emit_init(&e, &out);
	emit_object(&e, NULL);
	for (size_t i = 0; i < set->n; i++)
		emit_text(&e, set->table[i].name, set->values[i].text);
	emit_end_object(&e);
	if (ht_buf_err(&out))
		abort();
	ht_buf_fini(&out);
}

static void fuzz_route(const struct route *route, const char *query, size_t query_len,
    const uint8_t *body, size_t body_len)
{
	struct param_set set = { 0 };
	struct ht_fault fault = { 0 };

	if (!param_query(route->query, route->n_query, query, query_len, &set, &fault))
		fuzz_echo(&set);
	else if (!fault.text[0])
		abort();
	param_set_fini(&set);
	fault.text[0] = '\0';
	if (route->body == ROUTE_JSON) {
		if (!param_json(
			route->fields, route->n_fields, body, body_len, &set, &fault))
			fuzz_echo(&set);
		else if (!fault.text[0])
			abort();
		param_set_fini(&set);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const uint8_t *line_end = memchr(bytes, '\n', len);
	size_t line_len = line_end ? (size_t)(line_end - bytes) : len;
	const char *line = (const char *)bytes;
	const char *space = memchr(line, ' ', line_len);
	char method_name[16];
	enum route_method method;
	const struct route *route;
	struct route_args args;

	if (!space || (size_t)(space - line) >= sizeof(method_name))
		return 0;
	memcpy(method_name, line, (size_t)(space - line));
	method_name[space - line] = '\0';
	if (!route_method_find(method_name, &method))
		return 0;
	const char *path = space + 1;
	size_t rest = line_len - (size_t)(path - line);
	const char *mark = memchr(path, '?', rest);
	size_t path_len = mark ? (size_t)(mark - path) : rest;
	if (route_find(routes, routes_len, method, path, path_len, &route, &args))
		return 0;
	fuzz_route(route, mark ? mark + 1 : "", mark ? rest - path_len - 1 : 0,
	    line_end ? line_end + 1 : bytes, line_end ? len - line_len - 1 : 0);
	return 0;
}
