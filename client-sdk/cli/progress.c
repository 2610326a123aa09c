/* Owns the progress bar on stderr. Called by the replay and the conservation check; stdout is never
 * touched. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 30, TTY_EVERY_US = 100000, PLAIN_EVERY_US = 5000000 };

int64_t progress_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void progress_start(struct progress *progress, const char *what, const char *unit, uint64_t total)
{
    *progress = (struct progress){.what = what,
                                  .unit = unit,
                                  .total = total,
                                  .started_us = progress_now_us(),
                                  .tty = isatty(STDERR_FILENO) == 1};
    progress->shown_us = progress->tty ? 0 : progress->started_us;
}

static void draw(struct progress *progress, int64_t now_us)
{
    double seconds = (double)(now_us - progress->started_us) / 1e6;
    double rate = seconds > 0 ? (double)progress->done / seconds : 0;
    uint64_t total = progress->total ? progress->total : 1;
    uint64_t left_s = rate > 0 ? (uint64_t)((double)(total - progress->done) / rate + 0.5) : 0;
    int filled = (int)(progress->done * BAR_WIDTH / total);
    char bar[BAR_WIDTH + 1];

    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)filled);
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "%s%s [%s] %" PRIu64 " of %" PRIu64 " %s, %.0f/s, ", progress->tty ? "\r" : "",
            progress->what, bar, progress->done, progress->total, progress->unit, rate);
    if (progress->done >= progress->total)
        fprintf(stderr, "%.1f s ", seconds);
    else
        fprintf(stderr, "%" PRIu64 " s left", left_s);
    fputs(progress->tty ? "\033[K" : "\n", stderr);
    progress->shown_us = now_us;
}

void progress_set(struct progress *progress, uint64_t done)
{
    int64_t now_us = progress_now_us();

    progress->done = done < progress->total ? done : progress->total;
    if (now_us - progress->shown_us >= (progress->tty ? TTY_EVERY_US : PLAIN_EVERY_US))
        draw(progress, now_us);
}

void progress_end(struct progress *progress)
{
    draw(progress, progress_now_us());
    if (progress->tty)
        fputc('\n', stderr);
}
