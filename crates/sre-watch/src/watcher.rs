//! One watcher of one executor: looks at its log, checks what is new, and keeps what is to be said
//! until it is delivered.
//!
//! Entries are taken in parts. A part's verdicts lie in the outbox before the position moves past
//! it, so a process that is killed in between checks the part again and says the same again, which
//! changes nothing at the executor. No part needs more than four waits for the disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use sre_client::{Address, ClientError, HttpLog};
use sre_core::{Digest, OrderId, ReceiptDigest, Verdict};
use sre_log::watch::{self, Fault, Seen};
use sre_log::{LogSource as _, LookError};
use sre_receipt::tlog::{EntryKind, KeyName, Note, TILE_WIDTH, VerifierKey};

use crate::check::{Checker, Found};
use crate::deliver::{Courier, DeliveryNotes, OUTBOX_LIMIT, Waiting};
use crate::error::{LogFault, WatchError};
use crate::folder::WatchFolder;
use crate::log_keys::{log_keys, log_origin};
use crate::options::WatchOptions;
use crate::part::{Checked, Part, SamplingPolicy};
use crate::sampler::Sampler;
use crate::state::{Followed, Looked, OutboxItem, State};

/// Entries that are taken together: those of one bundle of the log.
const BUNDLE_ENTRIES: u64 = TILE_WIDTH as u64;
/// Looks at which the log answers and a receipt, or what it leads to, does not. After these the
/// verdict is `unavailable`.
const PATIENCE_LOOKS: u32 = 5;
/// Orders that one line of the log names.
const NAMED_LIMIT: usize = 5;

/// One watcher of one executor.
pub struct Watcher<'a> {
    options: &'a WatchOptions,
    log: HttpLog,
    origin: KeyName,
    keys: Vec<VerifierKey>,
    checker: Checker,
    courier: Courier<'a>,
    sampler: Sampler,
    folder: WatchFolder,
    state: State,
    /// The part that is being checked.
    part: Part,
    /// Deliveries that wait in the outbox.
    waiting: Waiting,
    /// What is to be logged about deliveries of this round.
    notes: DeliveryNotes,
}

