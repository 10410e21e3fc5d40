/*
 * config_option.h - the table of options, for the files config*.c alone.
 */
#ifndef STATE_CONFIG_OPTION_H
#define STATE_CONFIG_OPTION_H

#include "state/config.h"

enum config_type {
	CONFIG_NUMBER, /* int, from min to max */
	CONFIG_PATH,   /* absolute, or "" */
	CONFIG_FILE,   /* a path that must be there, or "" */
	CONFIG_PREFIX,
	CONFIG_HOSTS,
	CONFIG_LEVEL,
	CONFIG_LISTEN,
	CONFIG_CHAIN,
	CONFIG_SUMDB,	  /* one, or off */
	CONFIG_SUMDBS,	  /* any number */
	CONFIG_PATTERNS,  /* as GONOSUMDB */
	CONFIG_POLICY,
	CONFIG_UNREACHABLE,
	CONFIG_SENDFILE,
	CONFIG_READ_AHEAD,
	CONFIG_VCS,	  /* as GOVCS */
	CONFIG_REWRITE,
	CONFIG_ACCESS,
	CONFIG_CLIENT_CERT,
	CONFIG_REFUSE,
};

struct config_option {
	const char *section;
	const char *key;
	enum config_type type;
	size_t offset; /* of its field in struct config */
	int min, max;  /* of CONFIG_NUMBER */
	const char *fallback; /* its default, written as in the file */
	const char *about;    /* 1 to 3 lines for the sample, '\n' between them */
};

extern const struct config_option config_options[];
extern const size_t config_options_n;

/* The option's place in the table, or -1; names in any case. */
long config_option_find(struct str section, struct str key);
bool config_section_is_known(struct str section);

/* GOPROXY_SECTION_KEY; owned by the pool. */
const char *config_option_env(struct pool *pool, const struct config_option *option);

/* What the option allows: "a whole number from 1 to 64". */
void config_option_allowed(const struct config_option *option, struct buf *buf);

/*
 * "; did you mean ...?" with the nearest name, or the names there are if none
 * is near; owned by the pool. _env() returns "" if the variable isn't meant
 * for us: neither begins as one of ours does nor looks like a misspelt one.
 */
const char *config_nearest_section(struct pool *pool, struct str section);
const char *config_nearest_key(struct pool *pool, struct str section, struct str key);
const char *config_nearest_env(struct pool *pool, struct str name);

/*
 * Check text and put it in its field. Returns 0, or -1 with *err set to what
 * is wrong ("'0' is not allowed: a whole number from 1 to 64"), without
 * secrets; the field is then unchanged or, for the chain, empty.
 */
int config_value_set(struct config *config, const struct config_option *option,
		     struct str text, struct err *err);

/* The place of text among names, in any case, or -1. */
int config_find_name(struct str text, const char *const *names, size_t n);

/* Put together what several options of [sumdb] say; after all of them are set. */
void config_sumdb_finish(struct config *config);

/* The same for [private]. */
void config_private_finish(struct config *config);

/* Well-formed, and of a form that a module path can have: a typo must not reveal a name. */
bool config_can_match(struct str pattern);

/* For the type of [private] read and write; see config_value_set(). */
int config_access_set(struct config *config, const struct config_option *option, struct str text,
		      struct err *err);
void config_access_print(const struct config_access *access, struct buf *buf);

/* For the types of [sumdb]; see config_value_set(). */
int config_sumdb_set(struct config *config, const struct config_option *option, struct str text,
		     struct err *err);
void config_sumdb_print(const struct config *config, const struct config_option *option,
			struct buf *buf);

/* Whether text can be the value of an option of CONFIG_VCS or CONFIG_REWRITE. */
bool config_direct_is_valid(const struct config_option *option, struct str text);

/* The field's value as text for people: without secrets. */
void config_value_print(const struct config *config, size_t i, struct buf *buf);

/* Add a line to the problems, unless they are many already. */
void config_problem(struct buf *problems, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Read the file by the INI library, after checking that it will be read as it
 * is meant. Hands over each value that it sets with the number of its line.
 * Returns 0, or -1 with at least one line added to *problems.
 */
struct config_ini {
	const char *text[CONFIG_OPTIONS_MAX]; /* NULL: not set */
	int line[CONFIG_OPTIONS_MAX];
};
int config_ini_read(const char *path, struct pool *pool, struct config_ini *ini,
		    struct buf *problems);

#endif
