/* Owns the simulated town: members with their habits, merchants of very different size, purchases
 * over three years, and refunds of some of them. Called by `loyalctl replay simulate` and its test.
 * Every number comes from the seed. */
#include "town.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAYS = 1006, DAY_FIRST_S = 8 * 3600, DAY_LENGTH_S = 12 * 3600, OUTLETS_MAX = 60 };

/* 2014-04-01 */
static const int64_t FIRST_DAY_S = 1396310400;

struct kind {
    const char *code, *category;
};

static const struct kind MERCHANTS[TOWN_MERCHANTS] = {
    {"bazaar-online", "Books and Household"},
    {"market-hall", "Groceries"},
    {"north-foods", "Groceries"},
    {"ring-fuel", "Fuel"},
    {"south-foods", "Groceries"},
    {"canal-fuel", "Fuel"},
    {"auction-online", "Household"},
    {"corner-shop", "Groceries"},
    {"hill-fuel", "Fuel"},
    {"catalogue", "Household"},
    {"post-house", "Postage"},
    {"railway", "Travel"},
    {"car-park", "Parking"},
    {"telephone", "Telephone"},
    {"penny-store", "Household"},
    {"lake-fuel", "Fuel"},
    {"licence-office", "Fees"},
    {"sweet-factory", "Outings"},
    {"computers", "Computing"},
    {"village-foods", "Groceries"},
    {"grand-hotel", "Hotel"},
    {"burgers", "Meals"},
    {"builders", "Materials"},
    {"hardware", "Household"},
    {"clothes", "Clothing"},
    {"screws", "Materials"},
    {"school-things", "Stationery"},
    {"child-clothes", "Clothing"},
    {"electrics", "Computing"},
    {"book-people", "Books"},
    {"parcels", "Postage"},
    {"timber", "Materials"},
    {"paper", "Stationery"},
    {"station-inn", "Hotel"},
    {"garden", "Household"},
    {"cheap-foods", "Groceries"},
    {"parts", "Materials"},
    {"furniture", "Household"},
    {"newspapers", "Books"},
    {"crafts", "Stationery"},
    {"coaches", "Travel"},
    {"bicycles", "Outings"},
    {"remainders", "Books"},
    {"office", "Stationery"},
    {"toys", "Outings"},
    {"pens", "Stationery"},
    {"homeware", "Household"},
    {"department", "Clothing"},
};

struct event {
    uint32_t day, second;
    uint32_t number; /* as made; ties are sorted by it */
    uint32_t member, merchant, outlet;
    int64_t amount_minor, left_minor; /* left: not refunded yet */
    bool refund, unnamed;
    uint32_t original; /* number of the purchase */
    uint32_t seq;
};

struct town {
    uint64_t state;
    double weight[TOWN_MERCHANTS]; /* cumulative, 0 to 1 */
    struct event *events;
    size_t count, room;
    uint32_t *place; /* by number: where it stands after sorting */
};

/* ---- chance ---- */

