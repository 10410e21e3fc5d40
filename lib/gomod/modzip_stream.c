#include "gomod/modzip.h"

#include <stdlib.h>
#include <string.h>

#include "gomod/modzip_dir.h"
#include "gomod/modzip_unpack.h"

/* A local header with the longest name and extra part, and a descriptor. */
#define HEAD_MAX (MODZIP_LOCAL_SIZE + 2 * 65535U + 24U)
/* Encrypted, patch data, strongly encrypted, masked: APPNOTE 4.4.4. */
#define FLAGS_UNUSUAL 0x2061U
#define EXTRA_ZIP64 1U

enum state {
	STATE_HEADER,	  /* in a local header, or whatever comes instead */
	STATE_BODY,	  /* in an entry's bytes */
	STATE_DESCRIPTOR, /* behind them */
	STATE_DIRECTORY,  /* all entries are through: the rest isn't looked at */
	STATE_GIVEN_UP,
};

struct modzip_stream {
	char *module;
	char *version;
	enum state state;
	uint64_t at; /* offset of the next byte pushed */
	uint64_t sum_bytes; /* unpacked so far */
	struct buf head; /* header or descriptor, until it has need bytes */
	size_t need;
	struct modzip_entry entry; /* the one that is passing */
	uint64_t left; /* packed bytes to come, if its length is known */
	struct modzip_dir seen;
	struct modzip_unpack *unpack;
};

static void expect(struct modzip_stream *stream, enum state state, size_t need)
{
	stream->state = state;
	stream->need = need;
	stream->head.n = 0;
}

static void give_up(struct modzip_stream *stream)
{
	stream->state = STATE_GIVEN_UP;
	modzip_dir_clear(&stream->seen);
	modzip_unpack_free(stream->unpack);
	stream->unpack = NULL;
}

struct modzip_stream *modzip_stream_new(struct str module, struct str version)
{
	struct modzip_stream *stream = mem_alloc(sizeof(*stream));

	stream->module = mem_strdup(module);
	stream->version = mem_strdup(version);
	stream->unpack = modzip_unpack_new();
	modzip_dir_init(&stream->seen);
	buf_init(&stream->head, HEAD_MAX);
	expect(stream, STATE_HEADER, 4);
	return stream;
}

void modzip_stream_free(struct modzip_stream *stream)
{
	if (!stream)
		return;
	modzip_dir_clear(&stream->seen);
	modzip_unpack_free(stream->unpack);
	buf_clear(&stream->head);
	free(stream->module);
	free(stream->version);
	free(stream);
}

bool modzip_stream_has_given_up(const struct modzip_stream *stream)
{
	return stream->state == STATE_GIVEN_UP;
}

static const unsigned char *head_of(const struct modzip_stream *stream)
{
	return (const unsigned char *)stream->head.p;
}

/* Collect a header. Returns true once all that is needed is there. */
static bool collect(struct modzip_stream *stream, struct str *bytes)
{
	struct str part = str_head(*bytes, stream->need - stream->head.n);

	buf_add(&stream->head, part);
	*bytes = str_skip(*bytes, part.n);
	stream->at += part.n;
	return stream->head.n == stream->need;
}

/* The entry's bytes have passed, and its descriptor if it has one. */
static void entry_end(struct modzip_stream *stream)
{
	struct str head = buf_str(&stream->head);
	struct str name = str_head(str_skip(head, MODZIP_LOCAL_SIZE),
				   stream->entry.name_bytes);

	stream->sum_bytes += stream->entry.unpacked_bytes;
	if (!modzip_dir_add(&stream->seen, stream->entry, name)) {
		give_up(stream);
		return;
	}
	expect(stream, STATE_HEADER, 4);
}

static void body_end(struct modzip_stream *stream)
{
	modzip_unpack_end(stream->unpack, &stream->entry);
	if (!(stream->entry.flags & MODZIP_HAS_DESCRIPTOR)) {
		entry_end(stream);
		return;
	}
	/* The header stays in front, as the name is still needed. */
	stream->state = STATE_DESCRIPTOR;
	stream->need = stream->head.n + 12;
}

/* APPNOTE 4.5.3: lengths of all ones stand in the zip64 part instead. */
static bool has_lengths(const unsigned char *extra, size_t n,
			struct modzip_entry *entry)
{
	bool is_long = entry->unpacked_bytes == UINT32_MAX ||
		       entry->packed_bytes == UINT32_MAX;

