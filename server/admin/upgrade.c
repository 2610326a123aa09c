/* See upgrade.h. Owns both ends of the socket between a daemon and its successor. Never touches
 * workers: that is the master's business. */
#include "admin/upgrade.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define READY     'R' /* of the successor */
#define TAKE_OVER 'T' /* to it */

static void tell(const char *variable, long value)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", value);
    setenv(variable, text, 1);
}

/* ---- the running daemon's side ---- */

/* In the child, with all signals blocked: back to what a program may expect, or the end. */
static void execute(char *const *argv, const struct listen_sockets *const sets[2], int fd)
{
    static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR2};
    struct sigaction fallback = {.sa_handler = SIG_DFL};
    int fds[HANDED_MAX];
    const char *names[HANDED_MAX];
    size_t count = 0;
    sigset_t none;
    for (int set = 0; set < 2; set++) {
        for (size_t i = 0; i < sets[set]->count && count < HANDED_MAX - 1; i++) {
            fds[count] = sets[set]->fds[i];
            names[count++] = listen_name(sets[set], i);
        }
    }
    fds[count] = fd;
    names[count++] = PREDECESSOR;
    for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++)
        sigaction(caught[i], &fallback, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (getenv("WATCHDOG_PID"))
        tell("WATCHDOG_PID", getpid());
    if (handed_pass(fds, names, count))
        execvp(argv[0], argv);
    log_error("upgrade_failed", "reason=\"%s cannot be executed: %s\"", argv[0], strerror(errno));
    _exit(126);
}

/* Its word, or its end. */
static void on_successor(evutil_socket_t fd, short what, void *ctx)
{
    struct successor *successor = ctx;
    char word = 0;
    ssize_t size = what & EV_READ ? recv(fd, &word, 1, MSG_DONTWAIT) : 0;
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size == 1 && word == READY)
        successor->is_ready(successor->ctx);
    else
        successor->has_failed(successor->ctx, what & EV_TIMEOUT
                                                  ? "it is not ready in time: see its lines"
                                                  : "it has ended: see its lines");
}

static pid_t start(char *const *argv, const struct listen_sockets *const sets[2], const int ends[2])
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        execute(argv, sets, ends[1]);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    return pid;
}

bool successor_start(struct successor *successor, struct event_base *base, char *const *argv,
                     const struct listen_sockets *const sets[2], struct err *err)
{
    static const struct timeval limit = {.tv_sec = UPGRADE_S_MAX};
    int ends[2];
    if (sets[0]->count + sets[1]->count >= HANDED_MAX)
        return err_set(err, "more than %d sockets to hand over", HANDED_MAX - 1);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return err_set_errno(err, errno, "socketpair");
    successor->fd = ends[0];
    successor->readable =
        event_new(base, ends[0], EV_READ | EV_TIMEOUT | EV_PERSIST, on_successor, successor);
    pid_t pid = start(argv, sets, ends);
    if (pid < 0)
        err_set_errno(err, errno, "fork");
    else if (!successor->readable || event_add(successor->readable, &limit) != 0)
        err_set(err, "no memory");
    else
        successor->pid = pid;
    if (successor->pid)
        return true;
    if (pid > 0)
        kill(pid, SIGKILL);
    successor_forget(successor);
    return false;
}

bool successor_confirm(struct successor *successor)
{
    const char word = TAKE_OVER;
    bool is_told = send(successor->fd, &word, 1, MSG_NOSIGNAL) == 1;
    successor_forget(successor);
    return is_told;
}

void successor_kill(struct successor *successor)
{
    if (successor->pid)
        kill(successor->pid, SIGKILL); /* its children go with it */
    successor_forget(successor);
}

void successor_forget(struct successor *successor)
{
    if (successor->readable)
        event_free(successor->readable);
    if (successor->fd >= 0)
        close(successor->fd);
    successor->readable = NULL;
    successor->fd = -1;
    successor->pid = 0;
}

/* ---- the successor's side ---- */

static void on_predecessor(evutil_socket_t fd, short what, void *ctx)
{
    struct predecessor *predecessor = ctx;
    char word = 0;
    (void)what;
    ssize_t size = recv(fd, &word, 1, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    predecessor_forget(predecessor);
    predecessor->take_over(predecessor->ctx);
}

bool predecessor_watch(struct predecessor *predecessor, struct event_base *base, int fd)
{
    predecessor->fd = fd;
    predecessor->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_predecessor, predecessor);
    return predecessor->readable && event_add(predecessor->readable, NULL) == 0;
}

void predecessor_tell_ready(struct predecessor *predecessor)
{
    const char word = READY;
    if (predecessor->is_told)
        return;
    predecessor->is_told = true;
    if (send(predecessor->fd, &word, 1, MSG_NOSIGNAL) != 1)
        log_debug("predecessor_gone", "error=\"%s\"", strerror(errno)); /* we shall hear of it */
}

void predecessor_forget(struct predecessor *predecessor)
{
    if (predecessor->readable)
        event_free(predecessor->readable);
    if (predecessor->fd >= 0)
        close(predecessor->fd);
    predecessor->readable = NULL;
    predecessor->fd = -1;
}
