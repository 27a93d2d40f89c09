/* hatang-server: one verb a row. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "server/alert/channel.h"
#include "server/alert/replay.h"
#include "server/alert/rules.h"
#include "server/derive/run.h"
#include "server/derive/share.h"
#include "server/options.h"
#include "server/score/score.h"
#include "server/serve.h"
#include "server/setup.h"
#include "server/store/check.h"
#include "server/store/migrate.h"

struct command {
	const char *config_file;
	bool json, strict;
	struct options o;
	int n_args;
	char **args;
};

struct verb {
	const char *name, *args, *help;
	int min_args, max_args;
	int (*run)(struct command *c);
};

static int failed(const struct command *c, ht_err err, const struct ht_fault *fault)
{
	fprintf(stderr, "hatang-server: %s\n",
	    fault->text[0] ? fault->text : ht_err_name(err));
	return err == HT_CONFIG ? HT_EXIT_CONFIG : HT_EXIT_FAILURE;
}

/* Open the database for ourselves alone, at this program's schema. */
static ht_err open_alone(struct command *c, struct db **out, struct ht_fault *fault)
{
	if (serve_lock(&c->o, fault) < 0)
		return HT_EXISTS;
	ht_err err = db_open(c->o.db_file, false, out, fault);
	if (!err)
		err = migrate(*out, NULL, fault);
	return err;
}

static int do_run(struct command *c)
{
	return serve(c->config_file, &c->o);
}

static int do_check_config(struct command *c)
{
	struct ht_fault fault = { 0 };
	const struct channels *channels = NULL;
	struct rules *rules = NULL;
	ht_err err =
	    score_start(&fault); /* rules and definitions are configuration too */

	if (!err && c->o.alerts.channels)
		err = channels_load(c->o.alerts.channels, &channels, &fault);
	else if (!err)
		channels = channels_none();
	if (!err)
		err = rules_open(c->o.alerts.rules, channels, &rules, &fault);
	rules_free(rules);
	channels_release(channels);
	if (err)
		return failed(c, err, &fault);
	if (c->json)
		printf("{\"ok\":true,\"file\":\"%s\"}\n", c->config_file);
	else
		printf("%s: good\n", c->config_file);
	return HT_EXIT_OK;
}

static int do_init(struct command *c)
{
	struct ht_fault fault = { 0 };
	bool first = false;
	const char *dir = c->o.server.state_dir;
	ht_err err = ht_folder_make(dir, 0700, &fault);

	if (!err && serve_lock(&c->o, &fault) < 0)
		err = HT_EXISTS;
	if (!err)
		err = setup_init(&c->o, &first, &fault);
	if (err)
		return failed(c, err, &fault);
	if (c->json) {
		printf("{\"ok\":true,\"database\":\"%s\",\"first\":%s}\n", c->o.db_file,
		    first ? "true" : "false");
		return HT_EXIT_OK;
	}
	printf("%s: ready\n", c->o.db_file);
	if (c->o.own_ca)
		printf("start the broker with: mosquitto -c %s/mosquitto.conf\n",
		    c->o.broker.config_dir);
	if (first)
		printf("user admin, password in %s/first-password\n", dir);
	return HT_EXIT_OK;
}

static int do_migrate(struct command *c)
{
	struct ht_fault fault = { 0 };
	struct db *db = NULL;
	int from = 0;
	ht_err err = serve_lock(&c->o, &fault) < 0
			 ? HT_EXISTS
			 : db_open(c->o.db_file, false, &db, &fault);

	if (!err)
		err = migrate(db, &from, &fault);
	db_close(db);
	if (err)
		return failed(c, err, &fault);
	printf(c->json ? "{\"from\":%d,\"to\":%zu}\n" : "schema version %d -> %zu\n",
	    from, migrations_len);
	return HT_EXIT_OK;
}

static int do_backup(struct command *c)
{
	struct ht_fault fault = { 0 };
	struct db *db = NULL;
	ht_err err = db_open(c->o.db_file, true, &db, &fault);

	if (!err)
		err = check_backup(db, c->args[0], &fault);
	db_close(db);
	if (err)
		return failed(c, err, &fault);
	printf(c->json ? "{\"backup\":\"%s\"}\n" : "%s: written\n", c->args[0]);
	return HT_EXIT_OK;
}

