//! Opening, reading and writing.

use crate::{
    CREATE, EXCLUSIVE, FOLDER, READ, TRUNCATE, WRITE, check, hex, little, little64, open,
    open_with, opened, steps,
};

const FROM_START: u32 = 0;
const FROM_HERE: u32 = 1;
const FROM_END: u32 = 2;

#[test]
fn ways_to_open() {
    check(&steps! {
        open(4, "new", 0) => "noent 00000000";
        open(4, "new", CREATE) => opened(5);
        "fd_write 5 <hello &4" => format!("ok {}", little(5));
        open(4, "new", CREATE | EXCLUSIVE) => "exist 00000000";
        open(4, "new", CREATE) => opened(6);
        "fd_read 6 [8 &4" => format!("ok {} {}", hex("hello\0\0\0"), little(5));
        open(4, "new", TRUNCATE) => opened(7);
        "fd_pread 5 [2 0 &4" => "ok 0000 00000000";
    });
    check(&steps! {
        open(4, "file", CREATE) => opened(5);
        open(4, "file", FOLDER) => "notdir 00000000";
        open(4, "both", CREATE | FOLDER) => "inval 00000000";
        open(4, "both", 0) => "noent 00000000";
        open(4, ".", 0) => "isdir 00000000";
        open_with(4, ".", 0, READ, 0) => opened(6);
        open_with(4, ".", FOLDER, READ, 0) => opened(7);
        open_with(4, ".", FOLDER, READ | WRITE, 0) => "isdir 00000000";
        open(5, "x", CREATE) => "notdir 00000000";
        open(99, "x", CREATE) => "badf 00000000";
        open(4, "missing/x", CREATE) => "noent 00000000";
        open(4, "file/x", CREATE) => "notdir 00000000";
        open(4, "x/", CREATE) => "isdir 00000000";
        open(4, "file/", 0) => "notdir 00000000";
        open(4, "file/.", 0) => "notdir 00000000";
    });
}

#[test]
fn rights_are_those_it_was_opened_with() {
    check(&steps! {
        open_with(4, "file", CREATE, WRITE, 0) => opened(5);
        open_with(4, "file", CREATE, READ, 0) => opened(6);
        "fd_write 5 <abc &4" => format!("ok {}", little(3));
        "fd_read 5 [2 &4" => "badf 0000 00000000";
        "fd_write 6 <abc &4" => "badf 00000000";
        "fd_pwrite 6 <abc 0 &4" => "badf 00000000";
        "fd_filestat_set_size 6 0" => "badf";
        "fd_allocate 6 0 10" => "badf";
        "fd_read 6 [2 &4" => format!("ok {} {}", hex("ab"), little(2));
        open_with(3, "a.txt", 0, READ | WRITE, 0) => "rofs 00000000";
        open_with(3, "a.txt", TRUNCATE, READ, 0) => "rofs 00000000";
        open_with(3, "new", CREATE, READ, 0) => "rofs 00000000";
        open_with(3, "data/note.txt", 0, READ, 0) => opened(7);
        "fd_read 7 [9 &4" => format!("ok {} {}", hex("hello\0\0\0\0"), little(5));
    });
}

