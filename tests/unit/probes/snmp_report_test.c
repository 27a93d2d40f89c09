/* What is told of a device from poll to poll, with a memory between them. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/snmp/identity.h"
#include "probes/snmp/report.h"

struct listener {
	uint8_t memory[PROBE_MEMORY_MAX];
	size_t len;
	unsigned identities; /* told */
	char told[256];      /* the last one */
	char instance[HT_INSTANCE_MAX + 1];
};

static void on_emit(const struct probe_host *host, const struct ht_reading *r)
{
	struct listener *l = host->owner;

	if (r->metric != HT_M_IF_IDENTITY)
		return;
	l->identities++;
	snprintf(l->told, sizeof(l->told), "%s", r->string);
	snprintf(l->instance, sizeof(l->instance), "%s", r->instance);
}

static const void *on_recall(const struct probe_host *host, size_t *out_len)
{
	struct listener *l = host->owner;

	*out_len = l->len;
	return l->memory;
}

static ht_err on_remember(const struct probe_host *host, const void *bytes, size_t len)
{
	struct listener *l = host->owner;

	assert_true(len <= sizeof(l->memory));
	memcpy(l->memory, bytes, len);
	l->len = len;
	return HT_OK;
}

/* A poll of a device with so many interfaces; how many identities it told. */
static unsigned poll_of(struct listener *l, uint32_t interfaces)
{
	const struct probe_host host = {
		.emit = on_emit, .recall = on_recall, .remember = on_remember, .owner = l
	};
	const struct report r = { .host = &host, .device = "core", .status = "ok" };
	struct table t;
	char name[16];

	table_init(&t, interfaces);
	for (uint32_t i = 1; i <= interfaces; i++) {
		struct table_row *row = table_row(&t, i);

		snprintf(name, sizeof(name), "Gi%u", i);
		assert_ok(
		    table_put_text(row, TABLE_NAME, (const uint8_t *)name, strlen(name)));
	}
	l->identities = 0;
	report_poll(&r, &t);
	table_fini(&t);
	return l->identities;
}

/* More interfaces than are remembered: that is said once, not of each in every poll. */
static void test_too_many_interfaces_are_said_once(void **state)
{
	struct listener *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	assert_int_equal(poll_of(l, IDENTITY_MAX), 0);
	assert_int_equal(poll_of(l, IDENTITY_MAX + 100), 1);
	assert_string_equal(l->instance, "core:Gi2049");
	assert_non_null(strstr(l->told, "one of 2148 interfaces"));
	assert_int_equal(poll_of(l, IDENTITY_MAX + 100), 0);
	assert_int_equal(poll_of(l, IDENTITY_MAX + 120), 0);
	assert_int_equal(poll_of(l, IDENTITY_MAX), 0);
	assert_int_equal(poll_of(l, IDENTITY_MAX + 1), 1); /* anew */
	free(l);
}

static void test_what_is_new_is_said(void **state)
{
	struct listener *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	assert_int_equal(poll_of(l, 3), 0); /* all are */
	assert_int_equal(poll_of(l, 4), 1);
	assert_string_equal(l->instance, "core:Gi4");
	assert_int_equal(poll_of(l, 4), 0);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_many_interfaces_are_said_once),
		cmocka_unit_test(test_what_is_new_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
