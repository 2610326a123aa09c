/* A little memory kept back for libevent, which looks at most of what it allocates, but uses some
 * connections and requests that it could not make. Its small allocations never fail while there is
 * a reserve. Whoever is about to let it make a connection asks first that the reserve is full.
 * For processes with one thread. */
#pragma once

#include <stdbool.h>

/* Once, before libevent is used: what it allocates comes from here. Children inherit it. */
void reserve_open(void);

/* Fills it again. False: no memory for that; nothing new should be begun now. */
bool reserve_fill(void);
