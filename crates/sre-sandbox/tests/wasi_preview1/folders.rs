//! Making, moving and removing.

use crate::{CREATE, READ, check, hex, little, open, open_with, opened, steps};

#[test]
fn making_and_removing_folders() {
    check(&steps! {
        "path_create_directory 4 'a" => "ok";
        "path_create_directory 4 'a" => "exist";
        "path_create_directory 4 'a/" => "exist";
        "path_create_directory 4 'a/b/c" => "noent";
        "path_create_directory 4 'a/b/" => "ok";
        "path_remove_directory 4 'a" => "notempty";
        open(4, "a/b/file", CREATE) => opened(5);
        "path_create_directory 4 'a/b/file" => "exist";
        "path_create_directory 4 'a/b/file/x" => "notdir";
        "path_remove_directory 4 'a/b/file" => "notdir";
        "path_unlink_file 4 'a/b" => "isdir";
        "path_unlink_file 4 'a/b/file/" => "notdir";
        "path_unlink_file 4 'a/b/file" => "ok";
        "path_unlink_file 4 'a/b/file" => "noent";
        "path_remove_directory 4 'a/b/" => "ok";
        "path_remove_directory 4 'a" => "ok";
        "path_remove_directory 4 '." => "busy";
        "path_remove_directory 4 'x/.." => "noent";
        "path_create_directory 3 'x" => "rofs";
        "path_remove_directory 3 'data" => "rofs";
        "path_unlink_file 3 'a.txt" => "rofs";
        "path_unlink_file 3 'missing" => "noent";
    });
}

#[test]
fn a_removed_folder_takes_nothing_in() {
    check(&steps! {
        "path_create_directory 4 'a" => "ok";
        open_with(4, "a", 0, READ, 0) => opened(5);
        open(4, "file", CREATE) => opened(6);
        "path_remove_directory 4 'a" => "ok";
        open(5, "x", CREATE) => "noent 00000000";
        "path_create_directory 5 'x" => "noent";
        "path_rename 4 'file 5 'x" => "noent";
        "fd_readdir 5 @64 0 &4" => format!("ok {}{}{}{}{} {}",
            "0100000000000000", "0500000001000000", "01000000", "03000000", hex(".") + &dotdot(), little(51)) ;
        "fd_close 5" => "ok";
        open_with(4, "file", 0, READ, 0) => opened(5);
    });
}

/// The rest of a listing of an empty folder with inode 2³² + 5, in a buffer of 64 bytes.
fn dotdot() -> String {
    format!(
        "0200000000000000050000000100000002000000030000002e2e{}",
        "00".repeat(64 - 51)
    )
}

#[test]
fn a_removed_file_lives_while_it_is_open() {
    check(&steps! {
        open(4, "file", CREATE) => opened(5);
        "fd_write 5 <abc &4" => format!("ok {}", little(3));
        "path_unlink_file 4 'file" => "ok";
        "path_filestat_get 4 0 'file =00" => "noent";
        "fd_pread 5 [3 0 &4" => format!("ok {} {}", hex("abc"), little(3));
        "fd_write 5 <def &4" => format!("ok {}", little(3));
        open(4, "file", CREATE) => opened(6);
        "fd_pread 6 [1 0 &4" => "ok 00 00000000";
        "fd_pread 5 [6 0 &4" => format!("ok {} {}", hex("abcdef"), little(6));
        "fd_close 5" => "ok";
        "fd_close 5" => "badf";
    });
}

#[test]
fn renaming() {
    check(&steps! {
        open(4, "one", CREATE) => opened(5);
        "fd_write 5 <1 &4" => format!("ok {}", little(1));
        open(4, "two", CREATE) => opened(6);
        "fd_write 6 <2 &4" => format!("ok {}", little(1));
        "path_create_directory 4 'a" => "ok";
        "path_create_directory 4 'a/b" => "ok";
        "path_create_directory 4 'empty" => "ok";
        // Over a file, over itself, from nowhere.
        "path_rename 4 'one 4 'two" => "ok";
        "fd_pread 6 [1 0 &4" => format!("ok {} {}", hex("2"), little(1));
        open_with(4, "two", 0, READ, 0) => opened(7);
        "fd_read 7 [1 &4" => format!("ok {} {}", hex("1"), little(1));
        "path_rename 4 'two 4 'two" => "ok";
        "path_rename 4 'one 4 'x" => "noent";
        "path_rename 4 'two 4 'x/y" => "noent";
        "path_rename 4 'two 4 'x/" => "notdir";
        // Files and folders do not replace each other, nor a folder one with something in it.
        "path_rename 4 'two 4 'empty" => "isdir";
        "path_rename 4 'empty 4 'two" => "notdir";
        "path_rename 4 'empty 4 'a" => "notempty";
        "path_rename 4 'a/b 4 'a" => "notempty";
        // A folder does not go into itself.
        "path_rename 4 'a 4 'a/b/c" => "inval";
        "path_rename 4 'a 4 'a/c" => "inval";
        "path_rename 4 'a 4 'a" => "ok";
        "path_rename 4 'a 4 '." => "busy";
        "path_rename 4 '. 4 'a/x" => "busy";
        // Over an empty folder, and then what was inside is there.
        "path_rename 4 'a 4 'empty/" => "ok";
        "path_remove_directory 4 'empty/b" => "ok";
        "path_rename 3 'a.txt 4 'x" => "rofs";
        "path_rename 4 'two 3 'x" => "xdev";
        "path_rename 99 'a.txt 4 'x" => "badf";
    });
}

