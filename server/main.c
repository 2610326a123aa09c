/* The program: command line, and the order in which a daemon comes to life. Everything lasting is
 * made here, before the fork, and lent to the processes. */
#include <popt.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/http.h"
#include "admin/master.h"
#include "admin/metrics.h"
#include "admin/privileges.h"
#include "admin/upgrade.h"
#include "base/log.h"
#include "base/reserve.h"
#include "base/secret.h"
#include "base/zone.h"
#include "engine/maintenance.h"
#include "session/fsm.h"
#include "session/limits.h"
#include "session/software.h"
#include "session/worker.h"

#define EXIT_CONFIG     2 /* the command line, the configuration or a file it names */
#define CONFIG_FALLBACK "/etc/loyald/loyald.conf"
#define DAY_US          (INT64_C(86400) * 1000000)

struct program {
    const char *config_file;
    bool has_config; /* it was named */
    struct config *config;
    struct domain_clock *clock;
    struct secret_memory secrets;
    struct keyring *keyring;
    SSL_CTX *tls; /* of the files when they last were good: workers begin with it */
    struct shared_page *page;
    struct listen_sockets sockets;
    struct listen_sockets admin;
    char *const *argv;
    int pid_fd; /* -1: none, or not ours yet, or not any more */
    struct master *master;
};

enum command {
    COMMAND_RUN,
    COMMAND_CHECK_CONFIG,
    COMMAND_LIMITS,
    COMMAND_DUMP_FSM,
    COMMAND_DUMP_OPTIONS,
    COMMAND_DUMP_METRICS,
    COMMAND_MAKE_KEYRING,
    COMMAND_VERSION
};

/* ---- what the processes run ---- */

static void warn_of_unlocked(bool is_locked, const struct err *err)
{
    if (!is_locked)
        log_warning("keys_not_locked", "reason=\"%s\"", err->text);
}

static int run_worker(void *ctx, int slot)
{
    struct program *program = ctx;
    struct err err = {0};
    listen_close(&program->admin);
    warn_of_unlocked(secret_memory_lock(&program->secrets, &err), &err);
    struct worker_options options = {
        .config_file = program->config_file,
        .config = program->config,
        .clock = program->clock,
        .keyring = program->keyring,
        .tls = program->tls,
        .sockets = &program->sockets,
        .page = program->page,
        .slot = slot,
    };
    return worker_run(&options);
}

static void forget_keys(struct program *program)
{
    keyring_destroy(&program->keyring);
    SSL_CTX_free(program->tls);
    program->tls = NULL;
}

static int run_admin(void *ctx)
{
    struct program *program = ctx;
    struct admin_source source = {program->page, program->clock, VERSION};
    listen_close(&program->sockets);
    forget_keys(program);
    config_destroy(&program->config); /* it may name a password */
    return admin_run(&program->admin, &source);
}

static int run_maintenance(void *ctx)
{
    struct program *program = ctx;
    char host[64] = "", holder[100];
    listen_close(&program->sockets);
    listen_close(&program->admin);
    forget_keys(program);
    gethostname(host, sizeof host - 1);
    snprintf(holder, sizeof holder, "%s:%d", host, (int)getpid());
    struct maintenance_options options = {
        .conninfo = program->config->postgres_maintenance,
        .clock = program->clock,
        .partitions_ahead = program->config->partitions_ahead,
        .refusal_days = program->config->refusal_days,
        .holder = holder,
        .stats = &program->page->maintenance,
        .terms = {.key_age_us_max = KEY_AGE_DAYS_MAX * DAY_US,
                  .key_ahead_us_max = KEY_AHEAD_S_MAX * INT64_C(1000000)},
    };
    return maintenance_run(&options);
}

