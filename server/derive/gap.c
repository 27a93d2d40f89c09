#include "server/derive/gap.h"

#include <stdbool.h>
#include <string.h>

#include "server/derive/folds.h"
#include "server/derive/sql.h"

static bool take_epoch(const char **at, char out[static PROPS_HEX_LEN + 1])
{
	size_t n = strspn(*at, "0123456789abcdef");

	if (n != PROPS_HEX_LEN)
		return false;
	memcpy(out, *at, n);
	out[n] = '\0';
	*at += n;
	return true;
}

static bool take_byte(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

static bool take_seq(const char **at, int64_t *out)
{
	int64_t v = 0;

	if (**at < '1' || **at > '9')
		return false;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		int digit = **at - '0';

		if (v > (INT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

static bool take_reason(const char *at, char out[static GAP_REASON_MAX + 1])
{
	size_t len = strnlen(at, GAP_REASON_MAX + 1);

	if (len == 0 || len > GAP_REASON_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)at[i] < ' ' || at[i] == 0x7f)
			return false;
	}
	memcpy(out, at, len + 1);
	return true;
}

ht_err gap_parse(const char *text, struct gap *out)
{
	const char *at = text;
	struct gap g;

	if (!take_epoch(&at, g.epoch) || !take_byte(&at, ':') ||
	    !take_seq(&at, &g.first_seq) || !take_byte(&at, '-') ||
	    !take_seq(&at, &g.last_seq) || !take_byte(&at, ' ') ||
	    !take_reason(at, g.reason) || g.first_seq > g.last_seq)
		return HT_MALFORMED;
	*out = g;
	return HT_OK;
}

static ht_err apply(struct db *db, const struct fold_input *in)
{
	ht_err err = HT_OK;

	for (size_t i = 0; i < in->n_records && !err; i++) {
		const struct fold_record *rec = &in->records[i];
		struct gap g;

		if (!rec->known || rec->metric != HT_M_AGENT_GAP ||
		    gap_parse(rec->senml->string, &g))
			continue; /* latest shows what it said */
		err = db_exec(db, &derive_sql, DERIVE_GAP_PUT, "ssiisii", in->row->agent,
		    g.epoch, g.first_seq, g.last_seq, g.reason, rec->at_ms, in->row->id);
	}
	return err;
}

static ht_err reset(struct db *db)
{
	return db_exec(db, &derive_sql, DERIVE_GAP_RESET, "");
}

const struct fold fold_gap = {
	.name = "gap",
	.version = 1,
	.sources = 1 << JOURNAL_AGENT,
	.apply = apply,
	.reset = reset,
	.bulk = true,
};
