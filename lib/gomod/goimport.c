#include "gomod/goimport.h"

#include <gumbo.h>
#include <string.h>

/* strings.Fields: up to five, so that more than four are seen. */
static size_t fields(struct str text, struct str out[5])
{
	size_t n = 0;

	while (n < 5) {
		size_t i = 0;

		text = str_trim(text);
		while (i < text.n && !strchr(" \t\r\n\v\f", text.p[i]))
			i++;
		if (i == 0)
			break;
		out[n++] = str_head(text, i);
		text = str_skip(text, i);
	}
	return n;
}

static bool read_tag(struct pool *pool, const GumboNode *node, struct goimport *tag)
{
	const GumboAttribute *name, *content;
	struct str field[5] = { 0 };
	size_t n;

	if (node->type != GUMBO_NODE_ELEMENT || node->v.element.tag != GUMBO_TAG_META)
		return false;
	name = gumbo_get_attribute(&node->v.element.attributes, "name");
	content = gumbo_get_attribute(&node->v.element.attributes, "content");
	if (!name || !content || strcmp(name->value, "go-import") != 0)
		return false;
	n = fields(str_of(content->value), field);
	if (n != 3 && n != 4)
		return false;
	tag->prefix = pool_str(pool, field[0]);
	tag->vcs = pool_str(pool, field[1]);
	tag->repo = pool_str(pool, field[2]);
	tag->subdir = pool_str(pool, n == 4 ? field[3] : STR(""));
	return true;
}

static const GumboNode *find_head(const GumboNode *root)
{
	const GumboVector *children = &root->v.element.children;

	for (unsigned int i = 0; i < children->length; i++) {
		const GumboNode *child = children->data[i];

		if (child->type == GUMBO_NODE_ELEMENT && child->v.element.tag == GUMBO_TAG_HEAD)
			return child;
	}
	return NULL;
}

static bool is_mod(const struct goimport *tag)
{
	return str_is_equal(tag->vcs, STR("mod"));
}

static bool has_mod(const struct goimport *tags, size_t n, struct str prefix)
{
	for (size_t i = 0; i < n; i++)
		if (is_mod(&tags[i]) && str_is_equal(tags[i].prefix, prefix))
			return true;
	return false;
}

/* Those for "mod" to the front; of the others those that have no such beside them. */
static size_t prefer_mod(struct pool *pool, struct goimport *tags, size_t n)
{
	struct goimport *all = pool_alloc(pool, (n + 1) * sizeof(*all));
	size_t kept = 0;

	memcpy(all, tags, n * sizeof(*all));
	for (size_t i = 0; i < n; i++)
		if (is_mod(&all[i]))
			tags[kept++] = all[i];
	for (size_t i = 0; i < n; i++)
		if (!is_mod(&all[i]) && !has_mod(all, n, all[i].prefix))
			tags[kept++] = all[i];
	return kept;
}

size_t goimport_parse(struct pool *pool, struct str html, struct goimport tags[GOIMPORT_TAGS_MAX])
{
	GumboOptions options = kGumboDefaultOptions;
	GumboOutput *output;
	const GumboNode *head;
	size_t n = 0;

	options.max_errors = 0;
	html = str_head(html, GOIMPORT_PAGE_MAX);
	output = gumbo_parse_with_options(&options, html.p ? html.p : "", html.n);
	head = find_head(output->root);
	for (unsigned int i = 0; head && i < head->v.element.children.length && n < GOIMPORT_TAGS_MAX; i++)
		if (read_tag(pool, head->v.element.children.data[i], &tags[n]))
			n++;
	gumbo_destroy_output(&options, output);
	return prefer_mod(pool, tags, n);
}

bool goimport_has_prefix(struct str path, struct str prefix)
{
	return str_has_prefix(path, prefix) &&
	       (path.n == prefix.n || prefix.n == 0 || prefix.p[prefix.n - 1] == '/' || path.p[prefix.n] == '/');
}

int goimport_match(const struct goimport *tags, size_t n, struct str path, const struct goimport **match,
		   struct err *err)
{
	const struct goimport *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!goimport_has_prefix(path, tags[i].prefix))
			continue;
		if (found && is_mod(found) && !is_mod(&tags[i]))
			break;
		if (found)
			return err_set(err, ERR_NOT_FOUND, "more than one go-import tag matches '%.*s'",
				       STR_ARG(path));
		found = &tags[i];
	}
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "no go-import tag for '%.*s'", STR_ARG(path));
	*match = found;
	return 0;
}
