//! What holds a guest, as its own process sees it right before it becomes the guest.
//!
//! Nothing here is assumed: the process reads its status, maps, mounts, cgroups and namespaces from
//! `/proc`, refuses to go on if one of the layers that every jail has is missing, and sends what it
//! read to the host for the result.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsFd;

use crate::spec::{GUEST_ID, HOME_FOLDER, WORKSPACE_FOLDER};
use crate::sys::file;

/// The namespaces a jail has of its own, by their names in `/proc/self/ns`.
pub const NAMESPACES: [&str; 8] = ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup", "time"];

/// Mounts that a guest may write to. In `/proc` these are its own entries.
const WRITABLE_PLACES: [&str; 4] = ["/proc", "/tmp", WORKSPACE_FOLDER, HOME_FOLDER];

/// What a process found when it looked at itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Measured {
    /// `NoNewPrivs` of its status.
    pub no_new_privileges: bool,
    /// `Seccomp` of its status: 2 is a filter.
    pub seccomp_mode: u32,
    /// Capabilities in any of its five sets: 0 where it has none.
    pub capabilities: u64,
    /// The user map: inside, outside (as the launcher counts), how many.
    pub user_map: String,
    /// The group map.
    pub group_map: String,
    /// Mounts by their place, with their options.
    pub mounts: BTreeMap<String, String>,
    /// The cgroups it entered, before its cgroup namespace hid their names.
    pub cgroups: Vec<String>,
    /// The same as the guest sees them: `/` everywhere if its cgroup namespace holds.
    pub visible_cgroups: Vec<String>,
    /// Numbers of its namespaces.
    pub namespaces: BTreeMap<String, String>,
    /// Whether randomised addresses are off.
    pub fixed_addresses: bool,
    /// Landlock's interface version, 0 if the kernel has none.
    pub landlock_version: u32,
}

/// Reads everything as text. `entered` is what `/proc/self/cgroup` said before the cgroup
/// namespace.
pub(crate) fn look_around(entered: &str) -> io::Result<Vec<u8>> {
    let mut found = Vec::with_capacity(16 << 10);
    found.extend_from_slice(b"\0entered\n");
    found.extend_from_slice(entered.as_bytes());
    // Seen from here, paths are short to walk.
    let own = fs::File::open("/proc/self")?;
    for name in ["status", "uid_map", "gid_map", "mountinfo", "cgroup"] {
        found.push(0);
        found.extend_from_slice(name.as_bytes());
        found.push(b'\n');
        file::append_file(own.as_fd(), name.as_bytes(), &mut found)?;
    }
    found.extend_from_slice(b"\0ns\n");
    for name in NAMESPACES {
        let link = file::read_link(own.as_fd(), format!("ns/{name}").as_bytes())?;
        found.extend_from_slice(name.as_bytes());
        found.push(b' ');
        found.extend_from_slice(&link);
        found.push(b'\n');
    }
    let landlock = crate::sys::landlock::version();
    let personality = crate::sys::process::personality();
    found.extend_from_slice(
        format!("\0other\nlandlock {landlock}\npersonality {personality:x}\n").as_bytes(),
    );
    Ok(found)
}

/// The namespaces of this process, for comparison.
pub(crate) fn own_namespaces() -> BTreeMap<String, String> {
    let link = |name: &str| fs::read_link(format!("/proc/self/ns/{name}")).ok();
    let named = |name: &&str| Some(((*name).to_owned(), link(name)?.display().to_string()));
    NAMESPACES.iter().filter_map(named).collect()
}

