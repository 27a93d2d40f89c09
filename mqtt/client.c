#include "mqtt/client.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/state.h"
#include "mqtt/client_address.h"
#include "mqtt/client_tls.h"

/* One round tries each port with each address; a round that fails ends in a wait.
 *
 *   IDLE ─► RESOLVING ─► CONNECTING ◄┐ next address or port
 *              ▲  │        │  │  └───┘
 *              │  │        │  └────► ONLINE
 *              │  └──► WAITING ◄───────┘
 *              └──────────┘             and from every state ─► CLOSING
 *
 * Each connection has a mosquitto handle of its own, so that nothing that libmosquitto
 * queued for one is sent in the next. Callbacks of libmosquitto never end a handle: they
 * leave a note (`drop`), which is acted upon when the library has returned. */
enum client_state {
	CLIENT_IDLE,
	CLIENT_RESOLVING,
	CLIENT_CONNECTING,
	CLIENT_ONLINE,
	CLIENT_WAITING,
	CLIENT_CLOSING
};

#define CLOSING HT_TO(CLIENT_CLOSING)

static const struct ht_state states[] = {
	[CLIENT_IDLE] = { "idle", HT_TO(CLIENT_RESOLVING) | CLOSING },
	[CLIENT_RESOLVING] = { "resolving",
	    HT_TO(CLIENT_CONNECTING) | HT_TO(CLIENT_WAITING) | CLOSING },
	[CLIENT_CONNECTING] = { "connecting", HT_TO(CLIENT_CONNECTING) |
						  HT_TO(CLIENT_ONLINE) |
						  HT_TO(CLIENT_WAITING) | CLOSING },
	[CLIENT_ONLINE] = { "online", HT_TO(CLIENT_WAITING) | CLOSING },
	[CLIENT_WAITING] = { "waiting", HT_TO(CLIENT_RESOLVING) | CLOSING },
	[CLIENT_CLOSING] = { "closing", 0 },
};

enum {
	RESOLVE_MS = 5000,  /* then the last good address is tried */
	CONNECT_MS = 10000, /* TCP, TLS and CONNACK together */
	GOODBYE_MS = 2000,  /* for what is queued and the DISCONNECT behind it */
	TICK_MS = 1000,
	WAIT_LEAST_MS = 50,
	WAIT_FIRST_MS = 1000,
	WAIT_MOST_MS = 60000,
	ADDRESSES_MAX = 8,
	PORTS_MAX = 4,
	PENDING_MAX = 1024, /* messages without PUBACK */
	IN_FLIGHT_MAX = 256,
	READS_A_TURN = 32,
	ROUNDS_REFUSED = 4, /* wait up to 16 s: rights do not change in a second */
	BRIEF_MS = 2000,
	BRIEF_MOST = 3, /* wait up to 8 s */
	TIMERS = 3,
};

#define HUNG_UP "the broker hung up at once; it may refuse our certificate"

struct look_up;

struct client {
	uv_loop_t *loop;
	struct client_config config; /* strings are ours */
	struct client_events events;
	struct client_tls_notes notes;
	struct ssl_ctx_st *tls;
	enum client_state state;
	struct mosquitto *mosq;  /* NULL between connections */
	struct watch *watch;     /* of its socket */
	struct look_up *look_up; /* under way, or NULL */
	struct ht_addr addresses[ADDRESSES_MAX];
	size_t n_addresses, n_ports, attempt;
	struct ht_addr good; /* last good one; family 0: none */
	unsigned rounds;     /* failed ones since we were online */
	unsigned brief;      /* connections in a row that ended at once */
	uint64_t online_ms;  /* since when, by the loop's clock */
	int pending;
	int calls;     /* depth of calls into libmosquitto */
	bool drop;     /* end this connection once the library has returned */
	bool again;    /* … and connect again at once */
	char why[200]; /* of `drop`, or of the round's first failure */
	uv_timer_t timer, tick, kick;
	int timers; /* handles not yet closed */
	void (*done)(void *arg);
	void *done_arg;
};

