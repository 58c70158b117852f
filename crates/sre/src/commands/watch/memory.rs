//! What a watcher remembers of one executor, so that it goes on where it stopped.
//!
//! ```text
//! watch/<sha256 of the log's name>/state.json       how far it has come, and sums
//! watch/<sha256 of the log's name>/outbox/*.json    verdicts and challenges that are still to be delivered
//! ```
//! Files are replaced whole. A verdict lies in the outbox before the position moves past its order, so whoever is killed in
//! between checks that order again and says the same again, which changes nothing at the executor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sre_core::{Digest, OrderId, SkillDigest, Verdict};
use sre_orchestrator::DataFolder;
use sre_receipt::tlog::KeyName;

use crate::failure::Failure;

/// Skills that are remembered as seen. Beyond that every skill counts as new, which checks more and not less.
const SKILLS_LIMIT: usize = 100_000;
/// Deliveries that wait at most; beyond that the oldest must be delivered before more is checked.
pub const OUTBOX_LIMIT: usize = 10_000;

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
    /// Verdicts that the executor did not take.
    pub refused: u64,
    /// Skills of which an order was checked.
    skills: BTreeSet<SkillDigest>,
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

/// The folder of one executor.
#[derive(Debug)]
pub struct Memory(PathBuf);

impl State {
    /// Whether this is the first order of a skill that is checked.
    pub fn is_new(&self, skill: SkillDigest) -> bool {
        !self.skills.contains(&skill)
    }

    /// Counts what was found.
    pub fn count(&mut self, verdict: Verdict, skill: Option<SkillDigest>) {
        *self.verdicts.entry(verdict.as_str().to_owned()).or_default() += 1;
        self.skills.extend(skill.filter(|_| self.skills.len() < SKILLS_LIMIT));
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

    /// Puts something into the outbox. The same again is the same parcel.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn post(&self, parcel: &Parcel) -> Result<(), Failure> {
        let name = Digest::of(parcel.body.as_bytes());
        let to = if parcel.order_id.is_some() { "verdict" } else { "challenge" };
        self.write(&self.outbox().join(format!("{to}-{name}.json")), parcel)
    }

    /// What waits: challenges first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn waiting(&self) -> Result<Vec<PathBuf>, Failure> {
        let outbox = self.outbox();
        let names = fs::read_dir(&outbox).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        let mut names: Vec<PathBuf> = names.map_err(|error: io::Error| failed("read", &outbox, &error))?;
        names.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        names.sort();
        Ok(names)
    }

    /// A parcel that waits.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn parcel(&self, path: &Path) -> Result<Parcel, Failure> {
        let bytes = fs::read(path).map_err(|error| failed("read", path, &error))?;
        serde_json::from_slice(&bytes).map_err(|error| failed("read", path, &error))
    }

    /// Forgets a parcel.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn delivered(&self, path: &Path) -> Result<(), Failure> {
        fs::remove_file(path).map_err(|error| failed("remove", path, &error))
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
