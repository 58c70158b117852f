//! Packages for the tests, written by other code than the crate's own.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use sre_skill::{PackageLimits, Skill, SkillError};
use zip::write::{SimpleFileOptions, ZipWriter};

pub(crate) const SKILL_MD: &str = "---
name: word-count
description: Counts words.
license: MIT
version: 1.10
runtime:
  docker_image: python:3.11-slim
  entrypoint: scripts/main.py
  timeout_seconds: 30
io:
  input_schema:
    type: object
    required: [text]
    properties: {text: {type: string}}
  output_schema: {type: object}
annotations:
  readOnlyHint: true
  idempotentHint: true
---
# Word count
";

/// A file to be packed: path, content, executable.
pub(crate) type Entry = (String, Vec<u8>, bool);

pub(crate) fn entry(path: &str, content: impl AsRef<[u8]>) -> Entry {
    (path.to_owned(), content.as_ref().to_vec(), false)
}

pub(crate) fn word_count() -> Vec<Entry> {
    vec![
        entry("SKILL.md", SKILL_MD),
        entry("scripts/main.py", "print(1)\n"),
    ]
}

pub(crate) fn word_count_with(more: Entry) -> Vec<Entry> {
    let mut entries = word_count();
    entries.push(more);
    entries
}

pub(crate) fn limits() -> PackageLimits {
    PackageLimits::default()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One tar header, names written without any check.
pub(crate) fn header(path: &str, kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    assert!(path.len() <= 100);
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(1_700_000_000);
    header.set_cksum();
    header
}

pub(crate) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content, executable) in entries {
        let mode = if *executable { 0o755 } else { 0o644 };
        if path.len() > 100 {
            let long = header(
                "././@LongLink",
                tar::EntryType::GNULongName,
                0o644,
                path.len() as u64 + 1,
            );
            builder
                .append(&long, format!("{path}\0").as_bytes())
                .unwrap();
        }
        let short: String = if path.len() > 100 {
            "long".to_owned()
        } else {
            path.clone()
        };
        builder
            .append(
                &header(&short, tar::EntryType::Regular, mode, content.len() as u64),
                &content[..],
            )
            .unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn tar_gz(entries: &[Entry]) -> Vec<u8> {
    gzip(&tar(entries))
}

/// A tar.gz of the word count and one special entry.
pub(crate) fn tar_gz_special(path: &str, kind: tar::EntryType) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content, _) in word_count() {
        builder
            .append(
                &header(&path, tar::EntryType::Regular, 0o644, content.len() as u64),
                &content[..],
            )
            .unwrap();
    }
    let mut special = header(path, kind, 0o644, 0);
    special.set_link_name("/etc/passwd").unwrap();
    special.as_gnu_mut().unwrap().set_real_size(0);
    special.set_cksum();
    builder.append(&special, &[][..]).unwrap();
    gzip(&builder.into_inner().unwrap())
}

pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content, executable) in entries {
        let mode = if *executable { 0o755 } else { 0o644 };
        writer
            .start_file(
                path.as_str(),
                SimpleFileOptions::default().unix_permissions(mode),
            )
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub(crate) fn folder(root: &Path, entries: &[Entry]) {
    for (path, content, executable) in entries {
        let at = root.join(path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(&at, content).unwrap();
        if *executable {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&at, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

pub(crate) fn open_tar(entries: &[Entry]) -> Result<Skill, SkillError> {
    Skill::from_tar_gz(&tar_gz(entries), &limits())
}

/// Replaces every `from` of equal length, also in the middle of an archive.
pub(crate) fn patch(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut patched = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = patched[at..]
        .windows(from.len())
        .position(|window| window == from)
    {
        patched[at + found..at + found + from.len()].copy_from_slice(to);
        at += found + from.len();
    }
    patched
}

/// A small generator with a fixed seed (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// Does what would never end if a defence failed, and waits for it a long time, but not for ever.
pub(crate) fn ends(what: impl FnOnce() + Send + 'static) {
    let (ended, end) = channel();
    let thread = std::thread::spawn(move || {
        what();
        ended.send(()).expect("somebody waits");
    });
    match end.recv_timeout(Duration::from_secs(300)) {
        Err(RecvTimeoutError::Timeout) => panic!("it never ends"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => thread.join().unwrap(),
    }
}
