//! What a watcher has found so far, for people and for programs.

use serde_json::json;
use sre_core::Verdict;
use sre_journal::Coverage;

use super::state::State;
use crate::cli::{Format, WatchArgs};
use crate::output::{self, Sheet, Style, number, plural};

/// What counts most of everything that was found.
pub fn worst(state: &State) -> Option<Verdict> {
    let order = [
        Verdict::Tampered,
        Verdict::Diverged,
        Verdict::Unavailable,
        Verdict::Unanchored,
        Verdict::Unverifiable,
    ];
    order
        .into_iter()
        .find(|verdict| state.verdicts.contains_key(verdict.as_str()))
}

/// What the sample says.
struct Confidence {
    coverage: Coverage,
    /// Everything that can be replayed was, and matched.
    is_complete: bool,
}

impl Confidence {
    fn of(state: &State) -> Self {
        let count = |verdict: Verdict| state.verdicts.get(verdict.as_str()).copied().unwrap_or(0);
        let inconclusive = [
            Verdict::Unavailable,
            Verdict::Unanchored,
            Verdict::Unverifiable,
        ];
        let coverage = Coverage {
            receipts: state.receipts,
            checked: state.verdicts.values().sum(),
            // Not those that were looked at for being the first of a skill: they say nothing about
            // the others.
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

    fn undetected_share(&self) -> Option<f64> {
        if self.is_complete {
            Some(0.0)
        } else {
            self.coverage.undetected_share(0.95)
        }
    }

    fn words(&self) -> String {
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
                format!(
                    "none: {} of those that were drawn could not be replayed",
                    number(inconclusive)
                )
            }
            None => String::from("none: nothing that was drawn by chance was replayed"),
        }
    }
}

/// The sums, with `left` deliveries that wait.
pub fn described(args: &WatchArgs, state: &State, left: usize, format: Format) -> String {
    let confidence = Confidence::of(state);
    let Coverage { checked, .. } = confidence.coverage;
    let share = confidence.coverage.share_checked();
    match format {
        Format::Json => output::json_line(&json!({
            "executor": args.executor,
            "position": state.position,
            "receipts": state.receipts,
            "checked": checked,
            "verdicts": state.verdicts,
            "nothing_committed": state.nothing_committed,
            "misdated": state.misdated,
            "share_checked": share,
            "undetected_share_95": confidence.undetected_share(),
            "withheld": state.withheld,
            "refused": state.refused,
            "dropped": state.dropped,
            "undelivered": left,
            "undelivered_reason": state.last_reason,
        })),
        Format::Human => {
            let mut sheet = Sheet::new(Style::stdout());
            sheet.title(&args.executor, "");
            sheet.row("receipts", &number(state.receipts));
            sheet.row(
                "checked",
                &format!("{} ({:.1} %)", number(checked), share * 100.0),
            );
            for (verdict, count) in &state.verdicts {
                let is_good = matches!(verdict.as_str(), "matched" | "hash_only");
                sheet.painted_row(
                    verdict,
                    &number(*count),
                    if is_good { Style::good } else { Style::error },
                );
            }
            sheet.row("confidence", &confidence.words());
            if state.withheld > 0 {
                sheet.row(
                    "withheld",
                    &format!("{} that cannot be had", plural(state.withheld, "receipt")),
                );
            }
            if state.misdated > 0 {
                let count = number(state.misdated);
                sheet.row(
                    "misdated",
                    &format!("{count} receipts have a time at which they cannot have been signed"),
                );
            }
            if state.refused > 0 || state.dropped > 0 || left > 0 {
                let (refused, dropped) = (number(state.refused), number(state.dropped));
                let mut text = format!(
                    "{} not delivered yet, {refused} not taken for good",
                    number(left as u64)
                );
                if state.dropped > 0 {
                    text.push_str(&format!(", {dropped} given up because too many waited"));
                }
                if let Some(why) = &state.last_reason {
                    text.push_str(&format!("\nlast reason: {why}"));
                }
                sheet.row("outbox", &text);
            }
            sheet.into_text()
        }
    }
}
