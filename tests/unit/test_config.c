#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "state/config.h"

/* A directory of the test's own; the file in it; the program beside it. */
struct place {
	char dir[64];
	char file[96];
	char program[96];
};

static int setup(void **state)
{
	static struct place place;

	/* What the caller's shell has set must not count here. */
	for (char **p = environ; *p;) {
		char *end = strchr(*p, '=');
		char name[256];

		if (strncmp(*p, "GOPROXY", 7) != 0 || !end || end - *p > 255) {
			p++;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(end - *p), *p);
		unsetenv(name);
	}
	snprintf(place.dir, sizeof(place.dir), "/tmp/test_config.XXXXXX");
	if (!mkdtemp(place.dir))
		return -1;
	snprintf(place.file, sizeof(place.file), "%s/goproxy.ini", place.dir);
	snprintf(place.program, sizeof(place.program), "%s/goproxy.fcgi", place.dir);
	*state = &place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	unlink(place->file);
	return rmdir(place->dir);
}

static void write_file(const struct place *place, struct str text)
{
	FILE *file = fopen(place->file, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text.p, 1, text.n, file), text.n);
	assert_int_equal(fclose(file), 0);
}

static int load(const struct place *place, struct config *config, struct buf *problems)
{
	buf_init(problems, CONFIG_PROBLEMS_BYTES);
	return config_load(config, NULL, place->program, problems);
}

/* What check-config says; or the problems, where there are some. Freed by the caller. */
static char *print(const struct place *place, struct str ini)
{
	struct config config;
	struct buf problems, shown;
	char *text;

	write_file(place, ini);
	buf_init(&shown, 65536);
	if (load(place, &config, &problems) == 0)
		config_print(&config, &shown);
	else
		buf_add(&shown, buf_str(&problems));
	text = mem_strdup(buf_str(&shown));
	buf_clear(&shown);
	buf_clear(&problems);
	config_clear(&config);
	return text;
}

/* A file's text, with NULs too, and a part of what is said about it. */
/* The keys of tests/fixture. */
#define KEY_ONE "sum.fixture.test+0b17be98+AbF5ouTwKMXR7SnZ8Cvake3IV1B2vgFEXaWVGmqnJmrA"
#define KEY_TWO "localhost.localdev/sumdb+111410f6+AXwcY5y4N5FXsJjtSUL5U/HiDxpbIFFK0vR3i8pPTT5o"

#define CASE(what, ini, said) { what, { ini, sizeof(ini) - 1 }, said, NULL }
#define CASE_NOT(what, ini, said, not) { what, { ini, sizeof(ini) - 1 }, said, not }
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define LONG HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED

