#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/targets.h"

#define LIST_A HT_TARGETS_HEAD "target a 10.0.0.1\n"
#define LIST_B HT_TARGETS_HEAD "self gateway\ntarget a 10.0.0.2\ntarget b 10.0.0.3 a\n"

static struct control_cmd page_of(const char *whole, int64_t page, int64_t pages)
{
	static char text[4096];
	struct control_cmd c = {
		.id = "1", .verb = CONTROL_TARGETS, .page = page, .pages = pages
	};
	size_t len = strlen(whole), cut = (len + (size_t)pages - 1) / (size_t)pages;
	size_t from = cut * (size_t)page;

	assert_ok(fingerprint_sha256(whole, len, c.hash));
	snprintf(text, sizeof(text), "%.*s", (int)cut, whole + from);
	c.text = text;
	return c;
}

/* ── pages ── */

static int64_t take(
    struct target_pages *p, const char *whole, int64_t page, int64_t pages)
{
	struct control_cmd c = page_of(whole, page, pages);
	int64_t next = -1;

	assert_ok(target_pages_take(p, &c, &next));
	return next;
}

static void pages_join_in_order(void **state)
{
	struct target_pages p;

	target_pages_init(&p);
	assert_int_equal(take(&p, LIST_B, 0, 4), 1);
	assert_int_equal(take(&p, LIST_B, 0, 4), 1); /* twice */
	assert_int_equal(take(&p, LIST_B, 2, 4), 1); /* one is missing */
	assert_int_equal(take(&p, LIST_B, 1, 4), 2);
	assert_int_equal(take(&p, LIST_B, 2, 4), 3);
	assert_int_equal(take(&p, LIST_B, 0, 4), 3); /* the server begins anew */
	assert_int_equal(take(&p, LIST_B, 3, 4), 4);
	assert_string_equal(ht_buf_text(&p.text), LIST_B);
	target_pages_fini(&p);
}

static void another_list_begins_anew(void **state)
{
	struct target_pages p;

	target_pages_init(&p);
	assert_int_equal(take(&p, LIST_A, 0, 3), 1);
	assert_int_equal(take(&p, LIST_B, 1, 3), 0);
	assert_int_equal(take(&p, LIST_B, 0, 3), 1);
	assert_int_equal(take(&p, LIST_B, 0, 2), 1); /* cut another way */
	assert_int_equal(take(&p, LIST_B, 1, 2), 2);
	assert_string_equal(ht_buf_text(&p.text), LIST_B);
	target_pages_fini(&p);
}

static void pages_have_a_ceiling(void **state)
{
	struct control_cmd c = {
		.id = "1", .verb = CONTROL_TARGETS, .pages = CONTROL_PAGES_MAX
	};
	char *text = malloc(CONTROL_PAGE_BYTES + 1);
	struct target_pages p;
	ht_err err = HT_OK;
	int64_t next;

	memset(text, 'x', CONTROL_PAGE_BYTES);
	text[CONTROL_PAGE_BYTES] = '\0';
	memset(c.hash, 'a', CONTROL_HASH_LEN);
	c.text = text;
	target_pages_init(&p);
	for (; !err && c.page < c.pages; c.page++)
		err = target_pages_take(&p, &c, &next);
	assert_int_equal(err, HT_TOOLARGE);
	assert_int_equal(p.text.len, 0);
	target_pages_fini(&p);
	free(text);
}

/* ── what may be pinged ── */

static struct options *options(const char *more)
{
	struct options *o = NULL;
	struct ht_fault fault = { 0 };
	char text[512];

	snprintf(text, sizeof(text), "agent: { id: a }\n%s", more);
	if (options_parse("test", text, strlen(text), &o, &fault))
		fail_msg("%s", fault.text);
	return o;
}

static void ceilings_of_the_agent_refuse_with_the_reason(void **state)
{
	static const struct {
		const char *options, *says;
	} cases[] = {
		{ "", NULL },
		{ "reach: { max_targets: 2, packets_per_s: 3 }\n", NULL },
		{ "reach: { from_server: no }\n", "reach.from_server" },
		{ "reach: { max_targets: 1 }\n",
		    "2 targets; this agent takes at most 1" },
		{ "reach: { packets_per_s: 2 }\n", "3 pings a second" },
	};
	struct ht_targets list;

	assert_ok(ht_targets_parse(LIST_B, strlen(LIST_B), &list, NULL));
	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct options *o = options(cases[i].options);
		struct ht_fault fault = { 0 };
		ht_err err = targets_allowed(o, &list, &fault);

		assert_int_equal(err, cases[i].says ? HT_DENIED : HT_OK);
		if (cases[i].says)
			assert_non_null(strstr(fault.text, cases[i].says));
		options_free(o);
	}
	struct options *o = options("");
	struct ht_fault fault = { 0 };
	o->own_targets = "core";
	assert_int_equal(targets_allowed(o, &list, &fault), HT_DENIED);
	assert_non_null(strstr(fault.text, "probe reach \"core\""));
	options_free(o);
	ht_targets_fini(&list);
}

/* ── words ── */

