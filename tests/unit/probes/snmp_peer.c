#include "unit/probes/snmp_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 512, VARIABLES_MAX = 128, GET = 0xa0, GETNEXT = 0xa1, GETBULK = 0xa5 };

/* ---- writing BER ---- */

static size_t put_head(uint8_t *out, uint8_t tag, size_t len)
{
	out[0] = tag;
	if (len < 128) {
		out[1] = (uint8_t)len;
		return 2;
	}
	out[1] = 0x82;
	out[2] = (uint8_t)(len >> 8);
	out[3] = (uint8_t)len;
	return 4;
}

static size_t put_number(uint8_t *out, uint8_t tag, uint64_t v)
{
	size_t n = 1;

	while (n < 9 && v >> (8 * n - 1) && n < 8)
		n++;
	if (n == 8 && v >> 63)
		n = 9; /* a leading zero keeps it positive */
	out[0] = tag;
	out[1] = (uint8_t)n;
	for (size_t i = 0; i < n; i++) {
		size_t shift = 8 * (n - 1 - i);

		out[2 + i] = shift < 64 ? (uint8_t)(v >> shift) : 0;
	}
	return 2 + n;
}

static size_t put_oid(uint8_t *out, const struct peer_oid *o)
{
	uint8_t body[PEER_OID_MAX * 5];
	size_t len = 0;

	body[len++] = (uint8_t)(o->id[0] * 40 + o->id[1]);
	for (size_t i = 2; i < o->n; i++) {
		int shift = 28;

		while (shift && !(o->id[i] >> shift))
			shift -= 7;
		for (; shift; shift -= 7)
			body[len++] = (uint8_t)(0x80 | (o->id[i] >> shift & 0x7f));
		body[len++] = o->id[i] & 0x7f;
	}
	size_t head = put_head(out, 6, len);

	memcpy(out + head, body, len);
	return head + len;
}

/* Name and value into one variable binding. */
static size_t put_binding(
    uint8_t *out, const struct peer_oid *name, const uint8_t *value, size_t len)
{
	uint8_t body[PEER_OID_MAX * 5 + PEER_CELL_MAX];
	size_t n = put_oid(body, name);

	memcpy(body + n, value, len);
	size_t head = put_head(out, 0x30, n + len);

	memcpy(out + head, body, n + len);
	return head + n + len;
}

/* ---- the table ---- */

void peer_init(struct peer *p)
{
	*p = (struct peer){ .community = "public", .max_bytes = 60000 };
}

void peer_fini(struct peer *p)
{
	free(p->cells);
	*p = (struct peer){ 0 };
}

void peer_oid_set(struct peer_oid *o, const char *dotted)
{
	char *at = (char *)dotted;

	o->n = 0;
	while (*at && o->n < PEER_OID_MAX) {
		o->id[o->n++] = (uint32_t)strtoul(at, &at, 10);
		at += *at == '.';
	}
}

static void add(struct peer *p, const char *oid, const uint8_t *value, size_t len)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 64;
		p->cells = realloc(p->cells, p->cap * sizeof(*p->cells));
		if (!p->cells)
			abort();
	}
	struct peer_cell *c = &p->cells[p->n++];

	peer_oid_set(&c->name, oid);
	c->len = put_binding(c->bytes, &c->name, value, len);
}

void peer_add_number(struct peer *p, const char *oid, uint8_t tag, uint64_t value)
{
	uint8_t bytes[16];

	add(p, oid, bytes, put_number(bytes, tag, value));
}

void peer_add_octets(struct peer *p, const char *oid, const void *bytes, size_t len)
{
	uint8_t value[128];
	size_t head = put_head(value, 4, len);

	memcpy(value + head, bytes, len);
	add(p, oid, value, head + len);
}

void peer_add_oid(struct peer *p, const char *oid, const char *value)
{
	uint8_t bytes[PEER_OID_MAX * 5];
	struct peer_oid o;

	peer_oid_set(&o, value);
	add(p, oid, bytes, put_oid(bytes, &o));
}