static void round_begin(struct client *c);
static void attempt_begin(struct client *c);
static void settle(struct client *c, int rc);

static void enter(struct client *c, enum client_state next)
{
	assert(states[c->state].next & HT_TO(next));
	c->state = next;
}

/* The first reason stays: what follows from it says less. */
static void note_why(struct client *c, const char *why)
{
	if (!c->why[0])
		snprintf(c->why, sizeof(c->why), "%s", why);
}

static void drop(struct client *c, const char *why)
{
	c->drop = true;
	note_why(c, why);
}

/* --- the socket ------------------------------------------------------------------------
 */

/* Watches a duplicate of libmosquitto's socket: the library closes its own whenever it
 * likes, and epoll must not be left with a number that has another meaning. */
struct watch {
	uv_poll_t poll; /* first: the handle is the watch */
	struct client *client;
	int library_fd, fd, events;
};

static void watch_closed(uv_handle_t *h)
{
	struct watch *w = (struct watch *)h;

	close(w->fd);
	free(w);
}

static void watch_end(struct client *c)
{
	struct watch *w = c->watch;

	if (!w)
		return;
	c->watch = NULL;
	w->client = NULL;
	uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, watch_closed);
}

static bool watch_begin(struct client *c, int library_fd)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return false;
	w->client = c;
	w->library_fd = library_fd;
	w->fd = fcntl(library_fd, F_DUPFD_CLOEXEC, 0);
	if (w->fd < 0 || uv_poll_init(c->loop, &w->poll, w->fd) != 0) {
		if (w->fd >= 0)
			close(w->fd);
		free(w);
		return false;
	}
	c->watch = w;
	return true;
}

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_kick(uv_timer_t *timer);

/* Make the watch fit what libmosquitto waits for now. */
static void watch_sync(struct client *c)
{
	int fd = mosquitto_socket(c->mosq), events = UV_READABLE;
	void *ssl = mosquitto_ssl_get(c->mosq);

	if (c->watch && c->watch->library_fd != fd)
		watch_end(c);
	if (!c->watch && !watch_begin(c, fd)) {
		drop(c, "no memory or file descriptor left");
		uv_timer_start(&c->kick, on_kick, 0, 0);
		return;
	}
	/* want_write is true all through a handshake: polling for it would spin. */
	if (mosquitto_want_write(c->mosq) && !client_tls_shaking_reads(ssl))
		events |= UV_WRITABLE;
	if (c->watch->events != events) {
		c->watch->events = events;
		uv_poll_start(&c->watch->poll, events, on_poll);
	}
}

/* libmosquitto stops reading at a stale EAGAIN even when TLS has whole messages ready. */
static int read_some(struct client *c)
{
	int rc, n = 0;

	do {
		errno = 0;
		rc = mosquitto_loop_read(c->mosq, 1);
	} while (rc == MOSQ_ERR_SUCCESS && !c->drop && mosquitto_socket(c->mosq) >= 0 &&
		 client_tls_has_bytes(mosquitto_ssl_get(c->mosq)) && ++n < READS_A_TURN);
	if (n == READS_A_TURN)
		uv_timer_start(&c->kick, on_kick, 0, 0);
	return rc;
}

/* libmosquitto takes a failed connect or a reset for a handshake that still goes on, and
 * the socket would be ready for ever. */
static bool connect_failed(struct client *c, int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer), error_len = sizeof(int);
	char why[160], byte;
	int error = 0;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
	bool reset = error == ECONNRESET || error == EPIPE;
	if (!error && getpeername(fd, (struct sockaddr *)&peer, &len) == 0) {
		ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

		if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
			return false;
		reset = true;
	}
	if (reset) {
		drop(c, c->notes.why[0] ? c->notes.why : HUNG_UP);
		return true;
	}
	snprintf(why, sizeof(why), "no connection to port %u of %.80s%s%s",
	    c->config.ports[c->attempt / c->n_addresses], c->config.host,
	    error ? ": " : "", error ? strerror(error) : "");
	drop(c, why);
	return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct client *c = ((struct watch *)poll)->client;
	int rc = MOSQ_ERR_SUCCESS;

	if (!c || !c->mosq)
		return;
	if (c->state == CLIENT_CONNECTING && connect_failed(c, c->watch->fd))
		status = 0;
	if (status < 0)
		drop(c, uv_strerror(status));
	c->calls++;
	if (!c->drop && (events & UV_READABLE))
		rc = read_some(c);
	if (!c->drop && rc == MOSQ_ERR_SUCCESS && (events & UV_WRITABLE)) {
		errno = 0;
		rc = mosquitto_loop_write(c->mosq, 1);
	}
	c->calls--;
	settle(c, rc);
}

