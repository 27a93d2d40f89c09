/* Every route of the server. openapi.yaml describes each; a test holds the two against
 * each other. Fixed words stand before {arguments} of the same place. */
#include "server/web/api.h"

#define V1         "/api/v1"
#define REPLAY_MAX (1 << 20) /* bytes of a scenario, or of rules */
#define PAGE                                                                       \
	{ .name = "after", .type = PARAM_TEXT, .max = 190 },                       \
	{                                                                          \
		.name = "limit", .type = PARAM_INT, .min = 1, .max = HTTP_PAGE_MAX \
	}
#define AGENCY                                     \
	{                                          \
		.name = "agency", .type = PARAM_ID \
	}
#define AGENCY_NEEDED                                                \
	{                                                            \
		.name = "agency", .type = PARAM_ID, .required = true \
	}
#define TIMES                                    \
	{ .name = "from", .type = PARAM_TIME },  \
	{                                        \
		.name = "to", .type = PARAM_TIME \
	}
#define NEEDED(n, t)                                       \
	{                                                  \
		.name = (n), .type = (t), .required = true \
	}
#define OPTIONAL(n, t)                                     \
	{                                                  \
		.name = (n), .type = (t), .nullable = true \
	}
#define QUERY(rows)  .query = (rows), .n_query = HT_COUNT(rows)
#define FIELDS(rows) .body = ROUTE_JSON, .fields = (rows), .n_fields = HT_COUNT(rows)

static const char *const levels[] = { "province", "district", "commune", NULL };
static const char *const roles[] = { "admin", "operator", "viewer", NULL };
static const char *const states[] = { "UP", "DEGRADED", "DOWN", "UNREACHABLE", "UNKNOWN",
	"MAINTENANCE", NULL };
static const char *const classes[] = { "computer", "server", "printer", "phone", "mobile",
	"camera", "network", "storage", "ups", "iot", "unknown", NULL };
static const char *const causes[] = { "unknown", "wan-link", "router", "power", "lan",
	"agent", "far-end", "server", "parent", NULL };
static const char *const message_states[] = { "pending", "sent", "failed", "dropped",
	NULL };
static const char *const severities[] = { "info", "warning", "critical", NULL };
static const char *const answers[] = { "yes", "no", NULL };

static const char *const ledger_scopes[] = { "all", "link", "agency", "district",
	"provider", NULL };
static const char *const ledger_groups[] = { "link", "agency", "district", "provider",
	NULL };
static const char *const maintenance_scopes[] = { "link", "agency", "provider", "all",
	NULL };

static const struct param page[] = { PAGE };
static const struct param q_agencies[] = { PAGE, { .name = "parent", .type = PARAM_ID },
	{ .name = "level", .type = PARAM_WORD, .words = levels },
	{ .name = "search", .type = PARAM_TEXT },
	{ .name = "values", .type = PARAM_BOOL } };
static const struct param q_import[] = { { .name = "dry_run", .type = PARAM_BOOL },
	{ .name = "skip_bad", .type = PARAM_BOOL } };
static const struct param q_agents[] = { PAGE, AGENCY };
static const struct param q_links[] = { PAGE, AGENCY,
	{ .name = "state", .type = PARAM_WORD, .words = states } };
static const struct param q_month[] = {
	{ .name = "month", .type = PARAM_TEXT, .max = 7 }
};
static const struct param q_smoke[] = { TIMES, { .name = "agent", .type = PARAM_ID } };
static const struct param q_range[] = { TIMES };
static const struct param q_timelines[] = { PAGE, AGENCY, TIMES,
	{ .name = "provider", .type = PARAM_TEXT },
	{ .name = "troubled", .type = PARAM_BOOL } };
static const struct param q_outages[] = { PAGE, AGENCY, TIMES,
	{ .name = "link", .type = PARAM_ID }, { .name = "provider", .type = PARAM_TEXT },
	{ .name = "cause", .type = PARAM_WORD, .words = causes },
	{ .name = "open", .type = PARAM_BOOL } };
