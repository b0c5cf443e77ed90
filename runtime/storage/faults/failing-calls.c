/*
 * Makes the k-th call that concerns a tree of files fail: an LD_PRELOAD library. It counts every open, write, truncation,
 * sync, rename, unlink and mkdir below FAILING_CALLS_ROOT, over all threads, and fails the one whose number is written in
 * the file FAILING_CALLS_CONTROL (or all from that on, when `sticky` is set). `failing-calls.ts` writes and reads that file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static struct {
  long number, error, sticky; /* number 0: none fails */
  long count, failed;         /* calls so far, and how many of them were made to fail */
  char what[4056];            /* the first that was */
} *control;
static const char *root;

__attribute__((constructor)) static void begin(void) {
  root = getenv("FAILING_CALLS_ROOT");
  int fd = NEXT(open)(getenv("FAILING_CALLS_CONTROL"), O_RDWR);
  control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (!root || control == MAP_FAILED) abort();
  close(fd);
}

static int fails(const char *call, const char *path) {
  if (!control || strncmp(path, root, strlen(root)) != 0) return 0;
  long number = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST), chosen = control->number;
  if (chosen == 0 || (control->sticky ? number < chosen : number != chosen)) return 0;
  if (__atomic_fetch_add(&control->failed, 1, __ATOMIC_SEQ_CST) == 0)
    snprintf(control->what, sizeof control->what, "%s %s", call, path);
  errno = control->error;
  return 1;
}

static int fails_on(const char *call, int fd) {
  char link[64], path[4096] = "";
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (readlink(link, path, sizeof path - 1) < 0) return 0;
  return fails(call, path);
}

#define OPEN(name)                                                     \
  int name(const char *path, int flags, ...) {                         \
    va_list rest;                                                      \
    va_start(rest, flags);                                             \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                      \
    return fails("open", path) ? -1 : NEXT(name)(path, flags, mode);   \
  }
#define ON_FILE(kind, name, type, parameters, ...) \
  type name parameters { return fails_on(kind, fd) ? -1 : NEXT(name)(__VA_ARGS__); }
#define ON_PATH(kind, name, parameters, ...) \
  int name parameters { return fails(kind, path) ? -1 : NEXT(name)(__VA_ARGS__); }

OPEN(open)
OPEN(open64)
ON_FILE("write", write, ssize_t, (int fd, const void *bytes, size_t length), fd, bytes, length)
ON_FILE("write", writev, ssize_t, (int fd, const struct iovec *parts, int count), fd, parts, count)
ON_FILE("write", pwrite64, ssize_t, (int fd, const void *bytes, size_t length, off64_t at), fd, bytes, length, at)
ON_FILE("write", pwritev, ssize_t, (int fd, const struct iovec *parts, int count, off_t at), fd, parts, count, at)
ON_FILE("write", pwritev64, ssize_t, (int fd, const struct iovec *parts, int count, off64_t at), fd, parts, count, at)
ON_FILE("truncate", ftruncate64, int, (int fd, off64_t length), fd, length)
ON_FILE("sync", fsync, int, (int fd), fd)
ON_FILE("sync", fdatasync, int, (int fd), fd)
ON_PATH("rename", rename, (const char *path, const char *to), path, to)
ON_PATH("unlink", unlink, (const char *path), path)
ON_PATH("mkdir", mkdir, (const char *path, mode_t mode), path, mode)