static void on_tick(uv_timer_t *timer)
{
	struct client *c = timer->data;

	if (!c->mosq)
		return;
	c->calls++;
	int rc = mosquitto_loop_misc(c->mosq);
	c->calls--;
	settle(c, rc);
}

/* Something was left to do when the library had returned. */
static void on_kick(uv_timer_t *timer)
{
	struct client *c = timer->data;
	int rc = MOSQ_ERR_SUCCESS;

	if (c->mosq && !c->drop && client_tls_has_bytes(mosquitto_ssl_get(c->mosq))) {
		c->calls++;
		rc = read_some(c);
		c->calls--;
	}
	settle(c, rc);
}

/* --- libmosquitto's callbacks
 * ------------------------------------------------------------ */

static void on_connect(struct mosquitto *m, void *arg, int reason, int flags,
    const mosquitto_property *props)
{
	struct client *c = arg;

	if (c->state != CLIENT_CONNECTING || c->drop)
		return;
	if (reason) {
		char why[160];

		snprintf(why, sizeof(why), "the broker refuses us: %s",
		    mosquitto_reason_string(reason));
		drop(c, why);
		return;
	}
	size_t port = c->attempt / c->n_addresses;
	const struct ht_addr *address = &c->addresses[c->attempt % c->n_addresses];

	uv_timer_stop(&c->timer);
	enter(c, CLIENT_ONLINE);
	c->rounds = 0;
	c->online_ms = uv_now(c->loop);
	c->why[0] = '\0';
	if (!ht_addr_equal(&c->good, address)) {
		c->good = *address;
		/* Losing it only costs the fallback of a later start. */
		ht_err ignored = client_address_save(c->config.address_file, address);
		(void)ignored;
	}
	/* The port that works comes first next time. */
	uint16_t works = c->config.ports[port];
	memmove(&c->config.ports[1], &c->config.ports[0], port * sizeof(works));
	c->config.ports[0] = works;
	if (c->events.online)
		c->events.online(c->events.arg);
}

static void on_disconnect(
    struct mosquitto *m, void *arg, int reason, const mosquitto_property *props)
{
	struct client *c = arg;

	/* Reasons from 128 on are the broker's own words (MQTT 5, 3.14.2.1). */
	if (reason >= 128)
		drop(c, mosquitto_reason_string(reason));
}

static void on_publish(
    struct mosquitto *m, void *arg, int mid, int reason, const mosquitto_property *props)
{
	struct client *c = arg;

	c->pending--;
	if (c->state == CLIENT_ONLINE && reason < 128 && c->events.published)
		c->events.published(c->events.arg, mid);
}

/* Online but deaf would be worse than offline: an agent that hears no acknowledgement
 * looks healthy and fills its spool. */
static void on_subscribe(struct mosquitto *m, void *arg, int mid, int n,
    const int *granted, const mosquitto_property *props)
{
	struct client *c = arg;

	for (int i = 0; i < n; i++) {
		if (granted[i] < 128)
			continue;
		c->rounds = ROUNDS_REFUSED;
		drop(c, "the broker refuses a subscription");
	}
}

static void read_props(const mosquitto_property *list, struct client_message *out)
{
	const mosquitto_property *p = list;
	char *name = NULL, *value = NULL;

	for (bool next = false;; next = true) {
		p = mosquitto_property_read_string_pair(
		    p, MQTT_PROP_USER_PROPERTY, &name, &value, next);
		if (!p)
			return;
		if (!name || !value || props_set(&out->props, name, value))
			out->props_bad = true;
		free(name);
		free(value);
		name = value = NULL;
	}
}

