#include "mqtt/props.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	SEQ_DIGITS_MAX = 19,
	SECONDS_DIGITS_MAX = 10,
	FRACTION_DIGITS_MAX = 9,
	TEXT_MAX = 40
};

/* int64 nanoseconds end at 9.22e9 seconds. */
#define SECONDS_MAX INT64_C(9000000000)

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool lower_hex(char c)
{
	return digit(c) || (c >= 'a' && c <= 'f');
}

static bool read_hex(const char *text, char out[static PROPS_HEX_LEN + 1])
{
	if (strlen(text) != PROPS_HEX_LEN)
		return false;
	for (size_t i = 0; i < PROPS_HEX_LEN; i++) {
		if (!lower_hex(text[i]))
			return false;
	}
	memcpy(out, text, PROPS_HEX_LEN + 1);
	return true;
}

static bool read_uuid(const char *text, char out[static HT_BOOT_ID_LEN + 1])
{
	if (strlen(text) != HT_BOOT_ID_LEN)
		return false;
	for (size_t i = 0; i < HT_BOOT_ID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !lower_hex(text[i]))
			return false;
	}
	memcpy(out, text, HT_BOOT_ID_LEN + 1);
	return true;
}

/* Digits without leading zeros; stops behind the last one. NULL when there are none or
 * more than `max`, which is at most 19: they fit in 64 bits then. */
static const char *read_digits(const char *at, size_t max, uint64_t *out)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; digit(at[n]) && n <= max; n++)
		v = v * 10 + (uint64_t)(at[n] - '0');
	if (n == 0 || n > max || (n > 1 && at[0] == '0'))
		return NULL;
	*out = v;
	return at + n;
}

static bool read_seq(const char *text, int64_t *out)
{
	uint64_t v;
	const char *end = read_digits(text, SEQ_DIGITS_MAX, &v);

	if (!end || *end || v == 0 || v > INT64_MAX)
		return false;
	*out = (int64_t)v;
	return true;
}

/* "12345.678": seconds, exact to the nanosecond. */
static bool read_seconds(const char *text, int64_t *out_ns)
{
	int64_t unit = HT_NS_PER_S, ns = 0;
	uint64_t s;
	const char *at = read_digits(text, SECONDS_DIGITS_MAX, &s);

	if (!at || s > SECONDS_MAX)
		return false;
	if (*at == '.') {
		size_t n = 0;

		for (at++; digit(*at) && n < FRACTION_DIGITS_MAX; at++, n++) {
			unit /= 10;
			ns += (*at - '0') * unit;
		}
		if (n == 0)
			return false;
	}
	if (*at)
		return false;
	*out_ns = (int64_t)s * HT_NS_PER_S + ns;
	return true;
}

static bool read_epoch(struct props *p, const char *v)
{
	return read_hex(v, p->epoch);
}
static bool read_sequence(struct props *p, const char *v)
{
	return read_seq(v, &p->seq);
}
static bool read_boot(struct props *p, const char *v)
{
	return read_uuid(v, p->boot);
}
static bool read_session(struct props *p, const char *v)
{
	return read_hex(v, p->session);
}
static bool read_mono(struct props *p, const char *v)
{
	return read_seconds(v, &p->mono_ns);
}
static bool read_sent(struct props *p, const char *v)
{
	return read_seconds(v, &p->sent_mono_ns);
}

/* Shortest text with at least milliseconds. */
static void write_seconds(int64_t ns, char out[static TEXT_MAX])
{
	int n = snprintf(
	    out, TEXT_MAX, "%" PRId64 ".%09" PRId64, ns / HT_NS_PER_S, ns % HT_NS_PER_S);

	for (int least = n - 6; n > least && out[n - 1] == '0'; n--)
		out[n - 1] = '\0';
}

static void write_epoch(const struct props *p, char *out)
{
	memcpy(out, p->epoch, sizeof(p->epoch));
}
static void write_seq(const struct props *p, char *out)
{
	snprintf(out, TEXT_MAX, "%" PRId64, p->seq);
}
static void write_boot(const struct props *p, char *out)
{
	memcpy(out, p->boot, sizeof(p->boot));
}
static void write_session(const struct props *p, char *out)
{
	memcpy(out, p->session, sizeof(p->session));
}
static void write_mono(const struct props *p, char *out)
{
	write_seconds(p->mono_ns, out);
}
static void write_sent(const struct props *p, char *out)
{
	write_seconds(p->sent_mono_ns, out);
}

static const struct {
	unsigned bit;
	const char *name;
	bool (*read)(struct props *p, const char *value);
	void (*write)(const struct props *p, char *out);
} rows[] = {
	{ PROPS_EPOCH, "epoch", read_epoch, write_epoch },
	{ PROPS_SEQ, "seq", read_sequence, write_seq },
	{ PROPS_BOOT, "boot", read_boot, write_boot },
	{ PROPS_SESSION, "session", read_session, write_session },
	{ PROPS_MONO, "mono", read_mono, write_mono },
	{ PROPS_SENT_MONO, "sent_mono", read_sent, write_sent },
};

ht_err props_set(struct props *p, const char *name, const char *value)
{
	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		if (strcmp(rows[i].name, name) != 0)
			continue;
		/* MQTT lets a name come twice; which one would be meant? */
		if ((p->has & rows[i].bit) || !rows[i].read(p, value))
			return HT_MALFORMED;
		p->has |= rows[i].bit;
	}
	return HT_OK;
}

void props_each(const struct props *p,
    void (*put)(void *arg, const char *name, const char *value), void *arg)
{
	char text[TEXT_MAX];

	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		if (!(p->has & rows[i].bit))
			continue;
		rows[i].write(p, text);
		put(arg, rows[i].name, text);
	}
}
