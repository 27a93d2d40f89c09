/* The dispute pack as a page to print or to send: Vietnamese first, English beside; one
 * file without scripts, links or anything from elsewhere. Whatever comes from people or
 * agents goes through text(). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/derive/availability.h"
#include "server/web/dispute.h"

enum { GRAPH_W = 720, GRAPH_H = 120, GRAPH_LEFT = 56, GRAPH_TOP = 8 };

static void text(struct ht_buf *out, const char *s)
{
	for (; s && *s; s++) {
		switch (*s) {
		case '&':
			ht_buf_puts(out, "&amp;");
			break;
		case '<':
			ht_buf_puts(out, "&lt;");
			break;
		case '>':
			ht_buf_puts(out, "&gt;");
			break;
		case '"':
			ht_buf_puts(out, "&quot;");
			break;
		case '\'':
			ht_buf_puts(out, "&#39;");
			break;
		default:
			if ((unsigned char)*s >= 0x20 || *s == '\n')
				ht_buf_put(out, s, 1);
		}
	}
}

/* "23/11/2026 06:01:03.250": the province's time. */
static void local(const struct dispute *d, struct ht_buf *out, int64_t ms)
{
	char t[HT_RFC3339_LEN + 1];

	if (ms == DISPUTE_NONE) {
		ht_buf_puts(out, "–");
		return;
	}
	ht_rfc3339(ms + d->offset_min * INT64_C(60000), t);
	ht_buf_printf(out, "%.2s/%.2s/%.4s %.12s", t + 8, t + 5, t, t + 11);
}

