/* What opens a device: the options that name it, and the secrets themselves. Secrets lie
 * in files that only their owner may read; a relative name is a systemd credential
 * ($CREDENTIALS_DIRECTORY). They are read when needed and wiped when not. */
#ifndef HT_PROBES_SNMP_CREDENTIALS_H
#define HT_PROBES_SNMP_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/option.h"
#include "probes/snmp/session.h"

enum credentials_version { CREDENTIALS_2C, CREDENTIALS_3 };

struct credentials_options {
	char *community_file, *user, *auth_file, *priv_file;
	int version; /* enum credentials_version */
	int auth, priv;
};

extern const char *const credentials_versions[], *const credentials_auths[],
						     *const credentials_privs[];

/* Rows for the table of a struct that has a struct credentials_options at `at`. */
#define CREDENTIALS_AT(at, field) ((at) + offsetof(struct credentials_options, field))
/* clang-format off */
#define CREDENTIALS_OPTIONS(at) \
	{ "version", HT_OPT_ENUM, CREDENTIALS_AT(at, version), .def = "2c", \
	    .names = credentials_versions, .help = "SNMP version" }, \
	{ "community_file", HT_OPT_STRING, CREDENTIALS_AT(at, community_file), .min = 1, \
	    .max = 4096, .secret = true, .help = "file with the community (2c), readable by its owner " \
	    "alone; 'public' without" }, \
	{ "user", HT_OPT_STRING, CREDENTIALS_AT(at, user), .min = 1, .max = 32, \
	    .help = "user name (3)" }, \
	{ "auth", HT_OPT_ENUM, CREDENTIALS_AT(at, auth), .def = "sha-256", \
	    .names = credentials_auths, .help = "authentication protocol (3)" }, \
	{ "auth_file", HT_OPT_STRING, CREDENTIALS_AT(at, auth_file), .min = 1, \
	    .max = 4096, .secret = true, .help = "file with the authentication pass phrase (3)" }, \
	{ "priv", HT_OPT_ENUM, CREDENTIALS_AT(at, priv), .def = "aes", \
	    .names = credentials_privs, .help = "encryption protocol (3)" }, \
	{ "priv_file", HT_OPT_STRING, CREDENTIALS_AT(at, priv_file), .min = 1, \
	    .max = 4096, .secret = true, .help = "file with the encryption pass phrase (3)" }
/* clang-format on */

/* Whether they are enough, and their files are there and closed to others. */
HT_MUST_CHECK ht_err credentials_check(const struct credentials_options *o,
    const struct ht_node *node, struct ht_fault *fault);

struct credentials {
	bool v3;
	char *community;                       /* 2c */
	char *user;                            /* 3 */
	const char *auth, *priv;               /* as net-snmp calls them; NULL: none */
	struct session_key auth_key, priv_key; /* len 0: of no use, too short a phrase */
};

/* Read the secrets; pass phrases become keys at once. HT_NOTFOUND, HT_DENIED (others may
 * read it), HT_TOOLARGE, HT_IO, HT_NOMEM, with the file and the cure. */
HT_MUST_CHECK ht_err credentials_read(
    const struct credentials_options *o, struct credentials *out, struct ht_fault *fault);

void credentials_fini(struct credentials *c); /* wipes; accepts a zeroed one */

#endif
