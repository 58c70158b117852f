//! `sre log cosign`: another's word that this node's log only grew.

use serde_json::json;
use sre_log::Log;
use sre_receipt::tlog::{Checkpoint, NoteError, NoteSignature, VerifierKey};

use crate::cli::{Format, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Sheet, Style, number};
use crate::receipts::{self, HttpWitness, Receipts, WitnessAnswer};

/// Has a witness cosign the newest checkpoint.
///
/// # Errors
/// When there is no log, the witness refuses or cannot be reached, or what it answers is not its signature.
pub fn cosign(address: &str, key: Option<&VerifierKey>, global: &Global) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    if !receipts::has_log(&folder) {
        return Err(Failure::usage("log_unknown", format!("there is no log in {}", folder.path().display())));
    }
    let keys = match key {
        Some(key) => vec![key.clone()],
        None => receipts::keys(&folder).trust()?.witnesses().map(|key| key.as_witness()).collect(),
    };
    if keys.is_empty() {
        return Err(Failure::usage("witness_unknown", "no witness is trusted here")
            .hint("--key names the witness's key, and `sre key trust` keeps it"));
    }
    let witness = HttpWitness::new(address)?;
    let (size, name) = super::runtime()?.block_on(async {
        let receipts = Receipts::open(&folder).await?;
        receipts.log().integrate().await?;
        ask(receipts.log(), &witness, &keys).await
    })?;
    let text = match global.format {
        Format::Json => output::json_line(&json!({ "size": size, "witness": name })),
        Format::Human => {
            let mut sheet = Sheet::new(Style::stdout());
            sheet.title(&name, "");
            sheet.painted_row("cosigned", &format!("the checkpoint of {} entries", number(size)), Style::good);
            sheet.into_text()
        }
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

/// Asks, and keeps the answer. Returns the size that was cosigned and the witness's name.
async fn ask(log: &Log, witness: &HttpWitness, keys: &[VerifierKey]) -> Result<(u64, String), Failure> {
    let refused = |why: String| Failure::operating("witness_refused", format!("the witness did not cosign: {why}"));
    let mut old = 0;
    // The first question learns what the witness saw last; the second shows the way from there.
    for _ in 0..2 {
        let (path, mut note) = log.consistency(old).await?;
        match witness.add_checkpoint(old, &path, &note).await.map_err(refused)? {
            WitnessAnswer::Seen(size) if size > log.checkpoint().0 => {
                let detail = format!("it has seen {size} entries of this log, which has {} here", log.checkpoint().0);
                return Err(
                    refused(detail).hint("was this log restored from a backup? then it has forked; see SECURITY.md")
                );
            }
            WitnessAnswer::Seen(size) => old = size,
            WitnessAnswer::Cosigned(lines) => {
                let lines: Vec<NoteSignature> = lines.lines().filter_map(NoteSignature::parse).collect();
                note.merge(&lines);
                let size = Checkpoint::parse(note.text()).map_or(0, |checkpoint| checkpoint.size);
                let mut unknown = NoteError::NoTrustedSignature;
                for key in keys {
                    match note.signed_by(key) {
                        Ok(Some(_)) => {
                            log.add_cosignature(&note, key).await?;
                            return Ok((size, key.name.to_string()));
                        }
                        Ok(None) => {}
                        Err(error) => unknown = error,
                    }
                }
                return Err(refused(format!("what it answered is not its signature: {unknown}")));
            }
        }
    }
    Err(refused(String::from("it changes its mind about what it saw")))
}
