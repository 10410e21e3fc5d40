#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
	va_list args;

	err->kind = kind;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return -1;
}

static enum err_kind kind_of_errno(int number)
{
	switch (number) {
	case ENOSPC:
	case EDQUOT:
	case EROFS:
	case EACCES:
	case EPERM:
	case EFBIG:
		return ERR_NO_SPACE;
	default:
		return ERR_IO;
	}
}

int err_errno(struct err *err, const char *format, ...)
{
	int number = errno;
	char reason[128];
	size_t n;
	va_list args;

	err->kind = kind_of_errno(number);
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s",
		 strerror_r(number, reason, sizeof(reason)));
	return -1;
}

int err_wrap(struct err *err, const char *format, ...)
{
	char old[ERR_TEXT_MAX];
	size_t n;
	va_list args;

	memcpy(old, err->text, sizeof(old));
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s", old);
	return -1;
}
