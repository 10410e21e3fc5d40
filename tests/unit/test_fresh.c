/* fresh.h: what is put where web servers look, and when it is taken away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "state/fresh.h"

#define KEY  "mutable/example.com/m/@v/list"
#define TTL_S 60

struct place {
	char dir[64];
	struct store *store;
	struct fresh *fresh;
};

static int setup(void **state)
{
	struct place *place = mem_alloc(sizeof(*place));
	struct err err = { 0 };

	snprintf(place->dir, sizeof(place->dir), "/tmp/goproxy-unit-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	place->store = store_open(place->dir);
	place->fresh = fresh_new(place->store, TTL_S);
	assert_int_equal(store_put(place->store, KEY, STR("v1.0.0\n"), false, &err), 0);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	struct err err = { 0 };

	fresh_free(place->fresh);
	assert_int_equal(file_remove_tree(AT_FDCWD, "nothing/of/this/name", &err), 0);
	for (const char *const *name = (const char *const[]){ "download", "mutable", "absent", "private", "tmp", "fresh", NULL };
	     *name; name++)
		assert_int_equal(file_remove_tree(store_dirfd(place->store), *name, &err), 0);
	store_close(place->store);
	assert_int_equal(rmdir(place->dir), 0);
	free(place);
	return 0;
}

/* Not in the last moment of a slot: what follows shall lie in the same one. */
static int64_t begin_slot(void)
{
	time_t now;

	while ((now = time(NULL)) % FRESH_SLOT_S == FRESH_SLOT_S - 1)
		usleep(50000);
	return now / FRESH_SLOT_S;
}

static bool is_published(const struct place *place, int64_t slot)
{
	char path[128];

	snprintf(path, sizeof(path), "fresh/%lld/example.com/m/@v/list", (long long)slot);
	return faccessat(store_dirfd(place->store), path, R_OK, 0) == 0;
}

static void test_wanted_when_asked_twice(void **state)
{
	struct place *place = *state;
	int64_t slot = begin_slot();
	time_t now = time(NULL);

	assert_false(fresh_is_wanted(place->fresh, KEY, now));
	assert_true(fresh_is_wanted(place->fresh, KEY, now));
	assert_false(fresh_is_wanted(place->fresh, KEY, now)); /* once is enough */
	assert_false(is_published(place, slot));
	fresh_publish(place->fresh, KEY);
	assert_true(is_published(place, slot));
	fresh_publish(place->fresh, KEY); /* there already */
	assert_true(is_published(place, slot));
}

/* Existence is freshness: it must last until the slot is over. */
static void test_only_what_outlives_the_slot(void **state)
{
	struct place *place = *state;
	int64_t slot = begin_slot();
	time_t end = (time_t)(slot + 1) * FRESH_SLOT_S;
	const struct {
		time_t confirmed;
		bool is_wanted;
	} cases[] = { { end - TTL_S, true }, { end - TTL_S - 1, false }, { end - 2L * TTL_S, false } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct timespec times[2] = { { .tv_sec = cases[i].confirmed }, { .tv_sec = cases[i].confirmed } };
		struct err err = { 0 };

		assert_int_equal(file_remove_tree(store_dirfd(place->store), "fresh", &err), 0);
		fresh_is_wanted(place->fresh, cases[i].is_wanted ? "mutable/a" : "mutable/b", cases[i].confirmed);
		assert_int_equal(fresh_is_wanted(place->fresh, cases[i].is_wanted ? "mutable/a" : "mutable/b", cases[i].confirmed),
				 cases[i].is_wanted);
		assert_int_equal(utimensat(store_dirfd(place->store), KEY, times, 0), 0);
		fresh_publish(place->fresh, KEY);
		assert_int_equal(is_published(place, slot), cases[i].is_wanted);
	}
}

/* Web servers send what lies here to everybody. */
static void test_never_a_private_one(void **state)
{
	static const char key[] = "private/" KEY;
	struct place *place = *state;
	int64_t slot = begin_slot();
	struct err err = { 0 };

	assert_int_equal(store_put(place->store, key, STR("v1.0.0\n"), false, &err), 0);
	fresh_is_wanted(place->fresh, key, time(NULL));
	assert_false(fresh_is_wanted(place->fresh, key, time(NULL)));
	fresh_publish(place->fresh, key);
	assert_false(is_published(place, slot));
	assert_int_equal(faccessat(store_dirfd(place->store), "fresh", F_OK, 0), -1);
}

static void test_short_time_to_live(void **state)
{
	struct place *place = *state;
	struct fresh *fresh = fresh_new(place->store, FRESH_SLOT_S - 1);
	time_t begin = (time_t)begin_slot() * FRESH_SLOT_S;

	fresh_is_wanted(fresh, KEY, begin);
	assert_false(fresh_is_wanted(fresh, KEY, begin));
	fresh_free(fresh);
}

/* Over, or made while the clock went wrong; nothing else. */
static void test_sweep(void **state)
{
	struct place *place = *state;
	int64_t slot = begin_slot();
	const struct {
		int64_t at;
		bool stays;
	} cases[] = { { -1000000, false }, { -1, false }, { 0, true }, { 1, true }, { 2, false } };
	struct err err = { 0 };
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(path, sizeof(path), "fresh/%lld/example.com/m/@v/list", (long long)(slot + cases[i].at));
		assert_int_equal(file_link(store_dirfd(place->store), KEY, path, &err), 0);
	}
	fresh_sweep(place->fresh);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(is_published(place, slot + cases[i].at), cases[i].stays);
	assert_int_equal(faccessat(store_dirfd(place->store), KEY, R_OK, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wanted_when_asked_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_what_outlives_the_slot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_never_a_private_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_short_time_to_live, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
