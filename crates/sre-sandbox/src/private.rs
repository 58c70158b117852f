//! Folders whose content is believed because no other user can write there.

use std::fs;
use std::io;
use std::path::Path;

/// Makes `folder` and checks that only this user can write into it.
///
/// # Errors
/// `PermissionDenied` if another can, and what the system said.
pub fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    check(folder, 0o077, "must belong to this user alone (chmod 700)")
}

/// Checks that no other user can write into a folder that is there, and that it is no link.
///
/// # Errors
/// As [`make_private`].
#[cfg(all(feature = "native", target_os = "linux"))]
pub fn check_unwritable(folder: &Path) -> io::Result<()> {
    check(
        folder,
        0o022,
        "must belong to this user, and no other may write into it; remove it",
    )
}

#[cfg(unix)]
fn check(folder: &Path, forbidden: u32, must: &str) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(folder)?;
    let own = rustix::process::geteuid().as_raw();
    if metadata.is_dir() && metadata.uid() == own && metadata.mode() & forbidden == 0 {
        Ok(())
    } else {
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("the folder {must}"),
        ))
    }
}

#[cfg(not(unix))]
fn check(folder: &Path, _forbidden: u32, _must: &str) -> io::Result<()> {
    fs::metadata(folder).map(drop)
}
