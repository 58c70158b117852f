//! An order's result for people.

use sre_core::{CommitResult, ErrorCode, OrderResult, OrderStatus, VerifyResult};
use sre_skill::Skill;

use super::verdict::{paint_verdict, summary};
use super::{Sheet, Style, bytes, duration, escape, escape_json, number, plural};

/// What ran, where, how long, what came out, and whether it was confirmed. The output comes last,
/// as a block of its own.
#[must_use]
pub fn order(skill: Option<&Skill>, result: &OrderResult, style: Style) -> String {
    let mut sheet = Sheet::new(style);
    match skill {
        Some(skill) => {
            let (manifest, digest) = (skill.manifest(), skill.digest().to_string());
            sheet.title(
                &format!("{} {}", manifest.name, manifest.version),
                &format!("sha256:{}", &digest[..12]),
            );
        }
        None => sheet.title("order", ""),
    }
    sheet.row("order", result.order_id.as_str());
    match result.status {
        OrderStatus::Completed => sheet.painted_row("status", result.status.as_str(), Style::good),
        _ => sheet.painted_row("status", result.status.as_str(), Style::error),
    }
    if let (Some(message), code) = (
        &result.error_message,
        result.error_code.as_deref().unwrap_or("unknown"),
    ) {
        sheet.row("error", &format!("{message} ({code})"));
    }
    effort(&mut sheet, result);
    if let Some(found) = &result.verification {
        verdict(&mut sheet, found);
    }
    if let Some(commit) = &result.commit_result {
        if let Some(uri) = &commit.result_uri {
            sheet.row("result", uri);
        }
        sheet.row("commitment", &commit.commitment_uri);
    }
    if !result.logs.is_empty() {
        sheet.quote("log", &result.logs);
    }
    if let Some(hint) = hint(result) {
        sheet.hint(&hint);
    }
    if let Some(output) = &result.output {
        sheet.block(&escape_json(
            &serde_json::to_string_pretty(output).unwrap_or_default(),
        ));
    }
    sheet.into_text()
}

/// What a command did, for standard error: its log, and how it ended in a line or two.
#[must_use]
pub fn command(skill: Option<&Skill>, result: &OrderResult, written: Option<usize>) -> String {
    let style = Style::stderr();
    let mut text = escape(&result.logs);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let mut parts = Vec::new();
    if let Some(command) = &result.command {
        if let Some(code) = command.exit_code {
            parts.push(format!("exited {code}"));
        }
        parts.push(plural(command.files_changed, "file") + " changed");
    }
    if let Some(count) = written {
        parts.push(plural(count as u64, "file") + " written");
    }
    if let Some(found) = &result.verification {
        parts.push(found.verdict.to_string());
    }
    parts.push(duration(result.execution_time_ms));
    let name = skill.map_or_else(
        || String::from("command"),
        |skill| {
            let manifest = skill.manifest();
            escape(&format!("{} {}", manifest.name, manifest.version))
        },
    );
    let mark = match result.status {
        OrderStatus::Completed => style.good("✓"),
        _ => style.error("✗"),
    };
    text.push_str(&format!(
        "{mark} {name}: {} (order {})\n",
        parts.join(", "),
        result.order_id
    ));
    if let Some(message) = &result.error_message {
        let code = result.error_code.as_deref().unwrap_or("unknown");
        text.push_str(&format!("  {} ({code})\n", escape(message)));
    }
    text
}

/// Where it ran and what it took.
fn effort(sheet: &mut Sheet, result: &OrderResult) {
    if let Some(CommitResult {
        backend,
        backend_note,
        resources,
        execution_time_ms,
        ..
    }) = &result.commit_result
    {
        let mut used = format!("{backend}: {}", duration(*execution_time_ms));
        if resources.fuel > 0 {
            used.push_str(&format!(", {} fuel", number(resources.fuel)));
        }
        used.push_str(&format!(", {} memory", bytes(resources.peak_memory_bytes)));
        sheet.row("ran on", &used);
        // A script's interpreter need not be mentioned; an image that the author named and that was
        // not used must be.
        if let Some(note) = backend_note
            .as_ref()
            .filter(|note| note.contains("docker_image"))
        {
            sheet.row("", note);
        }
    }
    let attempts = if result.attempts > 1 {
        format!(", {} attempts", result.attempts)
    } else {
        String::new()
    };
    sheet.row(
        "took",
        &format!("{} in all{attempts}", duration(result.execution_time_ms)),
    );
}

fn verdict(sheet: &mut Sheet, found: &VerifyResult) {
    sheet.painted_row("verdict", &summary(found), |style, text| {
        paint_verdict(style, found.verdict, text)
    });
}

/// What a person can do about a failure.
fn hint(result: &OrderResult) -> Option<String> {
    let hint = match result.error_code.as_deref()?.parse().ok()? {
        ErrorCode::Timeout => {
            "--sandbox-timeout-seconds limits one execution, --timeout-seconds one attempt; the skill's own \
             runtime.timeout_seconds can shorten it"
        }
        ErrorCode::OutOfFuel => "--fuel sets how many instructions a skill may execute",
        ErrorCode::OutOfMemory => "--mem-limit sets how much memory a skill may use",
        ErrorCode::BadOutput => {
            "a skill prints one JSON value to standard output and everything else to standard error"
        }
        ErrorCode::SkillExited if result.logs.is_empty() => {
            "the skill wrote nothing to standard error that would say why"
        }
        ErrorCode::SkillExited => "the log is what the skill wrote to standard error",
        ErrorCode::SkillTrapped => {
            "the program broke down; a panic or an abort in its source is the usual cause"
        }
        ErrorCode::StoreFailed | ErrorCode::SandboxUnavailable => {
            "this was not the skill's doing; run it as a new order, or with --max-retries"
        }
        ErrorCode::VerificationFailed => {
            return Some(format!(
                "`sre verify {}` repeats the verification and lists every check",
                result.order_id
            ));
        }
        _ => return None,
    };
    Some(hint.to_owned())
}
