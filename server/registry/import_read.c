/* From the bytes of a CSV file to agencies and links. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/option.h"
#include "server/registry/csv.h"
#include "server/registry/import_plan.h"
#include "server/registry/parents.h"
#include "server/registry/viet.h"

enum { PLAIN_MAX = 64 };

/* Names of a column as viet_plain() leaves them, separated by blanks; the first is ours.
 */
static const char *const columns[COL_COUNT] = {
	[COL_ID] = "id ma ma_co_quan ma_don_vi ma_dinh_danh",
	[COL_NAME] = "name ten ten_co_quan ten_don_vi",
	[COL_LEVEL] = "level cap cap_hanh_chinh",
	[COL_AGENCY_KIND] = "agency_kind loai_co_quan loai_don_vi",
	[COL_PARENT] =
	    "parent cap_tren ma_cap_tren co_quan_cap_tren don_vi_cap_tren truc_thuoc",
	[COL_SERVANTS] =
	    "servants cbccvc so_cbccvc so_luong_cbccvc so_can_bo bien_che so_bien_che",
	[COL_AS_OF] =
	    "servants_as_of as_of tinh_den tinh_den_ngay ngay_so_lieu thoi_diem",
	[COL_LATITUDE] = "latitude lat vi_do",
	[COL_LONGITUDE] = "longitude lon lng long kinh_do",
	[COL_AGENCY] = "agency co_quan don_vi",
	[COL_LINK_ID] = "link_id ma_duong_truyen duong_truyen",
	[COL_ROLE] = "role vai_tro",
	[COL_KIND] = "kind link_kind mang loai_mang",
	[COL_LINE_TYPE] = "line_type loai_duong_truyen loai_cap cong_nghe",
	[COL_PROVIDER] = "provider nha_cung_cap nha_mang",
	[COL_DOWN] = "contracted_down bang_thong_xuong bang_thong_tai_xuong bang_thong",
	[COL_UP] = "contracted_up bang_thong_len bang_thong_tai_len toc_do_tai_len",
	[COL_ROUTER] = "router_address dia_chi_router dia_chi_bo_dinh_tuyen dia_chi_ip",
	[COL_PARENTS] = "parents phu_thuoc duong_truyen_cap_tren",
};
static const char ignored_columns[] = "stt no note notes remark remarks ghi_chu";

struct word {
	const char *value, *also;
};

static const struct word levels[] = {
	{ "province", "province tinh" },
	{ "district", "district huyen quan thi_xa" },
	{ "commune", "commune xa phuong thi_tran dac_khu" },
	{ 0 },
};
static const struct word roles[] = {
	{ "primary", "primary chinh" },
	{ "backup", "backup du_phong phu" },
	{ 0 },
};
static const struct word kinds[] = {
	{ "province-wan", "province_wan wan_tinh" },
	{ "government-wan", "government_wan tslcd truyen_so_lieu_chuyen_dung" },
	{ "internet", "internet" },
	{ 0 },
};
static const struct word line_types[] = {
	{ "leased-line", "leased_line kenh_thue_rieng kenh_rieng" },
	{ "ftth", "ftth cap_quang cap_quang_internet" },
	{ "xdsl", "xdsl adsl vdsl" },
	{ "wireless", "wireless khong_day vo_tuyen 3g 4g 5g" },
	{ "satellite", "satellite ve_tinh" },
	{ "other", "other khac" },
	{ 0 },
};

/* Whether `word` stands in a list separated by blanks. */
static bool listed(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; len && (p = strstr(p, word)); p++)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

/* ── the header ───────────────────────────────────────────────────────────────────── */

/* The row now read: cells without outer blanks, NULL where empty or absent. */
struct cells {
	int line;
	bool bad;
	const char *at[COL_COUNT];
};

struct layout {
	size_t n;
	int column[CSV_CELLS_MAX]; /* COL_… of each cell, or -1 */
};

static int find_column(const char *plain)
{
	for (int c = 0; c < COL_COUNT; c++)
		if (listed(columns[c], plain))
			return c;
	return -1;
}

static void read_header_cell(
    struct import *im, const struct csv_row *row, size_t i, struct layout *l)
{
	char plain[PLAIN_MAX];

	viet_plain(row->cells[i], plain, sizeof(plain));
	int column = l->column[i] = find_column(plain);
	if (column < 0 && plain[0] && !listed(ignored_columns, plain)) {
		import_problem(im, row->line, -1,
		    "column \"%.60s\" is not known: rename it (see the list of columns) "
		    "or remove it",
		    row->cells[i]);
	} else if (column >= 0 && im->headers[column]) {
		import_problem(
		    im, row->line, column, "the column stands twice: keep one");
		l->column[i] = -1;
	} else if (column >= 0) {
		im->headers[column] = strdup(row->cells[i]);
		im->nomem |= !im->headers[column];
	}
}

