/* Rows of a CSV file (RFC 4180), plain or .xz (liblzma), one at a time. The first mistake sticks:
 * csv_row is false from then on and csv_error says what and where. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct csv;

/* Never NULL; a file that cannot be opened shows in csv_error. "-" is stdin. */
struct csv *csv_open(const char *path);
void csv_close(struct csv **csv);
/* Reads the header line (comment lines before it start with #) and finds columns (ended by NULL) in
 * it: their places, or -1. */
__attribute__((warn_unused_result)) bool csv_header(struct csv *csv, const char *const *columns,
                                                    int *at_out);
/* The next row; false at the end or at a mistake. A row must have as many cells as the header. */
__attribute__((warn_unused_result)) bool csv_row(struct csv *csv);
/* Lives until the next csv_row. */
const char *csv_cell(const struct csv *csv, int at);
size_t csv_line(const struct csv *csv);
/* "" when there is none. */
const char *csv_error(const struct csv *csv);