static const struct {
	const char *what;
	struct str ini;
	const char *said;
	const char *not_said;
} cases[] = {
	CASE("an empty file", "", "list_ttl_s = 60 ; default"),
	CASE("a number", "[cache]\nlist_ttl_s = 5\n", "list_ttl_s = 5 ; /"),
	CASE("its origin has the line", "[cache]\nlist_ttl_s = 5\n", "goproxy.ini:2\n"),
	CASE("no line feed at the end", "[cache]\nlist_ttl_s = 5", "list_ttl_s = 5 ; /"),
	CASE("no blanks around '='", "[cache]\nlist_ttl_s=5", "list_ttl_s = 5 ; /"),
	CASE("CR LF", "[cache]\r\n\r\nlist_ttl_s = 5\r\ndir = /x\r\n", "dir = /x ; "),
	CASE("upper case", "[CACHE]\nList_TTL_s = 5\n", "list_ttl_s = 5 ; /"),
	CASE("blanks in [ ]", "  [ cache ] \n  list_ttl_s = 5\n", "list_ttl_s = 5 ; /"),
	CASE("a section in two parts", "[cache]\ndir=/x\n[log]\n[cache]\nlist_ttl_s = 5\n",
	     "list_ttl_s = 5 ; /"),
	CASE("a comment behind a value", "[cache]\nlist_ttl_s = 5 ; five\n", "list_ttl_s = 5 ; /"),
	CASE("quotes", "[cache]\ndir = \"/a b\" # x\n", "dir = /a b ; /"),
	CASE("';' in quotes", "[cache]\ndir = \"/a;b#c\"\n", "dir = \"/a;b#c\" ; /"),
	CASE("single quotes", "[cache]\ndir = '/a;b'\n", "dir = \"/a;b\" ; /"),
	CASE("'=' in a value", "[cache]\ndir = /a=b\n", "dir = /a=b ; /"),
	CASE("an empty value where it is allowed", "[server]\nprefix =\n", "prefix = ; /"),
	CASE("the same in quotes", "[server]\nprefix = \"\" ; none\n", "prefix = ; /"),
	CASE("the same with a comment", "[server]\nprefix = ; none\n", "prefix = ; /"),
	CASE("UTF-8", "; \xc3\xa9\n[cache]\ndir = /\xc3\xa9\n", "dir = /\xc3\xa9 ; /"),
	CASE("'/' at a path's end is cut", "[cache]\ndir = /x//\n", "dir = /x ; /"),
	CASE("a chain", "[upstream]\nchain = a.example/ | off\n",
	     "chain = https://a.example|off ; /"),
	CASE_NOT("a password doesn't show", "[upstream]\nchain = https://u:secret@a.example\n",
		 "chain = https://a.example ; /", "secret"),
	CASE("hosts", "[upstream]\nredirect_private = A.example , [::1]:80\n",
	     "redirect_private = a.example,[::1]:80 ; /"),
	CASE("a level", "[log]\nlevel = DEBUG\n", "level = debug ; /"),
	CASE("two databases",
	     "[sumdb]\ndatabases = " KEY_ONE " http://h/x/, " KEY_TWO "\n",
	     "databases = " KEY_ONE " http://h/x, " KEY_TWO " ; /"),
	CASE("no database", "[sumdb]\ndatabases =\n", "databases = ; /"),
	CASE("a known one by its name", "[sumdb]\ngosumdb = sum.golang.org\n",
	     "gosumdb = sum.golang.org ; /"),
	CASE("with a URL", "[sumdb]\ngosumdb = sum.golang.org https://h/x/\n",
	     "gosumdb = sum.golang.org https://h/x ; /"),
	CASE("with its key", "[sumdb]\ngosumdb = sum.golang.org+033de0ae+"
	     "Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8\n", "gosumdb = sum.golang.org ; /"),
	CASE("the go command's alias", "[sumdb]\ngosumdb = sum.golang.google.cn\n",
	     "gosumdb = sum.golang.org https://sum.golang.google.cn ; /"),
	CASE("another with its key and URL", "[sumdb]\ngosumdb = " KEY_ONE " http://h\n",
	     "gosumdb = " KEY_ONE " http://h ; /"),
	CASE("none", "[sumdb]\ngosumdb = off\n", "gosumdb = off ; /"),
	CASE("patterns", "[sumdb]\nnosumdb = *.corp.example , ,a/[b-d]?\n",
	     "nosumdb = *.corp.example,a/[b-d]? ; /"),
	CASE("policy", "[sumdb]\npolicy = *.a = allow,b.c=Deny , d=require\n",
	     "policy = *.a=allow,b.c=deny,d=require ; /"),
	CASE("pin", "[sumdb]\nunreachable = pin\n", "unreachable = pin ; /"),

	CASE("unknown key", "[cache]\nlist_tll_s = 5\n",
	     ":2: [cache] has no key 'list_tll_s'; did you mean [cache] list_ttl_s?"),
	CASE("a key of another section", "[server]\ndir = /x\n", "did you mean [cache] dir?"),
	CASE("a key's beginning", "[upstream]\nsilence = 5\n",
	     "did you mean [upstream] silence_timeout_s?"),
	CASE("a key like none", "[log]\nxyzzyxyzzy = 5\n", "; there are level"),
	CASE("unknown section", "[cahce]\ndir = /x\n",
	     ":1: unknown section [cahce]; did you mean [cache]?"),
	CASE("a section like none", "[xyzzyxyzzy]\n", "there are [server], [log], [cache]"),
	CASE("no section", "dir = /x\n", ":1: 'dir' stands before the first [section]"),
	CASE("a key twice", "[cache]\nlist_ttl_s = 5\n[cache]\nLIST_TTL_S = 6\n",
	     ":4: [cache] list_ttl_s is set already in line 2"),
	CASE("a number with a unit", "[cache]\nlist_ttl_s = 5s\n",
	     "[cache] list_ttl_s: '5s' is not allowed: a whole number from 0 to 31536000"),
	CASE("too large", "[server]\nthreads = 257\n", "a whole number from 1 to 256"),
	CASE("too small", "[server]\nthreads = 0\n", "'0' is not allowed"),
	CASE("negative", "[cache]\nlist_ttl_s = -1\n", "'-1' is not allowed"),
	CASE("hexadecimal", "[cache]\nlist_ttl_s = 0x10\n", "'0x10' is not allowed"),
	CASE("over 64 bits", "[cache]\nlist_ttl_s = 18446744073709551621\n", "is not allowed"),
	CASE("an empty number", "[cache]\nlist_ttl_s =\n", "'' is not allowed: a whole number"),
	CASE("an empty chain", "[upstream]\nchain =\n", "the chain has no element"),
	CASE("a relative path", "[cache]\ndir = cache\n", "'cache' is not allowed: an absolute"),
	CASE("'~'", "[cache]\ndir = ~/x\n", "not expanded"),
	CASE("a level that isn't", "[log]\nlevel = loud\n", "error, warn, info or debug"),
	CASE("a prefix without '/'", "[server]\nprefix = goproxy\n", "begins with '/'"),
	CASE("a prefix with '/' at its end", "[server]\nprefix = /goproxy/\n", "end in '/'"),
	CASE("a prefix of '/'", "[server]\nprefix = /\n", "'/' is not allowed"),
	CASE("a prefix with '..'", "[server]\nprefix = /a/..\n", "is not allowed"),
	CASE("a netrc that isn't there", "[upstream]\nnetrc = /nonexistent/netrc\n",
	     "of a file that is there"),
	CASE("hosts with a scheme", "[upstream]\nredirect_private = http://a\n", "HOST or HOST"),
	CASE("a listen address of words", "[server]\nlisten = everywhere:80\n",
	     "'everywhere:80' is not allowed: its address"),
	CASE("a database with a wrong key", "[sumdb]\ndatabases = a.example+1+Az https://a\n",
	     "no hash of 8 hexadecimal digits"),
	CASE("a database without key", "[sumdb]\ndatabases = a.example https://a\n",
	     "other databases need their key"),
	CASE("a database twice", "[sumdb]\ndatabases = " KEY_ONE "," KEY_ONE " http://b\n",
	     "named twice"),
	CASE_NOT("a database's password doesn't show",
		 "[sumdb]\ndatabases = " KEY_ONE " ftp://u:secret@b\n", "only https and http", "secret"),
	CASE_NOT("nor one with a ','",
		 "[sumdb]\ndatabases = sum.golang.org https://u:secret,x@h\n", "%2C", "secret"),
	CASE("a pattern that can't match", "[sumdb]\nnosumdb = a//b\n", "'a//b' is not allowed"),
	CASE("nor this", "[sumdb]\npolicy = a b=deny\n", "'a b=deny' is not allowed"),
	CASE("gosumdb of two", "[sumdb]\ngosumdb = sum.golang.org, " KEY_ONE "\n", "or off"),
	CASE("gosumdb with more behind", "[sumdb]\ngosumdb = sum.golang.org https://a b\n",
	     "nothing behind them"),
	CASE("a malformed pattern", "[sumdb]\nnosumdb = a/[b\n", "'a/[b' is not allowed"),
	CASE("an unknown policy", "[sumdb]\npolicy = a=forbid\n", "PATTERN=require"),
	CASE("a policy for nothing", "[sumdb]\npolicy = allow\n", "PATTERN=require"),
	CASE("an unknown word", "[sumdb]\nunreachable = wait\n", "fail or pin"),

	CASE("';' in a bare value", "[cache]\ndir = /a;b\n", ":2: a value with ';' or '#'"),
	CASE("'#' in a bare value", "[cache]\ndir = /a#b\n", ":2: a value with ';' or '#'"),
	CASE("an open quote", "[cache]\ndir = \"/a\n", ":2: the closing quote is missing"),
	CASE("text behind a quote", "[cache]\ndir = \"/a\"b\n", "only a comment may follow"),
	CASE("a backslash in a value", "[cache]\ndir = /a\\b\n", "'\\' is not allowed"),
	CASE("a value that goes on", "[cache]\ndir = /a \\\n/b\n", "'\\'"),
	CASE("a comment that would swallow a line", "[cache]\n; C:\\\ndir = /a\n",
	     ":2: a line must not end in '\\'"),
	CASE("a line without '='", "[cache]\ndir /a\n", ":2: neither a comment nor"),
	CASE("a line that begins with '='", "[cache]\n= /a\n", ":2: neither a comment nor"),
	CASE("text behind a section", "[cache] ; dir=/x\n", ":1: a section is written [name]"),
	CASE("an open section", "[cache\ndir = /x\n", ":1: a section is written [name]"),
	CASE("no name of a section", "[]\n", ":1: unknown section []"),
	CASE("byte order mark", "\xef\xbb\xbf[cache]\ndir = /x\n", ":1: begins with a byte order"),
	CASE("NUL", "[cache]\ndir = /a\0b\n", ":2: a control byte"),
	CASE("CR within", "[cache]\rdir = /a\n", ":1: a control byte"),
	CASE("a binary file", "\x7f" "ELF\x02\x01\x01\0\0\0", ":1: a control byte"),
	CASE("UTF-16", "\xff\xfe[\0c\0a\0c\0h\0e\0]\0", ":1: a control byte"),
	CASE("HTML", "<!DOCTYPE html>\n<html>\n", ":2: neither a comment nor"),
	CASE("a line over the library's", "[cache]\ndir = /" LONG "\n", ":2: longer than 1000"),
	CASE("a comment over the library's", ";" LONG "\n[cache]\ndir = /x\n", ":1: longer than"),
	CASE("the lines behind are checked, too", "[cache]\ndir = /" LONG "\nlist = 5\n",
	     ":3: [cache] has no key 'list'"),
};

