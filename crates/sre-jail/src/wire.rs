//! How an order travels from the host to the first process of its jail: one memory file, written
//! once and sealed.
//!
//! Numbers are 64 bits, little endian; texts and contents carry their length. The reader trusts
//! nothing: lengths are checked against what is there. Both sides are the same program, so there is
//! no version to agree on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::spec::{
    ClockAndSeed, File, Limits, PACKAGE_FOLDER, ProcessSpec, WORKSPACE_FOLDER, WritableContent,
    WritableFile, WritableFiles,
};

/// Stands for "no limit".
const NO_LIMIT: u64 = u64::MAX;

/// The order as bytes. Standard input is not part of it: the guest gets that as a file of its own.
pub fn encode(spec: &ProcessSpec, is_held: bool) -> Vec<u8> {
    let package = spec
        .files
        .iter()
        .map(|file| file.bytes.len() + file.path.len() + 32);
    let own = spec.writable.workspace.iter().chain(&spec.writable.home);
    let own = own.map(|file| content_length(&file.content) + file.path.len() + 32);
    let content: usize = package.chain(own).sum();
    let environment: usize = spec
        .environment
        .iter()
        .map(|(name, value)| name.len() + value.len() + 16)
        .sum();
    let mut out = Writer(Vec::with_capacity(content + environment + 1024));
    out.bytes(spec.program.as_bytes());
    out.number(spec.arguments.len() as u64);
    for argument in &spec.arguments {
        out.bytes(argument.as_bytes());
    }
    out.number(spec.environment.len() as u64);
    for (name, value) in &spec.environment {
        out.bytes(name.as_bytes());
        out.bytes(value.as_bytes());
    }
    out.number(spec.file_time_s as u64);
    for number in limit_numbers(&spec.limits) {
        out.number(number);
    }
    out.number(u64::from(spec.determinism.is_some()));
    if let Some(determinism) = &spec.determinism {
        out.number(determinism.clock_start_ns);
        out.bytes(&determinism.seed);
    }
    out.number(u64::from(is_held));
    out.number(spec.files.len() as u64);
    for file in &spec.files {
        out.bytes(file.path.as_bytes());
        out.number(u64::from(file.executable));
        out.bytes(&file.bytes);
    }
    out.number(u64::from(spec.working_folder == WORKSPACE_FOLDER));
    out.number(u64::from(spec.writable.report_workspace));
    out.number(u64::from(spec.writable.report_home));
    for files in [&spec.writable.workspace, &spec.writable.home] {
        out.number(files.len() as u64);
        for file in files {
            out.bytes(file.path.as_bytes());
            match &file.content {
                WritableContent::File { bytes, executable } => {
                    out.number(if *executable { EXECUTABLE } else { FILE });
                    out.bytes(bytes);
                }
                WritableContent::Link(target) => {
                    out.number(LINK);
                    out.bytes(target.as_bytes());
                }
            }
        }
    }
    out.0
}

// What a file of the guest's own folders is.
const FILE: u64 = 0;
const EXECUTABLE: u64 = 1;
const LINK: u64 = 2;

fn content_length(content: &WritableContent) -> usize {
    match content {
        WritableContent::File { bytes, .. } => bytes.len(),
        WritableContent::Link(target) => target.len(),
    }
}

fn writable_file(from: &mut Reader<'_>) -> io::Result<WritableFile> {
    let path = from.text()?;
    let kind = from.number()?;
    let content = match kind {
        FILE | EXECUTABLE => WritableContent::File {
            executable: kind == EXECUTABLE,
            bytes: Arc::from(from.bytes()?),
        },
        LINK => WritableContent::Link(from.text()?),
        _ => return Err(malformed()),
    };
    Ok(WritableFile { path, content })
}

/// The order that [`encode`] wrote, its standard input being empty, and whether the guest is to be
/// held until another order comes.
///
/// # Errors
/// `InvalidData` for anything that `encode` would not write.
pub fn decode(bytes: &[u8]) -> io::Result<(ProcessSpec, bool)> {
    let mut from = Reader(bytes);
    let program = from.text()?;
    let arguments = from.list(Reader::text)?;
    let environment = from.list(|from| Ok((from.text()?, from.text()?)))?;
    let file_time_s = from.number()? as i64;
    let limits = Limits {
        memory_bytes: from.number()?,
        address_space_bytes: Some(from.number()?).filter(|&bytes| bytes != NO_LIMIT),
        cpu_quota_us: from.number()?,
        cpu_period_us: from.number()?,
        processes: from.number()?,
        tmp_bytes: from.number()?,
        tmp_files: from.number()?,
        files_bytes: from.number()?,
        files_count: from.number()?,
        open_files: from.number()?,
        stdout_bytes: from.size()?,
        stderr_bytes: from.size()?,
        wall: Duration::from_millis(from.number()?),
    };
    let determinism = if from.number()? == 0 {
        None
    } else {
        Some(from.determinism()?)
    };
    let is_held = from.number()? != 0;
    let files = from.list(|from| {
        let path = from.text()?;
        let executable = from.number()? != 0;
        Ok(File {
            path,
            executable,
            bytes: Arc::from(from.bytes()?),
        })
    })?;
    let working_folder = match from.number()? {
        0 => PACKAGE_FOLDER,
        _ => WORKSPACE_FOLDER,
    };
    let writable = WritableFiles {
        report_workspace: from.number()? != 0,
        report_home: from.number()? != 0,
        workspace: from.list(writable_file)?,
        home: from.list(writable_file)?,
    };
    if !from.0.is_empty() {
        return Err(malformed());
    }
    let stdin = Arc::from([]);
    Ok((
        ProcessSpec {
            program,
            arguments,
            environment,
            working_folder,
            files,
            writable,
            stdin,
            file_time_s,
            limits,
            determinism,
        },
        is_held,
    ))
}

