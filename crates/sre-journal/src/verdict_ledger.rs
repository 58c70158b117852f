//! Verdicts of other verifiers about orders, and which orders wait for them.
//!
//! Every accepted verdict is kept. Of the verdicts that one key gave about one order, the latest
//! counts. An order that needs `required` verdicts is final from the moment when that many keys say
//! `matched`. It stays final whatever comes later, and what comes later is shown beside it.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sre_core::{Digest, OrderId, Verdict};

use crate::error::JournalError;

/// Verdicts about orders, and sums over them.
#[async_trait]
pub trait VerdictLedger: Send + Sync {
    /// Keeps a verdict about an order that has ended, unless the key has said the same last, or has
    /// said too much about this order. Where that makes the order final or disputed, its callback
    /// becomes due.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was kept.
    async fn record_verdict(&self, verdict: NewVerdict) -> Result<VerdictStanding, JournalError>;

    /// What [`record_verdict`](VerdictLedger::record_verdict) would answer to such a verdict of
    /// `key` about the order at `sequence`. Keeps nothing.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn standing(
        &self,
        sequence: i64,
        key: Digest,
        verdict: Verdict,
    ) -> Result<VerdictStanding, JournalError>;

    /// Every verdict about an order, oldest first; an unknown order has no verdicts.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn verdicts(&self, order_id: &OrderId) -> Result<Vec<StoredVerdict>, JournalError>;

    /// How much of the work was ever checked by others. Purged orders count.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn coverage(&self) -> Result<Coverage, JournalError>;
}

/// A verdict to be kept. Its signature was checked.
#[derive(Debug, Clone)]
pub struct NewVerdict {
    /// Place of the order in the journal.
    pub sequence: i64,
    /// Who signed.
    pub key: Digest,
    /// What it says.
    pub verdict: Verdict,
    /// When it was checked, according to the signer.
    pub checked_at: Timestamp,
    /// Digest of the signed envelope, which is in the blob store and in the log.
    pub digest: Digest,
}

/// How a verdict stands to those that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictStanding {
    /// It is new, and kept.
    New,
    /// The latest verdict of this key about this order says the same.
    Known,
    /// The key has given as many verdicts about this order as it may.
    TooMany,
}

/// A verdict as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredVerdict {
    /// The id of the key that signed.
    pub key: Digest,
    /// What it says.
    pub verdict: String,
    /// When it was checked, according to the signer.
    pub checked_at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
    /// SHA-256 of the signed envelope, under which it is found among the blobs and in the log.
    pub envelope: Digest,
}

/// The verdicts that an order needs and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finality {
    /// How many matching verdicts, each by another key, it needs.
    pub required: u32,
    /// Keys whose latest verdict is `matched`.
    pub matched: u32,
    /// Keys whose latest verdict is `diverged` or `tampered`.
    pub disputed: u32,
    /// Whether it has had as many as it needs.
    pub is_final: bool,
    /// Since when.
    pub final_at: Option<Timestamp>,
}

impl Finality {
    /// Of a new order that needs so many verdicts; `None` where it needs no verdicts.
    pub(crate) fn required(required: u32) -> Option<Self> {
        (required > 0).then_some(Self {
            required,
            matched: 0,
            disputed: 0,
            is_final: false,
            final_at: None,
        })
    }

    /// An `OrderResult` as JSON with this as its member `finality`.
    ///
    /// The member is appended to the text: a result may be megabytes long, and this runs in
    /// transactions, where parsing it and writing it again would hold up every other writer.
    #[must_use]
    pub fn with_finality(&self, result: &str) -> String {
        let finality = serde_json::to_string(self).unwrap_or_default();
        match result.strip_suffix('}') {
            Some(members) => format!("{members},\"finality\":{finality}}}"),
            None => result.to_owned(),
        }
    }
}

/// How much of the work was checked by others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Receipts issued.
    pub receipts: u64,
    /// Orders with a verdict.
    pub checked: u64,
    /// Orders with a verdict `matched`.
    pub matched: u64,
    /// Orders with a verdict `diverged` or `tampered`.
    pub disputed: u64,
    /// Orders with verdicts, of which no verdict is `matched`, `hash_only`, `diverged` or
    /// `tampered`.
    pub inconclusive: u64,
}

impl Coverage {
    /// The share of receipts on which there is a verdict, from 0 to 1.
    #[must_use]
    pub fn share_checked(&self) -> f64 {
        if self.receipts == 0 {
            0.0
        } else {
            (self.checked as f64 / self.receipts as f64).min(1.0)
        }
    }

    /// An upper bound for the share of wrong results, from 0 to 1: if more of them were wrong, a
    /// random sample of as many as matched would have shown at least one with this `confidence`.
    /// 0 where all results matched.
    ///
    /// `None` where no result matched; where a result is disputed, which says more than any
    /// estimate; and where a check was inconclusive, because an executor that may withhold sampled
    /// results may withhold the wrong ones.
    #[must_use]
    pub fn undetected_share(&self, confidence: f64) -> Option<f64> {
        let is_clean = self.matched > 0 && self.disputed == 0 && self.inconclusive == 0;
        let is_complete = self.matched >= self.receipts;
        is_clean.then(|| {
            if is_complete {
                0.0
            } else {
                1.0 - (1.0 - confidence).powf(1.0 / self.matched as f64)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_needs_matches_and_no_dispute_or_withheld_check() {
        let clean = Coverage {
            receipts: 10_000,
            checked: 400,
            matched: 300,
            ..Coverage::default()
        };
        let share = clean.undetected_share(0.95).expect("an estimate");
        assert!((share - 0.009_936).abs() < 1e-5, "{share}");
        for tainted in [
            Coverage {
                inconclusive: 1,
                ..clean
            },
            Coverage {
                disputed: 1,
                ..clean
            },
            Coverage {
                matched: 0,
                ..clean
            },
        ] {
            assert_eq!(tainted.undetected_share(0.95), None, "{tainted:?}");
        }
        let complete = Coverage {
            receipts: 4,
            checked: 4,
            matched: 4,
            ..Coverage::default()
        };
        assert_eq!(complete.undetected_share(0.95), Some(0.0));
    }

    #[test]
    fn finality_becomes_the_last_member_of_a_result() {
        let finality = Finality::required(2).expect("two are needed");
        let text = finality.with_finality(r#"{"status":"completed"}"#);
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["status"], "completed");
        assert_eq!(value["finality"]["required"], 2);
    }
}
