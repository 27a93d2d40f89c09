/* The handlers that routes.c names, by file. Each is a route_handler (route.h). */
#ifndef HT_SERVER_WEB_API_H
#define HT_SERVER_WEB_API_H

#include "server/web/http.h"

/* api_session.c */
route_handler session_login, session_logout, session_me;
/* api_account.c */
route_handler accounts_list, accounts_create, accounts_password, accounts_disable;
route_handler api_tokens_list, api_tokens_create, api_tokens_end;
/* api_agency.c */
route_handler agencies_list, agencies_show, agencies_tree;
/* api_index.c */
route_handler index_list, index_explain;
/* api_evidence.c */
route_handler evidence_show;
/* api_network.c */
route_handler links_list, links_remove, links_show, machines_list, posture_list;
/* api_bandwidth.c */
route_handler links_bandwidth;
/* api_smoke.c */
route_handler links_smoke;
/* api_outage.c */
route_handler outages_list, outages_show, links_timeline, timelines_list;
/* api_incident.c */
route_handler incidents_list, incidents_show, incidents_ack;
/* api_alert.c */
route_handler alerts_explain, alerts_test, messages_list;
/* api_ack.c */
route_handler ack_show, ack_post;
/* api_rules.c */
route_handler rules_show, alerts_replay;
/* api_agent.c */
route_handler agents_list, agents_show, clones_list, latest_list, gaps_list, garbage_list;
/* api_maintenance.c */
route_handler maintenance_list, maintenance_put, maintenance_remove;
/* api_dispute.c */
route_handler outages_dispute, outages_note;
/* api_availability.c */
route_handler availability_show;
/* api_series.c */
route_handler series_show;
/* api_registry.c: what writes */
route_handler agencies_import, agents_put, agents_approve, agents_revoke, agents_claim,
    machines_correct, posture_declare, tokens_list, tokens_create, enroll_post, ca_show;
/* api_health.c */
route_handler metrics_show, healthz_show, readyz_show, events_stream, openapi_show;

#endif
