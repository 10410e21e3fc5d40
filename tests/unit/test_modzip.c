#include "vectors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gomod/modzip.h"

#define MODULE STR("example.com/m")
#define VERSION STR("v1.2.3")
#define LARGE_BYTES 100000

static size_t given_up;

static int zip_open(struct str name, off_t *size)
{
	char path[256];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), VECTORS_DIR "zip/%.*s", STR_ARG(name));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		fail_msg("cannot open '%s'", path);
	*size = st.st_size;
	return fd;
}

static void check_result(const struct vector *v, const char *how, int rc,
			 const struct modzip_result *result,
			 const struct err *err)
{
	bool is_ok = vectors_has(v, 4, "ok");
	uint64_t files, unpacked;

	if (rc != (is_ok ? 0 : -1))
		fail_msg("%.*s %s: %s", STR_ARG(v->field[1]), how,
			 rc ? err->text : "accepted");
	if (rc != 0) {
		assert_true(err->kind == ERR_BAD_UPSTREAM ||
			    err->kind == ERR_BAD_REQUEST);
		assert_true(strlen(err->text) > 10);
		return;
	}
	assert_int_equal(err->kind, ERR_NONE);
	assert_str(str_of(result->h1), v->field[5]);
	assert_true(str_to_u64(v->field[6], &files));
	assert_true(str_to_u64(v->field[7], &unpacked));
	assert_int_equal(result->files, files);
	assert_int_equal(result->unpacked_bytes, unpacked);
}

static void check_file(const struct vector *v)
{
	struct modzip_result result;
	struct err err = { 0 };
	off_t size;
	int fd = zip_open(v->field[1], &size);
	int rc = modzip_check_file(fd, size, v->field[2], v->field[3], &result,
				   &err);

	print_message("%.*s: %s\n", STR_ARG(v->field[1]), rc ? err.text : result.h1);
	check_result(v, "from the file", rc, &result, &err);
	close(fd);
}

static void test_file(void **state)
{
	(void)state;
	assert_true(vectors_each("zip.txt", "zip", check_file) > 200);
}

/* Pieces of piece bytes, or of 1, 2, 3 .. 97 bytes, if piece is 0. */
static void push_all(struct modzip_stream *stream, int fd, size_t piece)
{
	static char bytes[1 << 16];
	size_t n = piece;
	ssize_t got;
	off_t at = 0;

	for (;;) {
		n = piece ? piece : n % 97 + 1;
		got = pread(fd, bytes, n, at);
		if (got <= 0)
			break;
		at += got;
		modzip_stream_push(stream, (struct str){ bytes, (size_t)got });
	}
}

static void check_stream(const struct vector *v)
{
	static const size_t pieces[] = { 1, 7, 0, 1 << 16 };
	off_t size;
	int fd = zip_open(v->field[1], &size);
	int has_given_up = -1;
	/* 500 MiB of zeros take a second each time: once is enough. */
	size_t first = size > LARGE_BYTES ? ARRAY_LEN(pieces) - 1 : 0;

	for (size_t i = first; i < ARRAY_LEN(pieces); i++) {
		struct modzip_stream *stream =
			modzip_stream_new(v->field[2], v->field[3]);
		struct modzip_result result;
		struct err err = { 0 };
		int rc;

		push_all(stream, fd, pieces[i]);
		if (has_given_up >= 0)
			assert_int_equal(has_given_up,
					 modzip_stream_has_given_up(stream));
		has_given_up = modzip_stream_has_given_up(stream);
		rc = modzip_stream_finish(stream, fd, size, &result, &err);
		check_result(v, "as a stream", rc, &result, &err);
		modzip_stream_free(stream);
	}
	given_up += has_given_up == 1;
	close(fd);
}

static void test_stream(void **state)
{
	size_t n;

	(void)state;
	given_up = 0;
	n = vectors_each("zip.txt", "zip", check_stream);
	print_message("%zu of %zu given up\n", given_up, n);
	assert_true(given_up < n / 4);
}

