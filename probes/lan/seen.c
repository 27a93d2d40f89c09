#include "probes/lan/seen.h"

#include <stdlib.h>
#include <string.h>

struct seen_row {
	struct ht_mac mac;
	uint8_t n_ips, n_news;
	uint32_t ips[SEEN_IPS_MAX];
	uint32_t digest;
};

#define SEEN_MAX 16384

ht_err seen_init(struct seen *s, uint32_t max)
{
	struct seen out = { .max = max, .index_len = 16 };

	if (max < 1 || max > SEEN_MAX)
		return HT_RANGE;
	while (out.index_len < 2 * max)
		out.index_len *= 2;
	out.rows = calloc(max, sizeof(*out.rows));
	out.index = calloc(out.index_len, sizeof(*out.index));
	if (!out.rows || !out.index) {
		seen_fini(&out);
		return HT_NOMEM;
	}
	*s = out;
	return HT_OK;
}

void seen_fini(struct seen *s)
{
	free(s->rows);
	free(s->index);
	*s = (struct seen){ 0 };
}

uint32_t seen_digest(uint32_t digest, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		digest = (digest ^ p[i]) * UINT32_C(16777619);
	return digest ? digest : 1;
}

static struct seen_row *find_or_add(struct seen *s, const struct ht_mac *mac)
{
	uint32_t at =
	    seen_digest(SEEN_DIGEST, mac->b, sizeof(mac->b)) & (s->index_len - 1);

	/* At most half of the index is ever used: a free place ends the walk. */
	while (s->index[at]) {
		struct seen_row *row = &s->rows[s->index[at] - 1];

		if (memcmp(&row->mac, mac, sizeof(*mac)) == 0)
			return row;
		at = (at + 1) & (s->index_len - 1);
	}
	if (s->n == s->max)
		return NULL;
	struct seen_row *row = &s->rows[s->n++];
	s->index[at] = (uint16_t)s->n;
	row->mac = *mac;
	return row;
}

static bool put_ip(struct seen *s, struct seen_row *row, uint32_t ipv4)
{
	for (size_t i = 0; i < row->n_ips; i++) {
		if (row->ips[i] == ipv4)
			return false;
	}
	if (row->n_ips == SEEN_IPS_MAX) {
		s->refused++;
		return false;
	}
	row->ips[row->n_ips++] = ipv4;
	return true;
}

bool seen_put(struct seen *s, const struct ht_mac *mac, uint32_t ipv4, uint32_t digest)
{
	uint32_t before = s->n;
	struct seen_row *row = find_or_add(s, mac);

	if (!row) {
		s->refused++;
		return false;
	}
	bool news = s->n > before;
	if (ipv4 && put_ip(s, row, ipv4))
		news = true;
	if (digest && digest != row->digest) {
		row->digest = digest;
		news = true;
	}
	if (news && row->n_news == SEEN_NEWS_MAX) {
		s->refused++;
		return false;
	}
	row->n_news = (uint8_t)(row->n_news + news);
	return news;
}
