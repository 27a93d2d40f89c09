#include "probes/snmp/session.h"

#include <assert.h>
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/library/large_fd_set.h>
#include <net-snmp/library/lcd_time.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/state.h"
#include "probes/snmp/discover.h"

_Static_assert(
    sizeof(oid) == sizeof(session_subid), "session.h must name net-snmp's oid");
_Static_assert((int)SESSION_KEY_MAX == (int)USM_AUTH_KU_LEN &&
		   (int)SESSION_KEY_MAX == (int)USM_PRIV_KU_LEN,
    "a key is as long as net-snmp's longest");

enum { OIDS_MAX = 32, EARLY_MS = 5, LATE_MAX = 16 /* datagrams read at once */ };

/*  v2c: NEW ──► READY ◄──► WAITING
 *  v3:  NEW ◄──► DISCOVERING ──► READY ◄──► WAITING     (NEW again when no one answered)
 *  any: ──► CLOSING */
enum session_state {
	STATE_NEW,
	STATE_DISCOVERING,
	STATE_READY,
	STATE_WAITING,
	STATE_CLOSING
};

static const struct ht_state states[] = {
	[STATE_NEW] = { "new",
	    HT_TO(STATE_READY) | HT_TO(STATE_DISCOVERING) | HT_TO(STATE_CLOSING) },
	[STATE_DISCOVERING] = { "discovering",
	    HT_TO(STATE_NEW) | HT_TO(STATE_READY) | HT_TO(STATE_CLOSING) },
	[STATE_READY] = { "ready", HT_TO(STATE_WAITING) | HT_TO(STATE_CLOSING) },
	[STATE_WAITING] = { "waiting", HT_TO(STATE_READY) | HT_TO(STATE_CLOSING) },
	[STATE_CLOSING] = { "closing", 0 },
};

struct request {
	enum session_verb verb;
	const struct session_oid *oids;
	size_t n;
	int max_repetitions;
	int tries; /* left */
	void (*answer)(void *arg, const struct session_answer *answer);
	void *arg;
};

struct session {
	enum session_state state;
	uv_loop_t *loop;
	struct sockaddr_storage to;
	netsnmp_session config; /* what the handle is opened from */
	char peer[HT_ADDR_TEXT + 32];
	void *handle; /* net-snmp's single session */
	struct engine_id engine;
	struct session *next_user, *prev_user; /* all that have a user in the library */
	struct gate *gate;
	struct gate_turn turn;
	int64_t wait_ns;
	int retries;
	unsigned n_requests;
	uv_timer_t timer;
	uv_poll_t poll; /* of the handle's socket */
	bool polling;
	struct discover *discover; /* under way, or NULL */
	struct request q;
	/* what the library's callback left for us to deliver */
	bool got;
	enum session_outcome outcome;
	int error_status;
	netsnmp_variable_list *variables;
	struct session_value *values;
	size_t values_cap;
	int open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void enter(struct session *s, enum session_state next)
{
	assert(states[s->state].next & HT_TO(next));
	s->state = next;
}

/* ---- net-snmp as a whole ---- */

/* No MIBs, no configuration, no files of its own, no words on stderr. */
static void init_library(void)
{
	static bool done;
	static const int off[] = { NETSNMP_DS_LIB_DONT_READ_CONFIGS,
		NETSNMP_DS_LIB_DONT_PERSIST_STATE, NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD,
		NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE };

	if (done)
		return;
	done = true;
	setenv("MIBS", "", 1);
	setenv("MIBDIRS", "", 1);
	for (size_t i = 0; i < HT_COUNT(off); i++)
		netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, off[i], 1);
	snmp_disable_log();
	init_snmp("hatang");
	snmp_disable_log();
}

/* ---- opening ---- */

ht_err session_key_make(const char *auth, const char *phrase, struct session_key *out)
{
	struct session_key key = { .len = sizeof(key.at) };
	size_t protocol_len = 0;

	init_library();
	int type = usm_lookup_auth_type(auth);
	const oid *protocol = type < 0 ? NULL : sc_get_auth_oid(type, &protocol_len);

	if (!protocol ||
	    generate_Ku(protocol, (u_int)protocol_len, (const u_char *)phrase,
		strlen(phrase), key.at, &key.len) != SNMPERR_SUCCESS)
		return HT_INVALID;
	*out = key;
	explicit_bzero(&key, sizeof(key));
	return HT_OK;
}

