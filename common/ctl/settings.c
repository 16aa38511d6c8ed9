#include "common/ctl/settings.h"

#include <libconfig.h>
#include <stdarg.h>
#include <string.h>

#include "common/base/addr.h"
#include "common/base/flow.h"
#include "common/crypto/secret.h"

#define FILE_MAX (16u << 20)

struct settings {
	config_t tree;
	char *text; // of the file: libconfig forgets digits, the text does not
	const char *path;
	settings_report *report;
	void *arg;
	unsigned n_errors;
};

// A set_node is libconfig's setting behind another name, so that no other file includes it.
static config_setting_t *setting_of(const struct set_node *n)
{
	return (config_setting_t *)(uintptr_t)n;
}

static struct set_node *node_of(config_setting_t *c)
{
	return (struct set_node *)c;
}

static PRINTF(4, 0) void say(struct settings *s, unsigned line, const char *word, const char *fmt,
			     va_list ap)
{
	char text[1024];
	size_t n;

	if (line > 0)
		n = (size_t)snprintf(text, sizeof(text), "%s:%u: ", s->path, line);
	else
		n = (size_t)snprintf(text, sizeof(text), "%s: ", s->path);
	if (word && n < sizeof(text))
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s: ", word);
	if (n < sizeof(text))
		vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	s->report(s->arg, text);
}

static PRINTF(4, 0) void complain(struct settings *s, unsigned line, const char *word,
				  const char *fmt, va_list ap)
{
	s->n_errors++;
	say(s, line, word, fmt, ap);
}

static void complain_at(struct settings *s, unsigned line, const char *word, const char *fmt, ...)
	PRINTF(4, 5);

static void complain_at(struct settings *s, unsigned line, const char *word, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(s, line, word, fmt, ap);
	va_end(ap);
}

void settings_complain(struct settings *s, const struct set_node *n, const char *word,
		       const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(s, n ? settings_line(n) : 0, word, fmt, ap);
	va_end(ap);
}

void settings_warn(struct settings *s, const struct set_node *n, const char *word, const char *fmt,
		   ...)
{
	char what[64];
	va_list ap;

	snprintf(what, sizeof(what), "warning: %s", word);
	va_start(ap, fmt);
	say(s, n ? settings_line(n) : 0, what, fmt, ap);
	va_end(ap);
}

void settings_complain_line(struct settings *s, unsigned line, const char *word, const char *fmt,
			    ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(s, line, word, fmt, ap);
	va_end(ap);
}

unsigned settings_line(const struct set_node *n)
{
	return (unsigned)config_setting_source_line(setting_of(n));
}

unsigned settings_n_errors(const struct settings *s)
{
	return s->n_errors;
}

struct set_node *settings_root(struct settings *s)
{
	return node_of(config_root_setting(&s->tree));
}

static int read_file(const char *path, char **out)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t n;
	int err = 0;

	if (!f)
		return -errno;
	setvbuf(f, NULL, _IONBF, 0); // no copy of a PSK in a stdio buffer
	text = malloc(FILE_MAX + 1);
	if (!text) {
		err = -ENOMEM;
		goto out;
	}
	n = fread(text, 1, FILE_MAX, f);
	if (ferror(f))
		err = -EIO;
	else if (n == FILE_MAX)
		err = -EFBIG;
	else if (memchr(text, '\0', n))
		err = -EILSEQ;
	text[n] = '\0';
	if (!err) {
		char *fit = strdup(text);

		explicit_bzero(text, n);
		free(text);
		text = fit;
		err = fit ? 0 : -ENOMEM;
	}
out:
	fclose(f);
	if (err) {
		free(text);
		text = NULL;
	}
	*out = text;
	return err;
}

struct settings *settings_open(const char *path, settings_report *report, void *arg)
{
	struct settings *s = calloc(1, sizeof(*s));
	int err;

