/* Replays: alert rules tried without telling anybody.
 *
 * A scenario is a YAML file that an admin can read: a registry, rules (else those that
 * are shipped), events at times, and the messages expected. It runs through the real
 * folds in a database in memory, with the clock of the script:
 *
 *     scenario: A commune loses its link
 *     agencies: [{ id: bat-xat, name: Bát Xát, level: commune }]
 *     links: [{ id: bat-xat-wan, agency: bat-xat, provider: VNPT }]
 *     channels: [{ name: duty, edit: no }]
 *     events:
 *       - { at: 10s, open: link-down, subjects: [bat-xat-wan] }
 *       - { at: 5m, close: link-down, subjects: [bat-xat-wan] }
 *     expect:
 *       - { at: 10s, channel: duty, kind: announce, subject: bat-xat-wan }
 *       - { at: 5m, channel: duty, kind: resolve, subject: bat-xat-wan }
 *
 * `open`, `update` and `close` say problems outright. With `agents`, events go the way of
 * a real cut, by the readings of an agent through the fold of links, which finds parents,
 * roots and blindness itself:
 *
 *     agents: [{ id: core, agency: lao-cai, vantage: yes }]
 *     events:
 *       - { at: 10s, down: [hub, bat-xat-wan], lost: 3s, answered: 4s }
 *       - { at: 40s, presence: lost, agent: core }
 *       - { at: 50s, blind: core }
 *       - { at: 55s, sighted: core }
 *       - { at: 5m, up: [hub, bat-xat-wan] }
 *
 * History: the problems that a database keeps, told again by other rules. */
#ifndef HT_SERVER_ALERT_REPLAY_H
#define HT_SERVER_ALERT_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "server/alert/rules.h"
#include "server/store/db.h"

#define REPLAY_REPORT_MAX (1024 * 1024)
#define REPLAY_FILE_MAX   (4 * 1024 * 1024)

/* Run the bytes of a scenario, named `file` in messages. `rules_file` (may be NULL) has
 * rules when the scenario names none. The report for people goes to `report`;
 * *out_passed: every expected message came, and no other. Takes no lock and touches no
 * other database; any thread. HT_CONFIG: the scenario or its rules are wrong. */
HT_MUST_CHECK ht_err replay_scenario(const char *file, const void *bytes, size_t len,
    const char *rules_file, struct ht_buf *report, bool *out_passed,
    struct ht_fault *fault);

/* One message that rules would have had sent; texts live as long as the call. */
struct replay_told {
	int64_t at_ms; /* Unix */
	const char *channel, *kind, *subject, *title;
	int64_t n_affected; /* -1: not known */
};

/* What `rules` would have told of the problems kept in `from`, a connection that only
 * reads, between two times: `told` once a message, in order. Nothing is ever sent.
 * HT_INVALID: no such time, or more than 92 days; HT_TOOLARGE: more than 200,000
 * changes. */
HT_MUST_CHECK ht_err replay_history(struct db *from, const struct rules *rules,
    int64_t from_ms, int64_t to_ms,
    void (*told)(void *arg, const struct replay_told *message), void *arg,
    struct ht_fault *fault);

#endif
