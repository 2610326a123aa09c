/* Owns stdout: tables for people and JSON for programs, from the same cells. Called by the
 * commands; it decides nothing. */
#include "output.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"

enum cell_kind { CELL_NONE, CELL_TEXT, CELL_NUMBER, CELL_REAL, CELL_FLAG, CELL_NESTED };

struct cell {
    enum cell_kind kind;
    char *text; /* as people see it */
    int64_t number;
    double real;
    struct table *rows;
};

struct table {
    const char *const *columns;
    size_t column_count;
    struct cell *cells;
    size_t count, room;
};

static void *must(void *memory)
{
    if (memory)
        return memory;
    fputs("loyalctl: out of memory: the answer is lost; run it again, with the same --key\n",
          stderr);
    exit(EXIT_AGAIN); /* what is to be printed may have had an effect */
}

struct table *table_create(const char *const *columns)
{
    struct table *table = must(calloc(1, sizeof *table));

    table->columns = columns;
    while (columns[table->column_count])
        table->column_count++;
    return table;
}

void table_destroy(struct table **table)
{
    if (!*table)
        return;
    for (size_t i = 0; i < (*table)->count; i++) {
        table_destroy(&(*table)->cells[i].rows);
        free((*table)->cells[i].text);
    }
    free((*table)->cells);
    free(*table);
    *table = NULL;
}

static struct cell *cell_add(struct table *table, enum cell_kind kind, const char *text)
{
    if (table->count == table->room) {
        table->room = table->room ? 2 * table->room : 64;
        table->cells = must(realloc(table->cells, table->room * sizeof *table->cells));
    }
    table->cells[table->count] = (struct cell){.kind = kind, .text = must(strdup(text))};
    return &table->cells[table->count++];
}

void table_text(struct table *table, const char *text)
{
    cell_add(table, CELL_TEXT, text);
}

void table_number(struct table *table, int64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, number);
    cell_add(table, CELL_NUMBER, text)->number = number;
}

void table_real(struct table *table, double number)
{
    char text[40];

    snprintf(text, sizeof text, "%.2f", number);
    cell_add(table, CELL_REAL, text)->real = number;
}

void table_flag(struct table *table, bool flag)
{
    cell_add(table, CELL_FLAG, flag ? "yes" : "no")->number = flag;
}

void table_none(struct table *table)
{
    cell_add(table, CELL_NONE, "");
}

void table_means(struct table *table, const char *text)
{
    cell_add(table, CELL_NONE, text);
}

void table_nested(struct table *table, struct table *rows_take, const char *text)
{
    cell_add(table, CELL_NESTED, text)->rows = rows_take;
}

/* ---- for people ---- */

static int width_of(const char *text)
{
    int width = 0;

    for (; *text; text++)
        width += (*text & 0xc0) != 0x80;
    return width;
}

/* Bytes of a control character, 0: it is none. C1 has them, too, in two bytes of UTF-8. */
static size_t control_size(const char *text)
{
    unsigned char first = (unsigned char)text[0], second = (unsigned char)text[first != 0];

    if (first == 0xc2 && second >= 0x80 && second <= 0x9f)
        return 2;
    return first < ' ' || first == 0x7f;
}

/* What others wrote must not steer the terminal that it is read at. */
static void print_visible(const char *text)
{
    while (*text) {
        size_t size = control_size(text);

        if (size > 0)
            fputs("\xef\xbf\xbd", stdout); /* as one that cannot be shown */
        else
            putchar(*text);
        text += size > 0 ? size : 1;
    }
}

static void print_padded(const char *text, int width, bool right, bool last)
{
    int pad = width - width_of(text);

    if (right)
        printf("%*s", pad, "");
    print_visible(text);
    if (!right && !last)
        printf("%*s", pad, "");
    fputs(last ? "\n" : "  ", stdout);
}

/* snake_case, as people read it. */
static void column_title(const char *column, char *title_out, size_t size)
{
    snprintf(title_out, size, "%s", column);
    for (char *c = title_out; *c; c++)
        if (*c == '_')
            *c = ' ';
}

static bool is_for_people(const struct table *table, size_t column)
{
    return table->columns[column][0] != '.';
}

/* The line ends with this one. */
static bool is_last(const struct table *table, size_t column)
{
    for (size_t i = column + 1; i < table->column_count; i++)
        if (is_for_people(table, i))
            return false;
    return true;
}

static bool is_number(const struct table *table, size_t column)
{
    const struct cell *cell = table->count > column ? &table->cells[column] : NULL;

    return cell && (cell->kind == CELL_NUMBER || cell->kind == CELL_REAL);
}

