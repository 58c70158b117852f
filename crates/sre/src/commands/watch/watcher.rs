//! One watcher of one executor: looks at its log, checks what is new, and keeps what is to be said until it is delivered.
//!
//! Entries are taken in parts. A part's verdicts lie in the outbox before the position moves past it, so whoever is
//! killed in between checks the part again and says the same again, which changes nothing at the executor. No part needs
//! more than four waits for the disk.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde_json::json;
use sre_core::ReceiptDigest;
use sre_log::watch::{self, Fault, Seen};
use sre_log::{LogMemory, LogSource as _};
use sre_orchestrator::{DataFolder, Embedded};
use sre_receipt::tlog::{EntryKind, KeyName, TILE_WIDTH, VerifierKey};
use sre_receipt::{KeyFolder, Trust};

use super::super::log_check;
use super::check::{Checker, Fetched, Found};
use super::deliver::{Courier, Remarks};
use super::memory::{Looked, Memory, OUTBOX_LIMIT, Parcel, State};
use crate::cli::WatchArgs;
use crate::client;
use crate::failure::Failure;
use crate::output::Progress;
use crate::receipts::{self, HttpLog, HttpPlace};

/// Entries that are taken together: those of one bundle of the log.
const BUNDLE_ENTRIES: u64 = TILE_WIDTH as u64;
/// Receipts that are fetched at once.
const FETCHES: usize = 16;
/// Receipts that are checked at once. How many replay at once is the sandbox's to say.
const CHECKS: usize = 8;

/// What a watcher works with.
pub struct Watcher<'a> {
    args: &'a WatchArgs,
    progress: &'a Progress,
    log: HttpLog,
    origin: KeyName,
    key_folder: KeyFolder,
    keys: Vec<VerifierKey>,
    checker: Checker,
    courier: Courier,
    memory: Memory,
    seen: LogMemory,
    state: State,
    /// Deliveries that wait in the outbox.
    waiting: usize,
    /// What there is to say about deliveries of this round.
    told: Remarks,
}

/// What a part of the log came to.
#[derive(Default)]
struct Part {
    receipts: u64,
    nothing_committed: u64,
    misdated: u64,
    skills: BTreeSet<sre_core::SkillDigest>,
    found: Vec<Found>,
}

impl<'a> Watcher<'a> {
    /// A watcher that goes on where it stopped.
    ///
    /// # Errors
    /// When the executor does not answer, or this node's own folder cannot be used.
    pub async fn open(
        args: &'a WatchArgs,
        folder: &DataFolder,
        embedded: &Embedded,
        progress: &'a Progress,
    ) -> Result<Self, Failure> {
        let place = HttpPlace::new(&args.executor)?.with_token(client::token(args.token_file.as_deref())?);
        let log = HttpLog::new(&format!("{}log", place.address()))?;
        let origin = log_check::origin(&log).await.map_err(|fault| log_check::failure(&fault))?;
        let key_folder = receipts::keys(folder);
        let own = Arc::new(key_folder.load_or_create()?);
        let trust = key_folder.trust()?;
        let memory = Memory::open(folder, &origin)?;
        Ok(Self {
            args,
            progress,
            log,
            keys: log_keys(args, &trust, &origin),
            checker: Checker::new(place.clone(), embedded, trust, own),
            courier: Courier::new(args, place, folder)?,
            state: memory.state()?,
            memory,
            seen: receipts::memory(folder),
            origin,
            key_folder,
            waiting: 0,
            told: Remarks::default(),
        })
    }

    /// How far it has come.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// One look at the log, with everything that follows from it. Returns how much could not be delivered.
    ///
    /// # Errors
    /// When the executor does not answer or misbehaves, or this node's own folder cannot be used.
    pub async fn round(&mut self) -> Result<usize, Failure> {
        let done = self.look().await;
        self.told.log();
        done.map(|()| self.waiting)
    }

    async fn look(&mut self) -> Result<(), Failure> {
        self.take_keys()?;
        self.deliver().await?;
        let before = self.seen.last(&self.origin)?;
        let at = Timestamp::now();
        let looked = match watch::look(&self.log, &self.keys, before.as_ref()).await {
            Ok(seen) => self.read(&seen).await?.map(|()| seen),
            Err(fault) => Err(fault),
        };
        match looked {
            Ok(seen) => {
                self.seen.remember(&self.origin, &seen.note)?;
                self.state.looked = Some(Looked { size: seen.checkpoint.size, at });
                self.memory.remember(&self.state)
            }
            Err(fault) => Err(self.accuse(&fault).await?),
        }
    }

    /// Takes the keys as they are now: neither an executor's new key nor an own one needs a restart.
    fn take_keys(&mut self) -> Result<(), Failure> {
        let trust = self.key_folder.trust()?;
        self.keys = log_keys(self.args, &trust, &self.origin);
        self.checker.use_keys(trust, Arc::new(self.key_folder.load_or_create()?));
        Ok(())
    }

