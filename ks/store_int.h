// ks/store_int.h - shared by the files of the store: who has what.
//   store_io.c        life, and the thread that writes
//   store_db_io.c     the database: opening, migrating, writing, reading
//   store_seal_io.c   the device key, and what is sealed under it
#pragma once
#include <pthread.h>
#include <sqlite3.h>

#include "ks/store_io.h"

#define STORE_SALT_LEN 16
#define STORE_PATH_LEN 512

struct ks_store {
	sqlite3 *db;
	sqlite3_stmt *put, *del, *drop, *put_meta;
	char dir[STORE_PATH_LEN], path[STORE_PATH_LEN], key_path[STORE_PATH_LEN], user[33];
	void (*clocks)(void *arg, struct ks_clocks *out);
	void *arg;
	int64_t base_ms;

	struct secret device;	      // key
	uint8_t salt[STORE_SALT_LEN]; // of this run
	struct secret run;	      // key
	uint64_t n_sealed;	      // nonces used under it

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

// Where a sealed value belongs. name: of a row of meta; "" for parts.
struct store_place {
	const char *name;
	uint32_t group;
	uint8_t part, key_len;
	const uint8_t *key;
};

// Keeps the reason for the operator; returns err.
int store_complain(struct ks_store *s, int err, const char *fmt, ...) PRINTF(3, 4);

// store_seal_io.c
int store_run_key(const struct ks_store *s, const uint8_t salt[STORE_SALT_LEN], struct secret *out);
struct ks_blob store_seal(struct ks_store *s, const struct store_place *at, struct bytes plain);
bool store_unseal(const struct ks_store *s, const struct store_place *at, struct bytes in,
		  struct ks_blob *out);
int store_make_dir(struct ks_store *s);
void store_give_to(const struct ks_store *s, const char *path);
int store_get_device_key(struct ks_store *s);

// store_db_io.c
int store_open_db(struct ks_store *s);
bool store_commit(struct ks_store *s, const struct ks_write *w);
int store_resume_time(struct ks_store *s);
int store_read_rows(struct ks_store *s);
