#include "state/audit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define AUDIT_FILE "audit.log"
#define LINE_MAX_BYTES 16384

struct json *audit_begin(const char *event)
{
	struct json *line = json_new();
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_add_str(line, "time", str_of(text));
	json_add_str(line, "event", str_of(event));
	return line;
}

void audit_end(int dirfd, struct json *line)
{
	struct err err = { 0 };
	struct buf buf;
	int fd = -1;

	buf_init(&buf, LINE_MAX_BYTES);
	json_print(line, &buf);
	json_free(line);
	if (dirfd >= 0)
		fd = file_open(dirfd, AUDIT_FILE, O_WRONLY | O_APPEND | O_CREAT, 0640, &err);
	/* By one write(2): lines of several processes don't mix. */
	if (fd < 0 || file_write_all(fd, buf_str(&buf), &err) != 0)
		log_write(LOG_DEBUG, "no audit line, %s: %.*s", err.text, STR_ARG(buf_str(&buf)));
	if (fd >= 0)
		close(fd);
	buf_clear(&buf);
}

bool audit_find(int dirfd, struct str object,
		void (*found)(void *arg, const struct json *line), void *arg)
{
	struct err err = { 0 };
	struct stat st;
	int fd = dirfd < 0 ? -1 : file_open_read(dirfd, AUDIT_FILE, &st, &err);
	FILE *stream = fd >= 0 ? fdopen(fd, "r") : NULL;
	char text[LINE_MAX_BYTES];

	if (!stream) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (fgets(text, sizeof(text), stream)) {
		struct json *line;

		/* Most lines are of others: parse those alone that may be meant. */
		if (str_find_str(str_of(text), object) < 0 || !(line = json_read(str_of(text))))
			continue;
		if (str_is_equal(json_str(line, "object"), object))
			found(arg, line);
		json_free(line);
	}
	fclose(stream);
	return true;
}
