/* Owns what a replay shows at its end. Called by cmd_replay.c. */
#include "output.h"
#include "replay.h"

#include <stdio.h>

static const char *const VERBS[COUNT_VERBS] = {"enrol", "redeem", "earn", "reverse"};

static struct table *outcomes_table(const struct replay_counts *counts)
{
    static const char *const columns[] = {"request", "code", "answers", NULL};
    struct table *table = table_create(columns);

    for (int v = 0; v < COUNT_VERBS; v++)
        for (int c = 0; c < REPLAY_CODES; c++) {
            if (counts->answers[v][c] == 0)
                continue;
            table_text(table, VERBS[v]);
            table_text(table, loyal_code_name((enum loyal_code)c));
            table_number(table, (int64_t)counts->answers[v][c]);
        }
    return table;
}

static struct table *totals_table(const struct replay_counts *counts,
                                  const struct replay_load *load, double seconds)
{
    static const char *const columns[] = {"rows",
                                          "answers",
                                          "recorded",
                                          "sent_twice",
                                          "of_them_at_once",
                                          "cut",
                                          "cut_committed",
                                          "cut_too_late",
                                          "repeated",
                                          "points_earned",
                                          "points_redeemed",
                                          "points_clawed_back",
                                          "seconds",
                                          "answers_per_s",
                                          "mean_batch",
                                          NULL};
    struct table *table = table_create(columns);
    uint64_t answers = 0, recorded = 0;

    for (int v = 0; v < COUNT_VERBS; v++) {
        recorded += counts->recorded[v];
        for (int c = 0; c < REPLAY_CODES; c++)
            answers += counts->answers[v][c];
    }
    table_number(table, (int64_t)counts->rows);
    table_number(table, (int64_t)answers);
    table_number(table, (int64_t)recorded);
    table_number(table, (int64_t)counts->twice);
    table_number(table, (int64_t)counts->twice_at_once);
    table_number(table, (int64_t)counts->cut);
    table_number(table, (int64_t)counts->cut_committed);
    table_number(table, (int64_t)counts->cut_too_late);
    table_number(table, (int64_t)counts->repeated);
    table_number(table, (int64_t)counts->points_earned);
    table_number(table, (int64_t)counts->points_redeemed);
    table_number(table, (int64_t)counts->points_clawed);
    table_real(table, seconds);
    table_real(table, seconds > 0 ? (double)answers / seconds : 0);
    if (load && load->batches > 0)
        table_real(table, (double)load->postings / (double)load->batches);
    else
        table_none(table);
    return table;
}

/* One screen's worth for people; the same figures by name in JSON. */
static void print_plain(const struct replay_counts *c, const struct replay_load *load,
                        double seconds)
{
    printf("%llu rows in %.1f s", (unsigned long long)c->rows, seconds);
    if (load && load->batches > 0)
        printf(", mean batch %.1f", (double)load->postings / (double)load->batches);
    puts("");
    for (int v = 0; v < COUNT_VERBS; v++) {
        const char *sep = "";

        printf("  %-8s", VERBS[v]);
        for (int k = 0; k < REPLAY_CODES; k++)
            if (c->answers[v][k] > 0) {
                printf("%s%llu %s", sep, (unsigned long long)c->answers[v][k],
                       loyal_code_name((enum loyal_code)k));
                sep = ", ";
            }
        printf("%s%llu from the record\n", sep, (unsigned long long)c->recorded[v]);
    }
    printf("  points   %llu earned, %llu redeemed, %llu clawed back\n",
           (unsigned long long)c->points_earned, (unsigned long long)c->points_redeemed,
           (unsigned long long)c->points_clawed);
    printf("  sent twice: %llu rows (%llu of them both at once), all answers agree\n",
           (unsigned long long)c->twice, (unsigned long long)c->twice_at_once);
    printf("  socket shut down after sending: %llu rows, %llu of them had been committed; all in "
           "flight"
           " there were repeated: %llu\n",
           (unsigned long long)(c->cut - c->cut_too_late), (unsigned long long)c->cut_committed,
           (unsigned long long)c->repeated);
}

void replay_report(bool json, const struct replay_counts *counts, const struct replay_load *load,
                   double seconds)
{
    if (!json) {
        print_plain(counts, load, seconds);
        return;
    }
    struct section sections[] = {{"totals", totals_table(counts, load, seconds), true},
                                 {"outcomes", outcomes_table(counts), false}};

    output_print(true, sections, 2);
}
