#include "server/throughput/endpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/option.h"
#include "base/tcp_account.h"
#include "server/throughput/guests.h"
#include "server/throughput/passes.h"

enum {
	BLOCK_BYTES = 1 << 20,  /* of what is sent, over and over */
	SEND_BYTES = 128 << 10, /* at a time */
	MEMORY_BYTES =
	    256 << 10, /* of a connection: what comes is read in pieces so large */
	THREADS = 2,
	CONNECTIONS = 256, /* guests, and four passes' */
	IDLE_S = 10,
	PEM_MAX = 65536
};
#define GRACE_NS (10 * HT_NS_PER_S) /* for a handshake and a header with a pass */
#define LATE_NS  HT_NS_PER_S /* after its pass, a connection that has not ended yet */

struct endpoint {
	struct MHD_Daemon *daemon;
	uint16_t port;
	char *cert, *key;
	uint8_t *block;
	struct guests *guests;
	struct passes passes;
};

/* One request. */
struct exchange {
	struct endpoint *endpoint;
	struct pass *pass;
	struct guest *guest;
	bool up;
	int64_t received;
	int64_t given;    /* bytes to the kernel, */
	uint64_t arrived; /* and what had arrived over there before */
};

ht_err endpoint_allow(struct endpoint *e, int64_t slot, int64_t bytes, int64_t until_ns,
    char out_token[static ENDPOINT_TOKEN_HEX + 1])
{
	return passes_allow(&e->passes, slot, bytes, until_ns, out_token);
}

int64_t endpoint_end(struct endpoint *e, int64_t slot)
{
	return passes_end(&e->passes, slot);
}

/* ── answers ──────────────────────────────────────────────────────────────────────── */

static enum MHD_Result answer(
    struct MHD_Connection *c, unsigned status, const char *fmt, ...) HT_PRINTF(3, 4);

static enum MHD_Result answer(
    struct MHD_Connection *c, unsigned status, const char *fmt, ...)
{
	char text[160];
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	struct MHD_Response *r =
	    MHD_create_response_from_buffer((size_t)len, text, MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	MHD_add_response_header(
	    r, "Content-Type", status == 200 ? "application/json" : "text/plain");
	MHD_add_response_header(r, "Cache-Control", "no-store");
	if (status >= 400)
		MHD_add_response_header(r, "Connection", "close");
	enum MHD_Result queued = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return queued;
}

/* What had arrived at the other side of a connection; 0 when it cannot be told. */
static uint64_t arrived(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ht_tcp_account tcp;

	return info && ht_tcp_account_read(info->connect_fd, &tcp) ? tcp.acked : 0;
}

/* ── down ─────────────────────────────────────────────────────────────────────────── */

static ssize_t on_fill(void *arg, uint64_t at, char *out, size_t cap)
{
	struct exchange *x = arg;
	size_t from = (size_t)(at % BLOCK_BYTES), len = cap;

	if (len > BLOCK_BYTES - from)
		len = BLOCK_BYTES - from;
	len = pass_take(x->pass, len);
	if (len == 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	memcpy(out, x->endpoint->block + from, len);
	x->given += (int64_t)len;
	return (ssize_t)len;
}

static enum MHD_Result down(struct exchange *x, struct MHD_Connection *c)
{
	const char *text = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "bytes");
	int64_t bytes, left = pass_left(x->pass);

	if (!text || ht_int_parse(text, &bytes) || bytes < 1)
		return answer(c, 400, "say how many: /down?bytes=N\n");
	if (bytes > left)
		return answer(
		    c, 413, "the pass carries %" PRId64 " bytes more, no more\n", left);
	struct MHD_Response *r = MHD_create_response_from_callback(
	    (uint64_t)bytes, SEND_BYTES, on_fill, x, NULL);
	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, "Content-Type", "application/octet-stream");
	MHD_add_response_header(r, "Cache-Control", "no-store");
	enum MHD_Result queued = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return queued;
}

/* ── up ───────────────────────────────────────────────────────────────────────────── */

