#include "server/setup.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "server/registry/broker.h"
#include "server/store/migrate.h"
#include "server/web/account.h"

#define PATH_MAX_BYTES 4096

static ht_err path_in(const char *dir, const char *name, char out[static PATH_MAX_BYTES],
    struct ht_fault *fault)
{
	if ((size_t)snprintf(out, PATH_MAX_BYTES, "%s/%s", dir, name) >= PATH_MAX_BYTES)
		return ht_fault_set(fault, HT_TOOLARGE, "%s: the path is too long", dir);
	return HT_OK;
}

/* ── certificates and broker ─────────────────────────────────────────────────────── */

ht_err setup_https(
    const struct options *o, struct setup_https *out, struct ht_fault *fault)
{
	struct setup_https files = { 0 };
	ht_err err = HT_OK;

	if (!o->http.tls) {
		*out = files;
		return HT_OK;
	}
	if (o->http.cert && o->http.key) {
		snprintf(files.cert, sizeof(files.cert), "%s", o->http.cert);
		snprintf(files.key, sizeof(files.key), "%s", o->http.key);
	} else if (!o->own_ca) {
		return ht_fault_set(fault, HT_CONFIG,
		    "http.tls is on: name http.cert and http.key, for there is no CA of "
		    "our own");
	} else {
		err = path_in(o->ca_dir, "http.pem", files.cert, fault);
		if (!err)
			err = path_in(o->ca_dir, "http.key", files.key, fault);
	}
	if (!err)
		*out = files;
	return err;
}

static ht_err keep_https(
    const struct options *o, const struct ca *ca, struct ht_fault *fault)
{
	char host[256] = "localhost";
	const char *names[] = { "localhost", "127.0.0.1", host, o->mqtt.public_host };
	struct setup_https files;
	bool made;

	if (!o->http.tls || o->http.cert)
		return HT_OK;
	if (gethostname(host, sizeof(host) - 1))
		memcpy(host, "localhost", sizeof("localhost"));
	ht_err err = setup_https(o, &files, fault);
	if (!err)
		err = ca_keep_part(ca, CA_SERVER, "hatang-server", names,
		    o->mqtt.public_host ? 4 : 3, files.cert, files.key, ht_wall_ms(),
		    &made, fault);
	return err;
}

const char *setup_endpoint_host(const struct options *o)
{
	if (o->throughput.host)
		return o->throughput.host;
	return o->mqtt.public_host ? o->mqtt.public_host : o->mqtt.host;
}

ht_err setup_endpoint(
    const struct options *o, struct setup_https *out, struct ht_fault *fault)
{
	const struct options_throughput *t = &o->throughput;
	struct setup_https files = { 0 };
	ht_err err = HT_OK;

	if (t->tls && t->cert && t->key) {
		snprintf(files.cert, sizeof(files.cert), "%s", t->cert);
		snprintf(files.key, sizeof(files.key), "%s", t->key);
	} else if (t->tls && !o->own_ca) {
		return ht_fault_set(fault, HT_CONFIG,
		    "throughput.tls is on: name throughput.cert and throughput.key, for "
		    "there is no CA of our own");
	} else if (t->tls) {
		err = path_in(o->ca_dir, "throughput.pem", files.cert, fault);
		if (!err)
			err = path_in(o->ca_dir, "throughput.key", files.key, fault);
	}
	if (!err)
		*out = files;
	return err;
}

static ht_err keep_endpoint(
    const struct options *o, const struct ca *ca, struct ht_fault *fault)
{
	const char *name = setup_endpoint_host(o);
	struct setup_https files;
	bool made;

	if (!o->throughput.port || !o->throughput.tls || o->throughput.cert)
		return HT_OK;
	ht_err err = setup_endpoint(o, &files, fault);
	if (!err)
		err = ca_keep_part(ca, CA_SERVER, "hatang-throughput", &name, 1,
		    files.cert, files.key, ht_wall_ms(), &made, fault);
	return err;
}

