//! Delivering verdicts and challenges. What fails stays in the outbox, and so does, for a time,
//! what the executor refuses: its operator may trust the verifier's key only later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use sre_core::{Digest, ErrorCode};
use sre_orchestrator::{
    AddressPolicy, Callback, CallbackError, CallbackMessage, DataFolder, HttpCallback, Network,
};
use url::Url;

use super::memory::Memory;
use super::state::{OFFER_DAYS, Parcel, State};
use crate::cli::WatchArgs;
use crate::failure::Failure;
use crate::receipts::{HttpPlace, VerdictAnswer, has_credentials};

/// Deliveries that are on their way at once.
const SENDS: usize = 16;
/// Different reasons that are logged after one attempt to deliver everything.
const REMARKS_LIMIT: usize = 8;
/// Verdicts that wait at most; of more the oldest are given up. Challenges are never given up: as
/// many of them hold up the watcher.
pub const OUTBOX_LIMIT: usize = 10_000;

/// What became of a delivery.
enum Sent {
    Taken,
    /// The receiver will never take it.
    Refused(String),
    /// It may take it another time.
    NotYet(String),
    /// The receiver takes nothing from here now.
    Shut(String),
    /// Something failed.
    Failed(String),
    /// Nobody answers there.
    Gone(String),
}

/// What is to be logged, once with a count and not once for every order.
#[derive(Default)]
pub struct Remarks(BTreeMap<(&'static str, String), u64>);

/// How much still waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waiting {
    /// For the challenge URL.
    pub challenges: usize,
    /// For the executor.
    pub verdicts: usize,
}

/// Sends what waits.
pub struct Courier {
    executor: HttpPlace,
    challenges: Option<(Url, HttpCallback)>,
}

/// One attempt to deliver everything.
struct Attempt<'a> {
    now: Timestamp,
    state: &'a mut State,
    told: &'a mut Remarks,
    /// Receivers of which no more is hoped this time, by whether they are the one of challenges.
    gone: BTreeSet<bool>,
}

impl Courier {
    /// Sends verdicts to `executor`, and challenges where the arguments say, signed with the data
    /// folder's callback keys.
    ///
    /// # Errors
    /// An address that challenges may not go to; keys that cannot be used.
    pub fn new(
        args: &WatchArgs,
        executor: HttpPlace,
        folder: &DataFolder,
    ) -> Result<Self, Failure> {
        let Some(url) = args.challenge.clone() else {
            return Ok(Self {
                executor,
                challenges: None,
            });
        };
        if has_credentials(&url) {
            let detail =
                "--challenge: an address must not contain credentials: they would end up in logs";
            return Err(Failure::new(ErrorCode::ChallengeForbidden, detail));
        }
        let network = |text: &String| {
            text.parse::<Network>().map_err(|error| {
                Failure::new(ErrorCode::Usage, format!("--challenge-network: {error}"))
            })
        };
        let networks = args
            .challenge_networks
            .iter()
            .map(network)
            .collect::<Result<_, _>>()?;
        let policy = AddressPolicy::new(networks, args.challenge_ports.clone());
        let policy = policy.set_by("--challenge-port", "--challenge-network");
        policy.check_url(&url).map_err(|error| {
            Failure::new(
                ErrorCode::ChallengeForbidden,
                format!("--challenge: {error}"),
            )
        })?;
        let failed =
            |error: CallbackError| Failure::new(ErrorCode::CallbackUnavailable, error.to_string());
        let callback =
            HttpCallback::new(policy, Arc::new(folder.open_callback_keys()?)).map_err(failed)?;
        Ok(Self {
            executor,
            challenges: Some((url, callback)),
        })
    }

    /// Whether challenges go anywhere.
    pub fn takes_challenges(&self) -> bool {
        self.challenges.is_some()
    }

    /// Sends everything that waits and is due, once. What there is to say about it stands in
    /// `state` and `told`; what changed of the state is to be remembered.
    ///
    /// # Errors
    /// When the outbox cannot be read or written.
    pub async fn deliver(
        &self,
        memory: &Memory,
        state: &mut State,
        told: &mut Remarks,
    ) -> Result<Waiting, Failure> {
        let mut attempt = Attempt {
            now: Timestamp::now(),
            state,
            told,
            gone: BTreeSet::new(),
        };
        let mut left = Waiting::default();
        for name in memory.waiting()? {
            let parcels = memory.parcels(&name)?;
            let mut kept = Vec::new();
            for is_challenge in [true, false] {
                let theirs = parcels
                    .iter()
                    .filter(|parcel| parcel.is_challenge() == is_challenge)
                    .cloned()
                    .collect();
                kept.extend(self.send_all(is_challenge, theirs, &mut attempt).await);
            }
            left.challenges += kept.iter().filter(|parcel| parcel.is_challenge()).count();
            left.verdicts += kept.iter().filter(|parcel| !parcel.is_challenge()).count();
            if kept != parcels {
                memory.post(&name, &kept)?;
            }
        }
        if left.challenges + left.verdicts == 0 && state.refused + state.dropped == 0 {
            state.last_reason = None;
        }
        give_up(memory, state, &mut left)?;
        Ok(left)
    }