#[test]
fn symbolic_links_resolve_within_the_virtual_root() {
    let stat = |path: &str, flags: u32| {
        format!("path_filestat_get 4 {flags} '{path} ={}", "00".repeat(64))
    };
    let follow = |path: &str| stat(path, 1);
    check(&steps! {
        open(4, "file", CREATE) => opened(5);
        "fd_write 5 <abc &4" => format!("ok {}", little(3));
        "path_create_directory 4 'a" => "ok";
        "path_symlink '../file 4 'a/up" => "ok";
        "path_symlink 'a 4 'folder" => "ok";
        "path_symlink 'a 4 'folder" => "exist";
        "path_symlink '%00 4 'x" => "inval";
        "path_symlink ' 4 'x" => "noent";
        "path_readlink 4 'a/up @8 &4" => format!("ok {}00 {}", hex("../file"), little(7));
        "path_readlink 4 'a/up @4 &4" => format!("ok {} {}", hex("../f"), little(4));
        "path_readlink 4 'file @4 &4" => "inval 00000000 00000000";
        // Links on the way and at the end are followed; `..` in a target is the folder it is in.
        open_with(4, "folder/up", 0, READ, 0) => "loop 00000000";
        "path_open 4 1 'folder/up 0 2 0 0 &4" => opened(6);
        "fd_read 6 [3 &4" => format!("ok {} {}", hex("abc"), little(3));
        // One that dangles is made by opening it, unless it must be new.
        "path_symlink 'new 4 'dangling" => "ok";
        "path_open 4 1 'dangling 5 66 0 0 &4" => "exist 00000000";
        "path_open 4 1 'dangling 0 66 0 0 &4" => "noent 00000000";
        "path_open 4 1 'dangling 1 66 0 0 &4" => opened(7);
        follow("new") => "ok";
        // Loops end.
        "path_symlink 'two 4 'one" => "ok";
        "path_symlink 'one 4 'two" => "ok";
        follow("one") => "loop";
        follow("one/x") => "loop";
        stat("one", 0) => "ok";
        "path_symlink '. 4 'self" => "ok";
        follow(&"self/".repeat(40)) => "ok";
        follow(&"self/".repeat(41)) => "loop";
        // The package is there for them, the host is not, and what they lead to is read-only still.
        "path_symlink '../skill/data/note.txt 4 'note" => "ok";
        "path_open 4 1 'note 0 2 0 0 &4" => opened(8);
        "fd_read 8 [5 &4" => format!("ok {} {}", hex("hello"), little(5));
        "path_open 4 1 'note 0 66 0 0 &4" => "rofs 00000000";
        "path_symlink '../../../../skill/a.txt 4 'high" => "ok";
        follow("high") => "ok";
        "path_symlink '../../etc/passwd 4 'passwd" => "ok";
        follow("passwd") => "noent";
        "path_open 4 1 'passwd 1 66 0 0 &4" => "noent 00000000";
        "path_symlink '../etc 4 'etc" => "ok";
        "path_open 4 1 'etc 1 66 0 0 &4" => "rofs 00000000";
        "path_symlink '/tmp/file 4 'absolute" => "perm";
        // Removing and moving are about the link.
        "path_rename 4 'folder 4 'moved" => "ok";
        "path_unlink_file 4 'moved" => "ok";
        stat("a/up", 0) => "ok";
        "path_remove_directory 4 'note" => "notdir";
    });
}

#[test]
fn hard_links_are_names_of_one_file() {
    check(&steps! {
        open(4, "file", CREATE) => opened(5);
        "path_create_directory 4 'a" => "ok";
        "path_link 4 0 'file 4 'a/name" => "ok";
        "path_link 4 0 'file 4 'a/name" => "exist";
        "path_link 4 0 'a 4 'b" => "perm";
        "path_link 4 0 'none 4 'b" => "noent";
        "path_link 3 0 'a.txt 4 'b" => "xdev";
        "path_link 4 0 'file 3 'b" => "rofs";
        "path_link 4 0 'file 4 'b/" => "noent";
        // As POSIX has it, moving one name over another of the same file does nothing.
        "path_rename 4 'file 4 'a/name" => "ok";
        "path_unlink_file 4 'file" => "ok";
        "fd_write 5 <abc &4" => format!("ok {}", little(3));
        open(4, "a/name", 0) => opened(6);
        "fd_read 6 [3 &4" => format!("ok {} {}", hex("abc"), little(3));
        "path_unlink_file 4 'a/name" => "ok";
        "fd_pread 6 [3 0 &4" => format!("ok {} {}", hex("abc"), little(3));
        "path_remove_directory 4 'a" => "ok";
    });
}

/// 3,900 folders, each inside the one before: moving the first walks all of them.
#[test]
fn deep_folders_are_moved() {
    let mut steps = Vec::from(
        steps! { "path_create_directory 4 'd" => "ok"; open_with(4, "d", 0, READ, 0) => opened(5); },
    );
    for _ in 0..1_950 {
        steps.extend(steps! {
            "path_create_directory 5 'd" => "ok";
            open_with(5, "d", 0, READ, 0) => opened(6);
            "fd_close 5" => "ok";
            "path_create_directory 6 'd" => "ok";
            open_with(6, "d", 0, READ, 0) => opened(5);
            "fd_close 6" => "ok";
        });
    }
    steps.extend(steps! {
        "path_rename 4 'd 5 'x" => "inval";
        "path_rename 4 'd 4 'e" => "ok";
    });
    let profile = crate::common::profile_with(serde_json::json!({"output_limit_bytes": 8 << 20}));
    crate::check_under(&profile, &steps);
}