	BUG_ON(!s);
	s->path = path;
	s->report = report;
	s->arg = arg;
	config_init(&s->tree);
	err = read_file(path, &s->text);
	if (err) {
		complain_at(s, 0, NULL, "cannot be read: %s", strerror(-err));
		goto bad;
	}
	if (config_read_string(&s->tree, s->text) != CONFIG_TRUE) {
		complain_at(s, (unsigned)config_error_line(&s->tree), NULL,
			    "%s (a ';' may be missing on the line before, or a quote or bracket is "
			    "open)",
			    config_error_text(&s->tree));
		goto bad;
	}
	return s;
bad:
	settings_close(s);
	return NULL;
}

// libconfig frees its strings without wiping: do it before.
static void wipe_strings(config_setting_t *c)
{
	if (config_setting_type(c) == CONFIG_TYPE_STRING) {
		const char *text = config_setting_get_string(c);

		if (text)
			explicit_bzero((char *)(uintptr_t)text, strlen(text));
	} else if (config_setting_is_aggregate(c)) {
		for (int i = 0; i < config_setting_length(c); i++)
			wipe_strings(config_setting_get_elem(c, (unsigned)i));
	}
}

void settings_close(struct settings *s)
{
	if (!s)
		return;
	if (s->text) {
		explicit_bzero(s->text, strlen(s->text));
		free(s->text);
	}
	if (config_root_setting(&s->tree))
		wipe_strings(config_root_setting(&s->tree));
	config_destroy(&s->tree);
	free(s);
}

