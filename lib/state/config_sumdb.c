/*
 * config_sumdb.c - the options of [sumdb].
 *
 * GOSUMDB's forms are those of dbDial() in cmd/go/internal/modfetch/sumdb.go.
 */
#include <string.h>

#include "gomod/module.h"
#include "gomod/note.h"
#include "state/config_option.h"

#define RULES_MAX 64
#define TOOLCHAIN_DATABASE "sum.golang.org"

static const char *const policy_names[] = { "require", "allow", "deny" };

static int refuse(const struct config_option *option, struct pool *pool, struct str text,
		  struct err *err)
{
	struct buf allowed;

	buf_init(&allowed, 512);
	config_option_allowed(option, &allowed);
	err_set(err, ERR_CONFIG, "'%.*s' is not allowed: %.*s",
		STR_ARG(str_head(chain_redact(pool, text), 200)), STR_ARG(buf_str(&allowed)));
	buf_clear(&allowed);
	return -1;
}

/*
 * By golang.org/x/mod/sumdb/note a name holds neither blanks nor '+'; as it
 * is also part of a URL and of the store's paths, it has to look like one.
 */
static bool is_sumdb_name(struct str name)
{
	struct str element;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !strchr("-._~/", c))
			return false;
	}
	while (str_cut(&name, '/', &element))
		if (element.n == 0 || str_is_equal(element, STR(".")) ||
		    str_is_equal(element, STR("..")))
			return false;
	return true;
}

/* The next word; false if there is none. */
static bool cut_word(struct str *text, struct str *word)
{
	size_t end = 0;

	*text = str_trim(*text);
	while (end < text->n && text->p[end] != ' ' && text->p[end] != '\t')
		end++;
	*word = str_head(*text, end);
	*text = str_skip(*text, end);
	return word->n > 0;
}

/* The alias is cmd/go's. */
static struct str expand_alias(struct str text)
{
	return str_is_equal(text, STR("sum.golang.google.cn"))
		       ? STR("sum.golang.org https://sum.golang.google.cn")
		       : text;
}

/* "KEY" or "KEY URL", the key by itself or by a name that is known. */
static int parse_sumdb(struct pool *pool, struct str text, struct config_sumdb *db,
		       struct err *err)
{
	struct str rest = expand_alias(str_trim(text)), key, url;
	struct config_sumdb got = { .is_served = true };
	struct note_verifier verifier;

	if (!cut_word(&rest, &key))
		return err_set(err, ERR_CONFIG, "a database has no name");
	if (!note_known_key(key, &key) && !str_has_char(key, '+'))
		return err_set(err, ERR_CONFIG, "'%.*s' is not allowed: only sum.golang.org is known by "
			       "its name; other databases need their key, NAME+HASH+KEY",
			       STR_ARG(str_head(chain_redact(pool, text), 200)));
	got.key = pool_cstr(pool, key);
	if (note_verifier_parse(str_of(got.key), &verifier, err) != 0)
		return err_wrap(err, "'%.*s' is not allowed", STR_ARG(str_trim(chain_redact(pool, text))));
	if (!is_sumdb_name(verifier.name))
		return err_set(err, ERR_CONFIG, "'%.*s' is not allowed: the name of a database is a "
			       "host, or a host and a path", STR_ARG(verifier.name));
	got.name = pool_cstr(pool, verifier.name);
	got.has_url = cut_word(&rest, &url);
	if (!got.has_url)
		url = pool_printf(pool, "https://%s", got.name);
	if (str_trim(rest).n > 0)
		return err_set(err, ERR_CONFIG, "'%.*s' is not allowed: a key and a URL, nothing behind "
			       "them", STR_ARG(str_head(chain_redact(pool, text), 200)));
	if (chain_url_parse(pool, url, &got.url, &got.shown, err) != 0)
		return err_wrap(err, "'%.*s' is not allowed", STR_ARG(chain_redact(pool, text)));
	*db = got;
	return 0;
}

static bool has_sumdb(const struct config_sumdb *databases, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(databases[i].name, name) == 0)
			return true;
	return false;
}

static int set_sumdbs(struct config *config, struct str text, struct config_sumdb_list *list,
		      struct err *err)
{
	struct config_sumdb *items = pool_alloc(config->pool, CONFIG_SUMDBS_MAX * sizeof(*items));
	struct str item, all = text;
	size_t n = 0;

	while (text.n > 0 && str_cut(&text, ',', &item)) {
		if (str_trim(item).n == 0)
			continue;
		if (n == CONFIG_SUMDBS_MAX)
			return err_set(err, ERR_CONFIG, "there are more than %d databases",
				       CONFIG_SUMDBS_MAX);
		if (parse_sumdb(config->pool, item, &items[n], err) != 0) {
			/* A ',' in a password cuts it in two, and neither half looks like one. */
			if (str_has_char(all, '@') && !str_has_char(item, '@'))
				err_set(err, ERR_CONFIG, "'...' is not allowed: %s; a ',' in a password is "
					"written %%2C", "a key and a URL, several of them with ',' between");
			return -1;
		}
		if (has_sumdb(items, n, items[n].name))
			return err_set(err, ERR_CONFIG, "'%s' is named twice", items[n].name);
		n++;
	}
	*list = (struct config_sumdb_list){ items, n };
	return 0;
}

static int set_gosumdb(struct config *config, const struct config_option *option, struct str text,
		       struct err *err)
{
	if (str_is_equal(text, STR("off"))) {
		config->sumdb.gosumdb_option.n = 0;
		return 0;
	}
	if (text.n == 0 || str_has_char(text, ','))
		return refuse(option, config->pool, text, err);
	return set_sumdbs(config, text, &config->sumdb.gosumdb_option, err);
}

