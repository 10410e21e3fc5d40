#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "state/config_option.h"

#define AT(field) offsetof(struct config, field)
#define DAY_S 86400
#define YEAR_S (365 * DAY_S)

const struct config_option config_options[] = {
	{ "server", "listen", CONFIG_LISTEN, AT(server.listen), 0, 0, "",
	  "Where \"goproxy.fcgi serve\" waits for the web server (--listen is stronger).\n"
	  "Not needed where the web server starts the program itself." },
	{ "server", "processes", CONFIG_NUMBER, AT(server.processes), 1, 64, "2",
	  "Worker processes of \"goproxy.fcgi serve\". Two outlive the fall of one." },
	{ "server", "threads", CONFIG_NUMBER, AT(server.threads), 1, 256, "8",
	  "Threads of a worker that answer requests: as many as it has processors, the others\n"
	  "while those wait for a disk. A request that waits for an upstream needs none." },
	{ "server", "prefix", CONFIG_PREFIX, AT(server.prefix), 0, 0, "",
	  "The path below which the web server serves the proxy, such as /goproxy. Needed\n"
	  "only where the server's SCRIPT_NAME and PATH_INFO can't tell." },
	{ "server", "answer_timeout_s", CONFIG_NUMBER, AT(server.answer_timeout_s), 1, 3600, "30",
	  "Seconds that a client waits for the first byte before it gets a 504. The download\n"
	  "goes on without it. Keep it below the web server's own limit." },
	{ "server", "request_timeout_s", CONFIG_NUMBER, AT(server.request_timeout_s), 1, 3600, "10",
	  "Seconds that the web server may take to send a request that it has begun." },
	{ "server", "send_timeout_s", CONFIG_NUMBER, AT(server.send_timeout_s), 1, DAY_S, "300",
	  "Seconds after which a client that takes no byte of its answer is given up." },
	{ "server", "stop_timeout_s", CONFIG_NUMBER, AT(server.stop_timeout_s), 0, 3600, "30",
	  "Seconds that running requests are given at a stop or reload." },
	{ "server", "workers_file", CONFIG_PATH, AT(server.workers_file), 0, 0, "",
	  "A file that \"goproxy.fcgi serve\" keeps the process ids of its workers in, one a\n"
	  "line." },
	{ "server", "parked_max", CONFIG_NUMBER, AT(server.parked_max), 1, 1000000, "10000",
	  "Requests of one process that may wait for upstreams at once; more get a 503." },
	{ "server", "sendfile", CONFIG_SENDFILE, AT(server.sendfile), 0, 0, "",
	  "Have the web server send kept files: by X-Accel-Redirect below an internal path\n"
	  "of nginx, or by X-Sendfile of lighttpd and mod_xsendfile. Only if set up there as\n"
	  "well. Not set: we send them. Not needed where it looks into the store first." },

	{ "log", "level", CONFIG_LEVEL, AT(log.level), 0, 0, "info",
	  "How much is written to the web server's error log: each level with those before\n"
	  "it." },

	{ "cache", "dir", CONFIG_PATH, AT(cache.dir), 0, 0, "",
	  "The directory of the store. Not set: as root /var/cache/goproxy; else goproxy.fcgi\n"
	  "in $XDG_CACHE_HOME or $HOME/.cache, if that is the user's and outside the document\n"
	  "root; else .goproxy-cache beside the program, closed to browsers by .htaccess." },
	{ "cache", "list_ttl_s", CONFIG_NUMBER, AT(cache.list_ttl_s), 0, YEAR_S, "60",
	  "Seconds before a list of versions, @latest or the answer for a branch is asked for\n"
	  "again. 0: each time." },
	{ "cache", "negative_ttl_s", CONFIG_NUMBER, AT(cache.negative_ttl_s), 0, YEAR_S, "60",
	  "Seconds for which \"not found\" is remembered if an upstream said so. 0: never." },

	{ "upstream", "chain", CONFIG_CHAIN, AT(upstream.chain), 0, 0,
	  "https://goproxy.cn,https://goproxy.io,direct",
	  "Whom to ask, in this order, by GOPROXY's syntax: behind ',' the next is asked at\n"
	  "404 and 410 only, behind '|' at any error. The variable GOPROXY sets it, too.\n"
	  "A ',' or '|' in a password is written %2C or %7C." },
	{ "upstream", "connect_timeout_s", CONFIG_NUMBER, AT(upstream.connect_timeout_s), 1, 300,
	  "5",
	  "Seconds to connect to an upstream, TLS included." },
	{ "upstream", "silence_timeout_s", CONFIG_NUMBER, AT(upstream.silence_timeout_s), 1, 3600,
	  "20",
	  "Seconds without a byte after which a download is given up." },
	{ "upstream", "total_timeout_s", CONFIG_NUMBER, AT(upstream.total_timeout_s), 1, DAY_S,
	  "900",
	  "Seconds that a whole download may take, however lively." },
	{ "upstream", "small_total_timeout_s", CONFIG_NUMBER, AT(upstream.small_total_timeout_s), 1,
	  DAY_S, "60",
	  "The same for everything but zips; the smaller of both counts." },
	{ "upstream", "retries", CONFIG_NUMBER, AT(upstream.retries), 0, 10, "2",
	  "How often the same upstream is asked again after a failure that may pass." },
	{ "upstream", "redirect_private", CONFIG_HOSTS, AT(upstream.redirect_private), 0, 0, "",
	  "Hosts that an upstream's redirect may lead to although their address is private\n"
	  "(loopback, 10.0.0.0/8 and the like). Not set: no redirect to such an address." },
	{ "upstream", "netrc", CONFIG_FILE, AT(upstream.netrc), 0, 0, "",
	  "A netrc file with users and passwords of upstreams. No browser must be able to\n"
	  "fetch it." },
	{ "upstream", "ca_file", CONFIG_FILE, AT(upstream.ca_file), 0, 0, "",
	  "A PEM file of the certificate authorities that upstreams are checked against.\n"
	  "Not set: the system's." },
	{ "upstream", "connections_max", CONFIG_NUMBER, AT(upstream.connections_max), 1, 4096, "1000",
	  "Connections that one process holds to one upstream host. They are opened when\n"
	  "needed and shared by HTTP/2; a low number lets hanging fetches hold up others." },
	{ "upstream", "read_ahead", CONFIG_READ_AHEAD, AT(upstream.read_ahead), 0, 0, "off",
	  "Who asks for an .info will mostly want more: fetch the .mod at once, or the .zip\n"
	  "behind it, too. Of use with a distant upstream, if clients download what they\n"
	  "look at; not by CGI." },
	{ "upstream", "read_ahead_mb", CONFIG_NUMBER, AT(upstream.read_ahead_mb), 1, 100000, "64",
	  "Megabytes of zips that a process reads ahead at once. What would be more, or\n"
	  "doesn't tell its length, is fetched when somebody asks for it." },

	{ "direct", "modules", CONFIG_PATTERNS, AT(direct.modules), 0, 0, "",
	  "Modules that are always fetched from their repositories, whatever the chain says,\n"
	  "as in GONOPROXY. For these and for private ones alone netrc, tokens and ssh_key\n"
	  "are used: all others are what anybody could get." },
	{ "direct", "insecure", CONFIG_PATTERNS, AT(direct.insecure), 0, 0, "",
	  "Modules whose repository may be looked up and fetched by plain http, where https\n"
	  "fails, as in GOINSECURE." },
	{ "direct", "vcs", CONFIG_VCS, AT(direct.vcs), 0, 0, "",
	  "Which version control systems may be used for which repositories, as in GOVCS;\n"
	  "private and public stand for modules that [private] modules names, or not. Only\n"
	  "git is spoken here; for the others the answer is a 404 that says so." },
	{ "direct", "private_hosts", CONFIG_HOSTS, AT(direct.private_hosts), 0, 0, "",
	  "Hosts of repositories that may lie at private addresses (loopback, 10.0.0.0/8 and\n"
	  "the like). All others are refused there, whoever names them." },
	{ "direct", "rewrite", CONFIG_REWRITE, AT(direct.rewrite), 0, 0, "",
	  "Other URLs for repositories, as git's insteadOf: git.example.com/ for\n"
	  "https://git.example.com/. By ssh:// with ssh_key." },
	{ "direct", "git", CONFIG_FILE, AT(direct.git), 0, 0, "",
	  "The git program. Not set: the one that PATH names." },
	{ "direct", "ssh_key", CONFIG_FILE, AT(direct.ssh_key), 0, 0, "",
	  "The private key, without passphrase, for repositories at ssh:// URLs; or a\n"
	  "directory with such files, named by their hosts. Not set: no ssh." },
	{ "direct", "ssh_known_hosts", CONFIG_FILE, AT(direct.ssh_known_hosts), 0, 0, "",
	  "The keys of ssh hosts, as in ~/.ssh/known_hosts; hosts not in it are refused" },
	{ "direct", "tokens", CONFIG_FILE, AT(direct.tokens), 0, 0, "",
	  "A file with a line \"HOST TOKEN\" for each https host that wants a bearer token.\n"
	  "Users and passwords stand in [upstream] netrc. Close it to all browsers." },
	{ "direct", "parallel", CONFIG_NUMBER, AT(direct.parallel), 1, 64, "4",
	  "Repositories that a process asks at once; other requests for them wait." },
	{ "direct", "repository_mb", CONFIG_NUMBER, AT(direct.repository_mb), 1, 1000000, "2048",
	  "Megabytes that may be fetched from a repository at once." },
	{ "direct", "quota_mb", CONFIG_NUMBER, AT(direct.quota_mb), 0, 100000000, "4096",
	  "Megabytes that all fetched parts of repositories may take together, below vcs in\n"
	  "the store; those not used for the longest time go first." },
	{ "direct", "keep_days", CONFIG_NUMBER, AT(direct.keep_days), 0, 3650, "7",
	  "Days after which an unused one goes. 0: within the hour." },

	{ "sumdb", "gosumdb", CONFIG_SUMDB, AT(sumdb), 0, 0, "sum.golang.org",
	  "The checksum database that every public module is checked against before it is\n"
	  "kept, in GOSUMDB's forms. Without URL it is asked through the chain's proxies that\n"
	  "offer it, then directly. off: nothing is checked but golang.org/toolchain." },
	{ "sumdb", "nosumdb", CONFIG_PATTERNS, AT(sumdb.nosumdb), 0, 0, "",
	  "Modules that aren't checked and whose names no database hears, as in GONOSUMDB or\n"
	  "GOPRIVATE." },
	{ "sumdb", "policy", CONFIG_POLICY, AT(sumdb.policy), 0, 0, "",
	  "What to do with modules that the database doesn't know; the first pattern counts,\n"
	  "require without any. require: 403. allow: serve them unproven, on the word of the\n"
	  "source that is asked. deny: 403 for all that match, known or not, asking nobody." },
	{ "sumdb", "unreachable", CONFIG_UNREACHABLE, AT(sumdb.unreachable), 0, 0, "fail",
	  "While the database can't be asked: fail with a 503, or pin what is seen first and\n"
	  "prove it in the background later, replacing it loudly if it was wrong." },
	{ "sumdb", "databases", CONFIG_SUMDBS, AT(sumdb), 0, 0, "",
	  "More checksum databases that clients reach below /sumdb/NAME/, verified here; that\n"
	  "of gosumdb is always among them." },

	{ "private", "modules", CONFIG_PATTERNS, AT(private_.modules), 0, 0, "",
	  "Private modules, by patterns as in GOPRIVATE; the case of letters doesn't count.\n"
	  "They are kept in DIR/private, given only to those whom read names, and no proxy\n"
	  "of the chain and no checksum database hears their names." },
	{ "private", "read", CONFIG_ACCESS, AT(private_.read), 0, 0, "",
	  "Who may have them. The first pattern that matches counts; without any nobody may.\n"
	  "Users, @groups, *: whoever the web server or a token has identified, anonymous:\n"
	  "everybody. Such as: corp.example/secret/* = @sec alice, corp.example/* = *" },
	{ "private", "write", CONFIG_ACCESS, AT(private_.write), 0, 0, "",
	  "Who may upload them by PUT, in the same way." },
	{ "private", "groups_file", CONFIG_FILE, AT(private_.groups_file), 0, 0, "",
	  "The groups, \"GROUP: USER USER\" a line, as Apache's AuthGroupFile has them. It is\n"
	  "read again when it changes." },
	{ "private", "tokens_file", CONFIG_FILE, AT(private_.tokens_file), 0, 0, "",
	  "Tokens that stand for users, as password (with any user name) or as Bearer: lines\n"
	  "that \"goproxy.fcgi token USER\" makes, a day (2027-12-31) may stand behind. It is\n"
	  "read again when it changes." },
	{ "private", "client_cert", CONFIG_CLIENT_CERT, AT(private_.client_cert), 0, 0, "off",
	  "cn: the common name in a client's certificate is its user, if the web server says\n"
	  "by SSL_CLIENT_VERIFY that it has verified it, and SSL_CLIENT_S_DN_CN is the name." },
	{ "private", "refuse", CONFIG_REFUSE, AT(private_.refuse), 0, 0, "403",
	  "What is answered to who may not: 403 (401 to nobody in particular), or 404, as if\n"
	  "there were no such module. At 404 the go command asks the next proxy of its own\n"
	  "list, which hears the name." },
};

