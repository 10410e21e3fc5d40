/* address.h: the IANA special-purpose registries (RFC 6890), both families. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "base/str.h"
#include "origin/address.h"

static const struct {
	const char *address;
	bool is_private;
} cases[] = {
	{ "127.0.0.1", true },	     { "10.1.2.3", true },     { "172.16.0.1", true },
	{ "172.31.255.255", true },  { "172.32.0.1", false },  { "192.168.1.1", true },
	{ "169.254.169.254", true }, { "100.64.0.1", true },   { "100.128.0.1", false },
	{ "0.0.0.0", true },	     { "224.0.0.1", true },    { "255.255.255.255", true },
	{ "192.0.0.8", true },	     { "198.18.0.1", true },   { "8.8.8.8", false },
	{ "::1", true },	     { "::", true },	       { "fe80::1", true },
	{ "fec0::1", true },	     { "fc00::1", true },      { "fdab::1", true },
	{ "ff02::1", true },	     { "::ffff:127.0.0.1", true }, { "::ffff:8.8.8.8", false },
	{ "64:ff9b::10.0.0.1", true }, { "64:ff9b::8.8.8.8", false }, { "2002:7f00:1::", true },
	{ "2002:808:808::", false }, { "2a00:1450::1", false }, { "fe00::1", false },
};

static void test_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sockaddr_in in = { .sin_family = AF_INET };
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
		bool is_v4 = inet_pton(AF_INET, cases[i].address, &in.sin_addr) == 1;

		if (!is_v4)
			assert_int_equal(inet_pton(AF_INET6, cases[i].address, &in6.sin6_addr), 1);
		print_message("%s\n", cases[i].address);
		assert_int_equal(address_is_private(is_v4 ? (struct sockaddr *)&in
							  : (struct sockaddr *)&in6),
				 cases[i].is_private);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_addresses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
