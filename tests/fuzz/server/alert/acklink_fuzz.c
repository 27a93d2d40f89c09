/* Any token of a link that acknowledges: never taken, for the key is not known here; one
 * that this database made is taken at any time before it expires. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/alert/acklink.h"
#include "server/store/migrate.h"

#define NOW_MS INT64_C(1772416800000)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct db *open_db(char made[static ACKLINK_PATH_MAX])
{
	struct ht_fault fault = { 0 };
	struct db *db;

	if (db_open(":memory:", false, &db, &fault) || migrate(db, NULL, &fault) ||
	    acklink_path(db, "i1-wan-outage", NOW_MS, made))
		abort();
	return db;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static char made[ACKLINK_PATH_MAX];
	static struct db *db;
	char token[4096], incident[INCIDENT_ID_MAX + 1];

	if (!db)
		db = open_db(made);
	if (len >= sizeof(token))
		return 0;
	memcpy(token, bytes, len);
	token[len] = '\0';
	assert(acklink_check(db, token, NOW_MS, incident) != HT_OK);
	assert(acklink_check(db, made + strlen("/ack/"), NOW_MS, incident) == HT_OK);
	assert(strcmp(incident, "i1-wan-outage") == 0);
	return 0;
}
