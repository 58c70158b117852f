//! [`OrderQueue`] over SQLite; each step is in the file of its name.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::params;
use sre_core::{Backend, OrderId, OrderResult};

use super::acquire::backend_name;
use super::error::SqliteError;
use super::journal::SqliteJournal;
use super::{accept, acquire, cancel, expire, finish, leases, recover};
use crate::backoff::Backoff;
use crate::error::JournalError;
use crate::lease::Lease;
use crate::queue::{
    Accepted, AcquirePolicy, AcquiredOrder, Cancelled, NewOrder, OrderQueue, Recovered, Retry,
};

#[async_trait]
impl OrderQueue for SqliteJournal {
    async fn accept(
        &self,
        order: NewOrder,
        policy: AcquirePolicy,
    ) -> Result<Accepted, JournalError> {
        Ok(accept::accept(self, order, policy).await?)
    }

    async fn acquire(
        &self,
        backend: Backend,
        limit: usize,
        after: &str,
    ) -> Result<Vec<AcquiredOrder>, JournalError> {
        Ok(acquire::acquire(self, backend, limit, after).await?)
    }

    async fn acquire_one(&self, sequence: i64) -> Result<Option<AcquiredOrder>, JournalError> {
        Ok(acquire::acquire_one(self, sequence).await?)
    }

    async fn record_verifying(&self, lease: &Lease) -> Result<(), JournalError> {
        Ok(finish::record_verifying(self, lease).await?)
    }

    async fn finish(&self, lease: Lease, result: &OrderResult) -> Result<(), JournalError> {
        Ok(finish::finish(self, lease, result).await?)
    }

    async fn retry(&self, lease: Lease, retry: Retry) -> Result<(), JournalError> {
        Ok(finish::retry(self, lease, retry).await?)
    }

    async fn release(&self) -> Result<(), JournalError> {
        Ok(leases::release(self).await?)
    }

    async fn cancel(&self, order_id: &OrderId) -> Result<Cancelled, JournalError> {
        Ok(cancel::cancel(self, order_id).await?)
    }

    async fn cancelling(&self) -> Result<HashSet<i64>, JournalError> {
        Ok(cancel::cancelling(self)?)
    }

    async fn expire(&self, limit: usize) -> Result<usize, JournalError> {
        Ok(expire::expire(self, limit).await?)
    }

    async fn recover(&self, backoff: Backoff, random: f64) -> Result<Recovered, JournalError> {
        Ok(recover::recover(self, backoff, random).await?)
    }

    async fn heartbeat(&self) -> Result<(), JournalError> {
        Ok(leases::heartbeat(self).await?)
    }

    async fn deregister(&self) -> Result<(), JournalError> {
        Ok(leases::deregister(self).await?)
    }

    async fn tick(&self) -> Result<(), JournalError> {
        Ok(leases::tick(self).await?)
    }

    async fn has_work(&self, backend: Backend) -> Result<bool, JournalError> {
        Ok(has_work(self, backend)?)
    }

    fn open_orders(&self) -> usize {
        usize::try_from(self.open.load(Ordering::Relaxed)).unwrap_or(0)
    }

    fn since_accepted(&self, lease: &Lease) -> Duration {
        let elapsed_ms = self.clocks.steady_ms() - lease.queued_at_ms;
        Duration::from_millis(u64::try_from(elapsed_ms).unwrap_or(0))
    }
}

fn has_work(journal: &SqliteJournal, backend: Backend) -> Result<bool, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM open_orders WHERE state = 'ready' AND backend = ?1)
             OR EXISTS (SELECT 1 FROM open_orders WHERE state = 'waiting' AND due_ms <= ?2)",
    )?;
    Ok(
        statement.query_row(params![backend_name(backend), journal.now_ms()], |row| {
            row.get(0)
        })?,
    )
}
