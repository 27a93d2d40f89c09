#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/store/writer.h"
#include "server/web/api.h"
#include "server/web/context.h"
#include "server/web/openapi.h"
#include "server/web/sql.h"

/* ── Prometheus text format 0.0.4 ── */

static void metric_head(
    struct ht_buf *b, const char *name, const char *type, const char *help)
{
	ht_buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value with \ " and newline escaped; `more`: another label came before. */
static void metric_label(struct ht_buf *b, bool more, const char *name, const char *value)
{
	ht_buf_printf(b, "%s%s=\"", more ? "," : "{", name);
	for (const char *p = value ? value : ""; *p; p++) {
		if (*p == '\\' || *p == '"')
			ht_buf_put(b, "\\", 1);
		if (*p == '\n')
			ht_buf_puts(b, "\\n");
		else
			ht_buf_put(b, p, 1);
	}
	ht_buf_put(b, "\"", 1);
}

struct metric_family {
	const char *name, *help;
	int column; /* of the value; NULL there: no line */
	double scale;
};

static void metric_rows(struct request *rq, struct ht_buf *b,
    const struct metric_family *f, int statement, const char *const *labels,
    size_t n_labels)
{
	metric_head(b, f->name, "gauge", f->help);
	struct db_rows *rows = db_start(rq->db, &web_sql, statement, "s", http_scope(rq));
	while (db_next(rows) == HT_OK) {
		if (db_is_null(rows, f->column))
			continue;
		ht_buf_puts(b, f->name);
		for (size_t i = 0; i < n_labels; i++)
			metric_label(b, i > 0, labels[i], db_text(rows, (int)i));
		ht_buf_printf(b, "} %.15g\n", db_double(rows, f->column) * f->scale);
	}
	db_done(rows);
}

/* State sets: one line a state, 1 for the present one. */
static void metric_states(struct request *rq, struct ht_buf *b,
    const struct metric_family *f, int statement, const char *const *labels,
    size_t n_labels, const char *const *states)
{
	metric_head(b, f->name, "gauge", f->help);
	struct db_rows *rows = db_start(rq->db, &web_sql, statement, "s", http_scope(rq));
	while (db_next(rows) == HT_OK) {
		for (size_t s = 0; states[s]; s++) {
			ht_buf_puts(b, f->name);
			for (size_t i = 0; i < n_labels; i++)
				metric_label(b, i > 0, labels[i], db_text(rows, (int)i));
			metric_label(b, true, "state", states[s]);
			ht_buf_printf(b, "} %d\n",
			    strcmp(db_text(rows, f->column), states[s]) == 0);
		}
	}
	db_done(rows);
}

static void metrics_links(struct request *rq, struct ht_buf *b)
{
	static const char *const labels[] = { "agency", "link", "role", "kind" };
	static const char *const states[] = { "UP", "DEGRADED", "DOWN", "UNREACHABLE",
		"UNKNOWN", "MAINTENANCE", NULL };
	static const struct metric_family numbers[] = {
		{ "hatang_link_loss_ratio", "Share of pings lost in the last round.", 5,
		    1 },
		{ "hatang_link_rtt_seconds", "Mean round trip of the last round.", 6, 1 },
		{ "hatang_link_measured_timestamp_seconds",
		    "When the link was last measured.", 7, 1e-3 },
	};
	static const struct metric_family state = { "hatang_link_state",
		"State of a link: 1 for the present one.", 4, 1 };

	static const char *const rate_labels[] = { "agency", "link", "figure",
		"direction" };
	static const struct metric_family rate = {
		"hatang_link_bandwidth_bits_per_second",
		"Contracted, negotiated, measured, and used as 95th percentile; no line "
		"while it is unknown.",
		4, 1
	};

	metric_rows(rq, b, &rate, WEB_SQL_METRICS_BANDWIDTH, rate_labels, 4);
	metric_states(rq, b, &state, WEB_SQL_METRICS_LINKS, labels, 4, states);
	for (size_t i = 0; i < HT_COUNT(numbers); i++)
		metric_rows(rq, b, &numbers[i], WEB_SQL_METRICS_LINKS, labels, 4);
}

static void metrics_agents(struct request *rq, struct ht_buf *b)
{
	static const char *const labels[] = { "agent", "agency" };
	static const char *const states[] = { "online", "offline", "lost", "never",
		NULL };
	static const struct metric_family state = { "hatang_agent_state",
		"Presence of an agent: 1 for the present state.", 2, 1 };
	static const struct metric_family last = {
		"hatang_agent_last_seen_timestamp_seconds",
		"When the agent was last heard of.", 3, 1e-3
	};

	metric_states(rq, b, &state, WEB_SQL_METRICS_AGENTS, labels, 2, states);
	metric_rows(rq, b, &last, WEB_SQL_METRICS_AGENTS, labels, 2);
}

static void metrics_index(struct request *rq, struct ht_buf *b)
{
	static const char *const labels[] = { "definition", "indicator", "scope", "own" };
	static const struct metric_family families[] = {
		{ "hatang_index_value",
		    "Value of an indicator; no line while it is unknown.", 4, 1 },
		{ "hatang_index_coverage_ratio", "Observed by declared.", 5, 1 },
		{ "hatang_index_confidence_ratio", "Confidence of the value.", 6, 1 },
	};

	for (size_t i = 0; i < HT_COUNT(families); i++)
		metric_rows(rq, b, &families[i], WEB_SQL_METRICS_INDEX, labels, 4);
}

static void metrics_totals(struct request *rq, struct ht_buf *b)
{
	static const struct {
		const char *name, *type, *help;
	} rows_of[] = {
		{ "hatang_journal_rows_total", "counter",
		    "Journal rows ever committed." },
		{ "hatang_agencies", "gauge", "Agencies in the registry." },
		{ "hatang_machines", "gauge", "Machines seen." },
		{ "hatang_gaps", "gauge", "Ranges of packs that edges gave up." },
		{ "hatang_aside_open", "gauge",
		    "Packs of clones and conflicts that wait for a decision." },
	};
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_METRICS_TOTALS, "");

