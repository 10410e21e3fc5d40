/*
 * str.h - strings with a length, buffers with a bound, pools of memory.
 *
 * struct str is for reading and owns nothing; struct buf is for building;
 * struct pool owns what one request needs and frees it at once. Running out
 * of memory ends the process, so whatever takes its size from outside is
 * compared with a limit first.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){ "" literal "", sizeof(literal) - 1 })

/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

struct str str_of(const char *text); /* text may be NULL: empty */
bool str_is_equal(struct str a, struct str b);
bool str_is_equal_nocase(struct str a, struct str b); /* ASCII only */
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
bool str_has_char(struct str s, char c);
/* Bytewise, as memcmp(3), the shorter first where one begins the other. */
int str_compare(struct str a, struct str b);
/* Offset of the first or last c in s, or -1. */
long str_find(struct str s, char c);
long str_find_last(struct str s, char c);
/* How often c is in s. */
size_t str_count(struct str s, char c);
/* Offset of the first or last occurrence of part in s, or -1. */
long str_find_str(struct str s, struct str part);
long str_find_last_str(struct str s, struct str part);
/* s without its first n bytes; the first n bytes of s. Both clamp n. */
struct str str_skip(struct str s, size_t n);
struct str str_head(struct str s, size_t n);
/* s without ASCII white space at both ends. */
struct str str_trim(struct str s);
/*
 * Cut the next piece off *rest, up to the first separator or the end.
 * Returns false, with *piece untouched, when *rest is used up (p NULL).
 */
bool str_cut(struct str *rest, char separator, struct str *piece);
/* A decimal number without sign, blanks or overflow; false if it isn't one. */
bool str_to_u64(struct str s, uint64_t *value);

/* FNV-1a, 64 bits: for tables and torn records; guards against nothing else. */
uint64_t str_hash(struct str s);

/*
 * A pool: bytes that live until pool_free(). Not safe for threads at once.
 * pool_new() never returns NULL.
 */
struct pool;
struct pool *pool_new(void);
void pool_free(struct pool *pool);
void *pool_alloc(struct pool *pool, size_t size_bytes); /* zeroed, aligned */
struct str pool_str(struct pool *pool, struct str s);	/* copy, NUL behind it */
struct str pool_clean(struct pool *pool, struct str s); /* control bytes as '?', for terminals */
char *pool_cstr(struct pool *pool, struct str s);
struct str pool_printf(struct pool *pool, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * A buffer that grows up to the size given at birth, in bytes. What doesn't
 * fit is dropped and overflow becomes true; the bytes before stay. Always
 * NUL-terminated behind its n bytes once anything was added.
 */
struct buf {
	char *p;
	size_t n;
	size_t size;
	size_t max;
	bool overflow;
};
void buf_init(struct buf *buf, size_t max_bytes);
void buf_clear(struct buf *buf); /* frees; the buffer can be filled anew */
void buf_add(struct buf *buf, struct str s);
char *buf_extend(struct buf *buf, size_t n); /* n bytes for the caller to fill; NULL: no room */
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
struct str buf_str(const struct buf *buf); /* lives as long as the buffer */

/* malloc(3), calloc(3) and realloc(3) that end the process instead of NULL. */
void *mem_alloc(size_t size_bytes); /* zeroed */
void *mem_realloc(void *old, size_t size_bytes);
char *mem_strdup(struct str s); /* NUL-terminated; free(3) it */

#endif
