/* The kernel. */
static void load_a_module(void) { must_fail(syscall(SYS_init_module, "", 0, ""), "a module"); }
static void load_a_module_file(void) { must_fail(syscall(SYS_finit_module, 0, "", 0), "a module"); }
static void remove_a_module(void) { must_fail(syscall(SYS_delete_module, "ext4", 0), "a removed module"); }
static void load_bpf(void) { char attributes[128] = {0}; must_fail(syscall(SYS_bpf, 0, attributes, sizeof attributes), "bpf"); }
static void io_uring(void) { char parameters[256] = {0}; must_fail(syscall(SYS_io_uring_setup, 8, parameters), "io_uring"); }
static void fault_handler(void) { must_fail(syscall(SYS_userfaultfd, 0), "userfaultfd"); }
static void performance_counters(void) { char attributes[128] = {0}; must_fail(syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0), "perf"); }
static void read_keys(void) { must_fail(syscall(SYS_keyctl, 0, -3, 1), "a keyring"); }
static void add_keys(void) { must_fail(syscall(SYS_add_key, "user", "x", "y", 1, -3), "a key"); }
static void request_keys(void) { must_fail(syscall(SYS_request_key, "user", "x", 0, -3), "a key"); }
static void secret_memory(void) { must_fail(syscall(447, 0), "secret memory"); }
static void reboot_the_machine(void) { must_fail(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0), "reboot"); }
static void set_the_clock(void) { struct timespec now = {0, 0}; must_fail(syscall(SYS_clock_settime, 0, &now), "the clock"); }
static void rename_the_machine(void) { must_fail(syscall(SYS_sethostname, "x", 1), "the name"); }
static void read_the_kernel_log(void) { char text[128]; must_fail(syscall(SYS_syslog, 3, text, sizeof text), "the kernel's log"); }
static void load_a_kernel(void) { must_fail(syscall(SYS_kexec_load, 0, 0, 0, 0), "a kernel"); }
static void swap(void) { must_fail(syscall(SYS_swapon, "/tmp/x", 0), "swap"); }
static void accounting(void) { must_fail(syscall(SYS_acct, "/tmp/x"), "accounting"); }
static void watch_all_files(void) { must_fail(syscall(SYS_fanotify_init, 0, 0), "fanotify"); }
static void ports(void) {
#ifdef __x86_64__
    must_fail(syscall(SYS_iopl, 3), "ports");
#else
    raise(SIGSYS);
#endif
}
static void shared_memory(void) { must_fail(syscall(SYS_shmget, 42, 4096, 0666 | 01000), "System V memory"); }
static void message_queues(void) { must_fail(syscall(SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, 0), "a message queue"); }
static void an_unknown_call(void) { must_fail(syscall(1000), "an unknown call"); }
