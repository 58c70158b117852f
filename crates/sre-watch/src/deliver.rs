//! Delivering verdicts and challenges. What fails stays in the outbox, and so does, for a time,
//! what the executor refuses: its operator may trust the verifier's key only later.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use sre_client::{Client, ClientError, Problem};
use sre_core::{Digest, ErrorCode};
use sre_orchestrator::CallbackMessage;

use crate::error::WatchError;
use crate::folder::WatchFolder;
use crate::options::{Challenges, WatchOptions};
use crate::state::{OFFER_DAYS, OutboxItem, State};

/// Deliveries that are on their way at once.
const SENDS: usize = 16;
/// Different reasons that are logged after one attempt to deliver everything.
const NOTES_LIMIT: usize = 8;
/// Verdicts that wait at most; of more the oldest are given up. Challenges are never given up: as
/// many of them hold up the watcher.
pub const OUTBOX_LIMIT: usize = 10_000;

/// How a delivery went.
enum Sent {
    Taken,
    /// The receiver will never take it.
    Refused(String),
    /// It may take it another time.
    NotYet(String),
    /// The receiver takes nothing from this node now.
    Shut(String),
    /// Something failed.
    Failed(String),
    /// There is no answer.
    Gone(String),
}

/// What is to be logged: once with a count, and not once for every order.
#[derive(Default)]
pub struct DeliveryNotes(BTreeMap<(&'static str, String), u64>);

/// How much still waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waiting {
    /// For the challenge URL.
    pub challenges: usize,
    /// For the executor.
    pub verdicts: usize,
}

/// Sends what waits.
pub struct Courier<'a> {
    executor: &'a Client,
    challenges: Option<&'a Challenges>,
}

/// One attempt to deliver everything.
struct Attempt<'a> {
    now: Timestamp,
    state: &'a mut State,
    notes: &'a mut DeliveryNotes,
    /// Receivers that are not tried again in this attempt; `true` for the one of challenges.
    gone: BTreeSet<bool>,
}

impl<'a> Courier<'a> {
    /// Sends verdicts to the executor of `options`, and challenges where they say.
    pub fn new(options: &'a WatchOptions) -> Self {
        Self {
            executor: &options.executor,
            challenges: options.challenges.as_ref(),
        }
    }

    /// Whether challenges go anywhere.
    pub fn takes_challenges(&self) -> bool {
        self.challenges.is_some()
    }

    /// Sends everything that waits and is due, once. `state` and `notes` say how it went; the
    /// caller stores the changed state.
    ///
    /// # Errors
    /// When the outbox cannot be read or written.
    pub async fn deliver(
        &self,
        folder: &WatchFolder,
        state: &mut State,
        notes: &mut DeliveryNotes,
    ) -> Result<Waiting, WatchError> {
        let mut attempt = Attempt {
            now: Timestamp::now(),
            state,
            notes,
            gone: BTreeSet::new(),
        };
        let mut left = Waiting::default();
        for name in folder.waiting()? {
            let items = folder.items(&name)?;
            let mut kept = Vec::new();
            for is_challenge in [true, false] {
                let theirs = items
                    .iter()
                    .filter(|item| item.is_challenge() == is_challenge)
                    .cloned()
                    .collect();
                kept.extend(self.send_all(is_challenge, theirs, &mut attempt).await);
            }
            left.challenges += kept.iter().filter(|item| item.is_challenge()).count();
            left.verdicts += kept.iter().filter(|item| !item.is_challenge()).count();
            if kept != items {
                folder.post(&name, &kept)?;
            }
        }
        if left.challenges + left.verdicts == 0 && state.refused + state.dropped == 0 {
            state.last_reason = None;
        }
        give_up(folder, state, &mut left)?;
        Ok(left)
    }

    /// Sends what is due to one receiver; what is kept.
    async fn send_all(
        &self,
        is_challenge: bool,
        items: Vec<OutboxItem>,
        attempt: &mut Attempt<'_>,
    ) -> Vec<OutboxItem> {
        let is_tried =
            |item: &OutboxItem| !attempt.gone.contains(&is_challenge) && item.is_due(attempt.now);
        let (mut tried, mut kept): (Vec<_>, Vec<_>) = items.into_iter().partition(is_tried);
        if tried.is_empty() {
            return kept;
        }
        // The first alone tells whether the receiver answers, and takes any of them.
        let rest = tried.split_off(1);
        let mut reached = false;
        for (items, is_probe) in [(tried, true), (rest, false)] {
            if attempt.gone.contains(&is_challenge) {
                kept.extend(items);
                continue;
            }
            let sent = stream::iter(&items)
                .map(|item| self.send(item))
                .buffered(SENDS);
            let sent: Vec<Sent> = sent.collect().await;
            for (item, sent) in items.into_iter().zip(sent) {
                reached |= matches!(sent, Sent::Taken | Sent::Refused(_) | Sent::NotYet(_));
                if is_probe && matches!(sent, Sent::Shut(_) | Sent::Gone(_)) {
                    attempt.gone.insert(is_challenge);
                }
                kept.extend(attempt.after(item, sent));
            }
        }
        // A receiver that took nothing of this part is not asked about the next: that would only cost
        // more time.
        if !reached {
            attempt.gone.insert(is_challenge);
        }
        kept
    }

