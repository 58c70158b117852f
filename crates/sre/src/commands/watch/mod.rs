//! `sre watch`: the verifier's part.

mod check;
mod deliver;
mod memory;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sre_core::{ReceiptDigest, Verdict};
use sre_log::watch::{self, Fault};
use sre_log::{LogMemory, LogSource as _};
use sre_orchestrator::journal::Coverage;
use sre_orchestrator::{DataFolder, Embedded};
use sre_receipt::tlog::{Checkpoint, EntryKind, KeyName, VerifierKey};

use self::check::{Checker, Found};
use self::deliver::Courier;
use self::memory::{Memory, OUTBOX_LIMIT, Parcel, State};
use super::log_check;
use crate::cli::{Format, Global, TrustedRuntime, WatchArgs};
use crate::client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress, Sheet, Style, number};
use crate::receipts::{self, HttpLog, HttpPlace};

/// Entries that are read before they are checked.
const PART_ENTRIES: u64 = 4096;

/// What a watcher works with.
struct Watcher<'a> {
    args: &'a WatchArgs,
    progress: &'a Progress,
    log: HttpLog,
    origin: KeyName,
    keys: Vec<VerifierKey>,
    checker: Checker,
    courier: Courier,
    memory: Memory,
    seen: LogMemory,
    state: State,
}

/// Follows another node until it is stopped, or once.
///
/// # Errors
/// When the executor cannot be read (with `--once`) or misbehaves, or this node's own folder cannot be used.
pub fn watch(args: &WatchArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    let mut options = super::embedded(global, progress);
    options.trusted_runtimes = args.trusted_runtimes.iter().map(TrustedRuntime::named).collect();
    let embedded = Embedded::new(folder.clone(), options)?;
    let runtime = super::runtime()?;
    let (state, left) = runtime
        .block_on(async {
            tokio::select! {
                ended = follow(args, &folder, &embedded, progress) => ended.map(Some),
                _ = tokio::signal::ctrl_c() => Ok(None),
            }
        })?
        .unwrap_or_default();
    runtime.shutdown_timeout(Duration::from_secs(2));
    progress.clear();
    if !args.once {
        return Ok(Exit::Success);
    }
    output::stdout(described(args, &state, left, global.format).as_bytes())?;
    Ok(worst(&state).map_or(Exit::Success, Exit::Verdict))
}

/// Looks, checks and delivers; once, or until it is dropped.
async fn follow(
    args: &WatchArgs,
    folder: &DataFolder,
    embedded: &Embedded,
    progress: &Progress,
) -> Result<(State, usize), Failure> {
    let mut watcher = None;
    loop {
        let round = async {
            if watcher.is_none() {
                watcher = Some(Watcher::open(args, folder, embedded, progress).await?);
            }
            match &mut watcher {
                Some(watcher) => watcher.round().await.map(|left| (watcher.state.clone(), left)),
                None => Ok(Default::default()),
            }
        };
        match round.await {
            Ok(done) if args.once => return Ok(done),
            Ok(_) => {}
            // A log that misbehaves, or a folder that cannot be used, does not get better.
            Err(failure) if args.once || !is_passing(&failure) => return Err(failure),
            Err(failure) => tracing::warn!(error = failure.detail, "the executor cannot be followed; trying again"),
        }
        tokio::time::sleep(Duration::from_secs_f64(args.period)).await;
    }
}

fn is_passing(failure: &Failure) -> bool {
    matches!(failure.code, "service_unreachable" | "log_unreadable")
}

impl<'a> Watcher<'a> {
    async fn open(
        args: &'a WatchArgs,
        folder: &DataFolder,
        embedded: &Embedded,
        progress: &'a Progress,
    ) -> Result<Self, Failure> {
        let place = HttpPlace::new(&args.executor)?.with_token(client::token(args.token_file.as_deref())?);
        let log = HttpLog::new(&format!("{}log", place.address()))?;
        let origin = log_check::origin(&log).await.map_err(|fault| log_check::failure(&fault))?;
        let keys = receipts::keys(folder);
        let own = Arc::new(keys.load_or_create()?);
        let trust = keys.trust()?;
        let mut log_keys = args.keys.clone();
        log_keys.extend(trust.logs(&origin).map(|key| key.as_log()));
        let memory = Memory::open(folder, &origin)?;
        Ok(Self {
            args,
            progress,
            log,
            keys: log_keys,
            checker: Checker::new(place.clone(), embedded, trust, own),
            courier: Courier::new(args, place, folder)?,
            state: memory.state()?,
            memory,
            seen: receipts::memory(folder),
            origin,
        })
    }

    /// One look at the log, with everything that follows from it. Returns how much could not be delivered.
    async fn round(&mut self) -> Result<usize, Failure> {
        let before = self.seen.last(&self.origin)?;
        let looked = match watch::look(&self.log, &self.keys, before.as_ref()).await {
            Ok(seen) => self.read(&seen.checkpoint).await?.map(|()| seen),
            Err(fault) => Err(fault),
        };
        match looked {
            Ok(seen) => self.seen.remember(&self.origin, &seen.note)?,
            Err(fault) => return Err(self.accuse(&fault).await?),
        }
        self.deliver().await
    }