bool config_can_match(struct str pattern)
{
	return module_is_pattern(pattern) && pattern.p[0] != '/' && str_find_str(pattern, STR("//")) < 0 &&
	       !str_has_char(pattern, ' ') && !str_has_char(pattern, '\t');
}

static int set_patterns(struct config *config, const struct config_option *option, struct str text,
			struct err *err)
{
	struct buf list;
	struct str item;
	int rc = 0;

	buf_init(&list, text.n + 1);
	while (rc == 0 && text.n > 0 && str_cut(&text, ',', &item)) {
		item = str_trim(item);
		if (item.n > 0 && !config_can_match(item))
			rc = refuse(option, config->pool, item, err);
		buf_printf(&list, "%s%.*s", list.n > 0 && item.n > 0 ? "," : "", STR_ARG(item));
	}
	if (rc == 0)
		*(const char **)((char *)config + option->offset) = pool_cstr(config->pool, buf_str(&list));
	buf_clear(&list);
	return rc;
}

static int set_policy(struct config *config, const struct config_option *option, struct str text,
		      struct err *err)
{
	struct config_policy_rule *rules = pool_alloc(config->pool, RULES_MAX * sizeof(*rules));
	struct str item;
	size_t n = 0;

	while (text.n > 0 && str_cut(&text, ',', &item)) {
		long at = str_find_last(item, '=');
		struct str pattern = str_trim(str_head(item, at < 0 ? 0 : (size_t)at));
		int word = config_find_name(str_trim(str_skip(item, (size_t)(at + 1))), policy_names,
					    ARRAY_LEN(policy_names));

		if (str_trim(item).n == 0)
			continue;
		if (pattern.n == 0 || word < 0 || !config_can_match(pattern))
			return refuse(option, config->pool, item, err);
		if (n == RULES_MAX)
			return err_set(err, ERR_CONFIG, "there are more than %d rules", RULES_MAX);
		rules[n++] = (struct config_policy_rule){ pool_cstr(config->pool, pattern),
							  (enum config_policy)word };
	}
	config->sumdb.policy = rules;
	config->sumdb.policy_n = n;
	return 0;
}

int config_sumdb_set(struct config *config, const struct config_option *option, struct str text,
		     struct err *err)
{
	switch (option->type) {
	case CONFIG_SUMDB:
		return set_gosumdb(config, option, text, err);
	case CONFIG_SUMDBS:
		return set_sumdbs(config, text, &config->sumdb.databases_option, err);
	case CONFIG_PATTERNS:
		return set_patterns(config, option, text, err);
	default:
		return set_policy(config, option, text, err);
	}
}

static void print_list(const struct config_sumdb_list *list, struct buf *buf)
{
	struct str key;

	for (size_t i = 0; i < list->n; i++) {
		const struct config_sumdb *db = &list->items[i];

		buf_printf(buf, "%s%s", i > 0 ? ", " : "",
			   note_known_key(str_of(db->name), &key) ? db->name : db->key);
		if (db->has_url)
			buf_printf(buf, " %s", db->shown);
	}
}

void config_sumdb_print(const struct config *config, const struct config_option *option,
			struct buf *buf)
{
	switch (option->type) {
	case CONFIG_SUMDB:
		print_list(&config->sumdb.gosumdb_option, buf);
		if (config->sumdb.gosumdb_option.n == 0)
			buf_add(buf, STR("off"));
		break;
	case CONFIG_SUMDBS:
		print_list(&config->sumdb.databases_option, buf);
		break;
	default:
		for (size_t i = 0; i < config->sumdb.policy_n; i++)
			buf_printf(buf, "%s%s=%s", i > 0 ? "," : "", config->sumdb.policy[i].pattern,
				   policy_names[config->sumdb.policy[i].policy]);
	}
}

static const struct config_sumdb *add_sumdb(struct config *config, const struct config_sumdb *db)
{
	struct config_sumdb *databases = config->sumdb.databases;

	for (size_t i = 0; i < config->sumdb.n; i++)
		if (strcmp(databases[i].name, db->name) == 0)
			return &databases[i];
	databases[config->sumdb.n] = *db;
	return &databases[config->sumdb.n++];
}

void config_sumdb_finish(struct config *config)
{
	struct config_sumdb known = { .name = TOOLCHAIN_DATABASE };
	struct err err;

	config->sumdb.databases =
		pool_alloc(config->pool, (CONFIG_SUMDBS_MAX + 2) * sizeof(struct config_sumdb));
	config->sumdb.n = 0;
	config->sumdb.gosumdb = NULL;
	for (size_t i = 0; i < config->sumdb.gosumdb_option.n; i++)
		config->sumdb.gosumdb = add_sumdb(config, &config->sumdb.gosumdb_option.items[i]);
	for (size_t i = 0; i < config->sumdb.databases_option.n; i++)
		add_sumdb(config, &config->sumdb.databases_option.items[i]);
	config->sumdb.toolchain = config->sumdb.gosumdb;
	/* The go command wants toolchains checked even where GOSUMDB is off. */
	if (!config->sumdb.toolchain && parse_sumdb(config->pool, STR(TOOLCHAIN_DATABASE), &known, &err) == 0) {
		known.is_served = false;
		config->sumdb.toolchain = add_sumdb(config, &known);
	}
}

enum config_policy config_policy_of(const struct config *config, struct str module)
{
	for (size_t i = 0; i < config->sumdb.policy_n; i++)
		if (module_matches_patterns(str_of(config->sumdb.policy[i].pattern), module))
			return config->sumdb.policy[i].policy;
	return CONFIG_REQUIRE;
}