impl Measured {
    /// Reads what `look_around` wrote. What is missing there is missing here.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut measured = Self::default();
        for part in text.split('\0') {
            let Some((name, content)) = part.split_once('\n') else {
                continue;
            };
            match name {
                "status" => measured.read_status(content),
                "uid_map" => measured.user_map = words(content),
                "gid_map" => measured.group_map = words(content),
                "mountinfo" => measured.mounts = content.lines().filter_map(mount).collect(),
                "entered" => measured.cgroups = content.lines().map(str::to_owned).collect(),
                "cgroup" => measured.visible_cgroups = content.lines().map(str::to_owned).collect(),
                "ns" => {
                    let pairs = content.lines().filter_map(|line| line.split_once(' '));
                    measured.namespaces = pairs
                        .map(|(name, id)| (name.to_owned(), id.to_owned()))
                        .collect();
                }
                "other" => measured.read_other(content),
                _ => {}
            }
        }
        measured
    }

    fn read_status(&mut self, status: &str) {
        for line in status.lines() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name {
                "NoNewPrivs" => self.no_new_privileges = value == "1",
                "Seccomp" => self.seccomp_mode = value.parse().unwrap_or(0),
                "CapInh" | "CapPrm" | "CapEff" | "CapBnd" | "CapAmb" => {
                    self.capabilities |= u64::from_str_radix(value, 16).unwrap_or(u64::MAX);
                }
                _ => {}
            }
        }
    }

    fn read_other(&mut self, content: &str) {
        for (name, value) in content.lines().filter_map(|line| line.split_once(' ')) {
            match name {
                "landlock" => self.landlock_version = value.parse().unwrap_or(0),
                "personality" => {
                    let bits = u32::from_str_radix(value, 16).unwrap_or(0);
                    self.fixed_addresses = bits & libc::ADDR_NO_RANDOMIZE as u32 != 0;
                }
                _ => {}
            }
        }
    }

    /// Whether the layers hold that no jail goes without; else which one does not.
    ///
    /// # Errors
    /// The first layer that is missing, in words.
    pub fn check(&self) -> Result<(), String> {
        let must = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
        must(self.no_new_privileges, "no_new_privs is off")?;
        must(self.seccomp_mode == 2, "there is no seccomp filter")?;
        must(self.capabilities == 0, "there are capabilities left")?;
        let inside = format!("{GUEST_ID} ");
        let is_single = |map: &str| map.starts_with(&inside) && map.ends_with(" 1");
        must(
            is_single(&self.user_map),
            "the user map has more than the guest",
        )?;
        must(
            is_single(&self.group_map),
            "the group map has more than the guest",
        )?;
        must(!self.mounts.is_empty(), "the mounts cannot be read")?;
        for (place, options) in &self.mounts {
            let has = |option: &str| options.split(',').any(|found| found == option);
            must(has("nosuid"), &format!("{place} allows set-uid programs"))?;
            must(
                has("ro") || WRITABLE_PLACES.contains(&&**place),
                &format!("{place} is mounted writable"),
            )?;
            must(
                has("nodev") || place.starts_with("/dev/"),
                &format!("{place} allows devices"),
            )?;
        }
        let foreign = |line: &&String| !line.ends_with(":/");
        match self.visible_cgroups.iter().find(foreign) {
            Some(line) => Err(format!("the cgroup namespace shows {line}")),
            None => Ok(()),
        }
    }

    /// The namespaces that differ from this process's own: those that isolate.
    #[must_use]
    pub fn isolated_namespaces(&self) -> Vec<String> {
        let own = own_namespaces();
        let isolated = |name: &&&str| match (self.namespaces.get(**name), own.get(**name)) {
            (Some(inside), Some(outside)) => inside != outside,
            _ => false,
        };
        NAMESPACES
            .iter()
            .filter(isolated)
            .map(|name| (*name).to_owned())
            .collect()
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The place of a mount, and its own options and those of its file system. Later mounts on one
/// place win.
fn mount(line: &str) -> Option<(String, String)> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(4);
    let (place, options) = (fields.next()?, fields.next()?);
    let kind = file_system.split(' ').next()?;
    Some((place.to_owned(), format!("{options},{kind}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\0status\nNoNewPrivs:\t1\nSeccomp:\t2\nCapInh:\t0\nCapPrm:\t0\nCapEff:\t0\nCapBnd:\t0\n\
        \0uid_map\n      1000          7          1\n\0gid_map\n 1000 7 1\n\
        \0mountinfo\n1 0 0:1 / / ro,nosuid,nodev - tmpfs none rw\n2 1 0:2 / /tmp rw,nosuid,nodev - tmpfs none rw\n\
        \0cgroup\n1:memory:/\n0::/\n";

    #[test]
    fn what_is_whole_passes_and_each_missing_layer_is_named() {
        assert_eq!(Measured::parse(GOOD.as_bytes()).check(), Ok(()));
        let spoilt = [
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "no_new_privs"),
            ("Seccomp:\t2", "Seccomp:\t0", "seccomp"),
            ("CapBnd:\t0", "CapBnd:\t80", "capabilities"),
            ("CapBnd:\t0", "CapBnd:\tnonsense", "capabilities"),
            (
                "     1000          7          1",
                " 0 0 4294967295",
                "user map",
            ),
            (" 1000 7 1", " 1000 7 2", "group map"),
            ("/ / ro,nosuid", "/ / rw,nosuid", "/ is mounted writable"),
            ("/tmp rw,nosuid", "/tmp rw", "/tmp allows set-uid"),
            ("memory:/", "memory:/other", "cgroup namespace"),
        ];
        for (from, to, named) in spoilt {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD, "{from}");
            let error = Measured::parse(text.as_bytes()).check().expect_err(named);
            assert!(error.contains(named), "{error} does not name {named}");
        }
        assert!(Measured::parse(b"").check().is_err());
    }
}