static void test_file(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *said = print(*state, cases[i].ini);

		print_message("%s\n", cases[i].what);
		if (!strstr(said, cases[i].said))
			fail_msg("'%s' isn't in '%s'", cases[i].said, said);
		if (cases[i].not_said && strstr(said, cases[i].not_said))
			fail_msg("'%s' is in '%s'", cases[i].not_said, said);
		free(said);
	}
}

static void test_fields(void **state)
{
	static const char ini[] =
		"[server]\nlisten = 127.0.0.1:9000\nprocesses = 3\nthreads = 4\n"
		"prefix = /go/proxy\nanswer_timeout_s = 5\nrequest_timeout_s = 6\n"
		"send_timeout_s = 7\n"
		"stop_timeout_s = 8\nworkers_file = /run/x\nparked_max = 9\n[log]\nlevel = warn\n"
		"[cache]\ndir = /c\n"
		"list_ttl_s = 10\nnegative_ttl_s = 11\n[upstream]\nchain = a.example|direct\n"
		"connect_timeout_s = 12\nsilence_timeout_s = 13\ntotal_timeout_s = 14\n"
		"small_total_timeout_s = 15\nretries = 1\nredirect_private = h:80\n"
		"netrc = /dev/null\nca_file = /dev/zero\nconnections_max = 17\n"
		"[sumdb]\ngosumdb = " KEY_ONE " https://u@h/\nnosumdb = a.b\n"
		"policy = *.corp=deny,x.y=allow\nunreachable = pin\n";
	struct config config;
	struct buf problems;

	write_file(*state, str_of(ini));
	assert_int_equal(load(*state, &config, &problems), 0);
	assert_string_equal(config.server.listen, "127.0.0.1:9000");
	assert_int_equal(config.server.listen_address.size, sizeof(struct sockaddr_in));
	assert_int_equal(config.server.processes, 3);
	assert_int_equal(config.server.threads, 4);
	assert_string_equal(config.server.prefix, "/go/proxy");
	assert_int_equal(config.server.answer_timeout_s, 5);
	assert_int_equal(config.server.request_timeout_s, 6);
	assert_int_equal(config.server.send_timeout_s, 7);
	assert_int_equal(config.server.stop_timeout_s, 8);
	assert_string_equal(config.server.workers_file, "/run/x");
	assert_int_equal(config.server.parked_max, 9);
	assert_int_equal(config.log.level, LOG_WARN);
	assert_string_equal(config.cache.dir, "/c");
	assert_false(config.cache.dir_is_default);
	assert_int_equal(config.cache.list_ttl_s, 10);
	assert_int_equal(config.cache.negative_ttl_s, 11);
	assert_int_equal(config.upstream.chain.n, 2);
	assert_true(config.upstream.chain.elements[0].any_error);
	assert_int_equal(config.upstream.connect_timeout_s, 12);
	assert_int_equal(config.upstream.silence_timeout_s, 13);
	assert_int_equal(config.upstream.total_timeout_s, 14);
	assert_int_equal(config.upstream.small_total_timeout_s, 15);
	assert_int_equal(config.upstream.retries, 1);
	assert_string_equal(config.upstream.redirect_private, "h:80");
	assert_string_equal(config.upstream.netrc, "/dev/null");
	assert_string_equal(config.upstream.ca_file, "/dev/zero");
	assert_int_equal(config.upstream.connections_max, 17);
	assert_int_equal(config.sumdb.n, 1);
	assert_ptr_equal(config.sumdb.gosumdb, config.sumdb.databases);
	assert_ptr_equal(config.sumdb.toolchain, config.sumdb.databases);
	assert_string_equal(config.sumdb.nosumdb, "a.b");
	assert_int_equal(config_policy_of(&config, STR("git.corp/x")), CONFIG_DENY);
	assert_int_equal(config_policy_of(&config, STR("x.y/z")), CONFIG_ALLOW);
	assert_int_equal(config_policy_of(&config, STR("x.yz")), CONFIG_REQUIRE);
	assert_int_equal(config.sumdb.unreachable, CONFIG_PIN);
	assert_true(config.sumdb.databases[0].has_url && config.sumdb.databases[0].is_served);
	assert_string_equal(config.sumdb.databases[0].key, KEY_ONE);
	assert_string_equal(config.sumdb.databases[0].name, "sum.fixture.test");
	assert_string_equal(config.sumdb.databases[0].url, "https://u@h");
	assert_string_equal(config.sumdb.databases[0].shown, "https://h");
	config_clear(&config);
	buf_clear(&problems);
}

