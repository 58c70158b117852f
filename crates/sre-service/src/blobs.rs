//! Bytes by digest: uploading what orders then name, and reading.
//!
//! Knowing a digest is no right to its bytes. A caller without the scope `read` may read and name
//! what it uploaded and what its own orders brought or left. Everything else does not exist for it:
//! no answer tells whether another caller has the same bytes here.

use std::time::Duration;

use sre_core::{BlobDigest, ErrorCode};
use sre_da::{BlobReader, BlobWriter, StoreError, StoreErrorKind};

use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::service::Service;
use crate::shares::Held;

/// A blob that is being uploaded. Dropping it leaves nothing behind.
pub struct BlobUpload<'a> {
    service: &'a Service,
    submitter: String,
    writer: Box<dyn BlobWriter + 'a>,
    size_bytes: u64,
    _held: Held,
}

/// A blob that was uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadedBlob {
    /// Its address.
    pub digest: BlobDigest,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Whether it is new to this caller.
    pub is_new: bool,
}

impl Service {
    /// Begins an upload.
    ///
    /// # Errors
    /// `scope_missing`; `uploads_busy` where as many are under way as may be; `store_failed`.
    pub async fn begin_upload(&self, caller: &Caller) -> Result<BlobUpload<'_>, ServiceError> {
        caller.require(&[Scope::Submit])?;
        let held = self.uploads.take(caller.name(), 1).ok_or_else(|| {
            let detail = "as many blobs are being uploaded as this service allows, or allows one token; try again later";
            ServiceError::busy(ErrorCode::UploadsBusy, detail, Duration::from_secs(1))
        })?;
        Ok(BlobUpload {
            service: self,
            submitter: caller.name().to_owned(),
            writer: self.store.writer().await?,
            size_bytes: 0,
            _held: held,
        })
    }

    /// The bytes with this digest, to be read in pieces.
    ///
    /// # Errors
    /// `scope_missing`, `blob_unknown`, `journal_failed`, `store_failed`.
    pub async fn blob(
        &self,
        caller: &Caller,
        digest: BlobDigest,
    ) -> Result<BlobReader, ServiceError> {
        caller.require(&[Scope::Submit, Scope::Read])?;
        let unknown =
            || ServiceError::new(ErrorCode::BlobUnknown, format!("there is no blob {digest}"));
        // The same answer whether the blob is there or not: a submitter learns nothing of others.
        if !caller.may(Scope::Read) && !self.journal().may_use(caller.name(), digest).await? {
            return Err(unknown());
        }
        self.store
            .open(digest)
            .await
            .map_err(|error| match error.kind() {
                StoreErrorKind::NotFound => unknown(),
                _ => ServiceError::operating(ErrorCode::StoreFailed, &error),
            })
    }
}

impl BlobUpload<'_> {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// `body_too_large`, `store_failed`.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), ServiceError> {
        let limit = self.service.limits.blob_limit_bytes;
        self.size_bytes += bytes.len() as u64;
        if self.size_bytes > limit {
            let detail = format!("the blob is longer than {limit} bytes");
            return Err(ServiceError::new(ErrorCode::BodyTooLarge, detail));
        }
        Ok(self.writer.write(bytes).await?)
    }

    /// Ends the upload. When this returns, the blob is durable and the caller's orders may name it.
    ///
    /// # Errors
    /// `digest_mismatch` when the bytes have another digest than was `expected`; `store_failed`,
    /// `journal_failed`. The caller owns nothing then.
    pub async fn finish(self, expected: Option<BlobDigest>) -> Result<UploadedBlob, ServiceError> {
        let written = self.writer.finish(expected).await.map_err(refused)?;
        let (digest, size_bytes) = (written.digest, written.size_bytes);
        let journal = self.service.journal();
        // Not whether the store had it: that would tell what others have.
        let is_new = !journal.may_use(&self.submitter, digest).await?;
        // If the process dies here, the bytes are stored and belong to no submitter; the same upload
        // again completes it, and `sre gc` removes them otherwise.
        let owned = vec![(digest, size_bytes)];
        journal.record_upload(&self.submitter, owned).await?;
        Ok(UploadedBlob {
            digest,
            size_bytes,
            is_new,
        })
    }
}

fn refused(error: StoreError) -> ServiceError {
    match error {
        StoreError::Mismatch {
            expected, actual, ..
        } => {
            let detail = format!(
                "the bytes have the digest {actual}, and {expected} was announced; nothing was stored"
            );
            ServiceError::new(ErrorCode::DigestMismatch, detail)
        }
        other => other.into(),
    }
}
