/* Escapes through the file system. */
static void do_chroot(void) { must_fail(chroot("/tmp"), "chroot"); }
static void mount_proc(void) { must_fail(mount("proc", "/tmp", "proc", 0, 0), "mount"); }
static void mount_bind(void) { must_fail(mount("/", "/tmp", 0, MS_BIND, 0), "bind mount"); }
static void remount(void) { must_fail(mount(0, "/usr", 0, MS_REMOUNT | MS_BIND, 0), "a writable /usr"); }
static void unmount(void) { must_fail(umount2("/proc", MNT_DETACH), "what is below /proc"); }
static void pivot(void) { must_fail(syscall(SYS_pivot_root, "/tmp", "/tmp"), "pivot_root"); }
static void new_mount_api(void) { must_fail(syscall(SYS_fsopen, "tmpfs", 0), "fsopen"); }
static void copy_a_tree(void) { must_fail(syscall(SYS_open_tree, AT_FDCWD, "/", 1), "open_tree"); }
static void change_mount_attributes(void) { struct { uint64_t a[4]; } x = {{0, 1, 0, 0}}; must_fail(syscall(SYS_mount_setattr, AT_FDCWD, "/usr", 0, &x, sizeof x), "mount_setattr"); }
static void file_handles(void) { char handle[64] = {0}; must_fail(syscall(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDONLY), "a file by its handle"); }
static void dot_dot(void) {
    char path[4096] = "";
    for (int i = 0; i < 64; i++) strcat(path, "../");
    strcat(path, host("CANARY") + 1);
    must_not_open(path, O_RDONLY);
    must_not_open(host("CANARY"), O_RDONLY);
    refused();
}
static void links_out(void) {
    symlink(host("CANARY"), "/tmp/link");
    must_not_open("/tmp/link", O_RDONLY);
    if (link("/usr/bin/true", "/tmp/hard") == 0) escaped("a hard link to a program of the host's");
    if (linkat(AT_FDCWD, "/etc/passwd", AT_FDCWD, "/tmp/hard", 0) == 0) escaped("a hard link out of /tmp");
    refused();
}
static void write_to_the_system(void) {
    const char *places[] = {"/usr/x", "/usr/bin/true", "/etc/passwd", "/etc/x", "/skill/x", "/x", "/dev/x", "/proc/x", "/lib/x", "/bin/sh"};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) must_not_open(places[i], O_WRONLY | O_CREAT);
    if (chmod("/usr/bin/true", 0777) == 0) escaped("a changed mode");
    if (chmod("/dev/null", 0) == 0) escaped("a changed mode of a device");
    if (unlink("/usr/bin/true") == 0) escaped("a removed program");
    refused();
}
static void overwrite_the_own_program(void) { must_not_open("/proc/self/exe", O_WRONLY); must_not_open("/proc/1/exe", O_RDONLY); refused(); }
static void raw_disk(void) {
    must_not_open("/dev/vda", O_RDONLY); must_not_open("/dev/sda", O_RDONLY); must_not_open("/dev/nvme0n1", O_RDONLY);
    if (mknod("/tmp/disk", S_IFBLK | 0600, makedev(254, 0)) == 0) must_not_open("/tmp/disk", O_RDONLY);
    refused();
}
static void kernel_memory(void) {
    const char *places[] = {"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/proc/kcore", "/proc/kallsyms", "/proc/kmsg", "/proc/iomem", "/proc/modules"};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) must_not_open(places[i], O_RDONLY);
    if (mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)) == 0) must_not_open("/tmp/mem", O_RDONLY);
    refused();
}
static void kernel_switches(void) {
    const char *places[] = {"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/modprobe", "/sys/kernel/uevent_helper", "/sys/fs/cgroup/release_agent", "/proc/sys/fs/binfmt_misc/register"};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) must_not_open(places[i], O_WRONLY);
    refused();
}
