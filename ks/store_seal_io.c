#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/aead.h"
#include "common/crypto/crypto.h"
#include "common/crypto/prf.h"
#include "ks/store_int.h"

#define SEAL_HEAD (STORE_SALT_LEN + AEAD_NONCE_LEN)

int store_complain(struct ks_store *s, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	return err;
}

// ---- sealing ----

int store_run_key(const struct ks_store *s, const uint8_t salt[STORE_SALT_LEN], struct secret *out)
{
	const struct bytes part[] = { BYTES_LIT("conclave ksd state"),
				      BYTES(salt, STORE_SALT_LEN) };

	return prf_secret(HASH_ALG_SHA256, BYTES(s->device.b, s->device.len), part, N_ELEMS(part),
			  out);
}

static struct bytes place_aad(const struct store_place *at, uint8_t *buf, size_t size)
{
	int n = snprintf((char *)buf, size, "conclave ksd %s/%u/%u/", at->name, at->group,
			 at->part);
	size_t len = (size_t)n;

	if (at->key_len)
		memcpy(buf + len, at->key, at->key_len);
	return BYTES(buf, len + at->key_len);
}

struct ks_blob store_seal(struct ks_store *s, const struct store_place *at, struct bytes plain)
{
	struct ks_blob out = { malloc(SEAL_HEAD + plain.len + AEAD_TAG_LEN),
			       SEAL_HEAD + plain.len + AEAD_TAG_LEN };
	uint64_t n = s->n_sealed++;
	uint8_t aad[128];

	BUG_ON(!out.p);
	memset(out.p, 0, SEAL_HEAD);
	memcpy(out.p, s->salt, STORE_SALT_LEN);
	memcpy(out.p + STORE_SALT_LEN, &n, sizeof(n));
	BUG_ON(aead_seal(&s->run, out.p + STORE_SALT_LEN, place_aad(at, aad, sizeof(aad)), plain,
			 out.p + SEAL_HEAD) != 0);
	return out;
}

bool store_unseal(const struct ks_store *s, const struct store_place *at, struct bytes in,
		  struct ks_blob *out)
{
	struct secret key;
	uint8_t aad[128];
	bool ok;

	*out = (struct ks_blob){ 0 };
	if (in.len < SEAL_HEAD + AEAD_TAG_LEN || store_run_key(s, in.p, &key))
		return false;
	out->len = in.len - SEAL_HEAD - AEAD_TAG_LEN;
	out->p = malloc(out->len + 1);
	BUG_ON(!out->p);
	ok = aead_open(&key, in.p + STORE_SALT_LEN, place_aad(at, aad, sizeof(aad)),
		       BYTES(in.p + SEAL_HEAD, in.len - SEAL_HEAD), out->p) == 0;
	secret_fini(&key);
	if (!ok)
		ks_blob_fini(out);
	return ok;
}

// ---- files ----

void store_give_to(const struct ks_store *s, const char *path)
{
	const struct passwd *pw = s->user[0] && geteuid() == 0 ? getpwnam(s->user) : NULL;

	if (pw && chown(path, pw->pw_uid, pw->pw_gid) < 0)
		return; // then the process it is for will say so
}

int store_make_dir(struct ks_store *s)
{
	char *p = s->dir;

	while ((p = strchr(p + 1, '/'))) {
		*p = '\0';
		mkdir(s->dir, 0755); // what fails here fails below
		*p = '/';
	}
	if (mkdir(s->dir, 0700) == 0) {
		store_give_to(s, s->dir);
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	return store_complain(s, -errno, "%s: cannot be made: %s", s->dir, strerror(errno));
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
		return store_complain(s, -errno, "%s: cannot be made: %s", s->key_path,
				      strerror(errno));
	crypto_rng_init(&rng);
	rng_fill(&rng, b, sizeof(b));
	if (write(fd, b, sizeof(b)) != (ssize_t)sizeof(b) || fsync(fd) < 0 || sync_dir(s->dir))
		err = store_complain(s, -EIO, "%s: cannot be written: %s", s->key_path,
				     strerror(errno));
	close(fd);
	BUG_ON(secret_set(&s->device, b, sizeof(b)) != 0);
	explicit_bzero(b, sizeof(b));
	store_give_to(s, s->key_path);
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
		return store_complain(
			s, -EBADMSG,
			"%s: holds no device key (%d octets are right); restore it from a "
			"backup",
			s->key_path, AEAD_KEY_LEN);
	if (st.st_mode & 077)
		return store_complain(s, -EPERM, "%s: others may read it; chmod 600 %s",
				      s->key_path, s->key_path);
	return 0;
}

int store_get_device_key(struct ks_store *s)
{
	int err = read_device_key(s);

	if (err != -ENOENT) {
		if (err && !s->why[0])
			store_complain(s, err, "%s: cannot be read: %s", s->key_path,
				       strerror(-err));
		return err;
	}
	if (access(s->path, F_OK) == 0)
		return store_complain(
			s, -ENOKEY,
			"%s: missing, and %s cannot be read without it; restore it, or "
			"move the database away: groups then start with new keys, and "
			"members register again by themselves",
			s->key_path, s->path);
	return make_device_key(s);
}
