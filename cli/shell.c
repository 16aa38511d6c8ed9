#include "cli/shell.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/carry.h"
#include "cli/filter.h"
#include "cli/line.h"

struct candidates {
	const char *path[2];
	size_t n;
};

// The key server for "ks", the member for "gm"; else whichever is here, the member first.
static struct candidates choose_sockets(const struct shell *s, const struct line *l)
{
	struct candidates c = { 0 };

	if (s->socket) {
		c.path[c.n++] = s->socket;
		return c;
	}
	for (size_t i = 0; i < l->n_words; i++) {
		if (strcasecmp(l->words[i], "ks") == 0)
			c.path[c.n++] = SHELL_KSD_SOCKET;
		else if (strcasecmp(l->words[i], "gm") == 0)
			c.path[c.n++] = SHELL_GMD_SOCKET;
		if (c.n)
			return c;
	}
	if (access(SHELL_GMD_SOCKET, F_OK) == 0)
		c.path[c.n++] = SHELL_GMD_SOCKET;
	if (access(SHELL_KSD_SOCKET, F_OK) == 0 || c.n == 0)
		c.path[c.n++] = SHELL_KSD_SOCKET;
	return c;
}

static const char *text_of(const json_t *answer, const char *key)
{
	const char *s = json_string_value(json_object_get(answer, key));

	return s ? s : "";
}

static long long at_of(const json_t *answer)
{
	const json_t *at = json_object_get(answer, "at");

	return at ? json_integer_value(at) : INT64_MAX; // incomplete: all words were right
}

static bool is_about_words(const json_t *answer)
{
	const char *code = text_of(answer, "code");

	return strcmp(code, "invalid") == 0 || strcmp(code, "ambiguous") == 0 ||
	       strcmp(code, "incomplete") == 0;
}

// The daemon asked for a file of ours: the same question again, with it. Takes a.
static json_t *ask_with_file(const struct shell *s, const struct line *l, const char *path,
			     json_t *a)
{
	size_t at = (size_t)at_of(a), len = 0;
	char why[512];
	uint8_t *b = carry_read(l, at, &len, why, sizeof(why));

	json_decref(a);
	a = NULL;
	if (!b) {
		fprintf(s->err, "%% %s\n", why);
		return NULL;
	}
	if (ctl_ask_with(path, l->words, l->n_words, s->json, BYTES(b, len), &a, why, sizeof(why)) <
	    0)
		fprintf(s->err, "%% %s\n", why);
	explicit_bzero(b, len);
	free(b);
	return a;
}

// Ask each until one knows the words; else the answer of the one that understood most of them.
static json_t *ask(const struct shell *s, const struct line *l)
{
	struct candidates c = choose_sockets(s, l);
	json_t *best = NULL, *a;
	char why[256];

	for (size_t i = 0; i < c.n; i++) {
		if (ctl_ask(c.path[i], l->words, l->n_words, s->json, &a, why, sizeof(why)) < 0) {
			if (i + 1 == c.n && !best)
				fprintf(s->err, "%% %s\n", why);
			continue;
		}
		if (strcmp(text_of(a, "status"), "file") == 0) {
			json_decref(best);
			return ask_with_file(s, l, c.path[i], a);
		}
		if (!best || !is_about_words(a) || at_of(a) > at_of(best)) {
			json_decref(best);
			best = a;
		} else {
			json_decref(a);
		}
		if (!is_about_words(best))
			break;
	}
	return best;
}

// The daemons take words cut short, and in any case.
static bool may_be_password(const char *word, size_t len)
{
	static const char full[] = "password";

	return len > 0 && len < sizeof(full) && strncasecmp(word, full, len) == 0;
}

// The next word that stands behind one that may say password; NULL: there is none.
static const char *next_secret(const char *text, size_t *len)
{
	static const char spaces[] = " \t\r\n";
	bool found = false;

	for (const char *p = text + strspn(text, spaces); *p; p += strspn(p, spaces)) {
		*len = strcspn(p, spaces);
		if (found)
			return p;
		found = may_be_password(p, *len);
		p += *len;
	}
	return NULL;
}

static void print_line(const struct shell *s, const char *text)
{
	const char *secret;
	size_t len;

	for (; (secret = next_secret(text, &len)); text = secret + len) {
		fprintf(s->err, "%.*s", (int)(secret - text), text);
		for (size_t i = 0; i < len; i++)
			fputc('*', s->err);
	}
	fprintf(s->err, "%s\n", text);
}

static void print_caret(const struct shell *s, const char *text, size_t column)
{
	if (s->echo)
		print_line(s, text);
	fprintf(s->err, "%*s^\n%% Invalid input detected at '^' marker.\n\n",
		(int)(s->prompt_len + column), "");
}

static void print_error(const struct shell *s, const char *text, const struct line *l,
			const json_t *a)
{
	const char *code = text_of(a, "code"), *hint = text_of(a, "hint");
	size_t at = (size_t)at_of(a);

	if (strcmp(code, "invalid") == 0 && at < l->n_words)
		print_caret(s, text, l->column[at]);
	else if (strcmp(code, "incomplete") == 0)
		fprintf(s->err, "%% Incomplete command.\n\n");
	else if (strcmp(code, "ambiguous") == 0)
		fprintf(s->err, "%% Ambiguous command:  \"%s\"\n", text);
	else
		fprintf(s->err, "%% %s\n", text_of(a, "error"));
	if (*hint)
		fprintf(s->err, "  %s\n", hint);
}

