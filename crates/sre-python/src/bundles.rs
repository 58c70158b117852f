//! Bundles: one file for one order, which verifies offline. Made of what a data folder has, or of
//! what a service shows.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;
use serde_json::Value;
use sre_core::{BlobDigest, OrderId, canonical_json};
use sre_da::{Source, Store, StoreError};
use sre_orchestrator::{Registrar, evidence};
use sre_receipt::{BUNDLE_LIMIT_BYTES, Bundle, Envelope, Receipt};

use crate::failure::Failure;
use crate::service::Door;

/// The bundle of an order of this data folder, which has ended.
pub(crate) async fn of_folder(
    registrar: &Registrar,
    store: &dyn Store,
    order_id: &OrderId,
    with_runtime: bool,
) -> Result<Arc<[u8]>, Failure> {
    let issued = registrar.issue_proven(order_id).await?;
    let (receipt, proof) =
        issued.ok_or_else(|| Failure::bug("an order that has ended has no receipt"))?;
    let proof = Some(proof.to_string().into_bytes());
    file(
        order_id,
        evidence(store, &receipt, with_runtime)
            .await
            .into_bundle(&receipt, proof),
    )
}

/// The same of what a service has. Nothing of it is believed: whoever verifies the bundle checks
/// it.
pub(crate) async fn of_service(
    door: &Arc<Door>,
    order_id: &OrderId,
    shown: &Value,
    with_runtime: bool,
) -> Result<Arc<[u8]>, Failure> {
    let invalid =
        || Failure::answer_invalid("the answer is no receipt of this order; is this the service?");
    let envelope = shown
        .get("receipt")
        .filter(|receipt| !receipt.is_null())
        .ok_or_else(invalid)?;
    let envelope = Envelope::parse(&canonical_json::to_vec(envelope))
        .ok()
        .ok_or_else(invalid)?;
    let receipt = Receipt::read(envelope)
        .ok()
        .filter(|receipt| receipt.predicate().order_id == *order_id);
    let receipt = receipt.ok_or_else(invalid)?;
    let proof = shown
        .get("proof")
        .and_then(Value::as_str)
        .map(|proof| proof.as_bytes().to_vec());
    let found = evidence(&Shelf(Arc::clone(door)), &receipt, with_runtime).await;
    file(order_id, found.into_bundle(&receipt, proof))
}

fn file(order_id: &OrderId, bundle: Result<Bundle, StoreError>) -> Result<Arc<[u8]>, Failure> {
    let file = bundle
        .map_err(|error| Failure::evidence_lost(order_id, &error))?
        .to_bytes();
    if file.len() as u64 > BUNDLE_LIMIT_BYTES {
        return Err(Failure::bundle_too_large(file.len(), BUNDLE_LIMIT_BYTES));
    }
    Ok(file.into())
}

/// The blobs of a service. Read only, and what has another digest than was asked for is refused.
struct Shelf(Arc<Door>);

#[async_trait]
impl Source for Shelf {
    async fn fetch(&self, digest: BlobDigest) -> Result<Option<Arc<[u8]>>, StoreError> {
        let fetched = self
            .0
            .fetch(Method::GET, &format!("/v1/blobs/{digest}"))
            .await;
        let bytes = fetched.map_err(|failure| StoreError::Io {
            action: "fetch",
            path: format!("blob {digest}").into(),
            source: std::io::Error::other(failure.into_message()),
        })?;
        Ok(Some(bytes.into()))
    }

    fn place(&self) -> String {
        String::from("the service")
    }
}