static bool put_key(const struct session_key *key, u_char *at, size_t *len)
{
	if (!key || key->len == 0 || key->len > SESSION_KEY_MAX)
		return false;
	memcpy(at, key->at, key->len);
	*len = key->len;
	return true;
}

static ht_err set_user(netsnmp_session *c, const struct session_config *config)
{
	size_t len = 0;

	c->securityModel = SNMP_SEC_MODEL_USM;
	c->securityName = strdup(config->user);
	c->securityNameLen = strlen(config->user);
	c->securityLevel = config->priv   ? SNMP_SEC_LEVEL_AUTHPRIV
			   : config->auth ? SNMP_SEC_LEVEL_AUTHNOPRIV
					  : SNMP_SEC_LEVEL_NOAUTH;
	if (!c->securityName)
		return HT_NOMEM;
	if (!config->auth)
		return config->priv ? HT_INVALID : HT_OK;
	int auth = usm_lookup_auth_type(config->auth);

	if (auth < 0 ||
	    !put_key(config->auth_key, c->securityAuthKey, &c->securityAuthKeyLen))
		return HT_INVALID;
	c->securityAuthProto = sc_get_auth_oid(auth, &len);
	c->securityAuthProtoLen = len;
	if (!config->priv)
		return HT_OK;
	int priv = usm_lookup_priv_type(config->priv);

	if (priv < 0 ||
	    !put_key(config->priv_key, c->securityPrivKey, &c->securityPrivKeyLen))
		return HT_INVALID;
	c->securityPrivProto = sc_get_priv_oid(priv, &len);
	c->securityPrivProtoLen = len;
	return HT_OK;
}

/* "udp:192.0.2.1:161": numeric, so that the library resolves nothing. */
static void set_peer(struct session *s)
{
	char host[HT_ADDR_TEXT] = "";
	bool v4 = s->to.ss_family == AF_INET;
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)&s->to;
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)&s->to;

	if (v4)
		uv_ip4_name(a4, host, sizeof(host));
	else
		uv_ip6_name(a6, host, sizeof(host));
	snprintf(s->peer, sizeof(s->peer), v4 ? "udp:%s:%u" : "udp6:[%s]:%u", host,
	    ntohs(v4 ? a4->sin_port : a6->sin6_port));
}

static void on_turn(struct gate_turn *turn);

ht_err session_open(
    uv_loop_t *loop, const struct session_config *config, struct session **out)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return HT_NOMEM;
	init_library();
	s->loop = loop;
	s->wait_ns = config->wait_ns;
	s->retries = config->retries;
	s->gate = config->gate;
	s->turn.go = on_turn;
	s->state = STATE_NEW;
	memcpy(&s->to, config->to,
	    config->to->sa_family == AF_INET ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6));
	set_peer(s);
	snmp_sess_init(&s->config);
	s->config.peername = s->peer;
	s->config.version = config->v3 ? SNMP_VERSION_3 : SNMP_VERSION_2c;
	s->config.retries = 0;
	s->config.timeout = (long)(config->wait_ns / HT_NS_PER_US);
	ht_err err = HT_OK;

	if (config->v3) {
		err = set_user(&s->config, config);
		if (config->engine)
			s->engine = *config->engine;
	} else {
		s->config.community = (u_char *)strdup(config->community);
		s->config.community_len = strlen(config->community);
	}
	if (err) {
		free(s->config.securityName);
		explicit_bzero(s, sizeof(*s));
		free(s);
		return err;
	}
	uv_timer_init(loop, &s->timer);
	s->timer.data = s;
	*out = s;
	return HT_OK;
}

/* ---- answering ---- */