    /// Checks what is new, part by part.
    async fn read(&mut self, checkpoint: &Checkpoint) -> Result<Result<(), Fault>, Failure> {
        while self.state.position < checkpoint.size {
            let part = self.state.position..checkpoint.size.min(self.state.position + PART_ENTRIES);
            let mut entries = Vec::new();
            let visit = |position, entry| entries.extend(part.contains(&position).then_some((position, entry)));
            if let Err(fault) = watch::entries_in(&self.log, checkpoint, part.clone(), visit).await {
                return Ok(Err(fault));
            }
            for (position, entry) in entries {
                if entry.kind == EntryKind::Receipt {
                    self.progress.show(&format!("entry {position} of {}", checkpoint.size));
                    self.receipt(entry.sha256).await?;
                }
                self.state.position = position + 1;
                self.memory.remember(&self.state)?;
            }
        }
        Ok(Ok(()))
    }

    async fn receipt(&mut self, digest: ReceiptDigest) -> Result<(), Failure> {
        let fetched = self.checker.fetch(digest).await?;
        let skill = fetched.skill();
        self.state.receipts += 1;
        if fetched.has_nothing_committed() {
            self.state.nothing_committed += 1;
            return Ok(());
        }
        // Drawn only now, with this machine's randomness: the executor cannot know what will be looked at.
        let is_drawn = rand::random::<f64>() < self.args.share;
        if !is_drawn && !fetched.is_flawed() && !skill.is_some_and(|skill| self.state.is_new(skill)) {
            return Ok(());
        }
        let found = self.checker.check(fetched).await?;
        if !found.result.is_valid {
            let (verdict, error) = (found.result.verdict, found.result.error.as_deref().unwrap_or_default());
            tracing::warn!(order_id = ?found.order_id, %verdict, error, "an order does not hold");
        }
        self.state.count(found.result.verdict, skill);
        self.post(found).await
    }

    /// Into the outbox, from where it is delivered however often it takes.
    async fn post(&mut self, found: Found) -> Result<(), Failure> {
        if self.memory.waiting()?.len() >= OUTBOX_LIMIT && self.deliver().await? >= OUTBOX_LIMIT {
            let detail = format!("{OUTBOX_LIMIT} verdicts and challenges wait to be delivered");
            return Err(Failure::operating("service_unreachable", detail));
        }
        if let Some(challenge) = found.challenge.filter(|_| self.courier.takes_challenges()) {
            self.memory.post(&Parcel { order_id: None, body: challenge.to_string() })?;
        }
        if let (Some(order_id), Some(statement)) = (found.order_id, found.statement) {
            let body = String::from_utf8_lossy(&statement.envelope().to_canonical()).into_owned();
            self.memory.post(&Parcel { order_id: Some(order_id), body })?;
        }
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
            self.memory.post(&Parcel { order_id: None, body: challenge.to_string() })?;
        }
        self.deliver().await?;
        Ok(failure)
    }

    async fn deliver(&mut self) -> Result<usize, Failure> {
        let left = self.courier.deliver(&self.memory, &mut self.state).await?;
        self.memory.remember(&self.state)?;
        Ok(left)
    }
}

/// What counts most of everything that was found.
fn worst(state: &State) -> Option<Verdict> {
    let order =
        [Verdict::Tampered, Verdict::Diverged, Verdict::Unavailable, Verdict::Unanchored, Verdict::Unverifiable];
    order.into_iter().find(|verdict| state.verdicts.contains_key(verdict.as_str()))
}

fn described(args: &WatchArgs, state: &State, left: usize, format: Format) -> String {
    let count = |verdict: Verdict| state.verdicts.get(verdict.as_str()).copied().unwrap_or(0);
    let checked: u64 = state.verdicts.values().sum();
    let disputed = count(Verdict::Diverged) + count(Verdict::Tampered);
    let coverage = Coverage { receipts: state.receipts, checked, matched: count(Verdict::Matched), disputed };
    let (share, undetected) = (coverage.share_checked(), coverage.undetected_share(0.95));
    match format {
        Format::Json => output::json_line(&json!({
            "executor": args.executor,
            "position": state.position,
            "receipts": state.receipts,
            "checked": checked,
            "verdicts": state.verdicts,
            "nothing_committed": state.nothing_committed,
            "share_checked": share,
            "undetected_share_95": undetected,
            "refused": state.refused,
            "undelivered": left,
        })),
        Format::Human => {
            let mut sheet = Sheet::new(Style::stdout());
            sheet.title(&args.executor, "");
            sheet.row("receipts", &number(state.receipts));
            sheet.row("checked", &format!("{} ({:.1} %)", number(checked), share * 100.0));
            for (verdict, count) in &state.verdicts {
                let is_good = matches!(verdict.as_str(), "matched" | "hash_only");
                sheet.painted_row(verdict, &number(*count), if is_good { Style::good } else { Style::error });
            }
            let confidence = match undetected {
                Some(share) => format!("95 % sure that at most {:.2} % of all results are wrong", share * 100.0),
                None if disputed > 0 => String::from("none: results are disputed"),
                None => String::from("none: nothing was checked"),
            };
            sheet.row("confidence", &confidence);
            if state.refused > 0 || left > 0 {
                let (refused, left) = (number(state.refused), number(left as u64));
                sheet.row("verdicts", &format!("{refused} not taken by the executor, {left} not delivered yet"));
            }
            sheet.into_text()
        }
    }
}