/* The sample changes nothing, neither as shipped nor with every key in effect. */
static void test_sample(void **state)
{
	struct buf sample, bare;
	char *defaults, *shipped, *uncommented;
	struct str rest, line;

	buf_init(&sample, 65536);
	buf_init(&bare, 65536);
	config_sample(&sample);
	assert_false(sample.overflow);
	rest = buf_str(&sample);
	while (str_cut(&rest, '\n', &line)) {
		assert_true(line.n <= 84);
		if (line.n > 1 && line.p[0] == ';' && line.p[1] != ' ')
			line = str_skip(line, 1);
		buf_printf(&bare, "%.*s\n", STR_ARG(line));
	}
	defaults = print(*state, STR(""));
	shipped = print(*state, buf_str(&sample));
	uncommented = print(*state, buf_str(&bare));
	assert_string_equal(defaults, shipped);
	assert_null(strstr(uncommented, "default"));
	/* The same but for where it comes from; [cache] dir is chosen either way. */
	for (char *a = defaults, *b = uncommented; *a && *b; a++, b++) {
		size_t n = strcspn(a, ";\n"), m = strcspn(b, ";\n");

		assert_int_equal(n, m);
		assert_memory_equal(a, b, n);
		a += strcspn(a, "\n");
		b += strcspn(b, "\n");
	}
	free(defaults);
	free(shipped);
	free(uncommented);
	buf_clear(&sample);
	buf_clear(&bare);
}

