#include "unit/test.h"

#include <string.h>

#include "server/alert/outbox.h"
#include "server/alert/smtp.h"

static char *addresses[] = { "a@b.vn", "c@d.vn" };
static const struct ht_strings to = { addresses, 2 };

static const char *compose(
    const char *key, const char *announce, const char *subject, const char *html)
{
	static char text[65536];
	struct ht_buf b;
	struct smtp_mail m = { "hatang@lc.vn", &to, key, announce, subject, "Chào", html,
		INT64_C(1795471263000) };

	ht_buf_init(&b, sizeof(text));
	assert_ok(smtp_compose(&m, &b));
	snprintf(text, sizeof(text), "%s", ht_buf_text(&b));
	ht_buf_fini(&b);
	return text;
}

static void golden(void **state)
{
	assert_string_equal(compose("i1/m/announce/1", NULL, "Mất", NULL),
	    "From: hatang <hatang@lc.vn>\r\nTo: <a@b.vn>,\r\n <c@d.vn>\r\n"
	    "Subject: =?UTF-8?B?TeG6pXQ=?=\r\n"
	    "Date: Mon, 23 Nov 2026 22:01:03 +0000\r\n"
	    "Message-ID: <i1/m/announce/1@lc.vn>\r\n"
	    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nQ2jDoG8=\r\n");
	assert_non_null(strstr(compose("i1/m/resolve/1", "i1/m/announce/1", "x", "<p>"),
	    "In-Reply-To: <i1/m/announce/1@lc.vn>\r\nReferences: "
	    "<i1/m/announce/1@lc.vn>\r\n"));
	assert_null(strstr(compose("k", "k", "x", NULL), "In-Reply-To"));
}

/* No line break of a subject or key reaches the headers; no line is too long. */
static void no_injection(void **state)
{
	char subject[700] = "";
	const char *mail = compose("k\r\nBcc: x@y", NULL, "a\r\nBcc: x@y.vn", "<p>");

	assert_null(strstr(mail, "\r\nBcc"));
	assert_non_null(strstr(mail, "Message-ID: <k=0D=0ABcc=3A=20x=40y@lc.vn>"));
	for (size_t i = 0; i < 230; i++)
		memcpy(subject + 3 * i, "ấ", 3);
	mail = compose("k", NULL, subject, "<p>");
	for (const char *line = mail; *line;) {
		size_t len = strcspn(line, "\r");
		assert_true(len <= 78);
		line += len + (line[len] ? 2 : 0);
	}
}

static void backoff(void **state)
{
	for (int i = 1; i < 40; i++) {
		int64_t least = outbox_backoff_ms(i, 0), most = least;

		for (uint32_t r = 0; r < 100000; r += 7) {
			int64_t v = outbox_backoff_ms(i, r * 2654435761u);
			assert_true(v >= least);
			most = v > most ? v : most;
		}
		assert_true(most <= 300000 && most <= 2 * least && most > least);
		if (i < 9)
			assert_int_equal(least, 500 << (i - 1));
		else
			assert_int_equal(least, 150000);
	}
	assert_int_equal(outbox_backoff_ms(0, 0), 500);
	assert_int_equal(outbox_patience_ms("resolve"), 86400000);
	assert_int_equal(outbox_patience_ms("announce"), 86400000);
	assert_int_equal(outbox_patience_ms("test"), 0);
	assert_true(outbox_patience_ms("digest") < outbox_patience_ms("escalate"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden),
		cmocka_unit_test(no_injection),
		cmocka_unit_test(backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
