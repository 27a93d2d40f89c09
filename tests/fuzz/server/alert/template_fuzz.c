/* First half template, second half facts, split at the first NUL: what parses renders
 * within its bounds, and JSON stays inside its quotes. */
#include <assert.h>
#include <string.h>

#include "server/alert/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct channel channel = { .id = (char *)"c" };
	const uint8_t *cut = len ? memchr(bytes, 0, len) : NULL;
	size_t text_len = cut ? (size_t)(cut - bytes) : len;
	const char *facts = cut ? (const char *)cut + 1 : "{}";
	struct message_row row = { "k", "i", "announce", facts,
		cut ? len - text_len - 1 : 2, 0 };
	struct ht_fault fault = { 0 };
	struct message m;

	if (message_init(&m, &row, &channel, "https://x"))
		return 0;
	for (int escape = TEMPLATE_PLAIN; escape <= TEMPLATE_URL; escape++) {
		struct template *t = NULL;
		struct ht_buf b;

		if (template_parse((const char *)bytes, text_len,
			(enum template_escape)escape, NULL, 0, &t, &fault)) {
			assert(fault.text[0]);
			break;
		}
		ht_buf_init(&b, 1 << 20);
		ht_err err = template_render(t, &m, &b);
		assert(err == HT_OK || err == HT_TOOLARGE);
		ht_buf_fini(&b);
		template_free(t);
	}
	message_fini(&m);
	return 0;
}