	for (size_t at = 0; is_long && n - at >= 4;) {
		const unsigned char *field = extra + at + 4;
		size_t length = modzip_u16(field - 2);

		if (length > n - at - 4)
			return false;
		at += 4 + length;
		if (modzip_u16(field - 4) != EXTRA_ZIP64)
			continue;
		/* In a local header there must be both. */
		if (length < 16)
			return false;
		entry->unpacked_bytes = modzip_u64(field);
		entry->packed_bytes = modzip_u64(field + 8);
		is_long = false;
	}
	return !is_long;
}

static bool can_follow(const struct modzip_entry *entry)
{
	bool has_descriptor = entry->flags & MODZIP_HAS_DESCRIPTOR;

	if (entry->flags & FLAGS_UNUSUAL)
		return false;
	if (entry->method == MODZIP_STORED)
		return !has_descriptor &&
		       entry->packed_bytes == entry->unpacked_bytes;
	return entry->method == MODZIP_DEFLATED &&
	       (has_descriptor || entry->packed_bytes > 0);
}

/* The whole local header is there: APPNOTE 4.3.7. */
static void body_begin(struct modzip_stream *stream)
{
	const unsigned char *p = head_of(stream);
	struct modzip_entry *entry = &stream->entry;
	const unsigned char *extra;

	*entry = (struct modzip_entry){
		.flags = modzip_u16(p + 6),
		.method = modzip_u16(p + 8),
		.packed_bytes = modzip_u32(p + 18),
		.unpacked_bytes = modzip_u32(p + 22),
		.name_bytes = modzip_u16(p + 26),
		.header_at = (int64_t)(stream->at - stream->head.n),
	};
	extra = p + MODZIP_LOCAL_SIZE + entry->name_bytes;
	if (entry->flags & MODZIP_HAS_DESCRIPTOR)
		entry->packed_bytes = 0; /* is counted instead */
	else if (!has_lengths(extra, modzip_u16(p + 28), entry)) {
		give_up(stream);
		return;
	}
	if (!can_follow(entry)) {
		give_up(stream);
		return;
	}
	modzip_unpack_begin(stream->unpack, entry->method,
			    MODZIP_UNPACKED_MAX - stream->sum_bytes);
	stream->state = STATE_BODY;
	stream->left = entry->packed_bytes;
	if (entry->method == MODZIP_STORED && stream->left == 0)
		body_end(stream);
}

/* First the signature, then the fixed part, then name and extra part. */
static void push_header(struct modzip_stream *stream, struct str *bytes)
{
	const unsigned char *p;

	if (!collect(stream, bytes))
		return;
	p = head_of(stream);
	if (stream->need == 4 && (modzip_u32(p) == MODZIP_SIG_DIRECTORY ||
				  modzip_u32(p) == MODZIP_SIG_END)) {
		stream->state = STATE_DIRECTORY;
		return;
	}
	if (modzip_u32(p) != MODZIP_SIG_LOCAL) {
		give_up(stream);
		return;
	}
	if (stream->need == 4)
		stream->need = MODZIP_LOCAL_SIZE;
	else if (stream->need == MODZIP_LOCAL_SIZE &&
		 modzip_u16(p + 26) + modzip_u16(p + 28) > 0)
		stream->need += (size_t)modzip_u16(p + 26) + modzip_u16(p + 28);
	else
		body_begin(stream);
}

static void push_body(struct modzip_stream *stream, struct str *bytes)
{
	bool is_counted = stream->entry.flags & MODZIP_HAS_DESCRIPTOR;
	struct str input = is_counted ? *bytes : str_head(*bytes, stream->left);
	enum modzip_unpack_state state;
	size_t used;

	state = modzip_unpack_push(stream->unpack, input, &used);
	*bytes = str_skip(*bytes, used);
	stream->at += used;
	if (is_counted)
		stream->entry.packed_bytes += used;
	else
		stream->left -= used;
	if (state == MODZIP_UNPACK_BAD || state == MODZIP_UNPACK_LONG ||
	    (state == MODZIP_UNPACK_END && stream->left > 0)) {
		give_up(stream);
		return;
	}
	if (state == MODZIP_UNPACK_END)
		body_end(stream);
	else if (!is_counted && stream->left == 0 &&
		 stream->entry.method == MODZIP_STORED)
		body_end(stream);
	else if (!is_counted && stream->left == 0)
		give_up(stream);
}

