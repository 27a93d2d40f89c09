/* drive PROBE TIMEOUT_S [--subnet CIDR]… [--interface NAME]… [--pps N] [--memory FILE
 * [--key KEY]]
 * [--set YAML] [--grant N=FILE]…: runs one probe once on the real loop, opening captures
 * itself (needs CAP_NET_RAW), and prints each reading as
 * "<family>/<instance>/<quantity>\t<value>".
 * --grant answers privilege N (enum probe_privilege) with a file's bytes.
 * --slot "URL TOKEN BYTES" grants a slot of the server's endpoint, --ca FILE vouches for
 * it. For tests in network namespaces. */
#include "unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/name.h"
#include "unit/probes/runner.h"

enum { LIST_MAX = 16 };

static int open_capture(void *arg, const char *name)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL) };
	int fd;

	ll.sll_ifindex = (int)if_nametoindex(name);
	if (!ll.sll_ifindex)
		return -ENOENT;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&ll, sizeof(ll)) != 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

static void print_reading(const struct runner_reading *r)
{
	char name[HT_NAME_MAX + 1];

	if (ht_name_format(r->metric, r->instance, name, sizeof(name)) != HT_OK)
		abort();
	switch (ht_metric_info(r->metric)->kind) {
	case HT_NUMBER:
		printf("%s\t%.17g\t%" PRId64 "\n", name, r->number, r->at_ns);
		break;
	case HT_COUNTER:
		printf("%s\t%" PRIu64 "\t%" PRId64 "\n", name, r->counter, r->at_ns);
		break;
	case HT_STRING:
		printf("%s\t%s\t%" PRId64 "\n", name, r->string, r->at_ns);
		break;
	case HT_BOOL:
		printf("%s\t%s\t%" PRId64 "\n", name, r->boolean ? "true" : "false",
		    r->at_ns);
		break;
	}
}

/* The probe's memory lies in a file between two calls; the one of a key beside it. */
static FILE *memory_open(const char *file, const char *key, const char *how)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s%s%s", file, key[0] ? "." : "", key);
	return fopen(path, how);
}

static void memory_load(struct runner *r, const char *file, const char *key)
{
	static char bytes[PROBE_MEMORY_MAX];
	FILE *f = memory_open(file, key, "rb");

	if (!f)
		return;
	size_t n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	if (r->host.remember_of(&r->host, key, bytes, n) != HT_OK)
		abort();
}

static void memory_save(struct runner *r, const char *file, const char *key)
{
	size_t n;
	const void *bytes = r->host.recall_of(&r->host, key, &n);
	FILE *f = memory_open(file, key, "wb");

	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
		abort();
}

/* "3=/tmp/ruleset.json" */
static void grant_file(struct runner *r, const char *text)
{
	char *eq, *bytes = calloc(1, 1 << 20);
	long what = strtol(text, &eq, 10);
	FILE *f = *eq == '=' ? fopen(eq + 1, "rb") : NULL;

	if (!f || !bytes || what < 0 || what >= PROBE_PRIVILEGE_COUNT)
		abort();
	if (fread(bytes, 1, (1 << 20) - 1, f) == 0)
		bytes[0] = '\0';
	fclose(f);
	runner_grant_bytes(r, (enum probe_privilege)what, bytes);
	free(bytes);
}

static struct probe_field slot[] = { { "slot", "1" }, { "seconds", "300" },
	{ "url", NULL }, { "token", NULL }, { "bytes", NULL } };

static void grant_slot(void *arg, const char *request, const struct probe_field *fields,
    size_t n, struct probe_answer *out)
{
	out->fields = slot;
	out->n_fields = HT_COUNT(slot);
}

static void slot_read(struct runner *r, char *text)
{
	for (int i = 2; i < 5; i++)
		slot[i].value = strsep(&text, " ");
	if (!slot[4].value)
		abort();
	runner_server(r, grant_slot, NULL);
}

int main(int argc, char **argv)
{
	struct runner *r = runner_new();
	struct ht_addr subnets[LIST_MAX];
	const char *interfaces[LIST_MAX], *memory = NULL, *key = NULL, *yaml = "";
	const struct probe_ops *ops = argc > 2 ? probe_find(argv[1]) : NULL;
	int64_t timeout_ns =
	    argc > 2 ? (int64_t)(strtod(argv[2], NULL) * HT_NS_PER_S) : 0;

	if (!ops)
		return HT_EXIT_USAGE;
	for (int i = 3; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--subnet") == 0 && r->site.n_subnets < LIST_MAX) {
			if (ht_addr_parse(argv[i + 1], &subnets[r->site.n_subnets++]) !=
			    HT_OK)
				return HT_EXIT_USAGE;
		} else if (strcmp(argv[i], "--interface") == 0 &&
			   r->site.n_interfaces < LIST_MAX) {
			interfaces[r->site.n_interfaces++] = argv[i + 1];
		} else if (strcmp(argv[i], "--pps") == 0) {
			r->site.packets_per_s = strtoll(argv[i + 1], NULL, 10);
		} else if (strcmp(argv[i], "--memory") == 0) {
			memory = argv[i + 1];
		} else if (strcmp(argv[i], "--key") == 0) {
			key = argv[i + 1];
		} else if (strcmp(argv[i], "--grant") == 0) {
			grant_file(r, argv[i + 1]);
		} else if (strcmp(argv[i], "--slot") == 0) {
			slot_read(r, argv[i + 1]);
		} else if (strcmp(argv[i], "--ca") == 0) {
			r->site.ca_file = argv[i + 1];
		} else if (strcmp(argv[i], "--set") == 0) {
			yaml = argv[i + 1];
		} else {
			return HT_EXIT_USAGE;
		}
	}
	r->site.subnets = subnets;
	r->site.interfaces = interfaces;
	runner_grant_fd(r, PROBE_CAPTURE, open_capture, NULL, false);
	if (memory)
		memory_load(r, memory, "");
	if (memory && key)
		memory_load(r, memory, key);
	if (!runner_run(r, ops, "test", yaml, timeout_ns))
		return HT_EXIT_FAILURE;
	for (size_t i = 0; i < r->n_readings; i++)
		print_reading(&r->readings[i]);
	printf("done\t%s\t0\n", r->done ? "true" : "false");
	if (memory)
		memory_save(r, memory, "");
	if (memory && key)
		memory_save(r, memory, key);
	runner_free(r);
	return HT_EXIT_OK;
}