static enum shell_status print_answer(const struct shell *s, const struct line *l, const json_t *a)
{
	json_t *data = json_object_get(a, "data");
	char *text = data ? json_dumps(data, JSON_INDENT(2)) : NULL;
	const char *file = json_string_value(json_object_get(a, "file"));
	char why[512] = "";
	int err;

	if (file && !carry_write(l, (size_t)at_of(a), file, why, sizeof(why))) {
		fprintf(s->err, "%% %s\n", why);
		free(text);
		return SHELL_REFUSED;
	}
	err = filter_print(l->filter, l->pattern, text ? text : text_of(a, "text"), s->out, why,
			   sizeof(why));
	free(text);
	if (err)
		fprintf(s->err, "%% Failed to compile regular expression: %s\n", why);
	return err ? SHELL_REFUSED : SHELL_OK;
}

static bool is_exit(const struct line *l)
{
	return l->n_words == 1 &&
	       (strcasecmp(l->words[0], "exit") == 0 || strcasecmp(l->words[0], "quit") == 0 ||
		strcasecmp(l->words[0], "logout") == 0);
}

static enum shell_status refuse_line(const struct shell *s, const char *text,
				     enum line_verdict verdict, size_t column)
{
	if (verdict == LINE_TOO_LONG)
		fprintf(s->err, "%% Line has more words or characters than any command\n");
	else if (verdict == LINE_NO_PATTERN)
		fprintf(s->err, "%% Incomplete command.\n\n");
	else
		print_caret(s, text, column);
	return SHELL_REFUSED;
}

bool shell_hides(const char *text)
{
	size_t len;

	return next_secret(text, &len) != NULL;
}

enum shell_status shell_run(const struct shell *s, const char *text)
{
	enum shell_status status = SHELL_REFUSED;
	enum line_verdict verdict;
	struct line l;
	size_t column = 0;
	json_t *a;

	verdict = line_parse(text, &l, &column);
	if (verdict != LINE_OK)
		return refuse_line(s, text, verdict, column);
	if (l.n_words == 0)
		return SHELL_OK;
	if (is_exit(&l))
		return SHELL_EXIT;
	a = ask(s, &l);
	if (!a)
		return SHELL_NO_ANSWER;
	if (strcmp(text_of(a, "status"), "ok") == 0)
		status = print_answer(s, &l, a);
	else
		print_error(s, text, &l, a);
	json_decref(a);
	explicit_bzero(&l, sizeof(l)); // a word may have been a password
	return status;
}

// ---- what may follow ----

// The words of text, with "" as the last one where a space ends it.
static bool words_being_typed(const char *text, struct line *l)
{
	size_t len = strlen(text), column;

	if (line_parse(text, l, &column) != LINE_OK || l->filter != FILTER_NONE ||
	    l->n_words == CTL_MAX_WORDS)
		return false;
	if (l->n_words == 0 || text[len - 1] == ' ') {
		l->column[l->n_words] = len;
		l->words[l->n_words++] = "";
	}
	return true;
}

// All sockets' entries in one array, each word once. *bad gets the best error when there is none.
static json_t *entries(const struct shell *s, const struct line *l, json_t **bad)
{
	struct candidates c = choose_sockets(s, l);
	json_t *all = json_object(), *a, *e;
	char why[256];
	size_t i;

	*bad = NULL;
	for (size_t k = 0; k < c.n; k++) {
		if (ctl_ask_help(c.path[k], l->words, l->n_words, &a, why, sizeof(why)) < 0)
			continue;
		json_array_foreach(json_object_get(a, "next"), i, e)
		{
			if (!json_object_get(all, text_of(e, "word")))
				json_object_set(all, text_of(e, "word"),
						json_object_get(e, "help"));
		}
		if (!json_object_get(a, "next") && (!*bad || at_of(a) > at_of(*bad))) {
			json_decref(*bad);
			*bad = a;
		} else {
			json_decref(a);
		}
	}
	return all;
}

void shell_help(const struct shell *s, const char *text)
{
	json_t *all, *bad, *help;
	const char *word;
	struct line l;

	if (!words_being_typed(text, &l)) {
		fprintf(s->out, "%% No help behind a pipe: include, exclude, begin, section, count "
				"and a regular expression\n");
		return;
	}
	all = entries(s, &l, &bad);
	json_object_foreach(all, word, help)
	{
		fprintf(s->out, "  %-16s  %s\n", word, json_string_value(help));
	}
	if (json_object_size(all) == 0 && bad)
		print_error(s, text, &l, bad);
	else if (json_object_size(all) == 0)
		fprintf(s->out, "%% No daemon answers here\n");
	json_decref(all);
	json_decref(bad);
}

static size_t common_len(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

size_t shell_complete(const struct shell *s, const char *text, char *out, size_t size)
{
	json_t *all, *bad, *help;
	const char *word, *first = NULL;
	struct line l;
	size_t typed, len = 0, n = 0;

	out[0] = '\0';
	if (!words_being_typed(text, &l))
		return 0;
	typed = strlen(l.words[l.n_words - 1]);
	all = entries(s, &l, &bad);
	json_object_foreach(all, word, help)
	{
		if (strcmp(word, "<cr>") == 0 || (*word >= 'A' && *word <= 'Z'))
			continue;
		len = first ? MIN_OF(len, common_len(first, word)) : strlen(word);
		first = first ? first : word;
		n++;
	}
	if (first && len >= typed && len - typed + 2 < size) {
		memcpy(out, first + typed, len - typed);
		strcpy(out + len - typed, n == 1 ? " " : "");
	}
	json_decref(all);
	json_decref(bad);
	return strlen(out);
}