static const struct param q_incidents[] = { PAGE, AGENCY, TIMES,
	{ .name = "open", .type = PARAM_BOOL }, { .name = "acked", .type = PARAM_BOOL },
	{ .name = "severity", .type = PARAM_WORD, .words = severities },
	{ .name = "rule", .type = PARAM_ID } };
static const struct param q_messages[] = { PAGE, { .name = "key", .type = PARAM_TEXT },
	{ .name = "channel", .type = PARAM_ID },
	{ .name = "state", .type = PARAM_WORD, .words = message_states },
	{ .name = "incident", .type = PARAM_ID } };
static const struct param q_machines[] = { PAGE, AGENCY_NEEDED,
	{ .name = "class", .type = PARAM_WORD, .words = classes },
	{ .name = "days", .type = PARAM_INT, .min = 1, .max = 3660 } };
static const struct param q_posture[] = { AGENCY_NEEDED };
static const struct param q_index[] = { PAGE, { .name = "scope", .type = PARAM_ID },
	{ .name = "indicator", .type = PARAM_ID }, { .name = "own", .type = PARAM_BOOL },
	{ .name = "definition", .type = PARAM_ID } };
static const struct param q_explain[] = { { .name = "own", .type = PARAM_BOOL },
	{ .name = "definition", .type = PARAM_ID } };
static const struct param q_latest[] = { PAGE, NEEDED("agent", PARAM_ID),
	{ .name = "prefix", .type = PARAM_TEXT, .max = 160 } };
static const struct param q_of_agent[] = { PAGE, { .name = "agent", .type = PARAM_ID } };
static const struct param q_series[] = { NEEDED("agent", PARAM_ID),
	{ .name = "name", .type = PARAM_TEXT, .max = HT_NAME_MAX, .required = true },
	{ .name = "from", .type = PARAM_TIME }, { .name = "to", .type = PARAM_TIME },
	{ .name = "points", .type = PARAM_INT, .min = 1, .max = 2000 } };

static const char *const dispute_formats[] = { "json", "html", NULL };
static const struct param q_dispute[] = {
	{ .name = "format", .type = PARAM_WORD, .words = dispute_formats }
};
static const struct param f_outage_note[] = {
	{ .name = "ticket", .type = PARAM_TEXT, .max = 120, .nullable = true },
	{ .name = "note", .type = PARAM_TEXT, .max = 500, .nullable = true }
};
static const struct param q_availability[] = { PAGE,
	{ .name = "scope", .type = PARAM_WORD, .words = ledger_scopes },
	{ .name = "id", .type = PARAM_TEXT, .max = 500 },
	{ .name = "month", .type = PARAM_TEXT, .max = 7 },
	{ .name = "by", .type = PARAM_WORD, .words = ledger_groups } };
static const struct param q_maintenance[] = { PAGE,
	{ .name = "from", .type = PARAM_TIME }, { .name = "to", .type = PARAM_TIME },
	{ .name = "removed", .type = PARAM_BOOL } };

static const struct param f_maintenance[] = { { .name = "scope",
						  .type = PARAM_WORD,
						  .words = maintenance_scopes,
						  .required = true },
	{ .name = "subject", .type = PARAM_TEXT, .max = 500, .nullable = true },
	NEEDED("from", PARAM_TIME), NEEDED("to", PARAM_TIME),
	{ .name = "reason", .type = PARAM_TEXT, .max = 500, .required = true },
	OPTIONAL("id", PARAM_ID) };
static const struct param f_login[] = {
	{ .name = "account", .type = PARAM_TEXT, .max = HT_ID_MAX, .required = true },
	{ .name = "password",
	    .type = PARAM_TEXT,
	    .max = ACCOUNT_PASSWORD_MAX,
	    .required = true }
};
static const struct param f_account[] = { NEEDED("account", PARAM_ID),
	{ .name = "password",
	    .type = PARAM_TEXT,
	    .max = ACCOUNT_PASSWORD_MAX,
	    .required = true },
	{ .name = "role", .type = PARAM_WORD, .words = roles, .required = true },
	OPTIONAL("agency", PARAM_ID) };
