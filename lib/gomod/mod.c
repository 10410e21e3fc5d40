#include "gomod/mod.h"

#include <string.h>

/*
 * Has it a module directive? The go command refuses a go.mod without one
 * ("missing module line"), and so a page of text that isn't one is told.
 */
static bool has_module_line(struct str text)
{
	struct str line;

	while (str_cut(&text, '\n', &line))
		if (str_has_prefix(str_trim(line), STR("module")))
			return true;
	return false;
}

int mod_check(struct str body, struct err *err)
{
	static const struct str mark = { "\xef\xbb\xbf", 3 };
	struct str text = str_has_prefix(body, mark) ? str_skip(body, 3) : body;

	text = str_trim(text);
	if (body.n > MOD_BODY_MAX)
		return err_set(err, ERR_BAD_UPSTREAM,
			       "not a go.mod: %zu bytes, more than %u", body.n,
			       MOD_BODY_MAX);
	if (text.n == 0)
		return err_set(err, ERR_BAD_UPSTREAM, "not a go.mod: empty");
	if (text.p[0] == '<' || text.p[0] == '{')
		return err_set(err, ERR_BAD_UPSTREAM,
			       "not a go.mod: begins with '%c', as HTML or JSON",
			       text.p[0]);
	if (body.p[body.n - 1] == '\0')
		return err_set(err, ERR_BAD_UPSTREAM, "not a go.mod: ends in NULs");
	if (!has_module_line(text))
		return err_set(err, ERR_BAD_UPSTREAM, "not a go.mod: no module line");
	return 0;
}
