/* See privileges.h. Called by main alone, before the first fork. */
#include "admin/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

bool privileges_drop(const char *user, int pid_fd, struct err *err)
{
    if (*user == '\0')
        return true;
    errno = 0;
    /* cppcheck-suppress getpwnamCalled ; there is one thread */
    const struct passwd *entry = getpwnam(user);
    if (!entry)
        return err_set_errno(err, errno, "option 'user': there is no user %s: make him first",
                             user);
    if (geteuid() == entry->pw_uid)
        return true;
    if (geteuid() != 0)
        return err_set(err, "option 'user': only root can become %s: start as root or remove it",
                       user);
    if (pid_fd >= 0 && fchown(pid_fd, entry->pw_uid, entry->pw_gid) != 0)
        return err_set_errno(err, errno, "pid_file cannot be given to user %s", user);
    if (initgroups(user, entry->pw_gid) != 0 || setgid(entry->pw_gid) != 0 ||
        setuid(entry->pw_uid) != 0)
        return err_set_errno(err, errno, "cannot become user %s", user);
    return true;
}

void privileges_raise_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* The limit alone would not do: the kernel gives a process's memory to a program that core_pattern
 * names all the same. */
bool privileges_set_dumps(bool allowed, struct err *err)
{
    static const struct rlimit none = {0};
    return ((allowed || setrlimit(RLIMIT_CORE, &none) == 0) &&
            prctl(PR_SET_DUMPABLE, allowed ? 1 : 0) == 0) ||
           err_set_errno(err, errno, "core dumps cannot be turned %s", allowed ? "on" : "off");
}

static long pid_in(const char *path)
{
    char text[24] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    return size > 0 ? strtol(text, NULL, 10) : 0;
}

bool pid_file_write(const char *path, int *fd_out, struct err *err)
{
    char text[24];
    *fd_out = -1;
    if (*path == '\0')
        return true;
    /* The lock is this process's alone, not its children's, and ends with it; so the file stays
     * open. */
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0 && fcntl(fd, F_SETLK, &lock) != 0) {
        close(fd);
        return err_set(err, "%s: process %ld is running: stop it first", path, pid_in(path));
    }
    int size = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (fd >= 0 && ftruncate(fd, 0) == 0 && write(fd, text, (size_t)size) == size) {
        *fd_out = fd;
        return true;
    }
    err_set_errno(err, errno, "%s: pid_file cannot be written", path);
    if (fd >= 0)
        close(fd);
    return false;
}

bool pid_file_check(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX] = ".";
    if (*path == '\0')
        return true;
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1, path);
    return access(access(path, F_OK) == 0 ? path : folder, W_OK) == 0 ||
           err_set_errno(err, errno, "%s: pid_file cannot be written", path);
}

void pid_file_remove(const char *path)
{
    if (*path && pid_in(path) == getpid() && unlink(path) != 0)
        log_debug("pid_file_stays", "error=\"%s\"", strerror(errno));
}
