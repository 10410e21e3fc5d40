/*
 * The file's text. The INI library (4.1, and 4.2 the same) reads a file as
 * follows, without a word: of two keys the last; "a;b" as "a"; "\"a" and
 * "\"a\" b" as "a"; a line that ends in '\' together with the next, even a
 * comment; "[a] ; b=c" as a key. So each line is looked at first, and refused
 * if the library would take it for something else than a person would.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iniparser/iniparser.h>

#include "state/config_option.h"

/* The library's buffer has 1024 bytes (ASCIILINESZ). */
#define LINE_BYTES_MAX 1000

struct scan {
	const char *path;
	int line;
	struct str section; /* "" before the first */
	bool section_is_known;
	bool is_misread; /* the library would read it otherwise than meant */
	struct pool *pool;
	struct config_ini *ini;
	struct buf *problems;
};

static void misread(struct scan *scan, const char *text)
{
	config_problem(scan->problems, "%s:%d: %s", scan->path, scan->line, text);
	scan->is_misread = true;
}

static bool has_control(struct str line)
{
	for (size_t i = 0; i < line.n; i++)
		if (((unsigned char)line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7f)
			return true;
	return false;
}

static void scan_section(struct scan *scan, struct str line)
{
	long end = str_find(line, ']');
	struct str name;

	if (end < 0 || (size_t)end != line.n - 1) {
		misread(scan, "a section is written [name], and nothing stands behind it");
		return;
	}
	name = str_trim(str_head(str_skip(line, 1), (size_t)end - 1));
	scan->section = name;
	scan->section_is_known = config_section_is_known(name);
	if (!scan->section_is_known)
		config_problem(scan->problems, "%s:%d: unknown section [%.*s]%s", scan->path,
			       scan->line, STR_ARG(name), config_nearest_section(scan->pool, name));
}

/* A comment behind a value, or nothing. */
static bool is_rest(struct str rest)
{
	rest = str_trim(rest);
	return rest.n == 0 || rest.p[0] == ';' || rest.p[0] == '#';
}

static void scan_value(struct scan *scan, struct str value)
{
	long end;

	if (str_has_char(value, '\\')) {
		misread(scan, "a '\\' is not allowed within a value");
		return;
	}
	if (value.n > 0 && (value.p[0] == '"' || value.p[0] == '\'')) {
		end = str_find(str_skip(value, 1), value.p[0]);
		if (end < 0)
			misread(scan, "the closing quote is missing");
		else if (!is_rest(str_skip(value, (size_t)end + 2)))
			misread(scan, "only a comment may follow the closing quote");
		return;
	}
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] != ';' && value.p[i] != '#')
			continue;
		if (i == 0 || value.p[i - 1] == ' ' || value.p[i - 1] == '\t')
			return;
		misread(scan, "a value with ';' or '#' in it stands in double quotes");
		return;
	}
}

static void scan_key(struct scan *scan, struct str line)
{
	long equals = str_find(line, '=');
	struct str key;
	long i;

	if (equals <= 0) {
		misread(scan, "neither a comment nor [section] nor key = value");
		return;
	}
	key = str_trim(str_head(line, (size_t)equals));
	scan_value(scan, str_trim(str_skip(line, (size_t)equals + 1)));
	if (scan->section.n == 0) {
		config_problem(scan->problems, "%s:%d: '%.*s' stands before the first [section]%s",
			       scan->path, scan->line, STR_ARG(key),
			       config_nearest_key(scan->pool, scan->section, key));
		return;
	}
	if (!scan->section_is_known)
		return;
	i = config_option_find(scan->section, key);
	if (i < 0) {
		config_problem(scan->problems, "%s:%d: [%.*s] has no key '%.*s'%s", scan->path,
			       scan->line, STR_ARG(scan->section), STR_ARG(key),
			       config_nearest_key(scan->pool, scan->section, key));
		return;
	}
	if (scan->ini->line[i] != 0)
		config_problem(scan->problems, "%s:%d: [%s] %s is set already in line %d",
			       scan->path, scan->line, config_options[i].section,
			       config_options[i].key, scan->ini->line[i]);
	scan->ini->line[i] = scan->line;
}

