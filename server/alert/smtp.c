#include "server/alert/smtp.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define WORD_BYTES 42 /* of UTF-8 in one encoded word: 56 letters of base64 */
#define LINE_BYTES 57 /* in one line: 76 letters */

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put_base64(struct ht_buf *b, const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		unsigned v = (unsigned)bytes[i] << 16 |
			     (n > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
			     (n > 2 ? bytes[i + 2] : 0);
		char out[4] = { alphabet[v >> 18 & 63], alphabet[v >> 12 & 63],
			n > 1 ? alphabet[v >> 6 & 63] : '=',
			n > 2 ? alphabet[v & 63] : '=' };

		ht_buf_put(b, out, 4);
	}
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static void put_encoded(struct ht_buf *b, const char *text)
{
	size_t len = strlen(text), at = 0;

	do {
		size_t n = len - at < WORD_BYTES ? len - at : WORD_BYTES;

		while (n > 1 && at + n < len && continues(text[at + n]))
			n--; /* a letter is not cut */
		ht_buf_puts(b, at ? "\r\n =?UTF-8?B?" : "=?UTF-8?B?");
		put_base64(b, (const unsigned char *)text + at, n);
		ht_buf_puts(b, "?=");
		at += n;
	} while (at < len);
}

static void put_body(struct ht_buf *b, const char *text)
{
	size_t len = strlen(text);

	for (size_t at = 0; at < len; at += LINE_BYTES) {
		put_base64(b, (const unsigned char *)text + at,
		    len - at < LINE_BYTES ? len - at : LINE_BYTES);
		ht_buf_puts(b, "\r\n");
	}
}

void smtp_message_id(const char *key, const char *from, struct ht_buf *out)
{
	const char *at = strrchr(from, '@');

	ht_buf_puts(out, "<");
	for (; *key; key++) {
		unsigned char c = (unsigned char)*key;
		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-/?^_`{|}~", c)))
			ht_buf_put(out, &c, 1);
		else
			ht_buf_printf(out, "=%02X", c);
	}
	ht_buf_printf(out, "%s>", at ? at : "@localhost");
}

/* RFC 5322 section 3.3; names of days and months are English whatever the locale is. */
static void put_date(struct ht_buf *b, int64_t ms)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
		"Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (gmtime_r(&s, &tm))
		ht_buf_printf(b, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n",
		    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
		    tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void put_headers(struct ht_buf *b, const struct smtp_mail *m)
{
	ht_buf_printf(b, "From: hatang <%s>\r\n", m->from);
	for (size_t i = 0; i < m->to->n; i++)
		ht_buf_printf(b, "%s<%s>", i ? ",\r\n " : "To: ", m->to->at[i]);
	ht_buf_puts(b, "\r\nSubject: ");
	put_encoded(b, m->subject);
	ht_buf_puts(b, "\r\n");
	put_date(b, m->now_ms);
	ht_buf_puts(b, "Message-ID: ");
	smtp_message_id(m->key, m->from, b);
	ht_buf_puts(b, "\r\n");
	if (m->announce_key && strcmp(m->announce_key, m->key) != 0) {
		ht_buf_puts(b, "In-Reply-To: ");
		smtp_message_id(m->announce_key, m->from, b);
		ht_buf_puts(b, "\r\nReferences: ");
		smtp_message_id(m->announce_key, m->from, b);
		ht_buf_puts(b, "\r\n");
	}
	ht_buf_puts(b, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
}

/* Base64 holds no '_', so the boundary is in no part. */
#define BOUNDARY "_hatang_"

static void put_part(struct ht_buf *b, const char *type, const char *text, bool inside)
{
	if (inside)
		ht_buf_puts(b, "--" BOUNDARY "\r\n");
	ht_buf_printf(b,
	    "Content-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: "
	    "base64\r\n\r\n",
	    type);
	put_body(b, text);
}

ht_err smtp_compose(const struct smtp_mail *m, struct ht_buf *out)
{
	put_headers(out, m);
	if (m->html) {
		ht_buf_puts(out,
		    "Content-Type: multipart/alternative; boundary=\"" BOUNDARY
		    "\"\r\n\r\n");
		put_part(out, "text/plain", m->text, true);
		put_part(out, "text/html", m->html, true);
		ht_buf_puts(out, "--" BOUNDARY "--\r\n");
	} else {
		put_part(out, "text/plain", m->text, false);
	}
	return ht_buf_err(out);
}
