/* One client of the crash test: tests/crash/run starts eight of these, kills some, starts them
 * again and compares their logs with the journal. It sends earns, redemptions and reversals at full
 * rate over two connections and writes down each request before its bytes leave and each answer
 * before it acts on it, fsynced. Started again it reads its log and asks again for all that was not
 * answered. It must never make a request that the log does not know. SIGTERM ends it once
 * everything has a definite answer.
 *
 * The log, a line an event, fields between spaces, '-' for none (tests/crash/books.py reads it):
 *   S us
 *   Q us key connection verb card ref receipt date occurred_us amount points original kind whole
 *   R us key connection          sent again; T the same, beside one that is still under way
 *   A us key connection kind code recorded points available debt debt_repaid debt_made expired
 *     entry_key before_original ref
 *   G us key                     given up after RETRY: it has no effect, or the server lied */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>

#include "bench/crash_client.h"

static volatile sig_atomic_t is_ending;

/* ---- the log ---- */

__attribute__((format(printf, 2, 3))) static void note(struct client *client, const char *format,
                                                       ...)
{
    char line[1024];
    va_list list;
    va_start(list, format);
    int size = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    assert(size > 0 && (size_t)size < sizeof line);
    if (client->buffer_used + (size_t)size > client->buffer_room) {
        client->buffer_room = 2 * (client->buffer_room + (size_t)size);
        client->buffer = realloc(client->buffer, client->buffer_room);
        if (!client->buffer)
            fail("memory");
    }
    memcpy(client->buffer + client->buffer_used, line, (size_t)size);
    client->buffer_used += (size_t)size;
}

static const char *dash(const char *text)
{
    return *text ? text : "-";
}

static void note_task(struct client *client, const struct task *task, int connection)
{
    char key[KEY_HEX];
    hex_of(task->key, LOYAL_KEY_BYTES, key);
    note(client, "Q %lld %s %d %d %d %s %s %u %lld %lld %lld %s %d %d\n", (long long)now_us(), key,
         connection, (int)task->verb, task->card, dash(task->ref), dash(task->receipt), task->date,
         (long long)task->occurred_at_us, (long long)task->amount, (long long)task->points,
         dash(task->original), (int)task->original_kind, task->whole);
}

static void note_event(struct client *client, char event, const struct task *task, int connection)
{
    char key[KEY_HEX];
    hex_of(task->key, LOYAL_KEY_BYTES, key);
    note(client, "%c %lld %s %d\n", event, (long long)now_us(), key, connection);
}

static void note_answer(struct client *client, const struct sending *sending)
{
    const struct loyal_answer *answer = &sending->answer;
    static const uint8_t none[LOYAL_REF_BYTES];
    char key[KEY_HEX], entry[KEY_HEX] = "-", ref[REF_HEX] = "-";
    hex_of(sending->task->key, LOYAL_KEY_BYTES, key);
    if (memcmp(answer->entry_key, none, LOYAL_KEY_BYTES) != 0)
        hex_of(answer->entry_key, LOYAL_KEY_BYTES, entry);
    if (memcmp(answer->ref, none, LOYAL_REF_BYTES) != 0)
        hex_of(answer->ref, LOYAL_REF_BYTES, ref);
    note(client, "A %lld %s %d %d %s %d %lld %lld %lld %lld %lld %lld %s %d %s\n",
         (long long)now_us(), key, sending->connection, (int)answer->kind,
         loyal_code_name(answer->code), answer->recorded, (long long)answer->points,
         (long long)answer->available, (long long)answer->debt, (long long)answer->debt_repaid,
         (long long)answer->debt_made, (long long)answer->expired, entry, answer->before_original,
         ref);
}

/* Everything noted is durable afterwards. */
static void note_sync(struct client *client)
{
    size_t done = 0;
    while (done < client->buffer_used) {
        ssize_t size = write(client->log, client->buffer + done, client->buffer_used - done);
        if (size < 0 && errno != EINTR)
            fail("log");
        done += size > 0 ? (size_t)size : 0;
    }
    if (done > 0 && fdatasync(client->log) != 0)
        fail("log");
    client->buffer_used = 0;
    int64_t state[2] = {client->ok_count, client->ok_last_us};
    if (pwrite(client->state, state, sizeof state, 0) != (ssize_t)sizeof state)
        fail("state");
}

/* ---- what is known of requests ---- */

static void task_add(struct client *client, struct task *task)
{
    HASH_ADD(hh, client->tasks, key, LOYAL_KEY_BYTES, task);
}

