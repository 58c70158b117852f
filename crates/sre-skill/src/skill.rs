//! A checked skill.
//!
//! Invariants: the files are sorted by path and obey [`path`]'s rules; the manifest describes
//! exactly them; the digest is the manifest's; the entrypoint is among the files; the schemas are
//! compiled.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use sre_core::{Canonical, FileEntry, Manifest, SkillDigest, canonical_json};

use crate::block::{Block, RawBlock};
use crate::error::{SkillError, SkillErrorKind, SourceError};
use crate::limits::PackageLimits;
use crate::meter::ShouldStop;
use crate::schema::{CheckError, Schema};
use crate::tree::{SkillFile, Tree, find};
use crate::{
    Entry, EntryError, Note, entry, folder, front_matter, name, object, path, tarball, wheel,
    zipball,
};

const SKILL_MD: &str = "SKILL.md";
const SKILL_TOML: &str = "skill.toml";
/// The execution block of an archive whose other files do not say it; never part of a skill's
/// files. It is the JSON object form without `files`, and wins over `SKILL.md`.
pub(crate) const SIDECAR: &str = ".sre-skill.json";

/// A checked skill: manifest, digest, files and compiled schemas.
pub struct Skill {
    manifest: Canonical<Manifest>,
    files: Vec<SkillFile>,
    input_schema: Option<Schema>,
    output_schema: Option<Schema>,
    notes: Vec<Note>,
}