static void scan_line(struct scan *scan, struct str line)
{
	if (str_has_suffix(line, STR("\r")))
		line.n--;
	if (line.n > LINE_BYTES_MAX) {
		misread(scan, "longer than 1000 bytes (the environment takes longer values)");
		return;
	}
	if (has_control(line)) {
		misread(scan, "a control byte is not allowed");
		return;
	}
	line = str_trim(line);
	if (str_has_suffix(line, STR("\\"))) {
		misread(scan, "a line must not end in '\\'");
		return;
	}
	if (line.n == 0 || line.p[0] == ';' || line.p[0] == '#')
		return;
	if (line.p[0] == '[')
		scan_section(scan, line);
	else
		scan_key(scan, line);
}

static void scan_text(struct scan *scan, struct str text)
{
	struct str line;

	if (str_has_prefix(text, STR("\xef\xbb\xbf"))) {
		scan->line = 1;
		misread(scan, "begins with a byte order mark: save it as UTF-8 without one");
		text = str_skip(text, 3);
		scan->line = 0;
	}
	while (str_cut(&text, '\n', &line)) {
		scan->line++;
		scan_line(scan, line);
	}
}

/* Every problem is known from the scan; what comes nevertheless is logged. */
__attribute__((format(printf, 1, 2)))
static int library_error(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_write(LOG_ERROR, "%s", text);
	return 0;
}

static void read_values(struct scan *scan)
{
	dictionary *dict;

	iniparser_set_error_callback(library_error);
	dict = iniparser_load(scan->path);
	if (!dict) {
		config_problem(scan->problems, "%s: the INI library can't read it", scan->path);
		return;
	}
	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *option = &config_options[i];
		char name[64];
		const char *value;

		snprintf(name, sizeof(name), "%s:%s", option->section, option->key);
		value = iniparser_getstring(dict, name, NULL);
		if ((value != NULL) != (scan->ini->line[i] != 0))
			config_problem(scan->problems, "%s: [%s] %s: the INI library reads it "
				       "otherwise than it is written", scan->path, option->section,
				       option->key);
		else if (value)
			scan->ini->text[i] = pool_cstr(scan->pool, str_of(value));
	}
	iniparser_freedict(dict);
}

/*
 * Not by file_read_all(): a setting's file may be a link, as in /etc. The
 * library opens it a second time, so a pipe won't do.
 */
static int read_file(const char *path, struct buf *text, struct buf *problems)
{
	char chunk[4096];
	struct stat st;
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		config_problem(problems, "%s: cannot open it: %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))) {
		config_problem(problems, "%s: not a regular file", path);
		goto out;
	}
	while (!text->overflow && (n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(text, (struct str){ chunk, (size_t)n });
	if (text->overflow)
		config_problem(problems, "%s: larger than %d bytes", path, CONFIG_FILE_BYTES_MAX);
	else if (n < 0)
		config_problem(problems, "%s: cannot read it: %s", path, strerror(errno));
out:
	close(fd);
	return n == 0 && !text->overflow ? 0 : -1;
}

int config_ini_read(const char *path, struct pool *pool, struct config_ini *ini,
		    struct buf *problems)
{
	struct scan scan = { .path = path, .pool = pool, .ini = ini, .problems = problems,
			     .section = STR("") };
	size_t before = problems->n;
	struct buf text;

	*ini = (struct config_ini){ 0 };
	buf_init(&text, CONFIG_FILE_BYTES_MAX);
	if (read_file(path, &text, problems) == 0) {
		scan_text(&scan, buf_str(&text));
		if (!scan.is_misread)
			read_values(&scan);
	}
	buf_clear(&text);
	return problems->n == before ? 0 : -1;
}
