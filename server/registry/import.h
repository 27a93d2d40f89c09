/* Agencies and links from a CSV file. Every bad row is told at once, with its line, the
 * column, what is wrong and the cure; a file with a bad row changes nothing at all unless
 * bad rows are to be skipped. Importing the same file again changes nothing. What is in
 * the registry but not in the file stays, and is counted.
 *
 * Columns (English or Vietnamese, with or without marks; any order):
 *   an agencies' file  id, name, level [agency_kind, parent, servants, servants_as_of,
 *                      latitude, longitude] and, for one link a row, link_id [role,
 *                      kind, line_type, provider, contracted_down, contracted_up,
 *                      router_address, parents]. A row without name and level adds
 *                      another link to an agency.
 *   a links' file      link_id, agency and the link's other columns
 * A column that is absent leaves what the registry says; an empty cell empties it. */
#ifndef HT_SERVER_REGISTRY_IMPORT_H
#define HT_SERVER_REGISTRY_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "server/registry/operator.h"
#include "server/store/db.h"

#define IMPORT_PROBLEMS_MAX 1000 /* reading ends there */

struct import_options {
	bool dry_run;  /* read, check, compare; append nothing */
	bool skip_bad; /* import the good rows of a file with bad ones */
};

struct import_problem {
	int line;           /* of the file, from 1; 0: the file as a whole */
	const char *column; /* as the header calls it; "" for the row as a whole */
	const char *text;   /* what, and the cure */
};

struct import_count {
	int added, changed, unchanged;
	int not_in_file; /* in the registry, left alone */
};

struct import_report {
	struct import_count agencies, headcounts, links;
	int rows, bad_rows;
	bool applied; /* rows were appended */
	struct import_problem *problems;
	size_t n_problems;
	void *arena; /* private */
};

/* Import `len` bytes. Runs in a transaction: with dry_run any connection will do, else
 * the writer's (writer_call); the caller rolls back on an error.
 *   HT_INVALID  the file has bad rows and nothing was appended: out->problems tells
 *   HT_NOMEM, HT_IO, HT_FULL …  from the store
 * `out` is filled on HT_OK and HT_INVALID. */
HT_MUST_CHECK ht_err import_csv(struct db *db, const struct operator_by *by,
    const struct import_options *options, const void *bytes, size_t len,
    struct import_report *out);
void import_report_fini(struct import_report *report); /* accepts a zeroed one */

/* Append the report as a JSON object:
 *   {"applied":true,"rows":4,"bad_rows":0,
 *    "agencies":{"added":4,"changed":0,"unchanged":0,"not_in_file":0},
 *    "headcounts":{…},"links":{…},
 *    "problems":[{"line":3,"column":"parent","problem":"…"}]} */
HT_MUST_CHECK ht_err import_report_json(
    const struct import_report *report, struct ht_buf *out);

#endif
