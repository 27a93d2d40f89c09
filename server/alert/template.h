/* Small pure templates of messages. Nothing but substitution: no code, no files, no way
 * to a secret.
 *
 *     {{title_vi}}          a field, escaped for the content type
 *     {{title_vi:140}}      at most 140 letters of it, then "…"
 *     {{param.chat}}        a parameter of the channel
 *     {{#affected}}…{{/affected}}     once for each (there id, name, since, first
 *                           are fields too, fingerprint is the item's); {{#affected:20}}:
 * at most 20
 *     {{#closed}}…{{/closed}}         when it is there and not empty, 0 or false
 *     {{^closed}}…{{/closed}}         when not
 *
 * The fields are message_fields (message.h). In JSON a number that is unknown is null;
 * elsewhere what is unknown is empty. */
#ifndef HT_SERVER_ALERT_TEMPLATE_H
#define HT_SERVER_ALERT_TEMPLATE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "server/alert/channel.h"
#include "server/alert/message.h"

#define TEMPLATE_TEXT_MAX   (32 * 1024)  /* bytes of a template */
#define TEMPLATE_OUTPUT_MAX (256 * 1024) /* bytes it may become */
#define TEMPLATE_DEPTH_MAX  6

enum template_escape {
	TEMPLATE_PLAIN, /* as it is, without control bytes but newline and tab */
	TEMPLATE_LINE,  /* one line: every control byte becomes a space */
	TEMPLATE_JSON,  /* inside the quotes of a JSON text */
	TEMPLATE_HTML,
	TEMPLATE_URL, /* RFC 3986 percent-encoding of everything but unreserved */
};

/* Of a Content-Type as written. */
enum template_escape template_escape_of(const char *content_type);

struct template;

/* HT_CONFIG with a fault "line L, column C: what, and the cure"; an unknown field and a
 * parameter that is not in `params` are refused. Copies what it needs. */
HT_MUST_CHECK ht_err template_parse(const char *text, size_t len,
    enum template_escape escape, const struct channel_pair *params, size_t n_params,
    struct template **out, struct ht_fault *fault);
void template_free(struct template *t); /* accepts NULL */

/* Append to `out`. HT_TOOLARGE when more than TEMPLATE_OUTPUT_MAX or than `out` may hold;
 * HT_NOMEM. */
HT_MUST_CHECK ht_err template_render(
    const struct template *t, const struct message *m, struct ht_buf *out);

#endif
