/*
 * fill.c - a store with many versions, for the row scale of tests/bench/bench.py.
 *
 *	fill STORE MODULES VERSIONS
 *
 * Makes example.com/fill0 and so on with v1.0.0, v1.1.0 and so on, of each
 * version only the .info. Such a file doesn't name its module, so that it is
 * written once and linked for all others: what grows is the directories.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "fill: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Opens a directory below another one, made if missing. */
static int open_dir(int parent, const char *name)
{
	int fd;

	if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST)
		die(name);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(name);
	return fd;
}

static int open_versions(int base, int module)
{
	char name[32];
	int parent, fd;

	snprintf(name, sizeof(name), "fill%d", module);
	parent = open_dir(base, name);
	fd = open_dir(parent, "@v");
	close(parent);
	return fd;
}

static void write_info(int dir, const char *name, int version)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || dprintf(fd, "{\"Version\":\"v1.%d.0\",\"Time\":\"2024-02-29T23:30:00Z\"}", version) < 0)
		die(name);
	close(fd);
}

int main(int argc, char **argv)
{
	int modules, versions, base, first;

	if (argc != 4)
		return 2;
	modules = (int)strtol(argv[2], NULL, 10);
	versions = (int)strtol(argv[3], NULL, 10);
	base = open_dir(open_dir(open_dir(AT_FDCWD, argv[1]), "download"), "example.com");
	first = open_versions(base, 0);
	for (int m = 0; m < modules; m++) {
		int dir = m == 0 ? first : open_versions(base, m);

		for (int v = 0; v < versions; v++) {
			char name[32];

			snprintf(name, sizeof(name), "v1.%d.0.info", v);
			if (m == 0)
				write_info(dir, name, v);
			else if (linkat(first, name, dir, name, 0) != 0)
				die(name);
		}
		if (m > 0)
			close(dir);
	}
	return 0;
}
