/* Outliving. */
static void ignore_signals(void) { for (int i = 1; i < 65; i++) signal(i, SIG_IGN); for (;;) pause(); }
static void daemon_outlives(void) { if (fork() == 0) { setsid(); if (fork() == 0) { prctl(PR_SET_NAME, "sre-outliver"); for (;;) pause(); } _exit(0); } usleep(20000); errno = 0; refused(); }
static void daemon_holds_the_output(void) { if (fork() == 0) { setsid(); signal(SIGHUP, SIG_IGN); for (;;) pause(); } errno = 0; refused(); }
static void stop_oneself(void) { raise(SIGSTOP); for (;;) pause(); }
static void stopped_child(void) { pid_t pid = fork(); if (pid == 0) { raise(SIGSTOP); _exit(0); } waitpid(pid, 0, 0); for (;;) pause(); }
static void hide_from_the_parent(void) { prctl(PR_SET_CHILD_SUBREAPER, 1); for (int i = 0; i < 8; i++) if (fork() == 0) { prctl(PR_SET_NAME, "sre-outliver"); for (;;) pause(); } _exit(0); }
static void exec_from_memory(void) {
    /* A program that was never a file is confined all the same. */
    int from = open("/skill/attacks", O_RDONLY), to = memfd_create("x", 0);
    char block[65536]; long length;
    while ((length = read(from, block, sizeof block)) > 0) if (write(to, block, length) < 0) _exit(1);
    char *arguments[] = {"x", "do_chroot", 0};
    extern char **environ;
    fexecve(to, arguments, environ);
    _exit(1);
}
