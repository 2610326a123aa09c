/* Makes the load's queries; see bench_query.h. Keeps nothing but what an asker holds. */
#include "support/bench_query.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LENGTH(array)  (sizeof(array) / sizeof(array)[0])
#define OFTEN_EACH     100 /* every hundredth member buys often */
#define GRANTS_WHOLE   2   /* of all purchases, for service, besides that to the first merchant */
#define TRIES_MAX      10000
#define PAGES_IN_A_ROW 5
#define DAY_US         (24 * 60 * 60 * INT64_C(1000000))

bool bench_query_kind_of(const char *name, enum bench_query_kind *kind_out)
{
    static const char *const names[] = {"query_member", "never_met_page", "count_members",
                                        "count_members_released", "queries"};
    for (size_t i = 0; i < LENGTH(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *kind_out = (enum bench_query_kind)i;
            return true;
        }
    }
    return false;
}

/* As bench.preload_grants() says. */
static bool granted_whole(const struct bench_asker *asker, int64_t number)
{
    if (asker->merchant == 0)
        return true;
    for (int64_t grant = 1; grant <= GRANTS_WHOLE; grant++)
        if (1 + (number / 10 + 11 * grant) % (asker->merchants - 1) == asker->merchant)
            return true;
    return false;
}

static struct loyal_request member_make(struct bench_asker *asker, uint64_t *random)
{
    int64_t number = 0;
    for (int i = 0; i < TRIES_MAX; i++) {
        number = OFTEN_EACH * bench_between(random, 0, (asker->members - 1) / OFTEN_EACH);
        if (granted_whole(asker, number))
            break;
    }
    snprintf(asker->card, sizeof asker->card, "%" PRId64, BENCH_CARD_FIRST + number);
    return (struct loyal_request){.verb = LOYAL_QUERY_PURCHASES,
                                  .member.identifier = {LOYAL_CARD, asker->card},
                                  .purpose = LOYAL_SERVICE,
                                  .page_rows = BENCH_PAGE_ROWS};
}

static uint32_t day_before(int days)
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    time_t seconds = now.tv_sec - (time_t)(days * (DAY_US / 1000000));
    gmtime_r(&seconds, &parts);
    return (uint32_t)((parts.tm_year + 1900) * 10000 + (parts.tm_mon + 1) * 100 + parts.tm_mday);
}

/* Of purchases at one other merchant. */
static void filter_merchant(struct bench_asker *asker, unsigned number, struct loyal_filter *out)
{
    unsigned other = (asker->merchant + 1 + number) % (unsigned)asker->merchants;
    snprintf(asker->code, sizeof asker->code, "bench-%u", other);
    asker->list[0] = asker->code;
    out->merchants = asker->list;
    out->merchant_count = 1;
}

static void filter_make(struct bench_asker *asker, unsigned number, struct loyal_filter *out)
{
    switch (number % 5) {
    case 0: break;
    case 1: filter_merchant(asker, number, out); break;
    case 2:
        asker->list[0] = "grocery";
        out->categories = asker->list;
        out->category_count = 1;
        break;
    case 3: out->date_first = day_before(14); break;
    default: out->amount_minor_min = 19000;
    }
}

static struct loyal_request never_met_make(struct bench_asker *asker)
{
    struct loyal_request request = {.verb = LOYAL_LIST_MEMBERS_NEVER_MET,
                                    .purpose = LOYAL_SERVICE,
                                    .page_rows = BENCH_PAGE_ROWS,
                                    .cursor = asker->cursor};
    filter_make(asker, asker->filter, &request.filter);
    return request;
}

/* The amount makes it another question than all before. */
static struct loyal_request count_make(struct bench_asker *asker, uint64_t *random)
{
    struct loyal_request request = {.verb = LOYAL_COUNT_MEMBERS, .purpose = LOYAL_SERVICE};
    filter_make(asker, asker->filter++, &request.filter);
    request.filter.amount_minor_min = bench_between(random, 101, 19000);
    request.filter.amount_minor_max = bench_between(random, 19001, 30000);
    return request;
}

struct loyal_request bench_query_released(struct bench_asker *asker, unsigned number)
{
    struct loyal_request request = {.verb = LOYAL_COUNT_MEMBERS, .purpose = LOYAL_SERVICE};
    filter_merchant(asker, number, &request.filter);
    return request;
}

static struct loyal_request together_make(struct bench_asker *asker, uint64_t *random)
{
    int64_t chance = bench_between(random, 0, 99);
    if (chance < 80)
        return member_make(asker, random);
    if (chance < 98)
        return never_met_make(asker);
    return bench_query_released(asker, (unsigned)chance % BENCH_RELEASED);
}

static struct loyal_request kind_make(struct bench_asker *asker, uint64_t *random)
{
    switch (asker->kind) {
    case BENCH_QUERY_MEMBER: return member_make(asker, random);
    case BENCH_NEVER_MET_PAGE: return never_met_make(asker);
    case BENCH_COUNT_FRESH: return count_make(asker, random);
    case BENCH_COUNT_RELEASED:
        return bench_query_released(asker, (unsigned)bench_between(random, 0, BENCH_RELEASED - 1));
    default: return together_make(asker, random);
    }
}

struct loyal_request bench_query_make(struct bench_asker *asker, uint64_t *random)
{
    struct loyal_request request = kind_make(asker, random);
    asker->verb = request.verb;
    return request;
}

void bench_query_answered(struct bench_asker *asker, const struct loyal_answer *answer)
{
    if (asker->verb != LOYAL_LIST_MEMBERS_NEVER_MET)
        return;
    asker->cursor = answer->cursor;
    if (asker->cursor.size > 0 && ++asker->page < PAGES_IN_A_ROW)
        return;
    asker->cursor.size = 0;
    asker->page = 0;
    asker->filter++;
}