static void words_become_addresses_or_nothing(void **state)
{
	static const char list[] = HT_TARGETS_HEAD "self gateway\nself 10.9.9.9\n"
						   "target a server a:gateway\n"
						   "target a:dns resolver\n"
						   "target a:gateway gateway\n";
	struct targets_places places = { 0 };
	struct ht_targets t;
	struct ht_buf out;

	assert_ok(ht_targets_parse(list, strlen(list), &t, NULL));
	assert_ok(ht_addr_parse("10.0.0.254", &places.at[HT_PLACE_GATEWAY]));
	assert_ok(ht_addr_parse("10.0.0.5", &places.at[HT_PLACE_SERVER]));
	ht_buf_init(&out, 4096);
	targets_find(&t, &places, &out);
	assert_string_equal(ht_buf_text(&out),
	    HT_TARGETS_HEAD "self 10.0.0.254\nself 10.9.9.9\n"
			    "target a 10.0.0.5 a:gateway\ntarget a:gateway 10.0.0.254\n");
	ht_buf_reset(&out);
	places.at[HT_PLACE_GATEWAY].family = AF_UNSPEC;
	targets_find(&t, &places, &out);
	assert_string_equal(
	    ht_buf_text(&out), HT_TARGETS_HEAD "self 10.9.9.9\ntarget a 10.0.0.5\n");
	ht_buf_fini(&out);
	ht_targets_fini(&t);
}

/* ── taking and keeping ── */

static char folder[64];

static int make_folder(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/hatang-targets-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/targets", folder);
	unlink(path);
	return rmdir(folder);
}

static struct options *options_here(const char *more)
{
	char text[256];

	snprintf(text, sizeof(text), "%s", more);
	struct options *o = options(text);
	free(o->agent.state_dir);
	o->agent.state_dir = strdup(folder);
	return o;
}

static ht_err send_whole(struct targets *t, struct options *o, const char *whole,
    bool *changed, struct ht_fault *fault)
{
	ht_err err = HT_OK;
	int64_t next = 0;

	for (int64_t page = 0; !err && page < 3; page++) {
		struct control_cmd c = page_of(whole, page, 3);
		err = targets_take(t, o, &c, &next, changed, fault);
		if (!err && *changed)
			assert_int_equal(next, 3);
	}
	return err;
}

static void a_list_is_kept_and_read_again(void **state)
{
	struct options *o = options_here("");
	struct targets t;
	struct ht_fault fault = { 0 };
	char hash[FINGERPRINT_LEN + 1];
	bool changed;

	targets_open(&t, o);
	assert_string_equal(targets_hash(&t), "");
	assert_ok(send_whole(&t, o, LIST_B, &changed, &fault));
	assert_true(changed);
	assert_ok(fingerprint_sha256(LIST_B, strlen(LIST_B), hash));
	assert_string_equal(targets_hash(&t), hash);
	assert_ok(send_whole(&t, o, LIST_B, &changed, &fault));
	assert_false(changed); /* already in force */
	targets_close(&t);

	targets_open(&t, o);
	assert_string_equal(targets_hash(&t), hash);
	assert_int_equal(t.list.n, 2);

	/* Other options: kept, but not in force. */
	struct options *strict = options_here("reach: { max_targets: 1 }\n");
	targets_reconsider(&t, strict);
	assert_string_equal(targets_hash(&t), "");
	targets_reconsider(&t, o);
	assert_string_equal(targets_hash(&t), hash);

	/* An empty one is in force, and says nothing. */
	assert_ok(send_whole(&t, o, HT_TARGETS_HEAD, &changed, &fault));
	assert_true(changed);
	assert_string_equal(targets_hash(&t), "");
	targets_close(&t);
	options_free(strict);
	options_free(o);
}

static void what_is_broken_changes_nothing(void **state)
{
	struct options *o = options_here("");
	struct ht_fault fault = { 0 };
	struct targets t;
	bool changed;
	int64_t next;

	targets_open(&t, o);
	assert_ok(send_whole(&t, o, LIST_A, &changed, &fault));
	char kept[FINGERPRINT_LEN + 1];
	snprintf(kept, sizeof(kept), "%s", targets_hash(&t));

	struct control_cmd c = page_of(LIST_B, 0, 1);
	c.hash[0] = c.hash[0] == 'a' ? 'b' : 'a';
	assert_int_equal(targets_take(&t, o, &c, &next, &changed, &fault), HT_MALFORMED);
	assert_non_null(strstr(fault.text, "hash"));
	c = page_of(HT_TARGETS_HEAD "target a 224.0.0.1\n", 0, 1);
	assert_int_equal(targets_take(&t, o, &c, &next, &changed, &fault), HT_MALFORMED);
	assert_non_null(strstr(fault.text, "line 2"));
	c = page_of(HT_TARGETS_HEAD "target a 10.0.0.1 b\ntarget b 10.0.0.2 a\n", 0, 1);
	assert_int_equal(targets_take(&t, o, &c, &next, &changed, &fault), HT_MALFORMED);
	assert_non_null(strstr(fault.text, "own parent"));
	assert_string_equal(targets_hash(&t), kept);
	targets_close(&t);

	/* A file that somebody broke is not pinged. */
	char path[96];
	snprintf(path, sizeof(path), "%s/targets", folder);
	FILE *f = fopen(path, "w");
	fputs("hatang-targets 1\ntarget a 10.0.0.1", f);
	fclose(f);
	targets_open(&t, o);
	assert_string_equal(targets_hash(&t), "");
	assert_int_equal(t.list.n, 0);
	targets_close(&t);
	options_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_join_in_order),
		cmocka_unit_test(another_list_begins_anew),
		cmocka_unit_test(pages_have_a_ceiling),
		cmocka_unit_test(ceilings_of_the_agent_refuse_with_the_reason),
		cmocka_unit_test(words_become_addresses_or_nothing),
		cmocka_unit_test_setup_teardown(
		    a_list_is_kept_and_read_again, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(
		    what_is_broken_changes_nothing, make_folder, drop_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
