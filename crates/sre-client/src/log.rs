//! A transparency log that is read over HTTP (C2SP tlog-tiles).

use std::time::Duration;

use async_trait::async_trait;
use sre_log::{LogSource, SourceError, TILE_LIMIT_BYTES};
use sre_receipt::tlog::{NOTE_LIMIT_BYTES, TilePath};

use crate::address::Address;
use crate::client::{Client, or_none};
use crate::request::Request;

/// How long one answer may take in all.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A log whose checkpoint is below an address.
#[derive(Debug, Clone)]
pub struct HttpLog(Client);

impl HttpLog {
    /// The log whose checkpoint is `checkpoint` below `address`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(address: Address) -> Result<Self, reqwest::Error> {
        Client::new(address, None, TIME_LIMIT).map(Self)
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.0.address()
    }

    async fn get(&self, path: &str, limit_bytes: usize) -> Result<Vec<u8>, SourceError> {
        let answer = self.0.bytes(Request::get(path).limit(limit_bytes)).await;
        or_none(answer)
            .map_err(|error| SourceError::Unreachable(error.to_string()))?
            .ok_or_else(|| SourceError::Missing(path.to_owned()))
    }
}

#[async_trait]
impl LogSource for HttpLog {
    async fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.get("checkpoint", NOTE_LIMIT_BYTES).await
    }

    async fn tile(&self, path: TilePath) -> Result<Vec<u8>, SourceError> {
        self.get(&path.to_string(), TILE_LIMIT_BYTES).await
    }
}