static void task_remove(struct client *client, struct task *task)
{
    HASH_DEL(client->tasks, task);
    free(task);
}

static void recent_add(struct client *client, const struct task *task)
{
    if (task->verb != LOYAL_EARN && task->verb != LOYAL_REDEEM)
        return;
    struct recent *recent = &client->recent[client->recent_count++ % RECENT_MAX];
    *recent = (struct recent){.card = task->card, .amount_left = task->amount, .date = task->date};
    recent->kind = task->verb == LOYAL_EARN ? LOYAL_ORIGINAL_EARN : LOYAL_ORIGINAL_REDEMPTION;
    hex_of(task->key, LOYAL_KEY_BYTES, recent->key);
    memcpy(recent->receipt, task->receipt, sizeof recent->receipt);
}

/* NULL: none was found in a few tries. */
static struct recent *recent_any(struct client *client, enum loyal_original kind)
{
    unsigned count = client->recent_count < RECENT_MAX ? client->recent_count : RECENT_MAX;
    for (int i = 0; count > 0 && i < 20; i++) {
        struct recent *recent = &client->recent[below(client, count)];
        if (recent->kind == kind)
            return recent;
    }
    return NULL;
}

/* ---- reading the log after a kill ---- */

static void undash(char *text)
{
    if (strcmp(text, "-") == 0)
        *text = '\0';
}

static void replay_question(struct client *client, const char *line)
{
    struct task *task = calloc(1, sizeof *task);
    char key[KEY_HEX];
    long long occurred, amount, points;
    int verb, kind;
    if (!task || sscanf(line, "Q %*d %32s %*d %d %d %34s %95s %u %lld %lld %lld %32s %d %d", key,
                        &verb, &task->card, task->ref, task->receipt, &task->date, &occurred,
                        &amount, &points, task->original, &kind, &task->whole) != 12)
        fail(line);
    bytes_of(key, LOYAL_KEY_BYTES, task->key);
    undash(task->ref);
    undash(task->receipt);
    undash(task->original);
    task->verb = (enum loyal_verb)verb;
    task->original_kind = (enum loyal_original)kind;
    task->occurred_at_us = occurred;
    task->amount = amount;
    task->points = points;
    task->uncertain = true; /* whether its bytes left is not known */
    client->enrolled += task->verb == LOYAL_ENROL_MEMBER;
    task_add(client, task);
}

static void replay_answer(struct client *client, const char *line)
{
    char key[KEY_HEX], code[TEXT_MAX];
    uint8_t bytes[LOYAL_KEY_BYTES];
    int kind = 0;
    struct task *task;
    if (sscanf(line, "%*c %*d %32s %*d %d %95s", key, &kind, code) < 1)
        fail(line);
    bytes_of(key, LOYAL_KEY_BYTES, bytes);
    HASH_FIND(hh, client->tasks, bytes, LOYAL_KEY_BYTES, task);
    if (!task || (*line == 'A' && kind != LOYAL_OK && kind != LOYAL_REFUSED))
        return;
    client->ok_count += kind == LOYAL_OK;
    if (kind == LOYAL_OK)
        recent_add(client, task);
    task_remove(client, task);
}

/* A line cut short was not acted on: no bytes left for it, or its answer was not used. */
static void replay(struct client *client)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/client-%d.log", client->options.dir, client->options.number);
    client->log = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    snprintf(path, sizeof path, "%s/client-%d.state", client->options.dir, client->options.number);
    client->state = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    FILE *file = client->log >= 0 ? fdopen(dup(client->log), "r") : NULL;
    if (!file || client->state < 0)
        fail("log");
    char *line = NULL;
    size_t room = 0;
    off_t end = 0;
    for (ssize_t size; (size = getline(&line, &room, file)) > 0 && line[size - 1] == '\n';) {
        end += size;
        if (*line == 'Q')
            replay_question(client, line);
        else if (*line == 'A' || *line == 'G')
            replay_answer(client, line);
        client->receipts += *line == 'S';
    }
    free(line);
    fclose(file);
    if (ftruncate(client->log, end) != 0 || lseek(client->log, end, SEEK_SET) != end)
        fail("log");
}

/* ---- making requests ---- */

static uint32_t date_of(int64_t at_us)
{
    time_t seconds = (time_t)(at_us / 1000000);
    struct tm day;
    gmtime_r(&seconds, &day);
    return (uint32_t)((day.tm_year + 1900) * 10000 + (day.tm_mon + 1) * 100 + day.tm_mday);
}

