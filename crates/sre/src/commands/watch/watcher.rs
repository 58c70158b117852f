//! One watcher of one executor: looks at its log, checks what is new, and keeps what is to be said
//! until it is delivered.
//!
//! Entries are taken in parts. A part's verdicts lie in the outbox before the position moves past
//! it, so whoever is killed in between checks the part again and says the same again, which changes
//! nothing at the executor. No part needs more than four waits for the disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use sre_core::{Digest, ErrorCode, OrderId, ReceiptDigest, Verdict};
use sre_log::watch::{self, Fault, Seen};
use sre_log::{LogMemory, LogSource as _, LookError};
use sre_orchestrator::{DataFolder, Embedded};
use sre_receipt::KeyFolder;
use sre_receipt::tlog::{EntryKind, KeyName, Note, TILE_WIDTH, VerifierKey};

use super::super::log_check;
use super::check::{Checker, Found};
use super::deliver::{Courier, OUTBOX_LIMIT, Remarks, Waiting};
use super::lots::Lots;
use super::memory::Memory;
use super::part::{Measure, Part, Settled};
use super::state::{Followed, Looked, Parcel, State};
use crate::cli::WatchArgs;
use crate::client;
use crate::failure::Failure;
use crate::output::{Progress, plural};
use crate::receipts::{self, HttpLog, HttpPlace};

/// Entries that are taken together: those of one bundle of the log.
const BUNDLE_ENTRIES: u64 = TILE_WIDTH as u64;
/// Looks at which the log answers and a receipt, or what it leads to, does not. After these the
/// verdict is `unavailable`.
const PATIENCE_LOOKS: u32 = 5;
/// Orders that one line of the log names.
const NAMED_LIMIT: usize = 5;
/// Said where the executor refuses.
const TOKEN_HINT: &str = "--token-file or SRE_TOKEN gives the token, which needs the scope `read`";

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
    lots: Lots,
    memory: Memory,
    seen: LogMemory,
    state: State,
    /// The part that is being checked.
    part: Part,
    /// Deliveries that wait in the outbox.
    waiting: Waiting,
    /// What there is to say about deliveries of this round.
    told: Remarks,
}

impl<'a> Watcher<'a> {
    /// A watcher that goes on where it stopped. One that followed this address before needs no
    /// answer for that: what waits for the challenge URL is delivered while the executor is away.
    ///
    /// # Errors
    /// When an executor that was never followed does not answer, or this node's own folder cannot
    /// be used.
    pub async fn open(
        args: &'a WatchArgs,
        folder: &DataFolder,
        embedded: &Embedded,
        progress: &'a Progress,
    ) -> Result<Self, Failure> {
        let place = HttpPlace::new(&args.executor)?;
        let place = place.with_token(client::token(args.token_file.as_deref())?, TOKEN_HINT);
        let log = HttpLog::new(&format!("{}log", place.address()))?;
        let elsewhere = format!(
            "{}/checkpoint was asked for; --executor is the address of the service itself, without /log",
            log.address().trim_end_matches('/')
        );
        let origin = match log_check::origin(&log, &elsewhere).await {
            Ok(origin) => origin,
            Err(failure) => Memory::known(folder, place.address())?.ok_or(failure)?,
        };
        let key_folder = receipts::keys(folder);
        let own = Arc::new(key_folder.load_or_create()?);
        let trust = key_folder.trust()?;
        let memory = Memory::open(folder, &origin)?;
        let mut state = memory.state()?;
        let followed = Some(Followed {
            executor: place.address().to_owned(),
            origin: origin.clone(),
        });
        if state.followed != followed {
            state.followed = followed;
            memory.remember(&state)?;
        }
        Ok(Self {
            args,
            progress,
            log,
            keys: log_check::keys(&args.keys, &trust, &origin),
            checker: Checker::new(place.clone(), embedded, trust, own),
            courier: Courier::new(args, place, folder)?,
            lots: memory.lots()?,
            part: Part::new(state.position),
            state,
            memory,
            seen: receipts::memory(folder),
            origin,
            key_folder,
            waiting: Waiting::default(),
            told: Remarks::default(),
        })
    }

    /// How far it has come.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// One look at the log, with everything that follows from it. Returns how much could not be
    /// delivered.
    ///
    /// # Errors
    /// When the executor does not answer or misbehaves, or this node's own folder cannot be used.
    pub async fn round(&mut self) -> Result<usize, Failure> {
        let done = self.look().await;
        self.told.log();
        done.map(|()| self.waiting.challenges + self.waiting.verdicts)
    }