	if (db_next(rows) == HT_OK) {
		for (size_t i = 0; i < HT_COUNT(rows_of); i++) {
			metric_head(b, rows_of[i].name, rows_of[i].type, rows_of[i].help);
			ht_buf_printf(b, "%s %lld\n", rows_of[i].name,
			    (long long)db_int(rows, (int)i));
		}
	}
	db_done(rows);
	metric_head(b, "hatang_garbage_total", "counter",
	    "Messages that were none of ours, by reason.");
	rows = db_start(rq->db, &web_sql, WEB_SQL_METRICS_GARBAGE, "");
	while (db_next(rows) == HT_OK) {
		ht_buf_puts(b, "hatang_garbage_total");
		metric_label(b, false, "reason", db_text(rows, 0));
		ht_buf_printf(b, "} %lld\n", (long long)db_int(rows, 1));
	}
	db_done(rows);
	metric_head(b, "hatang_fold_journal_row", "gauge",
	    "Last journal row that a fold has folded.");
	rows = db_start(rq->db, &web_sql, WEB_SQL_METRICS_FOLDS, "");
	while (db_next(rows) == HT_OK) {
		ht_buf_puts(b, "hatang_fold_journal_row");
		metric_label(b, false, "fold", db_text(rows, 0));
		ht_buf_printf(b, "} %lld\n", (long long)db_int(rows, 1));
	}
	db_done(rows);
}

/* Each family's lines stand together: the rows are read once a family. */
static void metrics_outbox(struct request *rq, struct ht_buf *b)
{
	static const struct {
		const char *name, *help;
		int column;
	} families[] = {
		{ "hatang_messages", "Messages to people, by channel and state.", 2 },
		{ "hatang_message_failures",
		    "Attempts at them that failed, by channel and state.", 3 },
		{ "hatang_message_oldest_seconds",
		    "Age of the oldest message that still waits.", 4 },
	};

	for (size_t i = 0; i < HT_COUNT(families); i++) {
		metric_head(b, families[i].name, "gauge", families[i].help);
		struct db_rows *rows =
		    db_start(rq->db, &web_sql, WEB_SQL_METRICS_OUTBOX, "");
		while (db_next(rows) == HT_OK) {
			bool age = families[i].column == 4;
			double value = (double)db_int(rows, families[i].column);

			if (age && strcmp(db_text(rows, 1), "pending") != 0)
				continue;
			ht_buf_puts(b, families[i].name);
			metric_label(b, false, "channel", db_text(rows, 0));
			metric_label(b, true, "state", db_text(rows, 1));
			ht_buf_printf(b, "} %.15g\n",
			    age ? ((double)ht_wall_ms() - value) / 1000 : value);
		}
		db_done(rows);
	}
}

