/* Queries of the load: of one member's purchases elsewhere, of members never met, of counts. They
 * ask for what tests/bench/preload.sql made, as the terminal of merchant bench-N. */
#ifndef TESTS_SUPPORT_BENCH_QUERY_H
#define TESTS_SUPPORT_BENCH_QUERY_H

#include "support/bench_client.h"

#define BENCH_PAGE_ROWS 50
#define BENCH_RELEASED  4 /* questions of each asker that are asked again and again */

enum bench_query_kind {
    BENCH_QUERY_MEMBER,    /* the first page of one of those who buy often */
    BENCH_NEVER_MET_PAGE,  /* the first page and four after it, under one filter after the other */
    BENCH_COUNT_FRESH,     /* a question that nobody asked before */
    BENCH_COUNT_RELEASED,  /* one of BENCH_RELEASED */
    BENCH_QUERIES_TOGETHER /* of 100: 80 members, 18 pages, 2 counts from the stored release */
};

/* Who asks and what he asked last; the request borrows from it. */
struct bench_asker {
    enum bench_query_kind kind;
    unsigned merchant;
    int merchants, members;
    char card[BENCH_CARD_BYTES];
    char code[24];
    const char *list[1];
    enum loyal_verb verb; /* of the last request */
    /* of the list of members: its filter, and where it goes on */
    unsigned filter, page;
    struct loyal_cursor cursor;
};

/* By its name in bench.json; false: there is none. */
bool bench_query_kind_of(const char *name, enum bench_query_kind *kind_out);

struct loyal_request bench_query_make(struct bench_asker *asker, uint64_t *random);
/* Of the questions that come from the release: number 0 to BENCH_RELEASED - 1. */
struct loyal_request bench_query_released(struct bench_asker *asker, unsigned number);
/* Each answer, before the next request of this asker. */
void bench_query_answered(struct bench_asker *asker, const struct loyal_answer *answer);

#endif
