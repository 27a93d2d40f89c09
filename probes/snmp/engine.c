#include "probes/snmp/engine.h"

#include <string.h>

#include "base/reader.h"

enum {
	BER_INTEGER = 0x02,
	BER_OCTETS = 0x04,
	BER_SEQUENCE = 0x30,
	PDU_REPORT = 0xa8,
	VERSION_3 = 3,
};

void engine_request_write(int32_t message_id, uint8_t out[static ENGINE_REQUEST_LEN])
{
	uint32_t m = (uint32_t)message_id;
	const uint8_t id[] = { (uint8_t)(m >> 24), (uint8_t)(m >> 16), (uint8_t)(m >> 8),
		(uint8_t)m };
	static const uint8_t request[ENGINE_REQUEST_LEN] = {
		0x30,
		62,
		2,
		1,
		3, /* version 3 */
		0x30,
		17,
		2,
		4,
		0,
		0,
		0,
		0, /* msgID, at 9 */
		2,
		3,
		0,
		0xff,
		0xe3, /* msgMaxSize 65507 */
		4,
		1,
		4, /* reportable, no security */
		2,
		1,
		3, /* user-based security */
		4,
		16,
		0x30,
		14,
		4,
		0,
		2,
		1,
		0,
		2,
		1,
		0, /* no engine, boots, time */
		4,
		0,
		4,
		0,
		4,
		0, /* no user, no keys */
		0x30,
		20,
		4,
		0,
		4,
		0, /* no context */
		0xa0,
		14,
		2,
		4,
		0,
		0,
		0,
		0, /* get, request-id at 52 */
		2,
		1,
		0,
		2,
		1,
		0,
		0x30,
		0,
	};

	memcpy(out, request, sizeof(request));
	memcpy(out + 9, id, sizeof(id));
	memcpy(out + 52, id, sizeof(id));
}

/* The content of the next element, which must have this tag; definite lengths of at most
 * two bytes are all that a datagram can need. */
static struct ht_reader element(struct ht_reader *r, uint8_t tag)
{
	uint8_t found = ht_reader_u8(r);
	size_t len = ht_reader_u8(r);

	if (len == 0x81)
		len = ht_reader_u8(r);
	else if (len == 0x82)
		len = ht_reader_u16(r);
	else if (len & 0x80)
		r->bad = true;
	if (found != tag)
		r->bad = true;
	return ht_reader_sub(r, len);
}

static int64_t integer(struct ht_reader *r)
{
	struct ht_reader v = element(r, BER_INTEGER);
	size_t len = ht_reader_left(&v);

	if (len == 0 || len > 5) {
		r->bad = true;
		return 0;
	}
	int64_t n = (int8_t)ht_reader_u8(&v);

	while (ht_reader_left(&v))
		n = n * 256 + ht_reader_u8(&v);
	return n;
}

ht_err engine_report_parse(
    const void *bytes, size_t len, int32_t message_id, struct engine_id *out)
{
	struct ht_reader all = ht_reader_of(bytes, len);
	struct ht_reader message = element(&all, BER_SEQUENCE);
	int64_t version = integer(&message);
	struct ht_reader header = element(&message, BER_SEQUENCE);
	int64_t id = integer(&header);
	struct ht_reader security = element(&message, BER_OCTETS);
	struct ht_reader usm = element(&security, BER_SEQUENCE);
	struct ht_reader engine = element(&usm, BER_OCTETS);
	struct ht_reader scoped = element(&message, BER_SEQUENCE);

	(void)element(&scoped, BER_OCTETS); /* context engine */
	(void)element(&scoped, BER_OCTETS); /* context name */
	uint8_t pdu = ht_reader_u8(&scoped);
	size_t engine_len = ht_reader_left(&engine);

	if (all.bad || message.bad || header.bad || security.bad || usm.bad ||
	    scoped.bad || version != VERSION_3 || engine_len < ENGINE_ID_MIN ||
	    engine_len > ENGINE_ID_MAX)
		return HT_MALFORMED;
	if (pdu != PDU_REPORT)
		return HT_UNSUPPORTED;
	if (id != message_id)
		return HT_CONFLICT;
	struct engine_id e = { .len = engine_len };

	memcpy(e.at, engine.at, engine_len);
	*out = e;
	return HT_OK;
}
