/* The frame parsers against real captures whose truth another program (tshark) wrote:
 * ARP bindings and DHCP clients must be the same sets, and no malformed capture may do
 * harm. The captures lie outside the repository; without them this test skips, aloud.
 * HATANG_CAPTURES names their folder. */
#include "unit/test.h"

#include <dirent.h>
#include <json-c/json.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probes/lan/frame.h"

#define FACTS_MAX 4096

/* A set of one-line facts. */
struct facts {
	char *at[FACTS_MAX];
	size_t n;
};

static void facts_put(struct facts *f, const char *fact)
{
	for (size_t i = 0; i < f->n; i++) {
		if (strcmp(f->at[i], fact) == 0)
			return;
	}
	assert_true(f->n < FACTS_MAX);
	f->at[f->n++] = strdup(fact);
}

static bool facts_has(const struct facts *f, const char *fact)
{
	for (size_t i = 0; i < f->n; i++) {
		if (strcmp(f->at[i], fact) == 0)
			return true;
	}
	return false;
}

static void facts_fini(struct facts *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->at[i]);
	f->n = 0;
}

/* Where the truth holds what we refuse on purpose, by the file's name. */
static const struct {
	const char *file, *fact, *why;
} exempt[] = {
	{ "ndpi-capwap.pcap", "senders", "one of them inside a CAPWAP tunnel" },
	{ "ndpi-capwap.pcap", "dhcp 1c:ab:a7:f2:13:9d ", "inside a CAPWAP tunnel" },
	{ "tcpdump-dhcp-rfc4388.pcap", "dhcp 00:00:00:00:00:00 ",
	    "a lease query, by no card" },
	{ "tcpdump-dhcp-rfc4388.pcap", "dhcp 01:00:00:00:00:00 ", "a group address" },
	{ "ndpi-dhcp-fuzz.pcapng", "dhcp 00:1f:29:da:2d:79 type 106",
	    "options run over the end" },
};

static bool exempted(const char *file, const char *fact)
{
	for (size_t i = 0; i < HT_COUNT(exempt); i++) {
		if (strcmp(file, exempt[i].file) == 0 &&
		    strncmp(fact, exempt[i].fact, strlen(exempt[i].fact)) == 0)
			return true;
	}
	return false;
}

static size_t facts_missing(
    const char *what, const struct facts *a, const struct facts *b, const char *file)
{
	size_t missing = 0;

	for (size_t i = 0; i < a->n; i++) {
		if (facts_has(b, a->at[i]) || exempted(file, a->at[i]))
			continue;
		print_message("%s: %s: %s\n", file, what, a->at[i]);
		missing++;
	}
	return missing;
}

static const char *folder(void)
{
	const char *env = getenv("HATANG_CAPTURES");
	static const char *const usual[] = { "../../shared/data/pcap_dev",
		"../../../shared/data/pcap_dev" };

	if (env)
		return env;
	for (size_t i = 0; i < HT_COUNT(usual); i++) {
		if (access(usual[i], R_OK) == 0)
			return usual[i];
	}
	return NULL;
}

static void arp_facts(const struct frame_arp *a, struct facts *out)
{
	char mac[HT_MAC_TEXT], ip[HT_ADDR_TEXT], fact[256];
	struct ht_addr addr = ht_addr_from_v4(a->sender_ip);

	ht_mac_format(&a->sender_mac, mac);
	snprintf(fact, sizeof(fact), "sender %s", mac);
	facts_put(out, fact);
	if (!a->sender_ip)
		return;
	ht_addr_format(&addr, ip);
	snprintf(fact, sizeof(fact), "arp %s %s", mac, ip);
	facts_put(out, fact);
}

static void option_fact(
    struct facts *out, const char *mac, const char *what, const char *value)
{
	char fact[2048];

	snprintf(fact, sizeof(fact), "dhcp %s %s %s", mac, what, value);
	facts_put(out, fact);
}

/* The same choice as the truth's: what a client says is read from its own messages. */
static void dhcp_facts(const struct frame_dhcp *d, struct facts *out)
{
	char mac[HT_MAC_TEXT], text[FRAME_LIST_TEXT];

	ht_mac_format(&d->client, mac);
	snprintf(text, sizeof(text), "%u", d->type);
	option_fact(out, mac, "type", text);
	if (d->type != 0 && !strchr("\1\3\4\7\10", d->type))
		return;
	if (d->hostname.present && d->hostname.len) {
		frame_option_text(&d->hostname, text, sizeof(text));
		option_fact(out, mac, "host", text);
	}
	if (d->vendor_class.present && d->vendor_class.len) {
		frame_option_text(&d->vendor_class, text, sizeof(text));
		option_fact(out, mac, "vendor", text);
	}
	if (d->parameters.present && d->parameters.len) {
		frame_option_list(&d->parameters, text);
		option_fact(out, mac, "prl", text);
	}
}

/* All facts of a capture; -1 when libpcap cannot read it or it is not Ethernet. */
static int capture_facts(const char *path, struct facts *out)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, err);
	struct pcap_pkthdr *head;
	const u_char *bytes;
	int n = 0;

	if (!p)
		return -1;
	if (pcap_datalink(p) != DLT_EN10MB) {
		pcap_close(p);
		return -1;
	}
	while (pcap_next_ex(p, &head, &bytes) == 1) {
		/* An exact copy, so that the sanitizer sees the first byte beyond it. */
		uint8_t *copy = malloc(head->caplen ? head->caplen : 1);
		struct frame f;

		memcpy(copy, bytes, head->caplen);
		if (frame_parse(copy, head->caplen, &f) == HT_OK) {
			if (f.kind == FRAME_ARP)
				arp_facts(&f.arp, out);
			if (f.kind == FRAME_DHCP)
				dhcp_facts(&f.dhcp, out);
		}
		free(copy);
		n++;
	}
	pcap_close(p);
	return n;
}