static const struct param f_password[] = { { .name = "password",
					       .type = PARAM_TEXT,
					       .max = ACCOUNT_PASSWORD_MAX,
					       .required = true },
	{ .name = "present", .type = PARAM_TEXT, .max = ACCOUNT_PASSWORD_MAX } };
static const struct param f_api_token[] = {
	{ .name = "label", .type = PARAM_TEXT, .max = 120, .required = true },
	OPTIONAL("expires", PARAM_TIME)
};
static const struct param f_agent[] = {
	{ .name = "vantage", .type = PARAM_BOOL, .required = true }
};
static const struct param f_approve[] = {
	{ .name = "config", .type = PARAM_TEXT, .max = 60000, .required = true }
};
static const struct param f_revoke[] = {
	{ .name = "reason", .type = PARAM_TEXT, .max = 500, .required = true }
};
static const struct param f_claim[] = { NEEDED("fingerprint", PARAM_ID) };
static const struct param f_correct[] = {
	{ .name = "class", .type = PARAM_WORD, .words = classes, .nullable = true },
	OPTIONAL("same_as", PARAM_ID)
};
static const struct param f_declare[] = {
	{ .name = "answer", .type = PARAM_WORD, .words = answers, .required = true },
	{ .name = "document", .type = PARAM_TEXT, .max = 500, .nullable = true },
	{ .name = "signer", .type = PARAM_TEXT, .max = 200, .nullable = true },
	OPTIONAL("declared", PARAM_TIME), OPTIONAL("expires", PARAM_TIME)
};
static const struct param f_ack[] = {
	{ .name = "note", .type = PARAM_TEXT, .max = 500, .nullable = true }
};
static const struct param f_token[] = { NEEDED("agency", PARAM_ID),
	OPTIONAL("agent", PARAM_ID),
	{ .name = "valid_s", .type = PARAM_INT, .min = 60, .max = 2592000 } };
