/* What shows time and randomness, and what waits, for the tests of repeatable worlds; the argument says which. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void hex(const char *name, const void *bytes, int length) {
    printf("%s ", name);
    for (int i = 0; i < length; i++) printf("%02x", ((const unsigned char *)bytes)[i]);
    putchar('\n');
}
static int64_t now_ns(clockid_t clock) { struct timespec t; clock_gettime(clock, &t); return t.tv_sec * 1000000000LL + t.tv_nsec; }
static struct timespec in_ms(clockid_t clock, int ms) {
    int64_t at = now_ns(clock) + ms * 1000000LL;
    return (struct timespec){at / 1000000000, at % 1000000000};
}
static long since(int64_t start) { return (now_ns(CLOCK_MONOTONIC) - start + 500000) / 1000000; }

static void everything(void) {
    static const clockid_t clocks[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11};
    struct timespec spec; struct timeval val; struct tms ticks; struct rusage usage; struct sysinfo info;
    unsigned char bytes[64];
    for (unsigned i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        int failed = clock_gettime(clocks[i], &spec);
        printf("%s %ld.%09ld %d\n", i ? "clock" : "realtime", spec.tv_sec, spec.tv_nsec, failed);
    }
    printf("unknown clock %d\n", clock_gettime(77, &spec) < 0 && errno == EINVAL);
    clock_getres(CLOCK_MONOTONIC, &spec); printf("resolution %ld\n", spec.tv_nsec);
    gettimeofday(&val, 0); printf("day %ld.%06ld\n", val.tv_sec, val.tv_usec);
    printf("time %ld\n", time(0));
    printf("times %ld %ld\n", times(&ticks), ticks.tms_utime);
    getrusage(RUSAGE_SELF, &usage); printf("usage %ld.%06ld %ld\n", usage.ru_utime.tv_sec, usage.ru_utime.tv_usec, usage.ru_maxrss);
    sysinfo(&info); printf("up %ld of %lu in %u\n", info.uptime, info.totalram, info.mem_unit);
    if (getrandom(bytes, 33, 0) == 33) hex("getrandom", bytes, 33);
    if (getentropy(bytes, 16) == 0) hex("getentropy", bytes, 16);
    hex("at_random", (void *)getauxval(AT_RANDOM), 16);
    puts(getauxval(AT_SYSINFO_EHDR) ? "fast clock" : "no fast clock");
    for (int i = 0; i < 2; i++) {
        int file = open(i ? "/dev/random" : "/dev/urandom", O_RDONLY);
        if (read(file, bytes, 11) == 11) hex(i ? "random" : "urandom", bytes, 11);
        close(file);
    }
    static char much[10000];
    int file = open("/dev/urandom", O_RDONLY);
    for (int i = 0; i < 5; i++) printf("read %ld\n", (long)read(file, much, sizeof much));
    printf("pid %d\n", getpid());
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition;
static sem_t semaphore;
static int came;
static void *later(void *what) {
    usleep(20000);
    if (what) { sem_post(&semaphore); return 0; }
    pthread_mutex_lock(&mutex); came = 1; pthread_cond_signal(&condition); pthread_mutex_unlock(&mutex);
    return 0;
}
static void wait_for_condition(const char *name, clockid_t clock) {
    pthread_condattr_t kind; pthread_t thread;
    pthread_condattr_init(&kind); pthread_condattr_setclock(&kind, clock);
    pthread_cond_init(&condition, &kind);
    for (int round = 0; round < 2; round++) {
        int ended = 0;
        came = 0;
        if (round == 0) pthread_create(&thread, 0, later, 0);
        int64_t start = now_ns(CLOCK_MONOTONIC);
        struct timespec limit = in_ms(clock, round == 0 ? 60000 : 50);
        pthread_mutex_lock(&mutex);
        while (!came && ended == 0) ended = pthread_cond_timedwait(&condition, &mutex, &limit);
        pthread_mutex_unlock(&mutex);
        if (came) printf("%s: came\n", name); else printf("%s: limit after %ld ms\n", name, since(start));
        if (round == 0) pthread_join(thread, 0);
    }
}
static int64_t before_sleeps;
static void *sleep_some(void *n) {
    usleep((long)n * 50000);
    /* Which of them runs first is the machine's business; that none was woken early is not. */
    return (void *)(long)(since(before_sleeps) >= (long)n * 50);
}
static void nothing(int signal) { (void)signal; }
static void waits(void) {
    pthread_t thread;
    /* Far from the machine's time, as after a long computation. */
    for (volatile long i = 0; i < 60000000; i++) { }
    wait_for_condition("date", CLOCK_REALTIME);
    wait_for_condition("steady", CLOCK_MONOTONIC);
    sem_init(&semaphore, 0, 0);
    pthread_create(&thread, 0, later, &semaphore);
    struct timespec limit = in_ms(CLOCK_REALTIME, 60000);
    puts(sem_timedwait(&semaphore, &limit) == 0 ? "semaphore: came" : "semaphore: limit");
    pthread_join(thread, 0);
    int64_t start = now_ns(CLOCK_MONOTONIC);
    limit = in_ms(CLOCK_REALTIME, 50);
    if (sem_timedwait(&semaphore, &limit) < 0 && errno == ETIMEDOUT) printf("semaphore: limit after %ld ms\n", since(start));
    start = now_ns(CLOCK_MONOTONIC); usleep(30000); printf("sleep: %ld ms\n", since(start));
    start = now_ns(CLOCK_MONOTONIC); limit = in_ms(CLOCK_REALTIME, 30);
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &limit, 0); printf("sleep until: %ld ms\n", since(start));
    struct timeval part = {0, 20000};
    start = now_ns(CLOCK_MONOTONIC); select(0, 0, 0, 0, &part); printf("select: %ld ms\n", since(start));
    pthread_t threads[3];
    start = before_sleeps = now_ns(CLOCK_MONOTONIC);
    printf("threads:");
    for (long i = 0; i < 3; i++) pthread_create(&threads[i], 0, sleep_some, (void *)(3 - i));
    for (int i = 0; i < 3; i++) {
        void *was_late_enough;
        pthread_join(threads[i], &was_late_enough);
        printf(was_late_enough ? " slept" : " woken early");
    }
    printf(", %ld ms\n", since(start));
    struct sigaction action = {.sa_handler = nothing};
    sigaction(SIGALRM, &action, 0);
    struct itimerval timer = {.it_value = {0, 10000}};
    setitimer(ITIMER_REAL, &timer, 0);
    struct timespec day = {86400, 0};
    puts(nanosleep(&day, 0) < 0 && errno == EINTR ? "alarm: interrupted" : "alarm: not interrupted");
}