static void lasting(struct ht_buf *out, int64_t ms)
{
	int64_t s = ms / 1000;

	ht_buf_printf(
	    out, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
}

/* ── words ── */

struct word {
	const char *word, *vi, *en;
};

static const struct word causes[] = {
	{ "unknown", "chưa rõ", "not known" },
	{ "wan-link", "đường truyền của nhà mạng", "the carrier's line" },
	{ "router", "bộ định tuyến hoặc modem", "router or modem" },
	{ "power", "mất điện tại cơ quan", "no power at the office" },
	{ "lan", "mạng nội bộ của cơ quan", "the office's own network" },
	{ "agent", "trạm đo", "the agent" },
	{ "far-end", "đầu xa của đường truyền", "the far end of the line" },
	{ "server", "phía máy chủ đo", "the measuring side" },
	{ "parent", "đường truyền phía trên", "a link above it" },
};

static void cause(struct ht_buf *out, const char *name)
{
	for (size_t i = 0; i < HT_COUNT(causes); i++) {
		if (strcmp(causes[i].word, name) == 0)
			ht_buf_printf(out, "%s <i>%s</i>", causes[i].vi, causes[i].en);
	}
}

static void heading(struct ht_buf *out, const char *vi, const char *en)
{
	ht_buf_printf(out, "<h2>%s <i>%s</i></h2>\n", vi, en);
}

static void row_begin(struct ht_buf *out, const char *vi, const char *en)
{
	ht_buf_printf(out, "<tr><th>%s <i>%s</i></th><td>", vi, en);
}

static void row_text(struct ht_buf *out, const char *vi, const char *en, const char *s)
{
	row_begin(out, vi, en);
	text(out, s && *s ? s : "–");
	ht_buf_puts(out, "</td></tr>\n");
}

static void row_rate(struct ht_buf *out, const struct dispute *d)
{
	row_begin(out, "Băng thông hợp đồng xuống / lên", "Contracted down / up");
	if (d->down_bps == DISPUTE_NONE)
		ht_buf_puts(out, "–");
	else
		ht_buf_printf(out, "%.6g Mbit/s", (double)d->down_bps / 1e6);
	if (d->up_bps == DISPUTE_NONE)
		ht_buf_puts(out, " / –</td></tr>\n");
	else
		ht_buf_printf(out, " / %.6g Mbit/s</td></tr>\n", (double)d->up_bps / 1e6);
}

/* ── sections ── */

static void about(const struct dispute *d, struct ht_buf *out)
{
	ht_buf_puts(out, "<table>\n");
	row_text(out, "Cơ quan", "Agency", d->agency_name ? d->agency_name : d->agency);
	row_text(out, "Đường truyền", "Link", d->link);
	row_text(out, "Nhà mạng", "Carrier", d->provider);
	row_text(out, "Loại", "Kind", d->kind);
	row_text(out, "Loại đường dây", "Line type", d->line_type);
	row_text(out, "Vai trò", "Role", d->role);
	row_text(out, "Địa chỉ bộ định tuyến", "Router address", d->router);
	row_rate(out, d);
	row_begin(out, "Nguyên nhân", "Cause");
	cause(out, d->cause);
	ht_buf_puts(out, "<br><i>");
	text(out, d->cause_reason);
	ht_buf_puts(out, "</i></td></tr>\n");
	if (d->root)
		row_text(out, "Do sự cố phía trên", "Behind the outage", d->root);
	row_text(out, "Số phiếu của nhà mạng", "Carrier's ticket", d->ticket);
	row_text(out, "Ghi chú", "Note", d->note);
	ht_buf_puts(out, "</table>\n");
}

static void clock_cell(
    const struct dispute *d, struct ht_buf *out, int64_t ms, int64_t u_ms)
{
	ht_buf_puts(out, "<td>");
	local(d, out, ms);
	if (ms != DISPUTE_NONE)
		ht_buf_printf(
		    out, " ± %.1f s", (double)(u_ms == DISPUTE_NONE ? 0 : u_ms) / 1000);
	ht_buf_puts(out, "</td>");
}

static void clock_row(const struct dispute *d, struct ht_buf *out, const char *vi,
    const char *en, const struct dispute_clock *c)
{
	ht_buf_printf(out, "<tr><th>%s <i>%s</i>", vi, en);
	if (c->agent) {
		ht_buf_puts(out, " (");
		text(out, c->agent);
		ht_buf_puts(out, ")");
	}
	ht_buf_puts(out, "</th>");
	clock_cell(d, out, c->start_ms, c->start_u_ms);
	clock_cell(d, out, c->end_ms, c->end_u_ms);
	ht_buf_puts(out, "</tr>\n");
}

static void clocks(const struct dispute *d, struct ht_buf *out)
{
	int64_t end = d->end_ms == DISPUTE_NONE ? d->generated_ms : d->end_ms;

	heading(out, "Hai đồng hồ", "Both clocks");
	ht_buf_puts(out, "<table><tr><th></th><th>Bắt đầu <i>Start</i></th><th>Kết thúc "
			 "<i>End</i></th></tr>\n");
	clock_row(
	    d, out, "Ước tính từ trung tâm", "Estimated from the core", &d->estimate);
	clock_row(d, out, "Ghi nhận tại cơ quan", "Written down at the office", &d->edge);
	ht_buf_puts(out, "<tr class=\"sum\"><th>Được tính <i>Counted</i></th><td>");
	local(d, out, d->start_ms);
	ht_buf_puts(out, "</td><td>");
	local(d, out, d->end_ms);
	ht_buf_puts(out, d->end_ms == DISPUTE_NONE
			     ? " chưa kết thúc <i>not over</i></td></tr></table>\n"
			     : "</td></tr></table>\n");
	ht_buf_puts(out, "<p>Thời gian <i>Duration</i>: <b>");
	lasting(out, end - d->start_ms);
	ht_buf_puts(out, "</b>; trong đó bảo trì <i>of it maintenance</i>: <b>");
	lasting(out, d->maintenance_ms);
	ht_buf_puts(out, "</b>.</p>\n");
}

static void windows(const struct dispute *d, struct ht_buf *out)
{
	heading(out, "Bảo trì trùng thời gian", "Maintenance meanwhile");
	if (!d->n_windows) {
		ht_buf_puts(out, "<p>Không có. <i>None.</i></p>\n");
		return;
	}
	ht_buf_puts(out,
	    "<table><tr><th>Từ <i>From</i></th><th>Đến <i>To</i></th><th>Trùng "
	    "<i>Overlap</i></th><th>Lý do <i>Reason</i></th><th>Người nhập, lúc nhập "
	    "<i>Entered by, at</i></th></tr>\n");
	for (size_t i = 0; i < d->n_windows; i++) {
		const struct dispute_window *w = &d->windows[i];

		ht_buf_puts(out, "<tr><td>");
		local(d, out, w->from_ms);
		ht_buf_puts(out, "</td><td>");
		local(d, out, w->to_ms);
		ht_buf_puts(out, "</td><td>");
		lasting(out, w->overlap_ms);
		ht_buf_puts(out, "</td><td>");
		text(out, w->reason);
		ht_buf_puts(out, "</td><td>");
		text(out, w->actor);
		ht_buf_puts(out, ", ");
		local(d, out, w->entered_ms);
		ht_buf_puts(out, "</td></tr>\n");
	}
	ht_buf_puts(out, "</table>\n");
}

static void changes(const struct dispute *d, struct ht_buf *out)
{
	heading(out, "Sổ của trạm đo tại cơ quan", "The office's own record");
	if (!d->n_changes) {
		ht_buf_puts(out,
		    "<p>Không có, hoặc chưa gửi về. <i>None, or not sent yet.</i></p>\n");
		return;
	}
	ht_buf_puts(out,
	    "<table><tr><th>Lúc <i>At</i></th><th>Đích <i>Target</i></th><th>"
	    "Trạng thái <i>State</i></th><th>Dòng <i>Row</i></th></tr>\n");
	for (size_t i = 0; i < d->n_changes; i++) {
		const struct dispute_change *c = &d->changes[i];

		ht_buf_puts(out, "<tr>");
		clock_cell(d, out, c->at_ms, c->uncertainty_ms);
		ht_buf_puts(out, "<td>");
		text(out, c->subject);
		ht_buf_puts(out, "</td><td>");
		text(out, c->state);
		ht_buf_printf(out, "</td><td>%" PRId64 "</td></tr>\n", c->journal_id);
	}
	ht_buf_puts(out, "</table>\n");
}

/* ── graphs ── */

static double x_of(const struct dispute *d, int64_t at_ms)
{
	return GRAPH_LEFT + (double)(GRAPH_W - GRAPH_LEFT) *
				(double)(at_ms - d->from_ms) /
				(double)(d->to_ms - d->from_ms);
}

static double most(const struct dispute_graph *g)
{
	double top = g->loss ? 1 : 0;

	for (size_t i = 0; i < g->buckets->n; i++) {
		const struct bucket *b = &g->buckets->at[i];
		if (b->n && isfinite(b->max) && b->max > top)
			top = b->max;
	}
	return top > 0 ? top : 1;
}

static void mark(
    const struct dispute *d, struct ht_buf *out, int64_t at_ms, const char *class)
{
	if (at_ms == DISPUTE_NONE || at_ms < d->from_ms || at_ms > d->to_ms)
		return;
	ht_buf_printf(out,
	    "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>", class,
	    x_of(d, at_ms), x_of(d, at_ms), GRAPH_TOP, GRAPH_TOP + GRAPH_H);
}

/* One line a run of buckets with points: a gap stays a gap. */
static void curve(const struct dispute *d, const struct dispute_graph *g, double top,
    struct ht_buf *out)
{
	const struct buckets *b = g->buckets;
	bool open = false;

	for (size_t i = 0; i < b->n; i++) {
		if (!b->at[i].n) {
			ht_buf_puts(out, open ? "\"/>" : "");
			open = false;
			continue;
		}
		int64_t at = b->from_ms + (int64_t)i * b->step_ms + b->step_ms / 2;
		double v = b->at[i].sum / (double)b->at[i].n;

		ht_buf_puts(out, open ? " " : "<polyline points=\"");
		ht_buf_printf(out, "%.1f,%.1f", x_of(d, at < d->to_ms ? at : d->to_ms),
		    GRAPH_TOP + GRAPH_H * (1 - (isfinite(v) ? v : 0) / top));
		open = true;
	}
	ht_buf_puts(out, open ? "\"/>" : "");
}

static void graph(
    const struct dispute *d, const struct dispute_graph *g, struct ht_buf *out)
{
	int64_t end =
	    d->end_ms == DISPUTE_NONE || d->end_ms > d->to_ms ? d->to_ms : d->end_ms;
	double top = most(g);

	ht_buf_printf(out, "<figure><figcaption>%s, %s <i>%s, %s</i>: ",
	    g->loss ? "Tỷ lệ mất gói" : "Thời gian khứ hồi",
	    g->edge ? "đo từ cơ quan" : "đo từ trung tâm",
	    g->loss ? "Loss" : "Round trip",
	    g->edge ? "from the office" : "from the core");
	text(out, g->agent);
	ht_buf_puts(out, " <code>");
	text(out, g->name);
	ht_buf_printf(out,
	    "</code></figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\">", GRAPH_W,
	    GRAPH_TOP + GRAPH_H + 18);
	ht_buf_printf(out,
	    "<rect class=\"out\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
	    x_of(d, d->start_ms), GRAPH_TOP, x_of(d, end) - x_of(d, d->start_ms),
	    GRAPH_H);
	ht_buf_printf(out,
	    "<path class=\"axis\" d=\"M%d %d V%d H%d\"/><text x=\"0\" "
	    "y=\"%d\">%.3g%s</text>"
	    "<text x=\"0\" y=\"%d\">0</text><text x=\"%d\" y=\"%d\">",
	    GRAPH_LEFT, GRAPH_TOP, GRAPH_TOP + GRAPH_H, GRAPH_W, GRAPH_TOP + 8,
	    g->loss ? top * 100 : top * 1000, g->loss ? " %" : " ms", GRAPH_TOP + GRAPH_H,
	    GRAPH_LEFT, GRAPH_TOP + GRAPH_H + 14);
	local(d, out, d->from_ms);
	ht_buf_printf(out, "</text><text class=\"right\" x=\"%d\" y=\"%d\">", GRAPH_W,
	    GRAPH_TOP + GRAPH_H + 14);
	local(d, out, d->to_ms);
	ht_buf_puts(out, "</text>");
	curve(d, g, top, out);
	mark(d, out, d->estimate.start_ms, "estimate");
	mark(d, out, d->estimate.end_ms, "estimate");
	mark(d, out, d->edge.start_ms, "edge");
	mark(d, out, d->edge.end_ms, "edge");
	ht_buf_puts(out, "</svg></figure>\n");
}

static void graphs(const struct dispute *d, struct ht_buf *out)
{
	heading(out, "Biểu đồ trước, trong và sau", "Before, during and after");
	if (!d->n_graphs) {
		ht_buf_puts(out, "<p>Không có số đo. <i>No measurements.</i></p>\n");
		return;
	}
	ht_buf_puts(out,
	    "<p>Nền hồng: thời gian được tính; nét đứt: ước tính từ trung tâm; "
	    "nét liền: ghi nhận tại cơ quan. <i>Shaded: counted; dashed: "
	    "estimated from the core; solid: written down at the office.</i></p>\n");
	for (size_t i = 0; i < d->n_graphs; i++)
		graph(d, &d->graphs[i], out);
}

/* ── evidence and rules ── */

static void evidence(const struct dispute *d, struct ht_buf *out)
{
	heading(out, "Bằng chứng", "Evidence");
	ht_buf_puts(out,
	    "<p>Các dòng nhật ký gốc, giữ nguyên văn; mã băm SHA-256 của nội "
	    "dung. <i>Rows of the journal, kept as they came; SHA-256 of their "
	    "content.</i></p>\n<table><tr><th>Dòng <i>Row</i></th><th>Từ "
	    "<i>From</i></th><th>Nhận lúc <i>Received</i></th><th>SHA-256</th>"
	    "</tr>\n");
	for (size_t i = 0; i < d->n_rows; i++) {
		const struct dispute_row *r = &d->rows[i];

		ht_buf_printf(out, "<tr><td>%" PRId64 "</td><td>", r->journal_id);
		text(out, r->agent ? r->agent : r->kind);
		ht_buf_puts(out, "</td><td>");
		local(d, out, r->received_ms);
		ht_buf_puts(out, "</td><td><code>");
		for (size_t k = 0; k < sizeof(r->hash); k++)
			ht_buf_printf(out, "%02x", r->hash[k]);
		ht_buf_puts(out, "</code></td></tr>\n");
	}
	ht_buf_puts(out, "</table>\n");
}

static void rules(struct ht_buf *out)
{
	heading(out, "Quy tắc tính", "Rules of accounting");
	ht_buf_puts(out, "<ol>\n");
	for (size_t i = 0; i < AVAILABILITY_RULES; i++) {
		ht_buf_puts(out, "<li>");
		text(out, availability_rules[i].vi);
		ht_buf_puts(out, " <i>");
		text(out, availability_rules[i].en);
		ht_buf_puts(out, "</i></li>\n");
	}
	ht_buf_puts(out, "</ol>\n");
}

static const char style[] =
    "body{font:11pt/1.4 'Noto Sans','DejaVu Sans',sans-serif;max-width:190mm;margin:10mm "
    "auto;color:#111;background:#fff}h1{font-size:16pt}h2{font-size:12pt;margin:6mm 0 "
    "2mm}"
    "i{color:#555}table{border-collapse:collapse;width:100%}th,td{border:1px solid #bbb;"
    "padding:1mm 2mm;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "th{background:#f3f3f3;font-weight:600}th i{font-weight:400}.sum td,.sum "
    "th{font-weight:700}code{font:8pt monospace;overflow-wrap:anywhere}figure{margin:3mm "
    "0;break-inside:avoid}svg{width:100%;height:auto}svg text{font-size:10px;fill:#333}"
    ".right{text-anchor:end}.axis{fill:none;stroke:#888}polyline{fill:none;stroke:#06c;"
    "stroke-width:1.5}.out{fill:#fbd5d5}.estimate{stroke:#b00;stroke-dasharray:4 3}"
    ".edge{stroke:#060}tr{break-inside:avoid}@page{size:A4;margin:12mm}";

void dispute_html(const struct dispute *d, struct ht_buf *out)
{
	ht_buf_printf(out,
	    "<!doctype html>\n<html lang=\"vi\"><head><meta charset=\"utf-8\"><title>");
	text(out, d->id);
	ht_buf_printf(out, "</title><style>%s</style></head><body>\n", style);
	ht_buf_puts(
	    out, "<h1>Hồ sơ sự cố đường truyền <i>Outage dispute pack</i></h1>\n<p>");
	text(out, d->id);
	ht_buf_puts(out, " · lập lúc <i>made at</i> ");
	local(d, out, d->generated_ms);
	ht_buf_printf(out, " (UTC%+03d:%02d)</p>\n", d->offset_min / 60,
	    d->offset_min % 60 < 0 ? -(d->offset_min % 60) : d->offset_min % 60);
	about(d, out);
	clocks(d, out);
	windows(d, out);
	graphs(d, out);
	changes(d, out);
	evidence(d, out);
	rules(out);
	ht_buf_puts(out, "</body></html>\n");
}