/* For the admin port: what is in force, and when the certificates end. */
static void note_settings(struct program *program)
{
    struct master_stats *stats = &program->page->master;
    struct tls_ends ends = tls_ends(program->tls);
    stats_set(&stats->certificate_until_us, (uint64_t)ends.certificate_us);
    stats_set(&stats->authority_until_us, (uint64_t)ends.authority_us);
    stats_set(&stats->connections_max, (uint64_t)program->config->connections_max);
    stats_set(&stats->queue_max, (uint64_t)program->config->queue_max);
}

/* A broken file or certificate changes nothing. */
static bool reload(void *ctx)
{
    struct program *program = ctx;
    struct err err = {0};
    struct config *fresh = config_create(program->config_file, &err);
    SSL_CTX *tls = fresh ? worker_tls_create(fresh, &err) : NULL;
    stats_set(&program->page->master.reload_failed, !tls);
    if (!tls) {
        log_error("reload_failed", "reason=\"%s\" effect=\"nothing changed\"", err.text);
        config_destroy(&fresh);
        return false;
    }
    stats_set(&program->page->master.reload_us, (uint64_t)clock_real_us());
    struct config_changes changes = config_compare(program->config, fresh);
    bool is_renewed =
        X509_cmp(SSL_CTX_get0_certificate(tls), SSL_CTX_get0_certificate(program->tls)) != 0;
    config_take(program->config, fresh);
    config_destroy(&fresh);
    SSL_CTX_free(program->tls);
    program->tls = tls;
    note_settings(program);
    log_init("master", (enum log_level)program->config->log_level);
    if (*changes.waiting)
        log_warning("reload_partial", "waiting_for_restart=%s", changes.waiting);
    log_info("reloaded", "file=%s changed=%s certificate=%s", program->config_file,
             *changes.reloaded ? changes.reloaded : "nothing", is_renewed ? "new" : "same");
    return true;
}

/* ---- coming to life ---- */

static int worker_count(const struct config *config)
{
    cpu_set_t cores;
    if (config->workers > 0)
        return config->workers;
    if (sched_getaffinity(0, sizeof cores, &cores) == 0)
        return CPU_COUNT(&cores);
    return 1;
}

static bool read_settings(struct program *program, struct err *err)
{
    program->config = config_create(program->config_file, err);
    if (!program->config)
        return false;
    log_init("master", (enum log_level)program->config->log_level);
    if (!zone_init(program->config->time_zone, err))
        return false;
    if (!privileges_set_dumps(program->config->core_dumps == CONFIG_ON, err))
        return false;
    bool is_locked = secret_memory_open(&program->secrets, err);
    warn_of_unlocked(is_locked, err);
    return true;
}

static bool read_clock(struct program *program, struct err *err)
{
    program->clock = domain_clock_create(program->config->clock, err);
    return program->clock != NULL;
}

static bool read_keyring(struct program *program, struct err *err)
{
    program->keyring = keyring_create(program->config->keyring_file, err);
    return program->keyring != NULL;
}

static bool read_files(struct program *program, struct err *err)
{
    return read_settings(program, err) && read_clock(program, err) && read_keyring(program, err);
}

static bool read_tls(struct program *program, struct err *err)
{
    program->tls = worker_tls_create(program->config, err);
    if (program->tls && program->page)
        note_settings(program);
    return program->tls != NULL;
}

static void turn_away(void *ctx)
{
    struct program *program = ctx;
    listen_shut(&program->sockets);
}

static void take_over(void *ctx)
{
    struct program *program = ctx;
    struct err err = {0};
    if (!pid_file_write(program->config->pid_file, &program->pid_fd, &err))
        log_error("pid_file_stays", "reason=\"%s\"", err.text);
}

static void hand_over(void *ctx)
{
    struct program *program = ctx;
    if (program->pid_fd >= 0)
        close(program->pid_fd);
    program->pid_fd = -1;
}

/* Those that were handed to us, and what is missing of them. */
static bool listen_all(struct program *program, struct handed_sockets *handed, struct err *err)
{
    const struct config *config = program->config;
    program->sockets.role = "listen";
    program->admin.role = "admin_listen";
    bool good =
        listen_open(&program->sockets, config->listen.items, config->listen.count, handed, err) &&
        listen_open(&program->admin, &config->admin_listen, *config->admin_listen != '\0', handed,
                    err);
    handed_close(handed);
    return good;
}