/*
 * With or without signature, with lengths of 32 or 64 bits (APPNOTE 4.3.9).
 * We know already what it must say, which tells them apart.
 */
static void push_descriptor(struct modzip_stream *stream, struct str *bytes)
{
	size_t head = MODZIP_LOCAL_SIZE;
	const struct modzip_entry *entry = &stream->entry;
	const unsigned char *p;
	size_t n, skip;

	if (!collect(stream, bytes))
		return;
	p = head_of(stream);
	head += (size_t)modzip_u16(p + 26) + modzip_u16(p + 28);
	p += head;
	n = stream->head.n - head;
	skip = modzip_u32(p) == MODZIP_SIG_DESCRIPTOR ? 4 : 0;
	if (n < 12 + skip) {
		stream->need += 4;
		return;
	}
	if (modzip_u32(p + skip) != entry->crc ||
	    modzip_u32(p + skip + 4) != (uint32_t)entry->packed_bytes) {
		give_up(stream);
		return;
	}
	if (n == 12 + skip && modzip_u32(p + skip + 8) != entry->unpacked_bytes) {
		stream->need += 8;
		return;
	}
	if (n == 20 + skip &&
	    (modzip_u64(p + skip + 4) != entry->packed_bytes ||
	     modzip_u64(p + skip + 12) != entry->unpacked_bytes)) {
		give_up(stream);
		return;
	}
	entry_end(stream);
}

void modzip_stream_push(struct modzip_stream *stream, struct str bytes)
{
	while (bytes.n > 0) {
		switch (stream->state) {
		case STATE_HEADER:
			push_header(stream, &bytes);
			break;
		case STATE_BODY:
			push_body(stream, &bytes);
			break;
		case STATE_DESCRIPTOR:
			push_descriptor(stream, &bytes);
			break;
		case STATE_DIRECTORY:
		case STATE_GIVEN_UP:
			stream->at += bytes.n;
			return;
		}
	}
}

/*
 * Whether the directory says of an entry just what was seen. (Bytes in a
 * directory, which Go refuses, are left to the slow way to refuse.)
 */
static bool is_same(const struct modzip_dir *dir, const struct modzip_entry *a,
		    const struct modzip_dir *seen, const struct modzip_entry *b)
{
	if (modzip_dir_is_folder(dir, a) && a->unpacked_bytes > 0)
		return false;
	return a->header_at == b->header_at && a->method == b->method &&
	       (a->flags & MODZIP_HAS_DESCRIPTOR) ==
		       (b->flags & MODZIP_HAS_DESCRIPTOR) &&
	       a->packed_bytes == b->packed_bytes &&
	       a->unpacked_bytes == b->unpacked_bytes && a->crc == b->crc &&
	       str_is_equal(modzip_dir_name(dir, a), modzip_dir_name(seen, b));
}

static bool has_same_entries(struct modzip_dir *dir,
			     const struct modzip_dir *seen)
{
	if (dir->n != seen->n)
		return false;
	for (size_t i = 0; i < dir->n; i++)
		if (!is_same(dir, &dir->entries[i], seen, &seen->entries[i]))
			return false;
	for (size_t i = 0; i < dir->n; i++)
		memcpy(dir->entries[i].sha, seen->entries[i].sha,
		       MODZIP_SHA_SIZE);
	return true;
}

int modzip_stream_finish(struct modzip_stream *stream, int fd, off_t size,
			 struct modzip_result *result, struct err *err)
{
	struct str module = str_of(stream->module);
	struct str version = str_of(stream->version);
	struct modzip_dir dir;
	int rc = -1;

	if (stream->state != STATE_DIRECTORY || stream->at != (uint64_t)size)
		return modzip_check_file(fd, size, module, version, result, err);
	if (modzip_check_pair(size, module, version, err) != 0)
		return -1;
	modzip_dir_init(&dir);
	if (modzip_dir_read(&dir, fd, size, err) != 0)
		goto out;
	if (!has_same_entries(&dir, &stream->seen)) {
		rc = modzip_check_file(fd, size, module, version, result, err);
		goto out;
	}
	rc = modzip_dir_check(&dir, module, version, err);
	if (rc == 0)
		modzip_dir_result(&dir, result);
out:
	modzip_dir_clear(&dir);
	return rc;
}
