/* Writes each event as one line with one write(2), so that lines of several processes never mix. A
 * line that cannot be written is lost: a full disk must not stop tills. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 4096

static struct {
    char process[32];
    enum log_level level;
} log_state = {.process = "loyald", .level = LOG_LEVEL_INFO};

void log_init(const char *process, enum log_level level)
{
    snprintf(log_state.process, sizeof log_state.process, "%s", process);
    log_state.level = level;
}

/* How many bytes snprintf has really put into room. */
static size_t written(int length, size_t room)
{
    if (length < 0)
        return 0;
    return (size_t)length < room ? (size_t)length : room - 1;
}

static size_t put_head(char *line, size_t room, enum log_level level, const char *event)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t used = strftime(line, room, "time=%Y-%m-%dT%H:%M:%S", &parts);
    int length = snprintf(line + used, room - used, ".%03ldZ level=%s process=%s event=%s",
                          now.tv_nsec / 1000000, names[level], log_state.process, event);
    return used + written(length, room - used);
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if (level > log_state.level)
        return;
    int errno_before = errno;
    char line[LINE_BYTES];
    size_t room = sizeof line - 1; /* the end of line always fits */
    size_t used = put_head(line, room, level, event);
    if (format[0] != '\0') {
        va_list arguments;
        va_start(arguments, format);
        line[used++] = ' ';
        used += written(vsnprintf(line + used, room - used, format, arguments), room - used);
        va_end(arguments);
    }
    for (size_t i = 0; i < used; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = ' ';
    line[used++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, used);
    (void)ignored;
    errno = errno_before;
}

const char *log_quote(char *quoted_out, size_t size, const char *value)
{
    size_t used = 0;
    quoted_out[used++] = '"';
    for (; value && *value && used + 4 <= size; value++) {
        if (*value == '"' || *value == '\\')
            quoted_out[used++] = '\\';
        quoted_out[used++] = (unsigned char)*value < ' ' ? ' ' : *value;
    }
    quoted_out[used++] = '"';
    quoted_out[used] = '\0';
    return quoted_out;
}
