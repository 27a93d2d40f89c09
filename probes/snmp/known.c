#include "probes/snmp/known.h"

#include <string.h>

void known_fini(struct known *k)
{
	identity_fini(&k->identity);
}

/* Which one carries the link comes first: it is short, and what a person confirmed. */
void known_decode(struct known *k, const void *bytes, size_t len)
{
	struct ht_reader r = ht_reader_of(bytes, len);

	*k = (struct known){ 0 };
	if (len == 0 || uplink_decode(&k->uplink, &r))
		return;
	if (identity_decode(&k->identity, &r))
		k->uplink = (struct uplink_memory){ 0 }; /* its id is of nothing */
}

void known_encode(const struct known *k, struct ht_buf *out)
{
	uplink_encode(&k->uplink, out);
	identity_encode(&k->identity, out);
}

static const void *recall(const struct probe_host *host, const char *key, size_t *out_len)
{
	return key ? host->recall_of(host, key, out_len) : host->recall(host, out_len);
}

void known_recall(struct known *k, const struct probe_host *host, const char *key)
{
	size_t len;
	const void *bytes = recall(host, key, &len);

	known_decode(k, bytes, len);
}

void known_remember(const struct known *k, const struct probe_host *host, const char *key)
{
	struct ht_buf b;
	size_t len;
	const void *before = recall(host, key, &len);

	ht_buf_init(&b, PROBE_MEMORY_MAX);
	known_encode(k, &b);
	if (!ht_buf_err(&b) && (b.len != len || memcmp(b.data, before, len) != 0)) {
		ht_err err = key ? host->remember_of(host, key, b.data, b.len)
				 : host->remember(host, b.data, b.len);
		(void)err;
	}
	ht_buf_fini(&b);
}
