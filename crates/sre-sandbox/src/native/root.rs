//! The root folder, and its digest.
//!
//! A folder may be a root file system or an OCI image layout, which is unpacked first
//! ([`super::image`]).
//!
//! The host's own `/usr` is not addressed by content: packages are updated, and a commitment can
//! only say which interpreter was used. A folder that the operator names is: its digest covers
//! every name, type, executable bit, link and content.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use sre_core::Digest;
use sre_jail::Root;

use super::image;

/// The folder of the host in which the paths of the jail are.
pub fn folder(root: &Root) -> &Path {
    match root {
        Root::Host => Path::new("/"),
        Root::Folder(folder) => folder,
    }
}

/// A root as jails are made with it, and how commitments name it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The host's, or a root file system.
    pub root: Root,
    /// `host`, or the digest of its tree.
    pub identity: String,
}

/// What an operator named: the host's, a root file system, or an image that is unpacked below
/// `images`.
///
/// # Errors
/// What is wrong with it, and where.
pub fn resolve(named: &Root, images: Option<&Path>) -> Result<Resolved, String> {
    let Root::Folder(folder) = named else {
        return Ok(Resolved {
            root: Root::Host,
            identity: String::from("host"),
        });
    };
    let (folder, digest) = if image::is_layout(folder) {
        let images =
            images.ok_or("there is no folder to unpack an image into; name a cache folder")?;
        image::unpack(folder, images).map_err(|error| error.to_string())?
    } else {
        let digest = digest(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        (folder.clone(), digest)
    };
    Ok(Resolved {
        root: Root::Folder(folder),
        identity: format!("sha256:{digest}"),
    })
}

/// The digest of everything below a folder that a skill could see.
///
/// # Errors
/// When a part of it cannot be read.
pub fn digest(folder: &Path) -> io::Result<String> {
    let mut listing = Vec::new();
    list(folder, folder, &mut listing)?;
    Ok(Digest::of(&listing).to_string())
}

/// The digest of a file of any size.
pub(super) fn digest_of_file(path: &Path) -> io::Result<Digest> {
    let mut hashing = image::Hashing::new(fs::File::open(path)?);
    io::copy(&mut hashing, &mut io::sink())?;
    Ok(hashing.digest())
}

/// Links that are followed on the way to one file.
const LINKS_LIMIT: usize = 40;

/// Links that a jail has too, from its own root on: those of the system for alternatives.
const ALTERNATIVES: &str = "etc/alternatives";

/// The program of the host that a path of the jail is, all links being followed within `root`: no
/// link leads out of it. Nothing is looked at that a jail does not show.
pub fn find(root: &Path, path: &str) -> Option<PathBuf> {
    let parts = |path: &Path| -> Vec<OsString> {
        let names = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        });
        names.collect::<Vec<_>>().into_iter().rev().collect()
    };
    let (mut left, mut place, mut links) = (parts(Path::new(path)), PathBuf::new(), 0);
    while let Some(part) = left.pop() {
        if part == ".." {
            place.pop();
            continue;
        }
        let next = place.join(part);
        if !is_shown(&next) {
            return None;
        }
        match fs::read_link(root.join(&next)) {
            Ok(target) => {
                links += 1;
                if links > LINKS_LIMIT {
                    return None;
                }
                if target.is_absolute() {
                    place = PathBuf::new();
                }
                left.extend(parts(&target));
            }
            Err(_) => place = next,
        }
    }
    if place.starts_with("etc") {
        return None;
    }
    let found = root.join(place);
    let metadata = found.metadata().ok()?;
    (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0).then_some(found)
}

/// One line per entry, sorted by name within each folder: type, executable bit, length of the path,
/// path, digest.
fn list(root: &Path, folder: &Path, listing: &mut Vec<u8>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let metadata = path.symlink_metadata()?;
        let relative = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .as_os_str()
            .as_bytes();
        let mut add = |kind: &str, digest: Option<Digest>| {
            let digest = digest.map_or(String::new(), |digest| digest.to_string());
            listing.extend_from_slice(format!("{kind} {} ", relative.len()).as_bytes());
            listing.extend_from_slice(relative);
            listing.extend_from_slice(format!(" {digest}\n").as_bytes());
        };
        if metadata.is_symlink() {
            add(
                "link",
                Some(Digest::of(fs::read_link(&path)?.as_os_str().as_bytes())),
            );
        } else if metadata.is_dir() {
            add("folder", None);
            list(root, &path, listing)?;
        } else if metadata.is_file() {
            let kind = if metadata.permissions().mode() & 0o111 == 0 {
                "file"
            } else {
                "program"
            };
            add(kind, Some(digest_of_file(&path)?));
        } else {
            // Devices and the like are dead on a mount without devices.
            add("other", None);
        }
    }
    Ok(())
}

/// Whether a path, relative to the root, is in what a jail shows of the root folder, or on the way
/// to a link it has too.
fn is_shown(path: &Path) -> bool {
    let first = path.components().next().map(Component::as_os_str);
    first.is_some_and(Root::shows)
        || path.starts_with(ALTERNATIVES)
        || Path::new(ALTERNATIVES).starts_with(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a skill could see is part of the digest, and nothing else.
    #[test]
    fn the_digest_covers_names_types_bits_links_and_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let identity = |root: &Path| digest(root);
        let path = folder.path().join("usr/a");
        fs::create_dir(folder.path().join("usr")).expect("a folder");
        fs::write(&path, "1").expect("a file");
        let mut known = vec![identity(root).expect("a digest")];
        assert_eq!(identity(root).expect("a digest"), known[0]);
        let mut changed = || {
            let now = identity(root).expect("a digest");
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

    #[test]
    fn no_link_leads_out_of_the_root() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("usr/bin")).expect("a folder");
        fs::create_dir_all(root.join("etc/alternatives")).expect("a folder");
        let program = |path: PathBuf| {
            fs::write(&path, "1").expect("a file");
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
        };
        program(root.join("usr/bin/python3.11"));
        program(folder.path().join("outside"));
        program(root.join("etc/secret"));
        program(root.join("etc/alternatives/tool"));
        fs::write(root.join("usr/bin/text"), "2").expect("a file");
        let links = [
            ("/usr/bin", "bin"),
            ("/usr/bin/python3.11", "usr/bin/python3"),
            ("../../../outside", "usr/out"),
            ("loop", "loop"),
            ("/etc/alternatives/python", "usr/bin/python"),
            ("/usr/bin/python3.11", "etc/alternatives/python"),
            ("/etc/secret", "usr/bin/secret"),
        ];
        for (target, name) in links {
            std::os::unix::fs::symlink(target, root.join(name)).expect("a link");
        }
        assert_eq!(
            find(&root, "/bin/python3"),
            Some(root.join("usr/bin/python3.11"))
        );
        assert_eq!(
            find(&root, "/usr/bin/python"),
            Some(root.join("usr/bin/python3.11"))
        );
        let hidden = [
            "/etc/secret",
            "/usr/bin/secret",
            "/etc/alternatives/tool",
            "/usr/bin/text",
        ];
        for path in ["/usr/out", "/../outside", "/loop", "/loop/x", "/usr", "/no"]
            .into_iter()
            .chain(hidden)
        {
            assert_eq!(find(&root, path), None, "{path}");
        }
    }
}
