/* Bodies of edits: the first byte chooses the verb. What is accepted can be written
 * again, and reads the same. */
#include <assert.h>
#include <string.h>

#include "server/registry/verb.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct verb_parsed parsed, again;
	struct ht_buf text;

	if (len == 0)
		return 0;
	enum verb_id verb = bytes[0] % VERB_COUNT;
	if (verb_decode(verb, bytes + 1, len - 1, &parsed, NULL))
		return 0;
	ht_buf_init(&text, 4 * VERB_PAYLOAD_MAX);
	int64_t from = parsed.effective_ms == VERB_UNSET ? 0 : parsed.effective_ms;
	assert(verb_encode(verb, &parsed.data, from, &text) == HT_OK);
	if (text.len <= VERB_PAYLOAD_MAX) {
		assert(verb_decode(verb, ht_buf_text(&text), text.len, &again, NULL) ==
		       HT_OK);
		assert(again.effective_ms == from);
		verb_parsed_fini(&again);
	}
	ht_buf_fini(&text);
	verb_parsed_fini(&parsed);
	return 0;
}