static const struct {
	const char *what, *name, *value, *name2, *value2, *said;
} env_cases[] = {
	{ "beats the file", "GOPROXY_CACHE_LIST_TTL_S", "7", NULL, NULL,
	  "list_ttl_s = 7 ; $GOPROXY_CACHE_LIST_TTL_S\n" },
	{ "empty counts as not set", "GOPROXY_CACHE_LIST_TTL_S", "", NULL, NULL,
	  "list_ttl_s = 5 ; /" },
	{ "a wrong value", "GOPROXY_CACHE_LIST_TTL_S", "x", NULL, NULL,
	  "$GOPROXY_CACHE_LIST_TTL_S: [cache] list_ttl_s: 'x' is not allowed" },
	{ "';' and '#' and '\\' are nothing special", "GOPROXY_CACHE_DIR", "/a;b#c\\", NULL, NULL,
	  "dir = \"/a;b#c\\\" ; $GOPROXY_CACHE_DIR" },
	{ "GOPROXY is the chain", "GOPROXY", "a.example,direct", NULL, NULL,
	  "chain = https://a.example,direct ; $GOPROXY\n" },
	{ "GOPROXY_UPSTREAM_CHAIN is stronger", "GOPROXY", "file:///x", "GOPROXY_UPSTREAM_CHAIN",
	  "off", "chain = off ; $GOPROXY_UPSTREAM_CHAIN\n" },
	{ "a wrong GOPROXY", "GOPROXY", "file:///x", NULL, NULL,
	  "$GOPROXY: [upstream] chain: 'file:///x' is not allowed: file:// is not supported" },
	{ "a name of a known section", "GOPROXY_CACHE_DIRR", "/x", NULL, NULL,
	  "$GOPROXY_CACHE_DIRR: unknown variable; did you mean GOPROXY_CACHE_DIR?" },
	{ "even an empty one", "GOPROXY_LOG_LEVELS", "", NULL, NULL, "GOPROXY_LOG_LEVEL?" },
	{ "a section misspelt", "GOPROXY_CAHCE_DIR", "/x", NULL, NULL, "GOPROXY_CACHE_DIR?" },
	{ "others are let alone", "GOPROXY_FCGI", "/x", "GOPROXY_CACHED", "y",
	  "list_ttl_s = 5 ; /" },
	{ "a line feed forges no line", "GOPROXY_LOG_LEVEL", "a\nb", NULL, NULL,
	  "[log] level: a control byte is not allowed" },
};

