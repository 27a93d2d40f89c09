#include "unit/test.h"

#include <json-c/json.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/name.h"
#include "server/throughput/desk.h"
#include "unit/server/store/store_test.h"

#define DEADLINE_NS (20 * HT_NS_PER_S)
#define OVER_CAP    "questions of this agent are open"

enum { TOLD_MAX = 2100 };

/* Two that share the hub, and one that shares nothing. */
static const char *const registry =
    "INSERT INTO link (id, agency, role, kind, contracted_down_bps, contracted_up_bps,"
    " parents, journal_id) VALUES"
    " ('a-wan', 'a', 'primary', 'province-wan', 20000000, 20000000, 'hub', 1),"
    " ('b-wan', 'b', 'primary', 'province-wan', 20000000, 20000000, 'hub', 1),"
    " ('hub', 'h', 'primary', 'province-wan', NULL, NULL, NULL, 1),"
    " ('c-wan', 'c', 'primary', 'province-wan', 20000000, 20000000, NULL, 1);"
    "INSERT INTO agent (id, agency, vantage, journal_id) VALUES"
    " ('a-1', 'a', 0, 1), ('b-1', 'b', 0, 1), ('c-1', 'c', 0, 1);";

static const char *const texts[] = { "SELECT count(*) FROM throughput_slot" };
static const struct db_sql table = { "test", texts, 1 };

/* The registry is as it stands above, not as a journal would have it. */
static ht_err no_folds(struct db *db, int64_t budget_ns, struct writer_fold_state *out)
{
	*out = (struct writer_fold_state){ 0 };
	return HT_OK;
}

const struct writer_folds writer_folds = { .slice = no_folds };

/* An answer as it went to an agent. */
struct told {
	char agent[HT_ID_MAX + 1];
	struct json_object *json;
	desk_reply_fn reply; /* NULL: nobody waits for the agent's word */
	void *arg;
};

struct fixture {
	struct test_store store;
	uv_loop_t loop;
	struct writer *writer;
	struct endpoint *endpoint;
	struct desk *desk;
	struct told told[TOLD_MAX];
	size_t n_told;
	bool stopped, counted;
	int64_t rows;
};

static ht_err on_command(void *arg, const char *agent, const char *json,
    int64_t timeout_ns, desk_reply_fn reply, void *reply_arg)
{
	struct fixture *f = arg;
	struct told *t = &f->told[f->n_told++];

	assert_true(f->n_told <= TOLD_MAX);
	snprintf(t->agent, sizeof(t->agent), "%s", agent);
	t->json = json_tokener_parse(json);
	assert_non_null(t->json);
	t->reply = reply;
	t->arg = reply_arg;
	return HT_OK;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct ht_fault fault = { 0 };
	const struct endpoint_options endpoint = { .address = "127.0.0.1" };

	ht_log_init("test", HT_LOG_ERROR, false);
	test_store_init(&f->store);
	struct db *db = test_store_open(&f->store);
	assert_ok(db_script(db, registry));
	db_close(db);
	uv_loop_init(&f->loop);
	assert_ok(writer_start(&f->loop, f->store.file, &f->writer, &fault));
	assert_ok(endpoint_start(&endpoint, &f->endpoint, &fault));
	const struct desk_config config = {
		.rules = { .endpoint = true,
		    .max_concurrent = 4,
		    .endpoint_bps = 1000000000,
		    .busy_share = 0.2,
		    .day_bytes = INT64_C(1) << 40,
		    .month_bytes = INT64_C(1) << 40,
		    .day_tests = 100000 },
		.endpoint = f->endpoint,
		.url = "http://127.0.0.1:1",
		.command = on_command,
		.arg = f,
	};
	assert_ok(desk_start(&f->loop, f->writer, &config, &f->desk));
	*state = f;
	return 0;
}

static void on_stopped(void *arg)
{
	((struct fixture *)arg)->stopped = true;
}

static void run_until(struct fixture *f, const bool *done)
{
	int64_t until_ns = ht_mono_ns() + DEADLINE_NS;

	while (!*done && ht_mono_ns() < until_ns)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_true(*done);
}

static void word(struct told *t, bool ok)
{
	const char *json = ok ? "{\"id\":\"1\",\"ok\":true}"
			      : "{\"id\":\"1\",\"ok\":false,\"error\":\"gone\"}";
	desk_reply_fn reply = t->reply;

	assert_non_null(reply);
	t->reply = NULL;
	reply(t->arg, HT_OK, json, strlen(json));
}