impl Skill {
    /// Opens whatever stands at `path`: a folder, a `.tar.gz`, a `.zip` or a JSON object. The
    /// content decides which, not the name.
    ///
    /// # Errors
    /// [`SkillErrorKind::Unreadable`](crate::SkillErrorKind::Unreadable) when the file system
    /// refuses, other kinds when the package is at fault.
    pub fn open(path: &Path, limits: &PackageLimits) -> Result<Self, SkillError> {
        let unreadable = |source: io::Error| SkillError::unreadable(path, source);
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            return Self::from_dir(path, limits);
        }
        if !metadata.is_file() {
            return Err(SkillError::unknown_form(path));
        }
        let limit = limits.packed_bytes();
        let mut packed = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(limit.saturating_add(1))
            .read_to_end(&mut packed)
            .map_err(unreadable)?;
        if packed.len() as u64 > limit {
            return Err(SkillError::too_long(path, limit));
        }
        match packed.as_slice() {
            [0x1f, 0x8b, ..] => Self::from_tar_gz(&packed, limits),
            [b'P', b'K', ..] => Self::from_zip(&packed, limits),
            text if text.trim_ascii_start().starts_with(b"{") => {
                let value = canonical_json::parse(&packed)
                    .map_err(|source| SkillError::json(path, source))?;
                Self::from_object(&value, limits)
            }
            _ => Err(SkillError::unknown_form(path)),
        }
    }

    /// Reads a folder with a `SKILL.md`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_dir(folder: &Path, limits: &PackageLimits) -> Result<Self, SkillError> {
        let files = folder::read(folder, limits)
            .map_err(SkillError::from)
            .map_err(|error| {
                // Whoever names a folder that is no package at all is better told so than that it
                // is large.
                let is_package = [SKILL_MD, SIDECAR]
                    .iter()
                    .any(|name| folder.join(name).exists());
                match error.kind() {
                    SkillErrorKind::TooLarge if !is_package => SourceError::NoSkillMd {
                        advice: String::from("is it the folder of a skill?"),
                    }
                    .into(),
                    _ => error,
                }
            })?;
        Self::from_files(files, folder_name(folder).as_deref())
    }

    /// Reads a gzip-compressed tar archive; one top folder around everything is stripped.
    ///
    /// # Errors
    /// When the package is at fault.
    pub fn from_tar_gz(packed: &[u8], limits: &PackageLimits) -> Result<Self, SkillError> {
        let (files, top) = tarball::read(packed, limits, &[SKILL_MD, SIDECAR])?;
        Self::from_files(files, top.as_deref())
    }

    /// Reads a zip archive; one top folder around everything is stripped.
    ///
    /// # Errors
    /// When the package is at fault.
    pub fn from_zip(packed: &[u8], limits: &PackageLimits) -> Result<Self, SkillError> {
        let (files, top) = zipball::read(packed, limits, &[SKILL_MD, SIDECAR])?;
        Self::from_files(files, top.as_deref())
    }

    /// Reads the JSON object form. It needs no `SKILL.md`; one among the files is a file like any
    /// other.
    ///
    /// # Errors
    /// When the package is at fault.
    pub fn from_object(value: &Value, limits: &PackageLimits) -> Result<Self, SkillError> {
        let (name, raw, files) = object::read(value, limits)?;
        Self::assemble(Block::new(name, raw, &files)?, files)
    }

    /// Rebuilds a skill from a stored manifest and its files by path, checking everything anew: the
    /// manifest's own rules, and that the files are exactly those it names, each with its size and
    /// SHA-256. Limits on number and size are the caller's, who already holds the bytes.
    ///
    /// # Errors
    /// [`SkillErrorKind::Mismatch`](crate::SkillErrorKind::Mismatch) when files and manifest
    /// differ, other kinds when the manifest is none of a skill.
    pub fn from_manifest(
        manifest: Manifest,
        files: BTreeMap<String, Arc<[u8]>>,
    ) -> Result<Self, SkillError> {
        let files = crate::stored::match_files(&manifest.files, files)?;
        let Manifest {
            name,
            version,
            runtime,
            io,
            annotations,
            ..
        } = manifest;
        let block = Block {
            name,
            version,
            runtime,
            io,
            annotations,
        };
        block.check(&files)?;
        Self::assemble(block, files)
    }

    /// The same skill with the content of Python wheels under `vendor/`, where a script's `import`
    /// finds it. A wheel is its file name and its bytes. Nothing is resolved or fetched: the wheels
    /// are all there is.
    ///
    /// # Errors
    /// When a wheel is damaged or holds compiled code, two files have one path, or the whole is
    /// over `limits`.
    pub fn with_wheels(
        &self,
        wheels: &[(String, Vec<u8>)],
        limits: &PackageLimits,
    ) -> Result<Self, SkillError> {
        let mut tree = Tree::new(limits);
        for file in &self.files {
            tree.add_file(&file.path, file.executable, &*file.bytes)?;
        }
        for (name, packed) in wheels {
            for file in wheel::read(name, packed, limits)? {
                let path = format!("vendor/{}", file.path);
                tree.add_file(&path, false, &*file.bytes)?;
            }
        }
        let files = tree.into_files()?;
        let Manifest {
            name,
            version,
            runtime,
            io,
            annotations,
            ..
        } = Manifest::clone(&self.manifest);
        Self::assemble(
            Block {
                name,
                version,
                runtime,
                io,
                annotations,
            },
            files,
        )
    }

    /// The files of a folder or archive, whose block stands in one of them. `folder` is the name of
    /// the folder that holds them, where there is one.
    fn from_files(mut files: Vec<SkillFile>, folder: Option<&str>) -> Result<Self, SkillError> {
        let sidecar = files
            .iter()
            .position(|file| file.path == SIDECAR)
            .map(|at| files.remove(at));
        let (name, raw, notes) = match sidecar {
            Some(file) => {
                let value = canonical_json::parse(&file.bytes)
                    .map_err(|source| SkillError::json(Path::new(SIDECAR), source))?;
                let (name, raw) = object::read_block(&value)?;
                (name, raw, Vec::new())
            }
            None => read_block(&files, folder)?,
        };
        let skill = Self::assemble(Block::new(name, raw, &files)?, files)?;
        Ok(Self { notes, ..skill })
    }

    fn assemble(block: Block, files: Vec<SkillFile>) -> Result<Self, SkillError> {
        let compile = |field, schema: &Option<Value>| {
            schema
                .as_ref()
                .map(|s| Schema::compile(field, s))
                .transpose()
        };
        let input_schema = compile("input_schema", &block.io.input_schema)?;
        let output_schema = compile("output_schema", &block.io.output_schema)?;
        let manifest = Canonical::new(manifest(block, &files));
        // Whoever verifies an order reads the manifest from a store, strictly.
        let read = canonical_json::parse(manifest.bytes())
            .map_err(|error| error.to_string())
            .and_then(|value| {
                let read: Manifest =
                    serde_json::from_value(value).map_err(|error| error.to_string())?;
                let same = canonical_json::to_vec(&read) == **manifest.bytes();
                same.then_some(())
                    .ok_or_else(|| String::from("it comes back as another one"))
            });
        read.map_err(|message| SourceError::Manifest { message })?;
        Ok(Self {
            manifest,
            files,
            input_schema,
            output_schema,
            notes: Vec::new(),
        })
    }

    /// The JSON object form; [`from_object`](Self::from_object) reads it back to the same digest.
    #[must_use]
    pub fn to_object(&self) -> Value {
        object::write(&self.manifest, &self.files)
    }

    /// A `.tar.gz` that [`from_tar_gz`](Self::from_tar_gz) reads back to the same digest. The bytes
    /// depend on the skill alone (and on this program's version). Where the files do not say the
    /// execution block themselves, as in a package that came as a JSON object, the archive gets one
    /// more file, `.sre-skill.json`, that does.
    #[must_use]
    pub fn to_tar_gz(&self) -> Vec<u8> {
        let own = read_block(&self.files, None)
            .and_then(|(name, raw, _)| Ok(Block::new(name, raw, &self.files)?));
        let says_it = own.is_ok_and(|block| manifest(block, &self.files) == *self.manifest);
        let sidecar = (!says_it).then(|| {
            let bytes = canonical_json::to_vec(&object::write_block(&self.manifest));
            SkillFile::new(SIDECAR.to_owned(), bytes.into(), false)
        });
        tarball::write(sidecar.iter().chain(&self.files))
    }

    /// What was noted while the package was read. A skill that was rebuilt from a store has none.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// What the digest is taken over.
    #[must_use]
    pub fn manifest(&self) -> &Canonical<Manifest> {
        &self.manifest
    }

    /// The skill's identity.
    #[must_use]
    pub fn digest(&self) -> SkillDigest {
        self.manifest.digest()
    }

    /// Every file, sorted by path.
    #[must_use]
    pub fn files(&self) -> &[SkillFile] {
        &self.files
    }

    /// The file at `path`, if the skill has it.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&SkillFile> {
        find(&self.files, path)
    }

    /// The program at `path`: a path inside the package, also as a skill sees it (`/skill/…`).
    ///
    /// # Errors
    /// [`EntryError`], which names the nearest program.
    pub fn entry(&self, path: &str) -> Result<Entry, EntryError> {
        match &self.manifest.runtime {
            // The block may say another kind than the extension does.
            Some(runtime) if runtime.entrypoint == path => Ok(Entry {
                path: path.to_owned(),
                kind: runtime.kind,
            }),
            _ => entry::named(&self.files, path),
        }
    }

    /// The program to start where an order names none: the execution block's, or the only one.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn default_entry(&self) -> Result<Entry, EntryError> {
        match &self.manifest.runtime {
            Some(runtime) => self.entry(&runtime.entrypoint),
            None => entry::only(&self.files),
        }
    }

    /// Every program of the package, sorted by path.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        entry::all(&self.files)
    }

    /// The file to start where an order names none; `None` where the package names none either.
    #[must_use]
    pub fn entrypoint(&self) -> Option<&SkillFile> {
        let runtime = self.manifest.runtime.as_ref()?;
        self.file(&runtime.entrypoint)
    }

    /// Checks an input against the skill's schema; without one, anything goes. It may take some
    /// hundred milliseconds.
    ///
    /// # Errors
    /// [`CheckError::Violation`] names the first violation, by JSON pointer.
    pub fn check_input(&self, input: &Value) -> Result<(), CheckError> {
        self.check_input_until(input, || false)
    }

    /// As [`check_input`](Self::check_input), and ends when `should_stop` says so, which is asked
    /// every few milliseconds.
    ///
    /// # Errors
    /// As [`check_input`](Self::check_input), and [`CheckError::Stopped`].
    pub fn check_input_until(
        &self,
        input: &Value,
        should_stop: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<(), CheckError> {
        let should_stop: ShouldStop = Arc::new(should_stop);
        self.input_schema
            .as_ref()
            .map_or(Ok(()), |schema| schema.check(input, &should_stop))
    }

    /// The same for an output.
    ///
    /// # Errors
    /// As [`check_input_until`](Self::check_input_until).
    pub fn check_output(
        &self,
        output: &Value,
        should_stop: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<(), CheckError> {
        let should_stop: ShouldStop = Arc::new(should_stop);
        self.output_schema
            .as_ref()
            .map_or(Ok(()), |schema| schema.check(output, &should_stop))
    }
}

impl fmt::Debug for Skill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Skill")
            .field("name", &self.manifest.name)
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

/// The name of a folder, also of one that is given as `.`.
fn folder_name(folder: &Path) -> Option<String> {
    let name = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
    name(folder).or_else(|| name(&folder.canonicalize().ok()?))
}

/// Name, execution block and notes of a package with a `SKILL.md`.
fn read_block(
    files: &[SkillFile],
    folder: Option<&str>,
) -> Result<(String, RawBlock, Vec<Note>), SkillError> {
    let Some(skill_md) = find(files, SKILL_MD) else {
        let near = files
            .iter()
            .find(|file| path::fold_case(&file.path).ends_with("skill.md"));
        let advice = near.map_or("add one".to_owned(), |file| {
            format!("is it {}?", path::shown(file.path.as_bytes()))
        });
        return Err(SourceError::NoSkillMd { advice }.into());
    };
    let mut front = front_matter::parse_skill_md(&skill_md.bytes)?;
    let mut raw = match find(files, SKILL_TOML) {
        None => front.block,
        Some(_) if !front.block.is_empty() => return Err(SourceError::TwoBlocks.into()),
        Some(file) => {
            let (raw, notes) = front_matter::parse_skill_toml(&file.bytes)?;
            front.notes.extend(notes);
            raw
        }
    };
    raw.version = raw.version.or(front.metadata_version);
    let name = name::choose(front.name.as_deref(), folder, &mut front.notes);
    Ok((name, raw, front.notes))
}

fn manifest(block: Block, files: &[SkillFile]) -> Manifest {
    let entry = |file: &SkillFile| FileEntry {
        path: file.path.clone(),
        size: file.bytes.len() as u64,
        executable: file.executable,
        sha256: file.sha256,
    };
    Manifest {
        name: block.name,
        version: block.version,
        runtime: block.runtime,
        io: block.io,
        annotations: block.annotations,
        files: files.iter().map(entry).collect(),
    }
}
