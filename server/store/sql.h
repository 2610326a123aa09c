/* Pieces that the SQL of statements.c and statements_network.c shares. Private to store/. */
#pragma once

#include "store/statements.h"

/* Those of statements_network.c; NULL for all others. */
const char *network_statement_text(enum statement_id id);

/* Between microseconds since 1970 and timestamptz. */
#define TIME(us) "(to_timestamp(0) + " us "::bigint * interval '1 us')"
#define US(time) "(extract(epoch from " time ") * 1000000)::bigint"

#define BUCKET(member) "(" member "::bigint & 255)::smallint"

/* Of a merchant 1, store 2, terminal 3 or operator 4. */
#define STANDING_OF(subject, id)                                                   \
    "coalesce((select n.standing from loyal.standing n where n.subject = " subject \
    " and n.subject_id = " id "), 1::smallint)"
