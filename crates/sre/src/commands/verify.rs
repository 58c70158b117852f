//! `sre verify`: an independent verdict, here on an order of the local data folder.

use serde_json::Value;
use sre_core::{ErrorCode, OrderId, OrderResult, Verdict};
use sre_journal::OrderReader as _;
use sre_orchestrator::{DataFolder, Embedded};
use sre_verify::{Verify, VerifyRequest};

use super::verify_file;
use crate::cli::{Format, Global, TrustedRuntime, VerifyArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress, Style};

/// Verifies one order, or one file.
///
/// # Errors
/// When there is nothing to verify, or the journal cannot be read.
pub fn verify(args: &VerifyArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    let order_id = args
        .target
        .to_str()
        .and_then(|text| text.parse::<OrderId>().ok());
    // A name without a folder may be both; what is there as a file is meant as one.
    let Some(order_id) = order_id.filter(|_| !args.target.is_file()) else {
        return verify_file::verify_file(args, global, progress);
    };
    if !args.from.is_empty()
        || args.proof.is_some()
        || args.trust.is_some()
        || args.require_proof
        || args.witnesses > 0
    {
        return Err(Failure::new(
            ErrorCode::Usage,
            format!("these options are for a receipt or a bundle, and there is no file {order_id}"),
        )
        .hint(format!("`sre bundle {order_id} --output FILE` makes one")));
    }
    let folder = global.data_folder()?;
    let result = super::runtime()?.block_on(stored_result(&folder, &order_id))?;
    let request = claim(&result)?;

    let verifier = embedded(folder, args, global, progress)?.verifier()?;
    progress.show(&format!("verifying order {order_id}"));
    let found = super::runtime()?.block_on(verifier.verify_result(request));
    progress.clear();

    let text = match global.format {
        Format::Human => output::verification(
            &format!("order {}", result.order_id),
            result.status.as_str(),
            &found,
            Style::stdout(),
        ),
        Format::Json => output::json_line(&found),
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Verdict(found.verdict))
}

/// The sandbox that replays.
pub(super) fn embedded(
    folder: DataFolder,
    args: &VerifyArgs,
    global: &Global,
    progress: &Progress,
) -> Result<Embedded, Failure> {
    let mut options = super::embedded(global, progress);
    options.trusted_runtimes = args
        .trusted_runtimes
        .iter()
        .map(TrustedRuntime::named)
        .collect();
    Ok(Embedded::new(folder, options)?)
}

/// The order's result. Does not make a data folder.
pub(super) async fn stored_result(
    folder: &DataFolder,
    order_id: &OrderId,
) -> Result<OrderResult, Failure> {
    let place = folder.path().display();
    if !folder.has_journal() {
        return Err(Failure::new(
            ErrorCode::OrderUnknown,
            format!("no order {order_id}: there are no orders in {place}"),
        )
        .hint("--data-dir or SRE_DATA_DIR names another data folder"));
    }
    let journal = folder.open_journal()?;
    let Some(entry) = journal.get(order_id).await? else {
        if journal.purged(order_id).await?.is_some() {
            let detail =
                format!("order {order_id} has ended and was purged since, with its result");
            return Err(Failure::new(ErrorCode::OrderForgotten, detail));
        }
        return Err(Failure::new(
            ErrorCode::OrderUnknown,
            format!("no order {order_id} in {place}"),
        )
        .hint("--data-dir or SRE_DATA_DIR names another data folder"));
    };
    entry.parsed_result()?.ok_or_else(|| {
        Failure::new(
            ErrorCode::OrderOpen,
            format!("order {order_id} has no result yet: it is running or was interrupted"),
        )
        .with_exit(Exit::Verdict(Verdict::Unverifiable))
        .hint("if it was interrupted, run it again under the same order id")
    })
}

/// What the order claims. A value that the journal no longer reports counts as the reported value
/// `null`.
fn claim(result: &OrderResult) -> Result<VerifyRequest, Failure> {
    let Some(claim) = result.commit_result.clone() else {
        let why = result
            .error_message
            .as_deref()
            .unwrap_or("the reason is not known");
        let status = result.status.as_str();
        let detail = format!(
            "order {} ended as {status} before anything was committed: {why}",
            result.order_id
        );
        return Err(Failure::new(ErrorCode::NothingCommitted, detail));
    };
    let reported_output = result
        .output
        .clone()
        .or_else(|| claim.result_hash.map(|_| Value::Null));
    Ok(VerifyRequest {
        claim,
        reported_output,
    })
}
