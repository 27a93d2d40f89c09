#include "probes/snmp/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum { PHRASE_MIN = 8 };

const char *const credentials_versions[] = { "2c", "3", NULL };
const char *const credentials_auths[] = { "none", "md5", "sha", "sha-224", "sha-256",
	"sha-384", "sha-512", NULL };
const char *const credentials_privs[] = { "none", "des", "aes", "aes-192", "aes-256",
	NULL };

/* The same as net-snmp calls them. */
static const char *const auth_protocols[] = { NULL, "MD5", "SHA", "SHA-224", "SHA-256",
	"SHA-384", "SHA-512" };
static const char *const priv_protocols[] = { NULL, "DES", "AES", "AES-192", "AES-256" };

/* `least`: bytes that it must have (RFC 3414, 11.2). */
static ht_err check_secret(const char *key, const char *file, size_t least,
    const struct ht_node *node, struct ht_fault *fault)
{
	struct ht_node *at = ht_node_get(node, key);
	struct ht_fault why = { 0 };
	char *secret = NULL;

	if (!file)
		return ht_node_fault(at ? at : node, fault,
		    "%s is missing: name the file that holds the pass phrase", key);
	if (ht_secret_read(file, &secret, &why))
		return ht_node_fault(at ? at : node, fault, "%s: %s", key, why.text);
	size_t len = strlen(secret);

	ht_secret_free(secret);
	if (len < least)
		return ht_node_fault(at ? at : node, fault,
		    "%s: the pass phrase in %s has %zu bytes; SNMPv3 asks for %zu at "
		    "least",
		    key, file, len, least);
	return HT_OK;
}

ht_err credentials_check(const struct credentials_options *o, const struct ht_node *node,
    struct ht_fault *fault)
{
	ht_err err = HT_OK;

	if (o->version == CREDENTIALS_2C)
		return o->community_file ? check_secret("community_file",
					       o->community_file, 0, node, fault)
					 : HT_OK;
	if (!o->user)
		return ht_node_fault(node, fault, "user is missing: version 3 needs one");
	if (o->priv && !o->auth)
		return ht_node_fault(
		    node, fault, "priv needs authentication: set auth, or priv: none");
	if (o->auth)
		err = check_secret("auth_file", o->auth_file, PHRASE_MIN, node, fault);
	if (!err && o->priv)
		err = check_secret("priv_file", o->priv_file, PHRASE_MIN, node, fault);
	return err;
}

static ht_err copy(const char *text, char **out)
{
	*out = strdup(text);
	return *out ? HT_OK : HT_NOMEM;
}

static ht_err read_community(
    const struct credentials_options *o, struct credentials *c, struct ht_fault *fault)
{
	return o->community_file ? ht_secret_read(o->community_file, &c->community, fault)
				 : copy("public", &c->community);
}

static ht_err read_key(
    const char *auth, const char *file, struct session_key *out, struct ht_fault *fault)
{
	char *phrase = NULL;
	ht_err err = ht_secret_read(file, &phrase, fault);

	if (!err && session_key_make(auth, phrase, out))
		*out = (struct session_key){ .len = 0 };
	ht_secret_free(phrase);
	return err;
}

static ht_err read_user(
    const struct credentials_options *o, struct credentials *c, struct ht_fault *fault)
{
	ht_err err = copy(o->user ? o->user : "", &c->user);

	c->auth = auth_protocols[o->auth];
	c->priv = priv_protocols[o->priv];
	if (!err && c->auth && o->auth_file)
		err = read_key(c->auth, o->auth_file, &c->auth_key, fault);
	if (!err && c->auth && c->priv && o->priv_file)
		err = read_key(c->auth, o->priv_file, &c->priv_key, fault);
	return err;
}

ht_err credentials_read(
    const struct credentials_options *o, struct credentials *out, struct ht_fault *fault)
{
	struct credentials c = { .v3 = o->version == CREDENTIALS_3 };
	ht_err err = c.v3 ? read_user(o, &c, fault) : read_community(o, &c, fault);

	if (err)
		credentials_fini(&c);
	else
		*out = c;
	return err;
}

void credentials_fini(struct credentials *c)
{
	ht_secret_free(c->community);
	free(c->user);
	explicit_bzero(c, sizeof(*c));
}
