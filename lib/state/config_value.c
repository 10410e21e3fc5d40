#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#include "state/config_option.h"

#define SHOWN_MAX 200 /* bytes of a wrong value that a message repeats */
#define PATH_BYTES_MAX 3000 /* leaves room below PATH_MAX for the store's names */

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static const char *const read_ahead_names[] = {
	[CONFIG_AHEAD_OFF] = "off",
	[CONFIG_AHEAD_MOD] = "mod",
	[CONFIG_AHEAD_ZIP] = "zip",
};

static const char *const client_cert_names[] = { [CONFIG_CERT_OFF] = "off", [CONFIG_CERT_CN] = "cn" };

static const char *const refuse_names[] = { [CONFIG_REFUSE_403] = "403", [CONFIG_REFUSE_404] = "404" };

static const char *const unreachable_names[] = { [CONFIG_FAIL] = "fail", [CONFIG_PIN] = "pin" };

/* The types whose field is an enum. */
static struct {
	const char *const *names;
	size_t n;
} const enums[] = {
	[CONFIG_LEVEL] = { level_names, ARRAY_LEN(level_names) },
	[CONFIG_READ_AHEAD] = { read_ahead_names, ARRAY_LEN(read_ahead_names) },
	[CONFIG_UNREACHABLE] = { unreachable_names, ARRAY_LEN(unreachable_names) },
	[CONFIG_CLIENT_CERT] = { client_cert_names, ARRAY_LEN(client_cert_names) },
	[CONFIG_REFUSE] = { refuse_names, ARRAY_LEN(refuse_names) },
};

_Static_assert(sizeof(enum log_level) == sizeof(int) && sizeof(enum config_read_ahead) == sizeof(int) &&
		       sizeof(enum config_unreachable) == sizeof(int) &&
		       sizeof(enum config_client_cert) == sizeof(int) && sizeof(enum config_refuse) == sizeof(int),
	       "set_enum() writes any of them");

static void *field_of(struct config *config, const struct config_option *option)
{
	return (char *)config + option->offset;
}

static const void *field_const(const struct config *config, const struct config_option *option)
{
	return (const char *)config + option->offset;
}

/* "'TEXT' is not allowed: ALLOWED"; returns -1. */
static int refuse(const struct config_option *option, struct str text, struct err *err)
{
	struct buf allowed;

	buf_init(&allowed, 256);
	config_option_allowed(option, &allowed);
	err_set(err, ERR_CONFIG, "'%.*s%s' is not allowed: %s", STR_ARG(str_head(text, SHOWN_MAX)),
		text.n > SHOWN_MAX ? "..." : "", allowed.p);
	buf_clear(&allowed);
	return -1;
}

static bool has_control(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
			return true;
	return false;
}

static int set_number(struct config *config, const struct config_option *option, struct str text,
		      struct err *err)
{
	int *field = field_of(config, option);
	uint64_t value;

	if (!str_to_u64(text, &value) || value < (uint64_t)option->min ||
	    value > (uint64_t)option->max)
		return refuse(option, text, err);
	*field = (int)value;
	return 0;
}

static int set_path(struct config *config, const struct config_option *option, struct str text,
		    struct err *err)
{
	const char **field = field_of(config, option);
	const char *path;

	if (text.n > 0 && (text.p[0] != '/' || text.n > PATH_BYTES_MAX))
		return refuse(option, text, err);
	while (text.n > 1 && text.p[text.n - 1] == '/')
		text.n--;
	path = pool_cstr(config->pool, text);
	/* Only what surely isn't there: another user may be able to read it. */
	if (option->type == CONFIG_FILE && text.n > 0 && access(path, F_OK) != 0 &&
	    (errno == ENOENT || errno == ENOTDIR))
		return refuse(option, text, err);
	*field = path;
	return 0;
}

static int set_prefix(struct config *config, const struct config_option *option, struct str text,
		      struct err *err)
{
	const char **field = field_of(config, option);
	struct str rest = str_skip(text, 1);
	struct str element;