/* The shortcut must be taken by what Go and other writers make. */
static void test_stream_follows(void **state)
{
	static const char *const names[] = {
		"simple.zip", "many.zip", "folders.zip", "stored.zip",
		"stored-empty.zip", "deflated-empty.zip", "descriptor.zip",
		"descriptor-bare.zip", "descriptor-64-full.zip",
		"descriptor-bare-64-full.zip", "zip64-entry.zip", "zip64-end.zip",
		"extra.zip", "comment.zip", "gomod-16m.zip",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct modzip_stream *stream = modzip_stream_new(MODULE, VERSION);
		off_t size;
		int fd = zip_open(str_of(names[i]), &size);

		push_all(stream, fd, 100);
		print_message("%s\n", names[i]);
		assert_false(modzip_stream_has_given_up(stream));
		modzip_stream_free(stream);
		close(fd);
	}
}

/* A stream that saw other bytes than the file has isn't believed. */
static void test_stream_contradicted(void **state)
{
	static const char *const names[] = { "many.zip", "size-longer.zip",
					     "crc-wrong.zip", "folders.zip" };
	struct modzip_result result, other;
	struct err err = { 0 };
	off_t size;
	int fd = zip_open(STR("simple.zip"), &size);

	(void)state;
	assert_int_equal(modzip_check_file(fd, size, MODULE, VERSION, &result, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct modzip_stream *stream = modzip_stream_new(MODULE, VERSION);
		off_t other_size;
		int other_fd = zip_open(str_of(names[i]), &other_size);

		push_all(stream, other_fd, 1000);
		assert_int_equal(modzip_stream_finish(stream, fd, size, &other, &err), 0);
		assert_string_equal(result.h1, other.h1);
		modzip_stream_free(stream);
		close(other_fd);
	}
	close(fd);
}

static void test_stream_unused(void **state)
{
	(void)state;
	modzip_stream_free(modzip_stream_new(MODULE, VERSION));
	modzip_stream_free(NULL);
}

static void check_gomod(const struct vector *v)
{
	char h1[MODZIP_H1_SIZE];

	modzip_h1_of_mod(v->field[1], h1);
	assert_str(str_of(h1), v->field[2]);
}

static void test_h1_of_mod(void **state)
{
	(void)state;
	assert_int_equal(vectors_each("zip.txt", "gomod", check_gomod), 1);
}

/* A file of zeros, which no disk need hold. */
static void check_hole(const struct vector *v)
{
	FILE *file = tmpfile();
	struct modzip_result result;
	struct err err = { 0 };
	uint64_t size;

	assert_non_null(file);
	assert_true(str_to_u64(v->field[2], &size));
	assert_true(vectors_has(v, 3, "bad"));
	assert_int_equal(ftruncate(fileno(file), (off_t)size), 0);
	assert_int_equal(modzip_check_file(fileno(file), (off_t)size, MODULE,
					   VERSION, &result, &err), -1);
	print_message("%.*s: %s\n", STR_ARG(v->field[1]), err.text);
	assert_int_equal(err.kind, ERR_BAD_UPSTREAM);
	fclose(file);
}

static void test_hole(void **state)
{
	(void)state;
	assert_int_equal(vectors_each("zip.txt", "hole", check_hole), 2);
}

static void test_limits(void **state)
{
	struct modzip_result result;
	struct err err = { 0 };
	off_t size;
	int fd = zip_open(STR("simple.zip"), &size);

	(void)state;
	assert_int_equal(modzip_check_file(fd, (off_t)MODZIP_FILE_MAX + 1, MODULE,
					   VERSION, &result, &err), -1);
	assert_int_equal(err.kind, ERR_BAD_UPSTREAM);
	assert_int_equal(modzip_check_file(-1, size, MODULE, VERSION, &result, &err), -1);
	assert_int_equal(err.kind, ERR_IO);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_follows),
		cmocka_unit_test(test_stream_contradicted),
		cmocka_unit_test(test_stream_unused),
		cmocka_unit_test(test_h1_of_mod),
		cmocka_unit_test(test_hole),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
