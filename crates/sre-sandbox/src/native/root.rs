//! The root folder, and its digest.
//!
//! The host's own `/usr` is not addressed by content: packages are updated, and a commitment can only say which
//! interpreter was used. A folder that the operator names is: its digest covers every name, type, executable bit, link
//! and content.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sre_core::Digest;
use sre_jail::Root;

/// The folder of the host in which the paths of the jail are.
pub fn folder(root: &Root) -> &Path {
    match root {
        Root::Host => Path::new("/"),
        Root::Folder(folder) => folder,
    }
}

/// How commitments name the root.
///
/// # Errors
/// When a part of the folder cannot be read.
pub fn identity(root: &Root) -> io::Result<String> {
    match root {
        Root::Host => Ok(String::from("host")),
        Root::Folder(folder) => {
            let mut listing = Vec::new();
            list(folder, folder, &mut listing)?;
            Ok(format!("sha256:{}", Digest::of(&listing)))
        }
    }
}

/// One line per entry, sorted by name within each folder: type, executable bit, length of the path, path, digest.
fn list(root: &Path, folder: &Path, listing: &mut Vec<u8>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let metadata = path.symlink_metadata()?;
        let relative = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_bytes();
        let mut add = |kind: &str, digest: Option<Digest>| {
            let digest = digest.map_or(String::new(), |digest| digest.to_string());
            listing.extend_from_slice(format!("{kind} {} ", relative.len()).as_bytes());
            listing.extend_from_slice(relative);
            listing.extend_from_slice(format!(" {digest}\n").as_bytes());
        };
        if metadata.is_symlink() {
            add("link", Some(Digest::of(fs::read_link(&path)?.as_os_str().as_bytes())));
        } else if metadata.is_dir() {
            add("folder", None);
            list(root, &path, listing)?;
        } else if metadata.is_file() {
            let kind = if metadata.permissions().mode() & 0o111 == 0 { "file" } else { "program" };
            add(kind, Some(Digest::of(&fs::read(&path)?)));
        } else {
            // Devices and the like are dead on a mount without devices.
            add("other", None);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a skill could see is part of the digest, and nothing else.
    #[test]
    fn the_digest_covers_names_types_bits_links_and_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Root::Folder(folder.path().into());
        let path = folder.path().join("usr/a");
        fs::create_dir(folder.path().join("usr")).expect("a folder");
        fs::write(&path, "1").expect("a file");
        let mut known = vec![identity(&root).expect("a digest")];
        assert_eq!(identity(&root).expect("a digest"), known[0]);
        let mut changed = || {
            let now = identity(&root).expect("a digest");
            assert!(!known.contains(&now));
            known.push(now);
        };
        fs::write(&path, "2").expect("a file");
        changed();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        changed();
        fs::rename(&path, folder.path().join("usr/b")).expect("a name");
        changed();
        std::os::unix::fs::symlink("b", &path).expect("a link");
        changed();
        fs::create_dir(folder.path().join("usr/c")).expect("a folder");
        changed();
    }
}
