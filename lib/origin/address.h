/*
 * address.h - which network addresses are nobody's business but the host's
 * own network: private, loopback, link-local, multicast and reserved ones
 * (the IANA special-purpose registries of RFC 6890), also where an IPv6
 * address only wraps an IPv4 one.
 */
#ifndef ORIGIN_ADDRESS_H
#define ORIGIN_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

bool address_is_private(const struct sockaddr *address);

/* Is host an address as it is written, an IPv6 one perhaps in brackets? Then *address is it. */
bool address_is_literal(const char *host, struct sockaddr_storage *address);

#endif
