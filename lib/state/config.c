#include "state/config.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state/config_option.h"

#define FILE_NAME "goproxy.ini"
#define SYSTEM_FILE "/etc/goproxy/" FILE_NAME

void config_problem(struct buf *problems, const char *format, ...)
{
	char text[2048];
	size_t lines = str_count(buf_str(problems), '\n');
	va_list args;

	if (lines >= CONFIG_PROBLEMS_MAX)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (lines == CONFIG_PROBLEMS_MAX - 1)
		snprintf(text, sizeof(text), "there are further problems");
	/* One line each, whatever a name or value holds. */
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	buf_printf(problems, "%s\n", text);
}

/* Set one value; the origin is for check-config, the name for a problem. */
static void take(struct config *config, size_t i, const char *text, const char *origin,
		 struct buf *problems)
{
	const struct config_option *option = &config_options[i];
	struct err err;

	if (config_value_set(config, option, str_of(text), &err) != 0) {
		config_problem(problems, "%s: [%s] %s: %s", origin, option->section, option->key,
			       err.text);
		return;
	}
	config->origin[i] = origin;
}

static void take_defaults(struct config *config, struct buf *problems)
{
	size_t before = problems->n;

	for (size_t i = 0; i < config_options_n; i++)
		take(config, i, config_options[i].fallback, "default", problems);
	assert(problems->n == before);
}

/* Absolute if the directory is there; NULL if nothing is known about it. */
static const char *program_dir(struct pool *pool, const char *program_path)
{
	char self[PATH_MAX], dir[PATH_MAX];
	const char *path = program_path;
	ssize_t n;

	if (!path || !strchr(path, '/')) {
		n = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (n <= 0)
			return NULL;
		self[n] = '\0';
		path = self;
	}
	n = strrchr(path, '/') - path;
	path = pool_cstr(pool, n > 0 ? str_head(str_of(path), (size_t)n) : STR("/"));
	return realpath(path, dir) ? pool_cstr(pool, str_of(dir)) : NULL;
}

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* There, or so that opening it will say why it can't be read. */
static bool is_there(const char *path)
{
	return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static const char *find_file(struct pool *pool, const char *option, const char *dir)
{
	const char *path;

	if (option)
		return pool_cstr(pool, str_of(option));
	if (env("GOPROXY_CONFIG"))
		return pool_cstr(pool, str_of(env("GOPROXY_CONFIG")));
	if (dir) {
		path = pool_printf(pool, "%s/" FILE_NAME, strcmp(dir, "/") ? dir : "").p;
		if (is_there(path))
			return path;
	}
	return is_there(SYSTEM_FILE) ? SYSTEM_FILE : NULL;
}

static void take_file(struct config *config, struct buf *problems)
{
	struct config_ini ini;

	/* What could be read is checked even if something else is wrong. */
	config_ini_read(config->file, config->pool, &ini, problems);
	for (size_t i = 0; i < config_options_n; i++)
		if (ini.text[i])
			take(config, i, ini.text[i],
			     pool_printf(config->pool, "%s:%d", config->file, ini.line[i]).p,
			     problems);
}

static void take_env(struct config *config, struct buf *problems)
{
	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *option = &config_options[i];
		const char *name = config_option_env(config->pool, option);

		/* The name that go itself knows is the weaker one. */
		if (option->type == CONFIG_CHAIN && !env(name))
			name = "GOPROXY";
		if (env(name))
			take(config, i, pool_cstr(config->pool, str_of(env(name))),
			     pool_printf(config->pool, "$%s", name).p, problems);
	}
}

static bool is_known_env(struct pool *pool, struct str name)
{
	for (size_t i = 0; i < config_options_n; i++)
		if (str_is_equal(name, str_of(config_option_env(pool, &config_options[i]))))
			return true;
	return str_is_equal(name, STR("GOPROXY_CONFIG"));
}

/* A misspelt variable would be a setting that silently doesn't count. */
static void check_env_names(struct pool *pool, struct buf *problems)
{
	for (char **p = environ; p && *p; p++) {
		struct str rest = str_of(*p);
		struct str name;
		const char *hint;

		if (!str_has_prefix(rest, STR("GOPROXY_")))
			continue;
		if (!str_cut(&rest, '=', &name) || is_known_env(pool, name))
			continue;
		hint = config_nearest_env(pool, name);
		if (*hint)
			config_problem(problems, "$%.*s: unknown variable%s", STR_ARG(name), hint);
	}
}

static void choose_cache_dir(struct config *config, const char *dir)
{
	struct config_place place = {
		.uid = geteuid(),
		.xdg_cache_home = env("XDG_CACHE_HOME"),
		.home = env("HOME"),
		.document_root = env("DOCUMENT_ROOT"),
		.program_dir = dir,
	};

	config->cache.dir_is_default = config->cache.dir[0] == '\0';
	if (config->cache.dir_is_default)
		config->cache.dir = config_default_cache_dir(config->pool, &place);
}

int config_load(struct config *config, const char *config_option, const char *program_path,
		struct buf *problems)
{
	size_t before = problems->n;
	const char *dir;

	*config = (struct config){ .pool = pool_new() };
	dir = program_dir(config->pool, program_path);
	take_defaults(config, problems);
	config->file = find_file(config->pool, config_option, dir);
	if (config->file)
		take_file(config, problems);
	take_env(config, problems);
	check_env_names(config->pool, problems);
	choose_cache_dir(config, dir);
	config_sumdb_finish(config);
	config_private_finish(config);
	return problems->n == before ? 0 : -1;
}

void config_clear(struct config *config)
{
	chain_clear(&config->upstream.chain);
	if (config->pool)
		pool_free(config->pool);
	*config = (struct config){ 0 };
}

const char *config_file_used(const struct config *config)
{
	return config->file;
}

/* In quotes if the bare value would be read otherwise. */
static void print_value(const struct config *config, size_t i, struct buf *buf)
{
	struct buf value;
	const char *quote = "";

	buf_init(&value, (size_t)2 * CHAIN_TEXT_MAX);
	config_value_print(config, i, &value);
	if (str_has_char(buf_str(&value), ';') || str_has_char(buf_str(&value), '#') ||
	    str_has_prefix(buf_str(&value), STR("'")))
		quote = "\"";
	buf_printf(buf, "%s%s%.*s%s", value.n > 0 ? " " : "", quote,
		   STR_ARG(buf_str(&value)), quote);
	buf_clear(&value);
}

void config_print(const struct config *config, struct buf *buf)
{
	buf_printf(buf, "; settings file: %s\n", config->file ? config->file : "none");
	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *option = &config_options[i];

		if (i == 0 || strcmp(option->section, config_options[i - 1].section) != 0)
			buf_printf(buf, "\n[%s]\n", option->section);
		buf_printf(buf, "%s =", option->key);
		print_value(config, i, buf);
		buf_printf(buf, " ; %s\n", config->origin[i]);
	}
}
