/* Bombs: each must meet a limit. */
static void fork_bomb(void) {
    int made = 0;
    for (; made < 100000; made++) {
        pid_t pid = fork();
        if (pid == 0) { pause(); _exit(0); }
        if (pid < 0) break;
    }
    if (made > 64) escaped("more processes than allowed");
    refused();
}
static void *sleeper(void *unused) { (void)unused; pause(); return 0; }
static void thread_bomb(void) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    int made = 0;
    for (; made < 100000; made++) { pthread_t thread; if ((errno = pthread_create(&thread, &attributes, sleeper, 0))) break; }
    if (made > 64) escaped("more threads than allowed");
    refused();
}
static void fill(void) {
    for (long i = 0; i < 4096; i++) {
        char *piece = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED) refused();
        memset(piece, 1, 1 << 20);
    }
    escaped("4 GiB of memory");
}
static void memory_bomb(void) { fill(); }
static void memory_bomb_of_many(void) {
    for (int i = 0; i < 8; i++) if (fork() == 0) fill();
    int status, killed = 0;
    while (wait(&status) > 0) if (WIFSIGNALED(status)) killed++;
    _exit(killed ? 9 : 0);
}
static void memory_bomb_in_files(void) {
    char block[65536]; memset(block, 1, sizeof block);
    for (int i = 0; i < 40; i++) { /* 320 MiB, each file below the limit of one */
        int fd = memfd_create("x", 0);
        for (int j = 0; j < 128; j++) if (write(fd, block, sizeof block) < 0) refused();
    }
}
static void cpu_bomb(void) { for (volatile long i = 0;; i++) { } }
static void cpu_bomb_of_many(void) { for (int i = 0; i < 20; i++) if (fork() == 0) cpu_bomb(); cpu_bomb(); }
static void output_bomb(void) { char block[65536]; memset(block, 'x', sizeof block); for (;;) if (write(1, block, sizeof block) < 0) _exit(1); }
static void log_bomb(void) { char block[65536]; memset(block, 'x', sizeof block); for (int i = 0; i < 1024; i++) if (write(2, block, sizeof block) < 0) _exit(1); errno = 0; refused(); }
static void endless_line(void) { for (;;) if (write(1, "x", 1) < 0) _exit(1); }
static void half_a_line_for_ever(void) { write(1, "{\"a\":", 5); for (;;) pause(); }
static void file_size_bomb(void) {
    signal(SIGXFSZ, SIG_IGN);
    int fd = open("/tmp/big", O_CREAT | O_WRONLY, 0600);
    char block[1 << 20]; memset(block, 1, sizeof block);
    for (int i = 0; i < 1024; i++) if (write(fd, block, sizeof block) < (long)sizeof block) refused();
    escaped("a file of 1 GiB");
}
static void many_files_bomb(void) {
    char block[1 << 20], name[64]; memset(block, 1, sizeof block);
    for (int i = 0; i < 1024; i++) {
        snprintf(name, sizeof name, "/tmp/big%d", i);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0 || write(fd, block, sizeof block) < (long)sizeof block) refused();
        close(fd);
    }
    escaped("1 GiB in /tmp");
}
static void inode_bomb(void) {
    char name[64];
    for (int i = 0; i < 200000; i++) {
        snprintf(name, sizeof name, "/tmp/%d", i);
        if (mknod(name, S_IFREG | 0600, 0) < 0) refused();
    }
    escaped("200,000 files");
}
static void descriptor_bomb(void) { for (int i = 0; i < 10000; i++) if (dup(1) < 0) refused(); escaped("10,000 descriptors"); }
static void pipe_bomb(void) { int ends[2]; for (int i = 0; i < 10000; i++) if (pipe(ends) < 0) refused(); escaped("10,000 pipes"); }
static void signal_bomb(void) {
    sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, 0);
    union sigval value = {0};
    for (int i = 0; i < 200000; i++) if (sigqueue(getpid(), SIGRTMIN, value) < 0) refused();
    escaped("200,000 queued signals");
}
static void locked_memory(void) { must_fail(mlock(mmap(0, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 64 << 20), "64 MiB of locked memory"); }
static void raise_limits(void) { struct rlimit limit = {1 << 20, 1 << 20}; must_fail(setrlimit(RLIMIT_NOFILE, &limit), "a raised limit"); }
static void real_time(void) { struct sched_param p = {1}; must_fail(sched_setscheduler(0, SCHED_FIFO, &p), "real-time priority"); }
static void higher_priority(void) { must_fail(setpriority(PRIO_PROCESS, 0, -20), "a higher priority"); }
/* Without descriptors or time, the process that answers for the jail could answer no more. */
static void limits_of_process_1(void) {
    struct rlimit none = {0, 0};
    if (prlimit(1, RLIMIT_NOFILE, &none, 0) >= 0) escaped("limits of process 1: files");
    must_fail(prlimit(1, RLIMIT_CPU, &none, 0), "limits of process 1: processor time");
}
static void priority_of_process_1(void) {
    if (setpriority(PRIO_PROCESS, 0, 5) < 0) { printf("no lower priority of its own\n"); return; }
    if (setpriority(PRIO_USER, 0, 19) >= 0) escaped("priority of process 1, as one of its user's");
    must_fail(setpriority(PRIO_PROCESS, 1, 19), "priority of process 1");
}
static void spared_by_oom(void) { int fd = open("/proc/self/oom_score_adj", O_WRONLY); must_fail(fd < 0 ? -1 : write(fd, "-1000", 5), "being spared when memory runs out"); }
