/* Owns the processes. Called by main after everything is bound and privileges are dropped. Touches
 * neither clients nor the database: a master that does little does not die. */
#include "admin/master.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/http.h"
#include "admin/service.h"
#include "admin/upgrade.h"
#include "base/clock.h"
#include "base/log.h"

#define TICK_US        100000
#define STEADY_US      5000000 /* who lives that long starts again at once */
#define BACK_OFF_US    100000
#define BACK_OFF_MAX   5000000
#define KILL_MARGIN_US 2000000 /* beyond the workers' own drain limit */
#define MAINTENANCE    SHARED_PAGE_MAINTENANCE
#define ADMIN          SHARED_PAGE_ADMIN
#define TICKS_MEASURE  100     /* memory and files: every 10 s */
#define STANDSTILL_US  1000000 /* between two ticks: we were stopped, and maybe all of us */
#define UNKILLABLE_US  5000000 /* after SIGKILL: the machine is in trouble */
#define SIGNALS        5

struct child {
    int slot;  /* of a worker; else MAINTENANCE or ADMIN */
    pid_t pid; /* 0: none */
    int64_t started_us;
    int64_t start_again_us; /* 0: it runs */
    int64_t back_off_us;
    int64_t killed_us; /* because it hung; 0: not */
};

struct master {
    struct master_options options;
    struct event_base *base;
    struct event *signals[SIGNALS];
    struct event *tick;
    struct child *children;
    int child_count;
    struct service service;
    struct successor successor;
    bool is_reloaded_since; /* the successor began: it must reload, too */
    struct predecessor predecessor;
    unsigned ticks;
    int64_t tick_us;    /* of the last tick */
    int64_t awake_us;   /* since when the master has not stood still */
    int64_t kill_at_us; /* 0: not ending */
    bool is_child;
    int child_status;
};

static const int SIGNAL_NUMBERS[SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR2};

/* ---- children ---- */

/* In the child: nothing of the master's loop stays, and no signal of it. */
static void leave_master(struct master *master, pid_t master_pid, const sigset_t *before)
{
    struct sigaction fallback = {.sa_handler = SIG_DFL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != master_pid)
        _exit(1);                       /* it died in between */
    for (int i = 0; i < SIGNALS; i++) { /* before event_reinit, which would add them once more */
        event_free(master->signals[i]);
        master->signals[i] = NULL;
        sigaction(SIGNAL_NUMBERS[i], &fallback, NULL);
    }
    signal(SIGUSR2, SIG_IGN); /* the master's business, whomever it is sent to */
    event_reinit(master->base);
    successor_forget(&master->successor);
    predecessor_forget(&master->predecessor);
    event_base_loopbreak(master->base);
    sigset_t mask = *before;
    sigaddset(&mask, SIGHUP); /* until the worker has a handler */
    sigprocmask(SIG_SETMASK, &mask, NULL);
    unsetenv("NOTIFY_SOCKET"); /* only the master speaks to systemd */
}

static void run_child(struct master *master, const struct child *child)
{
    const struct master_options *options = &master->options;
    char name[20];
    if (child->slot >= 0)
        snprintf(name, sizeof name, "worker%d", child->slot);
    else
        snprintf(name, sizeof name, "%s", child->slot == ADMIN ? "admin" : "maintenance");
    log_init(name, (enum log_level)options->config->log_level);
    prctl(PR_SET_NAME, name);
    master->is_child = true;
    if (child->slot >= 0)
        master->child_status = options->worker_main(options->ctx, child->slot);
    else if (child->slot == ADMIN)
        master->child_status = options->admin_main(options->ctx);
    else
        master->child_status = options->maintenance_main(options->ctx);
}

static void start_child(struct master *master, struct child *child)
{
    sigset_t all, before;
    pid_t master_pid = getpid();
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        leave_master(master, master_pid, &before);
        run_child(master, child);
        return;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    child->started_us = clock_monotonic_us();
    if (pid < 0) {
        log_error("fork_failed", "error=\"%s\"", strerror(errno));
        child->start_again_us = child->started_us + BACK_OFF_MAX;
        return;
    }
    child->pid = pid;
    child->start_again_us = 0;
    child->killed_us = 0;
}

