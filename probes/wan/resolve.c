#include "probes/wan/resolve.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct resolve {
	uv_getaddrinfo_t req;
	void (*answer)(void *arg, ht_err err, const struct sockaddr *addr);
	resolve_answer_all answer_all; /* instead */
	uint16_t port;
	void *arg;
};

static size_t copy_all(
    const struct addrinfo *found, uint16_t port, struct resolve_address *out)
{
	size_t n = 0;

	for (; found && n < RESOLVE_ADDRESSES; found = found->ai_next) {
		struct resolve_address *a = &out[n];

		if (found->ai_family != AF_INET && found->ai_family != AF_INET6)
			continue;
		memcpy(&a->at, found->ai_addr, found->ai_addrlen);
		a->len = found->ai_addrlen;
		if (found->ai_family == AF_INET)
			((struct sockaddr_in *)&a->at)->sin_port = htons(port);
		else
			((struct sockaddr_in6 *)&a->at)->sin6_port = htons(port);
		n++;
	}
	return n;
}

static void answer_all(struct resolve *r, const struct addrinfo *found)
{
	struct resolve_address list[RESOLVE_ADDRESSES];
	size_t n = copy_all(found, r->port, list);

	r->answer_all(r->arg, n ? HT_OK : HT_NOTFOUND, list, n);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct resolve *r = req->data;

	if (r->answer_all)
		answer_all(r, status ? NULL : found);
	if (r->answer)
		r->answer(r->arg, status || !found ? HT_NOTFOUND : HT_OK,
		    found ? found->ai_addr : NULL);
	uv_freeaddrinfo(found);
	free(r);
}

static ht_err look_up(uv_loop_t *loop, const char *name, int family,
    const struct resolve *want, struct resolve **out)
{
	const struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_DGRAM };
	struct resolve *r = malloc(sizeof(*r));

	if (!r)
		return HT_NOMEM;
	*r = *want;
	r->req.data = r;
	int rc = uv_getaddrinfo(loop, &r->req, on_resolved, name, NULL, &hints);

	if (rc) {
		free(r);
		return ht_err_errno(-rc);
	}
	*out = r;
	return HT_OK;
}

ht_err resolve_start(uv_loop_t *loop, const char *target, int family,
    void (*answer)(void *arg, ht_err err, const struct sockaddr *addr), void *arg,
    struct resolve **out)
{
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
	const struct resolve want = { .answer = answer, .arg = arg };

	return look_up(loop, target, family, &want, out);
}

ht_err resolve_start_all(uv_loop_t *loop, const char *target, int family, uint16_t port,
    resolve_answer_all answer, void *arg, struct resolve **out)
{
	const struct resolve want = { .answer_all = answer, .port = port, .arg = arg };
	struct resolve_address one;
	struct ht_addr numeric;

	*out = NULL;
	if (ht_addr_parse(target, &numeric) != HT_OK)
		return look_up(loop, target, family, &want, out);
	bool fits = family == AF_UNSPEC || family == numeric.family;

	ht_addr_sockaddr(&numeric, port, &one.at, &one.len);
	answer(arg, fits ? HT_OK : HT_NOTFOUND, &one, fits);
	return HT_OK;
}

void resolve_cancel(struct resolve *r)
{
	if (!r)
		return;
	r->answer = NULL;
	r->answer_all = NULL;
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

void resolve_format_port(const struct sockaddr *addr, char out[static RESOLVE_TEXT])
{
	bool v4 = addr->sa_family == AF_INET;
	uint16_t port = ntohs(v4 ? ((const struct sockaddr_in *)addr)->sin_port
				 : ((const struct sockaddr_in6 *)addr)->sin6_port);
	char text[HT_ADDR_TEXT];

	resolve_format(addr, text);
	snprintf(out, RESOLVE_TEXT, v4 ? "%s:%u" : "[%s]:%u", text, (unsigned)port);
}
