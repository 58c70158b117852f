//! `sre log`: this node's checkpoint, and what other people's logs say.

use serde_json::{Value, json};
use sre_core::Verdict;
use sre_log::watch::{self, Fault, Seen};
use sre_log::{LogMemoryError, LogSource};
use sre_orchestrator::DataFolder;
use sre_receipt::tlog::{Checkpoint, CheckpointError, KeyName, Note, NoteError, VerifierKey};

use super::log_cosign;
use crate::cli::{Format, Global, LogCheckArgs, LogCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Sheet, Style, number};
use crate::receipts::{self, HttpLog, Receipts};

/// Does what is asked of a log.
///
/// # Errors
/// When a file cannot be read or written, or the log cannot be read or believed.
pub fn log(command: &LogCommand, global: &Global) -> Result<Exit, Failure> {
    match command {
        LogCommand::Checkpoint => own_checkpoint(global),
        LogCommand::Check(args) => check(args, global),
        LogCommand::Cosign { witness, key } => log_cosign::cosign(witness, key.as_ref(), global),
    }
}

fn own_checkpoint(global: &Global) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    if !receipts::has_log(&folder) {
        return Err(Failure::usage("log_unknown", format!("there is no log in {}", folder.path().display())));
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

fn check(args: &LogCheckArgs, global: &Global) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    let source = HttpLog::new(&args.log)?;
    super::runtime()?.block_on(async {
        match look(&source, args, &folder).await? {
            Ok((seen, read)) => {
                output::stdout(described(&seen, read, global.format).as_bytes())?;
                Ok(Exit::Success)
            }
            Err(failure) => Err(failure),
        }
    })
}

/// Looks, and remembers what was seen: a good checkpoint, or the evidence of a bad one.
async fn look(
    source: &dyn LogSource,
    args: &LogCheckArgs,
    folder: &DataFolder,
) -> Result<Result<(Seen, Option<u64>), Failure>, Failure> {
    let origin = match origin(source).await {
        Ok(origin) => origin,
        Err(fault) => return Ok(Err(failure(&fault))),
    };
    let mut keys: Vec<VerifierKey> = args.keys.clone();
    keys.extend(receipts::keys(folder).trust()?.logs(&origin).map(|key| key.as_log()));
    let memory = receipts::memory(folder);
    let before = memory.last(&origin)?;
    let mut read = None;
    let looked = match watch::look(source, &keys, before.as_ref()).await {
        Ok(seen) if args.entries => {
            let mut count = 0;
            let visit = |position, _| count += u64::from(position >= seen.before);
            let entries = watch::entries(source, &seen.checkpoint, seen.before, visit).await;
            read = Some(count);
            entries.map(|()| seen)
        }
        looked => looked,
    };
    match looked {
        Ok(seen) => {
            memory.remember(&origin, &seen.note)?;
            Ok(Ok((seen, read)))
        }
        Err(fault) => {
            let mut failure = failure(&fault);
            if let Some(path) = memory.keep_evidence(&origin, &fault)? {
                failure = failure.hint(format!("both signed checkpoints are in {}", path.display()));
            }
            Ok(Err(failure))
        }
    }
}

/// Whose log it says it is; not to be believed before a key of that name verified it.
pub(super) async fn origin(source: &dyn LogSource) -> Result<KeyName, Fault> {
    let note = Note::parse(&source.checkpoint().await?).map_err(CheckpointError::from)?;
    Ok(Checkpoint::parse(note.text())?.origin)
}

pub(super) fn failure(fault: &Fault) -> Failure {
    let (code, verdict) = match fault {
        Fault::Forked { .. } => ("log_forked", Verdict::Tampered),
        Fault::Shrunk { .. } => ("log_shrunk", Verdict::Tampered),
        Fault::Rewritten { .. } => ("log_rewritten", Verdict::Tampered),
        Fault::Foreign { .. } => ("log_foreign", Verdict::Tampered),
        Fault::Checkpoint(CheckpointError::Note(NoteError::NoTrustedSignature)) => {
            ("log_untrusted", Verdict::Unanchored)
        }
        Fault::Checkpoint(_) => ("log_malformed", Verdict::Tampered),
        Fault::Source(_) => ("log_unreadable", Verdict::Unavailable),
    };
    let failure = Failure { exit: Exit::Verdict(verdict), code, detail: fault.to_string(), hint: None };
    match verdict {
        Verdict::Unanchored => failure.hint("`sre key trust` or --key names the log's key, from its owner"),
        _ => failure,
    }
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
            let grown = format!("only grew: {} new since the last look", number(size - seen.before));
            sheet.painted_row("history", &grown, Style::good);
            if let Some(read) = read {
                sheet.row("checked", &format!("{} of the new ones, each in the signed tree", number(read)));
            }
            sheet.into_text()
        }
    }
}

impl From<LogMemoryError> for Failure {
    fn from(error: LogMemoryError) -> Self {
        Self::operating("log_memory", error.to_string())
    }
}
