/*
 * config.h - the settings: one table of options yields their defaults, their
 * checks, the documented sample and what check-config prints.
 *
 * A setting comes, strongest first, from the environment (GOPROXY_SECTION_KEY
 * in upper case; GOPROXY stands for GOPROXY_UPSTREAM_CHAIN where that isn't
 * set; an empty variable counts as not set), from the file, from the table.
 * The file is the first of: the option --config, $GOPROXY_CONFIG, goproxy.ini
 * beside the program, /etc/goproxy/goproxy.ini. One that was named must exist;
 * one that exists must be readable. Without any, the defaults work.
 *
 * This is the home of the INI library. It misreads silently what it doesn't
 * know (a '#' within a value, a second key of the same name, a '\' at the end
 * of a line), so config_ini.c refuses such lines before it is asked.
 */
#ifndef STATE_CONFIG_H
#define STATE_CONFIG_H

#include <sys/socket.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "state/chain.h"

#define CONFIG_OPTIONS_MAX 96 /* asserted against the table */
#define CONFIG_PROBLEMS_MAX 20 /* lines */
#define CONFIG_PROBLEMS_BYTES 65536 /* a fitting bound for that buffer */
#define CONFIG_FILE_BYTES_MAX 1048576
#define CONFIG_SUMDBS_MAX 16

/* An address to listen on, ready for bind(2); size 0: none is set. */
struct config_listen {
	struct sockaddr_storage address;
	socklen_t size;
};

/* A checksum database: its name, as in its key and in URLs, and where it is. */
struct config_sumdb {
	const char *name;
	const char *key;   /* for note_verifier_parse(), which has taken it */
	const char *url;   /* no '/' at the end */
	const char *shown; /* without user and password */
	bool has_url;	   /* given with it: no proxy is asked, as cmd/go does */
	bool is_served;	   /* below /sumdb/NAME/ */
};

/* What is to happen with modules that the checksum database doesn't know. */
enum config_policy {
	CONFIG_REQUIRE, /* refused */
	CONFIG_ALLOW,	/* served, unproven */
	CONFIG_DENY,	/* refused, known or not, without asking anybody */
};

struct config_policy_rule {
	const char *pattern; /* for module_matches_patterns() */
	enum config_policy policy;
};

/* What is fetched before anybody asks for it. */
enum config_read_ahead { CONFIG_AHEAD_OFF, CONFIG_AHEAD_MOD, CONFIG_AHEAD_ZIP };

/* What is to happen while the checksum database can't be asked. */
enum config_unreachable { CONFIG_FAIL, CONFIG_PIN };

/* Is the name in a client certificate that the web server has verified a user? */
enum config_client_cert { CONFIG_CERT_OFF, CONFIG_CERT_CN };

/* What is said to who may not have a private module. */
enum config_refuse { CONFIG_REFUSE_403, CONFIG_REFUSE_404 };

/* For config_may(); the first rule that matches counts. */
struct config_access_rule {
	const char *pattern;
	const char *folded; /* the same in lower case */
	const char *who;    /* words with a blank between them: USER @GROUP * anonymous */
};

struct config_access {
	struct config_access_rule *rules;
	size_t n;
};

/* The values of one option that names databases. */
struct config_sumdb_list {
	struct config_sumdb *items;
	size_t n;
};

/*
 * Strings are never NULL: "" is "not set". Numbers lie within the range of
 * their option, and no time is negative. What each means: conf/goproxy.ini.
 */
struct config {
	struct {
		const char *listen; /* as written; "" if not set */
		struct config_listen listen_address;
		int processes;
		int threads;
		const char *prefix; /* "" or "/x": no '/' at the end */
		int answer_timeout_s;
		int request_timeout_s;
		int send_timeout_s;
		int stop_timeout_s;
		const char *workers_file;
		int parked_max;
		const char *sendfile; /* "", "x-sendfile", or "x-accel:/x" */
	} server;
	struct {
		enum log_level level;
	} log;
	struct {
		const char *dir; /* absolute, never "": the default's if not set */
		bool dir_is_default;
		int list_ttl_s;
		int negative_ttl_s;
	} cache;
	struct {
		struct chain chain;
		int connect_timeout_s;
		int silence_timeout_s;
		int total_timeout_s;
		int small_total_timeout_s;
		int retries;
		/* HOST or HOST:PORT, comma separated, lower case, no blanks */
		const char *redirect_private;
		const char *netrc;
		const char *ca_file;
		int connections_max;
		enum config_read_ahead read_ahead;
		int read_ahead_mb;
	} upstream;
	struct {
		const char *modules;  /* for module_matches_patterns() */
		const char *insecure; /* the same */
		const char *vcs;      /* for config_vcs_is_allowed() */
		const char *private_hosts; /* as upstream.redirect_private */
		const char *rewrite;	   /* for config_rewrite() */
		const char *git; /* absolute, or "": as PATH says */
		const char *ssh_key;
		const char *ssh_known_hosts;
		const char *tokens;
		int parallel;
		int repository_mb;
		int quota_mb;
		int keep_days;
	} direct;
	struct {
		struct config_sumdb_list gosumdb_option, databases_option;
		/* All of them, made of these two: gosumdb first. */
		struct config_sumdb *databases;
		size_t n;
		const struct config_sumdb *gosumdb;   /* checks modules; NULL: off */
		const struct config_sumdb *toolchain; /* checks golang.org/toolchain */
		const char *nosumdb;		      /* for module_matches_patterns() */
		struct config_policy_rule *policy;    /* the first that matches */
		size_t policy_n;
		enum config_unreachable unreachable;
	} sumdb;
	struct {
		const char *modules; /* for config_is_private() */
		const char *folded;  /* the same in lower case */
		struct config_access read, write;
		const char *groups_file;
		const char *tokens_file;
		enum config_client_cert client_cert;
		enum config_refuse refuse;
	} private_;

