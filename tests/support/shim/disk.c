/* A disk that fails on purpose, for tests: put before libc with LD_PRELOAD, it stands between one process and the files
 * of one folder. It counts what the process writes, truncates, makes, removes and flushes there, and lets the N-th of
 * these operations go wrong; or it cuts the power at it: then every file goes back to what was flushed, and the process
 * is gone.
 *
 * In C because a function of libc can be replaced from C only, and the workspace has no unsafe Rust. It sees the real
 * program with the real SQLite in it: no file system of its own inside the program under test.
 *
 *   DISK_FOLDER  the folder, without a slash at its end
 *   DISK_AT      N, from 1; 0 counts only
 *   DISK_KIND    eio     the operation fails once. A failed flush flushes nothing later either: what it should have
 *                        flushed counts as clean from now on, as with the page cache of Linux
 *                full    from N on nothing is written any more: ENOSPC, until a file named ballast is removed
 *                short   the N-th write writes a part and says so
 *                torn    the N-th write writes a part, and the process is killed
 *                lost    the power is cut before the N-th operation: nothing survives that was not flushed
 *                part    the same after it, but some sectors, sizes and names survive
 *                lie     from N on every flush says yes and does nothing
 *   DISK_CUT     after so many further operations, or when the process ends before, the power is cut as with `lost`;
 *                none when it is absent
 *   DISK_SEED    for whatever is left to chance
 *   DISK_REPORT  a file that is told the number of operations, whether the N-th was met, and what it was
 *
 * What is flushed: contents and size by fsync and fdatasync of the file; its name, its removal and its renaming by an
 * fsync of the folder. No flush reaches the real disk: whoever runs this loses no real power. Nothing is modelled of
 * mkdir and mmap: SQLite's -shm file means nothing after a start. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BLOCK = 4096, SECTOR = 512, FILES = 64, BUCKETS = 1024, PATH = 1024 };
enum kind { COUNT, EIO_ONCE, FULL, SHORT, TORN, LOST, PART, LIE };

/* A block that is not on the disk as it is in the file, and what is there. */
struct block {
    off_t at;
    int dirty; /* a flush will write it; not so after a flush that failed */
    unsigned char disk[BLOCK];
    struct block *next;
};