static int compare(const struct peer_oid *a, const struct peer_oid *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		if (a->id[i] != b->id[i])
			return a->id[i] < b->id[i] ? -1 : 1;
	}
	return a->n < b->n ? -1 : a->n > b->n;
}

static int by_name(const void *a, const void *b)
{
	return compare(
	    &((const struct peer_cell *)a)->name, &((const struct peer_cell *)b)->name);
}

void peer_sort(struct peer *p)
{
	qsort(p->cells, p->n, sizeof(*p->cells), by_name);
}

static size_t find(const struct peer *p, const struct peer_oid *o)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (compare(&p->cells[mid].name, o) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool below(const struct peer_oid *o, const struct peer_oid *root)
{
	return root->n && o->n >= root->n &&
	       memcmp(o->id, root->id, root->n * sizeof(root->id[0])) == 0;
}

/* ---- a router ---- */

struct column {
	const char *entry;
	unsigned number;
	uint8_t tag; /* 4: text, 6: an OID, 0xff: a MAC address, 0x40: an IPv4 address */
	uint64_t value;
};

static const char if_entry[] = "1.3.6.1.2.1.2.2.1", if_x_entry[] = "1.3.6.1.2.1.31.1.1.1";
static const struct column columns[] = {
	{ if_entry, 1, 2, 0 },
	{ if_entry, 2, 4, 0 },
	{ if_entry, 3, 2, 6 },
	{ if_entry, 4, 2, 1500 },
	{ if_entry, 5, 0x42, 1000000000 },
	{ if_entry, 6, 0xff, 0 },
	{ if_entry, 7, 2, 1 },
	{ if_entry, 8, 2, 1 },
	{ if_entry, 9, 0x43, 1234 },
	{ if_entry, 10, 0x41, 3000000000 },
	{ if_entry, 11, 0x41, 20000000 },
	{ if_entry, 12, 0x41, 0 },
	{ if_entry, 13, 0x41, 3 },
	{ if_entry, 14, 0x41, 4 },
	{ if_entry, 15, 0x41, 0 },
	{ if_entry, 16, 0x41, 2000000000 },
	{ if_entry, 17, 0x41, 30000000 },
	{ if_entry, 18, 0x41, 0 },
	{ if_entry, 19, 0x41, 5 },
	{ if_entry, 20, 0x41, 6 },
	{ if_entry, 21, 0x42, 0 },
	{ if_entry, 22, 6, 0 },
	{ if_x_entry, 1, 4, 1 },
	{ if_x_entry, 2, 0x41, 11 },
	{ if_x_entry, 3, 0x41, 12 },
	{ if_x_entry, 4, 0x41, 13 },
	{ if_x_entry, 5, 0x41, 14 },
	{ if_x_entry, 6, 0x46, UINT64_C(7300000000001) },
	{ if_x_entry, 7, 0x46, UINT64_C(9000000001) },
	{ if_x_entry, 8, 0x46, 8 },
	{ if_x_entry, 9, 0x46, 9 },
	{ if_x_entry, 10, 0x46, UINT64_C(6200000000001) },
	{ if_x_entry, 11, 0x46, UINT64_C(8000000001) },
	{ if_x_entry, 12, 0x46, 8 },
	{ if_x_entry, 13, 0x46, 9 },
	{ if_x_entry, 14, 2, 1 },
	{ if_x_entry, 15, 0x42, 1000 },
	{ if_x_entry, 16, 2, 2 },
	{ if_x_entry, 17, 2, 1 },
	{ if_x_entry, 18, 4, 2 },
	{ if_x_entry, 19, 0x43, 0 },
};

static void add_cell(
    struct peer *p, const char *oid, const struct column *c, unsigned row)
{
	static const char *const texts[] = { "GigabitEthernet0/0/", "Gi0/0/",
		"to office " };
	char text[32];
	const uint8_t mac[6] = { 2, 0, 0, 0, (uint8_t)(row >> 8), (uint8_t)row };

	if (c->tag == 4) {
		snprintf(text, sizeof(text), "%s%u", texts[c->value], row);
		peer_add_octets(p, oid, text, strlen(text));
	} else if (c->tag == 0xff) {
		peer_add_octets(p, oid, mac, sizeof(mac));
	} else if (c->tag == 6) {
		peer_add_oid(p, oid, "0.0");
	} else {
		peer_add_number(p, oid, c->tag, c->number == 1 ? row : c->value + row);
	}
}

/* RFC 1213: 10.0.<n>.<1…250> on interface 1. */
static void add_neighbour(struct peer *p, unsigned i)
{
	const uint8_t address[4] = { 10, 0, (uint8_t)(i / 250), (uint8_t)(i % 250 + 1) };
	const uint8_t mac[6] = { 0x3c, 0x52, 0x82, 1, (uint8_t)(i >> 8), (uint8_t)i };
	uint8_t ip[6] = { 0x40, 4 };
	char oid[64];

	memcpy(ip + 2, address, 4);
	for (unsigned c = 1; c <= 4; c++) {
		snprintf(oid, sizeof(oid), "1.3.6.1.2.1.4.22.1.%u.1.%u.%u.%u.%u", c,
		    address[0], address[1], address[2], address[3]);
		if (c == 2)
			peer_add_octets(p, oid, mac, sizeof(mac));
		else if (c == 3)
			add(p, oid, ip, sizeof(ip));
		else
			peer_add_number(p, oid, 2, c == 4 ? 3 : 1);
	}
}

void peer_add_router(struct peer *p, unsigned interfaces, unsigned neighbours)
{
	char oid[64];

	peer_add_octets(p, "1.3.6.1.2.1.1.1.0", "a router", 8);
	peer_add_oid(p, "1.3.6.1.2.1.1.2.0", "1.3.6.1.4.1.99999.1");
	peer_add_number(p, "1.3.6.1.2.1.1.3.0", 0x43, 8640000);
	peer_add_octets(p, "1.3.6.1.2.1.1.4.0", "noc", 3);
	peer_add_octets(p, "1.3.6.1.2.1.1.5.0", "rt", 2);
	peer_add_octets(p, "1.3.6.1.2.1.1.6.0", "core", 4);
	peer_add_number(p, "1.3.6.1.2.1.1.7.0", 2, 78);
	peer_add_number(p, "1.3.6.1.2.1.2.1.0", 2, interfaces);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		for (unsigned row = 1; row <= interfaces; row++) {
			snprintf(oid, sizeof(oid), "%s.%u.%u", columns[i].entry,
			    columns[i].number, row);
			add_cell(p, oid, &columns[i], row);
		}
	}
	for (unsigned i = 0; i < neighbours; i++)
		add_neighbour(p, i);
	peer_sort(p);
}