static struct child *child_of(struct master *master, pid_t pid)
{
    for (int i = 0; i < master->child_count; i++) {
        if (master->children[i].pid == pid)
            return &master->children[i];
    }
    return NULL;
}

static void bury(struct master *master, struct child *child, int status)
{
    int64_t now_us = clock_monotonic_us();
    bool is_steady = now_us - child->started_us >= STEADY_US;
    child->back_off_us = is_steady                               ? 0
                         : child->back_off_us == 0               ? BACK_OFF_US
                         : child->back_off_us * 2 < BACK_OFF_MAX ? child->back_off_us * 2
                                                                 : BACK_OFF_MAX;
    child->start_again_us = now_us + child->back_off_us;
    struct shared_page *page = master->options.page;
    shared_page_clear(page, child->slot);
    struct master_stats *stats = &page->master;
    if (!master->kill_at_us)
        stats_add(child->slot == ADMIN         ? &stats->admin_restarts
                  : child->slot == MAINTENANCE ? &stats->maintenance_restarts
                                               : &stats->worker_restarts,
                  1);
    if (!master->kill_at_us)
        log_warning("child_died", "pid=%d slot=%d status=%d signal=%d start_again_ms=%lld",
                    (int)child->pid, child->slot, WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                    WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                    (long long)child->back_off_us / 1000);
    child->pid = 0;
}

static int living(const struct master *master)
{
    int count = 0;
    for (int i = 0; i < master->child_count; i++)
        count += master->children[i].pid != 0;
    return count;
}

static void signal_children(struct master *master, int number, bool workers_only)
{
    for (int i = 0; i < master->child_count; i++) {
        const struct child *child = &master->children[i];
        if (child->pid && (child->slot >= 0 || !workers_only))
            kill(child->pid, number);
    }
}

static void signal_admin(const struct master *master, int number)
{
    const struct child *last = &master->children[master->child_count - 1];
    if (last->slot == ADMIN && last->pid)
        kill(last->pid, number);
}

/* ---- signs of life ---- */

static int64_t last_sign_us(const struct master *master, const struct child *child)
{
    const struct stats_process *process = shared_page_process(master->options.page, child->slot);
    int64_t sign_us = (int64_t)stats_read(&process->beat_us);
    if (sign_us < child->started_us)
        sign_us = child->started_us;
    return sign_us < master->awake_us ? master->awake_us : sign_us;
}

static void kill_hung(struct master *master, struct child *child, int64_t silent_us)
{
    if (!child->killed_us) {
        child->killed_us = clock_monotonic_us();
        stats_add(&master->options.page->master.hung, 1);
        log_error("child_hung", "pid=%d slot=%d silent_ms=%lld effect=\"killed and replaced\"",
                  (int)child->pid, child->slot, (long long)silent_us / 1000);
    }
    kill(child->pid, SIGKILL);
}

/* Kills who gives no sign of life. False when somebody cannot even be killed. */
static bool watch_children(struct master *master)
{
    int64_t now_us = clock_monotonic_us();
    int64_t limit_us = master->options.config->worker_timeout_s * INT64_C(1000000);
    bool is_well = true;
    if (now_us - master->tick_us > STANDSTILL_US)
        master->awake_us = now_us; /* they may have stood still with us: give them time */
    master->tick_us = now_us;
    for (int i = 0; i < master->child_count && limit_us > 0; i++) {
        struct child *child = &master->children[i];
        int64_t silent_us = now_us - last_sign_us(master, child);
        if (!child->pid || silent_us < limit_us)
            continue;
        kill_hung(master, child, silent_us);
        is_well = is_well && now_us - child->killed_us < UNKILLABLE_US;
    }
    return is_well;
}

/* ---- predecessor and successor ---- */

/* For the predecessor's word. */
static bool is_waiting(const struct master *master)
{
    return master->predecessor.fd >= 0;
}

