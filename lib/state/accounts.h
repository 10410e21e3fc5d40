/*
 * accounts.h - who is in which group, and whose a token is: two small files
 * that the administrator keeps.
 *
 * groups_file  "GROUP: USER USER" a line, Apache's AuthGroupFile, so that one
 *              file serves both
 * tokens_file  "USER SHA256 [YYYY-MM-DD]" a line: of a token its hash alone is
 *              kept, and the last day (UTC) on which it counts. A token has
 *              256 random bits, so nothing slower than SHA-256 would make it
 *              harder to guess, as it does with passwords.
 *
 * In both, lines that are empty or begin with '#' don't count. A file is looked
 * at once a second at most, and read again when it has changed. One that can't be
 * read, or makes no sense, is said so of in the log, and what it said before
 * goes on counting; one that has been removed gives nobody anything any more, and
 * that is said, too. Safe from any thread.
 */
#ifndef STATE_ACCOUNTS_H
#define STATE_ACCOUNTS_H

#include "base/err.h"
#include "base/str.h"

/* What each token begins with, so that scanners for secrets find it. */
#define ACCOUNTS_TOKEN_PREFIX "goproxy_"

/* A token in hexadecimal, and its hash, each with the NUL. */
#define ACCOUNTS_TOKEN_SIZE (sizeof(ACCOUNTS_TOKEN_PREFIX) + 64)
#define ACCOUNTS_HASH_SIZE  65

struct accounts;

/* Full paths, or "" for none; they are copied. Never NULL: no file, no groups. */
struct accounts *accounts_new(const char *groups_file, const char *tokens_file);
void accounts_free(struct accounts *accounts);

/* Look at the files for the next question, however short the last look is ago. */
void accounts_look_again(struct accounts *accounts);

bool accounts_has_member(struct accounts *accounts, struct str group, struct str user);

/* How many users it has; 0 too if there is no such group. */
size_t accounts_group_size(struct accounts *accounts, struct str group);

enum accounts_file { ACCOUNTS_GROUPS, ACCOUNTS_TOKENS };

/* Does the file make sense? Returns 0, also if none is set, or -1 with *err: why not. */
int accounts_check(struct accounts *accounts, enum accounts_file file, struct err *err);

/* Does it look like a token of ours, rather than a password of the web server's? */
bool accounts_is_token(struct str text);

enum accounts_found { ACCOUNTS_GOOD, ACCOUNTS_UNKNOWN, ACCOUNTS_EXPIRED };

/* Whose token? user: out, owned by the pool; also of one that has expired. */
enum accounts_found accounts_find_token(struct accounts *accounts, struct pool *pool,
					struct str token, struct str *user);

/* Can it be a user's name in these files? */
bool accounts_is_name(struct str name);

/* A new token, and what stands in the file for it. Returns 0 or -1. */
int accounts_make_token(char token[ACCOUNTS_TOKEN_SIZE], char hash[ACCOUNTS_HASH_SIZE], struct err *err);

#endif