/* What is announced too large is refused before it is sent. */
static enum MHD_Result up_begin(struct exchange *x, struct MHD_Connection *c)
{
	const char *text =
	    MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
	int64_t bytes, left = pass_left(x->pass);

	x->up = true;
	if (text && (ht_int_parse(text, &bytes) || bytes > left))
		return answer(
		    c, 413, "the pass carries %" PRId64 " bytes more, no more\n", left);
	return MHD_YES;
}

/* In the middle of a body nothing can be answered: the connection is closed. */
static enum MHD_Result up_more(struct exchange *x, size_t *len)
{
	if (pass_take(x->pass, *len) < *len)
		return MHD_NO;
	x->received += (int64_t)*len;
	*len = 0;
	return MHD_YES;
}

/* ── requests ─────────────────────────────────────────────────────────────────────── */

static struct pass *pass_of(struct endpoint *e, struct MHD_Connection *c)
{
	static const char scheme[] = "Bearer ";
	const char *text =
	    MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
	uint8_t token[PASS_TOKEN_BYTES];
	size_t len = 0;

	if (!text || strncasecmp(text, scheme, sizeof(scheme) - 1) != 0)
		return NULL;
	text += sizeof(scheme) - 1;
	if (strlen(text) != ENDPOINT_TOKEN_HEX ||
	    sodium_hex2bin(
		token, sizeof(token), text, ENDPOINT_TOKEN_HEX, NULL, &len, NULL) ||
	    len != sizeof(token))
		return NULL;
	return passes_find(&e->passes, token);
}

static struct guest *guest_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static enum MHD_Result begin(struct endpoint *e, struct MHD_Connection *c,
    const char *url, const char *method, void **state)
{
	bool is_down = strcmp(url, "/down") == 0, is_up = strcmp(url, "/up") == 0;

	if (!is_down && !is_up)
		return answer(c, 404, "there are /down and /up\n");
	if (strcmp(method, is_up ? "PUT" : "GET") != 0)
		return answer(c, 405, "%s takes %s\n", url, is_up ? "PUT" : "GET");
	struct pass *p = pass_of(e, c);
	if (!p)
		return answer(c, 403, "no such pass, or its time is over\n");
	if (passes_crowded(&e->passes, p)) {
		passes_drop(&e->passes, p);
		return answer(
		    c, 429, "a pass is for %d connections at once\n", PASS_CONNECTIONS);
	}
	struct exchange *x = calloc(1, sizeof(*x));
	if (!x) {
		passes_drop(&e->passes, p);
		return MHD_NO;
	}
	x->endpoint = e;
	x->pass = p;
	x->guest = guest_of(c);
	guests_passed(e->guests, x->guest, p->until_ns + LATE_NS);
	x->arrived = arrived(c);
	*state = x;
	return is_down ? down(x, c) : up_begin(x, c);
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *data, size_t *len, void **state)
{
	struct exchange *x = *state;

	if (!x)
		return begin(arg, c, url, method, state);
	if (!x->up)
		return MHD_NO; /* a GET with a body */
	if (*len > 0)
		return up_more(x, len);
	return answer(c, 200, "{\"bytes\":%" PRId64 "}\n", x->received);
}

/* A test ends by closing its connections: what still lay in our socket was not carried.
 */
static void refund(struct exchange *x, struct MHD_Connection *c)
{
	int64_t came = (int64_t)(arrived(c) - x->arrived);

	if (came >= 0 && came < x->given)
		pass_refund(x->pass, x->given - came);
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state,
    enum MHD_RequestTerminationCode code)
{
	struct exchange *x = *state;

	if (!x)
		return;
	if (x->given && code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
		refund(x, c);
	guests_again(x->endpoint->guests, x->guest, ht_mono_ns());
	passes_drop(&x->endpoint->passes, x->pass);
	free(x);
	*state = NULL;
}

/* From accept() on, before a handshake, until just before close(). */
static void on_connection(void *arg, struct MHD_Connection *c, void **guest,
    enum MHD_ConnectionNotificationCode code)
{
	struct endpoint *e = arg;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		guests_leave(e->guests, *guest);
		*guest = NULL;
		return;
	}
	const union MHD_ConnectionInfo *fd =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *from =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (fd)
		*guest = guests_enter(e->guests, fd->connect_fd,
		    from ? from->client_addr : NULL, ht_mono_ns());
}

