//! What a watcher has found so far, for people and for programs.

use serde_json::json;
use sre_journal::Coverage;
use sre_watch::{Confidence, State};

use crate::cli::{Format, WatchArgs};
use crate::output::{self, Sheet, Style, number, plural};

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
