#include <sys/stat.h>

#include "ks/store_int.h"

#define APPLICATION_ID 0x434b5344 // "CKSD"

// Each step brings a database from the version that is its index to the next.
static const char *const migrations[] = {
	"CREATE TABLE meta (name TEXT PRIMARY KEY, sealed BLOB NOT NULL);"
	"CREATE TABLE part (grp INTEGER NOT NULL, part INTEGER NOT NULL, key BLOB NOT NULL,"
	" sealed BLOB NOT NULL, PRIMARY KEY (grp, part, key));",
};
#define SCHEMA ((int)N_ELEMS(migrations))

// ---- the database ----

static int sql(struct ks_store *s, const char *text)
{
	return sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

// -1 when it cannot be had.
static int64_t sql_number(struct ks_store *s, const char *text)
{
	sqlite3_stmt *q = NULL;
	int64_t v = -1;

	if (sqlite3_prepare_v2(s->db, text, -1, &q, NULL) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW)
		v = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return v;
}

static bool sql_is_sound(struct ks_store *s)
{
	sqlite3_stmt *q = NULL;
	bool ok = false;

	if (sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &q, NULL) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW)
		ok = strcmp((const char *)sqlite3_column_text(q, 0), "ok") == 0;
	sqlite3_finalize(q);
	return ok;
}

static int corrupt(struct ks_store *s)
{
	if ((sqlite3_errcode(s->db) & 0xff) == SQLITE_BUSY)
		return store_complain(
			s, -EBUSY, "%s: another process has it open; is a ksd running?", s->path);
	return store_complain(
		s, -EBADMSG,
		"%s: damaged or no database of ours (%s); restore it from a backup and "
		"start once with --mint-new, or move it away: groups then start with new "
		"keys, and members register again by themselves",
		s->path, sqlite3_errmsg(s->db));
}

static int migrate(struct ks_store *s, int64_t from)
{
	char text[64];

	for (int64_t v = from; v < SCHEMA; v++) {
		snprintf(text, sizeof(text), "PRAGMA user_version = %d; COMMIT;", (int)v + 1);
		if (sql(s, "BEGIN EXCLUSIVE") || sql(s, migrations[v]) || sql(s, text))
			return corrupt(s);
	}
	return 0;
}

static int judge_schema(struct ks_store *s)
{
	int64_t app = sql_number(s, "PRAGMA application_id");
	int64_t version = sql_number(s, "PRAGMA user_version");
	int64_t tables = sql_number(s, "SELECT count(*) FROM sqlite_master");
	char text[64];

	if (app < 0 || version < 0 || tables < 0 || !sql_is_sound(s))
		return corrupt(s);
	if (app != APPLICATION_ID && (app != 0 || version != 0 || tables > 0))
		return store_complain(s, -EBADMSG,
				      "%s: a database of another program; name another folder in "
				      "ksd.state, or move it away",
				      s->path);
	if (version > SCHEMA)
		return store_complain(
			s, -ENOTSUP,
			"%s: written by a newer ksd (schema %d, this one knows %d); start "
			"that one, or move the database away",
			s->path, (int)version, SCHEMA);
	snprintf(text, sizeof(text), "PRAGMA application_id = %d", APPLICATION_ID);
	if (app == 0 && sql(s, text))
		return corrupt(s);
	return migrate(s, version);
}

static sqlite3_stmt *prepare(struct ks_store *s, const char *text)
{
	sqlite3_stmt *q = NULL;

	sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, &q, NULL);
	return q;
}

int store_open_db(struct ks_store *s)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, err;
	mode_t old = umask(077);

	// The write-ahead log is kept for us alone: no second ksd, no shared memory file.
	if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK ||
	    sql(s, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
		   "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
		   "PRAGMA temp_store = MEMORY; BEGIN EXCLUSIVE; COMMIT"))
		err = corrupt(s);
	else
		err = judge_schema(s);
	umask(old);
	if (err)
		return err;
	store_give_to(s, s->path);
	s->put = prepare(s, "INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?)");
	s->del = prepare(s, "DELETE FROM part WHERE grp = ? AND part = ? AND key = ?");
	s->drop = prepare(s, "DELETE FROM part WHERE grp = ?");
	s->put_meta = prepare(s, "INSERT OR REPLACE INTO meta VALUES (?, ?)");
	return s->put && s->del && s->drop && s->put_meta ? 0 : corrupt(s);
}

// ---- writing ----

static bool finish(sqlite3_stmt *q)
{
	bool ok = sqlite3_step(q) == SQLITE_DONE;

	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return ok;
}

static bool write_row(struct ks_store *s, const struct ks_row *r)
{
	const struct store_place at = { "", r->group, r->part, r->key_len, r->key };
	sqlite3_stmt *q = r->part == 0 ? s->drop : r->data.len ? s->put : s->del;
	struct ks_blob sealed;
	bool ok;

	sqlite3_bind_int64(q, 1, r->group);
	if (r->part == 0)
		return finish(q);
	sqlite3_bind_int(q, 2, r->part);
	sqlite3_bind_blob(q, 3, r->key, r->key_len, SQLITE_STATIC);
	if (r->key_len == 0)
		sqlite3_bind_zeroblob(q, 3, 0);
	if (r->data.len == 0)
		return finish(q);
	sealed = store_seal(s, &at, BYTES(r->data.p, r->data.len));
	sqlite3_bind_blob(q, 4, sealed.p, (int)sealed.len, SQLITE_STATIC);
	ok = finish(q);
	free(sealed.p);
	return ok;
}