static struct task *task_new(struct client *client, enum loyal_verb verb, int card)
{
    struct task *task = calloc(1, sizeof *task);
    if (!task)
        fail("memory");
    task->verb = verb;
    task->card = card;
    task->occurred_at_us = now_us();
    task->date = date_of(task->occurred_at_us);
    loyal_key_make(task->occurred_at_us, task->key);
    if (verb != LOYAL_ENROL_MEMBER && below(client, 100) < 40)
        memcpy(task->ref, client->refs[card], REF_HEX);
    return task;
}

static int card_any(struct client *client)
{
    uint64_t members = (uint64_t)client->options.members;
    bool is_hot = members > HOT_MEMBERS && below(client, 100) < 5;
    return (int)below(client, is_hot ? HOT_MEMBERS : members);
}

/* Now and then a receipt that is recorded already (R34). */
static struct task *make_earn(struct client *client)
{
    struct recent *recent = below(client, 100) < 2 ? recent_any(client, LOYAL_ORIGINAL_EARN) : NULL;
    struct task *task = task_new(client, LOYAL_EARN, recent ? recent->card : card_any(client));
    task->amount = (int64_t)below(client, 30000);
    if (recent) {
        memcpy(task->receipt, recent->receipt, sizeof task->receipt);
        task->date = recent->date;
    } else if (below(client, 4) == 0) {
        snprintf(task->receipt, sizeof task->receipt, "%d-%lld-%llu", client->options.number,
                 (long long)client->start_us, (unsigned long long)++client->receipts);
    }
    return task;
}

static struct task *make_redeem(struct client *client)
{
    struct task *task = task_new(client, LOYAL_REDEEM, card_any(client));
    task->points = 1 + (int64_t)below(client, 400);
    return task;
}

static struct task *reversal(struct client *client, int card, const char *original,
                             enum loyal_original kind)
{
    struct task *task = task_new(client, LOYAL_REVERSE, card);
    snprintf(task->original, sizeof task->original, "%s", original);
    task->original_kind = kind;
    task->whole = kind == LOYAL_ORIGINAL_REDEMPTION || below(client, 10) == 0;
    return task;
}

/* By amount in parts, now and then more than is left; a redemption whole, now and then twice. */
static struct task *make_reverse(struct client *client, enum loyal_original kind)
{
    struct recent *recent = recent_any(client, kind);
    if (!recent)
        return make_earn(client);
    struct task *task = reversal(client, recent->card, recent->key, kind);
    if (!task->whole) {
        bool is_too_much = recent->amount_left < 1 || below(client, 100) < 3;
        task->amount = is_too_much ? recent->amount_left + 1
                                   : 1 + (int64_t)below(client, (uint64_t)recent->amount_left);
        recent->amount_left -= is_too_much ? 0 : task->amount;
    }
    return task;
}

/* What a till does that never learnt what became of a sale (R16), or the reversal of nothing. */
static struct task *make_early_reverse(struct client *client)
{
    char key[KEY_HEX];
    struct task *task = client->tasks;
    for (uint64_t i = below(client, 16); task && i > 0 && task->hh.next; i--)
        task = task->hh.next;
    if (!task || (task->verb != LOYAL_EARN && task->verb != LOYAL_REDEEM))
        return reversal(client, card_any(client), "", LOYAL_ORIGINAL_REDEMPTION);
    hex_of(task->key, LOYAL_KEY_BYTES, key);
    struct task *made =
        reversal(client, task->card, key,
                 task->verb == LOYAL_EARN ? LOYAL_ORIGINAL_EARN : LOYAL_ORIGINAL_REDEMPTION);
    made->whole = 1;
    return made;
}

static struct task *make_task(struct client *client)
{
    if (client->options.enrols)
        return task_new(client, LOYAL_ENROL_MEMBER, client->enrolled++);
    uint64_t dice = below(client, 1000);
    if (dice < 500)
        return make_earn(client);
    if (dice < 780)
        return make_redeem(client);
    if (dice < 900)
        return make_reverse(client, LOYAL_ORIGINAL_EARN);
    if (dice < 990)
        return make_reverse(client, LOYAL_ORIGINAL_REDEMPTION);
    return make_early_reverse(client);
}

/* ---- sending ---- */

static void on_answer(void *context, const struct loyal_answer *answer)
{
    struct sending *sending = context;
    sending->answer = *answer; /* its strings are not used later */
    sending->has_answer = true;
}