/* ---- reading BER ---- */

struct bytes {
	const uint8_t *at, *end;
	bool bad;
};

static struct bytes element(struct bytes *b, int tag)
{
	struct bytes none = { NULL, NULL, true };

	if (b->bad || b->end - b->at < 2 || (tag >= 0 && b->at[0] != tag)) {
		b->bad = true;
		return none;
	}
	size_t len = b->at[1], more = len & 0x80 ? len & 0x7f : 0;

	if (more > 2 || (size_t)(b->end - b->at) < 2 + more) {
		b->bad = true;
		return none;
	}
	const uint8_t *at = b->at + 2 + more;

	if (more)
		len = more == 1 ? b->at[2] : (size_t)(b->at[2] << 8 | b->at[3]);
	if ((size_t)(b->end - at) < len) {
		b->bad = true;
		return none;
	}
	b->at = at + len;
	return (struct bytes){ at, at + len, false };
}

static uint32_t number(struct bytes *b)
{
	struct bytes v = element(b, 2);
	uint32_t n = 0;

	while (!v.bad && v.at < v.end)
		n = n << 8 | *v.at++;
	return n;
}

static bool oid(struct bytes *b, struct peer_oid *out)
{
	struct bytes v = element(b, 6);
	uint32_t sub = 0;

	if (v.bad || v.at == v.end)
		return false;
	out->id[0] = *v.at / 40;
	out->id[1] = *v.at++ % 40;
	out->n = 2;
	for (; v.at < v.end && out->n < PEER_OID_MAX; v.at++) {
		sub = sub << 7 | (*v.at & 0x7f);
		if (*v.at & 0x80)
			continue;
		out->id[out->n++] = sub;
		sub = 0;
	}
	return true;
}