static bool bind_all(struct program *program, struct err *err)
{
    const struct config *config = program->config;
    struct handed_sockets handed;
    if (!handed_receive(&handed, err))
        return false;
    struct master_options options = {
        .config = config,
        .worker_main = run_worker,
        .maintenance_main = *config->postgres_maintenance ? run_maintenance : NULL,
        .turn_away = turn_away,
        .reload = reload,
        .listen = &program->sockets,
        .admin = &program->admin,
        .argv = program->argv,
        .predecessor_fd = handed_take_name(&handed, PREDECESSOR),
        .take_over = take_over,
        .hand_over = hand_over,
        .ctx = program,
    };
    if (!listen_all(program, &handed, err))
        return false;
    options.admin_main = program->admin.count > 0 ? run_admin : NULL;
    options.page = program->page = shared_page_create(worker_count(config), err);
    if (!program->page)
        return false;
    log_share_count(&program->page->log_dropped);
    program->master = master_create(&options, err);
    return program->master &&
           (options.predecessor_fd >= 0 || pid_file_write(config->pid_file, &program->pid_fd, err));
}

static void give_back(struct program *program)
{
    log_share_count(NULL);
    master_destroy(&program->master);
    listen_close(&program->sockets);
    listen_close(&program->admin);
    shared_page_destroy(&program->page);
    SSL_CTX_free(program->tls);
    keyring_destroy(&program->keyring);
    if (program->clock)
        domain_clock_destroy(&program->clock);
    config_destroy(&program->config);
}

static int fail(struct program *program, int status, const struct err *err)
{
    fprintf(stderr, "loyald: %s\n", err->text);
    give_back(program);
    return status;
}

static int run(struct program *program)
{
    struct err err = {0};
    bool is_child = false;
    signal(SIGPIPE, SIG_IGN);
    log_open();
    reserve_open();
    if (!read_files(program, &err))
        return fail(program, EXIT_CONFIG, &err);
    privileges_raise_files();
    if (!bind_all(program, &err))
        return fail(program, EXIT_FAILURE, &err);
    if (!privileges_drop(program->config->user, program->pid_fd, &err) ||
        !privileges_set_dumps(program->config->core_dumps == CONFIG_ON, &err) ||
        !read_tls(program, &err)) {
        if (program->pid_fd >= 0)
            pid_file_remove(program->config->pid_file);
        return fail(program, EXIT_CONFIG, &err);
    }
    log_info("starting", "software=\"%s\" network=%s workers=%d", SOFTWARE,
             program->config->network, program->page->slot_count);
    int status = master_run(program->master, &is_child);
    if (!is_child && program->pid_fd >= 0)
        pid_file_remove(program->config->pid_file);
    give_back(program);
    return status;
}

/* ---- command line ---- */

static int count_fault(bool is_good, const struct err *err)
{
    if (!is_good)
        fprintf(stderr, "loyald: %s\n", err->text);
    return !is_good;
}

/* Tries all that a start would, in its order, and as the user that it becomes; but takes no port
 * and asks no database. A broken configuration is the only fault told; else every one is. */
static int check_config(struct program *program)
{
    struct err err = {0};
    int faults = 0;
    if (!read_settings(program, &err))
        return fail(program, EXIT_CONFIG, &err);
    const struct config *config = program->config;
    faults += count_fault(read_clock(program, &err), &err);
    faults += count_fault(read_keyring(program, &err), &err);
    faults += count_fault(listen_check(config->listen.items, config->listen.count, &err), &err);
    faults += count_fault(pid_file_check(config->pid_file, &err), &err);
    faults += count_fault(privileges_drop(config->user, -1, &err) && read_tls(program, &err), &err);
    if (faults == 0)
        printf("%s: good\n", program->config_file);
    give_back(program);
    return faults == 0 ? EXIT_SUCCESS : EXIT_CONFIG;
}

