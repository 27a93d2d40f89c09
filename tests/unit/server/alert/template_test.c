#include "unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "server/alert/template.h"

static struct channel_pair params[] = { { .name = "chat", .text = "-1 \"x\"" } };
static struct channel channel = { .id = "c", .params = { { 0 } } };

static const char *render(
    const char *text, enum template_escape escape, const char *facts, const char *kind)
{
	static struct ht_buf b;
	static char out[8192];
	struct template *t = NULL;
	struct ht_fault fault = { 0 };
	struct message m;
	struct message_row row = { "k/1", "i1", kind, facts, strlen(facts), 0 };

	channel.params[0] = params[0];
	channel.n_params = 1;
	if (template_parse(text, strlen(text), escape, params, 1, &t, &fault)) {
		snprintf(out, sizeof(out), "!%s", fault.text);
		return out;
	}
	assert_ok(message_init(&m, &row, &channel, "https://h"));
	ht_buf_init(&b, 65536);
	assert_ok(template_render(t, &m, &b));
	snprintf(out, sizeof(out), "%s", ht_buf_text(&b));
	ht_buf_fini(&b);
	message_fini(&m);
	template_free(t);
	return out;
}

#define TEXT(t, facts) render(t, TEMPLATE_PLAIN, facts, "announce")

static void values(void **state)
{
	assert_string_equal(TEXT("a{{title_vi}}b", "{\"title_vi\":\"X\"}"), "aXb");
	assert_string_equal(TEXT("[{{title_vi}}]", "{}"), "[]");
	assert_string_equal(TEXT("{{duration_s}}", "{\"duration_s\":720}"), "720");
	assert_string_equal(
	    TEXT("{{duration_vi}}", "{\"duration_s\":3720}"), "1 giờ 2 phút");
	assert_string_equal(
	    TEXT("{{opened_local}}", "{\"opened\":\"2026-11-23T22:01:03Z\"}"),
	    "05:01:03 24/11/2026");
	assert_string_equal(TEXT("{{ack_url}}", "{\"ack_path\":\"/i\"}"), "https://h/i");
	assert_string_equal(TEXT("{{kind}} {{problem}} {{acknowledged_by}}",
				"{\"kind\":\"link-down\",\"acknowledged_by\":\"an\"}"),
	    "announce link-down an");
	assert_string_equal(TEXT("{{param.chat}}", "{}"), "-1 \"x\"");
	assert_string_equal(TEXT("{{title_vi:3}}", "{\"title_vi\":\"Lào Cai\"}"), "Lào…");
	assert_string_equal(
	    TEXT("{{title_vi:7}}", "{\"title_vi\":\"Lào Cai\"}"), "Lào Cai");
	assert_string_equal(
	    TEXT("{{title_vi}}", "{\"title_vi\":\"a\\u0007\\r\\nb\"}"), "a\nb");
}

static void escapes(void **state)
{
	const char *facts = "{\"title_vi\":\"a\\\"\\\\<&\\n\\u0001'é\"}";

	assert_string_equal(render("{{title_vi}}", TEMPLATE_JSON, facts, "announce"),
	    "a\\\"\\\\<&\\n\\u0001'é");
	assert_string_equal(render("{{title_vi}}", TEMPLATE_HTML, facts, "announce"),
	    "a&quot;\\&lt;&amp;\n&#39;é");
	assert_string_equal(render("{{title_vi}}", TEMPLATE_URL, facts, "announce"),
	    "a%22%5C%3C%26%0A%01%27%C3%A9");
	assert_string_equal(
	    render("{{title_vi}}", TEMPLATE_LINE, facts, "announce"), "a\"\\<&  'é");
	assert_string_equal(
	    render("{{param.chat}}", TEMPLATE_JSON, "{}", "announce"), "-1 \\\"x\\\"");
	assert_string_equal(
	    render("{{duration_s}}", TEMPLATE_JSON, "{}", "announce"), "null");
}

