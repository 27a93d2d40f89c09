/* Every scenario of tests/replay through the real folds; and that a replay can fail. */
#include "tests/unit/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "server/alert/replay.h"
#include "server/alert/rules.h"

static int is_yaml(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0;
}

static bool run(const char *name, const char *text, size_t len)
{
	struct ht_fault fault = { 0 };
	struct ht_buf report;
	bool passed = false;

	ht_buf_init(&report, REPLAY_REPORT_MAX);
	ht_err err = replay_scenario(name, text, len, NULL, &report, &passed, &fault);
	if (err || !passed)
		print_message("%s%s\n", ht_buf_text(&report), fault.text);
	ht_buf_fini(&report);
	return !err && passed;
}

static void test_all(void **state)
{
	struct dirent **entries;
	int n = scandir(REPLAY_DIR, &entries, is_yaml, alphasort), failed = 0;

	assert_true(n >= 12);
	for (int i = 0; i < n; i++) {
		char path[512], *text;
		size_t len;

		snprintf(path, sizeof(path), "%s/%s", REPLAY_DIR, entries[i]->d_name);
		assert_ok(ht_file_read(path, 1 << 20, &text, &len, NULL));
		failed += !run(entries[i]->d_name, text, len);
		free(text);
		free(entries[i]);
	}
	free(entries);
	assert_int_equal(failed, 0);
}

/* A message that nobody expected, and one that never comes, are both said. */
static void test_fails(void **state)
{
	static const char text[] =
	    "scenario: wrong on purpose\n"
	    "agencies: [{ id: a, name: A, level: province }]\n"
	    "links: [{ id: w, agency: a }]\n"
	    "channels: [{ name: sms }]\n"
	    "events: [{ at: 1s, open: link-down, subjects: [w] }]\n"
	    "expect:\n  - { at: 1s, channel: sms, kind: resolve, subject: w }\n";
	struct ht_fault fault = { 0 };
	struct ht_buf report;
	bool passed = true;

	ht_buf_init(&report, REPLAY_REPORT_MAX);
	assert_ok(replay_scenario(
	    "wrong.yaml", text, strlen(text), NULL, &report, &passed, &fault));
	assert_false(passed);
	assert_non_null(strstr(ht_buf_text(&report), "wrong.yaml:7: expected"));
	assert_non_null(strstr(ht_buf_text(&report), "+ "));
	ht_buf_fini(&report);
}

/* Whoever may replay may not fill the server's memory: reminders for a year. */
static void test_endless(void **state)
{
	struct ht_fault fault = { 0 };
	struct ht_buf text, report;
	bool passed = true;

	ht_buf_init(&text, 1 << 16);
	ht_buf_init(&report, REPLAY_REPORT_MAX);
	ht_buf_puts(&text, "scenario: reminded each second\nend: 365d\n"
			   "agencies: [{ id: a, name: A, level: province }]\n"
			   "links: [{ id: w, agency: a }]\nchannels:\n");
	for (int i = 0; i < RULES_CHANNELS_MAX; i++)
		ht_buf_printf(&text, "  - { name: c%d }\n", i);
	ht_buf_puts(&text, "rules: |\n  version: 1\n  rules:\n"
			   "    - { id: wan, kinds: [link-down], repeat: 1s }\n"
			   "events: [{ at: 1s, open: link-down, subjects: [w] }]\n");
	assert_int_equal(replay_scenario("endless.yaml", ht_buf_text(&text), text.len,
			     NULL, &report, &passed, &fault),
	    HT_TOOLARGE);
	assert_non_null(strstr(fault.text, "more than 4000 messages"));
	ht_buf_fini(&text);
	ht_buf_fini(&report);
}

/* 20,000 links, 2,000 of them behind 40 hubs of other carriers and districts that all
 * cease to answer at once: 40 incidents, each with its own list, found by fold_links. */
enum { HUBS = 40, BEHIND = 50, LINKS = 20000 };

static void put_behind(struct ht_buf *b, int hub)
{
	for (int k = 0; k < BEHIND; k++)
		ht_buf_printf(b, ", w%d", hub + k * HUBS);
}

static void put_scale(struct ht_buf *b)
{
	ht_buf_puts(b, "scenario: scale\nagencies:\n  - { id: top, name: T, level: "
		       "province }\n");
	for (int h = 0; h < HUBS; h++)
		ht_buf_printf(b,
		    "  - { id: d%d, name: D%d, level: district, parent: top }\n", h, h);
	ht_buf_puts(b, "links:\n");
	for (int h = 0; h < HUBS; h++)
		ht_buf_printf(
		    b, "  - { id: hub%d, agency: d%d, provider: p%d }\n", h, h, h);
	for (int i = 0; i < LINKS - HUBS; i++)
		ht_buf_printf(b,
		    "  - { id: w%d, agency: d%d, provider: p%d, parents: hub%d }\n", i,
		    i % HUBS, i % HUBS, i % HUBS);
	ht_buf_puts(b, "agents: [{ id: core, agency: top, vantage: yes }]\n"
		       "channels: [{ name: chat, edit: yes }]\nevents:\n"
		       "  - { at: 10s, down: [hub0");
	for (int h = 1; h < HUBS; h++)
		ht_buf_printf(b, ", hub%d", h);
	for (int h = 0; h < HUBS; h++)
		put_behind(b, h);
	ht_buf_puts(b, "] }\nexpect:\n");
	for (int h = 0; h < HUBS; h++) {
		ht_buf_printf(b,
		    "  - { at: 10s, channel: chat, kind: announce, subject: hub%d, "
		    "affected: [hub%d",
		    h, h);
		put_behind(b, h);
		ht_buf_puts(b, "] }\n");
	}
}

static void test_scale(void **state)
{
	struct ht_buf b;
	clock_t from = clock();

	ht_buf_init(&b, 4 << 20);
	put_scale(&b);
	assert_ok(ht_buf_err(&b));
	assert_true(run("scale.yaml", ht_buf_text(&b), b.len));
	print_message("scale: %.2f s of CPU, the registry's %d rows among them\n",
	    (double)(clock() - from) / CLOCKS_PER_SEC, LINKS + HUBS + 1);
	ht_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_fails),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