static void on_message(struct mosquitto *m, void *arg,
    const struct mosquitto_message *message, const mosquitto_property *props)
{
	struct client *c = arg;
	char *content_type = NULL;
	struct client_message out = {
		.topic = message->topic,
		.payload = message->payload ? message->payload : "",
		.len = (size_t)message->payloadlen,
		.retained = message->retain,
	};

	if (c->state != CLIENT_ONLINE || c->drop || !c->events.message)
		return;
	read_props(props, &out);
	if (props)
		mosquitto_property_read_string(
		    props, MQTT_PROP_CONTENT_TYPE, &content_type, false);
	out.content_type = content_type ? content_type : "";
	c->events.message(c->events.arg, &out);
	free(content_type);
}

/* --- connections
 * --------------------------------------------------------------------------- */

static const char *reason_of(const struct client *c, int rc)
{
	if (c->notes.why[0])
		return c->notes.why;
	/* The alert that says why can be lost to the reset behind it. */
	bool cut = rc == MOSQ_ERR_CONN_LOST ||
		   (rc == MOSQ_ERR_ERRNO &&
		       (errno == EPROTO || errno == ECONNRESET || errno == EPIPE));
	if (cut && c->state == CLIENT_CONNECTING)
		return HUNG_UP;
	if (rc == MOSQ_ERR_ERRNO && errno)
		return strerror(errno);
	return rc == MOSQ_ERR_SUCCESS ? "the connection was closed"
				      : mosquitto_strerror(rc);
}

static void connection_end(struct client *c)
{
	uv_timer_stop(&c->timer);
	uv_timer_stop(&c->kick);
	watch_end(c);
	mosquitto_destroy(c->mosq);
	c->mosq = NULL;
	c->pending = 0;
	c->drop = false;
}

/* Full jitter, so that a province does not come back in step after an outage. */
static uint64_t wait_ms(unsigned rounds)
{
	uint64_t most = WAIT_FIRST_MS, random = 0;

	for (unsigned i = 0; i < rounds && most < WAIT_MOST_MS; i++)
		most *= 2;
	if (most > WAIT_MOST_MS)
		most = WAIT_MOST_MS;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = uv_hrtime();
	return WAIT_LEAST_MS + random % (most - WAIT_LEAST_MS);
}

static void on_timer(uv_timer_t *timer);

/* Two of one name push each other out as soon as they are in: slow down. */
static void count_brief(struct client *c)
{
	if (uv_now(c->loop) - c->online_ms >= BRIEF_MS)
		c->brief = 0;
	else if (c->brief < BRIEF_MOST)
		c->brief++;
	if (c->rounds < c->brief)
		c->rounds = c->brief;
}

/* Tell, and begin a new round later, or at once when asked to. */
static void wait_begin(struct client *c)
{
	char why[sizeof(c->why)];

	if (c->state == CLIENT_ONLINE)
		count_brief(c);
	enter(c, CLIENT_WAITING);
	uv_timer_start(&c->timer, on_timer, c->again ? 0 : wait_ms(c->rounds), 0);
	c->rounds = c->again ? 0 : c->rounds + 1;
	c->again = false;
	memcpy(why, c->why, sizeof(why));
	c->why[0] = '\0';
	if (c->events.offline)
		c->events.offline(c->events.arg, why);
}

static void close_end(struct client *c);

/* After every call into libmosquitto: act upon what it left. */
static void settle(struct client *c, int rc)
{
	if (c->calls || !c->mosq)
		return;
	if (rc == MOSQ_ERR_SUCCESS && !c->drop && mosquitto_socket(c->mosq) >= 0) {
		watch_sync(c);
		return;
	}
	note_why(c, reason_of(c, rc));
	connection_end(c);
	if (c->state == CLIENT_CLOSING)
		close_end(c);
	else if (c->state == CLIENT_CONNECTING && !c->again &&
		 ++c->attempt < c->n_addresses * c->n_ports)
		attempt_begin(c);
	else
		wait_begin(c);
}