static void test_env(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(env_cases); i++) {
		char *said;

		setenv(env_cases[i].name, env_cases[i].value, 1);
		if (env_cases[i].name2)
			setenv(env_cases[i].name2, env_cases[i].value2, 1);
		said = print(*state, STR("[cache]\nlist_ttl_s = 5\n[upstream]\nchain = direct\n"));
		unsetenv(env_cases[i].name);
		if (env_cases[i].name2)
			unsetenv(env_cases[i].name2);
		print_message("%s\n", env_cases[i].what);
		if (!strstr(said, env_cases[i].said))
			fail_msg("'%s' isn't in '%s'", env_cases[i].said, said);
		free(said);
	}
}

/* Which file is taken, and that one that was named has to be there. */
static void test_find(void **state)
{
	struct place *place = *state;
	struct config config;
	struct buf problems;

	write_file(place, STR("[cache]\nlist_ttl_s = 5\n"));
	assert_int_equal(load(place, &config, &problems), 0);
	assert_string_equal(config_file_used(&config), place->file);
	config_clear(&config);
	assert_null(config_file_used(&config));

	setenv("GOPROXY_CONFIG", "/nonexistent/a.ini", 1);
	assert_int_equal(load(place, &config, &problems), -1);
	assert_string_equal(problems.p,
			    "/nonexistent/a.ini: cannot open it: No such file or directory\n");
	config_clear(&config);
	buf_clear(&problems);

	assert_int_equal(config_load(&config, place->file, place->program, &problems), 0);
	assert_string_equal(config_file_used(&config), place->file);
	config_clear(&config);
	unsetenv("GOPROXY_CONFIG");

	assert_int_equal(config_load(&config, place->dir, place->program, &problems), -1);
	assert_non_null(strstr(problems.p, "not a regular file"));
	config_clear(&config);
	buf_clear(&problems);

	assert_int_equal(config_load(&config, "/dev/null", place->program, &problems), 0);
	config_clear(&config);
	buf_clear(&problems);
}

