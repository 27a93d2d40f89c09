#include "agent/fingerprint.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

#define SOURCES_MAX 8192

ht_err fingerprint_sha256(
    const void *bytes, size_t len, char out[static FINGERPRINT_LEN + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_Digest(bytes, len, digest, &n, EVP_sha256(), NULL) != 1 || n != 32)
		return HT_NOMEM;
	for (unsigned i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return HT_OK;
}

static void put_line(struct ht_buf *b, const char *what, const char *path)
{
	char line[160] = "";
	FILE *f = fopen(path, "r");

	if (!f)
		return;
	if (fgets(line, sizeof(line), f) && line[0] != '\n') {
		line[strcspn(line, "\n")] = '\0';
		ht_buf_printf(b, "%s=%s\n", what, line);
	}
	fclose(f);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Physical interfaces have a device; bridges, veths and VPNs come and go. */
static void put_macs(struct ht_buf *b)
{
	struct dirent **list = NULL;
	int n = scandir("/sys/class/net", &list, NULL, by_name);

	for (int i = 0; i < n; i++) {
		char path[320];
		snprintf(path, sizeof(path), "/sys/class/net/%s/device", list[i]->d_name);
		if (access(path, F_OK) == 0) {
			snprintf(path, sizeof(path), "/sys/class/net/%s/address",
			    list[i]->d_name);
			put_line(b, "mac", path);
		}
		free(list[i]);
	}
	free(list);
}

ht_err fingerprint_read(char out[static FINGERPRINT_LEN + 1])
{
	const char *override = getenv("HATANG_FINGERPRINT");
	struct ht_buf b;

	if (override && override[0])
		return fingerprint_sha256(override, strlen(override), out);
	ht_buf_init(&b, SOURCES_MAX);
	put_line(&b, "machine-id", "/etc/machine-id");
	put_line(&b, "product", "/sys/class/dmi/id/product_uuid");
	put_macs(&b);
	ht_err err = ht_buf_err(&b);
	if (!err && b.len == 0)
		err = HT_NOTFOUND;
	if (!err)
		err = fingerprint_sha256(b.data, b.len, out);
	ht_buf_fini(&b);
	return err;
}
