/* A library to be preloaded: makes the n-th allocation of a process fail, and so many after it.
 * Tests aim it by a file that they share with the process (named by LOYAL_SHORT_MEMORY); without
 * the file it does nothing. Each failure leaves its stack in a file beside that one. Not a part of
 * loyald. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#define AIM_STARTER 0xffffffffU /* whoever is loaded next, not its children */
#define AIM_CHILD   0xfffffffeU /* who is being forked; so many below: forks to come before that */
#define FORKS_MAX   16
#define STACK_MAX   48
#define EARLY_BYTES 65536

/* Whose code it is that allocates. */
enum whose { WHOSE_ALL, WHOSE_OWN, WHOSE_LIBEVENT };

/* As tests/torture/conftest.py packs it. */
struct aim {
    uint32_t pid;  /* whose allocations count */
    uint32_t many; /* how many fail in a row */
    uint32_t whose;
    uint32_t unused;
    uint64_t at; /* the first that fails, from 1; 0: none */
    uint64_t seen;
    uint64_t failed;
};

static struct aim nothing, *aim = &nothing;
static int stacks = -1;
static char early[EARLY_BYTES]; /* for dlsym, which allocates before we know whom to ask */
static size_t early_used;
static __thread int inside;

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static int (*next_posix_memalign)(void **, size_t, size_t);
static void *(*next_aligned_alloc)(size_t, size_t);

static void find_next(void)
{
    if (next_free || inside)
        return;
    inside = 1;
    *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next_posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    *(void **)&next_aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
    *(void **)&next_free = dlsym(RTLD_NEXT, "free");
    inside = 0;
}

static void *take_early(size_t size)
{
    size = (size + 15) / 16 * 16;
    if (size > sizeof early - early_used)
        abort();
    early_used += size;
    return early + early_used - size;
}

static int is_early(const void *memory)
{
    return (const char *)memory >= early && (const char *)memory < early + sizeof early;
}

static void note_stack(void)
{
    void *frames[STACK_MAX];
    inside = 1;
    int depth = backtrace(frames, STACK_MAX);
    backtrace_symbols_fd(frames, depth, stacks);
    ssize_t ignored = write(stacks, "\n", 1);
    (void)ignored;
    inside = 0;
}

static int is_in(const void *code, const char *library)
{
    Dl_info in;
    return dladdr(code, &in) && strstr(in.dli_fname, library);
}

static int is_same_object(const void *code, const void *other)
{
    Dl_info in, other_in;
    return dladdr(code, &in) && dladdr(other, &other_in) && in.dli_fbase == other_in.dli_fbase;
}

/* Own code that is called by these is the allocator that they were given. */
static int is_aimed_at(const void *from)
{
    void *frames[8] = {0};
    if (aim->whose == WHOSE_ALL)
        return 1;
    if (is_in(from, "/libcrypto") || is_in(from, "/libc.so"))
        return 0; /* most, and finding the stack is slow */
    inside = 1;
    int depth = backtrace(frames, 6), at = 0;
    while (at < depth && (is_same_object(frames[at], &nothing) || is_in(frames[at], "/libasan")))
        at++;
    const void *code = frames[at], *caller = frames[at + 1];
    int is_own = is_same_object(code, (const void *)getauxval(AT_ENTRY));
    int is_libevent = is_in(code, "/libevent") || (is_own && is_in(caller, "/libevent"));
    is_own = is_own && !is_libevent && !is_in(caller, "/libcrypto");
    inside = 0;
    return aim->whose == WHOSE_OWN ? is_own : is_libevent;
}

/* Whether this allocation is to fail. */
static int fails(const void *from)
{
    if (aim->at == 0 || inside || aim->pid != (uint32_t)getpid() || !is_aimed_at(from))
        return 0;
    uint64_t number = __atomic_add_fetch(&aim->seen, 1, __ATOMIC_RELAXED);
    if (number < aim->at || number - aim->at >= aim->many)
        return 0;
    if (__atomic_add_fetch(&aim->failed, 1, __ATOMIC_RELAXED) == 1)
        note_stack();
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    find_next();
    if (!next_free)
        return take_early(size);
    return fails(__builtin_return_address(0)) ? NULL : next_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    find_next();
    if (!next_free)
        return take_early(count * size);
    return fails(__builtin_return_address(0)) ? NULL : next_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    find_next();
    if (is_early(memory)) {
        void *more = malloc(size);
        size_t most = (size_t)(early + sizeof early - (char *)memory);
        return more ? memcpy(more, memory, size < most ? size : most) : NULL;
    }
    return fails(__builtin_return_address(0)) ? NULL : next_realloc(memory, size);
}

int posix_memalign(void **memory_out, size_t alignment, size_t size)
{
    find_next();
    return fails(__builtin_return_address(0)) ? ENOMEM
                                              : next_posix_memalign(memory_out, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    find_next();
    return fails(__builtin_return_address(0)) ? NULL : next_aligned_alloc(alignment, size);
}

/* AddressSanitizer's own would not ask us. */
char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

void free(void *memory)
{
    if (memory && !is_early(memory) && next_free)
        next_free(memory);
}

static void before_fork(void)
{
    if (aim->pid < AIM_CHILD && aim->pid >= AIM_CHILD - FORKS_MAX)
        aim->pid++;
}

static void on_child(void)
{
    if (aim->pid == AIM_CHILD)
        aim->pid = (uint32_t)getpid();
}

__attribute__((constructor)) static void open_aim(void)
{
    const char *path = getenv("LOYAL_SHORT_MEMORY");
    char beside[4096];
    void *frames[2];
    if (!path)
        return;
    snprintf(beside, sizeof beside, "%s.stacks", path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *map = mmap(NULL, sizeof *aim, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    stacks = open(beside, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || map == MAP_FAILED || stacks < 0)
        abort();
    close(fd);
    backtrace(frames, 2); /* which loads what it needs */
    pthread_atfork(before_fork, NULL, on_child);
    aim = map;
    if (aim->pid == AIM_STARTER)
        aim->pid = (uint32_t)getpid();
}