static ht_err put_will(struct client *c)
{
	mosquitto_property *props = NULL;
	const struct client_config *k = &c->config;
	int rc;

	if (!k->will_topic)
		return HT_OK;
	if (mosquitto_property_add_string(
		&props, MQTT_PROP_CONTENT_TYPE, "application/json"))
		return HT_NOMEM;
	rc = mosquitto_will_set_v5(
	    c->mosq, k->will_topic, (int)k->will_len, k->will, 1, true, props);
	if (rc != MOSQ_ERR_SUCCESS)
		mosquitto_property_free_all(&props);
	return rc == MOSQ_ERR_SUCCESS ? HT_OK : HT_INVALID;
}

static ht_err connection_new(struct client *c)
{
	c->mosq = mosquitto_new(c->config.client_id, true, c);
	if (!c->mosq)
		return HT_NOMEM;
	if (mosquitto_int_option(c->mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5) ||
	    mosquitto_int_option(c->mosq, MOSQ_OPT_RECEIVE_MAXIMUM, IN_FLIGHT_MAX) ||
	    mosquitto_int_option(c->mosq, MOSQ_OPT_SEND_MAXIMUM, IN_FLIGHT_MAX) ||
	    mosquitto_int_option(c->mosq, MOSQ_OPT_TCP_NODELAY, 1) ||
	    mosquitto_int_option(c->mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0) ||
	    mosquitto_void_option(c->mosq, MOSQ_OPT_SSL_CTX, c->tls))
		return HT_INVALID;
	mosquitto_connect_v5_callback_set(c->mosq, on_connect);
	mosquitto_disconnect_v5_callback_set(c->mosq, on_disconnect);
	mosquitto_publish_v5_callback_set(c->mosq, on_publish);
	mosquitto_message_v5_callback_set(c->mosq, on_message);
	mosquitto_subscribe_v5_callback_set(c->mosq, on_subscribe);
	return put_will(c);
}

static void attempt_begin(struct client *c)
{
	const struct ht_addr *address = &c->addresses[c->attempt % c->n_addresses];
	uint16_t port = c->config.ports[c->attempt / c->n_addresses];
	char text[HT_ADDR_TEXT];
	ht_err err;
	int rc = MOSQ_ERR_INVAL;

	enter(c, CLIENT_CONNECTING);
	c->notes.why[0] = '\0';
	uv_timer_start(&c->timer, on_timer, CONNECT_MS, 0);
	ht_addr_format(address, text);
	err = connection_new(c);
	if (!c->mosq) {
		note_why(c, "out of memory");
		wait_begin(c);
		return;
	}
	c->calls++;
	errno = 0;
	/* Given an address, "async" is a connect(2) that does not wait. */
	if (!err)
		rc = mosquitto_connect_bind_async(
		    c->mosq, text, port, c->config.keepalive_s, NULL);
	c->calls--;
	settle(c, rc);
}

/* --- the resolver
 * ----------------------------------------------------------------------------- */

/* A look-up cannot be taken back: one that comes too late finds no client. */
struct look_up {
	uv_getaddrinfo_t request; /* first */
	struct client *client;
};

static void look_up_abandon(struct client *c)
{
	if (c->look_up)
		c->look_up->client = NULL;
	c->look_up = NULL;
}

/* No answer: the address that worked before, if there is one. */
static void resolve_failed(struct client *c, const char *why)
{
	char text[200];

	if (!c->good.family && client_address_load(c->config.address_file, &c->good))
		c->good.family = 0;
	if (c->good.family) {
		c->addresses[0] = c->good;
		c->n_addresses = 1;
		attempt_begin(c);
		return;
	}
	snprintf(text, sizeof(text), "cannot find %.100s: %s", c->config.host, why);
	note_why(c, text);
	wait_begin(c);
}

