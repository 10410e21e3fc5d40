#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "origin/vcs.h"
#include "origin/vcs_internal.h"

const char *vcs_find_program(struct pool *pool, const char *path, const char *name)
{
	struct str rest = str_of(path), dir;

	while (str_cut(&rest, ':', &dir)) {
		const char *file = pool_printf(pool, "%.*s/%s", STR_ARG(dir), name).p;

		if (dir.n > 0 && dir.p[0] == '/' && access(file, X_OK) == 0)
			return file;
	}
	return NULL;
}

bool vcs_is_ssh(void)
{
	return getenv(SSH_HOST_ENV) != NULL;
}

int vcs_ssh(int argc, char **argv)
{
	struct pool *pool = pool_new();
	const char *args[VCS_ARGS_MAX];
	const char *ssh = vcs_find_program(pool, str_of(getenv("PATH")).p, "ssh");
	const char *const fixed[] = {
		"ssh", "-F", "/dev/null", "-T", "-x", "-a",
		"-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "UpdateHostKeys=no", "-o", "PermitLocalCommand=no", "-o", "ClearAllForwardings=yes",
		"-o", "ControlPath=none", "-o", "ServerAliveInterval=10",
		"-o", pool_printf(pool, "ConnectTimeout=%s", getenv(SSH_CONNECT_ENV)).p,
		"-o", pool_printf(pool, "UserKnownHostsFile=\"%s\"", getenv(SSH_HOSTS_ENV)).p,
		"-o", pool_printf(pool, "IdentityFile=\"%s\"", getenv(SSH_KEY_ENV)).p,
		"-o", pool_printf(pool, "HostName=%s", getenv(SSH_ADDRESS_ENV)).p,
		"-o", pool_printf(pool, "HostKeyAlias=%s", getenv(SSH_HOST_ENV)).p,
	};
	size_t n = 0;

	for (; n < ARRAY_LEN(fixed); n++)
		args[n] = fixed[n];
	for (int i = 1; i < argc && n + 1 < VCS_ARGS_MAX; i++)
		args[n++] = argv[i];
	args[n] = NULL;
	if (ssh)
		execv(ssh, (char *const *)args);
	fprintf(stderr, "fatal: there is no ssh to run\n");
	return 127;
}
