/* Owns the flow of a replay: which member's request is sent next, what is in flight, when a day is
 * over. Called by cmd_replay.c with connected clients. It never sends a member's row before the one
 * before is answered, and never moves the clock itself. */
#include "replay.h"
#include "progress.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POLL_MS = 1000, STALLED_S = 120, FLUSH_TRIES = 5000 };

bool replay_create(struct replay *replay, const struct replay_data *data,
                   struct loyal_client **clients)
{
    *replay = (struct replay){.data = data, .clients = clients, .rows_end = data->row_count};
    replay->members = calloc(data->member_count, sizeof *replay->members);
    replay->next_row = calloc(data->row_count, sizeof *replay->next_row);
    replay->ready = calloc(data->member_count, sizeof *replay->ready);
    if (!replay->members || !replay->next_row || !replay->ready)
        return false;
    for (size_t i = 0; i < data->member_count; i++) {
        struct replay_member *member = &replay->members[i];

        member->card = data->members[i];
        member->row = replay->rows_end;
        for (int s = 0; s < 2; s++)
            member->slots[s] = (struct replay_slot){.replay = replay, .member = member};
    }
    return true;
}

void replay_free(struct replay *replay)
{
    free(replay->members);
    free(replay->next_row);
    free(replay->ready);
}

/* ---- the ring ---- */

static void ready_push(struct replay *replay, const struct replay_member *member)
{
    size_t at = (replay->ready_first + replay->ready_count) % replay->data->member_count;

    assert(replay->ready_count < replay->data->member_count);
    replay->ready[at] = (size_t)(member - replay->members);
    replay->ready_count++;
}

static struct replay_member *ready_pop(struct replay *replay)
{
    size_t member = replay->ready[replay->ready_first];

    assert(replay->ready_count > 0);
    replay->ready_first = (replay->ready_first + 1) % replay->data->member_count;
    replay->ready_count--;
    return &replay->members[member];
}

/* ---- a member's way through his rows ---- */

static void row_begin(struct replay *replay, struct replay_member *member, size_t row_index)
{
    const struct replay_row *row = &replay->data->rows[row_index];

    member->row = row_index;
    member->step = REPLAY_MAIN;
    member->step = replay_first_step(member, row);
    member->twins_asked = 0;
    member->was_cut = false;
    ready_push(replay, member);
}

static void row_end(struct replay *replay, struct replay_member *member)
{
    size_t next = replay->next_row[member->row];

    replay->counts.rows++;
    replay->open_rows--;
    member->row = replay->rows_end;
    if (next != replay->rows_end && next < replay->day_last)
        row_begin(replay, member, next);
}

/* All requests of this step are answered. */
static void step_end(struct replay *replay, struct replay_member *member)
{
    const struct replay_row *row = &replay->data->rows[member->row];

    if (member->step != REPLAY_MAIN) {
        member->enrolled = true;
        member->step = replay_next_step(member, row);
        ready_push(replay, member);
        return;
    }
    if (member->twins_asked == 0 && replay_is_twice(row)) {
        member->twins_asked = 1; /* the second one, after the first one's answer */
        ready_push(replay, member);
        return;
    }
    if (member->twins_asked > 0) {
        replay->counts.twice++;
        if (!replay_agree(replay, member))
            return;
    }
    row_end(replay, member);
}

static void on_answer(void *context, const struct loyal_answer *answer)
{
    struct replay_slot *slot = context;
    struct replay *replay = slot->replay;
    struct replay_member *member = slot->member;

    assert(member->waiting > 0);
    member->waiting--;
    if (replay->failure[0] || !replay_take(replay, slot, answer))
        return;
    if (member->waiting == 0)
        step_end(replay, member);
}

/* ---- sending ---- */

static void pause_us(long us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* Lets the bytes out, shuts the socket down and leaves the rest to the library, which repeats what
 * was in flight. The pause varies with the row, so that some of them are committed by then and some
 * are not. */
static void cut(struct replay *replay, struct replay_member *member, struct loyal_client *client)
{
    const struct replay_row *row = &replay->data->rows[member->row];
    size_t row_index = member->row;

    for (int i = 0; i < FLUSH_TRIES && loyal_unsent(client) > 0; i++)
        loyal_poll(client, 1);
    replay->counts.cut++;
    if (member->waiting == 0 || member->row != row_index) {
        replay->counts.cut_too_late++;
        return;
    }
    pause_us(row->seq / 200 % 4 * 700);
    member->was_cut = true;
    loyal_disconnect(client);
}

/* False: the connection takes no more for now. */
static bool send_step(struct replay *replay, struct replay_member *member)
{
    const struct replay_row *row = &replay->data->rows[member->row];
    struct loyal_client *client = replay->clients[row->merchant];
    struct replay_slot *slot = &member->slots[member->twins_asked];
    struct loyal_request request;
    struct loyal_line line;

    replay_request(replay, member, &request, &line);
    if (!loyal_submit(client, &request, on_answer, slot))
        return false;
    member->waiting++;
    if (member->step != REPLAY_MAIN || member->twins_asked > 0)
        return true;
    if (replay_is_twice_at_once(row) &&
        loyal_submit(client, &request, on_answer, &member->slots[1])) {
        member->waiting++;
        member->twins_asked = 1;
        replay->counts.twice_at_once++;
    }
    if (replay_is_cut(row))
        cut(replay, member, client);
    return true;
}

/* Everything that is ready now; what a connection does not take goes to the end of the ring. */
static void send_ready(struct replay *replay)
{
    for (size_t left = replay->ready_count; left > 0 && !replay->failure[0]; left--) {
        struct replay_member *member = ready_pop(replay);

        if (!send_step(replay, member))
            ready_push(replay, member);
    }
}

/* ---- a day ---- */

/* Links each member's rows of the day, and starts his first. */
static void day_begin(struct replay *replay, const struct replay_day *day)
{
    replay->day_last = day->first + day->count;
    replay->open_rows = day->count;
    for (size_t i = replay->day_last; i > day->first; i--) {
        struct replay_member *member = &replay->members[replay->data->rows[i - 1].member];

        replay->next_row[i - 1] = member->row;
        member->row = i - 1;
    }
    for (size_t i = day->first; i < replay->day_last; i++) {
        struct replay_member *member = &replay->members[replay->data->rows[i].member];

        if (member->row == i)
            row_begin(replay, member, i);
    }
}

bool replay_day(struct replay *replay, const struct replay_day *day)
{
    int64_t moved_us = progress_now_us();
    size_t open;

    day_begin(replay, day);
    while (replay->open_rows > 0 && !replay->failure[0]) {
        open = replay->open_rows;
        send_ready(replay);
        if (replay->ready_count == 0 && replay->open_rows > 0 && !replay->failure[0])
            loyal_poll_many(replay->clients, replay->data->merchant_count, POLL_MS);
        else
            loyal_poll_many(replay->clients, replay->data->merchant_count, 0);
        if (replay->open_rows != open)
            moved_us = progress_now_us();
        else if (progress_now_us() - moved_us > (int64_t)STALLED_S * 1000000)
            snprintf(replay->failure, sizeof replay->failure,
                     "no row was finished in %d s; %zu of %" PRIu32 " are open", STALLED_S,
                     replay->open_rows, day->date);
    }
    return !replay->failure[0];
}
