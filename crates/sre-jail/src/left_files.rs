//! What a guest left in its own folders: read by the first process of its jail when nothing else of
//! the jail is alive, and sent to the host through a pipe.
//!
//! The host trusts nothing of what comes: lengths are checked against what is there, and only a
//! list that was written to its end counts.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::spec::{
    HOME_FOLDER, ProcessSpec, WORKSPACE_FOLDER, WritableContent, WritableFile, WritableFiles,
};
use crate::wire::{Reader, Writer};

const END: u64 = 0;
const FILE: u64 = 1;
const EXECUTABLE: u64 = 2;
const LINK: u64 = 3;
const LEFT_OUT: u64 = 4;
const TOO_LARGE: u64 = 5;

/// Bytes of an entry besides its path and its content.
const ENTRY_BYTES: u64 = 64;

/// Longest path that is sent, in bytes: what the kernel takes.
const PATH_BYTES: u64 = 4096;

/// What a guest left in its own folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftFiles {
    /// Below [`WORKSPACE_FOLDER`], in no particular order.
    pub workspace: Vec<WritableFile>,
    /// Below [`HOME_FOLDER`].
    pub home: Vec<WritableFile>,
    /// What is neither a file, a folder nor a link, or has a name that is not UTF-8: where it is,
    /// and what.
    pub left_out: Vec<(&'static str, String)>,
    /// Whether there was more than the limits allow; then nothing else is here.
    pub is_too_large: bool,
}

/// Which folders are reported, and how much.
#[derive(Debug, Clone, Copy)]
pub struct Reported {
    workspace: bool,
    home: bool,
    bytes: u64,
    count: u64,
}

impl Reported {
    /// What `spec` asks for; `None` if that is nothing.
    pub fn of(spec: &ProcessSpec) -> Option<Self> {
        let WritableFiles {
            report_workspace,
            report_home,
            ..
        } = spec.writable;
        (report_workspace || report_home).then_some(Self {
            workspace: report_workspace,
            home: report_home,
            bytes: spec.limits.files_bytes,
            count: spec.limits.files_count,
        })
    }

    /// Most that is sent, in bytes.
    pub fn longest_message(self) -> usize {
        let names = self.count.saturating_mul(2 * PATH_BYTES + ENTRY_BYTES);
        usize::try_from(self.bytes.saturating_add(names)).unwrap_or(usize::MAX)
    }

    /// Reads the folders and writes what they hold to `to`. For the first process of a jail, when
    /// no other is alive: nothing changes meanwhile.
    pub fn send(self, to: OwnedFd) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(64 << 10, File::from(to));
        let mut room = Room {
            bytes: self.bytes,
            count: self.count,
        };
        for (is_reported, folder, number) in [
            (self.workspace, WORKSPACE_FOLDER, 0),
            (self.home, HOME_FOLDER, 1),
        ] {
            if is_reported && !send_folder(&mut out, folder, number, &mut room)? {
                write_numbers(&mut out, &[TOO_LARGE])?;
                break;
            }
        }
        write_numbers(&mut out, &[END])?;
        out.flush()
    }
}

/// What may still be sent.
struct Room {
    bytes: u64,
    count: u64,
}

impl Room {
    /// Whether one more name with so many bytes has room.
    fn take(&mut self, bytes: u64) -> bool {
        match (self.bytes.checked_sub(bytes), self.count.checked_sub(1)) {
            (Some(bytes), Some(count)) => {
                (self.bytes, self.count) = (bytes, count);
                true
            }
            _ => false,
        }
    }
}

