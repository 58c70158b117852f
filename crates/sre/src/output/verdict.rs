//! A verification for people.

use sre_core::{Check, CheckStatus, Method, Verdict, VerifyResult};

use super::{Sheet, Style, plural};

/// Every check with its outcome, then the verdict.
#[must_use]
pub fn verification(title: &str, addition: &str, found: &VerifyResult, style: Style) -> String {
    let mut sheet = Sheet::new(style);
    sheet.title(title, addition);
    for check in &found.checks {
        one(&mut sheet, check);
    }
    sheet.painted_row("verdict", &summary(found), |style, text| {
        paint_verdict(style, found.verdict, text)
    });
    if found.checks.iter().all(|check| check.detail != found.error)
        && let Some(error) = &found.error
    {
        sheet.row("error", error);
    }
    if !found.expected_hash.is_empty() {
        sheet.row("expected", &found.expected_hash);
    }
    if let Some(actual) = &found.actual_hash {
        sheet.row("actual", actual);
    }
    sheet.into_text()
}

/// The verdict in a few words: `matched: 8 checks passed, replayed`.
pub(super) fn summary(found: &VerifyResult) -> String {
    let count = |status| {
        found
            .checks
            .iter()
            .filter(|check| check.status == status)
            .count() as u64
    };
    let mut parts = vec![format!(
        "{} passed",
        plural(count(CheckStatus::Passed), "check")
    )];
    for (status, word) in [
        (CheckStatus::Failed, "failed"),
        (CheckStatus::Skipped, "skipped"),
    ] {
        if count(status) > 0 {
            parts.push(format!("{} {word}", count(status)));
        }
    }
    parts.push(String::from(if found.method == Method::Replay {
        "replayed"
    } else {
        "not replayed"
    }));
    format!("{}: {}", found.verdict, parts.join(", "))
}

/// The verdict's colour.
pub(super) fn paint_verdict(style: Style, verdict: Verdict, text: &str) -> String {
    match verdict {
        Verdict::Matched => style.good(text),
        Verdict::HashOnly | Verdict::Unanchored => style.warning(text),
        _ => style.error(text),
    }
}

fn one(sheet: &mut Sheet, check: &Check) {
    let style = sheet.style();
    let mark = match check.status {
        CheckStatus::Passed => style.good("✓"),
        CheckStatus::Failed => style.error("✗"),
        CheckStatus::Skipped => style.warning("–"),
    };
    match &check.detail {
        Some(detail) => sheet.marked(
            &mark,
            &format!("{}: {detail}", check.name.replace('_', " ")),
        ),
        None => sheet.marked(&mark, &check.name.replace('_', " ")),
    }
}
