//! What a watcher remembers of one executor, so that it goes on where it stopped.
//!
//! ```text
//! watch/<sha256 of the log's name>/state.json       how far it has come, and sums
//! watch/<sha256 of the log's name>/outbox/*.json    verdicts and challenges of one part of the log, to be delivered
//! ```
//! Files are replaced whole, and each is on the disk before the next is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sre_core::{Digest, OrderId, SkillDigest, Verdict};
use sre_orchestrator::DataFolder;
use sre_receipt::tlog::KeyName;

use crate::failure::Failure;

/// Skills that are remembered as seen. Beyond that every skill counts as new, which checks more and not less.
const SKILLS_LIMIT: usize = 100_000;
/// Deliveries that wait at most; beyond that the oldest must be delivered before more is checked.
pub const OUTBOX_LIMIT: usize = 10_000;
/// How far clocks may be apart, and how long a receipt may take into the log, before its time is remarked on.
const TIME_TOLERANCE: SignedDuration = SignedDuration::from_mins(10);

/// How far a watcher has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Entries of the log that are done with.
    pub position: u64,
    /// Receipts among them.
    pub receipts: u64,
    /// Receipts that were checked, by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Receipts of orders that committed nothing: there is nothing to replay.
    pub nothing_committed: u64,
    /// Receipts with a time at which they cannot have been signed.
    #[serde(default)]
    pub misdated: u64,
    /// Verdicts that the executor did not take.
    pub refused: u64,
    /// The last look that was finished.
    #[serde(default)]
    pub looked: Option<Looked>,
    /// Skills of which an order was checked.
    skills: BTreeSet<SkillDigest>,
}

/// A look at the log: what is behind `size` appeared after `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Looked {
    /// Entries there were.
    pub size: u64,
    /// When.
    pub at: Timestamp,
}

/// Something to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parcel {
    /// Where to: the order at the executor; to the challenge URL where it is `None`.
    pub order_id: Option<OrderId>,
    /// What.
    pub body: String,
}

impl Parcel {
    /// Whether it goes to the challenge URL.
    pub fn is_challenge(&self) -> bool {
        self.order_id.is_none()
    }
}

/// The folder of one executor.
#[derive(Debug)]
pub struct Memory(PathBuf);

impl State {
    /// Whether this is the first order of a skill that is checked.
    pub fn is_new(&self, skill: SkillDigest) -> bool {
        !self.skills.contains(&skill)
    }

    /// Counts what was found.
    pub fn count(&mut self, verdict: Verdict) {
        *self.verdicts.entry(verdict.as_str().to_owned()).or_default() += 1;
    }

    /// Remembers skills of which an order was checked.
    pub fn met(&mut self, skills: impl IntoIterator<Item = SkillDigest>) {
        let room = SKILLS_LIMIT.saturating_sub(self.skills.len());
        self.skills.extend(skills.into_iter().take(room));
    }

    /// Why a receipt cannot have been signed when it says: it is of the future, or it appeared long after a time at which
    /// the log was seen without it. So receipts are dated by who has a stolen key, or one that is not trusted any more.
    pub fn misdated(&self, position: u64, finished_at: Option<Timestamp>, now: Timestamp) -> Option<String> {
        let finished_at = finished_at?;
        if finished_at.duration_since(now) > TIME_TOLERANCE {
            return Some(format!("it says {finished_at}, which is yet to come"));
        }
        let looked = self.looked.filter(|looked| position >= looked.size)?;
        let is_late = looked.at.duration_since(finished_at) > TIME_TOLERANCE;
        is_late.then(|| format!("it says {finished_at}, and the log did not have it at {}", looked.at))
    }
}

impl Memory {
    /// The folder for the executor whose log has this name, made if need be.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &DataFolder, origin: &KeyName) -> Result<Self, Failure> {
        // A name may have any character; its digest has none that means something to a file system.
        let path = folder.path().join("watch").join(Digest::of(origin.as_str().as_bytes()).to_string());
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path.join("outbox")).map_err(|error| failed("make", &path, &error))?;
        Ok(Self(path))
    }

    /// How far the watcher has come; the beginning where nothing is remembered.
    ///
    /// # Errors
    /// When the file cannot be read, or is none of this program's.
    pub fn state(&self) -> Result<State, Failure> {
        let path = self.0.join("state.json");
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed("read", &path, &error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(failed("read", &path, &error)),
        }
    }

    /// Remembers how far the watcher has come.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, state: &State) -> Result<(), Failure> {
        self.write(&self.0.join("state.json"), state)
    }

    /// Puts deliveries into the outbox, in place of what has this name there. None of them: the name is removed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn post(&self, name: &str, parcels: &[Parcel]) -> Result<(), Failure> {
        let path = self.outbox().join(name).with_extension("json");
        if !parcels.is_empty() {
            return self.write(&path, &parcels);
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path, &error)),
            _ => Ok(()),
        }
    }

    /// The names in the outbox, in the order of the log.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn waiting(&self) -> Result<Vec<String>, Failure> {
        let outbox = self.outbox();
        let names = fs::read_dir(&outbox).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        let paths: Vec<PathBuf> = names.map_err(|error: io::Error| failed("read", &outbox, &error))?;
        let paths = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let mut names: Vec<String> = paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
        names.sort();
        Ok(names)
    }

    /// What waits under a name.
    ///
    /// # Errors
    /// When it cannot be read, or is none of this program's.
    pub fn parcels(&self, name: &str) -> Result<Vec<Parcel>, Failure> {
        let path = self.outbox().join(name).with_extension("json");
        let bytes = fs::read(&path).map_err(|error| failed("read", &path, &error))?;
        serde_json::from_slice(&bytes).map_err(|error| failed("read", &path, &error))
    }

    fn outbox(&self) -> PathBuf {
        self.0.join("outbox")
    }

    fn write(&self, path: &Path, value: &impl Serialize) -> Result<(), Failure> {
        let folder = path.parent().unwrap_or(&self.0);
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&serde_json::to_vec(value)?)?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|failed| failed.error)?;
            #[cfg(unix)]
            File::open(folder)?.sync_all()?;
            Ok::<_, io::Error>(())
        };
        write().map_err(|error| failed("write", path, &error))
    }
}

fn failed(action: &str, path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::operating("watch_memory", format!("cannot {action} {}: {error}", path.display()))
}
