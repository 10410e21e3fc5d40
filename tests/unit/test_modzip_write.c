/*
 * The modules of tests/vectors/written.txt are written, checked both ways, and
 * must have the h1 that x/mod has for them. The other way round, x/mod has judged
 * what was written here once: MODZIP_WRITTEN=tests/vectors/written has this
 * program write the zips there, and the oracle looks at them when it is run.
 */
#include "vectors.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "gomod/modzip.h"
#include "gomod/modzip_write.h"

static struct err no_err; /* libarchive is there */

static const char file[] = "written.txt";

#define MODULE STR("example.com/m")
#define VERSION STR("v1.2.3")
#define ZIP_MAX (8U << 20)
#define KEPT_BYTES 20000

/* What comes out; after limit bytes it isn't wanted any more. */
struct sink {
	struct buf zip;
	size_t limit;
	size_t calls;
	struct modzip_stream *stream;
};

static int take_bytes(void *arg, struct str bytes, struct err *err)
{
	struct sink *sink = arg;

	sink->calls++;
	if (sink->zip.n + bytes.n > sink->limit)
		return err_set(err, ERR_TIMEOUT, "no more, please");
	buf_add(&sink->zip, bytes);
	if (sink->stream)
		modzip_stream_push(sink->stream, bytes);
	return 0;
}

static void sink_init(struct sink *sink)
{
	*sink = (struct sink){ .limit = ZIP_MAX };
	buf_init(&sink->zip, ZIP_MAX);
}

/* As in tests/oracle/written.go. */
static char *content_of(size_t size)
{
	char *data = test_calloc(size + 1, 1);
	uint32_t x = (uint32_t)size;

	for (size_t i = 0; i < size; i++) {
		x = x * 1103515245U + 12345U;
		data[i] = size % 2 ? (char)(x >> 16) : '\0';
	}
	return data;
}

static int add_file(struct modzip_writer *writer, struct str path, size_t size,
		    size_t piece, struct err *err)
{
	char *data = content_of(size);
	int rc = modzip_writer_add(writer, path, size, err);

	for (size_t at = 0; at < size && rc == 0; at += piece)
		rc = modzip_writer_data(writer,
					str_head((struct str){ data + at, size - at }, piece), err);
	test_free(data);
	return rc;
}

