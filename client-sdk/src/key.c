/* Request keys: UUIDv7 of an instant of the server's time.
 *
 * Public function loyal_key_make, also called by call.c. It must never make one key twice: the 74
 * bits beside the time are from the kernel's random numbers. */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "loyal/loyal.h"

void loyal_key_make(int64_t at_us, uint8_t key_out[LOYAL_KEY_BYTES])
{
    size_t got = 0;
    while (got < LOYAL_KEY_BYTES) {
        ssize_t n = getrandom(key_out + got, LOYAL_KEY_BYTES - got, 0);
        if (n < 0 && errno != EINTR)
            abort(); /* a key that is not random could be another request's */
        if (n > 0)
            got += (size_t)n;
    }
    uint64_t ms = at_us > 0 ? (uint64_t)at_us / 1000 : 0;
    for (int i = 0; i < 6; i++)
        key_out[i] = (uint8_t)(ms >> (40 - 8 * i));
    key_out[6] = (uint8_t)(0x70 | (key_out[6] & 0x0f));
    key_out[8] = (uint8_t)(0x80 | (key_out[8] & 0x3f));
}