static void sections(void **state)
{
	const char *list = "{\"affected\":[{\"id\":\"a\",\"name\":\"A\"},{\"id\":\"b\","
			   "\"name\":\"B\"},{\"id\":\"c\",\"name\":\"C\"}]}";

	assert_string_equal(
	    TEXT("{{#affected}}{{^first}}, {{/first}}{{name}}{{/affected}}.", list),
	    "A, B, C.");
	assert_string_equal(TEXT("{{#affected:2}}{{id}}{{/affected}}", list), "ab");
	assert_string_equal(TEXT("{{^affected}}none{{/affected}}", "{}"), "none");
	assert_string_equal(TEXT("{{#affected}}x{{/affected}}", "{\"affected\":[]}"), "");
	assert_string_equal(
	    TEXT("{{#closed}}a{{#is_resolved}}b{{/is_resolved}}{{/closed}}c", "{}"), "c");
	assert_string_equal(render("{{#is_resolved}}R{{/is_resolved}}{{status}}",
				TEMPLATE_PLAIN, "{}", "resolve"),
	    "Rresolved");
	assert_string_equal(
	    TEXT("{{#affected}}{{#since}}s{{/since}}{{^since}}-{{/since}}{{/affected}}",
		list),
	    "---");
}

static void mistakes(void **state)
{
	static const char *const cases[][2] = {
		{ "a\n{{titel}}",
		    "!template line 2, column 1: there is no field `titel`" },
		{ "{{title_vi", "!template line 1, column 1: a tag has no end" },
		{ "{{#closed}}x",
		    "!template line 1, column 13: a section is not closed" },
		{ "{{/closed}}",
		    "!template line 1, column 1: this closes what is not open" },
		{ "{{#closed}}{{#cause}}{{/closed}}{{/cause}}",
		    "!template line 1, column 22: this closes what is not open" },
		{ "{{name}}",
		    "!template line 1, column 1: only the affected have `name`" },
		{ "{{^affected}}{{name}}{{/affected}}",
		    "!template line 1, column 14: only the affected have `name`" },
		{ "{{affected}}", "!template line 1, column 1: a list is no text" },
		{ "{{param.token}}",
		    "!template line 1, column 1: the channel has no parameter `token`" },
		{ "{{title_vi:x}}", "!template line 1, column 1: no number stands" },
		{ "{{title_vi:0}}", "!template line 1, column 1: a limit of nothing" },
		{ "{{ title_vi }}", "!template line 1, column 1: a name with a space" },
		{ "{{}}", "!template line 1, column 1: a tag has no name" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++)
		assert_memory_equal(
		    TEXT(cases[i][0], "{}"), cases[i][1], strlen(cases[i][1]));
}

/* A hundred items by a long template: refused, not endless. */
static void bounds(void **state)
{
	struct ht_buf facts, text, out;
	struct template *t;
	struct message m;

	ht_buf_init(&facts, 1 << 20);
	ht_buf_puts(&facts, "{\"n_affected\":150,\"affected\":[");
	for (int i = 0; i < 150; i++)
		ht_buf_printf(&facts, "%s{\"id\":\"%d\"}", i ? "," : "", i);
	ht_buf_puts(&facts, "]}");
	ht_buf_init(&text, 1 << 20);
	ht_buf_puts(&text, "{{#affected}}");
	for (int i = 0; i < 1000; i++)
		ht_buf_puts(&text, "0123456789");
	ht_buf_puts(&text, "{{/affected}}");
	assert_ok(template_parse(
	    ht_buf_text(&text), text.len, TEMPLATE_PLAIN, NULL, 0, &t, NULL));
	struct message_row row = { "k", "i", "announce", ht_buf_text(&facts), facts.len,
		0 };
	assert_ok(message_init(&m, &row, &channel, NULL));
	assert_int_equal(m.n_items, 100);
	ht_buf_init(&out, 8 << 20);
	assert_int_equal(template_render(t, &m, &out), HT_TOOLARGE);
	ht_buf_fini(&out);
	message_fini(&m);
	template_free(t);
	ht_buf_fini(&text);
	ht_buf_fini(&facts);
}

static void bad_facts(void **state)
{
	static const char *const bad[] = { "", "[]", "{", "1" };
	struct message m;

	for (size_t i = 0; i < HT_COUNT(bad); i++) {
		struct message_row row = { "k", "i", "announce", bad[i], strlen(bad[i]),
			0 };
		ht_err err = message_init(&m, &row, &channel, NULL);
		if (err != HT_MALFORMED)
			fail_msg("%s is taken", bad[i]);
	}
	assert_string_equal(
	    TEXT("{{title_vi}}{{#affected}}{{name}}{{/affected}}",
		"{\"title_vi\":[1],\"affected\":[1,{\"name\":2},{\"name\":\"ok\"}]}"),
	    "ok");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(escapes),
		cmocka_unit_test(sections),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(bounds),
		cmocka_unit_test(bad_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
