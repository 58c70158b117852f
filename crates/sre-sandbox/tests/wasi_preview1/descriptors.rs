//! Descriptors themselves: status, times, numbers.

use crate::{CREATE, READ, WRITE, check, hex, little, little64, open, open_with, opened, steps};

/// 2026-01-02T03:04:05Z, where the tests' clock starts, in nanoseconds.
const START_NS: u64 = 1_767_323_045_000_000_000;

const FOLDER_TYPE: u8 = 3;
const FILE_TYPE: u8 = 4;

/// A `filestat` as it stands in memory.
fn stat(kind: u8, inode: u64, size: u64, accessed: u64, modified: u64) -> String {
    stat_changed(kind, inode, size, accessed, modified, modified)
}

/// The same with a time of the last change that is not the one of the last modification.
fn stat_changed(
    kind: u8,
    inode: u64,
    size: u64,
    accessed: u64,
    modified: u64,
    changed: u64,
) -> String {
    let device = if kind == 0 { 0 } else { 1 };
    let numbers = [
        device,
        inode,
        u64::from(kind),
        1,
        size,
        accessed,
        modified,
        changed,
    ];
    format!("ok {}", numbers.map(little64).concat())
}

#[test]
fn metadata_is_fixed() {
    check(&steps! {
        // Inode numbers of the package follow its sorted paths: /, a.txt, data, data/note.txt,
        // main.wasm.
        "fd_filestat_get 3 &64" => stat(FOLDER_TYPE, 1, 0, START_NS, START_NS);
        format!("path_filestat_get 3 0 'data/note.txt &64") => stat(FILE_TYPE, 4, 5, START_NS, START_NS);
        format!("path_filestat_get 3 1 'data &64") => stat(FOLDER_TYPE, 3, 0, START_NS, START_NS);
        "fd_filestat_get 4 &64" => stat(FOLDER_TYPE, (1 << 32) + 4, 0, START_NS, START_NS);
        "fd_filestat_get 0 &64" => stat(0, 0, 0, 0, 0);
        "fd_filestat_get 1 &64" => stat(0, 0, 0, 0, 0);
        // Opening a file takes a virtual microsecond, and so does writing.
        open(4, "file", CREATE) => opened(5);
        "fd_filestat_get 5 &64" => stat(FILE_TYPE, (1 << 32) + 5, 0, START_NS + 1_000, START_NS + 1_000);
        "fd_write 5 <abc &4" => format!("ok {}", little(3));
        "fd_filestat_get 5 &64" => stat(FILE_TYPE, (1 << 32) + 5, 3, START_NS + 1_000, START_NS + 2_000);
        "fd_filestat_get 4 &64" => stat(FOLDER_TYPE, (1 << 32) + 4, 0, START_NS, START_NS + 1_000);
        "fd_filestat_get 9 &64" => format!("badf {}", "00".repeat(64));
    });
}

#[test]
fn times_are_set() {
    let (accessed, accessed_now, modified, modified_now) = (1, 2, 4, 8);
    let inode = (1 << 32) + 5;
    check(&steps! {
        open(4, "file", CREATE) => opened(5);
        format!("fd_filestat_set_times 5 11 22 {}", accessed | modified) => "ok";
        "fd_filestat_get 5 &64" => stat_changed(FILE_TYPE, inode, 0, 11, 22, START_NS + 2_000);
        format!("path_filestat_set_times 4 0 'file 33 44 {modified}") => "ok";
        "fd_filestat_get 5 &64" => stat_changed(FILE_TYPE, inode, 0, 11, 44, START_NS + 3_000);
        format!("fd_filestat_set_times 5 0 0 {accessed_now}") => "ok";
        "fd_filestat_get 5 &64" => stat_changed(FILE_TYPE, inode, 0, START_NS + 4_000, 44, START_NS + 4_000);
        format!("fd_filestat_set_times 5 0 0 {}", accessed | accessed_now) => "inval";
        format!("fd_filestat_set_times 5 0 0 {}", modified | modified_now) => "inval";
        "fd_filestat_set_times 5 0 0 16" => "inval";
        format!("path_filestat_set_times 4 0 'none 0 0 {accessed}") => "noent";
        format!("path_filestat_set_times 3 0 'a.txt 0 0 {accessed}") => "rofs";
        format!("fd_filestat_set_times 1 0 0 {accessed}") => "badf";
    });
}