static int make_keyring(const char *path)
{
    struct err err = {0};
    if (keyring_file_make(path, &err))
        return EXIT_SUCCESS;
    fprintf(stderr, "loyald: %s\n", err.text);
    return EXIT_CONFIG;
}

/* NULL: those of the defaults. */
static int print_limits(const char *config_file)
{
    struct err err = {0};
    struct config *config =
        config_file ? config_create(config_file, &err) : config_create_numbers();
    if (!config) {
        fprintf(stderr, "loyald: %s\n", config_file ? err.text : "no memory");
        return EXIT_CONFIG;
    }
    session_print_limits(stdout, config);
    config_print_limits(stdout, config);
    config_destroy(&config);
    return EXIT_SUCCESS;
}

static int carry_out(struct program *program, enum command command, const char *keyring_file)
{
    switch (command) {
    case COMMAND_RUN: return run(program);
    case COMMAND_CHECK_CONFIG: return check_config(program);
    case COMMAND_MAKE_KEYRING: return make_keyring(keyring_file);
    case COMMAND_LIMITS: return print_limits(program->has_config ? program->config_file : NULL);
    case COMMAND_DUMP_FSM: fsm_print(stdout); break;
    case COMMAND_DUMP_OPTIONS: config_print_options(stdout); break;
    case COMMAND_DUMP_METRICS: metrics_list(stdout); break;
    case COMMAND_VERSION: printf("%s\n", SOFTWARE); break;
    }
    return EXIT_SUCCESS;
}

int main(int argc, const char **argv)
{
    char *config_file = NULL, *keyring_file = NULL;
    int command = COMMAND_RUN;
    signal(SIGCHLD,
           SIG_DFL); /* whoever started us may ignore it: then no child could be waited for */
    const struct poptOption table[] = {
        {"config", 'c', POPT_ARG_STRING, &config_file, 0,
         "configuration file (" CONFIG_FALLBACK ")", "FILE"},
        {"check-config", 0, POPT_ARG_VAL, &command, COMMAND_CHECK_CONFIG,
         "check the configuration and the files it names, then end", NULL},
        {"dump-config-options", 0, POPT_ARG_VAL, &command, COMMAND_DUMP_OPTIONS,
         "print every option of the configuration", NULL},
        {"dump-metrics", 0, POPT_ARG_VAL, &command, COMMAND_DUMP_METRICS,
         "print every metric of the admin port", NULL},
        {"limits", 0, POPT_ARG_VAL, &command, COMMAND_LIMITS, "print all limits", NULL},
        {"dump-fsm", 0, POPT_ARG_VAL, &command, COMMAND_DUMP_FSM, "print the states of a session",
         NULL},
        {"make-keyring", 0, POPT_ARG_STRING, &keyring_file, COMMAND_MAKE_KEYRING,
         "make a new keyring file, then end", "FILE"},
        {"version", 'V', POPT_ARG_VAL, &command, COMMAND_VERSION, "print the version", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext context = poptGetContext("loyald", argc, argv, table, 0);
    int option;
    while ((option = poptGetNextOpt(context)) > 0)
        command = option;
    if (option < -1 || poptPeekArg(context)) {
        fprintf(stderr, "loyald: %s: %s; loyald --help lists the options\n",
                option < -1 ? poptBadOption(context, 0) : poptPeekArg(context),
                option < -1 ? poptStrerror(option) : "no argument expected");
        poptFreeContext(context);
        return EXIT_CONFIG;
    }
    struct program program = {
        .config_file = config_file ? config_file : CONFIG_FALLBACK,
        .has_config = config_file != NULL,
        .argv = (char *const *)(uintptr_t)argv,
        .pid_fd = -1,
    };
    int status = carry_out(&program, (enum command)command, keyring_file);
    poptFreeContext(context);
    free(config_file);
    free(keyring_file);
    return status;
}
