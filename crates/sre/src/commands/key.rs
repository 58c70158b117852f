//! `sre key`: the key this node signs with, and the keys it believes.

use jiff::Timestamp;
use serde_json::{Value, json};
use sre_core::ErrorCode;
use sre_receipt::tlog::{NoteKind, VerifierKey};
use sre_receipt::{KeyFolder, KeyFolderError, KeyId, NodeKey, Purpose, Trust, TrustedKey};

use crate::cli::{Format, Global, KeyCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Sheet, Style};
use crate::receipts;

/// Shortest beginning of a key id that names a key, in digits.
const ID_PREFIX_DIGITS: usize = 8;

/// Does what is asked of the keys.
///
/// # Errors
/// When a file is refused or cannot be written, or no such key is known.
pub fn key(command: KeyCommand, global: &Global) -> Result<Exit, Failure> {
    let keys = receipts::keys(&global.data_folder()?);
    let text = match command {
        KeyCommand::New { name } => show(&keys.create(name)?, global.format),
        KeyCommand::Show { pem: false } => show(&own(&keys)?, global.format),
        KeyCommand::Show { pem: true } => own(&keys)?.secret.public().to_pem(),
        KeyCommand::List => list(&keys.trust()?, keys.load()?.as_ref(), global.format),
        KeyCommand::Trust {
            key,
            purposes,
            not_before,
            not_after,
        } => {
            let key: VerifierKey =
                key.trim()
                    .parse()
                    .map_err(|error: sre_receipt::tlog::VerifierKeyError| {
                        Failure::new(ErrorCode::KeyInvalid, error.to_string())
                            .hint("`sre key show` on the other side prints it")
                    })?;
            let purposes = purposes.into_iter().map(Purpose::from);
            let entry = entry(key, purposes.collect(), not_before, not_after)?;
            trust(&keys, entry, global.format)?
        }
        KeyCommand::Untrust { id } => untrust(&keys, &id, global.format)?,
        KeyCommand::Rotate => {
            let (old, new, end) = keys.rotate(Timestamp::now)?;
            if !global.quiet {
                output::stderr(&format!(
                    "note: the key {} is trusted until {end}\n",
                    old.secret.public().id()
                ));
            }
            show(&new, global.format)
        }
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

fn own(keys: &KeyFolder) -> Result<NodeKey, Failure> {
    Ok(keys
        .load()?
        .ok_or_else(|| KeyFolderError::Missing(keys.path().to_path_buf()))?)
}

fn show(key: &NodeKey, format: Format) -> String {
    let public = key.secret.public();
    match format {
        Format::Human => format!("{}\n", output::escape(&key.verifier_key().to_string())),
        Format::Json => output::json_line(&json!({
            "name": key.name,
            "key": public.id(),
            "public_key": public,
            "verifier_key": key.verifier_key().to_string(),
        })),
    }
}

/// The trust file's entry for a key.
fn entry(
    key: VerifierKey,
    mut purposes: Vec<Purpose>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
) -> Result<TrustedKey, Failure> {
    let is_witness = key.kind == NoteKind::Cosignature;
    if purposes.is_empty() {
        purposes = match key.kind {
            NoteKind::Cosignature => vec![Purpose::Witness],
            NoteKind::Ed25519 => vec![Purpose::Receipt, Purpose::Log, Purpose::Verdict],
        };
    }
    if is_witness != purposes.contains(&Purpose::Witness) || (is_witness && purposes.len() > 1) {
        let detail = "a witness has a key of its own kind, and such a key is for nothing else";
        return Err(Failure::new(ErrorCode::KeyPurpose, detail));
    }
    if not_before
        .zip(not_after)
        .is_some_and(|(start, end)| end < start)
    {
        return Err(Failure::new(
            ErrorCode::KeyTime,
            "the trust would end before it begins",
        ));
    }
    let VerifierKey {
        name,
        key: public_key,
        ..
    } = key;
    Ok(TrustedKey {
        name,
        public_key,
        purposes: purposes.into_iter().collect(),
        not_before,
        not_after,
    })
}

fn trust(keys: &KeyFolder, entry: TrustedKey, format: Format) -> Result<String, Failure> {
    let id = entry.public_key.id();
    let text = described(&[&entry], None, format);
    keys.change_trust(|trust| trust.add(entry))?
        .map_err(|entry| {
            let detail = format!(
                "the key {id} of {} is in the trust file already",
                entry.name
            );
            Failure::new(ErrorCode::KeyKnown, detail)
                .hint("to change what it is trusted for, `sre key untrust` it first")
        })?;
    Ok(text)
}

fn untrust(keys: &KeyFolder, id: &str, format: Format) -> Result<String, Failure> {
    let trust = keys.trust()?;
    let found: std::collections::BTreeSet<KeyId> = match id.parse() {
        Ok(id) => [id].into(),
        Err(_) if id.len() < ID_PREFIX_DIGITS => Default::default(),
        Err(_) => trust
            .keys()
            .iter()
            .map(|key| key.public_key.id())
            .filter(|k| k.to_string().starts_with(id))
            .collect(),
    };
    let [id] = found.iter().copied().collect::<Vec<_>>()[..] else {
        let what = if found.is_empty() {
            "no key"
        } else {
            "more than one key"
        };
        return Err(Failure::new(
            ErrorCode::KeyUnknown,
            format!("{what} in the trust file has an id that begins with {id:?}"),
        )
        .hint("`sre key list` shows them"));
    };
    let removed = keys.change_trust(|trust| trust.remove(id))?;
    if removed.is_empty() {
        return Err(Failure::new(
            ErrorCode::KeyUnknown,
            format!("the key {id} is not in the trust file"),
        ));
    }
    Ok(described(&removed.iter().collect::<Vec<_>>(), None, format))
}

fn list(trust: &Trust, own: Option<&NodeKey>, format: Format) -> String {
    described(&trust.keys().iter().collect::<Vec<_>>(), own, format)
}

fn described(keys: &[&TrustedKey], own: Option<&NodeKey>, format: Format) -> String {
    let is_own = |key: &TrustedKey| own.is_some_and(|own| own.secret.public() == key.public_key);
    match format {
        Format::Json => {
            let entry = |key: &&TrustedKey| -> Value {
                let mut entry = json!(key);
                entry["key"] = json!(key.public_key.id());
                entry["own"] = json!(is_own(key));
                entry
            };
            output::json_line(&json!({ "keys": keys.iter().map(entry).collect::<Vec<_>>() }))
        }
        Format::Human => {
            let mut sheet = Sheet::new(Style::stdout());
            for key in keys {
                sheet.title(
                    key.name.as_str(),
                    if is_own(key) { "this node's own" } else { "" },
                );
                sheet.row("key", &key.public_key.id().to_string());
                let purposes: Vec<String> = key.purposes.iter().map(ToString::to_string).collect();
                sheet.row("trusted for", &purposes.join(", "));
                sheet.row("when", &key.window());
            }
            sheet.into_text()
        }
    }
}
