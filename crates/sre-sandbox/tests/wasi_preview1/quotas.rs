//! What a guest may hold.

use serde_json::json;

use crate::{CREATE, READ, check, check_under, common, little, open, open_with, opened, steps};

#[test]
fn bytes_are_limited_and_given_back() {
    // Under a limit of 1 MiB. Names count, but not as bytes.
    let rest = 1 << 20;
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
        "fd_pwrite 5 <y 0 &4" => format!("ok {}", little(1));
        // Shrinking gives back, and so does removing once the file is not open any more.
        open(4, "other", CREATE) => opened(6);
        "fd_write 6 <x &4" => "nospc 00000000";
        "path_unlink_file 4 'file" => "ok";
        "fd_write 6 <x &4" => "nospc 00000000";
        "fd_close 5" => "ok";
        "fd_write 6 <x &4" => format!("ok {}", little(1));
        format!("fd_filestat_set_size 6 {rest}") => "ok";
        "path_rename 4 'other 4 'another" => "ok";
        open(4, "x", CREATE) => opened(5);
        "fd_write 5 <x &4" => "nospc 00000000";
        open(4, "another", crate::TRUNCATE) => opened(7);
        "fd_write 5 <x &4" => format!("ok {}", little(1));
    });
}

/// 10,000 names and no more, whatever the bytes say; further names of a file and links count too.
#[test]
fn names_are_limited() {
    let mut steps = Vec::new();
    for number in 0..9_999 {
        steps.extend(steps! { format!("path_create_directory 4 '{number}") => "ok"; });
    }
    steps.extend(steps! {
        open(4, "x", CREATE) => opened(5);
        "path_create_directory 4 'y" => "nospc";
        "path_link 4 0 'x 4 'y" => "nospc";
        "path_symlink 'x 4 'y" => "nospc";
        open(4, "y", CREATE) => "nospc 00000000";
        "path_remove_directory 4 '17" => "ok";
        "path_link 4 0 'x 4 'y" => "ok";
        "path_symlink 'x 4 'z" => "nospc";
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
