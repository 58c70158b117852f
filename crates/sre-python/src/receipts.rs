//! Receipts: issued for orders of the data folder, and checked, from wherever they come.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};
use sre_core::{BlobDigest, OrderId, VerifyResult};
use sre_da::{Source, Store, StoreError, format_uri};
use sre_orchestrator::Registrar;
use sre_receipt::tlog::PROOF_LIMIT_BYTES;
use sre_receipt::{BUNDLE_LIMIT_BYTES, Bundle, Examination, Examiner, Policy, Trust};
use sre_verify::{Verify, VerifyRequest};
use tokio::task::block_in_place;

use crate::failure::Failure;
use crate::json::type_name;
use crate::order;
use crate::parts::Inner;

/// The receipt of an order and its proof, as Python gets them; null for an order without a result.
pub(crate) async fn shown(registrar: &Registrar, order_id: &OrderId) -> Result<Value, Failure> {
    let Some((receipt, proof)) = registrar.issue_proven(order_id).await? else {
        return Ok(Value::Null);
    };
    let envelope = String::from_utf8(receipt.envelope().to_canonical());
    let envelope =
        envelope.map_err(|error| Failure::bug(format!("a receipt is not text: {error}")))?;
    Ok(json!({ "envelope": envelope, "proof": proof.to_string() }))
}

/// What is to be verified, and who is believed.
pub(crate) struct Request {
    receipt: Vec<u8>,
    proof: Option<Vec<u8>>,
    /// `None`: the trust file of the data folder.
    trust: Option<Trust>,
    policy: Policy,
}

impl Request {
    /// Reads the arguments. Every error names one.
    pub(crate) fn read(
        receipt: &Bound<'_, PyAny>,
        proof: Option<&Bound<'_, PyAny>>,
        trust: Option<&Bound<'_, PyAny>>,
        require_proof: &Bound<'_, PyAny>,
        witnesses: &Bound<'_, PyAny>,
    ) -> Result<Self, Failure> {
        let receipt = bytes(receipt, "receipt", BUNDLE_LIMIT_BYTES)?.to_vec();
        let proof = proof
            .map(|proof| bytes(proof, "proof", PROOF_LIMIT_BYTES as u64))
            .transpose()?
            .map(<[u8]>::to_vec);
        if proof.is_some() && Bundle::looks_like(&receipt) {
            return Err(Failure::of_value(
                "proof",
                "is for a receipt; a bundle has its own",
            ));
        }
        let trust = match trust {
            Some(trust) => {
                let trust = Trust::parse(bytes(trust, "trust", u64::MAX)?);
                Some(trust.map_err(|error| Failure::of_value("trust", error))?)
            }
            None => None,
        };
        let require_proof = order::truth(require_proof, "require_proof")?;
        let witnesses =
            usize::try_from(order::count(witnesses, "witnesses")?).unwrap_or(usize::MAX);
        let policy = Policy {
            require_proof,
            witnesses_required: witnesses,
        };
        Ok(Self {
            receipt,
            proof,
            trust,
            policy,
        })
    }
}

fn bytes<'a>(
    value: &'a Bound<'_, PyAny>,
    field: &str,
    limit_bytes: u64,
) -> Result<&'a [u8], Failure> {
    let Ok(bytes) = value.cast_exact::<PyBytes>() else {
        return Err(Failure::of_type(
            field,
            format!("must be bytes, found {}", type_name(value)),
        ));
    };
    let bytes = bytes.as_bytes();
    if bytes.len() as u64 > limit_bytes {
        return Err(Failure::of_value(
            field,
            format!("has {} bytes, the limit is {limit_bytes}", bytes.len()),
        ));
    }
    Ok(bytes)
}

/// The verdict. Writes nothing, and does not make a data folder.
pub(crate) async fn verify(inner: &Inner, request: Request) -> Result<VerifyResult, Failure> {
    let Request {
        receipt,
        proof,
        trust,
        policy,
    } = request;
    let folder = inner.folder()?;
    let trust = trust.map_or_else(|| block_in_place(|| folder.keys().trust()), Ok)?;
    let bundle = if Bundle::looks_like(&receipt) {
        match block_in_place(|| Bundle::parse(&receipt)) {
            Ok(bundle) => bundle,
            Err(error) => return Ok(Examination::of_damaged(&error).without_replay()),
        }
    } else {
        Bundle {
            receipt,
            proof,
            ..Bundle::default()
        }
    };
    let examination =
        Examiner::new(trust, policy).examine(&bundle.receipt, bundle.proof.as_deref());
    let Some(claim) = examination.claim(format_uri) else {
        return Ok(examination.without_replay());
    };
    let folder = if folder.has_journal() {
        Some(inner.store()?)
    } else {
        None
    };
    let sources = Sources {
        bundle: bundle.blobs,
        folder,
    };
    let verifier = inner.sandbox()?.verifier_over(Arc::new(sources));
    let replayed = verifier
        .verify_result(VerifyRequest {
            claim,
            reported_output: None,
        })
        .await;
    Ok(examination.conclude(replayed))
}

/// The blobs of a bundle, then those of the data folder. Read only.
struct Sources {
    bundle: BTreeMap<BlobDigest, Arc<[u8]>>,
    folder: Option<Arc<dyn Store>>,
}

#[async_trait]
impl Source for Sources {
    async fn fetch(&self, digest: BlobDigest) -> Result<Option<Arc<[u8]>>, StoreError> {
        match (self.bundle.get(&digest), &self.folder) {
            (Some(bytes), _) => Ok(Some(Arc::clone(bytes))),
            (None, Some(folder)) => folder.get(digest).await.map(Some),
            (None, None) => Ok(None),
        }
    }

    fn place(&self) -> String {
        String::from("the bundle")
    }
}