	if (text.n > 0 && text.p[0] != '/')
		return refuse(option, text, err);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == ' ' || (text.p[i] & 0x80) || strchr("%?#\"\\;", text.p[i]))
			return refuse(option, text, err);
	while (text.n > 0 && str_cut(&rest, '/', &element))
		if (element.n == 0 || str_is_equal(element, STR(".")) ||
		    str_is_equal(element, STR("..")))
			return refuse(option, text, err);
	*field = pool_cstr(config->pool, text);
	return 0;
}

static int set_sendfile(struct config *config, const struct config_option *option, struct str text,
			struct err *err)
{
	const char **field = field_of(config, option);
	struct str x_accel = STR("x-accel:");
	struct err ignored = { 0 };

	if (text.n > 0 && !str_is_equal(text, STR("x-sendfile")) &&
	    (!str_has_prefix(text, x_accel) || text.n == x_accel.n ||
	     set_prefix(config, option, str_skip(text, x_accel.n), &ignored) != 0))
		return refuse(option, text, err);
	*field = pool_cstr(config->pool, text);
	return 0;
}

static int set_hosts(struct config *config, const struct config_option *option, struct str text,
		     struct err *err)
{
	const char **field = field_of(config, option);
	struct str rest = text;
	struct str host;
	char *hosts = pool_alloc(config->pool, text.n + 1);
	size_t n = 0;

	while (text.n > 0 && str_cut(&rest, ',', &host)) {
		host = str_trim(host);
		if (!chain_is_host(host))
			return refuse(option, text, err);
		if (n > 0)
			hosts[n++] = ',';
		for (size_t i = 0; i < host.n; i++) {
			char c = host.p[i];

			hosts[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
		}
	}
	*field = hosts;
	return 0;
}

int config_find_name(struct str text, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_is_equal_nocase(text, str_of(names[i])))
			return (int)i;
	return -1;
}

static int set_enum(struct config *config, const struct config_option *option, struct str text,
		    struct err *err)
{
	int value = config_find_name(text, enums[option->type].names, enums[option->type].n);

	if (value < 0)
		return refuse(option, text, err);
	memcpy(field_of(config, option), &value, sizeof(value));
	return 0;
}

static int listen_unix(struct str path, struct config_listen *listen, struct err *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (path.n == 0 || path.p[0] != '/')
		return err_set(err, ERR_CONFIG, "behind unix: stands an absolute path");
	if (path.n >= sizeof(un.sun_path))
		return err_set(err, ERR_CONFIG, "the path of a socket has at most %zu bytes",
			       sizeof(un.sun_path) - 1);
	memcpy(un.sun_path, path.p, path.n);
	memcpy(&listen->address, &un, sizeof(un));
	listen->size = (socklen_t)sizeof(un);
	return 0;
}

static bool listen_ip(struct str host, uint16_t port, struct config_listen *listen)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool bracketed = str_has_prefix(host, STR("[")) && str_has_suffix(host, STR("]"));
	char text[INET6_ADDRSTRLEN];

	if (str_is_equal_nocase(host, STR("localhost")))
		host = STR("127.0.0.1");
	if (bracketed)
		host = str_head(str_skip(host, 1), host.n - 2);
	if (host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';

	if (bracketed && inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
		memcpy(&listen->address, &in6, sizeof(in6));
		listen->size = (socklen_t)sizeof(in6);
		return true;
	}
	if (!bracketed && inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		memcpy(&listen->address, &in, sizeof(in));
		listen->size = (socklen_t)sizeof(in);
		return true;
	}
	return false;
}

