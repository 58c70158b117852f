//! One part of a log: which of its receipts are checked, and what was found.
//!
//! A part is done when there is a verdict on every receipt that was drawn. What is settled stays
//! settled while the rest is asked for again.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use sre_core::{OrderId, ReceiptDigest, SkillDigest};

use super::check::{Checker, Fetched, Found};
use super::lots::Lots;
use super::state::{Misdated, State};

/// Receipts that are fetched at once.
const FETCHES: usize = 16;
/// Receipts that are checked at once. How many replay at once is the sandbox's to say.
const CHECKS: usize = 8;

/// What a part of the log came to so far. Nothing is counted yet: who is stopped here begins the
/// part again.
#[derive(Default)]
pub struct Part {
    /// Number of its first entry.
    pub start: u64,
    /// What was found about receipts, by their position.
    pub settled: BTreeMap<u64, Settled>,
    /// Position of the first receipt of a skill that was not met before.
    firsts: BTreeMap<SkillDigest, u64>,
}

/// What became of a receipt.
pub struct Settled {
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
    /// It was drawn by chance, and not only for what it is.
    pub is_by_chance: bool,
    /// What the check found; `None` where there was none.
    pub found: Option<Found>,
}

/// What receipts are judged by.
pub struct Measure<'a> {
    /// Fetches and checks.
    pub checker: &'a Checker,
    /// Draws.
    pub lots: &'a Lots,
    /// The share that is drawn.
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

    /// Checks those of `receipts` that are not settled. Returns those for which there was no
    /// answer, with what they come to if there never is one.
    pub async fn settle(
        &mut self,
        receipts: &[(u64, ReceiptDigest)],
        measure: &Measure<'_>,
    ) -> BTreeMap<u64, Settled> {
        let open = receipts
            .iter()
            .filter(|(position, _)| !self.settled.contains_key(position));
        let open: Vec<(u64, ReceiptDigest)> = open.copied().collect();
        let firsts = &mut self.firsts;
        let fetched = stream::iter(open)
            .map(async |(position, digest)| (position, measure.checker.fetch(digest).await));
        let drawn = fetched.buffered(FETCHES).map(|(position, fetched)| {
            let (settled, is_drawn) = measure.draw(position, &fetched, firsts);
            (position, settled, is_drawn.then_some(fetched))
        });
        let checked = drawn.map(async |(position, settled, drawn)| {
            let found = match drawn {
                Some(fetched) => Some(measure.checker.check(fetched).await),
                None => None,
            };
            (position, Settled { found, ..settled })
        });
        let checked: Vec<(u64, Settled)> = checked.buffered(CHECKS).collect().await;
        let (silent, settled): (Vec<_>, Vec<_>) = checked
            .into_iter()
            .partition(|(_, settled)| settled.is_silent());
        self.settled.extend(settled);
        silent.into_iter().collect()
    }
}

impl Settled {
    fn is_silent(&self) -> bool {
        self.found
            .as_ref()
            .is_some_and(|found| found.silence.is_some())
    }
}

impl Measure<'_> {
    /// What is known of a receipt before it is checked, and whether it is. A lot is looked at only
    /// once the receipt was fetched, and is the same however often that happens.
    fn draw(
        &self,
        position: u64,
        fetched: &Fetched,
        firsts: &mut BTreeMap<SkillDigest, u64>,
    ) -> (Settled, bool) {
        let skill = fetched.skill();
        let nothing_committed = fetched.has_nothing_committed();
        let is_by_chance = !nothing_committed && self.lots.is_drawn(fetched.digest(), self.share);
        let is_first = skill.is_some_and(|skill| {
            self.state.is_new(skill)
                && !nothing_committed
                && *firsts.entry(skill).or_insert(position) == position
        });
        let settled = Settled {
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
            settled,
            !nothing_committed && (is_by_chance || is_first || fetched.is_flawed()),
        )
    }
}
