/* What a command found, once for people (aligned tables) and once for programs (JSON). A command
 * fills tables and hands them over; it prints nothing else on stdout. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;

/* columns: snake_case names, ended by NULL, kept by the caller; one that begins with a dot is for
 * programs alone (without the dot). Out of memory ends the program. */
struct table *table_create(const char *const *columns);
void table_destroy(struct table **table);
/* Cells in reading order; the text is copied. A number is right-aligned, and a number in JSON too.
 */
void table_text(struct table *table, const char *text);
void table_number(struct table *table, int64_t number);
void table_real(struct table *table, double number);
void table_flag(struct table *table, bool flag);
/* Nothing: an empty cell, null in JSON. */
void table_none(struct table *table);
/* null in JSON, for people what it means. */
void table_means(struct table *table, const char *text);
/* An array in JSON, of the rows of a table that is taken over; for people the text. */
void table_nested(struct table *table, struct table *rows_take, const char *text);

struct section {
    const char *name; /* JSON's, and a heading when there are several */
    struct table *table;
    bool single; /* one row: shown as a list of names and values, in JSON an object */
};

/* Prints and destroys the tables. One section is itself the JSON document, several are members of
 * one object. */
void output_print(bool json, struct section *sections, size_t count);
/* The doctor's: verdict, area, check, found, why, remedy. For people what is not ok is explained
 * below the table. Destroys it. */
void output_findings(bool json, struct table *table);
/* The same for one table. */
void output_rows(bool json, struct table *table);
void output_object(bool json, struct table *table);
