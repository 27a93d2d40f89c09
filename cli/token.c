/* hatang token create | list */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/option.h"
#include "cli/verb.h"
#include "cli/verbs.h"

#define USAGE "token create --agency ID [--agent ID] [--expires 1d] | list"

static const struct table_column columns[] = {
	{ "ID", "id", TABLE_PLAIN },
	{ "AGENCY", "agency", TABLE_PLAIN },
	{ "AGENT", "agent", TABLE_PLAIN },
	{ "EXPIRES", "expires", TABLE_PLAIN },
	{ "USED", "used", TABLE_PLAIN },
	{ "BY", "created_by", TABLE_PLAIN },
};

static void show(struct json_object *answer)
{
	if (!table_at(answer, "token")) /* a refusal: its reason is told by verb_send */
		return;
	printf("%s\n", json_object_get_string(table_at(answer, "token")));
	fprintf(stderr,
	    "Shown once; good for one enrolment until %s. In the office:\n"
	    "  hatang-agent enroll --server URL --token TOKEN\n",
	    json_object_get_string(table_at(answer, "expires")));
}

static int create(const char *agency, const char *agent, const char *expires, bool json)
{
	struct json_object *body = json_object_new_object();
	struct client_request rq = { .method = "POST", .path = "/api/v1/tokens" };
	int64_t valid_ns;

	if (ht_duration_parse(expires, &valid_ns)) {
		json_object_put(body);
		fprintf(stderr,
		    "hatang: --expires wants a duration such as 12h or 7d, not '%s'\n",
		    expires);
		return HT_EXIT_USAGE;
	}
	json_object_object_add(body, "agency", json_object_new_string(agency));
	if (agent)
		json_object_object_add(body, "agent", json_object_new_string(agent));
	json_object_object_add(
	    body, "valid_s", json_object_new_int64(valid_ns / HT_NS_PER_S));
	rq.body = json_object_to_json_string(body);
	rq.len = strlen(rq.body);
	int code = verb_send(&rq, json, show);
	json_object_put(body);
	return code;
}

int token_main(int argc, char **argv)
{
	const char *agency = NULL, *agent = NULL, *expires = "1d";
	const struct verb_option options[] = {
		{ "agency", &agency, NULL,
		    "create: the agency that the agent will stand in" },
		{ "agent", &agent, NULL,
		    "create: the agent's id; an old one adopts its history" },
		{ "expires", &expires, NULL,
		    "create: how long the token is good, 1d when left out" },
	};
	struct verb_args a;
	int code;

	if (!verb_args(argc, argv, USAGE, options, HT_COUNT(options), &a, &code))
		return code;
	if (a.n_words == 1 && strcmp(a.words[0], "create") == 0 && agency)
		return create(agency, agent, expires, a.json);
	if (a.n_words == 1 && strcmp(a.words[0], "list") == 0)
		return verb_list("/api/v1/tokens", columns, HT_COUNT(columns), a.json);
	return verb_usage(USAGE);
}
