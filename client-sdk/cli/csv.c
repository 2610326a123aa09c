/* Owns the reading of CSV: bytes of a file or of an .xz, cut into rows and cells. Called by the
 * import of stores and by the replay. A row has a ceiling, so that no file can fill the memory. */
#include "csv.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lzma.h>

enum { CELLS_MAX = 64, ROW_BYTES_MAX = 16384, CHUNK = 65536 };

struct csv {
    FILE *file;
    bool packed, ended;
    lzma_stream lzma;
    uint8_t in[CHUNK], out[CHUNK];
    size_t out_at, out_count;
    char row[ROW_BYTES_MAX];
    const char *cells[CELLS_MAX];
    int cell_count, column_count;
    size_t line;
    char path[200], error[320];
};

__attribute__((format(printf, 2, 3))) static bool fail(struct csv *csv, const char *format, ...)
{
    va_list args;
    size_t used;

    if (csv->error[0])
        return false;
    if (csv->line > 0)
        snprintf(csv->error, sizeof csv->error, "%s:%zu: ", csv->path, csv->line);
    else
        snprintf(csv->error, sizeof csv->error, "%s: ", csv->path);
    used = strlen(csv->error);
    va_start(args, format);
    vsnprintf(csv->error + used, sizeof csv->error - used, format, args);
    va_end(args);
    return false;
}

struct csv *csv_open(const char *path)
{
    struct csv *csv = calloc(1, sizeof *csv);
    size_t length = strlen(path);

    if (!csv) {
        fputs("loyalctl: out of memory\n", stderr);
        exit(1);
    }
    snprintf(csv->path, sizeof csv->path, "%s", path);
    csv->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!csv->file)
        fail(csv, "%s", strerror(errno));
    csv->packed = length > 3 && strcmp(path + length - 3, ".xz") == 0;
    csv->lzma = (lzma_stream)LZMA_STREAM_INIT;
    if (csv->packed && lzma_stream_decoder(&csv->lzma, 256 << 20, LZMA_CONCATENATED) != LZMA_OK)
        fail(csv, "no memory to unpack it");
    return csv;
}

void csv_close(struct csv **csv)
{
    if (!*csv)
        return;
    lzma_end(&(*csv)->lzma);
    if ((*csv)->file && (*csv)->file != stdin)
        fclose((*csv)->file);
    free(*csv);
    *csv = NULL;
}

/* More bytes into `out`; false at the end. */
static bool unpack(struct csv *csv)
{
    lzma_ret ret = LZMA_OK;

    csv->lzma.next_out = csv->out;
    csv->lzma.avail_out = CHUNK;
    while (ret == LZMA_OK && csv->lzma.avail_out == CHUNK) {
        if (csv->lzma.avail_in == 0) {
            csv->lzma.next_in = csv->in;
            csv->lzma.avail_in = fread(csv->in, 1, CHUNK, csv->file);
        }
        ret = lzma_code(&csv->lzma, csv->lzma.avail_in == 0 ? LZMA_FINISH : LZMA_RUN);
    }
    csv->ended = ret != LZMA_OK;
    if (ret != LZMA_OK && ret != LZMA_STREAM_END)
        return fail(csv, "not a whole .xz file");
    csv->out_count = CHUNK - csv->lzma.avail_out;
    return csv->out_count > 0;
}

static bool fill(struct csv *csv)
{
    csv->out_at = csv->out_count = 0;
    if (csv->ended || csv->error[0])
        return false;
    if (csv->packed)
        return unpack(csv);
    csv->out_count = fread(csv->out, 1, CHUNK, csv->file);
    if (ferror(csv->file))
        return fail(csv, "%s", strerror(errno));
    return csv->out_count > 0;
}

static int next_byte(struct csv *csv)
{
    if (csv->out_at == csv->out_count && !fill(csv))
        return EOF;
    return csv->out[csv->out_at++];
}

static int peek_byte(struct csv *csv)
{
    int c = next_byte(csv);

    if (c != EOF)
        csv->out_at--;
    return c;
}

/* The byte that ended the cell is in *end_out: ',', '\n' or EOF. */
static bool read_cell(struct csv *csv, size_t *used, int *end_out)
{
    bool quoted = peek_byte(csv) == '"';
    int c;

    if (csv->cell_count == CELLS_MAX)
        return fail(csv, "more than %d cells", CELLS_MAX);
    csv->cells[csv->cell_count++] = csv->row + *used;
    if (quoted)
        next_byte(csv);
    for (;;) {
        c = next_byte(csv);
        if (quoted && c == EOF)
            return fail(csv, "a quotation is not closed");
        if (quoted && c == '"' && peek_byte(csv) != '"') {
            quoted = false;
            continue;
        }
        if (quoted && c == '"')
            next_byte(csv);
        if (!quoted && c == '\r' && peek_byte(csv) == '\n')
            continue;
        if (c == '\0')
            return fail(csv, "a byte 0");
        if (!quoted && (c == ',' || c == '\n' || c == EOF))
            break;
        if (*used + 2 > ROW_BYTES_MAX)
            return fail(csv, "a row over %d bytes", ROW_BYTES_MAX);
        csv->row[(*used)++] = (char)c;
    }
    csv->row[(*used)++] = '\0';
    *end_out = c;
    return true;
}

static bool read_row(struct csv *csv)
{
    size_t used = 0;
    int end = ',';

    csv->cell_count = 0;
    if (csv->error[0] || peek_byte(csv) == EOF)
        return false;
    csv->line++;
    while (end == ',') {
        if (used + 2 > ROW_BYTES_MAX)
            return fail(csv, "a row over %d bytes", ROW_BYTES_MAX);
        if (!read_cell(csv, &used, &end))
            return false;
    }
    return true;
}

bool csv_header(struct csv *csv, const char *const *columns, int *at_out)
{
    do {
        if (!read_row(csv))
            return fail(csv, "no header line");
    } while (csv->cells[0][0] == '#');
    csv->column_count = csv->cell_count;
    for (int i = 0; columns[i]; i++) {
        at_out[i] = -1;
        for (int j = 0; j < csv->cell_count; j++)
            if (strcmp(csv->cells[j], columns[i]) == 0)
                at_out[i] = j;
    }
    return true;
}

bool csv_row(struct csv *csv)
{
    if (!read_row(csv))
        return false;
    if (csv->cell_count != csv->column_count)
        return fail(csv, "%d cells, the header has %d", csv->cell_count, csv->column_count);
    return true;
}

const char *csv_cell(const struct csv *csv, int at)
{
    assert(at >= 0 && at < csv->cell_count);
    return csv->cells[at];
}

size_t csv_line(const struct csv *csv)
{
    return csv->line;
}

const char *csv_error(const struct csv *csv)
{
    return csv->error;
}
