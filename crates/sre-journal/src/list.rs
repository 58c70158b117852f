//! Many orders, newest first.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};
use sre_core::{Digest, SkillDigest};

use crate::{Journal, JournalError};

/// Which orders.
#[derive(Debug, Clone, Default)]
pub struct OrderFilter {
    /// One of [`OrderState::SHOWN`](crate::OrderState::SHOWN).
    pub status: Option<String>,
    /// Of this skill.
    pub skill: Option<SkillDigest>,
    /// Of this submitter.
    pub submitter: Option<String>,
    /// Older than the order at this place of the journal.
    pub before: Option<i64>,
}

/// One order of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderSummary {
    /// Its place in the journal.
    pub sequence: i64,
    /// Which order.
    pub order_id: String,
    /// As in [`OrderFilter::status`].
    pub status: String,
    /// Who submitted it.
    pub submitter: String,
    /// What it runs; `None` for an order of the journal's first version.
    pub skill: Option<SkillDigest>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Whether it has the verdicts it needs; `None` where it needs none.
    pub is_final: Option<bool>,
}

const COLUMNS: &str =
    "SELECT o.sequence, o.order_id, coalesce(r.status, p.state), o.submitter, o.skill,
    o.accepted_at_ms, r.finished_at_ms, f.required IS NOT NULL, f.final_at_ms IS NOT NULL FROM ";

impl Journal {
    /// The orders that `filter` lets through, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn list(
        &self,
        filter: &OrderFilter,
        limit: usize,
    ) -> Result<Vec<OrderSummary>, JournalError> {
        let (sql, values) = query(filter, limit);
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), summary)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// The table that leads is the one whose index finds the orders in order, so that a page costs what
/// is on it; and a page of one submitter's nothing that others have.
fn query(filter: &OrderFilter, limit: usize) -> (String, Vec<Value>) {
    let (tables, lead) = match filter.status.as_deref() {
        // CROSS JOIN keeps SQLite from beginning with the results, which are everybody's.
        Some("completed" | "failed" | "timeout") if filter.submitter.is_some() => (
            "orders o CROSS JOIN results r USING (sequence) LEFT JOIN open_orders p USING (sequence)",
            "o.sequence",
        ),
        Some("completed" | "failed" | "timeout") => (
            "results r JOIN orders o USING (sequence) LEFT JOIN open_orders p USING (sequence)",
            "r.sequence",
        ),
        Some(_) => (
            "open_orders p JOIN orders o USING (sequence) LEFT JOIN results r USING (sequence)",
            "p.sequence",
        ),
        None => (
            "orders o LEFT JOIN results r USING (sequence) LEFT JOIN open_orders p USING (sequence)",
            "o.sequence",
        ),
    };
    let mut values = vec![Value::from(filter.before.unwrap_or(i64::MAX))];
    let mut sql =
        format!("{COLUMNS}{tables} LEFT JOIN finality f USING (sequence) WHERE {lead} < ?");
    match filter.status.as_deref() {
        // Those that were purged are nearly all older than any that is kept: a page does not go
        // through them.
        None => sql.push_str(
            " AND coalesce(r.status, p.state) IS NOT NULL AND o.sequence >= min(
                 coalesce((SELECT min(sequence) FROM results), 9223372036854775807),
                 coalesce((SELECT min(sequence) FROM open_orders), 9223372036854775807))",
        ),
        Some("queued") => sql.push_str(" AND p.state IN ('incomplete', 'ready', 'waiting')"),
        Some(state @ ("running" | "verifying")) => {
            sql.push_str(" AND p.state = ?");
            values.push(state.to_owned().into());
        }
        Some(status) => {
            sql.push_str(" AND r.status = ?");
            values.push(status.to_owned().into());
        }
    }
    if let Some(skill) = filter.skill {
        sql.push_str(" AND o.skill = ?");
        values.push(skill.digest().as_bytes().to_vec().into());
    }
    if let Some(submitter) = &filter.submitter {
        sql.push_str(" AND o.submitter = ?");
        values.push(submitter.clone().into());
    }
    sql.push_str(&format!(" ORDER BY {lead} DESC LIMIT {limit}"));
    (sql, values)
}

fn summary(row: &Row<'_>) -> rusqlite::Result<OrderSummary> {
    let status: String = row.get(2)?;
    let time = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(OrderSummary {
        sequence: row.get(0)?,
        order_id: row.get(1)?,
        status: match status.as_str() {
            "incomplete" | "ready" | "waiting" => String::from("queued"),
            _ => status,
        },
        submitter: row.get(3)?,
        skill: row
            .get::<_, Option<[u8; 32]>>(4)?
            .map(|bytes| Digest::from_bytes(bytes).into()),
        accepted_at: time(row.get(5)?),
        finished_at: row.get::<_, Option<i64>>(6)?.map(time),
        is_final: if row.get(7)? { Some(row.get(8)?) } else { None },
    })
}
