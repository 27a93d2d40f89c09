/* hatang-agent queue show|verify: what waits for the server. Reads the spool beside the
 * running agent, or without one. */
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "agent/options.h"
#include "agent/spool.h"
#include "agent/verb.h"
#include "mqtt/senml.h"

#define SHOW_MAX 1000

struct look {
	bool json, verify;
	struct json_object *list;
	size_t packs, records, bad;
	int64_t bytes;
};

static void usage(FILE *to)
{
	fputs("usage: hatang-agent queue show|verify [--config FILE] [--json]\n", to);
}

static bool see(void *arg, const struct spool_pack *p)
{
	struct look *l = arg;
	struct senml_pack pack = { 0 };
	struct ht_fault fault = { 0 };
	ht_err err =
	    senml_decode((enum senml_format)p->format, p->payload, p->len, &pack, &fault);

	l->packs++;
	l->bytes += (int64_t)p->len;
	l->records += pack.n;
	if (err) {
		l->bad++;
		fprintf(stderr, "%s:%" PRId64 ": %s: %s\n", p->epoch, p->seq,
		    ht_err_name(err), fault.text);
	}
	if (l->list && l->packs <= SHOW_MAX) {
		struct json_object *o = json_object_new_object();
		json_object_object_add(o, "epoch", json_object_new_string(p->epoch));
		json_object_object_add(o, "seq", json_object_new_int64(p->seq));
		json_object_object_add(o, "boot", json_object_new_string(p->boot));
		json_object_object_add(
		    o, "mono", json_object_new_double((double)p->mono_ns / HT_NS_PER_S));
		json_object_object_add(
		    o, "bytes", json_object_new_int64((int64_t)p->len));
		json_object_object_add(
		    o, "records", json_object_new_int64((int64_t)pack.n));
		json_object_array_add(l->list, o);
	} else if (!l->json && !l->verify && l->packs <= SHOW_MAX) {
		printf("%s %10" PRId64 " %14.3f %8zu %8zu\n", p->epoch, p->seq,
		    (double)p->mono_ns / HT_NS_PER_S, p->len, pack.n);
	}
	senml_pack_fini(&pack);
	return true;
}

static void print_end(const struct look *l, const struct spool_stats *st)
{
	if (l->json) {
		struct json_object *o = json_object_new_object();
		json_object_object_add(o, "epoch", json_object_new_string(st->epoch));
		json_object_object_add(
		    o, "next_seq", json_object_new_int64(st->next_seq));
		json_object_object_add(
		    o, "count", json_object_new_int64((int64_t)l->packs));
		json_object_object_add(
		    o, "records", json_object_new_int64((int64_t)l->records));
		json_object_object_add(o, "bytes", json_object_new_int64(l->bytes));
		json_object_object_add(o, "bad", json_object_new_int64((int64_t)l->bad));
		json_object_object_add(o, "gaps", json_object_new_int64(st->gaps));
		json_object_object_add(o, "dropped", json_object_new_int64(st->dropped));
		if (l->list)
			json_object_object_add(o, "packs", l->list);
		puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
		json_object_put(o);
		return;
	}
	if (l->packs > SHOW_MAX && !l->verify)
		printf("… %zu more\n", l->packs - SHOW_MAX);
	printf("%zu packs, %zu records, %" PRId64 " bytes; next %s:%" PRId64 "; %" PRId64
	       " gaps to report, %" PRId64 " packs given up\n",
	    l->packs, l->records, l->bytes, st->epoch, st->next_seq, st->gaps,
	    st->dropped);
	if (l->verify)
		printf("%s: %zu packs cannot be read\n", l->bad ? "bad" : "ok", l->bad);
}

static int look(const char *state_dir, struct look *l)
{
	char path[4096];
	struct spool *s = NULL;
	struct ht_fault fault = { 0 };
	struct spool_stats st;
	const struct spool_now now = { .boot = "" };

	snprintf(path, sizeof(path), "%s/spool.db", state_dir);
	ht_err err = spool_look(path, l->verify, &s, &fault);
	if (err) {
		fprintf(stderr, "hatang-agent: %s\n", fault.text);
		return HT_EXIT_FAILURE;
	}
	if (!l->json && !l->verify)
		printf("%-16s %10s %14s %8s %8s\n", "EPOCH", "SEQ", "MONO s", "BYTES",
		    "RECORDS");
	if (l->json && !l->verify)
		l->list = json_object_new_array();
	err = spool_fetch(s, 0, INT64_MAX, INT32_MAX, SIZE_MAX, see, l);
	spool_stats(s, &now, &st);
	spool_close(s);
	print_end(l, &st);
	return err || l->bad ? HT_EXIT_FAILURE : HT_EXIT_OK;
}

int verb_queue(int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *file = OPTIONS_FILE;
	struct look l = { 0 };
	struct options *o = NULL;
	struct ht_fault fault = { 0 };
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (c == 'c') {
			file = optarg;
		} else if (c == 'j') {
			l.json = true;
		} else {
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? HT_EXIT_OK : HT_EXIT_USAGE;
		}
	}
	l.verify = optind == argc - 1 && strcmp(argv[optind], "verify") == 0;
	if (optind != argc - 1 || (!l.verify && strcmp(argv[optind], "show") != 0)) {
		usage(stderr);
		return HT_EXIT_USAGE;
	}
	if (options_load(file, NULL, 0, &o, &fault)) {
		fprintf(stderr, "%s\n", fault.text);
		return HT_EXIT_CONFIG;
	}
	int code = look(o->agent.state_dir, &l);
	options_free(o);
	return code;
}