/* ---- answering ---- */

struct answer {
	uint8_t *out; /* cells begin at out + HEAD */
	size_t len, cap, cells;
	int error;
};

static bool put(struct answer *a, const uint8_t *bytes, size_t len)
{
	if (a->len + len > a->cap)
		return false;
	memcpy(a->out + HEAD + a->len, bytes, len);
	a->len += len;
	a->cells++;
	return true;
}

static bool put_exception(struct answer *a, const struct peer_oid *name, uint8_t tag)
{
	uint8_t value[2] = { tag, 0 }, binding[PEER_OID_MAX * 5 + 16];

	return put(a, binding, put_binding(binding, name, value, sizeof(value)));
}

/* Names that only a broken agent has. */
static bool put_made_up(struct answer *a, const struct peer_oid *name)
{
	uint8_t value[3] = { 2, 1, 1 }, binding[PEER_OID_MAX * 5 + 16];

	return put(a, binding, put_binding(binding, name, value, sizeof(value)));
}

static bool put_cell(struct peer *p, struct answer *a, const struct peer_cell *c)
{
	uint8_t value[3] = { 4, 1, 'x' }, binding[PEER_OID_MAX * 5 + 16];

	if (p->fault != PEER_WRONG_TYPE || !below(&c->name, &p->where))
		return put(a, c->bytes, c->len);
	return put(a, binding, put_binding(binding, &c->name, value, sizeof(value)));
}

/* The one after `at`, whose place moves on; false when there is no room. */
static bool put_next(struct peer *p, struct answer *a, struct peer_oid *at, size_t *place)
{
	if (p->fault == PEER_ENDLESS && below(at, &p->where)) {
		if (at->n == p->where.n)
			at->id[at->n++] = 0;
		at->id[at->n - 1]++;
		return put_made_up(a, at);
	}
	if (*place >= p->n)
		return put_exception(a, at, 0x82);
	const struct peer_cell *c = &p->cells[*place];

	if (!put_cell(p, a, c))
		return false;
	*at = c->name;
	(*place)++;
	if (p->fault == PEER_BACKWARDS && below(at, &p->where) && at->id[at->n - 1] > 2)
		(*place)--;
	return true;
}

static void bulk(
    struct peer *p, struct answer *a, struct peer_oid *at, size_t n, uint32_t repetitions)
{
	size_t places[VARIABLES_MAX];

	for (size_t i = 0; i < n; i++) {
		places[i] = find(p, &at[i]);
		if (places[i] < p->n && compare(&p->cells[places[i]].name, &at[i]) == 0)
			places[i]++;
	}
	for (uint32_t r = 0; r < repetitions; r++) {
		for (size_t i = 0; i < n; i++) {
			if ((p->fault == PEER_CUT && a->cells >= p->limit) ||
			    !put_next(p, a, &at[i], &places[i]))
				return;
		}
	}
}

static void get(struct peer *p, struct answer *a, const struct peer_oid *at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = find(p, &at[i]);

		if (k < p->n && compare(&p->cells[k].name, &at[i]) == 0)
			put_cell(p, a, &p->cells[k]);
		else
			put_exception(a, &at[i], 0x80);
	}
}