    /// Checks what is new, a bundle of the log at a time, and delivers what follows.
    async fn read(&mut self, seen: &Seen) -> Result<Result<(), Fault>, Failure> {
        let size = seen.checkpoint.size;
        while self.state.position < size {
            if self.waiting >= OUTBOX_LIMIT {
                let detail = format!("{} verdicts and challenges wait to be delivered", self.waiting);
                return Err(Failure::operating("service_unreachable", detail));
            }
            let start = self.state.position;
            let end = size.min((start / BUNDLE_ENTRIES + 1) * BUNDLE_ENTRIES);
            let mut entries = Vec::new();
            let visit = |position, entry| entries.extend((start..end).contains(&position).then_some((position, entry)));
            if let Err(fault) = watch::entries_in(&self.log, &seen.checkpoint, start..end, visit).await {
                return Ok(Err(fault));
            }
            self.progress.show(&format!("entry {start} of {size}"));
            let receipts = entries.into_iter().filter(|(_, entry)| entry.kind == EntryKind::Receipt);
            let part = self.check(receipts.map(|(position, entry)| (position, entry.sha256))).await?;
            self.post(start, part)?;
            self.state.position = end;
            self.memory.remember(&self.state)?;
            self.deliver().await?;
        }
        Ok(Ok(()))
    }

    /// The verdicts on a part of the log. Nothing is counted yet: who is stopped here begins the part again.
    async fn check(&self, receipts: impl Iterator<Item = (u64, ReceiptDigest)>) -> Result<Part, Failure> {
        let mut part = Part::default();
        let fetched = stream::iter(receipts)
            .map(async |(position, digest)| Ok((position, self.checker.fetch(digest).await?)))
            .buffered(FETCHES);
        let drawn = fetched.map(|fetched: Result<_, Failure>| {
            let (position, fetched) = fetched?;
            Ok(self.is_drawn(position, &fetched, &mut part).then_some(fetched))
        });
        let checked = drawn.map(async |drawn: Result<Option<Fetched>, Failure>| match drawn? {
            Some(fetched) => self.checker.check(fetched).await.map(Some),
            None => Ok(None),
        });
        let found: Vec<Option<Found>> = checked.buffered(CHECKS).try_collect().await?;
        part.found = found.into_iter().flatten().collect();
        Ok(part)
    }

    /// Whether a receipt is to be checked. Drawn only once it was fetched, with this machine's randomness: the executor
    /// cannot know what will be looked at.
    fn is_drawn(&self, position: u64, fetched: &Fetched, part: &mut Part) -> bool {
        part.receipts += 1;
        if let Some(why) = self.state.misdated(position, fetched.finished_at(), Timestamp::now()) {
            part.misdated += 1;
            tracing::warn!(order_id = ?fetched.order_id(), position, why, "a receipt has a time that cannot be");
        }
        if fetched.has_nothing_committed() {
            part.nothing_committed += 1;
            return false;
        }
        let is_first = fetched.skill().is_some_and(|skill| self.state.is_new(skill) && !part.skills.contains(&skill));
        let is_drawn = rand::random::<f64>() < self.args.share || fetched.is_flawed() || is_first;
        part.skills.extend(fetched.skill().filter(|_| is_drawn));
        is_drawn
    }

    /// Counts a part, and puts what follows from it into the outbox, from where it is delivered however often it takes.
    fn post(&mut self, start: u64, part: Part) -> Result<(), Failure> {
        let (mut parcels, mut verdicts) = (Vec::new(), Vec::new());
        for Found { result, order_id, statement, challenge } in part.found {
            verdicts.push(result.verdict);
            if !result.is_valid {
                let (verdict, error) = (result.verdict, result.error.as_deref().unwrap_or_default());
                tracing::warn!(?order_id, %verdict, error, "an order does not hold");
            }
            if let Some(challenge) = challenge.filter(|_| self.courier.takes_challenges()) {
                parcels.push(Parcel { order_id: None, body: challenge.to_string() });
            }
            if let (Some(order_id), Some(statement)) = (order_id, statement) {
                let body = String::from_utf8_lossy(&statement.envelope().to_canonical()).into_owned();
                parcels.push(Parcel { order_id: Some(order_id), body });
            }
        }
        self.memory.post(&format!("part-{start:020}"), &parcels)?;
        self.state.receipts += part.receipts;
        self.state.nothing_committed += part.nothing_committed;
        self.state.misdated += part.misdated;
        self.state.met(part.skills);
        verdicts.into_iter().for_each(|verdict| self.state.count(verdict));
        Ok(())
    }

    /// Keeps and sends the evidence against a log.
    async fn accuse(&mut self, fault: &Fault) -> Result<Failure, Failure> {
        let mut failure = log_check::failure(fault);
        if !fault.is_misbehaviour() {
            return Ok(failure);
        }
        if let Some(path) = self.seen.keep_evidence(&self.origin, fault)? {
            failure = failure.hint(format!("both signed checkpoints are in {}", path.display()));
        }
        if self.courier.takes_challenges() {
            let now = self.log.checkpoint().await.unwrap_or_default();
            let challenge = json!({
                "format": "sre.challenge/v1",
                "kind": "log",
                "executor": self.args.executor,
                "origin": self.origin,
                "code": failure.code,
                "error": failure.detail,
                "checkpoint_before": self.seen.last(&self.origin)?.map(|note| note.to_string()),
                "checkpoint_now": String::from_utf8_lossy(&now),
            });
            self.memory.post("log", &[Parcel { order_id: None, body: challenge.to_string() }])?;
        }
        self.deliver().await?;
        Ok(failure)
    }

    async fn deliver(&mut self) -> Result<(), Failure> {
        let refused = self.state.refused;
        self.waiting = self.courier.deliver(&self.memory, &mut self.state, &mut self.told).await?;
        if self.state.refused > refused { self.memory.remember(&self.state) } else { Ok(()) }
    }
}

/// The keys that may sign the log: those of the command line, and those trusted for it here.
fn log_keys(args: &WatchArgs, trust: &Trust, origin: &KeyName) -> Vec<VerifierKey> {
    args.keys.iter().cloned().chain(trust.logs(origin).map(|key| key.as_log())).collect()
}
