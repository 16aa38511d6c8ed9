#include "ks/store_io.h"

#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto/aead.h"
#include "common/crypto/crypto.h"
#include "common/crypto/prf.h"

#define APPLICATION_ID 0x434b5344 // "CKSD"
#define SALT_LEN       16
#define SEAL_HEAD      (SALT_LEN + AEAD_NONCE_LEN)
#define HEARTBEAT_S    60
#define RETRY_S	       1
#define PATH_LEN       512

// Each step brings a database from the version that is its index to the next.
static const char *const migrations[] = {
	"CREATE TABLE meta (name TEXT PRIMARY KEY, sealed BLOB NOT NULL);"
	"CREATE TABLE part (grp INTEGER NOT NULL, part INTEGER NOT NULL, key BLOB NOT NULL,"
	" sealed BLOB NOT NULL, PRIMARY KEY (grp, part, key));",
};
#define SCHEMA ((int)N_ELEMS(migrations))

struct ks_store {
	sqlite3 *db;
	sqlite3_stmt *put, *del, *drop, *put_meta;
	char dir[PATH_LEN], path[PATH_LEN], key_path[PATH_LEN], user[33];
	void (*clocks)(void *arg, struct ks_clocks *out);
	void *arg;
	int64_t base_ms;

	struct secret device;	// key
	uint8_t salt[SALT_LEN]; // of this run
	struct secret run;	// key
	uint64_t n_sealed;	// nonces used under it

	struct ks_saved saved;
	struct ks_saved_row *rows;

	pthread_t thread;
	bool started;
	int fd;
	pthread_mutex_t lock;
	pthread_cond_t wake, over;
	bool stop, busy; // busy: write is the thread's
	enum ks_store_news news;
	char why[KS_STORE_WHY];	    // it could not be opened, or written
	char problem[KS_STORE_WHY]; // the thread's own
	struct ks_write write;
	struct ks_store_figures figures;
};

static int complain(struct ks_store *s, int err, const char *fmt, ...) PRINTF(3, 4);

static int complain(struct ks_store *s, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	return err;
}

static void machine_clocks(void *arg, struct ks_clocks *out)
{
	struct timespec ts;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	(void)arg;
	*out = (struct ks_clocks){ .mono_ms = mono_now().ms };
	clock_gettime(CLOCK_REALTIME, &ts);
	out->wall_ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	if (f && !fgets(out->boot, sizeof(out->boot), f))
		out->boot[0] = '\0';
	if (f)
		fclose(f);
}

// ---- sealing ----

static int run_key(const struct ks_store *s, const uint8_t salt[SALT_LEN], struct secret *out)
{
	const struct bytes part[] = { BYTES_LIT("conclave ksd state"), BYTES(salt, SALT_LEN) };

	return prf_secret(HASH_ALG_SHA256, BYTES(s->device.b, s->device.len), part, N_ELEMS(part),
			  out);
}

// Where a sealed value belongs. name: of a row of meta; "" for parts.
struct place {
	const char *name;
	uint32_t group;
	uint8_t part, key_len;
	const uint8_t *key;
};

static struct bytes place_aad(const struct place *at, uint8_t *buf, size_t size)
{
	int n = snprintf((char *)buf, size, "conclave ksd %s/%u/%u/", at->name, at->group,
			 at->part);
	size_t len = (size_t)n;

	if (at->key_len)
		memcpy(buf + len, at->key, at->key_len);
	return BYTES(buf, len + at->key_len);
}

static struct ks_blob seal(struct ks_store *s, const struct place *at, struct bytes plain)
{
	struct ks_blob out = { malloc(SEAL_HEAD + plain.len + AEAD_TAG_LEN),
			       SEAL_HEAD + plain.len + AEAD_TAG_LEN };
	uint64_t n = s->n_sealed++;
	uint8_t aad[128];

	BUG_ON(!out.p);
	memset(out.p, 0, SEAL_HEAD);
	memcpy(out.p, s->salt, SALT_LEN);
	memcpy(out.p + SALT_LEN, &n, sizeof(n));
	BUG_ON(aead_seal(&s->run, out.p + SALT_LEN, place_aad(at, aad, sizeof(aad)), plain,
			 out.p + SEAL_HEAD) != 0);
	return out;
}

