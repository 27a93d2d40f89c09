/* Mail as bytes (RFC 5322, MIME): a text and an HTML part, UTF-8 in base64, a subject in
 * encoded words (RFC 2047), a Message-ID made from the outbox key so that a mail sent
 * twice is one, In-Reply-To and References so that an incident is one thread, and
 * Auto-Submitted (RFC 3834) so that no robot answers. What comes from outside reaches a
 * header only encoded: nobody adds one. Pure. */
#ifndef HT_SERVER_ALERT_SMTP_H
#define HT_SERVER_ALERT_SMTP_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/option.h"

#define SMTP_MAIL_MAX (1 << 20)

struct smtp_mail {
	const char *from;            /* an address, checked by channel.c */
	const struct ht_strings *to; /* the same */
	const char *key;             /* of the outbox */
	const char *announce_key;    /* of the first message; NULL or `key`: this is it */
	const char *subject, *text, *html; /* UTF-8; html may be NULL */
	int64_t now_ms;
};

/* Append the mail to `out`. HT_TOOLARGE, HT_NOMEM. */
HT_MUST_CHECK ht_err smtp_compose(const struct smtp_mail *mail, struct ht_buf *out);

/* "<key@domain of from>", other letters of the key than RFC 5322's atext as =XX. */
void smtp_message_id(const char *key, const char *from, struct ht_buf *out);

#endif
