/* part.h: who holds, who follows, what a crash and a second try do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "state/part.h"

#define KEY "download/example.com/m/@v/v1.0.0.zip"

struct place {
	char dir[64];
	struct store *store;
	struct store *other; /* as another process has it open */
};

static int setup(void **state)
{
	struct place *place = mem_alloc(sizeof(*place));

	snprintf(place->dir, sizeof(place->dir), "/tmp/goproxy-unit-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	place->store = store_open(place->dir);
	place->other = store_open(place->dir);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	char command[128];

	store_close(place->store);
	store_close(place->other);
	snprintf(command, sizeof(command), "rm -rf %s", place->dir);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

static void append(struct store *store, struct part *part, const char *text)
{
	struct err err = { 0 };

	assert_int_equal(part_append(store, part, str_of(text), &err), 0);
}

static void test_one_holds_the_others_follow(void **state)
{
	struct store *store = ((struct place *)*state)->store;
	struct store *other = ((struct place *)*state)->other;
	struct part holder, follower;
	struct part_record record = { .state = PART_GROWING, .length_bytes = 10, .mtime = 7 };
	struct part_record seen;
	struct err err = { 0 };
	bool is_gone;

	assert_int_equal(part_begin(store, KEY, &holder, &err), 0);
	assert_int_equal(holder.role, PART_HOLDER);
	assert_int_equal(part_begin(other, KEY, &follower, &err), 0);
	assert_int_equal(follower.role, PART_FOLLOWER);
	assert_false(part_watch(other, &follower, &seen));
	append(store, &holder, "hello");
	assert_int_equal(part_reserve(store, &holder, 10, &err), 0); /* makes the file */
	part_publish(&holder, &record);
	assert_true(part_watch(other, &follower, &seen));
	assert_int_equal(seen.valid_bytes, 5);
	assert_int_equal(seen.length_bytes, 10);
	assert_false(part_take_over(other, &follower, &is_gone));
	assert_false(is_gone);
	append(store, &holder, "world");
	assert_int_equal(part_commit(store, &holder, KEY, 10, 1234567890, STR("h1:x"), &err), 0);
	assert_false(part_take_over(other, &follower, &is_gone));
	assert_true(is_gone);
	part_close(&holder);
	part_close(&follower);
}

#define PRIVATE_STEM "private/download/corp.example/m/@v/v1.0.0"

/* An upload that came while a fetch was under way stands: its zip, its hash and its go.mod. */
static void test_commit_replaces_no_upload(void **state)
{
	static const struct {
		const char *key, *hash;
		int rc;
	} cases[] = { { PRIVATE_STEM ".zip", "h1:fetched", -1 }, { PRIVATE_STEM ".mod", "", 0 } };
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *key = cases[i].key;
		struct pool *pool = pool_new();
		struct str data, hash = STR("");
		struct err err = { 0 };
		struct part part;

		assert_int_equal(part_begin(place->store, key, &part, &err), 0);
		append(place->store, &part, "fetched");
		assert_int_equal(store_put(place->store, key, STR("uploaded"), true, &err), 0);
		if (*cases[i].hash)
			assert_int_equal(store_put(place->store, PRIVATE_STEM ".ziphash", STR("h1:uploaded"), true, &err), 0);
		assert_int_equal(part_commit(place->store, &part, key, 7, 1234567890, str_of(cases[i].hash), &err),
				 cases[i].rc);
		part_discard(place->store, &part);
		part_close(&part);
		assert_int_equal(file_read_all(store_dirfd(place->store), key, 100, pool, &data, &err), 0);
		assert_true(str_is_equal(data, STR("uploaded")));
		if (*cases[i].hash) {
			assert_int_equal(file_read_all(store_dirfd(place->store), PRIVATE_STEM ".ziphash", 100, pool, &hash,
						       &err), 0);
			assert_true(str_is_equal(hash, STR("h1:uploaded")));
		}
		pool_free(pool);
	}
}

static void test_commit_leaves_the_object_and_its_hash(void **state)
{
	struct place *place = *state;
	struct pool *pool = pool_new();
	struct store_file file;
	struct part part;
	struct err err = { 0 };
	struct str data;

	assert_int_equal(part_begin(place->store, KEY, &part, &err), 0);
	append(place->store, &part, "0123456789");
	assert_int_equal(part_commit(place->store, &part, KEY, 10, 1234567890, STR("h1:x"), &err), 0);
	part_close(&part);
	assert_int_equal(store_find(place->store, KEY, &file, &err), 0);
	assert_int_equal(file.size_bytes, 10);
	assert_int_equal(file.mtime, 1234567890);
	close(file.fd);
	assert_int_equal(file_read_all(store_dirfd(place->store), KEY "hash", 100, pool, &data, &err), 0);
	assert_true(str_is_equal(data, STR("h1:x")));
	/* Nothing is left in tmp/, and the key can be begun again. */
	assert_int_equal(part_begin(place->store, KEY, &part, &err), 0);
	assert_int_equal(part.role, PART_HOLDER);
	part_discard(place->store, &part);
	part_close(&part);
	pool_free(pool);
}

static void test_follower_takes_over_from_the_dead(void **state)
{
	struct store *store = ((struct place *)*state)->store;
	struct store *other = ((struct place *)*state)->other;
	struct part holder, follower;
	struct part_record record = { .state = PART_GROWING, .length_bytes = 10 };
	struct err err = { 0 };
	bool is_gone;

	assert_int_equal(part_begin(store, KEY, &holder, &err), 0);
	assert_int_equal(part_begin(other, KEY, &follower, &err), 0);
	append(store, &holder, "01234");
	assert_int_equal(part_reserve(store, &holder, 10, &err), 0);
	part_publish(&holder, &record);
	assert_true(part_watch(other, &follower, &record));
	part_close(&holder); /* as a crash does */
	assert_true(part_take_over(other, &follower, &is_gone));
	assert_int_equal(follower.valid_bytes, 5);
	append(other, &follower, "012");
	assert_int_equal(follower.valid_bytes, 5);
	append(other, &follower, "3456789");
	assert_int_equal(follower.valid_bytes, 10);
	part_discard(other, &follower);
	part_close(&follower);
}

static void test_other_bytes_than_those_sent_are_refused(void **state)
{
	struct store *store = ((struct place *)*state)->store;
	struct part part;
	struct err err = { 0 };

	assert_int_equal(part_begin(store, KEY, &part, &err), 0);
	append(store, &part, "01234");
	part_rewind(&part);
	assert_int_equal(part_append(store, &part, STR("01X"), &err), -1);
	assert_int_equal(err.kind, ERR_BAD_UPSTREAM);
	assert_int_equal(part_forget(&part, &err), 0);
	append(store, &part, "01X");
	part_discard(store, &part);
	part_close(&part);
}

static void test_what_a_crash_left_is_not_used(void **state)
{
	struct store *store = ((struct place *)*state)->store;
	struct part part;
	struct stat st;
	struct err err = { 0 };

	assert_int_equal(part_begin(store, KEY, &part, &err), 0);
	assert_int_equal(part_reserve(store, &part, 10, &err), 0);
	append(store, &part, "junk");
	part_close(&part);
	assert_int_equal(part_begin(store, KEY, &part, &err), 0);
	assert_int_equal(part.role, PART_HOLDER);
	assert_int_equal(part_reserve(store, &part, 10, &err), 0);
	assert_int_equal(fstat(part.fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	part_discard(store, &part);
	part_close(&part);
}

static void test_without_a_store_it_spools(void **state)
{
	struct store *store = store_open("/proc/nowhere/cache");
	struct part part;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(part_begin(store, KEY, &part, &err), 0);
	assert_int_equal(part.role, PART_SPOOL);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	append(store, &part, "bytes");
	assert_int_equal(part.valid_bytes, 5);
	part_close(&part);
	store_close(store);
}

static void test_sweep_takes_the_old_and_unlocked(void **state)
{
	struct place *place = *state;
	struct part held, left;
	struct err err = { 0 };

	assert_int_equal(part_begin(place->store, KEY, &held, &err), 0);
	assert_int_equal(part_begin(place->store, KEY "2", &left, &err), 0);
	assert_int_equal(part_reserve(place->store, &held, 10, &err), 0);
	assert_int_equal(part_reserve(place->store, &left, 10, &err), 0);
	part_close(&left);
	part_sweep(place->store, 0);
	assert_int_equal(faccessat(store_dirfd(place->store), held.name, F_OK, 0), 0);
	assert_int_not_equal(faccessat(store_dirfd(place->store), left.name, F_OK, 0), 0);
	part_discard(place->store, &held);
	part_close(&held);
}

static void test_absence_is_remembered_for_a_while(void **state)
{
	struct store *store = ((struct place *)*state)->store;
	struct pool *pool = pool_new();
	struct store_absence said = { 410, STR("text/plain"), STR("gone:\nfor good\n"), 0 }, found;

	store_absence_put(store, "mutable/x/@latest", &said);
	assert_true(store_absence_find(store, "mutable/x/@latest", 60, pool, &found));
	assert_int_equal(found.status, 410);
	assert_true(str_is_equal(found.type, said.type));
	assert_true(str_is_equal(found.text, said.text));
	assert_false(store_absence_find(store, "mutable/y/@latest", 60, pool, &found));
	assert_false(store_absence_find(store, "mutable/x/@latest", 0, pool, &found));
	pool_free(pool);
}

static void test_links_are_not_followed(void **state)
{
	struct place *place = *state;
	int dirfd = store_dirfd(place->store);
	struct store_file file;
	struct err err = { 0 };

	assert_int_equal(symlinkat("/etc/passwd", dirfd, "download/link"), 0);
	assert_int_equal(store_find(place->store, "download/link", &file, &err), -1);
	assert_int_not_equal(store_find(place->store, "download/../../etc/passwd", &file, &err), 0);
	assert_int_equal(store_find(place->store, "download", &file, &err), FILE_ABSENT);
}

static void test_list_has_what_is_here(void **state)
{
	struct store *store = ((struct place *)*state)->store;
	struct pool *pool = pool_new();
	struct err err = { 0 };
	struct str list;

	assert_int_equal(store_put(store, "download/m.x/@v/v1.0.0.info", STR("{}"), false, &err), 0);
	assert_int_equal(store_list_add(store, "download/m.x/@v/v1.0.0.info", &err), 0);
	assert_int_equal(store_list_add(store, "download/m.x/@v/v1.0.1-!r!c1.info", &err), 0);
	assert_int_equal(store_list_add(store, "download/m.x/@v/v1.0.0.info", &err), 0);
	assert_int_equal(store_list_add(store, "download/m.x/@v/v0.0.0-20200102030405-abcdefabcdef.info", &err), 0);
	assert_int_equal(file_read_all(store_dirfd(store), "download/m.x/@v/list", 1000, pool, &list, &err), 0);
	assert_true(str_is_equal(list, STR("v1.0.0\nv1.0.1-RC1\n")));
	pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_holds_the_others_follow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_commit_leaves_the_object_and_its_hash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_commit_replaces_no_upload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_follower_takes_over_from_the_dead, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_bytes_than_those_sent_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_a_crash_left_is_not_used, setup, teardown),
		cmocka_unit_test(test_without_a_store_it_spools),
		cmocka_unit_test_setup_teardown(test_sweep_takes_the_old_and_unlocked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absence_is_remembered_for_a_while, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_are_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list_has_what_is_here, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
