/* Cards with names, identifiers and MACs made of the input: each lands in exactly one
 * machine, and machines have distinct ids. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/derive/fuse.h"

enum { NICS = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct class_rules *rules(void)
{
	static const char yaml[] =
	    "version: \"1\"\neffective_from: 2018-01-01\ngeneric_hostnames: "
	    "[pc]\nrules:\n"
	    "  - { id: a, on: gateway, class: network, confidence: 0.9 }\n";
	static struct class_rules *r;

	if (!r && class_rules_parse("f", yaml, sizeof(yaml) - 1, &r, NULL))
		abort();
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { NULL, "pc", "a", "A", "b", "" };
	static const char *const ids[] = { NULL, "01f8b156000001", "ff00010203040506", "",
		"zz" };
	static const char *const macs[] = { "02:00:00:00:00:00", "00:00:00:00:00:01" };
	struct fuse_nic nics[NICS];
	size_t n = 0;

	for (; n < NICS && (n + 1) * 4 <= size; n++) {
		const uint8_t *b = data + n * 4;
		nics[n] = (struct fuse_nic){ .hostname = names[b[0] % HT_COUNT(names)],
			.dhcp_client_id = ids[b[1] % HT_COUNT(ids)],
			.gateway = b[2] & 1,
			.first_ms = b[3],
			.last_ms = b[3] + 5 };
		snprintf(nics[n].mac, sizeof(nics[n].mac), "%02x:00:00:00:00:%02zx",
		    b[2] & 2, n);
	}
	struct fuse_host host = {
		.id = "h", .macs = macs[size % 2], .first_ms = 1, .last_ms = 2
	};
	struct fuse_correction said = { macs[0], "camera", macs[1] };
	struct fuse_input in = { nics, n, &host, size % 3 != 0, &said, size % 2, rules(),
		NULL };
	struct fuse_result r;
	if (fuse_machines(&in, &r))
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (r.machine_of[i] >= r.n)
			abort();
	}
	for (size_t i = 1; i < r.n; i++) {
		if (strcmp(r.machines[i - 1].id, r.machines[i].id) >= 0)
			abort();
	}
	fuse_fini(&r);
	return 0;
}