static bool unseal(const struct ks_store *s, const struct place *at, struct bytes in,
		   struct ks_blob *out)
{
	struct secret key;
	uint8_t aad[128];
	bool ok;

	*out = (struct ks_blob){ 0 };
	if (in.len < SEAL_HEAD + AEAD_TAG_LEN || run_key(s, in.p, &key))
		return false;
	out->len = in.len - SEAL_HEAD - AEAD_TAG_LEN;
	out->p = malloc(out->len + 1);
	BUG_ON(!out->p);
	ok = aead_open(&key, in.p + SALT_LEN, place_aad(at, aad, sizeof(aad)),
		       BYTES(in.p + SEAL_HEAD, in.len - SEAL_HEAD), out->p) == 0;
	secret_fini(&key);
	if (!ok)
		ks_blob_fini(out);
	return ok;
}

// ---- files ----

static void give_to(const struct ks_store *s, const char *path)
{
	const struct passwd *pw = s->user[0] && geteuid() == 0 ? getpwnam(s->user) : NULL;

	if (pw && chown(path, pw->pw_uid, pw->pw_gid) < 0)
		return; // then the process it is for will say so
}

static int make_dir(struct ks_store *s)
{
	char *p = s->dir;

	while ((p = strchr(p + 1, '/'))) {
		*p = '\0';
		mkdir(s->dir, 0755); // what fails here fails below
		*p = '/';
	}
	if (mkdir(s->dir, 0700) == 0) {
		give_to(s, s->dir);
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	return complain(s, -errno, "%s: cannot be made: %s", s->dir, strerror(errno));
}

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

static int make_device_key(struct ks_store *s)
{
	uint8_t b[AEAD_KEY_LEN];
	struct rng rng;
	int fd, err = 0;

	fd = open(s->key_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return complain(s, -errno, "%s: cannot be made: %s", s->key_path, strerror(errno));
	crypto_rng_init(&rng);
	rng_fill(&rng, b, sizeof(b));
	if (write(fd, b, sizeof(b)) != (ssize_t)sizeof(b) || fsync(fd) < 0 || sync_dir(s->dir))
		err = complain(s, -EIO, "%s: cannot be written: %s", s->key_path, strerror(errno));
	close(fd);
	BUG_ON(secret_set(&s->device, b, sizeof(b)) != 0);
	explicit_bzero(b, sizeof(b));
	give_to(s, s->key_path);
	return err;
}

static int read_device_key(struct ks_store *s)
{
	uint8_t b[AEAD_KEY_LEN + 1];
	struct stat st;
	ssize_t n;
	int fd = open(s->key_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	n = fstat(fd, &st) == 0 ? read(fd, b, sizeof(b)) : -1;
	close(fd);
	if (n == AEAD_KEY_LEN)
		BUG_ON(secret_set(&s->device, b, AEAD_KEY_LEN) != 0);
	explicit_bzero(b, sizeof(b));
	if (n != AEAD_KEY_LEN)
		return complain(s, -EBADMSG,
				"%s: holds no device key (%d octets are right); restore it from a "
				"backup",
				s->key_path, AEAD_KEY_LEN);
	if (st.st_mode & 077)
		return complain(s, -EPERM, "%s: others may read it; chmod 600 %s", s->key_path,
				s->key_path);
	return 0;
}

static int get_device_key(struct ks_store *s)
{
	int err = read_device_key(s);

	if (err != -ENOENT) {
		if (err && !s->why[0])
			complain(s, err, "%s: cannot be read: %s", s->key_path, strerror(-err));
		return err;
	}
	if (access(s->path, F_OK) == 0)
		return complain(s, -ENOKEY,
				"%s: missing, and %s cannot be read without it; restore it, or "
				"move the database away: groups then start with new keys, and "
				"members register again by themselves",
				s->key_path, s->path);
	return make_device_key(s);
}

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
		return complain(s, -EBUSY, "%s: another process has it open; is a ksd running?",
				s->path);
	return complain(s, -EBADMSG,
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
		return complain(s, -EBADMSG,
				"%s: a database of another program; name another folder in "
				"ksd.state, or move it away",
				s->path);
	if (version > SCHEMA)
		return complain(s, -ENOTSUP,
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

static int open_db(struct ks_store *s)
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
	give_to(s, s->path);
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
	const struct place at = { "", r->group, r->part, r->key_len, r->key };
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
	sealed = seal(s, &at, BYTES(r->data.p, r->data.len));
	sqlite3_bind_blob(q, 4, sealed.p, (int)sealed.len, SQLITE_STATIC);
	ok = finish(q);
	free(sealed.p);
	return ok;
}

static bool write_meta(struct ks_store *s, const char *name, struct bytes plain)
{
	const struct place at = { .name = name };
	struct ks_blob sealed = seal(s, &at, plain);
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

static bool commit(struct ks_store *s, const struct ks_write *w)
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

// ---- the thread ----

static void tell(struct ks_store *s, enum ks_store_news news)
{
	uint64_t one = 1;

	s->news = news;
	pthread_cond_broadcast(&s->over);
	BUG_ON(write(s->fd, &one, sizeof(one)) != (ssize_t)sizeof(one));
}

static void nap(struct ks_store *s, time_t seconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	pthread_cond_timedwait(&s->wake, &s->lock, &until);
}

static void count(struct ks_store *s, const struct timespec *from, size_t rows)
{
	struct timespec now;
	int64_t us;

	clock_gettime(CLOCK_MONOTONIC, &now);
	us = (now.tv_sec - from->tv_sec) * 1000000 + (now.tv_nsec - from->tv_nsec) / 1000;
	s->figures.commits++;
	s->figures.rows += rows;
	s->figures.last_us = (uint32_t)us;
	s->figures.max_us = MAX_OF(s->figures.max_us, s->figures.last_us);
}

// With the lock held; drops it while the disk works. Without a write it is the stamp alone.
static void work_off(struct ks_store *s)
{
	struct ks_write w = s->write;
	bool asked = s->busy, ok;
	struct timespec from;

	s->write = (struct ks_write){ 0 };
	pthread_mutex_unlock(&s->lock);
	clock_gettime(CLOCK_MONOTONIC, &from);
	ok = commit(s, &w);
	pthread_mutex_lock(&s->lock);
	if (ok) {
		count(s, &from, w.n);
		ks_write_fini(&w);
		if (asked) {
			s->busy = false;
			tell(s, KS_STORE_DONE);
		}
		return;
	}
	s->figures.failures++;
	memcpy(s->why, s->problem, sizeof(s->why));
	if (asked)
		s->write = w;
	tell(s, KS_STORE_FAILED);
	if (!s->stop)
		nap(s, RETRY_S);
}

static void *writer(void *arg)
{
	struct ks_store *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		if (!s->busy && !s->stop)
			nap(s, HEARTBEAT_S);
		if (s->stop && (!s->busy || s->news == KS_STORE_FAILED))
			break;
		work_off(s);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

// ---- reading ----

static int wrong_key(struct ks_store *s)
{
	return complain(s, -EKEYREJECTED,
			"%s: sealed with another device key than %s; restore the key that belongs "
			"to it, or move the database away: groups then start with new keys, and "
			"members register again by themselves",
			s->path, s->key_path);
}

static int read_meta(struct ks_store *s, const char *name, struct ks_blob *out)
{
	const struct place at = { .name = name };
	sqlite3_stmt *q = prepare(s, "SELECT sealed FROM meta WHERE name = ?");
	int err = -ENOENT;

	*out = (struct ks_blob){ 0 };
	sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(q) == SQLITE_ROW)
		err = unseal(s, &at,
			     BYTES(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0)),
			     out)
			      ? 0
			      : wrong_key(s);
	sqlite3_finalize(q);
	return err;
}

static int resume_time(struct ks_store *s)
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
	struct place at = { .name = "",
			    .group = (uint32_t)sqlite3_column_int64(q, 0),
			    .part = (uint8_t)sqlite3_column_int(q, 1),
			    .key_len =
				    (uint8_t)MIN_OF(sqlite3_column_bytes(q, 2), KS_MEMBER_KEY_MAX),
			    .key = sqlite3_column_blob(q, 2) };
	struct bytes in = BYTES(sqlite3_column_blob(q, 3), (size_t)sqlite3_column_bytes(q, 3));
	struct ks_blob b;

	if (!unseal(s, &at, in, &b))
		return complain(s, -EBADMSG,
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

static int read_rows(struct ks_store *s)
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

// ---- life ----

static int start_thread(struct ks_store *s)
{
	pthread_condattr_t attr;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, &attr);
	pthread_cond_init(&s->over, &attr);
	pthread_condattr_destroy(&attr);
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = s->fd < 0 ? errno : pthread_create(&s->thread, NULL, writer, s);
	s->started = err == 0;
	return err ? complain(s, -err, "no thread to write with: %s", strerror(err)) : 0;
}

static int start_run(struct ks_store *s)
{
	struct rng rng;

	crypto_rng_init(&rng);
	rng_fill(&rng, s->salt, sizeof(s->salt));
	return run_key(s, s->salt, &s->run) ? complain(s, -ENOMEM, "no memory") : 0;
}

int ks_store_open(const struct ks_store_conf *conf, struct ks_store **out, char why[KS_STORE_WHY])
{
	struct ks_store *s = calloc(1, sizeof(*s));
	int err;

	BUG_ON(!s);
	s->fd = -1;
	s->clocks = conf->clocks ? conf->clocks : machine_clocks;
	s->arg = conf->arg;
	snprintf(s->dir, sizeof(s->dir), "%s", conf->dir);
	snprintf(s->path, sizeof(s->path), "%s/state.db", conf->dir);
	snprintf(s->key_path, sizeof(s->key_path), "%s%s", conf->device_key[0] ? "" : conf->dir,
		 conf->device_key[0] ? conf->device_key : "/device.key");
	snprintf(s->user, sizeof(s->user), "%s", conf->user);
	err = make_dir(s);
	err = err ? err : get_device_key(s);
	err = err ? err : start_run(s);
	err = err ? err : open_db(s);
	err = err ? err : resume_time(s);
	err = err ? err : read_rows(s);
	err = err ? err : start_thread(s);
	snprintf(why, KS_STORE_WHY, "%s", s->why);
	if (err) {
		ks_store_close(s);
		return err;
	}
	*out = s;
	return 0;
}

static void stop_thread(struct ks_store *s)
{
	if (!s->started)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
}

void ks_store_close(struct ks_store *s)
{
	if (!s)
		return;
	stop_thread(s);
	ks_store_forget(s);
	ks_write_fini(&s->write);
	sqlite3_finalize(s->put);
	sqlite3_finalize(s->del);
	sqlite3_finalize(s->drop);
	sqlite3_finalize(s->put_meta);
	sqlite3_close(s->db);
	if (s->fd >= 0)
		close(s->fd);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

const struct ks_saved *ks_store_saved(const struct ks_store *s)
{
	return &s->saved;
}

void ks_store_forget(struct ks_store *s)
{
	for (size_t i = 0; i < s->saved.n; i++) {
		struct ks_blob b = { (uint8_t *)(uintptr_t)s->rows[i].data.p, s->rows[i].data.len };

		ks_blob_fini(&b);
	}
	free(s->rows);
	s->rows = NULL;
	s->saved.row = NULL;
	s->saved.n = 0;
}

int64_t ks_store_base(const struct ks_store *s)
{
	return s->base_ms;
}

void ks_store_put(struct ks_store *s, struct ks_write *w)
{
	pthread_mutex_lock(&s->lock);
	BUG_ON(s->busy);
	ks_write_fini(&s->write);
	s->write = *w;
	*w = (struct ks_write){ 0 };
	s->busy = true;
	s->news = KS_STORE_NOTHING;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

int ks_store_fd(const struct ks_store *s)
{
	return s->fd;
}

enum ks_store_news ks_store_take(struct ks_store *s, char why[KS_STORE_WHY])
{
	enum ks_store_news news;
	uint64_t n;

	if (read(s->fd, &n, sizeof(n)) < 0)
		return KS_STORE_NOTHING;
	pthread_mutex_lock(&s->lock);
	news = s->news;
	snprintf(why, KS_STORE_WHY, "%s", s->why);
	pthread_mutex_unlock(&s->lock);
	return news;
}

void ks_store_wait(struct ks_store *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->busy && s->news == KS_STORE_NOTHING)
		pthread_cond_wait(&s->over, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void ks_store_figures(struct ks_store *s, struct ks_store_figures *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->figures;
	pthread_mutex_unlock(&s->lock);
}
