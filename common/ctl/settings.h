// common/ctl/settings.h - read a daemon's libconfig file, and say exactly what is wrong with it.
// A reader is a table: one row per word of a group. settings_group() fills a plain struct from it
// and reports, each with file, line and word: unknown words (with the known ones), missing words,
// wrong types, values out of range, numbers that lost digits for want of an L. It goes on after
// an error, so that one run tells everything.
// Owns:   the parsed tree, until settings_close(), which wipes what was secret.
// From:   the *_conf.c file of each daemon.   Never: applies anything.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct settings; // one file
struct set_node; // one group, list or value in it (opaque, owned by struct settings)

enum set_type {
	SET_BOOL,   // bool
	SET_INT,    // int64_t, min..max
	SET_U32,    // uint32_t, min..max
	SET_U16,    // uint16_t, min..max
	SET_STR,    // char[size]
	SET_ADDR,   // struct addr
	SET_PREFIX, // struct prefix
	SET_PROTO,  // uint8_t: IP protocol by name or number, 0 for "ip"
	SET_CHOICE, // int: one of choices
	SET_SECRET, // struct secret; the text in the file is wiped once read
	SET_GROUP,  // each(s, node, out) is called once on the nested group, if there
	SET_EACH,   // each(s, node, out) is called for every element of a list or array, in order
};

struct set_choice {
	const char *name; // NULL ends the list
	int value;
};

struct set_row {
	const char *word;
	enum set_type type;
	size_t offset;	  // of the field in the struct handed to settings_group(); each(): unused
	size_t size;	  // SET_STR: bytes of the field
	int64_t min, max; // SET_INT, SET_U32, SET_U16: value; SET_EACH: number of elements
	const struct set_choice *choices;
	const char *def; // text of the default; NULL with !required leaves the field as it is
	bool required;
	void (*each)(struct settings *s, struct set_node *n, void *out);
	const char *help; // what a right value looks like: "seconds, 300 to 2592000"
};

// Opens and parses. NULL after a syntax error or an unreadable file, with the report already made.
// report is called once per problem with "FILE:LINE: WORD: what is wrong; what would be right".
typedef void settings_report(void *arg, const char *text);
struct settings *settings_open(const char *path, settings_report *report, void *arg);
void settings_close(struct settings *s);

struct set_node *settings_root(struct settings *s);
// Fill out from the group n by the table. Problems are reported and counted, never fatal here.
void settings_group(struct settings *s, struct set_node *n, const struct set_row *rows,
		    size_t n_rows, void *out);
// A value that is an element of a SET_EACH array of strings. NULL (reported) when it is not one.
const char *settings_text(struct settings *s, struct set_node *n);
// The same for whole numbers. False (reported) when it is not one from min to max.
bool settings_number(struct settings *s, struct set_node *n, int64_t min, int64_t max,
		     int64_t *out);
// A problem the table can't express: "unknown access list 'FOO'". word may be NULL.
void settings_complain(struct settings *s, const struct set_node *n, const char *word,
		       const char *fmt, ...) PRINTF(4, 5);
// Not wrong, but to be known: reported as "FILE:LINE: warning: WORD: …", and not counted.
void settings_warn(struct settings *s, const struct set_node *n, const char *word, const char *fmt,
		   ...) PRINTF(4, 5);
// The same about a line whose node is gone, as of a list that was read before.
void settings_complain_line(struct settings *s, unsigned line, const char *word, const char *fmt,
			    ...) PRINTF(4, 5);
// A file named in this one: relative names are beside it. False when out is too small.
bool settings_beside(const struct settings *s, const char *file, char *out, size_t size);
unsigned settings_line(const struct set_node *n);
unsigned settings_n_errors(const struct settings *s);

// Print "  word  type  default  help" for a table: the reference part of --help.
void settings_describe(FILE *to, const char *group, const struct set_row *rows, size_t n_rows);
