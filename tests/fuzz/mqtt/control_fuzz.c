#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what)               \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

/* decode → encode → decode → encode: the two encodings are the same. */
#define ROUND(type)                                                               \
	static void type##_round(                                                 \
	    const uint8_t *data, size_t size, struct ht_buf *a, struct ht_buf *b) \
	{                                                                         \
		struct control_##type x = { 0 }, y = { 0 };                       \
                                                                                  \
		if (control_##type##_decode(data, size, &x))                      \
			return;                                                   \
		MUST(control_##type##_encode(&x, a) == HT_OK);                    \
		MUST(control_##type##_decode(a->data, a->len, &y) == HT_OK);      \
		MUST(control_##type##_encode(&y, b) == HT_OK);                    \
		MUST(a->len == b->len && memcmp(a->data, b->data, a->len) == 0);  \
		type##_end(&x);                                                   \
		type##_end(&y);                                                   \
	}

static void presence_end(struct control_presence *p)
{
	(void)p;
}
static void ack_end(struct control_ack *a)
{
	control_ack_fini(a);
}
static void cmd_end(struct control_cmd *c)
{
	control_cmd_fini(c);
}
static void reply_end(struct control_reply *r)
{
	control_reply_fini(r);
}

ROUND(presence)
ROUND(ack)
ROUND(cmd)
ROUND(reply)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const rounds[])(
	    const uint8_t *, size_t, struct ht_buf *, struct ht_buf *) = {
		presence_round,
		ack_round,
		cmd_round,
		reply_round,
	};

	for (size_t i = 0; i < HT_COUNT(rounds); i++) {
		struct ht_buf a, b;

		/* A text can grow sixfold when it is escaped. */
		ht_buf_init(&a, 8 * CONTROL_MESSAGE_MAX);
		ht_buf_init(&b, 8 * CONTROL_MESSAGE_MAX);
		rounds[i](data, size, &a, &b);
		ht_buf_fini(&a);
		ht_buf_fini(&b);
	}
	return 0;
}