#[test]
fn seeking() {
    let at = |position: u64| format!("ok {}", little64(position));
    check(&steps! {
        open(4, "file", CREATE) => opened(5);
        "fd_write 5 <abcdef &4" => format!("ok {}", little(6));
        "fd_tell 5 &8" => at(6);
        format!("fd_seek 5 -2 {FROM_HERE} &8") => at(4);
        "fd_read 5 [4 &4" => format!("ok {} {}", hex("ef\0\0"), little(2));
        format!("fd_seek 5 -1 {FROM_END} &8") => at(5);
        format!("fd_seek 5 2 {FROM_START} &8") => at(2);
        format!("fd_seek 5 -3 {FROM_HERE} &8") => "inval 0000000000000000";
        format!("fd_seek 5 -1 {FROM_START} &8") => "inval 0000000000000000";
        "fd_seek 5 0 3 &8" => "inval 0000000000000000";
        format!("fd_seek 5 {} {FROM_HERE} &8", i64::MAX) => "inval 0000000000000000";
        "fd_tell 5 &8" => at(2);
        // Beyond the end: nothing to read there, and writing fills the gap with zeroes.
        format!("fd_seek 5 10 {FROM_START} &8") => at(10);
        "fd_read 5 [1 &4" => "ok 00 00000000";
        "fd_write 5 <z &4" => format!("ok {}", little(1));
        "fd_pread 5 [12 0 &4" => format!("ok {} {}", hex("abcdef\0\0\0\0z\0"), little(11));
        format!("fd_seek 5 {} {FROM_START} &8", i64::MAX) => at(i64::MAX as u64);
        "fd_write 5 <z &4" => "nospc 00000000";
        format!("fd_pwrite 5 <zz {} &4", u64::MAX) => "fbig 00000000";
        format!("fd_pread 5 [1 {} &4", u64::MAX) => "ok 00 00000000";
        "fd_seek 4 0 1 &8" => "isdir 0000000000000000";
        "fd_seek 0 0 1 &8" => "spipe 0000000000000000";
        "fd_tell 1 &8" => "spipe 0000000000000000";
        "fd_tell 9 &8" => "badf 0000000000000000";
    });
}

#[test]
fn reading_and_writing_at_a_place_moves_nothing() {
    check(&steps! {
        open(4, "file", CREATE) => opened(5);
        "fd_pwrite 5 <world 6 &4" => format!("ok {}", little(5));
        "fd_pwrite 5 <hello 0 &4" => format!("ok {}", little(5));
        "fd_tell 5 &8" => format!("ok {}", little64(0));
        "fd_pread 5 [11 0 &4" => format!("ok {} {}", hex("hello\0world"), little(11));
        "fd_pread 5 [4 9 &4" => format!("ok {} {}", hex("ld\0\0"), little(2));
        "fd_tell 5 &8" => format!("ok {}", little64(0));
    });
}

#[test]
fn appending() {
    check(&steps! {
        open_with(4, "file", CREATE, READ | WRITE, 1) => opened(5);
        "fd_write 5 <ab &4" => format!("ok {}", little(2));
        "fd_seek 5 0 0 &8" => format!("ok {}", little64(0));
        "fd_write 5 <cd &4" => format!("ok {}", little(2));
        "fd_pread 5 [4 0 &4" => format!("ok {} {}", hex("abcd"), little(4));
        "fd_tell 5 &8" => format!("ok {}", little64(4));
        "fd_fdstat_set_flags 5 0" => "ok";
        "fd_seek 5 0 0 &8" => format!("ok {}", little64(0));
        "fd_write 5 <X &4" => format!("ok {}", little(1));
        "fd_pread 5 [4 0 &4" => format!("ok {} {}", hex("Xbcd"), little(4));
        "fd_fdstat_set_flags 5 32" => "inval";
    });
}

#[test]
fn sizes() {
    check(&steps! {
        open(4, "file", CREATE) => opened(5);
        "fd_write 5 <abc &4" => format!("ok {}", little(3));
        "fd_filestat_set_size 5 5" => "ok";
        "fd_pread 5 [6 0 &4" => format!("ok {} {}", hex("abc\0\0\0"), little(5));
        "fd_filestat_set_size 5 1" => "ok";
        "fd_filestat_set_size 5 2" => "ok";
        "fd_pread 5 [3 0 &4" => format!("ok {} {}", hex("a\0\0"), little(2));
        // Allocation grows and never shrinks.
        "fd_allocate 5 2 2" => "ok";
        "fd_allocate 5 0 1" => "ok";
        "fd_pread 5 [5 0 &4" => format!("ok {} {}", hex("a\0\0\0\0"), little(4));
        format!("fd_allocate 5 {} 2", u64::MAX) => "inval";
        "fd_filestat_set_size 4 0" => "isdir";
        "fd_filestat_set_size 1 0" => "spipe";
    });
}
