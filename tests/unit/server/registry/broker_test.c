/* A real mosquitto: each agent is fenced to its own topics and directions, a revoked one
 * is out within two seconds, and what the broker missed heals. */
#include "unit/test.h"

#include <arpa/inet.h>
#include <json-c/json.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/file.h"
#include "mqtt/client.h"
#include "server/derive/run.h"
#include "server/registry/broker.h"
#include "server/registry/broker_sync.h"
#include "server/registry/dynsec.h"
#include "server/registry/enroll.h"
#include "server/registry/operator.h"
#include "server/registry/renew.h"
#include "server/registry/token.h"
#include "server/store/migrate.h"
#include "server/store/writer.h"

#define FP_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define FP_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

enum { SEEN_MAX = 64, PATIENCE_MS = 15000 };

/* One MQTT client with all it has seen. */
struct party {
	struct client *client;
	int online, offline;
	char seen[SEEN_MAX][160]; /* "topic payload" */
	int n_seen;
	struct broker_sync *sync; /* the server's: goes along with the connection */
};

static struct {
	char dir[64], db_file[96], mosquitto_dir[96], pid_file[128];
	uint16_t port;
	pid_t mosquitto;
	uv_loop_t loop;
	uv_timer_t tick;
	struct writer *writer;
	struct ca *ca;
	struct broker_sync *sync;
	struct party server, a, b;
	int closing;
} t;

static const char *in_dir(const char *name)
{
	static char paths[8][160];
	static size_t next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", t.dir, name);
	return path;
}

/* ── the loop, with patience ──────────────────────────────────────────────────────── */

static void on_tick(uv_timer_t *timer)
{
}