static void strings_fact(struct facts *out, const char *mac, struct json_object *client,
    const char *key, const char *what)
{
	struct json_object *list = json_object_object_get(client, key);

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *text =
		    json_object_get_string(json_object_array_get_idx(list, i));

		option_fact(out, mac, what, strcmp(text, "?") == 0 ? "0" : text);
	}
}

static void truth_facts(struct json_object *row, struct facts *out)
{
	struct json_object *arp = json_object_object_get(row, "arp_bindings");
	struct json_object *dhcp = json_object_object_get(row, "dhcp_clients");

	json_object_object_foreach(arp, mac, ips)
	{
		for (size_t i = 0; i < json_object_array_length(ips); i++) {
			char fact[256];

			snprintf(fact, sizeof(fact), "arp %s %s", mac,
			    json_object_get_string(json_object_array_get_idx(ips, i)));
			facts_put(out, fact);
		}
	}
	json_object_object_foreach(dhcp, client, facts)
	{
		strings_fact(out, client, facts, "types", "type");
		strings_fact(out, client, facts, "host", "host");
		strings_fact(out, client, facts, "vendor", "vendor");
		strings_fact(out, client, facts, "prl", "prl");
	}
}

/* The truth names the senders of bindings and only counts those of probes. */
static size_t senders(const struct facts *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += strncmp(f->at[i], "sender ", 7) == 0;
	return n;
}

static size_t senders_wrong(
    struct json_object *row, const struct facts *have, const char *file)
{
	struct json_object *count = json_object_object_get(row, "arp_sender_macs");
	size_t want = (size_t)json_object_get_int(count);

	if (senders(have) == want || exempted(file, "senders"))
		return 0;
	print_message(
	    "%s: %zu ARP senders, the truth has %zu\n", file, senders(have), want);
	return 1;
}

static void facts_drop_senders(struct facts *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (strncmp(f->at[i], "sender ", 7) == 0)
			free(f->at[i]);
		else
			f->at[kept++] = f->at[i];
	}
	f->n = kept;
}

/* Every capture of a folder against its truth.jsonl; the number of captures. */
static size_t check_truth(const char *dir)
{
	char path[4096], *line = NULL;
	size_t cap = 0, files = 0, facts = 0, wrong = 0;

	snprintf(path, sizeof(path), "%s/truth.jsonl", dir);
	FILE *truth = fopen(path, "r");
	assert_non_null(truth);
	while (getline(&line, &cap, truth) > 0) {
		struct json_object *row = json_tokener_parse(line);
		const char *name =
		    json_object_get_string(json_object_object_get(row, "file"));
		struct facts want = { .n = 0 }, have = { .n = 0 };

		snprintf(path, sizeof(path), "%s/%s", dir, name);
		if (capture_facts(path, &have) >= 0) {
			truth_facts(row, &want);
			wrong += senders_wrong(row, &have, name);
			facts_drop_senders(&have);
			wrong += facts_missing("missed", &want, &have, name);
			wrong += facts_missing("invented", &have, &want, name);
			files++;
			facts += want.n;
		}
		facts_fini(&want);
		facts_fini(&have);
		json_object_put(row);
	}
	free(line);
	fclose(truth);
	print_message("%zu captures, %zu facts\n", files, facts);
	assert_int_equal(wrong, 0);
	return files;
}

static void test_own_captures(void **state)
{
	assert_int_equal(check_truth("data/pcap"), 2);
}

static void test_real_captures(void **state)
{
	const char *dir = folder();

	if (!dir) {
		print_message(
		    "SKIPPED: no captures; set HATANG_CAPTURES to their folder\n");
		skip();
	}
	assert_true(check_truth(dir) > 0);
}

/* Any bytes at all: the whole file as one frame, one ARP packet and one DHCP message,
 * from every one of its first offsets. */
static void parse_raw(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = malloc(65536);
	struct ht_mac src = { { 2, 0, 0, 0, 0, 1 } };

	assert_non_null(f);
	assert_non_null(bytes);
	size_t len = fread(bytes, 1, 65536, f);
	fclose(f);
	for (size_t at = 0; at < 400 && at < len; at++) {
		size_t left = len - at;
		uint8_t *copy = malloc(left);
		struct frame frame;

		memcpy(copy, bytes + at, left);
		ht_err ignored = frame_parse(copy, left, &frame);
		ignored = frame_arp_parse(copy, left, &src, &frame.arp);
		ignored = frame_dhcp_parse(copy, left, &frame.dhcp);
		(void)ignored;
		free(copy);
	}
	free(bytes);
}

static void test_malformed(void **state)
{
	const char *dir = folder();
	char path[9216], line[8192];
	size_t files = 0;

	if (!dir) {
		print_message(
		    "SKIPPED: no captures; set HATANG_CAPTURES to their folder\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/manifest.tsv", dir);
	FILE *manifest = fopen(path, "r");
	assert_non_null(manifest);
	while (fgets(line, sizeof(line), manifest)) {
		char *source = strchr(line, '\t');
		char *category = source ? strchr(source + 1, '\t') : NULL;
		struct facts facts = { .n = 0 };

		if (!category || strncmp(category + 1, "mal", 3) != 0)
			continue;
		*source = '\0';
		snprintf(path, sizeof(path), "%s/%s", dir, line);
		(void)capture_facts(path, &facts);
		facts_fini(&facts);
		parse_raw(path);
		files++;
	}
	fclose(manifest);
	print_message("%zu malformed captures did no harm\n", files);
	assert_true(files > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_captures),
		cmocka_unit_test(test_real_captures),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