static void need_column(struct import *im, int line, enum import_column column)
{
	if (!im->headers[column])
		import_problem(im, line, -1, "column \"%.*s\" is missing: add it",
		    (int)strcspn(columns[column], " "), columns[column]);
}

static void read_header(struct import *im, const struct csv_row *row, struct layout *l)
{
	l->n = row->n;
	for (size_t i = 0; i < row->n; i++)
		read_header_cell(im, row, i, l);
	im->links_only =
	    im->headers[COL_LINK_ID] && !im->headers[COL_NAME] && !im->headers[COL_LEVEL];
	if (im->links_only) {
		if (!im->headers[COL_ID])
			need_column(im, row->line, COL_AGENCY);
	} else {
		need_column(im, row->line, COL_ID);
		need_column(im, row->line, COL_NAME);
		need_column(im, row->line, COL_LEVEL);
	}
	if (im->headers[COL_LINK_ID])
		need_column(im, row->line, COL_KIND);
}

/* ── cells ────────────────────────────────────────────────────────────────────────── */

#define cell_problem(im, cells, column, ...)                            \
	do {                                                            \
		(cells)->bad = true;                                    \
		import_problem(im, (cells)->line, column, __VA_ARGS__); \
	} while (0)

static const char *cell_text(
    struct import *im, struct cells *c, enum import_column column)
{
	const char *copy = arena_text(&im->arena, c->at[column]);

	im->nomem |= c->at[column] && !copy;
	if (copy && strlen(copy) > VERB_TEXT_MAX)
		cell_problem(
		    im, c, column, "longer than %d bytes: shorten it", VERB_TEXT_MAX);
	return copy;
}

static const char *cell_id(struct import *im, struct cells *c, enum import_column column)
{
	const char *id = cell_text(im, c, column);

	if (id && !ht_id_valid(id, HT_ID_MAX))
		cell_problem(im, c, column,
		    "\"%.80s\" is no id: use at most %d of A-Z a-z 0-9 . _ : - without "
		    "blanks or marks",
		    id, HT_ID_MAX);
	return id;
}

static const char *cell_word(struct import *im, struct cells *c,
    enum import_column column, const struct word *words)
{
	char plain[PLAIN_MAX], known[256] = "";

	if (!c->at[column])
		return NULL;
	viet_plain(c->at[column], plain, sizeof(plain));
	for (const struct word *w = words; w->value; w++) {
		if (listed(w->also, plain))
			return w->value;
		size_t n = strlen(known);
		snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", w->value);
	}
	cell_problem(im, c, column, "\"%.60s\" is not known: write one of %s",
	    c->at[column], known);
	return NULL;
}

static int64_t cell_count(struct import *im, struct cells *c, enum import_column column)
{
	int64_t v;

	if (!c->at[column])
		return VERB_UNSET;
	ht_err err = ht_int_parse(c->at[column], &v);
	if (!err && v >= 0 && v <= VERB_SERVANTS_MAX)
		return v;
	if (!err && v < 0)
		cell_problem(
		    im, c, column, "%s is negative: a count begins at 0", c->at[column]);
	else
		cell_problem(im, c, column,
		    "\"%.40s\" is no count: write digits alone, such as 1200",
		    c->at[column]);
	return VERB_UNSET;
}

/* 2018-03-01, or day/month/year as Vietnam writes it. */
static ht_err parse_day(const char *text, int64_t *out_ms)
{
	int day, month, year, used = 0;
	char iso[32];

	if (sscanf(text, "%2d/%2d/%4d%n", &day, &month, &year, &used) == 3 &&
	    text[used] == '\0') {
		snprintf(iso, sizeof(iso), "%04d-%02d-%02d", year, month, day);
		return ht_rfc3339_parse(iso, out_ms);
	}
	return strlen(text) == 10 ? ht_rfc3339_parse(text, out_ms) : HT_MALFORMED;
}

static int64_t cell_day(struct import *im, struct cells *c, enum import_column column)
{
	int64_t ms;

	if (!c->at[column])
		return VERB_UNSET;
	if (parse_day(c->at[column], &ms)) {
		cell_problem(im, c, column,
		    "\"%.40s\" is no day: write 2018-03-01 or 01/03/2018 (day first)",
		    c->at[column]);
		return VERB_UNSET;
	}
	if (ms > im->by->now_ms + 86400000) {
		cell_problem(im, c, column,
		    "%s lies in the future: write the day of the count", c->at[column]);
		return VERB_UNSET;
	}
	return ms;
}

/* Degrees with a point, or a comma as Vietnamese spreadsheets write it. */
static double cell_degrees(
    struct import *im, struct cells *c, enum import_column column, double limit)
{
	char text[32];
	char *end;