static void fill_value(const netsnmp_variable_list *v, struct session_value *out)
{
	*out = (struct session_value){ .name = { v->name, v->name_length }, .bits = 32 };
	switch (v->type) {
	case ASN_INTEGER:
		out->type = SESSION_INTEGER;
		out->integer = v->val.integer ? *v->val.integer : 0;
		break;
	case ASN_COUNTER:
	case ASN_GAUGE:
	case ASN_UINTEGER:
	case ASN_TIMETICKS:
		out->type = v->type == ASN_TIMETICKS ? SESSION_TICKS : SESSION_UNSIGNED;
		out->number = v->val.integer ? (uint32_t)*v->val.integer : 0;
		break;
	case ASN_COUNTER64:
		out->type = SESSION_UNSIGNED;
		out->bits = 64;
		if (v->val.counter64)
			out->number = (uint64_t)(uint32_t)v->val.counter64->high << 32 |
				      (uint32_t)v->val.counter64->low;
		break;
	case ASN_OCTET_STR:
	case ASN_OPAQUE:
	case ASN_IPADDRESS:
		out->type = SESSION_OCTETS;
		out->bytes = v->val.string;
		out->len = v->val.string ? v->val_len : 0;
		break;
	case ASN_OBJECT_ID:
		out->type = SESSION_OID;
		out->oid = (struct session_oid){ v->val.objid, v->val_len / sizeof(oid) };
		break;
	case SNMP_ENDOFMIBVIEW:
		out->type = SESSION_END;
		break;
	case SNMP_NOSUCHOBJECT:
	case SNMP_NOSUCHINSTANCE:
	case ASN_NULL:
		out->type = SESSION_NOTHING;
		break;
	default:
		out->type = SESSION_OTHER;
	}
}

/* Room for all variables, kept from one answer to the next. */
static size_t fill_values(struct session *s)
{
	size_t n = 0;

	for (const netsnmp_variable_list *v = s->variables; v; v = v->next_variable)
		n++;
	if (n > s->values_cap) {
		struct session_value *more = realloc(s->values, n * sizeof(*more));

		if (!more)
			return 0;
		s->values = more;
		s->values_cap = n;
	}
	n = 0;
	for (const netsnmp_variable_list *v = s->variables; v; v = v->next_variable)
		fill_value(v, &s->values[n++]);
	return n;
}

/* Tell the asker; the session is ready for the next request, or is closed, inside. */
static void deliver(struct session *s, enum session_outcome outcome)
{
	netsnmp_variable_list *variables = s->variables;
	struct session_answer a = {
		.outcome = outcome, .error_status = s->error_status, .at_ns = ht_mono_ns()
	};

	uv_timer_stop(&s->timer);
	a.n = outcome == SESSION_ANSWERED ? fill_values(s) : 0;
	a.values = s->values;
	s->variables = NULL;
	enter(s, s->state == STATE_DISCOVERING ? STATE_NEW : STATE_READY);
	s->q.answer(s->q.arg, &a);
	snmp_free_varbind(variables);
}

static bool refused(int report)
{
	return report == SNMPERR_UNKNOWN_USER_NAME ||
	       report == SNMPERR_AUTHENTICATION_FAILURE ||
	       report == SNMPERR_UNSUPPORTED_SEC_LEVEL ||
	       report == SNMPERR_DECRYPTION_ERR || report == SNMPERR_UNKNOWN_ENG_ID;
}

/* net-snmp's: only takes note, for the session must not be touched inside. */
static int on_answer(
    int op, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *magic)
{
	struct session *s = magic;

	(void)session;
	(void)id;
	if (s->state != STATE_WAITING)
		return 1;
	if (op ==
	    NETSNMP_CALLBACK_OP_RESEND) { /* a device's clock was learned: RFC 3414, 4 */
		s->n_requests++;
		return 1;
	}
	if (op == NETSNMP_CALLBACK_OP_TIMED_OUT) {
		s->outcome = SESSION_TIMEOUT;
	} else if (op != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || !pdu) {
		s->outcome = op == NETSNMP_CALLBACK_OP_SEC_ERROR ? SESSION_AUTH_FAILED
								 : SESSION_FAILED;
	} else if (pdu->command == SNMP_MSG_REPORT) {
		s->outcome = refused(snmpv3_get_report_type(pdu)) ? SESSION_AUTH_FAILED
								  : SESSION_FAILED;
	} else {
		s->outcome = SESSION_ANSWERED;
		s->error_status = (int)pdu->errstat;
		s->variables = pdu->variables; /* taken: freed after delivery */
		pdu->variables = NULL;
	}
	s->got = true;
	return 1;
}

static void send_request(struct session *s);

/* After every call into the library: deliver what its callback noted. */
static void resync(struct session *s)
{
	if (!s->got)
		return;
	s->got = false;
	if (s->outcome == SESSION_TIMEOUT && s->q.tries > 0) {
		send_request(s);
	} else {
		deliver(s, s->outcome);
	}
}

