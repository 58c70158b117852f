//! Every put of an order's life × {lost, stored but reported as failed}, with the process going on
//! and with a new one after it.
//!
//! The table of the journal's writes is in `journal.rs`, that of the steps of one put in `sre-da`.

mod support;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sre_core::{BlobDigest, OrderResult, OrderStatus};
use sre_da::{Blob, LocalStore, Store, StoreError};
use sre_journal::{EventKind, SqliteJournal};
use sre_orchestrator::{SubmitError, WorkerOptions, Workers};
use support::{Act, House, Receiver, eventually, house_in, house_on, now, order, store_in};
use tempfile::TempDir;

/// What a put may suffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing is stored.
    Lost,
    /// All of it is stored.
    Unreported,
}

/// A real store whose put number `at` fails. A disk cannot be made to do this at a chosen put.
struct FaultyStore {
    store: LocalStore,
    at: usize,
    fault: Fault,
    puts: AtomicUsize,
}

#[async_trait]
impl Store for FaultyStore {
    async fn put(&self, blobs: Vec<Blob>) -> Result<(), StoreError> {
        if self.puts.fetch_add(1, Ordering::SeqCst) != self.at {
            return self.store.put(blobs).await;
        }
        if self.fault == Fault::Unreported {
            self.store.put(blobs).await?;
        }
        let source = ErrorKind::StorageFull.into();
        Err(StoreError::Io {
            action: "write",
            path: PathBuf::from("a blob"),
            source,
        })
    }

    async fn get(&self, digest: BlobDigest) -> Result<Arc<[u8]>, StoreError> {
        self.store.get(digest).await
    }

    async fn exists(&self, digest: BlobDigest) -> Result<bool, StoreError> {
        self.store.exists(digest).await
    }
}

/// The puts of an order, in their order.
const SKILL: usize = 0;
const EVIDENCE: usize = 1;

fn house(data: &Arc<TempDir>, at: usize, fault: Fault) -> House {
    let store = FaultyStore {
        store: store_in(data),
        at,
        fault,
        puts: AtomicUsize::new(0),
    };
    let journal = SqliteJournal::open(&data.path().join("journal.sqlite3")).expect("a journal");
    house_on(
        Arc::clone(data),
        journal,
        Arc::new(store),
        &[Act::Print("1")],
        Receiver::Acknowledges,
    )
}

/// Submits the order and waits for its result, or for its refusal.
async fn submit(house: &House, retries: u32) -> Result<OrderResult, SubmitError> {
    let workers = Workers::start(Arc::clone(&house.orchestrator), WorkerOptions::default()).await;
    let mut config = order("order");
    config.max_retries = retries;
    let accepted = house.acceptance.accept(config).await.expect("an order");
    let submitted = workers.submit(accepted, "x").await;
    let id = "order".parse().expect("an id");
    let ended = match submitted {
        Err(error) => Err(error),
        Ok(_) => Ok(eventually("the result", || {
            let entry = now(house.orchestrator.journal().get(&id))
                .expect("readable")
                .expect("known");
            entry.parsed_result().expect("readable")
        })
        .await),
    };
    workers.shutdown(Duration::from_secs(5)).await;
    ended
}

fn ends(house: &House) -> usize {
    let id = "order".parse().expect("an id");
    let events = now(house.orchestrator.journal().events(&id, 0, 100))
        .expect("readable")
        .unwrap_or_default();
    events
        .iter()
        .filter(|event| event.kind == EventKind::Finished)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_skill_was_not_stored_was_not_accepted() {
    for fault in [Fault::Lost, Fault::Unreported] {
        for same_process in [true, false] {
            let data = Arc::new(tempfile::tempdir().expect("a folder"));
            let mut house = house(&data, SKILL, fault);
            let refused = submit(&house, 0).await;
            assert!(
                matches!(refused, Err(SubmitError::Store(_))),
                "{fault:?}: {refused:?}"
            );
            let id = "order".parse().expect("an id");
            assert!(
                house
                    .orchestrator
                    .journal()
                    .get(&id)
                    .await
                    .expect("readable")
                    .is_none(),
                "{fault:?}"
            );
            if !same_process {
                drop(house);
                house = house_in(
                    Arc::clone(&data),
                    &[Act::Print("1")],
                    Receiver::Acknowledges,
                );
            }
            let ended = submit(&house, 0).await.expect("accepted");
            assert_eq!(
                (ended.status, ends(&house)),
                (OrderStatus::Completed, 1),
                "{fault:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_was_not_stored_is_an_operating_failure_and_no_result() {
    for fault in [Fault::Lost, Fault::Unreported] {
        for retries in [0, 1] {
            let data = Arc::new(tempfile::tempdir().expect("a folder"));
            let house = house(&data, EVIDENCE, fault);
            let ended = submit(&house, retries).await.expect("accepted");
            assert_eq!(ends(&house), 1, "{fault:?}");
            if retries == 0 {
                assert_eq!(ended.status, OrderStatus::Failed);
                assert_eq!(
                    (ended.error_code.as_deref(), ended.commit_result.is_some()),
                    (Some("store_failed"), false)
                );
            } else {
                assert_eq!(
                    (ended.status, ended.attempts),
                    (OrderStatus::Completed, 2),
                    "{fault:?}"
                );
            }
            // The next reader finds the same.
            drop(house);
            let house = house_in(
                Arc::clone(&data),
                &[Act::Print("1")],
                Receiver::Acknowledges,
            );
            assert_eq!(
                submit(&house, retries).await.expect("known"),
                ended,
                "{fault:?}"
            );
        }
    }
}