	if (!c->at[column])
		return NAN;
	snprintf(text, sizeof(text), "%s", c->at[column]);
	char *comma = strchr(text, ',');
	if (comma)
		*comma = '.';
	double v = strtod(text, &end);
	if (end == text || *end || strspn(text, "+-.0123456789") != strlen(text)) {
		cell_problem(im, c, column,
		    "\"%.40s\" is no coordinate: write degrees such as 22.4856",
		    c->at[column]);
		return NAN;
	}
	if (fabs(v) > limit) {
		cell_problem(im, c, column,
		    "%s is outside -%g to %g: are latitude and longitude swapped?",
		    c->at[column], limit, limit);
		return NAN;
	}
	return v;
}

/* "10M", "10 Mbps", "512 kbit/s" */
static ht_err parse_rate(const char *text, int64_t *out)
{
	static const char *const tails[] = { "bit/s", "bps", "b/s", "bit" };
	char plain[32];
	size_t n = 0;

	for (; *text; text++) {
		if (*text == ' ')
			continue;
		if (n + 1 >= sizeof(plain))
			return HT_MALFORMED;
		plain[n++] = (char)tolower((unsigned char)*text);
	}
	plain[n] = '\0';
	for (size_t i = 0; i < HT_COUNT(tails); i++) {
		size_t len = strlen(tails[i]);
		if (n > len && strcmp(plain + n - len, tails[i]) == 0) {
			plain[n -= len] = '\0';
			break;
		}
	}
	if (n && (plain[n - 1] == 'm' || plain[n - 1] == 'g'))
		plain[n - 1] = (char)toupper((unsigned char)plain[n - 1]);
	return ht_rate_parse(plain, out);
}

static int64_t cell_rate(struct import *im, struct cells *c, enum import_column column)
{
	int64_t v;

	if (!c->at[column])
		return VERB_UNSET;
	if (!parse_rate(c->at[column], &v) && v >= 1000 && v <= VERB_BPS_MAX)
		return v;
	cell_problem(im, c, column, "\"%.40s\" is no rate: write 10M, 512k or 1G (bit/s)",
	    c->at[column]);
	return VERB_UNSET;
}

static const char *cell_address(
    struct import *im, struct cells *c, enum import_column column)
{
	struct ht_addr a;
	const char *text = cell_text(im, c, column);

	if (text && (strchr(text, '/') || ht_addr_parse(text, &a)))
		cell_problem(im, c, column,
		    "\"%.60s\" is no address: write one such as 10.0.0.1", text);
	return text;
}

static const char *cell_parents(
    struct import *im, struct cells *c, enum import_column column)
{
	struct ht_fault fault;
	const char *text = cell_text(im, c, column);

	if (text && parents_walk(text, NULL, NULL, &fault))
		cell_problem(im, c, column, "%s", fault.text);
	return text;
}

static void need_cell(struct import *im, struct cells *c, enum import_column column)
{
	if (!c->at[column])
		cell_problem(im, c, column, "the cell is empty: fill it");
}

/* ── rows ─────────────────────────────────────────────────────────────────────────── */

static bool any_cell(const struct cells *c, int from, int to)
{
	for (int i = from; i <= to; i++)
		if (c->at[i])
			return true;
	return false;
}

static void add_agency(struct import *im, struct cells *c)
{
	struct import_agency a = { .line = c->line };

	need_cell(im, c, COL_ID);
	need_cell(im, c, COL_NAME);
	need_cell(im, c, COL_LEVEL);
	a.data.id = cell_id(im, c, COL_ID);
	a.data.name = cell_text(im, c, COL_NAME);
	a.data.level = cell_word(im, c, COL_LEVEL, levels);
	a.data.kind = cell_text(im, c, COL_AGENCY_KIND);
	a.data.parent = cell_id(im, c, COL_PARENT);
	a.data.latitude = cell_degrees(im, c, COL_LATITUDE, 90);
	a.data.longitude = cell_degrees(im, c, COL_LONGITUDE, 180);
	a.servants = cell_count(im, c, COL_SERVANTS);
	a.as_of_ms = cell_day(im, c, COL_AS_OF);
	if (!c->bad && isnan(a.data.latitude) != isnan(a.data.longitude))
		cell_problem(im, c, isnan(a.data.latitude) ? COL_LATITUDE : COL_LONGITUDE,
		    "one coordinate without the other: fill both or none");
	if (c->at[COL_SERVANTS] && !c->at[COL_AS_OF])
		cell_problem(im, c, im->headers[COL_AS_OF] ? COL_AS_OF : COL_SERVANTS,
		    "a headcount needs its day: fill servants_as_of");
	a.bad = c->bad;
	void *more = import_grow(im->agencies, im->n_agencies, sizeof(a));
	if (!more) {
		im->nomem = true;
		return;
	}
	im->agencies = more;
	im->agencies[im->n_agencies++] = a;
}

