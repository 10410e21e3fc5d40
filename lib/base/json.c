#include "base/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A struct json is a json_t; nobody else looks into it. */
static json_t *inside(const struct json *json)
{
	return (json_t *)json;
}

struct json *json_new(void)
{
	json_t *object = json_object();

	if (!object)
		abort(); /* out of memory */
	return (struct json *)object;
}

void json_free(struct json *json)
{
	json_decref(inside(json));
}

void json_add_str(struct json *json, const char *name, struct str value)
{
	json_t *string = value.p ? json_stringn(value.p, value.n) : NULL;
	char *plain;

	if (value.p && !string) {
		plain = mem_strdup(value);
		for (char *p = plain; *p; p++)
			*p = (*p & 0x80) ? '?' : *p;
		string = json_string(plain);
		free(plain);
	}
	if (string)
		json_object_set_new(inside(json), name, string);
}

void json_add_int(struct json *json, const char *name, int64_t value)
{
	json_object_set_new(inside(json), name, json_integer(value));
}

void json_print(const struct json *json, struct buf *buf)
{
	char *text = json_dumps(inside(json), JSON_COMPACT | JSON_PRESERVE_ORDER);

	if (text)
		buf_printf(buf, "%s\n", text);
	free(text);
}

struct json *json_read(struct str line)
{
	json_t *value = json_loadb(line.n > 0 ? line.p : "", line.n, 0, NULL);

	if (!json_is_object(value)) {
		json_decref(value);
		return NULL;
	}
	return (struct json *)value;
}

struct str json_str(const struct json *json, const char *name)
{
	json_t *value = json_object_get(inside(json), name);

	if (!json_is_string(value))
		return STR("");
	return (struct str){ json_string_value(value), json_string_length(value) };
}

int64_t json_int(const struct json *json, const char *name)
{
	json_t *value = json_object_get(inside(json), name);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}
