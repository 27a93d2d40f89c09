#include "unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "probes/lan/frame.h"

static const struct ht_mac own = { { 2, 0x10, 0, 0, 0, 1 } };

/* What the files of tests/data/pcap cannot show is here; the rest is captures_test.c. */

static void test_request_reads_back(void **state)
{
	uint8_t bytes[FRAME_ARP_LEN];
	struct frame f;

	frame_arp_request(&own, 0xc0a80a05, 0xc0a80afe, bytes);
	assert_ok(frame_parse(bytes, sizeof(bytes), &f));
	assert_int_equal(f.kind, FRAME_ARP);
	assert_int_equal(f.arp.op, FRAME_ARP_REQUEST);
	assert_memory_equal(&f.arp.sender_mac, &own, sizeof(own));
	assert_memory_equal(&f.src, &own, sizeof(own));
	assert_true(ht_mac_is_group(&f.dst));
	assert_true(ht_mac_is_zero(&f.arp.target_mac));
	assert_int_equal(f.arp.sender_ip, 0xc0a80a05);
	assert_int_equal(f.arp.target_ip, 0xc0a80afe);
	assert_false(f.arp.sender_differs);
	for (size_t len = 0; len < sizeof(bytes); len++) {
		uint8_t *cut = malloc(len ? len : 1); /* the sanitizer sees its end */

		memcpy(cut, bytes, len);
		assert_int_equal(frame_parse(cut, len, &f), HT_MALFORMED);
		free(cut);
	}
}

static void test_who_speaks_for_another_is_marked(void **state)
{
	uint8_t bytes[FRAME_ARP_LEN];
	struct frame f;

	frame_arp_request(&own, 1, 2, bytes);
	bytes[11] = 9;
	assert_ok(frame_parse(bytes, sizeof(bytes), &f));
	assert_true(f.arp.sender_differs);
}

static void test_tags_are_read_and_bounded(void **state)
{
	uint8_t arp[FRAME_ARP_LEN], tagged[FRAME_ARP_LEN + 12];
	static const uint8_t tags[] = { 0x88, 0xa8, 0x20, 0x05, 0x81, 0x00, 0xe0, 0x1e,
		0x81, 0x00, 0x00, 0x07 };
	struct frame f;

	frame_arp_request(&own, 1, 2, arp);
	memcpy(tagged, arp, 12);
	memcpy(tagged + 12, tags, 8);
	memcpy(tagged + 20, arp + 12, sizeof(arp) - 12);
	assert_ok(frame_parse(tagged, sizeof(arp) + 8, &f));
	assert_int_equal(f.kind, FRAME_ARP);
	assert_int_equal(f.n_vlans, 2);
	assert_int_equal(f.vlans[0], 5);
	assert_int_equal(f.vlans[1], 30);
	/* A third tag is no frame of ours. */
	memcpy(tagged + 12, tags, 12);
	memcpy(tagged + 24, arp + 12, sizeof(arp) - 12);
	assert_ok(frame_parse(tagged, sizeof(tagged), &f));
	assert_int_equal(f.kind, FRAME_OTHER);
}

static void test_failure_leaves_out_alone(void **state)
{
	struct frame f, before;
	uint8_t bytes[FRAME_ARP_LEN];

	memset(&f, 0x5a, sizeof(f));
	before = f;
	frame_arp_request(&own, 1, 2, bytes);
	bytes[18] = 7; /* hlen */
	assert_int_equal(frame_parse(bytes, sizeof(bytes), &f), HT_MALFORMED);
	assert_memory_equal(&f, &before, sizeof(f));
}

static struct frame_option option_of(const char *bytes, size_t len)
{
	struct frame_option o = { .len = (uint8_t)len, .present = true };

	memcpy(o.bytes, bytes, len);
	return o;
}

#define TEXT(bytes, cap, want)                                                \
	do {                                                                  \
		struct frame_option o_ = option_of(bytes, sizeof(bytes) - 1); \
		char out_[64];                                                \
		frame_option_text(&o_, out_, (cap));                          \
		assert_string_equal(out_, want);                              \
	} while (0)

static void test_text_is_clean(void **state)
{
	TEXT("may-01", 64, "may-01");
	TEXT("may-01\0\0 \0", 64, "may-01");
	TEXT("", 64, "");
	TEXT("\0\0", 64, "");
	TEXT("a\r\nb\x1b[31m", 64, "a??b?[31m");
	TEXT("a\0b", 64, "a?b");
	TEXT("ph\xc3\xb2ng", 64, "ph\xc3\xb2ng");
	TEXT("\xe1\xba\xa1", 64, "\xe1\xba\xa1");
	TEXT("\xf0\x9f\x96\xa8", 64, "\xf0\x9f\x96\xa8");
	TEXT("\xc0\xaf", 64, "??");           /* overlong */
	TEXT("\xed\xa0\x80", 64, "???");      /* surrogate */
	TEXT("\xf4\x90\x80\x80", 64, "????"); /* beyond U+10FFFF */
	TEXT("\xc2\x85", 64, "??");           /* a C1 control */
	TEXT("\xc3", 64, "?");                /* cut off */
	TEXT("\xff\xfe\x80", 64, "???");
	TEXT("abcdef", 4, "abc");
	TEXT("ab\xc3\xb2", 4, "ab"); /* never half a character */
	TEXT("abc", 1, "");
}

static void test_lists_at_full_length(void **state)
{
	struct frame_option o = { .len = 255, .present = true };
	char list[FRAME_LIST_TEXT], hex[FRAME_HEX_TEXT];

	memset(o.bytes, 0xff, sizeof(o.bytes));
	frame_option_list(&o, list);
	assert_int_equal(strlen(list), 255 * 4 - 1);
	frame_option_hex(&o, hex);
	assert_int_equal(strlen(hex), 510);
	o = option_of("\1\3\6\377", 4);
	frame_option_list(&o, list);
	assert_string_equal(list, "1,3,6,255");
	frame_option_hex(&o, hex);
	assert_string_equal(hex, "010306ff");
	o.len = 0;
	frame_option_list(&o, list);
	assert_string_equal(list, "");
}

/* A name of more than 255 bytes in three options: cut, not overrun. */
static void test_long_option_is_cut(void **state)
{
	uint8_t bytes[240 + 3 * 202] = { 1, 1, 6 };
	struct frame_dhcp d;

	memcpy(bytes + 28, own.b, 6);
	memcpy(bytes + 236, "\x63\x82\x53\x63", 4);
	for (size_t i = 0; i < 3; i++) {
		bytes[240 + i * 202] = 12;
		bytes[241 + i * 202] = 200;
		memset(bytes + 242 + i * 202, 'a' + (int)i, 200);
	}
	assert_ok(frame_dhcp_parse(bytes, sizeof(bytes), &d));
	assert_int_equal(d.hostname.len, 255);
	assert_int_equal(d.hostname.bytes[199], 'a');
	assert_int_equal(d.hostname.bytes[254], 'b');
	assert_int_equal(d.type, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_reads_back),
		cmocka_unit_test(test_who_speaks_for_another_is_marked),
		cmocka_unit_test(test_tags_are_read_and_bounded),
		cmocka_unit_test(test_failure_leaves_out_alone),
		cmocka_unit_test(test_text_is_clean),
		cmocka_unit_test(test_lists_at_full_length),
		cmocka_unit_test(test_long_option_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