/* Put an element's head in front of what `front` bytes from `out` on hold already. */
static size_t wrap(uint8_t *out, size_t front, uint8_t tag, size_t len)
{
	uint8_t head[4];
	size_t n = put_head(head, tag, len);

	memcpy(out + front - n, head, n);
	return front - n;
}

static size_t before(uint8_t *out, size_t front, const uint8_t *bytes, size_t len)
{
	memcpy(out + front - len, bytes, len);
	return front - len;
}

static size_t before_number(uint8_t *out, size_t front, uint64_t v)
{
	uint8_t bytes[16];

	return before(out, front, bytes, put_number(bytes, 2, v));
}

/* The message around the cells; begins at out + result. */
static size_t seal(struct answer *a, uint32_t request, const char *community)
{
	uint8_t *out = a->out;
	size_t end = HEAD + a->len, at = wrap(out, HEAD, 0x30, a->len);
	size_t len = strlen(community);

	at = before_number(out, at, 0);
	at = before_number(out, at, (uint64_t)a->error);
	at = before_number(out, at, request);
	at = wrap(out, at, 0xa2, end - at);
	at = before(out, at, (const uint8_t *)community, len);
	at = wrap(out, at, 4, len);
	at = before_number(out, at, 1);
	return wrap(out, at, 0x30, end - at);
}

/* What becomes of an answer that is there: false, it is lost. */
static bool spoil(struct peer *p, struct answer *a)
{
	if (p->fault == PEER_TOO_BIG && a->cells > p->limit) {
		a->error = 1;
		a->len = a->cells = 0;
	}
	return p->fault != PEER_LOSSY || a->cells <= p->limit;
}

size_t peer_answer(
    struct peer *p, const uint8_t *in, size_t len, uint8_t *out, size_t cap)
{
	static struct peer_oid at[VARIABLES_MAX];
	struct bytes all = { in, in + len, false };
	struct bytes message = element(&all, 0x30);

	p->requests++;
	if (number(&message) != 1)
		return 0;
	struct bytes community = element(&message, 4);
	uint8_t kind = message.bad || message.at >= message.end ? 0 : *message.at;
	struct bytes pdu = element(&message, -1);
	uint32_t request = number(&pdu);

	(void)number(&pdu);
	uint32_t repetitions = number(&pdu);
	struct bytes list = element(&pdu, 0x30);
	size_t n = 0;

	for (; !list.bad && list.at < list.end && n < VARIABLES_MAX; n++) {
		struct bytes binding = element(&list, 0x30);

		if (!oid(&binding, &at[n]))
			return 0;
	}
	if (list.bad || community.bad || p->fault == PEER_SILENT || n == 0 ||
	    (size_t)(community.end - community.at) != strlen(p->community) ||
	    memcmp(community.at, p->community, strlen(p->community)) != 0)
		return 0;
	struct answer a = { .out = out,
		.cap = p->max_bytes < cap - HEAD ? p->max_bytes : cap - HEAD };
	bool hit = below(&at[0], &p->where);

	if (hit && p->fault == PEER_HANGS)
		return 0;
	if (hit && p->fault == PEER_GEN_ERR)
		a.error = 5;
	else if (kind == GET)
		get(p, &a, at, n);
	else if (kind == GETBULK || kind == GETNEXT)
		bulk(p, &a, at, n, kind == GETNEXT ? 1 : repetitions);
	if (!spoil(p, &a))
		return 0;
	p->answers++;
	p->told += a.cells;
	size_t begin = seal(&a, request, p->community), end = HEAD + a.len;

	if (p->fault == PEER_TRUNCATED && a.cells > p->limit)
		end = begin + (end - begin) / 2;
	memmove(out, out + begin, end - begin);
	return end - begin;
}