static bool address_of(const struct addrinfo *ai, struct ht_addr *out)
{
	*out = (struct ht_addr){ .family = (uint8_t)ai->ai_family };
	if (ai->ai_family == AF_INET) {
		memcpy(
		    out->bytes, &((const struct sockaddr_in *)ai->ai_addr)->sin_addr, 4);
		out->prefix = 32;
		return true;
	}
	if (ai->ai_family == AF_INET6) {
		memcpy(out->bytes, &((const struct sockaddr_in6 *)ai->ai_addr)->sin6_addr,
		    16);
		out->prefix = 128;
		return true;
	}
	return false;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
	struct look_up *l = (struct look_up *)request;
	struct client *c = l->client;

	free(l);
	if (c) {
		c->look_up = NULL;
		uv_timer_stop(&c->timer);
		c->n_addresses = 0;
		for (struct addrinfo *ai = list; ai && c->n_addresses < ADDRESSES_MAX;
		     ai = ai->ai_next) {
			if (address_of(ai, &c->addresses[c->n_addresses]))
				c->n_addresses++;
		}
		if (c->n_addresses)
			attempt_begin(c);
		else
			resolve_failed(
			    c, status < 0 ? uv_strerror(status) : "it has no address");
	}
	uv_freeaddrinfo(list);
}

static void round_begin(struct client *c)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };
	int rc = UV_ENOMEM;

	enter(c, CLIENT_RESOLVING);
	c->attempt = 0;
	c->why[0] = '\0';
	if (!ht_addr_parse(c->config.host, &c->addresses[0])) {
		c->n_addresses = 1;
		attempt_begin(c);
		return;
	}
	struct look_up *l = calloc(1, sizeof(*l));
	if (l) {
		l->client = c;
		rc = uv_getaddrinfo(
		    c->loop, &l->request, on_resolved, c->config.host, NULL, &hints);
	}
	if (rc) {
		free(l);
		resolve_failed(c, uv_strerror(rc));
		return;
	}
	c->look_up = l;
	uv_timer_start(&c->timer, on_timer, RESOLVE_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct client *c = timer->data;

	switch (c->state) {
	case CLIENT_RESOLVING:
		look_up_abandon(c);
		resolve_failed(c, "the resolver does not answer");
		return;
	case CLIENT_CONNECTING:
		drop(c, "no answer from the broker in time");
		settle(c, MOSQ_ERR_SUCCESS);
		return;
	case CLIENT_WAITING:
		round_begin(c);
		return;
	case CLIENT_CLOSING:
		drop(c, "");
		settle(c, MOSQ_ERR_SUCCESS);
		return;
	default:
		return;
	}
}

/* --- life
 * -------------------------------------------------------------------------------------
 */

ht_err client_library_init(void)
{
	/* A look-up cannot be cancelled, and the end of the process waits for it. */
	setenv("RES_OPTIONS", "timeout:2 attempts:2", 0);
	signal(SIGPIPE, SIG_IGN);
	return mosquitto_lib_init() == MOSQ_ERR_SUCCESS ? HT_OK : HT_IO;
}

void client_library_fini(void)
{
	mosquitto_lib_cleanup();
}

static struct client_tls_files tls_files(const struct client_config *k)
{
	return (struct client_tls_files){
		.name = k->tls_name ? k->tls_name : k->host,
		.ca_file = k->ca_file,
		.cert_file = k->cert_file,
		.key_file = k->key_file,
	};
}

static char *copy(const char *text, bool *failed)
{
	char *out = text ? strdup(text) : NULL;

	*failed |= text && !out;
	return out;
}

static ht_err config_copy(const struct client_config *from, struct client_config *to)
{
	bool failed = false;

	*to = *from;
	to->will = NULL;
	to->will_len = 0;
	to->host = copy(from->host, &failed);
	to->tls_name = copy(from->tls_name, &failed);
	to->client_id = copy(from->client_id, &failed);
	to->ca_file = copy(from->ca_file, &failed);
	to->cert_file = copy(from->cert_file, &failed);
	to->key_file = copy(from->key_file, &failed);
	to->address_file = copy(from->address_file, &failed);
	to->will_topic = copy(from->will_topic, &failed);
	return failed ? HT_NOMEM : HT_OK;
}