// libconfig 1.5 cuts a number without L to 32 bits and says nothing: read the digits themselves.
// The same word may stand several times on one line; then one of them has to be this number.
static bool digits_lost(const struct settings *s, const config_setting_t *c, long long value)
{
	unsigned line = config_setting_source_line(c);
	const char *p = s->text, *name = config_setting_name(c), *end;
	size_t len = name ? strlen(name) : 0;
	bool found = false;

	for (unsigned i = 1; i < line && p; i++) {
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	if (!p || len == 0)
		return false;
	end = strchrnul(p, '\n');
	for (p = memmem(p, (size_t)(end - p), name, len); p;
	     p = memmem(p, (size_t)(end - p), name, len)) {
		p += len;
		p += strspn(p, " \t");
		if (*p != '=' && *p != ':')
			continue;
		p += 1 + strspn(p + 1, " \t");
		if (*p == '\0' || !strchr("+-0123456789", *p))
			continue;
		if (strtoll(p, NULL, 0) == value)
			return false;
		found = true;
	}
	return found;
}

static bool get_int(struct settings *s, const config_setting_t *c, const struct set_row *r,
		    long long *v)
{
	unsigned line = config_setting_source_line(c);

	if (config_setting_type(c) != CONFIG_TYPE_INT &&
	    config_setting_type(c) != CONFIG_TYPE_INT64) {
		complain_at(s, line, r->word, "wants a number: %s", r->help);
		return false;
	}
	*v = config_setting_get_int64(c);
	if (digits_lost(s, c, *v)) {
		complain_at(s, line, r->word,
			    "a number this large needs an L behind it, like 5000000000L");
		return false;
	}
	if (*v < r->min || *v > r->max) {
		complain_at(s, line, r->word, "%lld is out of range: %s (%lld to %lld)", *v,
			    r->help, (long long)r->min, (long long)r->max);
		return false;
	}
	return true;
}

static bool text_to_choice(const struct set_row *r, const char *text, int *v)
{
	for (const struct set_choice *c = r->choices; c->name; c++) {
		if (strcmp(c->name, text) == 0) {
			*v = c->value;
			return true;
		}
	}
	return false;
}

static void complain_choice(struct settings *s, unsigned line, const struct set_row *r,
			    const char *text)
{
	char known[512] = "";
	size_t n = 0;

	for (const struct set_choice *c = r->choices; c->name && n < sizeof(known); c++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s\"%s\"", n ? ", " : "",
				      c->name);
	complain_at(s, line, r->word, "\"%s\" is not known here; one of %s", text, known);
}

// The value as text: from the file, or the default of the row (c NULL).
static bool store_text(struct settings *s, unsigned line, const struct set_row *r, const char *text,
		       char *field)
{
	switch (r->type) {
	case SET_STR:
		if (strlen(text) >= r->size) {
			complain_at(s, line, r->word, "longer than %zu characters", r->size - 1);
			return false;
		}
		strcpy(field, text);
		return true;
	case SET_ADDR:
		if (addr_parse(text, (struct addr *)(void *)field) == 0)
			return true;
		complain_at(s, line, r->word, "\"%s\" is not an IP address like \"192.0.2.1\"",
			    text);
		return false;
	case SET_PREFIX:
		if (prefix_parse(text, (struct prefix *)(void *)field) == 0)
			return true;
		complain_at(s, line, r->word,
			    "\"%s\" is not a prefix like \"10.1.0.0/16\" with no host bits set, or "
			    "\"any\"",
			    text);
		return false;
	case SET_PROTO:
		if (ip_proto_parse(text, (uint8_t *)field) == 0)
			return true;
		complain_at(
			s, line, r->word,
			"\"%s\" is not an IP protocol like \"ip\", \"tcp\", \"udp\" or 0 to 255",
			text);
		return false;
	case SET_CHOICE:
		if (text_to_choice(r, text, (int *)(void *)field))
			return true;
		complain_choice(s, line, r, text);
		return false;
	case SET_SECRET:
		if (*text && secret_set((struct secret *)(void *)field, text, strlen(text)) == 0)
			return true;
		complain_at(s, line, r->word, "wants 1 to %d characters", SECRET_MAX);
		return false;
	default:
		BUG("row type has no text form");
	}
}

static void store_int(const struct set_row *r, long long v, char *field)
{
	switch (r->type) {
	case SET_BOOL:
		*(bool *)field = v != 0;
		break;
	case SET_INT:
		*(int64_t *)(void *)field = v;
		break;
	case SET_U32:
		*(uint32_t *)(void *)field = (uint32_t)v;
		break;
	case SET_U16:
		*(uint16_t *)(void *)field = (uint16_t)v;
		break;
	default:
		BUG("row type is not a number");
	}
}

static void read_list(struct settings *s, config_setting_t *c, const struct set_row *r, void *out)
{
	unsigned line = config_setting_source_line(c);
	int n = config_setting_length(c);

	if (!config_setting_is_list(c) && !config_setting_is_array(c)) {
		complain_at(s, line, r->word, "wants a list ( … ) or array [ … ]: %s", r->help);
		return;
	}
	if (n < r->min || (r->max > 0 && n > r->max)) {
		complain_at(s, line, r->word, "has %d entries: %lld to %lld are right", n,
			    (long long)r->min, (long long)r->max);
		return;
	}
	for (int i = 0; i < n; i++)
		r->each(s, node_of(config_setting_get_elem(c, (unsigned)i)), out);
}

static void read_value(struct settings *s, config_setting_t *c, const struct set_row *r, char *out)
{
	unsigned line = config_setting_source_line(c);
	char *field = out + r->offset;
	long long v;

	switch (r->type) {
	case SET_BOOL:
		if (config_setting_type(c) != CONFIG_TYPE_BOOL)
			complain_at(s, line, r->word, "wants true or false (no quotes): %s",
				    r->help);
		else
			store_int(r, config_setting_get_bool(c), field);
		break;
	case SET_INT:
	case SET_U32:
	case SET_U16:
		if (get_int(s, c, r, &v))
			store_int(r, v, field);
		break;
	case SET_GROUP:
		if (!config_setting_is_group(c))
			complain_at(s, line, r->word, "wants a group { … }: %s", r->help);
		else
			r->each(s, node_of(c), out);
		break;
	case SET_EACH:
		read_list(s, c, r, out);
		break;
	default:
		if (config_setting_type(c) != CONFIG_TYPE_STRING)
			complain_at(s, line, r->word, "wants text in quotes: %s", r->help);
		else
			store_text(s, line, r, config_setting_get_string(c), field);
		if (r->type == SET_SECRET)
			wipe_strings(c);
	}
}

static void store_default(struct settings *s, const struct set_row *r, char *out)
{
	char *field = out + r->offset;

	if (r->type == SET_BOOL)
		store_int(r, strcmp(r->def, "true") == 0, field);
	else if (r->type == SET_INT || r->type == SET_U32 || r->type == SET_U16)
		store_int(r, strtoll(r->def, NULL, 10), field);
	else
		BUG_ON(!store_text(s, 0, r, r->def, field));
}

static void complain_unknown(struct settings *s, const config_setting_t *c,
			     const struct set_row *rows, size_t n_rows)
{
	char known[768] = "";
	size_t n = 0;

	for (size_t i = 0; i < n_rows && n < sizeof(known); i++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "",
				      rows[i].word);
	complain_at(s, config_setting_source_line(c), config_setting_name(c),
		    "is not a word known here; known are: %s", known);
}

void settings_group(struct settings *s, struct set_node *n, const struct set_row *rows,
		    size_t n_rows, void *out)
{
	config_setting_t *g = setting_of(n);

	if (!config_setting_is_group(g)) {
		complain_at(s, config_setting_source_line(g), config_setting_name(g),
			    "wants a group { word = value; … }");
		return;
	}
	for (int i = 0; i < config_setting_length(g); i++) {
		config_setting_t *c = config_setting_get_elem(g, (unsigned)i);
		size_t row = 0;

		while (row < n_rows && strcmp(rows[row].word, config_setting_name(c)) != 0)
			row++;
		if (row == n_rows)
			complain_unknown(s, c, rows, n_rows);
	}
	for (size_t row = 0; row < n_rows; row++) {
		const struct set_row *r = &rows[row];
		config_setting_t *c = config_setting_get_member(g, r->word);

		if (c)
			read_value(s, c, r, out);
		else if (r->required)
			complain_at(s, config_setting_source_line(g), r->word, "is missing: %s",
				    r->help);
		else if (r->def)
			store_default(s, r, out);
	}
}

const char *settings_text(struct settings *s, struct set_node *n)
{
	config_setting_t *c = setting_of(n);

	if (config_setting_type(c) == CONFIG_TYPE_STRING)
		return config_setting_get_string(c);
	complain_at(s, config_setting_source_line(c), NULL,
		    "every entry wants to be text in quotes");
	return NULL;
}

bool settings_number(struct settings *s, struct set_node *n, int64_t min, int64_t max, int64_t *out)
{
	config_setting_t *c = setting_of(n);
	int type = config_setting_type(c);
	bool is_number = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
	int64_t v = is_number ? config_setting_get_int64(c) : 0;

	if (is_number && v >= min && v <= max) {
		*out = v;
		return true;
	}
	complain_at(s, config_setting_source_line(c), NULL,
		    "every entry wants to be a number from %lld to %lld", (long long)min,
		    (long long)max);
	return false;
}

void settings_describe(FILE *to, const char *group, const struct set_row *rows, size_t n_rows)
{
	static const char *const type_names[] = {
		[SET_BOOL] = "true|false", [SET_INT] = "number",     [SET_U32] = "number",
		[SET_U16] = "number",	   [SET_STR] = "text",	     [SET_ADDR] = "address",
		[SET_PREFIX] = "prefix",   [SET_PROTO] = "protocol", [SET_CHOICE] = "choice",
		[SET_SECRET] = "secret",   [SET_GROUP] = "{ … }",    [SET_EACH] = "( … )",
	};

	fprintf(to, "%s:\n", group);
	for (size_t i = 0; i < n_rows; i++) {
		const struct set_row *r = &rows[i];

		fprintf(to, "  %-22s %-10s %-14s %s", r->word, type_names[r->type],
			r->required ? "(required)"
			: r->def    ? r->def
				    : "",
			r->help);
		if (r->type == SET_CHOICE) {
			for (const struct set_choice *c = r->choices; c->name; c++)
				fprintf(to, "%s%s", c == r->choices ? ": " : " | ", c->name);
		}
		fputc('\n', to);
	}
}

bool settings_beside(const struct settings *s, const char *file, char *out, size_t size)
{
	const char *slash = strrchr(s->path, '/');
	int dir = file[0] == '/' || !slash ? 0 : (int)(slash - s->path) + 1;

	return (size_t)snprintf(out, size, "%.*s%s", dir, s->path, file) < size;
}
