/*
 * config_private.c - the options of [private]: which modules, and for whom.
 */
#include <string.h>

#include "gomod/module.h"
#include "state/config_option.h"

#define RULES_MAX 64
#define SHOWN_MAX 200 /* bytes of a wrong value that a message repeats */

static int refuse(const struct config_option *option, struct str text, struct err *err)
{
	struct buf allowed;

	buf_init(&allowed, 256);
	config_option_allowed(option, &allowed);
	err_set(err, ERR_CONFIG, "'%.*s' is not allowed: %.*s", STR_ARG(str_head(str_trim(text), SHOWN_MAX)),
		STR_ARG(buf_str(&allowed)));
	buf_clear(&allowed);
	return -1;
}

static void fold(char *to, struct str from)
{
	for (size_t i = 0; i < from.n; i++)
		to[i] = from.p[i] >= 'A' && from.p[i] <= 'Z' ? (char)(from.p[i] - 'A' + 'a') : from.p[i];
}

static bool has_capital(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] >= 'A' && text.p[i] <= 'Z')
			return true;
	return false;
}

/* The text itself if it has no capitals. */
static const char *folded_copy(struct pool *pool, const char *text)
{
	char *copy;

	if (!has_capital(str_of(text)))
		return text;
	copy = pool_cstr(pool, str_of(text));
	fold(copy, str_of(text));
	return copy;
}

/*
 * As written, or with the case of both taken away. Not only the second: of
 * "[^A-Z]" that would make something else.
 */
static bool matches(const char *patterns, const char *folded, struct str module)
{
	char lower[MODULE_ESCAPED_MAX];

	if (module_matches_patterns(str_of(patterns), module))
		return true;
	if (folded == patterns && !has_capital(module))
		return false;
	if (module.n > sizeof(lower))
		return false; /* no such path was ever parsed */
	fold(lower, module);
	return module_matches_patterns(str_of(folded), (struct str){ lower, module.n });
}

bool config_is_private(const struct config *config, struct str module)
{
	return *config->private_.modules &&
	       matches(config->private_.modules, config->private_.folded, module);
}

const char *config_may(const struct config_access *access, struct str module)
{
	for (size_t i = 0; i < access->n; i++)
		if (matches(access->rules[i].pattern, access->rules[i].folded, module))
			return access->rules[i].who;
	return "";
}

/* Words with one blank between them; NULL if there is none, or one is none. */
static const char *read_words(struct pool *pool, struct str text)
{
	struct str words = STR(""), word;

	text = str_trim(text);
	while (text.n > 0 && str_cut(&text, ' ', &word)) {
		word = str_trim(word);
		if (word.n == 0)
			continue;
		if (str_is_equal(word, STR("@")) || str_has_char(word, '\t'))
			return NULL;
		words = pool_printf(pool, "%.*s%s%.*s", STR_ARG(words), words.n > 0 ? " " : "", STR_ARG(word));
	}
	return words.n > 0 ? pool_cstr(pool, words) : NULL;
}

int config_access_set(struct config *config, const struct config_option *option, struct str text,
		      struct err *err)
{
	struct config_access *access = (struct config_access *)((char *)config + option->offset);
	struct config_access_rule *rules = pool_alloc(config->pool, RULES_MAX * sizeof(*rules));
	struct str item;
	size_t n = 0;

	while (text.n > 0 && str_cut(&text, ',', &item)) {
		long at = str_find_last(item, '=');
		struct str pattern = str_trim(str_head(item, at < 0 ? 0 : (size_t)at));
		const char *who = read_words(config->pool, str_skip(item, (size_t)(at + 1)));

		if (str_trim(item).n == 0)
			continue;
		if (pattern.n == 0 || !who || !config_can_match(pattern))
			return refuse(option, item, err);
		if (n == RULES_MAX)
			return err_set(err, ERR_CONFIG, "there are more than %d rules", RULES_MAX);
		rules[n] = (struct config_access_rule){ .pattern = pool_cstr(config->pool, pattern), .who = who };
		rules[n].folded = folded_copy(config->pool, rules[n].pattern);
		n++;
	}
	*access = (struct config_access){ rules, n };
	return 0;
}

void config_access_print(const struct config_access *access, struct buf *buf)
{
	for (size_t i = 0; i < access->n; i++)
		buf_printf(buf, "%s%s = %s", i > 0 ? ", " : "", access->rules[i].pattern, access->rules[i].who);
}

void config_private_finish(struct config *config)
{
	config->private_.folded = folded_copy(config->pool, config->private_.modules);
}
