/* The schema that a database has, and the one that this program wants. */
#pragma once

/* Which side has to move: the database when it is older, this program when it is not. found: NULL,
 * none. */
void schema_fault(const char *found, char why_out[300]);
