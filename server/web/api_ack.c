/* The page behind the link of a message: it shows one incident and acknowledges it
 * without a login. Showing changes nothing, so that a mail server that looks at links
 * does no harm. Who holds the link may do this one thing; the token is checked by
 * server/alert. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/name.h"
#include "server/alert/acklink.h"
#include "server/store/writer.h"
#include "server/web/api.h"
#include "server/web/outage_sql.h"
#include "server/web/sql.h"

/* Text inside HTML, also inside a quoted attribute. */
static void html_text(struct ht_buf *b, const char *text)
{
	for (; text && *text; text++) {
		static const char *const escapes[] = { "&&amp;", "<&lt;", ">&gt;",
			"\"&quot;", "'&#39;" };
		const char *as = NULL;

		for (size_t i = 0; i < HT_COUNT(escapes) && !as; i++)
			as = escapes[i][0] == *text ? escapes[i] + 1 : NULL;
		if (as)
			ht_buf_puts(b, as);
		else
			ht_buf_put(b, text, 1);
	}
}

static void html_begin(struct reply *re, const char *title)
{
	re->content_type = "text/html; charset=utf-8";
	ht_buf_puts(&re->body,
	    "<!doctype html><html lang=\"vi\"><head><meta charset=\"utf-8\"><meta "
	    "name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta "
	    "name=\"robots\" content=\"noindex\"><title>");
	html_text(&re->body, title);
	ht_buf_puts(&re->body,
	    "</title><link rel=\"stylesheet\" href=\"/style.css\"></head><body><main "
	    "class=\"ackpage\">");
}

static void html_end(struct reply *re)
{
	ht_buf_puts(&re->body, "</main></body></html>\n");
}

/* Vietnamese, and English below it. */
static void html_both(struct reply *re, const char *tag, const char *vi, const char *en)
{
	ht_buf_printf(&re->body, "<%s>", tag);
	html_text(&re->body, vi);
	ht_buf_puts(&re->body, "<br><small lang=\"en\">");
	html_text(&re->body, en);
	ht_buf_printf(&re->body, "</small></%s>", tag);
}

/* A page that says one thing. */
static void ack_say(struct reply *re, int status, const char *vi, const char *en)
{
	re->status = status;
	html_begin(re, vi);
	html_both(re, "h1", vi, en);
	html_end(re);
}

/* ── what the page shows ── */

struct ack_view {
	char id[INCIDENT_ID_MAX + 1];
	char title_vi[256], title_en[256], opened[HT_RFC3339_LEN + 1];
	char acked_by[HT_ID_MAX + 1];
	bool closed, acked;
	int64_t affected;
};

static void ack_title(struct request *rq, struct ack_view *v)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_outage_sql, INCIDENT_SQL_TITLE, "s", v->id);

	if (db_next(rows) == HT_OK && db_text(rows, 0)) {
		const char *en = db_text(rows, 1);

		snprintf(v->title_vi, sizeof(v->title_vi), "%s", db_text(rows, 0));
		snprintf(v->title_en, sizeof(v->title_en), "%s", en ? en : "");
	}
	db_done(rows);
}

static ht_err ack_read(struct request *rq, struct ack_view *v)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_outage_sql, INCIDENT_SQL_ONE, "sn", v->id);
	ht_err err = db_next(rows);

	if (!err) {
		const char *by = db_text(rows, 10);

		snprintf(v->title_vi, sizeof(v->title_vi), "%s: %s", db_text(rows, 1),
		    db_text(rows, 4));
		snprintf(v->title_en, sizeof(v->title_en), "%s", v->title_vi);
		ht_rfc3339(db_int(rows, 5), v->opened);
		v->closed = !db_is_null(rows, 6);
		v->acked = !db_is_null(rows, 9);
		snprintf(v->acked_by, sizeof(v->acked_by), "%s", by ? by : "");
	}
	db_done(rows);
	if (err)
		return err;
	ack_title(rq, v);
	rows = db_start(rq->db, &web_outage_sql, INCIDENT_SQL_AGENCIES, "sn", v->id);
	while (!(err = db_next(rows)))
		v->affected++;
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* The token's incident; false: the reply says why not. */
static bool ack_open(struct request *rq, struct reply *re, struct ack_view *v)
{
	*v = (struct ack_view){ 0 };
	ht_err err = acklink_check(rq->db, rq->args.at[0], rq->now_ms, v->id);
	if (!err)
		err = ack_read(rq, v);
	if (err == HT_TIMEOUT)
		ack_say(re, 410, "Liên kết đã hết hạn: hãy đăng nhập.",
		    "The link has expired: log in.");
	else if (err == HT_MALFORMED || err == HT_DENIED || err == HT_NOTFOUND)
		ack_say(re, 404, "Liên kết không đúng: hãy mở lại từ tin nhắn.",
		    "The link is not right: open it from the message again.");
	else if (err)
		http_failed(re, err, "reading the incident");
	return !err;
}

