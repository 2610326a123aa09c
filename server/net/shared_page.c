/* Maps and reads the shared page. Called by the master before it forks, and by its children. Never
 * locks: a number a moment old is good enough for its readers. */
#include "net/shared_page.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/clock.h"

static size_t page_bytes(int slot_count)
{
    return sizeof(struct shared_page) + (size_t)slot_count * sizeof(struct shared_slot);
}

struct shared_page *shared_page_create(int slot_count, struct err *err)
{
    struct shared_page *page = mmap(NULL, page_bytes(slot_count), PROT_READ | PROT_WRITE,
                                    /* cppcheck-suppress invalidFunctionArg ; no file */
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        err_set_errno(err, errno, "the page that workers share cannot be mapped");
        return NULL;
    }
    page->slot_count = slot_count;
    page->started_us = clock_monotonic_us();
    page->master.started_us = page->master.reload_us = (uint64_t)clock_real_us();
    return page;
}

void shared_page_destroy(struct shared_page **page)
{
    if (*page)
        munmap(*page, page_bytes((*page)->slot_count));
    *page = NULL;
}

int shared_page_ready_count(const struct shared_page *page)
{
    int count = 0;
    for (int slot = 0; slot < page->slot_count; slot++)
        count += stats_read(&page->slots[slot].stats.ready) != 0;
    return count;
}

bool shared_page_is_ready(const struct shared_page *page)
{
    return shared_page_ready_count(page) > 0;
}

struct stats_process *shared_page_process(struct shared_page *page, int slot)
{
    return slot == SHARED_PAGE_ADMIN         ? &page->admin
           : slot == SHARED_PAGE_MAINTENANCE ? &page->maintenance.engine.process
                                             : &page->slots[slot].stats.process;
}

static void clear(void *first, const void *end)
{
    for (uint64_t *gauge = first; gauge < (const uint64_t *)end; gauge++)
        stats_set(gauge, 0);
}

void shared_page_clear(struct shared_page *page, int slot)
{
    struct worker_stats *stats = slot >= 0 ? &page->slots[slot].stats : &page->maintenance.engine;
    if (slot == SHARED_PAGE_ADMIN)
        clear(&page->admin, &page->admin + 1);
    else
        clear(stats, &stats->requests);
    if (slot == SHARED_PAGE_MAINTENANCE)
        stats_set(&page->maintenance.lease_held, 0);
}
