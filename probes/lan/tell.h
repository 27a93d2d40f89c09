/* Emitting one reading in one line. What belongs together (one sighting, one scan, one
 * check) gets the same time: the server reads such readings as one. */
#ifndef HT_PROBES_LAN_TELL_H
#define HT_PROBES_LAN_TELL_H

#include "base/clock.h"
#include "probes/probe.h"

struct teller {
	const struct probe_host *host;
	const char *instance; /* borrowed */
	int64_t at_ns;
};

static inline struct teller teller_now(
    const struct probe_host *host, const char *instance)
{
	return (
	    struct teller){ .host = host, .instance = instance, .at_ns = ht_mono_ns() };
}

static inline void tell_string(
    const struct teller *t, enum ht_metric m, const char *value)
{
	struct ht_reading r = {
		.metric = m, .instance = t->instance, .at_ns = t->at_ns, .string = value
	};

	t->host->emit(t->host, &r);
}

static inline void tell_number(const struct teller *t, enum ht_metric m, double value)
{
	struct ht_reading r = {
		.metric = m, .instance = t->instance, .at_ns = t->at_ns, .number = value
	};

	t->host->emit(t->host, &r);
}

static inline void tell_bool(const struct teller *t, enum ht_metric m, bool value)
{
	struct ht_reading r = {
		.metric = m, .instance = t->instance, .at_ns = t->at_ns, .boolean = value
	};

	t->host->emit(t->host, &r);
}

#endif
