#include "common/ctl/request.h"

#include <stdlib.h>
#include <string.h>

#include "common/ctl/hex.h"

static const char *decode_words(const json_t *list, struct ctl_request *out)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list))
		return "there is no array of words";
	if (n == 0 || n > CTL_MAX_WORDS)
		return "there are no words, or too many";
	for (size_t i = 0; i < n; i++) {
		const char *w = json_string_value(json_array_get(list, i));

		if (!w)
			return "a word is not a string";
		if (strlen(w) > CTL_MAX_WORD_LEN)
			return "a word is too long";
		for (const char *p = w; *p; p++) {
			if ((unsigned char)*p < ' ' || *p == 0x7f)
				return "a word holds a control character";
		}
		if (*w == '\0' && !(out->help && i + 1 == n))
			return "a word is empty";
		out->words[i] = w;
	}
	out->n_words = n;
	return NULL;
}

static const char *decode_format(const json_t *format, struct ctl_request *out)
{
	const char *name = format ? json_string_value(format) : "text";

	if (!name || (strcmp(name, "text") != 0 && strcmp(name, "json") != 0))
		return "format is neither text nor json";
	out->json = strcmp(name, "json") == 0;
	return NULL;
}

static const char *decode_file(const json_t *file, struct ctl_request *out)
{
	const char *text = json_string_value(file);

	if (!file)
		return NULL;
	out->file = text ? calloc(1, CTL_MAX_FILE) : NULL;
	if (!out->file || !hex_to(text, out->file, CTL_MAX_FILE, &out->file_len))
		return "the file is not hexadecimal text, or too large";
	return NULL;
}

static const char *decode_tree(struct ctl_request *out, long long *out_version)
{
	const json_t *help = json_object_get(out->tree, "help");
	const json_t *words = json_object_get(out->tree, "words");
	const char *why;

	if (!json_is_object(out->tree))
		return "the request is not a JSON object";
	*out_version = json_integer_value(json_object_get(out->tree, "v"));
	if (*out_version != CTL_VERSION)
		return "the request is of another version";
	if (help && words)
		return "words and help exclude each other";
	out->help = help != NULL;
	why = decode_words(help ? help : words, out);
	if (!why)
		why = decode_file(json_object_get(out->tree, "file"), out);
	return why ? why : decode_format(json_object_get(out->tree, "format"), out);
}

const char *ctl_request_decode(const void *b, size_t len, struct ctl_request *out,
			       long long *out_version)
{
	const char *why;

	*out = (struct ctl_request){ 0 };
	*out_version = 0;
	out->tree = json_loadb(b, len, JSON_REJECT_DUPLICATES, NULL);
	if (!out->tree)
		return "the request is not JSON";
	why = decode_tree(out, out_version);
	if (why)
		ctl_request_fini(out);
	return why;
}

// A word may be a password, the file a key: they do not stay in freed memory.
static void wipe(const json_t *text)
{
	union {
		const char *c;
		char *v;
	} u = { .c = json_string_value(text) };

	if (u.c)
		explicit_bzero(u.v, json_string_length(text));
}

void ctl_request_fini(struct ctl_request *r)
{
	const json_t *words = json_object_get(r->tree, r->help ? "help" : "words");

	for (size_t i = 0; i < json_array_size(words); i++)
		wipe(json_array_get(words, i));
	wipe(json_object_get(r->tree, "file"));
	if (r->file)
		explicit_bzero(r->file, r->file_len);
	free(r->file);
	json_decref(r->tree);
	*r = (struct ctl_request){ 0 };
}
