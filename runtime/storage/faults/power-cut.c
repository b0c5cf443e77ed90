/*
 * A disk that forgets: an LD_PRELOAD library that keeps, in the folder POWER_CUT_DISK, what the disk is certain to have of
 * the tree POWER_CUT_ROOT. A file is there as it was at its last fsync or fdatasync (`f<inode>`), a folder with the names
 * that it had at its own last fsync (`d<inode>`: `f<inode> name/` or `d<inode> name/` for each); nothing else ever is.
 * What is unlinked or replaced stays as `k<inode>` (a folder: open), so that its inode number is not given to another file
 * while a name that was not synced away still leads to it. `power-cut.ts` makes a tree of it again.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const char *root, *disk;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER; /* or an older copy could replace a newer one */

__attribute__((constructor)) static void begin(void) {
  root = getenv("POWER_CUT_ROOT");
  disk = getenv("POWER_CUT_DISK");
  if (!root || !disk) abort();
}

static int inside(int fd, char *link) {
  char path[4096];
  snprintf(link, 64, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path);
  return length >= (ssize_t)strlen(root) && strncmp(path, root, strlen(root)) == 0;
}

static int sync_to_disk(int fd) {
  char link[64], fresh[4096], name[4096];
  struct stat is;
  if (fstat(fd, &is) != 0) return -1;
  if (!inside(fd, link)) return 0;
  pthread_mutex_lock(&one_at_a_time);
  snprintf(fresh, sizeof fresh, "%s/fresh", disk);
  snprintf(name, sizeof name, "%s/%c%lu", disk, S_ISDIR(is.st_mode) ? 'd' : 'f', is.st_ino);
  int from = open(link, O_RDONLY), to = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (from < 0 || to < 0) abort();
  if (S_ISDIR(is.st_mode)) {
    DIR *folder = fdopendir(from);
    for (struct dirent *entry; (entry = readdir(folder));)
      dprintf(to, "%c%lu %s/", entry->d_type == DT_DIR ? 'd' : 'f', entry->d_ino, entry->d_name);
    closedir(folder);
  } else {
    while (sendfile(to, from, NULL, 1 << 30) > 0) continue;
    close(from);
  }
  close(to);
  if (NEXT(rename)(fresh, name) != 0) abort();
  pthread_mutex_unlock(&one_at_a_time);
  return 0;
}

static void keep(int folder, const char *path) {
  char link[64], name[4096];
  struct stat is;
  int fd = openat(folder, path, O_PATH | O_NOFOLLOW);
  if (fd < 0) return;
  if (inside(fd, link) && fstat(fd, &is) == 0) {
    if (S_ISDIR(is.st_mode)) return; /* stays open on purpose */
    snprintf(name, sizeof name, "%s/k%lu", disk, is.st_ino);
    linkat(AT_FDCWD, link, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
  }
  close(fd);
}

int fsync(int fd) { return sync_to_disk(fd); }
int fdatasync(int fd) { return sync_to_disk(fd); }
int unlink(const char *path) { return keep(AT_FDCWD, path), NEXT(unlink)(path); }
int rmdir(const char *path) { return keep(AT_FDCWD, path), NEXT(rmdir)(path); }
int unlinkat(int folder, const char *path, int flags) {
  return keep(folder, path), NEXT(unlinkat)(folder, path, flags);
}
int rename(const char *from, const char *to) { return keep(AT_FDCWD, to), NEXT(rename)(from, to); }