/* What still waits for an agent's word is given up, as ingest does when it stops. */
static int teardown(void **state)
{
	struct fixture *f = *state;

	desk_stop(f->desk, on_stopped, f);
	for (size_t i = 0; i < f->n_told; i++) {
		if (f->told[i].reply)
			f->told[i].reply(f->told[i].arg, HT_CLOSED, NULL, 0);
		json_object_put(f->told[i].json);
	}
	run_until(f, &f->stopped);
	writer_stop(f->writer);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	endpoint_stop(f->endpoint);
	test_store_fini(&f->store);
	free(f);
	return 0;
}

static void say(struct fixture *f, const char *agent, const char *id, const char *fields)
{
	char json[400];
	int len = snprintf(json, sizeof(json),
	    "{\"id\":\"%s\",\"ok\":true,\"fields\":{%s}}", id, fields);

	assert_true(desk_request(f->desk, agent, json, (size_t)len));
}

static void ask(struct fixture *f, const char *agent, const char *id, const char *link)
{
	char fields[300];

	snprintf(fields, sizeof(fields),
	    "\"request\":\"slot\",\"link\":\"%s\",\"bytes\":\"1000000\",\"seconds\":"
	    "\"60\","
	    "\"against\":\"endpoint\"",
	    link);
	say(f, agent, id, fields);
}

static void end(struct fixture *f, const char *agent, const char *slot)
{
	char fields[200];

	snprintf(fields, sizeof(fields),
	    "\"request\":\"slot-end\",\"slot\":\"%s\",\"bytes\":\"5\",\"outcome\":\"ok\"",
	    slot);
	say(f, agent, "e", fields);
}

static void told_n(struct fixture *f, size_t n)
{
	int64_t until_ns = ht_mono_ns() + DEADLINE_NS;

	while (f->n_told < n && ht_mono_ns() < until_ns)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(f->n_told, n);
}

static const char *text(const struct told *t, const char *key)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(t->json, key, &v) ? json_object_get_string(v)
							   : "";
}

static const char *field(const struct told *t, const char *key)
{
	struct json_object *fields = NULL, *v = NULL;

	return json_object_object_get_ex(t->json, "fields", &fields) &&
		       json_object_object_get_ex(fields, key, &v)
		   ? json_object_get_string(v)
		   : "";
}

static bool granted(const struct told *t)
{
	return strcmp(text(t, "ok"), "true") == 0;
}

/* The question's own answer, the next that is told. */
static struct told *asked(
    struct fixture *f, const char *agent, const char *id, const char *link)
{
	size_t n = f->n_told;

	ask(f, agent, id, link);
	told_n(f, n + 1);
	assert_string_equal(f->told[n].agent, agent);
	assert_string_equal(text(&f->told[n], "request"), id);
	return &f->told[n];
}

static void assert_refused(const struct told *t, const char *why)
{
	assert_false(granted(t));
	if (!strstr(text(t, "error"), why))
		fail_msg("%s", text(t, "error"));
	assert_null(t->reply); /* it holds nothing */
}

static ht_err count_fn(struct db *db, void *arg)
{
	struct fixture *f = arg;
	struct db_rows *r = db_start(db, &table, 0, "");
	ht_err err = db_next(r);

	f->rows = err ? -1 : db_int(r, 0);
	db_done(r);
	return err;
}

static void count_done(void *arg, ht_err err)
{
	struct fixture *f = arg;

	assert_ok(err);
	f->counted = true;
}

/* After all that was posted before. */
static int64_t slots(struct fixture *f)
{
	f->counted = false;
	assert_ok(writer_post(f->writer, count_fn, count_done, f));
	run_until(f, &f->counted);
	return f->rows;
}

/* ── one agent and all others ─────────────────────────────────────────────────────── */

static void test_one_agent_holds_nobody_up(void **state)
{
	struct fixture *f = *state;
	size_t n = 0, open = 0;
	char id[16];

	/* It takes no answer, asks and asks; each question is answered all the same. */
	for (size_t i = 0; i < 1000; i++) {
		snprintf(id, sizeof(id), "%zx", i);
		ask(f, "a-1", id, i % 2 ? "a-wan" : "c-wan");
		end(f, "a-1", "1");
	}
	told_n(f, 1000);
	for (size_t i = 0; i < f->n_told; i++) {
		n += strstr(text(&f->told[i], "error"), OVER_CAP) != NULL;
		open += f->told[i].reply != NULL;
		assert_true(granted(&f->told[i]) || !f->told[i].reply);
	}
	assert_true(n >= 900 && open <= 2);
	assert_true(granted(asked(f, "c-1", "1", "c-wan")));
	/* With its two open it is told so; with one taken it may ask. */
	for (size_t i = open; i < 2; i++) {
		snprintf(id, sizeof(id), "f%zu", i);
		assert_true(granted(asked(f, "a-1", id, "a-wan")));
	}
	struct told *t = asked(f, "a-1", "0e4", "a-wan");
	assert_refused(t, OVER_CAP);
	assert_string_equal(field(t, "wait"), "5");
	for (size_t i = 0; i < f->n_told; i++) {
		if (f->told[i].reply && strcmp(f->told[i].agent, "a-1") == 0) {
			word(&f->told[i], true);
			break;
		}
	}
	assert_true(granted(asked(f, "a-1", "0e5", "a-wan")));
}

