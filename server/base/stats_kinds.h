/* The kinds of things that are counted: each list numbers an array of base/stats.h and ends with
 * its length. How they are called outside stands in admin/metrics.c and admin/health.c. */
#pragma once

/* Which requests share a histogram. */
enum stats_class { STATS_POSTING, STATS_LOOKUP, STATS_QUERY, STATS_CLASSES };

enum stats_conn { STATS_HANDSHAKE, STATS_GREETING, STATS_OPEN, STATS_CLOSING, STATS_CONNS };

/* Why a handshake did not succeed. */
enum stats_handshake {
    STATS_NO_CERTIFICATE,
    STATS_EXPIRED, /* or not valid yet */
    STATS_UNTRUSTED,
    STATS_PROTOCOL,
    STATS_TIMEOUT,
    STATS_DROPPED, /* to make room for others */
    STATS_GONE,
    STATS_HANDSHAKES
};

/* Kinds of database connections; the last five are of the desks. */
enum stats_link {
    STATS_LANE,
    STATS_READER,
    STATS_WAITER,
    STATS_COUNTER,
    STATS_OFFICE,
    STATS_WINDOW,
    STATS_CENSUS,
    STATS_ERASER,
    STATS_LINKS
};

/* Queries: at all desks. */
enum stats_queue { STATS_POSTINGS, STATS_LOOKUPS, STATS_QUERIES, STATS_QUEUES };

/* What keeps a worker from serving. 0 is also what an empty slot says. */
enum stats_reason {
    STATS_STARTING,
    STATS_UNREACHABLE, /* the database, by the connection named beside */
    STATS_WRONG_SCHEMA,
    STATS_NOT_DURABLE,
    STATS_REFUSED, /* a statement cannot be prepared: rights, a foreign schema */
    STATS_NO_REFERENCE,
    STATS_DRAINING,
    STATS_REASONS
};

enum stats_duty { STATS_PARTITIONS, STATS_REFUSALS, STATS_EXPIRY, STATS_DUTIES };
