//! One part of a log: which of its receipts are checked, and what was found.
//!
//! A part is done when there is a verdict on every receipt of the sample. What was checked is not
//! checked again while the rest is asked for.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use sre_core::{OrderId, ReceiptDigest, SkillDigest};

use crate::check::{Checker, Fetched, Found};
use crate::sampler::Sampler;
use crate::state::{Misdated, State};

/// Receipts that are fetched at once.
const FETCHES: usize = 16;
/// Receipts that are checked at once. The sandbox decides how many replay at once.
const CHECKS: usize = 8;

/// What a part of the log came to so far. Nothing is counted yet: a process that is stopped here
/// begins the part again.
#[derive(Default)]
pub struct Part {
    /// Number of its first entry.
    pub start: u64,
    /// What was found about receipts, by their position.
    pub checked: BTreeMap<u64, Checked>,
    /// Position of the first receipt of a skill that was not met before.
    firsts: BTreeMap<SkillDigest, u64>,
}

/// What is known of a receipt.
pub struct Checked {
    /// Which order, as far as the receipt can be read.
    pub order_id: Option<OrderId>,
    /// What it ran.
    pub skill: Option<SkillDigest>,
    /// Why it has a time that cannot be.
    pub misdated: Option<Misdated>,
    /// There is nothing to replay.
    pub nothing_committed: bool,
    /// It cannot be had.
    pub is_missing: bool,
    /// It is in the random sample, and was not chosen only for what it is.
    pub is_by_chance: bool,
    /// What the check found; `None` where there was none.
    pub found: Option<Found>,
}

/// Which receipts are checked, and by what.
pub struct SamplingPolicy<'a> {
    /// Fetches and checks.
    pub checker: &'a Checker,
    /// Chooses the sample.
    pub sampler: &'a Sampler,
    /// The share that is sampled.
    pub share: f64,
    /// What was met before.
    pub state: &'a State,
}

impl Part {
    /// Beginning with this entry.
    pub fn new(start: u64) -> Self {
        Self {
            start,
            ..Self::default()
        }
    }

    /// Checks those of `receipts` that have not been. Returns those for which there was no
    /// answer, with what they come to if there never is one.
    pub async fn check(
        &mut self,
        receipts: &[(u64, ReceiptDigest)],
        policy: &SamplingPolicy<'_>,
    ) -> BTreeMap<u64, Checked> {
        let open = receipts
            .iter()
            .filter(|(position, _)| !self.checked.contains_key(position));
        let open: Vec<(u64, ReceiptDigest)> = open.copied().collect();
        let firsts = &mut self.firsts;
        let fetched = stream::iter(open)
            .map(async |(position, digest)| (position, policy.checker.fetch(digest).await));
        let chosen = fetched.buffered(FETCHES).map(|(position, fetched)| {
            let (known, is_sampled) = policy.choose(position, &fetched, firsts);
            (position, known, is_sampled.then_some(fetched))
        });
        let checked = chosen.map(async |(position, known, chosen)| {
            let found = match chosen {
                Some(fetched) => Some(policy.checker.check(fetched).await),
                None => None,
            };
            (position, Checked { found, ..known })
        });
        let checked: Vec<(u64, Checked)> = checked.buffered(CHECKS).collect().await;
        let (unanswered, done): (Vec<_>, Vec<_>) = checked
            .into_iter()
            .partition(|(_, checked)| checked.is_unanswered());
        self.checked.extend(done);
        unanswered.into_iter().collect()
    }
}

impl Checked {
    fn is_unanswered(&self) -> bool {
        self.found
            .as_ref()
            .is_some_and(|found| found.unanswered.is_some())
    }
}

impl SamplingPolicy<'_> {
    /// What is known of a receipt before it is checked, and whether it is. The sample is
    /// consulted only once the receipt was fetched, and is the same however often that happens.
    fn choose(
        &self,
        position: u64,
        fetched: &Fetched,
        firsts: &mut BTreeMap<SkillDigest, u64>,
    ) -> (Checked, bool) {
        let skill = fetched.skill();
        let nothing_committed = fetched.has_nothing_committed();
        let is_by_chance =
            !nothing_committed && self.sampler.is_sampled(fetched.digest(), self.share);
        let is_first = skill.is_some_and(|skill| {
            self.state.is_new(skill)
                && !nothing_committed
                && *firsts.entry(skill).or_insert(position) == position
        });
        let known = Checked {
            order_id: fetched.order_id().cloned(),
            skill,
            misdated: self
                .state
                .misdated(position, fetched.finished_at(), Timestamp::now()),
            nothing_committed,
            is_missing: fetched.is_missing(),
            is_by_chance,
            found: None,
        };
        (
            known,
            !nothing_committed && (is_by_chance || is_first || fetched.is_flawed()),
        )
    }
}
