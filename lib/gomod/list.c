#include "gomod/list.h"

#include <stdlib.h>
#include <string.h>

#include "gomod/version.h"

/* What was seen on the way through a body. */
struct scan {
	struct str *versions;
	size_t n;
	bool has_version; /* also one that isn't kept */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Cut the next word off *line; empty at its end. */
static struct str cut_word(struct str *line)
{
	struct str word;
	size_t n = 0;

	while (line->n > 0 && is_blank(line->p[0]))
		*line = str_skip(*line, 1);
	while (n < line->n && !is_blank(line->p[n]))
		n++;
	word = str_head(*line, n);
	*line = str_skip(*line, n);
	return word;
}

static void scan_line(struct scan *scan, struct str line)
{
	struct str word = cut_word(&line);

	if (word.n == 0)
		return;
	if (!version_is_valid(word))
		return;
	scan->has_version = true;
	if (version_is_canonical(word) && !version_is_pseudo(word) &&
	    word.n <= VERSION_ESCAPED_MAX)
		scan->versions[scan->n++] = word;
}

static int check_text(struct str body, struct err *err)
{
	struct str text = str_trim(body);

	if (body.n > LIST_BODY_MAX)
		return err_set(err, ERR_BAD_UPSTREAM,
			       "not a version list: %zu bytes, more than %u",
			       body.n, LIST_BODY_MAX);
	if (text.n > 0 && strchr("<{[\"", text.p[0]))
		return err_set(err, ERR_BAD_UPSTREAM,
			       "not a version list: begins with '%c', as HTML or JSON",
			       text.p[0]);
	for (size_t i = 0; i < body.n; i++) {
		unsigned char c = (unsigned char)body.p[i];

		if ((c < ' ' && c != '\n' && !is_blank((char)c)) || c == 0x7f)
			return err_set(err, ERR_BAD_UPSTREAM,
				       "not a version list: control character at byte %zu",
				       i);
	}
	return 0;
}

/* Sorted, so that what comes twice stands side by side. */
static struct str join(struct pool *pool, const struct str *versions, size_t n)
{
	size_t size = 0, at = 0;
	char *bytes;

	for (size_t i = 0; i < n; i++)
		size += versions[i].n + 1;
	bytes = pool_alloc(pool, size + 1);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && str_is_equal(versions[i], versions[i - 1]))
			continue;
		memcpy(bytes + at, versions[i].p, versions[i].n);
		at += versions[i].n;
		bytes[at++] = '\n';
	}
	return (struct str){ bytes, at };
}

int list_normalize(struct pool *pool, struct str body, struct str *out,
		   struct err *err)
{
	struct scan scan = { 0 };
	struct str rest = body;
	struct str line;
	int rc = 0;

	if (check_text(body, err) != 0)
		return -1;
	scan.versions = mem_alloc((str_count(body, '\n') + 1) * sizeof(*scan.versions));
	while (str_cut(&rest, '\n', &line))
		scan_line(&scan, line);
	/* "OK" or "not found" with a 200 must not pass for "no versions". */
	if (!scan.has_version && str_trim(body).n > 0) {
		rc = err_set(err, ERR_BAD_UPSTREAM,
			     "not a version list: text without a version");
	} else {
		version_sort(scan.versions, scan.n);
		*out = join(pool, scan.versions, scan.n);
	}
	free(scan.versions);
	return rc;
}
