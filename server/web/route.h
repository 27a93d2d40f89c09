/* Routes as data: one const row a method and path. Finding one is pure. */
#ifndef HT_SERVER_WEB_ROUTE_H
#define HT_SERVER_WEB_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/reading.h"
#include "server/web/param.h"

#define ROUTE_PATH_MAX 256   /* bytes of a request's path */
#define ROUTE_BODY_MAX 65536 /* bytes of a body, where the row says nothing else */
#define ROUTE_ARGS_MAX 2     /* {names} in a pattern */
#define ROUTE_ARG_MAX  220   /* bytes of what stands there */

enum route_method {
	ROUTE_GET,
	ROUTE_POST,
	ROUTE_PUT,
	ROUTE_PATCH,
	ROUTE_DELETE,
	ROUTE_METHODS
};
enum route_role { ROUTE_PUBLIC, ROUTE_VIEWER, ROUTE_OPERATOR, ROUTE_ADMIN };
enum route_body { ROUTE_NO_BODY, ROUTE_JSON, ROUTE_RAW };

struct request;
struct reply;

/* Answer one request: fill the reply, whose status is 200 and body empty. Runs on a
 * thread of the HTTP pool; may read by rq->db and block in writer_call. */
typedef void route_handler(struct request *rq, struct reply *re);

struct route {
	enum route_method method;
	const char *path;     /* "/api/v1/agencies/{id}" */
	const char *id;       /* operationId in openapi.yaml */
	enum route_role role; /* least role that may call it */
	route_handler *handler;
	enum route_body body;
	size_t body_max; /* bytes; 0: ROUTE_BODY_MAX */
	const struct param *query, *fields;
	size_t n_query, n_fields;
};

struct route_args {
	/* By place; each a valid id of HT_INSTANCE_MAX bytes, or for "{token}" letters,
	 * digits and . _ : ~ - */
	char at[ROUTE_ARGS_MAX][ROUTE_ARG_MAX + 1];
	size_t n;
};

/* server/web/routes.c */
extern const struct route routes[];
extern const size_t routes_len;

extern const char *const route_method_names[ROUTE_METHODS];
bool route_method_find(const char *name, enum route_method *out);

/* The row for a path of `len` bytes, still escaped. HT_NOTFOUND: no such path;
 * HT_UNSUPPORTED: the path is there, but not with this method; HT_MALFORMED: bad escape,
 * or an argument that is no id. */
HT_MUST_CHECK ht_err route_find(const struct route *table, size_t n,
    enum route_method method, const char *path, size_t len, const struct route **out,
    struct route_args *out_args);

#endif