const size_t config_options_n = ARRAY_LEN(config_options);

_Static_assert(ARRAY_LEN(config_options) <= CONFIG_OPTIONS_MAX, "CONFIG_OPTIONS_MAX");

long config_option_find(struct str section, struct str key)
{
	for (size_t i = 0; i < config_options_n; i++)
		if (str_is_equal_nocase(section, str_of(config_options[i].section)) &&
		    str_is_equal_nocase(key, str_of(config_options[i].key)))
			return (long)i;
	return -1;
}

bool config_section_is_known(struct str section)
{
	for (size_t i = 0; i < config_options_n; i++)
		if (str_is_equal_nocase(section, str_of(config_options[i].section)))
			return true;
	return false;
}

const char *config_option_env(struct pool *pool, const struct config_option *option)
{
	char *name = pool_cstr(pool, pool_printf(pool, "GOPROXY_%s_%s", option->section,
						 option->key));

	for (char *p = name; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return name;
}

void config_option_allowed(const struct config_option *option, struct buf *buf)
{
	static const char *const texts[] = {
		[CONFIG_PATH] = "an absolute path ('~' and variables are not expanded), or nothing",
		[CONFIG_FILE] = "the absolute path of a file that is there, or nothing",
		[CONFIG_PREFIX] = "nothing, or a path that begins with '/' and doesn't end in '/'",
		[CONFIG_HOSTS] = "HOST or HOST:PORT, separated by ',', or nothing",
		[CONFIG_LEVEL] = "error, warn, info or debug",
		[CONFIG_LISTEN] =
			"unix:/absolute/path or ADDRESS:PORT, an IPv6 ADDRESS in brackets",
		[CONFIG_CHAIN] = "https:// or http:// URLs, direct or off, separated by ',' or '|'",
		[CONFIG_SUMDB] = "sum.golang.org, NAME+HASH+KEY, either with \" URL\" behind it, or off",
		[CONFIG_SUMDBS] = "the forms of gosumdb, separated by ',', or nothing",
		[CONFIG_PATTERNS] = "patterns of module paths or their beginnings, separated by ','",
		[CONFIG_POLICY] = "PATTERN=require, PATTERN=allow or PATTERN=deny, separated by ','",
		[CONFIG_UNREACHABLE] = "fail or pin",
		[CONFIG_READ_AHEAD] = "off, mod or zip",
		[CONFIG_VCS] = "PATTERN:SYSTEM, several by '|', separated by ','; also off and all",
		[CONFIG_REWRITE] = "HOST/PATH/=URL/ with an https, ssh or http URL, separated by ','",
		[CONFIG_ACCESS] = "PATTERN = WHO WHO ..., separated by ',', or nothing",
		[CONFIG_CLIENT_CERT] = "off or cn",
		[CONFIG_REFUSE] = "403 or 404",
		[CONFIG_SENDFILE] = "x-sendfile, or x-accel:/PATH without a '/' at its end, or nothing",
	};

	if (option->type == CONFIG_NUMBER)
		buf_printf(buf, "a whole number from %d to %d", option->min, option->max);
	else
		buf_add(buf, str_of(texts[option->type]));
}

static void sample_option(const struct config_option *option, struct buf *buf)
{
	struct str about = str_of(option->about);
	struct str line;

	buf_add_char(buf, '\n');
	while (str_cut(&about, '\n', &line))
		buf_printf(buf, "; %.*s\n", STR_ARG(line));
	buf_add(buf, STR("; Allowed: "));
	config_option_allowed(option, buf);
	buf_printf(buf, ".\n;%s =%s%s\n", option->key, *option->fallback ? " " : "",
		   option->fallback);
}

static const char sample_head[] =
	"; goproxy.ini - the settings of goproxy.fcgi, a Go module proxy.\n"
	";\n"
	"; Printed by \"goproxy.fcgi sample-config\". Every key is shown with its default and\n"
	"; commented out: take the ';' away to change it. \"goproxy.fcgi check-config\" tells\n"
	"; what is in effect, and from where.\n"
	";\n"
	"; The file is looked for as: --config FILE, $GOPROXY_CONFIG, goproxy.ini beside the\n"
	"; program, /etc/goproxy/goproxy.ini; the first is taken. The environment is\n"
	"; stronger: [cache] dir is GOPROXY_CACHE_DIR there, and so on; an empty variable\n"
	"; counts as not set. Beside a program that the web server serves, close this file\n"
	"; to browsers, as the .htaccess among the examples does.\n"
	";\n"
	"; A comment begins with ';' or '#'. A value that holds one of them stands in double\n"
	"; quotes. A line has at most 1000 bytes; no '\\' within values or at a line's end.\n";

void config_sample(struct buf *buf)
{
	buf_add(buf, str_of(sample_head));
	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *option = &config_options[i];

		if (i == 0 || strcmp(option->section, config_options[i - 1].section) != 0)
			buf_printf(buf, "\n\n[%s]\n", option->section);
		sample_option(option, buf);
	}
}