int config_listen_parse(struct str text, struct config_listen *listen, struct err *err)
{
	long colon = str_find_last(text, ':');
	uint64_t port;

	*listen = (struct config_listen){ 0 };
	if (has_control(text))
		return err_set(err, ERR_CONFIG, "a control byte is not allowed");
	if (str_has_prefix(text, STR("unix:")))
		return listen_unix(str_skip(text, 5), listen, err);
	if (colon < 0)
		return err_set(err, ERR_CONFIG, "unix:/absolute/path or ADDRESS:PORT");
	if (!str_to_u64(str_skip(text, (size_t)colon + 1), &port) || port > 65535)
		return err_set(err, ERR_CONFIG, "its port must be a number from 0 to 65535");
	if (!listen_ip(str_head(text, (size_t)colon), (uint16_t)port, listen))
		return err_set(err, ERR_CONFIG, "its address must be an IPv4 address, "
			       "an IPv6 address in brackets, or localhost");
	return 0;
}

static int set_listen(struct config *config, const struct config_option *option, struct str text,
		      struct err *err)
{
	struct config_listen listen = { 0 };

	if (text.n > 0 && config_listen_parse(text, &listen, err) != 0)
		return err_wrap(err, "'%.*s' is not allowed", STR_ARG(str_head(text, SHOWN_MAX)));
	*(const char **)field_of(config, option) = pool_cstr(config->pool, text);
	config->server.listen_address = listen;
	return 0;
}

static int set_direct(struct config *config, const struct config_option *option, struct str text,
		      struct err *err)
{
	if (!config_direct_is_valid(option, text))
		return refuse(option, text, err);
	*(const char **)field_of(config, option) = pool_cstr(config->pool, text);
	return 0;
}

static int set_chain(struct config *config, struct str text, struct err *err)
{
	chain_clear(&config->upstream.chain);
	return chain_parse(text, &config->upstream.chain, err);
}

int config_value_set(struct config *config, const struct config_option *option, struct str text,
		     struct err *err)
{
	text = str_trim(text);
	if (has_control(text))
		return err_set(err, ERR_CONFIG, "a control byte is not allowed");
	switch (option->type) {
	case CONFIG_NUMBER:
		return set_number(config, option, text, err);
	case CONFIG_PATH:
	case CONFIG_FILE:
		return set_path(config, option, text, err);
	case CONFIG_PREFIX:
		return set_prefix(config, option, text, err);
	case CONFIG_HOSTS:
		return set_hosts(config, option, text, err);
	case CONFIG_LEVEL:
	case CONFIG_READ_AHEAD:
	case CONFIG_UNREACHABLE:
	case CONFIG_CLIENT_CERT:
	case CONFIG_REFUSE:
		return set_enum(config, option, text, err);
	case CONFIG_LISTEN:
		return set_listen(config, option, text, err);
	case CONFIG_CHAIN:
		return set_chain(config, text, err);
	case CONFIG_SENDFILE:
		return set_sendfile(config, option, text, err);
	case CONFIG_VCS:
	case CONFIG_REWRITE:
		return set_direct(config, option, text, err);
	case CONFIG_ACCESS:
		return config_access_set(config, option, text, err);
	default:
		return config_sumdb_set(config, option, text, err);
	}
}

void config_value_print(const struct config *config, size_t i, struct buf *buf)
{
	const struct config_option *option = &config_options[i];
	const void *field = field_const(config, option);

	switch (option->type) {
	case CONFIG_NUMBER:
		buf_printf(buf, "%d", *(const int *)field);
		break;
	case CONFIG_LEVEL:
	case CONFIG_READ_AHEAD:
	case CONFIG_UNREACHABLE:
	case CONFIG_CLIENT_CERT:
	case CONFIG_REFUSE:
		buf_add(buf, str_of(enums[option->type].names[*(const int *)field]));
		break;
	case CONFIG_CHAIN:
		chain_print(&config->upstream.chain, buf);
		break;
	case CONFIG_SUMDB:
	case CONFIG_SUMDBS:
	case CONFIG_POLICY:
		config_sumdb_print(config, option, buf);
		break;
	case CONFIG_ACCESS:
		config_access_print(field, buf);
		break;
	default:
		buf_add(buf, str_of(*(const char *const *)field));
		break;
	}
}
