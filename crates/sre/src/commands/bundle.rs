//! `sre bundle`: one file that verifies offline.

use std::io::IsTerminal as _;

use serde_json::json;
use sre_core::{ErrorCode, OrderId};
use sre_orchestrator::{DataFolder, Evidence, evidence};
use sre_receipt::{BUNDLE_LIMIT_BYTES, Bundle, Envelope, Receipt};

use crate::cli::{BundleArgs, Format, Global};
use crate::client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Sheet, Style, bytes, plural};
use crate::receipts::{HttpPlace, Receipts, Shown, Sources};

/// Writes the bundle of an order.
///
/// # Errors
/// When the order has not ended, or a blob is lost, or the file cannot be written.
pub fn bundle(args: &BundleArgs, global: &Global) -> Result<Exit, Failure> {
    let bundle = match &args.from {
        Some(service) => super::runtime()?.block_on(fetch(service, args))?,
        None => {
            let folder = global.data_folder()?;
            let result = super::verify::stored_result(&folder, &args.order)?;
            super::runtime()?.block_on(make(&folder, &result.order_id, args.with_runtime))?
        }
    };
    let file = bundle.to_bytes();
    if file.len() as u64 > BUNDLE_LIMIT_BYTES {
        let detail = format!(
            "the bundle would have {} bytes, and the limit is {BUNDLE_LIMIT_BYTES}",
            file.len()
        );
        return Err(Failure::new(ErrorCode::BundleTooLarge, detail));
    }
    let summary = summary(&bundle, file.len() as u64, args, global.format);
    if super::is_stdout(&args.output) {
        if std::io::stdout().is_terminal() {
            return Err(
                Failure::new(ErrorCode::Usage, "a bundle is not written to a terminal")
                    .hint("name a file with --output"),
            );
        }
        output::stdout(&file)?;
        if !global.quiet {
            output::stderr(&summary);
        }
    } else {
        super::write_file(&args.output, &file)?;
        output::stdout(summary.as_bytes())?;
    }
    Ok(Exit::Success)
}

/// What was written, for people or programs.
fn summary(bundle: &Bundle, size_bytes: u64, args: &BundleArgs, format: Format) -> String {
    let digest = sre_core::Digest::of(&bundle.receipt);
    match format {
        Format::Json => output::json_line(&json!({
            "order_id": args.order,
            "file": args.output,
            "bytes": size_bytes,
            "blobs": bundle.blobs.len(),
            "receipt": digest,
        })),
        Format::Human => {
            let mut sheet = Sheet::new(Style::stdout());
            sheet.title(&args.output.display().to_string(), &bytes(size_bytes));
            sheet.row("order", args.order.as_str());
            sheet.row("receipt", &format!("sha256:{digest}"));
            let proof = if bundle.proof.is_some() {
                "its proof"
            } else {
                "no proof yet"
            };
            let blobs = plural(bundle.blobs.len() as u64, "blob");
            sheet.row("content", &format!("the receipt, {proof} and {blobs}"));
            sheet.into_text()
        }
    }
}

/// Said where the service refuses.
const TOKEN_HINT: &str = "--token-file or SRE_TOKEN gives the token, which needs the scope `read`";

async fn make(
    folder: &DataFolder,
    order_id: &OrderId,
    with_runtime: bool,
) -> Result<Bundle, Failure> {
    let receipts = Receipts::open(folder).await?;
    let (receipt, proof) = receipts.issue(order_id).await?;
    let found = evidence(&**receipts.store(), &receipt, with_runtime).await;
    packed(
        order_id,
        &receipt,
        Some(proof.to_string().into_bytes()),
        found,
    )
    .map_err(|failure| failure.hint("`sre audit` looks for more that is lost"))
}

/// The same with what a service has. Nothing of it is believed: whoever verifies the bundle checks
/// it.
async fn fetch(service: &str, args: &BundleArgs) -> Result<Bundle, Failure> {
    let order_id = &args.order;
    let place =
        HttpPlace::new(service)?.with_token(client::token(args.token_file.as_deref())?, TOKEN_HINT);
    let refused = |code, why: String| Failure::new(code, format!("{}: {why}", place.address()));
    let shown = place
        .receipt(order_id)
        .await
        .map_err(|error| refused(ErrorCode::ServiceUnreachable, error.to_string()))?;
    let shown = shown.ok_or_else(|| {
        refused(
            ErrorCode::ReceiptUnavailable,
            format!("order {order_id} has no receipt there"),
        )
    })?;
    let invalid = || {
        refused(
            ErrorCode::AnswerInvalid,
            String::from("the answer is no receipt of this order"),
        )
    };
    let Shown { receipt, proof } = Shown::parse(&shown).ok_or_else(invalid)?;
    let receipt = receipt.and_then(|bytes| Receipt::read(Envelope::parse(&bytes).ok()?).ok());
    let receipt = receipt
        .filter(|receipt| receipt.predicate().order_id == *order_id)
        .ok_or_else(invalid)?;
    let mut sources = Sources::default();
    sources.add_service(place.clone());
    let found = evidence(&sources, &receipt, args.with_runtime).await;
    // What is refused is not lost.
    if let Some(refusal) = sources.refusal() {
        return Err(refused(ErrorCode::ServiceUnreachable, refusal.to_string()));
    }
    packed(order_id, &receipt, proof, found)
        .map_err(|failure| failure.hint("what the service has lost, `sre audit` finds there"))
}

fn packed(
    order_id: &OrderId,
    receipt: &Receipt,
    proof: Option<Vec<u8>>,
    found: Evidence,
) -> Result<Bundle, Failure> {
    found.into_bundle(receipt, proof).map_err(|error| {
        Failure::new(
            ErrorCode::EvidenceLost,
            format!("order {order_id} cannot be bundled: {error}"),
        )
    })
}
