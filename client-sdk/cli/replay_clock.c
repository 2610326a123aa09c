/* Owns the writing of the domain clock file. Called by replay.c; it never sets the clock back and
 * never makes the file. */
#include "replay_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool replay_clock_open(struct replay_clock *clock, const char *path, char *error_out,
                       size_t error_size)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat info;
    void *memory;

    clock->us = NULL;
    if (fd < 0 || fstat(fd, &info) < 0) {
        snprintf(error_out, error_size, "clock %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (info.st_size != sizeof *clock->us) {
        snprintf(error_out, error_size, "clock %s: not 8 bytes", path);
        close(fd);
        return false;
    }
    memory = mmap(NULL, sizeof *clock->us, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) {
        snprintf(error_out, error_size, "clock %s: %s", path, strerror(errno));
        return false;
    }
    clock->us = memory;
    return true;
}

void replay_clock_set(struct replay_clock *clock, int64_t us)
{
    if (us > __atomic_load_n(clock->us, __ATOMIC_ACQUIRE))
        __atomic_store_n(clock->us, us, __ATOMIC_RELEASE);
}

void replay_clock_close(struct replay_clock *clock)
{
    if (clock->us)
        munmap(clock->us, sizeof *clock->us);
    clock->us = NULL;
}
