/* The fast clock and the calls, for the tests of repeatable worlds; the argument says what. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ESCAPED(what) do { printf("ESCAPED: %s (%s)\n", what, strerror(errno)); exit(1); } while (0)
static int64_t now_ns(clockid_t clock) { struct timespec t; clock_gettime(clock, &t); return t.tv_sec * 1000000000LL + t.tv_nsec; }
static sem_t semaphore;
static int word;
static void *sleeper(void *unused) { sleep(100000); return unused; }
static int64_t asked_ns(clockid_t clock) {
    struct timespec t;
    if (syscall(SYS_clock_gettime, clock, &t) != 0) ESCAPED("clock_gettime");
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}
#ifndef STATIC
/* The fast clock is found as any program finds it, by name and version; it and the kernel's calls show one clock. */
typedef int (*gettime_t)(clockid_t, struct timespec *);
static gettime_t fast_gettime;
static int64_t fast_ns(clockid_t clock) {
    struct timespec t;
    if (fast_gettime(clock, &t) != 0) ESCAPED("the fast clock");
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static void *find(const char *name) {
    void *object = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
    void *function = object ? dlvsym(object, name, "LINUX_2.6") : 0;
    if (!function) ESCAPED(name);
    return function;
}
static void *read_often(void *unused) {
    for (int i = 0; i < 1000; i++) { fast_ns(CLOCK_MONOTONIC); asked_ns(CLOCK_MONOTONIC); }
    return unused;
}
static void both_ways(void) {
    struct timespec spec; struct timeval val; time_t seconds;
    fast_gettime = find("__vdso_clock_gettime");
    gettime_t fast_getres = find("__vdso_clock_getres");
    int (*fast_day)(struct timeval *, void *) = find("__vdso_gettimeofday");
    time_t (*fast_time)(time_t *) = find("__vdso_time");
    for (int clock = -3; clock < 14; clock++) {
        int failed = syscall(SYS_clock_gettime, clock, &spec) < 0;
        if (failed) { if (fast_gettime(clock, &spec) != -EINVAL || fast_getres(clock, &spec) != -EINVAL) ESCAPED("no valid clock"); continue; }
        int64_t first = spec.tv_sec * 1000000000LL + spec.tv_nsec;
        if (fast_ns(clock) != first + 1000 || asked_ns(clock) != first + 2000 || now_ns(clock) != first + 3000) ESCAPED("two clocks");
        if (fast_getres(clock, &spec) != 0 || spec.tv_sec != 0 || spec.tv_nsec != 1000 || fast_getres(clock, 0) != 0) ESCAPED("getres");
    }
    int64_t start = asked_ns(CLOCK_REALTIME);
    char zone[8] = "xxxxxxx";
    if (fast_day(&val, zone) != 0 || val.tv_sec * 1000000LL + val.tv_usec != start / 1000 + 1 || *(int64_t *)zone != 0) ESCAPED("gettimeofday");
    if (fast_day(0, 0) != 0 || fast_time(&seconds) != seconds || seconds != start / 1000000000 || fast_time(0) != seconds) ESCAPED("time");
    if (asked_ns(CLOCK_REALTIME) != start + 5000) ESCAPED("a read too many");
    /* A wait that the kernel had is counted before anybody reads. */
    start = fast_ns(CLOCK_MONOTONIC);
    int ends[2]; struct timespec limit = {0, 20000000};
    if (pipe(ends) != 0) ESCAPED("pipe");
    struct pollfd none = {.fd = ends[0], .events = POLLIN};
    if (ppoll(&none, 1, &limit, 0) != 0 || fast_ns(CLOCK_MONOTONIC) != start + 20001000) ESCAPED("a wait that does not count");
    /* Threads and processes share it, and no read is lost. */
    start = fast_ns(CLOCK_MONOTONIC);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], 0, read_often, 0);
    int child = fork(), status;
    if (child == 0) { read_often(0); _exit(0); }
    for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
    waitpid(child, &status, 0);
    if (fast_ns(CLOCK_MONOTONIC) != start + 8001000) ESCAPED("a read was lost");
}
#endif
/* The kernel's own fast clock is nowhere: neither its code nor its time. */
static void kernels_time(void) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps)) if (strstr(line, "[vvar")) ESCAPED(line);
    fclose(maps);
    if (getauxval(AT_SYSINFO_EHDR) && memmem((void *)getauxval(AT_SYSINFO_EHDR), 4096, "__vdso_getcpu", 13)) ESCAPED("the kernel's code");
}
#ifdef TAKEN
/* Linked to where the page of the clock would be. */
__attribute__((used, section(".taken"))) static char taken[4096] = "taken";
#endif
static void day(void) {
    printf("%s on day %ld\n", getauxval(AT_SYSINFO_EHDR) ? "fast clock" : "no fast clock", time(0) / 86400);
}
/* The page of the clock, spoilt: another time for the process that did that, and nothing else. */
static void spoilt_clock(void) {
    volatile uint64_t *page = (void *)0x7ffffc000000;
    static const uint64_t values[] = {0, 1, UINT64_MAX, UINT64_MAX - 500, 1ULL << 63, 999999999};
    struct timespec soon = {0, 1000}, never = {INT64_MAX, 999999999}, spec;
    pthread_t thread;
    for (int i = 0; i < 6 * 6 * 6; i++) {
        page[0] = values[i % 6]; page[1] = values[i / 6 % 6]; page[2] = values[i / 36];
        now_ns(CLOCK_REALTIME); asked_ns(CLOCK_REALTIME); time(0); nanosleep(&soon, 0);
        clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &soon, 0); clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &soon, 0);
        sem_init(&semaphore, 0, 0); sem_timedwait(&semaphore, &soon);
    }
    page[0] = 0;
    pthread_create(&thread, 0, sleeper, 0);
    page[0] = UINT64_MAX;
    syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 1, &never, 0, -1);
    for (int i = 1; i < 512; i++) page[i] = UINT64_MAX;
    if (madvise((void *)page, 4096, MADV_REMOVE) == 0 && asked_ns(CLOCK_MONOTONIC) != 1000) ESCAPED("not the same page");
    if (mremap((void *)page, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED) ESCAPED("mremap");
    munmap((void *)page, 4096);
    int status, child = fork();
    if (child == 0) { clock_gettime(CLOCK_MONOTONIC, &spec); _exit(0); }
    waitpid(child, &status, 0);
    asked_ns(CLOCK_MONOTONIC);
    /* Attached once more, it is the same page, which no process can make larger or remove; and there is no other. */
    page = (void *)syscall(SYS_shmat, 0, 0, 0);
    if ((long)page == -1) ESCAPED("shmat");
    page[0] = 77000;
    if (asked_ns(CLOCK_MONOTONIC) != 78000 || page[0] != 78000) ESCAPED("another page");
    if (syscall(SYS_shmctl, 0, IPC_RMID, 0) == 0 || syscall(SYS_shmat, 1, 0, 0) != -1 || syscall(SYS_shmget, IPC_PRIVATE, 4096, 0600) >= 0) ESCAPED("segments");
    if (syscall(SYS_arch_prctl, 0x2003, 0x10000000) >= 0) ESCAPED("the kernel's fast clock once more");
}

int main(int count, char **arguments) {
    const struct { const char *name; void (*run)(void); } all[] = {
        {"day", day}, {"kernels_time", kernels_time}, {"spoilt_clock", spoilt_clock},
#ifndef STATIC
        {"both_ways", both_ways},
#endif
    };
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        if (count > 1 && strcmp(all[i].name, arguments[1]) == 0) {
            all[i].run();
            if (i > 0) puts("refused");
            fflush(stdout);
            _exit(0);
        }
    return 2;
}
