#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/registry/csv.h"
#include "server/registry/viet.h"

/* The whole file as "line:cell|cell;…", errors as "line,column!". */
static const char *read_all(const void *bytes, size_t len)
{
	static char text[4096];
	struct csv csv;
	struct csv_row row;
	ht_err err;
	size_t n = 0;

	text[0] = '\0';
	if (csv_init(&csv, bytes, len, NULL)) {
		csv_fini(&csv);
		return "refused";
	}
	while ((err = csv_next(&csv, &row, NULL)) != HT_NOTFOUND) {
		if (err == HT_MALFORMED) {
			n += (size_t)snprintf(
			    text + n, sizeof(text) - n, "%d,%zu!;", row.line, row.n);
			continue;
		}
		assert_ok(err);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%d:", row.line);
		for (size_t i = 0; i < row.n; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
			    i ? "|" : "", row.cells[i]);
		n += (size_t)snprintf(text + n, sizeof(text) - n, ";");
	}
	csv_fini(&csv);
	return text;
}

#define assert_reads(bytes, want) \
	assert_string_equal(read_all(bytes, sizeof(bytes) - 1), want)

static void plain_rows(void **state)
{
	assert_reads("a,b\n1,2\n", "1:a|b;2:1|2;");
	assert_reads("a,b\r\n1,2", "1:a|b;2:1|2;");
	assert_reads("a,b\r1,\r", "1:a|b;2:1|;");
	assert_reads("\xef\xbb\xbf"
		     "a,b\n,\n",
	    "1:a|b;2:|;");
	assert_reads("a\n\n\r\nb\n", "1:a;4:b;");
	assert_reads("a,", "1:a|;");
}

static void separators_are_found(void **state)
{
	assert_reads("a;b;c\n1,5;2;3\n", "1:a|b|c;2:1,5|2|3;");
	assert_reads("a\tb\n1\t2\n", "1:a|b;2:1|2;");
	assert_reads("sep=;\na;b\n", "2:a|b;");
	assert_reads("\"a,b,c\";d;e\n", "1:a,b,c|d|e;");
}

static void quotes(void **state)
{
	assert_reads(
	    "\"a\"\"b\",\"c,d\"\n\"x\ny\",z\nq,r\n", "1:a\"b|c,d;2:x\ny|z;4:q|r;");
	assert_reads("\"\",\"\"\"\"\n", "1:|\";");
	assert_reads("\"a\r\nb\"\nc\n", "1:a\r\nb;3:c;");
}

static void a_broken_row_does_not_end_the_reading(void **state)
{
	assert_reads("a,b\nx,\"y\"z\n1,2\n", "1:a|b;2,2!;3:1|2;");
	assert_reads("a,b\n\"never\n1,2\n", "1:a|b;2,1!;3:1|2;");
	assert_reads("a,b\nx\"y,1\n1,2\n", "1:a|b;2,1!;3:1|2;");
	assert_reads("a\n\xff\nb\n", "1:a;2,1!;3:b;");
	assert_reads("a\nx\0y\nb\n", "1:a;2,1!;3:b;");
}

static void other_encodings_and_nothing_are_refused(void **state)
{
	assert_reads("", "refused");
	assert_reads("\xef\xbb\xbf\r\n", "refused");
	assert_reads("\xff\xfe"
		     "a\0",
	    "refused");
}

static void ceilings(void **state)
{
	char *big = malloc(CSV_CELL_MAX + 8);

	assert_non_null(big);
	memset(big, 'x', CSV_CELL_MAX + 2);
	memcpy(big + CSV_CELL_MAX + 1, "\na\n", 3);
	assert_string_equal(read_all(big, CSV_CELL_MAX + 4), "1,1!;2:a;");
	memset(big, ',', CSV_CELLS_MAX + 1);
	memcpy(big + CSV_CELLS_MAX + 1, "\na\n", 3);
	assert_string_equal(read_all(big, CSV_CELLS_MAX + 4), "1,64!;2:a;");
	free(big);

	struct csv csv;
	assert_int_equal(
	    csv_init(&csv, "a", (size_t)CSV_BYTES_MAX + 1, NULL), HT_TOOLARGE);
	csv_fini(&csv);
}

static void utf8_is_checked(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} cases[] = {
		{ "Xã Bát Xát", true },
		{ "\xf0\x9f\x8c\x8f", true },
		{ "tab\there", true },
		{ "\xc0\x80", false },
		{ "\xe0\x80\x80", false },
		{ "\xed\xa0\x80", false },
		{ "\xf4\x90\x80\x80", false },
		{ "\xc3", false },
		{ "\x80", false },
		{ "\x07", false },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++)
		assert_int_equal(
		    csv_text_valid((const uint8_t *)cases[i].text, strlen(cases[i].text)),
		    cases[i].valid);
}

static void vietnamese_words_lose_their_marks(void **state)
{
	static const char *const cases[][2] = {
		{ "Mã cơ quan", "ma_co_quan" },
		{ "MÃ CƠ QUAN", "ma_co_quan" },
		{ "Đường truyền", "duong_truyen" },
		{ "  Số  lượng (CBCCVC) ", "so_luong_cbccvc" },
		{ "ti\xcc\x89nh", "tinh" } /* decomposed */,
		{ "huyện", "huyen" },
		{ "", "" },
		{ "contracted_down", "contracted_down" },
		{ "Kinh độ", "kinh_do" },
		{ "—", "" },
	};
	char out[64];

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		viet_plain(cases[i][0], out, sizeof(out));
		assert_string_equal(out, cases[i][1]);
	}
	viet_plain("mã cơ quan", out, 6);
	assert_string_equal(out, "ma_co");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_rows),
		cmocka_unit_test(separators_are_found),
		cmocka_unit_test(quotes),
		cmocka_unit_test(a_broken_row_does_not_end_the_reading),
		cmocka_unit_test(other_encodings_and_nothing_are_refused),
		cmocka_unit_test(ceilings),
		cmocka_unit_test(utf8_is_checked),
		cmocka_unit_test(vietnamese_words_lose_their_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
