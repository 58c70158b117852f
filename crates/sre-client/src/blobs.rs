//! Bytes to and from a service: blobs by digest, and the files that an order left.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use sre_core::{BlobDigest, OrderId, check_path};

use crate::client::{Client, or_none};
use crate::error::ClientError;
use crate::request::order_path;

/// Slowest transfer that is waited for, in bytes per second, besides the time limit of an answer.
const SLOWEST_BYTES_PER_SECOND: u64 = 64 << 10;

impl Client {
    /// Whether the service has the blob with this digest and lets this token use it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn has_blob(&self, digest: BlobDigest) -> Result<bool, ClientError> {
        let request = self
            .builder(Method::HEAD, &format!("v1/blobs/{digest}"), &[])
            .timeout(self.time_limit());
        Ok(or_none(self.open(request).await)?.is_some())
    }

    /// Uploads the blob with this digest. Repeating it is harmless.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was stored.
    pub async fn upload(&self, digest: BlobDigest, bytes: Arc<[u8]>) -> Result<(), ClientError> {
        let time = Duration::from_secs(bytes.len() as u64 / SLOWEST_BYTES_PER_SECOND);
        let request = self
            .builder(Method::POST, "v1/blobs", &[("sha256", digest.to_string())])
            .timeout(self.time_limit() + time)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(Bytes::from_owner(bytes));
        self.open(request).await.map(drop)
    }

    /// The file that an order left at `path` below `/workspace`, handed to `take` a piece at a time.
    /// What `take` fails with ends the transfer.
    ///
    /// # Errors
    /// [`ClientError`]; what was handed over by then is a part only.
    pub async fn order_file<E>(
        &self,
        order_id: &OrderId,
        path: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Result<(), E>, ClientError> {
        // Anything else is no file of an order, and would make another address.
        check_path(path).map_err(|error| ClientError::Invalid(error.to_string()))?;
        let path = order_path(order_id, &format!("files/{}", encoded(path)));
        let request = self.builder(Method::GET, &path, &[]);
        let mut answer = self.open(request).await?;
        loop {
            let piece = tokio::time::timeout(self.time_limit(), answer.chunk()).await;
            match piece {
                Ok(Ok(Some(piece))) => {
                    if let Err(failed) = take(&piece) {
                        return Ok(Err(failed));
                    }
                }
                Ok(Ok(None)) => return Ok(Ok(())),
                Ok(Err(error)) => return Err(self.unreachable(&error)),
                Err(_) => {
                    let detail = String::from("the service stopped sending the file");
                    return Err(ClientError::Unreachable(detail));
                }
            }
        }
    }
}

/// A path as part of an address.
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn a_path_stays_a_path() {
        assert_eq!(encoded("a/b c?#%.txt"), "a/b%20c%3F%23%25.txt");
    }
}
