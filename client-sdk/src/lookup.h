/* The look-up of a host name, which getaddrinfo(3) does only by waiting: in a thread of its own
 * that ends with it.
 *
 * Called by connection.c. An owner that loses patience drops the look-up; it must never wait for
 * the thread of one that is not over. */
#ifndef LOYAL_SDK_LOOKUP_H
#define LOYAL_SDK_LOOKUP_H

#include <netdb.h>
#include <stdbool.h>

struct lookup;

/* Both texts are copied. NULL: no memory, descriptor or thread left. */
struct lookup *sdk_lookup_start(const char *host, const char *port);
/* Polls readable from when it is over. */
int sdk_lookup_fd(const struct lookup *lookup);
bool sdk_lookup_is_over(const struct lookup *lookup);
/* Of one that is over: getaddrinfo's result, and the addresses, now the caller's. */
int sdk_lookup_take(struct lookup **lookup, struct addrinfo **addresses_out);
/* At any time; NULL is none. */
void sdk_lookup_drop(struct lookup **lookup);

#endif