static void test_all_problems(void **state)
{
	struct buf ini;
	char *said;
	size_t lines = 0;

	buf_init(&ini, 65536);
	buf_add(&ini, STR("[cache]\n"));
	for (int i = 0; i < 100; i++)
		buf_printf(&ini, "wrong_%d = %d\n", i, i);
	said = print(*state, buf_str(&ini));
	for (const char *p = said; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, CONFIG_PROBLEMS_MAX);
	assert_non_null(strstr(said, "\nthere are further problems\n"));
	free(said);
	buf_clear(&ini);

	/* One of each source. */
	setenv("GOPROXY_LOG_LEVEL", "x", 1);
	said = print(*state, STR("[cache]\nlist_ttl_s = x\n[upstream]\nretries = y\nz = 1\n"));
	unsetenv("GOPROXY_LOG_LEVEL");
	assert_non_null(strstr(said, "[cache] list_ttl_s"));
	assert_non_null(strstr(said, "[upstream] retries"));
	assert_non_null(strstr(said, "'z'"));
	assert_non_null(strstr(said, "[log] level"));
	free(said);
}

static const struct {
	const char *text;
	int family; /* 0: refused */
	int port;
} listen_cases[] = {
	{ "127.0.0.1:9000", AF_INET, 9000 },
	{ "localhost:9000", AF_INET, 9000 },
	{ "0.0.0.0:0", AF_INET, 0 },
	{ "[::]:65535", AF_INET6, 65535 },
	{ "[::1]:80", AF_INET6, 80 },
	{ "unix:/run/x.sock", AF_UNIX, 0 },
	{ "", 0, 0 },
	{ "9000", 0, 0 },
	{ ":9000", 0, 0 },
	{ "127.0.0.1", 0, 0 },
	{ "127.0.0.1:", 0, 0 },
	{ "127.0.0.1:65536", 0, 0 },
	{ "127.0.0.1:-1", 0, 0 },
	{ "127.1:80", 0, 0 },
	{ "::1:80", 0, 0 },
	{ "[::1]", 0, 0 },
	{ "[127.0.0.1]:80", 0, 0 },
	{ "host.example:80", 0, 0 },
	{ "unix:", 0, 0 },
	{ "unix:run/x.sock", 0, 0 },
	{ "unix:/" HUNDRED TEN, 0, 0 },
	{ "/run/x.sock", 0, 0 },
};

static void test_listen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(listen_cases); i++) {
		struct config_listen listen;
		struct err err = { 0 };
		struct sockaddr_in in;
		int rc = config_listen_parse(str_of(listen_cases[i].text), &listen, &err);

		print_message("%s\n", listen_cases[i].text);
		assert_int_equal(rc, listen_cases[i].family ? 0 : -1);
		assert_int_equal(err.kind, rc ? ERR_CONFIG : ERR_NONE);
		assert_int_equal(listen.address.ss_family, listen_cases[i].family);
		if (rc != 0 || listen_cases[i].family == AF_UNIX)
			continue;
		/* The port lies at the same place for both families. */
		memcpy(&in, &listen.address, sizeof(in));
		assert_int_equal(ntohs(in.sin_port), listen_cases[i].port);
	}
}

