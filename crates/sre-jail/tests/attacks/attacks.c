/* Attacks in C. The first argument names one. A program that got what it wanted prints ESCAPED and how; one that was
 * refused prints "refused" and exits 0. Attacks that must end otherwise (killed, out of memory, time) print nothing. */
#define _GNU_SOURCE
#include <grp.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void escaped(const char *how) { printf("ESCAPED: %s\n", how); fflush(stdout); _exit(0); }
static void refused(void) { printf("refused: %s\n", strerror(errno)); fflush(stdout); _exit(0); }
/* A call that must fail. */
static void must_fail(long answer, const char *what) { if (answer >= 0) escaped(what); refused(); }
/* A file that must not open. */
static void must_not_open(const char *path, int flags) {
    int fd = open(path, flags, 0600);
    if (fd >= 0) escaped(path);
}
static const char *host(const char *name) { const char *value = getenv(name); return value ? value : ""; }

#include "attacks/bombs.h"
#include "attacks/files.h"
#include "attacks/rights.h"
#include "attacks/processes.h"
#include "attacks/kernel.h"
#include "attacks/terminals.h"
#include "attacks/networks.h"
#include "attacks/outliving.h"

#define ATTACK(name) {#name, name}
static const struct { const char *name; void (*run)(void); } table[] = {
    ATTACK(fork_bomb), ATTACK(thread_bomb), ATTACK(memory_bomb), ATTACK(memory_bomb_of_many), ATTACK(memory_bomb_in_files),
    ATTACK(cpu_bomb), ATTACK(cpu_bomb_of_many), ATTACK(output_bomb), ATTACK(log_bomb), ATTACK(endless_line),
    ATTACK(half_a_line_for_ever), ATTACK(file_size_bomb), ATTACK(many_files_bomb), ATTACK(inode_bomb), ATTACK(descriptor_bomb),
    ATTACK(pipe_bomb), ATTACK(signal_bomb), ATTACK(locked_memory), ATTACK(raise_limits), ATTACK(real_time),
    ATTACK(higher_priority), ATTACK(limits_of_process_1), ATTACK(priority_of_process_1), ATTACK(spared_by_oom), ATTACK(do_chroot), ATTACK(mount_proc), ATTACK(mount_bind), ATTACK(remount),
    ATTACK(unmount), ATTACK(pivot), ATTACK(new_mount_api), ATTACK(copy_a_tree), ATTACK(change_mount_attributes),
    ATTACK(file_handles), ATTACK(dot_dot), ATTACK(links_out), ATTACK(write_to_the_system), ATTACK(overwrite_the_own_program),
    ATTACK(raw_disk), ATTACK(kernel_memory), ATTACK(kernel_switches), ATTACK(become_root), ATTACK(raise_capabilities),
    ATTACK(set_uid_programs), ATTACK(user_maps), ATTACK(new_user_namespace), ATTACK(clone_user_namespace),
    ATTACK(clone3_user_namespace), ATTACK(enter_a_namespace), ATTACK(undo_the_filter), ATTACK(change_personality),
    ATTACK(other_architecture), ATTACK(x32_calls), ATTACK(trace_process_1), ATTACK(write_foreign_memory),
    ATTACK(read_foreign_memory), ATTACK(memory_of_process_1), ATTACK(steal_a_descriptor), ATTACK(kill_the_host),
    ATTACK(kill_process_1), ATTACK(kill_everybody), ATTACK(look_at_the_launcher), ATTACK(talk_to_the_launcher),
    ATTACK(load_a_module), ATTACK(load_a_module_file), ATTACK(remove_a_module), ATTACK(load_bpf), ATTACK(io_uring),
    ATTACK(fault_handler), ATTACK(performance_counters), ATTACK(read_keys), ATTACK(add_keys), ATTACK(request_keys),
    ATTACK(secret_memory), ATTACK(reboot_the_machine), ATTACK(set_the_clock), ATTACK(rename_the_machine),
    ATTACK(read_the_kernel_log), ATTACK(load_a_kernel), ATTACK(swap), ATTACK(accounting), ATTACK(watch_all_files), ATTACK(ports),
    ATTACK(shared_memory), ATTACK(message_queues), ATTACK(an_unknown_call), ATTACK(type_into_the_terminal), ATTACK(net_inet),
    ATTACK(net_datagram), ATTACK(net_inet6), ATTACK(net_raw), ATTACK(net_packet), ATTACK(net_netlink), ATTACK(net_vsock),
    ATTACK(net_alg), ATTACK(net_others), ATTACK(abstract_socket), ATTACK(path_socket), ATTACK(ignore_signals),
    ATTACK(daemon_outlives), ATTACK(daemon_holds_the_output), ATTACK(stop_oneself), ATTACK(stopped_child),
    ATTACK(hide_from_the_parent), ATTACK(exec_from_memory),
};
int main(int count, char **arguments) {
    for (unsigned i = 0; count > 1 && i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, arguments[1]) == 0) { table[i].run(); return 3; }
    return 2;
}