static int do_restore(struct command *c)
{
	struct ht_fault fault = { 0 };
	ht_err err = serve_lock(&c->o, &fault) < 0
			 ? HT_EXISTS
			 : check_restore(c->args[0], c->o.db_file, &fault);

	if (err)
		return failed(c, err, &fault);
	printf(c->json ? "{\"restored\":\"%s\"}\n"
		       : "%s: restored; what was there is kept beside it\n",
	    c->args[0]);
	return HT_EXIT_OK;
}

struct listing {
	bool json;
	int n;
};

static void print_problem(void *arg, const char *text)
{
	struct listing *l = arg;

	if (!l->json)
		printf("problem: %s\n", text);
}

static void print_hole(void *arg, const struct check_hole *h)
{
	struct listing *l = arg;

	if (l->json)
		printf(
		    "%s{\"agent\":\"%s\",\"epoch\":\"%s\",\"first\":%lld,\"last\":%lld}",
		    l->n++ ? "," : "", h->agent, h->epoch, (long long)h->first_seq,
		    (long long)h->last_seq);
	else
		printf("unexplained: %s epoch %s, %lld to %lld (lost, or still on the "
		       "way)\n",
		    h->agent, h->epoch, (long long)h->first_seq, (long long)h->last_seq);
}

static int do_verify(struct command *c)
{
	struct ht_fault fault = { 0 };
	struct check_report r;
	struct listing listing = { .json = c->json };
	struct check_events events = { &listing, print_problem, print_hole };
	struct db *db = NULL;
	ht_err err = db_open(c->o.db_file, true, &db, &fault);

	if (!err && c->json)
		printf("{\"holes\":[");
	if (!err && (err = check_database(db, &events, &r)))
		(void)ht_fault_set(&fault, err, "%s: %s", c->o.db_file, db_error(db));
	db_close(db);
	if (err)
		return failed(c, err, &fault);
	printf(
	    c->json
		? "],\"problems\":%lld,\"rows\":%lld,\"conflicts\":%lld,\"clones\":%lld,"
		  "\"garbage\":%lld,\"gaps\":%lld}\n"
		: "%lld problems, %lld rows, %lld conflicts, %lld of clones, %lld "
		  "garbage, %lld gaps\n",
	    (long long)r.problems, (long long)r.rows, (long long)r.conflicts,
	    (long long)r.clones, (long long)r.garbage, (long long)r.gaps);
	return r.problems || (c->strict && r.holes) ? HT_EXIT_FAILURE : HT_EXIT_OK;
}

/* Incidents are folded by the alert rules; nothing is told. */
static ht_err use_rules(struct command *c, struct rules **out, struct ht_fault *fault)
{
	const struct channels *channels = NULL;
	ht_err err = HT_OK;

	if (c->o.alerts.channels)
		err = channels_load(c->o.alerts.channels, &channels, fault);
	else
		channels = channels_none();
	if (!err)
		err = rules_open(c->o.alerts.rules, channels, out, fault);
	if (!err)
		rules_use(*out);
	channels_release(channels);
	return err;
}

static int do_replay(struct command *c)
{
	struct ht_fault fault = { 0 };
	int failures = 0;

	for (int i = 0; i < c->n_args; i++) {
		struct ht_buf report;
		char *text = NULL;
		size_t len = 0;
		bool passed = false;
		ht_err err =
		    ht_file_read(c->args[i], REPLAY_FILE_MAX, &text, &len, &fault);

		ht_buf_init(&report, REPLAY_REPORT_MAX);
		if (!err)
			err = replay_scenario(c->args[i], text, len, c->o.alerts.rules,
			    &report, &passed, &fault);
		fputs(ht_buf_text(&report), stdout);
		ht_buf_fini(&report);
		free(text);
		if (err)
			return failed(c, err, &fault);
		failures += !passed;
	}
	return failures ? HT_EXIT_FAILURE : HT_EXIT_OK;
}