impl<'a> Watcher<'a> {
    /// A watcher that goes on where it stopped. For an executor that was followed before it needs no
    /// answer: what waits for the challenge URL is delivered while the executor is away.
    ///
    /// # Errors
    /// When an executor that was never followed does not answer, or this node's own folder cannot
    /// be used.
    pub async fn open(options: &'a WatchOptions) -> Result<Self, WatchError> {
        let folders = &options.folders;
        let address = options.executor.address();
        let log_address = Address::parse(&format!("{address}log"))
            .map_err(|error| WatchError::Client(error.into()))?;
        let log = HttpLog::new(log_address).map_err(|error| WatchError::Client(error.into()))?;
        let origin = match log_origin(&log).await {
            Ok(origin) => origin,
            Err(fault) => WatchFolder::known(&folders.watch, address.as_str())?
                .ok_or(WatchError::Origin(fault))?,
        };
        let own = Arc::new(folders.keys.load_or_create()?);
        let trust = folders.keys.trust()?;
        let folder = WatchFolder::open(&folders.watch, &origin)?;
        let mut state = folder.state()?;
        let followed = Some(Followed {
            executor: address.as_str().to_owned(),
            origin: origin.clone(),
        });
        if state.followed != followed {
            state.followed = followed;
            folder.remember(&state)?;
        }
        Ok(Self {
            options,
            log,
            keys: log_keys(&options.keys, &trust, &origin),
            checker: Checker::new(options, trust, own),
            courier: Courier::new(options),
            sampler: folder.sampler()?,
            part: Part::new(state.position),
            state,
            folder,
            origin,
            waiting: Waiting::default(),
            notes: DeliveryNotes::default(),
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
    pub async fn round(&mut self) -> Result<usize, WatchError> {
        let done = self.look().await;
        self.notes.log();
        done.map(|()| self.waiting.challenges + self.waiting.verdicts)
    }

    async fn look(&mut self) -> Result<(), WatchError> {
        self.take_keys()?;
        self.deliver().await?;
        let at = Timestamp::now();
        let looked = match self
            .options
            .folders
            .logs
            .look(&self.origin, &self.log, &self.keys)
            .await
        {
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
                self.folder.remember(&self.state)
            }
            Err(fault) => Err(self.accuse(fault).await?),
        }
    }

    /// Takes the keys as they are now: neither an executor's new key nor an own one needs a
    /// restart.
    fn take_keys(&mut self) -> Result<(), WatchError> {
        let trust = self.options.folders.keys.trust()?;
        self.keys = log_keys(&self.options.keys, &trust, &self.origin);
        self.checker
            .use_keys(trust, Arc::new(self.options.folders.keys.load_or_create()?));
        Ok(())
    }

    /// Checks what is new, a bundle of the log at a time, and delivers what follows.
    async fn read(&mut self, seen: &Seen) -> Result<Result<(), Fault>, WatchError> {
        let size = seen.checkpoint.size;
        while self.state.position < size {
            if self.waiting.challenges >= OUTBOX_LIMIT {
                let count = self.waiting.challenges;
                return Err(unreachable(format!(
                    "{count} challenges wait to be delivered"
                )));
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
            self.options.observer.reading(start, size);
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
            self.folder.remember(&self.state)?;
            self.deliver().await?;
        }
        Ok(Ok(()))
    }

    /// Checks a part of the log, or says why it cannot be checked yet.
    async fn check(
        &mut self,
        start: u64,
        receipts: &[(u64, ReceiptDigest)],
    ) -> Result<(), WatchError> {
        if self.part.start != start {
            self.part = Part::new(start);
        }
        let Self {
            checker,
            sampler,
            state,
            part,
            ..
        } = self;
        let policy = SamplingPolicy {
            checker,
            sampler,
            share: self.options.share,
            state,
        };
        let unanswered = part.check(receipts, &policy).await;
        if !unanswered.is_empty() {
            self.wait_for(&unanswered).await?;
            self.part.checked.extend(unanswered);
        }
        Ok(())
    }

    /// Distinguishes an executor that answers nothing, which gets no verdict, from one that answers
    /// for everything but some orders: that one withholds them, and this does not keep the other
    /// orders from being checked.
    async fn wait_for(&mut self, unanswered: &BTreeMap<u64, Checked>) -> Result<(), WatchError> {
        let address = self.options.executor.address().as_str();
        let why = || {
            unanswered
                .values()
                .filter_map(|checked| checked.found.as_ref()?.unanswered.as_ref())
        };
        let first = why().next().map(ToString::to_string).unwrap_or_default();
        if let Err(error) = self.log.checkpoint().await {
            return Err(unreachable(format!("{address}: {error}")));
        }
        // Nothing of this part was to be had, and each time a token was asked for.
        let mut all = self.part.checked.values().chain(unanswered.values());
        if all.all(|checked| checked.is_missing) && why().all(ClientError::is_forbidden) {
            return Err(WatchError::Unreachable {
                detail: format!("{address}: {first}"),
                is_forbidden: true,
            });
        }
        self.state.looks_held += 1;
        self.folder.remember(&self.state)?;
        if self.state.looks_held >= PATIENCE_LOOKS {
            return Ok(());
        }
        let receipts = match unanswered.len() {
            1 => String::from("1 receipt"),
            count => format!("{count} receipts"),
        };
        Err(WatchError::Withheld(format!(
            "{address}: there is no answer for {receipts} or what they lead to: {first}; this was look {} of \
             {PATIENCE_LOOKS}, after which their verdict is `unavailable`",
            self.state.looks_held,
        )))
    }

    /// Counts a part, and puts what follows from it into the outbox, from where it is delivered
    /// however often it takes.
    fn post(&mut self, part: Part) -> Result<(), WatchError> {
        log_findings(&part);
        let mut items = Vec::new();
        let name = format!("part-{:020}", part.start);
        for checked in part.checked.into_values() {
            self.count(&checked);
            let Some(Found {
                order_id,
                statement,
                challenge,
                ..
            }) = checked.found
            else {
                continue;
            };
            if let Some(challenge) = challenge.filter(|_| self.courier.takes_challenges()) {
                items.push(OutboxItem::challenge(challenge.to_string()));
            }
            if let (Some(order_id), Some(statement)) = (order_id, statement) {
                let body =
                    String::from_utf8_lossy(&statement.envelope().to_canonical()).into_owned();
                items.push(OutboxItem::verdict(order_id, body));
            }
        }
        self.folder.post(&name, &items)
    }

    fn count(&mut self, checked: &Checked) {
        let state = &mut self.state;
        state.receipts += 1;
        state.nothing_committed += u64::from(checked.nothing_committed);
        state.misdated += u64::from(checked.misdated.is_some());
        let Some(found) = &checked.found else { return };
        let verdict = found.result.verdict;
        state.count(verdict);
        state.withheld += u64::from(checked.is_missing);
        state.matched_by_chance += u64::from(verdict == Verdict::Matched && checked.is_by_chance);
        // Where nothing could be replayed the next order of the skill is looked at, too.
        if let Some(skill) = checked.skill.filter(|_| verdict != Verdict::Unavailable) {
            state.met(skill);
        }
    }

    /// Keeps and sends the evidence against a log: what was seen, and not what it says when it is
    /// asked again.
    async fn accuse(&mut self, fault: Fault) -> Result<WatchError, WatchError> {
        let fault = LogFault::keep(&self.options.folders.logs, &self.origin, fault)?;
        if !fault.fault.is_misbehaviour() {
            return Ok(fault.into());
        }
        if self.courier.takes_challenges() {
            let (before, now) = fault.fault.notes();
            let challenge = json!({
                "format": "sre.challenge/v1",
                "kind": "log",
                "executor": self.options.executor.address().as_str(),
                "origin": self.origin,
                "code": fault.code(),
                "error": fault.to_string(),
                "checkpoint_before": before.map(Note::to_string),
                "checkpoint_now": now.map(Note::to_string),
            })
            .to_string();
            // Named by its content: the same accusation is kept once and replaces no other.
            let name = format!("log-{}", Digest::of(challenge.as_bytes()));
            self.folder
                .post(&name, &[OutboxItem::challenge(challenge)])?;
        }
        self.deliver().await?;
        Ok(fault.into())
    }

    async fn deliver(&mut self) -> Result<(), WatchError> {
        let sums = |state: &State| (state.refused, state.dropped, state.last_reason.clone());
        let before = sums(&self.state);
        self.waiting = self
            .courier
            .deliver(&self.folder, &mut self.state, &mut self.notes)
            .await?;
        if sums(&self.state) == before {
            Ok(())
        } else {
            self.folder.remember(&self.state)
        }
    }
}

fn unreachable(detail: String) -> WatchError {
    WatchError::Unreachable {
        detail,
        is_forbidden: false,
    }
}

/// One line for each verdict and each wrong time, with the first orders that it is about.
fn log_findings(part: &Part) {
    let mut bad = BTreeMap::<&str, Vec<&Checked>>::new();
    let mut misdated = BTreeMap::<bool, Vec<&Checked>>::new();
    for checked in part.checked.values() {
        if let Some(found) = checked
            .found
            .as_ref()
            .filter(|found| !found.result.is_valid)
        {
            bad.entry(found.result.verdict.as_str())
                .or_default()
                .push(checked);
        }
        if let Some(why) = checked.misdated {
            misdated.entry(why.is_ahead()).or_default().push(checked);
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
fn named(all: &[&Checked]) -> String {
    let name = |checked: &&Checked| {
        checked
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