static void config_fini(struct client_config *k)
{
	free((void *)k->host);
	free((void *)k->tls_name);
	free((void *)k->client_id);
	free((void *)k->ca_file);
	free((void *)k->cert_file);
	free((void *)k->key_file);
	free((void *)k->address_file);
	free((void *)k->will_topic);
	free((void *)k->will);
}

static void client_free(struct client *c)
{
	client_tls_close(c->tls);
	config_fini(&c->config);
	free(c);
}

static ht_err config_check(const struct client_config *k, struct ht_fault *fault)
{
	if (!k->host || !k->client_id || !k->ca_file || !k->cert_file || !k->key_file)
		return ht_fault_set(fault, HT_CONFIG,
		    "a client needs a host, an id, a CA, a certificate and its key");
	if (!k->ports[0])
		return ht_fault_set(fault, HT_CONFIG, "a client needs a port");
	if (k->keepalive_s < 10 || k->keepalive_s > 600)
		return ht_fault_set(fault, HT_CONFIG,
		    "keepalive is %d s, but must be 10 to 600", k->keepalive_s);
	return HT_OK;
}

ht_err client_new(uv_loop_t *loop, const struct client_config *config,
    const struct client_events *events, struct client **out, struct ht_fault *fault)
{
	struct client_tls_files files;
	struct client *c;
	ht_err err = config_check(config, fault);

	if (err)
		return err;
	c = calloc(1, sizeof(*c));
	if (!c)
		return ht_fault_set(fault, HT_NOMEM, "out of memory");
	c->loop = loop;
	c->events = *events;
	err = config_copy(config, &c->config);
	if (!err)
		err = client_set_will(c, config->will, config->will_len);
	if (err)
		ht_fault_set(fault, err, "out of memory");
	files = tls_files(&c->config);
	if (!err)
		err = client_tls_open(&files, &c->notes, &c->tls, fault);
	if (err) {
		client_free(c);
		return err;
	}
	while (c->n_ports < PORTS_MAX && c->config.ports[c->n_ports])
		c->n_ports++;
	uv_timer_t *timers[TIMERS] = { &c->timer, &c->tick, &c->kick };
	for (size_t i = 0; i < TIMERS; i++) {
		uv_timer_init(loop, timers[i]);
		timers[i]->data = c;
	}
	*out = c;
	return HT_OK;
}

void client_start(struct client *c)
{
	uv_timer_start(&c->tick, on_tick, TICK_MS, TICK_MS);
	round_begin(c);
}

ht_err client_set_will(struct client *c, const void *will, size_t len)
{
	void *bytes = len ? malloc(len) : NULL;

	if (len && !bytes)
		return HT_NOMEM;
	if (len)
		memcpy(bytes, will, len);
	free((void *)c->config.will);
	c->config.will = bytes;
	c->config.will_len = len;
	return HT_OK;
}

ht_err client_reload_tls(struct client *c, struct ht_fault *fault)
{
	struct client_tls_files files = tls_files(&c->config);
	struct ssl_ctx_st *tls;
	ht_err err = client_tls_open(&files, &c->notes, &tls, fault);

	if (err)
		return err;
	client_tls_close(c->tls); /* the present connection holds its own reference */
	c->tls = tls;
	return HT_OK;
}

bool client_is_online(const struct client *c)
{
	return c->state == CLIENT_ONLINE && !c->drop;
}

/* --- traffic
 * ------------------------------------------------------------------------------------ */

/* What a failed call means to the caller. A connection that broke is ended from the loop,
 * so that no callback comes out of a publish. */
static ht_err result(struct client *c, int rc)
{
	switch (rc) {
	case MOSQ_ERR_SUCCESS:
		if (!c->calls)
			watch_sync(c);
		return HT_OK;
	case MOSQ_ERR_NOMEM:
		return HT_NOMEM;
	case MOSQ_ERR_PAYLOAD_SIZE:
	case MOSQ_ERR_OVERSIZE_PACKET:
		return HT_TOOLARGE;
	case MOSQ_ERR_INVAL:
	case MOSQ_ERR_MALFORMED_UTF8:
	case MOSQ_ERR_QOS_NOT_SUPPORTED:
	case MOSQ_ERR_RETAIN_NOT_SUPPORTED:
		return HT_INVALID;
	default:
		drop(c, reason_of(c, rc));
		uv_timer_start(&c->kick, on_kick, 0, 0);
		return HT_AGAIN;
	}
}

