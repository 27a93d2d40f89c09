/* Whose secrets are read, and whose are not. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

static char folder[] = "/tmp/hatang-secret-XXXXXX";

static const char *put(const char *name, const char *text, mode_t mode)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static void test_the_first_line_of_a_closed_file(void **state)
{
	struct ht_fault fault = { 0 };
	char *got = NULL;

	assert_ok(ht_secret_read(put("a", "s3cret\r\nmore\n", 0600), &got, &fault));
	assert_string_equal(got, "s3cret");
	ht_secret_free(got);
	assert_ok(ht_secret_read(put("a", "", 0400), &got, &fault));
	assert_string_equal(got, "");
	ht_secret_free(got);
	ht_secret_free(NULL);
}

static void test_open_files_are_refused_with_the_cure(void **state)
{
	static const mode_t modes[] = { 0644, 0640, 0604, 0610, 0777 };
	struct ht_fault fault;
	char *got = NULL;

	for (size_t i = 0; i < HT_COUNT(modes); i++) {
		const char *path = put("open", "s\n", modes[i]);

		fault.text[0] = '\0';
		assert_int_equal(ht_secret_check(path, &fault), HT_DENIED);
		assert_int_equal(ht_secret_read(path, &got, &fault), HT_DENIED);
		assert_non_null(strstr(fault.text, "chmod 600"));
		assert_non_null(strstr(fault.text, path));
	}
	assert_int_equal(ht_secret_check(folder, &fault), HT_DENIED);
	assert_int_equal(ht_secret_check("/no/such/file", &fault), HT_NOTFOUND);
	assert_non_null(strstr(fault.text, "/no/such/file"));
	assert_null(got);
}

static void test_much_is_no_secret(void **state)
{
	char text[5000], *got = NULL;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(ht_secret_read(put("big", text, 0600), &got, NULL), HT_TOOLARGE);
	text[4096] = '\0';
	assert_ok(ht_secret_read(put("big", text, 0600), &got, NULL));
	assert_int_equal(strlen(got), 4096);
	ht_secret_free(got);
}

/* systemd's files belong to root, and show the mask of an access list. */
static void test_credentials_outlive_our_rights(void **state)
{
	struct ht_fault fault = { 0 };
	char *got = NULL;

	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	put("community", "from systemd\n", 0440);
	assert_ok(ht_secret_read("community", &got, &fault));
	assert_string_equal(got, "from systemd");
	ht_secret_free(got);
	put("everybody", "s\n", 0444);
	ht_secret_hold();
	/* as when it is root's and we no longer are: not by its name any more */
	char path[128];

	snprintf(path, sizeof(path), "%s/community", folder);
	unlink(path);
	for (int i = 0; i < 2; i++) { /* again and again */
		assert_ok(ht_secret_check("community", &fault));
		assert_ok(ht_secret_read("community", &got, &fault));
		assert_string_equal(got, "from systemd");
		ht_secret_free(got);
	}
	assert_int_equal(ht_secret_check("everybody", &fault), HT_DENIED);
	assert_int_equal(ht_secret_check("nothing", &fault), HT_NOTFOUND);
	ht_secret_hold();
	assert_int_equal(ht_secret_check("community", &fault), HT_NOTFOUND);
	unsetenv("CREDENTIALS_DIRECTORY");
	ht_secret_hold();
}

static int setup(void **state)
{
	return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
	static const char *const names[] = { "a", "open", "big", "everybody" };
	char path[128];

	for (size_t i = 0; i < HT_COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_line_of_a_closed_file),
		cmocka_unit_test(test_open_files_are_refused_with_the_cure),
		cmocka_unit_test(test_much_is_no_secret),
		cmocka_unit_test(test_credentials_outlive_our_rights),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