static void write_list(struct sink *sink, struct str list, size_t piece)
{
	struct modzip_writer *writer = modzip_writer_new(MODULE, VERSION, take_bytes, sink, &no_err);
	struct str one, size_text;
	struct err err = { 0 };
	uint64_t size;

	while (list.n > 0 && str_cut(&list, '\0', &one)) {
		str_cut(&one, ' ', &size_text);
		assert_true(str_to_u64(size_text, &size));
		if (add_file(writer, one, size, piece, &err) != 0)
			fail_msg("%s", err.text);
	}
	if (modzip_writer_finish(writer, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(err.kind, ERR_NONE);
	modzip_writer_free(writer);
}

static void keep(const struct vector *v, const struct sink *sink)
{
	const char *dir = getenv("MODZIP_WRITTEN");
	char path[256];
	FILE *out;

	if (!dir || sink->zip.n > KEPT_BYTES)
		return;
	snprintf(path, sizeof(path), "%s/%.*s.zip", dir, STR_ARG(v->field[1]));
	out = fopen(path, "wb");
	assert_non_null(out);
	fwrite(sink->zip.p, 1, sink->zip.n, out);
	fclose(out);
}

static void check_result(const struct vector *v, const struct modzip_result *result)
{
	uint64_t files, unpacked;

	assert_str(str_of(result->h1), v->field[5]);
	assert_true(str_to_u64(v->field[6], &files));
	assert_true(str_to_u64(v->field[7], &unpacked));
	assert_int_equal(result->files, files);
	assert_int_equal(result->unpacked_bytes, unpacked);
}

/* The stream must have followed all the way, and the file's reader must agree. */
static void check_zip(const struct vector *v, struct sink *sink)
{
	struct modzip_result result;
	struct err err = { 0 };
	FILE *out = tmpfile();
	off_t size = (off_t)sink->zip.n;

	assert_non_null(out);
	fwrite(sink->zip.p, 1, sink->zip.n, out);
	fflush(out);
	if (modzip_check_file(fileno(out), size, MODULE, VERSION, &result, &err) != 0)
		fail_msg("%s", err.text);
	check_result(v, &result);
	assert_false(modzip_stream_has_given_up(sink->stream));
	assert_int_equal(modzip_stream_finish(sink->stream, fileno(out), size, &result, &err), 0);
	check_result(v, &result);
	fclose(out);
}

static void check_written(const struct vector *v)
{
	static const size_t pieces[] = { 65536, 100, 1 << 20 };
	struct sink first, sink;

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		sink_init(&sink);
		sink.stream = modzip_stream_new(MODULE, VERSION);
		write_list(&sink, v->field[4], pieces[i]);
		check_zip(v, &sink);
		assert_true(sink.calls <= sink.zip.n / 65536 + 1);
		modzip_stream_free(sink.stream);
		if (i == 0) {
			first = sink;
			keep(v, &sink);
			continue;
		}
		/* The same bytes, whatever the pieces. */
		assert_str(buf_str(&sink.zip), buf_str(&first.zip));
		buf_clear(&sink.zip);
	}
	buf_clear(&first.zip);
}

static void test_written(void **state)
{
	(void)state;
	assert_int_equal(vectors_each(file, "written", check_written), 10);
}

static struct str h1_by_number[10];

static void note_h1(const struct vector *v)
{
	uint64_t i;

	assert_true(str_to_u64(v->field[1], &i) && i < ARRAY_LEN(h1_by_number));
	h1_by_number[i] = str_of(mem_strdup(v->field[5]));
}

static void check_judged(const struct vector *v)
{
	uint64_t i;

	assert_true(str_to_u64(v->field[1], &i) && i < ARRAY_LEN(h1_by_number));
	assert_str(v->field[2], h1_by_number[i]);
}

static void test_judged(void **state)
{
	(void)state;
	vectors_each(file, "written", note_h1);
	assert_true(vectors_each(file, "judged", check_judged) >= 8);
	for (size_t i = 0; i < ARRAY_LEN(h1_by_number); i++)
		free((char *)(uintptr_t)h1_by_number[i].p);
}

/* Another day, and another part of the world. */
static void test_same_bytes(void **state)
{
	static const struct str list = { "3 go.mod\0" "5 a\0", 13 };
	struct sink first, second;

	(void)state;
	sink_init(&first);
	write_list(&first, list, 100);
	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
	sink_init(&second);
	write_list(&second, list, 100);
	unsetenv("TZ");
	tzset();
	assert_str(buf_str(&first.zip), buf_str(&second.zip));
	buf_clear(&first.zip);
	buf_clear(&second.zip);
}

enum step { ADD, DATA, FINISH, END };

static const struct {
	const char *what;
	struct {
		enum step step;
		const char *text;
		size_t size;
	} steps[6];
	enum err_kind kind; /* of the last step */
	const char *text;
} faults[] = {
	{ "more than was said", { { ADD, "a", 3 }, { DATA, "abcd", 4 }, { END, NULL, 0 } },
	  ERR_BAD_UPSTREAM, "bad module: 'a': longer than declared" },
	{ "more in two pieces", { { ADD, "a", 3 }, { DATA, "ab", 2 }, { DATA, "cd", 2 }, { END, NULL, 0 } },
	  ERR_BAD_UPSTREAM, "bad module: 'a': longer than declared" },
	{ "less than was said", { { ADD, "a", 3 }, { DATA, "ab", 2 }, { ADD, "b", 0 }, { END, NULL, 0 } },
	  ERR_BAD_UPSTREAM, "bad module: 'a': shorter than declared" },
	{ "less at the end", { { ADD, "a", 3 }, { DATA, "ab", 2 }, { FINISH, NULL, 0 }, { END, NULL, 0 } },
	  ERR_BAD_UPSTREAM, "bad module: 'a': shorter than declared" },
	{ "nothing at the end", { { ADD, "b", 0 }, { ADD, "a", 1 }, { FINISH, NULL, 0 }, { END, NULL, 0 } },
	  ERR_BAD_UPSTREAM, "bad module: 'a': shorter than declared" },
	{ "a bad name", { { ADD, "../a", 0 }, { END, NULL, 0 } },
	  ERR_BAD_UPSTREAM, "bad module: '../a': path element '..' of dots only" },
	{ "a name that isn't UTF-8", { { ADD, "a\xff", 0 }, { END, NULL, 0 } },
	  ERR_BAD_UPSTREAM, "bad module: 'a?': not UTF-8 at byte 1 of 'a?'" },
	{ "too large", { { ADD, "a", MODZIP_UNPACKED_MAX + 1 }, { END, NULL, 0 } },
	  ERR_BAD_UPSTREAM, "bad module: 'a': more than 500 MiB unpacked" },
	{ "the reader goes", { { ADD, "a", 1 }, { DATA, "a", 1 }, { FINISH, NULL, 0 }, { END, NULL, 0 } },
	  ERR_TIMEOUT, "no more, please" },
};

static int do_step(struct modzip_writer *writer, size_t i, size_t j, struct err *err)
{
	struct str text = str_of(faults[i].steps[j].text);
	size_t size = faults[i].steps[j].size;

	switch (faults[i].steps[j].step) {
	case ADD:
		return modzip_writer_add(writer, text, size, err);
	case DATA:
		return modzip_writer_data(writer, str_head(text, size), err);
	default:
		return modzip_writer_finish(writer, err);
	}
}

static void test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct sink sink = { .limit = 0 };
		struct modzip_writer *writer =
			modzip_writer_new(MODULE, VERSION, take_bytes, &sink, &no_err);
		struct err err = { 0 };
		size_t calls;

		print_message("%s\n", faults[i].what);
		for (size_t j = 0; faults[i].steps[j].step != END; j++) {
			bool is_last = faults[i].steps[j + 1].step == END;

			assert_int_equal(do_step(writer, i, j, &err), is_last ? -1 : 0);
		}
		assert_int_equal(err.kind, faults[i].kind);
		assert_string_equal(err.text, faults[i].text);
		calls = sink.calls;
		modzip_writer_free(writer);
		assert_int_equal(sink.calls, calls);
	}
}