static void metrics_writer(struct request *rq, struct ht_buf *b)
{
	struct writer_stats s;

	if (!rq->writer)
		return;
	writer_stats(rq->writer, &s);
	const struct {
		const char *name, *type, *help;
		double value;
	} rows[] = {
		{ "hatang_writer_queued", "gauge", "Rows that wait for their commit.",
		    (double)s.queued },
		{ "hatang_writer_committed_total", "counter",
		    "Rows committed since start.", (double)s.committed },
		{ "hatang_writer_resent_total", "counter",
		    "Resends of what was committed.", (double)s.resent },
		{ "hatang_writer_conflicts_total", "counter", "Same key, other payload.",
		    (double)s.conflicts },
		{ "hatang_writer_refused_total", "counter",
		    "Rows refused because the queue was full.", (double)s.refused },
		{ "hatang_writer_failures_total", "counter", "Transactions that failed.",
		    (double)s.failures },
		{ "hatang_fold_lag_rows", "gauge",
		    "Journal rows the slowest fold has not seen.",
		    (double)s.fold_lag_rows },
		{ "hatang_fold_lag_seconds", "gauge",
		    "Age of the oldest row not yet folded.",
		    (double)s.fold_lag_ms / 1000 },
	};
	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		metric_head(b, rows[i].name, rows[i].type, rows[i].help);
		ht_buf_printf(b, "%s %.15g\n", rows[i].name, rows[i].value);
	}
}

static void metrics_web(struct request *rq, struct ht_buf *b)
{
	static const char *const classes[] = { "none", "1xx", "2xx", "3xx", "4xx",
		"5xx" };
	struct web_context *c = web_context(rq->web);

	metric_head(
	    b, "hatang_http_replies_total", "counter", "Replies by class of status.");
	for (size_t i = 1; i < HT_COUNT(classes); i++) {
		ht_buf_puts(b, "hatang_http_replies_total");
		metric_label(b, false, "class", classes[i]);
		ht_buf_printf(b, "} %llu\n",
		    (unsigned long long)atomic_load(&c->counters.by_class[i]));
	}
	metric_head(
	    b, "hatang_http_busy_seconds_total", "counter", "Time spent in answering.");
	ht_buf_printf(b, "hatang_http_busy_seconds_total %.6f\n",
	    (double)atomic_load(&c->counters.busy_us) / 1e6);
	metric_head(b, "hatang_http_event_streams", "gauge", "Open event streams.");
	ht_buf_printf(b, "hatang_http_event_streams %zu\n", events_count(c->events));
	metric_head(b, "hatang_build_info", "gauge", "Version of the server.");
	ht_buf_printf(b, "hatang_build_info{version=\"%s\"} 1\n", HATANG_VERSION);
}

/* Open on loopback, for a collector beside us; elsewhere it needs a token. */
void metrics_show(struct request *rq, struct reply *re)
{
	if (rq->who.kind == ACCOUNT_NOBODY && !rq->peer_is_loopback) {
		http_problem(re, 401, "login", "Log in first",
		    "/metrics is open on loopback only: send an API token as "
		    "\"Authorization: Bearer …\"");
		return;
	}
	re->content_type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_links(rq, &re->body);
	metrics_agents(rq, &re->body);
	metrics_index(rq, &re->body);
	if (!http_scope(rq)) {
		metrics_totals(rq, &re->body);
		metrics_outbox(rq, &re->body);
		metrics_writer(rq, &re->body);
		metrics_web(rq, &re->body);
	}
}

void healthz_show(struct request *rq, struct reply *re)
{
	(void)rq;
	ht_buf_puts(&re->body, "{\"ok\":true}");
}

/* Ready: the store can be read, and what is sent can be written. */
void readyz_show(struct request *rq, struct reply *re)
{
	struct writer_stats s = { 0 };
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_READY, "");
	ht_err err = db_next(rows);

	db_done(rows);
	if (rq->writer)
		writer_stats(rq->writer, &s);
	if (err)
		http_problem(re, 503, "not-ready", "Not ready",
		    "the store cannot be read (%s): see the server's log",
		    ht_err_name(err));
	else if (s.failing_since_ms)
		http_problem(re, 503, "not-ready", "Not ready",
		    "the store cannot be written (%s): see the server's log and the "
		    "disk's room",
		    ht_err_name(s.last_err));
	else
		ht_buf_puts(&re->body, "{\"ready\":true}");
}

void events_stream(struct request *rq, struct reply *re)
{
	(void)rq;
	re->stream = true;
}

void openapi_show(struct request *rq, struct reply *re)
{
	(void)rq;
	re->content_type = "application/yaml";
	re->file = openapi_yaml;
	re->file_len = openapi_yaml_len;
}
