/* hatang decode: any SenML pack as a table, or resolved as JSON. Works on a file alone,
 * without a server. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/verbs.h"
#include "mqtt/senml.h"

enum { VALUE_TEXT = 64 };

struct request {
	const char *file; /* NULL or "-": stdin */
	bool automatic, json;
	enum senml_format format;
};

static const char help[] =
    "usage: hatang decode [--format auto|cbor|json] [--json] [FILE]\n\n"
    "Print the SenML pack (RFC 8428) in FILE, or on stdin, with its base fields "
    "resolved.\n\n"
    "  --format F   how the pack is written; auto (the default) looks at its first byte\n"
    "  --json       print resolved SenML records instead of a table\n\n"
    "Times below 2^28 are relative: seconds before (-) or after the pack was sealed.\n";

static int complain(const char *what, const char *which)
{
	fprintf(stderr, "hatang decode: %s%s\n", what, which);
	return HT_EXIT_USAGE;
}

static bool format_read(const char *text, struct request *out)
{
	out->automatic = strcmp(text, "auto") == 0;
	out->format = strcmp(text, "cbor") == 0 ? SENML_CBOR : SENML_JSON;
	return out->automatic || out->format == SENML_CBOR || strcmp(text, "json") == 0;
}

/* HT_EXIT_OK: go on; -1: done (help was asked for). */
static int request_read(int argc, char **argv, struct request *out)
{
	static const struct option options[] = {
		{ "format", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};

	*out = (struct request){ .automatic = true };
	optind = 1;
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case 'f':
			if (!format_read(optarg, out))
				return complain(
				    "--format must be auto, cbor or json, not ", optarg);
			break;
		case 'j':
			out->json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return -1;
		default:
			return HT_EXIT_USAGE;
		}
	}
	if (argc - optind > 1)
		return complain("one file at a time; not also ", argv[optind + 1]);
	if (optind < argc && strcmp(argv[optind], "-") != 0)
		out->file = argv[optind];
	return HT_EXIT_OK;
}

/* The whole input, one byte more than a pack may have at most. */
static bool input_read(const struct request *r, struct ht_buf *out)
{
	const char *name = r->file ? r->file : "stdin";
	FILE *f = r->file ? fopen(r->file, "rbe") : stdin;
	char bytes[4096];
	size_t n;

	if (!f) {
		fprintf(stderr, "hatang decode: %s: %s\n", name, strerror(errno));
		return false;
	}
	while (!ht_buf_err(out) && (n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		ht_buf_put(out, bytes, n);
	bool failed = ferror(f);
	if (failed)
		fprintf(stderr, "hatang decode: %s: %s\n", name, strerror(errno));
	else if (ht_buf_err(out))
		fprintf(stderr,
		    "hatang decode: %s: larger than a pack can be (%d bytes)\n", name,
		    SENML_PACK_MAX);
	if (r->file)
		fclose(f);
	return !failed && !ht_buf_err(out);
}

/* A CBOR pack begins with an array's header, 0x80 to 0x9f: no JSON text does. */
static enum senml_format format_guess(const struct ht_buf *b)
{
	return b->len && b->data[0] >= 0x80 && b->data[0] <= 0x9f ? SENML_CBOR
								  : SENML_JSON;
}

/* --- a table for people
 * ------------------------------------------------------------------- */

static void time_print(double time_s)
{
	char text[HT_RFC3339_LEN + 1];

	if (time_s >= SENML_ABSOLUTE_S) {
		ht_rfc3339((int64_t)(time_s * 1000 + 0.5), text);
		printf("%-24s", text);
	} else {
		printf("%+22.3f s", time_s);
	}
}

/* Bytes that would move a terminal's cursor are shown, not sent. */
static void text_print(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\\')
			fputs("\\\\", stdout);
		else if (c < 0x20 || c == 0x7f)
			printf(c == '\n' ? "\\n" : "\\x%02x", c);
		else
			putchar(c);
	}
}

static void number_format(const struct senml_record *r, char out[static VALUE_TEXT])
{
	if (r->kind == HT_COUNTER) {
		snprintf(out, VALUE_TEXT, "%" PRIu64, r->counter);
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(out, VALUE_TEXT, "%.*g", digits, r->number);
		if (strtod(out, NULL) == r->number)
			return;
	}
}

static void row_print(const struct senml_record *r, int name_width)
{
	char value[VALUE_TEXT];

	time_print(r->time_s);
	printf("  %-*s  ", name_width, r->name);
	if (r->kind == HT_STRING) {
		putchar('"');
		text_print(r->string);
		putchar('"');
	} else if (r->kind == HT_BOOL) {
		fputs(r->boolean ? "yes" : "no", stdout);
	} else {
		number_format(r, value);
		fputs(value, stdout);
	}
	printf("%s%s\n", r->unit ? " " : "", r->unit ? r->unit : "");
}

static void table_print(const struct senml_pack *pack)
{
	int width = 4;

	for (size_t i = 0; i < pack->n; i++) {
		int len = (int)strlen(pack->records[i].name);

		if (len > width)
			width = len;
	}
	printf("%-24s  %-*s  %s\n", "TIME", width, "NAME", "VALUE");
	for (size_t i = 0; i < pack->n; i++)
		row_print(&pack->records[i], width);
}

/* --- JSON
 * --------------------------------------------------------------------------------- */

static struct json_object *number_json(const struct senml_record *r)
{
	char text[VALUE_TEXT];

	if (r->kind == HT_COUNTER)
		return json_object_new_uint64(r->counter);
	number_format(r, text);
	return json_object_new_double_s(r->number, text);
}

static struct json_object *record_json(const struct senml_record *r)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "n", json_object_new_string(r->name));
	if (r->unit)
		json_object_object_add(o, "u", json_object_new_string(r->unit));
	json_object_object_add(o, "t", json_object_new_double(r->time_s));
	if (r->kind == HT_STRING)
		json_object_object_add(o, "vs", json_object_new_string(r->string));
	else if (r->kind == HT_BOOL)
		json_object_object_add(o, "vb", json_object_new_boolean(r->boolean));
	else
		json_object_object_add(o, "v", number_json(r));
	return o;
}

static void json_print(const struct senml_pack *pack)
{
	for (size_t i = 0; i < pack->n; i++) {
		struct json_object *o = record_json(&pack->records[i]);

		printf("%s%s", i ? ",\n " : "[",
		    json_object_to_json_string_ext(
			o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(o);
	}
	puts("]");
}

int decode_main(int argc, char **argv)
{
	struct senml_pack pack = { 0 };
	struct ht_fault fault = { 0 };
	struct request r;
	struct ht_buf input;
	int code = request_read(argc, argv, &r);

	if (code)
		return code < 0 ? HT_EXIT_OK : code;
	ht_buf_init(&input, SENML_PACK_MAX);
	code = HT_EXIT_FAILURE;
	if (input_read(&r, &input)) {
		enum senml_format format = r.automatic ? format_guess(&input) : r.format;

		if (senml_decode(format, input.data, input.len, &pack, &fault)) {
			fprintf(stderr, "hatang decode: %s: not a pack in %s: %s\n",
			    r.file ? r.file : "stdin",
			    format == SENML_CBOR ? "CBOR" : "JSON", fault.text);
		} else {
			(r.json ? json_print : table_print)(&pack);
			code = HT_EXIT_OK;
		}
	}
	senml_pack_fini(&pack);
	ht_buf_fini(&input);
	return code;
}