	/* The rest is config.c's own. */
	struct pool *pool;
	const char *file; /* NULL: none was found */
	const char *origin[CONFIG_OPTIONS_MAX]; /* where each value is written */
};

/*
 * Find, read and check the settings.
 *
 * config         out, written anew; config_clear() it whatever the result
 * config_option  of --config, or NULL
 * program_path   argv[0]; without a '/' in it, /proc/self/exe is asked
 * problems       out: a line each, with its '\n', for all that is wrong, at
 *                most CONFIG_PROBLEMS_MAX; initialised by the caller with
 *                CONFIG_PROBLEMS_BYTES. No secret stands in it.
 *
 * Returns 0, or -1 with at least one line in *problems. Makes nothing on the
 * disk. To be called before threads start: it reads the environment.
 */
int config_load(struct config *config, const char *config_option,
		const char *program_path, struct buf *problems);

void config_clear(struct config *config);

/*
 * May a repository be asked by this system ("git", "hg" ...)? root is its import
 * path. [direct] vcs, then what GOVCS has without being set.
 */
bool config_vcs_is_allowed(const struct config *config, struct str root, struct str system);

/* A repository's URL by [direct] rewrite: the longest FROM that begins it counts. */
struct str config_rewrite(const struct config *config, struct pool *pool, struct str url);

/*
 * Is this a private module, by [private] modules? The case of letters doesn't
 * count, other than for GOPRIVATE: to many a host of repositories
 * "example.com/Corp/x" is "example.com/corp/x", so one mustn't be a way round
 * the rules for the other. Costs nothing where none is set.
 */
bool config_is_private(const struct config *config, struct str module);

/* Who may, by the first rule whose pattern matches: words as above; "" if nobody may. */
const char *config_may(const struct config_access *access, struct str module);

/* What holds for a module that the checksum database doesn't know. */
enum config_policy config_policy_of(const struct config *config, struct str module);

/* The file that was read, or NULL; also after a failed config_load(). */
const char *config_file_used(const struct config *config);

/* The documented sample: conf/goproxy.ini, byte for byte (below 64 KiB). */
void config_sample(struct buf *buf);

/*
 * The settings in effect as an ini text that names for each where it comes
 * from; passwords are left out.
 */
void config_print(const struct config *config, struct buf *buf);

/*
 * For "serve --listen": "unix:/abs/path" or "ADDRESS:PORT" (an IPv4 address,
 * an IPv6 address in brackets, or localhost; port 0 takes any free one).
 * Returns 0, or -1 with *err set (ERR_CONFIG).
 */
int config_listen_parse(struct str text, struct config_listen *listen,
			struct err *err);

/* What decides where the store lies if [cache] dir isn't set. */
struct config_place {
	uid_t uid;
	const char *xdg_cache_home; /* these four may be NULL */
	const char *home;
	const char *document_root;
	const char *program_dir; /* absolute */
};

/*
 * Where the store lies if nobody says so; owned by the pool. As root
 * /var/cache/goproxy; else $XDG_CACHE_HOME/goproxy.fcgi, then
 * $HOME/.cache/goproxy.fcgi, each only if the user owns what there is of it
 * already and no web server would serve it (it lies outside DOCUMENT_ROOT);
 * else .goproxy-cache beside the program. Reads the disk, makes nothing.
 */
const char *config_default_cache_dir(struct pool *pool,
				     const struct config_place *place);

/*
 * Make cache.dir and its parents if it isn't there. One that the default chose
 * for another user than root has mode 0700 and a .htaccess that denies all, so
 * that no browser fetches it; one that the administrator named stays as it is.
 * Returns 0, or -1 with *err set: the text names the setting to change.
 */
int config_cache_dir_make(const struct config *config, struct err *err);

#endif
