/* From the file to a configuration on the heap: reads the text, has it parsed by a process of its
 * own, copies what that made of it. Called by main, and by master and workers on reload. Knows no
 * option by name, nor libconfuse. */
#include "config/draft.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/options.h"

#define FILE_BYTES_MAX 65536
#define PARSE_S_MAX    3
#define PARSER_ENDED \
    "%s: cannot be parsed: the parser ended, as it does when memory is short; try again "

char *draft_read(const char *path, struct err *err)
{
    char *text = calloc(1, FILE_BYTES_MAX + 1);
    FILE *file = fopen(path, "re");
    bool good = text && file;
    if (good) {
        size_t size = fread(text, 1, FILE_BYTES_MAX + 1, file);
        good = !ferror(file) && size <= FILE_BYTES_MAX && strlen(text) == size;
        if (!good && !ferror(file))
            errno = EFBIG;
    }
    if (file)
        fclose(file);
    if (good)
        return text;
    err_set_errno(err, errno, "%s: cannot be read as text of at most %d bytes", path,
                  FILE_BYTES_MAX);
    free(text);
    return NULL;
}

/* ---- the process of the parser ---- */

static void end_at_once(void)
{
    _exit(EXIT_FAILURE);
}

/* It has nothing of its parent but the text: no sockets, no signal handlers, nothing to do at its
 * end, however that comes. */
static void parse_and_end(struct draft *draft, char *text, pid_t parent)
{
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0); /* there may be passwords in the text */
    prctl(PR_SET_NAME, "loyald parser");
    close_range(STDERR_FILENO + 1, ~0U, 0);
    alarm(PARSE_S_MAX);
    if (sigprocmask(SIG_SETMASK, &none, NULL) != 0 || getppid() != parent ||
        atexit(end_at_once) != 0)
        _exit(EXIT_FAILURE);
    draft_parse(draft, text);
    _exit(EXIT_SUCCESS);
}

/* Fills the draft, or its error only. Blocks for as long as the parser takes. */
static void parse_apart(struct draft *draft, char *text)
{
    sigset_t all, before;
    int status = 0;
    pid_t parent = getpid();
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork(), ended = pid;
    if (pid == 0)
        parse_and_end(draft, text, parent);
    sigprocmask(SIG_SETMASK, &before, NULL);
    while (pid > 0 && (ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        continue;
    if (ended < 0)
        draft->good = err_set_errno(&draft->err, errno, "%s: no process to parse it", draft->path);
    else if (WIFSIGNALED(status))
        draft->good =
            err_set(&draft->err, PARSER_ENDED "(signal %d)", draft->path, WTERMSIG(status));
    else if (WEXITSTATUS(status) != EXIT_SUCCESS)
        draft->good =
            err_set(&draft->err, PARSER_ENDED "(status %d)", draft->path, WEXITSTATUS(status));
}

static bool copy_list(struct config_list *to, const struct config_list *from)
{
    *to = (struct config_list){.items = calloc(from->count, sizeof *to->items)};
    while (to->items && to->count < from->count) {
        to->items[to->count] = strdup(from->items[to->count]);
        if (!to->items[to->count])
            break;
        to->count++;
    }
    return to->count == from->count;
}

static bool copy_value(const struct option *option, struct config *to, const struct config *from)
{
    void *field = (char *)to + option->offset;
    const void *value = (const char *)from + option->offset;
    if (option->type == OPTION_LIST)
        return copy_list(field, value);
    if (option->type == OPTION_TEXT)
        return (*(char **)field = strdup(*(char *const *)value)) != NULL;
    *(int *)field = *(const int *)value;
    return true;
}

struct config *draft_copy(const struct draft *draft, struct err *err)
{
    size_t count;
    const struct option *options = options_all(&count);
    if (!draft->good) {
        *err = draft->err;
        return NULL;
    }
    struct config *config = calloc(1, sizeof *config);
    bool good = config != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = copy_value(&options[i], config, &draft->config);
    if (!good) {
        err_set(err, "no memory");
        config_destroy(&config);
    }
    return config;
}

struct config *config_create(const char *path, struct err *err)
{
    struct config *config = NULL;
    char *text = draft_read(path, err);
    if (!text)
        return NULL;
    struct draft *draft = mmap(NULL, sizeof *draft, PROT_READ | PROT_WRITE,
                               /* cppcheck-suppress invalidFunctionArg ; no file */
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (draft == MAP_FAILED) {
        err_set_errno(err, errno, "%s: no memory to parse it in", path);
    } else {
        draft->path = path;
        parse_apart(draft, text);
        config = draft_copy(draft, err);
        explicit_bzero(draft->room, draft->used); /* it may hold a password */
        munmap(draft, sizeof *draft);
    }
    explicit_bzero(text, strlen(text));
    free(text);
    return config;
}
