//! Paths: none leads out.

use crate::{CREATE, READ, check, open, open_with, opened, steps};

fn stat(folder: u32, path: &str) -> String {
    format!("path_filestat_get {folder} 0 '{path} ={}", "00".repeat(64))
}

#[test]
fn no_path_leads_out() {
    let escapes = [
        "..",
        "../",
        "../tmp",
        "../etc/passwd",
        "a/../..",
        "a/../../a",
        "./..",
        "a/./../..//x",
        "/",
        "/etc/passwd",
        "//",
        "/tmp",
        "/a/..",
    ];
    let mut steps = Vec::from(
        steps! { "path_create_directory 4 'a" => "ok"; open_with(4, "a", 0, READ, 0) => opened(5); },
    );
    for path in escapes {
        steps.extend(steps! {
            stat(4, path) => "perm";
            stat(3, &path.replace('a', "data")) => "perm";
            open(4, path, CREATE) => "perm 00000000";
            format!("path_create_directory 4 '{path}") => "perm";
            format!("path_remove_directory 4 '{path}") => "perm";
            format!("path_unlink_file 4 '{path}") => "perm";
            format!("path_rename 4 'a 4 '{path}") => "perm";
            format!("path_rename 4 '{path} 4 'b") => "perm";
            format!("path_filestat_set_times 4 0 '{path} 0 0 5") => "perm";
        });
    }
    // A folder is a root to a program that holds nothing else.
    steps.extend(
        steps! { stat(5, "..") => "perm"; stat(5, "../a") => "perm"; open(5, "../x", CREATE) => "perm 00000000"; },
    );
    check(&steps);
}

#[test]
fn spellings_of_one_path() {
    let mut steps = Vec::from(steps! {
        "path_create_directory 4 'a" => "ok";
        "path_create_directory 4 'a/b" => "ok";
        open(4, "a/b/c", CREATE) => opened(5);
    });
    for path in [
        "a/b/c",
        "./a/b/c",
        "a//b///c",
        "a/./b/./c",
        "a/b/../b/c",
        "a/../a/b/c",
    ] {
        let exists = "exist 00000000";
        steps.extend(steps! { open(4, path, CREATE | crate::EXCLUSIVE) => exists; });
    }
    steps.extend(steps! {
        "path_create_directory 4 'a/b/.." => "exist";
        "path_create_directory 4 '." => "exist";
        open(4, "a/x/../b/c", 0) => "noent 00000000";
        open(4, "a/b/c/../c", 0) => "notdir 00000000";
    });
    check(&steps);
}

#[test]
fn names_that_are_none() {
    let (longest, too_long) = ("n".repeat(255), "n".repeat(256));
    let deep = "d/".repeat(513);
    let at_limit = "./".repeat(511) + "ok";
    check(&steps! {
        stat(4, "") => "noent";
        open(4, "", CREATE) => "noent 00000000";
        "path_create_directory 4 '" => "noent";
        open(4, "a%00b", CREATE) => "inval 00000000";
        open(4, "%00", CREATE) => "inval 00000000";
        open(4, "a%ff", CREATE) => "ilseq 00000000";
        open(4, &longest, CREATE) => opened(5);
        open(4, &too_long, CREATE) => "nametoolong 00000000";
        open(4, &too_long, 0) => "nametoolong 00000000";
        stat(3, &too_long) => "nametoolong";
        format!("path_rename 4 '{longest} 4 '{too_long}") => "nametoolong";
        format!("path_create_directory 4 '{too_long}") => "nametoolong";
        format!("path_create_directory 4 '{too_long}/x") => "nametoolong";
        stat(4, &deep) => "nametoolong";
        format!("path_symlink '{deep} 4 'x") => "nametoolong";
        open(4, &at_limit, CREATE) => opened(6);
        // White space, quotes and other scripts are names like any other.
        open(4, "%20%0a%09%22%5c%c3%a4", CREATE) => opened(7);
        stat(4, "%20%0a%09%22%5c%c3%a4") => "ok";
    });
}
