/* Errors of operations. A measurement that finds a host down has succeeded: its
 * outcome is data (struct ht_reading), never one of these. Zero is success; every
 * function returning ht_err must have its result checked.
 *
 * Where a person must read the cause (configuration, start-up) a function takes a
 * final struct ht_fault *: one sentence that names the place and the cure. */
#ifndef HT_BASE_ERR_H
#define HT_BASE_ERR_H

#include <stddef.h>

#define HT_MUST_CHECK   __attribute__((warn_unused_result))
#define HT_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define HT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Exit codes of every program. */
enum { HT_EXIT_OK = 0, HT_EXIT_FAILURE = 1, HT_EXIT_USAGE = 2, HT_EXIT_CONFIG = 78 };

enum ht_err {
	HT_OK = 0,
	HT_NOMEM = -1,        /* out of memory */
	HT_INVALID = -2,      /* an argument is not allowed */
	HT_RANGE = -3,        /* a value is outside its range */
	HT_FULL = -4,         /* a bounded container is full */
	HT_IO = -5,           /* the operating system refused; errno tells */
	HT_NOTFOUND = -6,     /* no such thing */
	HT_EXISTS = -7,       /* it is there already */
	HT_CONFLICT = -8,     /* same key, other content */
	HT_MALFORMED = -9,    /* bytes that do not follow their format */
	HT_TOOLARGE = -10,    /* more bytes than the format or we allow */
	HT_UNSUPPORTED = -11, /* well formed, but of a kind we do not know */
	HT_DENIED = -12,      /* not permitted */
	HT_TIMEOUT = -13,     /* deadline passed */
	HT_AGAIN = -14,       /* not now: try later */
	HT_CLOSED = -15,      /* the other side, or we, have closed */
	HT_CORRUPT = -16,     /* stored data failed its check */
	HT_CONFIG = -17,      /* configuration error; the fault tells where */
};
typedef enum ht_err ht_err;

struct ht_fault {
	int err_no;     /* errno at the time, or 0 */
	char text[512]; /* one sentence, no newline; "" when unset */
};

/* Name of an error as a word for logs and JSON, e.g. "malformed". Never NULL. */
const char *ht_err_name(ht_err err);

/* Fill `fault` (may be NULL) with a sentence and return `err`, so that
 *     return ht_fault_set(fault, HT_CONFIG, "…");
 * is one line. Keeps errno in fault->err_no. */
ht_err ht_fault_set(struct ht_fault *fault, ht_err err, const char *fmt, ...)
    HT_PRINTF(3, 4);

/* Map errno to the nearest ht_err (ENOENT is HT_NOTFOUND, ENOSPC is HT_FULL …). */
ht_err ht_err_errno(int err_no);

#endif
