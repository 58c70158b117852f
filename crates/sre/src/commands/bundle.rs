//! `sre bundle`: one file that verifies offline.

use serde_json::json;
use sre_orchestrator::DataFolder;
use sre_receipt::{BUNDLE_LIMIT_BYTES, Bundle};

use crate::cli::{BundleArgs, Format, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Sheet, Style, bytes, plural};
use crate::receipts::{self, Receipts};

/// Writes the bundle of an order.
///
/// # Errors
/// When the order has not ended, or a blob is lost, or the file cannot be written.
pub fn bundle(args: &BundleArgs, global: &Global) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    let result = super::verify::stored_result(&folder, &args.order)?;
    let bundle = super::runtime()?.block_on(make(&folder, &result, args.with_runtime))?;
    let file = bundle.to_bytes();
    if file.len() as u64 > BUNDLE_LIMIT_BYTES {
        let detail = format!("the bundle would have {} bytes, and the limit is {BUNDLE_LIMIT_BYTES}", file.len());
        return Err(Failure::operating("bundle_too_large", detail));
    }
    super::write_file(&args.output, &file)?;
    let digest = sre_core::Digest::of(&bundle.receipt);
    let text = match global.format {
        Format::Json => output::json_line(&json!({
            "order_id": result.order_id,
            "file": args.output,
            "bytes": file.len(),
            "blobs": bundle.blobs.len(),
            "receipt": digest,
        })),
        Format::Human => {
            let mut sheet = Sheet::new(Style::stdout());
            sheet.title(&args.output.display().to_string(), &bytes(file.len() as u64));
            sheet.row("order", result.order_id.as_str());
            sheet.row("receipt", &format!("sha256:{digest}"));
            sheet.row("content", &format!("the receipt, its proof and {}", plural(bundle.blobs.len() as u64, "blob")));
            sheet.into_text()
        }
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

async fn make(folder: &DataFolder, result: &sre_core::OrderResult, with_runtime: bool) -> Result<Bundle, Failure> {
    let receipts = Receipts::open(folder).await?;
    let (receipt, proof) = receipts.issue(result).await?;
    let found = receipts::evidence(&**receipts.store(), &receipt, with_runtime).await;
    if let Some((_, error)) = found.missing.first() {
        let failure =
            Failure::operating("evidence_lost", format!("order {} cannot be bundled: {error}", result.order_id));
        return Err(failure.hint("`sre audit` looks for more that is lost"));
    }
    let proof = Some(proof.to_string().into_bytes());
    Ok(Bundle { receipt: receipt.envelope().to_canonical(), proof, blobs: found.blobs })
}