static void ack_facts(struct reply *re, const struct ack_view *v)
{
	char vi[160], en[160];

	html_both(re, "h1", v->title_vi, v->title_en);
	snprintf(vi, sizeof(vi), "Từ %s (UTC) · %lld cơ quan bị ảnh hưởng", v->opened,
	    (long long)v->affected);
	snprintf(en, sizeof(en), "Since %s (UTC) · %lld agencies affected", v->opened,
	    (long long)v->affected);
	html_both(re, "p", vi, en);
}

static void ack_form(struct reply *re)
{
	ht_buf_puts(&re->body,
	    "<form method=\"post\"><label>Tên của bạn / your name<input name=\"who\" "
	    "maxlength=\"40\" autocomplete=\"name\"></label><label>Ghi chú / "
	    "note<textarea "
	    "name=\"note\" rows=\"3\" maxlength=\"300\"></textarea></label><button "
	    "class=\"primary large\">Tôi nhận xử lý<br><small lang=\"en\">I take "
	    "it</small></button></form>");
}

static void ack_state(struct reply *re, const struct ack_view *v)
{
	char vi[160], en[160];

	if (v->closed) {
		html_both(re, "p", "✓ Sự cố đã kết thúc, không cần làm gì.",
		    "It is over: nothing to do.");
	} else if (v->acked) {
		snprintf(vi, sizeof(vi), "✓ Đã có người nhận xử lý: %s", v->acked_by);
		snprintf(en, sizeof(en), "Acknowledged by %s", v->acked_by);
		html_both(re, "p", vi, en);
	} else {
		ack_form(re);
	}
}

static void ack_page(struct reply *re, const struct ack_view *v)
{
	html_begin(re, v->title_vi);
	ack_facts(re, v);
	ack_state(re, v);
	html_end(re);
}

void ack_show(struct request *rq, struct reply *re)
{
	struct ack_view v;

	if (ack_open(rq, re, &v))
		ack_page(re, &v);
}

/* ── acknowledging ── */

static const struct param fields[] = {
	{ .name = "who", .type = PARAM_TEXT, .max = 160 },
	{ .name = "note", .type = PARAM_TEXT, .max = INCIDENT_NOTE_MAX },
};

struct ack_write {
	const char *id, *note;
	char actor[HT_ID_MAX + 1];
	int64_t now_ms;
	struct ht_fault fault;
};

static ht_err ack_append(struct db *db, void *arg)
{
	struct ack_write *w = arg;

	return incident_ack(db, w->id, w->actor, w->note, w->now_ms, &w->fault);
}

/* A form leaves a field that nobody filled in empty: "who=&note=". What is not empty is
 * copied. */
static size_t form_trim(const struct request *rq, char *out, size_t cap)
{
	const char *at = (const char *)rq->body, *end = at + rq->body_len;
	size_t len = 0;

	while (at < end) {
		const char *and = memchr(at, '&', (size_t)(end - at));
		size_t n = and? (size_t)(and-at) : (size_t)(end - at);

		if (n > 0 && at[n - 1] != '=' && len + n + 1 < cap) {
			if (len > 0)
				out[len++] = '&';
			memcpy(out + len, at, n);
			len += n;
		}
		at += n + 1;
	}
	return len;
}

/* "link", and the name that was given, cut at a letter's end. */
static void ack_actor(struct ack_write *w, const char *who)
{
	size_t len;

	snprintf(w->actor, sizeof(w->actor), who ? "link: %s" : "link", who);
	len = strlen(w->actor);
	if (len + 1 < sizeof(w->actor))
		return;
	while (len > 0 && ((unsigned char)w->actor[len - 1] & 0xc0) == 0x80)
		len--;
	w->actor[len > 0 && (unsigned char)w->actor[len - 1] >= 0xc0 ? len - 1 : len] =
	    '\0';
}

void ack_post(struct request *rq, struct reply *re)
{
	struct param_set set = { 0 };
	struct ack_write w = { .now_ms = rq->now_ms };
	char form[PARAM_QUERY_MAX];
	struct ack_view v;

	if (!ack_open(rq, re, &v))
		return;
	if (v.closed || v.acked) {
		ack_page(re, &v);
		return;
	}
	ht_err err = param_query(fields, HT_COUNT(fields), form,
	    form_trim(rq, form, sizeof(form)), &set, &w.fault);
	if (!err) {
		w.id = v.id;
		w.note = param_text(&set, "note");
		ack_actor(&w, param_text(&set, "who"));
		err = writer_call(rq->writer, ack_append, &w);
	}
	if (!err)
		ack_say(re, 200, "✓ Đã ghi nhận: bạn xử lý sự cố này.",
		    "Noted: the incident is yours.");
	else if (err == HT_EXISTS || err == HT_CLOSED)
		ack_say(re, 200, "✓ Đã có người nhận xử lý, hoặc sự cố đã kết thúc.",
		    "Somebody has it already, or it is over.");
	else
		http_from_err(re, err, &w.fault);
	param_set_fini(&set);
}