/*
 * Edits (insert, delete, replace) from a to b, in any case; names longer than
 * the row are far from all.
 */
static size_t edit_distance(struct str a, struct str b)
{
	size_t row[64];

	if (a.n >= ARRAY_LEN(row) || b.n >= ARRAY_LEN(row))
		return ARRAY_LEN(row);
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			bool same = tolower((unsigned char)a.p[i - 1]) ==
				    tolower((unsigned char)b.p[j - 1]);
			size_t best = diagonal + (same ? 0 : 1);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b.n];
}

/* So many edits still look like a slip of the hand. */
static size_t near_enough(struct str name)
{
	return name.n / 3 > 2 ? name.n / 3 : 2;
}

const char *config_nearest_section(struct pool *pool, struct str section)
{
	const char *nearest = NULL;
	size_t best = near_enough(section) + 1;
	struct buf all;
	const char *text;

	buf_init(&all, 1024);
	for (size_t i = 0; i < config_options_n; i++) {
		const char *name = config_options[i].section;
		size_t distance = edit_distance(section, str_of(name));

		if (i > 0 && strcmp(name, config_options[i - 1].section) == 0)
			continue;
		buf_printf(&all, "%s[%s]", i > 0 ? ", " : "", name);
		if (distance < best) {
			best = distance;
			nearest = name;
		}
	}
	text = nearest ? pool_printf(pool, "; did you mean [%s]?", nearest).p :
			 pool_printf(pool, "; there are %s", all.p).p;
	buf_clear(&all);
	return text;
}