/// No standard stream is a terminal: type unknown, as of a pipe.
#[test]
fn status_of_descriptors() {
    let status = |kind: u8, flags: u8, rights: u64, inheriting: u64| {
        format!(
            "ok {kind:02x}00{flags:02x}0000000000{}{}",
            little64(rights),
            little64(inheriting)
        )
    };
    let poll = 1 << 27;
    check(&steps! {
        "fd_fdstat_get 0 &24" => status(0, 0, READ | poll, 0);
        "fd_fdstat_get 1 &24" => status(0, 1, WRITE | poll, 0);
        "fd_fdstat_get 2 &24" => status(0, 1, WRITE | poll, 0);
        "fd_fdstat_get 4 &24" => status(3, 0, 0x07b7_fe00, 0x0ff7_ffff);
        open_with(4, "file", CREATE, READ, 1) => opened(5);
        "fd_fdstat_get 5 &24" => status(4, 1, 0x08e0_01bf, 0);
        "fd_fdstat_get 77 &24" => format!("badf {}", "00".repeat(24));
        "fd_fdstat_set_rights 5 0 0" => "notsup";
        "fd_prestat_get 3 &8" => "ok 0000000001000000";
        "fd_prestat_dir_name 3 @1" => "ok 2e";
        "fd_prestat_get 4 &8" => "ok 0000000004000000";
        "fd_prestat_dir_name 4 @4" => format!("ok {}", hex("/tmp"));
        "fd_prestat_dir_name 4 @3" => "nametoolong 000000";
        "fd_prestat_get 5 &8" => "badf 0000000000000000";
        "fd_prestat_get 6 &8" => "badf 0000000000000000";
    });
}

#[test]
fn streams_go_one_way() {
    check(&steps! {
        "fd_write 0 <x &4" => "badf 00000000";
        "fd_read 1 [1 &4" => "badf 00 00000000";
        "fd_read 2 [1 &4" => "badf 00 00000000";
        "fd_read 4 [1 &4" => "isdir 00 00000000";
        "fd_write 4 <x &4" => "isdir 00000000";
        "fd_pread 0 [1 0 &4" => "spipe 00 00000000";
        "fd_write 2 <logged &4" => format!("ok {}", little(6));
        // All input was read by the probe itself.
        "fd_read 0 [4 &4" => "ok 00000000 00000000";
        "fd_close 2" => "ok";
        "fd_write 2 <x &4" => "badf 00000000";
    });
}

#[test]
fn numbers_are_moved() {
    check(&steps! {
        open(4, "one", CREATE) => opened(5);
        open(4, "two", CREATE) => opened(6);
        "fd_write 5 <1 &4" => format!("ok {}", little(1));
        "fd_renumber 5 7" => "badf";
        "fd_renumber 7 5" => "badf";
        "fd_renumber 5 5" => "ok";
        "fd_renumber 5 6" => "ok";
        "fd_write 5 <x &4" => "badf 00000000";
        "fd_write 6 <2 &4" => format!("ok {}", little(1));
        "fd_pread 6 [3 0 &4" => format!("ok {} {}", hex("12\0"), little(2));
        open_with(4, "two", 0, READ, 0) => opened(5);
        "fd_read 5 [1 &4" => "ok 00 00000000";
        // A log that goes to a file from now on.
        "fd_renumber 6 2" => "ok";
        "fd_write 2 <3 &4" => format!("ok {}", little(1));
        open_with(4, "one", 0, READ, 0) => opened(6);
        "fd_read 6 [4 &4" => format!("ok {} {}", hex("123\0"), little(3));
    });
}

/// A listing belongs to the folder, not to the number.
#[test]
fn a_new_folder_under_an_old_number_is_listed_anew() {
    check(&steps! {
        open_with(3, "data", 0, READ, 0) => opened(5);
        "fd_readdir 5 @10 0 &4" => "ok 01000000000000000300 0a000000";
        "fd_close 5" => "ok";
        open_with(4, ".", 0, READ, 0) => opened(5);
        "fd_readdir 5 @10 2 &4" => "ok 00000000000000000000 00000000";
    });
}
