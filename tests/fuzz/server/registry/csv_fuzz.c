/* The CSV reader ends, stays in its bounds and yields only text it promises. */
#include <assert.h>
#include <string.h>

#include "server/registry/csv.h"
#include "server/registry/viet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct csv csv;
	struct csv_row row;
	char plain[80];
	int line = 0;

	if (csv_init(&csv, bytes, len, NULL) == HT_OK) {
		ht_err err;
		while (
		    (err = csv_next(&csv, &row, NULL)) == HT_OK || err == HT_MALFORMED) {
			assert(row.line > line && row.n <= CSV_CELLS_MAX);
			line = row.line;
			for (size_t i = 0; err == HT_OK && i < row.n; i++) {
				size_t n = strlen(row.cells[i]);
				assert(n <= CSV_CELL_MAX);
				assert(csv_text_valid((const uint8_t *)row.cells[i], n));
				viet_plain(row.cells[i], plain, sizeof(plain));
			}
		}
	}
	csv_fini(&csv);
	return 0;
}