static bool write_meta(struct ks_store *s, const char *name, struct bytes plain)
{
	const struct store_place at = { .name = name };
	struct ks_blob sealed = store_seal(s, &at, plain);
	bool ok;

	sqlite3_bind_text(s->put_meta, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s->put_meta, 2, sealed.p, (int)sealed.len, SQLITE_STATIC);
	ok = finish(s->put_meta);
	free(sealed.p);
	return ok;
}

static bool write_stamp(struct ks_store *s)
{
	struct ks_stamp t = { 0 };

	s->clocks(s->arg, &t.clocks);
	t.age_ms = t.clocks.mono_ms + s->base_ms;
	return write_meta(s, "stamp", BYTES_OF(t));
}

bool store_commit(struct ks_store *s, const struct ks_write *w)
{
	bool ok = sql(s, "BEGIN IMMEDIATE") == 0;

	for (size_t i = 0; ok && i < w->n; i++)
		ok = write_row(s, &w->row[i]);
	ok = ok && write_stamp(s) && sql(s, "COMMIT") == 0;
	if (!ok) {
		snprintf(s->problem, sizeof(s->problem), "state cannot be written: %s",
			 sqlite3_errmsg(s->db));
		sql(s, "ROLLBACK");
	}
	return ok;
}

// ---- reading ----

static int wrong_key(struct ks_store *s)
{
	return store_complain(
		s, -EKEYREJECTED,
		"%s: sealed with another device key than %s; restore the key that belongs "
		"to it, or move the database away: groups then start with new keys, and "
		"members register again by themselves",
		s->path, s->key_path);
}

static int read_meta(struct ks_store *s, const char *name, struct ks_blob *out)
{
	const struct store_place at = { .name = name };
	sqlite3_stmt *q = prepare(s, "SELECT sealed FROM meta WHERE name = ?");
	int err = -ENOENT;

	*out = (struct ks_blob){ 0 };
	sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(q) == SQLITE_ROW)
		err = store_unseal(
			      s, &at,
			      BYTES(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0)),
			      out)
			      ? 0
			      : wrong_key(s);
	sqlite3_finalize(q);
	return err;
}

int store_resume_time(struct ks_store *s)
{
	struct ks_clocks now;
	struct ks_stamp then;
	struct ks_blob b;
	int err = read_meta(s, "stamp", &b);

	s->clocks(s->arg, &now);
	if (err == -ENOENT) {
		if (sql_number(s, "SELECT count(*) FROM part") != 0)
			return corrupt(s);
		s->base_ms = -now.mono_ms;
		return write_stamp(s) ? 0 : corrupt(s);
	}
	if (!err && (!b.p || b.len != sizeof(then)))
		err = corrupt(s);
	if (!err) {
		memcpy(&then, b.p, sizeof(then));
		then.clocks.boot[KS_BOOT_ID_LEN] = '\0';
		s->saved.time_unknown = !ks_elapsed(&then, &now, &s->base_ms);
	}
	ks_blob_fini(&b);
	s->saved.base_ms = s->base_ms;
	return err;
}

static int read_row(struct ks_store *s, sqlite3_stmt *q)
{
	struct store_place at = { .name = "",
				  .group = (uint32_t)sqlite3_column_int64(q, 0),
				  .part = (uint8_t)sqlite3_column_int(q, 1),
				  .key_len = (uint8_t)MIN_OF(sqlite3_column_bytes(q, 2),
							     KS_MEMBER_KEY_MAX),
				  .key = sqlite3_column_blob(q, 2) };
	struct bytes in = BYTES(sqlite3_column_blob(q, 3), (size_t)sqlite3_column_bytes(q, 3));
	struct ks_blob b;

	if (!store_unseal(s, &at, in, &b))
		return store_complain(
			s, -EBADMSG,
			"%s: a row of group %u was changed by somebody else; restore the "
			"database from a backup and start once with --mint-new, or move it "
			"away",
			s->path, at.group);
	s->rows = reallocarray(s->rows, s->saved.n + 1, sizeof(*s->rows));
	BUG_ON(!s->rows);
	s->rows[s->saved.n++] =
		(struct ks_saved_row){ at.group, (enum ks_part_kind)at.part, BYTES(b.p, b.len) };
	return 0;
}

int store_read_rows(struct ks_store *s)
{
	sqlite3_stmt *q = prepare(s, "SELECT grp, part, key, sealed FROM part "
				     "ORDER BY grp, part, rowid");
	int err = 0, step = SQLITE_DONE;

	while (!err && (step = sqlite3_step(q)) == SQLITE_ROW)
		err = read_row(s, q);
	if (!err && step != SQLITE_DONE)
		err = corrupt(s);
	sqlite3_finalize(q);
	s->saved.row = s->rows;
	return err;
}
