#include "gomod/goimport.h"

#include <gumbo.h>
#include <stdlib.h>
#include <string.h>

#define NESTING_MAX 500 /* what stands deeper isn't looked at */

/* How long the blank is that text begins with, as unicode.IsSpace has them; 0: it's none. */
static size_t blank_n(struct str text)
{
	static const char *const wide[] = { "\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9",
					    "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80" };

	if (text.n > 0 && text.p[0] && strchr(" \t\r\n\v\f", text.p[0]))
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(wide); i++)
		if (str_has_prefix(text, str_of(wide[i])))
			return strlen(wide[i]);
	/* U+2000 to U+200A */
	return str_has_prefix(text, STR("\xe2\x80")) && text.n > 2 && (unsigned char)text.p[2] >= 0x80 &&
	       (unsigned char)text.p[2] <= 0x8a ? 3 : 0;
}

/* strings.Fields: up to five, so that more than four are seen. */
static size_t fields(struct str text, struct str out[5])
{
	size_t n = 0;

	while (n < 5) {
		size_t i = 0, blank;

		while ((blank = blank_n(text)) > 0)
			text = str_skip(text, blank);
		while (i < text.n && blank_n(str_skip(text, i)) == 0)
			i++;
		if (i == 0)
			break;
		out[n++] = str_head(text, i);
		text = str_skip(text, i);
	}
	return n;
}

static bool read_tag(struct pool *pool, const GumboElement *element, struct goimport *tag)
{
	const GumboAttribute *content = gumbo_get_attribute(&element->attributes, "content");
	struct str field[5] = { 0 };
	size_t n = content ? fields(str_of(content->value), field) : 0;

	if (n != 3 && n != 4)
		return false;
	tag->prefix = pool_str(pool, field[0]);
	tag->vcs = pool_str(pool, field[1]);
	tag->repo = pool_str(pool, field[2]);
	tag->subdir = pool_str(pool, n == 4 ? field[3] : STR(""));
	return true;
}

/* ---- where in the page ---- */

/* What a walk through the page finds. */
struct findings {
	struct str html;
	char *uncommented; /* the same, with blanks for comments */
	struct meta {
		const GumboElement *element;
		const char *at; /* in html */
	} metas[GOIMPORT_TAGS_MAX];
	size_t n;
};

static bool is_tag(const GumboElement *element)
{
	const GumboAttribute *name = gumbo_get_attribute(&element->attributes, "name");

	return element->tag == GUMBO_TAG_META && name && strcmp(name->value, "go-import") == 0;
}

static void look_at(struct findings *f, const GumboNode *node, int nesting)
{
	const GumboVector *children = NULL;

	if (node->type == GUMBO_NODE_COMMENT) {
		memset(f->uncommented + (node->v.text.original_text.data - f->html.p), ' ',
		       node->v.text.original_text.length);
	} else if (node->type == GUMBO_NODE_DOCUMENT) {
		children = &node->v.document.children;
	} else if (node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE) {
		children = &node->v.element.children;
		if (is_tag(&node->v.element) && f->n < GOIMPORT_TAGS_MAX)
			f->metas[f->n++] = (struct meta){ &node->v.element, node->v.element.original_tag.data };
	}
	for (unsigned int i = 0; children && nesting < NESTING_MAX && i < children->length; i++)
		look_at(f, children->data[i], nesting + 1);
}

/* In the page's order: HTML puts some into other places of the tree. */
static int order_of_metas(const void *a, const void *b)
{
	const struct meta *one = a, *other = b;

	return one->at < other->at ? -1 : one->at > other->at;
}

/* Does a tag of that name begin so? */
static bool is_tag_of(struct str text, struct str begin)
{
	return str_is_equal_nocase(str_head(text, begin.n), begin) &&
	       (text.n == begin.n || strchr(" \t\r\n\f/>", text.p[begin.n]));
}

/* Where a <body> or a </head> stands, even in a script: encoding/xml knows no scripts. */
static const char *end_of_head(const struct findings *f)
{
	for (size_t i = 0; i < f->html.n; i++) {
		struct str rest = { f->uncommented + i, f->html.n - i };

		if (rest.p[0] == '<' && (is_tag_of(rest, STR("<body")) || is_tag_of(rest, STR("</head"))))
			return f->html.p + i;
	}
	return f->html.p + f->html.n;
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

/* As much of a page as is looked at. */
static struct str beginning(struct str html)
{
	struct str page = str_head(html.p ? html : STR(""), GOIMPORT_HEAD_MAX), rest = page, piece;

	for (int i = 0; i <= GOIMPORT_MARKS_MAX; i++)
		if (!str_cut(&rest, '<', &piece))
			return page;
	return str_head(page, (size_t)(piece.p - page.p));
}

size_t goimport_parse(struct pool *pool, struct str html, struct goimport tags[GOIMPORT_TAGS_MAX])
{
	GumboOptions options = kGumboDefaultOptions;
	GumboOutput *output;
	struct findings f = { .html = beginning(html) };
	const char *end;
	size_t n = 0;

	options.max_errors = 0;
	f.uncommented = mem_alloc(f.html.n + 1);
	memcpy(f.uncommented, f.html.p, f.html.n);
	output = gumbo_parse_with_options(&options, f.html.p, f.html.n);
	look_at(&f, output->document, 0);
	qsort(f.metas, f.n, sizeof(*f.metas), order_of_metas);
	end = end_of_head(&f);
	for (size_t i = 0; i < f.n && f.metas[i].at < end; i++)
		if (read_tag(pool, f.metas[i].element, &tags[n]))
			n++;
	gumbo_destroy_output(&options, output);
	free(f.uncommented);
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
