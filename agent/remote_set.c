#include "agent/remote_set.h"

#include <string.h>

/* ── what the table says ──────────────────────────────────────────────────────────── */

static bool ends_in_file(const char *key)
{
	static const char end[] = "_file";
	size_t len = strlen(key), n = sizeof(end) - 1;

	return len > n && strcmp(key + len - n, end) == 0;
}

/* By its flag, or by its name as all such options have it. */
static bool is_secret(const struct ht_option *row)
{
	return row->secret || (!row->file && ends_in_file(row->key));
}

static bool holds_secret(const struct ht_options *table, const void *values);

static bool row_holds_secret(const struct ht_option *row, const void *at)
{
	const struct ht_list *list = at;

	if (row->type == HT_OPT_STRING)
		return is_secret(row) && *(char *const *)at;
	if (row->type == HT_OPT_SECTION)
		return holds_secret(row->sub, at);
	if (row->type != HT_OPT_LIST)
		return false;
	for (size_t i = 0; i < list->n; i++) {
		if (holds_secret(row->sub, (const char *)list->at + i * row->sub->size))
			return true;
	}
	return false;
}

static bool holds_secret(const struct ht_options *table, const void *values)
{
	for (size_t i = 0; table && i < table->n; i++) {
		const struct ht_option *row = &table->rows[i];

		if (row_holds_secret(row, (const char *)values + row->offset))
			return true;
	}
	return false;
}

static const struct ht_option *row_of(const struct ht_options *table, const char *key)
{
	for (size_t i = 0; table && i < table->n; i++) {
		if (strcmp(table->rows[i].key, key) == 0)
			return &table->rows[i];
	}
	return NULL;
}

/* ── the rules ────────────────────────────────────────────────────────────────────── */

/* Options become lines of YAML: one must stay one. */
static bool is_one_line(const struct control_pair *p)
{
	static const char key[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

	for (const char *c = p->value; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	}
	/* U+0085, U+2028 and U+2029 break lines for YAML too */
	return strspn(p->key, key) == strlen(p->key) && !strstr(p->value, "\xc2\x85") &&
	       !strstr(p->value, "\xe2\x80\xa8") && !strstr(p->value, "\xe2\x80\xa9");
}

static bool is_compound(const struct ht_option *row)
{
	return row->type == HT_OPT_SECTION || row->type == HT_OPT_LIST ||
	       row->type == HT_OPT_NODE;
}

/* Neither where it goes nor what is said there. */
static bool is_harmless(const struct ht_option *row)
{
	switch (row->type) {
	case HT_OPT_INT:
		return strcmp(row->key, "port") != 0;
	case HT_OPT_NUMBER:
	case HT_OPT_DURATION:
	case HT_OPT_BYTES:
	case HT_OPT_RATE:
		return true;
	default:
		return false;
	}
}

static ht_err check_row(const struct ht_option *row, bool secret, struct ht_fault *fault)
{
	if (row->file || is_secret(row))
		return ht_fault_set(fault, HT_DENIED,
		    "%s: names a file of this machine: only its own configuration may",
		    row->key);
	if (is_compound(row))
		return ht_fault_set(fault, HT_DENIED,
		    "%s: lists and maps are for the configuration, not for a command",
		    row->key);
	if (secret && !is_harmless(row))
		return ht_fault_set(fault, HT_DENIED,
		    "%s: this probe holds a secret: a command may set numbers and times "
		    "of it, not where it goes or what it says",
		    row->key);
	return HT_OK;
}

ht_err remote_set_check(const struct options *o, const char *name,
    const struct control_pair *set, size_t n, struct ht_fault *fault)
{
	const struct runner_probe *p = options_configured(o, name);
	const struct probe_ops *ops = p ? p->ops : probe_find(name);
	bool secret = p && holds_secret(ops->options, p->options);
	ht_err err = HT_OK;

	for (size_t i = 0; ops && !err && i < n; i++) {
		const struct ht_option *row = row_of(ops->options, set[i].key);

		if (!is_one_line(&set[i]))
			err = ht_fault_set(fault, HT_DENIED,
			    "%.63s: a key is of small letters, a value is one line",
			    set[i].key);
		else if (row)
			err = check_row(row, secret, fault);
	}
	return err;
}