/// Writes one folder; whether it had room. Sizes are looked at before anything is read: a sparse
/// file may say that it has a terabyte.
fn send_folder(out: &mut impl Write, root: &str, number: u64, room: &mut Room) -> io::Result<bool> {
    let mut folders = vec![(PathBuf::from(root), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let entries = match readable(&folder, 0o700, |path| fs::read_dir(path)) {
            Ok(entries) => entries,
            // Too deep for a path of the kernel's.
            Err(error) => {
                send_left_out(out, number, &format!("{prefix}: {error}"))?;
                continue;
            }
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                let name = entry.file_name().to_string_lossy().into_owned();
                send_left_out(
                    out,
                    number,
                    &format!("{prefix}{name}: a name that is not UTF-8"),
                )?;
                continue;
            };
            let (path, kind) = (format!("{prefix}{name}"), entry.file_type()?);
            let place = entry.path();
            if kind.is_dir() {
                if !room.take(0) {
                    return Ok(false);
                }
                folders.push((place, format!("{path}/")));
            } else if kind.is_file() {
                let metadata = entry.metadata()?;
                if !room.take(metadata.len()) {
                    return Ok(false);
                }
                let mode = metadata.permissions().mode();
                let kind = if mode & 0o100 == 0 { FILE } else { EXECUTABLE };
                let file = readable(&place, 0o600, |path| File::open(path))?;
                let mut head = Writer(Vec::with_capacity(path.len() + 64));
                head.number(kind);
                head.number(number);
                head.bytes(path.as_bytes());
                head.number(metadata.len());
                out.write_all(&head.0)?;
                let sent = io::copy(&mut file.take(metadata.len()), out)?;
                if sent != metadata.len() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            } else if kind.is_symlink() {
                let target = fs::read_link(&place)?;
                match target.into_os_string().into_string() {
                    Ok(target) if room.take(0) => {
                        let mut entry = Writer(Vec::new());
                        entry.number(LINK);
                        entry.number(number);
                        entry.bytes(path.as_bytes());
                        entry.bytes(target.as_bytes());
                        out.write_all(&entry.0)?;
                    }
                    Ok(_) => return Ok(false),
                    Err(_) => send_left_out(
                        out,
                        number,
                        &format!("{path}: a link to a name that is not UTF-8"),
                    )?,
                }
            } else {
                send_left_out(out, number, &format!("{path}: neither a file nor a link"))?;
            }
        }
    }
    Ok(true)
}

/// Opens what the guest may have made unreadable for itself.
fn readable<T>(
    path: &std::path::Path,
    mode: u32,
    open: impl Fn(&std::path::Path) -> io::Result<T>,
) -> io::Result<T> {
    match open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
            open(path)
        }
        opened => opened,
    }
}

fn send_left_out(out: &mut impl Write, number: u64, what: &str) -> io::Result<()> {
    let mut entry = Writer(Vec::new());
    entry.number(LEFT_OUT);
    entry.number(number);
    entry.bytes(what.as_bytes());
    out.write_all(&entry.0)
}

fn write_numbers(out: &mut impl Write, numbers: &[u64]) -> io::Result<()> {
    let mut writer = Writer(Vec::new());
    numbers.iter().for_each(|&number| writer.number(number));
    out.write_all(&writer.0)
}

impl LeftFiles {
    /// Reads what [`Reported::send`] wrote.
    ///
    /// # Errors
    /// `InvalidData` for anything else, also for a beginning of it.
    pub(crate) fn parse(bytes: &[u8]) -> io::Result<Self> {
        let mut from = Reader(bytes);
        let mut left = Self::default();
        loop {
            let kind = from.number()?;
            match kind {
                END if from.0.is_empty() => {
                    return Ok(if left.is_too_large {
                        Self {
                            is_too_large: true,
                            ..Self::default()
                        }
                    } else {
                        left
                    });
                }
                TOO_LARGE => left.is_too_large = true,
                FILE | EXECUTABLE | LINK | LEFT_OUT => {
                    let number = from.number()?;
                    let path = from.text()?;
                    let content = match kind {
                        LEFT_OUT => {
                            let folder = if number == 0 {
                                WORKSPACE_FOLDER
                            } else {
                                HOME_FOLDER
                            };
                            left.left_out.push((folder, path));
                            continue;
                        }
                        LINK => WritableContent::Link(from.text()?),
                        _ => WritableContent::File {
                            executable: kind == EXECUTABLE,
                            bytes: Arc::from(from.bytes()?),
                        },
                    };
                    let folder = match number {
                        0 => &mut left.workspace,
                        1 => &mut left.home,
                        _ => return Err(io::ErrorKind::InvalidData.into()),
                    };
                    folder.push(WritableFile { path, content });
                }
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
}
