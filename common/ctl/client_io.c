#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/ctl/ctl.h"
#include "common/ctl/hex.h"

#define ANSWER_S 30 // the longest a daemon may think

static int say(int err, char *text, size_t size, const char *fmt, ...) PRINTF(4, 5);

static int say(int err, char *text, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, size, fmt, ap);
	va_end(ap);
	return err;
}

static int dial(const char *path, char *err, size_t err_size)
{
	const struct timeval limit = { .tv_sec = ANSWER_S };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, failed;

	if (strlen(path) >= sizeof(sa.sun_path))
		return say(-ENAMETOOLONG, err, err_size, "%s: path is too long for a socket", path);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return say(-errno, err, err_size, "socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	failed = -errno;
	close(fd);
	return say(failed, err, err_size, "%s: %s%s", path, strerror(-failed),
		   failed == -ENOENT || failed == -ECONNREFUSED ? " (is the daemon running?)" : "");
}

static int send_all(int fd, const char *b, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, b, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		b += n;
		len -= (size_t)n;
	}
	return 0;
}

static int recv_all(int fd, char *b, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, b, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return -ECONNRESET;
		b += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_frame(int fd, const char *text)
{
	uint32_t len_be = htonl((uint32_t)strlen(text));
	int err = send_all(fd, (const char *)&len_be, sizeof(len_be));

	return err ? err : send_all(fd, text, strlen(text));
}

static int recv_frame(int fd, json_t **out)
{
	uint32_t len;
	char *b;
	int err = recv_all(fd, (char *)&len, sizeof(len));

	if (err)
		return err;
	len = ntohl(len);
	if (len > CTL_MAX_FRAME)
		return -EMSGSIZE;
	b = malloc(len + 1u);
	if (!b)
		return -ENOMEM;
	err = recv_all(fd, b, len);
	if (!err) {
		*out = json_loadb(b, len, 0, NULL);
		err = *out ? 0 : -EPROTO;
	}
	free(b);
	return err;
}

// Takes request.
static int exchange(const char *path, json_t *request, json_t **out, char *err, size_t err_size)
{
	char *text = json_dumps(request, JSON_COMPACT);
	int fd, failed;

	*out = NULL;
	json_decref(request);
	if (!text)
		return say(-EINVAL, err, err_size, "a word is not UTF-8 text");
	fd = dial(path, err, err_size);
	if (fd < 0) {
		free(text);
		return fd;
	}
	failed = send_frame(fd, text);
	if (!failed)
		failed = recv_frame(fd, out);
	if (failed)
		say(failed, err, err_size, "%s: no answer: %s", path, strerror(-failed));
	close(fd);
	explicit_bzero(text, strlen(text));
	free(text);
	return failed;
}

// NULL when a word is not UTF-8.
static json_t *word_list(const char *const *words, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(list, json_string(words[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

int ctl_ask(const char *path, const char *const *words, size_t n_words, bool json, json_t **answer,
	    char *err, size_t err_size)
{
	return exchange(path,
			json_pack("{s:i, s:o, s:s}", "v", CTL_VERSION, "words",
				  word_list(words, n_words), "format", json ? "json" : "text"),
			answer, err, err_size);
}

int ctl_ask_with(const char *path, const char *const *words, size_t n_words, bool json,
		 struct bytes file, json_t **answer, char *err, size_t err_size)
{
	char *hex = hex_from(file);
	json_t *text = hex ? json_string(hex) : NULL;

	if (hex)
		explicit_bzero(hex, 2 * file.len);
	free(hex);
	if (!text)
		return say(-ENOMEM, err, err_size, "no memory");
	return exchange(path,
			json_pack("{s:i, s:o, s:s, s:o}", "v", CTL_VERSION, "words",
				  word_list(words, n_words), "format", json ? "json" : "text",
				  "file", text),
			answer, err, err_size);
}

int ctl_ask_help(const char *path, const char *const *words, size_t n_words, json_t **answer,
		 char *err, size_t err_size)
{
	return exchange(
		path, json_pack("{s:i, s:o}", "v", CTL_VERSION, "help", word_list(words, n_words)),
		answer, err, err_size);
}
