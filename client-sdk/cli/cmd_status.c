/* `loyalctl status`: how daemons stand. With the URL of an admin port from its metrics, once or
 * again and again; without one an operator asks over the network. Called through the table in
 * commands.c. Changes nothing. */
#include "commands.h"
#include "exposition.h"
#include "fetch.h"
#include "output.h"
#include "status.h"
#include "values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DAEMONS_MAX = 16 };

static const char URL_DEFAULT[] = "http://127.0.0.1:7401";

struct watch {
    struct fetcher *fetcher;
    struct status_daemon daemons[DAEMONS_MAX];
    size_t count;
    bool json, tty, follow;
    int64_t rounds_left; /* 0: no end */
    double interval_s;
};

/* ---- sampling ---- */

static void daemon_take(struct status_daemon *daemon, struct fetch *metrics, struct fetch *ready)
{
    exposition_destroy(&daemon->before);
    daemon->before = daemon->now;
    daemon->now = metrics->status == 200 ? exposition_create(metrics->body) : NULL;
    if (metrics->status != 200)
        free(metrics->body);
    free(daemon->readiness);
    daemon->readiness = ready->body;
    snprintf(daemon->error, sizeof daemon->error, "%s",
             metrics->status == 0 ? metrics->error
             : daemon->now        ? ""
                                  : "not the admin port of a loyald");
}

/* False: interrupted. */
static bool sample(struct watch *watch)
{
    struct fetch fetches[2 * DAEMONS_MAX];
    bool going_on;

    for (size_t i = 0; i < watch->count; i++) {
        fetches[2 * i] = (struct fetch){.url = watch->daemons[i].url, .path = "/metrics"};
        fetches[2 * i + 1] = (struct fetch){.url = watch->daemons[i].url, .path = "/readyz"};
    }
    going_on = fetch_all(watch->fetcher, fetches, 2 * watch->count);
    for (size_t i = 0; i < watch->count; i++)
        daemon_take(&watch->daemons[i], &fetches[2 * i], &fetches[2 * i + 1]);
    return going_on;
}

/* ---- showing ---- */

static void show(const struct watch *watch)
{
    char now[TIME_TEXT_SIZE];

    value_time_text((int64_t)time(NULL) * 1000000, now);
    if (watch->follow && !watch->tty && !watch->json) {
        for (size_t i = 0; i < watch->count; i++)
            status_print_line(&watch->daemons[i], watch->interval_s, now);
        fflush(stdout);
        return;
    }
    if (watch->follow && watch->tty)
        printf("\033[H\033[J%s, each %g s; Ctrl-C ends\n\n", now, watch->interval_s);
    struct section sections[] = {
        {"daemons", status_daemons(watch->daemons, watch->count, watch->interval_s), false},
        {"workers", status_workers(watch->daemons, watch->count, watch->interval_s), false}};
    output_print(watch->json, sections, 2);
}

static int run(struct watch *watch)
{
    size_t down = 0;

    if (watch->follow && watch->tty)
        fputs("\033[2J", stdout);
    if (!sample(watch))
        return EXIT_FINE;
    do {
        if (!fetcher_sleep(watch->fetcher, watch->interval_s) || !sample(watch))
            return EXIT_FINE;
        show(watch);
    } while (watch->follow && (watch->rounds_left == 0 || --watch->rounds_left > 0));
    for (size_t i = 0; i < watch->count; i++)
        down += watch->daemons[i].now == NULL;
    return down > 0 ? EXIT_REFUSED : EXIT_FINE;
}

/* ---- options ---- */

static int read_urls(struct cli *cli, struct watch *watch)
{
    const char *parts[DAEMONS_MAX], *text = cli->values[OPT_URL];
    const char *copy = cli_own(cli, strdup(text ? text : URL_DEFAULT));

    if (!value_split((char *)(uintptr_t)copy, parts, DAEMONS_MAX, &watch->count))
        return cli_usage("--url: at most %d, with commas between them", DAEMONS_MAX);
    for (size_t i = 0; i < watch->count; i++) {
        if (!fetch_url_is_good(parts[i]))
            return cli_usage("--url: %s is not http://HOST:PORT", parts[i]);
        watch->daemons[i].url = parts[i];
    }
    return EXIT_FINE;
}

static int read_options(struct cli *cli, struct watch *watch)
{
    int64_t seconds = 1;

    watch->follow = cli->values[OPT_FOLLOW] != NULL;
    watch->json = cli->values[OPT_JSON] != NULL;
    watch->tty = isatty(STDOUT_FILENO) && !watch->json;
    if (cli->values[OPT_INTERVAL] && !value_integer(cli->values[OPT_INTERVAL], 1, 3600, &seconds))
        return cli_usage("--interval: seconds, 1 to 3600");
    if (cli->values[OPT_TIMES] &&
        !value_integer(cli->values[OPT_TIMES], 1, INT64_MAX, &watch->rounds_left))
        return cli_usage("--count: 1 or more");
    watch->interval_s = (double)seconds;
    return read_urls(cli, watch);
}

int cmd_status(struct cli *cli)
{
    struct watch watch = {0};
    int status;

    if (!cli->values[OPT_URL] && !cli->values[OPT_FOLLOW])
        return cmd_status_asked(cli);
    status = read_options(cli, &watch);
    if (status != EXIT_FINE)
        return status;
    watch.fetcher = fetcher_create();
    if (!watch.fetcher)
        return cli_fail("out of memory");
    status = run(&watch);
    for (size_t i = 0; i < watch.count; i++)
        status_forget(&watch.daemons[i]);
    fetcher_destroy(&watch.fetcher);
    return status;
}
