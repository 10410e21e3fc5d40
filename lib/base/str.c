#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define POOL_BLOCK_BYTES 4000

struct pool_block {
	struct pool_block *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) char bytes[];
};

struct pool {
	struct pool_block *blocks; /* the newest first */
};

struct str str_of(const char *text)
{
	return (struct str){ text ? text : "", text ? strlen(text) : 0 };
}

bool str_is_equal(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_is_equal_nocase(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

bool str_has_prefix(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_is_equal(str_head(s, prefix.n), prefix);
}

bool str_has_suffix(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	       str_is_equal(str_skip(s, s.n - suffix.n), suffix);
}

bool str_has_char(struct str s, char c)
{
	return str_find(s, c) >= 0;
}

int str_compare(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

long str_find(struct str s, char c)
{
	const char *found = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	return found ? found - s.p : -1;
}

long str_find_last(struct str s, char c)
{
	const char *found = s.n > 0 ? memrchr(s.p, c, s.n) : NULL;

	return found ? found - s.p : -1;
}

size_t str_count(struct str s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == c;
	return n;
}

long str_find_str(struct str s, struct str part)
{
	const char *found = s.n > 0 ? memmem(s.p, s.n, part.p, part.n) : NULL;

	return found ? found - s.p : -1;
}

long str_find_last_str(struct str s, struct str part)
{
	for (long at = (long)s.n - (long)part.n; at >= 0; at--)
		if (str_has_prefix(str_skip(s, (size_t)at), part))
			return at;
	return -1;
}

struct str str_skip(struct str s, size_t n)
{
	if (n > s.n)
		n = s.n;
	return (struct str){ s.p + n, s.n - n };
}

struct str str_head(struct str s, size_t n)
{
	return (struct str){ s.p, n < s.n ? n : s.n };
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.n > 0 && is_space(s.p[0]))
		s = str_skip(s, 1);
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool str_cut(struct str *rest, char separator, struct str *piece)
{
	long at;

	if (!rest->p)
		return false;
	at = str_find(*rest, separator);
	if (at < 0) {
		*piece = *rest;
		*rest = (struct str){ NULL, 0 };
	} else {
		*piece = str_head(*rest, (size_t)at);
		*rest = str_skip(*rest, (size_t)at + 1);
	}
	return true;
}

bool str_to_u64(struct str s, uint64_t *value)
{
	uint64_t sum = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(sum, 10U, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)(s.p[i] - '0'), &sum))
			return false;
	}
	*value = sum;
	return true;
}

static void *or_die(void *p)
{
	if (!p) {
		fputs("goproxy.fcgi: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *mem_alloc(size_t size_bytes)
{
	return or_die(calloc(1, size_bytes > 0 ? size_bytes : 1));
}

void *mem_realloc(void *old, size_t size_bytes)
{
	return or_die(realloc(old, size_bytes > 0 ? size_bytes : 1));
}

char *mem_strdup(struct str s)
{
	char *copy = mem_alloc(s.n + 1);

	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	return copy;
}

static struct pool_block *block_new(size_t size)
{
	struct pool_block *block = mem_alloc(sizeof(*block) + size);

	block->size = size;
	return block;
}

uint64_t str_hash(struct str s)
{
	uint64_t sum = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < s.n; i++)
		sum = (sum ^ (unsigned char)s.p[i]) * 0x100000001b3ULL;
	return sum;
}

struct pool *pool_new(void)
{
	struct pool_block *block = block_new(POOL_BLOCK_BYTES);
	struct pool *pool = (struct pool *)block->bytes;

	block->used = sizeof(*pool);
	pool->blocks = block;
	return pool;
}

void pool_free(struct pool *pool)
{
	struct pool_block *block = pool ? pool->blocks : NULL;

	while (block) {
		struct pool_block *next = block->next;

		free(block);
		block = next;
	}
}

void *pool_alloc(struct pool *pool, size_t size_bytes)
{
	struct pool_block *block = pool->blocks;
	size_t align = _Alignof(max_align_t);
	size_t at = (block->used + align - 1) / align * align;

	if (at > block->size || size_bytes > block->size - at) {
		size_t size = size_bytes > POOL_BLOCK_BYTES ? size_bytes
							    : POOL_BLOCK_BYTES;
		block = block_new(size);
		block->next = pool->blocks;
		pool->blocks = block;
		at = 0;
	}
	block->used = at + size_bytes;
	return block->bytes + at;
}

struct str pool_clean(struct pool *pool, struct str s)
{
	struct str copy = pool_str(pool, s);
	char *p = (char *)copy.p;

	for (size_t i = 0; i < copy.n; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			p[i] = '?';
	return copy;
}

char *pool_cstr(struct pool *pool, struct str s)
{
	char *copy = pool_alloc(pool, s.n + 1);

	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	return copy;
}

struct str pool_str(struct pool *pool, struct str s)
{
	return (struct str){ pool_cstr(pool, s), s.n };
}

struct str pool_printf(struct pool *pool, const char *format, ...)
{
	va_list args, again;
	int n;
	char *text;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	text = pool_alloc(pool, (size_t)n + 1);
	vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	va_end(args);
	return (struct str){ text, (size_t)n };
}

void buf_init(struct buf *buf, size_t max_bytes)
{
	*buf = (struct buf){ .max = max_bytes };
}

void buf_clear(struct buf *buf)
{
	free(buf->p);
	buf_init(buf, buf->max);
}

static bool buf_has_room(struct buf *buf, size_t n)
{
	size_t size = buf->size > 0 ? buf->size : 128;

	if (buf->overflow || n > buf->max - buf->n) {
		buf->overflow = true;
		return false;
	}
	while (size < buf->n + n + 1)
		size *= 2;
	if (size > buf->size) {
		buf->p = mem_realloc(buf->p, size);
		buf->size = size;
	}
	return true;
}

void buf_add(struct buf *buf, struct str s)
{
	if (!buf_has_room(buf, s.n))
		return;
	if (s.n > 0)
		memcpy(buf->p + buf->n, s.p, s.n);
	buf->n += s.n;
	buf->p[buf->n] = '\0';
}

char *buf_extend(struct buf *buf, size_t n)
{
	if (!buf_has_room(buf, n))
		return NULL;
	buf->n += n;
	buf->p[buf->n] = '\0';
	return buf->p + buf->n - n;
}

void buf_add_char(struct buf *buf, char c)
{
	buf_add(buf, (struct str){ &c, 1 });
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	size_t room = buf->overflow ? 0 : buf->size - buf->n;
	va_list args, again;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(room > 0 ? buf->p + buf->n : NULL, room, format, args);
	if (n > 0 && (size_t)n < room) {
		buf->n += (size_t)n;
	} else if (n > 0) {
		if (room > 0)
			buf->p[buf->n] = '\0';
		if (buf_has_room(buf, (size_t)n)) {
			vsnprintf(buf->p + buf->n, (size_t)n + 1, format, again);
			buf->n += (size_t)n;
		}
	}
	va_end(again);
	va_end(args);
}

struct str buf_str(const struct buf *buf)
{
	return (struct str){ buf->p ? buf->p : "", buf->n };
}