/* The reader goes in the middle of a large file. */
static void test_refused(void **state)
{
	struct sink sink;
	struct err err = { 0 };
	struct modzip_writer *writer = modzip_writer_new(MODULE, VERSION, take_bytes, &sink, &no_err);

	(void)state;
	sink_init(&sink);
	sink.limit = 100000;
	assert_int_equal(add_file(writer, STR("noise"), 300001, 1000, &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_int_equal(sink.calls, 2);
	modzip_writer_free(writer);
	assert_int_equal(sink.calls, 2);
	buf_clear(&sink.zip);
}

static void test_unused(void **state)
{
	struct sink sink = { .limit = 0 };
	struct err err = { 0 };
	struct modzip_writer *writer;

	(void)state;
	modzip_writer_free(NULL);
	modzip_writer_free(modzip_writer_new(MODULE, VERSION, take_bytes, &sink, &no_err));
	/* 500 MiB short: giving up must not take as long as they would. */
	writer = modzip_writer_new(MODULE, VERSION, take_bytes, &sink, &no_err);
	assert_int_equal(modzip_writer_add(writer, STR("a"), MODZIP_UNPACKED_MAX, &err), 0);
	modzip_writer_free(writer);
	assert_int_equal(sink.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written), cmocka_unit_test(test_judged),
		cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_faults),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_unused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
