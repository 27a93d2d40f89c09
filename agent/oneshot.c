#include "agent/oneshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/name.h"

static ht_err keep(struct oneshot *o, const struct ht_reading *r)
{
	if (o->n == ONESHOT_READINGS_MAX)
		return HT_FULL;
	if (o->n == o->cap) {
		size_t cap = o->cap ? o->cap * 2 : 32;
		void *grown = realloc(o->readings, cap * sizeof(*o->readings));
		if (!grown)
			return HT_NOMEM;
		o->readings = grown;
		o->cap = cap;
	}
	struct oneshot_reading *k = &o->readings[o->n];
	k->reading = *r;
	k->instance = o->texts.len;
	ht_buf_put(&o->texts, r->instance, strlen(r->instance) + 1);
	k->string = o->texts.len;
	if (ht_metric_info(r->metric)->kind == HT_STRING)
		ht_buf_put(&o->texts, r->string, strlen(r->string) + 1);
	ht_err err = ht_buf_err(&o->texts);
	if (!err)
		o->n++;
	return err;
}

static void emit(void *arg, const struct ht_reading *r)
{
	struct oneshot *o = arg;

	if (keep(o, r))
		o->dropped++;
}

static const void *recall(void *arg, const char *instance, size_t *out_len)
{
	struct oneshot *o = arg;

	if (o->memories)
		return o->memories->recall(o->memories->arg, instance, out_len);
	*out_len = 0;
	return "";
}

static ht_err remember(void *arg, const char *instance, const void *bytes, size_t len)
{
	struct oneshot *o = arg;

	if (o->memories)
		return o->memories->remember(o->memories->arg, instance, bytes, len);
	return HT_OK;
}

static ht_err keep_of(void *arg, const char *name, const void *bytes, size_t len)
{
	struct oneshot *o = arg;

	if (o->memories)
		return o->memories->keep(o->memories->arg, name, bytes, len);
	return HT_OK;
}

static void settle(struct oneshot *o)
{
	const char *texts = (const char *)o->texts.data;

	for (size_t i = 0; i < o->n; i++) {
		struct oneshot_reading *r = &o->readings[i];
		r->reading.instance = texts + r->instance;
		if (ht_metric_info(r->reading.metric)->kind == HT_STRING)
			r->reading.string = texts + r->string;
	}
}

static void closed(void *arg)
{
	struct oneshot *o = arg;

	o->runner = NULL;
	settle(o);
	if (o->done)
		o->done(o, o->arg);
}

static void ended(void *arg, const char *instance, bool ok)
{
	struct oneshot *o = arg;

	if (o->ended)
		return;
	o->ended = true;
	o->ok = ok;
	if (o->memories)
		o->memories->ended(o->memories->arg, instance, ok);
	runner_close_soon(o->runner, closed, o);
}

void oneshot_cancel(struct oneshot *o)
{
	if (o->ended)
		return;
	o->ended = true;
	runner_close(o->runner, closed, o);
}

ht_err oneshot_start(struct oneshot *o, uv_loop_t *loop, const struct runner_probe *probe,
    const struct probe_site *site, struct monitor *monitor, struct inquiries *inquiries,
    const struct runner_sink *memories, void (*done)(struct oneshot *o, void *arg),
    void *arg)
{
	*o = (struct oneshot){
		.probe = *probe, .memories = memories, .done = done, .arg = arg
	};
	ht_buf_init(&o->texts, 4 << 20);
	if (o->probe.timeout_ns == SCHEDULE_ENDLESS)
		o->probe.timeout_ns = ONESHOT_LISTEN_NS;
	o->probe.every_ns = 31 * INT64_C(86400) * HT_NS_PER_S; /* once */
	const struct runner_config config = { .agent = "",
		.probes = &o->probe,
		.n_probes = 1,
		.site = site,
		.monitor = monitor,
		.inquiries = inquiries };
	const struct runner_sink sink = { o, emit, recall, remember, keep_of, ended };
	ht_err err = runner_new(loop, &config, &sink, &o->runner);
	if (err)
		return err;
	runner_start(o->runner);
	return runner_soon(o->runner, o->probe.id);
}

ht_err oneshot_encode(const struct oneshot *o, enum senml_format format,
    const char *agent, struct ht_buf *out)
{
	struct senml_encoder *e = NULL;
	char base[HT_ID_MAX + 2], name[HT_NAME_MAX];
	bool absolute = ht_clock_synchronised();
	int64_t mono = ht_mono_ns();
	double wall = (double)ht_wall_ms() / HT_MS_PER_S;

	snprintf(base, sizeof(base), "%s/", agent);
	ht_err err = senml_encoder_new(format, base, &e);
	for (size_t i = 0; !err && i < o->n; i++) {
		const struct ht_reading *r = &o->readings[i].reading;
		const struct ht_metric_info *info = ht_metric_info(r->metric);
		double age = (double)(mono - r->at_ns) / HT_NS_PER_S;
		struct senml_record rec = { .name = name,
			.unit = info->unit,
			.kind = info->kind,
			.time_s = absolute ? wall - age : -age };
		if (info->kind == HT_NUMBER)
			rec.number = r->number;
		else if (info->kind == HT_COUNTER)
			rec.counter = r->counter;
		else if (info->kind == HT_BOOL)
			rec.boolean = r->boolean;
		else
			rec.string = r->string;
		err = ht_name_format(r->metric, r->instance, name, sizeof(name));
		if (!err)
			err = senml_encoder_put(e, &rec);
	}
	if (!err && o->n > 0)
		err = senml_encoder_end(e, out);
	senml_encoder_free(e);
	return err;
}

void oneshot_fini(struct oneshot *o)
{
	free(o->readings);
	ht_buf_fini(&o->texts);
	o->readings = NULL;
	o->n = 0;
}

void oneshot_value(const struct oneshot_reading *r, char *out, size_t cap)
{
	const struct ht_metric_info *info = ht_metric_info(r->reading.metric);

	switch (info->kind) {
	case HT_NUMBER:
		snprintf(out, cap, "%.6g", r->reading.number);
		break;
	case HT_COUNTER:
		snprintf(out, cap, "%" PRIu64, r->reading.counter);
		break;
	case HT_STRING:
		snprintf(out, cap, "%s", r->reading.string);
		break;
	case HT_BOOL:
		snprintf(out, cap, "%s", r->reading.boolean ? "yes" : "no");
		break;
	}
}
