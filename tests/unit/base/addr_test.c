#include "unit/test.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/addr.h"

static struct ht_addr addr(const char *text)
{
	struct ht_addr a;

	if (ht_addr_parse(text, &a) != HT_OK)
		fail_msg("refused: %s", text);
	return a;
}

static void test_texts_round_trip(void **state)
{
	static const char *const texts[] = { "0.0.0.0", "10.0.0.1", "10.0.0.7/24",
		"0.0.0.0/0", "255.255.255.255", "fe80::1", "::", "::/0", "2001:db8::/32",
		"::ffff:1.2.3.4" };

	for (size_t i = 0; i < HT_COUNT(texts); i++) {
		char out[HT_ADDR_TEXT];
		struct ht_addr a = addr(texts[i]);

		ht_addr_format(&a, out);
		assert_string_equal(out, texts[i]);
	}
}

static void test_bad_addresses(void **state)
{
	static const char *const texts[] = { "", "/", "10.0.0", "10.0.0.256", "10.0.0.1/",
		"10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/1a", "10.0.0.1/0001", "::1/129",
		"fe80::1%eth0", " 10.0.0.1", "10.0.0.1 ", "host", "1:2:3:4:5:6:7:8:9" };
	struct ht_addr a = { .prefix = 77 };

	for (size_t i = 0; i < HT_COUNT(texts); i++)
		assert_int_equal(ht_addr_parse(texts[i], &a), HT_MALFORMED);
	assert_int_equal(a.prefix, 77);
}

static void test_within(void **state)
{
	static const struct {
		const char *net, *host;
		bool in;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "192.168.10.64/26", "192.168.10.127", true },
		{ "192.168.10.64/26", "192.168.10.128", false },
		{ "0.0.0.0/0", "8.8.8.8", true },
		{ "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.1", "10.0.0.2", false },
		{ "::/0", "10.0.0.1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct ht_addr net = addr(cases[i].net), host = addr(cases[i].host);

		assert_int_equal(ht_addr_within(&net, &host), cases[i].in);
	}
}

static void test_hosts_of_networks(void **state)
{
	static const struct {
		const char *net, *first, *last;
		uint32_t n;
	} cases[] = {
		{ "192.168.10.77/24", "192.168.10.1", "192.168.10.254", 254 },
		{ "10.0.0.0/30", "10.0.0.1", "10.0.0.2", 2 },
		{ "10.0.0.5/31", "10.0.0.4", "10.0.0.5", 2 },
		{ "10.0.0.5", "10.0.0.5", "10.0.0.5", 1 },
		{ "0.0.0.0/0", "0.0.0.1", "255.255.255.254", UINT32_MAX - 1 },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct ht_addr net = addr(cases[i].net), a;
		char out[HT_ADDR_TEXT];

		assert_int_equal(ht_addr_v4_hosts(&net), cases[i].n);
		a = ht_addr_from_v4(ht_addr_v4_host(&net, 0));
		ht_addr_format(&a, out);
		assert_string_equal(out, cases[i].first);
		a = ht_addr_from_v4(ht_addr_v4_host(&net, cases[i].n - 1));
		ht_addr_format(&a, out);
		assert_string_equal(out, cases[i].last);
	}
	struct ht_addr six = addr("fe80::/64");
	assert_int_equal(ht_addr_v4_hosts(&six), 0);
}

static void test_socket_addresses(void **state)
{
	struct sockaddr_storage ss;
	struct ht_addr four = addr("10.1.2.3"), six = addr("2001:db8::5");
	socklen_t len;

	ht_addr_sockaddr(&four, 8883, &ss, &len);
	assert_int_equal(len, sizeof(struct sockaddr_in));
	assert_int_equal(((struct sockaddr_in *)&ss)->sin_port, htons(8883));
	assert_int_equal(((struct sockaddr_in *)&ss)->sin_addr.s_addr, htonl(0x0a010203));
	ht_addr_sockaddr(&six, 443, &ss, &len);
	assert_int_equal(len, sizeof(struct sockaddr_in6));
	assert_int_equal(ss.ss_family, AF_INET6);
	assert_memory_equal(&((struct sockaddr_in6 *)&ss)->sin6_addr, six.bytes, 16);
}

static void test_macs(void **state)
{
	static const char *const good[] = { "00:1a:2B:3c:4D:5e", "00-1a-2b-3c-4d-5e",
		"001a.2b3c.4d5e" };
	static const char *const bad[] = { "", "0", "00", "00:1a:2b:3c:4d",
		"00:1a:2b:3c:4d:5e:6f", "00:1a-2b:3c:4d:5e", "001a2b3c4d5e",
		"00:1a:2b:3c:4d:5g", "0:1a:2b:3c:4d:5e", "00:1a:2b:3c:4d:5e " };
	struct ht_mac m;
	char out[HT_MAC_TEXT];

	for (size_t i = 0; i < HT_COUNT(good); i++) {
		assert_ok(ht_mac_parse(good[i], &m));
		ht_mac_format(&m, out);
		assert_string_equal(out, "00:1a:2b:3c:4d:5e");
	}
	for (size_t i = 0; i < HT_COUNT(bad); i++)
		assert_int_equal(ht_mac_parse(bad[i], &m), HT_MALFORMED);
	assert_false(ht_mac_is_group(&m) || ht_mac_is_local(&m) || ht_mac_is_zero(&m));
	assert_ok(ht_mac_parse("ff:ff:ff:ff:ff:ff", &m));
	assert_true(ht_mac_is_group(&m));
	assert_ok(ht_mac_parse("02:00:00:00:00:01", &m));
	assert_true(ht_mac_is_local(&m) && !ht_mac_is_group(&m));
	assert_ok(ht_mac_parse("00:00:00:00:00:00", &m));
	assert_true(ht_mac_is_zero(&m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_round_trip),
		cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_hosts_of_networks),
		cmocka_unit_test(test_socket_addresses),
		cmocka_unit_test(test_macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
