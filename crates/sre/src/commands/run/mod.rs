//! `sre run`: the whole pipeline on one order, in this process.
//!
//! Order of work: read everything, accept (nothing is written up to here), open the data folder,
//! execute. Ctrl-C at any moment stops the guest; whatever the journal says then is the truth, and
//! it is what the message says.

mod invocation;
pub(super) mod left;
pub(super) mod order;

pub use order::read_input;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sre_core::{ErrorCode, OrderId, OrderResult, OrderStatus};
use sre_journal::OrderReader as _;
use sre_orchestrator::{
    AcceptedOrder, DataFolder, Embedded, Executed, InvocationConfig, Orchestrator, OrderConfig,
    Stage, StoredInputs,
};
use sre_receipt::Receipt;
use sre_skill::Skill;

use crate::cli::{Format, Global, RunArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress, Style};
use left::Target;

/// How long a guest that was told to stop may take; it needs milliseconds. A compilation cannot be
/// told and is left behind.
const STOP_TIME_LIMIT: Duration = Duration::from_secs(2);

/// An order that has a result.
struct Finished {
    skill: Arc<Skill>,
    result: OrderResult,
    /// The result was there already.
    is_stored: bool,
    /// Its receipt, or why it has none yet.
    receipt: Result<Receipt, Failure>,
    /// What it printed; `None` in the JSON contract.
    stdout: Option<Arc<[u8]>>,
    /// How many changes were written, where that was asked for, or why not.
    written: Option<Result<usize, Failure>>,
}

/// Runs one order.
///
/// # Errors
/// When there is no result: the order was refused, something around it failed, or Ctrl-C.
pub fn run(args: RunArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    let RunArgs {
        order,
        output,
        receipt: receipt_file,
    } = args;
    if receipt_file.as_deref().is_some_and(super::is_stdout) {
        let failure = Failure::new(
            ErrorCode::Usage,
            "--receipt -: standard output is the result's",
        );
        return Err(failure
            .hint("name a file; `sre bundle ORDER --output -` writes receipt and evidence there"));
    }
    let target = left::target(output, &order.invocation)?;
    let config = order::read(order)?;
    let folder = global.data_folder()?;
    let order_id = config.order_id.clone();
    let embedded = Embedded::new(folder.clone(), super::embedded(global, progress))?;

    let runtime = super::runtime()?;
    progress.show("preparing the skill");
    let ended = runtime.block_on(async {
        tokio::select! {
            finished = pipeline(&embedded, config, target.as_ref(), progress) => Some(finished),
            () = ctrl_c() => None,
        }
    });
    runtime.shutdown_timeout(STOP_TIME_LIMIT);
    progress.clear();
    let finished = match ended {
        Some(ended) => ended?,
        None => return Err(super::runtime()?.block_on(interrupted(&folder, &order_id))),
    };

    if finished.is_stored && !global.quiet {
        output::stderr(&format!(
            "note: order {order_id} ended before; this is its stored result, nothing ran\n"
        ));
    }
    show(&finished, global)?;
    let exit = exit_of(&finished.result);
    let Finished {
        receipt, written, ..
    } = finished;
    if let Some(Err(failure)) = written {
        let failure = failure.hint(format!("order {order_id} has ended and its files are kept"));
        output::report(&failure, global.format);
        return Ok(if is_accepted(exit) {
            Exit::Operating
        } else {
            exit
        });
    }
    match hand_over(receipt, receipt_file.as_deref(), &order_id, global) {
        // The order's own code says more. Only a success must not hide that a file which was asked
        // for is not there.
        false if is_accepted(exit) && receipt_file.is_some() => Ok(Exit::Operating),
        _ => Ok(exit),
    }
}

/// Prints the result. A command prints what the skill printed, and its log and a line about it to
/// standard error, as if the program had been started here.
fn show(finished: &Finished, global: &Global) -> Result<(), Failure> {
    let result = &finished.result;
    match (global.format, &finished.stdout) {
        (Format::Json, _) => output::stdout(output::json_line(result).as_bytes()),
        (Format::Human, None) => {
            let text = output::order(Some(&finished.skill), result, Style::stdout());
            output::stdout(text.as_bytes())
        }
        (Format::Human, Some(stdout)) => {
            output::stdout(stdout)?;
            if !global.quiet {
                let written = finished.written.as_ref().and_then(|w| w.as_ref().ok());
                let text = output::command(Some(&finished.skill), result, written.copied());
                output::stderr(&text);
            }
            Ok(())
        }
    }
}

/// The exit code: the program's own where the order accepts it.
pub(super) fn exit_of(result: &OrderResult) -> Exit {
    let code = result
        .command
        .as_ref()
        .and_then(|command| command.exit_code);
    match (Exit::of(result), code.map(u8::try_from)) {
        (Exit::Success, Some(Ok(code))) => Exit::Program(code),
        (exit, _) => exit,
    }
}

