//! Delivering verdicts and challenges. What fails stays in the outbox.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use sre_core::Digest;
use sre_orchestrator::{AddressPolicy, Callback, CallbackError, CallbackMessage, DataFolder, HttpCallback, Network};
use url::Url;

use super::memory::{Memory, Parcel, State};
use crate::cli::WatchArgs;
use crate::failure::Failure;
use crate::receipts::HttpPlace;

/// Deliveries that are on their way at once.
const SENDS: usize = 16;
/// Different reasons that are logged after one attempt to deliver everything.
const REMARKS_LIMIT: usize = 8;

/// What became of a delivery.
enum Sent {
    Taken,
    /// The receiver has decided not to take it.
    Refused(String),
    /// It may take it yet.
    Failed(String),
}

/// What is to be logged, once with a count and not once for every order.
#[derive(Default)]
pub struct Remarks(BTreeMap<(&'static str, String), u64>);

/// Sends what waits.
pub struct Courier {
    executor: HttpPlace,
    challenges: Option<(Url, HttpCallback)>,
}

impl Courier {
    /// Sends verdicts to `executor`, and challenges where the arguments say, signed with the data folder's callback keys.
    ///
    /// # Errors
    /// An address that challenges may not go to; keys that cannot be used.
    pub fn new(args: &WatchArgs, executor: HttpPlace, folder: &DataFolder) -> Result<Self, Failure> {
        let Some(url) = args.challenge.clone() else { return Ok(Self { executor, challenges: None }) };
        let network = |text: &String| {
            text.parse::<Network>().map_err(|error| Failure::usage("usage", format!("--challenge-network: {error}")))
        };
        let networks = args.challenge_networks.iter().map(network).collect::<Result<_, _>>()?;
        let policy = AddressPolicy::new(networks, args.challenge_ports.clone());
        policy.check_url(&url).map_err(|error| {
            Failure::usage("challenge_forbidden", format!("--challenge: {error}"))
                .hint("--challenge-network and --challenge-port allow more")
        })?;
        let failed = |error: CallbackError| Failure::operating("callback_unavailable", error.to_string());
        let callback = HttpCallback::new(policy, Arc::new(folder.open_callback_keys()?)).map_err(failed)?;
        Ok(Self { executor, challenges: Some((url, callback)) })
    }

    /// Whether challenges go anywhere.
    pub fn takes_challenges(&self) -> bool {
        self.challenges.is_some()
    }

    /// Sends everything that waits, once. Returns how much still waits; `told` is what there is to say about it.
    ///
    /// # Errors
    /// When the outbox cannot be read or written.
    pub async fn deliver(&self, memory: &Memory, state: &mut State, told: &mut Remarks) -> Result<usize, Failure> {
        let (mut left, mut gone) = (0, BTreeSet::new());
        for name in memory.waiting()? {
            let parcels = memory.parcels(&name)?;
            let (mut kept, tried): (Vec<_>, Vec<_>) =
                parcels.iter().cloned().partition(|parcel| gone.contains(&parcel.is_challenge()));
            let sent = stream::iter(&tried).map(|parcel| self.send(parcel)).buffered(SENDS);
            let sent: Vec<Sent> = sent.collect().await;
            let mut reached = BTreeSet::new();
            for (parcel, sent) in tried.iter().zip(sent) {
                match sent {
                    Sent::Failed(why) => {
                        told.add("it is not delivered yet", why);
                        kept.push(parcel.clone());
                        continue;
                    }
                    Sent::Refused(why) => {
                        state.refused += 1;
                        told.add("the receiver does not take it", why);
                    }
                    Sent::Taken => {}
                }
                reached.insert(parcel.is_challenge());
            }
            // Who took nothing of this part is not asked about the next: it would only cost more time.
            gone.extend(tried.iter().map(Parcel::is_challenge).filter(|receiver| !reached.contains(receiver)));
            left += kept.len();
            if kept.len() < parcels.len() {
                memory.post(&name, &kept)?;
            }
        }
        Ok(left)
    }

    async fn send(&self, parcel: &Parcel) -> Sent {
        let Some(order_id) = &parcel.order_id else {
            return self.challenge(&parcel.body).await.map_or_else(Sent::Failed, |()| Sent::Taken);
        };
        match self.executor.send_verdict(order_id, parcel.body.clone()).await {
            Ok((200 | 201, _)) => Sent::Taken,
            Ok((status @ (403 | 404 | 409 | 422), detail)) => Sent::Refused(format!("{status}: {detail}")),
            Ok((status, detail)) => Sent::Failed(format!("{status}: {detail}")),
            Err(error) => Sent::Failed(error),
        }
    }

    async fn challenge(&self, body: &str) -> Result<(), String> {
        let Some((url, callback)) = &self.challenges else {
            return Err(String::from("there is no --challenge any more, and one waits"));
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
        callback.deliver(&message).await.map_err(|error| error.to_string())
    }
}

impl Remarks {
    fn add(&mut self, what: &'static str, why: String) {
        let is_known = self.0.contains_key(&(what, why.clone()));
        let why = if is_known || self.0.len() < REMARKS_LIMIT { why } else { String::from("other reasons") };
        *self.0.entry((what, why)).or_default() += 1;
    }

    /// Logs what there is, and forgets it.
    pub fn log(&mut self) {
        for ((what, why), count) in std::mem::take(&mut self.0) {
            tracing::warn!(count, why, "verdict or challenge: {what}");
        }
    }
}
