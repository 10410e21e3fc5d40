#include "gomod/modzip_archive.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Filled in once; constant from then on. */
static struct modzip_archive functions;
static bool is_loaded;

static bool find(void *library, const char *name, void *field)
{
	void *symbol = dlsym(library, name);

	/* ISO C has no way from an object's pointer to a function's; POSIX wants this one. */
	*(void **)field = symbol;
	return symbol != NULL;
}

static void load(void)
{
	void *library = dlopen(MODZIP_ARCHIVE_SONAME, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return;
	is_loaded = true;
#define X(name) is_loaded = find(library, #name, &functions.name) && is_loaded;
	MODZIP_ARCHIVE_FUNCTIONS(X)
#undef X
}

const struct modzip_archive *modzip_archive_load(struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (is_loaded)
		return &functions;
	err_set(err, ERR_CONFIG, "making a zip takes " MODZIP_ARCHIVE_SONAME
		", which can't be loaded: install libarchive13");
	return NULL;
}

const struct modzip_archive *modzip_archive(void)
{
	return &functions;
}
