#include "probes/snmp/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

enum { SECRET_MAX = 512, PATH_BYTES = 4200, PHRASE_MIN = 8 };

const char *const credentials_versions[] = { "2c", "3", NULL };
const char *const credentials_auths[] = { "none", "md5", "sha", "sha-224", "sha-256",
	"sha-384", "sha-512", NULL };
const char *const credentials_privs[] = { "none", "des", "aes", "aes-192", "aes-256",
	NULL };

/* The same as net-snmp calls them. */
static const char *const auth_protocols[] = { NULL, "MD5", "SHA", "SHA-224", "SHA-256",
	"SHA-384", "SHA-512" };
static const char *const priv_protocols[] = { NULL, "DES", "AES", "AES-192", "AES-256" };

static ht_err secret_path(const char *file, char *out, size_t cap, struct ht_fault *fault)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	struct stat st;
	int n = file[0] == '/' || !folder ? snprintf(out, cap, "%s", file)
					  : snprintf(out, cap, "%s/%s", folder, file);

	if (n < 0 || (size_t)n >= cap)
		return ht_fault_set(fault, HT_TOOLARGE, "%s: the name is too long", file);
	if (stat(out, &st))
		return ht_fault_set(fault, HT_NOTFOUND,
		    "%s: cannot be read; name a file that holds the secret", out);
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXG | S_IRWXO)))
		return ht_fault_set(fault, HT_DENIED,
		    "%s: others than its owner may read this secret; run: chmod 600 %s",
		    out, out);
	return HT_OK;
}

/* The first line of the file. */
static ht_err read_secret(const char *file, char **out, struct ht_fault *fault)
{
	char path[PATH_BYTES];
	size_t len;
	ht_err err = secret_path(file, path, sizeof(path), fault);

	if (!err)
		err = ht_file_read(path, SECRET_MAX, out, &len, fault);
	if (err)
		return err;
	(*out)[strcspn(*out, "\r\n")] = '\0';
	return HT_OK;
}

static void free_secret(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

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
	if (read_secret(file, &secret, &why))
		return ht_node_fault(at ? at : node, fault, "%s: %s", key, why.text);
	size_t len = strlen(secret);

	free_secret(secret);
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
	return o->community_file ? read_secret(o->community_file, &c->community, fault)
				 : copy("public", &c->community);
}

static ht_err read_key(
    const char *auth, const char *file, struct session_key *out, struct ht_fault *fault)
{
	char *phrase = NULL;
	ht_err err = read_secret(file, &phrase, fault);

	if (!err && session_key_make(auth, phrase, out))
		*out = (struct session_key){ .len = 0 };
	free_secret(phrase);
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
	free_secret(c->community);
	free(c->user);
	explicit_bzero(c, sizeof(*c));
}
