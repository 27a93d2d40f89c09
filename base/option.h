/* Options as data. One const table a program (or probe, or topology) gives each key's
 * type, unit, range, default and help; it drives reading, checking, --help, the
 * documentation and the nearest-key hint. Values land in a plain struct.
 *
 *     struct icmp_options { int64_t count; int64_t spacing_ns; char *target; };
 *     #define OPT(f) offsetof(struct icmp_options, f)
 *     static const struct ht_option rows[] = {
 *         { "target",  HT_OPT_STRING,   OPT(target), .required = true, .help = "…" },
 *         { "count",   HT_OPT_INT,      OPT(count), .min = 1, .max = 100, .def = "5",
 * .help = "…" }, { "spacing", HT_OPT_DURATION, OPT(spacing_ns), .min = 10 * HT_NS_PER_MS,
 *           .max = 10 * HT_NS_PER_S, .def = "200ms", .help = "…" },
 *     };
 *     const struct ht_options icmp_options = HT_OPTIONS(struct icmp_options, rows); */
#ifndef HT_BASE_OPTION_H
#define HT_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/yaml.h"

enum ht_option_type {
	HT_OPT_BOOL,     /* bool: yes/no, true/false, on/off */
	HT_OPT_INT,      /* int64_t: decimal only, so 010 is an error */
	HT_OPT_NUMBER,   /* double; finite; min and max apply */
	HT_OPT_DURATION, /* int64_t ns: 200ms, 30s, 5m, 1h, 7d; a unit is required */
	HT_OPT_BYTES,    /* int64_t bytes: 512, 64K, 10M, 2G (powers of 1024) */
	HT_OPT_RATE,     /* int64_t bit/s: 9600, 64k, 10M, 1G (powers of 1000) */
	HT_OPT_STRING,   /* char *, malloc'ed; NULL when absent without default */
	HT_OPT_ENUM,     /* int: index into names[] */
	HT_OPT_STRINGS,  /* struct ht_strings: a list of scalars, or one scalar */
	HT_OPT_SECTION,  /* a struct in place, described by `sub` */
	HT_OPT_LIST,     /* struct ht_list of structs described by `sub` */
	HT_OPT_NODE, /* struct ht_node *, borrowed from the tree, unchecked; or NULL */
};

struct ht_strings {
	char **at;
	size_t n;
};

struct ht_list {
	void *at;               /* n structs of sub->size bytes, contiguous */
	struct ht_node **nodes; /* each item's node, borrowed, for later faults */
	size_t n;
};

struct ht_options;

struct ht_option {
	const char *key;
	enum ht_option_type type;
	size_t offset;    /* where the value lands in the struct */
	int64_t min, max; /* range in the base unit; both 0 means none. For
			   * HT_OPT_STRING: length; for lists: item count */
	const char *def;  /* default as it would be written; NULL: none */
	bool required;
	bool secret;                  /* never printed; takes only a file name */
	bool file;                    /* names a file, or a folder, of this machine */
	const char *const *names;     /* HT_OPT_ENUM: NULL-terminated */
	const struct ht_options *sub; /* HT_OPT_SECTION, HT_OPT_LIST */
	const char *help;             /* one line */
};

struct ht_options {
	const struct ht_option *rows;
	size_t n;
	size_t size; /* bytes of the struct they fill */
};

#define HT_OPTIONS(type, rows_)                        \
	{                                              \
		(rows_), HT_COUNT(rows_), sizeof(type) \
	}

/* Fill `out` (options->size bytes; its content is overwritten) from a map, or from
 * nothing when `map` is NULL or HT_NODE_NULL: then defaults apply. Keys that only `also`
 * (may be NULL) knows are passed over: a map can be read by two tables. On HT_CONFIG the
 * fault reads "file:line:column: what, and the cure", with the nearest key for an
 * unknown one, and `out` is zeroed. Free with ht_options_fini. */
HT_MUST_CHECK ht_err ht_options_load(const struct ht_options *options,
    const struct ht_options *also, const struct ht_node *map, void *out,
    struct ht_fault *fault);

/* Free what load allocated; accepts a zeroed struct. */
void ht_options_fini(const struct ht_options *options, void *out);

/* Set one option from text ("count", "20"), as `--set count=20` does. The fault names
 * the key. The struct must have been loaded. Not for sections, lists and nodes. */
HT_MUST_CHECK ht_err ht_options_set(const struct ht_options *options, void *out,
    const char *key, const char *text, struct ht_fault *fault);

/* Print the table for people, indented: key, type with unit and range, default, help. */
void ht_options_print(const struct ht_options *options, FILE *to);

/* Parse one text by type, as load does: for command lines. HT_RANGE or HT_MALFORMED. */
HT_MUST_CHECK ht_err ht_duration_parse(const char *text, int64_t *out_ns);
HT_MUST_CHECK ht_err ht_int_parse(const char *text, int64_t *out);
HT_MUST_CHECK ht_err ht_bytes_parse(const char *text, int64_t *out);
HT_MUST_CHECK ht_err ht_rate_parse(const char *text, int64_t *out_bit_s);

/* The nearest of the table's keys within two edits, or NULL. */
const char *ht_options_nearest(const struct ht_options *options, const char *key);

#endif
