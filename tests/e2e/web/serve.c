/* Serve a store without broker and agents: the real web, writer and registry on a
 * database that a test filled. web_serve DIR SHARE [CERT KEY]: DIR/store.db is made and
 * migrated, DIR/port gets the port; ends on SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/alert/rules.h"
#include "server/registry/enroll.h"
#include "server/store/migrate.h"
#include "server/store/writer.h"
#include "server/web/web.h"

static uv_loop_t loop;
static uv_signal_t ends[2];

static void serve_end(uv_signal_t *handle, int number)
{
	(void)number;
	uv_stop(handle->loop);
}

static ht_err serve_migrate(const char *dir, const char *file, struct ht_fault *fault)
{
	char password[ACCOUNT_FIRST_PASSWORD];
	struct db *db;
	ht_err err = db_open(file, false, &db, fault);

	if (err)
		return err;
	err = migrate(db, NULL, fault);
	if (!err)
		err = db_begin(db);
	if (!err) {
		err = accounts_init(db, dir, ht_wall_ms(), password, fault);
		err = err && err != HT_EXISTS ? err : db_commit(db);
	}
	db_close(db);
	return err;
}

static void serve_tell(const char *dir, uint16_t port)
{
	char file[4096], done[4096];

	snprintf(file, sizeof(file), "%s/port.new", dir);
	snprintf(done, sizeof(done), "%s/port", dir);
	FILE *f = fopen(file, "w");
	if (f) {
		fprintf(f, "%u\n", (unsigned)port);
		fclose(f);
		rename(file, done);
	}
}

/* One rule that tells nobody: incidents and acknowledgements are folded by it. */
static ht_err serve_rules(struct rules **out, struct ht_fault *fault)
{
	static const char text[] = "version: 1\nrules:\n"
				   "  - { id: wan-outage, kinds: [link-down], severity: "
				   "critical, route: [duty] }\n";
	const struct rules_channel duty = { .name = "duty" };
	ht_err err = rules_parse("rules", text, sizeof(text) - 1, &duty, 1, out, fault);

	if (!err)
		rules_use(*out);
	return err;
}

static ht_err serve(char **argv, struct ht_fault *fault)
{
	char file[4096];
	struct writer *writer = NULL;
	struct web *web = NULL;
	struct ca *ca = NULL;
	struct rules *rules = NULL;
	struct enroll_context enroll = { .mqtt_host = "127.0.0.1",
		.mqtt_tls_name = "localhost",
		.mqtt_ports = { 8883 } };
	struct web_options options = {
		.db_file = file, .share_dir = argv[2], .enroll = &enroll
	};

	snprintf(file, sizeof(file), "%s/store.db", argv[1]);
	if (argv[3] && argv[4]) {
		options.cert_file = argv[3];
		options.key_file = argv[4];
	}
	ht_err err = serve_migrate(argv[1], file, fault);
	if (!err)
		err = ca_open(argv[1], ht_wall_ms(), &ca, fault);
	enroll.ca = ca;
	if (!err)
		err = serve_rules(&rules, fault);
	if (!err)
		err = writer_start(&loop, file, &writer, fault);
	options.writer = writer;
	if (!err)
		err = web_start(&options, &web, fault);
	if (!err) {
		serve_tell(argv[1], web_port(web));
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	web_stop(web);
	writer_stop(writer);
	uv_run(&loop, UV_RUN_NOWAIT);
	ca_close(ca);
	rules_use(NULL);
	rules_free(rules);
	return err;
}

int main(int argc, char **argv)
{
	struct ht_fault fault = { 0 };

	if (argc != 3 && argc != 5) {
		fprintf(stderr, "use: web_serve DIR SHARE [CERT KEY]\n");
		return HT_EXIT_USAGE;
	}
	ht_log_init("web_serve", HT_LOG_INFO, false);
	uv_loop_init(&loop);
	uv_signal_init(&loop, &ends[0]);
	uv_signal_init(&loop, &ends[1]);
	uv_signal_start(&ends[0], serve_end, SIGTERM);
	uv_signal_start(&ends[1], serve_end, SIGINT);
	if (serve(argv, &fault)) {
		fprintf(stderr, "%s\n", fault.text);
		return HT_EXIT_FAILURE;
	}
	return HT_EXIT_OK;
}
