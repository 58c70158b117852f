//! `sre bundle`: one file that verifies offline.

use std::io::IsTerminal as _;

use serde_json::json;
use sre_client::{ClientError, OrderReceipt, Sources};
use sre_core::{ErrorCode, OrderId};
use sre_orchestrator::{DataFolder, Evidence, evidence};
use sre_receipt::{BUNDLE_LIMIT_BYTES, Bundle, Receipt};

use super::connect;
use crate::cli::{BundleArgs, Format, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Sheet, Style, bytes, plural};
use crate::receipts::Receipts;

/// Writes the bundle of an order.
///
/// # Errors
/// When the order has not ended, or a blob is lost, or the file cannot be written.
pub fn bundle(args: &BundleArgs, global: &Global) -> Result<Exit, Failure> {
    let bundle = match &args.from {
        Some(service) => super::runtime()?.block_on(fetch(service, args))?,
        None => {
            let folder = global.data_folder()?;
            let stored = super::verify::stored_result(&folder, &args.order);
            let result = super::runtime()?.block_on(stored)?;
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

/// The same with what a service has. Nothing of it is believed: verifying the bundle checks it.
async fn fetch(service: &str, args: &BundleArgs) -> Result<Bundle, Failure> {
    let order_id = &args.order;
    let client = connect::node(service, connect::token(args.token_file.as_deref())?)?;
    let address = client.address().clone();
    let refused = |code, why: String| Failure::new(code, format!("{address}: {why}"));
    let failed = |error: ClientError| {
        let code = match error {
            ClientError::Invalid(_) => ErrorCode::AnswerInvalid,
            _ => ErrorCode::ServiceUnreachable,
        };
        let is_forbidden = error.is_forbidden();
        let failure = refused(code, error.to_string());
        if is_forbidden {
            failure.hint(connect::READ_TOKEN_HINT)
        } else {
            failure
        }
    };
    let OrderReceipt { receipt, proof } = client.receipt(order_id).await.map_err(|error| {
        if error.is_missing() {
            let why = format!("order {order_id} has no receipt there");
            return refused(ErrorCode::ReceiptUnavailable, why);
        }
        failed(error)
    })?;
    let mut sources = Sources::default();
    sources.add_service(client.clone());
    let found = evidence(&sources, &receipt, args.with_runtime).await;
    // What is refused is not lost.
    if let Some(refusal) = sources.refusal() {
        return Err(failed(refusal));
    }
    packed(order_id, &receipt, proof, found)
        .map_err(|failure| failure.hint(
                "a bundle needs the scope `read`; where the token has it, `sre audit` on the service finds what is gone",
            ))
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
