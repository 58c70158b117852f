//! What the sample says about the orders that were not checked.

use sre_core::Verdict;
use sre_journal::Coverage;

use crate::state::State;

/// What the sample says.
#[derive(Debug, Clone)]
pub struct Confidence {
    /// How many receipts were checked, and with what outcome.
    pub coverage: Coverage,
    /// Everything that can be replayed was, and matched.
    pub is_complete: bool,
}

impl Confidence {
    /// What these sums say.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let count = |verdict: Verdict| state.verdicts.get(verdict.as_str()).copied().unwrap_or(0);
        let inconclusive = [
            Verdict::Unavailable,
            Verdict::Unanchored,
            Verdict::Unverifiable,
        ];
        let coverage = Coverage {
            receipts: state.receipts,
            checked: state.verdicts.values().sum(),
            // Without those that were checked for being the first of a skill: they are not a random
            // sample.
            matched: state.matched_by_chance,
            disputed: count(Verdict::Diverged) + count(Verdict::Tampered),
            inconclusive: inconclusive.into_iter().map(count).sum(),
        };
        let done = count(Verdict::Matched) + count(Verdict::HashOnly) + state.nothing_committed;
        let is_complete = done == state.receipts && count(Verdict::Matched) > 0;
        Self {
            coverage,
            is_complete,
        }
    }

    /// With a confidence of 95 %, at most this share of what can be replayed is wrong; `None` where the
    /// sample says nothing.
    #[must_use]
    pub fn undetected_share(&self) -> Option<f64> {
        if self.is_complete {
            Some(0.0)
        } else {
            self.coverage.undetected_share(0.95)
        }
    }

    /// The same in words.
    #[must_use]
    pub fn words(&self) -> String {
        let Coverage {
            disputed,
            inconclusive,
            ..
        } = self.coverage;
        match self.undetected_share() {
            Some(_) if self.is_complete => {
                String::from("all that can be replayed was, and matched")
            }
            Some(share) => format!(
                "95 % sure that at most {:.2} % of what can be replayed is wrong",
                share * 100.0
            ),
            None if disputed > 0 => String::from("none: results are disputed"),
            None if inconclusive > 0 => {
                format!("none: {inconclusive} of the sampled orders could not be replayed")
            }
            None => String::from("none: no sampled order was replayed"),
        }
    }
}