/* splitmix64 */
static uint64_t next(struct town *town)
{
    uint64_t z = town->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* 0 <= u < 1 */
static double uniform(struct town *town)
{
    return (double)(next(town) >> 11) / 9007199254740992.0;
}

static uint32_t below(struct town *town, uint32_t bound)
{
    return (uint32_t)(uniform(town) * bound);
}

/* exp(normal): its median is `median`. */
static double lognormal(struct town *town, double median, double sigma)
{
    double u = 1 - uniform(town), v = uniform(town);

    return median * exp(sigma * sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
}

/* The largest merchant has three parts of ten; the others fall off slowly. */
static void weigh_merchants(struct town *town)
{
    double sum = 0;

    for (int i = 0; i < TOWN_MERCHANTS; i++) {
        sum += i == 0 ? 30.0 : 12.0 * pow(i, -0.62);
        town->weight[i] = sum;
    }
    for (int i = 0; i < TOWN_MERCHANTS; i++)
        town->weight[i] /= sum;
}

static uint32_t pick_merchant(struct town *town)
{
    double u = uniform(town);
    uint32_t i = 0;

    while (i < TOWN_MERCHANTS - 1 && town->weight[i] <= u)
        i++;
    return i;
}

/* ---- members ---- */

struct habit {
    uint32_t merchants[TOWN_MERCHANTS];
    size_t merchant_count;
    double activity;
    uint64_t home; /* which outlets he goes to */
};

static void make_habit(struct town *town, struct habit *habit)
{
    double wanted = lognormal(town, TOWN_MEDIAN_MERCHANTS, 0.95);
    size_t count = wanted < 1 ? 1 : wanted > 40 ? 40 : (size_t)(wanted + 0.5);
    uint64_t seen = 0;

    habit->merchant_count = 0;
    habit->home = next(town);
    habit->activity = pow((double)count, 1.3) * lognormal(town, 1, 0.6);
    while (habit->merchant_count < count) {
        uint32_t merchant = pick_merchant(town);

        if (seen >> merchant & 1)
            merchant = below(town, TOWN_MERCHANTS);
        if (seen >> merchant & 1)
            continue;
        seen |= (uint64_t)1 << merchant;
        habit->merchants[habit->merchant_count++] = merchant;
    }
}

/* Among his own merchants as among all: by size. */
static uint32_t pick_own(struct town *town, const struct habit *habit)
{
    double sum = 0, u;

    for (size_t i = 0; i < habit->merchant_count; i++) {
        uint32_t m = habit->merchants[i];

        sum += town->weight[m] - (m > 0 ? town->weight[m - 1] : 0);
    }
    u = uniform(town) * sum;
    for (size_t i = 0; i < habit->merchant_count; i++) {
        uint32_t m = habit->merchants[i];

        u -= town->weight[m] - (m > 0 ? town->weight[m - 1] : 0);
        if (u < 0)
            return m;
    }
    return habit->merchants[habit->merchant_count - 1];
}

/* ---- events ---- */

static struct event *add_event(struct town *town)
{
    struct event *event = &town->events[town->count];

    assert(town->count < town->room);
    memset(event, 0, sizeof *event);
    event->number = (uint32_t)town->count++;
    return event;
}

static void add_purchase(struct town *town, uint32_t member, const struct habit *habit,
                         uint32_t merchant)
{
    struct event *event = add_event(town);
    uint32_t outlets = OUTLETS_MAX / (1 + merchant / 4);
    uint64_t home = (habit->home >> merchant % 40) % outlets;

    event->member = member;
    event->merchant = merchant;
    event->outlet = uniform(town) < 0.7 ? (uint32_t)home : below(town, outlets);
    event->day = below(town, DAYS);
    event->second = DAY_FIRST_S + below(town, DAY_LENGTH_S);
    event->amount_minor = 1 + (int64_t)lognormal(town, 3399, 1.123);
    event->left_minor = event->amount_minor;
}

static bool add_purchases(struct town *town, size_t purchases)
{
    struct habit *habits = calloc(TOWN_MEMBERS, sizeof *habits);
    double activity = 0;
    size_t fixed = 0;

    if (!habits)
        return false;
    for (uint32_t m = 0; m < TOWN_MEMBERS; m++) {
        make_habit(town, &habits[m]);
        activity += habits[m].activity;
        fixed += habits[m].merchant_count;
    }
    /* Everybody once at each of his merchants, then by activity. */
    for (uint32_t m = 0; m < TOWN_MEMBERS; m++) {
        double share = (double)(purchases - fixed) * habits[m].activity / activity;
        size_t more = (size_t)(share + uniform(town));

        for (size_t i = 0; i < habits[m].merchant_count && town->count < purchases; i++)
            add_purchase(town, m, &habits[m], habits[m].merchants[i]);
        for (size_t i = 0; i < more && town->count < purchases; i++)
            add_purchase(town, m, &habits[m], pick_own(town, &habits[m]));
    }
    free(habits);
    return true;
}

/* A third gives all back, the others a part; one in twenty has lost the receipt. */
static void add_refund(struct town *town, size_t purchases)
{
    struct event *from = &town->events[below(town, (uint32_t)purchases)];
    struct event *event;

    if (from->left_minor < 2)
        return;
    event = add_event(town);
    event->refund = true;
    event->member = from->member;
    event->merchant = from->merchant;
    event->outlet = from->outlet;
    event->original = from->number;
    event->unnamed = uniform(town) < 0.045;
    event->day = from->day + 1 + (uint32_t)(-log(1 - uniform(town)) * 15);
    event->second = DAY_FIRST_S + below(town, DAY_LENGTH_S);
    event->amount_minor = from->left_minor;
    if (uniform(town) > 0.33)
        event->amount_minor = 1 + (int64_t)(uniform(town) * (double)(from->left_minor - 1));
    if (!event->unnamed)
        from->left_minor -= event->amount_minor;
}

static int compare_events(const void *left, const void *right)
{
    const struct event *a = left, *b = right;

    if (a->day != b->day)
        return a->day < b->day ? -1 : 1;
    if (a->second != b->second)
        return a->second < b->second ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* ---- the file ---- */

static void print_event(FILE *file, const struct town *town, const struct event *event)
{
    time_t at = (time_t)(FIRST_DAY_S + (int64_t)event->day * 86400 + event->second);
    char when[32], month[16], original[16] = "";
    const struct event *from = &town->events[town->place[event->original]];
    const char *match = "";
    struct tm tm;

    gmtime_r(&at, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(month, sizeof month, "%Y-%m", &tm);
    if (event->refund)
        match = event->unnamed                              ? "unmatched"
                : event->amount_minor == from->amount_minor ? "full"
                                                            : "partial";
    if (event->refund && !event->unnamed)
        snprintf(original, sizeof original, "%u", from->seq);
    fprintf(file, "%u,%s,%s,%u,%s,%u,%lld,%s,%s,%s,%s,0,%u\n", event->seq, when,
            event->refund ? "refund" : "purchase", event->member + 1,
            MERCHANTS[event->merchant].code, event->merchant * 100 + event->outlet + 1,
            (long long)event->amount_minor, MERCHANTS[event->merchant].category, original, match,
            month, event->number + 1);
}

static void print_town(FILE *file, const struct town *town, uint64_t seed)
{
    fprintf(file, "# simulated: a town that does not exist, seed %llu\n", (unsigned long long)seed);
    fputs("seq,event_time,event,member_id,merchant_id,outlet_id,amount_pence,expense_category,"
          "ref_seq,ref_match,posted_month,late,txn_id\n",
          file);
    for (size_t i = 0; i < town->count; i++)
        print_event(file, town, &town->events[i]);
}

/* ---- what came out ---- */

static int compare_numbers(const void *left, const void *right)
{
    const int *a = left, *b = right;

    return *b - *a;
}

static double top_five(const struct town *town, size_t purchases)
{
    int counts[TOWN_MERCHANTS] = {0};

    for (size_t i = 0; i < town->count; i++)
        counts[town->events[i].merchant] += !town->events[i].refund;
    qsort(counts, TOWN_MERCHANTS, sizeof *counts, compare_numbers);
    return (double)(counts[0] + counts[1] + counts[2] + counts[3] + counts[4]) / (double)purchases;
}

static void measure(const struct town *town, struct town_figures *figures)
{
    uint64_t seen[TOWN_MEMBERS] = {0}, all = 0;
    int used[TOWN_MEMBERS];

    *figures = (struct town_figures){.rows = town->count};
    for (size_t i = 0; i < town->count; i++) {
        const struct event *event = &town->events[i];

        seen[event->member] |= (uint64_t)1 << event->merchant;
        figures->refunds += event->refund;
        figures->refunds_unnamed += event->refund && event->unnamed;
    }
    for (int m = 0; m < TOWN_MEMBERS; m++) {
        used[m] = __builtin_popcountll(seen[m]);
        figures->members += seen[m] != 0;
        all |= seen[m];
    }
    qsort(used, TOWN_MEMBERS, sizeof *used, compare_numbers);
    figures->purchases = figures->rows - figures->refunds;
    figures->merchants = (size_t)__builtin_popcountll(all);
    enum { MIDDLE = TOWN_MEMBERS / 2 };
    figures->median_merchants = used[MIDDLE];
    figures->refund_share = (double)figures->refunds / (double)figures->rows;
    figures->top_five_share = top_five(town, figures->purchases);
}

bool town_write(FILE *file, uint64_t seed, size_t rows, struct town_figures *figures_out)
{
    size_t purchases = rows - (size_t)((double)rows * TOWN_REFUND_SHARE);
    struct town town = {.state = seed, .room = rows};
    bool good;

    assert(rows >= TOWN_ROWS_MIN && rows <= TOWN_ROWS_MAX);
    town.events = calloc(rows, sizeof *town.events);
    town.place = calloc(rows, sizeof *town.place);
    weigh_merchants(&town);
    good = town.events && town.place && add_purchases(&town, purchases);
    if (good) {
        purchases = town.count;
        for (size_t i = purchases; i < rows; i++)
            if (town.count - purchases < (size_t)((double)rows * TOWN_REFUND_SHARE))
                add_refund(&town, purchases);
        qsort(town.events, town.count, sizeof *town.events, compare_events);
        for (size_t i = 0; i < town.count; i++) {
            town.events[i].seq = (uint32_t)i + 1;
            town.place[town.events[i].number] = (uint32_t)i;
        }
        print_town(file, &town, seed);
        measure(&town, figures_out);
        good = fflush(file) == 0 && !ferror(file);
    }
    free(town.events);
    free(town.place);
    return good;
}