static void submit(struct client *client, struct sending *sending)
{
    const struct task *task = sending->task;
    char card[24];
    snprintf(card, sizeof card, "9826%08d", task->card);
    struct loyal_identifier identifier = {LOYAL_CARD, card};
    struct loyal_line line = {"goods", "", 1000, task->amount};
    struct loyal_request request = {.verb = task->verb, .member.identifier = identifier};
    memcpy(request.key, task->key, LOYAL_KEY_BYTES);
    if (*task->ref) {
        request.member = (struct loyal_member){.has_ref = true};
        bytes_of(task->ref, LOYAL_REF_BYTES, request.member.ref);
    }
    request.occasion = (struct loyal_occasion){.store = "main", .till = "1"};
    request.occasion.receipt = *task->receipt ? task->receipt : NULL;
    request.occasion.business_date = task->date;
    request.occasion.occurred_at_us = task->occurred_at_us;
    request.amount_minor = task->amount;
    if (task->verb == LOYAL_EARN) {
        request.currency = "GBP";
        request.lines = &line;
        request.line_count = task->amount % 3 == 0;
    } else if (task->verb == LOYAL_ENROL_MEMBER) {
        request.identifiers = &identifier;
        request.identifier_count = 1;
    }
    request.points = task->points;
    request.has_original = *task->original != '\0';
    if (request.has_original)
        bytes_of(task->original, LOYAL_KEY_BYTES, request.original_key);
    request.original_kind = task->original_kind;
    request.whole = task->whole;
    if (!loyal_submit(client->connections[sending->connection], &request, on_answer, sending))
        fail("submit");
}

/* A free slot for that connection; -1: none. */
static int room_on(const struct client *client, int connection)
{
    int used = 0, slot = -1;
    for (int i = 0; i < SENDS_MAX; i++) {
        if (!client->sendings[i].task)
            slot = i;
        else
            used += client->sendings[i].connection == connection;
    }
    return used < client->options.in_flight ? slot : -1;
}

/* Queued until the log is durable. False: no room on that connection. */
static bool queue(struct client *client, struct task *task, int connection)
{
    int slot = room_on(client, connection);
    if (slot < 0)
        return false;
    client->sendings[slot] =
        (struct sending){.task = task, .connection = connection, .client = client};
    client->queued[client->queued_count++] = slot;
    task->under_way++;
    return true;
}

static void queue_again(struct client *client, int64_t at_us)
{
    for (struct task *task = client->tasks; task; task = task->hh.next) {
        int connection = (int)below(client, CONNECTIONS);
        if (task->under_way == 0 && task->due_us <= at_us && queue(client, task, connection))
            note_event(client, 'R', task, connection);
    }
}

static bool may_make(const struct client *client)
{
    const struct options *options = &client->options;
    return !is_ending && !(options->enrols && client->enrolled >= options->members) &&
           (int)HASH_COUNT(client->tasks) < CONNECTIONS * options->in_flight;
}

static void queue_new(struct client *client)
{
    for (int tries = 0; tries < SENDS_MAX && may_make(client); tries++) {
        int connection = (int)below(client, CONNECTIONS);
        if (room_on(client, connection) < 0)
            continue;
        struct task *task = make_task(client);
        task_add(client, task);
        note_task(client, task, connection);
        queue(client, task, connection);
        uint64_t twins = task->verb == LOYAL_ENROL_MEMBER ? 30 : 3;
        if (below(client, 100) < twins && queue(client, task, !connection)) {
            task->twinned = true;
            note_event(client, 'T', task, !connection);
        }
    }
}

static void send_queued(struct client *client)
{
    for (int i = 0; i < client->queued_count; i++)
        submit(client, &client->sendings[client->queued[i]]);
    client->queued_count = 0;
}

/* ---- answers ---- */