    /// Sends what is due to one receiver; what is kept.
    async fn send_all(
        &self,
        is_challenge: bool,
        parcels: Vec<Parcel>,
        attempt: &mut Attempt<'_>,
    ) -> Vec<Parcel> {
        let is_tried =
            |parcel: &Parcel| !attempt.gone.contains(&is_challenge) && parcel.is_due(attempt.now);
        let (mut tried, mut kept): (Vec<_>, Vec<_>) = parcels.into_iter().partition(is_tried);
        if tried.is_empty() {
            return kept;
        }
        // The first alone tells whether anybody is there, and wants any of them.
        let rest = tried.split_off(1);
        let mut reached = false;
        for (parcels, is_probe) in [(tried, true), (rest, false)] {
            if attempt.gone.contains(&is_challenge) {
                kept.extend(parcels);
                continue;
            }
            let sent = stream::iter(&parcels)
                .map(|parcel| self.send(parcel))
                .buffered(SENDS);
            let sent: Vec<Sent> = sent.collect().await;
            for (parcel, sent) in parcels.into_iter().zip(sent) {
                reached |= matches!(sent, Sent::Taken | Sent::Refused(_) | Sent::NotYet(_));
                if is_probe && matches!(sent, Sent::Shut(_) | Sent::Gone(_)) {
                    attempt.gone.insert(is_challenge);
                }
                kept.extend(attempt.settle(parcel, sent));
            }
        }
        // Who took nothing of this part is not asked about the next: it would only cost more time.
        if !reached {
            attempt.gone.insert(is_challenge);
        }
        kept
    }

    async fn send(&self, parcel: &Parcel) -> Sent {
        let Some(order_id) = &parcel.order_id else {
            return self
                .challenge(&parcel.body)
                .await
                .map_or_else(Sent::Failed, |()| Sent::Taken);
        };
        let VerdictAnswer {
            status,
            code,
            detail,
        } = match self
            .executor
            .send_verdict(order_id, parcel.body.clone())
            .await
        {
            Ok(answer) => answer,
            Err(error) => return Sent::Gone(error),
        };
        let why = format!("{status}: {detail}");
        match (status, &*code) {
            (200 | 201, _) => Sent::Taken,
            // The key is not trusted yet, or the token does not do.
            (401 | 403, _) => Sent::Shut(why),
            // The order is not known, or not yet with its receipt.
            (404, _) | (409, "receipt_unavailable") => Sent::NotYet(why),
            (400 | 405 | 409 | 410 | 413 | 415 | 422, _) => Sent::Refused(why),
            _ => Sent::Failed(why),
        }
    }

    async fn challenge(&self, body: &str) -> Result<(), String> {
        let Some((url, callback)) = &self.challenges else {
            return Err(String::from(
                "there is no --challenge any more, and one waits",
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
    /// What is kept of a parcel after this happened to it.
    fn settle(&mut self, parcel: Parcel, sent: Sent) -> Option<Parcel> {
        let (kept, what, why) = match sent {
            Sent::Taken => return None,
            Sent::Refused(why) => (None, "the receiver does not take it", why),
            Sent::NotYet(why) => (
                parcel.refused(self.now, true),
                "the receiver does not take it yet",
                why,
            ),
            Sent::Shut(why) => (
                parcel.refused(self.now, false),
                "the receiver does not take it yet",
                why,
            ),
            Sent::Failed(why) | Sent::Gone(why) => (Some(parcel), "it is not delivered yet", why),
        };
        if kept.is_none() {
            self.state.refused += 1;
        }
        self.state.last_reason = Some(why.clone());
        self.told.add(what, why);
        kept
    }
}

/// Gives up the oldest verdicts where too many wait.
fn give_up(memory: &Memory, state: &mut State, left: &mut Waiting) -> Result<(), Failure> {
    if left.verdicts <= OUTBOX_LIMIT {
        return Ok(());
    }
    let mut excess = left.verdicts - OUTBOX_LIMIT;
    tracing::warn!(
        count = excess,
        limit = OUTBOX_LIMIT,
        "too many verdicts wait for the executor; the oldest are given up"
    );
    for name in memory.waiting()? {
        let mut parcels = memory.parcels(&name)?;
        let before = parcels.len();
        parcels.retain(|parcel| {
            let is_kept = parcel.is_challenge() || excess == 0;
            excess -= usize::from(!is_kept);
            is_kept
        });
        let dropped = before - parcels.len();
        if dropped > 0 {
            memory.post(&name, &parcels)?;
            state.dropped += dropped as u64;
            left.verdicts -= dropped;
        }
        if excess == 0 {
            break;
        }
    }
    Ok(())
}

impl Remarks {
    fn add(&mut self, what: &'static str, why: String) {
        let is_known = self.0.contains_key(&(what, why.clone()));
        let why = if is_known || self.0.len() < REMARKS_LIMIT {
            why
        } else {
            String::from("other reasons")
        };
        *self.0.entry((what, why)).or_default() += 1;
    }

    /// Logs what there is, and forgets it.
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