/// Whether the order completed.
pub(super) fn is_accepted(exit: Exit) -> bool {
    matches!(exit, Exit::Success | Exit::Program(_))
}

/// Writes the receipt where it was asked for; whether that, and issuing it, went well. The result
/// is durable and printed by now, so what fails here is reported beside it.
fn hand_over(
    receipt: Result<Receipt, Failure>,
    file: Option<&Path>,
    order_id: &OrderId,
    global: &Global,
) -> bool {
    let (failure, verb) = match (receipt, file) {
        (Ok(_), None) => return true,
        (Ok(receipt), Some(file)) => {
            match super::write_file(file, &receipt.envelope().to_canonical()) {
                Ok(()) => return true,
                Err(failure) => (failure, "write the receipt of"),
            }
        }
        (Err(failure), _) => (failure, "issue the receipt of"),
    };
    let hint = format!(
        "order {order_id} has ended and its result is kept; `sre bundle {order_id} --output FILE` tries again to {verb} it"
    );
    output::report(&failure.hint(hint), global.format);
    false
}

async fn pipeline(
    embedded: &Embedded,
    config: OrderConfig,
    target: Option<&Target>,
    progress: &Progress,
) -> Result<Finished, Failure> {
    let (order, orchestrator) = accept(embedded, config).await?;
    let skill = Arc::clone(order.skill());
    // An order that has a result already goes through no stage.
    let is_stored = AtomicBool::new(true);
    let observe = |stage| {
        is_stored.store(false, Ordering::Relaxed);
        progress.update(&describe(stage, &skill));
    };
    let Executed { result, receipt } = embedded.execute(&orchestrator, order, &observe).await?;
    let receipt = receipt.map_err(Failure::from);
    let store = orchestrator.store();
    let stdout = left::stdout(store, &result).await?;
    let written = match target {
        // Not before it is verified, and not what a failed program left half done.
        Some(target) if result.status == OrderStatus::Completed => {
            Some(left::write(store, &result, target).await)
        }
        _ => None,
    };
    Ok(Finished {
        result,
        is_stored: is_stored.load(Ordering::Relaxed),
        skill,
        receipt,
        stdout,
        written,
    })
}

/// Accepts the order and opens the data folder: in this order where the order says everything
/// itself, so that a refused one leaves nothing behind.
async fn accept(
    embedded: &Embedded,
    config: OrderConfig,
) -> Result<(AcceptedOrder, Orchestrator), Failure> {
    let refers = config
        .invocation
        .as_ref()
        .is_some_and(InvocationConfig::has_references);
    if !refers {
        let order = embedded.acceptance().accept(config).await?;
        return Ok((order, embedded.open()?));
    }
    let orchestrator = embedded.open()?;
    let (store, journal) = (orchestrator.store(), orchestrator.journal());
    // The operator's own orders may use all that is there.
    let inputs = StoredInputs::new(Arc::clone(store), Arc::clone(journal), None);
    let order = embedded.acceptance().accept_from(config, &inputs).await?;
    Ok((order, orchestrator))
}

fn describe(stage: Stage, skill: &Skill) -> String {
    let name = &skill.manifest().name;
    match stage {
        Stage::Queued => format!("{name} is waiting"),
        Stage::Running => format!("running {name}"),
        Stage::Verifying => format!("replaying {name}"),
        Stage::Reporting => String::from("posting the result"),
    }
}

/// Ends when the user asks to stop. Where that cannot be listened for, the system's default
/// applies.
async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What is true after Ctrl-C. By now nothing of this process works on the order any more.
async fn interrupted(folder: &DataFolder, order_id: &OrderId) -> Failure {
    let entry = match folder.has_journal().then(|| folder.open_journal()) {
        Some(Ok(journal)) => journal.get(order_id).await.ok().flatten(),
        _ => None,
    };
    let (detail, hint) = match entry {
        None => (
            String::from(
                "interrupted before the order was accepted; nothing ran and nothing is kept",
            ),
            None,
        ),
        Some(entry) if entry.result.is_none() => (
            format!("interrupted; the skill was stopped and order {order_id} is still open"),
            Some(format!(
                "run the same command with --order-id {order_id} to execute it again"
            )),
        ),
        Some(_) => (
            format!(
                "interrupted after order {order_id} had ended; its result is kept, and its callback where it was not delivered"
            ),
            Some(format!(
                "the same command with --order-id {order_id} prints the result"
            )),
        ),
    };
    Failure {
        exit: Exit::Interrupted,
        code: ErrorCode::Interrupted,
        detail,
        hint,
    }
}