    async fn look(&mut self) -> Result<(), Failure> {
        self.take_keys()?;
        self.deliver().await?;
        let at = Timestamp::now();
        let looked = match self.seen.look(&self.origin, &self.log, &self.keys).await {
            Ok(seen) => self.read(&seen).await?.map(|()| seen),
            Err(LookError::Memory(error)) => return Err(error.into()),
            Err(LookError::Fault(fault)) => Err(fault),
        };
        match looked {
            Ok(seen) => {
                self.state.looked = Some(Looked {
                    size: seen.checkpoint.size,
                    at,
                });
                self.memory.remember(&self.state)
            }
            Err(fault) => Err(self.accuse(&fault).await?),
        }
    }

    /// Takes the keys as they are now: neither an executor's new key nor an own one needs a
    /// restart.
    fn take_keys(&mut self) -> Result<(), Failure> {
        let trust = self.key_folder.trust()?;
        self.keys = log_check::keys(&self.args.keys, &trust, &self.origin);
        self.checker
            .use_keys(trust, Arc::new(self.key_folder.load_or_create()?));
        Ok(())
    }

    /// Checks what is new, a bundle of the log at a time, and delivers what follows.
    async fn read(&mut self, seen: &Seen) -> Result<Result<(), Fault>, Failure> {
        let size = seen.checkpoint.size;
        while self.state.position < size {
            if self.waiting.challenges >= OUTBOX_LIMIT {
                let detail = format!(
                    "{} challenges wait to be delivered",
                    self.waiting.challenges
                );
                return Err(Failure::new(ErrorCode::ServiceUnreachable, detail));
            }
            let start = self.state.position;
            let end = size.min((start / BUNDLE_ENTRIES + 1) * BUNDLE_ENTRIES);
            let mut entries = Vec::new();
            let visit = |position, entry| {
                entries.extend(
                    (start..end)
                        .contains(&position)
                        .then_some((position, entry)),
                )
            };
            if let Err(fault) = watch::entries_in(&self.log, seen, start..end, visit).await {
                return Ok(Err(fault));
            }
            self.progress.show(&format!("entry {start} of {size}"));
            let receipts = entries
                .into_iter()
                .filter(|(_, entry)| entry.kind == EntryKind::Receipt);
            let receipts: Vec<_> = receipts
                .map(|(position, entry)| (position, entry.sha256))
                .collect();
            self.check(start, &receipts).await?;
            let part = std::mem::take(&mut self.part);
            self.post(part)?;
            (self.state.position, self.state.looks_held) = (end, 0);
            self.memory.remember(&self.state)?;
            self.deliver().await?;
        }
        Ok(Ok(()))
    }

    /// Settles a part of the log, or says why it cannot be settled yet.
    async fn check(
        &mut self,
        start: u64,
        receipts: &[(u64, ReceiptDigest)],
    ) -> Result<(), Failure> {
        if self.part.start != start {
            self.part = Part::new(start);
        }
        let Self {
            checker,
            lots,
            state,
            part,
            ..
        } = self;
        let measure = Measure {
            checker,
            lots,
            share: self.args.share,
            state,
        };
        let silent = part.settle(receipts, &measure).await;
        if !silent.is_empty() {
            self.wait_for(&silent).await?;
            self.part.settled.extend(silent);
        }
        Ok(())
    }

    /// Is it these receipts that are not answered for, or nothing at all? Who answers nothing gets
    /// no verdict; who answers for everything but some orders withholds these, and does not keep
    /// the others from being checked.
    async fn wait_for(&mut self, silent: &BTreeMap<u64, Settled>) -> Result<(), Failure> {
        let unreachable = |detail: String| Failure::new(ErrorCode::ServiceUnreachable, detail);
        let mut why = silent
            .values()
            .filter_map(|settled| settled.found.as_ref()?.silence.as_ref())
            .peekable();
        let first = why.peek().map(ToString::to_string).unwrap_or_default();
        if let Err(error) = self.log.checkpoint().await {
            return Err(unreachable(format!("{}: {error}", self.args.executor)));
        }
        let is_closed = self.part.settled.values().all(|settled| settled.is_missing);
        if is_closed
            && why.all(|silence| silence.is_refusal())
            && silent.values().all(|settled| settled.is_missing)
        {
            return Err(unreachable(format!("{}: {first}", self.args.executor)));
        }
        self.state.looks_held += 1;
        self.memory.remember(&self.state)?;
        if self.state.looks_held >= PATIENCE_LOOKS {
            return Ok(());
        }
        let detail = format!(
            "{}: there is no answer for {} or what they lead to: {first}; this was look {} of {PATIENCE_LOOKS}, after which their \
             verdict is `unavailable`",
            self.args.executor,
            plural(silent.len() as u64, "receipt"),
            self.state.looks_held,
        );
        Err(Failure::new(ErrorCode::ReceiptWithheld, detail))
    }