#define wait_for(condition)                                                    \
	do {                                                                   \
		int64_t until_ = ht_mono_ns() + PATIENCE_MS * HT_NS_PER_MS;    \
		while (!(condition)) {                                         \
			if (ht_mono_ns() > until_)                             \
				fail_msg("waited in vain for %s", #condition); \
			uv_run(&t.loop, UV_RUN_ONCE);                          \
		}                                                              \
	} while (0)

static bool saw(const struct party *p, const char *what)
{
	for (int i = 0; i < p->n_seen; i++)
		if (strcmp(p->seen[i], what) == 0)
			return true;
	return false;
}

/* ── clients ──────────────────────────────────────────────────────────────────────── */

static void on_online(void *arg)
{
	struct party *p = arg;

	p->online++;
	if (!p->sync)
		return;
	assert_ok(client_subscribe(p->client, DYNSEC_RESPONSE_TOPIC, 1));
	broker_sync_online(p->sync);
}

static void on_offline(void *arg, const char *why)
{
	struct party *p = arg;

	p->offline++;
	if (p->sync)
		broker_sync_offline(p->sync);
}

static void on_message(void *arg, const struct client_message *m)
{
	struct party *p = arg;

	if (p->sync && strcmp(m->topic, DYNSEC_RESPONSE_TOPIC) == 0)
		broker_sync_message(p->sync, m->payload, m->len);
	else if (p->n_seen < SEEN_MAX)
		snprintf(p->seen[p->n_seen++], sizeof(p->seen[0]), "%s %.*s", m->topic,
		    (int)m->len, (const char *)m->payload);
}

static void open_client(
    struct party *p, const char *id, const char *ca, const char *cert, const char *key)
{
	const struct client_events events = { .arg = p,
		.online = on_online,
		.offline = on_offline,
		.message = on_message };
	const struct client_config config = { .host = "127.0.0.1",
		.ports = { t.port },
		.client_id = id,
		.ca_file = ca,
		.cert_file = cert,
		.key_file = key,
		.keepalive_s = 30 };
	struct ht_fault fault = { 0 };

	if (client_new(&t.loop, &config, &events, &p->client, &fault))
		fail_msg("%s", fault.text);
	client_start(p->client);
}

static void on_client_closed(void *arg)
{
	t.closing--;
}

static void close_client(struct party *p)
{
	if (!p->client)
		return;
	t.closing++;
	client_close(p->client, on_client_closed, NULL);
	p->client = NULL;
	wait_for(t.closing == 0);
}

static void say(struct party *p, const char *topic, const char *payload)
{
	assert_ok(client_publish(
	    p->client, topic, payload, strlen(payload), false, NULL, NULL, NULL));
}

/* ── enrolment in the writer ──────────────────────────────────────────────────────── */

static char *make_csr(const char *key_file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_REQ *req = X509_REQ_new();
	char *bytes;

	assert_true(
	    X509_REQ_set_pubkey(req, key) && X509_REQ_sign(req, key, EVP_sha256()));
	BIO *bio = BIO_new(BIO_s_mem());
	assert_true(PEM_write_bio_X509_REQ(bio, req));
	long len = BIO_get_mem_data(bio, &bytes);
	char *text = strndup(bytes, (size_t)len);
	(void)BIO_reset(bio);
	assert_true(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	len = BIO_get_mem_data(bio, &bytes);
	assert_ok(ht_file_write(key_file, bytes, (size_t)len, 0600, NULL));
	BIO_free(bio);
	X509_REQ_free(req);
	EVP_PKEY_free(key);
	return text;
}

struct job {
	struct operator_by by;
	const char *agent;
	char token[TOKEN_LEN + 1];
	const char *body;
	struct enroll_answer answer;
	struct ht_fault fault;
	int64_t now_ms;
};

static ht_err put_agency(struct db *db, void *arg)
{
	struct job *j = arg;
	const struct verb_agency agency = { .id = "bat-xat",
		.name = "Bát Xát",
		.level = "district",
		.latitude = 22.5,
		.longitude = 103.9 };

	return operator_agency_put(db, &j->by, &agency, &j->fault);
}

static ht_err make_token(struct db *db, void *arg)
{
	struct job *j = arg;
	const struct token_request request = { "bat-xat", j->agent, 600 };

	return token_create(db, &j->by, &request, ca_hash(t.ca), j->token, &j->fault);
}

static ht_err do_enroll(struct db *db, void *arg)
{
	struct job *j = arg;
	const struct enroll_context context = { t.ca, "127.0.0.1", "localhost",
		{ t.port } };

	return enroll_handle(
	    db, &context, j->body, strlen(j->body), j->now_ms, &j->answer);
}

static ht_err do_revoke(struct db *db, void *arg)
{
	struct job *j = arg;

	return operator_revoke(
	    db, &j->by, &(struct verb_revoke){ j->agent, "stolen" }, &j->fault);
}

static struct job new_job(void)
{
	return (struct job){ .by = { "admin", ht_wall_ms(), VERB_UNSET },
		.now_ms = ht_wall_ms() };
}

static void call(ht_err (*fn)(struct db *db, void *arg), struct job *j)
{
	ht_err err = writer_call(t.writer, fn, j);

	if (err)
		fail_msg("%s: %s", ht_err_name(err), j->fault.text);
}

static struct json_object *body_json(
    const char *token, const char *csr, const char *agent, const char *fingerprint)
{
	struct json_object *body = json_object_new_object();

	json_object_object_add(body, "token", json_object_new_string(token));
	json_object_object_add(body, "csr", json_object_new_string(csr));
	if (agent)
		json_object_object_add(body, "agent", json_object_new_string(agent));
	json_object_object_add(body, "fingerprint", json_object_new_string(fingerprint));
	return body;
}

/* Enrol with a new token for `for_agent` (NULL: any); the files are <name>.crt and .key.
 */
static struct job enroll(const char *name, const char *for_agent, const char *fingerprint)
{
	struct job j = new_job();
	char file[64];

	j.agent = for_agent;
	call(make_token, &j);
	snprintf(file, sizeof(file), "%s.key", name);
	char *csr = make_csr(in_dir(file));
	struct json_object *body = body_json(j.token, csr, NULL, fingerprint);
	j.body = json_object_to_json_string(body);
	call(do_enroll, &j);
	assert_int_equal(j.answer.status, 201);
	struct json_object *answer = json_tokener_parse(j.answer.body), *cert;
	assert_true(json_object_object_get_ex(answer, "certificate", &cert));
	snprintf(file, sizeof(file), "%s.crt", name);
	assert_ok(ht_file_write(in_dir(file), json_object_get_string(cert),
	    (size_t)json_object_get_string_len(cert), 0644, NULL));
	json_object_put(answer);
	json_object_put(body);
	free(csr);
	free(j.answer.body);
	j.answer.body = NULL;
	return j;
}

/* ── the stage ────────────────────────────────────────────────────────────────────── */

static uint16_t free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static void start_mosquitto(void)
{
	char conf[128];

	snprintf(conf, sizeof(conf), "%s/mosquitto.conf", t.mosquitto_dir);
	t.mosquitto = fork();
	if (t.mosquitto == 0) {
		if (!getenv("HATANG_TEST_VERBOSE") && !freopen("/dev/null", "w", stderr))
			_exit(126);
		execlp("mosquitto", "mosquitto", "-c", conf, (char *)NULL);
		execl("/usr/sbin/mosquitto", "mosquitto", "-c", conf, (char *)NULL);
		_exit(127);
	}
	assert_true(t.mosquitto > 0);
}

static void end_mosquitto(void)
{
	if (t.mosquitto <= 0)
		return;
	kill(t.mosquitto, SIGTERM);
	waitpid(t.mosquitto, NULL, 0);
	t.mosquitto = 0;
}

static ht_err publish(void *arg, const char *topic, const void *payload, size_t len)
{
	return client_publish(
	    t.server.client, topic, payload, len, false, NULL, NULL, NULL);
}

static void start_server(void)
{
	const struct broker_sync_config config = { .ca = t.ca,
		.dir = t.mosquitto_dir,
		.pid_file = t.pid_file,
		.publish = publish };

	assert_ok(broker_sync_start(&t.loop, t.writer, &config, &t.sync));
	t.server.sync = t.sync;
	open_client(&t.server, "server", in_dir("ca.crt"), in_dir("server.crt"),
	    in_dir("server.key"));
}

static void stop_server(void)
{
	close_client(&t.server);
	if (!t.sync)
		return;
	t.server = (struct party){ 0 };
	t.closing++;
	broker_sync_stop(t.sync, on_client_closed, NULL);
	t.sync = NULL;
	wait_for(t.closing == 0);
}

static size_t clients_in_step(void)
{
	struct broker_sync_stats stats;

	broker_sync_stats(t.sync, &stats);
	return stats.in_step ? stats.n_clients : SIZE_MAX;
}

static void make_files(void)
{
	struct broker_config config = { .dir = t.mosquitto_dir,
		.pid_file = t.pid_file,
		.listen = "127.0.0.1",
		.ports = { t.port } };
	struct ht_fault fault = { 0 };
	bool changed = false;

	if (ca_open(t.dir, ht_wall_ms(), &t.ca, &fault) ||
	    ca_keep_part(t.ca, CA_CLIENT, "@server", NULL, 0, in_dir("server.crt"),
		in_dir("server.key"), ht_wall_ms(), &changed, &fault) ||
	    broker_write(&config, t.ca, ht_wall_ms(), &changed, &fault))
		fail_msg("%s", fault.text);
	assert_true(changed);
	assert_ok(broker_write(&config, t.ca, ht_wall_ms(), &changed, NULL));
	assert_false(changed);
}

static int setup(void **state)
{
	struct db *db;
	struct ht_fault fault = { 0 };

	memset(&t, 0, sizeof(t));
	snprintf(t.dir, sizeof(t.dir), "/tmp/hatang-broker-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.db_file, sizeof(t.db_file), "%s/server.db", t.dir);
	snprintf(t.mosquitto_dir, sizeof(t.mosquitto_dir), "%s/mosquitto", t.dir);
	snprintf(t.pid_file, sizeof(t.pid_file), "%s/mosquitto.pid", t.dir);
	t.port = free_port();
	assert_ok(client_library_init());
	assert_int_equal(uv_loop_init(&t.loop), 0);
	uv_timer_init(&t.loop, &t.tick);
	uv_timer_start(&t.tick, on_tick, 20, 20);
	assert_ok(db_open(t.db_file, false, &db, NULL));
	assert_ok(migrate(db, NULL, NULL));
	db_close(db);
	make_files();
	if (writer_start(&t.loop, t.db_file, &t.writer, &fault))
		fail_msg("%s", fault.text);
	struct job j = new_job();
	call(put_agency, &j);
	start_mosquitto();
	start_server();
	wait_for(clients_in_step() == 0);
	return 0;
}

static void remove_tree(const char *dir)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf -- '%s'", dir);
	assert_int_equal(system(command), 0);
}

static int teardown(void **state)
{
	close_client(&t.a);
	close_client(&t.b);
	stop_server();
	writer_stop(t.writer);
	end_mosquitto();
	uv_close((uv_handle_t *)&t.tick, NULL);
	uv_run(&t.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&t.loop), 0);
	ca_close(t.ca);
	client_library_fini();
	remove_tree(t.dir);
	return 0;
}

static void two_agents(void)
{
	assert_string_equal(enroll("a", NULL, FP_A).answer.agent, "bat-xat-1");
	assert_string_equal(enroll("b", NULL, FP_B).answer.agent, "bat-xat-2");
	broker_sync_poke(t.sync);
	wait_for(clients_in_step() == 2);
	open_client(
	    &t.a, "bat-xat-1", in_dir("ca.crt"), in_dir("a.crt"), in_dir("a.key"));
	open_client(
	    &t.b, "bat-xat-2", in_dir("ca.crt"), in_dir("b.crt"), in_dir("b.key"));
	wait_for(t.a.online && t.b.online);
}

/* ── the tests ────────────────────────────────────────────────────────────────────── */

/* A client that does not mind refusals, and tells what the broker answered. */
struct raw {
	struct mosquitto *m;
	bool up;
	int answer_mid, answer;
	int n_messages;
};

static void raw_up(
    struct mosquitto *m, void *arg, int code, int flags, const mosquitto_property *props)
{
	((struct raw *)arg)->up = code == 0;
}

static void raw_subscribed(struct mosquitto *m, void *arg, int mid, int n,
    const int *granted, const mosquitto_property *props)
{
	struct raw *r = arg;

	r->answer_mid = mid;
	r->answer = granted[0];
}

static void raw_published(
    struct mosquitto *m, void *arg, int mid, int code, const mosquitto_property *props)
{
	struct raw *r = arg;

	r->answer_mid = mid;
	r->answer = code;
}

static void raw_message(struct mosquitto *m, void *arg,
    const struct mosquitto_message *message, const mosquitto_property *props)
{
	((struct raw *)arg)->n_messages++;
}

static void raw_wait(struct raw *r, const bool *up, int mid)
{
	int64_t until = ht_mono_ns() + PATIENCE_MS * HT_NS_PER_MS;

	while (up ? !*up : r->answer_mid != mid) {
		if (ht_mono_ns() > until)
			fail_msg("the broker does not answer");
		assert_int_equal(mosquitto_loop(r->m, 20, 1), MOSQ_ERR_SUCCESS);
		uv_run(&t.loop, UV_RUN_NOWAIT);
	}
}

static void raw_open(struct raw *r, const char *id, const char *cert, const char *key)
{
	*r = (struct raw){ .m = mosquitto_new(id, true, r) };
	mosquitto_int_option(r->m, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
	mosquitto_connect_v5_callback_set(r->m, raw_up);
	mosquitto_subscribe_v5_callback_set(r->m, raw_subscribed);
	mosquitto_publish_v5_callback_set(r->m, raw_published);
	mosquitto_message_v5_callback_set(r->m, raw_message);
	assert_int_equal(
	    mosquitto_tls_set(r->m, in_dir("ca.crt"), NULL, cert, key, NULL), 0);
	assert_int_equal(mosquitto_connect(r->m, "127.0.0.1", t.port, 30), 0);
	raw_wait(r, &r->up, 0);
}

static int raw_subscribe(struct raw *r, const char *filter)
{
	int mid;

	assert_int_equal(mosquitto_subscribe_v5(r->m, &mid, filter, 1, 0, NULL), 0);
	raw_wait(r, NULL, mid);
	return r->answer;
}

static int raw_publish(struct raw *r, const char *topic)
{
	int mid;

	assert_int_equal(
	    mosquitto_publish_v5(r->m, &mid, topic, 6, "forged", 1, false, NULL), 0);
	raw_wait(r, NULL, mid);
	return r->answer;
}

static void an_agent_is_refused_what_is_not_its_own(void **state)
{
	static const char *const topics[] = { "hatang/v1/bat-xat-1/ack",
		"hatang/v1/bat-xat-1/cmd", "hatang/v1/bat-xat-1",
		"hatang/v1/bat-xat-1/data/x", "hatang/v1/bat-xat-2/data",
		"hatang/v1/bat-xat-2/hist", "hatang/v1/bat-xat-2/presence",
		"hatang/v1/bat-xat-2/reply", "hatang/v1/bat-xat-2/ack",
		"hatang/v1/bat-xat-2/cmd", "hatang/v1/@server/presence",
		"hatang/v1/x/data", "hatang/elsewhere", "$CONTROL/dynamic-security/v1" };
	static const char *const filters[] = { "#", "+/#", "hatang/#", "hatang/v1/#",
		"hatang/v1/+/ack", "hatang/v1/+/presence", "hatang/v1/bat-xat-1/+",
		"hatang/v1/bat-xat-1/#", "hatang/v1/bat-xat-1/data",
		"hatang/v1/bat-xat-2/ack", "hatang/v1/bat-xat-2/cmd",
		"hatang/v1/bat-xat-2/data", "hatang/v1/bat-xat-2/presence",
		"hatang/v1/@server/#", "$SYS/#", "$share/g/hatang/v1/bat-xat-2/data",
		"$CONTROL/dynamic-security/v1/response" };
	struct raw raw;

	two_agents();
	assert_ok(client_subscribe(t.server.client, "hatang/#", 1));
	assert_ok(client_subscribe(t.b.client, "hatang/v1/bat-xat-2/ack", 1));
	assert_ok(client_subscribe(t.b.client, "hatang/v1/bat-xat-2/cmd", 1));
	close_client(&t.a);
	raw_open(&raw, "bat-xat-1", in_dir("a.crt"), in_dir("a.key"));
	for (size_t i = 0; i < HT_COUNT(filters); i++)
		if (raw_subscribe(&raw, filters[i]) < 128)
			fail_msg("may subscribe to %s", filters[i]);
	for (size_t i = 0; i < HT_COUNT(topics); i++)
		if (raw_publish(&raw, topics[i]) != MQTT_RC_NOT_AUTHORIZED)
			fail_msg("may publish on %s", topics[i]);
	assert_int_equal(raw_publish(&raw, "hatang/v1/bat-xat-1/data"), 0);
	wait_for(saw(&t.server,
	    "hatang/v1/bat-xat-1/data forged")); /* its own: not forged at all */
	assert_int_equal(t.server.n_seen, 1);
	assert_int_equal(t.b.n_seen, 0);

	/* The server's words to B, and B's own, do not reach it. */
	say(&t.b, "hatang/v1/bat-xat-2/data", "secret");
	wait_for(saw(&t.server, "hatang/v1/bat-xat-2/data secret"));
	say(&t.server, "hatang/v1/bat-xat-2/ack", "secret");
	wait_for(saw(&t.b, "hatang/v1/bat-xat-2/ack secret"));
	assert_true(
	    raw_subscribe(&raw, "hatang/v1/bat-xat-1/ack") < 128); /* a round trip */
	assert_int_equal(raw.n_messages, 0);
	mosquitto_disconnect(raw.m);
	mosquitto_destroy(raw.m);
}

static void an_agent_may_do_what_it_must(void **state)
{
	static const char *const own[] = { "presence", "data", "hist", "reply" };
	static const char *const wanted[] = { "hatang/v1/bat-xat-1/ack",
		"hatang/v1/bat-xat-1/cmd", "hatang/v1/bat-xat-1/presence",
		"hatang/v1/@server/presence" };
	char topic[96], line[128];

	two_agents();
	assert_ok(client_subscribe(t.server.client, "hatang/#", 1));
	assert_ok(client_publish(t.server.client, "hatang/v1/@server/presence", "kept", 4,
	    true, NULL, NULL, NULL));
	wait_for(saw(&t.server, "hatang/v1/@server/presence kept"));
	for (size_t i = 0; i < HT_COUNT(wanted); i++)
		assert_ok(client_subscribe(t.a.client, wanted[i], 1));
	for (size_t i = 0; i < HT_COUNT(own); i++) {
		snprintf(topic, sizeof(topic), "hatang/v1/bat-xat-1/%s", own[i]);
		say(&t.a, topic, "mine");
	}
	wait_for(saw(&t.server, "hatang/v1/bat-xat-1/reply mine"));
	for (size_t i = 0; i < HT_COUNT(own); i++) {
		snprintf(line, sizeof(line), "hatang/v1/bat-xat-1/%s mine", own[i]);
		assert_true(saw(&t.server, line));
	}
	say(&t.server, "hatang/v1/bat-xat-1/cmd", "do");
	say(&t.server, "hatang/v1/@server/presence", "here");
	say(&t.server, "hatang/v1/bat-xat-1/ack", "done");
	wait_for(saw(&t.a, "hatang/v1/bat-xat-1/ack done"));
	assert_true(saw(&t.a, "hatang/v1/bat-xat-1/cmd do"));
	assert_true(saw(&t.a, "hatang/v1/@server/presence here"));
	assert_true(saw(&t.a, "hatang/v1/bat-xat-1/presence mine"));
	assert_true(saw(&t.a, "hatang/v1/@server/presence kept"));
	assert_int_equal(t.a.offline, 0);
}

static void a_revoked_agent_is_out_within_two_seconds(void **state)
{
	struct job j = new_job();

	two_agents();
	assert_ok(client_subscribe(t.server.client, "hatang/#", 1));
	j.agent = "bat-xat-1";
	call(do_revoke, &j);
	int64_t from = ht_mono_ns();
	broker_sync_poke(t.sync);
	wait_for(t.a.offline);
	int64_t took_ms = (ht_mono_ns() - from) / HT_NS_PER_MS;
	print_message("[          ] the live session died after %d ms\n", (int)took_ms);
	assert_true(took_ms < 2000);

	/* It tries again by itself, and a fresh connection tries too: neither gets in. */
	struct party fresh = { 0 };
	open_client(
	    &fresh, "bat-xat-1", in_dir("ca.crt"), in_dir("a.crt"), in_dir("a.key"));
	wait_for(t.a.offline >= 2 && fresh.offline >= 2);
	assert_int_equal(t.a.online, 1);
	assert_int_equal(fresh.online, 0);
	assert_int_equal(client_publish(fresh.client, "hatang/v1/bat-xat-1/data", "x", 1,
			     false, NULL, NULL, NULL),
	    HT_AGAIN);
	close_client(&fresh);
	say(&t.b, "hatang/v1/bat-xat-2/data", "still here");
	wait_for(saw(&t.server, "hatang/v1/bat-xat-2/data still here"));
	assert_int_equal(t.b.offline, 0);
	wait_for(clients_in_step() == 1);
}

static void enrolling_anew_keeps_the_id_and_kicks_the_old_certificate(void **state)
{
	two_agents();
	assert_string_equal(enroll("a2", NULL, FP_A).answer.agent, "bat-xat-1");
	broker_sync_poke(t.sync);
	wait_for(t.a.offline >= 2); /* kicked, and refused */
	assert_int_equal(t.a.online, 1);
	close_client(&t.a);
	t.a = (struct party){ 0 };
	open_client(
	    &t.a, "bat-xat-1", in_dir("ca.crt"), in_dir("a2.crt"), in_dir("a2.key"));
	wait_for(t.a.online);
	/* Another machine takes the id over with a token made for it. */
	assert_string_equal(enroll("a3", "bat-xat-1", FP_B).answer.agent, "bat-xat-1");
}

static void what_the_broker_missed_heals(void **state)
{
	struct job j = new_job();

	two_agents();
	stop_server();
	j.agent = "bat-xat-2";
	call(do_revoke, &j);
	enroll("c", "core-1", FP_B);
	enroll("d", "core-2", FP_B);
	assert_int_equal(t.b.offline, 0);
	start_server();
	wait_for(clients_in_step() == 3);
	wait_for(t.b.offline >= 2);
	assert_int_equal(t.b.online, 1);

	/* A broker that lost its own file entirely is filled again. */
	char file[160];
	bool changed;
	end_mosquitto();
	snprintf(file, sizeof(file), "%s/dynamic-security.json", t.mosquitto_dir);
	assert_int_equal(unlink(file), 0);
	const struct broker_config config = { .dir = t.mosquitto_dir,
		.pid_file = t.pid_file,
		.listen = "127.0.0.1",
		.ports = { t.port } };
	assert_ok(broker_write(&config, t.ca, ht_wall_ms(), &changed, NULL));
	wait_for(t.server.offline);
	start_mosquitto();
	wait_for(t.server.online == 2);
	wait_for(clients_in_step() == 3);
	/* The broker works in order: what the server hears of itself was behind the
	 * commands. */
	assert_ok(client_subscribe(t.server.client, "hatang/#", 1));
	say(&t.server, "hatang/v1/@server/presence", "filled");
	wait_for(saw(&t.server, "hatang/v1/@server/presence filled"));
	wait_for(client_is_online(t.a.client));
	say(&t.a, "hatang/v1/bat-xat-1/data", "back");
	wait_for(saw(&t.server, "hatang/v1/bat-xat-1/data back"));
}

/* ── tokens and requests (no broker needed, but the store is) ─────────────────────── */

static void refused(const char *body, int status, const char *says)
{
	struct job j = new_job();

	j.body = body;
	assert_int_not_equal(writer_call(t.writer, do_enroll, &j), HT_OK);
	assert_int_equal(j.answer.status, status);
	if (!strstr(j.answer.body, says))
		fail_msg("%s", j.answer.body);
	free(j.answer.body);
}

static void refused_with(const char *token, const char *csr, const char *agent,
    const char *fingerprint, int status, const char *says)
{
	struct json_object *body = body_json(token, csr, agent, fingerprint);

	refused(json_object_to_json_string(body), status, says);
	json_object_put(body);
}

static void a_token_works_once_and_only_whole(void **state)
{
	struct job j = new_job();
	char *csr = make_csr(in_dir("x.key")), wrong[TOKEN_LEN + 1];

	call(make_token, &j);
	refused("nonsense", 400, "not JSON");
	refused("{}", 400, "token");
	refused_with("abc", csr, NULL, FP_A, 401, "not known");
	memcpy(wrong, j.token, sizeof(wrong));
	wrong[TOKEN_ID_HEX + 1] = wrong[TOKEN_ID_HEX + 1] == '0' ? '1' : '0';
	refused_with(wrong, csr, NULL, FP_A, 401, "not known");
	refused_with(j.token, csr, NULL, "short", 422, "fingerprint");
	refused_with(j.token, "no csr", NULL, FP_A, 422, "request");
	refused_with(j.token, csr, "@server", FP_A, 422, "id");

	/* Refusals did not use it up. */
	struct json_object *body = body_json(j.token, csr, "core-1", FP_A);
	j.body = json_object_to_json_string(body);
	call(do_enroll, &j);
	assert_string_equal(j.answer.agent, "core-1");
	free(j.answer.body);
	refused(j.body, 410, "used already");
	json_object_put(body);

	/* Another machine cannot have the id without a token made for it. */
	struct job other = new_job();
	call(make_token, &other);
	refused_with(other.token, csr, "core-1", FP_B, 409, "another machine");

	struct job late = new_job();
	call(make_token, &late);
	body = body_json(late.token, csr, NULL, FP_A);
	late.body = json_object_to_json_string(body);
	late.now_ms += 601 * 1000;
	assert_int_not_equal(writer_call(t.writer, do_enroll, &late), HT_OK);
	assert_int_equal(late.answer.status, 410);
	assert_non_null(strstr(late.answer.body, "expired"));
	free(late.answer.body);
	json_object_put(body);
	free(csr);
}

struct renewal {
	const char *agent, *csr;
	int64_t now_ms;
	char *pem;
	bool made;
};

static ht_err do_renew(struct db *db, void *arg)
{
	struct renewal *r = arg;

	return renew_certificate(
	    db, t.ca, r->agent, r->csr, r->now_ms, &r->pem, &r->made, NULL);
}

static void a_certificate_is_renewed_for_its_own_key_alone(void **state)
{
	const int64_t day_ms = INT64_C(86400000);
	struct job j = new_job();
	char *csr = make_csr(in_dir("y.key")), *other = make_csr(in_dir("z.key"));

	call(make_token, &j);
	struct json_object *body = body_json(j.token, csr, "renews", FP_A);
	j.body = json_object_to_json_string(body);
	call(do_enroll, &j);
	free(j.answer.body);
	json_object_put(body);

	/* Young yet: the same again, and no other is made. */
	struct renewal r = { "renews", csr, ht_wall_ms() + 100 * day_ms };
	assert_ok(writer_call(t.writer, do_renew, &r));
	assert_false(r.made);
	free(r.pem);
	struct renewal late = { "renews", csr, ht_wall_ms() + 250 * day_ms };
	assert_ok(writer_call(t.writer, do_renew, &late));
	assert_true(late.made);
	assert_true(ca_same_key(csr, late.pem));
	struct renewal again = late;
	assert_ok(writer_call(t.writer, do_renew, &again));
	assert_false(again.made);
	assert_string_equal(again.pem, late.pem);
	free(again.pem);
	free(late.pem);

	struct renewal bad = { "renews", other, ht_wall_ms() + 250 * day_ms };
	assert_int_equal(writer_call(t.writer, do_renew, &bad), HT_DENIED);
	bad = (struct renewal){ "nobody", csr, ht_wall_ms() };
	assert_int_equal(writer_call(t.writer, do_renew, &bad), HT_DENIED);
	bad = (struct renewal){ "renews", "nonsense", ht_wall_ms() };
	assert_int_equal(writer_call(t.writer, do_renew, &bad), HT_DENIED);
	j = new_job();
	j.agent = "renews";
	call(do_revoke, &j);
	bad = (struct renewal){ "renews", csr, ht_wall_ms() };
	assert_int_equal(writer_call(t.writer, do_renew, &bad), HT_DENIED);
	assert_null(bad.pem);
	free(csr);
	free(other);
}

struct racer {
	uv_thread_t thread;
	struct job job;
	ht_err err;
};

static void race(void *arg)
{
	struct racer *r = arg;

	r->err = writer_call(t.writer, do_enroll, &r->job);
}

static void of_many_uses_at_once_one_wins(void **state)
{
	struct racer racers[8];
	struct job j = new_job();
	char *csr = make_csr(in_dir("x.key"));
	int won = 0;

	call(make_token, &j);
	struct json_object *body = body_json(j.token, csr, NULL, FP_A);
	j.body = json_object_to_json_string(body);
	for (size_t i = 0; i < HT_COUNT(racers); i++) {
		racers[i].job = j;
		assert_int_equal(
		    uv_thread_create(&racers[i].thread, race, &racers[i]), 0);
	}
	for (size_t i = 0; i < HT_COUNT(racers); i++) {
		uv_thread_join(&racers[i].thread);
		won += racers[i].job.answer.status == 201;
		assert_true(racers[i].job.answer.status == 201 ||
			    racers[i].job.answer.status == 410);
		free(racers[i].job.answer.body);
	}
	assert_int_equal(won, 1);
	json_object_put(body);
	free(csr);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(an_agent_is_refused_what_is_not_its_own),
		test(an_agent_may_do_what_it_must),
		test(a_revoked_agent_is_out_within_two_seconds),
		test(enrolling_anew_keeps_the_id_and_kicks_the_old_certificate),
		test(what_the_broker_missed_heals),
		test(a_token_works_once_and_only_whole),
		test(a_certificate_is_renewed_for_its_own_key_alone),
		test(of_many_uses_at_once_one_wins),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