static void print_row(const struct table *table, const struct cell *cells, const int *width)
{
    char title[64];

    for (size_t i = 0; i < table->column_count; i++) {
        if (!is_for_people(table, i))
            continue;
        column_title(table->columns[i], title, sizeof title);
        print_padded(cells ? cells[i].text : title, width[i], is_number(table, i),
                     is_last(table, i));
    }
}

static void print_rows(const struct table *table)
{
    size_t columns = table->column_count;
    int *width = must(calloc(columns, sizeof *width));

    assert(table->count % columns == 0);
    for (size_t i = 0; i < columns; i++)
        width[i] = width_of(table->columns[i]);
    for (size_t i = 0; i < table->count; i++)
        if (width_of(table->cells[i].text) > width[i % columns])
            width[i % columns] = width_of(table->cells[i].text);
    print_row(table, NULL, width);
    for (size_t i = 0; i < table->count; i += columns)
        print_row(table, &table->cells[i], width);
    free(width);
}

static void print_object(const struct table *table)
{
    char title[64];
    int width = 0;

    assert(table->count == table->column_count);
    for (size_t i = 0; i < table->count; i++)
        if (is_for_people(table, i) && width_of(table->columns[i]) > width)
            width = width_of(table->columns[i]);
    for (size_t i = 0; i < table->count; i++) {
        if (!is_for_people(table, i))
            continue;
        column_title(table->columns[i], title, sizeof title);
        print_padded(title, width, false, false);
        print_padded(table->cells[i].text, 0, false, true);
    }
}

/* ---- for programs ---- */

static json_t *rows_json(const struct table *table);

static json_t *cell_json(const struct cell *cell)
{
    switch (cell->kind) {
    case CELL_NUMBER: return json_integer(cell->number);
    case CELL_REAL: return json_real(cell->real);
    case CELL_FLAG: return json_boolean(cell->number);
    case CELL_TEXT: return json_string(cell->text);
    case CELL_NESTED: return rows_json(cell->rows);
    default: return json_null();
    }
}

static json_t *row_json(const struct table *table, size_t first)
{
    json_t *object = must(json_object());

    for (size_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i] + !is_for_people(table, i);

        if (json_object_set_new(object, name, cell_json(&table->cells[first + i])) < 0)
            must(NULL);
    }
    return object;
}

static json_t *rows_json(const struct table *table)
{
    json_t *array = must(json_array());

    for (size_t i = 0; i < table->count; i += table->column_count)
        if (json_array_append_new(array, row_json(table, i)) < 0)
            must(NULL);
    return array;
}

static json_t *section_json(const struct section *section)
{
    return section->single ? row_json(section->table, 0) : rows_json(section->table);
}

static void print_json(const struct section *sections, size_t count)
{
    json_t *document = count == 1 ? section_json(sections) : must(json_object());

    for (size_t i = 0; count > 1 && i < count; i++)
        if (json_object_set_new(document, sections[i].name, section_json(&sections[i])) < 0)
            must(NULL);
    if (json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_ENSURE_ASCII) < 0 &&
        !ferror(stdout))
        must(NULL);
    putchar('\n');
    json_decref(document);
}

void output_print(bool json, struct section *sections, size_t count)
{
    char title[64];

    if (json)
        print_json(sections, count);
    for (size_t i = 0; i < count; i++) {
        if (!json && count > 1) {
            column_title(sections[i].name, title, sizeof title);
            printf("%s%s\n", i > 0 ? "\n" : "", title);
        }
        if (!json)
            (sections[i].single ? print_object : print_rows)(sections[i].table);
        table_destroy(&sections[i].table);
    }
    fflush(stdout);
}

void output_findings(bool json, struct table *table)
{
    static const char *const columns[] = {"verdict", "area", "check", "found", NULL};
    struct table *brief;

    if (json) {
        output_rows(true, table);
        return;
    }
    brief = table_create(columns);
    for (size_t i = 0; i < table->count; i += table->column_count)
        for (size_t column = 0; column < 4; column++)
            table_text(brief, table->cells[i + column].text);
    output_rows(false, brief);
    for (size_t i = 0; i < table->count; i += table->column_count) {
        const struct cell *row = &table->cells[i];

        if (row[4].text[0])
            printf("\n%s: %s %s: %s\n  %s\n  %s\n", row[0].text, row[1].text, row[2].text,
                   row[3].text, row[4].text, row[5].text);
    }
    table_destroy(&table);
}

void output_rows(bool json, struct table *table)
{
    output_print(json, &(struct section){.table = table}, 1);
}

void output_object(bool json, struct table *table)
{
    output_print(json, &(struct section){.table = table, .single = true}, 1);
}