struct file {
    int used;
    dev_t dev;
    ino_t ino;
    char path[PATH];  /* its name now */
    char named[PATH]; /* its name on the disk, "" for none */
    char kept[PATH + 64]; /* a link to a file that was removed, until the removal is flushed; else "" */
    int fd;           /* never closed: that would drop SQLite's locks */
    off_t size;       /* on the disk */
    struct block *blocks[BUCKETS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH], report[PATH];
static size_t folder_len;
static enum kind kind;
static long at, cut_after = -1, operations;
static int met, lying, full, over;
static char what[256] = "-";
static uint64_t dice;
static struct file files[FILES];

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static int (*real_ftruncate)(int, off_t);
static int (*real_fallocate)(int, int, off_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);

static uint64_t roll(void) {
    uint64_t z = dice += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void tell(void) {
    char text[2 * PATH];
    int fd;
    if (!report[0])
        return;
    fd = real_open(report, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    int len = snprintf(text, sizeof text, "%ld %d %s\n", operations, met, what);
    if (real_write(fd, text, len) != len)
        fprintf(stderr, "disk: the report cannot be written\n");
    close(fd);
}

static void die(void) {
    tell();
    over = 1;
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* -- the power cut -- */

static void put_back(struct file *file, int some) {
    struct stat now;
    off_t size = file->size;
    if (fstat(file->fd, &now) != 0)
        return;
    if (some && roll() % 2)
        size = now.st_size;
    for (int bucket = 0; bucket < BUCKETS; bucket++)
        for (struct block *block = file->blocks[bucket]; block; block = block->next) {
            /* All of it, nothing of it, or some of its sectors; without `some` always nothing. */
            uint64_t fate = some ? roll() % 3 : 1;
            for (int sector = 0; sector < BLOCK; sector += SECTOR)
                if (fate == 1 || (fate == 2 && roll() % 2))
                    real_pwrite(file->fd, block->disk + sector, SECTOR, block->at + sector);
        }
    real_ftruncate(file->fd, size);
}

static void cut(int some) {
    struct stat found;
    for (int n = 0; n < FILES; n++) {
        struct file *file = &files[n];
        if (!file->used)
            continue;
        put_back(file, some);
        if (file->kept[0] || (some && roll() % 2)) /* or what was done to its name survives */
            continue;
        if (!file->named[0])
            real_unlink(file->path);
        else if (strcmp(file->named, file->path) != 0)
            real_rename(file->path, file->named);
    }
    for (int n = 0; n < FILES; n++) {
        struct file *file = &files[n];
        if (!file->used || !file->kept[0])
            continue;
        /* A new file of its name that survived proves that the removal did. */
        if (stat(file->named, &found) == 0 || (some && roll() % 2))
            real_unlink(file->kept);
        else
            real_rename(file->kept, file->named);
    }
    die();
}

/* -- what is known of the files -- */

static int inside(const char *path) {
    size_t len = strlen(path);
    return folder_len && strncmp(path, folder, folder_len) == 0 && path[folder_len] == '/' && len < PATH &&
           !(len > 4 && strcmp(path + len - 4, "-shm") == 0) && strncmp(path + folder_len, "/.disk-", 7) != 0;
}

static struct file *of_stat(const struct stat *stat) {
    for (int n = 0; n < FILES; n++)
        if (files[n].used && files[n].dev == stat->st_dev && files[n].ino == stat->st_ino)
            return &files[n];
    return NULL;
}

static struct file *of_fd(int fd) {
    struct stat stat;
    if (over || !folder_len || fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode))
        return NULL;
    return of_stat(&stat);
}

static struct file *of_path(const char *path) {
    for (int n = 0; n < FILES; n++)
        if (files[n].used && !files[n].kept[0] && strcmp(files[n].path, path) == 0)
            return &files[n];
    return NULL;
}

static int is_folder(int fd) {
    struct stat here, there;
    return folder_len && fstat(fd, &here) == 0 && S_ISDIR(here.st_mode) && stat(folder, &there) == 0 &&
           here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static void know(const char *path, int fresh) {
    struct stat found;
    if (stat(path, &found) != 0 || !S_ISREG(found.st_mode) || of_stat(&found))
        return;
    for (int n = 0; n < FILES; n++) {
        struct file *file = &files[n];
        if (file->used)
            continue;
        memset(file, 0, sizeof *file);
        file->fd = real_open(path, O_RDWR | O_CLOEXEC);
        if (file->fd < 0)
            return;
        file->used = 1;
        file->dev = found.st_dev;
        file->ino = found.st_ino;
        file->size = found.st_size;
        strcpy(file->path, path);
        strcpy(file->named, fresh ? "" : path);
        return;
    }
    fprintf(stderr, "disk: more than %d files\n", FILES);
    abort();
}

static struct block *block_of(struct file *file, off_t start) {
    struct block **head = &file->blocks[(start / BLOCK) % BUCKETS];
    for (struct block *block = *head; block; block = block->next)
        if (block->at == start)
            return block;
    struct block *block = calloc(1, sizeof *block);
    if (!block)
        abort();
    block->at = start;
    if (pread(file->fd, block->disk, BLOCK, start) < 0)
        abort();
    block->next = *head;
    return *head = block;
}

/* Before the bytes change. */
static void changing(struct file *file, off_t from, off_t to) {
    for (off_t start = from / BLOCK * BLOCK; start < to; start += BLOCK)
        block_of(file, start)->dirty = 1;
}

static void flushed(struct file *file, int failed) {
    struct stat now;
    for (int bucket = 0; bucket < BUCKETS; bucket++)
        for (struct block **link = &file->blocks[bucket]; *link;) {
            struct block *block = *link;
            if (failed) {
                block->dirty = 0;
                link = &block->next;
            } else if (block->dirty) {
                *link = block->next;
                free(block);
            } else {
                link = &block->next;
            }
        }
    if (!failed && fstat(file->fd, &now) == 0)
        file->size = now.st_size;
}

static void names_flushed(void) {
    for (int n = 0; n < FILES; n++) {
        struct file *file = &files[n];
        if (!file->used)
            continue;
        if (file->kept[0]) {
            real_unlink(file->kept);
            file->used = 0; /* its descriptor stays open */
        } else {
            strcpy(file->named, file->path);
        }
    }
}

static off_t place(int fd) {
    struct stat stat;
    if ((fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &stat) == 0)
        return stat.st_size;
    return lseek(fd, 0, SEEK_CUR);
}

/* -- one operation -- */

/* Counts it; whether it is the one. */
static int turn(const char *name, const char *path, off_t from, size_t len) {
    operations++;
    if (met && cut_after >= 0 && operations > at + cut_after)
        cut(0);
    if (!at || operations != at)
        return 0;
    met = 1;
    snprintf(what, sizeof what, "%s %s %lld %zu", name, path + (inside(path) ? folder_len + 1 : 0), (long long)from,
             len);
    if (kind == LOST)
        cut(0);
    lying |= kind == LIE;
    full |= kind == FULL;
    return 1;
}

static int refused(int number) {
    pthread_mutex_unlock(&lock);
    errno = number;
    return -1;
}

static ssize_t writing(struct file *file, int fd, const void *bytes, size_t len, off_t from, int moves) {
    int now = turn("write", file->path, from, len);
    size_t part = len;
    if (full)
        return refused(ENOSPC);
    if (now && kind == EIO_ONCE)
        return refused(EIO);
    if (now && (kind == SHORT || kind == TORN) && len > 1)
        part = 1 + roll() % (len - 1);
    changing(file, from, from + part);
    ssize_t written = moves ? real_write(fd, bytes, part) : real_pwrite(fd, bytes, part, from);
    int failed = errno;
    if (now && kind == TORN)
        die();
    if (now && kind == PART)
        cut(1);
    pthread_mutex_unlock(&lock);
    errno = failed;
    return written;
}

static int sizing(struct file *file, int fd, off_t size) {
    struct stat stat;
    int now = turn("truncate", file->path, size, 0);
    if (now && kind == EIO_ONCE)
        return refused(EIO);
    if (now && kind == TORN)
        die();
    if (fstat(fd, &stat) == 0 && stat.st_size > size)
        changing(file, size, stat.st_size);
    int done = real_ftruncate(fd, size);
    if (now && kind == PART)
        cut(1);
    pthread_mutex_unlock(&lock);
    return done;
}

static int flushing(int fd) {
    struct file *file = of_fd(fd);
    int names = !file && is_folder(fd);
    int now = turn("flush", file ? file->path : folder, 0, 0);
    if (now && kind == TORN)
        die();
    if (now && kind == PART)
        cut(1);
    if (now && (kind == EIO_ONCE || kind == FULL)) {
        if (file)
            flushed(file, 1);
        return refused(kind == FULL ? ENOSPC : EIO);
    }
    if (!lying && file)
        flushed(file, 0);
    if (!lying && names)
        names_flushed();
    pthread_mutex_unlock(&lock);
    return 0;
}

/* -- libc's names -- */

#define REAL(name, symbol) *(void **)&real_##name = dlsym(RTLD_NEXT, symbol)

__attribute__((constructor)) static void begin(void) {
    static const char *const KINDS[] = {"count", "eio", "full", "short", "torn", "lost", "part", "lie"};
    const char *value = getenv("DISK_KIND");
    REAL(open, "open");
    REAL(openat, "openat");
    REAL(write, "write");
    REAL(pwrite, "pwrite64");
    REAL(writev, "writev");
    REAL(ftruncate, "ftruncate64");
    REAL(fallocate, "fallocate64");
    REAL(fsync, "fsync");
    REAL(fdatasync, "fdatasync");
    REAL(unlink, "unlink");
    REAL(rename, "rename");
    for (int n = 0; value && n < 8; n++)
        if (strcmp(value, KINDS[n]) == 0)
            kind = n;
    at = (value = getenv("DISK_AT")) ? atol(value) : 0;
    cut_after = (value = getenv("DISK_CUT")) ? atol(value) : -1;
    dice = (value = getenv("DISK_SEED")) ? strtoull(value, NULL, 10) : 1;
    if ((value = getenv("DISK_REPORT")) && strlen(value) < PATH)
        strcpy(report, value);
    /* Last: from here on the folder is watched. */
    if ((value = getenv("DISK_FOLDER")) && strlen(value) < PATH - 64) {
        strcpy(folder, value);
        folder_len = strlen(folder);
    }
}

__attribute__((destructor)) static void end(void) {
    if (!folder_len || over)
        return;
    pthread_mutex_lock(&lock);
    if (met && cut_after >= 0)
        cut(0);
    over = 1;
    tell();
    pthread_mutex_unlock(&lock);
}

static int opening(int dir, const char *path, int flags, mode_t mode) {
    struct stat found;
    int watched = folder_len && !over && (dir == AT_FDCWD || path[0] == '/') && inside(path);
    if (!watched)
        return real_openat(dir, path, flags, mode);
    pthread_mutex_lock(&lock);
    int fresh = (flags & O_CREAT) && stat(path, &found) != 0;
    if (fresh) {
        int now = turn("create", path, 0, 0);
        if (full)
            return refused(ENOSPC);
        if (now && kind == EIO_ONCE)
            return refused(EIO);
        if (now && kind == TORN)
            die();
    }
    int shrinks = flags & O_TRUNC;
    if (shrinks && !fresh) {
        know(path, 0);
        struct file *file = of_path(path);
        if (file && stat(path, &found) == 0)
            changing(file, 0, found.st_size);
    }
    int fd = real_openat(dir, path, flags | O_CLOEXEC, mode);
    if (fd >= 0)
        know(path, fresh);
    if (fresh && met && operations == at && kind == PART)
        cut(1);
    pthread_mutex_unlock(&lock);
    return fd;
}

static int has_mode(int flags) {
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

#define MODE_OF(flags, mode)                                                                                           \
    mode_t mode = 0;                                                                                                   \
    if (has_mode(flags)) {                                                                                             \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return opening(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return opening(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return opening(dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return opening(dir, path, flags, mode);
}

/* The file behind a descriptor, and the lock; without a file no lock. */
static struct file *watched(int fd) {
    if (!folder_len || over)
        return NULL;
    pthread_mutex_lock(&lock);
    struct file *file = of_fd(fd);
    if (!file)
        pthread_mutex_unlock(&lock);
    return file;
}

ssize_t write(int fd, const void *bytes, size_t len) {
    struct file *file = watched(fd);
    return file ? writing(file, fd, bytes, len, place(fd), 1) : real_write(fd, bytes, len);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct file *file = watched(fd);
    if (!file || count == 0) {
        if (file)
            pthread_mutex_unlock(&lock);
        return real_writev(fd, parts, count);
    }
    return writing(file, fd, parts[0].iov_base, parts[0].iov_len, place(fd), 1); /* a part, which is allowed */
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t from) {
    struct file *file = watched(fd);
    return file ? writing(file, fd, bytes, len, from, 0) : real_pwrite(fd, bytes, len, from);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t from) {
    return pwrite64(fd, bytes, len, from);
}

int ftruncate64(int fd, off_t size) {
    struct file *file = watched(fd);
    return file ? sizing(file, fd, size) : real_ftruncate(fd, size);
}

int ftruncate(int fd, off_t size) {
    return ftruncate64(fd, size);
}

int fallocate64(int fd, int mode, off_t from, off_t len) {
    struct file *file = watched(fd);
    if (!file)
        return real_fallocate(fd, mode, from, len);
    int now = turn("allocate", file->path, from, len);
    if (full)
        return refused(ENOSPC);
    if (now && kind == EIO_ONCE)
        return refused(EIO);
    if (now && kind == TORN)
        die();
    int done = real_fallocate(fd, mode, from, len);
    if (now && kind == PART)
        cut(1);
    pthread_mutex_unlock(&lock);
    return done;
}

int fallocate(int fd, int mode, off_t from, off_t len) {
    return fallocate64(fd, mode, from, len);
}

int fsync(int fd) {
    if (!folder_len || over)
        return real_fsync(fd);
    pthread_mutex_lock(&lock);
    if (of_fd(fd) || is_folder(fd))
        return flushing(fd);
    pthread_mutex_unlock(&lock);
    return real_fsync(fd);
}

int fdatasync(int fd) {
    if (!folder_len || over)
        return real_fdatasync(fd);
    pthread_mutex_lock(&lock);
    if (of_fd(fd) || is_folder(fd))
        return flushing(fd);
    pthread_mutex_unlock(&lock);
    return real_fdatasync(fd);
}

int unlink(const char *path) {
    static int count;
    if (!folder_len || over || !inside(path))
        return real_unlink(path);
    pthread_mutex_lock(&lock);
    know(path, 0);
    struct file *file = of_path(path);
    if (!file) {
        pthread_mutex_unlock(&lock);
        return real_unlink(path);
    }
    int now = turn("remove", path, 0, 0);
    if (now && kind == EIO_ONCE)
        return refused(EIO);
    if (now && kind == TORN)
        die();
    if (file->named[0]) {
        snprintf(file->kept, sizeof file->kept, "%s/.disk-%d-%d", folder, (int)getpid(), count++);
        if (link(path, file->kept) != 0)
            abort();
    } else {
        file->used = 0; /* never was on the disk, never will be */
    }
    int done = real_unlink(path);
    if (done == 0 && strcmp(path + folder_len, "/ballast") == 0)
        full = 0;
    if (now && kind == PART)
        cut(1);
    pthread_mutex_unlock(&lock);
    return done;
}

int rename(const char *from, const char *to) {
    if (!folder_len || over || !inside(from) || !inside(to))
        return real_rename(from, to);
    pthread_mutex_lock(&lock);
    know(from, 0);
    struct file *file = of_path(from), *below = of_path(to);
    int now = turn("rename", from, 0, 0);
    if (now && kind == EIO_ONCE)
        return refused(EIO);
    if (now && kind == TORN)
        die();
    int done = real_rename(from, to);
    if (done == 0 && below)
        below->used = 0; /* what it was is not brought back: nothing under test renames over a file */
    if (done == 0 && file)
        strcpy(file->path, to);
    if (now && kind == PART)
        cut(1);
    pthread_mutex_unlock(&lock);
    return done;
}
