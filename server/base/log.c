/* Writes each event as one line with one write(2), so that lines of several processes never mix.
 * Never waits: a full disk, a reader that has stopped or gone must not stop tills. A line that
 * cannot be written at once is lost, counted, and the count is told with the next one. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES PIPE_BUF /* so much a pipe takes whole or not at all */

static struct {
    char process[32];
    enum log_level level;
    bool is_socket;        /* send(2) need not wait, whatever others do with the socket */
    bool may_wait;         /* ask first whether there is room */
    bool is_torn;          /* the last line was cut: the disk became full within it */
    int error;             /* of the last line lost */
    uint64_t dropped;      /* lines lost and not yet told */
    uint64_t *dropped_all; /* shared by all processes; NULL: none counts */
} log_state = {.process = "loyald", .level = LOG_LEVEL_INFO};

void log_init(const char *process, enum log_level level)
{
    if (strcmp(process, log_state.process) != 0)
        log_state.dropped = 0; /* those of the process that forked this one: it tells them itself */
    snprintf(log_state.process, sizeof log_state.process, "%s", process);
    log_state.level = level;
}

void log_share_count(uint64_t *dropped_all)
{
    log_state.dropped_all = dropped_all;
}

/* Who starts without standard files would write his log into the first socket that he opens. */
static void fill_standard_files(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = dup(fd);
    if (fd >= 0)
        close(fd);
}

/* O_NONBLOCK belongs to the open file, which a shell or another service may share. So pipes and
 * terminals are opened once more, for us alone; files need it not, and would lose their offset. */
void log_open(void)
{
    struct stat status;
    fill_standard_files();
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    if (flags < 0 || (flags & O_NONBLOCK) || fstat(STDERR_FILENO, &status) != 0)
        return;
    log_state.is_socket = S_ISSOCK(status.st_mode);
    if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
        return;
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    log_state.may_wait = fd < 0 || dup2(fd, STDERR_FILENO) < 0;
    if (fd >= 0)
        close(fd);
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

static ssize_t write_now(const char *bytes, size_t size)
{
    if (log_state.is_socket)
        return send(STDERR_FILENO, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (log_state.may_wait && poll(&room, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(STDERR_FILENO, bytes, size);
}

/* False: it is lost, and why stands in log_state.error. */
static bool put_line(const char *line, size_t size)
{
    errno = ENOSPC; /* of a short write */
    if (log_state.is_torn && write_now("\n", 1) == 1)
        log_state.is_torn = false;
    ssize_t written_bytes = log_state.is_torn ? -1 : write_now(line, size);
    if (written_bytes == (ssize_t)size)
        return true;
    log_state.is_torn = log_state.is_torn || written_bytes > 0;
    log_state.error = errno;
    return false;
}

static bool tell_dropped(void)
{
    char line[512];
    size_t used = put_head(line, sizeof line, LOG_LEVEL_WARNING, "log_dropped");
    used += written(snprintf(line + used, sizeof line - used, " lines=%llu reason=\"%s\"\n",
                             (unsigned long long)log_state.dropped, strerror(log_state.error)),
                    sizeof line - used);
    if (!put_line(line, used))
        return false;
    log_state.dropped = 0;
    return true;
}

void log_catch_up(void)
{
    if (log_state.dropped > 0)
        tell_dropped();
}

static void write_line(const char *line, size_t size)
{
    if ((log_state.dropped == 0 || tell_dropped()) && put_line(line, size))
        return;
    log_state.dropped++;
    if (log_state.dropped_all)
        __atomic_add_fetch(log_state.dropped_all, 1, __ATOMIC_RELAXED);
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
    write_line(line, used);
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