static const struct param f_alert_test[] = { OPTIONAL("channel", PARAM_ID) };
static const struct param f_replay[] = {
	{ .name = "scenario", .type = PARAM_TEXT, .max = REPLAY_MAX },
	OPTIONAL("from", PARAM_TIME), OPTIONAL("to", PARAM_TIME),
	{ .name = "rules", .type = PARAM_TEXT, .max = REPLAY_MAX, .nullable = true },
	OPTIONAL("file", PARAM_TEXT)
};
const struct route routes[] = {
	{ ROUTE_POST, V1 "/session", "login", ROUTE_PUBLIC, session_login,
	    FIELDS(f_login) },
	{ ROUTE_GET, V1 "/session", "me", ROUTE_VIEWER, session_me },
	{ ROUTE_DELETE, V1 "/session", "logout", ROUTE_VIEWER, session_logout },

	{ ROUTE_GET, V1 "/accounts", "listAccounts", ROUTE_ADMIN, accounts_list,
	    QUERY(page) },
	{ ROUTE_POST, V1 "/accounts", "createAccount", ROUTE_ADMIN, accounts_create,
	    FIELDS(f_account) },
	{ ROUTE_PUT, V1 "/accounts/{account}/password", "setPassword", ROUTE_VIEWER,
	    accounts_password, FIELDS(f_password) },
	{ ROUTE_DELETE, V1 "/accounts/{account}", "disableAccount", ROUTE_ADMIN,
	    accounts_disable },
	{ ROUTE_GET, V1 "/api-tokens", "listApiTokens", ROUTE_VIEWER, api_tokens_list,
	    QUERY(page) },
	{ ROUTE_POST, V1 "/api-tokens", "createApiToken", ROUTE_VIEWER, api_tokens_create,
	    FIELDS(f_api_token) },
	{ ROUTE_DELETE, V1 "/api-tokens/{id}", "endApiToken", ROUTE_VIEWER,
	    api_tokens_end },

	{ ROUTE_GET, V1 "/agencies", "listAgencies", ROUTE_VIEWER, agencies_list,
	    QUERY(q_agencies) },
	{ ROUTE_GET, V1 "/agency-tree", "treeOfAgencies", ROUTE_VIEWER, agencies_tree },
	{ ROUTE_POST, V1 "/agencies/import", "importAgencies", ROUTE_ADMIN,
	    agencies_import, .body = ROUTE_RAW, .body_max = 8 << 20, QUERY(q_import) },
	{ ROUTE_GET, V1 "/agencies/{agency}", "showAgency", ROUTE_VIEWER, agencies_show },

	{ ROUTE_GET, V1 "/agents", "listAgents", ROUTE_VIEWER, agents_list,
	    QUERY(q_agents) },
	{ ROUTE_GET, V1 "/agents/{agent}", "showAgent", ROUTE_VIEWER, agents_show },
	{ ROUTE_PUT, V1 "/agents/{agent}", "putAgent", ROUTE_ADMIN, agents_put,
	    FIELDS(f_agent) },
	{ ROUTE_POST, V1 "/agents/{agent}/approve", "approveAgent", ROUTE_ADMIN,
	    agents_approve, FIELDS(f_approve) },
	{ ROUTE_POST, V1 "/agents/{agent}/revoke", "revokeAgent", ROUTE_ADMIN,
	    agents_revoke, FIELDS(f_revoke) },
	{ ROUTE_POST, V1 "/agents/{agent}/claim", "claimAgent", ROUTE_ADMIN, agents_claim,
	    FIELDS(f_claim) },
	{ ROUTE_GET, V1 "/clones", "listClones", ROUTE_VIEWER, clones_list,
	    QUERY(q_of_agent) },

	{ ROUTE_GET, V1 "/links", "listLinks", ROUTE_VIEWER, links_list, QUERY(q_links) },
	{ ROUTE_GET, V1 "/links/{link}", "showLink", ROUTE_VIEWER, links_show },
	{ ROUTE_GET, V1 "/links/{link}/bandwidth", "showBandwidth", ROUTE_VIEWER,
	    links_bandwidth, QUERY(q_month) },
	{ ROUTE_GET, V1 "/links/{link}/smoke", "showSmoke", ROUTE_VIEWER, links_smoke,
	    QUERY(q_smoke) },
	{ ROUTE_DELETE, V1 "/links/{link}", "removeLink", ROUTE_ADMIN, links_remove },
	{ ROUTE_GET, V1 "/links/{link}/timeline", "showTimeline", ROUTE_VIEWER,
	    links_timeline, QUERY(q_range) },
	{ ROUTE_GET, V1 "/timelines", "listTimelines", ROUTE_VIEWER, timelines_list,
	    QUERY(q_timelines) },
	{ ROUTE_GET, V1 "/outages", "listOutages", ROUTE_VIEWER, outages_list,
	    QUERY(q_outages) },
	{ ROUTE_GET, V1 "/outages/{outage}", "showOutage", ROUTE_VIEWER, outages_show },
	{ ROUTE_GET, V1 "/incidents", "listIncidents", ROUTE_VIEWER, incidents_list,
	    QUERY(q_incidents) },
	{ ROUTE_GET, V1 "/incidents/{incident}", "showIncident", ROUTE_VIEWER,
	    incidents_show },
	{ ROUTE_POST, V1 "/incidents/{incident}/ack", "ackIncident", ROUTE_OPERATOR,
	    incidents_ack, FIELDS(f_ack) },
	{ ROUTE_GET, V1 "/alerts/explain/{id}", "explainAlert", ROUTE_VIEWER,
	    alerts_explain },
	{ ROUTE_GET, V1 "/alerts/rules", "showRules", ROUTE_VIEWER, rules_show },
	{ ROUTE_POST, V1 "/alerts/replay", "replayAlerts", ROUTE_OPERATOR, alerts_replay,
	    .body_max = 3 << 20, FIELDS(f_replay) },
	{ ROUTE_POST, V1 "/alerts/test", "testAlerts", ROUTE_OPERATOR, alerts_test,
	    FIELDS(f_alert_test) },
	{ ROUTE_GET, V1 "/alerts/messages", "listMessages", ROUTE_OPERATOR, messages_list,
	    QUERY(q_messages) },
	{ ROUTE_GET, V1 "/machines", "listMachines", ROUTE_VIEWER, machines_list,
	    QUERY(q_machines) },
	{ ROUTE_PUT, V1 "/machines/{agency}/{machine}", "correctMachine", ROUTE_OPERATOR,
	    machines_correct, FIELDS(f_correct) },
	{ ROUTE_GET, V1 "/posture", "showPosture", ROUTE_VIEWER, posture_list,
	    QUERY(q_posture) },
	{ ROUTE_PUT, V1 "/posture/{agency}/{solution}", "declarePosture", ROUTE_OPERATOR,
	    posture_declare, FIELDS(f_declare) },

	{ ROUTE_GET, V1 "/outages/{outage}/dispute", "showDispute", ROUTE_VIEWER,
	    outages_dispute, QUERY(q_dispute) },
	{ ROUTE_PUT, V1 "/outages/{outage}/note", "noteOutage", ROUTE_OPERATOR,
	    outages_note, FIELDS(f_outage_note) },
	{ ROUTE_GET, V1 "/availability", "showAvailability", ROUTE_VIEWER,
	    availability_show, QUERY(q_availability) },
	{ ROUTE_GET, V1 "/maintenance", "listMaintenance", ROUTE_VIEWER, maintenance_list,
	    QUERY(q_maintenance) },
	{ ROUTE_POST, V1 "/maintenance", "putMaintenance", ROUTE_OPERATOR,
	    maintenance_put, FIELDS(f_maintenance) },
	{ ROUTE_DELETE, V1 "/maintenance/{window}", "removeMaintenance", ROUTE_OPERATOR,
	    maintenance_remove },

	{ ROUTE_GET, V1 "/index", "listIndex", ROUTE_VIEWER, index_list, QUERY(q_index) },
	{ ROUTE_GET, V1 "/index/{scope}/{indicator}", "explainIndex", ROUTE_VIEWER,
	    index_explain, QUERY(q_explain) },
	{ ROUTE_GET, V1 "/evidence/{row}", "showEvidence", ROUTE_VIEWER, evidence_show },

	{ ROUTE_GET, V1 "/series", "showSeries", ROUTE_VIEWER, series_show,
	    QUERY(q_series) },
	{ ROUTE_GET, V1 "/latest", "listLatest", ROUTE_VIEWER, latest_list,
	    QUERY(q_latest) },
	{ ROUTE_GET, V1 "/gaps", "listGaps", ROUTE_VIEWER, gaps_list, QUERY(q_of_agent) },
	{ ROUTE_GET, V1 "/garbage", "listGarbage", ROUTE_VIEWER, garbage_list,
	    QUERY(page) },

	{ ROUTE_GET, V1 "/tokens", "listTokens", ROUTE_OPERATOR, tokens_list,
	    QUERY(page) },
	{ ROUTE_POST, V1 "/tokens", "createToken", ROUTE_ADMIN, tokens_create,
	    FIELDS(f_token) },
	{ ROUTE_POST, V1 "/enroll", "enroll", ROUTE_PUBLIC, enroll_post,
	    .body = ROUTE_RAW, .body_max = 32768 },
	{ ROUTE_GET, V1 "/ca", "showCa", ROUTE_PUBLIC, ca_show },

	{ ROUTE_GET, V1 "/events", "events", ROUTE_VIEWER, events_stream },
	{ ROUTE_GET, V1 "/openapi.yaml", "openapi", ROUTE_PUBLIC, openapi_show },
	{ ROUTE_GET, "/ack/{token}", "showAckPage", ROUTE_PUBLIC, ack_show },
	{ ROUTE_POST, "/ack/{token}", "ackByLink", ROUTE_PUBLIC, ack_post,
	    .body = ROUTE_RAW, .body_max = 4096 },
	{ ROUTE_GET, "/metrics", "metrics", ROUTE_PUBLIC, metrics_show },
	{ ROUTE_GET, "/healthz", "healthz", ROUTE_PUBLIC, healthz_show },
	{ ROUTE_GET, "/readyz", "readyz", ROUTE_PUBLIC, readyz_show },
};

const size_t routes_len = HT_COUNT(routes);
