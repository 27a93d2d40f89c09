/* A DNS of a few zones, signed by ldns for one test, and a resolver that answers from
 * them as a validating-unaware recursive one does with DO set. */
#ifndef HT_TESTS_UNIT_PROBES_DNS_WORLD_H
#define HT_TESTS_UNIT_PROBES_DNS_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dns_world_signing { WORLD_UNSIGNED, WORLD_NSEC, WORLD_NSEC3, WORLD_OPT_OUT };

struct dns_world_zone {
	const char *origin; /* with its final dot */
	/* Records as in a zone file, absolute names, without SOA and NS of the apex. */
	const char *records;
	enum dns_world_signing signing;
	uint16_t iterations;    /* of NSEC3 */
	long begins_s, ends_s;  /* of the signatures, from now; both 0: -1 h .. +1 d */
	bool foreign_ds;        /* the zone above names another key */
	bool strange_algorithm; /* the zone above names an algorithm that nobody knows */
};

struct dns_world;

/* The root comes last, children before parents; NS and DS of a child are added to its
 * parent. `now_s` is the Unix time that signatures are made around. */
struct dns_world *dns_world_new(
    const struct dns_world_zone *zones, size_t n, int64_t now_s);
void dns_world_free(struct dns_world *w);

/* The root's key, as a file of trust anchors has it; malloc'ed. */
char *dns_world_anchor(const struct dns_world *w, const char *zone);

/* The answer to a question; at most `cap` bytes. */
size_t dns_world_answer(const struct dns_world *w, const char *name, uint16_t type,
    uint16_t id, uint8_t *out, size_t cap);
/* The same to a question as it came by the wire. */
size_t dns_world_reply(const struct dns_world *w, const uint8_t *query, size_t len,
    uint8_t *out, size_t cap);

/* Spoil what was signed: drop records (type 0: all), drop signatures over a type, add a
 * record. */
void dns_world_drop(struct dns_world *w, const char *owner, uint16_t type);
void dns_world_drop_sigs(struct dns_world *w, const char *owner, uint16_t covered);
void dns_world_add(struct dns_world *w, const char *record);
/* Records of a type, and their signatures, under another name. */
void dns_world_rename(
    struct dns_world *w, const char *owner, uint16_t type, const char *as);

#endif
