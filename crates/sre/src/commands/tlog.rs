//! `sre tlog`: this node's checkpoint, and what other people's logs say.

use serde_json::{Value, json};
use sre_client::HttpLog;
use sre_core::ErrorCode;
use sre_log::watch::{self, Fault, Seen};
use sre_log::{LogMemoryError, LookError, SourceError};
use sre_orchestrator::DataFolder;
use sre_receipt::tlog::Checkpoint;
use sre_watch::{LogFault, log_keys, log_origin};

use super::{connect, tlog_cosign};
use crate::cli::{Format, Global, TlogCheckArgs, TlogCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Sheet, Style, number, plural};
use crate::receipts::{self, Receipts};

/// Does what is asked of a log.
///
/// # Errors
/// When a file cannot be read or written, or the log cannot be read or believed.
pub fn tlog(command: &TlogCommand, global: &Global) -> Result<Exit, Failure> {
    match command {
        TlogCommand::Checkpoint => own_checkpoint(global),
        TlogCommand::Check(args) => check(args, global),
        TlogCommand::Cosign { witnesses, keys } => tlog_cosign::cosign(witnesses, keys, global),
    }
}

fn own_checkpoint(global: &Global) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    if !folder.has_log()? {
        return Err(Failure::new(
            ErrorCode::LogUnknown,
            format!("there is no log in {}", folder.path().display()),
        ));
    }
    let note = super::runtime()?.block_on(async {
        let receipts = Receipts::open(&folder).await?;
        receipts.log().integrate().await?;
        Ok::<_, Failure>(receipts.log().checkpoint().1)
    })?;
    let text = match global.format {
        Format::Human => output::escape(&note.to_string()),
        Format::Json => output::json_line(&json!({ "checkpoint": note.to_string() })),
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

fn check(args: &TlogCheckArgs, global: &Global) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    let source = connect::log(&args.log)?;
    let (seen, read) = super::runtime()?.block_on(look(&source, args, &folder))?;
    output::stdout(described(&seen, read, global.format).as_bytes())?;
    Ok(Exit::Success)
}

/// Looks, and remembers what was seen: a good checkpoint, or the evidence of a bad one. With
/// `--entries` also reads what no such look has read before.
async fn look(
    source: &HttpLog,
    args: &TlogCheckArgs,
    folder: &DataFolder,
) -> Result<(Seen, Option<u64>), Failure> {
    let address = source.address();
    let memory = receipts::memory(folder);
    let origin = match log_origin(source).await {
        Ok(origin) => origin,
        Err(fault) if is_missing(&fault) => {
            return Err(without_evidence(fault).hint(format!(
                "{address}checkpoint was asked for; the log of a service is at {address}log"
            )));
        }
        Err(fault) => return Err(without_evidence(fault)),
    };
    let keys = log_keys(&args.keys, &receipts::keys(folder).trust()?, &origin);
    let seen = match memory.look(&origin, source, &keys).await {
        Ok(seen) => seen,
        Err(LookError::Memory(error)) => return Err(error.into()),
        Err(LookError::Fault(fault)) => return Err(LogFault::keep(&memory, &origin, fault)?.into()),
    };
    if !args.entries {
        return Ok((seen, None));
    }
    let from = memory.entries_read(&origin)?.min(seen.checkpoint.size);
    let mut position = from;
    let visit = |number, _| position = position.max(number + 1);
    let ended = watch::entries(source, &seen, from, visit).await;
    memory.remember_entries(&origin, position)?;
    match ended {
        Ok(()) => Ok((seen, Some(position - from))),
        Err(fault) => Err(LogFault::keep(&memory, &origin, fault)?.into()),
    }
}

fn without_evidence(fault: Fault) -> Failure {
    LogFault {
        fault,
        evidence: None,
    }
    .into()
}

/// Whether the log has no checkpoint at this address.
pub(super) fn is_missing(fault: &Fault) -> bool {
    matches!(fault, Fault::Source(SourceError::Missing(_)))
}

fn described(seen: &Seen, read: Option<u64>, format: Format) -> String {
    let Checkpoint { origin, size, .. } = &seen.checkpoint;
    match format {
        Format::Json => output::json_line(&json!({
            "origin": origin,
            "size": size,
            "size_before": seen.before,
            "entries_checked": read.map_or(Value::Null, Value::from),
            "checkpoint": seen.note.to_string(),
        })),
        Format::Human => {
            let mut sheet = Sheet::new(Style::stdout());
            sheet.title(origin.as_str(), "");
            sheet.row("entries", &number(*size));
            let grown = format!(
                "only grew: {} new since the last look",
                number(size - seen.before)
            );
            sheet.painted_row("history", &grown, Style::good);
            if let Some(read) = read {
                sheet.row(
                    "checked",
                    &format!(
                        "{} not read before, each in the signed tree",
                        plural(read, "entry")
                    ),
                );
            }
            sheet.into_text()
        }
    }
}

impl From<LogMemoryError> for Failure {
    fn from(error: LogMemoryError) -> Self {
        Self::new(ErrorCode::LogMemory, error.to_string())
    }
}
