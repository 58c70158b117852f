//! Bundles: one file for one order, which verifies offline. Made of what a data folder has, or of
//! what a service shows.

use std::sync::Arc;

use sre_client::{Client, OrderReceipt, Sources};
use sre_core::OrderId;
use sre_da::{Store, StoreError};
use sre_orchestrator::{Registrar, evidence};
use sre_receipt::{BUNDLE_LIMIT_BYTES, Bundle};

use crate::failure::Failure;

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

/// The same of what a service has. Nothing of it is believed: verifying the bundle checks it.
pub(crate) async fn of_service(
    client: &Client,
    order_id: &OrderId,
    with_runtime: bool,
) -> Result<Arc<[u8]>, Failure> {
    let OrderReceipt { receipt, proof } = client.receipt(order_id).await?;
    let mut sources = Sources::default();
    sources.add_service(client.clone());
    let found = evidence(&sources, &receipt, with_runtime).await;
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
