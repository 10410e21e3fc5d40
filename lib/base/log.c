#include "base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static struct {
	enum log_level level;
} setting = { LOG_INFO };

static _Thread_local struct {
	void (*write)(void *arg, struct str line);
	void *arg;
} sink;

void log_set_level(enum log_level level)
{
	setting.level = level;
}

bool log_has_stderr(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) != 0)
		return false;
	return !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

void log_set_sink(void (*write)(void *arg, struct str line), void *arg)
{
	sink.write = write;
	sink.arg = arg;
}

void log_write(enum log_level level, const char *format, ...)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	char line[LINE_MAX_BYTES];
	size_t n;
	va_list args;

	if (level > setting.level)
		return;
	n = (size_t)snprintf(line, sizeof(line), "goproxy.fcgi[%d] %s ",
			     (int)getpid(), names[level]);
	va_start(args, format);
	vsnprintf(line + n, sizeof(line) - n - 1, format, args);
	va_end(args);
	n = strlen(line);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[n++] = '\n';
	if (sink.write)
		sink.write(sink.arg, (struct str){ line, n });
	else if (write(STDERR_FILENO, line, n) < 0)
		return; /* nowhere left to say so */
}