    /// Counts a part, and puts what follows from it into the outbox, from where it is delivered
    /// however often it takes.
    fn post(&mut self, part: Part) -> Result<(), Failure> {
        log_findings(&part);
        let mut parcels = Vec::new();
        let name = format!("part-{:020}", part.start);
        for settled in part.settled.into_values() {
            self.count(&settled);
            let Some(Found {
                order_id,
                statement,
                challenge,
                ..
            }) = settled.found
            else {
                continue;
            };
            if let Some(challenge) = challenge.filter(|_| self.courier.takes_challenges()) {
                parcels.push(Parcel::challenge(challenge.to_string()));
            }
            if let (Some(order_id), Some(statement)) = (order_id, statement) {
                let body =
                    String::from_utf8_lossy(&statement.envelope().to_canonical()).into_owned();
                parcels.push(Parcel::verdict(order_id, body));
            }
        }
        self.memory.post(&name, &parcels)
    }

    fn count(&mut self, settled: &Settled) {
        let state = &mut self.state;
        state.receipts += 1;
        state.nothing_committed += u64::from(settled.nothing_committed);
        state.misdated += u64::from(settled.misdated.is_some());
        let Some(found) = &settled.found else { return };
        let verdict = found.result.verdict;
        state.count(verdict);
        state.withheld += u64::from(settled.is_missing);
        state.matched_by_chance += u64::from(verdict == Verdict::Matched && settled.is_by_chance);
        // Where nothing could be replayed the next order of the skill is looked at, too.
        if let Some(skill) = settled.skill.filter(|_| verdict != Verdict::Unavailable) {
            state.met(skill);
        }
    }

    /// Keeps and sends the evidence against a log: what was seen, and not what it says when it is
    /// asked again.
    async fn accuse(&mut self, fault: &Fault) -> Result<Failure, Failure> {
        let failure = log_check::blamed(&self.seen, &self.origin, fault)?;
        if !fault.is_misbehaviour() {
            return Ok(failure);
        }
        if self.courier.takes_challenges() {
            let (before, now) = fault.notes();
            let challenge = json!({
                "format": "sre.challenge/v1",
                "kind": "log",
                "executor": self.args.executor,
                "origin": self.origin,
                "code": failure.code,
                "error": failure.detail,
                "checkpoint_before": before.map(Note::to_string),
                "checkpoint_now": now.map(Note::to_string),
            })
            .to_string();
            // The same accusation lies there once, and takes the place of no other.
            let name = format!("log-{}", Digest::of(challenge.as_bytes()));
            self.memory.post(&name, &[Parcel::challenge(challenge)])?;
        }
        self.deliver().await?;
        Ok(failure)
    }

    async fn deliver(&mut self) -> Result<(), Failure> {
        let sums = |state: &State| (state.refused, state.dropped, state.last_reason.clone());
        let before = sums(&self.state);
        self.waiting = self
            .courier
            .deliver(&self.memory, &mut self.state, &mut self.told)
            .await?;
        if sums(&self.state) == before {
            Ok(())
        } else {
            self.memory.remember(&self.state)
        }
    }
}

/// One line for each verdict and each wrong time, with the first orders that it is about.
fn log_findings(part: &Part) {
    let mut bad = BTreeMap::<&str, Vec<&Settled>>::new();
    let mut misdated = BTreeMap::<bool, Vec<&Settled>>::new();
    for settled in part.settled.values() {
        if let Some(found) = settled
            .found
            .as_ref()
            .filter(|found| !found.result.is_valid)
        {
            bad.entry(found.result.verdict.as_str())
                .or_default()
                .push(settled);
        }
        if let Some(why) = settled.misdated {
            misdated.entry(why.is_ahead()).or_default().push(settled);
        }
    }
    for (verdict, orders) in bad {
        let error = orders[0]
            .found
            .as_ref()
            .and_then(|found| found.result.error.as_deref())
            .unwrap_or_default();
        tracing::warn!(
            verdict,
            count = orders.len(),
            orders = named(&orders),
            error,
            "orders do not hold"
        );
    }
    for orders in misdated.into_values() {
        let why = orders[0]
            .misdated
            .map(|why| why.to_string())
            .unwrap_or_default();
        tracing::warn!(
            count = orders.len(),
            orders = named(&orders),
            why,
            "receipts have a time that cannot be"
        );
    }
}

/// The first orders of some, in words.
fn named(all: &[&Settled]) -> String {
    let name = |settled: &&Settled| {
        settled
            .order_id
            .as_ref()
            .map_or_else(|| String::from("(no receipt)"), OrderId::to_string)
    };
    let mut names: Vec<String> = all.iter().take(NAMED_LIMIT).map(name).collect();
    if all.len() > NAMED_LIMIT {
        names.push(format!("and {} more", all.len() - NAMED_LIMIT));
    }
    names.join(", ")
}
