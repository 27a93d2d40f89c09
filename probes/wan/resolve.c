#include "probes/wan/resolve.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

struct resolve {
	uv_getaddrinfo_t req;
	void (*answer)(void *arg, ht_err err, const struct sockaddr *addr);
	void *arg;
};

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct resolve *r = req->data;

	if (r->answer)
		r->answer(r->arg, status || !found ? HT_NOTFOUND : HT_OK,
		    found ? found->ai_addr : NULL);
	uv_freeaddrinfo(found);
	free(r);
}

ht_err resolve_start(uv_loop_t *loop, const char *target, int family,
    void (*answer)(void *arg, ht_err err, const struct sockaddr *addr), void *arg,
    struct resolve **out)
{
	const struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_DGRAM };
	struct sockaddr_storage at;
	struct ht_addr numeric;
	socklen_t len;

	*out = NULL;
	if (ht_addr_parse(target, &numeric) == HT_OK) {
		bool fits = family == AF_UNSPEC || family == numeric.family;

		ht_addr_sockaddr(&numeric, 0, &at, &len);
		answer(arg, fits ? HT_OK : HT_NOTFOUND,
		    fits ? (const struct sockaddr *)&at : NULL);
		return HT_OK;
	}
	struct resolve *r = calloc(1, sizeof(*r));

	if (!r)
		return HT_NOMEM;
	r->req.data = r;
	r->answer = answer;
	r->arg = arg;
	int rc = uv_getaddrinfo(loop, &r->req, on_resolved, target, NULL, &hints);

	if (rc) {
		free(r);
		return ht_err_errno(-rc);
	}
	*out = r;
	return HT_OK;
}

void resolve_cancel(struct resolve *r)
{
	if (!r)
		return;
	r->answer = NULL;
	(void)uv_cancel((uv_req_t *)&r->req); /* if it still waits for its turn */
}

void resolve_format(const struct sockaddr *addr, char out[static HT_ADDR_TEXT])
{
	bool v4 = addr->sa_family == AF_INET;
	const void *bytes =
	    v4 ? (const void *)&((const struct sockaddr_in *)addr)->sin_addr
	       : (const void *)&((const struct sockaddr_in6 *)addr)->sin6_addr;

	if (uv_inet_ntop(addr->sa_family, bytes, out, HT_ADDR_TEXT))
		out[0] = '\0';
}