static void read_socket(struct session *s, int fd)
{
	netsnmp_large_fd_set set;

	netsnmp_large_fd_set_init(&set, fd + 1); /* descriptors above 1023 too */
	NETSNMP_LARGE_FD_ZERO(&set);
	NETSNMP_LARGE_FD_SET(fd, &set);
	(void)snmp_sess_read2(s->handle, &set);
	netsnmp_large_fd_set_cleanup(&set);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct session *s = poll->data;

	(void)status;
	(void)events;
	read_socket(s, snmp_sess_transport(s->handle)->sock);
	resync(s);
}

/* What came while the loop was busy elsewhere: its timers go before its sockets. */
static void read_what_came(struct session *s)
{
	struct pollfd p = { .fd = snmp_sess_transport(s->handle)->sock,
		.events = POLLIN };

	for (int i = 0; i < LATE_MAX && !s->got && poll(&p, 1, 0) == 1; i++)
		read_socket(s, p.fd);
}

/* The library has its own clock: ask again shortly when it finds it is too early. */
static void on_timer(uv_timer_t *timer)
{
	struct session *s = timer->data;

	read_what_came(s);
	if (!s->got)
		snmp_sess_timeout(s->handle);
	if (s->got)
		resync(s);
	else
		uv_timer_start(timer, on_timer, EARLY_MS, 0);
}

/* ---- asking ---- */

static netsnmp_pdu *make_pdu(const struct request *q)
{
	bool bulk = q->verb == SESSION_GETBULK;
	netsnmp_pdu *pdu = snmp_pdu_create(bulk ? SNMP_MSG_GETBULK : SNMP_MSG_GET);

	if (pdu && bulk) {
		pdu->non_repeaters = 0;
		pdu->max_repetitions = q->max_repetitions;
	}
	for (size_t i = 0; pdu && i < q->n; i++)
		snmp_add_null_var(pdu, q->oids[i].at, q->oids[i].n);
	return pdu;
}

static void on_failed(uv_timer_t *timer)
{
	deliver(timer->data, SESSION_FAILED);
}

/* Fail from the loop, never from inside an ask. */
static void fail_later(struct session *s)
{
	uv_timer_start(&s->timer, on_failed, 0, 0);
}

static void send_now(struct session *s)
{
	netsnmp_pdu *pdu = make_pdu(&s->q);

	s->n_requests++;
	if (!pdu || !snmp_sess_async_send(s->handle, pdu, on_answer, s)) {
		snmp_free_pdu(pdu);
		fail_later(s);
		return;
	}
	uv_update_time(s->loop);
	uv_timer_start(&s->timer, on_timer, (uint64_t)(s->wait_ns / HT_NS_PER_MS) + 1, 0);
}

static void on_turn(struct gate_turn *turn)
{
	send_now((struct session *)((char *)turn - offsetof(struct session, turn)));
}

static void send_request(struct session *s)
{
	s->q.tries--;
	if (s->state == STATE_READY)
		enter(s, STATE_WAITING);
	if (!s->gate || gate_pass(s->gate, &s->turn))
		send_now(s);
}

/* ---- users, which the library keeps for all sessions together ---- */

static struct session *users; /* sessions whose user is in the library */

static struct usmUser *find_user(const netsnmp_session *c)
{
	return usm_get_user(c->securityEngineID, c->securityEngineIDLen, c->securityName);
}

static void remove_user(const netsnmp_session *c)
{
	struct usmUser *u = find_user(c);

	if (u) {
		usm_remove_user(u);
		usm_free_user(u);
	}
}

static bool same_user(const netsnmp_session *a, const netsnmp_session *b)
{
	return a->securityEngineIDLen == b->securityEngineIDLen &&
	       memcmp(a->securityEngineID, b->securityEngineID, a->securityEngineIDLen) ==
		   0 &&
	       strcmp(a->securityName, b->securityName) == 0;
}

/* The library looks users up in one list, one after the other, for each message: of
 * thousands of devices only those under way may be in it. One that is known from before
 * may have older keys. */
static void enter_user(struct session *s)
{
	remove_user(&s->config);
	s->next_user = users;
	if (users)
		users->prev_user = s;
	users = s;
}

