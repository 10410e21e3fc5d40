/*
 * modzip_files.h - which of a module's files go into its zip.
 *
 * Pure functions: no I/O, no state. The rules are those of CheckFiles and
 * Create in golang.org/x/mod/zip; tests/vectors/files.txt was made by them.
 */
#ifndef GOMOD_MODZIP_FILES_H
#define GOMOD_MODZIP_FILES_H

#include "base/err.h"
#include "base/str.h"

enum modzip_file_kind {
	MODZIP_FILE_REGULAR,
	MODZIP_FILE_SYMLINK,
	MODZIP_FILE_IRREGULAR, /* whatever else, but for directories */
};

struct modzip_file {
	struct str path; /* from the module's root directory on */
	enum modzip_file_kind kind;
	uint64_t size_bytes; /* unpacked; counts only if regular */
	bool is_kept;	     /* out: goes into the zip */
	const char *omitted; /* out: why it doesn't; NULL if it is kept */
};

/*
 * Decide about all the files of a module. Left out are vendored packages,
 * modules in directories below, .hg_archival.txt, and what isn't a regular
 * file. The module is refused as a whole if a file's name or size may not be, or
 * if two names go together badly; also where there are more than the limits of
 * modzip.h. Of a path that is there twice x/mod keeps quiet if it wasn't a
 * regular file first; here it is refused.
 *
 * files, n  in any order, without directories
 * go_lang   of the root's go.mod, by modfile_go_lang(): "vendor" means something
 *           else from "go1.24" on. Empty if there is none
 * err       ERR_BAD_UPSTREAM: the file's name and the reason
 *
 * Returns 0, or -1 with *err set; is_kept and omitted mean nothing then.
 */
int modzip_files_check(struct modzip_file *files, size_t n, struct str go_lang,
		       struct err *err);

#endif
