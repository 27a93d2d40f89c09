/* Emitting one reading in one line, as of now. */
#ifndef HT_PROBES_LAN_TELL_H
#define HT_PROBES_LAN_TELL_H

#include "base/clock.h"
#include "probes/probe.h"

static inline void tell_string(const struct probe_host *host, enum ht_metric m,
    const char *instance, const char *value)
{
	struct ht_reading r = {
		.metric = m, .instance = instance, .at_ns = ht_mono_ns(), .string = value
	};

	host->emit(host, &r);
}

static inline void tell_number(
    const struct probe_host *host, enum ht_metric m, const char *instance, double value)
{
	struct ht_reading r = {
		.metric = m, .instance = instance, .at_ns = ht_mono_ns(), .number = value
	};

	host->emit(host, &r);
}

static inline void tell_bool(
    const struct probe_host *host, enum ht_metric m, const char *instance, bool value)
{
	struct ht_reading r = {
		.metric = m, .instance = instance, .at_ns = ht_mono_ns(), .boolean = value
	};

	host->emit(host, &r);
}

#endif