    async fn send(&self, item: &OutboxItem) -> Sent {
        let Some(order_id) = &item.order_id else {
            return self
                .challenge(&item.body)
                .await
                .map_or_else(Sent::Failed, |()| Sent::Taken);
        };
        let sent = self
            .executor
            .send_verdict(order_id, item.body.clone())
            .await;
        let Problem {
            status,
            code,
            detail,
        } = match sent {
            Ok(()) => return Sent::Taken,
            Err(ClientError::Refused(problem)) => problem,
            Err(error @ ClientError::Unreachable(_)) => return Sent::Gone(error.to_string()),
            Err(error @ ClientError::Invalid(_)) => return Sent::Failed(error.to_string()),
        };
        let why = format!("{status}: {detail}");
        match (status, code.as_deref()) {
            // The key is not trusted yet, or the token does not suffice.
            (401 | 403, _) => Sent::Shut(why),
            // The order is not known, or not yet with its receipt.
            (404, _) => Sent::NotYet(why),
            (409, Some(code)) if code == ErrorCode::ReceiptUnavailable.as_str() => {
                Sent::NotYet(why)
            }
            (400 | 405 | 409 | 410 | 413 | 415 | 422, _) => Sent::Refused(why),
            _ => Sent::Failed(why),
        }
    }

    async fn challenge(&self, body: &str) -> Result<(), String> {
        let Some(Challenges { url, callback }) = self.challenges else {
            return Err(String::from(
                "a challenge waits, and there is no longer an address for challenges",
            ));
        };
        let digest = Digest::of(body.as_bytes()).to_string();
        let message = CallbackMessage {
            // The same for every delivery of this challenge.
            id: format!("msg_{digest:.32}"),
            order_id: format!("challenge-{digest}"),
            submitter: String::from("local"),
            url: url.clone(),
            attempt: 1,
            body: body.to_owned(),
            trace: None,
        };
        callback
            .deliver(&message)
            .await
            .map_err(|error| error.to_string())
    }
}

impl Attempt<'_> {
    /// What is kept of an item after a delivery that went like this.
    fn after(&mut self, item: OutboxItem, sent: Sent) -> Option<OutboxItem> {
        let (kept, what, why) = match sent {
            Sent::Taken => return None,
            Sent::Refused(why) => (None, "the receiver does not take it", why),
            Sent::NotYet(why) => (
                item.refused(self.now, true),
                "the receiver does not take it yet",
                why,
            ),
            Sent::Shut(why) => (
                item.refused(self.now, false),
                "the receiver does not take it yet",
                why,
            ),
            Sent::Failed(why) | Sent::Gone(why) => (Some(item), "it is not delivered yet", why),
        };
        if kept.is_none() {
            self.state.refused += 1;
        }
        self.state.last_reason = Some(why.clone());
        self.notes.add(what, why);
        kept
    }
}

/// Gives up the oldest verdicts where too many wait.
fn give_up(folder: &WatchFolder, state: &mut State, left: &mut Waiting) -> Result<(), WatchError> {
    if left.verdicts <= OUTBOX_LIMIT {
        return Ok(());
    }
    let mut excess = left.verdicts - OUTBOX_LIMIT;
    tracing::warn!(
        count = excess,
        limit = OUTBOX_LIMIT,
        "too many verdicts wait for the executor; the oldest are given up"
    );
    for name in folder.waiting()? {
        let mut items = folder.items(&name)?;
        let before = items.len();
        items.retain(|item| {
            let is_kept = item.is_challenge() || excess == 0;
            excess -= usize::from(!is_kept);
            is_kept
        });
        let dropped = before - items.len();
        if dropped > 0 {
            folder.post(&name, &items)?;
            state.dropped += dropped as u64;
            left.verdicts -= dropped;
        }
        if excess == 0 {
            break;
        }
    }
    Ok(())
}

impl DeliveryNotes {
    fn add(&mut self, what: &'static str, why: String) {
        let is_known = self.0.contains_key(&(what, why.clone()));
        let why = if is_known || self.0.len() < NOTES_LIMIT {
            why
        } else {
            String::from("other reasons")
        };
        *self.0.entry((what, why)).or_default() += 1;
    }

    /// Logs the notes, and clears them.
    pub fn log(&mut self) {
        for ((what, why), count) in std::mem::take(&mut self.0) {
            tracing::warn!(
                count,
                why,
                offered_days = OFFER_DAYS,
                "verdict or challenge: {what}"
            );
        }
    }
}
