/* A disk that fails: loaded into the service (LD_PRELOAD), it lets system calls end with EIO.
   The file named in DISK_ERROR says which: "fsync /vault/" is fsync of everything whose path holds "/vault/".
   Without that file nothing fails. The processes that read media have an empty environment, and are not concerned. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(const char *call, const char *path) {
    const char *control = getenv("DISK_ERROR");
    char said[512];
    if (!control || !path) return 0;
    int saved = errno;
    int fd = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
    if (fd < 0) { errno = saved; return 0; }
    long length = syscall(SYS_read, fd, said, sizeof said - 1);
    syscall(SYS_close, fd);
    errno = saved;
    if (length <= 0) return 0;
    said[length] = 0;
    said[strcspn(said, "\n")] = 0;
    char *place = strchr(said, ' ');
    if (!place) return 0;
    *place++ = 0;
    return strcmp(said, call) == 0 && strstr(path, place) != NULL;
}

static int fails_at(const char *call, int fd) {
    char link[64], path[4096];
    if (!getenv("DISK_ERROR")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

static int fails_in(const char *call, int at, const char *name) {
    char link[64], path[8192];
    if (!getenv("DISK_ERROR") || !name) return 0;
    if (name[0] == '/' || at == AT_FDCWD) return fails(call, name);
    snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, 4096);
    if (length <= 0) return 0;
    snprintf(path + length, sizeof path - length, "/%s", name);
    return fails(call, path);
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name)) dlsym(RTLD_NEXT, #name)
#define BROKEN(condition) if (condition) { errno = EIO; return -1; }

ssize_t read(int fd, void *to, size_t n) { REAL(read); BROKEN(fails_at("read", fd)) return real(fd, to, n); }
ssize_t write(int fd, const void *from, size_t n) { REAL(write); BROKEN(fails_at("write", fd)) return real(fd, from, n); }
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) {
    REAL(pwrite64); BROKEN(fails_at("write", fd)) return real(fd, from, n, at);
}
int fsync(int fd) { REAL(fsync); BROKEN(fails_at("fsync", fd)) return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); BROKEN(fails_at("fsync", fd)) return real(fd); }
int rename(const char *from, const char *to) { REAL(rename); BROKEN(fails("rename", to)) return real(from, to); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    REAL(renameat2); BROKEN(fails_in("rename", b, to)) return real(a, from, b, to, flags);
}
int renameat(int a, const char *from, int b, const char *to) {
    REAL(renameat); BROKEN(fails_in("rename", b, to)) return real(a, from, b, to);
}
int unlink(const char *path) { REAL(unlink); BROKEN(fails("unlink", path)) return real(path); }
int unlinkat(int at, const char *path, int flags) { REAL(unlinkat); BROKEN(fails_in("unlink", at, path)) return real(at, path, flags); }