ht_err client_subscribe(struct client *c, const char *filter, int qos)
{
	if (!client_is_online(c))
		return HT_AGAIN;
	errno = 0;
	return result(c, mosquitto_subscribe_v5(c->mosq, NULL, filter, qos, 0, NULL));
}

struct property_list {
	mosquitto_property *head;
	bool failed;
};

static void add_property(void *arg, const char *name, const char *value)
{
	struct property_list *list = arg;

	list->failed |= mosquitto_property_add_string_pair(&list->head,
			    MQTT_PROP_USER_PROPERTY, name, value) != MOSQ_ERR_SUCCESS;
}

ht_err client_publish(struct client *c, const char *topic, const void *payload,
    size_t len, bool retain, const char *content_type, const struct props *props,
    int *out_mid)
{
	struct property_list list = { 0 };
	ht_err err = HT_NOMEM;
	int mid;

	if (!client_is_online(c) || c->pending >= PENDING_MAX)
		return HT_AGAIN;
	if (len > INT32_MAX)
		return HT_TOOLARGE;
	if (content_type && mosquitto_property_add_string(
				&list.head, MQTT_PROP_CONTENT_TYPE, content_type))
		list.failed = true;
	if (props)
		props_each(props, add_property, &list);
	if (!list.failed) {
		errno = 0;
		err = result(c, mosquitto_publish_v5(c->mosq, &mid, topic, (int)len,
				    payload, 1, retain, list.head));
	}
	mosquitto_property_free_all(&list.head);
	if (err)
		return err;
	c->pending++;
	if (out_mid)
		*out_mid = mid;
	return HT_OK;
}

void client_reconnect(struct client *c)
{
	c->rounds = 0;
	if (c->state == CLIENT_WAITING) {
		uv_timer_start(&c->timer, on_timer, 0, 0);
	} else if (c->state == CLIENT_CONNECTING || c->state == CLIENT_ONLINE) {
		c->again = true;
		drop(c, "asked to connect anew");
		/* Said politely, the will stays unsaid; if it cannot be, no harm is done.
		 */
		if (c->state == CLIENT_ONLINE && !c->calls)
			mosquitto_disconnect_v5(c->mosq, 0, NULL);
		uv_timer_start(&c->kick, on_kick, 0, 0);
	}
}

static void on_timer_closed(uv_handle_t *h)
{
	struct client *c = h->data;
	void (*done)(void *) = c->done;
	void *arg = c->done_arg;

	if (--c->timers)
		return;
	client_free(c);
	if (done)
		done(arg);
}

static void close_end(struct client *c)
{
	c->timers = TIMERS;
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	uv_close((uv_handle_t *)&c->tick, on_timer_closed);
	uv_close((uv_handle_t *)&c->kick, on_timer_closed);
}

void client_close(struct client *c, void (*done)(void *arg), void *arg)
{
	bool goodbye;

	if (!c) {
		if (done)
			done(arg);
		return;
	}
	goodbye = c->state == CLIENT_ONLINE && !c->drop;
	c->done = done;
	c->done_arg = arg;
	c->events = (struct client_events){ 0 };
	look_up_abandon(c);
	uv_timer_stop(&c->timer);
	enter(c, CLIENT_CLOSING);
	if (!c->mosq) {
		close_end(c);
		return;
	}
	/* libmosquitto closes its socket once the DISCONNECT behind all else is written.
	 */
	if (goodbye && mosquitto_disconnect_v5(c->mosq, 0, NULL) == MOSQ_ERR_SUCCESS)
		uv_timer_start(&c->timer, on_timer, GOODBYE_MS, 0);
	else
		c->drop = true;
	uv_timer_start(&c->kick, on_kick, 0, 0);
}
