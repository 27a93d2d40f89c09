#include "server/store/migrate.h"

#include "server/store/sql.h"

ht_err migrate_version(struct db *db, int *out)
{
	struct db_rows *r = db_start(db, &store_sql, STORE_USER_VERSION, "");
	ht_err err = db_next(r);

	if (!err)
		*out = (int)db_int(r, 0);
	db_done(r);
	return err;
}

static ht_err step(struct db *db, const struct migration *m)
{
	ht_err err = db_begin(db);

	if (err)
		return err;
	err = db_script(db, m->sql);
	if (!err)
		err = db_script(db, m->bump);
	if (!err)
		err = db_commit(db);
	if (err)
		db_rollback(db);
	return err;
}

ht_err migrate_list(struct db *db, const struct migration *list, size_t n, int *out_from,
    struct ht_fault *fault)
{
	int version;
	ht_err err = migrate_version(db, &version);

	if (err)
		return ht_fault_set(
		    fault, err, "cannot read the database's version: %s", db_error(db));
	if (version < 0 || (size_t)version > n)
		return ht_fault_set(fault, HT_UNSUPPORTED,
		    "the database has schema version %d, this program knows up to %zu: "
		    "run the newer hatang-server, or restore a backup made by this one",
		    version, n);
	for (size_t i = (size_t)version; i < n; i++) {
		err = step(db, &list[i]);
		if (err)
			return ht_fault_set(fault, err,
			    "migration %04d failed and was rolled back: %s",
			    list[i].version, db_error(db));
	}
	if (out_from)
		*out_from = version;
	return HT_OK;
}

ht_err migrate(struct db *db, int *out_from, struct ht_fault *fault)
{
	return migrate_list(db, migrations, migrations_len, out_from, fault);
}