/* A key's beginning stands for it: who writes "silence" means silence_timeout_s. */
static size_t key_distance(struct str key, struct str known)
{
	size_t distance = edit_distance(key, known);

	if (key.n >= 4 && distance > 2 && str_has_prefix(known, key))
		return 2;
	return distance;
}

static const char *keys_of(struct pool *pool, struct str section)
{
	struct str keys = STR("");

	for (size_t i = 0; i < config_options_n; i++)
		if (str_is_equal_nocase(section, str_of(config_options[i].section)))
			keys = pool_printf(pool, "%.*s%s%s", STR_ARG(keys), keys.n ? ", " : "",
					   config_options[i].key);
	return pool_printf(pool, "; there are %.*s", STR_ARG(keys)).p;
}

const char *config_nearest_key(struct pool *pool, struct str section, struct str key)
{
	const struct config_option *nearest = NULL;
	size_t best = 2 * near_enough(key) + 2;

	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *option = &config_options[i];
		bool here = str_is_equal_nocase(section, str_of(option->section));
		/* Of two that are equally near, the one of this section. */
		size_t distance = 2 * key_distance(key, str_of(option->key)) + (here ? 0 : 1);

		if (distance < best) {
			best = distance;
			nearest = option;
		}
	}
	if (nearest)
		return pool_printf(pool, "; did you mean [%s] %s?", nearest->section,
				   nearest->key).p;
	return keys_of(pool, section);
}

static bool env_has_known_section(struct str name)
{
	struct str section;
	struct str rest = str_skip(name, strlen("GOPROXY_"));

	return str_has_char(rest, '_') && str_cut(&rest, '_', &section) &&
	       config_section_is_known(section);
}

const char *config_nearest_env(struct pool *pool, struct str name)
{
	const char *nearest = NULL;
	size_t best = ARRAY_LEN(config_options) * 64;

	for (size_t i = 0; i < config_options_n; i++) {
		const char *known = config_option_env(pool, &config_options[i]);
		size_t distance = edit_distance(name, str_of(known));

		if (distance < best) {
			best = distance;
			nearest = known;
		}
	}
	if (best > 2 && !env_has_known_section(name))
		return "";
	return pool_printf(pool, "; did you mean %s?", nearest).p;
}
