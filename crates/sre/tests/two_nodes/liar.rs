//! An executor that is patched to lie.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use sre_commit::{Commit, CommitError, CommitRequest, Committed};
use sre_core::{
    Canonical, Method, Outcome, OutputDigest, Profile, ReceiptDigest, Verdict, VerifyResult,
};
use sre_da::{Blob, Store};
use sre_log::{Log, Submission};
use sre_orchestrator::{
    AddressPolicy, DataFolder, Embedded, EmbeddedOptions, Orchestrator, OrderConfig,
};
use sre_receipt::tlog::Entry;
use sre_receipt::{Envelope, NodeKey, Receipt};
use sre_skill::{LocalPaths, PackageLimits, Skill};
use sre_verify::{Verify, VerifyRequest};

use crate::common::service::object;
use crate::common::{CACHE, Home};

/// A commit stage that lies about the orders whose ids say so.
struct Liar {
    honest: Arc<dyn Commit>,
    store: Arc<dyn Store>,
}

#[async_trait]
impl Commit for Liar {
    async fn commit_result(&self, request: CommitRequest) -> Result<Committed, CommitError> {
        let (id, profile) = (
            request.order_id.to_string(),
            Arc::clone(&request.job.profile),
        );
        let mut committed = self.honest.commit_result(request).await?;
        let commitment = &mut committed.result.commitment;
        match id.as_str() {
            "alters-output" => {
                let output = Blob::new(&br#"{"n":1000000}"#[..]);
                let outcome = Outcome::returned(output.digest().digest().into());
                let stored = Blob::new(outcome.to_canonical());
                commitment.outcome = outcome.digest();
                committed.result.result_hash = outcome.output();
                committed.output = Some(json!({ "n": 1_000_000 }));
                self.store.put(vec![output, stored]).await?;
            }
            "alters-input" => {
                let input = Blob::new(&br#"{"n":2}"#[..]);
                commitment.input = input.digest().digest().into();
                self.store.put(vec![input]).await?;
            }
            "alters-skill" => {
                let skill = Skill::from_object(&object("returns_2"), &PackageLimits::default())
                    .expect("a skill");
                commitment.skill = skill.digest();
                let mut blobs: Vec<Blob> = skill
                    .files()
                    .iter()
                    .map(|file| Blob::new(Arc::clone(&file.bytes)))
                    .collect();
                blobs.push(Blob::new(Arc::clone(skill.manifest().bytes())));
                self.store.put(blobs).await?;
            }
            "alters-limits" => {
                let other = Canonical::new(Profile {
                    fuel: 1,
                    ..profile.as_ref().clone().into_value()
                });
                let blob = Blob::new(Arc::clone(other.bytes()));
                commitment.profile = blob.digest().digest().into();
                self.store.put(vec![blob]).await?;
            }
            "withholds-input" => {
                commitment.input = sre_core::InputDigest::of(b"not stored anywhere")
            }
            _ => {}
        }
        let changed = Canonical::new(committed.result.commitment.clone());
        committed.result.commitment_hash = committed.result.commitment.digest();
        self.store
            .put(vec![Blob::new(Arc::clone(changed.bytes()))])
            .await?;
        Ok(committed)
    }
}

/// A verify stage that finds everything in order.
struct Blind;

#[async_trait]
impl Verify for Blind {
    async fn verify_result(&self, request: VerifyRequest) -> VerifyResult {
        let hash = request
            .claim
            .result_hash
            .unwrap_or_else(|| OutputDigest::of(b""))
            .to_string();
        VerifyResult {
            is_valid: true,
            verdict: Verdict::Matched,
            method: Method::Replay,
            expected_hash: hash.clone(),
            actual_hash: Some(hash),
            error: None,
            checks: Vec::new(),
            divergence: None,
        }
    }
}

/// Runs orders in the data folder of `home`, with the patched stages. Their receipts are issued by
/// the service. One of them needs a verdict before `client` is called back.
pub(crate) async fn run_patched(home: &Home, orders: &[(&str, &str)], client: &str) {
    let options = EmbeddedOptions {
        cache_folder: Some(CACHE.into()),
        ..EmbeddedOptions::default()
    };
    let embedded = Embedded::new(DataFolder::new(home.data()), options).expect("a sandbox");
    let mut parts = embedded.parts(AddressPolicy::any()).expect("parts");
    parts.commit = Arc::new(Liar {
        honest: parts.commit,
        store: Arc::clone(&parts.store),
    });
    parts.verify = Arc::new(Blind);
    let orchestrator = Orchestrator::new(parts);
    for (id, program) in orders {
        let mut order =
            json!({ "order_id": id, "skill_package": object(program), "input_data": { "n": 1 } });
        if *id == "alters-output" {
            (order["verdicts_required"], order["callback_url"]) = (json!(1), json!(client));
        }
        let config = OrderConfig::from_json(order, LocalPaths::Refused).expect("an order");
        let order = embedded
            .acceptance()
            .accept(config)
            .await
            .expect("accepted");
        orchestrator.execute(order).await.expect("a result");
    }
}

/// Enters a receipt whose payload was changed after it was signed.
pub(crate) async fn enter_forged(home: &Home, order_id: &str) {
    let renamed = |payload: String| payload.replace("\"honest\"", &format!("\"{order_id}\""));
    enter(home, order_id, |receipt, _| {
        let base64 = base64::engine::general_purpose::STANDARD;
        let mut envelope: Value =
            serde_json::from_slice(&receipt.envelope().to_canonical()).expect("JSON");
        envelope["payload"] = json!(base64.encode(renamed(payload(receipt))));
        sre_core::canonical_json::to_vec(&envelope)
    })
    .await;
}

/// Enters a receipt that is good in all but its time, signed with the executor's own key.
pub(crate) async fn enter_dated(home: &Home, order_id: &str, finished_at: Timestamp) {
    enter(home, order_id, |receipt, key| {
        let true_time = receipt.predicate().reported.finished_at.to_string();
        let changed = payload(receipt).replace("\"honest\"", &format!("\"{order_id}\""));
        let changed = changed.replace(&true_time, &finished_at.to_string());
        Envelope::sign(changed.into_bytes(), &key.secret).to_canonical()
    })
    .await;
}

fn payload(receipt: &Receipt) -> String {
    String::from_utf8(receipt.envelope().payload().to_vec()).expect("text")
}

/// Puts what `forge` makes of the receipt of the order `honest` into the log, past the service.
async fn enter(home: &Home, order_id: &str, forge: impl FnOnce(&Receipt, &NodeKey) -> Vec<u8>) {
    let folder = DataFolder::new(home.data());
    let store: Arc<dyn Store> = Arc::new(folder.open_store().expect("a store"));
    let key = Arc::new(folder.keys().load_or_create().expect("a key"));
    let journal = Arc::new(folder.open_journal().expect("a journal"));
    let registrar = folder
        .open_registrar(journal, Arc::clone(&store), "a test")
        .await
        .expect("a registrar");
    let honest = registrar
        .issue(&"honest".parse().expect("an id"))
        .await
        .expect("issued")
        .expect("a receipt");
    drop(registrar);
    let bytes = forge(&honest, &key);
    let entry = Entry::receipt(ReceiptDigest::of(&bytes));
    store.put(vec![Blob::new(bytes)]).await.expect("stored");
    let log = Log::open(&folder.log(), store, key).await.expect("a log");
    log.submit(vec![Submission {
        entry,
        order_id: order_id.parse().expect("an id"),
    }])
    .await
    .expect("entered");
}
