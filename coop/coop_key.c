#include "coop/coop_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/tls.h"
#include "common/ctl/hex.h"

#define TEXT_MAX (2 * SECRET_MAX + 1)

static int failed(const char **why)
{
	int err = -errno;

	*why = strerror(errno);
	return err;
}

static int write_line(int fd, struct bytes b, const char **why)
{
	char *text = hex_from(b);
	size_t len = text ? strlen(text) : 0;
	int err = 0;

	errno = text ? EIO : ENOMEM; // write and fsync say it better, but for a part written
	if (len == 0 || dprintf(fd, "%s\n", text) != (int)len + 1 || fsync(fd) < 0)
		err = failed(why);
	if (text)
		explicit_bzero(text, len);
	free(text);
	return err;
}

int coop_key_make(const char *path, struct rng *rng, const char **why)
{
	uint8_t b[COOP_KEY_LEN];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err;

	if (fd < 0)
		return failed(why);
	rng_fill(rng, b, sizeof(b));
	err = write_line(fd, BYTES_OF(b), why);
	explicit_bzero(b, sizeof(b));
	close(fd);
	if (err)
		unlink(path);
	return err;
}

static int read_text(const char *path, char text[TEXT_MAX + 1], const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;
	int err = 0;

	if (fd < 0)
		return failed(why);
	n = fstat(fd, &st) == 0 ? read(fd, text, TEXT_MAX) : -1;
	if (n < 0) {
		err = failed(why);
	} else if (st.st_mode & 077) {
		*why = "others may read it; chmod 600 is right";
		err = -EPERM;
	} else {
		text[n] = '\0';
		text[strcspn(text, "\r\n")] = '\0';
	}
	close(fd);
	return err;
}

static int parse(const char *text, struct secret *out)
{
	uint8_t b[SECRET_MAX];
	size_t len = 0;
	int err = -EBADMSG;

	if (hex_to(text, b, sizeof(b), &len) && len >= TLS_KEY_MIN)
		err = secret_set(out, b, len);
	explicit_bzero(b, sizeof(b));
	return err;
}

int coop_key_read(const char *path, struct secret *out, const char **why)
{
	char text[TEXT_MAX + 1];
	int err = read_text(path, text, why);

	*out = (struct secret){ 0 };
	if (!err) {
		err = parse(text, out);
		*why = "wants one line of 32 to 256 hexadecimal digits, as ksd --coop-key makes it";
	}
	explicit_bzero(text, sizeof(text));
	return err;
}