static int do_refold(struct command *c)
{
	struct ht_fault fault = { 0 };
	struct db *db = NULL;
	struct rules *rules = NULL;
	const char *name = c->n_args ? c->args[0] : NULL;
	ht_err err = open_alone(c, &db, &fault);

	if (!err)
		err = use_rules(c, &rules, &fault);
	if (!err) {
		err = run_forget(db, name);
		if (!err)
			err = run_to_end(db);
		if (err == HT_NOTFOUND)
			(void)ht_fault_set(&fault, err, "there is no fold `%s`", name);
		else if (err)
			(void)ht_fault_set(&fault, err, "refold: %s", db_error(db));
	}
	db_close(db);
	rules_use(NULL);
	rules_free(rules);
	if (err)
		return failed(c, err, &fault);
	printf(
	    c->json ? "{\"refolded\":\"%s\"}\n" : "refolded: %s\n", name ? name : "all");
	return HT_EXIT_OK;
}

/* clang-format off */
static const struct verb verbs[] = {
	{ "run", "", "serve until told to stop", 0, 0, do_run },
	{ "check-config", "", "read the configuration and say what is wrong", 0, 0, do_check_config },
	{ "init", "", "make database, CA, broker files and the first account", 0, 0, do_init },
	{ "migrate", "", "bring the database to this program's schema", 0, 0, do_migrate },
	{ "backup", "FILE", "write a whole copy of the database, also while it runs", 1, 1, do_backup },
	{ "restore", "FILE", "check a backup and put it in the place of the database", 1, 1, do_restore },
	{ "verify", "", "check the database and that every sequence number is explained", 0, 0, do_verify },
	{ "replay", "FILE…", "run scenarios of alert rules; nothing is sent", 1, 1000, do_replay },
	{ "refold", "[FOLD]", "derive everything, or one fold, from the journal anew", 0, 1, do_refold },
};
/* clang-format on */

static void usage(FILE *to)
{
	fprintf(to, "hatang-server [--config FILE] [--json] VERB\n\n");
	for (size_t i = 0; i < HT_COUNT(verbs); i++)
		fprintf(
		    to, "  %-12s %-7s %s\n", verbs[i].name, verbs[i].args, verbs[i].help);
	fprintf(to,
	    "\n  --config FILE  default " OPTIONS_FILE ", with drop-ins in server.d/\n"
	    "  --json         print data as JSON\n"
	    "  --strict       verify: fail when a number is unexplained\n"
	    "  --help, --version\n\nConfiguration:\n");
	options_print(to);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < HT_COUNT(verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static int run_verb(const struct verb *v, struct command *c)
{
	struct ht_fault fault = { 0 };
	ht_err err = options_load(c->config_file, &c->o, &fault);

	if (!err)
		err = share_set(c->o.server.share_dir);
	if (err) {
		fprintf(stderr, "hatang-server: %s\n", fault.text);
		return HT_EXIT_CONFIG;
	}
	ht_log_init("hatang-server", (enum ht_log_level)c->o.log.level, c->o.log.json);
	int code = v->run(c);
	options_fini(&c->o);
	return code;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "strict", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct command c = { .config_file = OPTIONS_FILE };
	int opt;

	while ((opt = getopt_long(argc, argv, "c:jhV", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			c.config_file = optarg;
			break;
		case 'j':
			c.json = true;
			break;
		case 's':
			c.strict = true;
			break;
		case 'h':
			usage(stdout);
			return HT_EXIT_OK;
		case 'V':
			puts("hatang-server " HATANG_VERSION);
			return HT_EXIT_OK;
		default:
			return HT_EXIT_USAGE;
		}
	}
	const struct verb *v = optind < argc ? find_verb(argv[optind]) : NULL;
	c.n_args = argc - optind - 1;
	c.args = argv + optind + 1;
	if (!v || c.n_args < v->min_args || c.n_args > v->max_args) {
		usage(stderr);
		return HT_EXIT_USAGE;
	}
	return run_verb(v, &c);
}
