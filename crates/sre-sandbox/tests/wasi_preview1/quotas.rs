//! What a guest may hold.

use serde_json::json;

use crate::{CREATE, READ, check, check_under, common, little, open, open_with, opened, steps};

#[test]
fn bytes_are_limited_and_given_back() {
    // Under a limit of 1 MiB. A file costs 256 bytes besides its content.
    let rest = (1 << 20) - 256;
    check(&steps! {
        open(4, "file", CREATE) => opened(5);
        format!("fd_filestat_set_size 5 {}", rest + 1) => "nospc";
        format!("fd_filestat_set_size 5 {}", u64::MAX) => "nospc";
        format!("fd_filestat_set_size 5 {}", 1u64 << 62) => "nospc";
        format!("fd_allocate 5 0 {}", u64::MAX) => "nospc";
        format!("fd_allocate 5 {} {}", 1u64 << 40, 1u64 << 40) => "nospc";
        format!("fd_pwrite 5 <x {rest} &4") => "nospc 00000000";
        format!("fd_pwrite 5 <x {} &4", rest - 1) => format!("ok {}", little(1));
        format!("fd_pwrite 5 <x {rest} &4") => "nospc 00000000";
        open(4, "other", CREATE) => "nospc 00000000";
        "path_create_directory 4 'folder" => "nospc";
        "fd_pwrite 5 <y 0 &4" => format!("ok {}", little(1));
        // Shrinking gives back, and so does removing once nobody has the file open.
        format!("fd_filestat_set_size 5 {}", rest - 256) => "ok";
        open(4, "other", CREATE) => opened(6);
        "fd_write 6 <x &4" => "nospc 00000000";
        "path_unlink_file 4 'file" => "ok";
        "fd_write 6 <x &4" => "nospc 00000000";
        "fd_close 5" => "ok";
        "fd_write 6 <x &4" => format!("ok {}", little(1));
        format!("fd_filestat_set_size 6 {rest}") => "ok";
        "path_rename 4 'other 4 'another" => "ok";
        open(4, "x", CREATE) => "nospc 00000000";
        open(4, "another", crate::TRUNCATE) => opened(5);
        open(4, "x", CREATE) => opened(7);
        "path_rename 4 'x 4 'another" => "ok";
        "fd_filestat_set_size 7 1" => "ok";
    });
}

/// 4,096 entries, the folder itself among them, and no more, whatever the bytes say.
#[test]
fn entries_are_limited() {
    let mut steps = Vec::new();
    for number in 0..4_095 {
        steps.extend(steps! { format!("path_create_directory 4 '{number}") => "ok"; });
    }
    steps.extend(steps! {
        "path_create_directory 4 'x" => "nospc";
        open(4, "x", CREATE) => "nospc 00000000";
        "path_remove_directory 4 '17" => "ok";
        open(4, "x", CREATE) => opened(5);
        open(4, "y", CREATE) => "nospc 00000000";
    });
    check_under(&common::profile(), &steps);
}

#[test]
fn descriptors_are_limited() {
    let mut steps = Vec::new();
    for fd in 5..1024 {
        steps.extend(steps! { open_with(3, "a.txt", 0, READ, 0) => opened(fd); });
    }
    steps.extend(steps! {
        open_with(3, "a.txt", 0, READ, 0) => "mfile 00000000";
        open_with(3, ".", 0, READ, 0) => "mfile 00000000";
        "fd_close 700" => "ok";
        "fd_close 50" => "ok";
        // The lowest free number is taken, as POSIX has it.
        open_with(3, "a.txt", 0, READ, 0) => opened(50);
        open_with(3, "a.txt", 0, READ, 0) => opened(700);
        open_with(3, "a.txt", 0, READ, 0) => "mfile 00000000";
    });
    check_under(&common::profile_with(json!({})), &steps);
}
