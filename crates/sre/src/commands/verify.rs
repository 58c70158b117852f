//! `sre verify`: an independent verdict on an order of the local data folder.

use serde_json::Value;
use sre_core::{OrderId, OrderResult, Verdict};
use sre_orchestrator::{DataFolder, Embedded};
use sre_verify::{Verify, VerifyRequest};

use crate::cli::{Format, Global, TrustedRuntime, VerifyArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress, Style};

/// Verifies one order.
///
/// # Errors
/// When there is nothing to verify, or the journal cannot be read.
pub fn verify(args: &VerifyArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    let result = stored_result(&folder, &args.order)?;
    let request = claim(&result)?;

    let mut options = super::embedded(global, progress);
    options.trusted_runtimes = args.trusted_runtimes.iter().map(TrustedRuntime::named).collect();
    let verifier = Embedded::new(folder, options)?.verifier()?;
    progress.show(&format!("verifying order {}", args.order));
    let found = super::runtime()?.block_on(verifier.verify_result(request));
    progress.clear();

    let text = match global.format {
        Format::Human => output::verification(&result, &found, Style::stdout()),
        Format::Json => output::json_line(&found),
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Verdict(found.verdict))
}

/// The order's result. Makes no data folder where there is none.
fn stored_result(folder: &DataFolder, order_id: &OrderId) -> Result<OrderResult, Failure> {
    let place = folder.path().display();
    if !folder.has_journal() {
        return Err(Failure::usage("order_unknown", format!("no order {order_id}: there are no orders in {place}"))
            .hint("--data-dir or SRE_DATA_DIR names another data folder"));
    }
    let Some(entry) = folder.open_journal()?.get(order_id)? else {
        return Err(Failure::usage("order_unknown", format!("no order {order_id} in {place}"))
            .hint("--data-dir or SRE_DATA_DIR names another data folder"));
    };
    entry.parsed_result()?.ok_or_else(|| {
        nothing("order_open", format!("order {order_id} has no result yet: it is running or was interrupted"))
            .hint("if it was interrupted, run it again under the same order id")
    })
}

/// What the order claims. A value that the journal no longer reports counts as the reported value `null`.
fn claim(result: &OrderResult) -> Result<VerifyRequest, Failure> {
    let Some(claim) = result.commit_result.clone() else {
        let why = result.error_message.as_deref().unwrap_or("the reason is not known");
        let status = result.status.as_str();
        let detail = format!("order {} ended as {status} before anything was committed: {why}", result.order_id);
        return Err(nothing("nothing_committed", detail));
    };
    let reported_output = result.output.clone().or_else(|| claim.result_hash.map(|_| Value::Null));
    Ok(VerifyRequest { claim, reported_output })
}

fn nothing(code: &'static str, detail: String) -> Failure {
    Failure { exit: Exit::Verdict(Verdict::Unverifiable), code, detail, hint: None }
}
