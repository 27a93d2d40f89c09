#include "server/registry/csv.h"

#include <string.h>

#include "base/utf8.h"

enum { ROW_TEXT_MAX = 65536 };

static const char separators[] = { ',', ';', '\t' };

static bool is_break(uint8_t b)
{
	return b == '\n' || b == '\r';
}

/* Step over one line break, if one is there. */
static void skip_break(struct csv *c)
{
	if (c->at == c->end || !is_break(*c->at))
		return;
	if (*c->at == '\r' && c->end - c->at > 1 && c->at[1] == '\n')
		c->at++;
	c->at++;
	c->line++;
}

static void skip_line(struct csv *c)
{
	while (c->at < c->end && !is_break(*c->at))
		c->at++;
	skip_break(c);
}

/* The separator that stands most often in the first line, outside quotes. */
static char find_separator(const struct csv *c)
{
	size_t count[sizeof(separators)] = { 0 }, best = 0;
	bool quoted = false;

	for (const uint8_t *p = c->at; p < c->end && (quoted || !is_break(*p)); p++) {
		if (*p == '"')
			quoted = !quoted;
		for (size_t i = 0; !quoted && i < sizeof(separators); i++)
			count[i] += *p == (uint8_t)separators[i];
	}
	for (size_t i = 1; i < sizeof(separators); i++)
		if (count[i] > count[best])
			best = i;
	return separators[best];
}

/* "sep=;" as spreadsheets write it before the header. */
static bool take_separator_line(struct csv *c)
{
	if (c->end - c->at < 5 || memcmp(c->at, "sep=", 4) != 0)
		return false;
	if (c->end - c->at > 5 && !is_break(c->at[5]))
		return false;
	c->separator = (char)c->at[4];
	skip_line(c);
	return memchr(separators, c->separator, sizeof(separators)) != NULL;
}

ht_err csv_init(struct csv *c, const void *bytes, size_t len, struct ht_fault *fault)
{
	static const uint8_t bom[] = { 0xef, 0xbb, 0xbf };
	const uint8_t *p = bytes;

	*c = (struct csv){ .at = p, .end = p ? p + len : p, .line = 1 };
	ht_buf_init(&c->text, ROW_TEXT_MAX);
	if (len > CSV_BYTES_MAX)
		return ht_fault_set(fault, HT_TOOLARGE,
		    "the file has %zu bytes, at most %u are allowed: split it", len,
		    CSV_BYTES_MAX);
	if (len >= 2 &&
	    ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
		return ht_fault_set(
		    fault, HT_MALFORMED, "the file is UTF-16: save it as \"CSV UTF-8\"");
	if (len >= sizeof(bom) && memcmp(p, bom, sizeof(bom)) == 0)
		c->at += sizeof(bom);
	while (c->at < c->end && is_break(*c->at))
		skip_break(c);
	if (c->at == c->end)
		return ht_fault_set(fault, HT_MALFORMED,
		    "the file is empty: its first line must name the columns");
	if (!take_separator_line(c))
		c->separator = find_separator(c);
	return HT_OK;
}

void csv_fini(struct csv *c)
{
	ht_buf_fini(&c->text);
}

bool csv_text_valid(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = ht_utf8_len(bytes + i, len - i);
		if (n == 0)
			return false;
		if (n == 1 && (bytes[i] < 0x20 || bytes[i] == 0x7f) && bytes[i] != '\t' &&
		    !is_break(bytes[i]))
			return false;
		i += n;
	}
	return true;
}

/* A quoted cell; the reader stands behind its opening quote. NULL, or what is wrong.
 * Reads no further than a cell may be long, so that a missing quote costs little. */
static const char *quoted_cell(struct csv *c)
{
	const uint8_t *from = c->at;

	for (; c->at < c->end && c->at - from <= 2 * CSV_CELL_MAX; c->at++) {
		if (*c->at == '"') {
			c->at++;
			if (c->at == c->end || is_break(*c->at) ||
			    *c->at == (uint8_t)c->separator)
				return NULL;
			if (*c->at != '"')
				return "text follows a closing quote: write a quote "
				       "inside a "
				       "quoted cell as \"\"";
		} else if (*c->at == '\n' ||
			   (*c->at == '\r' && (c->end - c->at < 2 || c->at[1] != '\n'))) {
			c->line++;
		}
		ht_buf_put(&c->text, c->at, 1);
	}
	return "the quote is never closed: add the closing \"";
}

static const char *plain_cell(struct csv *c)
{
	const uint8_t *from = c->at;

	while (c->at < c->end && !is_break(*c->at) && *c->at != (uint8_t)c->separator) {
		if (*c->at == '"')
			return "a quote in the middle of a cell: quote the whole cell "
			       "and write "
			       "the inner quote as \"\"";
		c->at++;
	}
	ht_buf_put(&c->text, from, (size_t)(c->at - from));
	return NULL;
}

/* Read one cell into c->text; `*out_at` is its place there. */
static const char *read_cell(struct csv *c, size_t *out_at)
{
	const char *wrong;

	*out_at = c->text.len;
	if (c->at < c->end && *c->at == '"') {
		c->at++;
		wrong = quoted_cell(c);
	} else {
		wrong = plain_cell(c);
	}
	size_t len = c->text.len - *out_at;
	if (!wrong && len > CSV_CELL_MAX)
		wrong = "the cell is longer than 4096 bytes: shorten it";
	if (!wrong && len && !csv_text_valid(c->text.data + *out_at, len))
		wrong = "the cell is not UTF-8 text: save the file as \"CSV UTF-8\"";
	ht_buf_put(&c->text, "", 1);
	return wrong;
}

/* All cells of the row at c->at; offsets in `at`, their count in `*n`. */
static const char *read_cells(struct csv *c, size_t at[CSV_CELLS_MAX], size_t *n)
{
	for (*n = 0; *n < CSV_CELLS_MAX;) {
		const char *wrong = read_cell(c, &at[*n]);
		(*n)++;
		if (wrong)
			return wrong;
		if (c->at == c->end || is_break(*c->at))
			return NULL;
		c->at++; /* the separator */
	}
	return "more than 64 columns: remove those that are not needed";
}

ht_err csv_next(struct csv *c, struct csv_row *out, struct ht_fault *fault)
{
	size_t at[CSV_CELLS_MAX], n;

	while (c->at < c->end && is_break(*c->at))
		skip_break(c);
	if (c->at == c->end)
		return HT_NOTFOUND;
	if (c->n_rows++ >= CSV_ROWS_MAX) {
		c->at = c->end;
		return ht_fault_set(fault, HT_TOOLARGE,
		    "more than %d rows: split the file", CSV_ROWS_MAX);
	}
	const uint8_t *from = c->at;
	int line = c->line;
	ht_buf_reset(&c->text);
	const char *wrong = read_cells(c, at, &n);
	if (c->text.err == HT_NOMEM) {
		c->at = c->end;
		return HT_NOMEM;
	}
	if (wrong || c->text.err) {
		out->line = line;
		out->n = n;
		c->at = from; /* go on behind the line where the row begins */
		c->line = line;
		skip_line(c);
		return ht_fault_set(fault, HT_MALFORMED, "%s",
		    wrong ? wrong : "the row is too long: is a quote missing?");
	}
	skip_break(c);
	*out = (struct csv_row){ .line = line, .n = n };
	for (size_t i = 0; i < n; i++)
		out->cells[i] = (const char *)c->text.data + at[i];
	return HT_OK;
}
