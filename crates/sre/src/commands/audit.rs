//! `sre audit`: is everything still there that receipts point to?

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sre_core::{BlobDigest, Verdict};
use sre_da::StoreErrorKind;
use sre_orchestrator::DataFolder;
use sre_receipt::tlog::EntryKind;
use sre_receipt::{Envelope, Receipt};

use crate::cli::{AuditArgs, Format, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress, Sheet, Style, bytes, number, plural};
use crate::receipts::{self, Receipts};

/// What an audit found.
#[derive(Debug, Default)]
struct Audit {
    receipts: u64,
    blobs: BTreeSet<BlobDigest>,
    bytes: u64,
    lost: BTreeMap<BlobDigest, Lost>,
}

/// A blob that is not what it should be.
#[derive(Debug)]
struct Lost {
    problem: String,
    is_mismatch: bool,
    orders: BTreeSet<String>,
}

/// Audits the data folder.
///
/// # Errors
/// When the log cannot be read.
pub fn audit(args: &AuditArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    if !receipts::has_log(&folder) {
        return Err(Failure::usage("log_unknown", format!("there are no receipts in {}", folder.path().display())));
    }
    progress.show("reading what receipts lead to");
    let found = super::runtime()?.block_on(sample(&folder, args.sample))?;
    progress.clear();
    let text = match global.format {
        Format::Human => described(&found),
        Format::Json => {
            let lost = found.lost.iter();
            let lost =
                lost.map(|(digest, lost)| json!({"digest": digest, "problem": lost.problem, "orders": lost.orders}));
            output::json_line(&json!({
                "receipts": found.receipts,
                "blobs": found.blobs.len(),
                "bytes": found.bytes,
                "lost": lost.collect::<Vec<_>>(),
            }))
        }
    };
    output::stdout(text.as_bytes())?;
    Ok(if found.lost.is_empty() {
        Exit::Success
    } else if found.lost.values().any(|lost| lost.is_mismatch) {
        Exit::Verdict(Verdict::Tampered)
    } else {
        Exit::Verdict(Verdict::Unavailable)
    })
}

async fn sample(folder: &DataFolder, count: u32) -> Result<Audit, Failure> {
    let receipts = Receipts::open(folder).await?;
    let mut audit = Audit::default();
    for position in positions(receipts.log().submitted()?, u64::from(count)) {
        let Some((order_id, entry)) = receipts.log().entry_at(position)? else { continue };
        if entry.kind != EntryKind::Receipt {
            continue;
        }
        audit.receipts += 1;
        let digest = BlobDigest::from(entry.sha256);
        let store = &**receipts.store();
        let receipt = match store.get(digest).await {
            Ok(bytes) => {
                audit.found(digest, bytes.len());
                Envelope::parse(&bytes).ok().and_then(|envelope| Receipt::read(envelope).ok())
            }
            Err(error) => {
                audit.lost(digest, &order_id, &error);
                continue;
            }
        };
        let Some(receipt) = receipt else { continue };
        let evidence = receipts::evidence(store, &receipt, false).await;
        for (digest, bytes) in &evidence.blobs {
            audit.found(*digest, bytes.len());
        }
        for (digest, error) in &evidence.missing {
            audit.lost(*digest, &order_id, error);
        }
    }
    Ok(audit)
}

/// `count` of the numbers below `total`, chosen by chance; all of them where there are no more.
fn positions(total: u64, count: u64) -> BTreeSet<u64> {
    if total <= count {
        return (0..total).collect();
    }
    let mut chosen = BTreeSet::new();
    while (chosen.len() as u64) < count {
        chosen.insert(rand::random_range(0..total));
    }
    chosen
}

impl Audit {
    fn found(&mut self, digest: BlobDigest, length: usize) {
        if self.blobs.insert(digest) {
            self.bytes += length as u64;
        }
    }

    fn lost(&mut self, digest: BlobDigest, order_id: &str, error: &sre_da::StoreError) {
        let lost = self.lost.entry(digest).or_insert_with(|| Lost {
            problem: error.to_string(),
            is_mismatch: error.kind() == StoreErrorKind::Mismatch,
            orders: BTreeSet::new(),
        });
        lost.orders.insert(order_id.to_owned());
    }
}

fn described(found: &Audit) -> String {
    let mut sheet = Sheet::new(Style::stdout());
    sheet.title("audit", "");
    sheet.row("receipts", &number(found.receipts));
    sheet.row("read", &format!("{}, {}", plural(found.blobs.len() as u64, "blob"), bytes(found.bytes)));
    if found.lost.is_empty() {
        sheet.painted_row("lost", "nothing", Style::good);
    } else {
        sheet.painted_row("lost", &plural(found.lost.len() as u64, "blob"), Style::error);
    }
    for lost in found.lost.values() {
        let orders: Vec<&str> = lost.orders.iter().map(String::as_str).collect();
        sheet.marked(&sheet.style().error("✗"), &format!("{}; orders: {}", lost.problem, orders.join(", ")));
    }
    sheet.into_text()
}