/// Reads bytes as everything that travels between host, launcher and jail, for the fuzzer: each is
/// refused, or is read back from what is written of it.
///
/// # Panics
/// When an order that was read is not the same after it was written.
pub fn fuzz_decode(bytes: &[u8]) {
    if let Ok((spec, is_held)) = decode(bytes) {
        let again = decode(&encode(&spec, is_held)).expect("what was written");
        assert_eq!(
            format!("{spec:?} {is_held}"),
            format!("{:?} {}", again.0, again.1)
        );
    }
    drop(crate::left_files::LeftFiles::parse(bytes));
    drop(crate::message::parse(bytes));
    drop(crate::measure::Measured::parse(bytes).check());
}

fn limit_numbers(limits: &Limits) -> [u64; 13] {
    [
        limits.memory_bytes,
        limits.address_space_bytes.unwrap_or(NO_LIMIT),
        limits.cpu_quota_us,
        limits.cpu_period_us,
        limits.processes,
        limits.tmp_bytes,
        limits.tmp_files,
        limits.files_bytes,
        limits.files_count,
        limits.open_files,
        limits.stdout_bytes as u64,
        limits.stderr_bytes as u64,
        u64::try_from(limits.wall.as_millis()).unwrap_or(u64::MAX),
    ]
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an order that is damaged")
}

/// Writes numbers and byte strings.
pub struct Writer(pub Vec<u8>);

impl Writer {
    /// A number.
    pub fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A length and so many bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

/// Reads what a [`Writer`] wrote.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// A number.
    pub fn number(&mut self) -> io::Result<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*number))
    }

    fn size(&mut self) -> io::Result<usize> {
        usize::try_from(self.number()?).map_err(|_| malformed())
    }

    /// A byte string.
    pub fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let length = self.size()?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A byte string that is UTF-8.
    pub fn text(&mut self) -> io::Result<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| malformed())
    }

    fn determinism(&mut self) -> io::Result<ClockAndSeed> {
        let clock_start_ns = self.number()?;
        let seed = self.bytes()?.try_into().map_err(|_| malformed())?;
        Ok(ClockAndSeed {
            clock_start_ns,
            seed,
        })
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        let count = self.size()?;
        // Every item takes at least 8 bytes: a count beyond that is a lie, and nothing is reserved
        // for it.
        if count > self.0.len() / 8 {
            return Err(malformed());
        }
        (0..count).map(|_| item(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn own(file: &File) -> WritableFile {
        WritableFile {
            path: file.path.clone(),
            content: WritableContent::File {
                bytes: Arc::clone(&file.bytes),
                executable: file.executable,
            },
        }
    }

    fn orders() -> impl Strategy<Value = ProcessSpec> {
        let file = (
            ".{0,20}",
            proptest::collection::vec(any::<u8>(), 0..64),
            any::<bool>(),
        )
            .prop_map(|(path, bytes, executable)| File {
                path,
                bytes: bytes.into(),
                executable,
            });
        let texts = proptest::collection::vec(".{0,12}", 0..4);
        let environment = proptest::collection::vec((".{0,8}", ".{0,8}"), 0..4);
        let files = proptest::collection::vec(file, 0..4);
        (
            ".{0,20}",
            texts,
            environment,
            files,
            any::<i64>(),
            any::<[u32; 9]>(),
        )
            .prop_map(|(program, arguments, environment, files, file_time_s, n)| {
                let limits = Limits {
                    memory_bytes: n[0].into(),
                    address_space_bytes: (n[1] % 2 == 0).then_some(n[1].into()),
                    cpu_quota_us: n[1].into(),
                    cpu_period_us: n[2].into(),
                    processes: n[3].into(),
                    tmp_bytes: n[4].into(),
                    tmp_files: n[5].into(),
                    files_bytes: n[4].into(),
                    files_count: n[5].into(),
                    open_files: n[6].into(),
                    stdout_bytes: n[7] as usize,
                    stderr_bytes: n[8] as usize,
                    wall: Duration::from_millis(n[0].into()),
                };
                let determinism = (n[2] % 2 == 0).then_some(ClockAndSeed {
                    clock_start_ns: n[3].into(),
                    seed: [n[4] as u8; 32],
                });
                ProcessSpec {
                    program,
                    arguments,
                    environment,
                    working_folder: WORKSPACE_FOLDER,
                    writable: WritableFiles {
                        workspace: files.iter().map(own).collect(),
                        home: vec![WritableFile {
                            path: String::from("link"),
                            content: WritableContent::Link(String::from("target")),
                        }],
                        report_workspace: n[0] % 2 == 0,
                        report_home: n[1] % 2 == 0,
                    },
                    files,
                    stdin: Arc::from([]),
                    file_time_s,
                    limits,
                    determinism,
                }
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(spec in orders()) {
            let (read, is_held) = decode(&encode(&spec, true)).expect("what was written");
            prop_assert!(is_held);
            prop_assert_eq!(format!("{spec:?}"), format!("{read:?}"));
        }

        #[test]
        fn a_part_of_an_order_is_refused(spec in orders(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&spec, false);
            prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        }

        #[test]
        fn arbitrary_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            fuzz_decode(&bytes);
        }
    }
}
