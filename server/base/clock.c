/* Domain time, from the system or from a mapped file, and the machine's real and monotonic time. */
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct domain_clock {
    const int64_t *mapped; /* NULL: the system's time */
};

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_real_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* The instant of a file, mapped, or NULL. A mapping outlives its descriptor. */
static const int64_t *map_file(const char *path, struct err *err)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        err_set_errno(err, errno, "clock file %s", path);
        return NULL;
    }
    struct stat status;
    const int64_t *mapped = NULL;
    if (fstat(file, &status) != 0) {
        err_set_errno(err, errno, "clock file %s", path);
    } else if (status.st_size < (off_t)sizeof *mapped) {
        err_set(err, "clock file %s: has fewer than 8 bytes", path);
    } else if ((mapped = mmap(NULL, sizeof *mapped, PROT_READ, MAP_SHARED, file, 0)) ==
               MAP_FAILED) {
        err_set_errno(err, errno, "clock file %s", path);
        mapped = NULL;
    }
    close(file);
    return mapped;
}

struct domain_clock *domain_clock_create(const char *spec, struct err *err)
{
    static const char file_prefix[] = "file:";
    const int64_t *mapped = NULL;
    if (strncmp(spec, file_prefix, sizeof file_prefix - 1) == 0) {
        mapped = map_file(spec + sizeof file_prefix - 1, err);
        if (!mapped)
            return NULL;
    } else if (strcmp(spec, "system") != 0) {
        err_set(err, "clock \"%s\": write system, or file:PATH", spec);
        return NULL;
    }
    struct domain_clock *clock = malloc(sizeof *clock);
    if (!clock) {
        if (mapped)
            munmap((void *)mapped, sizeof *mapped);
        err_set_errno(err, ENOMEM, "clock");
        return NULL;
    }
    clock->mapped = mapped;
    return clock;
}

void domain_clock_destroy(struct domain_clock **clock)
{
    if (!*clock)
        return;
    if ((*clock)->mapped)
        munmap((void *)(*clock)->mapped, sizeof *(*clock)->mapped);
    free(*clock);
    *clock = NULL;
}

int64_t domain_clock_us(const struct domain_clock *clock)
{
    return clock->mapped ? __atomic_load_n(clock->mapped, __ATOMIC_RELAXED) : clock_real_us();
}
