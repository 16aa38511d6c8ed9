// tests/unit/vectors.h - foreign test data: not ours to ship. The folder is named by
// CONCLAVE_VECTORS; without it the tests that need it say so and are skipped.
#pragma once
#include <jansson.h>

#include "tests/unit/unit.h"

// The path of a file of the folder; skips the test when there is no folder.
static inline const char *vectors_path(const char *name)
{
	static char path[512];
	const char *dir = getenv("CONCLAVE_VECTORS");

	if (!dir || !dir[0]) {
		print_message("[  SKIPPED ] CONCLAVE_VECTORS is not set; %s is not looked at\n",
			      name);
		skip();
	}
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

// Freed with json_decref.
static inline json_t *vectors_json(const char *name)
{
	json_error_t err;
	json_t *j = json_load_file(vectors_path(name), 0, &err);

	if (!j)
		fail_msg("%s: line %d: %s", name, err.line, err.text);
	return j;
}

// A hex member of an object, as bytes.
static inline size_t vectors_hex(const json_t *o, const char *key, uint8_t *out, size_t max)
{
	const char *text = json_string_value(json_object_get(o, key));

	assert_non_null(text);
	return unhex(text, out, max);
}