#define ESCAPED(what) do { printf("ESCAPED: %s (%s)\n", what, strerror(errno)); exit(1); } while (0)
static void bad_addresses(void) {
    char *read_only = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *places[] = {(void *)8, (void *)-8, (void *)0xffffffff81000000ULL, read_only, (void *)0x7ffffffff000ULL};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        if (syscall(SYS_clock_gettime, 0, places[i]) == 0 || errno != EFAULT) ESCAPED("clock_gettime");
        if (syscall(SYS_getrandom, places[i], 10, 0) > 0 || errno != EFAULT) ESCAPED("getrandom");
        if (syscall(SYS_sysinfo, places[i]) == 0 || errno != EFAULT) ESCAPED("sysinfo");
        if (i != 3 && (syscall(SYS_nanosleep, places[i], 0) == 0 || errno != EFAULT)) ESCAPED("nanosleep");
    }
    struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
    for (int i = 0; i < 3; i++)
        if (syscall(SYS_nanosleep, &bad[i], 0) == 0 || errno != EINVAL) ESCAPED("no valid length");
}
static char *volatile moving;
static void *move(void *unused) {
    (void)unused;
    for (;;) {
        char *place = mmap(moving, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        munmap(place, 4096);
        mmap(moving, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
}
static void addresses_that_change(void) {
    pthread_t thread;
    moving = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_create(&thread, 0, move, 0);
    for (int i = 0; i < 20000; i++) {
        syscall(SYS_clock_gettime, 0, moving);
        syscall(SYS_getrandom, moving, 4096, 0);
        syscall(SYS_nanosleep, moving, 0);
    }
}
static void *sleeper(void *unused) { sleep(100000); return unused; }
static void many_sleepers(void) {
    pthread_attr_t small; pthread_t thread;
    pthread_attr_init(&small); pthread_attr_setstacksize(&small, 65536);
    for (int i = 0; i < 50; i++) pthread_create(&thread, &small, sleeper, 0);
    usleep(20000);
    for (int i = 0; i < 1000; i++) now_ns(CLOCK_MONOTONIC);
}
static void killed_sleepers(void) {
    for (int i = 0; i < 500; i++) {
        int child = fork();
        if (child == 0) { sleep(100000); _exit(0); }
        kill(child, SIGKILL);
        waitpid(child, 0, 0);
    }
}
static void hide_memory(void) {
    if (prctl(PR_SET_DUMPABLE, 0) == 0) ESCAPED("it hid its memory");
    now_ns(CLOCK_MONOTONIC);
}
/* A program without read permission could hide from the answers: it does not start. */
static void unreadable_program(void) {
    char buffer[65536]; long length;
    int from = open("/skill/clocks", O_RDONLY), to = open("/tmp/copy", O_WRONLY | O_CREAT, 0700);
    while ((length = read(from, buffer, sizeof buffer)) > 0) if (write(to, buffer, length) != length) exit(3);
    close(to); chmod("/tmp/copy", 0111);
    int status, child = fork();
    if (child == 0) { execl("/tmp/copy", "copy", "everything", (char *)0); _exit(9); }
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) ESCAPED("it ran");
}
static void failing_programs(void) {
    for (int i = 0; i < 300; i++) {
        int status, child = fork();
        if (child == 0) {
            execl("/no/such/program", "x", (char *)0); execl("/dev/null", "x", (char *)0);
            raise(i % 2 ? SIGTERM : SIGCONT); execl("/bin/true", "true", (char *)0); _exit(9);
        }
        if (waitpid(child, &status, 0) != child) ESCAPED("a child was lost");
        if (i % 2 ? !WIFSIGNALED(status) : status != 0) ESCAPED("a child ended otherwise");
    }
}
static void much_randomness(void) {
    size_t length = 32 << 20;
    char *place = mmap(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long given = syscall(SYS_getrandom, place, length, 0);
    if (given <= 0 || given > 1 << 20) ESCAPED("more than a call may give");
    if (syscall(SYS_getrandom, place, 10, 0xff) >= 0 || errno != EINVAL) ESCAPED("unknown flags");
}
/* A call that a signal interrupted is made again: no read of the clock is counted twice, no random byte is lost. */
static void signals_between(void) {
    static unsigned char busy[4000];
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    int64_t now, last = now_ns(CLOCK_MONOTONIC);
    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &often, 0);
    for (int i = 0; i < 2000; i++, last = now)
        if ((now = now_ns(CLOCK_MONOTONIC)) != last + 1000) ESCAPED("a read was counted twice");
    for (unsigned i = 0; i < sizeof busy; i += 4) if (getrandom(busy + i, 4, 0) != 4) ESCAPED("getrandom");
    setitimer(ITIMER_REAL, &never, 0);
    hex("drawn", busy, sizeof busy);
}
static void no_signals(void) {
    static unsigned char drawn[4000];
    for (unsigned i = 0; i < sizeof drawn; i += 4) if (getrandom(drawn + i, 4, 0) != 4) ESCAPED("getrandom");
    hex("drawn", drawn, sizeof drawn);
}

int main(int count, char **arguments) {
    const struct { const char *name; void (*run)(void); } all[] = {
        {"everything", everything}, {"waits", waits}, {"signals_between", signals_between}, {"no_signals", no_signals}, {"bad_addresses", bad_addresses},
        {"addresses_that_change", addresses_that_change}, {"many_sleepers", many_sleepers},
        {"killed_sleepers", killed_sleepers}, {"hide_memory", hide_memory}, {"unreadable_program", unreadable_program},
        {"failing_programs", failing_programs}, {"much_randomness", much_randomness},
    };
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        if (count > 1 && strcmp(all[i].name, arguments[1]) == 0) {
            all[i].run();
            if (i > 3) puts("refused");
            fflush(stdout);
            _exit(0);
        }
    return 2;
}
