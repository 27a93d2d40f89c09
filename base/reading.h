/* A reading: one metric of one instance at one moment, as a probe emits it. A
 * measurement that failed is a reading too (its status says so): never an error code,
 * never a zero. Plain value; strings are borrowed from the emitter until emit returns. */
#ifndef HT_BASE_READING_H
#define HT_BASE_READING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metric.h"

#define HT_INSTANCE_MAX 96   /* bytes of an instance id */
#define HT_STRING_MAX   8192 /* bytes of a string value */

struct ht_reading {
	enum ht_metric metric;
	const char *instance; /* [A-Za-z0-9._:-]{1,96} */
	int64_t at_ns;        /* ht_mono_ns() clock */
	bool urgent; /* goes to the server at once, with all that was emitted before */
	union {
		double number;      /* HT_NUMBER; finite */
		uint64_t counter;   /* HT_COUNTER */
		const char *string; /* HT_STRING; UTF-8, at most HT_STRING_MAX bytes */
		bool boolean;       /* HT_BOOL */
	};
};

#endif
