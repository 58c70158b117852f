//! Sends the large contents of an invocation ahead of the order, which then names them by digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sre_client::{Client, ClientError};
use sre_core::BlobDigest;
use sre_orchestrator::{ContentConfig, FileConfig, FolderConfig, InvocationConfig};

use crate::failure::Failure;
use crate::output::{self, Progress};

/// A content up to this size goes along in the order: a request of its own would cost more.
const INLINE_LIMIT_BYTES: usize = 4 << 10;
/// As long as all of them together are no more than this.
const INLINE_TOTAL_BYTES: usize = 4 << 20;
/// Uploads at once.
const AT_ONCE: usize = 4;

/// Uploads what the service does not have, and puts digests in the place of the contents.
///
/// # Errors
/// What the service said; blobs that it took by then stay there.
pub async fn upload(
    client: &Client,
    invocation: &mut InvocationConfig,
    progress: &Progress,
) -> Result<(), Failure> {
    let blobs = take_large(invocation);
    let total: usize = blobs.values().map(|bytes| bytes.len()).sum();
    if total > 0 {
        progress.show(&format!("uploading {}", output::bytes(total as u64)));
    }
    let sent = stream::iter(blobs).map(|(digest, bytes)| async move {
        if client.has_blob(digest).await? {
            return Ok(());
        }
        client.upload(digest, bytes).await
    });
    let sent: Result<(), ClientError> = sent.buffer_unordered(AT_ONCE).try_collect().await;
    Ok(sent?)
}

/// The large contents by digest, which stands in their place afterwards.
fn take_large(invocation: &mut InvocationConfig) -> BTreeMap<BlobDigest, Arc<[u8]>> {
    let mut blobs = BTreeMap::new();
    let mut inline_bytes = 0;
    for content in contents(invocation) {
        let ContentConfig::Bytes(bytes) = content else {
            continue;
        };
        let size = bytes.len();
        if size <= INLINE_LIMIT_BYTES && inline_bytes + size <= INLINE_TOTAL_BYTES {
            inline_bytes += size;
            continue;
        }
        let digest = BlobDigest::of(bytes);
        blobs.insert(digest, Arc::clone(bytes));
        *content = ContentConfig::Blob(digest);
    }
    blobs
}

fn contents(invocation: &mut InvocationConfig) -> impl Iterator<Item = &mut ContentConfig> {
    let folders = [Some(&mut invocation.work), invocation.home.as_mut()];
    let files = folders.into_iter().flatten().flat_map(|folder| {
        let files = match folder {
            FolderConfig::Files(files) => Some(files.values_mut()),
            FolderConfig::Tree(_) | FolderConfig::Order(_) => None,
        };
        files.into_iter().flatten()
    });
    let files = files.filter_map(|file| match file {
        FileConfig::File { content, .. } => Some(content),
        FileConfig::Link(_) => None,
    });
    invocation.stdin.iter_mut().chain(files)
}
