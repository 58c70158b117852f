//! Everything else, and addresses that point nowhere.

use crate::{CREATE, READ, check, hex, little, open, open_with, opened, steps};

#[test]
fn there_are_no_sockets_and_no_signals() {
    check(&steps! {
        "sock_accept 1 0 &4" => "notsock 00000000";
        "sock_accept 99 0 &4" => "badf 00000000";
        "sock_recv 0 [1 0 &4 &2" => "notsock 00 00000000 0000";
        "sock_send 1 <x 0 &4" => "notsock 00000000";
        "sock_shutdown 3 3" => "notsock";
        "proc_raise 9" => "notsup";
        "sched_yield" => "ok";
    });
}

#[test]
fn what_has_nothing_to_do_succeeds() {
    check(&steps! {
        open(4, "file", CREATE) => opened(5);
        "fd_sync 5" => "ok";
        "fd_datasync 4" => "ok";
        "fd_sync 99" => "badf";
        "fd_advise 5 0 0 5" => "ok";
        "fd_advise 5 0 0 6" => "inval";
        "fd_advise 4 0 0 0" => "isdir";
    });
}

#[test]
fn the_argument_is_the_path_of_the_entrypoint() {
    check(&steps! {
        "args_sizes_get &4 &4" => format!("ok {} {}", little(1), little(17));
        "environ_sizes_get -1 &4" => "fault 00000000";
        "args_get -1 &16" => format!("fault {}", "00".repeat(16));
    });
    let answers = crate::answers(&crate::common::profile(), &["args_get &4 &17"]);
    assert!(
        answers[0].ends_with(&hex("/skill/main.wasm\0")),
        "{}",
        answers[0]
    );
}

/// Addresses at and beyond the end of memory, lengths that leave it, sums that overflow 32 bits.
#[test]
fn addresses_are_checked() {
    let mut steps = Vec::from(steps! { open_with(3, "a.txt", 0, READ, 0) => opened(5); });
    for address in ["-1", "-2", "0x7fffffff", "0xfffffff0"] {
        steps.extend(steps! {
            format!("fd_write 1 {address} 1 &4") => "fault 00000000";
            format!("fd_write 1 {address} 1024 &4") => "fault 00000000";
            format!("fd_read 5 {address} 1 &4") => "fault 00000000";
            format!("random_get {address} 32") => "fault";
            format!("clock_time_get 0 0 {address}") => "fault";
            format!("fd_filestat_get 5 {address}") => "fault";
            format!("fd_fdstat_get 5 {address}") => "fault";
            format!("fd_prestat_get 4 {address}") => "fault";
            format!("fd_prestat_dir_name 4 {address} 4") => "fault";
            format!("fd_readdir 4 {address} 64 0 &4") => "fault 00000000";
            format!("path_filestat_get 4 0 {address} 4 &64") => format!("fault {}", "00".repeat(64));
            format!("path_create_directory 4 {address} 4") => "fault";
            format!("fd_tell 5 {address}") => "fault";
            format!("poll_oneoff {address} 0 1 &4") => "fault 00000000";
        });
    }
    let buffer_to_nowhere = "=00000000ffffffff";
    let buffer_from_end = "=ffffffff01000000";
    steps.extend(steps! {
        format!("fd_write 1 {buffer_to_nowhere} 1 &4") => "fault 00000000";
        format!("fd_write 1 {buffer_from_end} 1 &4") => "fault 00000000";
        format!("fd_read 5 {buffer_to_nowhere} 1 &4") => "fault 00000000";
        format!("fd_read 0 {buffer_from_end} 1 &4") => "fault 00000000";
        "random_get 0 -1" => "inval";
        "random_get 0 0x1000001" => "inval";
        "fd_readdir 4 0 -1 0 &4" => "fault 00000000";
        "path_create_directory 4 0 -1" => "nametoolong";
        "path_create_directory 4 0 0x7fffffff" => "nametoolong";
        "fd_write 2 0 1025 &4" => "inval 00000000";
        "fd_write 2 0 -1 &4" => "inval 00000000";
        "fd_write 2 0 0 &4" => "ok 00000000";
    });
    check(&steps);
}
