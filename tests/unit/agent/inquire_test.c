#include "unit/test.h"

#include "agent/inquire.h"

#include <stdio.h>
#include <string.h>

#define S HT_NS_PER_S

static struct inquiries q;
static struct control_reply sent;
static int n_sent;
static ht_err sending;

struct told {
	int n;
	ht_err err;
	char why[64], last[64];
	size_t n_fields;
};

static ht_err on_send(void *arg, const char *json, size_t len)
{
	if (sending)
		return sending;
	control_reply_fini(&sent);
	assert_ok(control_reply_decode(json, len, &sent));
	n_sent++;
	return HT_OK;
}

static void on_answer(void *arg, const struct probe_answer *a)
{
	struct told *t = arg;

	t->n++;
	t->err = a->err;
	t->n_fields = a->n_fields;
	snprintf(t->why, sizeof(t->why), "%s", a->why);
	if (a->n_fields)
		snprintf(
		    t->last, sizeof(t->last), "%s", a->fields[a->n_fields - 1].value);
}

static int setup(void **state)
{
	q = (struct inquiries){ .send = on_send };
	n_sent = 0;
	sending = HT_OK;
	return 0;
}

static void answer(struct control_cmd *c, const char *request, bool ok)
{
	*c = (struct control_cmd){ .verb = CONTROL_ANSWER, .ok = ok };
	snprintf(c->request, sizeof(c->request), "%s", request);
}

static void test_asked_and_answered(void **state)
{
	const struct probe_field f[] = { { "link", "bat-xat-wan" }, { "bytes", "7" } };
	struct told t = { 0 };
	struct control_cmd c;

	assert_ok(inquire(&q, "slot", f, 2, S, on_answer, &t));
	assert_string_equal(sent.fields[0].key, "request");
	assert_string_equal(sent.fields[0].value, "slot");
	assert_string_equal(sent.fields[2].value, "7");
	answer(&c, "0123", true);
	assert_int_equal(inquire_answered(&q, &c), HT_NOTFOUND);
	answer(&c, sent.id, true);
	c.n_set = 1;
	snprintf(c.set[0].value, sizeof(c.set[0].value), "yes");
	assert_ok(inquire_answered(&q, &c));
	assert_true(t.n == 1 && t.err == HT_OK && t.n_fields == 1);
	assert_string_equal(t.last, "yes");
	/* It may come twice. */
	assert_int_equal(inquire_answered(&q, &c), HT_NOTFOUND);
	assert_int_equal(t.n, 1);
}

static void test_refused(void **state)
{
	struct told t = { 0 };
	struct control_cmd c;

	assert_ok(inquire(&q, "slot", NULL, 0, S, on_answer, &t));
	answer(&c, sent.id, false);
	snprintf(c.error, sizeof(c.error), "the link is busy");
	assert_ok(inquire_answered(&q, &c));
	assert_int_equal(t.err, HT_DENIED);
	assert_string_equal(t.why, "the link is busy");
}

static void test_no_answer(void **state)
{
	struct told t = { 0 };

	assert_ok(inquire(&q, "slot", NULL, 0, S, on_answer, &t));
	inquire_tick(&q, S + INQUIRE_WAIT_NS - 1);
	assert_int_equal(t.n, 0);
	inquire_tick(&q, S + INQUIRE_WAIT_NS);
	inquire_tick(&q, S + INQUIRE_WAIT_NS + 1);
	assert_true(t.n == 1 && t.err == HT_TIMEOUT);
}

static void test_forgotten(void **state)
{
	struct told t = { 0 }, other = { 0 };
	struct control_cmd c;

	assert_ok(inquire(&q, "slot", NULL, 0, S, on_answer, &t));
	answer(&c, sent.id, true);
	assert_ok(inquire(&q, "slot", NULL, 0, S, on_answer, &other));
	inquire_forget(&q, &t);
	assert_int_equal(inquire_answered(&q, &c), HT_NOTFOUND);
	inquire_tick(&q, 100 * S);
	assert_int_equal(t.n, 0);
	assert_int_equal(other.n, 1);
}

static void test_told_only(void **state)
{
	for (int i = 0; i < 2 * INQUIRE_MAX; i++)
		assert_ok(inquire(&q, "slot-end", NULL, 0, S, NULL, NULL));
	assert_int_equal(n_sent, 2 * INQUIRE_MAX);
	inquire_tick(&q, 100 * S); /* calls nobody */
}

static void test_limits(void **state)
{
	struct told t = { 0 };
	char text[300];
	struct probe_field f = { "k", text };

	memset(text, 'x', sizeof(text));
	text[299] = '\0';
	assert_int_equal(inquire(&q, "slot", &f, 1, S, on_answer, &t), HT_INVALID);
	sending = HT_AGAIN;
	assert_int_equal(inquire(&q, "slot", NULL, 0, S, on_answer, &t), HT_AGAIN);
	sending = HT_OK;
	for (int i = 0; i < INQUIRE_MAX; i++)
		assert_ok(inquire(&q, "slot", NULL, 0, S, on_answer, &t));
	assert_int_equal(inquire(&q, "slot", NULL, 0, S, on_answer, &t), HT_FULL);
	inquire_tick(&q, 100 * S);
	assert_int_equal(t.n, INQUIRE_MAX);
	assert_ok(inquire(&q, "slot", NULL, 0, S, on_answer, &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_asked_and_answered, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_no_answer, setup),
		cmocka_unit_test_setup(test_forgotten, setup),
		cmocka_unit_test_setup(test_told_only, setup),
		cmocka_unit_test_setup(test_limits, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