static void take_answer(struct client *client, struct sending *sending, int64_t at_us)
{
    struct task *task = sending->task;
    const struct loyal_answer *answer = &sending->answer;
    note_answer(client, sending);
    task->under_way--;
    if (answer->kind == LOYAL_OK) {
        client->ok_count++;
        client->ok_last_us = at_us;
        if (!task->done)
            recent_add(client, task);
        if (task->card < MEMBERS_MAX)
            hex_of(answer->ref, LOYAL_REF_BYTES, client->refs[task->card]);
    }
    if (answer->kind == LOYAL_OK || answer->kind == LOYAL_REFUSED) {
        task->done = true;
    } else if (answer->kind == LOYAL_UNKNOWN) {
        task->uncertain = true;
    } else if (!task->uncertain && !task->twinned && task->verb != LOYAL_ENROL_MEMBER &&
               below(client, 100) < 20) {
        note_event(client, 'G', task, sending->connection);
        task->done = true;
    }
    task->due_us = at_us + 1000 * (int64_t)(answer->retry_after_ms + 10 + below(client, 100));
    if (task->done && task->under_way == 0)
        task_remove(client, task);
    else if (task->done)
        task->due_us = INT64_MAX;
    sending->task = NULL;
}

static void take_answers(struct client *client)
{
    int64_t at_us = now_us();
    for (int i = 0; i < SENDS_MAX; i++)
        if (client->sendings[i].task && client->sendings[i].has_answer)
            take_answer(client, &client->sendings[i], at_us);
}

/* ---- life ---- */

static void on_signal(int number)
{
    (void)number;
    is_ending = 1;
}

static int run(struct client *client)
{
    int64_t end_us = INT64_MAX;
    for (;;) {
        loyal_poll_many(client->connections, CONNECTIONS, 20);
        take_answers(client);
        queue_again(client, now_us());
        queue_new(client);
        note_sync(client);
        if (!client->tasks && !may_make(client))
            return 0;
        send_queued(client);
        if (is_ending && end_us == INT64_MAX)
            end_us = now_us() + DRAIN_US;
        if (now_us() > end_us) {
            fprintf(stderr, "crash_client: %u requests without a definite answer\n",
                    HASH_COUNT(client->tasks));
            return 3;
        }
    }
}

static void connect_all(struct client *client)
{
    char certificate[4096], key[4096], error[256] = "";
    const struct options *options = &client->options;
    snprintf(certificate, sizeof certificate, "%s/terminal.crt", options->certificates);
    snprintf(key, sizeof key, "%s/terminal.key", options->certificates);
    struct loyal_options how = {.host = "127.0.0.1",
                                .port = options->port,
                                .certificate_file = certificate,
                                .key_file = key,
                                .authority_file = options->authority,
                                .merchant = options->merchant,
                                .software = "crash_client",
                                .deadline_ms = 15000,
                                .connect_timeout_ms = 2000,
                                .no_repeat = true};
    for (int i = 0; i < CONNECTIONS; i++) {
        client->connections[i] = loyal_client_create(&how, error, sizeof error);
        if (!client->connections[i]) {
            fprintf(stderr, "crash_client: %s\n", error);
            exit(1);
        }
    }
}

/* DIR NUMBER PORT CERTIFICATES AUTHORITY MERCHANT MEMBERS IN_FLIGHT SEED run|enrol */
static void read_options(struct options *options, int argc, char **argv)
{
    if (argc != 11) {
        fprintf(stderr, "usage: crash_client DIR NUMBER PORT CERTIFICATES AUTHORITY MERCHANT "
                        "MEMBERS IN_FLIGHT SEED run|enrol\n");
        exit(2);
    }
    *options = (struct options){.dir = argv[1],
                                .number = atoi(argv[2]),
                                .port = argv[3],
                                .certificates = argv[4],
                                .authority = argv[5],
                                .merchant = argv[6],
                                .members = atoi(argv[7]),
                                .in_flight = atoi(argv[8]),
                                .seed = strtoull(argv[9], NULL, 10),
                                .enrols = strcmp(argv[10], "enrol") == 0};
    if (options->members < 1 || options->members > MEMBERS_MAX || options->in_flight < 1 ||
        options->in_flight > IN_FLIGHT_MAX)
        exit(2);
}

int main(int argc, char **argv)
{
    static struct client client;
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t ending;
    sigaction(SIGTERM, &action, NULL);
    /* started with it blocked: an end that comes early waits until it is heard */
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &ending, NULL);
    read_options(&client.options, argc, argv);
    client.start_us = now_us();
    replay(&client);
    client.random = (client.options.seed + 1) * UINT64_C(0x9E3779B97F4A7C15) +
                    (uint64_t)client.options.number * 1000003 + client.receipts * 7919 + 1;
    note(&client, "S %lld\n", (long long)client.start_us);
    note_sync(&client);
    connect_all(&client);
    int status = run(&client);
    for (int i = 0; i < CONNECTIONS; i++)
        loyal_client_destroy(&client.connections[i]);
    note_sync(&client);
    return status;
}
