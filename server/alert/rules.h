/* Alert rules: YAML, read strictly: what is told, how bad it is, when, to whom, and
 * what belongs together. The first rule that matches a problem has it; a problem that
 * none matches is recorded, and nobody is told.
 *
 * A struct rules is immutable once loaded, so any thread may read one that it holds.
 * rules_use() names the one in force for the process, rules_use_here() another for the
 * calling thread (a replay). */
#ifndef HT_SERVER_ALERT_RULES_H
#define HT_SERVER_ALERT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"

#define RULES_MAX          64
#define RULES_ID_MAX       40
#define RULES_CHANNELS_MAX 64
#define RULES_HASH_HEX     64
#define RULES_SHIPPED      "alert/rules/default.yaml" /* below share_dir */

enum rules_severity { RULES_INFO, RULES_WARNING, RULES_CRITICAL };
enum rules_group_by { RULES_BY_PARENT, RULES_BY_PROVIDER, RULES_BY_DISTRICT };

/* A channel as the channels file has it. */
struct rules_channel {
	const char *name;
	bool can_edit; /* a later message can replace an earlier one */
};

/* Channels by their place in rules.channels. */
struct rules_route {
	uint8_t at[RULES_CHANNELS_MAX];
	size_t n;
};

/* Office hours: days and time of day in the file's zone. */
struct rules_hours {
	char *id;
	unsigned days;        /* bit 0: Monday … bit 6: Sunday */
	int64_t from_s, to_s; /* since midnight; from < to */
	struct ht_strings day_names, except_names;
	char *from_text, *to_text;
	int32_t *except; /* days since 1970-01-01, sorted; n as except_names */
};

struct rules_group {
	int by;            /* enum rules_group_by */
	int64_t window_ns; /* they began within so much */
	int64_t members;   /* so many at least */
	int64_t share;     /* and so many per cent of its links */
};

struct rules_step {
	int64_t after_ns; /* since the announcement or the step before */
	struct ht_strings route_names;
	struct rules_route route;
};

struct rules_match {
	struct ht_strings agencies; /* they, and those below them */
	struct ht_strings districts, providers, roles, link_kinds;
};

struct rules_limit {
	int64_t messages; /* announcements; 0: no limit */
	int64_t per_ns;
};

struct rules_rule {
	char *id;
	struct ht_strings kinds;
	int severity; /* enum rules_severity */
	int64_t hold_ns;
	int64_t gather_ns; /* wait so long when others of its group began just now */
	int64_t update_ns, digest_ns;
	char *hours_id;
	const struct rules_hours *hours; /* NULL: always */
	struct rules_match match;
	struct ht_list groups; /* of struct rules_group */
	struct ht_strings route_names;
	struct rules_route route;
	struct ht_list steps; /* of struct rules_step */
	int64_t repeat_ns;    /* 0: never */
	struct rules_limit limit;
};

struct rules {
	char *file;                                        /* as it was named */
	char hash[RULES_HASH_HEX + 1];                     /* SHA-256 of its bytes */
	int64_t zone_s;                                    /* east of UTC */
	struct ht_list hours;                              /* of struct rules_hours */
	struct ht_list rules;                              /* of struct rules_rule */
	struct rules_channel channels[RULES_CHANNELS_MAX]; /* names are owned */
	size_t n_channels;
	void *priv;
};

/* Read a file, or bytes under the name `file`. Routes are held against `channels`.
 * HT_CONFIG: the fault reads "file:line:column: what, and the cure". */
HT_MUST_CHECK ht_err rules_load(const char *file, const struct rules_channel *channels,
    size_t n, struct rules **out, struct ht_fault *fault);
HT_MUST_CHECK ht_err rules_parse(const char *file, const void *bytes, size_t len,
    const struct rules_channel *channels, size_t n, struct rules **out,
    struct ht_fault *fault);
void rules_free(struct rules *r); /* accepts NULL */

/* The rules of a server: `file`, or, when it is NULL, those that are shipped; routes held
 * against the channels file. */
struct channels;
HT_MUST_CHECK ht_err rules_open(const char *file, const struct channels *channels,
    struct rules **out, struct ht_fault *fault);
/* The same from bytes, under the name `file`. */
HT_MUST_CHECK ht_err rules_read(const char *file, const void *bytes, size_t len,
    const struct channels *channels, struct rules **out, struct ht_fault *fault);

/* What a rule's `match` looks at; NULL: unknown, which no list holds. */
struct rules_subject {
	const char *kind;
	const char *const *agencies; /* the agency and those above it */
	size_t n_agencies;
	const char *district, *provider, *role, *link_kind;
};

/* The first rule that matches, or NULL. */
const struct rules_rule *rules_find(
    const struct rules *r, const struct rules_subject *subject);
const struct rules_rule *rules_by_id(const struct rules *r, const char *id);
/* HT_NOTFOUND as -1. */
int rules_channel_index(const struct rules *r, const char *name);

/* The first moment at or after `at_ms` within the rule's hours. */
int64_t rules_next_open_ms(
    const struct rules *r, const struct rules_rule *rule, int64_t at_ms);

const char *rules_severity_name(enum rules_severity s);

/* The rules in force. NULL: none, then nothing is told. Swap them on the writer thread,
 * which folds with them; the ones before may be freed once it returned. */
void rules_use(const struct rules *r);
void rules_use_here(const struct rules *r); /* this thread alone; NULL: the process's */
const struct rules *rules_in_force(void);

#endif
