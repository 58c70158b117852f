//! Many orders, newest first.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};
use sre_core::Digest;
use sre_sqlite::WriteError;

use super::error::SqliteError;
use super::journal::SqliteJournal;
use crate::reader::{OrderFilter, OrderSummary};

const COLUMNS: &str =
    "SELECT o.sequence, o.order_id, coalesce(r.status, p.state), o.submitter, o.skill,
    o.accepted_at_ms, r.finished_at_ms, f.required IS NOT NULL, f.final_at_ms IS NOT NULL FROM ";

pub(super) async fn list(
    journal: &SqliteJournal,
    filter: &OrderFilter,
    limit: usize,
) -> Result<Vec<OrderSummary>, SqliteError> {
    let (sql, values) = query(filter, limit);
    let database = Arc::clone(&journal.database);
    // On a thread of its own: a filter that finds little may read much.
    let listed = tokio::task::spawn_blocking(move || {
        let reader = database.reader()?;
        let mut statement = reader.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), summary)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    });
    listed
        .await
        .map_err(|_| SqliteError::Write(WriteError::Closed))?
}

/// The leading table is the one whose index finds the orders in order. So a page costs what is on
/// it, and a page of one submitter's orders costs nothing for the orders of others.
fn query(filter: &OrderFilter, limit: usize) -> (String, Vec<Value>) {
    let (tables, lead) = match filter.status.as_deref() {
        // CROSS JOIN keeps SQLite from beginning with the results, which are of all submitters.
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
        // Purged orders are nearly all older than the kept ones: a page does not go through them.
        None => sql.push_str(
            " AND coalesce(r.status, p.state) IS NOT NULL AND o.sequence >= min(
                 coalesce((SELECT min(sequence) FROM results), 9223372036854775807),
                 coalesce((SELECT min(sequence) FROM open_orders), 9223372036854775807))",
        ),
        Some("queued") => sql.push_str(" AND p.state IN ('ready', 'waiting')"),
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
            "ready" | "waiting" => String::from("queued"),
            _ => status,
        },
        submitter: row.get(3)?,
        skill: Digest::from_bytes(row.get(4)?).into(),
        accepted_at: time(row.get(5)?),
        finished_at: row.get::<_, Option<i64>>(6)?.map(time),
        is_final: if row.get(7)? { Some(row.get(8)?) } else { None },
    })
}