static void test_default_cache_dir(void **state)
{
	const struct place *place = *state;
	const char *home = place->dir;
	char html[96], cache[96], home_cache[96];
	struct pool *pool = pool_new();
	struct config_place at = { .uid = 0, .home = home, .program_dir = "/srv/www" };
	struct stat st;

	snprintf(html, sizeof(html), "%s/html", home);
	snprintf(cache, sizeof(cache), "%s/xdg", home);
	snprintf(home_cache, sizeof(home_cache), "%s/.cache/goproxy.fcgi", home);
	assert_string_equal(config_default_cache_dir(pool, &at), "/var/cache/goproxy");

	if (geteuid() == 0)
		assert_int_equal(chown(home, 12345, (gid_t)-1), 0);
	assert_int_equal(stat(home, &st), 0);
	at.uid = st.st_uid;
	assert_string_equal(config_default_cache_dir(pool, &at), home_cache);
	at.document_root = html; /* below home, and not there: public_html */
	assert_string_equal(config_default_cache_dir(pool, &at), home_cache);
	at.document_root = "";
	assert_string_equal(config_default_cache_dir(pool, &at), home_cache);
	at.document_root = home; /* the home is what is served */
	assert_string_equal(config_default_cache_dir(pool, &at), "/srv/www/.goproxy-cache");
	at.document_root = "/";
	assert_string_equal(config_default_cache_dir(pool, &at), "/srv/www/.goproxy-cache");
	at.document_root = NULL;
	at.home = "relative";
	assert_string_equal(config_default_cache_dir(pool, &at), "/srv/www/.goproxy-cache");
	at.home = "/"; /* of another */
	assert_string_equal(config_default_cache_dir(pool, &at), "/srv/www/.goproxy-cache");
	at.home = "/nonexistent/home";
	assert_string_equal(config_default_cache_dir(pool, &at), "/srv/www/.goproxy-cache");
	at.home = NULL;
	assert_string_equal(config_default_cache_dir(pool, &at), "/srv/www/.goproxy-cache");
	at.xdg_cache_home = cache;
	assert_non_null(strstr(config_default_cache_dir(pool, &at), "/xdg/goproxy.fcgi"));
	pool_free(pool);
	if (geteuid() == 0)
		assert_int_equal(chown(home, 0, (gid_t)-1), 0);
}

static void test_cache_dir_make(void **state)
{
	const struct place *place = *state;
	char dir[96], htaccess[128];
	struct config config = { .cache = { .dir = dir, .dir_is_default = true } };
	struct err err = { 0 };
	struct stat st;
	bool root = geteuid() == 0;

	snprintf(dir, sizeof(dir), "%s/.goproxy-cache", place->dir);
	snprintf(htaccess, sizeof(htaccess), "%s/.htaccess", dir);
	/* Root's default is no place of a web server's. */
	if (root) {
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(chown(place->dir, 12345, (gid_t)-1), 0);
		assert_int_equal(seteuid(12345), 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(config_cache_dir_make(&config, &err), 0);
		assert_int_equal(stat(dir, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0700);
		assert_int_equal(stat(htaccess, &st), 0);
		assert_true(st.st_size > 0);
	}
	unlink(htaccess);
	rmdir(dir);
	config.cache.dir_is_default = false;
	assert_int_equal(config_cache_dir_make(&config, &err), 0);
	assert_int_equal(stat(htaccess, &st), -1);
	rmdir(dir);
	config.cache.dir = "/dev/null/x";
	assert_int_equal(config_cache_dir_make(&config, &err), -1);
	assert_non_null(strstr(err.text, "[cache] dir"));
	if (root) {
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(chown(place->dir, 0, (gid_t)-1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sample, setup, teardown),
		cmocka_unit_test_setup_teardown(test_env, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_problems, setup, teardown),
		cmocka_unit_test(test_listen),
		cmocka_unit_test_setup_teardown(test_default_cache_dir, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cache_dir_make, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
