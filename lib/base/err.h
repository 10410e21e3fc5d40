/*
 * err.h - what went wrong: a kind and one line of text.
 *
 * The function that fails fills in the error; callers add context with
 * err_wrap() only if they know more. serve/http alone maps a kind to a
 * status code. Text: small first letter, no full stop, the failure first,
 * names quoted: "cannot open 'x': No space left on device".
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* Longest text kept, in bytes with the NUL; longer ones are cut. */
#define ERR_TEXT_MAX 1024

enum err_kind {
	ERR_NONE,
	ERR_BAD_REQUEST,  /* the client's spelling or arguments: 400 */
	ERR_UNKNOWN_USER, /* who asks must say who it is: 401 */
	ERR_FORBIDDEN,	  /* refused by policy: 403 */
	ERR_NOT_FOUND,	  /* an authority said that it isn't there: 404 */
	ERR_GONE,	  /* the same, for good: 410 */
	ERR_METHOD,	  /* 405 */
	ERR_CONFLICT,	  /* what is there already never changes: 409 */
	ERR_BAD_UPSTREAM, /* an upstream failed or answered nonsense: 502 */
	ERR_MISMATCH,	  /* bytes that are proven wrong, or can't be proven: 502 */
	ERR_UNAVAILABLE,  /* what has to prove them can't be asked: 503 */
	ERR_OVERLOAD,	  /* a bound of our own is reached: 503 */
	ERR_TIMEOUT,	  /* an upstream took too long: 504 */
	ERR_CONFIG,	  /* a wrong setting: 500, or no start */
	ERR_IO,		  /* our own disk or system call: 500 */
	ERR_NO_SPACE,	  /* ERR_IO where writing is impossible: full, read-only */
};

struct err {
	enum err_kind kind;
	char text[ERR_TEXT_MAX];
};

/* Set kind and text; returns -1, so that callers can "return err_set(...)". */
int err_set(struct err *err, enum err_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The same for a failed system call: ": strerror(errno)" is appended. The
 * kind is ERR_NO_SPACE for ENOSPC, EDQUOT, EROFS, EACCES, EPERM and EFBIG,
 * else ERR_IO. Returns -1.
 */
int err_errno(struct err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Put "context: " before the text; the kind stays. Returns -1. */
int err_wrap(struct err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