/* The admin port tells how the others end, and ends last. */
static void end_after_the_last(struct master *master)
{
    int count = living(master);
    if (count == 0)
        event_base_loopbreak(master->base);
    else if (count == 1)
        signal_admin(master, ADMIN_END);
}

static void end(struct master *master)
{
    struct shared_page *page = master->options.page;
    bool is_handed_over = stats_read(&page->is_handed_over);
    bool is_shared = is_waiting(master) || is_handed_over;
    int64_t drain_us = (int64_t)master->options.config->drain_timeout_s * 1000000;
    if (master->kill_at_us)
        return;
    log_info("ending", "children=%d", living(master));
    stats_set(&page->master.draining, !is_handed_over); /* else the service goes on */
    service_stops(&master->service);
    successor_kill(&master->successor);
    predecessor_forget(&master->predecessor);
    if (!is_shared)
        master->options.turn_away(master->options.ctx);
    master->kill_at_us = clock_monotonic_us() + drain_us + KILL_MARGIN_US;
    signal_children(master, SIGTERM, false);
    end_after_the_last(master);
}

static void on_take_over(void *ctx)
{
    struct master *master = ctx;
    stats_set(&master->options.page->is_waiting, 0);
    master->options.take_over(master->options.ctx);
    log_info("took_over", "pid=%d", (int)getpid());
}

static void on_successor_failed(void *ctx, const char *reason)
{
    struct master *master = ctx;
    log_error("upgrade_failed", "pid=%d reason=\"%s\" effect=\"nothing changed\"",
              (int)master->successor.pid, reason);
    successor_kill(&master->successor);
}

static void on_successor_ready(void *ctx)
{
    struct master *master = ctx;
    const struct master_options *options = &master->options;
    pid_t pid = master->successor.pid;
    options->hand_over(options->ctx);
    if (!successor_confirm(&master->successor)) {
        log_error("upgrade_failed", "pid=%d reason=\"it has ended\" effect=\"nothing changed\"",
                  (int)pid);
        options->take_over(options->ctx);
        return;
    }
    log_info("upgraded", "successor=%d", (int)pid);
    if (master->is_reloaded_since)
        kill(pid, SIGHUP);
    service_becomes(&master->service, pid);
    stats_set(&options->page->is_handed_over, 1);
    signal_admin(master, ADMIN_STOP);
    end(master);
}

static void upgrade(struct master *master)
{
    const struct master_options *options = &master->options;
    const struct listen_sockets *const sets[2] = {options->listen, options->admin};
    struct err err = {0};
    if (master->kill_at_us)
        err_set(&err, "it is ending");
    else if (is_waiting(master))
        err_set(&err, "it has not taken over itself yet");
    else if (master->successor.pid)
        err_set(&err, "one is under way: pid %d", (int)master->successor.pid);
    else if (successor_start(&master->successor, master->base, options->argv, sets, &err)) {
        master->is_reloaded_since = false;
        log_info("upgrading", "program=%s successor=%d", options->argv[0],
                 (int)master->successor.pid);
    }
    if (*err.text)
        log_warning("upgrade_refused", "reason=\"%s\"", err.text);
}

/* ---- events ---- */

static void start_due(struct master *master)
{
    int64_t now_us = clock_monotonic_us();
    for (int i = 0; i < master->child_count && !master->kill_at_us; i++) {
        struct child *child = &master->children[i];
        bool is_early = child->slot < 0 && is_waiting(master);
        if (!child->pid && child->start_again_us <= now_us && !is_early)
            start_child(master, child);
        if (master->is_child)
            return;
    }
}

static void on_child_signal(struct master *master)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *child = child_of(master, pid);
        if (child)
            bury(master, child, status);
        else if (pid == master->successor.pid)
            on_successor_failed(master, "it has ended: see its lines");
    }
    if (master->kill_at_us)
        end_after_the_last(master);
    else
        start_due(master);
}