static void leave_user(struct session *s)
{
	bool shared = false;

	if (s != users && !s->prev_user)
		return; /* never entered */
	if (s->prev_user)
		s->prev_user->next_user = s->next_user;
	else
		users = s->next_user;
	if (s->next_user)
		s->next_user->prev_user = s->prev_user;
	for (const struct session *o = users; o && !shared; o = o->next_user)
		shared = same_user(&o->config, &s->config);
	if (!shared)
		remove_user(&s->config);
}

static bool open_handle(struct session *s)
{
	if (s->config.version == SNMP_VERSION_3)
		enter_user(s);
	s->handle = snmp_sess_open(&s->config);
	if (!s->handle)
		return false;
	netsnmp_transport *t = snmp_sess_transport(s->handle);

	if (!t || uv_poll_init(s->loop, &s->poll, t->sock))
		return false;
	s->polling = true;
	s->poll.data = s;
	return uv_poll_start(&s->poll, UV_READABLE, on_readable) == 0;
}

static bool open_engine(struct session *s)
{
	s->config.securityEngineID = netsnmp_memdup(s->engine.at, s->engine.len);
	s->config.securityEngineIDLen = s->engine.len;
	return s->config.securityEngineID && open_handle(s);
}

static void on_engine(void *arg, const struct engine_id *id, unsigned sent)
{
	struct session *s = arg;

	s->discover = NULL;
	s->n_requests += sent;
	if (!id) {
		deliver(s, SESSION_TIMEOUT);
		return;
	}
	s->engine = *id;
	/* What the library remembers of this engine's clock may be of before it lost its
	 * own: an older time is refused for ever (RFC 3414, 3.2 7b). It learns it anew
	 * from the first authentic answer. */
	set_enginetime(id->at, (u_int)id->len, 0, 0, TRUE);
	enter(s, STATE_READY);
	if (open_engine(s)) {
		send_request(s);
	} else {
		enter(s, STATE_WAITING);
		deliver(s, SESSION_FAILED);
	}
}

static ht_err begin(struct session *s)
{
	bool v3 = s->config.version == SNMP_VERSION_3;

	if (v3 && s->engine.len == 0) {
		ht_err err = discover_start(s->loop, (const struct sockaddr *)&s->to,
		    s->wait_ns, s->q.tries, on_engine, s, &s->discover);

		if (!err)
			enter(s, STATE_DISCOVERING);
		return err;
	}
	if (!(v3 ? open_engine(s) : open_handle(s)))
		return HT_IO;
	enter(s, STATE_READY);
	send_request(s);
	return HT_OK;
}

ht_err session_ask(struct session *s, enum session_verb verb,
    const struct session_oid *oids, size_t n, int max_repetitions,
    void (*answer)(void *arg, const struct session_answer *answer), void *arg)
{
	if (s->state != STATE_NEW && s->state != STATE_READY)
		return HT_AGAIN;
	if (n > OIDS_MAX)
		return HT_TOOLARGE;
	s->q = (struct request){ .verb = verb,
		.oids = oids,
		.n = n,
		.max_repetitions = max_repetitions,
		.tries = 1 + s->retries,
		.answer = answer,
		.arg = arg };
	s->error_status = 0;
	if (s->state == STATE_NEW)
		return begin(s);
	send_request(s);
	return HT_OK;
}

const struct engine_id *session_engine(const struct session *s)
{
	return &s->engine;
}

unsigned session_requests(const struct session *s)
{
	return s->n_requests;
}

static void on_closed(uv_handle_t *h)
{
	struct session *s = h->data;
	void (*closed)(void *arg) = s->closed;
	void *arg = s->closed_arg;

	if (--s->open_handles)
		return;
	if (s->handle)
		snmp_sess_close(s->handle);
	leave_user(s);
	free(s->config.community);
	free(s->config.securityName);
	free(s->config.securityEngineID);
	free(s->values);
	explicit_bzero(s, sizeof(*s));
	free(s);
	closed(arg);
}

void session_close(struct session *s, void (*closed)(void *arg), void *arg)
{
	enter(s, STATE_CLOSING);
	s->closed = closed;
	s->closed_arg = arg;
	discover_cancel(s->discover);
	gate_leave(&s->turn);
	s->open_handles = s->polling ? 2 : 1;
	uv_close((uv_handle_t *)&s->timer, on_closed);
	if (s->polling)
		uv_close((uv_handle_t *)&s->poll, on_closed);
}
