#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/score/definition.h"

#define DEFINITION "../server/score/definitions/vn-ict-index-2016.yaml"
#define CATALOGUE  "../server/score/catalogues/posture-v1.yaml"

static struct definition *load(void)
{
	struct definition *d = NULL;
	struct ht_fault fault = { 0 };

	if (definition_load(DEFINITION, &d, &fault))
		fail_msg("%s", fault.text);
	return d;
}

/* Three main indices of equal weight, groups of 8+4, 4+5, 5+4 indicators. */
static void test_tree(void **state)
{
	static const size_t want[3][2] = { { 8, 4 }, { 4, 5 }, { 5, 4 } };
	struct definition *d = load();
	const struct definition_index *indices = d->indices.at;
	size_t n = 0;

	assert_int_equal(d->indices.n, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct definition_group *groups = indices[i].groups.at;
		assert_true(indices[i].weight == indices[0].weight);
		assert_int_equal(indices[i].groups.n, 2);
		for (size_t g = 0; g < 2; g++) {
			assert_int_equal(groups[g].indicators.n, want[i][g]);
			n += groups[g].indicators.n;
		}
	}
	assert_int_equal(n, 30);
	assert_int_equal(d->status, 0); /* provisional */
	assert_int_equal(d->normalisation.status, 0);
	assert_string_equal(d->normalisation.reference_set, "");
	assert_true(definition_find(d, "computers")->computed);
	assert_false(definition_find(d, "literacy")->computed);
	assert_null(definition_find(d, "nonsense"));
	definition_free(d);
}

static void test_scope_and_factors(void **state)
{
	struct definition *d = load();

	assert_true(definition_counts(d, "commune", "agency"));
	assert_false(definition_counts(d, "commune", "area"));
	assert_false(definition_counts(d, "village", "agency"));
	assert_true(definition_factor(d, "xdsl") == 1);
	assert_true(definition_factor(d, NULL) == 1);
	assert_true(definition_factor(d, "pigeon") == 1);
	definition_free(d);
}

static char *slurp(const char *file, size_t extra)
{
	FILE *f = fopen(file, "r");
	char *text = malloc(65536 + extra);

	assert_non_null(f);
	assert_non_null(text);
	size_t n = fread(text, 1, 65535, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

/* The shipped file with one thing wrong is refused at the place where it is wrong. */
static void test_refused(void **state)
{
	static const struct {
		const char *from, *to, *says;
	} cases[] = {
		{ "effective_from: 2016-01-01", "effective_from: 2016-13-01",
		    "effective_from" },
		{ "levels: [province,", "levels: [provinz,", "'provinz'" },
		{ "id: computers, computed: yes", "id: computers",
		    "no indicator 'computers'" },
		{ "id: literacy,", "id: literacy, computed: yes,",
		    "nothing computes 'literacy'" },
		{ "id: enrolment,", "id: literacy,", "stands above already" },
		{ "inside_max_age: 1h", "inside_max_age: 1", "unit" },
		{ "  require_path: no", "  reference_date: 31/12/2018", "no date" },
		{ "min_availability: 0.5", "min_availability: 1.5", "between 0 and 1" },
		{ "window: 24h", "window: 24", "unit" },
		{ "wan:\n", "wann:\n", "wan" },
		{ "kinds: [province-wan, government-wan]",
		    "kinds: [province-wan, carrier]", "'carrier'" },
	};
	char *good = slurp(DEFINITION, 0);

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		char *bad = malloc(strlen(good) + 200);
		const char *at = strstr(good, cases[i].from);
		struct definition *d = NULL;
		struct ht_fault fault = { 0 };
		int line = 0;

		assert_non_null(at);
		snprintf(bad, strlen(good) + 200, "%.*s%s%s", (int)(at - good), good,
		    cases[i].to, at + strlen(cases[i].from));
		assert_int_equal(
		    definition_parse("d", bad, strlen(bad), &d, &fault), HT_CONFIG);
		assert_null(d);
		assert_int_equal(sscanf(fault.text, "d:%d:", &line), 1);
		assert_true(line > 0);
		if (i != 0 && !strstr(fault.text, cases[i].says))
			fail_msg("case %zu: %s", i, fault.text);
		free(bad);
	}
	free(good);
}

static void test_catalogue(void **state)
{
	struct catalogue *c = NULL;
	struct ht_fault fault = { 0 };
	static const char twice[] =
	    "catalogue: c\nversion: \"1\"\neffective_from: 2018-01-01\nsolutions:\n"
	    "  - { id: a, group: g, name: { vi: a, en: a } }\n"
	    "  - { id: a, group: g, name: { vi: a, en: a } }\n";

	if (catalogue_load(CATALOGUE, &c, &fault))
		fail_msg("%s", fault.text);
	const struct catalogue_solution *rows = c->solutions.at;
	assert_int_equal(c->solutions.n, 11);
	assert_string_equal(rows[0].id, "firewall");
	assert_int_equal(rows[0].combine, COMBINE_ANY);
	catalogue_free(c);
	c = NULL;
	assert_int_equal(
	    catalogue_parse("c", twice, sizeof(twice) - 1, &c, &fault), HT_CONFIG);
	assert_non_null(strstr(fault.text, "c:6:5: a solution 'a' stands above"));
	assert_null(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_scope_and_factors),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_catalogue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
