/* Refuses the Nth write below a folder, in whichever process of a family it happens, as a disk that fails does.
 *
 * To be preloaded. REFUSE_BELOW: the folder. REFUSE_AT: which call is refused, 1 is the first and 0 none.
 * REFUSE_WITH: the error's number. REFUSE_ALL: also every later one, as a disk that stays full. REFUSE_ONLY: no call
 * counts but those that end so in words, as `fsync /index`. REFUSE_STATE: a file of 4096 zeros that the processes share:
 * how many calls there were, and the one that was refused, in words.
 * Counts what asks a disk for room or for a promise: opening to write, writing, syncing, cutting, naming. Linux only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct state {
    unsigned long calls;
    char refused[4000];
};

static struct state *state;
static const char *below, *only;
static unsigned long at;
static int with, all;

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("REFUSE_STATE");
    below = getenv("REFUSE_BELOW");
    if (!file || !below) return;
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int fd = real_open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    at = strtoul(getenv("REFUSE_AT") ? getenv("REFUSE_AT") : "0", NULL, 10);
    with = atoi(getenv("REFUSE_WITH") ? getenv("REFUSE_WITH") : "5");
    all = getenv("REFUSE_ALL") != NULL;
    only = getenv("REFUSE_ONLY");
    void *found = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (found != MAP_FAILED) state = found;
}

/* A full disk has room for what is there already: opening it, and making it shorter or sparse. */
static int needs_no_room(const char *call, const char *path) {
    if (!strncmp(call, "ftruncate", 9)) return 1;
    return (strstr(call, "open") || !strcmp(call, "mkdir")) && !access(path, F_OK);
}

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && !strcmp(text + length - wanted, end);
}

static int is_refused(const char *call, const char *path) {
    if (!state || strncmp(path, below, strlen(below))) return 0;
    char words[sizeof state->refused];
    snprintf(words, sizeof words, "%s %s", call, path + strlen(below));
    if (only && !ends_with(words, only)) return 0;
    unsigned long number = __sync_add_and_fetch(&state->calls, 1);
    if (!at || (number != at && !(all && number > at))) return 0;
    if (with == ENOSPC && needs_no_room(call, path)) return 0;
    if (!state->refused[0]) memcpy(state->refused, words, sizeof words);
    errno = with;
    return 1;
}

static int is_refused_at(const char *call, int folder, const char *path) {
    char whole[PATH_MAX * 2], link[64];
    if (!state) return 0;
    if (path && path[0] == '/') return is_refused(call, path);
    if (folder == AT_FDCWD) {
        if (!getcwd(whole, PATH_MAX)) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, whole, PATH_MAX - 1);
        if (length < 0) return 0;
        whole[length] = 0;
    }
    if (path) {
        size_t length = strlen(whole);
        snprintf(whole + length, sizeof whole - length, "/%s", path);
    }
    return is_refused(call, whole);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define ON_DESCRIPTOR(type, name, declared, passed)                                                                  \
    type name declared {                                                                                             \
        REAL(name);                                                                                                  \
        return is_refused_at(#name, fd, NULL) ? -1 : real passed;                                                     \
    }

ON_DESCRIPTOR(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
ON_DESCRIPTOR(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t to), (fd, data, size, to))
ON_DESCRIPTOR(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t to), (fd, data, size, to))
ON_DESCRIPTOR(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
ON_DESCRIPTOR(int, fsync, (int fd), (fd))
ON_DESCRIPTOR(int, fdatasync, (int fd), (fd))
ON_DESCRIPTOR(int, ftruncate, (int fd, off_t size), (fd, size))
ON_DESCRIPTOR(int, ftruncate64, (int fd, off64_t size), (fd, size))
ON_DESCRIPTOR(int, fallocate, (int fd, int mode, off_t from, off_t size), (fd, mode, from, size))

ssize_t copy_file_range(int from, off64_t *start, int fd, off64_t *to, size_t size, unsigned flags) {
    REAL(copy_file_range);
    return is_refused_at("copy_file_range", fd, NULL) ? -1 : real(from, start, fd, to, size, flags);
}

int rename(const char *old, const char *new) {
    REAL(rename);
    return is_refused_at("rename", AT_FDCWD, new) ? -1 : real(old, new);
}

int renameat(int old_folder, const char *old, int folder, const char *new) {
    REAL(renameat);
    return is_refused_at("renameat", folder, new) ? -1 : real(old_folder, old, folder, new);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return is_refused_at("mkdir", AT_FDCWD, path) ? -1 : real(path, mode);
}

static mode_t mode_of(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; }

#define TO_WRITE(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC))
#define OPENING(name)                                                                                                \
    int name(const char *path, int flags, ...) {                                                                     \
        REAL(name);                                                                                                  \
        va_list rest;                                                                                                \
        va_start(rest, flags);                                                                                       \
        mode_t mode = mode_of(flags, rest);                                                                          \
        va_end(rest);                                                                                                \
        return TO_WRITE(flags) && is_refused_at(#name, AT_FDCWD, path) ? -1 : real(path, flags, mode);                \
    }
#define OPENING_AT(name)                                                                                             \
    int name(int folder, const char *path, int flags, ...) {                                                         \
        REAL(name);                                                                                                  \
        va_list rest;                                                                                                \
        va_start(rest, flags);                                                                                       \
        mode_t mode = mode_of(flags, rest);                                                                          \
        va_end(rest);                                                                                                \
        return TO_WRITE(flags) && is_refused_at(#name, folder, path) ? -1 : real(folder, path, flags, mode);          \
    }

OPENING(open)
OPENING(open64)
OPENING_AT(openat)
OPENING_AT(openat64)

FILE *fopen64(const char *path, const char *mode) {
    REAL(fopen64);
    return strpbrk(mode, "wa+") && is_refused_at("fopen64", AT_FDCWD, path) ? NULL : real(path, mode);
}
