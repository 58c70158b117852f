//! Small files of one user, whole or not at all.
#![cfg(unix)]

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sre_durable::{LockFile, LockKind, create_file, private_folder, replace_file};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_and_folders_are_this_users_alone_and_nothing_is_left_beside_them() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("a/b");
    private_folder(&folder).unwrap();
    private_folder(&folder).unwrap();
    assert_eq!(
        (mode(&folder), mode(&root.path().join("a"))),
        (0o700, 0o700)
    );

    let file = folder.join("file");
    assert!(create_file(&file, b"first").unwrap());
    assert!(!create_file(&file, b"second").unwrap());
    assert_eq!(
        (fs::read(&file).unwrap(), mode(&file)),
        (b"first".to_vec(), 0o600)
    );
    // Whatever the old one could be read by.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    replace_file(&file, b"third").unwrap();
    assert_eq!(
        (fs::read(&file).unwrap(), mode(&file)),
        (b"third".to_vec(), 0o600)
    );
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn what_is_in_the_way_stays() {
    let root = tempfile::tempdir().unwrap();
    let (file, folder) = (root.path().join("file"), root.path().join("folder"));
    fs::write(&file, "x").unwrap();
    fs::create_dir(&folder).unwrap();
    assert_eq!(
        private_folder(&file).unwrap_err().kind(),
        ErrorKind::NotADirectory
    );
    assert!(private_folder(&file.join("below")).is_err());
    assert!(replace_file(&folder, b"y").is_err());
    assert!(replace_file(&root.path().join("missing/file"), b"y").is_err());
    assert_eq!(fs::read(&file).unwrap(), b"x");
    assert_eq!(
        fs::read_dir(root.path()).unwrap().count(),
        2,
        "a temporary file is left"
    );
}

#[test]
fn a_lock_keeps_others_out_until_it_is_dropped() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("lock");
    assert_eq!(
        LockFile::is_locked(&path).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let held = LockFile::create(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(
        LockFile::create(&path).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    assert!(LockFile::is_locked(&path).unwrap());
    for kind in [LockKind::Shared, LockKind::Exclusive] {
        assert!(LockFile::try_lock(&path, kind).unwrap().is_none());
    }
    drop(held);
    assert!(!LockFile::is_locked(&path).unwrap());

    let try_lock = |kind| LockFile::try_lock(&path, kind).unwrap();
    let shared = [try_lock(LockKind::Shared), try_lock(LockKind::Shared)];
    assert!(shared.iter().all(Option::is_some));
    assert!(try_lock(LockKind::Exclusive).is_none());
    drop(shared);
    drop(LockFile::lock(&path).unwrap());
    assert!(path.exists());
}
