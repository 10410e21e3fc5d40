/*
 * json.h - flat JSON objects, a line each: what machines read of ours.
 *
 * A thin layer over jansson. Bytes that aren't UTF-8 are written as '?', and
 * a string without any (p NULL) isn't written at all. What answers of upstreams
 * say is gomod/info's business, which reads them as Go does.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/str.h"

struct json;

struct json *json_new(void);
void json_free(struct json *json); /* NULL is nothing */
void json_add_str(struct json *json, const char *name, struct str value);
void json_add_int(struct json *json, const char *name, int64_t value);

/* Append the object and a newline. */
void json_print(const struct json *json, struct buf *buf);

/* The object that a line holds, or NULL. */
struct json *json_read(struct str line);
/* A field; empty, or -1, if there is none of that type. Lives as long as json. */
struct str json_str(const struct json *json, const char *name);
int64_t json_int(const struct json *json, const char *name);

#endif
