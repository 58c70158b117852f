//! What a watcher has found so far, for people and for programs.

use serde_json::json;
use sre_core::Verdict;
use sre_orchestrator::journal::Coverage;

use super::memory::State;
use crate::cli::{Format, WatchArgs};
use crate::output::{self, Sheet, Style, number};

/// What counts most of everything that was found.
pub fn worst(state: &State) -> Option<Verdict> {
    let order =
        [Verdict::Tampered, Verdict::Diverged, Verdict::Unavailable, Verdict::Unanchored, Verdict::Unverifiable];
    order.into_iter().find(|verdict| state.verdicts.contains_key(verdict.as_str()))
}

/// The sums, with `left` deliveries that wait.
pub fn described(args: &WatchArgs, state: &State, left: usize, format: Format) -> String {
    let count = |verdict: Verdict| state.verdicts.get(verdict.as_str()).copied().unwrap_or(0);
    let checked: u64 = state.verdicts.values().sum();
    let disputed = count(Verdict::Diverged) + count(Verdict::Tampered);
    let coverage = Coverage { receipts: state.receipts, checked, matched: count(Verdict::Matched), disputed };
    let (share, undetected) = (coverage.share_checked(), coverage.undetected_share(0.95));
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
            "undetected_share_95": undetected,
            "refused": state.refused,
            "undelivered": left,
        })),
        Format::Human => {
            let mut sheet = Sheet::new(Style::stdout());
            sheet.title(&args.executor, "");
            sheet.row("receipts", &number(state.receipts));
            sheet.row("checked", &format!("{} ({:.1} %)", number(checked), share * 100.0));
            for (verdict, count) in &state.verdicts {
                let is_good = matches!(verdict.as_str(), "matched" | "hash_only");
                sheet.painted_row(verdict, &number(*count), if is_good { Style::good } else { Style::error });
            }
            let confidence = match undetected {
                Some(share) => format!("95 % sure that at most {:.2} % of all results are wrong", share * 100.0),
                None if disputed > 0 => String::from("none: results are disputed"),
                None => String::from("none: nothing was checked"),
            };
            sheet.row("confidence", &confidence);
            if state.misdated > 0 {
                let count = number(state.misdated);
                sheet.row("misdated", &format!("{count} receipts have a time at which they cannot have been signed"));
            }
            if state.refused > 0 || left > 0 {
                let (refused, left) = (number(state.refused), number(left as u64));
                sheet.row("verdicts", &format!("{refused} not taken by the executor, {left} not delivered yet"));
            }
            sheet.into_text()
        }
    }
}