static void test_refusals_hold_nothing(void **state)
{
	struct fixture *f = *state;
	char id[16];

	for (size_t i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "%zx", i);
		assert_refused(asked(f, "a-1", id, "c-wan"), "is another agency's");
	}
	assert_true(granted(asked(f, "c-1", "1", "c-wan")));
}

/* ── the same question again ──────────────────────────────────────────────────────── */

static void test_the_same_question_has_the_same_slot(void **state)
{
	struct fixture *f = *state;

	/* At once, while the first is decided and while its answer is on the way. */
	ask(f, "a-1", "a1", "a-wan");
	struct told *first = asked(f, "a-1", "a1", "a-wan");
	assert_true(granted(first));
	ask(f, "a-1", "a1", "a-wan");
	assert_int_equal(slots(f), 1);
	assert_int_equal(f->n_told, 1);
	word(first, true);
	/* While it is in use: the agent's no does not end it. */
	struct told *again = asked(f, "a-1", "a1", "a-wan");
	assert_true(granted(again));
	assert_string_equal(field(again, "slot"), field(first, "slot"));
	assert_string_equal(field(again, "token"), field(first, "token"));
	assert_string_equal(field(again, "bytes"), field(first, "bytes"));
	assert_string_equal(field(again, "seconds"), field(first, "seconds"));
	assert_int_equal(strlen(field(first, "token")), ENDPOINT_TOKEN_HEX);
	assert_null(again->reply);
	assert_int_equal(slots(f), 1);
	/* Another's question by that id is another question. */
	assert_refused(asked(f, "b-1", "a1", "b-wan"), "under way");
	end(f, "a-1", field(first, "slot"));
	assert_int_equal(slots(f), 1);
	assert_refused(asked(f, "a-1", "a1", "a-wan"), "its slot is over");
	/* What was refused is not granted when it comes again: nobody waits for it. */
	ask(f, "b-1", "a1", "b-wan");
	assert_int_equal(slots(f), 1);
	assert_true(granted(asked(f, "b-1", "a2", "b-wan")));
}

static void test_not_taken(void **state)
{
	struct fixture *f = *state;

	word(asked(f, "a-1", "1", "a-wan"), false);
	assert_true(granted(asked(f, "b-1", "1", "b-wan")));
}

/* ── order ────────────────────────────────────────────────────────────────────────── */

static void test_a_renewal_queues_behind_who_waits(void **state)
{
	struct fixture *f = *state;
	struct told *one = asked(f, "a-1", "1", "a-wan");

	word(one, true);
	/* Nobody waits: it begins anew, and the first pass is void. */
	struct told *two = asked(f, "a-1", "2", "a-wan");
	assert_true(granted(two));
	word(two, true);
	assert_string_not_equal(field(two, "slot"), field(one, "slot"));
	assert_int_equal(endpoint_end(f->endpoint, atoll(field(one, "slot"))), -1);
	/* Somebody does. */
	assert_refused(asked(f, "b-1", "1", "b-wan"), "under way");
	assert_refused(asked(f, "a-1", "3", "a-wan"), "b-1 has waited longer");
	/* It has its slot as before, no longer, and then it is the other's turn. */
	assert_refused(asked(f, "b-1", "2", "b-wan"), "under way");
	end(f, "a-1", field(two, "slot"));
	assert_refused(asked(f, "a-1", "4", "a-wan"), "b-1 has waited longer");
	assert_true(granted(asked(f, "b-1", "3", "b-wan")));
	assert_int_equal(slots(f), 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_agent_holds_nobody_up),
		TEST(test_refusals_hold_nothing),
		TEST(test_the_same_question_has_the_same_slot),
		TEST(test_not_taken),
		TEST(test_a_renewal_queues_behind_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