/* ── life ─────────────────────────────────────────────────────────────────────────── */

static void on_log(void *arg, const char *fmt, va_list args) HT_PRINTF(2, 0);

static void on_log(void *arg, const char *fmt, va_list args)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	ht_log_debug("throughput.http", "%s", text);
}

static ht_err read_certificate(
    struct endpoint *e, const struct endpoint_options *o, struct ht_fault *fault)
{
	size_t len;
	ht_err err = HT_OK;

	if (!o->cert_file)
		return HT_OK;
	err = ht_file_read(o->cert_file, PEM_MAX, &e->cert, &len, fault);
	if (!err)
		err = ht_file_read(o->key_file, PEM_MAX, &e->key, &len, fault);
	return err;
}

static ht_err listen_on(
    struct endpoint *e, const struct endpoint_options *o, struct ht_fault *fault)
{
	struct sockaddr_storage at = { 0 };
	socklen_t at_len;
	struct ht_addr addr;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL |
			 MHD_USE_ERROR_LOG | (e->cert ? MHD_USE_TLS : 0);

	if (ht_addr_parse(o->address, &addr))
		return ht_fault_set(fault, HT_CONFIG,
		    "throughput.listen: \"%s\" is no address; use one like 0.0.0.0",
		    o->address);
	ht_addr_sockaddr(&addr, o->port, &at, &at_len);
	if (addr.family == AF_INET6)
		flags |= MHD_USE_IPv6;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, e->cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, e->key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0,
		    (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
		{ MHD_OPTION_END, 0, NULL },
	};
	e->daemon = MHD_start_daemon(flags, o->port, NULL, NULL, on_access, e,
	    MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_SOCK_ADDR,
	    (struct sockaddr *)&at, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, e, MHD_OPTION_NOTIFY_CONNECTION,
	    on_connection, e, MHD_OPTION_ARRAY, e->cert ? tls : &tls[3], MHD_OPTION_END);
	if (!e->daemon)
		return ht_fault_set(fault, HT_IO,
		    "throughput: cannot listen on %s port %u (%s): is another program "
		    "there, or the certificate wrong?",
		    o->address, (unsigned)o->port, strerror(errno));
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_BIND_PORT);
	e->port = info ? info->port : o->port;
	return HT_OK;
}

ht_err endpoint_start(
    const struct endpoint_options *o, struct endpoint **out, struct ht_fault *fault)
{
	struct endpoint *e = calloc(1, sizeof(*e));

	if (!e)
		return HT_NOMEM;
	passes_init(&e->passes);
	e->block = malloc(BLOCK_BYTES);
	ht_err err = !e->block ? HT_NOMEM : sodium_init() < 0 ? HT_UNSUPPORTED : HT_OK;
	if (!err) {
		randombytes_buf(e->block, BLOCK_BYTES);
		err = read_certificate(e, o, fault);
	}
	if (!err)
		err =
		    guests_start(o->grace_ns ? o->grace_ns : GRACE_NS, true, &e->guests);
	if (!err)
		err = listen_on(e, o, fault);
	if (err) {
		endpoint_stop(e);
		return err;
	}
	*out = e;
	return HT_OK;
}

uint16_t endpoint_port(const struct endpoint *e)
{
	return e->port;
}

void endpoint_stop(struct endpoint *e)
{
	if (!e)
		return;
	if (e->daemon)
		MHD_stop_daemon(e->daemon);
	guests_stop(e->guests);
	passes_fini(&e->passes);
	if (e->key)
		sodium_memzero(e->key, strlen(e->key));
	free(e->key);
	free(e->cert);
	free(e->block);
	free(e);
}
