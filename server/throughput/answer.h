/* What the server answers to a question for a slot, as JSON (mqtt/PROTOCOL.md, section
 * 6): pure. */
#ifndef HT_SERVER_THROUGHPUT_ANSWER_H
#define HT_SERVER_THROUGHPUT_ANSWER_H

#include <stdint.h>

#include "base/err.h"

struct json_object;

struct answer {
	const char *request;          /* the question's id */
	const char *why;              /* NULL: granted */
	int64_t wait_s;               /* refused: worth asking again then; 0: not soon */
	int64_t slot, bytes, seconds; /* granted */
	const char *url, *token;      /* granted with a pass, else NULL */
	int64_t now_ms;               /* the server's clock */
};

/* NULL: no memory. The caller's to put. */
struct json_object *answer_json(const struct answer *a);

#endif
