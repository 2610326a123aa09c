/* A replay under way: one connection a merchant, at most one row of each member in flight. Shared
 * by replay.c (the flow of rows), replay_rows.c (what a row asks and expects) and replay_report.c
 * (what is shown); cmd_replay.c drives them. */
#pragma once

#include "replay_clock.h"
#include "replay_data.h"
#include "replay_key.h"

#include <loyal/loyal.h>

enum { REPLAY_CODES = 32, REPLAY_REDEEM_POINTS = 500 };

/* What is counted apart: an earn and a reversal are both the main request of their row. */
enum replay_verb { COUNT_ENROL, COUNT_REDEEM, COUNT_EARN, COUNT_REVERSE, COUNT_VERBS };

struct replay_counts {
    uint64_t answers[COUNT_VERBS][REPLAY_CODES];
    uint64_t recorded[COUNT_VERBS]; /* answered from an earlier request with this key */
    uint64_t rows;
    uint64_t twice, twice_at_once;
    uint64_t cut, cut_committed, cut_too_late, repeated; /* too late: the answer had come already */
    uint64_t points_earned, points_redeemed, points_clawed;
};

/* The part of an answer that a repetition must give again. */
struct replay_result {
    enum loyal_kind kind;
    enum loyal_code code;
    bool recorded, has_body;
    int64_t points, debt_repaid, debt_made, available, debt;
    uint8_t entry_key[LOYAL_KEY_BYTES];
};

struct replay_member;

/* The context of a request in flight. */
struct replay_slot {
    struct replay *replay;
    struct replay_member *member;
    struct replay_result result;
};

struct replay_member {
    const char *card;
    bool enrolled;
    int64_t available; /* as his last answer showed it */
    size_t row;        /* the one under way; rows_end when idle */
    enum replay_step step;
    int waiting;     /* requests in flight: 0 to 2 */
    int twins_asked; /* answers that the main request shall have, less the first */
    bool was_cut;    /* the socket was shut down under the main request */
    struct replay_slot slots[2];
};

struct replay {
    const struct replay_data *data;
    struct loyal_client **clients; /* by merchant */
    struct replay_member *members;
    size_t *next_row; /* by row: the same member's next one, or rows_end */
    size_t rows_end;  /* no row */
    size_t *ready;    /* a ring of members that have something to send */
    size_t ready_first, ready_count;
    size_t day_last;  /* the first row after the day under way */
    size_t open_rows; /* of the day, not finished */
    struct replay_counts counts;
    char failure[640]; /* "" while all is as expected */
};

/* ---- replay.c ---- */

/* Makes the state for data; the clients are the caller's. */
__attribute__((warn_unused_result)) bool replay_create(struct replay *replay,
                                                       const struct replay_data *data,
                                                       struct loyal_client **clients);
void replay_free(struct replay *replay);
/* Sends the rows of one day and waits for all their answers. False: replay->failure says what
 * happened. */
__attribute__((warn_unused_result)) bool replay_day(struct replay *replay,
                                                    const struct replay_day *day);

/* ---- replay_rows.c ---- */

/* The step that a row begins with, or goes on to; only enrolment and redemption are followed by
 * another. */
enum replay_step replay_first_step(const struct replay_member *member,
                                   const struct replay_row *row);
enum replay_step replay_next_step(const struct replay_member *member, const struct replay_row *row);
/* line_out is used by the request. */
void replay_request(const struct replay *replay, const struct replay_member *member,
                    struct loyal_request *request_out, struct loyal_line *line_out);
bool replay_is_twice(const struct replay_row *row);
bool replay_is_twice_at_once(const struct replay_row *row);
bool replay_is_cut(const struct replay_row *row);
/* Counts the answer and compares it with what the row expects; false fills replay->failure. */
__attribute__((warn_unused_result)) bool replay_take(struct replay *replay,
                                                     struct replay_slot *slot,
                                                     const struct loyal_answer *answer);
/* Both answers of a row that was sent twice. */
__attribute__((warn_unused_result)) bool replay_agree(struct replay *replay,
                                                      const struct replay_member *member);

/* ---- replay_report.c ---- */

struct replay_load {
    uint64_t batches, postings;
};

/* seconds: of the replay; load: of the daemon meanwhile, or NULL when nobody asked. */
void replay_report(bool json, const struct replay_counts *counts, const struct replay_load *load,
                   double seconds);
