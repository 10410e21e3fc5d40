#include "origin/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

static bool is_private_v4(uint32_t a)
{
	static const struct {
		uint32_t net;
		int bits;
	} nets[] = {
		{ 0x00000000, 8 },  { 0x0a000000, 8 },	{ 0x64400000, 10 },
		{ 0x7f000000, 8 },  { 0xa9fe0000, 16 }, { 0xac100000, 12 },
		{ 0xc0000000, 24 }, { 0xc0a80000, 16 }, { 0xc6120000, 15 },
		{ 0xe0000000, 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(nets); i++)
		if (a >> (32 - nets[i].bits) == nets[i].net >> (32 - nets[i].bits))
			return true;
	return false;
}

static uint32_t v4_at(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is_private_v6(const unsigned char *p)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const unsigned char nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	static const unsigned char zero[12];

	if (memcmp(p, mapped, 12) == 0 || memcmp(p, nat64, 12) == 0)
		return is_private_v4(v4_at(p + 12));
	if (memcmp(p, zero, 12) == 0)
		return true; /* ::, ::1 and the old compatible ones */
	if (memcmp(p, nat64, 4) == 0 && p[4] == 0 && p[5] == 1)
		return true; /* 64:ff9b:1::/48: a network's own NAT64 (RFC 8215) */
	if (p[0] == 0x20 && p[1] == 0x02) /* 6to4 */
		return is_private_v4(v4_at(p + 2));
	return (p[0] & 0xfe) == 0xfc || p[0] == 0xff ||
	       (p[0] == 0xfe && (p[1] & 0xc0) != 0);
}

bool address_is_private(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		return is_private_v4(ntohl(in.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof(in6));
		return is_private_v6(in6.sin6_addr.s6_addr);
	}
	return true;
}

bool address_is_literal(const char *host, struct sockaddr_storage *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
	char plain[INET6_ADDRSTRLEN] = "";
	struct str name = str_of(host);

	memset(address, 0, sizeof(*address));
	if (name.n > 2 && name.p[0] == '[')
		name = str_head(str_skip(name, 1), name.n - 2);
	if (name.n >= sizeof(plain))
		return false;
	memcpy(plain, name.p, name.n);
	if (inet_pton(AF_INET, plain, &in->sin_addr) == 1)
		address->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, plain, &in6->sin6_addr) == 1)
		address->ss_family = AF_INET6;
	return address->ss_family != 0;
}
