#include "probes/wan/service/dns_packet.h"

#include <ctype.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

enum { CNAMES_MAX = 16, DATA_MAX = 4096 };

/* ── questions ───────────────────────────────────────────────────────────────────── */

ht_err dns_question_write(const char *name, uint16_t type, unsigned flags,
    uint8_t out[static DNS_QUESTION_MAX], size_t *out_len)
{
	ldns_rdf *owner = ldns_dname_new_frm_str(name);
	uint16_t bits =
	    LDNS_RD | (flags & DNS_AD ? LDNS_AD : 0) | (flags & DNS_CD ? LDNS_CD : 0);
	uint8_t *wire = NULL;
	size_t len = 0;

	if (!owner)
		return HT_INVALID;
	ldns_pkt *pkt = ldns_pkt_query_new(owner, type, LDNS_RR_CLASS_IN, bits);

	if (!pkt) {
		ldns_rdf_deep_free(owner);
		return HT_NOMEM;
	}
	ldns_pkt_set_id(pkt, 0);
	ldns_pkt_set_edns_udp_size(pkt, DNS_UDP_MAX);
	ldns_pkt_set_edns_do(pkt, (flags & DNS_DO) != 0);
	ldns_status status = ldns_pkt2wire(&wire, pkt, &len);

	if (status == LDNS_STATUS_OK && len <= DNS_QUESTION_MAX) {
		memcpy(out, wire, len);
		*out_len = len;
	}
	LDNS_FREE(wire);
	ldns_pkt_free(pkt);
	return status ? HT_NOMEM : len > DNS_QUESTION_MAX ? HT_TOOLARGE : HT_OK;
}

/* ── data ────────────────────────────────────────────────────────────────────────── */

/* The record's data, names in lower case; malloc'ed, or NULL. */
static char *data_text(const ldns_rr *rr)
{
	struct ht_buf b;

	ht_buf_init(&b, DATA_MAX);
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		ldns_rdf *rdf = ldns_rdf_clone(ldns_rr_rdf(rr, i));

		if (rdf && ldns_rdf_get_type(rdf) == LDNS_RDF_TYPE_DNAME)
			ldns_dname2canonical(rdf);
		char *text = rdf ? ldns_rdf2str(rdf) : NULL;

		if (text)
			ht_buf_printf(&b, "%s%s", i ? " " : "", text);
		LDNS_FREE(text);
		ldns_rdf_deep_free(rdf);
	}
	if (!ht_buf_err(&b) && !b.len)
		ht_buf_puts(&b, "\\# 0"); /* RFC 3597 section 5: no data at all */
	char *out = ht_buf_steal(&b);

	ht_buf_fini(&b);
	return out;
}

char *dns_data_normal(uint16_t type, const char *text)
{
	struct ht_buf line;
	ldns_rr *rr = NULL;
	char *type_name = ldns_rr_type2str(type), *out = NULL;

	ht_buf_init(&line, DATA_MAX);
	ht_buf_printf(&line, "x. 0 IN %s %s", type_name ? type_name : "", text);
	if (type_name && !ht_buf_err(&line) && !strpbrk(text, "\r\n") &&
	    ldns_rr_new_frm_str(&rr, ht_buf_text(&line), 0, NULL, NULL) == LDNS_STATUS_OK)
		out = data_text(rr);
	ldns_rr_free(rr);
	LDNS_FREE(type_name);
	ht_buf_fini(&line);
	return out;
}

/* ── answers ─────────────────────────────────────────────────────────────────────── */

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The owner that the answer's CNAMEs lead to; borrowed from them, or `owner`. */
static const ldns_rdf *follow(const ldns_rr_list *section, const ldns_rdf *owner)
{
	for (size_t hops = 0, i = 0;
	     hops < CNAMES_MAX && i < ldns_rr_list_rr_count(section); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(section, i);

		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_CNAME ||
		    ldns_rr_rd_count(rr) != 1 ||
		    ldns_dname_compare(ldns_rr_owner(rr), owner) != 0)
			continue;
		owner = ldns_rr_rdf(rr, 0);
		hops++;
		i = (size_t)-1; /* from the beginning: order means nothing */
	}
	return owner;
}

