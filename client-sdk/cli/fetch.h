/* Pages of daemons' admin ports, by plain HTTP, several at once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct fetch {
    const char *url;  /* in: "http://127.0.0.1:7401" */
    const char *path; /* in: "/metrics" */
    int status;       /* out: HTTP's; 0: none came */
    char *body;       /* out: malloc'ed, NULL when none came */
    char error[128];  /* out: "" unless status is 0 */
};

struct fetcher;

struct fetcher *fetcher_create(void); /* NULL: out of memory */
void fetcher_destroy(struct fetcher **fetcher);

/* False: not http://HOST[:PORT]. */
bool fetch_url_is_good(const char *url);
/* Waits for all of them, two seconds at most. False: interrupted. */
bool fetch_all(struct fetcher *fetcher, struct fetch *fetches, size_t count);
/* Waits. False: interrupted by SIGINT or SIGTERM, now or before. */
bool fetcher_sleep(struct fetcher *fetcher, double seconds);
