//! `sre config`, `sre token` and `sre gc`: what an operator does besides serving.

use serde_json::json;

use super::{serve, service_config};
use crate::cli::{ConfigArgs, ConfigCommand, Format, GcArgs, Global, TokenCommand};
use crate::config::DEFAULT;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{output, receipts};

/// `sre config`.
///
/// # Errors
/// Settings that cannot be read.
pub fn config(command: &ConfigCommand, global: &Global) -> Result<Exit, Failure> {
    let args = match command {
        ConfigCommand::Default => {
            output::stdout(DEFAULT.as_bytes())?;
            return Ok(Exit::Success);
        }
        ConfigCommand::Show(args) => args,
    };
    let config = service_config(args)?;
    config.settings()?.check()?;
    let text = match global.format {
        Format::Human => config
            .iter()
            .map(|(name, value, origin)| format!("{name} = {value}  # {}\n", output::escape(&origin.to_string())))
            .collect(),
        Format::Json => {
            let entry = |(name, value, origin): (&str, &toml::Value, &crate::config::Origin)| {
                (name.to_owned(), json!({ "value": value, "origin": origin.to_string() }))
            };
            output::json_line(&config.iter().map(entry).collect::<serde_json::Map<_, _>>())
        }
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

/// `sre token`.
///
/// # Errors
/// A name that is taken or unknown; a file that cannot be used.
pub fn token(command: &TokenCommand, global: &Global) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    let settings = service_config(&ConfigArgs { config: None, set: Vec::new() })?.settings()?;
    let tokens = serve::open_tokens(&settings, &folder)?;
    let (human, value) = match command {
        TokenCommand::New { name, scopes } => {
            let token = tokens.add(name, sre_server::Scopes::new(scopes))?;
            (format!("{}\n", token.secret), json!({ "name": token.name, "token": token.secret }))
        }
        TokenCommand::List => {
            let list = tokens.list();
            let line = |(name, scopes): &(String, Vec<sre_server::Scope>)| {
                let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
                format!("{name}  {}\n", scopes.join(","))
            };
            let entry = |(name, scopes): &(String, Vec<sre_server::Scope>)| json!({ "name": name, "scopes": scopes });
            (list.iter().map(line).collect(), list.iter().map(entry).collect())
        }
        TokenCommand::Revoke { name } => {
            tokens.revoke(name)?;
            (String::new(), json!({ "revoked": name }))
        }
        TokenCommand::CallbackKeys { name } => {
            let keys = folder.open_callback_keys()?;
            let (secret, public) = (keys.secret(name), keys.public_key());
            (format!("secret      {secret}\npublic key  {public}\n"), json!({ "secret": secret, "public_key": public }))
        }
    };
    let text = match global.format {
        Format::Human => human,
        Format::Json => output::json_line(&value),
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

/// `sre gc`.
///
/// # Errors
/// When somebody else uses the data folder, or it cannot be read whole; then no blob was removed.
pub fn gc(args: &GcArgs, global: &Global) -> Result<Exit, Failure> {
    let age = service_config(&args.config)?.settings()?.retention()?;
    let folder = global.data_folder()?;
    // Receipts stay as long as the log that vouches for them, which is for ever.
    let needed = receipts::blobs_of_log(&folder)?;
    let swept = super::runtime()?.block_on(sre_orchestrator::sweep(&folder, age, needed))?;
    let text = match global.format {
        Format::Human => format!(
            "{} forgotten, {} removed ({})\n",
            output::plural(swept.orders, "order"),
            output::plural(swept.blobs, "blob"),
            output::bytes(swept.bytes)
        ),
        Format::Json => output::json_line(&json!({
            "orders": swept.orders, "blobs": swept.blobs, "bytes": swept.bytes,
        })),
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}
