//! How far a watcher has come, and what waits to be delivered: the contents of the files of
//! `folder`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sre_core::{OrderId, SkillDigest, Verdict};
use sre_receipt::tlog::KeyName;

/// Skills that are remembered as seen. Beyond that every skill counts as new, which checks more and
/// not less.
const SKILLS_LIMIT: usize = 100_000;
/// How far clocks may be apart, and how long a receipt may take into the log, before its time is
/// remarked on.
const TIME_TOLERANCE: SignedDuration = SignedDuration::from_mins(10);
/// How long a verdict is offered to an executor that refuses it. Until then its operator may trust
/// the key.
pub const OFFER_DAYS: i64 = 30;
/// Longest pause before a refused verdict is offered again.
const OFFER_PAUSE_LIMIT: SignedDuration = SignedDuration::from_hours(1);

/// How far a watcher has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Which executor it follows, so that what waits can be delivered while the executor does not
    /// answer with its name.
    #[serde(default)]
    pub followed: Option<Followed>,
    /// Entries of the log that are done with.
    pub position: u64,
    /// Looks so far at which the log answered, and not what the receipts of the next part lead to.
    #[serde(default)]
    pub looks_held: u32,
    /// Receipts among the entries that are done with.
    pub receipts: u64,
    /// Receipts that were checked, by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Those among the matched ones that were sampled.
    #[serde(default)]
    pub matched_by_chance: u64,
    /// Receipts of orders that committed nothing: there is nothing to replay.
    pub nothing_committed: u64,
    /// Receipts that are in the log and cannot be had themselves.
    #[serde(default)]
    pub withheld: u64,
    /// Receipts with a time at which they cannot have been signed.
    #[serde(default)]
    pub misdated: u64,
    /// Verdicts that the executor did not take, and are not offered any more.
    pub refused: u64,
    /// Verdicts that were given up because too many waited.
    #[serde(default)]
    pub dropped: u64,
    /// Why something is not delivered, or was refused: the last reason.
    #[serde(default)]
    pub last_reason: Option<String>,
    /// The last look that was finished.
    #[serde(default)]
    pub looked: Option<Looked>,
    /// Skills of which an order was checked.
    skills: BTreeSet<SkillDigest>,
}

/// An executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Followed {
    /// The address of the service.
    pub executor: String,
    /// The name of its log.
    pub origin: KeyName,
}

/// A look at the log: what is behind `size` appeared after `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Looked {
    /// Entries there were.
    pub size: u64,
    /// When.
    pub at: Timestamp,
}

/// Something to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboxItem {
    /// Where to: the order at the executor; to the challenge URL where it is `None`.
    pub order_id: Option<OrderId>,
    /// What.
    pub body: String,
    /// Since when, how often and until when it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// A receiver did not want an item, and may want it later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    since: Timestamp,
    times: u32,
    again: Timestamp,
}

/// When a receipt says that an order ended, and why it cannot have been signed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misdated {
    /// The time is yet to come.
    Ahead(Timestamp),
    /// The log was seen without it long after that.
    Back(Timestamp, Timestamp),
}

impl State {
    /// Whether this is the first order of a skill that is checked.
    #[must_use]
    pub fn is_new(&self, skill: SkillDigest) -> bool {
        !self.skills.contains(&skill)
    }

    /// The most serious verdict that was found, if any was not good.
    #[must_use]
    pub fn worst(&self) -> Option<Verdict> {
        let order = [
            Verdict::Tampered,
            Verdict::Diverged,
            Verdict::Unavailable,
            Verdict::Unanchored,
            Verdict::Unverifiable,
        ];
        order
            .into_iter()
            .find(|verdict| self.verdicts.contains_key(verdict.as_str()))
    }

    /// Counts what was found.
    pub fn count(&mut self, verdict: Verdict) {
        *self
            .verdicts
            .entry(verdict.as_str().to_owned())
            .or_default() += 1;
    }

    /// Remembers a skill of which an order was checked.
    pub fn met(&mut self, skill: SkillDigest) {
        if self.skills.len() < SKILLS_LIMIT {
            self.skills.insert(skill);
        }
    }

    /// Why a receipt cannot have been signed when it says: it is of the future, or it appeared long
    /// after a time at which the log was seen without it. A stolen key, or one that is no longer
    /// trusted, makes such receipts.
    #[must_use]
    pub fn misdated(
        &self,
        position: u64,
        finished_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Misdated> {
        let finished_at = finished_at?;
        if finished_at.duration_since(now) > TIME_TOLERANCE {
            return Some(Misdated::Ahead(finished_at));
        }
        let looked = self.looked.filter(|looked| position >= looked.size)?;
        let is_late = looked.at.duration_since(finished_at) > TIME_TOLERANCE;
        is_late.then_some(Misdated::Back(finished_at, looked.at))
    }
}

impl Misdated {
    /// The cause alone.
    pub fn is_ahead(self) -> bool {
        matches!(self, Self::Ahead(_))
    }
}

impl std::fmt::Display for Misdated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ahead(finished_at) => write!(f, "it says {finished_at}, which is yet to come"),
            Self::Back(finished_at, at) => write!(
                f,
                "it says {finished_at}, and the log did not have it at {at}"
            ),
        }
    }
}

impl OutboxItem {
    /// A verdict about an order.
    pub fn verdict(order_id: OrderId, body: String) -> Self {
        Self {
            order_id: Some(order_id),
            body,
            refused: None,
        }
    }

    /// A challenge.
    pub fn challenge(body: String) -> Self {
        Self {
            order_id: None,
            body,
            refused: None,
        }
    }

    /// Whether it goes to the challenge URL.
    pub fn is_challenge(&self) -> bool {
        self.order_id.is_none()
    }

    /// Whether it is to be offered `now`.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.refused.is_none_or(|refused| refused.again <= now)
    }

    /// The same after it was refused, to be offered again after a pause that grows where `pauses`;
    /// `None` when it was offered long enough.
    pub fn refused(mut self, now: Timestamp, pauses: bool) -> Option<Self> {
        let Refused { since, times, .. } = self.refused.unwrap_or(Refused {
            since: now,
            times: 0,
            again: now,
        });
        if now.duration_since(since) > SignedDuration::from_hours(24 * OFFER_DAYS) {
            return None;
        }
        let pause = SignedDuration::from_secs(1 << times.min(12)).min(OFFER_PAUSE_LIMIT);
        let again = if pauses {
            now.saturating_add(pause).unwrap_or(now)
        } else {
            now
        };
        self.refused = Some(Refused {
            since,
            times: times.saturating_add(1),
            again,
        });
        Some(self)
    }
}
