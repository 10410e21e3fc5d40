/*
 * modzip_rules.h - for modzip alone: the rules that the files of a module and
 * the entries of its zip have in common.
 *
 * They follow collisionChecker and the limits in zip.go of golang.org/x/mod.
 * Errors are ERR_BAD_UPSTREAM and begin with the name, for the caller to say
 * before it what the name is in.
 */
#ifndef GOMOD_MODZIP_RULES_H
#define GOMOD_MODZIP_RULES_H

#include "base/err.h"
#include "base/str.h"

/*
 * Names that have to get on with each other: no two may differ by case only,
 * none may be there twice or be both a file and a directory.
 */
struct modzip_path;
struct modzip_paths {
	struct modzip_path *all;
	size_t n;
	struct buf folded;
};

/* Room for max names of MODZIP_NAMES_MAX bytes together. */
void modzip_paths_init(struct modzip_paths *paths, size_t max);
void modzip_paths_clear(struct modzip_paths *paths);

/*
 * Check a name as module.CheckFilePath and keep it; its bytes have to live as
 * long as paths. 0, or -1 with *err set.
 */
int modzip_paths_add(struct modzip_paths *paths, struct str name, bool is_folder,
		     struct err *err);

/* Hold all against each other. Once; sorts them. 0, or -1 with *err set. */
int modzip_paths_check(struct modzip_paths *paths, struct err *err);

/*
 * Add the size of a file to *sum, unless it or the sum is larger than allowed.
 * 0, or -1 with *err set.
 */
int modzip_size_check(struct str name, uint64_t size_bytes, uint64_t *sum,
		      struct err *err);

/* "'NAME': reason". Returns -1. */
int modzip_refuse(struct str name, const char *reason, struct err *err);

#endif