static void add_link(struct import *im, struct cells *c, enum import_column agency)
{
	struct import_link l = { .line = c->line };

	need_cell(im, c, agency);
	need_cell(im, c, COL_LINK_ID);
	need_cell(im, c, COL_KIND);
	l.data.agency = cell_id(im, c, agency);
	l.data.id = cell_id(im, c, COL_LINK_ID);
	l.data.role = cell_word(im, c, COL_ROLE, roles);
	l.data.kind = cell_word(im, c, COL_KIND, kinds);
	l.data.line_type = cell_word(im, c, COL_LINE_TYPE, line_types);
	l.data.provider = cell_text(im, c, COL_PROVIDER);
	l.data.contracted_down_bps = cell_rate(im, c, COL_DOWN);
	l.data.contracted_up_bps = cell_rate(im, c, COL_UP);
	l.data.router_address = cell_address(im, c, COL_ROUTER);
	l.data.parents = cell_parents(im, c, COL_PARENTS);
	if (!l.data.role)
		l.data.role = "primary";
	l.bad = c->bad;
	void *more = import_grow(im->links, im->n_links, sizeof(l));
	if (!more) {
		im->nomem = true;
		return;
	}
	im->links = more;
	im->links[im->n_links++] = l;
}

/* A row with a bad part is bad as a whole: neither its agency nor its link is taken. */
static void add_row(struct import *im, struct cells *c)
{
	bool link = any_cell(c, COL_LINK_ID, COL_PARENTS);
	bool agency = !im->links_only && (any_cell(c, COL_NAME, COL_LONGITUDE) || !link);
	size_t n_agencies = im->n_agencies;

	if (agency)
		add_agency(im, c);
	if (link || im->links_only)
		add_link(im, c,
		    im->links_only && im->headers[COL_AGENCY] ? COL_AGENCY : COL_ID);
	if (c->bad && im->n_agencies > n_agencies)
		im->agencies[n_agencies].bad = true;
}

/* Cut blanks off a cell, in the reader's own buffer; NULL when nothing is left. */
static const char *trim(char *text)
{
	size_t len = strlen(text);

	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	while (isspace((unsigned char)*text))
		text++;
	return *text ? text : NULL;
}

static void read_row(struct import *im, const struct csv_row *row, const struct layout *l)
{
	struct cells c = { .line = row->line };
	bool empty = true;

	for (size_t i = 0; i < row->n && i < l->n; i++) {
		const char *text = trim((char *)row->cells[i]);
		if (l->column[i] >= 0)
			c.at[l->column[i]] = text;
		empty &= !text;
	}
	if (empty)
		return; /* ";;;;" as spreadsheets leave behind */
	im->report->rows++;
	if (row->n != l->n) {
		import_problem(im, row->line, -1,
		    "the row has %zu cells but the header %zu: quote cells that hold a "
		    "separator",
		    row->n, l->n);
		return;
	}
	add_row(im, &c);
}

static ht_err read_rows(struct import *im, struct csv *csv)
{
	struct layout layout = { 0 };
	struct csv_row row;
	struct ht_fault fault;
	ht_err err;

	while (!im->nomem && im->report->n_problems < IMPORT_PROBLEMS_MAX) {
		err = csv_next(csv, &row, &fault);
		if (err == HT_NOTFOUND)
			break;
		if (err == HT_NOMEM)
			return err;
		if (err == HT_TOOLARGE) {
			import_problem(im, 0, -1, "%s", fault.text);
		} else if (err) {
			import_problem(
			    im, row.line, -1, "%s (column %zu)", fault.text, row.n);
			im->report->rows++;
		} else if (!layout.n) {
			read_header(im, &row, &layout);
		} else {
			read_row(im, &row, &layout);
		}
		bool header = !im->report->rows && im->report->n_problems;
		im->fatal = err == HT_TOOLARGE || (err && !layout.n) || header;
		if (im->fatal)
			break;
	}
	im->fatal |= im->report->n_problems >= IMPORT_PROBLEMS_MAX;
	return im->nomem ? HT_NOMEM : HT_OK;
}

ht_err import_read(struct import *im, const void *bytes, size_t len)
{
	struct csv csv;
	struct ht_fault fault;
	ht_err err = csv_init(&csv, bytes, len, &fault);

	im->fatal = err != HT_OK;
	if (err)
		import_problem(im, 0, -1, "%s", fault.text);
	else
		err = read_rows(im, &csv);
	csv_fini(&csv);
	return err == HT_NOMEM ? err : HT_OK;
}
