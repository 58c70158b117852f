//! Delivering verdicts and challenges. What fails stays in the outbox.

use std::path::Path;
use std::sync::Arc;

use sre_core::Digest;
use sre_orchestrator::{AddressPolicy, Callback, CallbackError, CallbackMessage, DataFolder, HttpCallback, Network};
use url::Url;

use super::memory::{Memory, Parcel, State};
use crate::cli::WatchArgs;
use crate::failure::Failure;
use crate::receipts::HttpPlace;

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

    /// Sends everything that waits, once. Returns how much still waits.
    ///
    /// # Errors
    /// When the outbox cannot be read or written.
    pub async fn deliver(&self, memory: &Memory, state: &mut State) -> Result<usize, Failure> {
        let mut left = 0;
        for path in memory.waiting()? {
            let parcel = memory.parcel(&path)?;
            match self.send(&path, &parcel).await {
                Ok(is_taken) => {
                    state.refused += u64::from(!is_taken);
                    memory.delivered(&path)?;
                }
                Err(why) => {
                    left += 1;
                    tracing::warn!(why, "a verdict or a challenge is not delivered yet");
                }
            }
        }
        Ok(left)
    }

    /// `false` when the receiver has decided not to take it; an error when it may yet.
    async fn send(&self, path: &Path, parcel: &Parcel) -> Result<bool, String> {
        let Some(order_id) = &parcel.order_id else { return self.challenge(path, &parcel.body).await };
        let (status, detail) = self.executor.send_verdict(order_id, parcel.body.clone()).await?;
        match status {
            200 | 201 => Ok(true),
            403 | 404 | 409 | 422 => {
                tracing::warn!(%order_id, status, detail, "the executor does not take the verdict");
                Ok(false)
            }
            _ => Err(format!("the executor answered {status}: {detail}")),
        }
    }

    async fn challenge(&self, path: &Path, body: &str) -> Result<bool, String> {
        let Some((url, callback)) = &self.challenges else {
            return Err(String::from("there is no --challenge any more, and one waits"));
        };
        let name = path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let message = CallbackMessage {
            // The same for every delivery of this challenge.
            id: format!("msg_{:.32}", Digest::of(body.as_bytes()).to_string()),
            order_id: name,
            submitter: String::from("local"),
            url: url.clone(),
            attempt: 1,
            body: body.to_owned(),
            trace: None,
        };
        callback.deliver(&message).await.map(|()| true).map_err(|error| error.to_string())
    }
}
