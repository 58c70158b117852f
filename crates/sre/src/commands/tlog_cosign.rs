//! `sre tlog cosign`: others' word that this node's log only grew.

use serde_json::json;
use sre_client::{Address, Witness, WitnessAnswer};
use sre_core::ErrorCode;
use sre_log::Log;
use sre_receipt::tlog::{Note, NoteError, NoteSignature, VerifierKey};

use super::connect;
use crate::cli::{Format, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Sheet, Style, number};
use crate::receipts::{self, Receipts};

/// Has witnesses cosign the newest checkpoint: all of them the same one, because that is what a
/// reader demands. What one of them refuses does not undo what another signed.
///
/// # Errors
/// When there is no log, no witness cosigns, or the only one refuses, cannot be reached or answers
/// what is not its signature.
pub fn cosign(
    addresses: &[String],
    keys: &[VerifierKey],
    global: &Global,
) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    if !folder.has_log()? {
        return Err(Failure::new(
            ErrorCode::LogUnknown,
            format!("there is no log in {}", folder.path().display()),
        ));
    }
    let keys = match keys {
        [] => receipts::keys(&folder)
            .trust()?
            .witnesses()
            .map(|key| key.as_witness())
            .collect(),
        keys => keys.to_vec(),
    };
    if keys.is_empty() {
        return Err(
            Failure::new(ErrorCode::WitnessUnknown, "no witness is trusted here")
                .hint("--key names the witness's key, and `sre key trust` keeps it"),
        );
    }
    let witnesses = addresses
        .iter()
        .map(|address| Witness::new(Address::parse(address)?).map_err(connect::no_client))
        .collect::<Result<Vec<_>, _>>()?;
    let (size, answers) = super::runtime()?.block_on(async {
        let receipts = Receipts::open(&folder).await?;
        receipts.log().integrate().await?;
        let (size, note) = receipts.log().checkpoint();
        let mut answers = Vec::with_capacity(witnesses.len());
        for (witness, address) in witnesses.iter().zip(addresses) {
            answers.push((
                address,
                ask(receipts.log(), (size, &note), witness, &keys).await,
            ));
        }
        Ok::<_, Failure>((size, answers))
    })?;
    report(size, answers, global.format)
}

/// Says who cosigned and who did not. A refusal that stands alone is the command's.
fn report(
    size: u64,
    answers: Vec<(&String, Result<String, Failure>)>,
    format: Format,
) -> Result<Exit, Failure> {
    let (mut cosigned, mut refused) = (Vec::new(), Vec::new());
    for (address, answer) in answers {
        match answer {
            Ok(name) => cosigned.push(name),
            Err(failure) => refused.push((address, failure)),
        }
    }
    if cosigned.is_empty()
        && let Some((_, failure)) = refused.pop()
    {
        return Err(refused
            .into_iter()
            .fold(failure, |last, (address, earlier)| Failure {
                detail: format!("{address}: {}; {}", earlier.detail, last.detail),
                ..last
            }));
    }
    let text = match format {
        Format::Json => output::json_line(&json!({
            "size": size,
            "witness": cosigned.first(),
            "witnesses": cosigned,
            "refused": refused
                .iter()
                .map(|(address, failure)| json!({ "witness": address, "problem": failure.detail }))
                .collect::<Vec<_>>(),
        })),
        Format::Human => {
            let mut sheet = Sheet::new(Style::stdout());
            sheet.title(&cosigned.join(", "), "");
            sheet.painted_row(
                "cosigned",
                &format!("the checkpoint of {} entries", number(size)),
                Style::good,
            );
            for (address, failure) in &refused {
                sheet.marked(
                    &sheet.style().error("✗"),
                    &format!("{address}: {}", failure.detail),
                );
            }
            sheet.into_text()
        }
    };
    output::stdout(text.as_bytes())?;
    Ok(if refused.is_empty() {
        Exit::Success
    } else {
        Exit::Operating
    })
}

/// Shows a witness the checkpoint and keeps its answer. Returns the witness's name.
async fn ask(
    log: &Log,
    (size, checkpoint): (u64, &Note),
    witness: &Witness,
    keys: &[VerifierKey],
) -> Result<String, Failure> {
    let refused = |why: String| {
        Failure::new(
            ErrorCode::WitnessRefused,
            format!("the witness did not cosign: {why}"),
        )
    };
    let mut old = 0;
    // The first question learns what the witness saw last; the second shows the way from there.
    for _ in 0..2 {
        let Some(path) = log.consistency(old, size).await? else {
            let detail = format!("it has seen {old} entries of this log, which has {size} here");
            return Err(refused(detail).hint(
                "did another process add some meanwhile? then ask again; was this log restored from a backup? then it \
                 has forked; see SECURITY.md",
            ));
        };
        match witness
            .add_checkpoint(old, &path, checkpoint)
            .await
            .map_err(|error| refused(error.to_string()))?
        {
            WitnessAnswer::Seen(seen) => old = seen,
            WitnessAnswer::Cosigned(lines) => {
                let lines: Vec<NoteSignature> =
                    lines.lines().filter_map(NoteSignature::parse).collect();
                let mut note = checkpoint.clone();
                note.merge(&lines);
                let mut unknown = NoteError::NoTrustedSignature;
                for key in keys {
                    match note.signed_by(key) {
                        Ok(Some(_)) => {
                            log.add_cosignature(&note, key).await?;
                            return Ok(key.name.to_string());
                        }
                        Ok(None) => {}
                        Err(error) => unknown = error,
                    }
                }
                return Err(refused(format!(
                    "what it answered is not its signature: {unknown}"
                )));
            }
        }
    }
    Err(refused(String::from(
        "it changes its mind about what it saw",
    )))
}