static void reload(struct master *master)
{
    if (master->kill_at_us)
        return;
    service_reload_begins(&master->service);
    if (master->options.reload(master->options.ctx)) {
        signal_children(master, SIGHUP, true);
        master->is_reloaded_since = true;
    }
    service_reload_ends(&master->service);
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    struct master *master = ctx;
    (void)what;
    switch (number) {
    case SIGCHLD: on_child_signal(master); break;
    case SIGHUP: reload(master); break;
    case SIGUSR2: upgrade(master); break;
    default: end(master); break;
    }
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct master *master = ctx;
    (void)fd, (void)what;
    const struct shared_page *page = master->options.page;
    stats_process(&master->options.page->master.process, master->ticks++ % TICKS_MEASURE == 0);
    bool is_well = watch_children(master);
    int ready = shared_page_ready_count(page);
    if (!is_waiting(master))
        service_tick(&master->service, ready, page->slot_count, is_well);
    else if (ready == page->slot_count)
        predecessor_tell_ready(&master->predecessor);
    if (master->kill_at_us && clock_monotonic_us() >= master->kill_at_us)
        signal_children(master, SIGKILL, false);
    log_catch_up();
    start_due(master);
}

/* ---- life ---- */

static bool add_children(struct master *master)
{
    const struct master_options *options = &master->options;
    int workers = options->page->slot_count;
    struct child *children = calloc((size_t)workers + 2, sizeof *children);
    master->children = children;
    if (!children)
        return false;
    for (; master->child_count < workers; master->child_count++)
        children[master->child_count].slot = master->child_count;
    if (options->maintenance_main)
        children[master->child_count++].slot = MAINTENANCE;
    if (options->admin_main)
        children[master->child_count++].slot = ADMIN; /* the last: see signal_admin */
    return true;
}

static bool add_events(struct master *master)
{
    static const struct timeval tick = {.tv_usec = TICK_US};
    for (int i = 0; i < SIGNALS; i++) {
        master->signals[i] = evsignal_new(master->base, SIGNAL_NUMBERS[i], on_signal, master);
        if (!master->signals[i] || event_add(master->signals[i], NULL) != 0)
            return false;
    }
    master->tick = event_new(master->base, -1, EV_PERSIST, on_tick, master);
    return master->tick && event_add(master->tick, &tick) == 0;
}

static bool add_relatives(struct master *master)
{
    int fd = master->options.predecessor_fd;
    master->successor = (struct successor){
        .fd = -1,
        .is_ready = on_successor_ready,
        .has_failed = on_successor_failed,
        .ctx = master,
    };
    master->predecessor = (struct predecessor){.fd = -1, .take_over = on_take_over, .ctx = master};
    stats_set(&master->options.page->is_waiting, fd >= 0);
    return fd < 0 || predecessor_watch(&master->predecessor, master->base, fd);
}

struct master *master_create(const struct master_options *options, struct err *err)
{
    struct master *master = calloc(1, sizeof *master);
    if (!master) {
        err_set(err, "no memory");
        return NULL;
    }
    master->options = *options;
    master->base = event_base_new();
    master->tick_us = clock_monotonic_us();
    service_init(&master->service);
    if (!master->base || !add_children(master) || !add_events(master) || !add_relatives(master))
        err_set(err, "no memory for the event loop");
    else
        return master;
    master_destroy(&master);
    return NULL;
}

void master_destroy(struct master **at)
{
    struct master *master = *at;
    if (!master)
        return;
    successor_forget(&master->successor);
    predecessor_forget(&master->predecessor);
    for (int i = 0; i < SIGNALS; i++) {
        if (master->signals[i])
            event_free(master->signals[i]);
    }
    if (master->tick)
        event_free(master->tick);
    if (master->base)
        event_base_free(master->base);
    free(master->children);
    free(master);
    *at = NULL;
}

int master_run(struct master *master, bool *is_child_out)
{
    stats_process(&master->options.page->master.process, true);
    start_due(master);
    if (!master->is_child)
        event_base_dispatch(master->base);
    *is_child_out = master->is_child;
    if (master->is_child)
        return master->child_status;
    log_info("ended", "pid=%d", (int)getpid());
    return 0;
}