static ht_err read_data(
    const ldns_pkt *pkt, const ldns_rdf *name, uint16_t type, struct dns_answer *out)
{
	const ldns_rr_list *section = ldns_pkt_answer(pkt);
	const ldns_rdf *owner = type == LDNS_RR_TYPE_CNAME ? name : follow(section, name);
	size_t n = ldns_rr_list_rr_count(section);

	out->data = calloc(n ? n : 1, sizeof(*out->data));
	for (size_t i = 0; out->data && i < n; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(section, i);

		if (ldns_rr_get_type(rr) != (ldns_rr_type)type ||
		    ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN ||
		    ldns_dname_compare(ldns_rr_owner(rr), owner) != 0)
			continue;
		out->data[out->n] = data_text(rr);
		if (!out->data[out->n])
			return HT_NOMEM;
		out->n++;
	}
	if (!out->data)
		return HT_NOMEM;
	qsort(out->data, out->n, sizeof(*out->data), compare);
	return HT_OK;
}

ht_err dns_answer_read(const uint8_t *bytes, size_t len, const char *name, uint16_t type,
    struct dns_answer *out)
{
	struct dns_answer a = { 0 };
	ldns_rdf *owner;
	ldns_pkt *pkt = NULL;

	if (len > DNS_ANSWER_MAX || ldns_wire2pkt(&pkt, bytes, len) != LDNS_STATUS_OK)
		return HT_MALFORMED;
	a.rcode =
	    (uint16_t)(ldns_pkt_get_rcode(pkt) | ldns_pkt_edns_extended_rcode(pkt) << 4);
	a.ad = ldns_pkt_ad(pkt);
	owner = ldns_dname_new_frm_str(name);
	ht_err err = owner ? read_data(pkt, owner, type, &a) : HT_INVALID;

	ldns_rdf_deep_free(owner);
	ldns_pkt_free(pkt);
	if (err)
		dns_answer_fini(&a);
	else
		*out = a;
	return err;
}

void dns_answer_fini(struct dns_answer *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->data[i]);
	free(a->data);
	*a = (struct dns_answer){ 0 };
}

/* ── names ───────────────────────────────────────────────────────────────────────── */

bool dns_name_valid(const char *name)
{
	ldns_rdf *owner = *name ? ldns_dname_new_frm_str(name) : NULL;
	bool valid = owner && ldns_rdf_size(owner) <= LDNS_MAX_DOMAINLEN;

	ldns_rdf_deep_free(owner);
	return valid;
}

uint16_t dns_type_of(const char *name)
{
	return (uint16_t)ldns_get_rr_type_by_name(name);
}

static const ldns_lookup_table rcode_names[] = { { 0, "NOERROR" }, { 1, "FORMERR" },
	{ 2, "SERVFAIL" }, { 3, "NXDOMAIN" }, { 4, "NOTIMP" }, { 5, "REFUSED" },
	{ 6, "YXDOMAIN" }, { 7, "YXRRSET" }, { 8, "NXRRSET" }, { 9, "NOTAUTH" },
	{ 10, "NOTZONE" }, { 16, "BADVERS" }, { 23, "BADCOOKIE" } };

void dns_rcode_name(uint16_t rcode, char out[static 16])
{
	for (size_t i = 0; i < HT_COUNT(rcode_names); i++) {
		if (rcode_names[i].id == rcode) {
			snprintf(out, 16, "%s", rcode_names[i].name);
			return;
		}
	}
	snprintf(out, 16, "RCODE%u", (unsigned)rcode);
}

bool dns_rcode_of(const char *name, uint16_t *out)
{
	for (size_t i = 0; i < HT_COUNT(rcode_names); i++) {
		if (strcasecmp(rcode_names[i].name, name) == 0) {
			*out = (uint16_t)rcode_names[i].id;
			return true;
		}
	}
	return false;
}
