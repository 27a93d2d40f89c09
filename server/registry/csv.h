/* A bounded CSV reader (RFC 4180) for registries that people keep in spreadsheets. Pure:
 * bytes in, rows out. UTF-8 with or without BOM; LF, CRLF or CR; quoted cells with ""
 * inside; the separator (',' ';' or tab) is found in the header, or said by a first line
 * "sep=;". Lines without a byte are skipped. Line and column count from 1; a column is a
 * cell, as in a spreadsheet.
 *
 * One broken row does not end the reading: the reader goes on at the next line. */
#ifndef HT_SERVER_REGISTRY_CSV_H
#define HT_SERVER_REGISTRY_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CSV_BYTES_MAX (32u << 20) /* of one file */
#define CSV_ROWS_MAX  200000
#define CSV_CELLS_MAX 64   /* of one row */
#define CSV_CELL_MAX  4096 /* bytes of one cell */

struct csv_row {
	int line; /* where the row begins */
	size_t n;
	const char *cells[CSV_CELLS_MAX]; /* NUL-terminated UTF-8; until the next row */
};

struct csv {
	const uint8_t *at, *end; /* borrowed */
	char separator;
	int line;
	int n_rows;
	struct ht_buf text; /* the present row's cells, each with its NUL */
};

/* Begin. HT_TOOLARGE, or HT_MALFORMED when there is no text at all, or text in another
 * encoding (UTF-16). Borrows `bytes` until csv_fini. */
HT_MUST_CHECK ht_err csv_init(
    struct csv *c, const void *bytes, size_t len, struct ht_fault *fault);
void csv_fini(struct csv *c); /* accepts a zeroed one */

/* The next row; the first one is the header.
 *   HT_NOTFOUND   the end
 *   HT_MALFORMED  a broken row: out->line and out->n (its column) tell where, the fault
 *                 what and the cure; reading may go on
 *   HT_TOOLARGE   more than CSV_ROWS_MAX rows: the end
 *   HT_NOMEM      the end */
HT_MUST_CHECK ht_err csv_next(struct csv *c, struct csv_row *out, struct ht_fault *fault);

/* Whether `len` bytes are UTF-8 (RFC 3629) without control characters but tab and line
 * breaks. */
bool csv_text_valid(const uint8_t *bytes, size_t len);

#endif