static ht_err keep_broker(
    const struct options *o, const struct ca *ca, struct ht_fault *fault)
{
	const char *names[BROKER_NAMES_MAX];
	size_t n = 0;
	bool changed = false;

	names[n++] = o->mqtt.host;
	if (o->mqtt.tls_name)
		names[n++] = o->mqtt.tls_name;
	if (o->mqtt.public_host)
		names[n++] = o->mqtt.public_host;
	struct broker_config config = {
		.dir = o->broker.config_dir,
		.pid_file = o->broker.pid_file,
		.listen = o->broker.listen,
		.ports = { (uint16_t)o->mqtt.port },
		.names = names,
		.n_names = n,
	};
	ht_err err = broker_write(&config, ca, ht_wall_ms(), &changed, fault);
	if (err || !changed)
		return err;
	ht_log_info("setup.broker", "dir=%s", o->broker.config_dir);
	struct ht_fault ignored;
	err = broker_reload(o->broker.pid_file, &ignored);
	/* One that is starting now is asked again by broker_sync. */
	return err && err != HT_NOTFOUND && err != HT_DENIED && err != HT_AGAIN ? err
										: HT_OK;
}

ht_err setup_parts(const struct options *o, struct ca **out, struct ht_fault *fault)
{
	struct ca *ca = NULL;
	bool made;

	if (!o->own_ca) {
		*out = NULL;
		return HT_OK;
	}
	ht_err err = ht_folder_make(o->ca_dir, 0700, fault);
	if (!err)
		err = ca_open(o->ca_dir, ht_wall_ms(), &ca, fault);
	if (!err)
		err = ca_keep_part(ca, CA_CLIENT, "@server", NULL, 0, o->mqtt.cert,
		    o->mqtt.key, ht_wall_ms(), &made, fault);
	if (!err)
		err = keep_https(o, ca, fault);
	if (!err)
		err = keep_endpoint(o, ca, fault);
	if (!err)
		err = keep_broker(o, ca, fault);
	if (err)
		ca_close(ca);
	else
		*out = ca;
	return err;
}

/* ── the first account ───────────────────────────────────────────────────────────── */

static ht_err write_token(struct db *db, const struct options *o, struct ht_fault *fault)
{
	struct account_who who = { .role = ROUTE_ADMIN, .expires_ms = INT64_MIN };
	char token[ACCOUNT_TOKEN_TEXT], csrf[ACCOUNT_TOKEN_TEXT], file[PATH_MAX_BYTES];

	memcpy(who.name, "admin", sizeof("admin"));
	ht_err err = account_token_new(
	    db, &who, ACCOUNT_API, "this machine", INT64_MIN, ht_wall_ms(), token, csrf);
	if (!err)
		err = path_in(o->server.state_dir, SETUP_TOKEN_FILE, file, fault);
	if (!err)
		err = ht_file_write(file, token, strlen(token), 0600, fault);
	explicit_bzero(token, sizeof(token));
	return err;
}

static ht_err first_account(
    struct db *db, const struct options *o, bool *out_first, struct ht_fault *fault)
{
	char password[ACCOUNT_FIRST_PASSWORD];
	ht_err err = account_start();

	if (!err)
		err = db_begin(db);
	if (err)
		return err;
	err = accounts_init(db, o->server.state_dir, ht_wall_ms(), password, fault);
	explicit_bzero(password, sizeof(password));
	*out_first = !err;
	if (!err)
		err = write_token(db, o, fault);
	if (!err)
		err = db_commit(db);
	if (err)
		db_rollback(db);
	return err == HT_EXISTS ? HT_OK : err;
}

ht_err setup_init(const struct options *o, bool *out_first, struct ht_fault *fault)
{
	struct db *db = NULL;
	struct ca *ca = NULL;
	ht_err err = db_open(o->db_file, false, &db, fault);

	if (!err)
		err = migrate(db, NULL, fault);
	if (!err)
		err = setup_parts(o, &ca, fault);
	if (!err)
		err = first_account(db, o, out_first, fault);
	ca_close(ca);
	db_close(db);
	return err;
}
