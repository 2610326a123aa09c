/* Counts observations and measures the process. Called wherever something is counted; allocates
 * nothing and never fails. */
#include "base/stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

const uint64_t STATS_TIME_BOUNDS_US[STATS_TIMES] = {500,     1000,    2000,    5000,     10000,
                                                    20000,   50000,   100000,  200000,   500000,
                                                    1000000, 2000000, 5000000, 10000000, 30000000};
const uint64_t STATS_SIZE_BOUNDS[STATS_SIZES] = {1, 2, 5, 10, 20, 50, 100, 200, 400, 1000};

static int bucket_of(const uint64_t *bounds, int count, uint64_t value)
{
    int bucket = 0;
    while (bucket < count && value > bounds[bucket])
        bucket++;
    return bucket;
}

void stats_time(struct stats_times *times, int64_t us)
{
    uint64_t value = us > 0 ? (uint64_t)us : 0;
    stats_add(&times->buckets[bucket_of(STATS_TIME_BOUNDS_US, STATS_TIMES, value)], 1);
    stats_add(&times->sum_us, (int64_t)value);
}

void stats_size(struct stats_sizes *sizes, uint64_t size)
{
    stats_add(&sizes->buckets[bucket_of(STATS_SIZE_BOUNDS, STATS_SIZES, size)], 1);
    stats_add(&sizes->sum, (int64_t)size);
}

static uint64_t resident_bytes(void)
{
    char text[64];
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    const char *resident = strchr(text, ' '); /* the second number: pages in memory */
    return resident ? strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* Newer kernels tell the number as the folder's size. */
static uint64_t open_files(void)
{
    struct stat status;
    uint64_t count = 0;
    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0)
        return (uint64_t)status.st_size;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return 0;
    while (readdir(folder)) /* cppcheck-suppress readdirCalled ; one thread */
        count++;
    closedir(folder);
    return count > 3 ? count - 3 : 0; /* two dots, and the folder itself */
}

void stats_process(struct stats_process *process, bool measure)
{
    stats_set(&process->beat_us, (uint64_t)clock_monotonic_us());
    if (!measure)
        return;
    stats_set(&process->resident_bytes, resident_bytes());
    stats_set(&process->open_files, open_files());
}
