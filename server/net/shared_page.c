/* Maps and reads the shared page. Called by the master before it forks, by workers and by the admin
 * port. Never locks: a number a moment old is good enough for its readers. */
#include "net/shared_page.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/clock.h"

static size_t page_bytes(int slot_count)
{
    return sizeof(struct shared_page) + (size_t)slot_count * sizeof(union shared_slot);
}

struct shared_page *shared_page_create(int slot_count, struct err *err)
{
    _Static_assert(sizeof(union shared_slot) == SHARED_SLOT_BYTES, "worker_stats fits into a slot");
    struct shared_page *page = mmap(NULL, page_bytes(slot_count), PROT_READ | PROT_WRITE,
                                    /* cppcheck-suppress invalidFunctionArg ; no file */
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        err_set_errno(err, errno, "the page that workers share cannot be mapped");
        return NULL;
    }
    page->slot_count = slot_count;
    page->started_us = clock_monotonic_us();
    return page;
}

void shared_page_destroy(struct shared_page **page)
{
    if (*page)
        munmap(*page, page_bytes((*page)->slot_count));
    *page = NULL;
}

struct worker_stats shared_page_read(const struct shared_page *page, int slot)
{
    const struct worker_stats *stats = &page->slots[slot].stats;
    return (struct worker_stats){
        .pid = stats_read(&stats->pid),
        .connections = stats_read(&stats->connections),
        .requests = stats_read(&stats->requests),
        .batches = stats_read(&stats->batches),
        .postings = stats_read(&stats->postings),
        .refused = stats_read(&stats->refused),
        .retried = stats_read(&stats->retried),
        .unknown = stats_read(&stats->unknown),
        .ready = stats_read(&stats->ready),
    };
}

bool shared_page_is_ready(const struct shared_page *page)
{
    for (int slot = 0; slot < page->slot_count; slot++) {
        if (stats_read(&page->slots[slot].stats.ready))
            return true;
    }
    return false;
}

void shared_page_clear_worker(struct shared_page *page, int slot)
{
    struct worker_stats *stats = &page->slots[slot].stats;
    __atomic_store_n(&stats->pid, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&stats->connections, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&stats->ready, 0, __ATOMIC_RELAXED);
}
