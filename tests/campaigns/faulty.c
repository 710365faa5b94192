/* A disk and a clock at fault, for a program that is started with this library preloaded.
 *
 * The file that FAULTY names says what goes wrong from now on: "ERRNO KINDS SECONDS PART". Calls on
 * paths that hold PART fail with ERRNO: those that write, where KINDS has a w, and those that open
 * and read, where it has an r. The clock is SECONDS ahead. No such file, no fault.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define REFUSED(kind, path) (refused(kind, path) && (errno = refused(kind, path)))

static int read_fault(char *kinds, long *ahead, char *part) {
    const char *file = getenv("FAULTY");
    if (!file) return 0;
    int descriptor = syscall(SYS_openat, AT_FDCWD, file, O_RDONLY);
    if (descriptor < 0) return 0;
    char text[512] = {0};
    int code = 0;
    if (syscall(SYS_read, descriptor, text, sizeof text - 1) > 0)
        sscanf(text, "%d %7s %ld %255s", &code, kinds, ahead, part);
    syscall(SYS_close, descriptor);
    return code;
}

static int refused(char kind, const char *path) {
    char kinds[8] = "", part[256] = "";
    long ahead = 0;
    int code = read_fault(kinds, &ahead, part);
    return code && strchr(kinds, kind) && path && strstr(path, part) ? code : 0;
}

static int refused_file(char kind, int descriptor) {
    char link[64], path[4096] = {0};
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    if (readlink(link, path, sizeof path - 1) < 0) return 0;
    return refused(kind, path);
}

static char kind_of(int flags) { return flags & (O_WRONLY | O_RDWR | O_CREAT) ? 'w' : 'r'; }

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); \
        mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        if (REFUSED(kind_of(flags), path)) return -1; \
        return REAL(name)(path, flags, mode); \
    }
#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); \
        mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        if (REFUSED(kind_of(flags), path)) return -1; \
        return REAL(name)(folder, path, flags, mode); \
    }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)

#define ON_FILE(type, kind, name, given, passed) \
    type name given { \
        int code = refused_file(kind, file); \
        if (code) { errno = code; return -1; } \
        return REAL(name) passed; \
    }
ON_FILE(ssize_t, 'w', write, (int file, const void *data, size_t size), (file, data, size))
ON_FILE(ssize_t, 'r', read, (int file, void *data, size_t size), (file, data, size))
ON_FILE(int, 'w', fsync, (int file), (file))
ON_FILE(int, 'w', ftruncate64, (int file, off64_t size), (file, size))

#define ON_PATH(name, given, passed) \
    int name given { \
        if (REFUSED('w', path)) return -1; \
        return REAL(name) passed; \
    }
ON_PATH(rename, (const char *path, const char *to), (path, to))
ON_PATH(link, (const char *path, const char *to), (path, to))
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(unlink, (const char *path), (path))
ON_PATH(rmdir, (const char *path), (path))
ON_PATH(chmod, (const char *path, mode_t mode), (path, mode))

int clock_gettime(clockid_t clock, struct timespec *now) {
    int code = syscall(SYS_clock_gettime, clock, now);
    char kinds[8] = "", part[256] = "";
    long ahead = 0;
    if (!code && clock == CLOCK_REALTIME) {
        read_fault(kinds, &ahead, part);
        now->tv_sec += ahead;
    }
    return code;
}
