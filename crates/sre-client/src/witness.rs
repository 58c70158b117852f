//! A witness that cosigns checkpoints (C2SP tlog-witness).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use sre_receipt::tlog::{Hash, NOTE_LIMIT_BYTES, Note};

use crate::address::Address;
use crate::client::Client;
use crate::error::ClientError;

/// How long one answer may take in all.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A witness whose `add-checkpoint` is below an address.
#[derive(Debug, Clone)]
pub struct Witness(Client);

/// What a witness answered to a checkpoint.
#[derive(Debug)]
pub enum WitnessAnswer {
    /// Lines of signature, not checked.
    Cosigned(String),
    /// It last saw the log at this size and wants a proof from there.
    Seen(u64),
}

impl Witness {
    /// The witness below `address`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(address: Address) -> Result<Self, reqwest::Error> {
        Client::new(address, None, TIME_LIMIT).map(Self)
    }

    /// Shows the witness a checkpoint with the consistency proof from the size `old`.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Invalid`] also says why the witness refused.
    pub async fn add_checkpoint(
        &self,
        old: u64,
        proof: &[Hash],
        note: &Note,
    ) -> Result<WitnessAnswer, ClientError> {
        let Self(client) = self;
        let proof: String = proof
            .iter()
            .map(|hash| STANDARD.encode(hash.0) + "\n")
            .collect();
        let request = client
            .builder(Method::POST, "add-checkpoint", &[])
            .timeout(TIME_LIMIT)
            .body(format!("old {old}\n{proof}\n{note}"));
        let answer = request
            .send()
            .await
            .map_err(|error| client.unreachable(&error))?;
        let status = answer.status().as_u16();
        let text = client.read(answer, NOTE_LIMIT_BYTES).await?;
        let invalid = |why: &str| ClientError::Invalid(why.to_owned());
        let text = String::from_utf8(text).map_err(|_| invalid("the answer is not text"))?;
        // The specification gives these statuses a meaning of their own.
        match status {
            200 => Ok(WitnessAnswer::Cosigned(text)),
            409 => text
                .trim_end()
                .parse()
                .map(WitnessAnswer::Seen)
                .map_err(|_| invalid("the answer is not a size")),
            403 => Err(invalid("it does not accept this log's signature (403)")),
            404 => Err(invalid(
                "it does not know this log (404); its operator has to be told of the log's key",
            )),
            422 => Err(invalid("it says that the log did not only grow (422)")),
            other => Err(ClientError::Invalid(format!("the answer was {other}"))),
        }
    }
}
