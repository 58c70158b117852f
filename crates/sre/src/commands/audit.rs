//! `sre audit`: is everything still there that receipts point to?

use serde_json::json;
use sre_core::{ErrorCode, Verdict};
use sre_service::Audit;

use crate::cli::{AuditArgs, Format, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress, Sheet, Style, bytes, number, plural};
use crate::receipts::Receipts;

/// Audits the data folder.
///
/// # Errors
/// When the log cannot be read.
pub fn audit(args: &AuditArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    if !folder.has_log()? {
        return Err(Failure::new(
            ErrorCode::LogUnknown,
            format!("there are no receipts in {}", folder.path().display()),
        ));
    }
    progress.show("reading what receipts lead to");
    let found = super::runtime()?.block_on(async {
        let receipts = Receipts::open(&folder).await?;
        Ok::<_, Failure>(
            Audit::sample(receipts.registrar(), &**receipts.store(), args.sample).await?,
        )
    })?;
    progress.clear();
    let text = match global.format {
        Format::Human => described(&found),
        Format::Json => {
            let lost = found.lost.iter();
            let lost =
                lost.map(|(digest, lost)| json!({"digest": digest, "problem": lost.problem, "orders": lost.orders}));
            output::json_line(&json!({
                "receipts": found.receipts,
                "forgotten": found.forgotten,
                "unread": found.unread.len(),
                "blobs": found.blobs.len(),
                "bytes": found.bytes,
                "lost": lost.collect::<Vec<_>>(),
            }))
        }
    };
    output::stdout(text.as_bytes())?;
    Ok(if found.lost.is_empty() {
        if found.unread.is_empty() {
            Exit::Success
        } else {
            Exit::Operating
        }
    } else if found.lost.values().any(|lost| lost.is_mismatch) {
        Exit::Verdict(Verdict::Tampered)
    } else {
        Exit::Verdict(Verdict::Unavailable)
    })
}

fn described(found: &Audit) -> String {
    let mut sheet = Sheet::new(Style::stdout());
    sheet.title("audit", "");
    sheet.row("receipts", &number(found.receipts));
    sheet.row(
        "read",
        &format!(
            "{}, {}",
            plural(found.blobs.len() as u64, "blob"),
            bytes(found.bytes)
        ),
    );
    if found.forgotten > 0 {
        sheet.row(
            "forgotten",
            &format!(
                "{}, of which only the receipt is kept",
                plural(found.forgotten, "order")
            ),
        );
    }
    if !found.unread.is_empty() {
        sheet.painted_row(
            "not read",
            &plural(found.unread.len() as u64, "blob"),
            Style::error,
        );
    }
    if found.lost.is_empty() {
        sheet.painted_row("lost", "nothing", Style::good);
    } else {
        sheet.painted_row(
            "lost",
            &plural(found.lost.len() as u64, "blob"),
            Style::error,
        );
    }
    for lost in found.lost.values() {
        let orders: Vec<&str> = lost.orders.iter().map(String::as_str).collect();
        sheet.marked(
            &sheet.style().error("✗"),
            &format!("{}; orders: {}", lost.problem, orders.join(", ")),
        );
    }
    sheet.into_text()
}
